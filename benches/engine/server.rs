//! Round trips: statements over a socket to a server in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::grid::RANGE;
use super::measure::{Taken, best};
use super::row;

const GOES: usize = 200;

/// Asks a server for one number and for one backtest, again and again over one connection.
pub fn round_trips(workspace: &Path) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_hindsight"))
        .args(["serve", "--trust", "--listen", "127.0.0.1:0", "--data"])
        .arg(workspace)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let mut said = BufReader::new(server.stderr.take().unwrap());
    let port = port(&mut said);
    let ready = started.elapsed();
    // What it logs from here on must go somewhere.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = PgConnectOptions::new()
        .host("127.0.0.1")
        .port(port)
        .username("bench")
        .database("hindsight");
    let connect = || PgConnection::connect_with(&options);
    let mut client = runtime.block_on(connect()).unwrap();
    let mut ask = |what: &str, goes: usize, sql: &'static str| {
        let (rows, taken) = best(goes, || {
            let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_all(&mut client);
            runtime.block_on(rows).unwrap()
        });
        assert_eq!(rows.len(), 1, "{sql}");
        print(what, taken);
    };
    print(
        "server: from its start until it listens",
        Taken {
            wall: ready,
            processor: ready,
            peak: None,
        },
    );
    ask("server: select 1", GOES, "select 1");
    let backtest = format!("select * from backtest({RANGE})").leak();
    ask("server: backtest() with the defaults", GOES, backtest);
    let (_, taken) = best(20, || {
        runtime.block_on(async { connect().await.unwrap().close().await.unwrap() });
    });
    print("server: connect and leave", taken);
    server.kill().unwrap();
    server.wait().unwrap();
}

/// The port that the server says it listens on.
fn port(said: &mut impl BufRead) -> u16 {
    for line in said.lines() {
        let line = line.unwrap();
        if let Some((_, address)) = line.split_once("listening on 127.0.0.1:") {
            let digits = address.split(|c: char| !c.is_ascii_digit()).next();
            return digits.unwrap().parse().unwrap();
        }
    }
    panic!("the server did not say where it listens");
}

/// Only wall time: the processor time of the client alone says nothing.
fn print(what: &str, taken: Taken) {
    let taken = Taken {
        processor: std::time::Duration::ZERO,
        ..taken
    };
    row(what, &taken, None);
}

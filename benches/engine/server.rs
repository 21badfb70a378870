//! Round trips: statements over a socket to a server in a process of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::grid::RANGE;
use super::measure::{Taken, best};
use super::row;

const GOES: usize = 200;
/// Positions of a drag.
const POSITIONS: usize = 400;
/// Pages that drag at once.
const PAGES: usize = 8;

/// Asks a server for one number and for one backtest, again and again over one connection.
pub fn round_trips(workspace: &Path) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_hindsight"))
        .args(["serve", "--trust", "--listen", "127.0.0.1:0"])
        .args(["--http", "127.0.0.1:0", "--data"])
        .arg(workspace)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let mut said = BufReader::new(server.stderr.take().unwrap());
    let port = port(&mut said);
    let ready = started.elapsed();
    let mut page = page(&mut said);
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
    page.drag("live: a position of a drag", "");
    page.drag(
        "live: with the response of one parameter",
        "\"stop_loss_percent\"",
    );
    page.crowd();
    server.kill().unwrap();
    server.wait().unwrap();
}

/// The page of a server.
struct Page {
    stream: BufReader<TcpStream>,
    address: String,
    token: String,
}

fn connect(address: &str) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    BufReader::new(stream)
}

/// The page that the server says it has.
fn page(said: &mut impl BufRead) -> Page {
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let link = line.strip_prefix("page on http://").unwrap();
    let (address, token) = link
        .split(',')
        .next()
        .unwrap()
        .split_once("/#token=")
        .unwrap();
    Page {
        stream: connect(address),
        address: address.to_owned(),
        token: token.to_owned(),
    }
}

impl Page {
    /// How long each position of a drag took.
    fn drag(&mut self, what: &str, response: &str) {
        let (walls, size) = self.positions(what, response);
        print_all(what, walls);
        println!("  {size} bytes each");
    }

    /// Several pages that drag at once, each over a connection of its own, while a sweep is under way.
    fn crowd(&self) {
        let is_over = AtomicBool::new(false);
        let walls = std::thread::scope(|scope| {
            let sweeps = scope.spawn(|| {
                let mut count = 0;
                while !is_over.load(Ordering::Relaxed) {
                    self.sweep();
                    count += 1;
                }
                count
            });
            let pages: Vec<_> = (0..PAGES)
                .map(|page| {
                    scope.spawn(move || {
                        let mut page_of_its_own = Self {
                            stream: connect(&self.address),
                            address: self.address.clone(),
                            token: self.token.clone(),
                        };
                        page_of_its_own.positions(&format!("page {page}"), "").0
                    })
                })
                .collect();
            let walls = pages.into_iter().flat_map(|page| page.join().unwrap());
            let walls: Vec<Duration> = walls.collect();
            is_over.store(true, Ordering::Relaxed);
            println!("  {} sweeps meanwhile", sweeps.join().unwrap());
            walls
        });
        let longest = *walls.iter().max().unwrap();
        print_all("live: 8 pages at once, and a sweep", walls);
        print("  all within (wanted: 300 ms)", of_wall(longest));
    }

    /// A grid of 10,000 combinations, read to its end.
    fn sweep(&self) {
        let list = |from: usize, count: usize| -> String {
            let values: Vec<String> = (from..from + count)
                .map(|value| format!("\"{value}\""))
                .collect();
            values.join(",")
        };
        let (first, mut stream) = (first_day(), connect(&self.address));
        let body = format!(
            "{{\"config\":{{\"start_date\":\"{first}\"}},\"grid\":{{\"score_threshold\":[{}],\
             \"stop_loss_percent\":[{}],\"trailing_stop_percent\":[{}]}}}}",
            list(50, 40),
            list(5, 25),
            list(5, 10)
        );
        let request = self.request("sweep", "Connection: close\r\n", &body);
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("\"type\":\"complete\""), "{answer:.300}");
    }

    /// Asks for every position of a drag of the threshold over its range, one after another: how long
    /// each took, and how large the last was.
    fn positions(&mut self, what: &str, response: &str) -> (Vec<Duration>, usize) {
        let mut walls = Vec::with_capacity(POSITIONS);
        let mut size = 0;
        let first = first_day();
        // The first reads what all need.
        for position in 0..=POSITIONS {
            let threshold = format!("{}.{:02}", position * 25 / 100, position * 25 % 100);
            let body = format!(
                "{{\"page\":\"{what}\",\"seq\":{position},\"width\":1500,\"response\":[{response}],\
                 \"config\":{{\"start_date\":\"{first}\",\"score_threshold\":\"{threshold}\"}}}}"
            );
            let started = Instant::now();
            size = self.ask(&body);
            if position > 0 {
                walls.push(started.elapsed());
            }
        }
        (walls, size)
    }

    fn request(&self, route: &str, headers: &str, body: &str) -> String {
        let (address, token, length) = (&self.address, &self.token, body.len());
        format!(
            "POST /api/v1/{route} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nAccept: application/x-ndjson\r\n{headers}\
             Content-Length: {length}\r\n\r\n{body}"
        )
    }

    /// How long the answer is.
    fn ask(&mut self, body: &str) -> usize {
        let request = self.request("live", "", body);
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut length, mut line) = (0, String::new());
        self.stream.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
        while line != "\r\n" {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            if let Some(said) = line.strip_prefix("content-length: ") {
                length = said.trim().parse().unwrap();
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).unwrap();
        length
    }
}

/// The first day of the history.
fn first_day() -> &'static str {
    RANGE.split('\'').nth(1).unwrap()
}

fn of_wall(wall: Duration) -> Taken {
    Taken {
        wall,
        processor: Duration::ZERO,
        peak: None,
    }
}

/// The median, and what most are within.
fn print_all(what: &str, mut walls: Vec<Duration>) {
    walls.sort();
    print(what, of_wall(walls[walls.len() / 2]));
    let most = of_wall(walls[walls.len() * 95 / 100]);
    print("  95 of 100 within", most);
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

//! What the server does with what clients send, in order and out of it.

mod fuzzed;
pub mod logins;
mod statements;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use hindsight::server::Options;

use crate::files;
use crate::wire::{
    Message, TestServer, Wire, bind, describe, errors, execute, kinds, message, parse, query, sync,
    trusting,
};

/// A workspace with the smallest history.
pub fn workspace() -> tempfile::TempDir {
    let workspace = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = files::test_data().join("tiny").join(name);
        vec![path.to_str().unwrap().to_owned()]
    };
    let request = hindsight::ingest::LoadRequest {
        signals: file("signals.parquet"),
        prices: file("token_prices.parquet"),
        trades: file("trade_outcomes.parquet"),
        ..hindsight::ingest::LoadRequest::default()
    };
    hindsight::ingest::load(workspace.path(), &request, &hindsight::ingest::NoProgress).unwrap();
    workspace
}

/// A server that most tests share.
static SHARED: LazyLock<(tempfile::TempDir, TestServer)> = LazyLock::new(|| {
    let workspace = files::removed_at_the_end(workspace());
    let server = TestServer::of_workspace(workspace.path(), &trusting());
    (workspace, server)
});

fn connect() -> Wire {
    Wire::connect(SHARED.1.address)
}

/// What takes longer than any test waits.
const SLOW: &str = "select count(*) from generate_series(1, 300000) a(x), \
                    generate_series(1, 300000) b(y) where a.x + b.y < 0";

fn tags(messages: &[Message]) -> Vec<String> {
    let tags = messages.iter().filter(|message| message.kind == b'C');
    tags.map(|tag| String::from_utf8_lossy(&tag.body[..tag.body.len() - 1]).into_owned())
        .collect()
}

#[test]
fn a_client_is_told_what_drivers_read() {
    let wire = connect();
    let told: Vec<&str> = wire
        .parameters
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    for name in [
        "server_version",
        "client_encoding",
        "DateStyle",
        "TimeZone",
        "integer_datetimes",
        "standard_conforming_strings",
        "is_superuser",
        "session_authorization",
    ] {
        assert!(told.contains(&name), "{name}: {told:?}");
    }
    assert_eq!(wire.key.1.len(), 4);
    assert_ne!(wire.key, connect().key);
}

#[test]
fn simple_queries_run_until_one_fails() {
    let mut wire = connect();
    let answer = wire.ask(&query("select 1; select nope; select 3"));
    assert_eq!(kinds(&answer), "TDCEZ");
    assert_eq!(errors(&answer), ["42703"]);
    let error = answer.iter().find(|message| message.kind == b'E').unwrap();
    assert_eq!(error.field(b'P').as_deref(), Some("18"));
    assert_eq!(kinds(&wire.ask(&query(""))), "IZ");
    assert_eq!(kinds(&wire.ask(&query("-- nothing"))), "IZ");
    let answer = wire.ask(&query(
        "set application_name = 'x'; show application_name; begin; commit",
    ));
    assert_eq!(tags(&answer), ["SET", "SHOW", "BEGIN", "COMMIT"]);
    assert!(kinds(&answer).starts_with("CS"), "{}", kinds(&answer));
}

#[test]
fn a_transaction_that_failed_is_refused_until_it_ends() {
    let mut wire = connect();
    let mut state = |sql: &str| {
        let answer = wire.ask(&query(sql));
        (
            char::from(answer.last().unwrap().body[0]),
            errors(&answer).concat(),
            tags(&answer).concat(),
        )
    };
    assert_eq!(state("begin"), ('T', String::new(), "BEGIN".into()));
    assert_eq!(state("select nope").0, 'E');
    assert_eq!(state("select 1"), ('E', "25P02".into(), String::new()));
    assert_eq!(state("commit"), ('I', String::new(), "ROLLBACK".into()));
    assert_eq!(state("savepoint a").1, "25P01");
}

#[test]
fn temporary_tables_are_part_of_transactions() {
    let mut wire = connect();
    wire.rows("create temp table t (a int, b text)").unwrap();
    wire.rows("begin; insert into t values (1, 'x'); create temp table u (a int)")
        .unwrap();
    wire.rows("savepoint s; insert into t values (2, 'y'); rollback to s")
        .unwrap();
    assert_eq!(wire.rows("select a, b from t").unwrap(), [["1", "x"]]);
    wire.rows("rollback").unwrap();
    assert_eq!(wire.rows("select count(*) from t").unwrap(), [["0"]]);
    assert_eq!(wire.rows("select * from u").unwrap_err()[..5], *"42P01");
    wire.rows("begin; insert into t values (3, 'z'); commit")
        .unwrap();
    assert_eq!(wire.rows("select a from t").unwrap(), [["3"]]);
    // What a parameter brings is kept as the table keeps it.
    let values = [Some(&b"4"[..]), Some(b"w")];
    let insert = [
        parse("", "insert into t values ($1, $2)", &[23, 1043]),
        describe(b'S', ""),
        bind("", "", &values, 0),
        execute("", 0),
        sync(),
    ];
    let answer = wire.ask(&insert.concat());
    assert_eq!(kinds(&answer), "1tn2CZ");
    let declared = [&23_u32.to_be_bytes()[..], &1043_u32.to_be_bytes()].concat();
    assert_eq!(answer[1].body[2..], declared);
    assert_eq!(
        wire.rows("select b from t where b > 'a' order by a")
            .unwrap(),
        [["z"], ["w"]]
    );
}

#[test]
fn columns_of_tables_are_told_apart() {
    let mut wire = connect();
    let mut told = |sql: &str| {
        let answer = wire.ask(&query(sql));
        let columns = answer.iter().find(|message| message.kind == b'T').unwrap();
        columns.origins()
    };
    let first = told("select id, score + 1, score as s from signals x where score > 1 order by 1");
    let oid = first[0].0;
    assert_ne!(oid, 0);
    assert_eq!(first, [(oid, 1), (0, 0), (oid, 5)]);
    assert_eq!(
        told("select count(*), id from signals group by id"),
        [(0, 0), (oid, 1)]
    );
    assert_eq!(told("select * from backtest()")[0], (0, 0));
    let named = format!("select '{oid}'::oid::regclass::text");
    assert_eq!(wire.rows(&named).unwrap(), [["signals"]]);
}

#[test]
fn cursors_are_fetched_from() {
    let mut wire = connect();
    assert_eq!(
        wire.rows("declare c cursor for select 1").unwrap_err()[..5],
        *"25P01"
    );
    wire.rows("begin").unwrap();
    wire.rows("declare c scroll cursor for select x from generate_series(1, 10) t(x) order by x")
        .unwrap();
    let mut first = |sql: &str| {
        let rows = wire.rows(sql).unwrap();
        rows.into_iter()
            .map(|row| row[0].clone())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(first("fetch 3 from c"), "1 2 3");
    assert_eq!(first("fetch backward 2 from c"), "2 1");
    assert_eq!(first("fetch absolute 7 from c"), "7");
    assert_eq!(first("fetch relative -2 from c"), "5");
    assert_eq!(first("move forward all in c"), "");
    assert_eq!(first("fetch prior from c"), "10");
    assert_eq!(first("fetch last from c"), "10");
    assert_eq!(first("fetch next from c"), "");
    wire.rows("commit").unwrap();
    assert_eq!(wire.rows("fetch 1 from c").unwrap_err()[..5], *"34000");
    wire.rows("declare h cursor with hold for select id from signals order by id")
        .unwrap();
    assert_eq!(wire.rows("fetch 2 from h").unwrap().len(), 2);
    assert_eq!(
        wire.rows("fetch backward 1 from h").unwrap_err()[..5],
        *"55000"
    );
}

#[test]
fn settings_are_of_one_session() {
    let (mut one, mut other) = (connect(), connect());
    one.rows("set time zone 'America/New_York'").unwrap();
    let noon = "select '2024-01-02 12:00:00+00'::timestamptz";
    assert_eq!(one.rows(noon).unwrap(), [["2024-01-02 07:00:00-05"]]);
    assert_eq!(other.rows(noon).unwrap(), [["2024-01-02 12:00:00+00"]]);
    assert_eq!(one.rows("set no_such = 1").unwrap_err()[..5], *"42704");
    one.rows("set datafusion.execution.batch_size = 77")
        .unwrap();
    let size = "show datafusion.execution.batch_size";
    assert_eq!(one.rows(size).unwrap(), [["77"]]);
    assert_ne!(other.rows(size).unwrap(), [["77"]]);
    one.rows("begin; set local application_name = 'inside'; commit")
        .unwrap();
    assert_eq!(one.rows("show application_name").unwrap(), [[""]]);
    one.rows("discard all").unwrap();
    assert_eq!(one.rows("show timezone").unwrap(), [["UTC"]]);
}

#[test]
fn rows_are_copied_out() {
    let mut wire = connect();
    let mut copied = |sql: &str| {
        let answer = wire.ask(&query(sql));
        assert!(
            kinds(&answer).starts_with('H'),
            "{sql}: {:?}",
            errors(&answer)
        );
        let data = answer.iter().filter(|message| message.kind == b'd');
        data.flat_map(|message| message.body.clone())
            .collect::<Vec<u8>>()
    };
    let rows = "(select 1 as a, 'x,y' as b, null::text as c, E'tab\\there' as d)";
    let text = copied(&format!("copy {rows} to stdout"));
    assert_eq!(
        String::from_utf8(text).unwrap(),
        "1\tx,y\t\\N\ttab\\there\n"
    );
    let csv = copied(&format!("copy {rows} to stdout with (format csv, header)"));
    assert_eq!(
        String::from_utf8(csv).unwrap(),
        "a,b,c,d\n1,\"x,y\",,tab\there\n"
    );
    let binary = copied("copy (select 7::int4 as a) to stdout (format binary)");
    let expected = [
        b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec(),
        vec![0, 1, 0, 0, 0, 4, 0, 0, 0, 7, 255, 255],
    ];
    assert_eq!(binary, expected.concat());
    // Where a client sends rows all the same, it is told, and the rest of what it says is heard.
    wire.send(&query("copy signals from stdin"));
    wire.send(&[message(b'd', b"x\n"), message(b'c', b"")].concat());
    assert_eq!(errors(&wire.until_ready()), ["42501"]);
    assert_eq!(wire.rows("select 5").unwrap(), [["5"]]);
}

#[test]
fn a_statement_that_runs_is_cancelled_or_timed_out_soon() {
    let mut wire = connect();
    for sql in [
        SLOW,
        "select count(*) from backtest(stop_loss_percent => range(1, 50, 1), \
                       take_profit_percent => range(5, 500, 1), score_threshold => range(0, 10, 1))",
    ] {
        wire.send(&query(sql));
        std::thread::sleep(Duration::from_millis(300));
        let asked = Instant::now();
        wire.cancel().unwrap();
        assert_eq!(errors(&wire.until_ready()), ["57014"], "{sql}");
        assert!(
            asked.elapsed() < Duration::from_millis(500),
            "{sql}: {:?}",
            asked.elapsed()
        );
    }
    wire.rows("set statement_timeout = '200ms'").unwrap();
    let asked = Instant::now();
    assert_eq!(wire.rows(SLOW).unwrap_err()[..5], *"57014");
    assert!(asked.elapsed() < Duration::from_millis(700));
    wire.rows("set statement_timeout = 0").unwrap();
    // A secret that is wrong cancels nothing.
    let mut other = connect();
    other.send(&query(
        "select count(*) from generate_series(1, 300000) t(x)",
    ));
    let mut guessed = Wire::silent(SHARED.1.address);
    let body = [
        80_877_102_i32.to_be_bytes(),
        other.key.0.to_be_bytes(),
        [1, 2, 3, 4],
    ]
    .concat();
    guessed.send(&[&16_u32.to_be_bytes()[..], &body].concat());
    assert_eq!(errors(&other.until_ready()), Vec::<String>::new());
}

#[test]
fn what_is_too_deep_is_an_error() {
    let mut wire = connect();
    let mut states = Vec::new();
    for depth in [400, 1_500, 5_000] {
        states.push(
            wire.rows(&format!("select {}", vec!["1"; depth].join("+")))
                .err(),
        );
        states.push(
            wire.rows(&format!(
                "select 1 where {}",
                vec!["1=1"; depth].join(" and ")
            ))
            .err(),
        );
        states.push(
            wire.rows(&format!(
                "select {}1{}",
                "(".repeat(depth),
                ")".repeat(depth)
            ))
            .err(),
        );
        states.push(
            wire.rows(&vec!["select 1"; depth].join(" union all "))
                .err(),
        );
    }
    for state in states.into_iter().flatten() {
        assert!(state.starts_with("54001"), "{state}");
    }
    assert_eq!(wire.rows("select 1").unwrap(), [["1"]]);
}

#[test]
fn messages_that_make_no_sense_cost_their_connection_at_most() {
    let address = SHARED.1.address;
    let answered = |bytes: &[u8]| {
        let mut wire = Wire::connect(address);
        wire.send(bytes);
        errors(&wire.until_ready()).concat()
    };
    assert_eq!(answered(&[message(b'B', b"\0"), sync()].concat()), "08P01");
    assert_eq!(
        answered(&[message(b'B', b"\0\0\xff\xff"), sync()].concat()),
        "08P01"
    );
    assert_eq!(
        answered(&[message(b'P', b"\0select 1\0\xff\xff"), sync()].concat()),
        "08P01"
    );
    assert_eq!(answered(&message(b'Q', b"select 1")), "08P01");
    assert_eq!(answered(&message(b'Q', b"select '\xff'\0")), "22021");
    assert_eq!(answered(&message(b'F', b"")), "0A000");
    assert_eq!(answered(&message(b'~', b"abc")), "08P01");
    assert_eq!(answered(b"Q\0\0\0\0"), "08P01");
    assert_eq!(answered(b"Q\x7f\xff\xff\xffx"), "08P01");
    assert_eq!(answered(&message(b'p', b"x\0")), "08P01");
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\0\0\0\0\0\0\0\0",
        b"\xff\xff\xff\xff\0\x03\0\0",
    ] {
        let mut wire = Wire::silent(address);
        wire.send(bytes);
        assert!(wire.next().is_none(), "{bytes:?}");
    }
    let refused = Wire::connect_with(address, &[("database", "hindsight")])
        .err()
        .unwrap();
    assert_eq!(refused.sqlstate(), "28000");
    let refused = Wire::connect_with(address, &[("user", "ann"), ("database", "other")]);
    assert_eq!(refused.err().unwrap().sqlstate(), "3D000");
    assert_eq!(connect().rows("select 1").unwrap(), [["1"]]);
}

#[test]
fn a_client_that_leaves_or_does_not_read_holds_nothing() {
    let endless =
        "select a.x, b.x from generate_series(1, 300000) a(x), generate_series(1, 300000) b(x)";
    for _ in 0..5 {
        let mut wire = connect();
        wire.send(&query(endless));
        while wire.next().unwrap().kind != b'D' {}
    }
    let mut idle = connect();
    idle.send(&query(endless));
    std::thread::sleep(Duration::from_millis(500));
    idle.stream().shutdown(std::net::Shutdown::Both).unwrap();
    let mut wire = connect();
    let deadline = Instant::now() + Duration::from_secs(10);
    let active = "select count(*) from pg_stat_activity where query like 'select a.x, b.x%'";
    while wire.rows(active).unwrap() != [["0"]] {
        assert!(
            Instant::now() < deadline,
            "statements of clients that left are still there"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn sessions_notify_each_other() {
    let (mut one, mut other) = (connect(), connect());
    one.rows("listen news").unwrap();
    other
        .rows("begin; notify news, 'kept'; commit; begin; notify news, 'lost'; rollback")
        .unwrap();
    let heard = one.next().unwrap();
    assert_eq!((heard.kind, &heard.body[4..]), (b'A', &b"news\0kept\0"[..]));
    one.rows("unlisten *").unwrap();
    other.rows("notify news, 'unheard'").unwrap();
    assert_eq!(kinds(&one.ask(&query("select 1"))), "TDCZ");
}

#[test]
fn a_server_that_stops_lets_finish_what_runs() {
    let workspace = workspace();
    let options = Options {
        grace: Duration::from_secs(600),
        ..trusting()
    };
    let server = TestServer::of_workspace(workspace.path(), &options);
    let (mut idle, mut busy) = (Wire::connect(server.address), Wire::connect(server.address));
    // More rows than the network holds, so that it runs until they are read.
    busy.send(&query(
        "select repeat('x', 1000) from generate_series(1, 50000)",
    ));
    assert_eq!(busy.next().map(|message| message.kind), Some(b'T'));
    server.stop.cancel();
    assert_eq!(errors(&idle.until_closed()), ["57P01"]);
    let answer = busy.until_closed();
    let kinds = kinds(&answer);
    assert_eq!(kinds.trim_start_matches('D'), "CZE");
    assert_eq!(kinds.len(), 50_000 + 3);
    assert_eq!(errors(&answer), ["57P01"]);
    assert!(std::net::TcpStream::connect(server.address).is_err());
}

#[test]
fn more_clients_than_allowed_are_refused() {
    let workspace = workspace();
    let options = Options {
        both_loopbacks: false,
        max_connections: 2,
        ..trusting()
    };
    let server = TestServer::of_workspace(workspace.path(), &options);
    let first = Wire::connect(server.address);
    let _second = Wire::connect(server.address);
    let third = Wire::connect_with(
        server.address,
        &[("user", "ann"), ("database", "hindsight")],
    );
    assert_eq!(third.err().unwrap().sqlstate(), "53300");
    drop(first);
    let deadline = Instant::now() + Duration::from_secs(5);
    while Wire::connect_with(
        server.address,
        &[("user", "ann"), ("database", "hindsight")],
    )
    .is_err()
    {
        assert!(Instant::now() < deadline);
    }
}

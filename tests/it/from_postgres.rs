//! `hindsight load --from`: a live PostgreSQL gives the dataset that files give.

use std::fmt::Write;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::TryRecvError;
use std::time::{Duration, Instant};

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use hindsight::Error;
use hindsight::dataset::Dataset;
use hindsight::ingest::{
    DatabaseRequest, LoadRequest, LoadSummary, NoProgress, Period, load, load_database,
};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::cli::{hindsight, run, text};
use crate::files::test_data;
use crate::postgres::{Database, Postgres, block_on};
use crate::runs::eventually;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The tables as a trading system has them.
const TABLES: &str = "\
    create table signals (id uuid primary key, timestamp timestamptz not null, \
        token_address varchar(64) not null, source_wallet text, score numeric(5, 2), \
        score_factors jsonb, kind text default 'buy'); \
    create table token_prices (token_address text, timestamp timestamptz, price numeric, \
        volume_24h numeric, primary key (token_address, timestamp)); \
    create table trade_outcomes (signal_id uuid, token_address text, entry_price numeric, \
        exit_price numeric, realized_pnl_sol numeric, entry_timestamp timestamptz, \
        exit_timestamp timestamptz)";

/// A database with the tables, empty.
fn empty(name: &str) -> Database {
    let database = Postgres::shared().database(name);
    database.execute(TABLES);
    database
}

/// A database with the history of `tests/data/tiny`.
pub fn tiny(name: &str) -> Database {
    let database = empty(name);
    for table in ["signals", "token_prices", "trade_outcomes"] {
        let path = test_data().join(format!("tiny/{table}.parquet"));
        database.copy_in(table, &csv_of(&path));
    }
    database
}

fn csv_of(path: &Path) -> String {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let schema = batches[0].schema();
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let mut csv = names.join(",") + "\n";
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let field = |column: &dyn Array| match column.is_null(row) {
                true => String::new(),
                false => {
                    let text = array_value_to_string(column, row).unwrap();
                    format!("\"{}\"", text.replace('"', "\"\""))
                }
            };
            let fields: Vec<_> = batch.columns().iter().map(|column| field(column)).collect();
            writeln!(csv, "{}", fields.join(",")).unwrap();
        }
    }
    csv
}

/// The fingerprint of `tests/data/tiny` loaded from its files.
pub fn tiny_fingerprint() -> String {
    let workspace = tempfile::tempdir().unwrap();
    let file = |table: &str| {
        let path = test_data().join(format!("tiny/{table}.parquet"));
        vec![path.to_str().unwrap().to_owned()]
    };
    let request = LoadRequest {
        signals: file("signals"),
        prices: file("token_prices"),
        trades: file("trade_outcomes"),
        ..LoadRequest::default()
    };
    load(workspace.path(), &request, &NoProgress)
        .unwrap()
        .fingerprint
}

pub fn request(url: String) -> DatabaseRequest {
    DatabaseRequest {
        url,
        ..DatabaseRequest::default()
    }
}

fn load_from(workspace: &Path, database: &Database) -> LoadSummary {
    load_database(workspace, &request(database.url()), &NoProgress).unwrap()
}

fn refusal(request: &DatabaseRequest) -> Error {
    let workspace = tempfile::tempdir().unwrap();
    let refused = load_database(workspace.path(), request, &NoProgress).unwrap_err();
    assert_eq!(Dataset::current_generation(workspace.path()).unwrap(), 0);
    refused
}

/// Rows read of signals, prices and trades.
fn read(summary: &LoadSummary) -> [u64; 3] {
    [summary.signals, summary.prices, summary.trade_outcomes].map(|rows| rows.read)
}

#[test]
fn from_postgres_is_the_same_as_from_files() {
    let database = tiny("types");
    // The other types that a history is kept in, each in a schema of its own.
    let micros =
        |column: &str| format!("(extract(epoch from {column}) * 1000000)::bigint as {column}");
    database.execute(
        "create schema plain; \
         create table plain.signals as select id::text, timestamp at time zone 'utc' as timestamp, \
            token_address::char(50), source_wallet, score::float8, score_factors::json from signals; \
         create table plain.token_prices as select token_address, \
            timestamp at time zone 'utc' as timestamp, price::float8, volume_24h::float8 from token_prices; \
         create table plain.trade_outcomes as select signal_id::text, token_address, \
            entry_price::float8, exit_price::float8, realized_pnl_sol::text, \
            entry_timestamp at time zone 'utc' as entry_timestamp, exit_timestamp::text from trade_outcomes",
    );
    let factors = [
        "wallet_score",
        "token_metrics",
        "liquidity",
        "holder_distribution",
        "momentum",
    ]
    .map(|factor| format!("(score_factors ->> '{factor}')::numeric as {factor}"))
    .join(", ");
    database.execute(&format!(
        "create schema numbers; \
         create domain numbers.address as text; \
         create view numbers.signals as select id, {}, token_address::numbers.address, source_wallet, score, {factors} \
            from public.signals; \
         create view numbers.token_prices as select token_address, \
            extract(epoch from timestamp) as timestamp, price::text, volume_24h from public.token_prices; \
         create view numbers.trade_outcomes as select signal_id, token_address, entry_price, \
            exit_price, realized_pnl_sol, {}, {} from public.trade_outcomes",
        micros("timestamp"),
        micros("entry_timestamp"),
        micros("exit_timestamp"),
    ));
    let expected = tiny_fingerprint();
    for schema in ["public", "plain", "numbers"] {
        let workspace = tempfile::tempdir().unwrap();
        let options = format!("sslmode=disable&options=-csearch_path%3D{schema}");
        let from = request(database.url_of("postgres", &options));
        let summary = load_database(workspace.path(), &from, &NoProgress).unwrap();
        assert_eq!(summary.fingerprint, expected, "{schema}");
        assert_eq!(read(&summary), [60, 14_692, 22], "{schema}");
        // Again, the last day of signals and prices and all trades; and then a part of it.
        let again = load_database(workspace.path(), &from, &NoProgress).unwrap();
        assert_eq!(again.fingerprint, expected, "{schema}");
        assert_eq!(again.signals.added + again.prices.added, 0, "{schema}");
        assert!(again.prices.read < 8_000, "{schema}: {again:?}");
        let first = read(&again)[0] + read(&again)[1] + again.unread;
        assert_eq!(first, 60 + 14_692, "{schema}");
        let period = Period::parse(Some("2025-01-02"), Some("2025-01-02")).unwrap();
        let workspace = tempfile::tempdir().unwrap();
        let part = DatabaseRequest { period, ..from };
        let part = load_database(workspace.path(), &part, &NoProgress).unwrap();
        let day = "timestamp >= '2025-01-02' and timestamp < '2025-01-03'";
        let count = |sql: &str| {
            database.rows(sql)[0][0]
                .as_ref()
                .unwrap()
                .parse::<u64>()
                .unwrap()
        };
        assert_eq!(
            read(&part),
            [
                count(&format!("select count(*)::text from signals where {day}")),
                count("select count(*)::text from token_prices where timestamp >= '2025-01-02'"),
                count(
                    &format!(
                        "select count(*)::text from trade_outcomes where entry_{day} or \
                     signal_id in (select id from signals where {day})"
                    )
                    .replace(
                        "entry_timestamp >= '2025-01-02' and timestamp",
                        "entry_timestamp >= '2025-01-02' and entry_timestamp"
                    )
                ),
            ],
            "{schema}"
        );
    }
}

#[test]
fn from_postgres_over_tls_and_a_socket() {
    let database = tiny("ways");
    let expected = tiny_fingerprint();
    let certificate = test_data().join("tls/certificate.pem");
    let verified = format!("sslmode=verify-full&sslrootcert={}", certificate.display());
    for url in [
        database.socket_url(),
        database.url_of("only_tls", ""),
        database.url_of("only_tls", "sslmode=require"),
        database.url_of("only_tls", &verified),
        database.url_of("with_password:open%20sesame", ""),
    ] {
        let workspace = tempfile::tempdir().unwrap();
        let summary = load_database(workspace.path(), &request(url), &NoProgress).unwrap();
        assert_eq!(summary.fingerprint, expected);
    }
}

#[test]
fn from_postgres_reads_what_is_new() {
    let database = empty("new");
    let price = |token: &str, time: &str| {
        format!("insert into token_prices values ('{token}', '2025-01-{time}', 1)")
    };
    let signal = |id: u8, time: &str| {
        format!(
            "insert into signals values ('00000000-0000-0000-0000-00000000000{id}', \
             '2025-01-{time}', 'A', null, 50, null)"
        )
    };
    let trade = "('00000000-0000-0000-0000-000000000001', 'A', 1, 1.5";
    database.execute(&format!(
        "insert into trade_outcomes values {trade}, null, '2025-01-01', null)"
    ));
    for day in 1..=9 {
        database.execute(&price("A", &format!("0{day}")));
        database.execute(&signal(day, &format!("0{day} 01:00")));
    }
    let directory = tempfile::tempdir().unwrap();
    let workspace = directory.path();
    assert_eq!(read(&load_from(workspace, &database)), [9, 9, 1]);
    // Nothing is new: the last day is read again.
    let same = load_from(workspace, &database);
    assert_eq!((read(&same), same.unread), ([1, 1, 1], 16));

    // New rows, late rows of an old day, rows before all others, and a trade that closed.
    database.execute(&price("A", "09 05:00"));
    database.execute(&price("A", "12"));
    database.execute(&price("B", "03 07:00"));
    database.execute("insert into token_prices values ('A', '2024-06-01', 1)");
    database
        .execute("update trade_outcomes set exit_timestamp = '2025-01-03', realized_pnl_sol = 0.5");
    let new = load_from(workspace, &database);
    assert_eq!(
        read(&new),
        [1, 6, 1],
        "two of the 3rd, two of the 9th, one of the 12th, one of June"
    );
    assert_eq!(
        (new.prices.added, new.trade_outcomes.added, new.unread),
        (4, 1, 8 + 7)
    );
    let whole = tempfile::tempdir().unwrap();
    assert_eq!(
        new.fingerprint,
        load_from(whole.path(), &database).fingerprint
    );

    // One row in the place of another of its day is what counting does not see, and --full does.
    database.execute(
        "update token_prices set timestamp = '2025-01-05 09:00' where timestamp = '2025-01-05'",
    );
    assert_eq!(load_from(workspace, &database).prices.added, 0);
    let full = DatabaseRequest {
        full: true,
        ..request(database.url())
    };
    let full = load_database(workspace, &full, &NoProgress).unwrap();
    assert_eq!(
        (full.prices.read, full.prices.added, full.unread),
        (13, 1, 0)
    );

    // A period widened later is filled.
    let directory = tempfile::tempdir().unwrap();
    let within = |since: &str| DatabaseRequest {
        period: Period::parse(Some(since), None).unwrap(),
        ..request(database.url())
    };
    let part = load_database(directory.path(), &within("2025-01-08"), &NoProgress).unwrap();
    assert_eq!(read(&part), [2, 4, 0]);
    let more = load_database(directory.path(), &within("2025-01-07"), &NoProgress).unwrap();
    assert_eq!((read(&more), more.unread), ([2, 2, 0], 1 + 3));
    load_from(directory.path(), &database);
    assert_eq!(
        Dataset::open(directory.path())
            .unwrap()
            .price_book
            .price_count(),
        13
    );

    // Some of the tables.
    let only = DatabaseRequest {
        only: vec!["signals".into()],
        ..request(database.url())
    };
    let directory = tempfile::tempdir().unwrap();
    let only = load_database(directory.path(), &only, &NoProgress).unwrap();
    assert_eq!(read(&only), [9, 0, 0]);
}

#[test]
fn from_postgres_keeps_the_trades_of_late_signals() {
    let database = empty("late");
    database.execute(
        "insert into signals values \
            ('00000000-0000-0000-0000-000000000001', '2025-01-01 23:59', 'A'), \
            ('00000000-0000-0000-0000-000000000002', '2025-01-02 00:00', 'A'); \
         insert into trade_outcomes values \
            ('00000000-0000-0000-0000-000000000001', 'A', 1, 1, 1, '2025-01-02 00:01', '2025-01-02 01:00'), \
            ('00000000-0000-0000-0000-000000000002', 'A', 1, 1, 1, '2025-01-02 00:01', '2025-01-02 01:00'); \
         insert into token_prices select 'A', hour, 1 from generate_series( \
            '2025-01-01'::timestamptz, '2025-03-01', '1 hour') as hour",
    );
    let workspace = tempfile::tempdir().unwrap();
    let until = DatabaseRequest {
        period: Period::parse(None, Some("2025-01-01")).unwrap(),
        ..request(database.url())
    };
    let summary = load_database(workspace.path(), &until, &NoProgress).unwrap();
    // A moonbag may be held for 30 days, and its exit be a day later.
    assert_eq!(read(&summary), [1, 32 * 24, 1]);
    assert!(
        summary
            .findings
            .iter()
            .all(|finding| finding.check_name != "unknown_signal")
    );
}

#[test]
fn from_postgres_sees_one_instant() {
    let database = empty("instant");
    // A writer adds a signal with its price and its trade in one transaction, again and again.
    let url = database.url();
    let (running, stopped) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let url = &url;
        let writer = scope.spawn(move || {
            let add = async move {
                let mut connection = PgConnection::connect(url).await.unwrap();
                while stopped.try_recv() == Err(TryRecvError::Empty) {
                    let add = "with new as (insert into signals select gen_random_uuid(), \
                            '2025-01-01'::timestamptz + random() * interval '9 days', n::text \
                            from generate_series(1, 20) as n returning *), \
                        priced as (insert into token_prices select id::text, timestamp, 1 from new) \
                        insert into trade_outcomes select id, token_address, 1, 1, 1, timestamp, timestamp \
                        from new";
                    sqlx::raw_sql(add).execute(&mut connection).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            block_on(add);
        });
        // Dropped also where this fails, lest the writer go on.
        let running = running;
        let directory = tempfile::tempdir().unwrap();
        let mut growing = 0;
        for _ in 0..8 {
            let summary = load_from(directory.path(), &database);
            let totals = [summary.signals, summary.prices, summary.trade_outcomes];
            let totals = totals.map(|rows| rows.total);
            assert_eq!(totals, [totals[0]; 3], "a part of a transaction was read");
            growing += u64::from(summary.signals.added > 0);
        }
        drop(running);
        writer.join().unwrap();
        assert!(growing > 3, "the writer hardly wrote");
    });
}

#[test]
fn from_postgres_names_what_is_wrong() {
    let database = empty("wrong");
    let place = |table: &str| format!("table {table} of postgres://postgres@127.0.0.1:");
    let wrong = |change: &str, undo: &str, table: &str, expected: &str| {
        database.execute(change);
        let error = refusal(&request(database.url()));
        database.execute(undo);
        let message = error.to_string();
        assert!(message.starts_with(&place(table)), "{message}");
        assert!(message.contains(expected), "{message}");
        assert_eq!(error.exit_code(), 1, "{message}");
    };
    for value in ["NaN", "Infinity", "-Infinity", "-1"] {
        let found = format!(
            "row 1, column price: found {value} where token_address is T and timestamp is \
             2025-01-01 00:00:00+00, expected a price in SOL"
        );
        let insert = format!("insert into token_prices values ('T', '2025-01-01', '{value}', 5)");
        wrong(&insert, "truncate token_prices", "token_prices", &found);
        let float = "alter table token_prices alter price type float8";
        wrong(
            &format!("{float}; {insert}"),
            "truncate token_prices; alter table token_prices alter price type numeric",
            "token_prices",
            &found,
        );
    }
    wrong(
        "insert into signals values ('00000000-0000-0000-0000-000000000001', 'infinity', 'A')",
        "truncate signals",
        "signals",
        "row 1, column timestamp: found infinity where id is \
         00000000-0000-0000-0000-000000000001, expected a timestamp",
    );
    wrong(
        "insert into trade_outcomes values ('00000000-0000-0000-0000-000000000001', 'A', 1, 1, 1, \
         '2025-01-02', '2025-01-01')",
        "truncate trade_outcomes",
        "trade_outcomes",
        "column exit_timestamp: found 2025-01-01T00:00:00Z for signal \
         00000000-0000-0000-0000-000000000001",
    );
    wrong(
        "alter table signals rename to gone",
        "alter table gone rename to signals",
        "signals",
        "found no such table, expected a table or view of that name in the search path",
    );
    wrong(
        "alter table signals rename timestamp to at",
        "alter table signals rename at to timestamp",
        "signals",
        "found no column timestamp among id, at, token_address",
    );
    wrong(
        "alter table token_prices alter price type boolean using true",
        "alter table token_prices alter price type numeric using 1",
        "token_prices",
        "found column price of type boolean, expected numeric, double precision",
    );
    wrong(
        "alter table signals alter score_factors type bytea using null",
        "alter table signals alter score_factors type jsonb using null",
        "signals",
        "found column score_factors of type bytea, expected json, jsonb or text",
    );
    wrong(
        "insert into signals values ('00000000-0000-0000-0000-000000000001', '2025-01-01', 'A', \
         null, 1, '[1]')",
        "truncate signals",
        "signals",
        "column score_factors: found [1] where id is 00000000-0000-0000-0000-000000000001, \
         expected a JSON object",
    );
    // A JSON null is no object, as no object is.
    database.execute(
        "insert into signals values ('00000000-0000-0000-0000-000000000001', '2025-01-01', 'A', \
         null, 1, 'null')",
    );
    let workspace = tempfile::tempdir().unwrap();
    assert_eq!(read(&load_from(workspace.path(), &database)), [1, 0, 0]);

    // A row that contradicts a stored one, and two rows that contradict each other.
    database.execute("update signals set score = 2");
    let changed = load_database(workspace.path(), &request(database.url()), &NoProgress);
    let changed = changed.unwrap_err().to_string();
    assert!(
        changed.contains("column score: found 2 for signal 00000000-0000-0000-0000-000000000001, expected 1, which"),
        "{changed}"
    );
    wrong(
        "alter table token_prices drop constraint token_prices_pkey; \
         insert into token_prices values ('T', '2025-01-01', 1), ('T', '2025-01-01', 2)",
        "truncate token_prices",
        "token_prices",
        "column price: found 2 for token T at 2025-01-01T00:00:00Z, expected 1 as in table",
    );
    let reader = request(database.url_of("reader", "sslmode=disable"));
    let error = refusal(&reader);
    assert!(
        error.to_string().contains(
            "permission denied for table signals, expected a table that user reader may read"
        ),
        "{error}"
    );
    assert_eq!(error.exit_code(), 1);
}

#[test]
fn from_postgres_says_why_it_cannot_connect() -> Outcome {
    let database = empty("unreachable");
    let away = std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port();
    let certificates = database.url_of("only_tls", "sslmode=verify-full");
    for (url, expected) in [
        (
            database.url_of("with_password:hunter2", ""),
            "user with_password gave no password or a wrong one\nhint: the password goes into the URL, percent-encoded, or into PGPASSWORD",
        ),
        (
            database.url_of("with_password", ""),
            "user with_password gave no password or a wrong one\n",
        ),
        (
            database.url_of("only_tls:hunter2", "sslmode=disable"),
            "the server lets this user in only over TLS\nhint: sslmode=require",
        ),
        (certificates, "TLS failed: "),
        (
            format!("postgres://bot:hunter2@127.0.0.1:{away}/x"),
            "no server listens there\n",
        ),
        (
            "postgres://bot:hunter2@no-such-host.invalid/x".into(),
            "the name of its host is not known\n",
        ),
        (
            format!("{}&dbname=nothing", database.url()),
            "database \"nothing\" does not exist",
        ),
        (
            "postgres://bot:hunter2@/x?host=/nowhere".into(),
            "no server listens there\n",
        ),
    ] {
        let workspace = tempfile::tempdir()?;
        let data = workspace.path().join("data");
        let output = hindsight(&data)
            .env_remove("PGPASSWORD")
            .env("PGPASSFILE", "/nowhere")
            .args(["load", "--from", &url])
            .output()?;
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{errors}");
        assert!(errors.starts_with("error: postgres://"), "{errors}");
        assert!(errors.contains(expected), "{errors}");
        assert!(!errors.contains("hunter2"), "{errors}");
        assert!(!data.exists(), "a workspace was made");
    }
    let workspace = tempfile::tempdir()?;
    for (arguments, expected) in [
        (
            &["--from", "db.example/trading"] as &[&str],
            "error: a database is named by a URL such as",
        ),
        (
            &["--from", "postgres://b:hunter2#3@h/d"],
            "error: the URL of the database has a / ? # or @",
        ),
        (
            &["--from", "postgres://h/d", "--since", "soon"],
            "error: since must be a date",
        ),
        (
            &["--from", "postgres://h/d", "--signals", "s.csv"],
            "error: the argument '--from <URL>' cannot be used with",
        ),
        (
            &["--since", "2025-01-01"],
            "error: the following required arguments were not provided",
        ),
    ] {
        let output = run(workspace.path(), &[&["load"], arguments].concat())?;
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.starts_with(expected), "{errors}");
        assert!(!errors.contains("hunter2"), "{errors}");
    }
    Ok(())
}

#[test]
fn from_postgres_writes_nothing_and_stops_at_once() -> Outcome {
    let database = tiny("stop");
    let workspace = tempfile::tempdir()?;
    load_from(workspace.path(), &database);
    let idle = "select count(*)::text from pg_stat_activity where application_name = 'hindsight' \
                and datname = current_database()";
    // The server ends a session after its client has gone.
    eventually("no session stays", || {
        database.rows(idle)[0][0].as_deref() == Some("0")
    });

    // Even where reading would write, nothing is written.
    database.execute(
        "create schema traps; create table traps.log (at text); \
         create function traps.write() returns numeric language sql volatile as \
            'insert into traps.log values (''read'') returning 1'; \
         create view traps.signals as select * from public.signals; \
         create view traps.trade_outcomes as select * from public.trade_outcomes; \
         create view traps.token_prices as select token_address, timestamp, traps.write() as price \
            from public.token_prices",
    );
    let trap = "sslmode=disable&options=-csearch_path%3Dtraps";
    let error = refusal(&request(database.url_of("postgres", trap))).to_string();
    assert!(
        error.contains("cannot execute INSERT in a read-only transaction"),
        "{error}"
    );

    // Somebody holds a lock: the load waits, until it is interrupted.
    let fingerprint = Dataset::open(workspace.path())?.fingerprint;
    let url = database.url();
    block_on(async {
        let mut holder = PgConnection::connect(&url).await.unwrap();
        let lock = "begin; lock table token_prices in access exclusive mode";
        sqlx::raw_sql(lock).execute(&mut holder).await.unwrap();
        let mut child = hindsight(workspace.path())
            .args(["load", "--full", "--from", &url])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let waiting = "select count(*)::text from pg_stat_activity where wait_event_type = 'Lock' \
                       and application_name = 'hindsight' and datname = current_database()";
        while database.rows(waiting)[0][0].as_deref() != Some("1") {
            std::thread::sleep(Duration::from_millis(20));
        }
        let pressed = Instant::now();
        let kill = std::process::Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(
            pressed.elapsed() < Duration::from_secs(2),
            "{:?}",
            pressed.elapsed()
        );
    });
    assert_eq!(Dataset::open(workspace.path())?.fingerprint, fingerprint);

    // The server is shut down in the middle: all or nothing.
    let server = Postgres::start(crate::postgres::Fsync::Off);
    let database = server.database("lost");
    database.execute(TABLES);
    database.execute(
        "insert into token_prices select 'T' || n % 100, '2025-01-01'::timestamptz + n * interval \
         '1 second', 1 from generate_series(1, 3000000) as n",
    );
    let data = workspace.path().join("lost");
    let mut child = hindsight(&data)
        .args(["load", "--from", &database.url()])
        .stderr(Stdio::piped())
        .spawn()?;
    let reading = "select count(*)::text from pg_stat_activity where query like 'copy %' \
                   and application_name = 'hindsight' and query like '%token_prices%'";
    while database.rows(reading)[0][0].as_deref() != Some("1") {
        assert_eq!(
            child.try_wait()?,
            None,
            "the load ended before it was disturbed"
        );
    }
    drop(server);
    let output = child.wait_with_output()?;
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(errors.contains("in the middle"), "{errors}");
    assert_eq!(Dataset::current_generation(&data)?, 0);
    Ok(())
}

//! `hindsight load --from`: a live PostgreSQL gives the dataset that files give.

mod refused;

use std::fmt::Write;
use std::fs::File;
use std::path::Path;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

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

use crate::files::test_data;
use crate::postgres::{Database, Postgres, block_on};

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

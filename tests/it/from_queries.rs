//! `hindsight load --from` where the database is not as ours would be: rows that a policy hides, other
//! names of tables and columns, days that have changed.

use std::path::Path;

use hindsight::dataset::Dataset;
use hindsight::ingest::{DatabaseRequest, LoadSummary, NoProgress, load_database};
use hindsight::{Error, Result};

use crate::cli::{run, text};
use crate::from_postgres::{request, tiny, tiny_fingerprint};
use crate::postgres::Postgres;

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

fn load(workspace: &Path, request: &DatabaseRequest) -> Result<LoadSummary> {
    load_database(workspace, request, &NoProgress)
}

fn said(error: &Error) -> String {
    format!("{error} / {}", error.hint().unwrap_or_default())
}

#[test]
fn from_postgres_hidden_rows_are_refused() {
    let database = tiny("policies");
    database.execute("grant select on all tables in schema public to reader");
    let directory = tempfile::tempdir().unwrap();
    let workspace = directory.path();
    let reader = request(database.url_of("reader", "sslmode=disable"));
    let before = load(workspace, &reader).unwrap().fingerprint;
    assert_eq!(before, tiny_fingerprint());

    // No policy at all, and one that lets some rows through: also where a load reads what is new.
    let policies = [
        "alter table signals enable row level security",
        "create policy part on signals for select to reader using (score > 50)",
        "create policy others on signals to public using (true); \
         create policy fewer on signals as restrictive to reader using (score > 50)",
    ];
    for policy in policies {
        database.execute(policy);
        for full in [false, true] {
            let again = DatabaseRequest {
                full,
                ..reader.clone()
            };
            let error = load(workspace, &again).unwrap_err();
            let text = said(&error);
            assert!(
                text.starts_with("table signals of postgres://reader@"),
                "{text}"
            );
            assert!(
                text.contains("row-level security is on, and the role reader does not bypass it"),
                "{text}"
            );
            assert!(text.contains("bypassrls"), "{text}");
            assert_eq!(error.exit_code(), 1);
        }
        assert_eq!(Dataset::open(workspace).unwrap().fingerprint, before);
    }
    // Its owner sees all, and so does who has a policy for it, or bypasses them all.
    let owner = load(workspace, &request(database.url())).unwrap();
    assert!(
        owner
            .findings
            .iter()
            .all(|finding| finding.check_name != "row_level_security")
    );
    database.execute("drop policy fewer on signals");
    let fresh = tempfile::tempdir().unwrap();
    let by_policy = load(fresh.path(), &reader).unwrap();
    assert_eq!(by_policy.fingerprint, before);
    let said_of = |summary: &LoadSummary| {
        let findings = summary.findings.iter();
        let found = findings.filter(|finding| finding.check_name == "row_level_security");
        found.map(|finding| finding.table_name).collect::<Vec<_>>()
    };
    assert_eq!(said_of(&by_policy), ["signals"]);
    let again = load(fresh.path(), &reader).unwrap();
    assert!(again.unread > 0);
    // A view that looks with the reader's eyes is refused by PostgreSQL itself.
    database.execute(
        "drop policy others on signals; create schema seen; grant usage on schema seen to reader; \
         create view seen.signals with (security_invoker) as select * from public.signals; \
         grant select on seen.signals to reader",
    );
    let seen = "sslmode=disable&options=-csearch_path%3Dseen,public";
    let error = load(workspace, &request(database.url_of("reader", seen))).unwrap_err();
    assert!(
        said(&error).contains("row-level security is on"),
        "{}",
        said(&error)
    );
}

#[test]
fn from_postgres_rounds_prices_on_request() -> Outcome {
    let database = tiny("too_fine");
    database.execute(
        "insert into token_prices (token_address, timestamp, price) \
         values ('Fine', '2025-01-01', 1e-25), ('Fine', '2025-01-02', 5.5)",
    );
    let directory = tempfile::tempdir()?;
    let error = load(directory.path(), &request(database.url())).unwrap_err();
    // What it says is the way out is one.
    assert!(
        said(&error).contains("--round-prices rounds it"),
        "{}",
        said(&error)
    );
    let rounded = DatabaseRequest {
        round_prices: true,
        ..request(database.url())
    };
    let summary = load(directory.path(), &rounded)?;
    let findings = summary.findings.iter();
    let rounded = findings.filter(|finding| finding.check_name == "rounded_values");
    assert_eq!(
        rounded.map(|finding| finding.row_count).collect::<Vec<_>>(),
        [1]
    );
    Ok(())
}

#[test]
fn from_postgres_reads_by_queries() -> Outcome {
    let database = tiny("queries");
    database.execute(
        "create schema bot; \
         create table bot.calls as select id as call_id, timestamp as \"at\", token_address as mint, \
            source_wallet as wallet, score, score_factors as factors from public.signals; \
         create table bot.candles as select token_address as mint, timestamp as \"Open Time\", \
            price as close, volume_24h from public.token_prices; \
         create table bot.fills as select * from public.trade_outcomes; \
         drop table public.signals, public.token_prices, public.trade_outcomes",
    );
    let queries = [
        "signals=select call_id as id, \"at\" as timestamp, mint as token_address, \
         wallet as source_wallet, score, factors as score_factors from bot.calls -- ours",
        "prices=select mint as token_address, \"Open Time\" as timestamp, close as price, volume_24h \
         from bot.candles;",
        "trades=with closed as (select * from bot.fills) select * from closed",
    ]
    .map(str::to_owned);
    let by_queries = DatabaseRequest {
        queries: DatabaseRequest::read_queries(&queries)?,
        ..request(database.url())
    };
    let directory = tempfile::tempdir()?;
    let first = load(directory.path(), &by_queries)?;
    assert_eq!(first.fingerprint, tiny_fingerprint());
    // What is new is found as in a table.
    let again = load(directory.path(), &by_queries)?;
    assert_eq!(again.fingerprint, first.fingerprint);
    assert!(again.unread > 0 && again.prices.read < 8_000, "{again:?}");
    database.execute(
        "insert into bot.candles select mint, \"Open Time\" + interval '1 microsecond', close from bot.candles \
         where \"Open Time\" < '2025-01-02' limit 3",
    );
    let new = load(directory.path(), &by_queries)?;
    assert_eq!(new.prices.added, 3);

    // A query without rows still says its columns.
    let with = |signals: &str| -> Result<LoadSummary> {
        let mut wrong = by_queries.clone();
        wrong.queries.insert("signals", signals.to_owned());
        load(directory.path(), &wrong)
    };
    let none = "select call_id as id, \"at\" as timestamp, mint as token_address from bot.calls where false";
    assert_eq!(with(none)?.signals.read, 0);
    for (query, expected) in [
        (
            "select call_id, \"at\" as timestamp from bot.calls where false",
            "table signals of postgres://postgres@",
        ),
        (
            "select call_id from bot.calls",
            "found no column id, timestamp, token_address among call_id",
        ),
        ("select 1 as id, 2 as id", "found column id twice"),
        (
            "select nothing from bot.calls",
            "the query of signals: found column \"nothing\" does not exist",
        ),
        (
            "select * from bot.calls; drop table bot.calls",
            "the query of signals: found syntax error",
        ),
        (
            "select true as id, \"at\" as timestamp, mint as token_address from bot.calls",
            "found column id of type boolean",
        ),
    ] {
        let text = said(&with(query).unwrap_err());
        assert!(text.contains(expected), "{query}: {text}");
    }
    for (query, expected) in [
        ("signals", "the query of signals must be a select"),
        (
            "fills=select 1",
            "a query is given for signals, prices or trades",
        ),
        (
            "signals=delete from bot.calls",
            "the query of signals must be a select",
        ),
    ] {
        let output = run(
            directory.path(),
            &["load", "--from", &database.url(), "--query", query],
        )?;
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(expected), "{errors}");
    }
    Ok(())
}

#[test]
fn from_postgres_says_which_columns_are_not_read() {
    let database = tiny("names");
    database.execute(
        "alter table signals rename timestamp to \"Timestamp\"; \
         alter table signals rename score to \"SCORE\"; \
         alter table signals add column holder_dist numeric",
    );
    let workspace = tempfile::tempdir().unwrap();
    let from = request(database.url());
    let first = load(workspace.path(), &from).unwrap();
    assert_eq!(first.fingerprint, tiny_fingerprint());
    let said: Vec<&str> = first
        .findings
        .iter()
        .map(|finding| finding.example.as_str())
        .collect();
    assert!(
        said.iter().any(|example| example.contains("kind")),
        "{said:?}"
    );
    assert!(
        load(workspace.path(), &from).unwrap().unread > 0,
        "what is new is found by the column as it is called"
    );
}

#[test]
fn from_postgres_says_what_it_looked_at() -> Outcome {
    let database = Postgres::shared().database("windows");
    database.execute(
        "create table token_prices (token_address text, timestamp timestamptz, price numeric); \
         insert into token_prices select 'T', day, 1 from generate_series( \
            '2025-01-01'::timestamptz, '2025-01-09', '1 day') as day",
    );
    let directory = tempfile::tempdir()?;
    let url = database.url();
    let load = |more: &[&str]| -> Result<String, Box<dyn std::error::Error>> {
        let arguments = [&["load", "--only", "token_prices", "--from", &url], more].concat();
        let output = run(directory.path(), &arguments)?;
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{errors}");
        Ok(errors)
    };
    assert!(!load(&[])?.contains("--full"));
    database.execute(
        "insert into token_prices values ('T', '2025-01-04 01:00', 2), ('T', '2025-01-05 01:00', 2), \
            ('T', '2025-01-11', 2)",
    );
    let said = load(&[])?;
    let expected = "token_prices: read days 2025-01-04 to 2025-01-05, 2025-01-11, which gained rows; \
                    day 2025-01-09, the last that was loaded before; --full compares all, 6 rows more";
    assert!(said.contains(expected), "{said}");
    database.execute("delete from token_prices where timestamp = '2025-01-04 01:00'");
    let expected = "read day 2025-01-04, with fewer rows there than here; day 2025-01-11, the last";
    let said = load(&[])?;
    assert!(said.contains(expected), "{said}");
    assert!(!load(&["--full"])?.contains("--full compares all"));
    Ok(())
}

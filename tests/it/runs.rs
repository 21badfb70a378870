//! Stored runs and live settings where several have a hand in them: cancelled from elsewhere, left
//! behind, applied twice at once, beside the tables of a trading system. Each once with the state in
//! SQLite, and once in a real PostgreSQL.

use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use hindsight::ingest::synthetic::SyntheticHistory;
use hindsight::ingest::{self, LoadRequest, NoProgress};
use hindsight::{Engine, Outcome, Role, Session};
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc;

use crate::engine::block_on;
use crate::files;
use crate::postgres::Postgres;
use crate::rows::{Cell, Row, from_batches};

/// A history that takes a moment to run over.
static HISTORY: LazyLock<TempDir> = LazyLock::new(|| {
    let workspace = files::removed_at_the_end(TempDir::new().unwrap());
    let files = workspace.path().join("files");
    std::fs::create_dir(&files).unwrap();
    let history = SyntheticHistory { seed: 7, days: 20 };
    let go_on = |_, _| std::ops::ControlFlow::Continue(());
    let files = history.write(&files, &go_on).unwrap();
    let file = |path: std::path::PathBuf| vec![path.to_str().unwrap().to_owned()];
    let request = LoadRequest {
        signals: file(files.signals),
        prices: file(files.prices),
        trades: file(files.trades),
        ..LoadRequest::default()
    };
    ingest::load(workspace.path(), &request, &NoProgress).unwrap();
    workspace
});

/// A workspace with that history, and its state.
struct State {
    workspace: TempDir,
    url: Option<String>,
}

impl State {
    fn new(url: Option<String>) -> Self {
        let workspace = TempDir::new().unwrap();
        files::copy(
            &HISTORY.path().join("dataset"),
            &workspace.path().join("dataset"),
        );
        Self { workspace, url }
    }

    fn engine(&self) -> Engine {
        let opened = Engine::open_with_state(self.workspace.path(), self.url.as_deref());
        block_on(opened).unwrap()
    }
}

fn in_both(test: impl Fn(&State)) {
    test(&State::new(None));
    test(&State::new(Some(
        Postgres::shared().trading_database("runs").url(),
    )));
}

fn rows(engine: &Engine, sql: &str) -> Vec<Row> {
    let result = block_on(engine.sql(sql));
    from_batches(&result.unwrap_or_else(|error| panic!("{sql}: {error}")))
}

/// The values of a query, row by row.
fn values(engine: &Engine, sql: &str) -> Vec<Vec<String>> {
    texts(&rows(engine, sql))
}

fn texts(rows: &[Row]) -> Vec<Vec<String>> {
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        other => format!("{other:?}"),
    };
    let of_row = |row: &Row| row.0.iter().map(|(_, cell)| text(cell)).collect();
    rows.iter().map(of_row).collect()
}

fn refusal(engine: &Engine, sql: &str) -> String {
    let error = block_on(engine.sql(sql)).unwrap_err();
    format!("{}: {error}", error.sqlstate())
}

/// Runs a statement to its end.
async fn finish(session: &Session, sql: &str) -> hindsight::Result<()> {
    match session.run(sql).await? {
        Outcome::Rows(rows) => {
            let _: Vec<_> = rows.try_collect().await?;
        }
        Outcome::Done { .. } => {}
    }
    Ok(())
}

/// The id in the first notice of a run.
async fn begun(notices: &mut mpsc::UnboundedReceiver<hindsight::Notice>) -> String {
    let notice = notices.recv().await.unwrap();
    let mut words = notice.message.split([' ', ':']);
    assert_eq!(words.next(), Some("backtest"));
    words.next().unwrap().to_owned()
}

/// A thread that runs go on in only when they are told to, so that none is too fast for a test.
fn paused() -> Runtime {
    let mut runtime = runtime::Builder::new_current_thread();
    // It looks after every step whether it shall go on.
    runtime.enable_all().event_interval(1).build().unwrap()
}

/// Waits until something is so.
pub fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "not in 20 seconds: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn runs_are_cancelled_from_elsewhere() {
    in_both(|state| {
        let (here, elsewhere) = (state.engine(), state.engine());
        let paused = paused();
        let session = paused.block_on(here.session("ann", Role::Analyst)).unwrap();
        let (sender, mut notices) = mpsc::unbounded_channel();
        session.listen(Some(sender));
        let run = paused.spawn(async move { finish(&session, "call run_backtest()").await });
        let id = paused.block_on(begun(&mut notices));
        let sql = format!("call cancel_backtest('{id}')");
        let asking = elsewhere.clone();
        let cancel = std::thread::spawn(move || values(&asking, &sql));
        eventually("asked to stop", || {
            block_on(elsewhere.store().is_cancel_requested(&id)).unwrap()
        });
        let asked = Instant::now();
        let ended = paused.block_on(run).unwrap();
        let asked = asked.elapsed();
        assert_eq!(ended.unwrap_err().sqlstate(), "57014");
        assert_eq!(cancel.join().unwrap(), [[id.as_str(), "cancelled"]]);
        // Half a second is promised; machines that test are slower than those that trade.
        assert!(asked < Duration::from_secs(2), "{asked:?}");
        let sql = format!(
            "select status, error_message, completed_at >= started_at as ended \
             from backtests where id = '{id}'"
        );
        assert_eq!(
            values(&elsewhere, &sql),
            [["cancelled", "cancelled", "true"]]
        );
        assert!(!state.workspace.path().join("runs").join(&id).exists());
        let none: [[String; 0]; 0] = [];
        assert_eq!(
            values(&elsewhere, "select backtest_id from backtest_progress"),
            none
        );
    });
}

#[test]
fn runs_that_nobody_waits_for_are_cancelled() {
    in_both(|state| {
        let (here, elsewhere) = (state.engine(), state.engine());
        let paused = paused();
        let id = paused.block_on(async {
            let session = here.session("ann", Role::Analyst).await.unwrap();
            let (sender, mut notices) = mpsc::unbounded_channel();
            session.listen(Some(sender));
            tokio::select! {
                biased;
                id = begun(&mut notices) => id,
                _ = finish(&session, "call run_backtest()") => panic!("it ended before it began"),
            }
        });
        let sql = format!("select status from backtests where id = '{id}'");
        eventually("cancelled", || {
            paused.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
            values(&elsewhere, &sql) == [["cancelled"]]
        });
    });
}

#[test]
fn runs_are_followed_and_found_dead() {
    in_both(|state| {
        let engine = state.engine();
        let mut process = Command::new(env!("CARGO_BIN_EXE_hindsight"));
        process
            .env_remove("HINDSIGHT_STATE")
            .env_remove("HINDSIGHT_DATA");
        if let Some(url) = &state.url {
            process.args(["--state", url]);
        }
        let process = process.arg("--data").arg(state.workspace.path());
        let process = process.args(["query", "call run_backtest(label => 'left')"]);
        let mut process = process
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let progress = "select status, total_signals > 0 as some, signals_processed >= 0 as started, \
                        progress_percent between 0 and 100 as percent, elapsed_seconds >= 0 as elapsed \
                        from backtest_progress";
        let expected = [["running", "true", "true", "true", "true"]];
        // It stands still while it is looked at, lest it be done before it is killed.
        let pid = process.id().to_string();
        let signal = |signal: &str| {
            let mut kill = Command::new("kill");
            assert!(kill.args([signal, &pid]).status().unwrap().success());
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            signal("-STOP");
            // Where it stands in the middle of a write, SQLite's file is its own until it goes on.
            let seen = block_on(engine.sql(progress)).map(|batches| from_batches(&batches));
            if seen.is_ok_and(|rows| texts(&rows) == expected) {
                break;
            }
            assert!(Instant::now() < deadline, "it is never seen in progress");
            signal("-CONT");
            std::thread::sleep(Duration::from_millis(1));
        }
        process.kill().unwrap();
        process.wait().unwrap();
        assert_eq!(
            values(
                &engine,
                "select status, error_message from backtests where label = 'left'"
            ),
            [["interrupted", "the process that ran it ended before it did"]]
        );
        assert_eq!(rows(&engine, progress).len(), 0);
        let apply = "select * from apply_settings((select id from backtests), confirm => true)";
        let refused = refusal(&engine, apply);
        assert!(refused.starts_with("55000: backtest "), "{refused}");
        // What it wrote before is nobody's row.
        assert_eq!(rows(&engine, "select * from trade_comparisons").len(), 0);
    });
}

#[test]
fn runs_open_no_files_but_their_own() {
    in_both(|state| {
        let engine = state.engine();
        for label in ["a", "b"] {
            rows(&engine, &format!("call run_backtest(label => '{label}')"));
        }
        let ids = values(&engine, "select id from backtests order by label");
        let (a, b) = (&ids[0][0], &ids[1][0]);
        let path = state.workspace.path().join("runs").join(b);
        std::fs::write(path.join("equity_curves.parquet"), "no Parquet").unwrap();
        let count = |filter: &str| {
            let sql = format!("select count(*) as n from equity_curves where {filter}");
            block_on(engine.sql(&sql)).map(|batches| from_batches(&batches)[0].0[0].1.clone())
        };
        let signals = &rows(&engine, "select total_signals as n from backtests limit 1")[0].0[0].1;
        for filter in [
            format!("backtest_id = '{a}'"),
            format!("backtest_id in ('{a}', 'other')"),
            format!("'{a}' = backtest_id and signal_id is not null"),
        ] {
            assert_eq!(count(&filter).as_ref().unwrap(), signals, "{filter}");
        }
        assert_eq!(count("true").unwrap_err().exit_code(), 3);

        // Rows that are not in this workspace are said to be elsewhere.
        std::fs::remove_dir_all(&path).unwrap();
        assert_eq!(&count("true").unwrap(), signals);
        let error = count(&format!("backtest_id = '{b}'"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("are not here: they are in the workspace"),
            "{error}"
        );
    });
}

#[test]
fn roles_say_who_may_do_what() {
    in_both(|state| {
        let engine = state.engine();
        let refused = |role: Role, sql: &str| {
            let session = block_on(engine.session("zoe", role)).unwrap();
            let error = block_on(finish(&session, sql)).err();
            error.map(|error| format!("{}: {error}", error.sqlstate()))
        };
        for sql in [
            "insert into scenarios (name) values ('x')",
            "call run_backtest()",
            "call cancel_backtest('x')",
        ] {
            let refused = refused(Role::Reader, sql).unwrap();
            assert!(refused.starts_with("42501: "), "{sql}: {refused}");
            assert!(
                refused.ends_with("needs the role analyst; zoe is reader"),
                "{refused}"
            );
        }
        for sql in [
            "call apply_settings('x', confirm => true)",
            "call rollback_settings('x', confirm => true)",
        ] {
            let refused = refused(Role::Analyst, sql).unwrap();
            assert!(
                refused.ends_with("needs the role operator; zoe is analyst"),
                "{refused}"
            );
        }
        let insert = "insert into scenarios (name) values ('x')";
        assert_eq!(refused(Role::Analyst, insert), None);
        assert_eq!(refused(Role::Reader, "select * from live_settings"), None);
    });
}

#[test]
fn settings_are_applied_once_by_several_at_a_time() {
    in_both(|state| {
        let engines: Vec<Engine> = (0..4).map(|_| state.engine()).collect();
        rows(&engines[0], "call run_backtest(stop_loss_percent => 20)");
        let preview =
            "select max(settings_version) from preview_settings((select id from backtests))";
        let version = values(&engines[0], preview).remove(0).remove(0);
        let sql = format!(
            "select * from apply_settings((select id from backtests), confirm => true, \
             settings_version => '{version}')"
        );
        let applied = block_on(futures::future::join_all(
            engines.iter().map(|e| e.sql(&sql)),
        ));
        let refused: Vec<&str> = applied
            .iter()
            .filter_map(|a| a.as_ref().err())
            .map(|e| e.sqlstate())
            .collect();
        assert_eq!(refused, ["40001"; 3]);
        assert_eq!(rows(&engines[1], "select * from settings_history").len(), 1);
        let stop = "select value from live_settings where setting = 'stop_loss_percent'";
        assert_eq!(values(&engines[2], stop), [["20"]]);
    });
}

#[test]
fn scenarios_of_two_writers_are_both_kept() {
    in_both(|state| {
        let (one, other) = (state.engine(), state.engine());
        rows(&one, "insert into scenarios (name) values ('shared')");
        rows(&one, "begin");
        rows(
            &one,
            "update scenarios set stop_loss_percent = 8 where name = 'shared'",
        );
        rows(&one, "insert into scenarios (name) values ('new')");
        // Nobody waits for the transaction, and nobody sees it.
        rows(
            &other,
            "update scenarios set score_threshold = 80 where name = 'shared'",
        );
        assert_eq!(values(&other, "select name from scenarios"), [["shared"]]);
        rows(&one, "commit");
        let both = "select name, stop_loss_percent, score_threshold from scenarios order by name desc limit 1";
        assert_eq!(values(&other, both), [["shared", "8", "80"]]);

        // The same value changed by both: the second is told, and writes nothing.
        rows(&one, "begin");
        rows(
            &one,
            "update scenarios set stop_loss_percent = 9 where name = 'shared'",
        );
        rows(&one, "delete from scenarios where name = 'new'");
        rows(
            &other,
            "update scenarios set stop_loss_percent = 10 where name = 'shared'",
        );
        assert!(
            refusal(&one, "commit").starts_with("40001: scenario 'shared' was changed meanwhile")
        );
        assert_eq!(values(&other, both), [["shared", "10", "80"]]);
        assert_eq!(rows(&other, "select * from scenarios").len(), 2);
    });
}

/// The tables of a trading system as it may have made them, with more than we know of.
const TRADING_SYSTEM: &str = "\
create table users (id integer primary key, email text);
insert into users values (1, 'a@b');
create table scoring_weights (
    id serial primary key, label varchar(20) not null, wallet_score_weight double precision,
    token_metrics_weight double precision, liquidity_weight real, holder_distribution_weight numeric,
    momentum_weight numeric(6,3), is_active boolean not null, created_at timestamptz default now());
insert into scoring_weights (label, wallet_score_weight, token_metrics_weight, liquidity_weight,
    holder_distribution_weight, momentum_weight, is_active)
values ('old', 0.2, 0.2, 0.2, 0.2, 0.2, false), ('live', 0.3, 0.25, 0.2, 0.15, 0.1, true);
create table system_config (key varchar(50) primary key, value json not null, updated_at timestamp, note text);
insert into system_config (key, value, note) values ('score_threshold', '70.0', 'n1'),
    ('exit_strategy', '{\"strategy\":  \"trailing_stop\", \"stop_loss_percent\": \"15\", \"custom\": [1, 2.50],
      \"take_profit_percent\": 50, \"trailing_stop_percent\": 10.0, \"max_hold_minutes\": 60}', 'n2'),
    ('unrelated', '{\"a\": 1}', 'n3');
create table signals (id text); create table trade_outcomes (id text); create table token_prices (id text);
create table _sqlx_migrations (version bigint primary key);";

#[test]
fn settings_of_a_trading_system_are_used_as_they_are() {
    let database = Postgres::shared().database("trading");
    database.execute(TRADING_SYSTEM);
    let definitions = || {
        database.rows(
            "select c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) \
             from pg_class c join pg_attribute a on a.attrelid = c.oid \
             where c.relnamespace = 'public'::regnamespace and a.attnum > 0 order by 1",
        )
    };
    let contents = || {
        let mut contents = database.rows(
            "select label || ' ' || row(wallet_score_weight, token_metrics_weight, liquidity_weight, \
             holder_distribution_weight, momentum_weight, is_active)::text from scoring_weights order by id",
        );
        contents.extend(
            database.rows("select key || value::text || note from system_config order by key"),
        );
        contents.extend(database.rows("select id::text || email from users"));
        contents
    };
    let (defined, before) = (definitions(), contents());

    let state = State::new(Some(database.url()));
    let engine = state.engine();
    let unset = "select setting, value is null as unset from live_settings \
                 where setting in ('base_position_sol', 'stop_loss_percent', 'score_threshold')";
    let expected = [
        ["score_threshold", "false"],
        ["base_position_sol", "true"],
        ["stop_loss_percent", "false"],
    ];
    assert_eq!(values(&engine, unset), expected);
    rows(
        &engine,
        "call run_backtest(stop_loss_percent => 12.5, wallet_score_weight => 0.35, \
                   momentum_weight => 0.05, score_threshold => 71.25)",
    );
    let apply = "select * from apply_settings((select id from backtests), confirm => true)";
    rows(&engine, apply);
    assert_eq!(definitions(), defined);
    let row = |text: &str| vec![Some(text.to_owned())];
    let applied = contents();
    assert!(
        applied.contains(&row("old (0.2,0.2,0.2,0.2,0.200,f)")),
        "{applied:?}"
    );
    assert!(
        applied.contains(&row("live (0.35,0.25,0.2,0.15,0.050,t)")),
        "{applied:?}"
    );
    assert!(
        applied.contains(&row("score_threshold71.25n1")),
        "{applied:?}"
    );
    assert!(
        applied.contains(&row("unrelated{\"a\": 1}n3")),
        "{applied:?}"
    );
    let exit = applied
        .iter()
        .flatten()
        .flatten()
        .find(|text| text.starts_with("exit_strategy"));
    let exit = exit.unwrap();
    for part in [
        "\"stop_loss_percent\": \"12.5\"",
        "\"custom\": [1, 2.50]",
        "\"trailing_stop_percent\": 10.0",
    ] {
        assert!(exit.contains(part), "{exit}");
    }
    assert_eq!(
        database
            .rows("select key from system_config where key = 'position_sizing'")
            .len(),
        1
    );

    rows(
        &engine,
        "select * from rollback_settings((select id from settings_history), confirm => true)",
    );
    assert_eq!(contents(), before);
    assert_eq!(definitions(), defined);
}

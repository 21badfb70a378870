//! What one client's session sees of another's, and of a load that happens meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::ScalarValue;
use futures::TryStreamExt;
use hindsight::ingest::{self, LoadRequest, NoProgress};
use hindsight::{Engine, Outcome, Role, Session};
use tokio::runtime::Runtime;

use crate::engine::block_on;
use crate::files;
use crate::rows::from_batches;

/// Loads one of the tables of the smallest history, and nothing else.
fn load(workspace: &Path, table: &str) {
    let file = files::test_data().join(format!("tiny/{table}.parquet"));
    let files = vec![file.to_str().unwrap().to_owned()];
    let mut request = LoadRequest::default();
    match table {
        "signals" => request.signals = files,
        "token_prices" => request.prices = files,
        _ => request.trades = files,
    }
    ingest::load(workspace, &request, &NoProgress).unwrap();
}

/// Prepares and executes one statement; its rows as text, or what it wrote.
async fn run(session: &Session, sql: &str, values: &[ScalarValue]) -> Result<String, String> {
    let result = async {
        let statement = session.parse(sql)?.remove(0);
        let prepared = session.prepare(statement, &[]).await?;
        match session.execute(&prepared, values.to_vec()).await? {
            Outcome::Done { rows, .. } => Ok(format!("done {rows:?}")),
            Outcome::Rows(stream) => {
                let batches: Vec<_> = stream.try_collect().await?;
                Ok(format!("{:?}", from_batches(&batches)))
            }
        }
    };
    let result: hindsight::Result<String> = result.await;
    result.map_err(|error| format!("{}: {error}", error.sqlstate()))
}

#[test]
fn what_a_session_makes_and_sets_no_other_sees() {
    let workspace = tempfile::tempdir().unwrap();
    load(workspace.path(), "signals");
    block_on(async {
        let engine = Engine::open(workspace.path()).await.unwrap();
        let first = engine.session("ann", Role::Analyst).await.unwrap();
        let second = engine.session("ben", Role::Reader).await.unwrap();
        run(&first, "create temp table mine as select 1 as n", &[])
            .await
            .unwrap();
        let written = run(&first, "insert into mine values (2), (3)", &[]).await;
        assert_eq!(written.unwrap(), "done Some(2)");
        let refused = run(&second, "select * from mine", &[]).await.unwrap_err();
        assert!(refused.starts_with("42P01"), "{refused}");

        run(&first, "set datafusion.execution.batch_size = 7", &[])
            .await
            .unwrap();
        let shown = "show datafusion.execution.batch_size";
        let (theirs, mine) = (
            run(&second, shown, &[]).await,
            run(&first, shown, &[]).await,
        );
        assert_ne!(theirs.unwrap(), mine.unwrap());
    });
}

#[test]
fn a_session_sees_a_load_from_its_next_statement_on() {
    let workspace = tempfile::tempdir().unwrap();
    load(workspace.path(), "signals");
    block_on(async {
        let engine = Engine::open(workspace.path()).await.unwrap();
        let session = engine.session("ann", Role::Analyst).await.unwrap();
        let count = "select count(*) as n from token_prices where price > $1";
        let statement = session.parse(count).unwrap().remove(0);
        let prepared = session.prepare(statement, &[]).await.unwrap();
        assert!(prepared.parameters[0].is_some());
        run(
            &session,
            "create temp view v as select count(*) as n from token_prices",
            &[],
        )
        .await
        .unwrap();
        run(&session, "create temp table kept as select 5 as n", &[])
            .await
            .unwrap();
        let before = run(&session, "select n from v", &[]).await.unwrap();

        load(workspace.path(), "token_prices");
        let after = run(&session, "select n from v", &[]).await.unwrap();
        assert_ne!(before, after);
        let zero = ScalarValue::Decimal128(Some(0), 38, 18);
        let outcome = session
            .execute(&prepared, vec![zero.clone()])
            .await
            .unwrap();
        let Outcome::Rows(stream) = outcome else {
            panic!("a query has rows");
        };
        let batches: Vec<_> = stream.try_collect().await.unwrap();
        assert_eq!(
            format!("{:?}", from_batches(&batches)),
            run(&session, count, &[zero]).await.unwrap()
        );
        assert!(run(&session, "select n from kept", &[]).await.is_ok());
        let trades = "select count(*) as n from simulate_trades(start_date => '2000-01-01')";
        assert_ne!(run(&session, trades, &[]).await.unwrap(), before);
    });
}

#[test]
fn a_history_that_is_gone_is_no_empty_one() {
    let workspace = tempfile::tempdir().unwrap();
    load(workspace.path(), "signals");
    block_on(async {
        let engine = Engine::open(workspace.path()).await.unwrap();
        let session = engine.session("ann", Role::Analyst).await.unwrap();
        let rows = run(&session, "select count(*) from signals", &[]).await;
        let rows = rows.unwrap();
        let dataset = workspace.path().join("dataset");
        let moved = workspace.path().join("moved");
        std::fs::rename(&dataset, &moved).unwrap();
        let gone = run(&session, "select count(*) from signals", &[]).await;
        let gone = gone.unwrap_err();
        assert!(gone.contains("no longer there"), "{gone}");
        std::fs::rename(&moved, &dataset).unwrap();
        let again = run(&session, "select count(*) from signals", &[]).await;
        assert_eq!(again.unwrap(), rows);
    });
}

/// Joins that would go on for hours: rows made of few, and rows compared with all and none found.
const ENDLESS: [&str; 3] = [
    "select count(*) from token_prices a, token_prices b, token_prices c, token_prices d, signals e",
    "select count(*) from (select a.price p from token_prices a, token_prices b, token_prices c) x \
     join (select a.price q from token_prices a, signals b) y on x.p + y.q < -1",
    "select sum(n) from (select unnest(range(1, 1000)) n from token_prices a, token_prices b, signals c)",
];

#[test]
fn what_would_never_end_can_be_stopped() {
    let workspace = tempfile::tempdir().unwrap();
    load(workspace.path(), "signals");
    load(workspace.path(), "token_prices");
    let engine = block_on(Engine::open(workspace.path())).unwrap();
    for sql in ENDLESS {
        let session = block_on(engine.session("ann", Role::Reader)).unwrap();
        let session = Arc::new(session);
        let runtime = Runtime::new().unwrap();
        let running = {
            let session = Arc::clone(&session);
            runtime.spawn(async move { run(&session, sql, &[]).await })
        };
        std::thread::sleep(Duration::from_millis(300));
        assert!(!running.is_finished(), "{sql} is no long statement");
        session.stop();
        running.abort();
        // Waits for what is still computing.
        let (stopped, waiting) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            drop(runtime);
            let _ = stopped.send(());
        });
        let stopped = waiting.recv_timeout(Duration::from_secs(60));
        assert!(stopped.is_ok(), "{sql} goes on");
    }
}

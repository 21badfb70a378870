//! Workers that are killed, stopped, of another history or version; statements that are cancelled.

use std::time::{Duration, Instant};

use datafusion::prelude::SessionConfig;
use datafusion_distributed::Worker as LibraryWorker;
use tonic::transport::Server as LibraryServer;
use tonic::transport::server::TcpIncoming;

use super::{GRID, Server, WORKSPACE, Worker, large, wait_until};
use crate::engine::block_on;
use crate::files;

const KILL: &str = "-KILL";
const STOP: &str = "-STOP";

#[test]
fn a_worker_that_is_killed_is_made_up_for() {
    let grid = large(3);
    let expected = Server::over(&[]).rows(&grid);
    let workers = [Worker::start(), Worker::start(), Worker::start()];
    let urls = workers.each_ref().map(|worker| worker.url.as_str());
    let mut server = Server::over(&urls);
    let begun = server.begin(&grid);
    workers[1].signal(KILL);
    assert_eq!(begun.finish().unwrap(), expected);
    let said = server.said().join("\n");
    assert!(
        said.contains(&format!("worker {}", workers[1].url)),
        "{said}"
    );
    assert!(said.contains("run on 2 others"), "{said}");
    let states = server.states();
    assert!(states[1].starts_with("does not answer"), "{states:?}");
    // The next statement runs on the others from the start.
    let before = server.counts("tasks_begun");
    assert_eq!(server.rows(GRID), Server::over(&[]).rows(GRID));
    let after = server.counts("tasks_begun");
    assert!(after[&workers[0].url] > before[&workers[0].url]);
    let said = server.said().join("\n");
    assert!(
        said.contains(&format!("{} is not used", workers[1].url)),
        "{said}"
    );
}

#[test]
fn the_second_that_is_lost_ends_the_statement() {
    let workers = [Worker::start(), Worker::start(), Worker::start()];
    let urls = workers.each_ref().map(|worker| worker.url.as_str());
    let mut server = Server::over(&urls);
    let sql = large(20);
    let mut begun = server.begin(&sql);
    workers[0].signal(KILL);
    let mut said = Vec::new();
    while said.is_empty() {
        begun = begun.next().unwrap();
        said = server.said();
    }
    workers[1].signal(KILL);
    let start = Instant::now();
    let error = begun.skip_to_end().unwrap_err();
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(error.sqlstate(), "58000");
    let message = error.to_string();
    assert!(
        message.contains(&format!("worker {}", workers[1].url)),
        "{message}"
    );
    assert!(error.hint().is_some());
    // The next statement answers, on the one that is left.
    assert_eq!(server.rows(GRID), Server::over(&[]).rows(GRID));
}

#[test]
fn a_worker_that_stands_still_is_noticed() {
    let grid = large(3);
    let expected = Server::over(&[]).rows(&grid);
    let workers = [Worker::start(), Worker::start()];
    let urls = workers.each_ref().map(|worker| worker.url.as_str());
    let mut server = Server::over(&urls);
    let begun = server.begin(&grid);
    workers[0].signal(STOP);
    let start = Instant::now();
    assert_eq!(begun.finish().unwrap(), expected);
    assert!(
        start.elapsed() < Duration::from_secs(40),
        "{:?}",
        start.elapsed()
    );
    let said = server.said().join("\n");
    assert!(
        said.contains(&format!("worker {}", workers[0].url)),
        "{said}"
    );
    // And a statement that begins now does without it.
    let start = Instant::now();
    assert_eq!(server.rows(GRID), Server::over(&[]).rows(GRID));
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
}

/// Seconds of work, a third of a millisecond for each price.
const SLOW: &str = "select token_address, timestamp, \
    levenshtein(lpad(timestamp::text, 255, 'ab'), lpad(price::text, 255, 'c')) + \
    levenshtein(lpad(timestamp::text, 255, 'cd'), lpad(price::text, 255, 'd')) + \
    levenshtein(lpad(timestamp::text, 255, 'ef'), lpad(price::text, 255, 'e')) + \
    levenshtein(lpad(timestamp::text, 255, 'gh'), lpad(price::text, 255, 'f')) \
    as distance from token_prices";

#[test]
fn a_worker_that_is_slow_is_waited_for() {
    let grid = large(2);
    let expected = Server::over(&[]).rows(&grid);
    let workers = [Worker::start(), Worker::start()];
    let urls = workers.each_ref().map(|worker| worker.url.as_str());
    let mut server = Server::over(&urls);
    let begun = server.begin(&grid);
    for _ in 0..8 {
        workers[0].signal(STOP);
        std::thread::sleep(Duration::from_millis(400));
        workers[0].signal("-CONT");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(begun.finish().unwrap(), expected);
    assert_eq!(server.said(), [""; 0]);
}

#[test]
fn days_of_a_worker_that_is_killed_are_made_up_for() {
    let grid = "select * from daily_pnl(priority_fee_sol => range(0, 400), \
                gas_cost_sol => range(0, 200))";
    let expected = Server::over(&[]).rows(grid);
    let workers = [Worker::start(), Worker::start(), Worker::start()];
    let urls = workers.each_ref().map(|worker| worker.url.as_str());
    let mut server = Server::over(&urls);
    let begun = server.begin(grid);
    workers[2].signal(KILL);
    assert_eq!(begun.finish().unwrap(), expected);
    let said = server.said().join("\n");
    assert!(
        said.contains(&format!("worker {}", workers[2].url)),
        "{said}"
    );
    assert!(said.contains("run on 2 others"), "{said}");
}

#[test]
fn an_aggregate_is_run_again() {
    let sql = format!("select count(*), sum(distance) from ({SLOW}) slow");
    let expected = Server::over(&[]).rows(&sql);
    let workers = [Worker::start(), Worker::start(), Worker::start()];
    let urls = workers.each_ref().map(|worker| worker.url.as_str());
    let mut server = Server::over(&urls);
    let rows = std::thread::scope(|scope| {
        let rows = scope.spawn(|| server.rows(&sql));
        std::thread::sleep(Duration::from_millis(300));
        workers[1].signal(KILL);
        rows.join().unwrap()
    });
    assert_eq!(rows, expected);
    let said = server.said().join("\n");
    assert!(
        said.contains(&format!("worker {}", workers[1].url)),
        "{said}"
    );
}

#[test]
fn a_query_that_has_rows_ends_with_its_worker() {
    let workers = [Worker::start(), Worker::start(), Worker::start()];
    let urls = workers.each_ref().map(|worker| worker.url.as_str());
    let few_at_once = SessionConfig::new().with_batch_size(8);
    let server = Server::configured(WORKSPACE.path(), &urls, None, few_at_once);
    let begun = server.begin(SLOW);
    workers[0].signal(KILL);
    let start = Instant::now();
    let error = begun.skip_to_end().unwrap_err();
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(error.sqlstate(), "58000");
    let message = error.to_string();
    assert!(
        message.contains(&format!("worker {}", workers[0].url)),
        "{message}"
    );
    assert_eq!(server.rows(GRID), Server::over(&[]).rows(GRID));
}

#[test]
fn without_workers_it_runs_here_and_says_so() {
    let worker = Worker::start();
    let mut server = Server::over(&[&worker.url]);
    worker.signal(KILL);
    wait_until("the worker is gone", || {
        server.states()[0].starts_with("does not answer")
    });
    assert_eq!(server.rows(GRID), Server::over(&[]).rows(GRID));
    let said = server.said().join("\n");
    assert!(said.contains("no worker is ready"), "{said}");
}

#[test]
fn another_history_is_not_used_until_it_is_the_same() {
    let other = tempfile::tempdir().unwrap();
    let same = Worker::start();
    let different = Worker::with(other.path(), "127.0.0.1", &[]);
    let mut server = Server::over(&[&same.url, &different.url]);
    let expected = Server::over(&[]).rows(GRID);
    assert_eq!(server.rows(GRID), expected);
    let said = server.said().join("\n");
    assert!(said.contains("has another history"), "{said}");
    assert_eq!(server.counts("tasks_begun")[&different.url], Some(0));
    // What is loaded is gone over to, without starting the worker again.
    let dataset = |workspace: &std::path::Path| workspace.join("dataset");
    files::copy(&dataset(WORKSPACE.path()), &dataset(other.path()));
    wait_until("the worker has the history", || {
        server.states() == ["ready", "ready"]
    });
    assert_eq!(server.rows(GRID), expected);
    assert!(server.counts("tasks_begun")[&different.url] > Some(0));
}

#[test]
fn another_version_is_not_used() {
    let info = r#"{"version": "0.0.9", "dataset": "", "tasks": 0, "tasks_begun": 0}"#;
    let url = block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let worker = LibraryWorker::default().with_version(info);
        let served = LibraryServer::builder()
            .add_service(worker.into_worker_server())
            .serve_with_incoming(TcpIncoming::from(listener));
        tokio::spawn(served);
        url
    });
    let mut server = Server::over(&[&url]);
    assert_eq!(server.rows(GRID), Server::over(&[]).rows(GRID));
    let said = server.said().join("\n");
    assert!(said.contains("is of another version: 0.0.9"), "{said}");
    assert!(said.contains("no worker is ready"), "{said}");
}

#[test]
fn a_statement_that_is_left_leaves_no_task() {
    let workers = [Worker::start(), Worker::start()];
    let urls = workers.each_ref().map(|worker| worker.url.as_str());
    let server = Server::over(&urls);
    let begun = server.begin(&large(20));
    let tasks = |server: &Server| server.counts("tasks").into_values().flatten().sum::<i64>();
    assert!(tasks(&server) > 0);
    drop(begun);
    wait_until("no task is left", || tasks(&server) == 0);
}

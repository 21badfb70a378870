//! The same rows in the same order with any workers, and workers that really have computed them.

use datafusion::arrow::array::AsArray;

use super::{GRID, Server, Worker, large};
use crate::sql;

#[test]
fn rows_are_those_of_one_process() {
    let expected = Server::over(&[]).rows(GRID);
    assert!(expected.num_rows() > 300);
    let workers = [Worker::start(), Worker::start(), Worker::start()];
    let [a, b, c] = workers.each_ref().map(|worker| worker.url.as_str());
    let orders: [&[&str]; 7] = [
        &[a],
        &[b, a],
        &[a, b, c],
        &[a, c, b],
        &[b, a, c],
        &[c, a, b],
        &[c, b, a],
    ];
    for urls in orders {
        let mut server = Server::over(urls);
        let before = server.counts("tasks_begun");
        assert_eq!(server.rows(GRID), expected, "{urls:?}");
        assert_eq!(server.said(), [""; 0]);
        assert_eq!(server.states(), vec!["ready"; urls.len()]);
        let after = server.counts("tasks_begun");
        assert_eq!(after.len(), urls.len());
        for (url, count) in after {
            assert!(count > before[&url], "{url} has computed nothing");
        }
        // A query over a grid, sorted and aggregated, is as it was.
        let best = format!("select max(simulated_total_pnl_sol), count(*) from ({GRID}) g");
        assert_eq!(server.rows(&best), Server::over(&[]).rows(&best));
    }
}

#[test]
fn a_plan_says_where_it_runs_and_a_setting_keeps_it_here() {
    let workers = [Worker::start(), Worker::start(), Worker::start()];
    let urls = workers.each_ref().map(|worker| worker.url.as_str());
    let server = Server::over(&urls);
    let plan = |server: &Server| {
        let lines = server.rows(&format!("explain {GRID}"));
        let lines = lines.column(0).as_string::<i32>().iter().flatten();
        lines.collect::<Vec<_>>().join("\n")
    };
    let distributed = plan(&server);
    assert!(
        distributed.contains("tasks=3 on http://127.0.0.1:"),
        "{distributed}"
    );
    for url in urls {
        assert!(distributed.contains(url), "{distributed}");
    }
    server.rows("set hindsight.distribute = off");
    let before = server.counts("tasks_begun");
    let here = plan(&server);
    assert!(!here.contains("tasks="), "{here}");
    let rows = server.rows(GRID);
    assert_eq!(server.counts("tasks_begun"), before);
    server.rows("set hindsight.distribute = auto");
    assert_eq!(server.rows(GRID), rows);
    assert_ne!(server.counts("tasks_begun"), before);
    let refused = crate::engine::block_on(server.engine.sql("set hindsight.distribute = on"));
    assert_eq!(refused.unwrap_err().sqlstate(), "22023");
}

#[test]
fn many_combinations_go_out_in_rounds() {
    let workers = [Worker::start(), Worker::start()];
    let urls = workers.each_ref().map(|worker| worker.url.as_str());
    let server = Server::over(&urls);
    let all = format!(
        "select count(*), sum(simulated_total_pnl_sol), sum(gas_cost_sol), \
         array_agg(priority_fee_sol * 1000 + gas_cost_sol) = range(0, count(*)) in_order from ({}) g",
        large(2)
    );
    let expected = Server::over(&[]).rows(&all);
    assert_eq!(server.rows(&all), expected);
    for (url, count) in server.counts("tasks_begun") {
        assert!(count >= Some(2), "{url}: {count:?}");
    }
}

/// What is wrong with a statement is the same, wherever it is found.
#[test]
fn errors_are_those_of_one_process() {
    let worker = Worker::start();
    let (server, here) = (Server::over(&[&worker.url]), Server::over(&[]));
    for sql in [
        "select * from backtest(stop_loss_percent => [10, 51])",
        "select 1 / (total_signals - total_signals) from backtest()",
        // More than what is left of 128 bits.
        "select * from backtest(base_position_sol => 99999999999, max_position_sol => 99999999999, \
         gas_cost_sol => 99999999999)",
    ] {
        let told = [&server, &here].map(|server| {
            let result = crate::engine::block_on(server.engine.sql(sql));
            result.map_err(|error| (error.sqlstate(), error.to_string(), error.hint()))
        });
        let [there, here] = told;
        assert_eq!(there, here, "{sql}");
    }
}

/// Every statement of `tests/sql` on the history of the workers.
#[test]
fn all_of_the_specification_holds() {
    let workers = [Worker::start(), Worker::start(), Worker::start()];
    let urls = workers.each_ref().map(|worker| worker.url.as_str());
    let server = Server::over(&urls);
    let before = server.counts("tasks_begun");
    sql::run_on_workers(&urls);
    for (url, count) in server.counts("tasks_begun") {
        assert!(count > before[&url], "{url} has computed nothing");
    }
}

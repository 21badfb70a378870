//! Queries over signals and prices, of which every worker reads a part.

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use super::{Server, Worker, wait_until};

/// What is asked over both relations, with a sign of how: what is sent is a part of the plan.
const QUERIES: [&str; 31] = [
    // As they are, and in their order.
    "select * from signals",
    "select * from token_prices",
    "select token_address, timestamp from token_prices where price > 0.5",
    "select id, score + 1 as more from signals where score >= 50 and momentum is not null",
    "select 10 * price as tenfold from token_prices where volume_24h is null or price < 1",
    "select * from token_prices limit 5",
    "select * from token_prices offset 7 limit 3",
    "select id from signals limit 4",
    "select id from signals where score > 30 limit 4",
    "select count(*) from (select * from token_prices limit 9) few",
    // Aggregates.
    "select count(*), min(price), max(price), sum(price), avg(price) from token_prices",
    "select count(*), count(distinct token_address), stddev(price) from token_prices where price > 0",
    "select token_address, count(*), max(price) from token_prices group by token_address",
    "select count(*), avg(score), min(timestamp) from signals",
    "select max(timestamp) from signals",
    "select source_wallet, count(*), sum(score) from signals group by source_wallet order by 1",
    "select count(*) filter (where score > 50), sum(distinct score) from signals",
    "select array_agg(id) from signals",
    "select string_agg(id, ',' order by score desc, id) from signals",
    // Our functions, bound to the prices of each worker.
    "select id, simulate_exit(token_address, timestamp, 'fixed_targets', 10, 20, 5, 60, 'level') from signals",
    "select id, price_at(token_address, timestamp) from signals where score > 40",
    "select count(*), sum(price_at(token_address, timestamp)) from signals",
    "select * from simulate_trades()",
    "select * from simulate_trades(exit_strategy => 'fixed_targets', take_profit_ladder => '50@10, 50@30')",
    "select exit_reason, count(*), sum(net_pnl_sol) from simulate_trades() group by exit_reason order by 1",
    "select * from compare_trades(exit_strategy => 'trailing_stop')",
    "select * from equity_curve()",
    // Above what is sent: sorts, windows, joins, unions.
    "select * from token_prices order by price desc, token_address, timestamp limit 10",
    "select id, row_number() over (order by score, id) from signals",
    "select s.id, count(*), max(p.price) from signals s join token_prices p using (token_address) group by s.id order by s.id",
    "select token_address from signals union all select token_address from token_prices",
];

fn explained(server: &Server, sql: &str) -> String {
    let lines = server.rows(&format!("explain {sql}"));
    let lines = lines.column(0).as_string::<i32>().iter().flatten();
    lines.collect::<Vec<_>>().join("\n")
}

/// The rows, or what the statement is told in their place.
fn told(server: &Server, sql: &str) -> Result<RecordBatch, (&'static str, String)> {
    let batches = crate::engine::block_on(server.engine.sql(sql));
    let batches = batches.map_err(|error| (error.sqlstate(), error.to_string()))?;
    Ok(datafusion::arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap())
}

/// The rows as texts, in an order of their own.
fn sorted(rows: &RecordBatch) -> Vec<String> {
    let format = FormatOptions::default();
    let columns = rows.columns().iter();
    let columns: Vec<_> = columns
        .map(|column| ArrayFormatter::try_new(column, &format).unwrap())
        .collect();
    let text = |row| {
        let cells = columns.iter().map(|column| column.value(row).to_string());
        cells.collect::<Vec<_>>().join("|")
    };
    let mut texts: Vec<String> = (0..rows.num_rows()).map(text).collect();
    texts.sort();
    texts
}

#[test]
fn rows_and_their_order_are_those_of_one_process() {
    let here = Server::in_order(&[]);
    let expected = QUERIES.map(|sql| here.rows(sql));
    let workers = [Worker::start(), Worker::start(), Worker::start()];
    let [a, b, c] = workers.each_ref().map(|worker| worker.url.as_str());
    let orders: [&[&str]; 5] = [&[a], &[b, a], &[a, b, c], &[c, a, b], &[b, c, a]];
    for urls in orders {
        let mut server = Server::in_order(urls);
        let mut scattered = Server::over(urls);
        for (sql, expected) in QUERIES.iter().zip(&expected) {
            let before = server.counts("tasks_begun");
            assert_eq!(server.rows(sql), *expected, "{sql} on {urls:?}");
            assert_eq!(server.said(), [""; 0], "{sql}");
            // The few rows that are enough of all prices are read here.
            let is_few = ["limit 5", "limit 3", "limit 9"]
                .iter()
                .any(|few| sql.contains(few));
            for (url, count) in server.counts("tasks_begun") {
                let is_used = count > before[&url];
                assert!(is_few || is_used, "{url} has computed nothing of {sql}");
            }
            // On several threads of each worker, what has no order may come in any.
            let is_some =
                sql.contains("limit") && !sql.contains("order by") || sql.contains("array_agg");
            if !is_some {
                assert_eq!(sorted(&scattered.rows(sql)), sorted(expected), "{sql}");
            }
        }
        assert_eq!(scattered.said(), [""; 0]);
    }
}

#[test]
fn a_plan_says_what_is_sent_and_a_setting_keeps_it_here() {
    let workers = [Worker::start(), Worker::start(), Worker::start()];
    let urls = workers.each_ref().map(|worker| worker.url.as_str());
    let server = Server::over(&urls);
    let sql = "select token_address, count(*) from token_prices group by token_address";
    let plan = explained(&server, sql);
    assert!(
        plan.contains("ShardedExec: tasks=3 on http://127.0.0.1:"),
        "{plan}"
    );
    let (above, sent) = plan.split_once("ShardedExec").unwrap();
    assert!(above.contains("AggregateExec: mode=Final"), "{plan}");
    assert!(sent.contains("AggregateExec: mode=Partial"), "{plan}");
    assert!(sent.contains("RelationExec: token_prices"), "{plan}");
    let (_, sent) = explained(&server, "select * from simulate_trades()")
        .split_once("ShardedExec")
        .map(|(above, sent)| (above.to_owned(), sent.to_owned()))
        .unwrap();
    for function in ["simulate_exits", "rescore", "sale_pnl", "UnnestExec"] {
        assert!(sent.contains(function), "{function}: {sent}");
    }
    let analyzed = server.rows(&format!("explain analyze {sql}"));
    let analyzed = analyzed.column(0).as_string::<i32>().value(0).to_owned();
    assert!(!analyzed.is_empty());
    server.rows("set hindsight.distribute = off");
    let before = server.counts("tasks_begun");
    assert!(!explained(&server, sql).contains("ShardedExec"));
    server.rows(sql);
    assert_eq!(server.counts("tasks_begun"), before);
}

#[test]
fn what_cannot_be_sent_stays_here_and_says_so() {
    let worker = Worker::start();
    let (mut server, here) = (Server::over(&[&worker.url]), Server::over(&[]));
    let sql = "select id, random() >= 0 as is_more from signals";
    let before = server.counts("tasks_begun");
    assert_eq!(server.rows(sql), here.rows(sql));
    assert_eq!(server.counts("tasks_begun"), before);
    let said = server.said().join("\n");
    assert!(
        said.contains("the statement runs on the server's machine"),
        "{said}"
    );
}

/// What is wrong with a statement is the same, wherever it is found.
#[test]
fn errors_are_those_of_one_process() {
    let worker = Worker::start();
    let (server, here) = (Server::over(&[&worker.url]), Server::over(&[]));
    for sql in [
        "select 1 / (score - score) from signals",
        "select cast(id as integer) from signals",
        "select 9223372036854775807 + length(id) from signals",
        "select * from simulate_trades(base_position_sol => 99999999999, \
         max_position_sol => 99999999999, gas_cost_sol => 99999999999)",
        "select id, simulate_exit(token_address, timestamp, 'never', 10, 20, 5, 60, 'level') from signals",
    ] {
        let (there, here) = (told(&server, sql), told(&here, sql));
        assert!(here.is_err(), "{sql}");
        assert_eq!(there, here, "{sql}");
    }
}

#[test]
fn a_worker_that_is_lost_before_the_first_row_is_made_up_for() {
    let sql = "select * from simulate_trades()";
    let expected = Server::over(&[]).rows(sql);
    let workers = [Worker::start(), Worker::start(), Worker::start()];
    let urls = workers.each_ref().map(|worker| worker.url.as_str());
    let mut server = Server::over(&urls);
    // They are asked, and what they said holds for a moment.
    server.counts("tasks");
    workers[1].signal("-KILL");
    assert_eq!(server.rows(sql), expected);
    let said = server.said().join("\n");
    let lost = format!("worker {}", workers[1].url);
    assert!(said.contains(&lost), "{said}");
    wait_until("it is known to be gone", || {
        server.states()[1].starts_with("does not answer")
    });
    assert_eq!(server.rows(sql), expected);
}

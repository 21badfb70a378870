//! The grids beside `backtest`, whose combinations are divided too.

use super::{Server, Worker};

const CALLS: [&str; 6] = [
    "select * from daily_pnl(stop_loss_percent => [5, 15], score_threshold => [0, 50, 80])",
    "select * from daily_pnl(stop_loss_percent => range(1, 40), start_date => '2025-01-01')",
    "select * from overfitting(stop_loss_percent => [5, 15, 30], score_threshold => [0, 50, 80], \
     blocks => 4)",
    "select * from walk_forward(stop_loss_percent => [5, 15, 30], score_threshold => [0, 50], \
     train_days => 2, test_days => 1)",
    "select * from walk_forward(stop_loss_percent => [5, 15, 30], train_days => 2, test_days => 1, \
     anchored => true, objective => 'actual_total_trades')",
    "select * from walk_forward(stop_loss_percent => 5, train_days => 1, test_days => 1)",
];

#[test]
fn rows_are_those_of_one_process() {
    let expected = CALLS.map(|sql| Server::over(&[]).rows(sql));
    let workers = [Worker::start(), Worker::start(), Worker::start()];
    let [a, b, c] = workers.each_ref().map(|worker| worker.url.as_str());
    let orders: [&[&str]; 3] = [&[a], &[b, a], &[c, a, b]];
    for urls in orders {
        let mut server = Server::over(urls);
        for (sql, expected) in CALLS.iter().zip(&expected) {
            let before = server.counts("tasks_begun");
            assert_eq!(server.rows(sql), *expected, "{sql} on {urls:?}");
            assert_eq!(server.said(), [""; 0]);
            for (url, count) in server.counts("tasks_begun") {
                assert!(count > before[&url], "{url} has computed nothing of {sql}");
            }
        }
    }
}

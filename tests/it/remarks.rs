//! What is said beside the rows of a statement: which of the parameters that it sets have no effect.

use hindsight::Engine;
use tokio::sync::mpsc;

use crate::engine::block_on;
use crate::files;

/// The remarks on a statement.
fn said(engine: &Engine, sql: &str) -> Vec<String> {
    let (sender, mut notices) = mpsc::unbounded_channel();
    engine.listen(sender);
    block_on(engine.sql(sql)).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut said = Vec::new();
    while let Ok(notice) = notices.try_recv() {
        if notice.sqlstate == "01000" {
            said.push(notice.message);
        }
    }
    said
}

#[test]
fn parameters_without_effect_are_said_once_a_statement() {
    let directory = tempfile::tempdir().unwrap();
    files::copy(&files::test_data().join("workspace-1"), directory.path());
    let engine = block_on(Engine::open(directory.path())).unwrap();
    let target = "without effect: take_profit_percent, since exit_strategy trailing_stop arms no take \
                  profit";
    let nothing: [&str; 0] = [];
    for (sql, expected) in [
        (
            "select * from backtest(stop_loss_percent => 8)",
            &nothing[..],
        ),
        (
            "select * from backtest(take_profit_percent => 50)",
            &nothing,
        ),
        (
            "select * from backtest(take_profit_percent => 40)",
            &[target],
        ),
        (
            "select * from backtest_by_queries(take_profit_percent => 40)",
            &[target],
        ),
        (
            "select * from simulate_trades(take_profit_percent => 40)",
            &[target],
        ),
        (
            "select * from compare_trades(take_profit_percent => 40)",
            &[target],
        ),
        ("call run_backtest(take_profit_percent => 40)", &[target]),
        // Of a grid, what has no effect in any of its rows; of a statement, once.
        (
            "select * from backtest(take_profit_percent => [40, 60])",
            &[target],
        ),
        (
            "select * from backtest(take_profit_percent => [40, 60], \
             exit_strategy => ['trailing_stop', 'hybrid'])",
            &nothing,
        ),
        (
            "select * from backtest(take_profit_percent => 40) union all \
             select * from backtest(take_profit_percent => 60)",
            &[target],
        ),
        (
            "select * from backtest(gas_cost_sol => 0.1, include_gas_costs => false, \
             moonbag_stop_loss_percent => 60)",
            &[
                "without effect: gas_cost_sol, since include_gas_costs is false; \
               moonbag_stop_loss_percent, since no moonbag_percent is set",
            ],
        ),
        // The scenario sets the strategy.
        (
            "insert into scenarios (name, exit_strategy, take_profit_percent) values ('h', 'hybrid', 40)",
            &nothing,
        ),
        ("select * from backtest(scenario => 'h')", &nothing),
        (
            "select * from backtest(scenario => 'h', exit_strategy => 'trailing_stop')",
            &[target],
        ),
        (
            "explain select * from backtest(take_profit_percent => 40)",
            &nothing,
        ),
    ] {
        assert_eq!(said(&engine, sql), expected, "{sql}");
    }
}

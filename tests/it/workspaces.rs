//! Workspaces that earlier versions wrote, kept in `tests/data`: each opens in this one, with
//! everything that was in it.

use datafusion::arrow::util::pretty::pretty_format_batches;
use hindsight::Engine;
use tempfile::TempDir;

use crate::cli;
use crate::engine::block_on;
use crate::files;

/// What a scenario of the first workspace has; later versions have more.
const SCENARIOS_1: &str = "name, description, tags, start_date, end_date, wallet_score_weight, token_metrics_weight, \
     liquidity_weight, holder_distribution_weight, momentum_weight, score_threshold, \
     base_position_sol, max_position_sol, scale_with_confidence, confidence_multiplier, \
     exit_strategy, stop_loss_percent, take_profit_percent, trailing_stop_percent, \
     max_hold_minutes, slippage_percent, include_gas_costs, gas_cost_sol, fill_model, \
     max_entry_delay_minutes, created_at, updated_at";
/// And a run.
const BACKTESTS_1: &str = "id, scenario, label, status, started_at, completed_at, duration_seconds, error_message, \
     dataset, engine_version, start_date, end_date, wallet_score_weight, token_metrics_weight, \
     liquidity_weight, holder_distribution_weight, momentum_weight, score_threshold, \
     base_position_sol, max_position_sol, scale_with_confidence, confidence_multiplier, \
     exit_strategy, stop_loss_percent, take_profit_percent, trailing_stop_percent, \
     max_hold_minutes, slippage_percent, include_gas_costs, gas_cost_sol, fill_model, \
     max_entry_delay_minutes, total_signals, signals_above_threshold, untradable_signals, \
     actual_total_trades, actual_winning_trades, actual_losing_trades, actual_total_pnl_sol, \
     actual_gross_profit_sol, actual_gross_loss_sol, actual_average_win_sol, \
     actual_average_loss_sol, actual_max_drawdown_sol, actual_max_consecutive_losses, \
     actual_win_rate, actual_profit_factor, actual_expectancy, simulated_total_trades, \
     simulated_winning_trades, simulated_losing_trades, simulated_total_pnl_sol, \
     simulated_gross_profit_sol, simulated_gross_loss_sol, simulated_average_win_sol, \
     simulated_average_loss_sol, simulated_max_drawdown_sol, simulated_max_consecutive_losses, \
     simulated_win_rate, simulated_profit_factor, simulated_expectancy, pnl_difference_sol, \
     pnl_improvement_percent, trade_count_difference, win_rate_difference, is_improvement, \
     trades_changed, simulated_pnl_conservative_sol";
/// And a simulated trade.
const TRADES_1: &str = "backtest_id, signal_id, signal_timestamp, token_address, source_wallet, score, \
     entry_timestamp, entry_price, exit_timestamp, exit_price, exit_reason, position_size_sol, \
     gross_pnl_sol, slippage_cost_sol, gas_cost_sol, net_pnl_sol, pnl_percent, is_win";

/// What a statement says.
fn shown(engine: &Engine, sql: &str) -> String {
    let rows = block_on(engine.sql(sql));
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
    pretty_format_batches(&rows).unwrap().to_string()
}

#[test]
fn workspace_1_opens_with_everything_in_it() {
    // Opening may bring it up to date, so not where it is kept.
    let workspace = TempDir::new().unwrap();
    files::copy(&files::test_data().join("workspace-1"), workspace.path());
    let engine = block_on(Engine::open(workspace.path())).unwrap();

    insta::assert_snapshot!(shown(
        &engine,
        "select (select count(*) from signals) as signals, (select count(*) from token_prices) as prices, \
         (select count(*) from trade_outcomes) as outcomes"
    ));
    insta::assert_snapshot!(shown(
        &engine,
        &format!("select {SCENARIOS_1} from scenarios")
    ));
    insta::assert_snapshot!(shown(
        &engine,
        &format!("select {BACKTESTS_1} from backtests")
    ));
    insta::assert_snapshot!(shown(
        &engine,
        &format!("select {TRADES_1} from simulated_trades limit 5")
    ));
    // What that version did not know is null, and reads as its default.
    let unknown = shown(
        &engine,
        "select count(*) from simulated_trades where part is null and share_percent is null \
         and backtest_id in (select id from backtests where take_profit_ladder is null \
         and platform_fee_percent is null)",
    );
    let all = shown(&engine, "select count(*) from simulated_trades");
    assert_eq!(unknown, all);
    insta::assert_snapshot!(shown(
        &engine,
        "select (select count(*) from simulated_trades) as trades, \
         (select count(*) from trade_comparisons) as comparisons, \
         (select count(*) from equity_curves) as equity"
    ));
    insta::assert_snapshot!(shown(&engine, "select * from live_settings"));
    insta::assert_snapshot!(shown(&engine, "select * from settings_history"));
    let users = block_on(engine.store().users()).unwrap();
    assert_eq!(users[0].name, "ann");

    // The same run again comes to the same row, and what was applied can be rolled back.
    shown(
        &engine,
        "call run_backtest(scenario => 'tight', label => 'again')",
    );
    let same = shown(
        &engine,
        "select count(*) as runs from backtests as again \
         join backtests as before on again.simulated_total_pnl_sol = before.simulated_total_pnl_sol \
          and again.simulated_max_drawdown_sol = before.simulated_max_drawdown_sol \
          and again.simulated_total_trades = before.simulated_total_trades \
          and again.simulated_pnl_conservative_sol = before.simulated_pnl_conservative_sol \
          and again.actual_total_pnl_sol = before.actual_total_pnl_sol \
          and again.trades_changed = before.trades_changed \
         where again.dataset = before.dataset and before.label = 'first' and again.label = 'again'",
    );
    assert!(same.contains("| 1    |"), "{same}");
    shown(
        &engine,
        "select * from rollback_settings((select id from settings_history), confirm => true)",
    );
    let value = shown(
        &engine,
        "select value from live_settings where setting = 'stop_loss_percent'",
    );
    assert!(value.contains("| 15    |"), "{value}");
}

/// The tables of the second workspace whose rows are kept beside it, as they were read by the version
/// that wrote it, with the order that they stand in.
const TABLES_2: [(&str, &str); 7] = [
    ("scenarios", "name"),
    ("backtests", "started_at"),
    (
        "simulated_trades",
        "backtest_id, signal_timestamp, signal_id, part",
    ),
    ("trade_comparisons", "backtest_id, timestamp, signal_id"),
    ("equity_curves", "backtest_id, timestamp, signal_id"),
    ("live_settings", "setting_group, setting"),
    ("settings_history", "id"),
];

#[test]
fn workspace_2_opens_with_everything_in_it() {
    let workspace = TempDir::new().unwrap();
    let kept = files::test_data().join("workspace-2");
    files::copy(&kept, workspace.path());
    let done = |arguments: &[&str]| {
        let output = cli::run(workspace.path(), arguments).unwrap();
        let errors = cli::text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
        cli::text(&output.stdout)
    };
    let query = |sql: &str| done(&["query", sql, "--format", "csv"]);
    done(&["status", "--verify"]);
    let mut of_runs = String::new();
    for (table, order) in TABLES_2 {
        let expected = std::fs::read_to_string(kept.join(format!("expected/{table}.csv"))).unwrap();
        // Later versions may know more columns.
        let columns = expected.lines().next().unwrap();
        let found = query(&format!("select {columns} from {table} order by {order}"));
        assert!(found == expected, "{table}:\n{found}\nwas\n{expected}");
        if table == "backtests" {
            of_runs = columns.to_owned();
        }
    }

    // The same run again comes to the same row, and what was applied can be rolled back.
    query("call run_backtest(scenario => 'everything', label => 'again')");
    let own = [
        "id",
        "label",
        "started_at",
        "completed_at",
        "duration_seconds",
        "engine_version",
    ];
    let columns: Vec<&str> = of_runs.split(',').filter(|c| !own.contains(c)).collect();
    assert!(columns.len() > 80, "{of_runs}");
    let columns = columns.join(", ");
    let run = |label: &str| {
        query(&format!(
            "select {columns} from backtests where label = '{label}'"
        ))
    };
    assert_eq!(run("again"), run("first"));
    assert_eq!(run("again").lines().count(), 2);
    let hold = "select value from live_settings where setting = 'max_hold_minutes'";
    assert_eq!(query(hold), "value\n240\n");
    query("select * from rollback_settings((select id from settings_history), confirm => true)");
    assert_eq!(query(hold), "value\n60\n");
}

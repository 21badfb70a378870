//! Workspaces that earlier versions wrote, kept in `tests/data`: each opens in this one, with
//! everything that was in it.

use datafusion::arrow::util::pretty::pretty_format_batches;
use hindsight::Engine;
use tempfile::TempDir;

use crate::engine::block_on;
use crate::files;

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
    insta::assert_snapshot!(shown(&engine, "select * from scenarios"));
    insta::assert_snapshot!(shown(&engine, "select * from backtests"));
    insta::assert_snapshot!(shown(&engine, "select * from simulated_trades limit 5"));
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

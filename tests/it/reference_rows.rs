//! What the reference says, under the names that SQL gives it.

use datafusion::arrow::datatypes::Date32Type;

use crate::reference::backtest::{Backtest, Trade};
use crate::reference::comparison::{Comparison, EquityPoint};
use crate::reference::exposure::{Daily, Exposure};
use crate::reference::metrics::Metrics;
use crate::reference::number::{Number, rounded};
use crate::reference::risk::Risk;
use crate::rows::{Cell, Row};

/// The row of `backtest(…)`, without the parameters.
pub fn backtest(backtest: &Backtest) -> Row {
    let mut row = Row::default();
    row.push("total_signals", backtest.total_signals);
    row.push("signals_above_threshold", backtest.signals_above_threshold);
    row.push("untradable_signals", backtest.untradable_signals);
    row.push("limited_signals", backtest.limited_signals);
    push_metrics(&mut row, "actual", &backtest.actual);
    push_risk(&mut row, "actual", &backtest.actual_risk);
    push_metrics(&mut row, "simulated", &backtest.simulated);
    push_risk(&mut row, "simulated", &backtest.simulated_risk);
    row.push("pnl_difference_sol", &backtest.pnl_difference_sol);
    row.push("pnl_improvement_percent", &backtest.pnl_improvement_percent);
    row.push("trade_count_difference", backtest.trade_count_difference);
    row.push("win_rate_difference", &backtest.win_rate_difference);
    row.push("is_improvement", backtest.is_improvement);
    row.push("trades_changed", backtest.trades_changed);
    row.push(
        "simulated_pnl_conservative_sol",
        &backtest.simulated_pnl_conservative_sol,
    );
    row
}

fn push_metrics(row: &mut Row, side: &str, metrics: &Metrics) {
    let fields: [(&str, Cell); 13] = [
        ("total_trades", metrics.total_trades.into()),
        ("winning_trades", metrics.winning_trades.into()),
        ("losing_trades", metrics.losing_trades.into()),
        ("total_pnl_sol", (&metrics.total_pnl_sol).into()),
        ("gross_profit_sol", (&metrics.gross_profit_sol).into()),
        ("gross_loss_sol", (&metrics.gross_loss_sol).into()),
        ("average_win_sol", (&metrics.average_win_sol).into()),
        ("average_loss_sol", (&metrics.average_loss_sol).into()),
        ("max_drawdown_sol", (&metrics.max_drawdown_sol).into()),
        (
            "max_consecutive_losses",
            metrics.max_consecutive_losses.into(),
        ),
        ("win_rate", (&metrics.win_rate).into()),
        ("profit_factor", (&metrics.profit_factor).into()),
        ("expectancy", (&metrics.expectancy).into()),
    ];
    for (name, cell) in fields {
        row.push(format!("{side}_{name}"), cell);
    }
}

fn push_risk(row: &mut Row, side: &str, risk: &Risk) {
    for (name, value) in [
        ("sharpe_ratio", &risk.sharpe_ratio),
        ("sortino_ratio", &risk.sortino_ratio),
        ("calmar_ratio", &risk.calmar_ratio),
        ("sqn", &risk.sqn),
        ("best_trade_sol", &risk.best_trade_sol),
        ("worst_trade_sol", &risk.worst_trade_sol),
        ("average_hold_minutes", &risk.average_hold_minutes),
    ] {
        row.push(format!("{side}_{name}"), value);
    }
}

/// A row of `simulate_trades(…)`.
pub fn trade(trade: &Trade) -> Row {
    let mut row = Row::default();
    row.push("signal_id", &trade.signal_id);
    row.push("signal_timestamp", trade.signal_timestamp);
    row.push("token_address", &trade.token_address);
    row.push("source_wallet", &trade.source_wallet);
    row.push("score", &trade.score);
    row.push("entry_timestamp", trade.exit.entry_timestamp);
    row.push("entry_price", &trade.exit.entry_price);
    row.push("exit_timestamp", trade.exit.exit_timestamp);
    row.push("exit_price", &rounded(&trade.exit.exit_price, 18));
    row.push("exit_reason", trade.exit.exit_reason);
    row.push("position_size_sol", &trade.pnl.position_size_sol);
    row.push("gross_pnl_sol", &trade.pnl.gross_pnl_sol);
    row.push("slippage_cost_sol", &trade.pnl.slippage_cost_sol);
    row.push("gas_cost_sol", &trade.pnl.gas_cost_sol);
    row.push("net_pnl_sol", &trade.pnl.net_pnl_sol);
    row.push("pnl_percent", &trade.pnl.pnl_percent);
    row.push("is_win", trade.is_win);
    row.push("part", trade.exit.part);
    row.push("share_percent", &trade.exit.share_percent);
    row.push("fees_sol", &trade.pnl.fees_sol);
    row.push("impact_cost_sol", &trade.pnl.impact_cost_sol);
    row.push("mae_percent", &trade.mae_percent);
    row.push("mfe_percent", &trade.mfe_percent);
    row
}

/// A row of `compare_trades(…)`, without the sentence.
pub fn comparison(comparison: &Comparison) -> Row {
    let mut row = Row::default();
    row.push("signal_id", &comparison.signal_id);
    row.push("timestamp", comparison.timestamp);
    row.push("token_address", &comparison.token_address);
    row.push("source_wallet", &comparison.source_wallet);
    row.push("score", &comparison.score);
    row.push("actual_traded", comparison.actual_traded);
    row.push("actual_pnl_sol", &comparison.actual_pnl_sol);
    row.push("simulated_traded", comparison.simulated_traded);
    row.push("simulated_pnl_sol", &comparison.simulated_pnl_sol);
    row.push("outcome_changed", comparison.outcome_changed);
    row.push("pnl_changed", comparison.pnl_changed);
    row.push("change", comparison.change);
    row.push(
        "skip_reason",
        comparison.skip_reason.map_or(Cell::Null, Cell::from),
    );
    row
}

/// A row of `equity_curve(…)`.
pub fn equity_point(point: &EquityPoint) -> Row {
    let mut row = Row::default();
    row.push("timestamp", point.timestamp);
    row.push("signal_id", &point.signal_id);
    row.push("actual_pnl_sol", &point.actual_pnl_sol);
    row.push("simulated_pnl_sol", &point.simulated_pnl_sol);
    row
}

/// A row of `daily_pnl(…)`, without the parameters.
pub fn day((daily, actual, simulated): &(Daily, Number, Number)) -> Row {
    let mut row = Row::default();
    let day = i32::try_from(daily.day).unwrap();
    let day = Date32Type::to_naive_date_opt(day).unwrap().to_string();
    row.push("day", &day);
    row.push("actual_pnl_sol", actual);
    row.push("simulated_pnl_sol", simulated);
    row.push("actual_trades", daily.actual_trades);
    row.push("simulated_trades", daily.simulated_trades);
    row
}

/// A row of `exposure(…)`.
pub fn exposure(exposure: &Exposure) -> Row {
    let mut row = Row::default();
    row.push("timestamp", exposure.timestamp);
    row.push("open_positions", exposure.open_positions);
    row.push("capital_sol", &exposure.capital_sol);
    row
}

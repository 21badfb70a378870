//! A whole backtest: selection, trades, both sides' metrics, and their comparison.

use std::collections::BTreeMap;

use num_traits::{Signed, Zero};

use super::comparison::{self, Comparison, EquityPoint};
use super::exit::{self, Exit, MINUTE};
use super::exposure::{self, Daily, Exposure};
use super::history::{DAY, History, Outcome, Signal, day_of};
use super::limits::{Asked, Sold};
use super::metrics::Metrics;
use super::number::{Number, parse, rounded, whole};
use super::parameters::{FillModel, Parameters};
use super::risk::{Closed, Risk, daily_sums};
use super::scoring::{position_size, rescore};
use super::trade::{TradePnl, trade_pnl};

/// A simulated trade: one sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    pub signal_id: String,
    pub signal_timestamp: i64,
    pub token_address: String,
    pub source_wallet: Option<String>,
    pub score: Number,
    pub exit: Exit,
    pub pnl: TradePnl,
    pub is_win: bool,
    pub mae_percent: Number,
    pub mfe_percent: Number,
    /// Of the position, SOL, exact.
    pub part_exact: Number,
}

/// Everything a backtest says.
#[derive(Debug, Clone)]
pub struct Backtest {
    pub total_signals: i64,
    pub signals_above_threshold: i64,
    pub untradable_signals: i64,
    pub limited_signals: i64,
    pub actual: Metrics,
    pub simulated: Metrics,
    pub actual_risk: Risk,
    pub simulated_risk: Risk,
    /// By day, with the PnL of both sides.
    pub days: Vec<(Daily, Number, Number)>,
    pub exposure: Vec<Exposure>,
    pub pnl_difference_sol: Number,
    pub pnl_improvement_percent: Option<Number>,
    pub trade_count_difference: i64,
    pub win_rate_difference: Number,
    pub is_improvement: bool,
    pub trades_changed: i64,
    pub simulated_pnl_conservative_sol: Number,
    /// By signal time, then id, then part.
    pub trades: Vec<Trade>,
    /// In the order shown to people.
    pub comparisons: Vec<Comparison>,
    /// In time order.
    pub equity_curve: Vec<EquityPoint>,
}

/// What would have happened with these parameters.
pub fn backtest(history: &History, parameters: &Parameters) -> Backtest {
    let signals = signals_in_range(history, parameters);

    let mut signals_above_threshold = 0;
    let mut untradable_signals = 0;
    let mut trades: Vec<Trade> = Vec::new();
    let refusals = refusals(history, parameters, &signals);
    let mut comparisons = Vec::new();
    let mut actual_trades: Vec<&Outcome> = Vec::new();
    for signal in &signals {
        let score = rescore(&signal.factors, &parameters.weights);
        let is_selected = score >= parameters.score_threshold;
        let mut simulated_pnl_sol = None;
        let mut skip_reason = Some("below_threshold");
        if is_selected {
            signals_above_threshold += 1;
            let sales = trades_of(history, signal, &score, parameters);
            skip_reason = refusals.get(&signal.id).copied();
            if sales.is_empty() {
                untradable_signals += 1;
                skip_reason = Some("untradable");
            }
            for trade in sales.into_iter().filter(|_| skip_reason.is_none()) {
                let before = simulated_pnl_sol.unwrap_or_else(Number::zero);
                simulated_pnl_sol = Some(before + &trade.pnl.net_pnl_sol);
                trades.push(trade);
            }
        }
        let outcomes: Vec<&Outcome> = history
            .outcomes
            .iter()
            .filter(|outcome| outcome.signal_id == signal.id)
            .collect();
        comparisons.push(comparison::compare(
            signal,
            score,
            &outcomes,
            simulated_pnl_sol,
            skip_reason,
        ));
        actual_trades.extend(outcomes.iter().filter(|outcome| {
            outcome.exit_timestamp.is_some() && outcome.realized_pnl_sol.is_some()
        }));
    }

    // Both sides are ordered by exit timestamp, then signal id; what is alike in both, by PnL.
    actual_trades.sort_by_key(|outcome| {
        let pnl = outcome.realized_pnl_sol.clone();
        (outcome.exit_timestamp, outcome.signal_id.clone(), pnl)
    });
    let actual_pnls: Vec<Number> = actual_trades
        .iter()
        .map(|outcome| outcome.realized_pnl_sol.clone().unwrap())
        .collect();
    let actual = Metrics::of(&actual_pnls);
    let simulated = Metrics::of(&pnls_by_exit(&trades));
    let days = days_of_range(history, parameters);
    let actual_closed: Vec<Closed> = actual_trades
        .iter()
        .map(|outcome| Closed {
            pnl: outcome.realized_pnl_sol.clone().unwrap(),
            entry: outcome.entry_timestamp,
            exit: outcome.exit_timestamp.unwrap(),
        })
        .collect();
    let simulated_closed: Vec<Closed> = trades
        .iter()
        .map(|trade| Closed {
            pnl: trade.pnl.net_pnl_sol.clone(),
            entry: Some(trade.exit.entry_timestamp),
            exit: trade.exit.exit_timestamp,
        })
        .collect();

    let pnl_difference_sol = &simulated.total_pnl_sol - &actual.total_pnl_sol;
    let pnl_improvement_percent = (!actual.total_pnl_sol.is_zero()).then(|| {
        let share = &pnl_difference_sol / actual.total_pnl_sol.abs();
        rounded(&(share * whole(100)), 2)
    });
    let win_rate_difference = &simulated.win_rate - &actual.win_rate;
    let is_improvement =
        pnl_difference_sol > parse("0.01").unwrap() && win_rate_difference > whole(-5);
    let changed = comparisons
        .iter()
        .filter(|row| row.outcome_changed || row.pnl_changed);

    Backtest {
        total_signals: i64::try_from(signals.len()).unwrap(),
        signals_above_threshold,
        untradable_signals,
        limited_signals: refusals.len() as i64,
        pnl_difference_sol,
        pnl_improvement_percent,
        trade_count_difference: simulated.total_trades - actual.total_trades,
        win_rate_difference,
        is_improvement,
        trades_changed: i64::try_from(changed.count()).unwrap(),
        simulated_pnl_conservative_sol: conservative_total(history, parameters, &trades),
        equity_curve: comparison::equity_curve(&comparisons),
        comparisons: {
            comparison::sort_for_people(&mut comparisons);
            comparisons
        },
        days: exposure::daily(days.clone(), &actual_closed, &simulated_closed)
            .into_iter()
            .zip(daily_sums(&actual_closed, days.clone()))
            .zip(daily_sums(&simulated_closed, days.clone()))
            .map(|((daily, actual), simulated)| (daily, actual, simulated))
            .collect(),
        exposure: exposure::exposure(&trades),
        trades,
        actual_risk: Risk::of(&actual_closed, days.clone(), &actual.max_drawdown_sol),
        simulated_risk: Risk::of(&simulated_closed, days, &simulated.max_drawdown_sol),
        actual,
        simulated,
    }
}

/// The days from `start_date` to `end_date`, since 1970, the last excluded. Without dates: the 30 days
/// that end with the last signal's day.
fn days_of_range(history: &History, parameters: &Parameters) -> std::ops::Range<i64> {
    let last_signal = history.signals.iter().map(|signal| signal.timestamp).max();
    let last_day = last_signal.map_or(0, |timestamp| timestamp.div_euclid(DAY));
    let end_day = parameters.end_date.as_deref().map_or(last_day, day_of);
    let start_day = parameters
        .start_date
        .as_deref()
        .map_or(last_day - 29, day_of);
    start_day..end_day + 1
}

/// The signals from `start_date` 00:00 to the midnight that ends `end_date`, that one excluded, by
/// time, then id.
fn signals_in_range<'a>(history: &'a History, parameters: &Parameters) -> Vec<&'a Signal> {
    let days = days_of_range(history, parameters);
    let range = days.start * DAY..days.end * DAY;
    let mut signals: Vec<&Signal> = history
        .signals
        .iter()
        .filter(|signal| range.contains(&signal.timestamp))
        .collect();
    signals.sort_by_key(|signal| (signal.timestamp, signal.id.clone()));
    signals
}

/// The sales of a selected signal, none where it is untradable: no price at or after it, a price
/// of 0, or one that comes later than `max_entry_delay_minutes` allows.
fn trades_of(
    history: &History,
    signal: &Signal,
    score: &Number,
    parameters: &Parameters,
) -> Vec<Trade> {
    let Some(prices) = history.prices.get(&signal.token_address) else {
        return vec![];
    };
    let mut trades = Vec::new();
    for exit in exit::simulate_exits(prices, signal.timestamp, &parameters.exit) {
        if let Some(minutes) = &parameters.max_entry_delay_minutes
            && whole(exit.entry_timestamp - signal.timestamp) > minutes * whole(MINUTE)
        {
            return vec![];
        }
        let pnl = trade_pnl(
            &position_size(score, parameters),
            &exit.share_percent,
            &exit.entry_price,
            &exit.exit_price,
            &parameters.costs(),
        );
        let percent = |price: &Number| {
            let change = (price - &exit.entry_price) / &exit.entry_price;
            rounded(&(change * whole(100)), 2)
        };
        trades.push(Trade {
            signal_id: signal.id.clone(),
            signal_timestamp: signal.timestamp,
            token_address: signal.token_address.clone(),
            source_wallet: signal.source_wallet.clone(),
            score: score.clone(),
            is_win: pnl.net_pnl_sol.is_positive(),
            mae_percent: percent(&exit.lowest_price),
            mfe_percent: percent(&exit.highest_price),
            part_exact: position_size(score, parameters) * &exit.share_percent / whole(100),
            exit,
            pnl,
        });
    }
    trades
}

/// The selected and tradable signals that a portfolio limit refuses, with its name. They ask by their
/// entry, then their id.
fn refusals(
    history: &History,
    parameters: &Parameters,
    signals: &[&Signal],
) -> BTreeMap<String, &'static str> {
    let mut asked: Vec<Asked> = Vec::new();
    for signal in signals {
        let score = rescore(&signal.factors, &parameters.weights);
        if score < parameters.score_threshold {
            continue;
        }
        let size = position_size(&score, parameters);
        let sales = trades_of(history, signal, &score, parameters);
        let Some(first) = sales.first() else {
            continue;
        };
        asked.push(Asked {
            signal_id: signal.id.clone(),
            token_address: signal.token_address.clone(),
            entry: first.exit.entry_timestamp,
            sales: sales
                .iter()
                .map(|trade| Sold {
                    end: trade.exit.exit_timestamp,
                    net: trade.pnl.net_pnl_sol.clone(),
                    part: &size * &trade.exit.share_percent / whole(100),
                })
                .collect(),
            size,
        });
    }
    asked.sort_by_key(|position| (position.entry, position.signal_id.clone()));
    let refusals = parameters.limits.refusals(&asked);
    let refused = asked.into_iter().zip(refusals);
    refused
        .filter_map(|(position, refusal)| Some((position.signal_id, refusal?)))
        .collect()
}

/// Net PnLs by exit timestamp, then signal id, then part.
fn pnls_by_exit(trades: &[Trade]) -> Vec<Number> {
    let mut by_exit: Vec<&Trade> = trades.iter().collect();
    by_exit.sort_by_key(|trade| {
        let exit = &trade.exit;
        (exit.exit_timestamp, trade.signal_id.clone(), exit.part)
    });
    by_exit
        .iter()
        .map(|trade| trade.pnl.net_pnl_sol.clone())
        .collect()
}

/// The simulated total had every fill of the same trades been `conservative`.
fn conservative_total(history: &History, parameters: &Parameters, trades: &[Trade]) -> Number {
    let mut conservative = parameters.clone();
    conservative.exit.fill_model = FillModel::Conservative;
    let mut total = Number::zero();
    for simulated in trades.iter().filter(|trade| trade.exit.part == 1) {
        let signal = history
            .signals
            .iter()
            .find(|signal| signal.id == simulated.signal_id)
            .unwrap();
        for trade in trades_of(history, signal, &simulated.score, &conservative) {
            total += trade.pnl.net_pnl_sol;
        }
    }
    rounded(&total, 4)
}

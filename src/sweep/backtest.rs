//! Backtests of many combinations over one history.
//!
//! Combinations with the same exit rules and the same weights share the walks and the scores. What
//! is kept at a time is the exits of one set of rules and the scores of one set of weights, so that
//! memory does not grow with the number of combinations.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::Result;
use hindsight_udfs::decimal::{divide_half_even, pow10};
use hindsight_udfs::exits::walk::{ExitRules, FillModel, HUNDRED_PERCENT, fill, walk};
use hindsight_udfs::metrics::expectancy::expectancy;
use hindsight_udfs::metrics::max_consecutive_losses::LossRuns;
use hindsight_udfs::metrics::max_drawdown::Drawdown;
use hindsight_udfs::metrics::profit_factor::profit_factor;
use hindsight_udfs::metrics::totals::{LAMPORTS_PER_UNIT, Totals, rounded_units};
use hindsight_udfs::metrics::win_rate::win_rate;
use hindsight_udfs::price_book::PriceBook;
use hindsight_udfs::scoring::position_size::position_size;
use hindsight_udfs::scoring::rescore::rescore;
use hindsight_udfs::trades::trade_pnl::net_pnl;

use super::combination::Combination;
use super::history::History;
use crate::error::Error;

/// PnL that differs by more than this many lamports has changed.
const PNL_CHANGE: i128 = 1_000_000;
/// What lamports of `numeric(20,9)` stay below.
const SOL_LIMIT: i128 = pow10(20);

/// The metrics of one side; amounts in lamports, rounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metrics {
    pub total_trades: i64,
    pub winning_trades: i64,
    pub losing_trades: i64,
    pub total_pnl: i128,
    pub gross_profit: i128,
    pub gross_loss: i128,
    pub average_win: i128,
    pub average_loss: i128,
    pub max_drawdown: i128,
    pub max_consecutive_losses: i64,
    /// Percent × 100.
    pub win_rate: i128,
    /// × 100.
    pub profit_factor: Option<i128>,
    pub expectancy: i128,
}

/// The result of one combination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backtest {
    pub total_signals: i64,
    pub signals_above_threshold: i64,
    pub untradable_signals: i64,
    pub actual: Metrics,
    pub simulated: Metrics,
    pub trades_changed: i64,
    /// Lamports, rounded.
    pub conservative_pnl: i128,
}

/// Runs every combination; the results stand in the order of the combinations.
pub fn backtest(
    history: &History,
    book: &PriceBook,
    combinations: &[Combination],
    cancelled: &AtomicBool,
) -> Result<Vec<Backtest>> {
    let mut by_rules: HashMap<(ExitRules, FillModel), Vec<usize>> = HashMap::new();
    for (position, combination) in combinations.iter().enumerate() {
        let rules = (combination.rules, combination.fill_model);
        by_rules.entry(rules).or_default().push(position);
    }
    let mut groups: Vec<_> = by_rules.into_iter().collect();
    groups.sort_unstable_by_key(|(_, positions)| positions[0]);

    let mut actual = ActualSides::default();
    let mut results = vec![Backtest::default(); combinations.len()];
    for ((rules, fill_model), mut positions) in groups {
        positions.sort_by_key(|position| combinations[*position].weights);
        let exits = Exits::walk(history, book, &rules, fill_model, combinations, &positions);
        let mut scores: Option<([i64; 5], Vec<i64>)> = None;
        for position in positions {
            if cancelled.load(Ordering::Relaxed) {
                return Err(Error::Cancelled.into());
            }
            let combination = &combinations[position];
            if scores
                .as_ref()
                .is_none_or(|(weights, _)| *weights != combination.weights)
            {
                scores = Some((
                    combination.weights,
                    score_all(history, &combination.weights),
                ));
            }
            let scores = scores.as_ref().map_or(&[][..], |(_, scores)| scores);
            results[position] = one(history, &exits, scores, combination, &mut actual)?;
        }
    }
    Ok(results)
}

/// What every signal scores with these weights, in hundredths of a point.
fn score_all(history: &History, weights: &[i64; 5]) -> Vec<i64> {
    let factors = history.factors.iter();
    factors.map(|factors| rescore(factors, weights)).collect()
}

/// Where the trade on one signal ends.
#[derive(Debug, Clone, Copy)]
struct SignalExit {
    timestamp: i64,
    id_rank: u32,
    signal: u32,
    /// The rise over the entry price, for the fill model and for conservative fills; in the unit of
    /// the stake.
    gain: i128,
    conservative_gain: i128,
    stake: i128,
}

/// The exits of one set of rules, in the order in which trades are counted.
struct Exits(Vec<SignalExit>);

impl Exits {
    /// Walks every signal that one of the combinations selects.
    fn walk(
        history: &History,
        book: &PriceBook,
        rules: &ExitRules,
        fill_model: FillModel,
        combinations: &[Combination],
        positions: &[usize],
    ) -> Self {
        let wanted = wanted_signals(history, combinations, positions);
        let mut exits: Vec<SignalExit> = (0..history.timestamps.len())
            .filter(|signal| wanted[*signal])
            .filter_map(|signal| {
                let entry = history.entries[signal]?;
                let prices = book.token(entry.token as usize);
                let (timestamps, mantissas) = (&prices.timestamps, &prices.mantissas);
                let (start, at) = (entry.price as usize, history.timestamps[signal]);
                let exit = walk(timestamps, mantissas, start, at, rules);
                let (paid, observed) = (mantissas[start], mantissas[exit.position]);
                let stake = i128::from(paid) * i128::from(HUNDRED_PERCENT);
                let gain = |model| fill(paid, observed, &exit, rules, model) - stake;
                Some(SignalExit {
                    timestamp: timestamps[exit.position],
                    id_rank: history.id_ranks[signal],
                    signal: signal as u32,
                    gain: gain(fill_model),
                    conservative_gain: gain(FillModel::Conservative),
                    stake,
                })
            })
            .collect();
        exits.sort_unstable_by_key(|exit| (exit.timestamp, exit.id_rank));
        Self(exits)
    }
}

/// Which signals at least one of the combinations selects.
fn wanted_signals(
    history: &History,
    combinations: &[Combination],
    positions: &[usize],
) -> Vec<bool> {
    let mut lowest: HashMap<(Range<usize>, [i64; 5]), i64> = HashMap::new();
    for position in positions {
        let combination = &combinations[*position];
        let range = history.range(combination.range.0, combination.range.1);
        let threshold = lowest
            .entry((range, combination.weights))
            .or_insert(i64::MAX);
        *threshold = combination.threshold.min(*threshold);
    }
    let mut wanted = vec![false; history.timestamps.len()];
    for ((range, weights), threshold) in lowest {
        for signal in range {
            wanted[signal] |= rescore(&history.factors[signal], &weights) >= threshold;
        }
    }
    wanted
}

/// The actual side of each range.
#[derive(Default)]
struct ActualSides(HashMap<Range<usize>, (Metrics, i64)>);

impl ActualSides {
    /// The metrics, and how many signals were traded.
    fn of(&mut self, history: &History, range: &Range<usize>) -> Result<(Metrics, i64)> {
        if let Some(known) = self.0.get(range) {
            return Ok(*known);
        }
        let mut side = Side::default();
        for outcome in &history.outcomes {
            if range.contains(&(outcome.signal as usize)) {
                side.add(outcome.pnl);
            }
        }
        let traded = history.actual[range.clone()].iter().flatten().count();
        let traded = i64::try_from(traded).unwrap_or(i64::MAX);
        let found = (side.metrics()?, traded);
        self.0.insert(range.clone(), found);
        Ok(found)
    }
}

/// One combination: a pass over the exits that selects, sizes and adds up.
fn one(
    history: &History,
    exits: &Exits,
    scores: &[i64],
    combination: &Combination,
    actual: &mut ActualSides,
) -> Result<Backtest> {
    let range = history.range(combination.range.0, combination.range.1);
    let (actual_metrics, actually_traded) = actual.of(history, &range)?;
    let selected = scores[range.clone()]
        .iter()
        .filter(|score| **score >= combination.threshold)
        .count();

    let mut side = Side::default();
    let mut conservative_pnl = 0_i128;
    // Signals traded on one side only count as changed; those traded on both where PnL differs.
    let mut changed = actually_traded;
    for exit in &exits.0 {
        let signal = exit.signal as usize;
        let score = scores[signal];
        if score < combination.threshold || !range.contains(&signal) {
            continue;
        }
        if let (Some(most), Some(entry)) = (combination.max_entry_delay, history.entries[signal])
            && i128::from(entry.delay) * 10_000 > most
        {
            continue;
        }
        let net = |gain| {
            position_size(score, &combination.sizing)
                .and_then(|size| net_pnl(size, gain, exit.stake, &combination.costs))
                .ok_or_else(|| too_large(combination))
        };
        let pnl = net(exit.gain)?;
        side.add(pnl);
        conservative_pnl += match exit.conservative_gain == exit.gain {
            true => pnl,
            false => net(exit.conservative_gain)?,
        };
        changed += match history.actual[signal] {
            None => 1,
            Some(actual) => match actual.pnl {
                Some(actual) if (pnl - actual).abs() <= PNL_CHANGE => -1,
                _ => 0,
            },
        };
    }
    let selected = i64::try_from(selected).unwrap_or(i64::MAX);
    Ok(Backtest {
        total_signals: i64::try_from(range.len()).unwrap_or(i64::MAX),
        signals_above_threshold: selected,
        untradable_signals: selected - side.totals.trades,
        actual: actual_metrics,
        simulated: side.metrics()?,
        trades_changed: changed,
        conservative_pnl: rounded(conservative_pnl)?,
    })
}

fn too_large(combination: &Combination) -> Error {
    Error::Parameter {
        parameter: "base_position_sol".into(),
        expected: "small enough for the PnL to fit numeric(20,9)".into(),
        found: hindsight_udfs::decimal::format(combination.sizing.base_position, 9),
    }
}

/// The trades of one side, taken in one by one in the order of their exits.
#[derive(Debug, Clone, Copy, Default)]
struct Side {
    totals: Totals,
    drawdown: Drawdown,
    runs: LossRuns,
}

impl Side {
    fn add(&mut self, pnl: i128) {
        self.totals.add(pnl);
        self.drawdown.add(pnl);
        self.runs.add(pnl);
    }

    fn metrics(&self) -> Result<Metrics> {
        let Totals {
            trades,
            wins,
            gross_profit,
            gross_loss,
        } = self.totals;
        let average = |sum: i128, count: i64| match count {
            0 => 0,
            count => divide_half_even(sum, i128::from(count) * LAMPORTS_PER_UNIT),
        };
        Ok(Metrics {
            total_trades: trades,
            winning_trades: wins,
            losing_trades: trades - wins,
            total_pnl: rounded(gross_profit - gross_loss)?,
            gross_profit: rounded(gross_profit)?,
            gross_loss: rounded(gross_loss)?,
            average_win: average(gross_profit, wins) * LAMPORTS_PER_UNIT,
            average_loss: average(gross_loss, trades - wins) * LAMPORTS_PER_UNIT,
            max_drawdown: self.drawdown.rounded(),
            max_consecutive_losses: self.runs.longest,
            win_rate: win_rate(&self.totals),
            profit_factor: profit_factor(&self.totals),
            expectancy: expectancy(&self.totals),
        })
    }
}

/// An amount rounded to four digits, in lamports.
fn rounded(lamports: i128) -> Result<i128> {
    let rounded = rounded_units(lamports) * LAMPORTS_PER_UNIT;
    match rounded.abs() < SOL_LIMIT {
        true => Ok(rounded),
        false => Err(Error::Parameter {
            parameter: "base_position_sol".into(),
            expected: "small enough for the total to fit numeric(20,9)".into(),
            found: hindsight_udfs::decimal::format(rounded, 9),
        }
        .into()),
    }
}

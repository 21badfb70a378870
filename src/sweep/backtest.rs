//! Backtests of many combinations over one history.
//!
//! Combinations with the same exit rules share the walks, those with the same weights the scores,
//! and those that differ in their thresholds alone the trades. What each thread keeps at a time is
//! the exits of one set of rules and the scores of one set of weights, so that memory does not grow
//! with the number of combinations.

use std::collections::HashMap;
use std::hash::Hash;
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
use hindsight_udfs::trades::trade_pnl::Position;
use rayon::prelude::*;

use super::combination::Combination;
use super::history::{Actual, History};
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
    let ranges = combinations
        .iter()
        .map(|c| history.range(c.range.0, c.range.1));
    let ranges: Vec<Range<usize>> = ranges.collect();
    let actual = actual_sides(history, &ranges)?;
    let all = Grid {
        history,
        book,
        combinations,
        ranges,
        actual,
        cancelled,
    };
    let by_rules = group(0..combinations.len(), |position| {
        (
            combinations[position].rules,
            combinations[position].fill_model,
        )
    });
    let results: Vec<Vec<(usize, Backtest)>> = by_rules
        .into_par_iter()
        .map(|((rules, fill_model), positions)| all.same_exits(&rules, fill_model, positions))
        .collect::<Result<_>>()?;
    let mut rows = vec![Backtest::default(); combinations.len()];
    for (position, result) in results.into_iter().flatten() {
        rows[position] = result;
    }
    Ok(rows)
}

/// Positions with a key in common, in the order of their first.
fn group<K: Hash + Eq>(
    positions: impl IntoIterator<Item = usize>,
    key: impl Fn(usize) -> K,
) -> Vec<(K, Vec<usize>)> {
    let mut groups: HashMap<K, Vec<usize>> = HashMap::new();
    for position in positions {
        groups.entry(key(position)).or_default().push(position);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_unstable_by_key(|(_, positions)| positions[0]);
    groups
}

/// All combinations and what they run over.
struct Grid<'a> {
    history: &'a History,
    book: &'a PriceBook,
    combinations: &'a [Combination],
    /// The signals of each combination.
    ranges: Vec<Range<usize>>,
    /// The actual side of each range, and how many signals were traded.
    actual: HashMap<Range<usize>, (Metrics, i64)>,
    cancelled: &'a AtomicBool,
}

impl Grid<'_> {
    /// The combinations of one set of exit rules, which share the walks.
    fn same_exits(
        &self,
        rules: &ExitRules,
        fill_model: FillModel,
        positions: Vec<usize>,
    ) -> Result<Vec<(usize, Backtest)>> {
        let exits = self.walk(rules, fill_model, &positions);
        let mut results = Vec::with_capacity(positions.len());
        for (weights, positions) in group(positions, |p| self.combinations[p].weights) {
            let factors = self.history.factors.iter();
            let scores: Vec<i64> = factors.map(|factors| rescore(factors, &weights)).collect();
            // What is left differs in the threshold alone, so that the trades are made once.
            let alike = group(positions, |p| {
                let combination = &self.combinations[p];
                let range = self.ranges[p].clone();
                let delay = combination.max_entry_delay;
                (range, combination.sizing, combination.costs, delay)
            });
            for (_, positions) in alike {
                let trades = self.trades(&exits, &scores, &positions)?;
                for position in positions {
                    if self.cancelled.load(Ordering::Relaxed) {
                        return Err(Error::Cancelled.into());
                    }
                    results.push((position, self.one(&trades, &scores, position)?));
                }
            }
        }
        Ok(results)
    }

    /// The exits of every signal that one of the combinations selects, in the order in which trades
    /// are counted.
    fn walk(
        &self,
        rules: &ExitRules,
        fill_model: FillModel,
        positions: &[usize],
    ) -> Vec<SignalExit> {
        let (history, wanted) = (self.history, self.wanted_signals(positions));
        let exit_of = |signal: usize| {
            let entry = history.entries[signal]?;
            let prices = self.book.token(entry.token as usize);
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
        };
        let signals = (0..history.timestamps.len()).filter(|signal| wanted[*signal]);
        let mut exits: Vec<SignalExit> = signals.filter_map(exit_of).collect();
        exits.sort_unstable_by_key(|exit| (exit.timestamp, exit.id_rank));
        exits
    }

    /// Which signals at least one of the combinations selects.
    fn wanted_signals(&self, positions: &[usize]) -> Vec<bool> {
        let mut wanted = vec![false; self.history.timestamps.len()];
        let alike = group(positions.iter().copied(), |p| {
            (self.ranges[p].clone(), self.combinations[p].weights)
        });
        for ((range, weights), positions) in alike {
            let lowest = self.lowest_threshold(&positions);
            for signal in range {
                wanted[signal] |= rescore(&self.history.factors[signal], &weights) >= lowest;
            }
        }
        wanted
    }

    fn lowest_threshold(&self, positions: &[usize]) -> i64 {
        let thresholds = positions.iter().map(|p| self.combinations[*p].threshold);
        thresholds.min().unwrap_or(i64::MAX)
    }

    /// The trades of combinations that differ in their thresholds alone.
    fn trades(
        &self,
        exits: &[SignalExit],
        scores: &[i64],
        positions: &[usize],
    ) -> Result<Vec<Trade>> {
        let Some(first) = positions.first() else {
            return Ok(vec![]);
        };
        let (combination, range) = (&self.combinations[*first], &self.ranges[*first]);
        let lowest = self.lowest_threshold(positions);
        let mut sized: HashMap<i64, Position> = HashMap::new();
        let mut trades = Vec::with_capacity(exits.len());
        for exit in exits {
            let signal = exit.signal as usize;
            let score = scores[signal];
            if score < lowest || !range.contains(&signal) || !self.in_time(combination, signal) {
                continue;
            }
            let position = match sized.get(&score) {
                Some(position) => *position,
                None => {
                    let position = position_size(score, &combination.sizing)
                        .and_then(|size| Position::new(size, &combination.costs))
                        .ok_or_else(|| too_large(combination))?;
                    *sized.entry(score).or_insert(position)
                }
            };
            let net = |gain| {
                let net = position.net_pnl(gain, exit.stake);
                net.ok_or_else(|| too_large(combination))
            };
            let pnl = net(exit.gain)?;
            let conservative_pnl = match exit.conservative_gain == exit.gain {
                true => pnl,
                false => net(exit.conservative_gain)?,
            };
            // Signals traded on one side alone count as changed; so do those where PnL differs.
            let change = match self.history.actual[signal] {
                None => 1,
                Some(Actual { pnl: Some(actual) }) if (pnl - actual).abs() <= PNL_CHANGE => -1,
                Some(_) => 0,
            };
            trades.push(Trade {
                score,
                pnl,
                conservative_pnl,
                change,
            });
        }
        Ok(trades)
    }

    /// Whether the first price after the signal comes soon enough.
    fn in_time(&self, combination: &Combination, signal: usize) -> bool {
        match (combination.max_entry_delay, self.history.entries[signal]) {
            (Some(most), Some(entry)) => i128::from(entry.delay) * 10_000 <= most,
            _ => true,
        }
    }

    /// One combination: a pass over the trades that selects and adds up.
    fn one(&self, trades: &[Trade], scores: &[i64], position: usize) -> Result<Backtest> {
        let threshold = self.combinations[position].threshold;
        let range = &self.ranges[position];
        let (actual, actually_traded) = self.actual.get(range).copied().unwrap_or_default();
        let mut side = Side::default();
        let (mut conservative_pnl, mut trades_changed) = (0_i128, actually_traded);
        for trade in trades.iter().filter(|trade| trade.score >= threshold) {
            side.add(trade.pnl);
            conservative_pnl += trade.conservative_pnl;
            trades_changed += trade.change;
        }
        let scores = scores[range.clone()].iter();
        let selected = count(scores.filter(|score| **score >= threshold).count());
        Ok(Backtest {
            total_signals: count(range.len()),
            signals_above_threshold: selected,
            untradable_signals: selected - side.totals.trades,
            actual,
            simulated: side.metrics()?,
            trades_changed,
            conservative_pnl: rounded(conservative_pnl)?,
        })
    }
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

/// A simulated trade; amounts in lamports.
#[derive(Debug, Clone, Copy)]
struct Trade {
    score: i64,
    pnl: i128,
    conservative_pnl: i128,
    /// What it adds to the count of changed trades, which starts from those actually traded.
    change: i64,
}

/// The actual side of every range.
fn actual_sides(
    history: &History,
    ranges: &[Range<usize>],
) -> Result<HashMap<Range<usize>, (Metrics, i64)>> {
    let mut sides = HashMap::new();
    for range in ranges {
        if sides.contains_key(range) {
            continue;
        }
        let mut side = Side::default();
        for outcome in &history.outcomes {
            if range.contains(&(outcome.signal as usize)) {
                side.add(outcome.pnl);
            }
        }
        let traded = history.actual[range.clone()].iter().flatten().count();
        sides.insert(range.clone(), (side.metrics()?, count(traded)));
    }
    Ok(sides)
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
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

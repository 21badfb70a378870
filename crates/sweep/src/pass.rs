//! One pass for each combination: what its trades add up to.
//!
//! Combinations that differ in their thresholds alone share one pass: a trade counts for each
//! threshold that its score reaches.

use datafusion::common::Result;
use hindsight_udfs::arguments::ArgumentError;
use hindsight_udfs::exits::walk::{ExitRules, FillModel, HUNDRED_PERCENT, fill, walk};
use hindsight_udfs::metrics::tally::{TALLY_LIMIT, Tally};
use hindsight_udfs::price_book::PriceBook;
use hindsight_udfs::scoring::position_size::{Sizing, position_size};
use hindsight_udfs::trades::quick_pnl::QuickPosition;
use hindsight_udfs::trades::trade_pnl::{Costs, Position};

use super::exits::SignalExit;
use super::history::{Actual, History};
use super::metrics::Side;
use super::scores::Scores;

/// PnL that differs by more than this many lamports has changed.
const PNL_CHANGE: i64 = 1_000_000;

/// What the trades of one combination add up to; amounts in lamports.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum {
    pub side: Side,
    pub conservative_pnl: i128,
    /// What they add to the count of changed trades, which starts from those actually traded.
    pub changed: i64,
}

/// The positions of one way of sizing, by score.
#[derive(Debug)]
pub struct Positions {
    sizing: Sizing,
    costs: Costs,
    /// `None` where one of them needs more than 64 bits.
    quick: Option<Vec<QuickPosition>>,
}

impl Positions {
    /// The positions of the scores that occur, of all below its length.
    pub fn new(sizing: Sizing, costs: Costs, occurs: &[bool]) -> Self {
        let mut positions = Self {
            sizing,
            costs,
            quick: None,
        };
        let quick = occurs.iter().zip(0..).map(|(occurs, score)| match occurs {
            true => QuickPosition::new(&positions.exact(score)?),
            false => Some(QuickPosition::default()),
        });
        positions.quick = quick.collect();
        positions
    }

    fn exact(&self, score: i32) -> Option<Position> {
        position_size(score.into(), &self.sizing).and_then(|size| Position::new(size, &self.costs))
    }
}

/// What a pass writes on, to be used again by the next.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Of each trade, in lamports.
    pnl: Vec<i64>,
    /// Of each trade, the place of the last threshold that it reaches.
    reaches: Vec<u32>,
}

/// Combinations that differ in their thresholds alone, and what they share.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    pub history: &'a History,
    pub book: &'a PriceBook,
    pub rules: &'a ExitRules,
    pub fill_model: FillModel,
    /// In the order in which trades are counted.
    pub exits: &'a [SignalExit],
    pub scores: &'a Scores,
    pub positions: &'a Positions,
}

impl Pass<'_> {
    /// What comes of each of these thresholds, which ascend.
    pub fn run(&self, thresholds: &[i64], scratch: &mut Scratch) -> Result<Vec<Sum>> {
        match self.quick(thresholds, scratch)? {
            Some(sums) => Ok(sums),
            None => self.exact(thresholds),
        }
    }

    /// In 64 bits; `None` where they may not hold the sums.
    fn quick(&self, thresholds: &[i64], scratch: &mut Scratch) -> Result<Option<Vec<Sum>>> {
        let (Some(positions), Some(lowest)) = (&self.positions.quick, thresholds.first()) else {
            return Ok(None);
        };
        // Thresholds are at most 10,000 hundredths of a point.
        let lowest = i32::try_from(*lowest).unwrap_or(i32::MAX).max(0);
        let reached = reached_thresholds(thresholds, lowest, positions.len());
        scratch.pnl.resize(self.exits.len(), 0);
        scratch.reaches.resize(self.exits.len(), 0);
        let (pnl, reaches) = (&mut scratch.pnl[..], &mut scratch.reaches[..]);
        let mut sums = vec![(0_i64, 0_i64); thresholds.len()];
        // All bits of all amounts: no amount is larger.
        let (mut count, mut bits) = (0, 0_u64);
        for exit in self.exits {
            let score = self.scores.of_signals[exit.signal as usize];
            let is_selected = score >= lowest;
            let score = score.max(lowest);
            let Some(position) = positions.get(score as usize) else {
                continue;
            };
            let mut net = position.net_pnl(exit.rate);
            let mut conservative = position.net_pnl(exit.conservative_rate);
            if net.is_none() || conservative.is_none() || exit.is_vast {
                if !is_selected {
                    continue;
                }
                let (exact, exact_conservative) = self.exact_pnl(exit, score)?;
                net = i64::try_from(exact).ok();
                conservative = i64::try_from(exact_conservative).ok();
            }
            let (Some(net), Some(conservative)) = (net, conservative) else {
                return Ok(None);
            };
            let is_same = net.abs_diff(exit.actual_pnl) <= PNL_CHANGE as u64;
            // Written whether it is selected or not, and then kept or not: a branch would be guessed
            // wrong as often as right.
            let reach = reached[(score - lowest) as usize];
            pnl[count] = net;
            reaches[count] = reach;
            count += usize::from(is_selected);
            bits |= net.unsigned_abs() | conservative.unsigned_abs();
            let sum = &mut sums[reach as usize];
            sum.0 = sum
                .0
                .wrapping_add(conservative.wrapping_mul(is_selected.into()));
            sum.1 += (i64::from(exit.is_new) - i64::from(is_same)) * i64::from(is_selected);
        }
        if (i128::from(bits) + 1) * (count as i128 + 1) >= TALLY_LIMIT {
            return Ok(None);
        }
        Ok(Some(tally(&mut pnl[..count], &mut reaches[..count], &sums)))
    }

    /// In 128 bits, with a walk for each trade.
    fn exact(&self, thresholds: &[i64]) -> Result<Vec<Sum>> {
        let mut sums = vec![Sum::default(); thresholds.len()];
        for exit in self.exits {
            let score = self.scores.of_signals[exit.signal as usize];
            let reached = thresholds.partition_point(|threshold| *threshold <= score.into());
            if score < 0 || reached == 0 {
                continue;
            }
            let (net, conservative) = self.exact_pnl(exit, score)?;
            // Signals traded on one side alone count as changed; so do those where PnL differs.
            let changed = match self.history.actual[exit.signal as usize] {
                None => 1,
                Some(Actual { pnl: Some(actual) }) => {
                    -i64::from((net - actual).abs() <= PNL_CHANGE.into())
                }
                Some(Actual { pnl: None }) => 0,
            };
            for sum in &mut sums[..reached] {
                sum.side.add(net);
                sum.conservative_pnl += conservative;
                sum.changed += changed;
            }
        }
        Ok(sums)
    }

    /// The net PnL of one trade by the fill model and by conservative fills, in lamports.
    #[cold]
    fn exact_pnl(&self, exit: &SignalExit, score: i32) -> Result<(i128, i128)> {
        let too_large = || ArgumentError {
            argument: "base_position_sol".into(),
            expected: "small enough for the PnL to fit numeric(20,9)".into(),
            found: hindsight_udfs::decimal::format(self.positions.sizing.base_position, 9),
        };
        let signal = exit.signal as usize;
        let Some(entry) = self.history.entries[signal] else {
            return Ok((0, 0));
        };
        let prices = self.book.token(entry.token as usize);
        let (start, at) = (entry.price as usize, self.history.timestamps[signal]);
        let exit = walk(&prices.timestamps, &prices.mantissas, start, at, self.rules);
        let (paid, observed) = (prices.mantissas[start], prices.mantissas[exit.position]);
        let stake = i128::from(paid) * i128::from(HUNDRED_PERCENT);
        let position = self.positions.exact(score).ok_or_else(too_large)?;
        let net = |model| {
            let gain = fill(paid, observed, &exit, self.rules, model) - stake;
            position.net_pnl(gain, stake).ok_or_else(too_large)
        };
        Ok((net(self.fill_model)?, net(FillModel::Conservative)?))
    }
}

/// For each score from the lowest threshold on, the place of the last threshold that it reaches.
fn reached_thresholds(thresholds: &[i64], lowest: i32, score_count: usize) -> Vec<u32> {
    let mut reached = vec![0; score_count.saturating_sub(lowest as usize)];
    for (place, threshold) in (0_u32..).zip(thresholds).skip(1) {
        let from = usize::try_from(threshold - i64::from(lowest)).unwrap_or(usize::MAX);
        if let Some(scores) = reached.get_mut(from..) {
            scores.fill(place);
        }
    }
    reached
}

/// Takes the trades of each threshold in: of the first all, of the next what is left of them.
/// `sums` are conservative PnL and changes by the last threshold that is reached.
fn tally(pnl: &mut [i64], reaches: &mut [u32], sums: &[(i64, i64)]) -> Vec<Sum> {
    let mut found = vec![Sum::default(); sums.len()];
    let mut count = pnl.len().min(reaches.len());
    for (place, sum) in (0_u32..).zip(&mut found) {
        let (mut tally, mut left) = (Tally::default(), 0);
        for trade in 0..count {
            let (net, reach) = (pnl[trade], reaches[trade]);
            tally.add(net);
            (pnl[left], reaches[left]) = (net, reach);
            left += usize::from(reach > place);
        }
        count = left;
        sum.side = Side::from(tally);
    }
    let (mut conservative, mut changed) = (0_i128, 0);
    for (sum, (of_reach, changes)) in found.iter_mut().zip(sums).rev() {
        conservative += i128::from(*of_reach);
        changed += changes;
        (sum.conservative_pnl, sum.changed) = (conservative, changed);
    }
    found
}

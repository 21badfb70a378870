//! What trades add up to by the thresholds that their scores reach.

use std::cell::Cell;
use std::collections::HashSet;

use hindsight_udfs::metrics::tally::{Sequence, Tally};

use super::days::{ByDay, DayPnl};
use super::metrics::{Held, Side};
use super::pass::Sum;

/// A trade on its way into the tallies.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reached {
    /// Lamports.
    pub net: i64,
    /// The place of the last threshold that it reaches.
    pub reach: u32,
}

/// For each score from the lowest threshold on, the place of the last threshold that it reaches.
pub fn reached_thresholds(thresholds: &[i64], lowest: i32, score_count: usize) -> Vec<u32> {
    let mut reached = vec![0; score_count.saturating_sub(lowest as usize)];
    for (place, threshold) in (0_u32..).zip(thresholds).skip(1) {
        let from = usize::try_from(threshold - i64::from(lowest)).unwrap_or(usize::MAX);
        if let Some(scores) = reached.get_mut(from..) {
            scores.fill(place);
        }
    }
    reached
}

/// What the trades add up to whose score reaches one threshold and not the next; lamports.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfReach {
    conservative: i64,
    /// The trades that are not the first of their signal's.
    pub further: i64,
    pub changed: i64,
    /// Microseconds.
    held: i128,
    /// Of the day under way.
    day_pnl: i64,
    day_trades: i64,
}

impl OfReach {
    /// Takes a trade in, if it is selected: what is not is written as nothing, without a branch.
    #[inline]
    pub fn add(&mut self, net: i64, conservative: i64, held: i64, change: i64, is_selected: bool) {
        let only = |value: i64| if is_selected { value } else { 0 };
        self.conservative = self.conservative.wrapping_add(only(conservative));
        self.changed += only(change);
        self.held = self.held.wrapping_add(only(held).into());
        self.day_pnl = self.day_pnl.wrapping_add(only(net));
        self.day_trades += i64::from(is_selected);
    }
}

/// Ends a day: hands what its trades add up to to each threshold that they reach.
pub fn turn(sums: &mut [OfReach], by_day: &mut [ByDay], day: i64) {
    let (mut pnl, mut trades) = (0_i64, 0);
    for (sum, by_day) in sums.iter_mut().zip(by_day).rev() {
        pnl = pnl.wrapping_add(std::mem::take(&mut sum.day_pnl));
        trades += std::mem::take(&mut sum.day_trades);
        let pnl = pnl.into();
        by_day.add_day(DayPnl { day, pnl, trades });
    }
}

/// The tallies of each threshold: what depends on the order of the trades from one threshold to the
/// next over what is left of them, the rest once for each trade.
pub fn tallies(trades: &mut [Reached], thresholds: usize) -> Vec<Tally> {
    let mut tallies = vec![Tally::default(); thresholds];
    if let [tally] = &mut tallies[..] {
        trades.iter().for_each(|trade| tally.add(trade.net));
        return tallies;
    }
    for trade in &*trades {
        tallies[trade.reach as usize].amounts.add(trade.net);
    }
    // What reaches a threshold reaches those before it.
    for place in (1..thresholds).rev() {
        let reaching = tallies[place].amounts;
        tallies[place - 1].amounts.merge(&reaching);
    }
    // What is left for the next threshold is written over what has been read.
    let trades = Cell::from_mut(trades).as_slice_of_cells();
    let mut rest = trades.len();
    for (place, tally) in (0_u32..).zip(&mut tallies) {
        let (mut sequence, mut left) = (Sequence::default(), 0);
        for trade in trades[..rest].iter().map(Cell::get) {
            sequence.add(trade.net);
            trades[left].set(trade);
            left += usize::from(trade.reach > place);
        }
        tally.sequence = sequence;
        rest = left;
    }
    tallies
}

/// What comes of each threshold. `sums` are by the last threshold that is reached, `by_day` and
/// `tallies` by the threshold.
pub fn found(sums: &[OfReach], tallies: &[Tally], by_day: Vec<ByDay>) -> Vec<Sum> {
    let mut found = Vec::with_capacity(sums.len());
    let (mut conservative_pnl, mut further, mut changed) = (0_i128, 0, 0);
    let mut held = 0_i128;
    for ((of_reach, tally), by_day) in sums.iter().zip(tallies).zip(by_day).rev() {
        conservative_pnl += i128::from(of_reach.conservative);
        further += of_reach.further;
        changed += of_reach.changed;
        held += of_reach.held;
        let trades = tally.trades();
        let held = Held {
            micros: held,
            trades,
        };
        found.push(Sum {
            side: Side::of_parts(tally, held, by_day),
            conservative_pnl,
            signals: trades - further,
            changed,
            limited: 0,
            late: HashSet::new(),
        });
    }
    found.reverse();
    found
}

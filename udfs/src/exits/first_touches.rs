//! Many sets of rules over one path: the first touch of each of their levels, found in one walk.
//!
//! A set of rules ends a trade at the earliest of four touches: of its stop, its target, its trail
//! and its time limit. Each depends on one number of the set alone, so that sets which share
//! numbers share touches, and a path is walked once however many sets there are. At one price the
//! reasons take their turns as in [`walk`](super::walk::walk), whose exit the earliest touch is.

use super::walk::{Exit, ExitReason, ExitRules, HUNDRED_PERCENT, price_above, price_below};

/// Prices between two looks at the clock.
const STRETCH: usize = 16;
/// A fall that no price makes.
const NEVER: i64 = -1;
/// Shares of a peak are kept × 2^63.
const SHARE_BITS: u32 = 63;
/// Prices that are looked at together.
const GROUP: usize = 4;

/// The levels of some sets of rules: percentages × 10^4 and microseconds, ascending, none twice.
///
/// Each has a slot, stops first, then targets, trails and time limits; one more slot stands for the
/// levels that a set does not arm.
#[derive(Debug, Default)]
pub struct Levels {
    stop_losses: Vec<i64>,
    take_profits: Vec<i64>,
    trailing_stops: Vec<i64>,
    /// What each trail leaves of a peak, × 2^63, rounded up: no fall to it is missed.
    trail_shares: Vec<u64>,
    max_holds: Vec<i64>,
    /// Whether a set arms no target, no trail: if none, all are over once the last is touched.
    some_without_target: bool,
    some_without_trail: bool,
}

/// The first touch of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    pub slot: usize,
    /// The exit of a set of rules with this level of which no other is touched before.
    pub exit: Exit,
}

impl Levels {
    /// Takes the levels of another set of rules in.
    pub fn add(&mut self, rules: &ExitRules) {
        let insert = |levels: &mut Vec<i64>, level: i64| {
            let place = levels.binary_search(&level).err()?;
            levels.insert(place, level);
            Some(place)
        };
        insert(&mut self.stop_losses, rules.stop_loss);
        insert(&mut self.max_holds, rules.max_hold_micros);
        match rules.take_profit {
            Some(level) => {
                insert(&mut self.take_profits, level);
            }
            None => self.some_without_target = true,
        }
        match rules.trailing_stop {
            Some(level) => {
                if let Some(place) = insert(&mut self.trailing_stops, level) {
                    let left = u128::from((HUNDRED_PERCENT - level) as u64) << SHARE_BITS;
                    let share = left.div_ceil(HUNDRED_PERCENT as u128);
                    self.trail_shares.insert(place, share as u64);
                }
            }
            None => self.some_without_trail = true,
        }
    }

    /// The number of slots.
    #[inline]
    pub fn slot_count(&self) -> usize {
        self.first_hold_slot() + self.max_holds.len() + 1
    }

    /// The slots of one of the sets, at least one of which a walk touches.
    pub fn slots(&self, rules: &ExitRules) -> [usize; 4] {
        let never = self.slot_count() - 1;
        let slot = |first: usize, levels: &[i64], level: Option<i64>| {
            let place = level.and_then(|level| levels.binary_search(&level).ok());
            place.map_or(never, |place| first + place)
        };
        let (target, trail) = (self.first_target_slot(), self.first_trail_slot());
        [
            slot(0, &self.stop_losses, Some(rules.stop_loss)),
            slot(target, &self.take_profits, rules.take_profit),
            slot(trail, &self.trailing_stops, rules.trailing_stop),
            slot(
                self.first_hold_slot(),
                &self.max_holds,
                Some(rules.max_hold_micros),
            ),
        ]
    }

    /// Rules in which the level of a slot is the one that its touch needs.
    pub fn rules(&self, slot: usize) -> ExitRules {
        let level = |first: usize, levels: &[i64]| {
            let place = slot.checked_sub(first)?;
            levels.get(place).copied()
        };
        ExitRules {
            stop_loss: level(0, &self.stop_losses).unwrap_or(0),
            take_profit: level(self.first_target_slot(), &self.take_profits),
            trailing_stop: level(self.first_trail_slot(), &self.trailing_stops),
            max_hold_micros: level(self.first_hold_slot(), &self.max_holds).unwrap_or(0),
        }
    }

    fn first_target_slot(&self) -> usize {
        self.stop_losses.len()
    }

    fn first_trail_slot(&self) -> usize {
        self.first_target_slot() + self.take_profits.len()
    }

    fn first_hold_slot(&self) -> usize {
        self.first_trail_slot() + self.trailing_stops.len()
    }
}

/// Finds the first touches of a path that starts at `entry`, as [`walk`](super::walk::walk) does:
/// of every level that is touched before all sets of rules are over, each once.
pub fn first_touches(
    timestamps: &[i64],
    prices: &[i64],
    entry: usize,
    signal_timestamp: i64,
    levels: &Levels,
    touches: &mut Vec<Touch>,
) {
    touches.clear();
    let mut path = Path::new(levels, prices[entry], touches);
    // A target of 0 % is met without a rise.
    path.meet_targets(entry, prices[entry]);
    let (mut start, first_slot) = (entry, levels.first_hold_slot());
    for (place, hold) in levels.max_holds.iter().enumerate() {
        let deadline = signal_timestamp.saturating_add(*hold);
        loop {
            let end = prices.len().min(start + STRETCH);
            let Some(last) = timestamps[start..end].last() else {
                path.touch(first_slot + place, prices.len() - 1, ExitReason::EndOfData);
                break;
            };
            let in_time = match *last < deadline {
                true => end,
                false => start + timestamps[start..end].partition_point(|t| *t < deadline),
            };
            if path.walk(start, &prices[start..in_time]) {
                return;
            }
            start = in_time;
            if in_time < end {
                path.touch(first_slot + place, in_time, ExitReason::TimeLimit);
                break;
            }
        }
    }
}

/// A walk under way: its peak, and of each kind the next level that has not been touched.
struct Path<'a> {
    levels: &'a Levels,
    touches: &'a mut Vec<Touch>,
    entry_price: i64,
    peak: i64,
    next_stop: usize,
    next_target: usize,
    next_trail: usize,
    stop: i64,
    target: i64,
    /// Of the next trail, 0 where there is none.
    trail_share: u64,
}

impl<'a> Path<'a> {
    fn new(levels: &'a Levels, entry_price: i64, touches: &'a mut Vec<Touch>) -> Self {
        let mut path = Self {
            levels,
            touches,
            entry_price,
            peak: entry_price,
            next_stop: 0,
            next_target: 0,
            next_trail: 0,
            stop: NEVER,
            target: i64::MAX,
            trail_share: 0,
        };
        path.stop = path.stop_level();
        path.target = path.target_level();
        path.trail_share = path.next_trail_share();
        path
    }

    /// Walks the prices from a position on; whether every set of rules is over.
    fn walk(&mut self, start: usize, prices: &[i64]) -> bool {
        let (groups, rest) = prices.as_chunks();
        let mut position = start;
        for group in groups {
            if !self.is_quiet(group) && self.steps(position, group) {
                return true;
            }
            position += GROUP;
        }
        self.steps(position, rest)
    }

    /// Takes some prices in together where none of them can touch a level.
    #[inline]
    fn is_quiet(&mut self, prices: &[i64; GROUP]) -> bool {
        let high = prices
            .iter()
            .fold(self.peak, |high, price| high.max(*price));
        let low = prices.iter().fold(i64::MAX, |low, price| low.min(*price));
        // As if the peak came first: no fall from it is deeper.
        let is_quiet = low > self.trail_bound(high).max(self.stop) && high < self.target;
        if is_quiet {
            self.peak = high;
        }
        is_quiet
    }

    /// Takes prices in one by one; whether every set of rules is over.
    fn steps(&mut self, start: usize, prices: &[i64]) -> bool {
        let mut prices = (start..).zip(prices);
        prices.any(|(position, price)| self.step(position, *price))
    }

    /// Takes a price in; whether every set of rules is over.
    fn step(&mut self, position: usize, price: i64) -> bool {
        if price > self.peak {
            self.peak = price;
            self.meet_targets(position, price);
        }
        while price <= self.stop {
            self.touch(self.next_stop, position, ExitReason::StopLoss);
            self.next_stop += 1;
            self.stop = self.stop_level();
        }
        while self.peak > self.entry_price
            && price <= self.trail_bound(self.peak)
            && price <= self.trail_level()
        {
            let slot = self.levels.first_trail_slot() + self.next_trail;
            self.touch(slot, position, ExitReason::TrailingStop);
            self.next_trail += 1;
            self.trail_share = self.next_trail_share();
        }
        self.is_over()
    }

    /// Whether every set of rules is over; none is before a touch.
    fn is_over(&self) -> bool {
        let levels = self.levels;
        !self.touches.is_empty()
            && (self.next_stop == levels.stop_losses.len()
                || !levels.some_without_target && self.next_target == levels.take_profits.len()
                || !levels.some_without_trail && self.next_trail == levels.trailing_stops.len())
    }

    /// No price above this has fallen to the next trail of a peak. The exact level is at most a
    /// little lower, and takes divisions.
    #[inline]
    fn trail_bound(&self, peak: i64) -> i64 {
        let product = u128::from(peak as u64) * u128::from(self.trail_share);
        (product >> SHARE_BITS) as i64
    }

    fn meet_targets(&mut self, position: usize, price: i64) {
        while price >= self.target {
            let slot = self.levels.first_target_slot() + self.next_target;
            self.touch(slot, position, ExitReason::TakeProfit);
            self.next_target += 1;
            self.target = self.target_level();
        }
    }

    fn touch(&mut self, slot: usize, position: usize, reason: ExitReason) {
        let exit = Exit {
            position,
            reason,
            peak: self.peak,
        };
        self.touches.push(Touch { slot, exit });
    }

    fn stop_level(&self) -> i64 {
        let percent = self.levels.stop_losses.get(self.next_stop);
        percent.map_or(NEVER, |percent| price_below(self.entry_price, *percent))
    }

    fn target_level(&self) -> i64 {
        let percent = self.levels.take_profits.get(self.next_target);
        percent.map_or(i64::MAX, |percent| price_above(self.entry_price, *percent))
    }

    fn next_trail_share(&self) -> u64 {
        let share = self.levels.trail_shares.get(self.next_trail);
        share.copied().unwrap_or(0)
    }

    fn trail_level(&self) -> i64 {
        let percent = self.levels.trailing_stops.get(self.next_trail);
        percent.map_or(NEVER, |percent| price_below(self.peak, *percent))
    }
}

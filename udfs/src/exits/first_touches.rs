//! Many sets of rules over one path: the first touch of each of their levels, found in one walk.
//!
//! A part of a position ends at the earliest touch of one of its rules. Each depends on the path and
//! the numbers of that rule alone, so that parts which share rules share touches, and a path is
//! walked once however many there are. The rules of one kind, and of one activation where a trail
//! has one, are a track: levels that are touched in ascending order, with a cursor. At one price
//! the reasons take their turns as in [`walk`](super::walk::walk), whose ends the earliest touches
//! are.

pub use super::levels::Levels;
use super::levels::SHARE_BITS;
use super::walk::Path as PricePath;
use super::words::{ExitReason, HUNDRED_PERCENT, level, price_above, price_below};
use crate::extremes::{Extreme, Extremes};

/// Prices between two looks at the clock.
const STRETCH: usize = 16;
/// A fall that no price makes.
const NEVER: i64 = -1;
/// Prices that are looked at together.
const GROUP: usize = 4;

/// The first touch of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    pub slot: usize,
    /// The position of the price.
    pub position: usize,
    pub reason: ExitReason,
    /// The exact price that was crossed, as in [`Sale`](super::rule::Sale).
    pub level: i128,
}

/// The touches of a path, and what finding them writes on: to be used again for the next path.
#[derive(Debug, Default)]
pub struct Touches {
    pub all: Vec<Touch>,
    /// Of each activation, the place of the next trail that has not been touched.
    next_trails: Vec<usize>,
}

/// Finds the first touches of a path: of every level that is touched before all parts are over, each
/// once. With the extremes of its prices, long stretches without a touch are not walked.
pub fn first_touches(
    path: &PricePath<'_>,
    extremes: Option<&Extremes>,
    levels: &Levels,
    touches: &mut Touches,
) {
    let PricePath {
        timestamps,
        prices,
        entry,
        signal_timestamp,
    } = *path;
    touches.all.clear();
    touches.next_trails.clear();
    touches.next_trails.resize(levels.trails.len(), 0);
    let mut path = Path {
        levels,
        touches,
        timestamps,
        prices,
        extremes,
        signal_timestamp,
        entry_price: prices[entry],
        peak: prices[entry],
        peak_from: entry,
        next_stop: 0,
        next_target: 0,
        next_break_even: 0,
        next_stagnation: 0,
        next_time_limit: 0,
        trails_touched: 0,
        armed_break_evens: 0,
        armed_trails: 0,
        stop: NEVER,
        target: i64::MAX,
        break_even: i64::MAX,
        activation: i64::MAX,
        fall: NEVER,
        rise: i64::MAX,
        trail_share: 0,
    };
    path.stop = path.next_stop_price();
    path.target = path.reached_at(levels.take_profits.first());
    path.break_even = path.reached_at(levels.break_evens.first());
    path.activation = path.next_activation_price();
    match levels.stagnations.is_empty() {
        true => path.find::<false>(entry),
        false => path.find::<true>(entry),
    }
}

/// A walk under way: its peak, and of each track the next level that has not been touched.
struct Path<'a> {
    levels: &'a Levels,
    touches: &'a mut Touches,
    timestamps: &'a [i64],
    prices: &'a [i64],
    extremes: Option<&'a Extremes>,
    signal_timestamp: i64,
    entry_price: i64,
    peak: i64,
    /// The peak is the first of the prices from here on that are so high.
    peak_from: usize,
    next_stop: usize,
    next_target: usize,
    next_break_even: usize,
    next_stagnation: usize,
    next_time_limit: usize,
    trails_touched: usize,
    /// How many break-evens, and activations of trails, the peak has armed.
    armed_break_evens: usize,
    armed_trails: usize,
    /// The prices that touch the next stop and the next target, and that arm the next break-even and the
    /// next trails.
    stop: i64,
    target: i64,
    break_even: i64,
    activation: i64,
    /// A price above this touches no stop and no break-even.
    fall: i64,
    /// A price below this touches no target, and arms nothing.
    rise: i64,
    /// The most that an armed trail leaves of a peak, 0 where there is none.
    trail_share: u64,
}

impl Path<'_> {
    /// Walks on from the entry; `STALE` where some parts stagnate.
    fn find<const STALE: bool>(&mut self, entry: usize) {
        // Gains of 0 % are reached without a rise.
        self.rise_to(entry, self.entry_price);
        let mut start = entry;
        while let Some(micros) = self.levels.time_limits.get(self.next_time_limit) {
            let time_limit = self.signal_timestamp.saturating_add(*micros);
            let deadline = match STALE {
                true => time_limit.min(self.stagnation_instant()),
                false => time_limit,
            };
            let mut end = self.prices.len().min(start + STRETCH);
            if let Some(extremes) = self.extremes {
                start = self.leap::<STALE>(extremes, start, deadline);
                let rest = extremes.rest_of_block(start);
                end = self.prices.len().min(start + rest.min(STRETCH));
            }
            let timestamps = &self.timestamps[start..end];
            let Some(last) = timestamps.last() else {
                return self.run_out();
            };
            let in_time = match *last < deadline {
                true => end,
                false => start + timestamps.partition_point(|t| *t < deadline),
            };
            if self.walk::<STALE>(start, in_time) {
                return;
            }
            start = in_time;
            if in_time == end {
                continue;
            }
            let now = self.timestamps[in_time];
            if now >= time_limit {
                let slot = self.levels.first_time_limit_slot() + self.next_time_limit;
                self.touch_now(slot, in_time, ExitReason::TimeLimit);
                self.next_time_limit += 1;
            } else {
                // This price may be a new peak, which puts the stagnation off.
                if self.step(in_time, self.prices[in_time]) || self.stagnate(in_time, now) {
                    return;
                }
                start += 1;
            }
        }
    }

    /// Takes in the blocks from a position on that end before the deadline and touch nothing: where the
    /// next one starts.
    fn leap<const STALE: bool>(
        &mut self,
        extremes: &Extremes,
        mut start: usize,
        deadline: i64,
    ) -> usize {
        while let Some((Extreme { low, high }, end)) = extremes.starting_at(start)
            && self.timestamps[end - 1] < deadline
            && self.is_quiet::<STALE>(start, low, high)
        {
            start = end;
        }
        start
    }

    /// The end of the prices is that of all that wait for a time limit.
    fn run_out(&mut self) {
        let (first, last) = (self.levels.first_time_limit_slot(), self.prices.len() - 1);
        for place in self.next_time_limit..self.levels.time_limits.len() {
            self.touch_now(first + place, last, ExitReason::EndOfData);
        }
    }

    /// Walks the prices between two positions; whether every part is over.
    fn walk<const STALE: bool>(&mut self, start: usize, end: usize) -> bool {
        let (groups, rest) = self.prices[start..end].as_chunks::<GROUP>();
        let mut position = start;
        for group in groups {
            let low = group.iter().fold(i64::MAX, |low, price| low.min(*price));
            let high = group.iter().fold(i64::MIN, |high, price| high.max(*price));
            if !self.is_quiet::<STALE>(position, low, high) && self.steps(position, group) {
                return true;
            }
            position += GROUP;
        }
        self.steps(position, rest)
    }

    /// Takes prices from a position on in together, told by their extremes, where none of them can touch
    /// a level, nor arm one.
    #[inline]
    fn is_quiet<const STALE: bool>(&mut self, position: usize, low: i64, high: i64) -> bool {
        let high = high.max(self.peak);
        // As if the peak came first: no fall from it is deeper.
        let is_quiet = low > self.trail_bound(high).max(self.fall) && high < self.rise;
        if is_quiet {
            if STALE && high > self.peak {
                self.peak_from = position;
            }
            self.peak = high;
        }
        is_quiet
    }

    /// Takes prices in one by one; whether every part is over.
    fn steps(&mut self, start: usize, prices: &[i64]) -> bool {
        let mut prices = (start..).zip(prices);
        prices.any(|(position, price)| self.step(position, *price))
    }

    /// Takes a price in; whether every part is over.
    fn step(&mut self, position: usize, price: i64) -> bool {
        let touched = self.touches.all.len();
        if price > self.peak {
            (self.peak, self.peak_from) = (price, position);
            if price >= self.rise {
                self.rise_to(position, price);
            }
        }
        if price <= self.fall {
            self.fall_to(position, price);
        }
        if self.peak > self.entry_price && price <= self.trail_bound(self.peak) {
            self.fall_from_peak_to(position, price);
        }
        self.touches.all.len() > touched && self.is_over()
    }

    /// Whether every part is over.
    fn is_over(&self) -> bool {
        let levels = self.levels;
        self.next_stop == levels.stop_losses.len()
            || !levels.some_without_target && self.next_target == levels.take_profits.len()
            || !levels.some_without_break_even && self.next_break_even == levels.break_evens.len()
            || !levels.some_without_trail && self.trails_touched == levels.trail_count()
            || !levels.some_without_stagnation && self.next_stagnation == levels.stagnations.len()
    }

    /// No price above this has fallen to the next trail of a peak. The exact level is at most a
    /// little lower, and takes divisions.
    #[inline]
    fn trail_bound(&self, peak: i64) -> i64 {
        let product = u128::from(peak as u64) * u128::from(self.trail_share);
        (product >> SHARE_BITS) as i64
    }

    /// Touches the targets that a peak reaches, and arms what it does.
    fn rise_to(&mut self, position: usize, peak: i64) {
        let levels = self.levels;
        loop {
            // What 64 bits do not hold is reached by no price, and neither is what is not there.
            if let Some(gain) = levels.take_profits.get(self.next_target)
                && peak >= self.target
            {
                let slot = levels.first_target_slot() + self.next_target;
                let reached = level(self.entry_price, HUNDRED_PERCENT.saturating_add(*gain));
                self.touch(slot, position, ExitReason::TakeProfit, reached);
                self.next_target += 1;
                self.target = self.reached_at(levels.take_profits.get(self.next_target));
            } else if peak >= self.break_even {
                self.armed_break_evens += 1;
                self.break_even = self.reached_at(levels.break_evens.get(self.armed_break_evens));
            } else if peak >= self.activation {
                self.armed_trails += 1;
                self.activation = self.next_activation_price();
            } else {
                break;
            }
        }
        self.rise = self.target.min(self.break_even).min(self.activation);
        self.fall = self.next_fall();
        self.trail_share = self.next_trail_share();
    }

    /// Touches the stops and the armed break-evens that a price has fallen to.
    fn fall_to(&mut self, position: usize, price: i64) {
        while let Some(percent) = self.levels.stop_losses.get(self.next_stop)
            && price <= self.stop
        {
            let stop = level(self.entry_price, HUNDRED_PERCENT - percent);
            self.touch(self.next_stop, position, ExitReason::StopLoss, stop);
            self.next_stop += 1;
            self.stop = self.next_stop_price();
        }
        if price <= self.entry_price {
            let first = self.levels.first_break_even_slot();
            let entry = level(self.entry_price, HUNDRED_PERCENT);
            for place in self.next_break_even..self.armed_break_evens {
                self.touch(first + place, position, ExitReason::BreakEven, entry);
            }
            self.next_break_even = self.armed_break_evens;
        }
        self.fall = self.next_fall();
    }

    /// The highest price that touches a stop or an armed break-even.
    fn next_fall(&self) -> i64 {
        match self.next_break_even < self.armed_break_evens {
            true => self.stop.max(self.entry_price),
            false => self.stop,
        }
    }

    fn next_stop_price(&self) -> i64 {
        let percent = self.levels.stop_losses.get(self.next_stop);
        percent.map_or(NEVER, |percent| price_below(self.entry_price, *percent))
    }

    fn next_activation_price(&self) -> i64 {
        let trails = self.levels.trails.get(self.armed_trails);
        self.reached_at(trails.map(|trails| &trails.activation))
    }

    /// The lowest price that has gained so much.
    fn reached_at(&self, gain: Option<&i64>) -> i64 {
        match gain {
            Some(0) => self.entry_price,
            Some(gain) => price_above(self.entry_price, *gain),
            None => i64::MAX,
        }
    }

    /// Touches the armed trails of the peak that a price has fallen to.
    fn fall_from_peak_to(&mut self, position: usize, price: i64) {
        let levels = self.levels;
        let mut slot = levels.first_trail_slot();
        for (track, trails) in levels.trails[..self.armed_trails].iter().enumerate() {
            while let Some(percent) = trails.percents.get(self.touches.next_trails[track])
                && price <= price_below(self.peak, *percent)
            {
                let trail = level(self.peak, HUNDRED_PERCENT - percent);
                let place = self.touches.next_trails[track];
                self.touch(slot + place, position, ExitReason::TrailingStop, trail);
                self.touches.next_trails[track] += 1;
                self.trails_touched += 1;
            }
            slot += trails.percents.len();
        }
        self.trail_share = self.next_trail_share();
    }

    fn next_trail_share(&self) -> u64 {
        let armed = self.levels.trails[..self.armed_trails].iter();
        let next = armed.zip(&self.touches.next_trails);
        let share = next.filter_map(|(trails, next)| trails.shares.get(*next));
        share.copied().max().unwrap_or(0)
    }

    /// When the next part stagnates, unless a peak puts it off.
    fn stagnation_instant(&mut self) -> i64 {
        let Some(micros) = self.levels.stagnations.get(self.next_stagnation) else {
            return i64::MAX;
        };
        let mut from_peak = self.prices[self.peak_from..].iter();
        self.peak_from += from_peak.position(|price| *price == self.peak).unwrap_or(0);
        self.timestamps[self.peak_from].saturating_add(*micros)
    }

    /// Touches the stagnations that are due at a price; whether every part is over.
    fn stagnate(&mut self, position: usize, now: i64) -> bool {
        let first = self.levels.first_stagnation_slot();
        let touched = self.touches.all.len();
        while now >= self.stagnation_instant()
            && self.next_stagnation < self.levels.stagnations.len()
        {
            self.touch_now(
                first + self.next_stagnation,
                position,
                ExitReason::Stagnation,
            );
            self.next_stagnation += 1;
        }
        self.touches.all.len() > touched && self.is_over()
    }

    /// A touch whose price is the observed one.
    fn touch_now(&mut self, slot: usize, position: usize, reason: ExitReason) {
        let observed = level(self.prices[position], HUNDRED_PERCENT);
        self.touch(slot, position, reason, observed);
    }

    fn touch(&mut self, slot: usize, position: usize, reason: ExitReason, level: i128) {
        self.touches.all.push(Touch {
            slot,
            position,
            reason,
            level,
        });
    }
}

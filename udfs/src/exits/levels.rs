//! The levels of many rules, each once and with a slot of its own: what
//! [`first_touches`](super::first_touches) looks for.

use super::rule::{Part, Rule};
use super::words::HUNDRED_PERCENT;

/// Shares of a peak are kept × 2^63.
pub(super) const SHARE_BITS: u32 = 63;
/// The levels of some rules: percentages × 10^4 and microseconds, ascending, none twice.
///
/// Each has a slot: stops first, then targets, break-evens, trails by activation, stagnations and
/// time limits.
#[derive(Debug, Default)]
pub struct Levels {
    pub(super) stop_losses: Vec<i64>,
    pub(super) take_profits: Vec<i64>,
    /// The gains that arm them.
    pub(super) break_evens: Vec<i64>,
    /// By activation, ascending.
    pub(super) trails: Vec<Trails>,
    pub(super) stagnations: Vec<i64>,
    pub(super) time_limits: Vec<i64>,
    /// Whether a part has no rule of these kinds: if none, all are over once the last is touched.
    pub(super) some_without_target: bool,
    pub(super) some_without_break_even: bool,
    pub(super) some_without_trail: bool,
    pub(super) some_without_stagnation: bool,
}

/// The trailing stops of one activation.
#[derive(Debug, Default)]
pub(super) struct Trails {
    pub(super) activation: i64,
    pub(super) percents: Vec<i64>,
    /// What each leaves of a peak, × 2^63, rounded up: no fall to it is missed.
    pub(super) shares: Vec<u64>,
}

/// Puts a level in its place; whether it is new.
fn insert(levels: &mut Vec<i64>, level: i64) -> Option<usize> {
    let place = levels.binary_search(&level).err()?;
    levels.insert(place, level);
    Some(place)
}

impl Levels {
    /// Takes the rules of another part in.
    pub fn add(&mut self, part: &Part) {
        let mut has = [false; 4];
        for rule in &part.rules {
            match *rule {
                Rule::TimeLimit(micros) => {
                    insert(&mut self.time_limits, micros);
                }
                Rule::StopLoss(percent) => {
                    insert(&mut self.stop_losses, percent);
                }
                Rule::TakeProfit(gain) => {
                    has[0] = true;
                    insert(&mut self.take_profits, gain);
                }
                Rule::BreakEven(gain) => {
                    has[1] = true;
                    insert(&mut self.break_evens, gain);
                }
                Rule::TrailingStop {
                    activation,
                    percent,
                } => {
                    has[2] = true;
                    self.add_trail(activation, percent);
                }
                Rule::Stagnation(micros) => {
                    has[3] = true;
                    insert(&mut self.stagnations, micros);
                }
            }
        }
        self.some_without_target |= !has[0];
        self.some_without_break_even |= !has[1];
        self.some_without_trail |= !has[2];
        self.some_without_stagnation |= !has[3];
    }

    fn add_trail(&mut self, activation: i64, percent: i64) {
        let place = self
            .trails
            .binary_search_by_key(&activation, |trails| trails.activation);
        let place = place.unwrap_or_else(|place| {
            let trails = Trails {
                activation,
                ..Trails::default()
            };
            self.trails.insert(place, trails);
            place
        });
        let trails = &mut self.trails[place];
        if let Some(place) = insert(&mut trails.percents, percent) {
            let left = u128::from((HUNDRED_PERCENT - percent) as u64) << SHARE_BITS;
            let share = left.div_ceil(HUNDRED_PERCENT as u128);
            trails.shares.insert(place, share as u64);
        }
    }

    /// The longest time limit, microseconds.
    pub fn longest(&self) -> i64 {
        self.time_limits.last().copied().unwrap_or(0)
    }

    /// The number of slots.
    #[inline]
    pub fn slot_count(&self) -> usize {
        self.first_time_limit_slot() + self.time_limits.len()
    }

    /// The slots of the rules of a part that was taken in, at least one of which a walk touches.
    pub fn slots(&self, part: &Part) -> Vec<usize> {
        part.rules
            .iter()
            .filter_map(|rule| self.slot(rule))
            .collect()
    }

    fn slot(&self, rule: &Rule) -> Option<usize> {
        let place = |first: usize, levels: &[i64], level: i64| {
            levels.binary_search(&level).ok().map(|place| first + place)
        };
        match *rule {
            Rule::StopLoss(percent) => place(0, &self.stop_losses, percent),
            Rule::TakeProfit(gain) => place(self.first_target_slot(), &self.take_profits, gain),
            Rule::BreakEven(gain) => place(self.first_break_even_slot(), &self.break_evens, gain),
            Rule::TrailingStop {
                activation,
                percent,
            } => {
                let track = self
                    .trails
                    .binary_search_by_key(&activation, |t| t.activation);
                let track = track.ok()?;
                let before = self.trails[..track].iter().map(|t| t.percents.len());
                let first = self.first_trail_slot() + before.sum::<usize>();
                place(first, &self.trails[track].percents, percent)
            }
            Rule::Stagnation(micros) => {
                place(self.first_stagnation_slot(), &self.stagnations, micros)
            }
            Rule::TimeLimit(micros) => {
                place(self.first_time_limit_slot(), &self.time_limits, micros)
            }
        }
    }

    pub(super) fn first_target_slot(&self) -> usize {
        self.stop_losses.len()
    }

    pub(super) fn first_break_even_slot(&self) -> usize {
        self.first_target_slot() + self.take_profits.len()
    }

    pub(super) fn first_trail_slot(&self) -> usize {
        self.first_break_even_slot() + self.break_evens.len()
    }

    pub(super) fn first_stagnation_slot(&self) -> usize {
        self.first_trail_slot() + self.trail_count()
    }

    pub(super) fn trail_count(&self) -> usize {
        self.trails.iter().map(|trails| trails.percents.len()).sum()
    }

    pub(super) fn first_time_limit_slot(&self) -> usize {
        self.first_stagnation_slot() + self.stagnations.len()
    }
}

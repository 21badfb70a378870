//! Combinations that are run together, by what they share.
//!
//! Each distinct set of exit rules, way of scoring and way of sizing is kept once, and a combination
//! is a triple of them with a threshold. A block takes in combinations until what it would have to
//! keep for each signal grows too large: memory does not depend on the number of combinations.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;

use hindsight_udfs::exits::first_touches::Levels;
use hindsight_udfs::exits::rule::Part;
use hindsight_udfs::exits::words::FillModel;
use hindsight_udfs::portfolio::admission::Limits;
use hindsight_udfs::scoring::position_size::Sizing;
use hindsight_udfs::trades::costs::Costs;
use hindsight_udfs::trades::quick_sale::QuickSale;

use super::combination::Combination;
use super::days::Days;
use super::exits::{SignalExit, Wanted};
use super::ranked::EndingTouch;

/// The cells of a block, levels times signals and ways of scoring times signals: at the most, and at
/// the least if there are so many.
pub const CELLS_MAX: usize = 4_000_000;
pub const CELLS_MIN: usize = 250_000;
/// What a cell may need: a touch and its exit, twice while they are ranked, and its rank.
pub const CELL_BYTES: usize = 2 * (size_of::<EndingTouch>() + size_of::<SignalExit>()) + 8;
/// What a thread writes on for each signal: nets, links and marks of limits, PnL and reaches.
pub const SCRATCH_BYTES: usize = 96;
/// A table of positions at the most: one for each score there can be.
pub const TABLE_BYTES: usize = 10_001 * size_of::<QuickSale>();
/// Ways in which a position can end under one strategy, each a level of its own; and at the most,
/// with a ladder's targets, and a stop and a time limit of the moonbag.
const LEVELS_EACH: usize = 4;
const LEVELS_MAX: usize = 13;
/// The fewest levels that a block has room for.
pub const LEVELS_LEAST: usize = LEVELS_MAX + LEVELS_EACH;
/// Ways of sizing; each is kept for each score there is.
const SIZINGS_MAX: usize = 64;

/// How many cells so many combinations make use of, at the most.
pub fn cells_for(combinations: usize, signal_count: usize) -> usize {
    let levels = combinations.saturating_mul(LEVELS_EACH);
    let least = LEVELS_LEAST * signal_count;
    levels
        .saturating_mul(signal_count)
        .clamp(least, CELLS_MAX.max(least))
}

/// What selects signals, but for the threshold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scoring {
    /// × 10^4.
    pub weights: [i64; 5],
    /// The signals.
    pub range: Range<usize>,
    /// The days of the range of dates.
    pub days: Days,
    /// Microseconds × 10^4.
    pub max_entry_delay: Option<i128>,
    /// Microseconds.
    pub exits_before: Option<i64>,
}

/// One combination of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Its places in the lists of the block.
    pub rules: usize,
    pub scoring: usize,
    pub sizing: usize,
    /// `None` where every position is admitted.
    pub limits: Option<usize>,
    /// Points × 100.
    pub threshold: i64,
    /// Its place among all combinations.
    pub position: usize,
}

impl Member {
    /// Whether another one, which has the same rules, differs in its threshold alone, or in limits
    /// too if both have any.
    pub fn shares_trades(&self, other: &Self) -> bool {
        let shared = |m: &Self| (m.scoring, m.sizing, m.limits.is_some());
        shared(self) == shared(other)
    }
}

/// Combinations of one fill model.
#[derive(Debug)]
pub struct Block {
    pub fill_model: FillModel,
    pub rules: Distinct<Vec<Part>>,
    pub levels: Levels,
    pub scorings: Distinct<Scoring>,
    pub sizings: Distinct<(Sizing, Costs)>,
    pub limits: Distinct<Limits>,
    /// Sorted: those that share most stand together.
    pub members: Vec<Member>,
}

impl Block {
    /// All combinations in blocks of so many cells; `ranges` are their signals, of `signal_count`.
    pub fn all(
        combinations: &[Combination],
        ranges: &[Range<usize>],
        signal_count: usize,
        cells: usize,
    ) -> Vec<Self> {
        let most = (cells / signal_count.max(1)).max(LEVELS_LEAST);
        let mut blocks: Vec<Self> = Vec::new();
        for (_, fill_model) in FillModel::NAMES {
            let mut block = Self::new(fill_model);
            for (position, combination) in combinations.iter().enumerate() {
                if combination.fill_model != fill_model {
                    continue;
                }
                block.push(position, combination, ranges[position].clone());
                if block.is_full(most) {
                    blocks.push(std::mem::replace(&mut block, Self::new(fill_model)));
                }
            }
            blocks.push(block);
        }
        blocks.retain(|block| !block.members.is_empty());
        blocks
            .iter_mut()
            .for_each(|block| block.members.sort_unstable());
        blocks
    }

    /// What paths are walked for.
    pub fn wanted(&self) -> Wanted<'_> {
        Wanted {
            rules: &self.rules.values,
            levels: &self.levels,
            fill_model: self.fill_model,
        }
    }

    fn new(fill_model: FillModel) -> Self {
        Self {
            fill_model,
            rules: Distinct::default(),
            levels: Levels::default(),
            scorings: Distinct::default(),
            sizings: Distinct::default(),
            limits: Distinct::default(),
            members: Vec::new(),
        }
    }

    fn push(&mut self, position: usize, combination: &Combination, range: Range<usize>) {
        let scoring = Scoring {
            weights: combination.weights,
            range,
            days: combination.days(),
            max_entry_delay: combination.max_entry_delay,
            exits_before: combination.exits_before,
        };
        let (rules, is_new) = self.rules.place(combination.exits.parts());
        if is_new {
            let parts = self.rules.values[rules].iter();
            parts.for_each(|part| self.levels.add(part));
        }
        self.members.push(Member {
            rules,
            scoring: self.scorings.place(scoring).0,
            sizing: self
                .sizings
                .place((combination.sizing, combination.costs))
                .0,
            limits: match combination.limits.are_none() {
                true => None,
                false => Some(self.limits.place(combination.limits).0),
            },
            threshold: combination.threshold,
            position,
        });
    }

    /// Whether another combination could make it too large.
    fn is_full(&self, most: usize) -> bool {
        self.scorings.values.len() >= most
            || self.sizings.values.len() >= SIZINGS_MAX
            || self.levels.slot_count() >= most
    }
}

/// Values in the order in which they came, each once.
#[derive(Debug)]
pub struct Distinct<T> {
    pub values: Vec<T>,
    places: HashMap<T, usize>,
}

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            places: HashMap::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Distinct<T> {
    /// The place of a value, and whether it is new.
    fn place(&mut self, value: T) -> (usize, bool) {
        let count = self.values.len();
        let place = *self.places.entry(value).or_insert_with_key(|value| {
            self.values.push(value.clone());
            count
        });
        (place, place == count)
    }
}

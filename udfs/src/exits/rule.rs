//! Exit rules: what ends a part of a position, and what its end is called.
//!
//! A position is sold in parts, each a share of it with rules of its own, that do not look at each
//! other; parts that end at the same price by the same rule at the same level are one sale. What a
//! peak has armed stays armed, since a peak only rises: armed is `peak >= level`, without state, so
//! that each rule's first touch depends on the path and on the rule alone.

use super::words::{ExitReason, FillModel, fill};

/// A rule that can end a part, in the order in which they take their turns at one price;
/// percentages × 10^4, times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// So long after the signal: whatever the price.
    TimeLimit(i64),
    /// A fall below the entry price.
    StopLoss(i64),
    /// A rise above the entry price.
    TakeProfit(i64),
    /// A fall to the entry price, once the peak has reached this gain.
    BreakEven(i64),
    /// A fall from the peak, once that has exceeded the entry price and reached a gain.
    TrailingStop { activation: i64, percent: i64 },
    /// So long after the peak was seen, at first the entry: whatever the price.
    Stagnation(i64),
}

impl Rule {
    pub fn reason(&self) -> ExitReason {
        match self {
            Self::TimeLimit(_) => ExitReason::TimeLimit,
            Self::StopLoss(_) => ExitReason::StopLoss,
            Self::TakeProfit(_) => ExitReason::TakeProfit,
            Self::BreakEven(_) => ExitReason::BreakEven,
            Self::TrailingStop { .. } => ExitReason::TrailingStop,
            Self::Stagnation(_) => ExitReason::Stagnation,
        }
    }
}

/// A share of a position and the rules that end it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Part {
    /// Percent of the position × 10^4.
    pub share: i64,
    /// Ascending: in the order of their turns.
    pub rules: Vec<Rule>,
}

impl Part {
    /// Whether it waits for a stop and a time limit alone, as a moonbag does.
    pub fn waits(&self) -> bool {
        let waits = |rule: &Rule| matches!(rule, Rule::TimeLimit(_) | Rule::StopLoss(_));
        self.rules.iter().all(waits)
    }
}

/// The end of one part, or of several that end alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sale {
    /// The number of the first of its parts, from 1 on.
    pub part: u8,
    /// What is sold, percent of the position × 10^4.
    pub share: i64,
    /// The position of the price at which it ended.
    pub position: usize,
    pub reason: ExitReason,
    /// The exact price that was crossed, with
    /// [`LEVEL_DIGITS`](super::words::LEVEL_DIGITS) more digits than the prices; the observed one
    /// where a time ended it.
    pub level: i128,
}

impl Sale {
    /// The exact price it fills at, given the observed one.
    #[inline]
    pub fn fill(&self, observed_price: i64, model: FillModel) -> i128 {
        fill(self.level, observed_price, model)
    }
}

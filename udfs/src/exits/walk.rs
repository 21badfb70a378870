//! The kernel: walk a token's prices from the entry on until a rule ends the trade.
//!
//! Prices are integers of the token's scale and ascend in time. Each level is turned once into the
//! integer price that crosses it, so that the walk compares integers only; the exact level comes
//! back for the arithmetic that follows. At each price, in this order: the time limit, a new peak,
//! the stop loss, the take profit, the trailing stop.

use std::fmt;
use std::str::FromStr;

/// Percentages have four fractional digits, so 100 % is this much.
pub const HUNDRED_PERCENT: i64 = 1_000_000;
/// A level has six more fractional digits than the prices it was made from.
pub const LEVEL_DIGITS: u32 = 6;

/// Which rules are armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExitStrategy {
    TrailingStop,
    FixedTargets,
    TimeBased,
    Hybrid,
}

impl ExitStrategy {
    /// Every strategy with its name in SQL.
    pub const NAMES: [(&str, Self); 4] = [
        ("trailing_stop", Self::TrailingStop),
        ("fixed_targets", Self::FixedTargets),
        ("time_based", Self::TimeBased),
        ("hybrid", Self::Hybrid),
    ];

    pub fn arms_take_profit(self) -> bool {
        matches!(self, Self::FixedTargets | Self::Hybrid)
    }

    pub fn arms_trailing_stop(self) -> bool {
        matches!(self, Self::TrailingStop | Self::Hybrid)
    }
}

impl FromStr for ExitStrategy {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, strategy)| *strategy).ok_or(())
    }
}

/// At which price a crossed level fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FillModel {
    Level,
    Observed,
    Conservative,
}

impl FillModel {
    /// Every fill model with its name in SQL.
    pub const NAMES: [(&str, Self); 3] = [
        ("level", Self::Level),
        ("observed", Self::Observed),
        ("conservative", Self::Conservative),
    ];
}

impl FromStr for FillModel {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, model)| *model).ok_or(())
    }
}

/// Why a trade ended, in the order in which the reasons take their turns at one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExitReason {
    TimeLimit,
    StopLoss,
    TakeProfit,
    TrailingStop,
    EndOfData,
}

impl ExitReason {
    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::TimeLimit => "time_limit",
            Self::StopLoss => "stop_loss",
            Self::TakeProfit => "take_profit",
            Self::TrailingStop => "trailing_stop",
            Self::EndOfData => "end_of_data",
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The armed rules; percentages × 10^4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExitRules {
    pub stop_loss: i64,
    pub take_profit: Option<i64>,
    pub trailing_stop: Option<i64>,
    pub max_hold_micros: i64,
}

impl ExitRules {
    /// The rules that a strategy arms.
    pub fn new(
        strategy: ExitStrategy,
        stop_loss: i64,
        take_profit: i64,
        trailing_stop: i64,
        max_hold_micros: i64,
    ) -> Self {
        Self {
            stop_loss,
            take_profit: strategy.arms_take_profit().then_some(take_profit),
            trailing_stop: strategy.arms_trailing_stop().then_some(trailing_stop),
            max_hold_micros,
        }
    }

    /// The highest price that has fallen to the stop loss.
    pub fn stop_at_most(&self, entry: i64) -> i64 {
        price_below(entry, self.stop_loss)
    }

    /// The lowest price that has risen to the target; unreachable where none is armed.
    pub fn target_at_least(&self, entry: i64) -> i64 {
        self.take_profit
            .map_or(i64::MAX, |percent| price_above(entry, percent))
    }

    /// The highest price that has fallen to the trail of a peak; unreachable where none is armed.
    pub fn trail_at_most(&self, peak: i64) -> i64 {
        self.trailing_stop
            .map_or(-1, |percent| price_below(peak, percent))
    }
}

/// Where a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The position of the price at which it ended.
    pub position: usize,
    pub reason: ExitReason,
    /// The highest price up to there, the entry included.
    pub peak: i64,
}

/// Walks from the price at `entry`, which exists and is not 0, for a signal at `signal_timestamp`.
pub fn walk(
    timestamps: &[i64],
    prices: &[i64],
    entry: usize,
    signal_timestamp: i64,
    rules: &ExitRules,
) -> Exit {
    let entry_price = prices[entry];
    let deadline = signal_timestamp.saturating_add(rules.max_hold_micros);
    let stop = rules.stop_at_most(entry_price);
    let target = rules.target_at_least(entry_price);
    let mut peak = entry_price;
    let mut trail = -1;
    for (offset, (timestamp, price)) in timestamps[entry..].iter().zip(&prices[entry..]).enumerate()
    {
        let price = *price;
        let exit = |reason, peak| Exit {
            position: entry + offset,
            reason,
            peak,
        };
        if *timestamp >= deadline {
            return exit(ExitReason::TimeLimit, peak);
        }
        if price > peak {
            peak = price;
            trail = rules.trail_at_most(peak);
        }
        if price <= stop {
            return exit(ExitReason::StopLoss, peak);
        }
        if price >= target {
            return exit(ExitReason::TakeProfit, peak);
        }
        if price <= trail {
            return exit(ExitReason::TrailingStop, peak);
        }
    }
    Exit {
        position: prices.len() - 1,
        reason: ExitReason::EndOfData,
        peak,
    }
}

/// The exact price a walk's end fills at, with [`LEVEL_DIGITS`] more digits than the prices.
#[inline]
pub fn fill(
    entry_price: i64,
    observed_price: i64,
    exit: &Exit,
    rules: &ExitRules,
    model: FillModel,
) -> i128 {
    let level = |price: i64, per_million: i64| i128::from(price) * i128::from(per_million);
    let observed = level(observed_price, HUNDRED_PERCENT);
    let crossed = match exit.reason {
        ExitReason::StopLoss => level(entry_price, HUNDRED_PERCENT - rules.stop_loss),
        ExitReason::TakeProfit => level(
            entry_price,
            HUNDRED_PERCENT + rules.take_profit.unwrap_or(0),
        ),
        ExitReason::TrailingStop => level(
            exit.peak,
            HUNDRED_PERCENT - rules.trailing_stop.unwrap_or(0),
        ),
        ExitReason::TimeLimit | ExitReason::EndOfData => observed,
    };
    match model {
        FillModel::Level => crossed,
        FillModel::Observed => observed,
        FillModel::Conservative => crossed.min(observed),
    }
}

/// The highest price that is at least `percent` × 10^-4 below another, for up to 100 %.
#[inline]
pub(super) fn price_below(price: i64, percent: i64) -> i64 {
    // In two parts, so that 64 bits hold every product and the divisor is a constant.
    let (whole, rest) = (price / HUNDRED_PERCENT, price % HUNDRED_PERCENT);
    let share = HUNDRED_PERCENT - percent;
    whole * share + rest * share / HUNDRED_PERCENT
}

/// The lowest price that is at least `percent` × 10^-4 above another; `i64::MAX`, which no price
/// reaches, where 64 bits do not hold it.
#[inline]
pub(super) fn price_above(price: i64, percent: i64) -> i64 {
    let (whole, rest) = (price / HUNDRED_PERCENT, price % HUNDRED_PERCENT);
    let share = HUNDRED_PERCENT.saturating_add(percent);
    let above = || {
        let rest = rest.checked_mul(share)?.checked_add(HUNDRED_PERCENT - 1)? / HUNDRED_PERCENT;
        whole.checked_mul(share)?.checked_add(rest)
    };
    above().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn ends(prices: &[i64], strategy: ExitStrategy) -> (usize, ExitReason) {
        let timestamps: Vec<i64> = (0..).map(|i| i * MINUTE).take(prices.len()).collect();
        let rules = ExitRules::new(strategy, 150_000, 500_000, 100_000, 5 * MINUTE);
        let exit = walk(&timestamps, prices, 0, 0, &rules);
        (exit.position, exit.reason)
    }

    #[test]
    fn levels_are_crossed_where_they_are_touched() {
        use ExitReason::{EndOfData, StopLoss, TakeProfit, TimeLimit};
        use ExitStrategy::{FixedTargets, Hybrid, TimeBased, TrailingStop};
        assert_eq!(ends(&[100, 86, 85], TimeBased), (2, StopLoss));
        assert_eq!(ends(&[100, 149, 150], FixedTargets), (2, TakeProfit));
        assert_eq!(ends(&[100, 149, 150], Hybrid), (2, TakeProfit));
        assert_eq!(
            ends(&[100, 150, 136, 135], TrailingStop),
            (3, ExitReason::TrailingStop)
        );
        assert_eq!(ends(&[100, 150], TrailingStop), (1, EndOfData));
        // A peak at the entry price arms no trail.
        assert_eq!(ends(&[100, 100, 89], TrailingStop), (2, EndOfData));
        // The limit comes before every level.
        assert_eq!(ends(&[100, 100, 100, 100, 100, 1], Hybrid), (5, TimeLimit));
        assert_eq!(ends(&[100, 0], Hybrid), (1, StopLoss));
    }

    #[test]
    fn gaps_fill_by_the_model() {
        let rules = ExitRules::new(ExitStrategy::Hybrid, 150_000, 500_000, 100_000, 60 * MINUTE);
        let exit = walk(&[0, MINUTE], &[100, 40], 0, 0, &rules);
        let fills = FillModel::NAMES.map(|(_, model)| fill(100, 40, &exit, &rules, model));
        assert_eq!(fills, [85_000_000, 40_000_000, 40_000_000]);
        let exit = walk(&[0, MINUTE], &[100, 200], 0, 0, &rules);
        let fills = FillModel::NAMES.map(|(_, model)| fill(100, 200, &exit, &rules, model));
        assert_eq!(fills, [150_000_000, 200_000_000, 150_000_000]);
    }
}

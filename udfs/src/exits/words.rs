//! The words of exits: which rules a strategy arms, at which price a crossed level fills, why a
//! trade ended; and the levels, which are prices times percentages.

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
    BreakEven,
    TrailingStop,
    Stagnation,
    EndOfData,
}

impl ExitReason {
    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::TimeLimit => "time_limit",
            Self::StopLoss => "stop_loss",
            Self::TakeProfit => "take_profit",
            Self::BreakEven => "break_even",
            Self::TrailingStop => "trailing_stop",
            Self::Stagnation => "stagnation",
            Self::EndOfData => "end_of_data",
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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

/// A price times a share of it, exactly.
#[inline]
pub(super) fn level(price: i64, share: i64) -> i128 {
    i128::from(price) * i128::from(share)
}

/// The exact price that a crossed level fills at, given the observed price.
#[inline]
pub fn fill(crossed: i128, observed_price: i64, model: FillModel) -> i128 {
    let observed = level(observed_price, HUNDRED_PERCENT);
    match model {
        FillModel::Level => crossed,
        FillModel::Observed => observed,
        FillModel::Conservative => crossed.min(observed),
    }
}

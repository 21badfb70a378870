//! Metrics of risk, from trades with their instants: exact fractions up to the square root.

use num_bigint::BigInt;
use num_traits::{One, Signed, Zero};

use super::history::DAY;
use super::number::{Number, decimal, rounded, whole};

/// One trade of a side; microseconds.
#[derive(Debug, Clone)]
pub struct Closed {
    pub pnl: Number,
    pub entry: Option<i64>,
    pub exit: i64,
}

/// What the metrics of risk and time are; `None` where they are not defined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Risk {
    pub sharpe_ratio: Option<Number>,
    pub sortino_ratio: Option<Number>,
    pub calmar_ratio: Option<Number>,
    pub sqn: Option<Number>,
    pub best_trade_sol: Option<Number>,
    pub worst_trade_sol: Option<Number>,
    pub average_hold_minutes: Option<Number>,
}

impl Risk {
    /// Of trades in any order, in a range of days since 1970, the last excluded.
    pub fn of(trades: &[Closed], days: std::ops::Range<i64>, max_drawdown_sol: &Number) -> Self {
        let pnls: Vec<Number> = trades.iter().map(|trade| trade.pnl.clone()).collect();
        let daily = daily_sums(trades, days);
        let year = whole(365);
        let calmar_ratio = (!max_drawdown_sol.is_zero() && !daily.is_empty()).then(|| {
            let of_a_day = total(&daily) / whole(daily.len() as i64);
            rounded(&(of_a_day * &year / max_drawdown_sol), 4)
        });
        let held: Vec<Number> = trades
            .iter()
            .filter_map(|trade| Some(whole(trade.exit - trade.entry?)))
            .collect();
        Self {
            sharpe_ratio: variance(&daily)
                .map(|variance| signed_root(&mean(&daily), &(&year / variance))),
            sortino_ratio: downside(&daily)
                .map(|downside| signed_root(&mean(&daily), &(&year / downside))),
            calmar_ratio,
            sqn: variance(&pnls)
                .map(|variance| signed_root(&mean(&pnls), &(whole(pnls.len() as i64) / variance))),
            best_trade_sol: pnls.iter().max().map(|pnl| rounded(pnl, 4)),
            worst_trade_sol: pnls.iter().min().map(|pnl| rounded(pnl, 4)),
            average_hold_minutes: (!held.is_empty())
                .then(|| rounded(&(mean(&held) / whole(60_000_000)), 2)),
        }
    }
}

/// PnL by the day of the exit, one for each day; those out of the range count at its ends.
pub fn daily_sums(trades: &[Closed], days: std::ops::Range<i64>) -> Vec<Number> {
    let mut sums = vec![Number::zero(); (days.end - days.start).max(0) as usize];
    let last = sums.len() as i64 - 1;
    if last < 0 {
        return sums;
    }
    for trade in trades {
        let day = trade.exit.div_euclid(DAY) - days.start;
        sums[day.max(0).min(last) as usize] += &trade.pnl;
    }
    sums
}

fn total(values: &[Number]) -> Number {
    values.iter().fold(Number::zero(), |sum, value| sum + value)
}

fn mean(values: &[Number]) -> Number {
    total(values) / whole(values.len() as i64)
}

/// With n − 1; `None` for fewer than two values or equal ones.
fn variance(values: &[Number]) -> Option<Number> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values);
    let squares: Vec<Number> = values.iter().map(|v| (v - &mean) * (v - &mean)).collect();
    let variance = total(&squares) / whole(values.len() as i64 - 1);
    (!variance.is_zero()).then_some(variance)
}

/// The mean square of what is below 0; `None` for fewer than two values or none below 0.
fn downside(values: &[Number]) -> Option<Number> {
    let falls: Vec<Number> = values
        .iter()
        .map(|v| {
            if v.is_negative() {
                v * v
            } else {
                Number::zero()
            }
        })
        .collect();
    (values.len() >= 2 && falls.iter().any(|fall| !fall.is_zero())).then(|| mean(&falls))
}

/// `factor × √square`, rounded half to even at 4 digits.
fn signed_root(factor: &Number, square: &Number) -> Number {
    let square = factor * factor * square * whole(100_000_000);
    let mut root: BigInt = square.floor().to_integer().sqrt();
    let middle = Number::from_integer(root.clone()) + Number::new(BigInt::one(), 2.into());
    let is_odd = &root % 2_i64 != BigInt::zero();
    let middle = &middle * &middle;
    if square > middle || (square == middle && is_odd) {
        root += 1_i64;
    }
    let value = decimal(root, 4);
    if factor.is_negative() { -value } else { value }
}

#[test]
fn roots_of_squares_are_themselves() {
    for (factor, square, expected) in [(3, 4, "6"), (-2, 2, "-2.8284"), (0, 9, "0")] {
        let found = signed_root(&whole(factor), &whole(square));
        assert_eq!(super::number::show(&found), expected);
    }
}

//! How much is at stake at once, and what each day brought.

use std::collections::BTreeSet;

use num_traits::Zero;

use super::backtest::Trade;
use super::history::DAY;
use super::number::{Number, rounded};
use super::risk::Closed;

/// What holds after an instant at which positions begin or end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    pub timestamp: i64,
    pub open_positions: i64,
    /// The parts that are not sold yet, rounded to 9.
    pub capital_sol: Number,
}

/// Every instant at which one of these trades begins or ends. A position is open until its last part
/// is sold.
pub fn exposure(trades: &[Trade]) -> Vec<Exposure> {
    let begins = trades.iter().map(|trade| trade.exit.entry_timestamp);
    let ends = trades.iter().map(|trade| trade.exit.exit_timestamp);
    let instants: BTreeSet<i64> = begins.chain(ends).collect();
    let at = |timestamp: i64| {
        let held = trades.iter().filter(|trade| {
            trade.exit.entry_timestamp <= timestamp && timestamp < trade.exit.exit_timestamp
        });
        let positions: BTreeSet<&String> = held.clone().map(|trade| &trade.signal_id).collect();
        let capital = held.fold(Number::zero(), |sum, trade| sum + &trade.part_exact);
        Exposure {
            timestamp,
            open_positions: positions.len() as i64,
            capital_sol: rounded(&capital, 9),
        }
    };
    // What begins and ends a position at these instants; a sale that leaves parts is a change of capital.
    instants.into_iter().map(at).collect()
}

/// One day of the range, since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daily {
    pub day: i64,
    pub actual_trades: i64,
    pub simulated_trades: i64,
}

/// How many trades of each side count on each day: those out of the range count at its ends.
pub fn daily(days: std::ops::Range<i64>, actual: &[Closed], simulated: &[Closed]) -> Vec<Daily> {
    let count = |trades: &[Closed], day: i64| {
        let of_day =
            |trade: &&Closed| trade.exit.div_euclid(DAY).max(days.start).min(days.end - 1) == day;
        trades.iter().filter(of_day).count() as i64
    };
    days.clone()
        .map(|day| Daily {
            day,
            actual_trades: count(actual, day),
            simulated_trades: count(simulated, day),
        })
        .collect()
}

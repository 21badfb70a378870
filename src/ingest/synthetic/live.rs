//! What the live system made of the signals, with the settings it had then.
//!
//! Unlike a backtest it pays what the market asks: entries come late, stops gap, fills slip.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::draws::Draws;
use super::paths::Path;
use super::signals::Signal;
use super::{DAY, HOUR, MINUTE, SECOND};

/// A position that the live system would have taken, had it been up and had it had the funds.
#[derive(Debug)]
pub struct LiveTrade {
    pub entry_timestamp: i64,
    /// In units of 10⁻¹⁰ SOL, as are all prices here.
    pub entry_price: i64,
    /// One, two for a position that was sold in parts, none while it is open.
    pub exits: Vec<Exit>,
}

/// A position or a part of it, sold.
#[derive(Debug)]
pub struct Exit {
    pub timestamp: i64,
    pub price: i64,
    pub pnl_lamports: i64,
}

const SCORE_THRESHOLD: i64 = 72_00;
const POSITION_LAMPORTS: i64 = 100_000_000;
const MAX_HOLD: i64 = 120 * MINUTE;
/// The wallet held a little more than two SOL.
const MAX_OPEN_POSITIONS: usize = 20;

/// What would have come of acting on `signal`; `None` where the live system would not have.
pub fn live_trade(draws: &mut Draws, signal: &Signal, path: &Path, end: i64) -> Option<LiveTrade> {
    // A transaction in fifty failed.
    if signal.score < SCORE_THRESHOLD || draws.chance(0.02) {
        return None;
    }
    let entry_timestamp = signal.timestamp + SECOND + draws.micros(89 * SECOND);
    let entered = path
        .timestamps
        .partition_point(|&at| at <= entry_timestamp)
        .checked_sub(1)?;
    let asked = path.prices[entered];
    // Nobody buys what is not traded any more.
    let stale = entry_timestamp - path.timestamps[entered] > 10 * MINUTE;
    if asked < 5 || stale || entry_timestamp >= end {
        return None;
    }
    let entry_price = slipped(asked, draws.between(0.0, 0.005));
    let position = Position {
        entry_timestamp,
        entry_price,
    };
    let partial = draws.chance(0.05);
    let exits = match position.close(path, entered + 1) {
        Some(last) if partial => {
            // The pool took a part at once and the rest one price later.
            let part = POSITION_LAMPORTS / 100 * (40 + draws.below(35) as i64);
            let next = (last + 1).min(path.prices.len() - 1);
            vec![
                position.sell(draws, path, last, part),
                position.sell(draws, path, next, POSITION_LAMPORTS - part),
            ]
        }
        Some(last) => vec![position.sell(draws, path, last, POSITION_LAMPORTS)],
        // Prices ended before the time limit, or the history did.
        None if entry_timestamp + MAX_HOLD < end => vec![position.abandon(draws, path)],
        None => vec![],
    };
    Some(LiveTrade {
        entry_timestamp,
        entry_price,
        exits,
    })
}

/// The times at which the live system was down, about once in three weeks, for hours or days.
pub fn outages(draws: &mut Draws, start: i64, end: i64) -> Vec<Range<i64>> {
    const EVERY: i64 = 21 * DAY;
    (0..(end - start) / EVERY)
        .map(|outage| {
            let from = start + outage * EVERY + draws.micros(20 * DAY);
            from..from + 3 * HOUR + draws.micros(36 * HOUR)
        })
        .collect()
}

/// The funds of the live system, all bound once too many positions are open.
#[derive(Debug, Default)]
pub struct LiveWallet {
    /// When the open positions will close.
    closings: BinaryHeap<Reverse<i64>>,
}

impl LiveWallet {
    /// Whether there are funds for `trade`, which is then open; trades are offered by entry.
    pub fn takes(&mut self, trade: &LiveTrade) -> bool {
        let entry = trade.entry_timestamp;
        while self.closings.peek().is_some_and(|Reverse(at)| *at <= entry) {
            self.closings.pop();
        }
        let affordable = self.closings.len() < MAX_OPEN_POSITIONS;
        if affordable {
            let closed = trade.exits.iter().map(|exit| exit.timestamp).max();
            self.closings.push(Reverse(closed.unwrap_or(i64::MAX)));
        }
        affordable
    }
}

struct Position {
    entry_timestamp: i64,
    entry_price: i64,
}

impl Position {
    /// The first price from `from` on that says sell: 20 % lost, 40 % won, or two hours over.
    fn close(&self, path: &Path, from: usize) -> Option<usize> {
        let entry = i128::from(self.entry_price);
        let until = self.entry_timestamp + MAX_HOLD;
        path.prices
            .iter()
            .zip(&path.timestamps)
            .skip(from)
            .position(|(&price, &at)| {
                let price = i128::from(price) * 10;
                at >= until || price <= entry * 8 || price >= entry * 14
            })
            .map(|steps| from + steps)
    }

    fn sell(&self, draws: &mut Draws, path: &Path, at: usize, lamports: i64) -> Exit {
        let price = slipped(path.prices[at], -draws.between(0.0, 0.005));
        let timestamp = path.timestamps[at] + draws.micros(4 * SECOND);
        self.exit(draws, timestamp, price, lamports)
    }

    /// Sold into what was left of the pool when the time was over.
    fn abandon(&self, draws: &mut Draws, path: &Path) -> Exit {
        let last = path.prices.last().copied().unwrap_or(0);
        let price = slipped(last, -draws.between(0.05, 0.5));
        let timestamp = self.entry_timestamp + MAX_HOLD + draws.micros(4 * SECOND);
        self.exit(draws, timestamp, price, POSITION_LAMPORTS)
    }

    fn exit(&self, draws: &mut Draws, timestamp: i64, price: i64, lamports: i64) -> Exit {
        let gain = i128::from(lamports) * i128::from(price - self.entry_price);
        let gas_lamports = 25_000 + draws.below(75_000) as i64;
        let pnl_lamports = (gain / i128::from(self.entry_price)) as i64 - gas_lamports;
        Exit {
            timestamp,
            price,
            pnl_lamports,
        }
    }
}

fn slipped(price: i64, by: f64) -> i64 {
    (price as f64 * (1.0 + by) + 0.5) as i64
}

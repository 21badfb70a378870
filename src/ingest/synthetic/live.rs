//! What the live system made of the signals, with the settings it had then: it sold in steps, let the
//! rest run below a trail, and held a few positions at a time.
//!
//! Unlike a backtest it pays what the market asks: entries come late, stops gap, fills slip, and
//! transactions fail.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
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
    /// By time; several for a position that was sold in parts.
    pub exits: Vec<Exit>,
    /// Whether a part of it was still held when the history ended.
    pub is_open: bool,
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
/// What was sold at which gain, percent of the position and of the entry price.
const LADDER: [(i64, i128); 2] = [(40, 12), (30, 35)];
/// The percentages of the entry price at which all was sold, and from which on the trail was armed;
/// and how far below the peak that was.
const STOP: i128 = 80;
const TRAIL_ARMED: i128 = 115;
const TRAIL: i128 = 85;
/// Thousandths of what is bought and of what is sold.
const PLATFORM_FEE: i128 = 5;
/// One transaction in seven failed, and cost its fee.
const FAILED: f64 = 1.0 / 7.0;
const MAX_OPEN_POSITIONS: usize = 12;
const COOLDOWN: i64 = 10 * MINUTE;
/// After such a loss nothing more was bought on the day.
const MAX_DAILY_LOSS_LAMPORTS: i64 = 500_000_000;

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
    let (sales, rest) = position.sales(path, entered + 1);
    let mut exits: Vec<Exit> = sales
        .into_iter()
        .map(|(at, lamports)| position.sell(draws, path, at, lamports))
        .collect();
    // Prices ended before the time limit, or the history did.
    let is_open = rest > 0 && entry_timestamp + MAX_HOLD >= end;
    if rest > 0 && !is_open {
        exits.push(position.abandon(draws, path, rest));
    }
    Some(LiveTrade {
        entry_timestamp,
        entry_price,
        exits,
        is_open,
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

/// What the live system held and had lost, which kept it from buying more. A token is a position in
/// the list of tokens.
#[derive(Debug, Default)]
pub struct LiveWallet {
    /// When the open positions will close, and in which token they are.
    closings: BinaryHeap<Reverse<(i64, usize)>>,
    /// When a token may be bought again.
    free: HashMap<usize, i64>,
    /// What was sold later than the last entry: when, and what it brought.
    sales: BinaryHeap<Reverse<(i64, i64)>>,
    /// What the sales of a day brought.
    days: HashMap<i64, i64>,
}

impl LiveWallet {
    /// Whether it takes `trade`, which is then open; trades are offered by entry.
    pub fn takes(&mut self, token: usize, trade: &LiveTrade) -> bool {
        let entry = trade.entry_timestamp;
        while let Some(Reverse((at, _))) = self.closings.peek()
            && *at <= entry
        {
            self.closings.pop();
        }
        while let Some(Reverse((at, lamports))) = self.sales.peek().copied()
            && at <= entry
        {
            *self.days.entry(at.div_euclid(DAY)).or_default() += lamports;
            self.sales.pop();
        }
        let lost = self.days.get(&entry.div_euclid(DAY)).copied();
        let is_taken = self.closings.len() < MAX_OPEN_POSITIONS
            && self.free.get(&token).is_none_or(|free| *free <= entry)
            && lost.unwrap_or(0) > -MAX_DAILY_LOSS_LAMPORTS;
        if is_taken {
            let last = trade.exits.iter().map(|exit| exit.timestamp).max();
            let closed = last.filter(|_| !trade.is_open).unwrap_or(i64::MAX);
            self.closings.push(Reverse((closed, token)));
            self.free.insert(token, closed.saturating_add(COOLDOWN));
            let sales = trade.exits.iter();
            let sales = sales.map(|exit| Reverse((exit.timestamp, exit.pnl_lamports)));
            self.sales.extend(sales);
        }
        is_taken
    }
}

struct Position {
    entry_timestamp: i64,
    entry_price: i64,
}

impl Position {
    /// The prices from `from` on that say sell, with how much, and what is left when they end.
    fn sales(&self, path: &Path, from: usize) -> (Vec<(usize, i64)>, i64) {
        let entry = i128::from(self.entry_price);
        let until = self.entry_timestamp + MAX_HOLD;
        let (mut sales, mut left) = (Vec::new(), POSITION_LAMPORTS);
        let mut steps = LADDER.iter().peekable();
        let mut peak = entry;
        for (at, (price, timestamp)) in path
            .prices
            .iter()
            .zip(&path.timestamps)
            .enumerate()
            .skip(from)
        {
            let price = i128::from(*price);
            peak = peak.max(price);
            let is_trailed = peak * 100 >= entry * TRAIL_ARMED && price * 100 <= peak * TRAIL;
            let is_over = *timestamp >= until || price * 100 <= entry * STOP || is_trailed;
            let mut sold = 0;
            while let Some((share, _)) =
                steps.next_if(|(_, gain)| price * 100 >= entry * (100 + gain))
            {
                sold += POSITION_LAMPORTS / 100 * share;
            }
            if is_over {
                sold = left;
            }
            if sold > 0 {
                sales.push((at, sold));
                left -= sold;
            }
            if left == 0 {
                break;
            }
        }
        (sales, left)
    }

    fn sell(&self, draws: &mut Draws, path: &Path, at: usize, lamports: i64) -> Exit {
        let price = slipped(path.prices[at], -draws.between(0.0, 0.005));
        let timestamp = path.timestamps[at] + draws.micros(4 * SECOND);
        self.exit(draws, timestamp, price, lamports)
    }

    /// Sold into what was left of the pool when the time was over.
    fn abandon(&self, draws: &mut Draws, path: &Path, lamports: i64) -> Exit {
        let last = path.prices.last().copied().unwrap_or(0);
        let price = slipped(last, -draws.between(0.05, 0.5));
        let timestamp = self.entry_timestamp + MAX_HOLD + draws.micros(4 * SECOND);
        self.exit(draws, timestamp, price, lamports)
    }

    fn exit(&self, draws: &mut Draws, timestamp: i64, price: i64, lamports: i64) -> Exit {
        let (part, entry) = (i128::from(lamports), i128::from(self.entry_price));
        let proceeds = part * i128::from(price) / entry;
        let platform = (part + proceeds) * PLATFORM_FEE / 1_000;
        // A buy and a sale.
        let network: i64 = (0..2).map(|_| transaction(draws)).sum();
        let pnl_lamports = (proceeds - part - platform) as i64 - network;
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

/// The fees until a transaction went through.
fn transaction(draws: &mut Draws) -> i64 {
    let fee = 12_500 + draws.below(37_500) as i64;
    match draws.chance(FAILED) {
        true => fee + transaction(draws),
        false => fee,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: i64 = 1_000;

    /// What is sold, in percent of the position, at which position of prices a minute apart.
    fn sold(prices: &[i64]) -> (Vec<(usize, i64)>, i64) {
        let position = Position {
            entry_timestamp: 0,
            entry_price: ENTRY,
        };
        let minutes = 1..;
        let path = Path {
            timestamps: minutes.map(|at| at * MINUTE).take(prices.len()).collect(),
            prices: prices.to_vec(),
            volumes: Vec::new(),
            pumps: Vec::new(),
        };
        let (sales, left) = position.sales(&path, 0);
        let percent = |lamports: i64| lamports / (POSITION_LAMPORTS / 100);
        let sales = sales
            .into_iter()
            .map(|(at, lamports)| (at, percent(lamports)));
        (sales.collect(), percent(left))
    }

    #[test]
    fn a_position_is_sold_in_steps() {
        assert_eq!(sold(&[1_100, 1_119]), (vec![], 100));
        assert_eq!(sold(&[1_120, 1_200, 1_350]), (vec![(0, 40), (2, 30)], 30));
        // A jump over both steps, and a fall below the trail.
        assert_eq!(sold(&[2_000, 1_701, 1_700]), (vec![(0, 70), (2, 30)], 0));
        assert_eq!(sold(&[1_000, 801, 800]), (vec![(2, 100)], 0));
        assert_eq!(sold(&[1_000; 121]), (vec![(119, 100)], 0));
    }

    #[test]
    fn limits_keep_it_from_buying() {
        let trade = |entry: i64, pnl_lamports: i64| LiveTrade {
            entry_timestamp: entry * MINUTE,
            entry_price: ENTRY,
            exits: vec![Exit {
                timestamp: (entry + 30) * MINUTE,
                price: ENTRY,
                pnl_lamports,
            }],
            is_open: false,
        };
        let mut wallet = LiveWallet::default();
        assert!(wallet.takes(0, &trade(0, 0)));
        assert!(
            !wallet.takes(0, &trade(39, 0)),
            "before the cooldown is over"
        );
        assert!(wallet.takes(0, &trade(40, 0)));
        for token in 1..MAX_OPEN_POSITIONS {
            assert!(wallet.takes(token, &trade(41, 0)));
        }
        assert!(!wallet.takes(99, &trade(42, 0)), "all positions are open");
        assert!(wallet.takes(100, &trade(200, -MAX_DAILY_LOSS_LAMPORTS)));
        assert!(wallet.takes(101, &trade(229, 0)), "before the loss");
        assert!(!wallet.takes(102, &trade(230, 0)), "after the loss");
        assert!(wallet.takes(102, &trade(24 * 60, 0)), "on the next day");
    }
}

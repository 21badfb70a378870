//! Entry, and the walk along a token's prices to the exits of the parts of a position.

use num_traits::{One, Zero};

use super::number::{Number, whole};
use super::parameters::{ExitRules, ExitStrategy, FillModel};

/// Microseconds in a minute.
pub const MINUTE: i64 = 60_000_000;

/// One price of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Microseconds since 1970 UTC.
    pub timestamp: i64,
    /// SOL per token.
    pub price: Number,
}

/// The sale of some parts of a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// The number of the first of them, from 1 on.
    pub part: i64,
    /// Of the position.
    pub share_percent: Number,
    pub entry_timestamp: i64,
    pub entry_price: Number,
    pub exit_timestamp: i64,
    /// Exact; shown rounded to 18.
    pub exit_price: Number,
    pub exit_reason: &'static str,
    pub lowest_price: Number,
    pub highest_price: Number,
    /// What was crossed: parts that end at one price by one rule at one level are one sale.
    level: Number,
}

/// A part of a position before it is sold.
struct Part {
    share_percent: Number,
    target_percent: Option<Number>,
    is_moonbag: bool,
}

/// The position of the entry price: the first at or after the signal. `None` without one, or where
/// it is 0.
pub fn entry(prices: &[Price], signal_timestamp: i64) -> Option<usize> {
    let position = prices
        .iter()
        .position(|price| price.timestamp >= signal_timestamp)?;
    (prices[position].price != whole(0)).then_some(position)
}

/// The first of the sales: without ladder and moonbag, the exit of the position.
pub fn simulate_exit(prices: &[Price], signal_timestamp: i64, rules: &ExitRules) -> Option<Exit> {
    simulate_exits(prices, signal_timestamp, rules)
        .into_iter()
        .next()
}

/// The sales of a position, by part; none where it cannot be entered.
pub fn simulate_exits(prices: &[Price], signal_timestamp: i64, rules: &ExitRules) -> Vec<Exit> {
    let Some(start) = entry(prices, signal_timestamp) else {
        return vec![];
    };
    let mut sales: Vec<Exit> = Vec::new();
    for (position, part) in parts(rules).into_iter().enumerate() {
        let number = i64::try_from(position).unwrap() + 1;
        let sale = sell(&prices[start..], signal_timestamp, rules, &part, number);
        let alike = sales.iter_mut().find(|other| {
            other.exit_timestamp == sale.exit_timestamp
                && other.exit_reason == sale.exit_reason
                && other.level == sale.level
        });
        match alike {
            Some(other) => other.share_percent += sale.share_percent,
            None => sales.push(sale),
        }
    }
    sales
}

/// A step of the ladder each, what the steps leave over, and the moonbag.
fn parts(rules: &ExitRules) -> Vec<Part> {
    let moonbag = rules.moonbag_percent.clone().unwrap_or_else(Number::zero);
    let takes_profit = matches!(
        rules.exit_strategy,
        ExitStrategy::FixedTargets | ExitStrategy::Hybrid
    );
    let mut left = whole(100) - &moonbag;
    let mut parts = Vec::new();
    let mut target_percent = takes_profit.then(|| rules.take_profit_percent.clone());
    if takes_profit && !rules.take_profit_ladder.is_empty() {
        for (share, gain) in &rules.take_profit_ladder {
            left -= share;
            parts.push(Part {
                share_percent: share.clone(),
                target_percent: Some(gain.clone()),
                is_moonbag: false,
            });
        }
        target_percent = None;
    }
    parts.push(Part {
        share_percent: left,
        target_percent,
        is_moonbag: false,
    });
    parts.push(Part {
        share_percent: moonbag,
        target_percent: None,
        is_moonbag: true,
    });
    // What nothing is left of is no part.
    parts.retain(|part| !part.share_percent.is_zero());
    parts
}

/// Walks the prices, ascending by time, from the entry price on, that price included.
fn sell(
    prices: &[Price],
    signal_timestamp: i64,
    rules: &ExitRules,
    part: &Part,
    number: i64,
) -> Exit {
    let entry = &prices[0];
    let up = |percent: &Number| &entry.price * (Number::one() + percent / whole(100));
    let down = |price: &Number, percent: &Number| price * (Number::one() - percent / whole(100));

    let mut stop_percent = &rules.stop_loss_percent;
    let mut hold_minutes = rules.max_hold_minutes;
    if part.is_moonbag {
        stop_percent = rules
            .moonbag_stop_loss_percent
            .as_ref()
            .unwrap_or(stop_percent);
        hold_minutes = rules.moonbag_max_hold_minutes.unwrap_or(hold_minutes);
    }
    let is_trailing = matches!(
        rules.exit_strategy,
        ExitStrategy::TrailingStop | ExitStrategy::Hybrid
    );
    let is_trailing = is_trailing && !part.is_moonbag;
    let break_even = rules
        .break_even_percent
        .as_ref()
        .filter(|_| !part.is_moonbag);
    let stagnation = rules.stagnation_minutes.filter(|_| !part.is_moonbag);

    let stop = down(&entry.price, stop_percent);
    let target = part.target_percent.as_ref().map(up);
    let activation = up(&rules.trailing_activation_percent);
    let (mut lowest, mut highest) = (entry.price.clone(), entry.price.clone());
    let mut peak = entry;
    for (position, now) in prices.iter().enumerate() {
        lowest = lowest.min(now.price.clone());
        highest = highest.max(now.price.clone());
        let exit_at = |level: &Number, exit_price: Number, exit_reason| Exit {
            part: number,
            share_percent: part.share_percent.clone(),
            entry_timestamp: entry.timestamp,
            entry_price: entry.price.clone(),
            exit_timestamp: now.timestamp,
            exit_price,
            exit_reason,
            lowest_price: lowest.clone(),
            highest_price: highest.clone(),
            level: level.clone(),
        };
        let here = |exit_reason| exit_at(&now.price, now.price.clone(), exit_reason);
        let crossed = |level: &Number, exit_reason| {
            let fill = match rules.fill_model {
                FillModel::Level => level.clone(),
                FillModel::Observed => now.price.clone(),
                FillModel::Conservative => level.min(&now.price).clone(),
            };
            exit_at(level, fill, exit_reason)
        };
        // 1. Hold time is measured from the signal, not from the entry.
        if now.timestamp - signal_timestamp >= hold_minutes * MINUTE {
            return here("time_limit");
        }
        // 2. A price above the peak is the new peak.
        if now.price > peak.price {
            peak = now;
        }
        // 3. The stop loss protects every strategy.
        if now.price <= stop {
            return crossed(&stop, "stop_loss");
        }
        // 4.
        if let Some(target) = &target
            && now.price >= *target
        {
            return crossed(target, "take_profit");
        }
        // 5. What a peak has armed stays armed.
        if let Some(gain) = break_even
            && peak.price >= up(gain)
            && now.price <= entry.price
        {
            return crossed(&entry.price, "break_even");
        }
        // 6. The trail exists once the peak has exceeded the entry and reached the activation.
        let trail = down(&peak.price, &rules.trailing_stop_percent);
        if is_trailing && peak.price > entry.price && peak.price >= activation && now.price <= trail
        {
            return crossed(&trail, "trailing_stop");
        }
        // 7.
        if let Some(minutes) = stagnation
            && now.timestamp - peak.timestamp >= minutes * MINUTE
        {
            return here("stagnation");
        }
        // Prices run out: exit at the last one.
        if position + 1 == prices.len() {
            return here("end_of_data");
        }
    }
    unreachable!("a path has prices, of which the last ends it")
}

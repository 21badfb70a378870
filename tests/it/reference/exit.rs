//! Entry, and the walk along a token's prices to the exit.

use num_traits::One;

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

/// From where to where a position was held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    pub entry_timestamp: i64,
    pub entry_price: Number,
    pub exit_timestamp: i64,
    /// Exact; shown rounded to 18.
    pub exit_price: Number,
    pub exit_reason: &'static str,
}

/// The position of the entry price: the first at or after the signal. `None` without one, or where
/// it is 0.
pub fn entry(prices: &[Price], signal_timestamp: i64) -> Option<usize> {
    let position = prices
        .iter()
        .position(|price| price.timestamp >= signal_timestamp)?;
    (prices[position].price != whole(0)).then_some(position)
}

/// Walks the prices, ascending by time, from the entry price on, that price included.
pub fn simulate_exit(prices: &[Price], signal_timestamp: i64, rules: &ExitRules) -> Option<Exit> {
    let start = entry(prices, signal_timestamp)?;
    let entry = &prices[start];

    let (has_take_profit, has_trailing_stop) = match rules.exit_strategy {
        ExitStrategy::TrailingStop => (false, true),
        ExitStrategy::FixedTargets => (true, false),
        ExitStrategy::TimeBased => (false, false),
        ExitStrategy::Hybrid => (true, true),
    };
    let stop = &entry.price * (Number::one() - &rules.stop_loss_percent / whole(100));
    let target = &entry.price * (Number::one() + &rules.take_profit_percent / whole(100));
    let trail_share = Number::one() - &rules.trailing_stop_percent / whole(100);

    let exit_at = |at: &Price, exit_price: Number, exit_reason| Exit {
        entry_timestamp: entry.timestamp,
        entry_price: entry.price.clone(),
        exit_timestamp: at.timestamp,
        exit_price,
        exit_reason,
    };
    let fill = |level: &Number, observed: &Number| match rules.fill_model {
        FillModel::Level => level.clone(),
        FillModel::Observed => observed.clone(),
        FillModel::Conservative => level.min(observed).clone(),
    };

    let mut peak = entry.price.clone();
    let mut trail = None;
    for now in &prices[start..] {
        // 1. Hold time is measured from the signal, not from the entry.
        if now.timestamp - signal_timestamp >= rules.max_hold_minutes * MINUTE {
            return Some(exit_at(now, now.price.clone(), "time_limit"));
        }
        // 2. A new peak raises the trail, which exists once the peak has exceeded the entry.
        if now.price > peak {
            peak = now.price.clone();
            trail = Some(&peak * &trail_share);
        }
        // 3. The stop loss protects every strategy.
        if now.price <= stop {
            return Some(exit_at(now, fill(&stop, &now.price), "stop_loss"));
        }
        // 4.
        if has_take_profit && now.price >= target {
            return Some(exit_at(now, fill(&target, &now.price), "take_profit"));
        }
        // 5.
        if let Some(trail) = trail.as_ref().filter(|_| has_trailing_stop)
            && now.price <= *trail
        {
            return Some(exit_at(now, fill(trail, &now.price), "trailing_stop"));
        }
    }
    // Prices run out: exit at the last one.
    let last = &prices[prices.len() - 1];
    Some(exit_at(last, last.price.clone(), "end_of_data"))
}

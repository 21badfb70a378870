//! All prices of a dataset, sorted by token and time, as integers.
//!
//! A price is `mantissa / 10^scale` SOL per token, with one scale for each token, chosen when the
//! history is loaded so that every price of the token is exact. The columns are Arrow buffers, so
//! that a dataset on disk is used where it is mapped, without a copy.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use datafusion::arrow::buffer::ScalarBuffer;

use crate::extremes::Extremes;

/// The most fractional digits a price may have.
pub const PRICE_DIGITS_MAX: u8 = 18;

/// The prices of one token, ascending by timestamp, one for each instant.
#[derive(Debug, Clone)]
pub struct TokenPrices {
    /// Microseconds since 1970 UTC, strictly ascending.
    pub timestamps: ScalarBuffer<i64>,
    /// Price × 10^scale, never negative, below `i64::MAX`.
    pub mantissas: ScalarBuffer<i64>,
    /// Fractional digits of the mantissas, at most [`PRICE_DIGITS_MAX`].
    pub scale: u8,
    extremes: OnceLock<Arc<Extremes>>,
}

impl TokenPrices {
    pub fn new(timestamps: ScalarBuffer<i64>, mantissas: ScalarBuffer<i64>, scale: u8) -> Self {
        Self {
            timestamps,
            mantissas,
            scale,
            extremes: OnceLock::new(),
        }
    }

    /// The extremes of the prices, found once, in a thirty-second of the memory that they take.
    pub fn extremes(&self) -> &Extremes {
        let found = || Arc::new(Extremes::of(&self.mantissas));
        self.extremes.get_or_init(found)
    }

    /// The position of the first price at or after `timestamp`.
    pub fn first_at_or_after(&self, timestamp: i64) -> Option<usize> {
        let position = lower_bound(&self.timestamps, timestamp);
        (position < self.timestamps.len()).then_some(position)
    }

    /// The position of the last price at or before `timestamp`.
    pub fn last_at_or_before(&self, timestamp: i64) -> Option<usize> {
        self.timestamps
            .partition_point(|t| *t <= timestamp)
            .checked_sub(1)
    }
}

/// How many of these ascending instants are before `instant`.
///
/// Prices come at about even distances, so the place is guessed by proportion and searched from
/// there in steps that double, then by bisection: where bisection alone would wait for memory at
/// each of a dozen far places, this looks at a few that are near each other.
fn lower_bound(instants: &[i64], instant: i64) -> usize {
    let (Some(first), Some(last)) = (instants.first(), instants.last()) else {
        return 0;
    };
    if instant <= *first {
        return 0;
    }
    if instant > *last {
        return instants.len();
    }
    // From here on: first < instant <= last. The guess may be anywhere, the result is exact.
    let share =
        (instant.wrapping_sub(*first)) as u64 as f64 / (last.wrapping_sub(*first)) as u64 as f64;
    let end = instants.len() - 1;
    let guess = ((share * end as f64) as usize).min(end);
    let mut step = 4;
    // `instants[low] < instant <= instants[high]`, but for a `low` of 0.
    let (mut low, mut high);
    if instants[guess] < instant {
        low = guess;
        high = (guess + step).min(end);
        while instants[high] < instant {
            low = high;
            step *= 2;
            high = (high + step).min(end);
        }
    } else {
        high = guess;
        low = guess.saturating_sub(step);
        while low > 0 && instants[low] >= instant {
            high = low;
            step *= 2;
            low = low.saturating_sub(step);
        }
    }
    low + instants[low..high].partition_point(|at| *at < instant)
}

/// The prices of every token, found by address.
#[derive(Debug, Default)]
pub struct PriceBook {
    addresses: Vec<Arc<str>>,
    tokens: Vec<TokenPrices>,
    by_address: HashMap<Arc<str>, usize>,
}

impl PriceBook {
    /// A book of `tokens`; addresses are unique and each token has at least one price.
    pub fn new(tokens: impl IntoIterator<Item = (Arc<str>, TokenPrices)>) -> Self {
        let mut book = Self::default();
        for (address, prices) in tokens {
            book.by_address
                .insert(Arc::clone(&address), book.tokens.len());
            book.addresses.push(address);
            book.tokens.push(prices);
        }
        book
    }

    /// The number of tokens.
    pub fn token_count(&self) -> usize {
        self.tokens.len()
    }

    /// The number of prices of all tokens.
    pub fn price_count(&self) -> usize {
        self.tokens.iter().map(|t| t.timestamps.len()).sum()
    }

    /// The position of a token in the book, `None` where it has no price.
    pub fn position(&self, address: &str) -> Option<usize> {
        self.by_address.get(address).copied()
    }

    /// The address of the token at a position, `None` where there is no token.
    pub fn address(&self, position: usize) -> Option<&str> {
        self.addresses.get(position).map(|address| &**address)
    }

    /// The token at a position below [`Self::token_count`].
    #[inline]
    pub fn token(&self, position: usize) -> &TokenPrices {
        &self.tokens[position]
    }

    /// The prices of a token, `None` where it has none.
    pub fn prices(&self, address: &str) -> Option<&TokenPrices> {
        self.position(address).map(|position| self.token(position))
    }

    /// Every token with its prices, in the order of the book.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &TokenPrices)> {
        self.addresses.iter().zip(&self.tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_bound_is_that_of_bisection() {
        let even: Vec<i64> = (0..1000).map(|place| place * 60).collect();
        let uneven: Vec<i64> = (0..1000_i64).map(|place| place * place * place).collect();
        let mut gap = even.clone();
        gap.extend(even.iter().map(|at| at + 1_000_000_000));
        let extremes = vec![i64::MIN, -1, 0, 1, i64::MAX - 1, i64::MAX];
        let few = [vec![], vec![7], vec![7, 8]];
        for instants in [even, uneven, gap, extremes].iter().chain(&few) {
            let near = |at: &i64| [at.saturating_sub(1), *at, at.saturating_add(1)];
            let ends = [i64::MIN, 0, i64::MAX];
            for instant in instants.iter().flat_map(near).chain(ends) {
                let expected = instants.partition_point(|at| *at < instant);
                assert_eq!(lower_bound(instants, instant), expected, "{instant}");
            }
        }
    }
}

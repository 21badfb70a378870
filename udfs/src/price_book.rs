//! All prices of a dataset, sorted by token and time, as integers.
//!
//! A price is `mantissa / 10^scale` SOL per token, with one scale for each token, chosen when the
//! history is loaded so that every price of the token is exact. The columns are Arrow buffers, so
//! that a dataset on disk is used where it is mapped, without a copy.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::buffer::ScalarBuffer;

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
}

impl TokenPrices {
    /// The position of the first price at or after `timestamp`.
    pub fn first_at_or_after(&self, timestamp: i64) -> Option<usize> {
        let position = self.timestamps.partition_point(|t| *t < timestamp);
        (position < self.timestamps.len()).then_some(position)
    }

    /// The position of the last price at or before `timestamp`.
    pub fn last_at_or_before(&self, timestamp: i64) -> Option<usize> {
        self.timestamps
            .partition_point(|t| *t <= timestamp)
            .checked_sub(1)
    }
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

    /// The token at a position below [`Self::token_count`].
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

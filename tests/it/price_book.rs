//! The product's price book from the reference's prices.

use std::collections::BTreeMap;
use std::sync::Arc;

use hindsight_udfs::price_book::{PRICE_DIGITS_MAX, PriceBook, TokenPrices};
use num_traits::ToPrimitive;

use crate::reference::exit::Price;
use crate::reference::number::whole;

/// A book of these prices.
pub fn price_book(prices: &BTreeMap<String, Vec<Price>>) -> Arc<PriceBook> {
    Arc::new(PriceBook::new(prices.iter().map(token_prices)))
}

/// A token with its prices, with the least digits that keep all of them exact.
pub fn token_prices((address, prices): (&String, &Vec<Price>)) -> (Arc<str>, TokenPrices) {
    let scale = least_digits(prices);
    let scale = scale.unwrap_or_else(|| panic!("{address}: a price has too many digits"));
    let unit = whole(10).pow(scale.into());
    let mantissa = |price: &Price| (&price.price * &unit).to_integer().to_i64().unwrap();
    let tokens = TokenPrices::new(
        prices.iter().map(|price| price.timestamp).collect(),
        prices.iter().map(mantissa).collect(),
        scale,
    );
    (Arc::from(address.as_str()), tokens)
}

/// The least digits that write every one of these prices, `None` where none do.
pub fn least_digits(prices: &[Price]) -> Option<u8> {
    let of_price = |price: &Price| {
        let denominator = price.price.denom().to_u64()?;
        (0..=PRICE_DIGITS_MAX).find(|digits| 10_u64.pow((*digits).into()) % denominator == 0)
    };
    prices
        .iter()
        .try_fold(0, |most, price| Some(most.max(of_price(price)?)))
}

//! `price_at`: what a token cost at an instant.
//!
//! - Shape: scalar → `numeric(38,18)`.
//! - Input: a token's address, a timestamp.
//! - Output: the last known price at or before the timestamp, SOL per token.
//! - Nulls: null for a null argument, an unknown token, or an instant before its first price.
//! - Errors: an argument of a wrong type (22023).
//! - Order: does not matter.
//! - Source: the prices of the dataset.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::Decimal128Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};

use crate::arguments::{self, PRICE};
use crate::decimal::pow10;
use crate::price_book::{PRICE_DIGITS_MAX, PriceBook};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(
        Documentation::builder(
            DOC_SECTION_OTHER,
            "The last known price of a token at or before an instant. Unit: SOL per token, \
         numeric(38,18). Nulls: null for a null argument, an unknown token, or an instant before \
         the token's first price. Errors: an argument of a wrong type (22023). Source: \
         token_prices.",
            "price_at(token_address, timestamp)",
        )
        .with_sql_example("select price_at(token_address, timestamp) from signals limit 5")
        .with_argument("token_address", "address of the token")
        .with_argument("timestamp", "instant, timestamptz")
        .build(),
    )
});

/// The SQL function; see the head of this file.
#[derive(Debug)]
pub struct PriceAt {
    book: Arc<PriceBook>,
    signature: Signature,
}

impl PriceAt {
    /// The function over the prices of one dataset.
    pub fn new(book: Arc<PriceBook>) -> Self {
        Self {
            book,
            signature: arguments::signature(&[
                ("token_address", DataType::Utf8),
                ("timestamp", arguments::timestamp()),
            ]),
        }
    }
}

impl PartialEq for PriceAt {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.book, &other.book)
    }
}

impl Eq for PriceAt {}

impl Hash for PriceAt {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.book).hash(state);
    }
}

impl ScalarUDFImpl for PriceAt {
    fn name(&self) -> &str {
        "price_at"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(PRICE)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let tokens = arguments::strings("token_address", &args.args[0])?;
        let timestamps = arguments::timestamps("timestamp", &args.args[1])?;
        let prices: Decimal128Array = (0..args.number_rows)
            .map(|row| {
                let prices = self.book.prices(tokens.get(row)?)?;
                let position = prices.last_at_or_before(timestamps.get(row)?)?;
                let unit = pow10(u32::from(PRICE_DIGITS_MAX - prices.scale));
                Some(i128::from(prices.mantissas[position]) * unit)
            })
            .collect();
        Ok(ColumnarValue::Array(Arc::new(prices.with_data_type(PRICE))))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

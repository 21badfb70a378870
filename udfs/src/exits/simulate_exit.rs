//! `simulate_exit`: when and at which price a trade on a signal would have ended.
//!
//! - Shape: scalar → struct of `entry_timestamp, entry_price, exit_timestamp, exit_price,
//!   exit_reason, exit_price_exact, conservative_price_exact`.
//! - Input: token and instant of the signal, the rules; percentages as 15 for 15 %, whole minutes.
//! - Output: prices in SOL per token, `exit_price` rounded half to even to 18 digits, the exact
//!   ones with all 24; `conservative_price_exact` is what the same exit would have filled at with
//!   `conservative` fills.
//! - Nulls: null for a null argument, and where the token has no price at or after the signal or
//!   that price is 0: the signal could not be traded.
//! - Errors: an unknown strategy or fill model, a percentage or hold time below 0, a stop above
//!   100 % (22023).
//! - Order: does not matter; no price before the signal or after the exit is looked at.
//! - Source: the prices of the dataset.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, Decimal256Array, StringArray, StructArray, TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields, i256};
use datafusion::common::Result;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};

use super::rule::Sale;
use super::rule_arguments::{self, LastRules, RuleArguments, Rules};
use super::walk::Path;
use super::words::{ExitReason, FillModel, LEVEL_DIGITS};
use crate::arguments::{self, PRICE, refuse};
use crate::decimal::{format, pow10, rescale_half_even};
use crate::price_book::{PRICE_DIGITS_MAX, PriceBook, TokenPrices};

/// An exact level of a price with 18 digits and a percentage with 4.
pub const EXACT_PRICE: DataType = DataType::Decimal256(76, 24);

pub(super) static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("entry_timestamp", arguments::timestamp(), true),
        Field::new("entry_price", PRICE, true),
        Field::new("exit_timestamp", arguments::timestamp(), true),
        Field::new("exit_price", PRICE, true),
        Field::new("exit_reason", DataType::Utf8, true),
        Field::new("exit_price_exact", EXACT_PRICE, true),
        Field::new("conservative_price_exact", EXACT_PRICE, true),
    ])
});

static DOCUMENTATION: LazyLock<Documentation> =
    LazyLock::new(|| {
        arguments::with_example(Documentation::builder(
        DOC_SECTION_OTHER,
        "When and at which price a trade on a signal would have ended: a struct of \
         entry_timestamp, entry_price, exit_timestamp, exit_price (18 digits, rounded half to \
         even), exit_reason (time_limit, stop_loss, take_profit, trailing_stop or end_of_data), \
         exit_price_exact and conservative_price_exact (24 digits). Units: prices in SOL per \
         token, percentages as 15 for 15 %, hold time in whole minutes from the signal on. \
         Nulls: null for a null argument, and where the token has no price at or after the signal \
         or that price is 0. Errors: an unknown strategy or fill model, a percentage or hold time \
         out of its bounds (22023). Source: token_prices.",
        "simulate_exit(token_address, timestamp, exit_strategy, stop_loss_percent, \
         take_profit_percent, trailing_stop_percent, max_hold_minutes, fill_model)",
    )
    .with_sql_example(
        "select id, simulate_exit(token_address, timestamp, 'hybrid', 15, 50, 10, 60, 'level') \
         from signals limit 5",
    )
    .with_argument("token_address", "address of the token")
    .with_argument("timestamp", "instant of the signal")
    .with_argument(
        "exit_strategy",
        "trailing_stop, fixed_targets, time_based or hybrid",
    )
    .with_argument("stop_loss_percent", "percent below the entry price")
    .with_argument("take_profit_percent", "percent above the entry price")
    .with_argument("trailing_stop_percent", "percent below the peak")
    .with_argument("max_hold_minutes", "whole minutes from the signal on")
    .with_argument("fill_model", "level, observed or conservative")
    .build())
    });

/// The SQL function; see the head of this file.
#[derive(Debug)]
pub struct SimulateExit {
    book: Arc<PriceBook>,
    signature: Signature,
}

impl SimulateExit {
    /// The function over the prices of one dataset.
    pub fn new(book: Arc<PriceBook>) -> Self {
        Self {
            book,
            signature: arguments::signature(&rule_arguments::arguments()),
        }
    }
}

impl PartialEq for SimulateExit {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.book, &other.book)
    }
}

impl Eq for SimulateExit {}

impl Hash for SimulateExit {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.book).hash(state);
    }
}

impl ScalarUDFImpl for SimulateExit {
    fn name(&self) -> &str {
        "simulate_exit"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(FIELDS.clone()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [token, timestamp, rules @ ..] = &args.args[..] else {
            let found = args.args.len().to_string();
            return refuse("simulate_exit", "given 8 arguments", found);
        };
        let token = arguments::strings("token_address", token)?;
        let timestamp = arguments::timestamps("timestamp", timestamp)?;
        let rules = RuleArguments::read(rules)?;

        let mut exits = ExitColumns::with_capacity(args.number_rows);
        let mut last = LastRules::default();
        for row in 0..args.number_rows {
            let rules = rules.rules(row, &mut last)?;
            let exit = match (token.get(row), timestamp.get(row), rules) {
                (Some(token), Some(timestamp), Some(rules)) => {
                    self.simulate(token, timestamp, rules)?
                }
                _ => None,
            };
            exits.push(exit.as_ref());
        }
        let (columns, nulls) = exits.finish();
        let exits = StructArray::try_new(FIELDS.clone(), columns, Some(nulls))?;
        Ok(ColumnarValue::Array(Arc::new(exits)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

impl SimulateExit {
    fn simulate(
        &self,
        token: &str,
        timestamp: i64,
        rules: &Rules,
    ) -> Result<Option<SimulatedExit>> {
        let Some((prices, path)) = path(&self.book, token, timestamp) else {
            return Ok(None);
        };
        // Without ladder and moonbag there is one part.
        let [part] = &rules.parts[..] else {
            return Ok(None);
        };
        SimulatedExit::new(prices, &path, &path.end(1, part), rules).map(Some)
    }
}

/// The path of a signal, `None` where it cannot be traded.
pub(super) fn path<'a>(
    book: &'a PriceBook,
    token: &str,
    timestamp: i64,
) -> Option<(&'a TokenPrices, Path<'a>)> {
    let prices = book.prices(token)?;
    let entry = prices.first_at_or_after(timestamp)?;
    let path = Path {
        timestamps: &prices.timestamps,
        prices: &prices.mantissas,
        entry,
        signal_timestamp: timestamp,
    };
    (path.prices[entry] != 0).then_some((prices, path))
}

/// One row of the result, prices at 18 and 24 digits.
pub(super) struct SimulatedExit {
    entry_timestamp: i64,
    entry_price: i128,
    exit_timestamp: i64,
    exit_price: i128,
    exit_reason: ExitReason,
    exit_price_exact: i256,
    conservative_price_exact: i256,
}

/// What a price at this scale is multiplied with for 18 digits.
pub(super) fn unit(prices: &TokenPrices) -> i128 {
    pow10(u32::from(PRICE_DIGITS_MAX - prices.scale))
}

impl SimulatedExit {
    pub(super) fn new(
        prices: &TokenPrices,
        path: &Path<'_>,
        sale: &Sale,
        rules: &Rules,
    ) -> Result<Self> {
        let observed = path.prices[sale.position];
        let filled = sale.fill(observed, rules.fill_model);
        let conservative = sale.fill(observed, FillModel::Conservative);
        let unit = unit(prices);
        let exact = |price: i128| i256::from_i128(price).wrapping_mul(i256::from_i128(unit));
        let level_scale = prices.scale + LEVEL_DIGITS as u8;
        let exit_price = rescale_half_even(filled, level_scale as i8, PRICE_DIGITS_MAX as i8)
            .filter(|price| *price < pow10(38));
        let Some(exit_price) = exit_price else {
            return refuse(
                rules.target_argument,
                "small enough for the target to be a price",
                format(filled, level_scale as i8),
            );
        };
        Ok(Self {
            entry_timestamp: path.timestamps[path.entry],
            entry_price: i128::from(path.prices[path.entry]) * unit,
            exit_timestamp: path.timestamps[sale.position],
            exit_price,
            exit_reason: sale.reason,
            exit_price_exact: exact(filled),
            conservative_price_exact: exact(conservative),
        })
    }
}

/// The columns of [`FIELDS`].
#[derive(Default)]
pub(super) struct ExitColumns {
    valid: Vec<bool>,
    entry_timestamps: Vec<i64>,
    entry_prices: Vec<i128>,
    exit_timestamps: Vec<i64>,
    exit_prices: Vec<i128>,
    exit_reasons: Vec<&'static str>,
    exact: Vec<i256>,
    conservative: Vec<i256>,
}

impl ExitColumns {
    fn with_capacity(rows: usize) -> Self {
        Self {
            valid: Vec::with_capacity(rows),
            entry_timestamps: Vec::with_capacity(rows),
            entry_prices: Vec::with_capacity(rows),
            exit_timestamps: Vec::with_capacity(rows),
            exit_prices: Vec::with_capacity(rows),
            exit_reasons: Vec::with_capacity(rows),
            exact: Vec::with_capacity(rows),
            conservative: Vec::with_capacity(rows),
        }
    }

    pub(super) fn push(&mut self, exit: Option<&SimulatedExit>) {
        self.valid.push(exit.is_some());
        let exit = exit.unwrap_or(&SimulatedExit {
            entry_timestamp: 0,
            entry_price: 0,
            exit_timestamp: 0,
            exit_price: 0,
            exit_reason: ExitReason::EndOfData,
            exit_price_exact: i256::ZERO,
            conservative_price_exact: i256::ZERO,
        });
        self.entry_timestamps.push(exit.entry_timestamp);
        self.entry_prices.push(exit.entry_price);
        self.exit_timestamps.push(exit.exit_timestamp);
        self.exit_prices.push(exit.exit_price);
        self.exit_reasons.push(exit.exit_reason.name());
        self.exact.push(exit.exit_price_exact);
        self.conservative.push(exit.conservative_price_exact);
    }

    /// The columns, and where a row is null.
    pub(super) fn finish(self) -> (Vec<ArrayRef>, NullBuffer) {
        let valid = NullBuffer::from(self.valid);
        let nulls = || Some(valid.clone());
        let timestamps = |values: Vec<i64>| -> ArrayRef {
            let array = TimestampMicrosecondArray::new(values.into(), nulls());
            Arc::new(array.with_data_type(arguments::timestamp()))
        };
        let prices = |values: Vec<i128>| -> ArrayRef {
            Arc::new(Decimal128Array::new(values.into(), nulls()).with_data_type(PRICE))
        };
        let exact = |values: Vec<i256>| -> ArrayRef {
            Arc::new(Decimal256Array::new(values.into(), nulls()).with_data_type(EXACT_PRICE))
        };
        let (offsets, text, _) = StringArray::from(self.exit_reasons).into_parts();
        let columns: Vec<ArrayRef> = vec![
            timestamps(self.entry_timestamps),
            prices(self.entry_prices),
            timestamps(self.exit_timestamps),
            prices(self.exit_prices),
            Arc::new(StringArray::new(offsets, text, nulls())),
            exact(self.exact),
            exact(self.conservative),
        ];
        (columns, valid)
    }
}

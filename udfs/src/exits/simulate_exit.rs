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

use super::walk::{ExitReason, ExitRules, ExitStrategy, FillModel, LEVEL_DIGITS, fill, walk};
use crate::arguments::{self, PRICE, refuse};
use crate::decimal::{format, pow10, rescale_half_even};
use crate::price_book::{PRICE_DIGITS_MAX, PriceBook};

/// An exact level of a price with 18 digits and a percentage with 4.
pub const EXACT_PRICE: DataType = DataType::Decimal256(76, 24);
const MINUTE_MICROS: i64 = 60_000_000;

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
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
        let percent = DataType::Decimal128(9, 4);
        Self {
            book,
            signature: arguments::signature(&[
                ("token_address", DataType::Utf8),
                ("timestamp", arguments::timestamp()),
                ("exit_strategy", DataType::Utf8),
                ("stop_loss_percent", percent.clone()),
                ("take_profit_percent", percent.clone()),
                ("trailing_stop_percent", percent),
                ("max_hold_minutes", DataType::Int64),
                ("fill_model", DataType::Utf8),
            ]),
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
        let [token, timestamp, strategy, stop, target, trail, hold, model] = &args.args[..] else {
            return refuse(
                "simulate_exit",
                "given 8 arguments",
                args.args.len().to_string(),
            );
        };
        let token = arguments::strings("token_address", token)?;
        let timestamp = arguments::timestamps("timestamp", timestamp)?;
        let strategy = arguments::strings("exit_strategy", strategy)?;
        let stop = arguments::decimals("stop_loss_percent", stop, 4)?;
        let target = arguments::decimals("take_profit_percent", target, 4)?;
        let trail = arguments::decimals("trailing_stop_percent", trail, 4)?;
        let hold = arguments::integers("max_hold_minutes", hold)?;
        let model = arguments::strings("fill_model", model)?;

        let mut exits = Exits::with_capacity(args.number_rows);
        for row in 0..args.number_rows {
            let rules = match (
                strategy.get(row),
                stop.get(row),
                target.get(row),
                trail.get(row),
                hold.get(row),
                model.get(row),
            ) {
                (
                    Some(strategy),
                    Some(stop),
                    Some(target),
                    Some(trail),
                    Some(hold),
                    Some(model),
                ) => Some(exit_rules(strategy, stop, target, trail, hold, model)?),
                _ => None,
            };
            let exit = match (token.get(row), timestamp.get(row), rules) {
                (Some(token), Some(timestamp), Some((rules, model))) => {
                    self.simulate(token, timestamp, &rules, model)?
                }
                _ => None,
            };
            exits.push(exit);
        }
        Ok(ColumnarValue::Array(exits.finish()?))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

/// One row of the result, prices at 18 and 24 digits.
struct SimulatedExit {
    entry_timestamp: i64,
    entry_price: i128,
    exit_timestamp: i64,
    exit_price: i128,
    exit_reason: ExitReason,
    exit_price_exact: i256,
    conservative_price_exact: i256,
}

impl SimulateExit {
    fn simulate(
        &self,
        token: &str,
        timestamp: i64,
        rules: &ExitRules,
        model: FillModel,
    ) -> Result<Option<SimulatedExit>> {
        let Some(prices) = self.book.prices(token) else {
            return Ok(None);
        };
        let entry = prices.first_at_or_after(timestamp);
        let Some(entry) = entry.filter(|entry| prices.mantissas[*entry] != 0) else {
            return Ok(None);
        };
        let exit = walk(
            &prices.timestamps,
            &prices.mantissas,
            entry,
            timestamp,
            rules,
        );
        let (entry_price, observed) = (prices.mantissas[entry], prices.mantissas[exit.position]);
        let filled = fill(entry_price, observed, &exit, rules, model);
        let conservative = fill(entry_price, observed, &exit, rules, FillModel::Conservative);
        let missing_digits = u32::from(PRICE_DIGITS_MAX - prices.scale);
        let unit = pow10(missing_digits);
        let exact = |price: i128| i256::from_i128(price).wrapping_mul(i256::from_i128(unit));
        let level_scale = prices.scale + LEVEL_DIGITS as u8;
        let exit_price = rescale_half_even(filled, level_scale as i8, PRICE_DIGITS_MAX as i8)
            .filter(|price| *price < pow10(38));
        let Some(exit_price) = exit_price else {
            return refuse(
                "take_profit_percent",
                "small enough for the target to be a price",
                format(filled, level_scale as i8),
            );
        };
        Ok(Some(SimulatedExit {
            entry_timestamp: prices.timestamps[entry],
            entry_price: i128::from(entry_price) * unit,
            exit_timestamp: prices.timestamps[exit.position],
            exit_price,
            exit_reason: exit.reason,
            exit_price_exact: exact(filled),
            conservative_price_exact: exact(conservative),
        }))
    }
}

fn exit_rules(
    strategy: &str,
    stop: i128,
    target: i128,
    trail: i128,
    hold: i64,
    model: &str,
) -> Result<(ExitRules, FillModel)> {
    let hundred = 100 * pow10(4);
    let within = |name: &str, value: i128, most: i128| match i64::try_from(value) {
        Ok(number) if (0..=most).contains(&value) => Ok(number),
        _ => refuse(
            name,
            format!("between 0 and {}", format(most, 4)),
            format(value, 4),
        ),
    };
    let Ok(strategy) = strategy.parse::<ExitStrategy>() else {
        let known = ExitStrategy::NAMES.map(|(name, _)| name).join(", ");
        return refuse("exit_strategy", format!("one of {known}"), strategy);
    };
    let Ok(model) = model.parse::<FillModel>() else {
        let known = FillModel::NAMES.map(|(name, _)| name).join(", ");
        return refuse("fill_model", format!("one of {known}"), model);
    };
    let Some(max_hold_micros) = hold
        .checked_mul(MINUTE_MICROS)
        .filter(|micros| *micros >= 0)
    else {
        return refuse("max_hold_minutes", "0 or more", hold.to_string());
    };
    let rules = ExitRules::new(
        strategy,
        within("stop_loss_percent", stop, hundred)?,
        // Five digits before the point, as the type of percentages has.
        within("take_profit_percent", target, pow10(9) - 1)?,
        within("trailing_stop_percent", trail, hundred)?,
        max_hold_micros,
    );
    Ok((rules, model))
}

/// The columns of the result.
struct Exits {
    valid: Vec<bool>,
    entry_timestamps: Vec<i64>,
    entry_prices: Vec<i128>,
    exit_timestamps: Vec<i64>,
    exit_prices: Vec<i128>,
    exit_reasons: Vec<&'static str>,
    exact: Vec<i256>,
    conservative: Vec<i256>,
}

impl Exits {
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

    fn push(&mut self, exit: Option<SimulatedExit>) {
        self.valid.push(exit.is_some());
        let exit = exit.unwrap_or(SimulatedExit {
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

    fn finish(self) -> Result<ArrayRef> {
        let nulls = NullBuffer::from(self.valid);
        let nulls = || Some(nulls.clone());
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
        let reasons = StringArray::from(self.exit_reasons);
        let (offsets, text, _) = reasons.into_parts();
        let columns: Vec<ArrayRef> = vec![
            timestamps(self.entry_timestamps),
            prices(self.entry_prices),
            timestamps(self.exit_timestamps),
            prices(self.exit_prices),
            Arc::new(StringArray::new(offsets, text, nulls())),
            exact(self.exact),
            exact(self.conservative),
        ];
        Ok(Arc::new(StructArray::try_new(
            FIELDS.clone(),
            columns,
            nulls(),
        )?))
    }
}

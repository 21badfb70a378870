//! `simulate_exits`: when and at which prices the parts of a trade on a signal would have been sold.
//!
//! - Shape: scalar → list of structs, one for each sale, by part: `part, share_percent`, the fields
//!   of `simulate_exit`, `lowest_price, highest_price`.
//! - Input: as `simulate_exit`, and the rules beyond its own: a ladder such as `50@100, 25@300`,
//!   percentages as 15 for 15 %, whole minutes; null is none.
//! - Output: `part` is the number of the first of the parts that a sale is of, from 1 on;
//!   `share_percent` what is sold of the position, 100 in all; the lowest and the highest price from
//!   the entry to the exit, both included; prices in SOL per token.
//! - Nulls: a list of one null where `simulate_exit` gives null, so that each signal keeps a row where
//!   the list is unnested. A null of the arguments after the fill model is none.
//! - Errors: as `simulate_exit`; a text that is no ladder, a ladder and a moonbag that sum to more
//!   than 100 (22023).
//! - Order: does not matter; no price before the signal or after the last exit is looked at.
//! - Source: the prices of the dataset.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, Decimal128Array, Int64Array, ListArray, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};

use super::rule_arguments::{self, FURTHER_ARGUMENTS, LastRules, RuleArguments};
use super::simulate_exit::{self, ExitColumns, SimulatedExit, path, unit};
use super::walk::walk;
use crate::arguments::{self, PRICE, refuse};
use crate::price_book::PriceBook;

const PERCENT: DataType = DataType::Decimal128(9, 4);

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    let field = |name: &str, data_type: DataType| Arc::new(Field::new(name, data_type, true));
    let mut fields: Vec<FieldRef> = vec![
        field("part", DataType::Int64),
        field("share_percent", PERCENT),
    ];
    fields.extend(simulate_exit::FIELDS.iter().cloned());
    fields.push(field("lowest_price", PRICE));
    fields.push(field("highest_price", PRICE));
    fields.into()
});

fn sale() -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(FIELDS.clone()), true))
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    let documentation = Documentation::builder(
        DOC_SECTION_OTHER,
        "When and at which prices the parts of a trade on a signal would have been sold: a list of \
         structs, one for each sale, by part, of part (the number of the first part that it is of), \
         share_percent (of the position), the fields of simulate_exit (exit_reason also break_even \
         or stagnation), lowest_price and highest_price (from the entry to the exit, both \
         included). Units: as simulate_exit; a ladder such as '50@100, 25@300' sells 50 % of the \
         position at a gain of 100 % and 25 % at 300 %. Nulls: a list of one null where \
         simulate_exit gives null; a null of the arguments after the fill model is none. Errors: \
         as simulate_exit; a text that is no ladder, a ladder and a moonbag that sum to more than \
         100 (22023). Source: token_prices.",
        "simulate_exits(token_address, timestamp, exit_strategy, stop_loss_percent, \
         take_profit_percent, trailing_stop_percent, max_hold_minutes, fill_model, \
         take_profit_ladder, trailing_activation_percent, break_even_percent, stagnation_minutes, \
         moonbag_percent, moonbag_stop_loss_percent, moonbag_max_hold_minutes)",
    )
    .with_sql_example(
        "select id, unnest(simulate_exits(token_address, timestamp, 'hybrid', 15, 50, 10, 60, \
         'level', '50@20, 25@40', 5, 10, null, 5, 40, 240)) as sale from signals limit 5",
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
    .with_argument("take_profit_ladder", "steps share@gain, such as 50@100, 25@300")
    .with_argument("trailing_activation_percent", "gain of the peak that arms the trail")
    .with_argument(
        "break_even_percent",
        "gain of the peak from which on a fall to the entry price ends a part",
    )
    .with_argument("stagnation_minutes", "whole minutes from the last peak on")
    .with_argument("moonbag_percent", "share that has a stop and a hold limit alone")
    .with_argument("moonbag_stop_loss_percent", "its stop; null: stop_loss_percent")
    .with_argument("moonbag_max_hold_minutes", "its hold limit; null: max_hold_minutes");
    arguments::with_example(documentation.build())
});

/// The SQL function; see the head of this file.
#[derive(Debug)]
pub struct SimulateExits {
    book: Arc<PriceBook>,
    signature: Signature,
}

impl SimulateExits {
    /// The function over the prices of one dataset.
    pub fn new(book: Arc<PriceBook>) -> Self {
        let arguments = rule_arguments::arguments().into_iter();
        let arguments: Vec<_> = arguments.chain(FURTHER_ARGUMENTS).collect();
        Self {
            book,
            signature: arguments::signature(&arguments),
        }
    }
}

impl PartialEq for SimulateExits {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.book, &other.book)
    }
}

impl Eq for SimulateExits {}

impl Hash for SimulateExits {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.book).hash(state);
    }
}

impl ScalarUDFImpl for SimulateExits {
    fn name(&self) -> &str {
        "simulate_exits"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(sale()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [token, timestamp, rules @ ..] = &args.args[..] else {
            let found = args.args.len().to_string();
            return refuse("simulate_exits", "given 15 arguments", found);
        };
        let token = arguments::strings("token_address", token)?;
        let timestamp = arguments::timestamps("timestamp", timestamp)?;
        let rules = RuleArguments::read(rules)?;

        let mut sales = SaleColumns::default();
        let mut last = LastRules::default();
        for row in 0..args.number_rows {
            let start = sales.parts.len();
            let rules = rules.rules(row, &mut last)?;
            if let (Some(token), Some(timestamp), Some(rules)) =
                (token.get(row), timestamp.get(row), rules)
                && let Some((prices, path)) = path(&self.book, token, timestamp)
            {
                for sale in walk(&path, &rules.parts) {
                    let exit = SimulatedExit::new(prices, &path, &sale, rules)?;
                    let held = &path.prices[path.entry..=sale.position];
                    let extreme =
                        |price: Option<&i64>| price.map(|p| i128::from(*p) * unit(prices));
                    sales.exits.push(Some(&exit));
                    sales.parts.push(Some(sale.part.into()));
                    sales.shares.push(Some(sale.share.into()));
                    sales.lowest.push(extreme(held.iter().min()));
                    sales.highest.push(extreme(held.iter().max()));
                }
            }
            if sales.parts.len() == start {
                sales.push_null();
            }
            sales.lengths.push(sales.parts.len() - start);
        }
        Ok(ColumnarValue::Array(sales.finish()?))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

/// The columns of the result.
#[derive(Default)]
struct SaleColumns {
    /// Of each row, how many sales it has.
    lengths: Vec<usize>,
    parts: Vec<Option<i64>>,
    shares: Vec<Option<i128>>,
    exits: ExitColumns,
    lowest: Vec<Option<i128>>,
    highest: Vec<Option<i128>>,
}

impl SaleColumns {
    fn push_null(&mut self) {
        self.parts.push(None);
        self.shares.push(None);
        self.exits.push(None);
        self.lowest.push(None);
        self.highest.push(None);
    }

    fn finish(self) -> Result<ArrayRef> {
        let decimals = |values: Vec<Option<i128>>, data_type: DataType| -> ArrayRef {
            Arc::new(Decimal128Array::from(values).with_data_type(data_type))
        };
        let (exits, nulls) = self.exits.finish();
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(self.parts)),
            decimals(self.shares, PERCENT),
        ];
        columns.extend(exits);
        columns.push(decimals(self.lowest, PRICE));
        columns.push(decimals(self.highest, PRICE));
        let sales = StructArray::try_new(FIELDS.clone(), columns, Some(nulls))?;
        let offsets = OffsetBuffer::from_lengths(self.lengths);
        Ok(Arc::new(ListArray::try_new(
            sale(),
            offsets,
            Arc::new(sales),
            None,
        )?))
    }
}

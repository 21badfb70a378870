//! `sale_pnl`: what the sale of a part of a position earned, with every cost there is.
//!
//! - Shape: scalar → struct of `position_size_sol, gross_pnl_sol, slippage_cost_sol, gas_cost_sol,
//!   fees_sol, impact_cost_sol, net_pnl_sol, pnl_percent, is_win`.
//! - Input: size of the whole position in SOL, not rounded; share that is sold, in percent of it; prices
//!   in SOL per token, exact; slippage in percent of what is put in and of what the sale brings;
//!   platform fee in percent of both; gas, 0 where it is not to count; priority fee of a transaction
//!   and how many percent of them fail; the SOL side of the pool.
//! - Output: with `part = size × share` and `proceeds = part × exit/entry` rounded to 9: `gross = part ×
//!   (exit − entry)/entry` and `slippage = part × percent/100 + proceeds × percent/100`, each rounded to
//!   4; `fees = (part + proceeds) × percent/100 + 2 × priority fee × 100/(100 − failed percent)` and
//!   `impact = part × size/(pool + size) + proceeds²/(pool + proceeds)` of amounts rounded to 9, each
//!   rounded to 9; `net = gross − slippage − gas − fees − impact`; `pnl_percent = net / (part rounded to
//!   4) × 100` rounded to 2, 0 for a part of 0; a win has `net > 0`. Every rounding is half to even.
//! - Nulls: a pool of null has no impact; another null argument gives null, as an entry price of 0 does.
//! - Errors: a negative size, price or cost, a share above 100 %, failures of 100 % or more, a pool of 0
//!   (22023); a result that `numeric(20,9)` cannot hold (22003 where a price leaps, else 22023).
//! - Order: does not matter.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, BooleanArray, Decimal128Array, StructArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields, i256};
use datafusion::common::Result;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_MATH;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};

use super::costs::{ALL_PERCENT, Costs};
use super::trade_pnl::{TradePnl, does_not_fit, gain_and_stake, trade_pnl};
use crate::arguments::{self, PRICE, SOL, refuse};
use crate::decimal::format;
use crate::exits::simulate_exit::EXACT_PRICE;
use crate::scoring::position_size::SIZE_DIGITS;

const PERCENT: DataType = DataType::Decimal128(9, 4);

/// The arguments that are decimals of 128 bits, with the digits they are read with.
const DECIMALS: [(&str, DataType, i8); 10] = [
    (
        "position_size_sol",
        DataType::Decimal128(38, SIZE_DIGITS as i8),
        SIZE_DIGITS as i8,
    ),
    ("share_percent", PERCENT, 4),
    ("entry_price", PRICE, 18),
    ("slippage_percent", PERCENT, 4),
    ("exit_slippage_percent", PERCENT, 4),
    ("platform_fee_percent", PERCENT, 4),
    ("gas_cost_sol", SOL, 9),
    ("priority_fee_sol", SOL, 9),
    ("failed_transaction_percent", PERCENT, 4),
    ("pool_sol", SOL, 9),
];
/// Where the exit price stands among the arguments.
const EXIT_PRICE: usize = 3;

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("position_size_sol", SOL, true),
        Field::new("gross_pnl_sol", SOL, true),
        Field::new("slippage_cost_sol", SOL, true),
        Field::new("gas_cost_sol", SOL, true),
        Field::new("fees_sol", SOL, true),
        Field::new("impact_cost_sol", SOL, true),
        Field::new("net_pnl_sol", SOL, true),
        Field::new("pnl_percent", DataType::Decimal128(38, 2), true),
        Field::new("is_win", DataType::Boolean, true),
    ])
});

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(Documentation::builder(
        DOC_SECTION_MATH,
        "What the sale of a part of a position earned: a struct of position_size_sol (of the part, \
         rounded to 4), gross_pnl_sol = part × (exit − entry)/entry and slippage_cost_sol = part × \
         percent/100 + proceeds × percent/100 (each rounded to 4), gas_cost_sol, fees_sol = (part + \
         proceeds) × percent/100 + 2 × priority fee × 100/(100 − failed percent) and impact_cost_sol = \
         part × size/(pool + size) + proceeds²/(pool + proceeds) (each rounded to 9), net_pnl_sol = gross \
         − slippage − gas − fees − impact, pnl_percent = net / rounded part × 100 (rounded to 2, 0 for a \
         part of 0), is_win (net above 0); part = size × share/100, proceeds = part × exit/entry rounded \
         to 9. Units: SOL, SOL per token, percent as 1 for 1 %. Every rounding is half to even. Nulls: a \
         null pool has no impact; another null argument or an entry price of 0 gives null. Errors: a \
         negative argument, a share above 100 %, failures of 100 % or more, a pool of 0 (22023), an \
         amount that numeric(20,9) cannot hold (22003 where a price leaps, else 22023).",
        "sale_pnl(position_size_sol, share_percent, entry_price, exit_price, slippage_percent, \
         exit_slippage_percent, platform_fee_percent, gas_cost_sol, priority_fee_sol, \
         failed_transaction_percent, pool_sol)",
    )
    .with_sql_example(
        "select sale_pnl(0.12, 50, 0.002, 0.0023, 1, 0.5, 1, 0.0001, 0.0005, 20, 85)",
    )
    .with_argument("position_size_sol", "SOL of the whole position, not rounded")
    .with_argument("share_percent", "percent of the position that is sold")
    .with_argument("entry_price", "SOL per token")
    .with_argument("exit_price", "SOL per token, exact")
    .with_argument("slippage_percent", "percent of what is put in")
    .with_argument("exit_slippage_percent", "percent of what the sale brings")
    .with_argument("platform_fee_percent", "percent of the buy and of the sale")
    .with_argument("gas_cost_sol", "SOL, 0 where gas does not count")
    .with_argument("priority_fee_sol", "SOL for each transaction that is sent")
    .with_argument("failed_transaction_percent", "percent of those sent that fail")
    .with_argument("pool_sol", "SOL side of the pool, null where it does not matter")
    .build())
});

/// The SQL function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SalePnl {
    signature: Signature,
}

impl Default for SalePnl {
    fn default() -> Self {
        let mut arguments = DECIMALS
            .map(|(name, data_type, _)| (name, data_type))
            .to_vec();
        arguments.insert(EXIT_PRICE, ("exit_price", EXACT_PRICE));
        Self {
            signature: arguments::signature(&arguments),
        }
    }
}

impl ScalarUDFImpl for SalePnl {
    fn name(&self) -> &str {
        "sale_pnl"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(FIELDS.clone()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut values = args.args;
        if values.len() != DECIMALS.len() + 1 {
            return refuse("sale_pnl", "given 11 arguments", values.len().to_string());
        }
        let exits = arguments::wide_decimals("exit_price", &values.remove(EXIT_PRICE), 24)?;
        let columns = DECIMALS.iter().zip(&values);
        let columns = columns
            .map(|((name, _, digits), value)| arguments::decimals(name, value, *digits))
            .collect::<Result<Vec<_>>>()?;
        let rows = (0..args.number_rows).map(|row| {
            let mut given = [None; DECIMALS.len()];
            for ((given, column), (name, _, digits)) in
                given.iter_mut().zip(&columns).zip(&DECIMALS)
            {
                *given = column.get(row);
                if let Some(value) = given.filter(|value| *value < 0) {
                    return refuse(name, "0 or more", format(value, *digits));
                }
            }
            match exits.get(row) {
                Some(exit) if exit < i256::ZERO => {
                    refuse("exit_price", "0 or more", exit.to_string())
                }
                exit => sale(given, exit),
            }
        });
        Ok(ColumnarValue::Array(columns_of(
            &rows.collect::<Result<Vec<_>>>()?,
        )?))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

/// The PnL of one row, from the values of [`DECIMALS`], none of which is below 0.
fn sale(given: [Option<i128>; DECIMALS.len()], exit: Option<i256>) -> Result<Option<TradePnl>> {
    let (
        [
            Some(size),
            Some(share),
            Some(entry),
            Some(slippage_percent),
            Some(exit_slippage_percent),
            Some(platform_fee_percent),
            Some(gas),
            Some(priority_fee),
            Some(failed_transaction_percent),
            pool,
        ],
        Some(exit),
    ) = (given, exit)
    else {
        return Ok(None);
    };
    if share > ALL_PERCENT {
        return refuse("share_percent", "100 or less", format(share, 4));
    }
    if failed_transaction_percent >= ALL_PERCENT {
        let found = format(failed_transaction_percent, 4);
        return refuse("failed_transaction_percent", "below 100", found);
    }
    if pool == Some(0) {
        return refuse("pool_sol", "above 0, or null", "0");
    }
    if entry == 0 {
        return Ok(None);
    }
    let costs = Costs {
        slippage_percent,
        exit_slippage_percent,
        platform_fee_percent,
        gas,
        priority_fee,
        failed_transaction_percent,
        pool,
    };
    let share = i64::try_from(share).unwrap_or(i64::MAX);
    let returned = gain_and_stake(entry, exit);
    match returned.and_then(|(gain, stake)| trade_pnl(size, share, gain, stake, &costs)) {
        Some(pnl) => Ok(Some(pnl)),
        None => does_not_fit(size, entry, exit, returned),
    }
}

fn columns_of(rows: &[Option<TradePnl>]) -> Result<ArrayRef> {
    let amounts = |pick: fn(&TradePnl) -> i128, data_type: DataType| -> ArrayRef {
        let values: Decimal128Array = rows.iter().map(|row| row.as_ref().map(pick)).collect();
        Arc::new(values.with_data_type(data_type))
    };
    let is_win: BooleanArray = rows.iter().map(|row| row.map(|pnl| pnl.net > 0)).collect();
    let nulls: NullBuffer = rows.iter().map(Option::is_some).collect();
    Ok(Arc::new(StructArray::try_new(
        FIELDS.clone(),
        vec![
            amounts(|pnl| pnl.position_size, SOL),
            amounts(|pnl| pnl.gross, SOL),
            amounts(|pnl| pnl.slippage, SOL),
            amounts(|pnl| pnl.gas, SOL),
            amounts(|pnl| pnl.fees, SOL),
            amounts(|pnl| pnl.impact, SOL),
            amounts(|pnl| pnl.net, SOL),
            amounts(|pnl| pnl.percent, DataType::Decimal128(38, 2)),
            Arc::new(is_win),
        ],
        Some(nulls),
    )?))
}

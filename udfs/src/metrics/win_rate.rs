//! `win_rate`: the share of trades that won.
//!
//! - Shape: aggregate over PnL → `numeric(7,2)`.
//! - Input: PnL of each trade in SOL, up to 9 fractional digits.
//! - Output: `wins / trades × 100` in percent, rounded half to even to 2 digits; a win has PnL above 0.
//! - Nulls: null PnL is no trade; no trade gives 0.
//! - Errors: PnL that is no number or has more than 9 fractional digits (22023); `DISTINCT`.
//! - Order: does not matter.

use std::sync::LazyLock;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::aggregate_doc_sections::DOC_SECTION_GENERAL;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Documentation, Signature};

use super::totals::{Totals, TotalsAccumulator, state_fields};
use crate::arguments::{self, SOL};
use crate::decimal::divide_half_even;

/// Percent × 100.
pub fn win_rate(totals: &Totals) -> i128 {
    match totals.trades {
        0 => 0,
        trades => divide_half_even(i128::from(totals.wins) * 10_000, trades.into()),
    }
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(Documentation::builder(
        DOC_SECTION_GENERAL,
        "The share of trades that won: wins / trades × 100 in percent as numeric(7,2), rounded half \
         to even; a win has PnL above 0. Unit of the input: SOL. Nulls: null PnL is no trade; no \
         trade gives 0. Errors: PnL with more than 9 fractional digits (22023).",
        "win_rate(pnl)",
    )
    .with_sql_example("select win_rate(realized_pnl_sol) from trade_outcomes")
    .with_argument("pnl", "PnL of a trade, SOL")
    .build())
});

/// The SQL function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WinRate {
    signature: Signature,
}

impl Default for WinRate {
    fn default() -> Self {
        Self {
            signature: arguments::signature(&[("pnl", SOL)]),
        }
    }
}

impl AggregateUDFImpl for WinRate {
    fn name(&self) -> &str {
        "win_rate"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(7, 2))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        TotalsAccumulator::boxed(&args, |totals| {
            Ok(ScalarValue::Decimal128(Some(win_rate(totals)), 7, 2))
        })
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(&args))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_wins_above_zero() {
        let mut totals = Totals::default();
        assert_eq!(win_rate(&totals), 0);
        for pnl in [1, 0, -1] {
            totals.add(pnl);
        }
        assert_eq!(win_rate(&totals), 3333);
    }
}

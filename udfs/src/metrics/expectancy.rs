//! `expectancy`: what a trade earned on average.
//!
//! - Shape: aggregate over PnL → `numeric(20,9)`.
//! - Input: PnL of each trade in SOL, up to 9 fractional digits.
//! - Output: `total PnL / trades` in SOL, the total rounded to 4 digits first, rounded half to even to 4.
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

use super::totals::{LAMPORTS_PER_UNIT, Totals, TotalsAccumulator, rounded_units, state_fields};
use crate::arguments::{self, SOL};
use crate::decimal::divide_half_even;

/// Lamports.
pub fn expectancy(totals: &Totals) -> i128 {
    let total = rounded_units(totals.gross_profit - totals.gross_loss);
    match totals.trades {
        0 => 0,
        trades => divide_half_even(total, trades.into()) * LAMPORTS_PER_UNIT,
    }
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(Documentation::builder(
        DOC_SECTION_GENERAL,
        "What a trade earned on average: total PnL / trades in SOL as numeric(20,9), the total rounded \
         to 4 digits first, rounded half to even to 4. Unit of the input: SOL. Nulls: null PnL is no \
         trade; no trade gives 0. Errors: PnL with more than 9 fractional digits (22023).",
        "expectancy(pnl)",
    )
    .with_sql_example("select expectancy(realized_pnl_sol) from trade_outcomes")
    .with_argument("pnl", "PnL of a trade, SOL")
    .build())
});

/// The SQL function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Expectancy {
    signature: Signature,
}

impl Default for Expectancy {
    fn default() -> Self {
        Self {
            signature: arguments::signature(&[("pnl", SOL)]),
        }
    }
}

impl AggregateUDFImpl for Expectancy {
    fn name(&self) -> &str {
        "expectancy"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(SOL)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        TotalsAccumulator::boxed(&args, |totals| {
            Ok(ScalarValue::Decimal128(Some(expectancy(totals)), 20, 9))
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
    fn averages_the_rounded_total() {
        let mut totals = Totals::default();
        assert_eq!(expectancy(&totals), 0);
        for pnl in [300_000, -100_000, 50_000] {
            totals.add(pnl);
        }
        // 0.00025 rounds to 0.0002, a third of which is 0.0000666…, so 0.0001.
        assert_eq!(expectancy(&totals), 100_000);
    }
}

//! `profit_factor`: how much was won for each SOL lost.
//!
//! - Shape: aggregate over PnL → `numeric(38,2)`.
//! - Input: PnL of each trade in SOL, up to 9 fractional digits.
//! - Output: `gross profit / gross loss`, both rounded to 4 digits first, rounded half to even to 2.
//! - Nulls: null PnL is no trade; null where nothing was lost.
//! - Errors: PnL that is no number or has more than 9 fractional digits (22023); `DISTINCT`.
//! - Order: does not matter.

use std::sync::LazyLock;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::aggregate_doc_sections::DOC_SECTION_GENERAL;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Documentation, Signature};

use super::totals::{Totals, TotalsAccumulator, rounded_units, state_fields};
use crate::arguments::{self, SOL};
use crate::decimal::multiply_divide_half_even;

/// The factor × 100, `None` without loss.
pub fn profit_factor(totals: &Totals) -> Option<i128> {
    let (profit, loss) = (
        rounded_units(totals.gross_profit),
        rounded_units(totals.gross_loss),
    );
    (loss != 0)
        .then(|| multiply_divide_half_even(profit, 100, loss))
        .flatten()
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(Documentation::builder(
        DOC_SECTION_GENERAL,
        "How much was won for each SOL lost: gross profit / gross loss as numeric(38,2), both rounded \
         to 4 digits first, rounded half to even to 2. Unit of the input: SOL. Nulls: null PnL is no \
         trade; null where nothing was lost. Errors: PnL with more than 9 fractional digits (22023).",
        "profit_factor(pnl)",
    )
    .with_sql_example("select profit_factor(realized_pnl_sol) from trade_outcomes")
    .with_argument("pnl", "PnL of a trade, SOL")
    .build())
});

/// The SQL function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ProfitFactor {
    signature: Signature,
}

impl Default for ProfitFactor {
    fn default() -> Self {
        Self {
            signature: arguments::signature(&[("pnl", SOL)]),
        }
    }
}

impl AggregateUDFImpl for ProfitFactor {
    fn name(&self) -> &str {
        "profit_factor"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(38, 2))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        TotalsAccumulator::boxed(&args, |totals| {
            Ok(ScalarValue::Decimal128(profit_factor(totals), 38, 2))
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
    fn is_null_without_loss() {
        let mut totals = Totals::default();
        totals.add(300_000);
        assert_eq!(profit_factor(&totals), None);
        totals.add(-200_000);
        assert_eq!(profit_factor(&totals), Some(150));
    }
}

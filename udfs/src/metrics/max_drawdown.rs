//! `max_drawdown`: the largest fall of the running PnL below its peak.
//!
//! - Shape: aggregate over PnL → `numeric(20,9)`.
//! - Input: PnL of each trade in SOL, up to 9 fractional digits.
//! - Output: SOL, 0 or more, rounded half to even to 4 digits; the peak starts at 0.
//! - Nulls: null PnL is no trade; no trade gives 0.
//! - Errors: PnL that is no number or has more than 9 fractional digits (22023); `DISTINCT`.
//! - Order: `ORDER BY` inside the call says it, and equals in it go by their PnL, the smallest first;
//!   without it the order of arrival, as in a window.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::aggregate_doc_sections::DOC_SECTION_GENERAL;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Documentation, Signature};

use super::in_order::{InOrderAccumulator, state_fields};
use super::totals::{LAMPORTS_PER_UNIT, rounded_units};
use crate::arguments::{self, SOL};

/// The running sum of PnL, its peak and its largest fall; lamports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drawdown {
    pub(super) sum: i128,
    pub(super) peak: i128,
    pub(super) fall: i128,
}

impl Drawdown {
    /// Takes the next trade in.
    pub fn add(&mut self, pnl: i128) {
        self.sum = self.sum.saturating_add(pnl);
        self.peak = self.peak.max(self.sum);
        self.fall = self.fall.max(self.peak.saturating_sub(self.sum));
    }

    /// Lamports, rounded to 4 digits of a SOL.
    pub fn rounded(&self) -> i128 {
        rounded_units(self.fall) * LAMPORTS_PER_UNIT
    }
}

/// Lamports, rounded to 4 digits of a SOL.
pub fn max_drawdown(pnl: &mut dyn Iterator<Item = i128>) -> i128 {
    let mut drawdown = Drawdown::default();
    pnl.for_each(|pnl| drawdown.add(pnl));
    drawdown.rounded()
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(Documentation::builder(
        DOC_SECTION_GENERAL,
        "The largest fall of the running PnL below its peak, which starts at 0: SOL as numeric(20,9), \
         rounded half to even to 4 digits. Unit of the input: SOL. Nulls: null PnL is no trade; no \
         trade gives 0. Errors: PnL with more than 9 fractional digits (22023). Order: by the ORDER \
         BY inside the call, equals by their PnL; without it as rows arrive.",
        "max_drawdown(pnl ORDER BY exit_timestamp)",
    )
    .with_sql_example("select max_drawdown(realized_pnl_sol order by exit_timestamp) from trade_outcomes")
    .with_argument("pnl", "PnL of a trade, SOL")
    .build())
});

/// The SQL function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct MaxDrawdown {
    signature: Signature,
}

impl Default for MaxDrawdown {
    fn default() -> Self {
        Self {
            signature: arguments::signature(&[("pnl", SOL)]),
        }
    }
}

impl AggregateUDFImpl for MaxDrawdown {
    fn name(&self) -> &str {
        "max_drawdown"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(SOL)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        InOrderAccumulator::boxed(&args, |pnl| {
            ScalarValue::Decimal128(Some(max_drawdown(pnl)), 20, 9)
        })
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state_fields(&args))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        // The keys come along and are sorted here, so no plan needs to sort for this function.
        AggregateOrderSensitivity::Beneficial
    }

    fn with_beneficial_ordering(
        self: Arc<Self>,
        _: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(Some(self))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_from_a_peak_of_zero() {
        let fall = |pnl: &[i128]| max_drawdown(&mut pnl.iter().map(|units| units * 100_000));
        assert_eq!(fall(&[]), 0);
        assert_eq!(fall(&[-3]), 300_000);
        assert_eq!(fall(&[5, -3, 2, -6, 9]), 700_000);
        assert_eq!(fall(&[1, 2, 3]), 0);
    }
}

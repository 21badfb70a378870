//! `max_consecutive_losses`: the longest run of trades that did not win.
//!
//! - Shape: aggregate over PnL → `bigint`.
//! - Input: PnL of each trade in SOL, up to 9 fractional digits.
//! - Output: a count of trades; all that has no PnL above 0 is a loss.
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
use crate::arguments::{self, SOL};

/// The current and the longest run of losses; counts of trades.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LossRuns {
    pub(super) current: i64,
    pub longest: i64,
}

impl LossRuns {
    /// Takes the next trade in.
    pub fn add(&mut self, pnl: i128) {
        self.current = if pnl > 0 { 0 } else { self.current + 1 };
        self.longest = self.longest.max(self.current);
    }
}

/// A count of trades.
pub fn max_consecutive_losses(pnl: &mut dyn Iterator<Item = i128>) -> i64 {
    let mut runs = LossRuns::default();
    pnl.for_each(|pnl| runs.add(pnl));
    runs.longest
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(Documentation::builder(
        DOC_SECTION_GENERAL,
        "The longest run of trades that did not win, as bigint; all that has no PnL above 0 is a loss. \
         Unit of the input: SOL. Nulls: null PnL is no trade; no trade gives 0. Errors: PnL with more \
         than 9 fractional digits (22023). Order: by the ORDER BY inside the call, equals by \
         their PnL; without it as rows arrive.",
        "max_consecutive_losses(pnl ORDER BY exit_timestamp)",
    )
    .with_sql_example("select max_consecutive_losses(realized_pnl_sol order by exit_timestamp) from trade_outcomes")
    .with_argument("pnl", "PnL of a trade, SOL")
    .build())
});

/// The SQL function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct MaxConsecutiveLosses {
    signature: Signature,
}

impl Default for MaxConsecutiveLosses {
    fn default() -> Self {
        Self {
            signature: arguments::signature(&[("pnl", SOL)]),
        }
    }
}

impl AggregateUDFImpl for MaxConsecutiveLosses {
    fn name(&self) -> &str {
        "max_consecutive_losses"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        InOrderAccumulator::boxed(&args, |pnl| {
            ScalarValue::Int64(Some(max_consecutive_losses(pnl)))
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
    fn a_trade_at_zero_is_a_loss() {
        let longest = |pnl: &[i128]| max_consecutive_losses(&mut pnl.iter().copied());
        assert_eq!(longest(&[]), 0);
        assert_eq!(longest(&[-1, 0, 1, -1]), 2);
        assert_eq!(longest(&[1, 1]), 0);
    }
}

//! `sqn`: the system quality number: how sure the average trade is to be above 0.
//!
//! - Shape: aggregate over PnL → `numeric(38,4)`.
//! - Input: PnL of each trade in SOL, up to 9 fractional digits.
//! - Output: `√n × mean / √(Σ(p − mean)²/(n − 1))`, exact up to one rounding half to
//!   even to 4 digits.
//! - Nulls: null PnL is no trade; fewer than 2 trades, or trades that are all equal, give null.
//! - Errors: PnL that is no number or has more than 9 fractional digits, or amounts too many and too
//!   large to be worked out (22023); `DISTINCT`.
//! - Order: does not matter.

use std::sync::LazyLock;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::aggregate_doc_sections::DOC_SECTION_STATISTICAL;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Documentation, Signature};

use super::moments::{Moments, MomentsAccumulator, RATIO, state_fields};
use crate::arguments::{self, SOL};

/// × 10^4.
pub fn sqn(trades: &Moments) -> Result<Option<i128>> {
    if trades.count < 2 {
        return Ok(None);
    }
    // √n × S/n ÷ √((n × Q − S²)/(n × (n − 1))) = S × √((n − 1) / (n × Q − S²))
    trades.ratio(i128::from(trades.count - 1), trades.spread())
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(Documentation::builder(
        DOC_SECTION_STATISTICAL,
        "The system quality number, √n × mean / standard deviation (with n − 1) of the PnL of n trades, as \
         numeric(38,4), exact up to one rounding half to even to 4. Unit of the input: SOL. Nulls: \
         null PnL is no trade; fewer than 2 trades, or trades that are all equal, give null. Errors: \
         PnL with more than 9 fractional digits, amounts too large to be worked out (22023).",
        "sqn(pnl)",
    )
    .with_sql_example("select sqn(realized_pnl_sol) from trade_outcomes")
    .with_argument("pnl", "PnL of a trade, SOL")
    .build())
});

/// The SQL function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Sqn {
    signature: Signature,
}

impl Default for Sqn {
    fn default() -> Self {
        Self {
            signature: arguments::signature(&[("pnl", SOL)]),
        }
    }
}

impl AggregateUDFImpl for Sqn {
    fn name(&self) -> &str {
        "sqn"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(RATIO)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        MomentsAccumulator::boxed(&args, sqn)
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
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn grows_with_the_root_of_the_count() {
        let number = |trades: &[i128]| {
            let mut moments = Moments::default();
            trades.iter().for_each(|pnl| moments.add(*pnl));
            sqn(&moments).unwrap()
        };
        assert_eq!(number(&[]), None);
        assert_eq!(number(&[3]), None);
        assert_eq!(number(&[3, 3]), None);
        // Mean 2, deviation √2: √2 × 2/√2.
        assert_eq!(number(&[1, 3]), Some(20_000));
        assert_eq!(number(&[-1, -3]), Some(-20_000));
    }
}

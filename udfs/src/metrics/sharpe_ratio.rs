//! `sharpe_ratio`: how much a day earns beside how much days differ, for a year.
//!
//! - Shape: aggregate over PnL → `numeric(38,4)`.
//! - Input: PnL of each day in SOL, empty days being 0, up to 9 fractional digits.
//! - Output: `mean / √(Σ(d − mean)²/(N − 1)) × √365`, exact up to one rounding half to
//!   even to 4 digits.
//! - Nulls: null PnL is no day; fewer than 2 days, or days that are all equal, give null.
//! - Errors: PnL that is no number or has more than 9 fractional digits, or amounts too many and too
//!   large to be worked out (22023); `DISTINCT`.
//! - Order: does not matter.

use std::sync::LazyLock;

use datafusion::arrow::datatypes::{DataType, FieldRef, i256};
use datafusion::common::Result;
use datafusion::logical_expr::aggregate_doc_sections::DOC_SECTION_STATISTICAL;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Documentation, Signature};

use super::moments::{Moments, MomentsAccumulator, RATIO, YEAR_DAYS, state_fields};
use crate::arguments::{self, SOL};

/// × 10^4.
pub fn sharpe_ratio(days: &Moments) -> Result<Option<i128>> {
    if days.count < 2 {
        return Ok(None);
    }
    // S/N ÷ √((N × Q − S²)/(N × (N − 1))) × √365 = S × √(365 × (N − 1) / (N × (N × Q − S²)))
    let spread = days.spread();
    let below = spread.and_then(|spread| spread.checked_mul(i256::from_i128(days.count.into())));
    days.ratio(i128::from(YEAR_DAYS) * i128::from(days.count - 1), below)
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(Documentation::builder(
        DOC_SECTION_STATISTICAL,
        "How much a day earns beside how much days differ, for a year: mean / standard deviation (with \
         N − 1) × √365 over the PnL of days, as numeric(38,4), exact up to one rounding half to even \
         to 4. Unit of the input: SOL of each day, empty days being 0. Nulls: null PnL is no day; \
         fewer than 2 days, or days that are all equal, give null. Errors: PnL with more than 9 \
         fractional digits, amounts too large to be worked out (22023).",
        "sharpe_ratio(pnl)",
    )
    .with_sql_example("select sharpe_ratio(simulated_pnl_sol) from daily_pnl()")
    .with_argument("pnl", "PnL of a day, SOL")
    .build())
});

/// The SQL function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SharpeRatio {
    signature: Signature,
}

impl Default for SharpeRatio {
    fn default() -> Self {
        Self {
            signature: arguments::signature(&[("pnl", SOL)]),
        }
    }
}

impl AggregateUDFImpl for SharpeRatio {
    fn name(&self) -> &str {
        "sharpe_ratio"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(RATIO)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        MomentsAccumulator::boxed(&args, sharpe_ratio)
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
    fn is_undefined_without_a_difference() {
        let ratio = |days: &[i128]| {
            let mut moments = Moments::default();
            days.iter().for_each(|day| moments.add(*day));
            sharpe_ratio(&moments).unwrap()
        };
        assert_eq!(ratio(&[]), None);
        assert_eq!(ratio(&[5]), None);
        assert_eq!(ratio(&[5, 5, 5]), None);
        assert_eq!(ratio(&[-5, 5]), Some(0));
        // Mean 2, deviation √2: √2 × √365 = 27.01851…, at any scale.
        assert_eq!(ratio(&[1, 3]), Some(270_185));
        assert_eq!(
            ratio(&[-1_000_000_000_000, -3_000_000_000_000]),
            Some(-270_185)
        );
    }
}

//! `position_size`: how much SOL a trade with this score puts in.
//!
//! - Shape: scalar → `numeric(38,17)`.
//! - Input: score in points, base and max in SOL, whether size scales with the score, multiplier.
//! - Output: SOL, exact and not rounded: `base`, or with scaling
//!   `min(base × score/100 × multiplier, max)`. Reports round it to 4 digits, costs and PnL do not.
//! - Nulls: a null argument gives null.
//! - Errors: a negative argument, or too many digits (22023).
//! - Order: does not matter.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::Decimal128Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_MATH;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};

use crate::arguments::{self, SOL, refuse};
use crate::decimal::{format, pow10};

/// Lamports have 9 digits, scores 2 and their percent 2 more, multipliers 4.
pub const SIZE_DIGITS: u32 = 17;
/// Confidence multipliers have four fractional digits.
pub const MULTIPLIER_DIGITS: u32 = 4;

/// How positions are sized, in integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sizing {
    /// Lamports.
    pub base_position: i128,
    /// Lamports.
    pub max_position: i128,
    /// Whether the score scales the size; else every position is the base.
    pub scale_with_confidence: bool,
    /// × 10^4.
    pub confidence_multiplier: i128,
}

/// The size in 10^-17 SOL of a position with this score in hundredths of a point, `None` where it
/// leaves 128 bits.
pub fn position_size(score: i64, sizing: &Sizing) -> Option<i128> {
    let unit = pow10(SIZE_DIGITS - 9);
    if !sizing.scale_with_confidence {
        return sizing.base_position.checked_mul(unit);
    }
    let scaled = sizing
        .base_position
        .checked_mul(score.into())?
        .checked_mul(sizing.confidence_multiplier)?;
    Some(scaled.min(sizing.max_position.checked_mul(unit)?))
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(Documentation::builder(
        DOC_SECTION_MATH,
        "How much SOL a trade with this score puts in, exact and not rounded: the base position, \
         or with scaling min(base × score/100 × multiplier, max). Units: score in points 0–100 \
         (2 digits), positions in SOL (9 digits), multiplier a factor (4 digits). Nulls: a null \
         argument gives null. Errors: a negative argument or too many digits (22023).",
        "position_size(score, base_position_sol, max_position_sol, scale_with_confidence, \
         confidence_multiplier)",
    )
    .with_sql_example("select position_size(80, 0.1, 0.5, true, 1.5)")
    .with_argument("score", "points, 0–100")
    .with_argument("base_position_sol", "SOL")
    .with_argument("max_position_sol", "SOL")
    .with_argument("scale_with_confidence", "whether the score scales the size")
    .with_argument("confidence_multiplier", "factor")
    .build())
});

/// The SQL function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PositionSize {
    signature: Signature,
}

impl Default for PositionSize {
    fn default() -> Self {
        Self {
            signature: arguments::signature(&[
                ("score", DataType::Decimal128(7, 2)),
                ("base_position_sol", SOL),
                ("max_position_sol", SOL),
                ("scale_with_confidence", DataType::Boolean),
                ("confidence_multiplier", DataType::Decimal128(9, 4)),
            ]),
        }
    }
}

impl ScalarUDFImpl for PositionSize {
    fn name(&self) -> &str {
        "position_size"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(38, 17))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let positive = |name: &str, value: Option<i128>, digits: i8| match value {
            Some(value) if value < 0 => refuse(name, "0 or more", format(value, digits)),
            value => Ok(value),
        };
        let score = arguments::decimals("score", &args.args[0], 2)?;
        let base = arguments::decimals("base_position_sol", &args.args[1], 9)?;
        let max = arguments::decimals("max_position_sol", &args.args[2], 9)?;
        let scale = arguments::booleans("scale_with_confidence", &args.args[3])?;
        let multiplier = arguments::decimals("confidence_multiplier", &args.args[4], 4)?;
        let mut sizes = Vec::with_capacity(args.number_rows);
        for row in 0..args.number_rows {
            let size = match (
                positive("score", score.get(row), 2)?,
                positive("base_position_sol", base.get(row), 9)?,
                positive("max_position_sol", max.get(row), 9)?,
                scale.get(row),
                positive("confidence_multiplier", multiplier.get(row), 4)?,
            ) {
                (Some(score), Some(base), Some(max), Some(scale), Some(multiplier)) => {
                    let sizing = Sizing {
                        base_position: base,
                        max_position: max,
                        scale_with_confidence: scale,
                        confidence_multiplier: multiplier,
                    };
                    let size = i64::try_from(score)
                        .ok()
                        .and_then(|score| position_size(score, &sizing))
                        .filter(|size| *size < pow10(38));
                    if size.is_none() {
                        let found = format(base, 9);
                        return refuse("base_position_sol", "small enough to be sized", found);
                    }
                    size
                }
                _ => None,
            };
            sizes.push(size);
        }
        let sizes: Decimal128Array = sizes.into_iter().collect();
        Ok(ColumnarValue::Array(Arc::new(
            sizes.with_precision_and_scale(38, 17)?,
        )))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_and_caps() {
        let mut sizing = Sizing {
            base_position: 100_000_000,
            max_position: 500_000_000,
            scale_with_confidence: true,
            confidence_multiplier: 15_000,
        };
        assert_eq!(position_size(8_000, &sizing), Some(12_000_000_000_000_000));
        sizing.max_position = 110_000_000;
        assert_eq!(position_size(8_000, &sizing), Some(11_000_000_000_000_000));
        sizing.scale_with_confidence = false;
        assert_eq!(position_size(8_000, &sizing), Some(10_000_000_000_000_000));
        sizing.base_position = i128::MAX;
        assert_eq!(position_size(8_000, &sizing), None);
    }
}

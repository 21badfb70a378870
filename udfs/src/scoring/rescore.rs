//! `rescore`: what a signal would have scored with other weights.
//!
//! - Shape: scalar; five factors, five weights → `numeric(7,2)`.
//! - Input: factors 0–1 with up to 6 fractional digits, weights with up to 4.
//! - Output: `100 × Σ factor × weight`, points from 0 to 100, rounded half to even to 2 digits.
//! - Nulls: a null factor counts as 0, as an absent one does; a null weight gives null.
//! - Errors: a factor or weight that is no number, has too many digits or leaves 0–1 (22023).
//! - Order: does not matter.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::Decimal128Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_MATH;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};

use crate::arguments::{self, refuse};
use crate::decimal::{format, pow10};

const FACTOR_DIGITS: u32 = 6;
const WEIGHT_DIGITS: u32 = 4;
/// Scores have two fractional digits.
pub const SCORE_DIGITS: u32 = 2;

/// The five factors, in the order of their weights.
pub const FACTORS: [&str; 5] = [
    "wallet_score",
    "token_metrics",
    "liquidity",
    "holder_distribution",
    "momentum",
];

const ARGUMENTS: [&str; 10] = [
    FACTORS[0],
    FACTORS[1],
    FACTORS[2],
    FACTORS[3],
    FACTORS[4],
    "wallet_score_weight",
    "token_metrics_weight",
    "liquidity_weight",
    "holder_distribution_weight",
    "momentum_weight",
];

/// 100 points × 10^2 digits = 10^4, so that much less to divide by.
const UNIT: u64 = 10_u64.pow(FACTOR_DIGITS + WEIGHT_DIGITS - 2 - SCORE_DIGITS);

/// The score in hundredths of a point, from factors × 10^6 and weights × 10^4, none negative.
#[inline]
pub fn rescore(factors: &[i64; 5], weights: &[i64; 5]) -> i64 {
    let products = factors.iter().zip(weights).map(|(f, w)| f.wrapping_mul(*w));
    let sum = products.fold(0_i64, i64::wrapping_add) as u64;
    // In 64 bits and by a constant, which is a multiplication. A tie goes up from what is odd.
    let (quotient, remainder) = (sum / UNIT, sum % UNIT);
    let is_up = remainder + (quotient & 1) > UNIT / 2;
    (quotient + u64::from(is_up)) as i64
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(Documentation::builder(
        DOC_SECTION_MATH,
        "What a signal would have scored with other weights: 100 × Σ factor × weight, points from \
         0 to 100 as numeric(7,2), rounded half to even. Units: factors and weights are fractions \
         from 0 to 1, factors with up to 6 fractional digits, weights with up to 4. Nulls: a null \
         factor counts as 0; a null weight gives null. Errors: a factor or weight outside 0 to 1 \
         or with too many digits (22023).",
        "rescore(wallet_score, token_metrics, liquidity, holder_distribution, momentum, \
         wallet_score_weight, token_metrics_weight, liquidity_weight, holder_distribution_weight, \
         momentum_weight)",
    )
    .with_sql_example("select rescore(0.8, 0.6, 0.7, 0.5, 0.9, 0.30, 0.25, 0.20, 0.15, 0.10)")
    .with_argument("wallet_score", "factor 0–1: the record of the wallet")
    .with_argument("token_metrics", "factor 0–1: the token's metrics")
    .with_argument("liquidity", "factor 0–1: how much can be traded")
    .with_argument("holder_distribution", "factor 0–1: how widely it is held")
    .with_argument("momentum", "factor 0–1: where the price has been going")
    .with_argument("wallet_score_weight", "weight 0–1")
    .with_argument("token_metrics_weight", "weight 0–1")
    .with_argument("liquidity_weight", "weight 0–1")
    .with_argument("holder_distribution_weight", "weight 0–1")
    .with_argument("momentum_weight", "weight 0–1")
    .build())
});

/// The SQL function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Rescore {
    signature: Signature,
}

impl Default for Rescore {
    fn default() -> Self {
        let types = ARGUMENTS.map(|name| {
            let digits = if name.ends_with("_weight") {
                DataType::Decimal128(5, 4)
            } else {
                DataType::Decimal128(7, 6)
            };
            (name, digits)
        });
        Self {
            signature: arguments::signature(&types),
        }
    }
}

impl ScalarUDFImpl for Rescore {
    fn name(&self) -> &str {
        "rescore"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(7, 2))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ARGUMENTS
            .iter()
            .zip(&args.args)
            .enumerate()
            .map(|(position, (name, value))| {
                let digits = if position < 5 {
                    FACTOR_DIGITS
                } else {
                    WEIGHT_DIGITS
                };
                arguments::decimals(name, value, i8::try_from(digits).unwrap_or(0))
            })
            .collect::<Result<Vec<_>>>()?;
        let mut scores = Vec::with_capacity(args.number_rows);
        for row in 0..args.number_rows {
            let mut values = [0_i64; 10];
            let mut is_null = false;
            for (position, column) in columns.iter().enumerate() {
                let digits = if position < 5 {
                    FACTOR_DIGITS
                } else {
                    WEIGHT_DIGITS
                };
                match column.get(row) {
                    Some(value) if (0..=pow10(digits)).contains(&value) => {
                        values[position] = i64::try_from(value).unwrap_or(0);
                    }
                    Some(value) => {
                        let found = format(value, i8::try_from(digits).unwrap_or(0));
                        return refuse(ARGUMENTS[position], "between 0 and 1", found);
                    }
                    None => is_null |= position >= 5,
                }
            }
            let [a, b, c, d, e, v, w, x, y, z] = values;
            let score = rescore(&[a, b, c, d, e], &[v, w, x, y, z]);
            scores.push((!is_null).then_some(i128::from(score)));
        }
        let scores: Decimal128Array = scores.into_iter().collect();
        Ok(ColumnarValue::Array(Arc::new(
            scores.with_precision_and_scale(7, 2)?,
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
    fn rounds_half_to_even() {
        let weights = [10_000, 0, 0, 0, 0];
        assert_eq!(rescore(&[700_050, 0, 0, 0, 0], &weights), 7000);
        assert_eq!(rescore(&[700_150, 0, 0, 0, 0], &weights), 7002);
        assert_eq!(
            rescore(&[1_000_000; 5], &[3000, 2500, 2000, 1500, 1000]),
            10_000
        );
        assert_eq!(rescore(&[0; 5], &weights), 0);
    }
}

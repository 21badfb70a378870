//! `divide_rounded`: a quotient rounded once.
//!
//! - Shape: scalar; two numbers and a literal count of digits → `numeric(38, digits)`.
//! - Input: any two numbers; digits from 0 to 18.
//! - Output: `numerator / denominator`, exact up to one rounding half to even.
//! - Nulls: a null argument or a denominator of 0 gives null.
//! - Errors: a value that is no number; digits that are no literal from 0 to 18; a quotient that
//!   128 bits cannot hold (22023).
//! - Order: does not matter.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::Decimal128Array;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_MATH;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};

use super::round_half_even::literal_digits;
use crate::arguments::{self, refuse};
use crate::decimal::multiply_divide_half_even;

/// The digits that numbers other than decimals are read with.
const SCALE: i8 = 18;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(Documentation::builder(
        DOC_SECTION_MATH,
        "numerator / denominator as numeric(38, digits), exact up to one rounding half to even. \
         Units: those of the quotient. Nulls: a null argument or a denominator of 0 gives null. \
         Errors: digits that are no literal from 0 to 18, a quotient too large (22023).",
        "divide_rounded(numerator, denominator, digits)",
    )
    .with_sql_example("select divide_rounded(2, 3, 4)")
    .with_argument("numerator", "a number")
    .with_argument("denominator", "a number")
    .with_argument("digits", "fractional digits to keep, a literal from 0 to 18")
    .build())
});

/// The SQL function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct DivideRounded {
    signature: Signature,
}

impl Default for DivideRounded {
    fn default() -> Self {
        Self {
            signature: arguments::signature(&[
                ("numerator", DataType::Decimal128(38, 18)),
                ("denominator", DataType::Decimal128(38, 18)),
                ("digits", DataType::Int64),
            ]),
        }
    }
}

impl ScalarUDFImpl for DivideRounded {
    fn name(&self) -> &str {
        "divide_rounded"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type depends on the value of digits")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let digits = literal_digits(args.scalar_arguments.get(2).copied().flatten())?;
        let data_type = DataType::Decimal128(38, digits);
        Ok(Arc::new(Field::new(self.name(), data_type, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Decimal128(_, digits) = *args.return_field.data_type() else {
            return internal_err!("divide_rounded returns a decimal");
        };
        let scale = |value: &ColumnarValue| match value.data_type() {
            DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => scale,
            integer if integer.is_integer() => 0,
            _ => SCALE,
        };
        let (above, below) = (scale(&args.args[0]), scale(&args.args[1]));
        let numerators = arguments::decimals("numerator", &args.args[0], above)?;
        let denominators = arguments::decimals("denominator", &args.args[1], below)?;
        // n/10^a ÷ d/10^b = n × 10^(b − a + digits) / d × 10^-digits
        let shift = i32::from(below) - i32::from(above) + i32::from(digits);
        let quotients = (0..args.number_rows)
            .map(|row| {
                let (Some(n), Some(d)) = (numerators.get(row), denominators.get(row)) else {
                    return Ok(None);
                };
                if d == 0 {
                    return Ok(None);
                }
                match divide(n, d, shift) {
                    Some(quotient) => Ok(Some(quotient)),
                    None => refuse("numerator", "small enough to be divided", n.to_string()),
                }
            })
            .collect::<Result<Decimal128Array>>()?;
        Ok(ColumnarValue::Array(Arc::new(
            quotients.with_precision_and_scale(38, digits)?,
        )))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

/// `numerator × 10^shift / denominator` rounded half to even; the denominator is not 0.
fn divide(numerator: i128, denominator: i128, shift: i32) -> Option<i128> {
    let (numerator, denominator) = match denominator < 0 {
        true => (numerator.checked_neg()?, denominator.checked_neg()?),
        false => (numerator, denominator),
    };
    let power = 10_i128.checked_pow(shift.unsigned_abs())?;
    if shift >= 0 {
        multiply_divide_half_even(numerator, power, denominator)
    } else {
        multiply_divide_half_even(numerator, 1, denominator.checked_mul(power)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decimal::pow10;

    #[test]
    fn rounds_once_on_both_sides_of_zero() {
        assert_eq!(divide(2, 3, 4), Some(6667));
        assert_eq!(divide(-2, 3, 4), Some(-6667));
        assert_eq!(divide(2, -3, 4), Some(-6667));
        assert_eq!(divide(5, 10, 0), Some(0));
        assert_eq!(divide(15, 10, 0), Some(2));
        assert_eq!(divide(25, 1, -1), Some(2));
        assert_eq!(divide(i128::MAX, 1, 1), None);
        assert_eq!(divide(1, pow10(38), 38), Some(1));
    }
}

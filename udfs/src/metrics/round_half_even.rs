//! `round_half_even`: a number rounded the way every amount here is.
//!
//! - Shape: scalar; a number and a literal count of digits → `numeric(38, digits)`.
//! - Input: any number; digits from 0 to 18.
//! - Output: the nearest number with that many fractional digits, ties to the even one.
//! - Nulls: null gives null.
//! - Errors: a value that is no number; digits that are no literal from 0 to 18 (22023).
//! - Order: does not matter.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::Decimal128Array;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_MATH;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};

use crate::arguments::{self, refuse};
use crate::decimal::rescale_half_even;

/// The most digits a result is rounded to.
const DIGITS_MAX: i64 = 18;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    arguments::with_example(
        Documentation::builder(
            DOC_SECTION_MATH,
            "The nearest number with so many fractional digits, ties to the even one, as \
         numeric(38, digits): the way every amount here is rounded. Units: those of the value. \
         Nulls: null gives null. Errors: digits that are no literal from 0 to 18 (22023).",
            "round_half_even(value, digits)",
        )
        .with_sql_example("select round_half_even(0.00025, 4)")
        .with_argument("value", "a number")
        .with_argument(
            "digits",
            "fractional digits to keep, a literal from 0 to 18",
        )
        .build(),
    )
});

/// Reads a literal count of digits.
pub fn literal_digits(literal: Option<&ScalarValue>) -> Result<i8> {
    let digits = literal.and_then(|literal| match literal {
        ScalarValue::Int64(Some(digits)) => Some(*digits),
        other => other.to_string().parse().ok(),
    });
    match digits.map(i8::try_from) {
        Some(Ok(digits)) if (0..=DIGITS_MAX).contains(&i64::from(digits)) => Ok(digits),
        _ => refuse(
            "digits",
            format!("a literal from 0 to {DIGITS_MAX}"),
            literal.map_or("an expression".into(), ToString::to_string),
        ),
    }
}

/// The SQL function; see the head of this file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RoundHalfEven {
    signature: Signature,
}

impl Default for RoundHalfEven {
    fn default() -> Self {
        Self {
            signature: arguments::signature(&[
                ("value", DataType::Decimal128(38, 18)),
                ("digits", DataType::Int64),
            ]),
        }
    }
}

impl ScalarUDFImpl for RoundHalfEven {
    fn name(&self) -> &str {
        "round_half_even"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type depends on the value of digits")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let digits = literal_digits(args.scalar_arguments.get(1).copied().flatten())?;
        let data_type = DataType::Decimal128(38, digits);
        Ok(Arc::new(Field::new(self.name(), data_type, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Decimal128(_, digits) = *args.return_field.data_type() else {
            return internal_err!("round_half_even returns a decimal");
        };
        let scale = match args.args[0].data_type() {
            DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => scale,
            integer if integer.is_integer() => 0,
            _ => DIGITS_MAX as i8,
        };
        let values = arguments::decimals("value", &args.args[0], scale)?;
        let rounded = (0..args.number_rows)
            .map(|row| {
                let Some(value) = values.get(row) else {
                    return Ok(None);
                };
                match rescale_half_even(value, scale, digits) {
                    Some(value) => Ok(Some(value)),
                    None => refuse("value", "small enough to be rounded", value.to_string()),
                }
            })
            .collect::<Result<Decimal128Array>>()?;
        Ok(ColumnarValue::Array(Arc::new(
            rounded.with_precision_and_scale(38, digits)?,
        )))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

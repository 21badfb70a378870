//! `length(value)`: how long a text or bytes are.
//!
//! Input: a text, or bytes. Output: an integer. Unit: letters of a text, bytes of bytes. Nulls: null of
//! null. Errors: 42883 anything else. Source: PostgreSQL's function.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::routine::unknown;
use super::values::taken;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Length(Signature);

impl Length {
    pub fn function() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self(Signature::user_defined(Volatility::Immutable)))
    }
}

impl ScalarUDFImpl for Length {
    fn name(&self) -> &str {
        "length"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [of] = given else {
            return Err(unknown(self.name(), given));
        };
        let of = match of {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Binary => {
                of.clone()
            }
            DataType::Null => DataType::Utf8,
            DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                DataType::Binary
            }
            of if taken(of) == DataType::Utf8 => DataType::Utf8,
            _ => return Err(unknown(self.name(), given)),
        };
        Ok(vec![of])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = matches!(args.args.as_slice(), [ColumnarValue::Scalar(_)]);
        let rows = if is_constant { 1 } else { args.number_rows };
        let columns = args
            .args
            .into_iter()
            .map(|argument| argument.into_array(rows));
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let letters = |text: &str| match text.is_ascii() {
            true => text.len(),
            false => text.chars().count(),
        };
        let count = |length: usize| i32::try_from(length).unwrap_or(i32::MAX);
        let lengths: Int32Array = match columns.first() {
            None => return Err(unknown("length", &[])),
            Some(column) => match column.data_type() {
                DataType::Binary => {
                    let bytes = column.as_binary::<i32>().iter();
                    bytes.map(|bytes| bytes.map(|b| count(b.len()))).collect()
                }
                DataType::LargeUtf8 => {
                    let texts = column.as_string::<i64>().iter();
                    texts.map(|text| text.map(|t| count(letters(t)))).collect()
                }
                DataType::Utf8View => {
                    let texts = column.as_string_view().iter();
                    texts.map(|text| text.map(|t| count(letters(t)))).collect()
                }
                _ => {
                    let texts = column.as_string::<i32>().iter();
                    texts.map(|text| text.map(|t| count(letters(t)))).collect()
                }
            },
        };
        Ok(match is_constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&lengths, 0)?),
            false => ColumnarValue::Array(Arc::new(lengths)),
        })
    }
}

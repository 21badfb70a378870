//! `trim_array(array, n)`: an array without its last elements.
//!
//! Input: an array and a whole number. Output: an array of the same type. Unit: elements. Nulls: null
//! of null. Errors: 2202E a number below 0 or above that of the elements. Source: PostgreSQL's
//! function.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, ListArray, UInt64Array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::routine::{failed, unknown};
use crate::dialect::numbers::columns::{columns, result};

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TrimArray(Signature);

impl TrimArray {
    pub fn function() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self(Signature::user_defined(Volatility::Immutable)))
    }
}

impl ScalarUDFImpl for TrimArray {
    fn name(&self) -> &str {
        "trim_array"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [list @ DataType::List(_), count] if count.is_integer() || count.is_null() => {
                Ok(vec![list.clone(), DataType::Int64])
            }
            _ => Err(unknown(self.name(), given)),
        }
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given.first() {
            Some(list) => Ok(list.clone()),
            None => Err(unknown(self.name(), given)),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (given, is_constant) = columns(&args.args)?;
        let [lists, counts] = given.as_slice() else {
            return exec_err!("trim_array takes an array and a number");
        };
        let (Some(lists), Some(counts)) = (
            lists.as_list_opt::<i32>(),
            counts.as_primitive_opt::<Int64Type>(),
        ) else {
            return exec_err!("trim_array takes an array and a number");
        };
        let nulls = NullBuffer::union(lists.nulls(), counts.nulls());
        let is_null = |row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        let (mut kept, mut lengths) = (Vec::new(), Vec::with_capacity(lists.len()));
        for (row, bounds) in lists.value_offsets().windows(2).enumerate() {
            let [start, end] = bounds else { continue };
            let length = i64::from(end - start);
            if is_null(row) {
                lengths.push(0);
                continue;
            }
            let count = counts.value(row);
            if !(0..=length).contains(&count) {
                let message = format!("number of elements to trim must be between 0 and {length}");
                return Err(failed("2202E", message));
            }
            let left = usize::try_from(length - count).unwrap_or_default();
            let first = u64::try_from(*start).unwrap_or_default();
            kept.extend((first..).take(left));
            lengths.push(left);
        }
        let DataType::List(item) = lists.data_type() else {
            return exec_err!("trim_array takes an array");
        };
        let values = take(lists.values(), &UInt64Array::from(kept), None)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        let trimmed = ListArray::try_new(Arc::clone(item), offsets, values, nulls)?;
        result(Arc::new(trimmed), is_constant)
    }
}

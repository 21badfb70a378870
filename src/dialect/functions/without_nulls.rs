//! `array_remove(array, null)`: an array without its nulls, under the name that [`super::syntax`] gives it.
//!
//! Input: an array. Output: an array of the same type. Unit: elements. Nulls: null of null. Errors:
//! none. Source: PostgreSQL's function, where DataFusion's returns null.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, ListArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{filter, is_not_null};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::routine::unknown;
use crate::dialect::numbers::columns::{columns, result};

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WithoutNulls(Signature);

impl WithoutNulls {
    /// What statements call it.
    pub const NAME: &str = "array_without_nulls";

    pub fn function() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self(Signature::user_defined(Volatility::Immutable)))
    }
}

impl ScalarUDFImpl for WithoutNulls {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [DataType::List(_)] => Ok(given.to_vec()),
            _ => Err(unknown("array_remove", given)),
        }
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given.first() {
            Some(list) => Ok(list.clone()),
            None => Err(unknown("array_remove", given)),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (given, is_constant) = columns(&args.args)?;
        let Some(lists) = given.first().and_then(|column| column.as_list_opt::<i32>()) else {
            return exec_err!("array_remove takes an array");
        };
        let DataType::List(item) = lists.data_type() else {
            return exec_err!("array_remove takes an array");
        };
        let offsets = lists.value_offsets();
        let first = offsets.first().copied().unwrap_or_default() as usize;
        let last = offsets.last().copied().unwrap_or_default() as usize;
        let values = lists.values().slice(first, last - first);
        let known = is_not_null(&values)?;
        let lengths = offsets.windows(2).map(|bounds| match bounds {
            [start, end] => {
                let (start, end) = (*start as usize - first, *end as usize - first);
                known.slice(start, end - start).true_count()
            }
            _ => 0,
        });
        let offsets = OffsetBuffer::from_lengths(lengths);
        let values = filter(&values, &known)?;
        let kept = ListArray::try_new(Arc::clone(item), offsets, values, lists.nulls().cloned())?;
        result(Arc::new(kept), is_constant)
    }
}

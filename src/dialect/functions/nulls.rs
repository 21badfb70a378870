//! `num_nulls(…)` and `num_nonnulls(…)`: how many of the arguments are null, or are not.
//!
//! Input: any values. Output: an integer. Unit: arguments. Nulls: are counted. Errors: 42883 without
//! arguments. Source: PostgreSQL's functions of the names.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Int32Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Either function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Nulls {
    counts_nulls: bool,
    signature: Signature,
}

impl Nulls {
    pub fn nulls() -> ScalarUDF {
        Self::function(true)
    }

    pub fn values() -> ScalarUDF {
        Self::function(false)
    }

    fn function(counts_nulls: bool) -> ScalarUDF {
        ScalarUDF::new_from_impl(Self {
            counts_nulls,
            signature: Signature::variadic_any(Volatility::Immutable),
        })
    }
}

impl ScalarUDFImpl for Nulls {
    fn name(&self) -> &str {
        if self.counts_nulls {
            "num_nulls"
        } else {
            "num_nonnulls"
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let columns = args
            .args
            .iter()
            .map(|argument| argument.clone().into_array(rows));
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        let nulls: Vec<_> = columns
            .iter()
            .map(|column| column.logical_nulls())
            .collect();
        let counts = (0..rows).map(|row| {
            let is_counted = nulls.iter().filter(|nulls| {
                let is_null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
                is_null == self.counts_nulls
            });
            i32::try_from(is_counted.count()).unwrap_or(i32::MAX)
        });
        Ok(ColumnarValue::Array(Arc::new(
            Int32Array::from_iter_values(counts),
        )))
    }
}

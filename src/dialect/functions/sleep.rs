//! `pg_sleep(seconds)`: waits, without keeping a thread from others.
//!
//! Input: `float8`, for each row. Output: an empty text. Unit: seconds. Nulls: wait for nothing. Errors:
//! none; the statement's timeout and a cancel end it. Source: PostgreSQL's function.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Sleep(Signature);

impl Sleep {
    pub fn function() -> ScalarUDF {
        let signature = Signature::exact(vec![DataType::Float64], Volatility::Volatile);
        AsyncScalarUDF::new(Arc::new(Self(signature))).into_scalar_udf()
    }
}

impl ScalarUDFImpl for Sleep {
    fn name(&self) -> &str {
        "pg_sleep"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("pg_sleep is waited for")
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for Sleep {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [seconds] = take_function_args(self.name(), args.args)?;
        let seconds = seconds.into_array(rows)?;
        let seconds: f64 = seconds.as_primitive::<Float64Type>().iter().flatten().sum();
        // What no duration holds is as good as forever.
        let time = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
        tokio::time::sleep(time).await;
        let empty = ScalarValue::Utf8(Some(String::new())).to_array_of_size(rows)?;
        Ok(ColumnarValue::Array(empty))
    }
}

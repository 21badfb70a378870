//! `any_places(x)`: a numeric of any places where it is one of certain places, and else the value itself.
//!
//! The rows of a recursive query have the types of its first term, of which PostgreSQL knows no places.

use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::columns::failed;
use super::types::NUMERIC;
use crate::error::Error;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct AnyPlaces(Signature);

impl AnyPlaces {
    pub const NAME: &str = "any_places";

    pub fn function() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self(Signature::any(1, Volatility::Immutable)))
    }
}

impl ScalarUDFImpl for AnyPlaces {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let [of] = take_function_args(self.name(), given)?;
        Ok(match of.is_decimal() {
            true => NUMERIC,
            false => of.clone(),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = take_function_args(self.name(), args.args)?;
        if !value.data_type().is_decimal() {
            return Ok(value);
        }
        let is_scalar = matches!(value, ColumnarValue::Scalar(_));
        let options = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let too_large = |_| failed(Error::session("22003", "value overflows numeric format"));
        let column = value.into_array(1)?;
        let column = cast_with_options(&column, &NUMERIC, &options).map_err(too_large)?;
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&column, 0)?),
            false => ColumnarValue::Array(column),
        })
    }
}

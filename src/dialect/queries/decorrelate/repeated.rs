//! `repeated(x)`: the same value, of which a plan no longer takes for granted that it is unique.
//!
//! Outer values are made unique, and DataFusion takes them for unique also where their rows have been
//! multiplied by an array: a join with them would find one row in place of several.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The expression.
pub fn repeated(expr: Expr) -> Expr {
    ScalarUDF::from(Repeated {
        signature: Signature::any(1, Volatility::Immutable),
    })
    .call(vec![expr])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Repeated {
    signature: Signature,
}

impl ScalarUDFImpl for Repeated {
    fn name(&self) -> &str {
        "repeated"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [data_type] => Ok(data_type.clone()),
            _ => internal_err!("repeated takes one argument"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.into_iter().next() {
            Some(value) => Ok(value),
            None => internal_err!("repeated takes one argument"),
        }
    }
}

//! `pg_typeof(value)`: the name of the argument's type.
//!
//! Input: any value. Output: a `regtype`, such as `integer` or `timestamp with time zone`. Unit: none.
//! Nulls: null has the type that the statement gives it. Errors: none. Source: PostgreSQL's function
//! of the name.

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::sql::sqlparser::ast::{Expr, Function, FunctionArguments, Value};

use super::routine::{named, pg_name};
use super::syntax::{call, expressions};
use crate::catalog::{PG_TYPE, types};

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PgTypeof(Signature);

impl PgTypeof {
    pub fn function() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self(Signature::any(1, Volatility::Immutable)))
    }
}

/// `pg_typeof('x')`: what is written in quotes has no more of a type than null has.
pub fn of_text(function: &Function, name: &str) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let arguments = expressions(&list.args).filter(|_| name == "pg_typeof")?;
    let [Expr::Value(value)] = arguments.as_slice() else {
        return None;
    };
    let null = || vec![Expr::Value(Value::Null.into())];
    matches!(value.value, Value::SingleQuotedString(_)).then(|| call(name, null()))
}

impl ScalarUDFImpl for PgTypeof {
    fn name(&self) -> &str {
        "pg_typeof"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(named("pg_typeof", DataType::Utf8, "regtype"))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let name = args.arg_fields.first().map(|field| {
            let pg_type = field
                .metadata()
                .get(PG_TYPE)
                .and_then(|name| types::by_name(name));
            pg_type
                .and_then(|of| types::format(of, -1))
                .unwrap_or_else(|| pg_name(field.data_type()))
        });
        Ok(ColumnarValue::Scalar(ScalarValue::Utf8(name)))
    }
}

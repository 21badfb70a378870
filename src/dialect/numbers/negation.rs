//! `-x` of an integer, which fails where there is no such integer, as all arithmetic does.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{Expr, ExprSchemable};

use super::arithmetic::Operation;
use super::chain;

/// Makes it a difference from 0.
#[derive(Debug)]
pub struct Negations;

impl FunctionRewrite for Negations {
    fn name(&self) -> &str {
        "negations"
    }

    fn rewrite(
        &self,
        expr: Expr,
        schema: &DFSchema,
        _: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        let Expr::Negative(inner) = expr else {
            return Ok(Transformed::no(expr));
        };
        let of = inner.get_type(schema).unwrap_or(DataType::Null);
        let zero = match of {
            DataType::Int16 => ScalarValue::Int16(Some(0)),
            DataType::Int32 => ScalarValue::Int32(Some(0)),
            DataType::Int64 => ScalarValue::Int64(Some(0)),
            _ => return Ok(Transformed::no(Expr::Negative(inner))),
        };
        let zero = (Expr::Literal(zero, None), of.clone());
        let difference = chain::joined(Operation::Subtract, zero, (*inner, of))?;
        Ok(Transformed::yes(difference))
    }
}

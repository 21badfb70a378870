//! What a text in quotes is beside a truth value: PostgreSQL gives it the type that it is compared
//! with, and some drivers count on it.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::catalog::cast::parse_bool;

/// Reads texts that are compared with truth values as truth values.
#[derive(Debug)]
pub struct Literals;

impl ExprPlanner for Literals {
    fn plan_binary_op(
        &self,
        mut expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if matches!(expr.op, BinaryOperator::Eq | BinaryOperator::NotEq) {
            let is_boolean = |side: &Expr| {
                side.get_type(schema)
                    .is_ok_and(|of| of == DataType::Boolean)
            };
            if let Some(value) = boolean(&expr.right)
                && is_boolean(&expr.left)
            {
                expr.right = value;
            } else if let Some(value) = boolean(&expr.left)
                && is_boolean(&expr.right)
            {
                expr.left = value;
            }
        }
        Ok(PlannerResult::Original(expr))
    }
}

fn boolean(expr: &Expr) -> Option<Expr> {
    let Expr::Literal(ScalarValue::Utf8(Some(text)), metadata) = expr else {
        return None;
    };
    let value = ScalarValue::Boolean(Some(parse_bool(text.trim())?));
    Some(Expr::Literal(value, metadata.clone()))
}

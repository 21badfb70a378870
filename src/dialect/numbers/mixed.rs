//! A choice or an array of numerics and doubles, which is one of doubles; DataFusion would cut the
//! doubles to a decimal of few places.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{Case, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF};

use super::conversions;

static FLOAT8: LazyLock<Option<Arc<ScalarUDF>>> = LazyLock::new(|| {
    let mut all = conversions::all().into_iter();
    all.find(|function| function.name() == "float8")
        .map(Arc::new)
});

/// Functions whose arguments share a type.
const SHARED: [&str; 4] = ["coalesce", "greatest", "least", "make_array"];

/// Makes the numerics doubles.
#[derive(Debug)]
pub struct Mixed;

impl FunctionRewrite for Mixed {
    fn name(&self) -> &str {
        "mixed_numbers"
    }

    fn rewrite(
        &self,
        expr: Expr,
        schema: &DFSchema,
        _: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        let Some(float8) = FLOAT8.as_ref() else {
            return Ok(Transformed::no(expr));
        };
        let of = |expr: &Expr| expr.get_type(schema).unwrap_or(DataType::Null);
        let is_decimal = |expr: &Expr| of(expr).is_decimal();
        let are_mixed = |exprs: &[&Expr]| {
            exprs.iter().any(|expr| of(expr) == DataType::Float64)
                && exprs.iter().any(|expr| is_decimal(expr))
        };
        let double = |expr: Expr| match is_decimal(&expr) {
            true => float8.call(vec![expr]),
            false => expr,
        };
        Ok(match expr {
            Expr::Case(case) => {
                let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
                let results: Vec<&Expr> = results.chain(case.else_expr.as_deref()).collect();
                if !are_mixed(&results) {
                    return Ok(Transformed::no(Expr::Case(case)));
                }
                let branches = case.when_then_expr.into_iter();
                Transformed::yes(Expr::Case(Case {
                    expr: case.expr,
                    when_then_expr: branches
                        .map(|(when, then)| (when, Box::new(double(*then))))
                        .collect(),
                    else_expr: case.else_expr.map(|other| Box::new(double(*other))),
                }))
            }
            Expr::ScalarFunction(ScalarFunction { func, args })
                if SHARED.contains(&func.name()) && are_mixed(&args.iter().collect::<Vec<_>>()) =>
            {
                Transformed::yes(func.call(args.into_iter().map(double).collect()))
            }
            expr => Transformed::no(expr),
        })
    }
}

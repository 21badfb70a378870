//! A choice, an array or a comparison of numerics and doubles, which is one of doubles; DataFusion would
//! cut the doubles to a decimal of few places.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{Between, BinaryExpr, Case, InList, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, ScalarUDF};

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
            exprs.iter().any(|expr| of(expr).is_floating())
                && exprs.iter().any(|expr| is_decimal(expr))
        };
        let double = |expr: Expr| match is_decimal(&expr) {
            true => float8.call(vec![expr]),
            false => expr,
        };
        Ok(match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if compares(op) && are_mixed(&[&left, &right]) =>
            {
                let [left, right] = [left, right].map(|side| Box::new(double(*side)));
                Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
            }
            Expr::Between(between) if are_mixed(&[&between.expr, &between.low, &between.high]) => {
                let [expr, low, high] =
                    [between.expr, between.low, between.high].map(|bound| Box::new(double(*bound)));
                let negated = between.negated;
                Transformed::yes(Expr::Between(Between {
                    expr,
                    negated,
                    low,
                    high,
                }))
            }
            Expr::InList(list)
                if are_mixed(&list.list.iter().chain([&*list.expr]).collect::<Vec<_>>()) =>
            {
                let items = list.list.into_iter().map(double);
                Transformed::yes(Expr::InList(InList {
                    expr: Box::new(double(*list.expr)),
                    list: items.collect(),
                    negated: list.negated,
                }))
            }
            Expr::Case(mut case) => {
                // `case x when y`: what is compared.
                let compares = are_mixed(&compared(&case));
                if compares {
                    case.expr = case.expr.map(|base| Box::new(double(*base)));
                    let branches = case.when_then_expr.into_iter();
                    let branches = branches.map(|(when, then)| (Box::new(double(*when)), then));
                    case.when_then_expr = branches.collect();
                }
                let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
                let results: Vec<&Expr> = results.chain(case.else_expr.as_deref()).collect();
                let chooses = are_mixed(&results);
                if chooses {
                    let branches = case.when_then_expr.into_iter();
                    let branches = branches.map(|(when, then)| (when, Box::new(double(*then))));
                    case.when_then_expr = branches.collect();
                    case.else_expr = case.else_expr.map(|other| Box::new(double(*other)));
                }
                match compares || chooses {
                    true => Transformed::yes(Expr::Case(case)),
                    false => Transformed::no(Expr::Case(case)),
                }
            }
            Expr::ScalarFunction(ScalarFunction { func, args })
                if SHARED.contains(&func.name()) && are_mixed(&args.iter().collect::<Vec<_>>()) =>
            {
                Transformed::yes(func.call(args.into_iter().map(double).collect()))
            }
            // It has the type of the first.
            Expr::ScalarFunction(ScalarFunction { func, args })
                if func.name() == "nullif"
                    && args.first().is_some_and(|first| !is_decimal(first))
                    && are_mixed(&args.iter().collect::<Vec<_>>()) =>
            {
                Transformed::yes(func.call(args.into_iter().map(double).collect()))
            }
            expr => Transformed::no(expr),
        })
    }
}

fn compares(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// What a `CASE` with an operand compares.
fn compared(case: &Case) -> Vec<&Expr> {
    let Some(base) = case.expr.as_deref() else {
        return Vec::new();
    };
    let whens = case.when_then_expr.iter().map(|(when, _)| when.as_ref());
    whens.chain([base]).collect()
}

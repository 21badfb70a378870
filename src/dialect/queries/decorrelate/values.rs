//! `EXISTS`, `IN`, `ANY` and `ALL` as values: in a select list, and wherever else DataFusion knows
//! them in filters only.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema, Result, ScalarValue};
use datafusion::functions_aggregate::count::count;
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit, not, when,
};

/// Whether a node computes with the answer of a predicate over a subquery.
pub fn has_predicates(node: &LogicalPlan) -> Result<bool> {
    let mut is_found = false;
    if !takes_values(node) {
        return Ok(false);
    }
    node.apply_expressions(|expr| {
        is_found = is_found
            || expr.exists(|expr| {
                Ok(matches!(
                    expr,
                    Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)
                ))
            })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(is_found)
}

fn takes_values(node: &LogicalPlan) -> bool {
    matches!(
        node,
        LogicalPlan::Projection(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Sort(_)
    )
}

/// Says a comparison with the rows of a subquery by `EXISTS`, which is true or false.
pub fn as_exists(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if !has_predicates(&node)? {
        return Ok(Transformed::no(node));
    }
    let Some(input) = node.inputs().first().map(|input| (*input).clone()) else {
        return Ok(Transformed::no(node));
    };
    let names_columns = !matches!(node, LogicalPlan::Sort(_));
    let mut is_changed = false;
    let mut exprs = Vec::new();
    for expr in node.expressions() {
        let name = NamePreserver::new(&node).save(&expr);
        let rewritten = expr.transform_up(|expr| match expr {
            Expr::InSubquery(InSubquery {
                expr,
                subquery,
                negated,
            }) => {
                let is_in = compared(
                    *expr,
                    &subquery,
                    Operator::Eq,
                    SetQuantifier::Any,
                    input.schema(),
                )?;
                Ok(Transformed::yes(match negated {
                    true => not(is_in),
                    false => is_in,
                }))
            }
            Expr::SetComparison(SetComparison {
                expr,
                subquery,
                op,
                quantifier,
            }) => {
                let compared = compared(*expr, &subquery, op, quantifier, input.schema())?;
                Ok(Transformed::yes(compared))
            }
            expr => Ok(Transformed::no(expr)),
        })?;
        is_changed |= rewritten.transformed;
        exprs.push(match names_columns {
            true => name.restore(rewritten.data),
            false => rewritten.data,
        });
    }
    match is_changed {
        true => Ok(Transformed::yes(node.with_new_exprs(exprs, vec![input])?)),
        false => Ok(Transformed::no(node)),
    }
}

/// A value compared with any or all rows of a subquery: null where that is not known.
fn compared(
    value: Expr,
    subquery: &Subquery,
    op: Operator,
    quantifier: SetQuantifier,
    outer: &DFSchema,
) -> Result<Expr> {
    let value = value.transform_up(|expr| match expr {
        Expr::Column(column) => {
            let field = Arc::clone(outer.field_from_column(&column)?);
            Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
        }
        expr => Ok(Transformed::no(expr)),
    })?;
    let row = Column::from(subquery.subquery.schema().qualified_field(0));
    let row = Box::new(Expr::Column(row));
    let comparison = Expr::BinaryExpr(BinaryExpr::new(Box::new(value.data), op, row));
    let exists = |condition: Expr| {
        let plan = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone())
            .filter(condition)?
            .build()?;
        let outer_ref_columns = plan.all_out_ref_exprs();
        Ok::<_, datafusion::error::DataFusionError>(Expr::Exists(Exists {
            subquery: Subquery {
                subquery: Arc::new(plan),
                outer_ref_columns,
                spans: subquery.spans.clone(),
            },
            negated: false,
        }))
    };
    let (decisive, decided) = match quantifier {
        SetQuantifier::Any => (comparison.clone().is_true(), true),
        SetQuantifier::All => (comparison.clone().is_false(), false),
    };
    when(exists(decisive)?, lit(decided))
        .when(
            exists(comparison.is_null())?,
            lit(ScalarValue::Boolean(None)),
        )
        .otherwise(lit(!decided))
}

/// Whether a subquery that reads nothing of the outer query has a row.
pub fn is_there(plan: LogicalPlan, negated: bool) -> Result<Expr> {
    let counted = LogicalPlanBuilder::from(plan)
        .limit(0, Some(1))?
        .aggregate(Vec::<Expr>::new(), vec![count(lit(1)).alias("rows_there")])?
        .build()?;
    let counted = Expr::ScalarSubquery(Subquery {
        subquery: Arc::new(counted),
        outer_ref_columns: Vec::new(),
        spans: Default::default(),
    });
    Ok(match negated {
        true => counted.eq(lit(0_i64)),
        false => counted.gt(lit(0_i64)),
    })
}

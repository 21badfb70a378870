//! What plans and expressions read of the queries around them.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};

/// The columns of other queries that a plan reads.
pub fn outer_columns(plan: &LogicalPlan) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::OuterReferenceColumn(_, column) = expr
                    && !columns.contains(column)
                {
                    columns.push(column.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(columns)
}

/// Whether an expression reads one of these outer columns, be it in a subquery of its own.
pub fn reads(expr: &Expr, columns: &[Column]) -> bool {
    let reads = expr.exists(|expr| {
        Ok(match expr {
            Expr::OuterReferenceColumn(_, column) => columns.contains(column),
            expr => match subquery_of(expr) {
                Some(subquery) => {
                    let outer = outer_columns(&subquery.subquery)?;
                    outer.iter().any(|column| columns.contains(column))
                }
                None => false,
            },
        })
    });
    reads.unwrap_or(true)
}

/// The subquery that an expression is.
pub fn subquery_of(expr: &Expr) -> Option<&Subquery> {
    match expr {
        Expr::ScalarSubquery(subquery)
        | Expr::Exists(Exists { subquery, .. })
        | Expr::InSubquery(InSubquery { subquery, .. })
        | Expr::SetComparison(SetComparison { subquery, .. }) => Some(subquery),
        _ => None,
    }
}

//! Recursive queries: their numerics have no certain places, and their rows come as they are made.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{Expr, Query, SelectItem, SetExpr, SetOperator};

use crate::dialect::functions::syntax::call;
use crate::dialect::numbers::AnyPlaces;

/// Gives the columns of first terms any places that their rows will need.
pub fn rewrite(query: &mut Query) {
    let Some(with) = query.with.as_mut().filter(|with| with.recursive) else {
        return;
    };
    for cte in &mut with.cte_tables {
        let name = &cte.alias.name.value;
        if let SetExpr::SetOperation {
            op: SetOperator::Union,
            left,
            right,
            ..
        } = &mut *cte.query.body
            && right.to_string().contains(name)
        {
            open(left);
        }
    }
}

fn open(term: &mut SetExpr) {
    match term {
        SetExpr::Select(select) => {
            for item in &mut select.projection {
                let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item
                else {
                    continue;
                };
                let name = match &*expr {
                    Expr::Identifier(name) => Some(name.clone()),
                    Expr::CompoundIdentifier(names) => names.last().cloned(),
                    _ => None,
                };
                open_value(expr);
                // A column that is opened keeps its name.
                if let (SelectItem::UnnamedExpr(expr), Some(alias)) = (&*item, name) {
                    let expr = expr.clone();
                    *item = SelectItem::ExprWithAlias { expr, alias };
                }
            }
        }
        SetExpr::Values(values) => {
            for row in &mut values.rows {
                row.content.iter_mut().for_each(open_value);
            }
        }
        SetExpr::Query(query) => open(&mut query.body),
        SetExpr::SetOperation { left, right, .. } => {
            open(left);
            open(right);
        }
        _ => {}
    }
}

fn open_value(expr: &mut Expr) {
    let value = std::mem::replace(expr, Expr::Wildcard(AttachedToken::empty()));
    *expr = call(AnyPlaces::NAME, vec![value]);
}

/// Keeps the rows of a recursive query together: dealt out to several threads, the rounds that made
/// them would come in any order.
#[derive(Debug)]
pub struct InRounds;

impl PhysicalOptimizerRule for InRounds {
    fn name(&self) -> &str {
        "InRounds"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = plan.transform_up(|node| {
            let is_dealt = node.downcast_ref::<RepartitionExec>().is_some_and(|node| {
                matches!(node.partitioning(), Partitioning::RoundRobinBatch(_))
            });
            match node.children().as_slice() {
                [rows] if is_dealt && is_of_rounds(rows) => Ok(Transformed::yes(Arc::clone(rows))),
                _ => Ok(Transformed::no(node)),
            }
        });
        plan.data()
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether rows are those of a recursive query, one by one.
fn is_of_rounds(node: &Arc<dyn ExecutionPlan>) -> bool {
    match (node.name(), node.children().as_slice()) {
        ("RecursiveQueryExec" | "WorkTableExec", _) => true,
        (_, [only]) => is_of_rounds(only),
        _ => false,
    }
}

//! What a predicate computes of outer values alone, such as the end of an hour from each: once for
//! each of them, and not again for every row that it is compared with.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator};

use super::pull::Outer;

impl Outer {
    /// A predicate that reads what it would compute of the keys alone, for every row that they meet,
    /// and the values with that beside them.
    pub(super) fn computed_once(&self, predicate: Expr) -> Result<(Expr, LogicalPlan)> {
        let mut computed: Vec<Expr> = Vec::new();
        let predicate = predicate.transform_down(|expr| {
            if !self.is_sum_of_keys(&expr) {
                return Ok(Transformed::no(expr));
            }
            let known = computed.iter().position(|known| *known == expr);
            let place = known.unwrap_or(computed.len());
            if known.is_none() {
                computed.push(expr);
            }
            let column = Column::from_name(self.computed_name(place));
            Ok(Transformed::new(
                Expr::Column(column),
                true,
                TreeNodeRecursion::Jump,
            ))
        })?;
        if computed.is_empty() {
            return Ok((predicate.data, self.values.clone()));
        }
        let named = computed.into_iter().enumerate();
        let named = named.map(|(place, expr)| expr.alias(self.computed_name(place)));
        let columns = self.keys().into_iter().chain(named);
        let values = LogicalPlanBuilder::from(self.values.clone()).project(columns)?;
        Ok((predicate.data, values.build()?))
    }

    fn computed_name(&self, place: usize) -> String {
        let first = self.names.first().map_or("__outer", |name| name.as_str());
        format!("{first}_computed_{place}")
    }

    /// Whether an expression adds to a key what is constant, or subtracts it: that cannot fail for
    /// one row and be left out for another.
    fn is_sum_of_keys(&self, expr: &Expr) -> bool {
        let sides: Vec<&Expr> = match expr {
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::Plus | Operator::Minus,
                right,
            }) => vec![left, right],
            Expr::ScalarFunction(function) if matches!(function.name(), "+" | "-") => {
                function.args.iter().collect()
            }
            _ => return false,
        };
        let is_key = |expr: &Expr| match expr {
            Expr::Column(column) => column.relation.is_none() && self.names.contains(&column.name),
            _ => false,
        };
        let is_constant = |expr: &&Expr| matches!(expr, Expr::Literal(..)) || is_key(expr);
        sides.iter().all(is_constant) && sides.iter().any(|side| is_key(side))
    }
}

//! Correlated subqueries that DataFusion does not plan: scalar ones with `ORDER BY … LIMIT`, with
//! comparisons other than equality or without an aggregate, and laterals of any form.
//!
//! The outer values that a subquery reads are collected, each combination once; the subquery is
//! computed for all of them at a time, with these values beside its rows, and joined back (Neumann
//! and Kemper, *Unnesting Arbitrary Queries*, 2015). What DataFusion plans itself is left to it.

mod computed;
mod limit;
mod pull;
mod reads;
mod repeated;
mod single_value;
mod values;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, NullEquality, Result};
use datafusion::functions_aggregate::first_last::first_value;
use datafusion::logical_expr::expr::Exists;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    BinaryExpr, Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit,
};
use datafusion::optimizer::AnalyzerRule;

use crate::error::Error;
use pull::Outer;
use reads::{outer_columns, reads};

/// The rule; it counts what it has taken apart, for names of its own.
#[derive(Debug, Default)]
pub struct Decorrelate {
    taken: AtomicUsize,
}

impl AnalyzerRule for Decorrelate {
    fn name(&self) -> &str {
        "decorrelate"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut is_wanted = false;
        plan.apply_with_subqueries(|node| {
            is_wanted = is_wanted
                || lateral(node).is_some()
                || values::has_predicates(node)?
                || !wanted(node)?.is_empty();
            Ok(match is_wanted {
                true => TreeNodeRecursion::Stop,
                false => TreeNodeRecursion::Continue,
            })
        })?;
        if !is_wanted {
            return Ok(plan);
        }
        let plan = plan.transform_down_with_subqueries(values::as_exists)?.data;
        let plan = plan
            .transform_down_with_subqueries(limit::limit_first)?
            .data;
        let plan = plan.transform_up_with_subqueries(|node| self.rewrite(node))?;
        Ok(plan.data)
    }
}

impl Decorrelate {
    fn rewrite(&self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        if let LogicalPlan::Join(join) = &node
            && let Some((subquery, alias)) = lateral(&node)
        {
            let plan = self.join_lateral(join, subquery, alias)?;
            return Ok(match plan {
                Some(plan) => Transformed::yes(plan),
                None => Transformed::no(node),
            });
        }
        let wanted = wanted(&node)?;
        let input = node.inputs().first().map(|input| (*input).clone());
        let (Some(mut input), false) = (input, wanted.is_empty()) else {
            return Ok(Transformed::no(node));
        };
        let mut values = Vec::with_capacity(wanted.len());
        let in_filter = matches!(node, LogicalPlan::Filter(_));
        for subquery in wanted {
            let value;
            (input, value) = self.attach(input, &subquery, in_filter)?;
            values.push((subquery, value));
        }
        let names_columns = !matches!(node, LogicalPlan::Sort(_));
        let exprs = node.expressions().into_iter().map(|expr| {
            let name = NamePreserver::new(&node).save(&expr);
            let expr = expr.transform(|expr| {
                let value = values.iter().find(|(subquery, _)| *subquery == expr);
                Ok(match value {
                    Some((_, value)) => Transformed::yes(value.clone()),
                    None => Transformed::no(expr),
                })
            })?;
            Ok(match names_columns {
                true => name.restore(expr.data),
                false => expr.data,
            })
        });
        let exprs = exprs.collect::<Result<Vec<_>>>()?;
        let plan = node.with_new_exprs(exprs, vec![input])?;
        let plan = match plan.schema().fields().len() == node.schema().fields().len() {
            true => plan,
            false => columns_of(plan, &node)?,
        };
        Ok(Transformed::yes(plan))
    }

    /// A plan with the value of a subquery beside each row, and the expression that says it.
    fn attach(
        &self,
        input: LogicalPlan,
        subquery: &Expr,
        in_filter: bool,
    ) -> Result<(LogicalPlan, Expr)> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let value = Column::from_name(format!("__value_{number}"));
        match subquery {
            Expr::ScalarSubquery(Subquery { subquery, .. }) => {
                let outer = Outer::new(&input, subquery, number)?;
                let keys = outer.keys();
                let right = if let Some(first) = limit::first_row(subquery) {
                    let rows = outer.pull(&first.rows)?;
                    let of_row = first.values.into_iter().next();
                    let of_row =
                        of_row.ok_or_else(|| unsupported("a subquery without a column"))?;
                    let of_row = outer.bind(of_row)?;
                    let first = first_value(of_row, outer.bind_sorts(&first.order)?);
                    LogicalPlanBuilder::from(rows)
                        .aggregate(keys, vec![first.alias(&value.name)])?
                        .build()?
                } else {
                    let rows = outer.pull(subquery)?;
                    let of_row = Expr::Column(Column::from(rows.schema().qualified_field(0)));
                    let rows = LogicalPlanBuilder::from(rows);
                    match subquery.max_rows() {
                        Some(0 | 1) => {
                            let mut columns = keys;
                            columns.push(of_row.alias(&value.name));
                            rows.project(columns)?.build()?
                        }
                        _ => {
                            let only = single_value::single_value().call(vec![of_row]);
                            rows.aggregate(keys, vec![only.alias(&value.name)])?
                                .build()?
                        }
                    }
                };
                Ok((outer.join_back(input, right)?, Expr::Column(value)))
            }
            Expr::Exists(Exists { subquery, negated }) => {
                let plan = limit::without_limit(&subquery.subquery);
                let columns = outer_columns(&plan)?;
                if columns
                    .iter()
                    .all(|column| !input.schema().has_column(column))
                {
                    return Ok((input, values::is_there(plan, *negated)?));
                }
                if in_filter && is_engines_predicate(&plan, &columns)? {
                    let subquery = Subquery {
                        subquery: Arc::new(plan),
                        ..subquery.clone()
                    };
                    let negated = *negated;
                    return Ok((input, Expr::Exists(Exists { subquery, negated })));
                }
                let outer = Outer::new(&input, &plan, number)?;
                let keys = LogicalPlanBuilder::from(outer.pull(&plan)?)
                    .project(outer.keys())?
                    .distinct()?;
                let mut columns = outer.keys();
                columns.push(lit(true).alias(&value.name));
                let right = keys.project(columns)?.build()?;
                let value = match negated {
                    true => Expr::Column(value).is_null(),
                    false => Expr::Column(value).is_not_null(),
                };
                Ok((outer.join_back(input, right)?, value))
            }
            other => Err(unsupported(&format!("the subquery {other}"))),
        }
    }

    /// A join whose right side reads columns of the left.
    fn join_lateral(
        &self,
        join: &Join,
        subquery: &LogicalPlan,
        alias: Option<&datafusion::common::TableReference>,
    ) -> Result<Option<LogicalPlan>> {
        if outer_columns(subquery)?
            .iter()
            .all(|column| !join.left.schema().has_column(column))
        {
            return Ok(None);
        }
        if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
            return Err(unsupported("a lateral at the right of such a join"));
        }
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let outer = Outer::new(&join.left, subquery, number)?;
        let right = match limit::first_row(subquery) {
            Some(first) => outer.first_of_each(first, subquery)?,
            None => outer.pull(subquery)?,
        };
        let right = LogicalPlanBuilder::from(right);
        let (right, keys) = match alias {
            Some(alias) => {
                let keys = outer.key_columns().into_iter();
                let keys = keys.map(|key| Column::new(Some(alias.clone()), key.name));
                (right.alias(alias.clone())?.build()?, keys.collect())
            }
            None => (right.build()?, outer.key_columns()),
        };
        let equal = join.on.iter().map(|(l, r)| l.clone().eq(r.clone()));
        let filter = equal.chain(join.filter.clone()).reduce(Expr::and);
        let filter = filter.filter(|filter| *filter != lit(true));
        let left = LogicalPlanBuilder::from(join.left.as_ref().clone());
        let plan = match (join.join_type, filter) {
            (JoinType::Left, Some(filter)) => {
                let pairs = outer.columns().iter().zip(keys);
                let pairs = pairs.map(|(column, key)| same(column, &key));
                left.join_on(right, JoinType::Left, pairs.chain([filter]))?
            }
            (kind, filter) => {
                let on = (outer.columns().to_vec(), keys);
                let joined = NullEquality::NullEqualsNull;
                let plan = left.join_detailed(right, kind, on, None, joined)?;
                match filter {
                    Some(filter) => plan.filter(filter)?,
                    None => plan,
                }
            }
        };
        let columns = join.schema.columns().into_iter().map(Expr::Column);
        Ok(Some(plan.project(columns)?.build()?))
    }
}

/// `a IS NOT DISTINCT FROM b`
fn same(a: &Column, b: &Column) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(
        Box::new(Expr::Column(a.clone())),
        Operator::IsNotDistinctFrom,
        Box::new(Expr::Column(b.clone())),
    ))
}

/// The subqueries of a node's expressions that are taken apart here.
fn wanted(node: &LogicalPlan) -> Result<Vec<Expr>> {
    let mut wanted = Vec::new();
    let inputs = node.inputs();
    let [input] = inputs.as_slice() else {
        return Ok(wanted);
    };
    let schema = input.schema();
    node.apply_expressions(|expr| {
        expr.apply(|expr| {
            let (plan, is_value) = match expr {
                Expr::ScalarSubquery(subquery) => (&subquery.subquery, true),
                Expr::Exists(exists) => (&exists.subquery.subquery, false),
                _ => return Ok(TreeNodeRecursion::Continue),
            };
            let mut columns = outer_columns(plan)?;
            columns.retain(|column| schema.has_column(column));
            let in_filter = matches!(node, LogicalPlan::Filter(_));
            if columns.is_empty() && (is_value || in_filter) {
                return Ok(TreeNodeRecursion::Continue);
            }
            let is_engines = match is_value {
                true => {
                    matches!(node, LogicalPlan::Projection(_) | LogicalPlan::Filter(_))
                        && is_engines_value(plan, &columns)?
                }
                false => in_filter && is_engines_predicate(plan, &columns)?,
            };
            if !is_engines && !wanted.contains(expr) {
                wanted.push(expr.clone());
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(wanted)
}

/// The lateral subquery at the right of a join, and its alias.
fn lateral(
    node: &LogicalPlan,
) -> Option<(&LogicalPlan, Option<&datafusion::common::TableReference>)> {
    let LogicalPlan::Join(join) = node else {
        return None;
    };
    match join.right.as_ref() {
        LogicalPlan::Subquery(subquery) => Some((&subquery.subquery, None)),
        LogicalPlan::SubqueryAlias(alias) => match alias.input.as_ref() {
            LogicalPlan::Subquery(subquery) => Some((&subquery.subquery, Some(&alias.alias))),
            _ => None,
        },
        _ => None,
    }
}

/// Whether DataFusion plans a scalar subquery itself: an aggregate over rows found by equality.
fn is_engines_value(plan: &LogicalPlan, columns: &[Column]) -> Result<bool> {
    Ok(match plan {
        LogicalPlan::Projection(projection) => {
            !projection.expr.iter().any(|expr| reads(expr, columns))
                && is_engines_value(&projection.input, columns)?
        }
        LogicalPlan::SubqueryAlias(alias) => is_engines_value(&alias.input, columns)?,
        LogicalPlan::Aggregate(aggregate) => {
            aggregate.group_expr.is_empty()
                && !aggregate.aggr_expr.iter().any(|expr| reads(expr, columns))
                && is_found(&aggregate.input, columns, true)?
        }
        _ => false,
    })
}

/// Whether DataFusion plans an `EXISTS` itself.
fn is_engines_predicate(plan: &LogicalPlan, columns: &[Column]) -> Result<bool> {
    is_found(plan, columns, false)
}

/// Whether outer columns are read in filters only, and there only compared for equality.
fn is_found(plan: &LogicalPlan, columns: &[Column], by_equality: bool) -> Result<bool> {
    if !outer_columns(plan)?.iter().any(|c| columns.contains(c)) {
        return Ok(true);
    }
    // DataFusion takes a column of the subquery itself, nothing that is computed of it.
    let is_inner = |expr: &Expr| matches!(expr, Expr::Column(_));
    let is_outer = |expr: &Expr| reads(expr, columns) && expr.column_refs().is_empty();
    let is_equality = |expr: &Expr| match expr {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => is_inner(left) && is_outer(right) || is_outer(left) && is_inner(right),
        _ => false,
    };
    Ok(match plan {
        LogicalPlan::Filter(filter) => {
            let conjuncts = split_conjunction(&filter.predicate);
            let mut outer = conjuncts.iter().filter(|expr| reads(expr, columns));
            let has_subquery = filter.predicate.exists(|expr| {
                Ok(matches!(
                    expr,
                    Expr::ScalarSubquery(_)
                        | Expr::Exists(_)
                        | Expr::InSubquery(_)
                        | Expr::SetComparison(_)
                ))
            })?;
            !has_subquery
                && (!by_equality || outer.all(|expr| is_equality(expr)))
                && is_found(&filter.input, columns, by_equality)?
        }
        LogicalPlan::Projection(projection) => {
            !projection.expr.iter().any(|expr| reads(expr, columns))
                && is_found(&projection.input, columns, by_equality)?
        }
        LogicalPlan::SubqueryAlias(alias) => is_found(&alias.input, columns, by_equality)?,
        _ => false,
    })
}

/// A plan with the columns of another, which are among its own.
fn columns_of(plan: LogicalPlan, like: &LogicalPlan) -> Result<LogicalPlan> {
    let columns = like.schema().columns().into_iter().map(Expr::Column);
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// What is not planned here, with forms that are.
fn unsupported(what: &str) -> datafusion::error::DataFusionError {
    Error::session_hint(
        "0A000",
        format!("{what} is not supported where it reads columns of the outer query"),
        "price_at(token_address, timestamp) is the last price before an instant; DISTINCT ON, a \
         window function or a join say the rest",
    )
    .into()
}

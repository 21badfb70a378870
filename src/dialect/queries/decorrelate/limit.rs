//! Limits in and around subqueries: the first row of an order is an aggregate, and rows that are cut
//! off need no subquery.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{
    Expr, FetchType, Join, JoinType, Limit, LogicalPlan, Projection, SkipType, Sort, SortExpr, lit,
};

use super::lateral;

/// The first row of `ORDER BY … LIMIT 1`.
pub struct FirstRow {
    /// What is sorted.
    pub rows: LogicalPlan,
    /// The columns of the row.
    pub values: Vec<Expr>,
    pub order: Vec<SortExpr>,
}

/// What a subquery is the first row of.
pub fn first_row(plan: &LogicalPlan) -> Option<FirstRow> {
    let LogicalPlan::Limit(limit) = plan else {
        return None;
    };
    if !matches!(bounds(limit), Some((0, Some(1)))) {
        return None;
    }
    let (sort, values) = match limit.input.as_ref() {
        LogicalPlan::Sort(sort) => {
            let columns = sort.input.schema().columns().into_iter();
            (sort, columns.map(Expr::Column).collect())
        }
        LogicalPlan::Projection(projection) => match projection.input.as_ref() {
            LogicalPlan::Sort(sort) => {
                let values = projection.expr.iter().cloned();
                (sort, values.map(Expr::unalias).collect())
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(FirstRow {
        rows: sort.input.as_ref().clone(),
        values,
        order: sort.expr.clone(),
    })
}

/// A lateral that has one row for each of the left, or none that is joined as nulls.
fn lateral_of_one_row(plan: &LogicalPlan) -> Option<&Join> {
    let LogicalPlan::Join(join) = plan else {
        return None;
    };
    let (subquery, _) = lateral(plan)?;
    let is_unconditional = join.on.is_empty()
        && join
            .filter
            .as_ref()
            .is_none_or(|filter| *filter == lit(true));
    (join.join_type == JoinType::Left && is_unconditional && subquery.max_rows() == Some(1))
        .then_some(join)
}

/// How many rows a limit skips and then lets through, where it says so in numbers.
pub fn bounds(limit: &Limit) -> Option<(usize, Option<usize>)> {
    match (limit.get_skip_type().ok()?, limit.get_fetch_type().ok()?) {
        (SkipType::Literal(skip), FetchType::Literal(fetch)) => Some((skip, fetch)),
        _ => None,
    }
}

/// What an `EXISTS` asks of: order and a limit make no difference.
pub fn without_limit(plan: &LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Limit(limit) if matches!(bounds(limit), Some((0, None | Some(1..)))) => {
            without_limit(&limit.input)
        }
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => without_limit(&sort.input),
        LogicalPlan::Projection(projection) => {
            let input = without_limit(&projection.input);
            let made = Projection::try_new(projection.expr.clone(), Arc::new(input));
            made.map_or_else(|_| plan.clone(), LogicalPlan::Projection)
        }
        plan => plan.clone(),
    }
}

/// Cuts rows off before subqueries are computed for them, where they do not say which.
pub fn limit_first(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Limit(limit) = &node else {
        return Ok(Transformed::no(node));
    };
    let (top, below) = match limit.input.as_ref() {
        LogicalPlan::Projection(projection) => (Some(projection), projection.input.as_ref()),
        below => (None, below),
    };
    let (order, computed) = match below {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => (Some(sort), sort.input.as_ref()),
        below => (None, below),
    };
    let computed = match (computed, top, order) {
        (LogicalPlan::Projection(computed), _, _) => computed,
        // A projection without an order below it.
        (_, Some(top), None) => top,
        _ => return Ok(Transformed::no(node)),
    };
    let top = top.filter(|top| !std::ptr::eq(*top, computed));
    let one_row = lateral_of_one_row(&computed.input);
    let has_subquery = |expr: &Expr| {
        expr.exists(|expr| Ok(matches!(expr, Expr::ScalarSubquery(_) | Expr::Exists(_))))
    };
    let mut is_worth = one_row.is_some();
    for expr in &computed.expr {
        is_worth |= has_subquery(expr)?;
    }
    if !is_worth {
        return Ok(Transformed::no(node));
    }
    let mut rows = match one_row {
        Some(join) => join.left.as_ref().clone(),
        None => computed.input.as_ref().clone(),
    };
    if let Some(sort) = order {
        let mut exprs = Vec::with_capacity(sort.expr.len());
        for by in &sort.expr {
            let expr = by.expr.clone().transform(|expr| {
                let Expr::Column(column) = &expr else {
                    return Ok(Transformed::no(expr));
                };
                let position = computed.schema.index_of_column(column)?;
                Ok(Transformed::yes(computed.expr[position].clone().unalias()))
            })?;
            let columns = expr.data.column_refs();
            if has_subquery(&expr.data)?
                || expr.data.is_volatile()
                || columns
                    .iter()
                    .any(|column| !rows.schema().has_column(column))
            {
                return Ok(Transformed::no(node));
            }
            exprs.push(by.with_expr(expr.data));
        }
        rows = LogicalPlan::Sort(Sort {
            expr: exprs,
            input: Arc::new(rows),
            fetch: None,
        });
    }
    let mut rows = LogicalPlan::Limit(Limit {
        skip: limit.skip.clone(),
        fetch: limit.fetch.clone(),
        input: Arc::new(rows),
    });
    if let Some(join) = one_row {
        rows = LogicalPlan::Join(Join {
            left: Arc::new(rows),
            ..join.clone()
        });
    }
    let mut plan =
        LogicalPlan::Projection(Projection::try_new(computed.expr.clone(), Arc::new(rows))?);
    if let Some(sort) = order {
        // What is joined to the rows does not keep their order.
        plan = LogicalPlan::Sort(Sort {
            expr: sort.expr.clone(),
            input: Arc::new(plan),
            fetch: None,
        });
    }
    if let Some(top) = top {
        plan = LogicalPlan::Projection(Projection::try_new(top.expr.clone(), Arc::new(plan))?);
    }
    Ok(Transformed::yes(plan))
}

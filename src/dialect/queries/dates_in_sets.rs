//! `GROUP BY ROLLUP (x::date)`: casts to dates as calls, where sets are grouped by them.
//!
//! DataFusion gives a cast the name of what is cast, and finds two columns of one name where a set
//! groups by it. A call has a name of its own.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, GroupByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, VisitMut,
};
use sql_visit::{visit_expressions, visit_expressions_mut};

use super::limits::folded;
use crate::dialect::functions::syntax::call;

/// The function that casts to a date.
pub const AS_DATE: &str = "as_date";

/// Rewrites the casts of a query that groups by sets.
pub fn rewrite(query: &mut Query) {
    let Query { body, order_by, .. } = query;
    let SetExpr::Select(select) = body.as_mut() else {
        return;
    };
    if !groups_by_sets(select) {
        return;
    }
    name_aliased(select);
    as_calls(&mut select.projection);
    as_calls(&mut select.having);
    if let GroupByExpr::Expressions(groups, _) = &mut select.group_by {
        as_calls(groups);
    }
    if let Some(order) = order_by
        && let OrderByKind::Expressions(order) = &mut order.kind
    {
        as_calls(order);
    }
}

fn groups_by_sets(select: &Select) -> bool {
    let GroupByExpr::Expressions(groups, _) = &select.group_by else {
        return false;
    };
    let is_set = |group: &Expr| {
        matches!(
            group,
            Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_)
        )
    };
    groups.iter().any(is_set)
}

/// Has a set group by the cast that an alias stands for, which no column within it is called as.
fn name_aliased(select: &mut Select) {
    let aliased: Vec<(String, Expr)> = select
        .projection
        .iter()
        .filter_map(|item| match item {
            SelectItem::ExprWithAlias {
                expr: expr @ Expr::Cast { .. },
                alias,
            } => Some((folded(alias), expr.clone())),
            _ => None,
        })
        .filter(|(name, expr)| !reads(expr, name))
        .collect();
    let GroupByExpr::Expressions(groups, _) = &mut select.group_by else {
        return;
    };
    for group in groups {
        let (Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets)) = group else {
            continue;
        };
        for expr in sets.iter_mut().flatten() {
            if let Expr::Identifier(name) = &*expr
                && let Some((_, cast)) = aliased.iter().find(|(alias, _)| *alias == folded(name))
            {
                *expr = cast.clone();
            }
        }
    }
}

fn reads(expr: &Expr, name: &str) -> bool {
    let found = visit_expressions(expr, |expr| {
        let read = match expr {
            Expr::Identifier(read) => Some(read),
            Expr::CompoundIdentifier(read) => read.last(),
            _ => None,
        };
        match read.is_some_and(|read| folded(read) == name) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    found.is_break()
}

fn as_calls(part: &mut impl VisitMut) {
    let _ = visit_expressions_mut(part, |expr| {
        if let Expr::Cast {
            expr: inner,
            data_type: DataType::Date,
            array: false,
            ..
        } = expr
        {
            *expr = call(AS_DATE, vec![(**inner).clone()]);
        }
        ControlFlow::<()>::Continue(())
    });
}

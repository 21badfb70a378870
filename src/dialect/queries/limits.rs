//! `FETCH FIRST` as `LIMIT`, and `WITH TIES` as a rank; `LIMIT NULL` is none.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Distinct, Expr, Fetch, Function, FunctionArgumentList, FunctionArguments,
    GroupByExpr, Ident, LimitClause, ObjectName, OrderBy, OrderByExpr, OrderByKind, Query, Select,
    SelectItem, SetExpr, Value, WindowSpec, WindowType,
};

use super::unsupported;
use crate::error::{Error, Result};

/// Rewrites the limits of a query.
pub fn rewrite(query: &mut Query) -> Result<()> {
    if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause {
        if limit.as_ref().is_some_and(is_null) {
            *limit = None;
        }
        if offset.as_ref().is_some_and(|offset| is_null(&offset.value)) {
            *offset = None;
        }
    }
    let Some(Fetch {
        with_ties,
        percent,
        quantity,
    }) = query.fetch.take()
    else {
        return Ok(());
    };
    if percent {
        let hint = "percent_rank() OVER (ORDER BY …) says which part a row is in";
        return Err(unsupported("FETCH … PERCENT", hint));
    }
    let quantity = quantity.unwrap_or_else(|| number(1));
    if with_ties {
        return ties(query, quantity);
    }
    match &mut query.limit_clause {
        None => {
            query.limit_clause = Some(LimitClause::LimitOffset {
                limit: Some(quantity),
                offset: None,
                limit_by: Vec::new(),
            });
            Ok(())
        }
        Some(LimitClause::LimitOffset {
            limit: limit @ None,
            ..
        }) => {
            *limit = Some(quantity);
            Ok(())
        }
        Some(_) => Err(Error::session(
            "42601",
            "multiple LIMIT clauses not allowed",
        )),
    }
}

/// The first rows and those that are equal to the last of them: their rank is one of the first.
fn ties(query: &mut Query, quantity: Expr) -> Result<()> {
    let Some(OrderBy {
        kind: OrderByKind::Expressions(order),
        ..
    }) = &query.order_by
    else {
        let message = "WITH TIES cannot be specified without ORDER BY clause";
        return Err(Error::session("42601", message));
    };
    let SetExpr::Select(select) = query.body.as_mut() else {
        let hint = "write SELECT * FROM (…) around it, with its columns in ORDER BY";
        return Err(unsupported("WITH TIES over a set operation", hint));
    };
    if matches!(select.distinct, Some(Distinct::Distinct | Distinct::On(_))) {
        let hint = "write SELECT * FROM (SELECT DISTINCT …) around it";
        return Err(unsupported("WITH TIES beside DISTINCT", hint));
    }
    let order_by = order.iter().map(|by| {
        Ok(OrderByExpr {
            expr: selected(&by.expr, &select.projection)?,
            ..by.clone()
        })
    });
    let rank = Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("rank")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: Vec::new(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: Some(WindowType::WindowSpec(WindowSpec {
            window_name: None,
            partition_by: Vec::new(),
            order_by: order_by.collect::<Result<_>>()?,
            window_frame: None,
        })),
        within_group: Vec::new(),
    });
    let last = match &query.limit_clause {
        Some(LimitClause::LimitOffset {
            offset: Some(offset),
            ..
        }) => binary(quantity, BinaryOperator::Plus, offset.value.clone()),
        _ => quantity,
    };
    let is_first = binary(rank, BinaryOperator::LtEq, last);
    select.qualify = Some(match select.qualify.take() {
        Some(qualify) => binary(qualify, BinaryOperator::And, is_first),
        None => is_first,
    });
    Ok(())
}

/// Writes out numbers of items of the select list in `ROLLUP`, `CUBE`, `GROUPING SETS` and
/// `DISTINCT ON`. To group by nothing is what aggregates do without it.
pub fn rewrite_groups(select: &mut Select) -> Result<()> {
    let Select {
        group_by,
        projection,
        distinct,
        ..
    } = select;
    if let Some(Distinct::On(exprs)) = distinct {
        for expr in exprs.iter_mut() {
            if matches!(expr, Expr::Value(_)) {
                *expr = selected(expr, projection)?;
            }
        }
    }
    if let GroupByExpr::Expressions(groups, _) = group_by
        && let [Expr::Tuple(parts)] = groups.as_slice()
        && parts.is_empty()
    {
        groups.clear();
    }
    let GroupByExpr::Expressions(groups, _) = group_by else {
        return Ok(());
    };
    for group in groups {
        let (Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets)) = group else {
            continue;
        };
        for expr in sets.iter_mut().flatten() {
            if matches!(expr, Expr::Value(_)) {
                *expr = selected(expr, projection)?;
            }
        }
    }
    Ok(())
}

/// What an item of `ORDER BY` stands for: a number or an alias for an item of the select list.
fn selected(expr: &Expr, projection: &[SelectItem]) -> Result<Expr> {
    let of_item = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            Some(expr.clone())
        }
        _ => None,
    };
    match expr {
        Expr::Value(value) => {
            let Value::Number(digits, _) = &value.value else {
                return Ok(expr.clone());
            };
            let position = digits.parse::<usize>().ok();
            let item = position.and_then(|position| projection.get(position.checked_sub(1)?));
            item.and_then(of_item).ok_or_else(|| {
                let message = format!("ORDER BY position {digits} is not in select list");
                Error::session("42P10", message)
            })
        }
        Expr::Identifier(name) => {
            let item = projection.iter().find(|item| match item {
                SelectItem::ExprWithAlias { alias, .. } => same_name(alias, name),
                _ => false,
            });
            Ok(item.and_then(of_item).unwrap_or_else(|| expr.clone()))
        }
        expr => Ok(expr.clone()),
    }
}

/// Whether two names are one: quotes keep capitals.
pub fn same_name(a: &Ident, b: &Ident) -> bool {
    folded(a) == folded(b)
}

/// A name as it is looked up.
pub fn folded(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(value.value, Value::Null),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_null(expr),
        _ => false,
    }
}

/// A whole number as an expression.
pub fn number(value: usize) -> Expr {
    Expr::Value(Value::Number(value.to_string(), false).with_empty_span())
}

/// Two expressions with an operator between them, in brackets.
pub fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(left),
        op,
        right: Box::new(right),
    }))
}

//! Functions that return rows: in a select list, beside other relations whose columns they read,
//! `WITH ORDINALITY`, and their columns under the names that PostgreSQL gives them.

pub mod records;
mod returning;
mod tables;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    GroupByExpr, Ident, OrderByExpr, OrderByKind, OrderByOptions, Query, Select, SelectItem,
    SetExpr, TableAlias, TableFactor, TableWithJoins, Value, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use sql_visit::{visit_expressions, visit_expressions_mut, visit_mut};

use super::limits::folded;
use crate::catalog::array_literals::{self, Item};
use crate::error::Result;
use returning::{ARRAY, rows_of};

pub use tables::rewrite_table;

/// Has each row of a select list's functions unnested from its array.
pub fn rewrite_select(select: &mut Select) -> Result<()> {
    tables::name_by_use(select);
    for item in &mut select.projection {
        let (expr, name) = match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = name_of(expr).map(str::to_owned);
                (expr, name)
            }
            SelectItem::ExprWithAlias { expr, .. } => (expr, None),
            _ => continue,
        };
        let mut sets = Sets {
            depth: 0,
            is_found: false,
        };
        let _ = visit_mut(expr, &mut sets);
        if let (true, Some(name)) = (sets.is_found, name) {
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: Ident::new(name),
            };
        }
    }
    Ok(())
}

/// The name that a function returning rows gives its column.
fn name_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Function(function) => rows_of(function).map(|rows| rows.name),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => name_of(expr),
        _ => None,
    }
}

struct Sets {
    /// How many queries stand between the select list and what is visited.
    depth: usize,
    is_found: bool,
}

impl VisitorMut for Sets {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        let Expr::Function(function) = &*expr else {
            return ControlFlow::Continue(());
        };
        let rewritten = match rows_of(function) {
            Some(rows) => expression(&rows.unnested()).ok(),
            // An array that was asked for as such.
            None if is_unnest(function) => match argument(function) {
                Some(Expr::Function(inner)) if is_unnest(inner) => {
                    Some(Expr::Function(inner.clone()))
                }
                Some(array) => flattened(array),
                _ => None,
            },
            None => None,
        };
        if let Some(rewritten) = rewritten {
            self.is_found = true;
            *expr = rewritten;
        }
        ControlFlow::Continue(())
    }
}

/// The elements of an array of arrays that is written out, as one call.
fn flattened(array: &Expr) -> Option<Expr> {
    let mut text = array.to_string();
    let dimensions = dimensions(array)?;
    for _ in 1..dimensions {
        text = format!("flatten({text})");
    }
    (dimensions > 1).then(|| expression(&format!("unnest({text})")).ok())?
}

/// How many dimensions an array has that is written out.
fn dimensions(array: &Expr) -> Option<usize> {
    match array {
        Expr::Array(array) => {
            let within = array.elem.first().and_then(dimensions);
            Some(1 + within.unwrap_or_default())
        }
        Expr::Cast {
            expr,
            data_type: DataType::Array(_),
            ..
        } => match expr.as_ref() {
            Expr::Value(value) => {
                let Value::SingleQuotedString(text) = &value.value else {
                    return None;
                };
                let mut items = array_literals::parse(text)?;
                let mut dimensions = 1;
                while let Some(Item::Array(within)) = items.into_iter().next() {
                    dimensions += 1;
                    items = within;
                }
                Some(dimensions)
            }
            array => dimensions(array),
        },
        Expr::Nested(array) => dimensions(array),
        _ => None,
    }
}

fn is_unnest(function: &Function) -> bool {
    function.name.to_string().eq_ignore_ascii_case("unnest")
}

fn argument(function: &Function) -> Option<&Expr> {
    match &function.args {
        FunctionArguments::List(list) => match list.args.as_slice() {
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))] => Some(expr),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn expression(text: &str) -> Result<Expr> {
    let parsed = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(1_000)
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_expr());
    Ok(parsed.map_err(datafusion::error::DataFusionError::from)?)
}

/// `ARRAY (SELECT …)`: the rows of a subquery in their order, an empty array where it has none.
pub fn rewrite_array(expr: &mut Expr) -> Result<()> {
    if let Some((left, query, negated)) = one_of_rows(expr) {
        *expr = Expr::InSubquery {
            expr: left,
            subquery: query,
            negated,
        };
        return Ok(());
    }
    let Expr::Function(Function {
        name,
        args: FunctionArguments::Subquery(query),
        ..
    }) = &*expr
    else {
        return Ok(());
    };
    if !name.to_string().eq_ignore_ascii_case("array") {
        return Ok(());
    }
    let mut query = query.clone();
    super::order::keep(&mut query);
    let text = format!(
        "(select coalesce(array_agg(element order by place), make_array()) from (select element, \
         row_number() over () as place from ({query}) as elements (element)) as placed)"
    );
    *expr = expression(&text)?;
    Ok(())
}

/// The sides of `x = any(array(select …))` and `x <> all(array(select …))`, which ask for one of the rows.
fn one_of_rows(expr: &Expr) -> Option<(Box<Expr>, Box<Query>, bool)> {
    let (left, right, negated) = match expr {
        Expr::AnyOp {
            left,
            compare_op: BinaryOperator::Eq,
            right,
            ..
        } => (left, right, false),
        Expr::AllOp {
            left,
            compare_op: BinaryOperator::NotEq,
            right,
        } => (left, right, true),
        _ => return None,
    };
    match &**right {
        Expr::Function(Function {
            name,
            args: FunctionArguments::Subquery(query),
            ..
        }) if name.to_string().eq_ignore_ascii_case("array") => {
            Some((left.clone(), query.clone(), negated))
        }
        _ => None,
    }
}

/// Has a query in whose select list functions return rows ordered by what is not in that list: the
/// functions become a relation, which the order does not concern.
pub fn rewrite_order(query: &mut Query) -> Result<()> {
    let Query { body, order_by, .. } = query;
    let (SetExpr::Select(select), Some(order)) = (body.as_mut(), order_by) else {
        return Ok(());
    };
    let OrderByKind::Expressions(order) = &mut order.kind else {
        return Ok(());
    };
    let is_plain = select.distinct.is_none()
        && select.having.is_none()
        && !select.from.is_empty()
        && matches!(&select.group_by, GroupByExpr::Expressions(exprs, _) if exprs.is_empty());
    let outputs: Vec<String> = select
        .projection
        .iter()
        .filter_map(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(folded(name)),
            _ => None,
        })
        .collect();
    let is_output = |expr: &Expr| match expr {
        Expr::Identifier(name) => outputs.contains(&folded(name)),
        Expr::Value(_) => true,
        _ => false,
    };
    // The order concerns the functions where it is by what they return.
    let of_rows = |expr: &Expr| {
        select.projection.iter().enumerate().any(|(place, item)| {
            let (value, is_named) = match (item, expr) {
                (SelectItem::ExprWithAlias { expr: value, alias }, Expr::Identifier(name)) => {
                    (value, folded(alias) == folded(name))
                }
                (SelectItem::UnnamedExpr(value), Expr::Identifier(name)) => {
                    (value, name_of(value) == Some(folded(name).as_str()))
                }
                (
                    SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. },
                    expr,
                ) => (value, expr.to_string() == (place + 1).to_string()),
                _ => return false,
            };
            is_named && rows_within(value).is_some()
        })
    };
    let are_outputs = order.iter().all(|by| is_output(&by.expr));
    if !is_plain || are_outputs && order.iter().any(|by| of_rows(&by.expr)) {
        return Ok(());
    }
    let mut sets: Vec<String> = Vec::new();
    let mut arrays: Vec<String> = Vec::new();
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = &*item
        else {
            continue;
        };
        let Some(array) = rows_within(expr) else {
            continue;
        };
        arrays.extend(array);
        let column = format!("rows_{}", sets.len() + 1);
        let alias = match &*item {
            SelectItem::ExprWithAlias { alias, .. } => alias.clone(),
            _ => match expr {
                Expr::Function(function) => {
                    let name = function.name.0.last().and_then(|part| part.as_ident());
                    name.cloned().unwrap_or_else(|| Ident::new("unnest"))
                }
                _ => Ident::with_quote('"', "?column?"),
            },
        };
        let mut expr = expr.clone();
        let _ = visit_expressions_mut(&mut expr, |expr| {
            if let Expr::Array(_) = expr
                && let Ok(call) = expression(&as_call(expr))
            {
                *expr = call;
            }
            ControlFlow::<()>::Continue(())
        });
        sets.push(format!("{expr} as {column}"));
        let names = vec![Ident::new("rows_returned"), Ident::new(column)];
        *item = SelectItem::ExprWithAlias {
            expr: Expr::CompoundIdentifier(names),
            alias,
        };
    }
    if sets.is_empty() {
        return Ok(());
    }
    // The rows of one call stay in their order.
    if let [array] = arrays.as_slice() {
        sets.push(format!(
            "unnest({ARRAY}(1, array_length({array}, 1))) as place"
        ));
        order.push(OrderByExpr {
            expr: expression("rows_returned.place")?,
            options: OrderByOptions {
                asc: None,
                nulls_first: None,
            },
            with_fill: None,
        });
    }
    let alias = TableAlias {
        explicit: true,
        name: Ident::new("rows_returned"),
        columns: Vec::new(),
        at: None,
    };
    select.from.push(TableWithJoins {
        relation: derived(&format!("select {}", sets.join(", ")), Some(alias))?,
        joins: Vec::new(),
    });
    Ok(())
}

/// The array whose elements are the rows of a function within an expression, where it is one array.
fn rows_within(expr: &Expr) -> Option<Option<String>> {
    let found = visit_expressions(expr, |expr| match expr {
        Expr::Function(function) if is_unnest(function) => {
            ControlFlow::Break(argument(function).map(as_call))
        }
        Expr::Function(function) => match rows_of(function) {
            Some(rows) => ControlFlow::Break(Some(rows.array)),
            None => ControlFlow::Continue(()),
        },
        _ => ControlFlow::Continue(()),
    });
    found.break_value()
}

/// An array as a call, whose elements may be columns of other relations.
fn as_call(array: &Expr) -> String {
    match array {
        Expr::Array(array) => {
            let elements: Vec<String> = array.elem.iter().map(ToString::to_string).collect();
            format!("make_array({})", elements.join(", "))
        }
        array => array.to_string(),
    }
}

/// A query beside other relations, whose columns it may read: one that names none can be joined in
/// every way.
fn derived(query: &str, alias: Option<TableAlias>) -> Result<TableFactor> {
    let parsed = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(1_000)
        .try_with_sql(query)
        .and_then(|mut parser| parser.parse_query());
    let subquery = parsed.map_err(datafusion::error::DataFusionError::from)?;
    let names = visit_expressions(&*subquery, |expr| match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    Ok(TableFactor::Derived {
        lateral: names.is_break(),
        subquery,
        alias,
        sample: None,
    })
}

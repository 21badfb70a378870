//! Rows of a subquery in the order that it says, for what stands around it and takes them one by one.
//!
//! An order inside a query is dropped where nothing asks for it. Aggregates that make an array, a text
//! or JSON of the rows as they come ask for it without a word.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, Ident, LimitClause, OrderBy, OrderByExpr, OrderByKind, OrderByOptions,
    Query, Select, SelectItem, SetExpr, SetOperator, SetQuantifier, TableFactor, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use sql_visit::visit_mut;

use super::limits::{folded, number};
use crate::error::Result;

/// A limit that no result reaches: rows in an order are limited in that order.
const NO_LIMIT: usize = 1_000_000_000;
/// The number of a row in its subquery.
const PLACE: &str = "place in order";
/// Aggregates whose result depends on the order of the rows.
const ORDERED: [&str; 6] = [
    "array_agg",
    "json_agg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "string_agg",
];

/// Has the rows of a query come in its order.
pub fn keep(query: &mut Query) {
    if query.order_by.is_none() {
        return;
    }
    let last = || Some(number(NO_LIMIT));
    match &mut query.limit_clause {
        Some(LimitClause::LimitOffset { limit, .. }) if limit.is_none() => *limit = last(),
        None => {
            query.limit_clause = Some(LimitClause::LimitOffset {
                limit: last(),
                offset: None,
                limit_by: Vec::new(),
            });
        }
        Some(_) => {}
    }
}

/// Orders a `UNION` of rows that are written out, as PostgreSQL does to find those that are equal.
pub fn rewrite_union(query: &mut Query) {
    if query.order_by.is_some() || query.limit_clause.is_some() {
        return;
    }
    let SetExpr::SetOperation {
        op: SetOperator::Union,
        set_quantifier: SetQuantifier::None | SetQuantifier::Distinct,
        ..
    } = query.body.as_ref()
    else {
        return;
    };
    let Some(columns) = written_out(&query.body) else {
        return;
    };
    let places = (1..=columns).map(|place| order(number(place)));
    query.order_by = Some(OrderBy {
        kind: OrderByKind::Expressions(places.collect()),
        interpolate: None,
    });
}

/// How many columns rows have that are written out.
fn written_out(body: &SetExpr) -> Option<usize> {
    match body {
        SetExpr::SetOperation { left, right, .. } => {
            let columns = written_out(left)?;
            (written_out(right)? == columns).then_some(columns)
        }
        SetExpr::Values(values) => values.rows.first().map(|row| row.content.len()),
        SetExpr::Select(select) if select.from.is_empty() => Some(select.projection.len()),
        SetExpr::Query(query) => written_out(&query.body),
        _ => None,
    }
}

fn order(expr: Expr) -> OrderByExpr {
    OrderByExpr {
        expr,
        options: OrderByOptions {
            asc: None,
            nulls_first: None,
        },
        with_fill: None,
    }
}

/// Aggregates whose result is that of their values, in whatever order.
const UNORDERED: [&str; 9] = [
    "avg", "bool_and", "bool_or", "count", "every", "max", "min", "stddev", "sum",
];

/// Orders the values of an aggregate of different values, as PostgreSQL does to find those, and takes
/// an order away that changes nothing.
pub fn rewrite_aggregate(expr: &mut Expr) {
    let Expr::Function(function) = expr else {
        return;
    };
    let name = function.name.0.last().and_then(|part| part.as_ident());
    let name = name.map(folded).unwrap_or_default();
    let is_known = ["array_agg", "string_agg", "json_agg", "jsonb_agg"].contains(&name.as_str());
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    if UNORDERED.contains(&name.as_str()) {
        list.clauses
            .retain(|clause| !matches!(clause, FunctionArgumentClause::OrderBy(_)));
    }
    let is_distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
    if is_known
        && is_distinct
        && list.clauses.is_empty()
        && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(value))) = list.args.first()
    {
        let by = vec![order(value.clone())];
        list.clauses.push(FunctionArgumentClause::OrderBy(by));
    }
}

/// Has aggregates over an ordered subquery take its rows in their order.
pub fn rewrite_select(select: &mut Select) -> Result<()> {
    let [table] = select.from.as_mut_slice() else {
        return Ok(());
    };
    let TableFactor::Derived {
        subquery, alias, ..
    } = &mut table.relation
    else {
        return Ok(());
    };
    if subquery.order_by.is_none() || !table.joins.is_empty() {
        return Ok(());
    }
    let name = alias.as_ref().map(|alias| folded(&alias.name));
    let mut found = Ordered {
        depth: 0,
        is_found: false,
        names_rows: false,
        rows: name,
        asks: false,
    };
    let _ = visit_mut(&mut select.projection, &mut found);
    let _ = visit_mut(&mut select.having, &mut found);
    if !found.is_found {
        return Ok(());
    }
    keep(subquery);
    let has_wildcard = select.projection.iter().any(|item| {
        matches!(
            item,
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
        )
    });
    // A whole row would have the number too.
    if found.names_rows || has_wildcard {
        return Ok(());
    }
    let text = format!("select *, row_number() over () as \"{PLACE}\" from (select 1) as rows");
    let parsed = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(&text)
        .and_then(|mut parser| parser.parse_query());
    let mut numbered = parsed.map_err(datafusion::error::DataFusionError::from)?;
    if let SetExpr::Select(inner) = numbered.body.as_mut()
        && let Some(TableFactor::Derived {
            subquery: within,
            alias: named,
            ..
        }) = inner.from.first_mut().map(|table| &mut table.relation)
    {
        std::mem::swap(within, subquery);
        if let Some(alias) = alias {
            *named = Some(alias.clone());
            alias.columns = Vec::new();
        }
        std::mem::swap(subquery, &mut numbered);
    }
    found.asks = true;
    let _ = visit_mut(&mut select.projection, &mut found);
    let _ = visit_mut(&mut select.having, &mut found);
    Ok(())
}

/// Looks for aggregates that take rows in their order, and has them ask for it.
struct Ordered {
    depth: usize,
    is_found: bool,
    /// Whether whole rows are asked for, by the name of the subquery.
    names_rows: bool,
    rows: Option<String>,
    asks: bool,
}

impl VisitorMut for Ordered {
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
        match expr {
            Expr::Identifier(name) if Some(folded(name)) == self.rows => self.names_rows = true,
            Expr::Function(function) if self.depth == 0 && takes_order(function) => {
                self.is_found = true;
                if let (true, FunctionArguments::List(list)) = (self.asks, &mut function.args) {
                    list.clauses
                        .push(FunctionArgumentClause::OrderBy(vec![order(
                            Expr::Identifier(Ident::with_quote('"', PLACE)),
                        )]));
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn takes_order(function: &Function) -> bool {
    let FunctionArguments::List(list) = &function.args else {
        return false;
    };
    let name = function.name.0.last().and_then(|part| part.as_ident());
    let name = name.map(folded);
    name.is_some_and(|name| ORDERED.contains(&name.as_str()))
        && function.over.is_none()
        && list.duplicate_treatment != Some(DuplicateTreatment::Distinct)
        && !list
            .clauses
            .iter()
            .any(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)))
}

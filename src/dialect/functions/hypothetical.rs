//! The place that a row would have among the rows of a group, `rank(v) within group (order by x)`, as
//! counts of the rows before it.
//!
//! Input: as many values as are sorted by. Output: of `rank` and `dense_rank` a bigint, from 1; of
//! `percent_rank` and `cume_dist` a double, from 0 to 1. Nulls: they sort as the order says, after all
//! values unless it says otherwise. Errors: 42883 another number of values than of sorted ones.
//! Source: PostgreSQL's hypothetical-set aggregates.

use datafusion::sql::sqlparser::ast::{Expr, Function, OrderByExpr};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::{Error, Result};

/// The counts that a call of one of them stands for; `None` of another call.
pub fn rewritten(function: &Function, name: &str, values: &[Expr]) -> Result<Option<Expr>> {
    let order = function.within_group.as_slice();
    if order.is_empty() || !["rank", "dense_rank", "percent_rank", "cume_dist"].contains(&name) {
        return Ok(None);
    }
    if order.len() != values.len() {
        let (given, sorted) = (values.len(), order.len());
        let message =
            format!("{name} needs as many values as are sorted by: there are {given} and {sorted}");
        return Err(Error::session("42883", message));
    }
    let filter = function.filter.as_ref();
    let filter = filter.map_or_else(|| "true".to_owned(), |filter| format!("({filter})"));
    let count = |of: &str, which: &str| format!("count({of}) filter (where {filter} and {which})");
    let (before, equal) = (before(order, values), equal(order, values));
    let sorted: Vec<String> = order.iter().map(|by| format!("({})", by.expr)).collect();
    let all = count("*", "true");
    let text = match name {
        "rank" => format!("({} + 1)", count("*", &before)),
        "dense_rank" if sorted.len() == 1 => {
            // A null is a place of its own, which no count of values has.
            let null = format!("{before} and {} is null", sorted.concat());
            format!(
                "({} + least({}, 1) + 1)",
                count(&format!("distinct {}", sorted.concat()), &before),
                count("*", &null)
            )
        }
        "dense_rank" => format!(
            "({} + 1)",
            count(&format!("distinct row({})", sorted.join(", ")), &before)
        ),
        "percent_rank" => format!(
            "coalesce({}::float8 / nullif({all}, 0), 0)",
            count("*", &before)
        ),
        _ => format!(
            "(({} + 1)::float8 / ({all} + 1))",
            count("*", &format!("({before} or {equal})"))
        ),
    };
    let parsed = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(1_000)
        .try_with_sql(&text)
        .and_then(|mut parser| parser.parse_expr());
    Ok(Some(
        parsed.map_err(datafusion::error::DataFusionError::from)?,
    ))
}

/// Whether a row is sorted before the values: the first that differs decides.
fn before(order: &[OrderByExpr], values: &[Expr]) -> String {
    let mut decided = String::from("false");
    for (by, value) in order.iter().zip(values).rev() {
        let is_descending = by.options.asc == Some(false);
        let nulls_first = by.options.nulls_first.unwrap_or(is_descending);
        let sorted = &by.expr;
        let compared = if is_descending { ">" } else { "<" };
        let null = match nulls_first {
            true => format!("({sorted}) is null and ({value}) is not null"),
            false => format!("({sorted}) is not null and ({value}) is null"),
        };
        decided = format!(
            "(coalesce(({sorted}) {compared} ({value}), false) or {null} \
             or (({sorted}) is not distinct from ({value})) and {decided})"
        );
    }
    decided
}

/// Whether a row is sorted beside the values.
fn equal(order: &[OrderByExpr], values: &[Expr]) -> String {
    let equal = order.iter().zip(values);
    let equal: Vec<String> = equal
        .map(|(by, value)| format!("(({}) is not distinct from ({value}))", by.expr))
        .collect();
    format!("({})", equal.join(" and "))
}

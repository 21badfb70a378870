//! Rows compared, `(a, b) = (c, d)` and `(a, b) IN (…)`, column by column; `BETWEEN SYMMETRIC`.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArguments, Ident, Query, TableAlias,
    TableAliasColumnDef, UnaryOperator,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::limits::{binary, number};
use crate::dialect::functions::syntax::expressions;
use crate::error::{Error, Result};

/// The name of a subquery whose columns a row is compared with.
const ROWS: &str = "rows_compared";

/// Rewrites a comparison of rows. `room` is how many characters all that is written more than once
/// may still have: what is nested is written again with it.
pub fn rewrite(expr: &mut Expr, room: &mut usize) -> Result<()> {
    let rewritten = match expr {
        Expr::BinaryOp { left, op, right } => match (row_of(left), row_of(right)) {
            (Some(left), Some(right)) if is_comparison(op) => Some(compared(&left, op, &right)?),
            (Some(left), None) if is_comparison(op) => match right.as_ref() {
                Expr::Subquery(subquery) => Some(found(&left, op, subquery, false)?),
                _ => None,
            },
            _ => None,
        },
        Expr::IsDistinctFrom(left, right) => match (row_of(left), row_of(right)) {
            (Some(left), Some(right)) => {
                Some(joined(&left, &right, BinaryOperator::Or, |l, r| {
                    Expr::IsDistinctFrom(Box::new(l), Box::new(r))
                })?)
            }
            _ => None,
        },
        Expr::IsNotDistinctFrom(left, right) => match (row_of(left), row_of(right)) {
            (Some(left), Some(right)) => {
                Some(joined(&left, &right, BinaryOperator::And, |l, r| {
                    Expr::IsNotDistinctFrom(Box::new(l), Box::new(r))
                })?)
            }
            _ => None,
        },
        Expr::IsNull(inner) => row_of(inner).and_then(|row| {
            let all = row.into_iter().map(|expr| Expr::IsNull(Box::new(expr)));
            all.reduce(|a, b| binary(a, BinaryOperator::And, b))
        }),
        Expr::IsNotNull(inner) => row_of(inner).and_then(|row| {
            let all = row.into_iter().map(|expr| Expr::IsNotNull(Box::new(expr)));
            all.reduce(|a, b| binary(a, BinaryOperator::And, b))
        }),
        Expr::InList {
            expr: inner,
            list,
            negated,
        } => match row_of(inner) {
            Some(row) => {
                let mut any: Option<Expr> = None;
                for item in list.iter() {
                    let Some(item) = row_of(item) else {
                        return Err(unequal());
                    };
                    let equal = compared(&row, &BinaryOperator::Eq, &item)?;
                    any = Some(match any {
                        Some(any) => binary(any, BinaryOperator::Or, equal),
                        None => equal,
                    });
                }
                any.map(|any| not_if(*negated, any))
            }
            None => None,
        },
        Expr::InSubquery {
            expr: inner,
            subquery,
            negated,
        } => match row_of(inner) {
            Some(row) => Some(found(&row, &BinaryOperator::Eq, subquery, *negated)?),
            None => None,
        },
        Expr::Between {
            expr: inner,
            negated,
            low,
            high,
        } => match unmarked(low) {
            true => {
                let between = |low: &Expr, high: &Expr| {
                    let above = binary((**inner).clone(), BinaryOperator::GtEq, low.clone());
                    let below = binary((**inner).clone(), BinaryOperator::LtEq, high.clone());
                    binary(above, BinaryOperator::And, below)
                };
                let either = binary(between(low, high), BinaryOperator::Or, between(high, low));
                Some(not_if(*negated, either))
            }
            false => None,
        },
        _ => None,
    };
    if let Some(rewritten) = rewritten {
        *room = room
            .checked_sub(rewritten.to_string().len())
            .ok_or_else(|| Error::session("54001", "comparisons of rows are nested too deep"))?;
        *expr = rewritten;
    }
    Ok(())
}

/// Whether a row of a subquery compares so with a row.
fn found(row: &[Expr], op: &BinaryOperator, subquery: &Query, negated: bool) -> Result<Expr> {
    let names: Vec<Ident> = (1..=row.len())
        .map(|position| Ident::new(format!("column{position}")))
        .collect();
    let columns: Vec<Expr> = names
        .iter()
        .map(|name| Expr::CompoundIdentifier(vec![Ident::new(ROWS), name.clone()]))
        .collect();
    let mut condition = compared(row, op, &columns)?;
    if negated {
        // What may be equal, a null, keeps NOT IN from being true.
        condition = Expr::IsNotFalse(Box::new(condition));
    }
    let text = format!("select 1 from (select 1) where {condition}");
    let parsed = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(&text)
        .and_then(|mut parser| parser.parse_query());
    let mut query = parsed.map_err(datafusion::error::DataFusionError::from)?;
    if let Some(select) = as_select(&mut query)
        && let Some(table) = select.from.first_mut()
    {
        table.relation = datafusion::sql::sqlparser::ast::TableFactor::Derived {
            lateral: false,
            subquery: Box::new(subquery.clone()),
            alias: Some(TableAlias {
                explicit: true,
                name: Ident::new(ROWS),
                columns: names
                    .into_iter()
                    .map(|name| TableAliasColumnDef::from_name(name.value))
                    .collect(),
                at: None,
            }),
            sample: None,
        };
        select.selection = Some(condition);
    }
    Ok(Expr::Exists {
        subquery: query,
        negated,
    })
}

/// Takes away the mark of [`super::tokens`] from before an expression; whether it was there.
fn unmarked(expr: &mut Expr) -> bool {
    match expr {
        Expr::UnaryOp {
            op: UnaryOperator::PGPrefixFactorial,
            expr: inner,
        } => {
            *expr = (**inner).clone();
            true
        }
        Expr::BinaryOp { left, .. } => unmarked(left),
        Expr::Cast { expr, .. } | Expr::Collate { expr, .. } => unmarked(expr),
        Expr::AtTimeZone { timestamp, .. } => unmarked(timestamp),
        _ => false,
    }
}

fn as_select(
    query: &mut datafusion::sql::sqlparser::ast::Query,
) -> Option<&mut datafusion::sql::sqlparser::ast::Select> {
    match query.body.as_mut() {
        datafusion::sql::sqlparser::ast::SetExpr::Select(select) => Some(select),
        _ => None,
    }
}

/// The values of a row, of two at least where it does not say `ROW`.
fn row_of(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Tuple(values) if values.len() > 1 => Some(values.clone()),
        Expr::Function(Function {
            name,
            args: FunctionArguments::List(list),
            over: None,
            ..
        }) if name.to_string().eq_ignore_ascii_case("row") => expressions(&list.args),
        Expr::Nested(inner) => row_of(inner),
        _ => None,
    }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
    )
}

fn compared(left: &[Expr], op: &BinaryOperator, right: &[Expr]) -> Result<Expr> {
    let equal = |l: Expr, r: Expr| binary(l, BinaryOperator::Eq, r);
    match op {
        BinaryOperator::Eq => joined(left, right, BinaryOperator::And, equal),
        BinaryOperator::NotEq => joined(left, right, BinaryOperator::Or, |l, r| {
            binary(l, BinaryOperator::NotEq, r)
        }),
        _ => {
            if left.len() != right.len() || left.is_empty() {
                return Err(unequal());
            }
            let strict = match op {
                BinaryOperator::LtEq => BinaryOperator::Lt,
                BinaryOperator::GtEq => BinaryOperator::Gt,
                op => op.clone(),
            };
            // The first columns that differ decide, and the last by the operator itself.
            let last = left.len() - 1;
            let mut decided = binary(left[last].clone(), op.clone(), right[last].clone());
            for position in (0..last).rev() {
                let (l, r) = (left[position].clone(), right[position].clone());
                let differ = binary(l.clone(), strict.clone(), r.clone());
                let rest = binary(equal(l, r), BinaryOperator::And, decided);
                decided = binary(differ, BinaryOperator::Or, rest);
            }
            Ok(decided)
        }
    }
}

fn joined(
    left: &[Expr],
    right: &[Expr],
    by: BinaryOperator,
    compare: impl Fn(Expr, Expr) -> Expr,
) -> Result<Expr> {
    if left.len() != right.len() {
        return Err(unequal());
    }
    let pairs = left.iter().cloned().zip(right.iter().cloned());
    let pairs = pairs.map(|(left, right)| compare(left, right));
    let all = pairs.reduce(|a, b| binary(a, by.clone(), b));
    Ok(all.unwrap_or_else(|| binary(number(1), BinaryOperator::Eq, number(1))))
}

fn not_if(negated: bool, expr: Expr) -> Expr {
    match negated {
        true => Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(expr),
        },
        false => expr,
    }
}

fn unequal() -> Error {
    Error::session("42601", "unequal number of entries in row expressions")
}

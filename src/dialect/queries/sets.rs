//! Functions that return rows: in a select list, beside other relations whose columns they read,
//! `WITH ORDINALITY`, and their columns under the names that PostgreSQL gives them.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident,
    ObjectName, OrderByKind, Query, Select, SelectItem, SetExpr, TableAlias, TableAliasColumnDef,
    TableFactor, TableWithJoins, UnaryOperator, VisitMut, VisitorMut, visit_expressions,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::limits::folded;
use super::unsupported;
use crate::error::Result;

/// Functions whose rows are the elements of an array that a function of DataFusion returns.
const SERIES: &str = "generate_series";

/// The array of a series.
const ARRAY: &str = "\"generate_series\"";

/// A step of a series that is a time, as an interval.
fn as_interval(step: &str) -> Option<String> {
    let is_interval = |step: &str| {
        let step = step.trim_start_matches('(').to_lowercase();
        step.starts_with("interval") || step.ends_with("::interval")
    };
    if is_interval(step) {
        return Some(step.to_owned());
    }
    step.starts_with('\'').then(|| match step.ends_with('\'') {
        true => format!("interval {step}"),
        false => step.to_owned(),
    })
}

/// A bound of a series of times, with a zone unless it says that it has none.
fn as_time(bound: &str) -> String {
    let said = bound.to_lowercase();
    let has_no_zone = said.starts_with("timestamp '")
        || said.ends_with("::timestamp")
        || said.ends_with("as timestamp)");
    match has_no_zone {
        true => bound.to_owned(),
        false => format!("({bound})::timestamptz"),
    }
}

/// Has each row of a select list's functions unnested from its array.
pub fn rewrite_select(select: &mut Select) -> Result<()> {
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
        let _ = expr.visit(&mut sets);
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
        Expr::Function(function) => array_of(function).map(|(name, _)| name),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => name_of(expr),
        _ => None,
    }
}

/// A function that returns rows, and how its array is computed from its arguments.
fn array_of(function: &Function) -> Option<(&'static str, String)> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    if function.over.is_some() || !list.clauses.is_empty() {
        return None;
    }
    let arguments: Vec<String> = list.args.iter().map(ToString::to_string).collect();
    array_of_call(&function.name, &arguments)
}

fn array_of_call(name: &ObjectName, arguments: &[String]) -> Option<(&'static str, String)> {
    let name = name.0.last()?.as_ident()?;
    // In quotes it is the array, as it is written here.
    let name = name
        .quote_style
        .is_none()
        .then(|| name.value.to_lowercase())?;
    let all = arguments.join(", ");
    match (name.as_str(), arguments) {
        (SERIES, [from, to, step]) => match as_interval(step) {
            Some(step) => {
                let (from, to) = (as_time(from), as_time(to));
                Some((SERIES, format!("{ARRAY}({from}, {to}, {step})")))
            }
            None => Some((SERIES, format!("{ARRAY}({all})"))),
        },
        (SERIES, [_, _]) => Some((SERIES, format!("{ARRAY}({all})"))),
        ("generate_subscripts", [array, dimension]) if dimension == "1" => Some((
            "generate_subscripts",
            format!("{ARRAY}(1, cardinality({array})::bigint)"),
        )),
        ("string_to_table", [_, _] | [_, _, _]) => {
            Some(("string_to_table", format!("string_to_array({all})")))
        }
        ("regexp_split_to_table", [_, _] | [_, _, _]) => Some((
            "regexp_split_to_table",
            format!("regexp_split_to_array({all})"),
        )),
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
        let rewritten = match array_of(function) {
            Some((_, array)) => expression(&format!("unnest({array})")).ok(),
            // An array that was asked for as such.
            None if is_unnest(function) => match argument(function) {
                Some(Expr::Function(inner)) if is_unnest(inner) => {
                    Some(Expr::Function(inner.clone()))
                }
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

fn expression(text: &str) -> Result<Expr> {
    let parsed = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(1_000)
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_expr());
    Ok(parsed.map_err(datafusion::error::DataFusionError::from)?)
}

/// `ARRAY (SELECT …)`: the rows of a subquery in their order, an empty array where it has none.
pub fn rewrite_array(expr: &mut Expr) -> Result<()> {
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
    let text = format!(
        "(select coalesce(array_agg(element order by place), make_array()) from (select element, \
         row_number() over () as place from ({query}) as elements (element)) as placed)"
    );
    *expr = expression(&text)?;
    Ok(())
}

/// Has a query in whose select list functions return rows ordered by what is not in that list: the
/// functions become a relation, which the order does not concern.
pub fn rewrite_order(query: &mut Query) -> Result<()> {
    let Query { body, order_by, .. } = query;
    let (SetExpr::Select(select), Some(order)) = (body.as_mut(), order_by) else {
        return Ok(());
    };
    let OrderByKind::Expressions(order) = &order.kind else {
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
    if !is_plain || order.iter().all(|by| is_output(&by.expr)) {
        return Ok(());
    }
    let mut sets: Vec<String> = Vec::new();
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = &*item
        else {
            continue;
        };
        let returns_rows = visit_expressions(expr, |expr| match expr {
            Expr::Function(function) if is_unnest(function) || array_of(function).is_some() => {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        });
        if returns_rows.is_continue() {
            continue;
        }
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

/// Rewrites a function in `FROM`.
pub fn rewrite_table(table: &mut TableFactor) -> Result<()> {
    let (name, arguments, alias, with_ordinality) = match table {
        TableFactor::Table {
            name,
            args: Some(args),
            alias,
            with_ordinality,
            ..
        } => (name.clone(), args.args.clone(), alias, *with_ordinality),
        TableFactor::Function {
            name,
            args,
            alias,
            with_ordinality,
            ..
        } => (name.clone(), args.clone(), alias, *with_ordinality),
        TableFactor::UNNEST {
            array_exprs,
            alias,
            with_ordinality,
            ..
        } => {
            let arrays: Vec<String> = array_exprs.iter().map(as_call).collect();
            let reads = visit_expressions(array_exprs, |expr| match expr {
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Subquery(_) => {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            });
            if *with_ordinality {
                let alias = alias.clone();
                *table = numbered(&arrays, "unnest", alias)?;
            } else if reads.is_break() {
                name_columns(alias, "unnest", arrays.len());
                let items = arrays.iter().enumerate();
                let items = items.map(|(at, array)| format!("unnest({array}) as \"unnest {at}\""));
                let items: Vec<String> = items.collect();
                let alias = alias.take();
                *table = derived(&format!("select {}", items.join(", ")), alias)?;
            } else {
                name_columns(alias, "unnest", arrays.len());
            }
            return Ok(());
        }
        TableFactor::Table {
            with_ordinality: true,
            ..
        } => {
            let hint = "row_number() OVER () numbers rows";
            return Err(unsupported("WITH ORDINALITY behind a table", hint));
        }
        _ => return Ok(()),
    };
    let texts: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let Some((called, array)) = array_of_call(&name, &texts) else {
        if with_ordinality {
            let hint = "row_number() OVER () numbers its rows";
            return Err(unsupported(&format!("WITH ORDINALITY behind {name}"), hint));
        }
        return Ok(());
    };
    if with_ordinality {
        *table = numbered(&[array], called, alias.clone())?;
        return Ok(());
    }
    name_columns(alias, called, 1);
    let are_numbers = arguments.iter().all(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => is_integer(expr),
        _ => false,
    });
    if called == SERIES && are_numbers {
        return Ok(());
    }
    let rows = format!("select unnest({array}) as {called}");
    *table = derived(&rows, alias.take())?;
    Ok(())
}

fn is_integer(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => value.to_string().parse::<i64>().is_ok(),
        Expr::UnaryOp {
            op: UnaryOperator::Minus | UnaryOperator::Plus,
            expr,
        } => is_integer(expr),
        _ => false,
    }
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

/// An alias names the only column too.
fn name_columns(alias: &mut Option<TableAlias>, called: &str, count: usize) {
    let column = |name: &Ident| TableAliasColumnDef {
        name: name.clone(),
        data_type: None,
    };
    match alias {
        Some(alias) if alias.columns.is_empty() && count == 1 => {
            alias.columns = vec![column(&alias.name)];
        }
        Some(_) => {}
        None => {
            let name = Ident::new(called);
            let columns = match count {
                1 => vec![column(&name)],
                _ => Vec::new(),
            };
            *alias = Some(TableAlias {
                explicit: true,
                name,
                columns,
                at: None,
            });
        }
    }
}

/// The elements of arrays side by side, with their number from 1.
fn numbered(arrays: &[String], called: &str, alias: Option<TableAlias>) -> Result<TableFactor> {
    let mut items: Vec<String> = Vec::with_capacity(arrays.len() + 1);
    let named = match (&alias, arrays) {
        (Some(alias), [_]) if alias.columns.is_empty() => alias.name.to_string(),
        _ => called.to_owned(),
    };
    for (position, array) in arrays.iter().enumerate() {
        let name = match position {
            0 => named.clone(),
            _ => format!("\"{called} {}\"", position + 1),
        };
        items.push(format!("unnest({array}) as {name}"));
    }
    let lengths: Vec<String> = arrays
        .iter()
        .map(|array| format!("cardinality({array})::bigint"))
        .collect();
    let length = match lengths.as_slice() {
        [length] => length.clone(),
        lengths => format!("greatest({})", lengths.join(", ")),
    };
    items.push(format!("unnest({ARRAY}(1, {length})) as ordinality"));
    let mut alias = alias.unwrap_or_else(|| TableAlias {
        explicit: true,
        name: Ident::new(called),
        columns: Vec::new(),
        at: None,
    });
    // The number keeps its name where only the others are given one.
    if alias.columns.len() == arrays.len() {
        alias.columns.push(TableAliasColumnDef {
            name: Ident::new("ordinality"),
            data_type: None,
        });
    }
    derived(&format!("select {}", items.join(", ")), Some(alias))
}

/// A query beside other relations, whose columns it may read.
fn derived(query: &str, alias: Option<TableAlias>) -> Result<TableFactor> {
    let parsed = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(1_000)
        .try_with_sql(query)
        .and_then(|mut parser| parser.parse_query());
    Ok(TableFactor::Derived {
        lateral: true,
        subquery: parsed.map_err(datafusion::error::DataFusionError::from)?,
        alias,
        sample: None,
    })
}

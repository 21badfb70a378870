//! Functions that return rows in `FROM`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Select, TableAlias, TableAliasColumnDef, TableFactor,
};
use sql_visit::visit_expressions;

use super::returning::{ARRAY, SERIES, called, members_of_call, rows_of_call};
use super::{as_call, derived};
use crate::dialect::functions::syntax::expressions;
use crate::dialect::queries::limits::folded;
use crate::dialect::queries::unsupported;
use crate::error::Result;

/// Has a function that names its column itself call it as the table is called, where it is that name
/// that the query uses.
pub fn name_by_use(select: &mut Select) {
    let mut used: Vec<String> = Vec::new();
    let mut is_collected = false;
    let (projection, selection) = (&select.projection, &select.selection);
    let collect = |used: &mut Vec<String>| {
        let mut add = |expr: &Expr| {
            if let Expr::Identifier(name) = expr {
                used.push(folded(name));
            }
            ControlFlow::<()>::Continue(())
        };
        let _ = visit_expressions(projection, &mut add);
        let _ = visit_expressions(selection, &mut add);
    };
    for table in &mut select.from {
        let joined = table.joins.iter_mut().map(|join| &mut join.relation);
        for factor in std::iter::once(&mut table.relation).chain(joined) {
            let (name, arguments, alias) = match factor {
                TableFactor::Table {
                    name,
                    args: Some(args),
                    alias: Some(alias),
                    ..
                } => (&*name, &args.args, alias),
                TableFactor::Function {
                    name,
                    args,
                    alias: Some(alias),
                    ..
                } => (&*name, &*args, alias),
                _ => continue,
            };
            let texts: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            let names_itself = rows_of_call(name, &texts).and_then(|rows| rows.column);
            let (Some(column), true) = (names_itself, alias.columns.is_empty()) else {
                continue;
            };
            if !is_collected {
                collect(&mut used);
                is_collected = true;
            }
            let is_used = |name: &str| used.iter().any(|used| used == name);
            if is_used(&folded(&alias.name)) && !is_used(column) {
                alias.columns = vec![TableAliasColumnDef {
                    name: alias.name.clone(),
                    data_type: None,
                }];
            }
        }
    }
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
                let elements: Vec<_> = arrays.into_iter().map(|array| (array, None)).collect();
                *table = numbered(&elements, "unnest", None, alias)?;
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
    if called(&name).as_deref() == Some("unnest") {
        // As LATERAL has it, which is no form of its own here.
        if let Some(array_exprs) = expressions(&arguments) {
            *table = TableFactor::UNNEST {
                alias: alias.clone(),
                array_exprs,
                with_offset: false,
                with_offset_alias: None,
                with_ordinality,
            };
            return rewrite_table(table);
        }
    }
    let texts: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    if let Some((name, members)) = members_of_call(&name, &texts).filter(|_| !with_ordinality) {
        let named = TableAlias {
            explicit: true,
            name: Ident::new(name),
            columns: Vec::new(),
            at: None,
        };
        *table = derived(&members, Some(alias.take().unwrap_or(named)))?;
        return Ok(());
    }
    let Some(rows) = rows_of_call(&name, &texts) else {
        if with_ordinality {
            let hint = "row_number() OVER () numbers its rows";
            return Err(unsupported(&format!("WITH ORDINALITY behind {name}"), hint));
        }
        return Ok(());
    };
    if with_ordinality {
        let elements = [(rows.array.clone(), rows.each)];
        *table = numbered(&elements, rows.name, rows.column, alias.clone())?;
        return Ok(());
    }
    let column = match rows.column {
        // The function names it itself.
        Some(column) => {
            if alias.is_none() {
                name_columns(alias, rows.name, 0);
            }
            column
        }
        None => {
            name_columns(alias, rows.name, 1);
            rows.name
        }
    };
    if rows.name == SERIES
        && let Some(bounds) = texts
            .iter()
            .map(|bound| bound.replace(' ', "").parse::<i64>().ok())
            .collect::<Option<Vec<i64>>>()
    {
        // Another function of the engine makes its numbers as they are asked for, without the last.
        let (from, to, step) = match bounds.as_slice() {
            [from, to] => (*from, *to, 1),
            [from, to, step] => (*from, *to, *step),
            _ => return Ok(()),
        };
        let Some(end) = to.checked_add(step.signum()).filter(|_| step != 0) else {
            return Ok(());
        };
        let of = match bounds.iter().all(|bound| i32::try_from(*bound).is_ok()) {
            true => "\"value\"::int4",
            false => "\"value\"",
        };
        let series = format!("select {of} as {SERIES} from range({from}, {end}, {step})");
        *table = derived(&series, alias.take())?;
        if let TableFactor::Derived { lateral, .. } = table {
            // Its only name is that of its own column.
            *lateral = false;
        }
        return Ok(());
    }
    let query = format!("select {} as {column}", rows.unnested());
    *table = derived(&query, alias.take())?;
    Ok(())
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

/// The elements of arrays side by side, with their number from 1; a function may make a row of each.
fn numbered(
    arrays: &[(String, Option<&str>)],
    called: &str,
    column: Option<&str>,
    alias: Option<TableAlias>,
) -> Result<TableFactor> {
    let mut items: Vec<String> = Vec::with_capacity(arrays.len() + 1);
    let named = match (&alias, arrays, column) {
        (_, _, Some(column)) => column.to_owned(),
        (Some(alias), [_], None) if alias.columns.is_empty() => alias.name.to_string(),
        _ => called.to_owned(),
    };
    for (position, (array, each)) in arrays.iter().enumerate() {
        let name = match position {
            0 => named.clone(),
            _ => format!("\"{called} {}\"", position + 1),
        };
        items.push(match each {
            Some(each) => format!("{each}(unnest({array})) as {name}"),
            None => format!("unnest({array}) as {name}"),
        });
    }
    let lengths: Vec<String> = arrays
        .iter()
        .map(|(array, _)| format!("array_length({array}, 1)::bigint"))
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

//! Functions that return rows.

use super::Functions;
use super::arrays::{bounds, items};
use super::text::str_at;
use crate::cast::failure;
use crate::error::Result;
use crate::interpret::run::Context;
use crate::relations;
use crate::time;
use crate::value::Value;

pub fn register(f: &mut Functions) {
    let numbers: super::SetRun = |context, a| series(context, a);
    f.set(
        "generate_series",
        "int4, int4, int4?",
        &[("", "int4")],
        numbers,
    );
    f.set(
        "generate_series",
        "int8, int8, int8?",
        &[("", "int8")],
        numbers,
    );
    let moments: super::SetRun = |context, a| series_of_times(context, a, false);
    let zoned: super::SetRun = |context, a| series_of_times(context, a, true);
    // Dates are timestamps with a zone.
    f.set(
        "generate_series",
        "timestamptz, timestamptz, interval",
        &[("", "timestamptz")],
        zoned,
    );
    f.set(
        "generate_series",
        "timestamp, timestamp, interval",
        &[("", "timestamp")],
        moments,
    );
    f.set(
        "generate_subscripts",
        "anyarray, int4, bool?",
        &[("", "int4")],
        subscripts,
    );
    f.set("unnest", "anyarray", &[("", "anyelement")], |_, a| {
        Ok(items(a, 0).iter().map(|item| vec![item.clone()]).collect())
    });
    let pair = [("x", "anyelement"), ("n", "int4")];
    f.set("_pg_expandarray", "anyarray", &pair, expanded);
    f.set(
        "regexp_split_to_table",
        "text, text, text?",
        &[("", "text")],
        |_, a| {
            let parts = super::regexps::split(str_at(a, 0), str_at(a, 1), str_at(a, 2))?;
            Ok(parts
                .into_iter()
                .map(|part| vec![Value::text(part)])
                .collect())
        },
    );
    let keyword = [
        ("word", "text"),
        ("catcode", "\"char\""),
        ("barelabel", "bool"),
        ("catdesc", "text"),
        ("baredesc", "text"),
    ];
    f.set("pg_get_keywords", "", &keyword, |_, _| {
        Ok(relations::keywords())
    });
    let option = [("option_name", "text"), ("option_value", "text")];
    f.set("pg_options_to_table", "text[]", &option, |_, a| {
        let options = items(a, 0).iter().filter_map(Value::as_str);
        let options = options.map(|option| match option.split_once('=') {
            Some((name, value)) => vec![Value::text(name), Value::text(value)],
            None => vec![Value::text(option), Value::Null],
        });
        Ok(options.collect())
    });
    let grant = [
        ("grantor", "oid"),
        ("grantee", "oid"),
        ("privilege_type", "text"),
        ("is_grantable", "bool"),
    ];
    // Nothing here has privileges of its own.
    f.set("aclexplode", "aclitem[]", &grant, |_, _| Ok(Vec::new()));
    let node = [
        ("relid", "regclass"),
        ("parentrelid", "regclass"),
        ("isleaf", "bool"),
        ("level", "int4"),
    ];
    f.set(
        "pg_partition_tree",
        "regclass",
        &node,
        |_, _| Ok(Vec::new()),
    );
    f.set(
        "pg_partition_ancestors",
        "regclass",
        &[("relid", "regclass")],
        |_, _| Ok(Vec::new()),
    );
    let zone = [
        ("name", "text"),
        ("abbrev", "text"),
        ("utc_offset", "interval"),
        ("is_dst", "bool"),
    ];
    f.set("pg_timezone_names", "", &zone, |context, _| {
        of_relation(context, "pg_timezone_names")
    });
    let setting = [
        ("name", "text"),
        ("setting", "text"),
        ("unit", "text"),
        ("category", "text"),
        ("short_desc", "text"),
        ("extra_desc", "text"),
        ("context", "text"),
        ("vartype", "text"),
        ("source", "text"),
        ("min_val", "text"),
        ("max_val", "text"),
        ("enumvals", "text[]"),
        ("boot_val", "text"),
        ("reset_val", "text"),
        ("sourcefile", "text"),
        ("sourceline", "int4"),
        ("pending_restart", "bool"),
    ];
    f.set("pg_show_all_settings", "", &setting, |context, _| {
        of_relation(context, "pg_settings")
    });
}

/// The rows of a relation of `pg_catalog`.
fn of_relation(context: &Context<'_>, name: &str) -> Result<Vec<Vec<Value>>> {
    match context.catalog.relation(Some("pg_catalog"), name) {
        Some(known) => {
            let table = context.catalog.table(known)?;
            Ok(table.rows.iter().map(|row| row.to_vec()).collect())
        }
        None => Ok(Vec::new()),
    }
}

fn series(context: &Context<'_>, a: &[Value]) -> Result<Vec<Vec<Value>>> {
    let (Some(Value::Int(from)), Some(Value::Int(to))) = (a.first(), a.get(1)) else {
        return Ok(Vec::new());
    };
    let step = match a.get(2) {
        None => 1,
        Some(Value::Int(0)) => return Err(failure("22023", "step size cannot equal zero")),
        Some(Value::Int(step)) => *step,
        Some(_) => return Ok(Vec::new()),
    };
    let (mut at, mut rows) = (*from, Vec::new());
    while (step > 0 && at <= *to) || (step < 0 && at >= *to) {
        context.keep(1)?;
        rows.push(vec![Value::Int(at)]);
        match at.checked_add(step) {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(rows)
}

fn series_of_times(context: &Context<'_>, a: &[Value], has_zone: bool) -> Result<Vec<Vec<Value>>> {
    let zone = has_zone.then_some(&context.catalog.clock().zone);
    let (Some(Value::Timestamp(from)), Some(Value::Timestamp(to)), Some(Value::Interval(step))) =
        (a.first(), a.get(1), a.get(2))
    else {
        return Ok(Vec::new());
    };
    let (mut at, mut rows) = (*from, Vec::new());
    while let Some(next) = time::add_interval(at, *step, zone) {
        let is_inside = if next > at { at <= *to } else { at >= *to };
        if next == at {
            return Err(failure("22023", "step size cannot equal zero"));
        }
        if !is_inside {
            break;
        }
        context.keep(1)?;
        rows.push(vec![Value::Timestamp(at)]);
        at = next;
    }
    Ok(rows)
}

fn subscripts(_: &Context<'_>, a: &[Value]) -> Result<Vec<Vec<Value>>> {
    let Some((lower, upper)) = bounds(a) else {
        return Ok(Vec::new());
    };
    let rows = (lower..=upper).map(|index| vec![Value::Int(index)]);
    Ok(match a.get(2) {
        Some(Value::Bool(true)) => rows.rev().collect(),
        _ => rows.collect(),
    })
}

/// The items of an array with their place, counted from 1.
fn expanded(_: &Context<'_>, a: &[Value]) -> Result<Vec<Vec<Value>>> {
    let items = items(a, 0).iter().zip(1..);
    Ok(items
        .map(|(item, place)| vec![item.clone(), Value::Int(place)])
        .collect())
}

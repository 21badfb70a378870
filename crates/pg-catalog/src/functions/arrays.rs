//! Functions of arrays.

use std::sync::Arc;

use super::Functions;
use super::text::{count, int_at};
use crate::error::Result;
use crate::interpret::run::Context;
use crate::value::{Array, Value};

pub fn register(f: &mut Functions) {
    f.lenient(
        "array_to_string",
        "anytexts, text, text?",
        "text",
        array_to_string,
    );
    f.strict("array_length", "anyarray, int4", "int4", |_, a| {
        Ok(length(a))
    });
    f.strict("cardinality", "anyarray", "int4", |_, a| {
        Ok(count(items(a, 0).len()))
    });
    f.strict("array_ndims", "anyarray", "int4", |_, a| Ok(dimensions(a)));
    f.strict("array_dims", "anyarray", "text", |_, a| Ok(dims(a)));
    f.strict("array_lower", "anyarray, int4", "int4", |_, a| {
        Ok(bounds(a).map_or(Value::Null, |(lower, _)| Value::Int(lower)))
    });
    f.strict("array_upper", "anyarray, int4", "int4", |_, a| {
        Ok(bounds(a).map_or(Value::Null, |(_, upper)| Value::Int(upper)))
    });
    f.lenient("array_append", "anyarray, anyelement", "anyarray", append);
    f.lenient("array_prepend", "anyelement, anyarray", "anyarray", prepend);
    f.lenient("array_cat", "anyarray, anyarray", "anyarray", cat);
    f.lenient(
        "array_remove",
        "anyarray, anyelement",
        "anyarray",
        |_, a| {
            let removed = a.get(1).cloned().unwrap_or(Value::Null);
            Ok(match a.first() {
                Some(Value::Array(array)) => {
                    let kept = array.items.iter().filter(|item| **item != removed);
                    Value::array(kept.cloned().collect())
                }
                _ => Value::Null,
            })
        },
    );
    f.lenient("array_position", "anyarray, anyelement", "int4", |_, a| {
        let sought = a.get(1).cloned().unwrap_or(Value::Null);
        let Some(Value::Array(array)) = a.first() else {
            return Ok(Value::Null);
        };
        let mut items = array.items.iter().zip(array.lower..);
        let found = items.find(|(item, _)| **item == sought);
        Ok(found.map_or(Value::Null, |(_, index)| Value::Int(index)))
    });
    f.strict("@>", "anyarray, anyarray", "bool", |_, a| {
        Ok(Value::Bool(contains(a, 0, 1)))
    });
    f.strict("<@", "anyarray, anyarray", "bool", |_, a| {
        Ok(Value::Bool(contains(a, 1, 0)))
    });
    f.strict("&&", "anyarray, anyarray", "bool", |_, a| {
        let mut left = items(a, 0).iter();
        Ok(Value::Bool(
            left.any(|item| !item.is_null() && items(a, 1).contains(item)),
        ))
    });
}

pub fn items(arguments: &[Value], position: usize) -> &[Value] {
    arguments.get(position).map_or(&[], Value::items)
}

fn array_to_string(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let (Some(Value::Array(array)), Some(Value::Text(separator))) = (a.first(), a.get(1)) else {
        return Ok(Value::Null);
    };
    let null = a.get(2).and_then(Value::as_str);
    let parts = array.items.iter().filter_map(|item| item.as_str().or(null));
    Ok(Value::text(parts.collect::<Vec<_>>().join(separator)))
}

fn length(a: &[Value]) -> Value {
    match items(a, 0).len() {
        0 => Value::Null,
        length if int_at(a, 1) == 1 => count(length),
        _ => Value::Null,
    }
}

fn dimensions(a: &[Value]) -> Value {
    match items(a, 0).is_empty() {
        true => Value::Null,
        false => Value::Int(1),
    }
}

/// `[1:3]`, a part for each dimension.
fn dims(a: &[Value]) -> Value {
    let mut text = String::new();
    let mut inner = a.first();
    while let Some(Value::Array(array)) = inner
        && !array.items.is_empty()
    {
        let last = array.lower + i64::try_from(array.items.len()).unwrap_or(i64::MAX) - 1;
        text.push_str(&format!("[{}:{last}]", array.lower));
        inner = array.items.first();
    }
    match text.is_empty() {
        true => Value::Null,
        false => Value::text(text),
    }
}

/// The first and last index of an array that has items.
pub fn bounds(a: &[Value]) -> Option<(i64, i64)> {
    match a.first()? {
        Value::Array(array) if !array.items.is_empty() && int_at(a, 1) == 1 => {
            let length = i64::try_from(array.items.len()).ok()?;
            Some((array.lower, array.lower + length - 1))
        }
        _ => None,
    }
}

fn contains(a: &[Value], whole: usize, part: usize) -> bool {
    let whole = items(a, whole);
    items(a, part)
        .iter()
        .all(|item| !item.is_null() && whole.contains(item))
}

fn joined(lower: i64, parts: [&[Value]; 2]) -> Value {
    Value::Array(Arc::new(Array {
        lower,
        items: parts.concat(),
    }))
}

pub fn cat(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    Ok(match (a.first(), a.get(1)) {
        (Some(Value::Array(left)), Some(Value::Array(right))) => {
            joined(left.lower, [&left.items, &right.items])
        }
        (Some(Value::Null), Some(right)) => right.clone(),
        (Some(left), _) => left.clone(),
        _ => Value::Null,
    })
}

pub fn append(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let item = a.get(1).cloned().unwrap_or(Value::Null);
    Ok(match a.first() {
        Some(Value::Array(array)) => joined(array.lower, [&array.items, &[item]]),
        _ => Value::array(vec![item]),
    })
}

pub fn prepend(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let item = a.first().cloned().unwrap_or(Value::Null);
    Ok(match a.get(1) {
        Some(Value::Array(array)) => joined(array.lower, [&[item], &array.items]),
        _ => Value::array(vec![item]),
    })
}

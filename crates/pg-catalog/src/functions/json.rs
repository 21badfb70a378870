//! Values as JSON, and the functions that build it.

use super::Functions;
use crate::Catalog;
use crate::cast;
use crate::types::{self, Type, oid};
use crate::value::Value;

pub fn register(f: &mut Functions) {
    for name in ["to_json", "to_jsonb", "row_to_json", "array_to_json"] {
        f.strict(name, "anyjson", "json", |_, a| {
            Ok(a.first().cloned().unwrap_or(Value::Null))
        });
    }
    for name in ["json_build_array", "jsonb_build_array"] {
        f.lenient(name, "anyjson...", "json", |_, a| {
            let items: Vec<&str> = a.iter().filter_map(Value::as_str).collect();
            Ok(Value::text(format!("[{}]", items.join(", "))))
        });
    }
    for name in ["json_build_object", "jsonb_build_object"] {
        f.lenient(name, "anyjson...", "json", |_, a| {
            let members = a.chunks(2).filter_map(|member| match member {
                [Value::Text(key), Value::Text(value)] => Some(format!("{key} : {value}")),
                _ => None,
            });
            Ok(Value::text(format!(
                "{{{}}}",
                members.collect::<Vec<_>>().join(", ")
            )))
        });
    }
}

/// A value as JSON.
pub fn text(catalog: &Catalog, value: &Value, from: &Type) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Int(_) if types::is_reg(from.oid) => quoted(&cast::text(catalog, value, from.oid)),
        Value::Int(value) => value.to_string(),
        Value::Float(value) if !value.is_finite() => quoted(&cast::float_text(*value, 17)),
        Value::Float(_) | Value::Numeric(_) => cast::text(catalog, value, from.oid),
        Value::Text(text) if matches!(from.oid, oid::JSON | oid::JSONB) => text.to_string(),
        Value::Timestamp(_) => quoted(&cast::text(catalog, value, from.oid).replacen(' ', "T", 1)),
        Value::Array(array) => {
            let element = Type::of(types::element(from.oid).unwrap_or(oid::TEXT));
            let items = array
                .items
                .iter()
                .map(|item| self::text(catalog, item, &element));
            format!("[{}]", items.collect::<Vec<_>>().join(","))
        }
        Value::Record(values) => {
            let fields = from.fields.iter().flat_map(|fields| fields.iter());
            let members = values.iter().zip(fields).map(|(value, (name, data_type))| {
                format!("{}:{}", quoted(name), self::text(catalog, value, data_type))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        value => quoted(&cast::text(catalog, value, from.oid)),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

//! The text form of values, as PostgreSQL writes them.

use super::*;

/// A value as text, as PostgreSQL writes it.
pub fn text(catalog: &Catalog, value: &Value, from: u32) -> String {
    let source = types::base(from);
    match value {
        Value::Null => String::new(),
        Value::Bool(value) => if *value { "true" } else { "false" }.into(),
        Value::Int(value) if types::is_reg(source) => catalog.name_text(*value, source),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => float_text(*value, if source == oid::FLOAT4 { 6 } else { 17 }),
        Value::Numeric(value) => value.to_string(),
        Value::Text(text) if source == oid::BPCHAR => text.trim_end_matches(' ').into(),
        Value::Text(text) => text.to_string(),
        Value::Bytes(bytes) => {
            let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
            format!("\\x{}", digits.collect::<String>())
        }
        Value::Date(days) => time::date_text(*days),
        Value::Time(at) => time::time_text(*at),
        Value::Timestamp(at) => {
            let zone = (source == oid::TIMESTAMPTZ).then_some(&catalog.clock().zone);
            time::timestamp_text(*at, zone)
        }
        Value::Interval(interval) => time::interval_text(*interval),
        Value::Array(array) => {
            let element = types::element(source).unwrap_or(oid::TEXT);
            let items = array
                .items
                .iter()
                .map(|item| output(catalog, item, element));
            if matches!(source, oid::INT2VECTOR | oid::OIDVECTOR) {
                return items.collect::<Vec<_>>().join(" ");
            }
            let items = array
                .items
                .iter()
                .zip(items)
                .map(|(item, text)| match item {
                    Value::Null => "NULL".into(),
                    _ => quoted_item(text),
                });
            format!("{{{}}}", items.collect::<Vec<_>>().join(","))
        }
        Value::Record(fields) => {
            let fields = fields.iter().map(|field| match field {
                Value::Null => String::new(),
                field => quoted_field(output(catalog, field, oid::TEXT)),
            });
            format!("({})", fields.collect::<Vec<_>>().join(","))
        }
    }
}

/// A value as a client sees it: booleans as one letter.
pub fn output(catalog: &Catalog, value: &Value, from: u32) -> String {
    match value {
        Value::Bool(value) => if *value { "t" } else { "f" }.into(),
        value => text(catalog, value, from),
    }
}

pub(super) fn quoted_item(text: String) -> String {
    let is_plain = !text.is_empty()
        && !text.eq_ignore_ascii_case("null")
        && !text.contains(|c: char| matches!(c, '{' | '}' | ',' | '"' | '\\') || c.is_whitespace());
    match is_plain {
        true => text,
        false => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

pub(super) fn quoted_field(text: String) -> String {
    let is_plain = !text.is_empty()
        && !text.contains(|c: char| matches!(c, '(' | ')' | ',' | '"' | '\\') || c.is_whitespace());
    match is_plain {
        true => text,
        false => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\"\"")),
    }
}

/// The shortest text that reads back the same, with an exponent where PostgreSQL has one.
pub fn float_text(value: f64, digits: i32) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let scientific = match digits {
        6 => format!("{:e}", value as f32),
        _ => format!("{value:e}"),
    };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..digits.min(15)).contains(&exponent) {
        return match digits {
            6 => (value as f32).to_string(),
            _ => value.to_string(),
        };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

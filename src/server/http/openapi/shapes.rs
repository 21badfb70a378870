//! The shapes of values, from which all schemas are put together.

use datafusion::arrow::datatypes::{DataType, Field};
use serde_json::{Map, Value, json};

/// The members of an object.
pub(super) type Members = Vec<(String, Value)>;

pub(super) fn members<const N: usize>(members: [(&str, Value); N]) -> Members {
    members
        .map(|(name, schema)| (name.to_owned(), schema))
        .into()
}

/// An object of these members, all of which are there.
pub(super) fn object(members: Members) -> Value {
    let names: Vec<String> = members.iter().map(|(name, _)| name.clone()).collect();
    json!({
        "type": "object",
        "properties": members.into_iter().collect::<Map<String, Value>>(),
        "required": names,
        "additionalProperties": false,
    })
}

/// An object of which all but these may be left out.
pub(super) fn asked(members: Members, required: &[&str]) -> Value {
    let mut schema = object(members);
    schema["required"] = json!(required);
    schema
}

pub(super) fn or_null(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}

pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

pub(super) fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

pub(super) fn decimal(can_be_null: bool) -> Value {
    let kinds = if can_be_null {
        json!(["string", "null"])
    } else {
        json!("string")
    };
    json!({ "type": kinds, "pattern": "^-?[0-9]+(\\.[0-9]+)?$" })
}

pub(super) fn instant() -> Value {
    json!({ "type": ["string", "null"], "format": "date-time" })
}

/// A column of a result as JSON has it.
pub(super) fn column(field: &Field) -> Value {
    match field.data_type() {
        DataType::Decimal128(_, _) | DataType::Decimal256(_, _) => decimal(true),
        DataType::Boolean => or_null("boolean"),
        DataType::Float64 => or_null("number"),
        DataType::Date32 => json!({ "type": ["string", "null"], "format": "date" }),
        DataType::Timestamp(_, _) => instant(),
        data_type if data_type.is_integer() => or_null("integer"),
        _ => or_null("string"),
    }
}

pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

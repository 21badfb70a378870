//! Casts, written as calls of the functions that make them.

use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, CastKind, CharacterLength, DataType as SqlType, ExactNumberInfo, Expr,
    Value,
};

use super::{call, decimal, literal, number};
use crate::catalog::array_literals::{self, Item};
use crate::dialect::numbers;

/// A cast as a call, for the types whose casts are ours.
pub(super) fn cast(inner: &Expr, data_type: &SqlType) -> Option<Expr> {
    if let SqlType::Array(
        ArrayElemTypeDef::SquareBracket(element, None) | ArrayElemTypeDef::AngleBracket(element),
    ) = data_type
    {
        return array(inner, element, data_type);
    }
    if matches!(inner, Expr::Value(value) if matches!(value.value, Value::Placeholder(_))) {
        return None;
    }
    if matches!(data_type, SqlType::Bytea) {
        let bytes = crate::catalog::cast::bytes(quoted(inner)?)?;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        return Some(Expr::Value(Value::HexStringLiteral(hex).with_empty_span()));
    }
    let (name, modifiers) = function_of(data_type)?;
    if let Some(text) = quoted(inner)
        && modifiers.is_empty()
    {
        let integer = text.trim().parse::<i64>().ok();
        let small = integer.filter(|value| i32::try_from(*value).is_ok());
        match name {
            "numeric" => {
                if let Some(value) = numbers::parse(text.trim()) {
                    return Some(decimal(&value));
                }
            }
            "int4" if small.is_some_and(|value| value >= 0) => {
                return number(&small?.to_string());
            }
            "int8" if integer.is_some_and(|value| value >= 0) => {
                return Some(literal(integer?.to_string()));
            }
            _ => {}
        }
    }
    let mut args = vec![inner.clone()];
    args.extend(
        modifiers
            .into_iter()
            .map(|modifier| literal(modifier.to_string())),
    );
    Some(call(name, args))
}

fn quoted(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
            Value::DollarQuotedString(text) => Some(&text.value),
            _ => None,
        },
        _ => None,
    }
}

/// An array that is written as text.
fn array(inner: &Expr, element: &SqlType, data_type: &SqlType) -> Option<Expr> {
    // Brackets say nothing of dimensions: the text has its own.
    if let SqlType::Array(
        ArrayElemTypeDef::SquareBracket(within, None) | ArrayElemTypeDef::AngleBracket(within),
    ) = element
        && quoted(inner).is_some()
    {
        return array(inner, within, element);
    }
    if let Expr::Array(elements) = inner
        && function_of(element) == Some(("numeric", Vec::new()))
        && !elements
            .elem
            .iter()
            .any(|item| matches!(item, Expr::Array(_)))
        && !elements.elem.is_empty()
    {
        let items = elements.elem.iter();
        return Some(Expr::Array(Array {
            elem: items
                .map(|item| call("numeric", vec![item.clone()]))
                .collect(),
            named: elements.named,
        }));
    }
    let items = array_literals::parse(quoted(inner)?)?;
    let (elements, dimensions) = array_of(items, element);
    // Each number keeps its places.
    if !elements.elem.is_empty() && function_of(element) == Some(("numeric", Vec::new())) {
        return Some(Expr::Array(elements));
    }
    let array_of_type =
        |of: SqlType| SqlType::Array(ArrayElemTypeDef::SquareBracket(Box::new(of), None));
    let data_type = (1..dimensions).fold(data_type.clone(), |of, _| array_of_type(of));
    Some(Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Array(elements)),
        data_type,
        array: false,
        format: None,
    })
}

/// The items as an array of values of their type, and how many dimensions it has.
fn array_of(items: Vec<Item>, element: &SqlType) -> (Array, usize) {
    let mut dimensions = 1;
    let elem = items.into_iter().map(|item| match item {
        Item::Array(items) => {
            let (array, within) = array_of(items, element);
            dimensions = within + 1;
            Expr::Array(array)
        }
        Item::Text(text) => {
            let value = text.map_or(Value::Null, Value::SingleQuotedString);
            let value = Expr::Value(value.with_empty_span());
            match cast(&value, element) {
                Some(cast) => cast,
                None => Expr::Cast {
                    kind: CastKind::Cast,
                    expr: Box::new(value),
                    data_type: element.clone(),
                    array: false,
                    format: None,
                },
            }
        }
    });
    let elem = elem.collect();
    (Array { elem, named: true }, dimensions)
}

/// The function that casts to a type, and the digits or the length that the type has.
fn function_of(data_type: &SqlType) -> Option<(&'static str, Vec<u64>)> {
    let length = |length: &Option<CharacterLength>| match length {
        Some(CharacterLength::IntegerLength { length, .. }) => Some(*length),
        _ => None,
    };
    let named = |name| Some((name, Vec::new()));
    match data_type {
        SqlType::SmallInt(_) | SqlType::Int2(_) => named("int2"),
        SqlType::Int(_) | SqlType::Integer(_) | SqlType::Int4(_) => named("int4"),
        SqlType::BigInt(_) | SqlType::Int8(_) => named("int8"),
        SqlType::Real | SqlType::Float4 => named("float4"),
        SqlType::Float(ExactNumberInfo::Precision(1..=24)) => named("float4"),
        SqlType::Float8 | SqlType::DoublePrecision | SqlType::Double(_) | SqlType::Float(_) => {
            named("float8")
        }
        SqlType::Numeric(digits) | SqlType::Decimal(digits) | SqlType::Dec(digits) => {
            let modifiers = match digits {
                ExactNumberInfo::None => Vec::new(),
                ExactNumberInfo::Precision(digits) => vec![*digits, 0],
                ExactNumberInfo::PrecisionAndScale(digits, places) => {
                    vec![*digits, u64::try_from(*places).ok()?]
                }
            };
            Some(("numeric", modifiers))
        }
        SqlType::Uuid => named("uuid"),
        SqlType::Bool | SqlType::Boolean => named("bool"),
        SqlType::Text => named("text"),
        SqlType::Varchar(size) | SqlType::CharacterVarying(size) | SqlType::CharVarying(size) => {
            Some(("varchar", length(size).into_iter().collect()))
        }
        SqlType::Char(size) | SqlType::Character(size) => {
            Some(("bpchar", vec![length(size).unwrap_or(1)]))
        }
        _ => None,
    }
}

//! The values of parameters, from text or binary, with all their digits.

mod binary;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use datafusion::arrow::array::{ArrayRef, StringArray};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit, i256};
use datafusion::common::ScalarValue;

use super::wire::{Body, utf8};
use crate::catalog;
use crate::catalog::time::read::Clock;
use crate::catalog::time::zone::Zone;
use crate::dialect::around::now;
use crate::dialect::functions::casts::converted;
use crate::dialect::output::{numeric, types};
use crate::error::{Error, Result};
use binary::{binary, numeric_digits};

/// The Arrow type of parameters that a client says are of this type; `None` where it leaves it open.
pub fn data_type(oid: u32, zone: &str) -> Result<Option<DataType>> {
    Ok(Some(match oid {
        0 | types::UNKNOWN => return Ok(None),
        types::BOOL => DataType::Boolean,
        types::INT2 => DataType::Int16,
        types::INT4 => DataType::Int32,
        types::INT8 | types::OID => DataType::Int64,
        types::FLOAT4 => DataType::Float32,
        types::FLOAT8 => DataType::Float64,
        types::NUMERIC => DataType::Decimal128(38, 10),
        types::TEXT
        | types::VARCHAR
        | types::BPCHAR
        | types::CHAR
        | 19
        | types::UUID
        | types::JSON
        | types::JSONB => DataType::Utf8,
        types::BYTEA => DataType::Binary,
        types::DATE => DataType::Date32,
        types::TIME => DataType::Time64(TimeUnit::Nanosecond),
        types::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        types::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into())),
        types::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        oid => match types::element_of(oid) {
            Some(element) => match data_type(element, zone)? {
                Some(element) => DataType::new_list(element, true),
                None => return Ok(None),
            },
            None => {
                let message = format!("parameters of the type with oid {oid} are not supported");
                return Err(Error::session("0A000", message));
            }
        },
    }))
}

/// The type that a client is told a parameter has.
pub fn oid(data_type: Option<&DataType>) -> u32 {
    let field = |data_type: &DataType| Field::new("", data_type.clone(), true);
    data_type.map_or(types::TEXT, |data_type| {
        types::PgType::of(&field(data_type)).oid
    })
}

/// The value of a parameter.
pub fn value(bytes: Option<&Bytes>, is_binary: bool, data_type: &DataType) -> Result<ScalarValue> {
    let Some(bytes) = bytes else {
        return Ok(ScalarValue::try_from(data_type)?);
    };
    match is_binary {
        true => binary(bytes, data_type),
        false => text(&utf8(bytes)?, data_type),
    }
}

/// The value of a parameter of the catalog, whose type may be kept as text.
pub fn value_of(
    bytes: Option<&Bytes>,
    is_binary: bool,
    data_type: &DataType,
    oid: u32,
) -> Result<ScalarValue> {
    let (Some(sent), true, DataType::Utf8) = (bytes, is_binary, data_type) else {
        return value(bytes, is_binary, data_type);
    };
    let text = match oid {
        types::NUMERIC => {
            let (digits, scale) = numeric_digits(sent)?;
            let mut text = BytesMut::new();
            numeric::text(&digits, i8::try_from(scale).unwrap_or(i8::MAX), &mut text);
            utf8(&text)?
        }
        types::UUID => match <[u8; 16]>::try_from(sent.as_ref()) {
            Ok(bytes) => uuid::Uuid::from_bytes(bytes).to_string(),
            Err(_) => {
                return Err(Error::session(
                    "22P03",
                    "incorrect binary data format for type uuid",
                ));
            }
        },
        types::JSONB if sent.first() == Some(&1) => utf8(&sent[1..])?,
        // Names that are sent as the oids of what they name.
        24 | 2202..=2206 | 4089 | 4096 if sent.len() == 4 => {
            Body::new(sent.clone()).number()?.to_string()
        }
        _ => return value(bytes, is_binary, data_type),
    };
    Ok(ScalarValue::Utf8(Some(text)))
}

fn text(text: &str, data_type: &DataType) -> Result<ScalarValue> {
    let wrong = || {
        let name = name(data_type);
        let message = format!("invalid input syntax for type {name}: \"{text}\"");
        Err(Error::session("22P02", message))
    };
    let said = text.trim();
    Ok(match data_type {
        DataType::Utf8 => ScalarValue::Utf8(Some(text.to_owned())),
        DataType::Boolean => match said.to_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "on" | "1" => ScalarValue::Boolean(Some(true)),
            "f" | "false" | "n" | "no" | "off" | "0" => ScalarValue::Boolean(Some(false)),
            _ => return wrong(),
        },
        DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt32 => {
            match said.parse::<i128>() {
                Ok(number) => integer(number, data_type)?,
                Err(_) => return wrong(),
            }
        }
        DataType::Float32 | DataType::Float64 => {
            let number = match said.to_lowercase().as_str() {
                "infinity" | "inf" | "+infinity" => Ok(f64::INFINITY),
                "-infinity" | "-inf" => Ok(f64::NEG_INFINITY),
                said => said.parse::<f64>(),
            };
            match (number, data_type) {
                (Ok(number), DataType::Float32) => ScalarValue::Float32(Some(number as f32)),
                (Ok(number), _) => ScalarValue::Float64(Some(number)),
                (Err(_), _) => return wrong(),
            }
        }
        DataType::Decimal128(_, _) | DataType::Decimal256(_, _) => match decimal(said) {
            Some((digits, scale)) => exact(&digits, scale)?,
            None => return wrong(),
        },
        DataType::Binary => match catalog::cast::bytes(text) {
            Some(bytes) => ScalarValue::Binary(Some(bytes)),
            None => return wrong(),
        },
        DataType::List(element) => match array(text) {
            Some(items) => {
                let values = items.into_iter().map(|item| match item {
                    Some(item) => self::text(&item, element.data_type()),
                    None => Ok(ScalarValue::try_from(element.data_type())?),
                });
                list(values.collect::<Result<_>>()?, element.data_type())?
            }
            None => {
                let message = format!("malformed array literal: \"{text}\"");
                return Err(Error::session("22P02", message));
            }
        },
        DataType::Date32
        | DataType::Timestamp(_, _)
        | DataType::Time64(_)
        | DataType::Interval(_) => {
            let mut clock = Clock::utc(now());
            if let DataType::Timestamp(_, Some(zone)) = data_type {
                clock.zone = Zone::named(zone).unwrap_or(Zone::UTC);
            }
            let column: ArrayRef = Arc::new(StringArray::from(vec![said]));
            let read = converted(&column, data_type, &clock)?;
            ScalarValue::try_from_array(&read, 0)?
        }
        data_type => {
            let column: ArrayRef = Arc::new(StringArray::from(vec![said]));
            let options = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            let cast = cast_with_options(&column, data_type, &options);
            let cast = cast.map_err(datafusion::error::DataFusionError::from)?;
            ScalarValue::try_from_array(&cast, 0)?
        }
    })
}

fn integer(number: i128, data_type: &DataType) -> Result<ScalarValue> {
    let narrow = match data_type {
        DataType::Int16 => i16::try_from(number)
            .ok()
            .map(|n| ScalarValue::Int16(Some(n))),
        DataType::Int32 => i32::try_from(number)
            .ok()
            .map(|n| ScalarValue::Int32(Some(n))),
        _ => i64::try_from(number)
            .ok()
            .map(|n| ScalarValue::Int64(Some(n))),
    };
    narrow.ok_or_else(|| {
        let message = format!(
            "value \"{number}\" is out of range for type {}",
            name(data_type)
        );
        Error::session("22003", message)
    })
}

/// The digits of a decimal with their sign, and how many of them stand behind the point.
fn decimal(text: &str) -> Option<(String, i32)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, places) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{places}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut scale = i32::try_from(places.len()).ok()?.checked_sub(exponent)?;
    if scale < 0 {
        digits.extend(std::iter::repeat_n(
            '0',
            usize::try_from(-scale).ok().filter(|n| *n < 100)?,
        ));
        scale = 0;
    }
    Some((format!("{sign}{digits}"), scale))
}

/// A decimal as it is written, in the narrowest type that holds it.
fn exact(digits: &str, scale: i32) -> Result<ScalarValue> {
    let too_wide = || Error::session("22003", "a numeric has at most 76 digits here");
    let count = digits.trim_start_matches('-').trim_start_matches('0').len();
    let precision = i32::try_from(count)
        .map_err(|_| too_wide())?
        .max(scale)
        .max(1);
    let (Ok(precision), Ok(scale)) = (u8::try_from(precision), i8::try_from(scale)) else {
        return Err(too_wide());
    };
    if precision <= 38 {
        let value = digits.parse::<i128>().map_err(|_| too_wide())?;
        return Ok(ScalarValue::Decimal128(Some(value), precision, scale));
    }
    let value = i256::from_string(digits)
        .filter(|_| precision <= 76)
        .ok_or_else(too_wide)?;
    Ok(ScalarValue::Decimal256(Some(value), precision, scale))
}

/// The items of an array of one dimension, as PostgreSQL writes it.
fn array(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    let mut letters = inner.chars().peekable();
    if inner.trim().is_empty() {
        return Some(items);
    }
    loop {
        let mut item = String::new();
        let mut is_quoted = false;
        let mut kept = 0;
        loop {
            match letters.peek() {
                None | Some(',') => break,
                Some('"') => {
                    letters.next();
                    is_quoted = true;
                    loop {
                        match letters.next()? {
                            '"' => break,
                            '\\' => item.push(letters.next()?),
                            letter => item.push(letter),
                        }
                    }
                    kept = item.len();
                }
                Some('\\') => {
                    letters.next();
                    item.push(letters.next()?);
                    kept = item.len();
                }
                Some('{' | '}') => return None,
                Some(letter) if item.is_empty() && letter.is_whitespace() => {
                    letters.next();
                }
                Some(letter) => {
                    item.push(*letter);
                    letters.next();
                }
            }
        }
        if is_quoted {
            item.truncate(kept.max(item.trim_end().len()));
            items.push(Some(item));
        } else {
            let item = item.trim();
            match item {
                "" => return None,
                item if item.eq_ignore_ascii_case("null") => items.push(None),
                item => items.push(Some(item.to_owned())),
            }
        }
        if letters.next().is_none() {
            return Some(items);
        }
    }
}

/// An array of values, of the type of the widest of them.
fn list(mut values: Vec<ScalarValue>, element: &DataType) -> Result<ScalarValue> {
    let mut element = element.clone();
    if matches!(element, DataType::Decimal128(_, _)) && !values.is_empty() {
        element = widest(&values);
        for value in &mut values {
            *value = value.cast_to(&element)?;
        }
    }
    let array = ScalarValue::new_list(&values, &element, true);
    Ok(ScalarValue::List(array))
}

/// The decimal type that holds all of these.
fn widest(values: &[ScalarValue]) -> DataType {
    let (mut whole, mut places) = (1_i32, 0_i32);
    for value in values {
        if let ScalarValue::Decimal128(Some(_), precision, scale)
        | ScalarValue::Decimal256(Some(_), precision, scale) = value
        {
            whole = whole.max(i32::from(*precision) - i32::from(*scale));
            places = places.max(i32::from(*scale));
        }
    }
    let precision = (whole + places).clamp(1, 76) as u8;
    match precision {
        ..=38 => DataType::Decimal128(precision, places as i8),
        _ => DataType::Decimal256(precision, places.min(76) as i8),
    }
}

fn name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "boolean",
        DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        DataType::Int64 => "bigint",
        DataType::UInt32 => "oid",
        DataType::Float32 => "real",
        DataType::Float64 => "double precision",
        DataType::Decimal128(_, _) | DataType::Decimal256(_, _) => "numeric",
        DataType::Binary => "bytea",
        DataType::Date32 => "date",
        DataType::Time64(_) => "time",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        DataType::Interval(_) => "interval",
        DataType::List(_) => "array",
        _ => "text",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::dialect::output::numeric as sent;

    fn shown(value: ScalarValue) -> (String, u8, i8) {
        match value {
            ScalarValue::Decimal128(Some(value), precision, scale) => {
                (value.to_string(), precision, scale)
            }
            ScalarValue::Decimal256(Some(value), precision, scale) => {
                (value.to_string(), precision, scale)
            }
            other => (other.to_string(), 0, 0),
        }
    }

    #[test]
    fn numerics_keep_their_digits() {
        let decimal = DataType::Decimal128(38, 10);
        for (said, expected) in [
            ("1.50", ("150", 3, 2)),
            ("-0.0000000001", ("-1", 10, 10)),
            ("1e3", ("1000", 4, 0)),
            (
                "12345678901234567890.123456789",
                ("12345678901234567890123456789", 29, 9),
            ),
            ("0", ("0", 1, 0)),
        ] {
            let value = text(said, &decimal).unwrap();
            let (digits, precision, scale) = shown(value.clone());
            assert_eq!((digits.as_str(), precision, scale), expected, "{said}");
            let mut out = BytesMut::new();
            sent::binary(&digits, scale, &mut out);
            let back = binary(&out.freeze(), &decimal).unwrap();
            assert_eq!(back, value, "{said}");
        }
        assert_eq!(text("1.5x", &decimal).unwrap_err().sqlstate(), "22P02");
        assert_eq!(
            text(&"9".repeat(80), &decimal).unwrap_err().sqlstate(),
            "22003"
        );
    }

    #[test]
    fn arrays_are_read() {
        let items = array(r#"{a, "b c" ,"d\"e",NULL,"null",""}"#).unwrap();
        let items: Vec<Option<&str>> = items.iter().map(Option::as_deref).collect();
        assert_eq!(
            items,
            [
                Some("a"),
                Some("b c"),
                Some("d\"e"),
                None,
                Some("null"),
                Some("")
            ]
        );
        assert_eq!(array("{}").unwrap().len(), 0);
        assert!(array("{a").is_none() && array("{{1}}").is_none() && array("{a,}").is_none());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let state = |bytes: &'static [u8], data_type| {
            binary(&Bytes::from_static(bytes), &data_type)
                .unwrap_err()
                .sqlstate()
        };
        assert_eq!(state(b"abc", DataType::Int32), "22P03");
        assert_eq!(
            text("zz", &DataType::Int32).unwrap_err().sqlstate(),
            "22P02"
        );
        assert_eq!(
            text("3000000000", &DataType::Int32).unwrap_err().sqlstate(),
            "22003"
        );
        let list = DataType::new_list(DataType::Int32, true);
        assert_eq!(
            state(
                b"\0\0\0\x01\0\0\0\0\0\0\0\x17\x7f\xff\xff\xff\0\0\0\x01",
                list
            ),
            "22P03"
        );
    }
}

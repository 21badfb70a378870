//! Values of one type as values of another, and as text.

mod text_form;

use std::sync::Arc;

use super::numeric::Numeric;
use super::types::{self, Type, oid};
use super::value::{Array, Interval, Value};
use super::{Catalog, time};
use crate::error::{Error, Result};
pub use text_form::{float_text, output, text};

/// An error with PostgreSQL's words and code.
pub fn failure(sqlstate: &'static str, message: impl Into<String>) -> Error {
    Error::new(sqlstate, message)
}

/// Whether a cast leaves the value as it is kept.
pub fn is_relabel(from: u32, to: u32) -> bool {
    let (from, to) = (types::base(from), types::base(to));
    let oid_like = |oid: u32| types::is_oid(oid) || matches!(oid, oid::XID | oid::CID);
    let any_text = |oid: u32| matches!(oid, oid::TEXT | oid::VARCHAR | oid::CSTRING);
    from == to
        || (oid_like(from) && (oid_like(to) || to == oid::INT8))
        || (types::is_integer(from) && types::number_rank(from) <= types::number_rank(to)
            && types::is_integer(to))
        || (types::is_integer(from) && from != oid::INT8 && types::is_reg(to))
        // The blanks at the end of a `char(n)` are no part of its text.
        || (types::is_text(from) && from != oid::BPCHAR && any_text(to))
        || matches!((from, to), (oid::INT2VECTOR, 1005) | (oid::OIDVECTOR, 1028))
}

/// A value of one type as another.
pub fn cast(catalog: &Catalog, value: &Value, from: &Type, to: &Type) -> Result<Value> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let (source, target) = (types::base(from.oid), types::base(to.oid));
    let cast = match value {
        _ if is_relabel(source, target) && source != oid::UNKNOWN => value.clone(),
        Value::Text(text) if source == oid::BPCHAR => {
            return parse(catalog, text.trim_end_matches(' '), to);
        }
        Value::Text(text) => return parse(catalog, text, to),
        _ if target == oid::CSTRING => Value::text(output(catalog, value, source)),
        _ if types::is_text(target) => {
            let text = text(catalog, value, source);
            return parse(catalog, &text, to);
        }
        Value::Array(array) => {
            let element_from = Type::of(types::element(source).unwrap_or(oid::TEXT));
            let Some(element_to) = types::element(target) else {
                return Err(no_cast(source, target));
            };
            let element_to = Type::with_typmod(element_to, to.typmod);
            let items = array.items.iter();
            let items = items.map(|item| cast(catalog, item, &element_from, &element_to));
            Value::Array(Arc::new(Array {
                lower: array.lower,
                items: items.collect::<Result<_>>()?,
            }))
        }
        Value::Bool(value) if types::is_integer(target) => Value::Int(i64::from(*value)),
        Value::Int(value) => from_int(*value, target).ok_or_else(|| out_of(target, source))?,
        Value::Float(value) => from_float(*value, target).ok_or_else(|| out_of(target, source))?,
        Value::Numeric(value) => {
            from_numeric(*value, target).ok_or_else(|| out_of(target, source))?
        }
        Value::Date(days) if matches!(target, oid::TIMESTAMP | oid::TIMESTAMPTZ) => {
            let zone = (target == oid::TIMESTAMPTZ).then_some(&catalog.clock().zone);
            let at = time::midnight(*days, zone).ok_or_else(|| out_of_time("timestamp"))?;
            Value::Timestamp(at)
        }
        Value::Timestamp(at) => {
            let zone = &catalog.clock().zone;
            let local = match source {
                oid::TIMESTAMPTZ => zone.local(*at),
                _ => *at,
            };
            match (source, target) {
                (_, oid::DATE) => Value::Date(time::day(local).ok_or_else(|| out_of_time("date"))?),
                (_, oid::TIME) => Value::Time(local.rem_euclid(time::DAY)),
                (oid::TIMESTAMPTZ, oid::TIMESTAMP) => Value::Timestamp(local),
                (oid::TIMESTAMP, oid::TIMESTAMPTZ) => Value::Timestamp(zone.instant(*at)),
                (_, oid::TIMESTAMP | oid::TIMESTAMPTZ) => value.clone(),
                _ => return Err(no_cast(source, target)),
            }
        }
        Value::Time(at) if target == oid::INTERVAL => Value::Interval(Interval {
            months: 0,
            days: 0,
            microseconds: *at,
        }),
        Value::Interval(of) if target == oid::TIME => {
            Value::Time(of.microseconds.rem_euclid(time::DAY))
        }
        _ if source == target => value.clone(),
        _ => return Err(no_cast(source, target)),
    };
    modified(cast, to)
}

fn no_cast(from: u32, to: u32) -> Error {
    let name = |oid: u32| types::format(oid, -1).unwrap_or_default();
    failure(
        "42846",
        format!("cannot cast type {} to {}", name(from), name(to)),
    )
}

/// A number is too large for the type, or there is no cast at all.
fn out_of(to: u32, from: u32) -> Error {
    let known = types::number_rank(to).is_some() || types::is_oid(to);
    match known {
        true => failure(
            "22003",
            format!("{} out of range", types::format(to, -1).unwrap_or_default()),
        ),
        false => no_cast(from, to),
    }
}

fn integer(value: i64, target: u32) -> Option<Value> {
    let fits = match target {
        oid::INT2 => i16::try_from(value).is_ok(),
        oid::INT4 => i32::try_from(value).is_ok(),
        oid::INT8 => true,
        // A negative number is an oid's upper half, as PostgreSQL has it.
        _ if value < 0 && value >= i64::from(i32::MIN) => {
            return Some(Value::Int(value & 0xffff_ffff));
        }
        _ => u32::try_from(value).is_ok(),
    };
    fits.then_some(Value::Int(value))
}

fn from_int(value: i64, target: u32) -> Option<Value> {
    match target {
        oid::BOOL => Some(Value::Bool(value != 0)),
        oid::FLOAT4 | oid::FLOAT8 => Some(Value::Float(value as f64)),
        oid::NUMERIC => Some(Value::Numeric(Numeric::integer(value))),
        _ if types::is_integer(target)
            || types::is_oid(target)
            || matches!(target, oid::XID | oid::CID | oid::XID8) =>
        {
            integer(value, target)
        }
        _ => None,
    }
}

fn from_float(value: f64, target: u32) -> Option<Value> {
    match target {
        oid::FLOAT8 => Some(Value::Float(value)),
        oid::FLOAT4 => Some(Value::Float(f64::from(value as f32))),
        oid::NUMERIC => Numeric::parse(&float_text(value, 15)).map(Value::Numeric),
        _ if types::is_integer(target) => {
            let rounded = value.round_ties_even();
            let in_range = rounded.abs() < 9.2e18;
            in_range.then(|| integer(rounded as i64, target)).flatten()
        }
        _ => None,
    }
}

fn from_numeric(value: Numeric, target: u32) -> Option<Value> {
    match target {
        oid::NUMERIC => Some(Value::Numeric(value)),
        oid::FLOAT4 | oid::FLOAT8 => Some(Value::Float(value.to_float())),
        _ if types::is_integer(target) => integer(value.to_integer()?, target),
        _ => None,
    }
}

/// The value cut or rounded to its type's modifier.
fn modified(value: Value, to: &Type) -> Result<Value> {
    if to.typmod < 0 {
        return Ok(value);
    }
    match (value, to.oid) {
        (Value::Numeric(value), oid::NUMERIC) if to.typmod >= 4 => {
            let packed = to.typmod - 4;
            let (precision, scale) = (packed >> 16, packed & 0x7ff);
            let rounded = u32::try_from(scale)
                .ok()
                .and_then(|scale| value.rescale(scale));
            let most = u32::try_from(precision).ok();
            let most = most.and_then(|precision| 10_i128.checked_pow(precision));
            match rounded {
                Some(rounded) if most.is_none_or(|most| rounded.digits.abs() < most) => {
                    Ok(Value::Numeric(rounded))
                }
                _ => Err(failure("22003", "numeric field overflow")),
            }
        }
        (Value::Text(text), oid::VARCHAR | oid::BPCHAR) => {
            let length = usize::try_from(to.typmod - 4).unwrap_or(usize::MAX);
            let mut text: String = text.chars().take(length).collect();
            if to.oid == oid::BPCHAR {
                let missing = length.saturating_sub(text.chars().count());
                text.extend(std::iter::repeat_n(' ', missing));
            }
            Ok(Value::text(text))
        }
        (value, _) => Ok(value),
    }
}

/// A text as a value of a type.
pub fn parse(catalog: &Catalog, text: &str, to: &Type) -> Result<Value> {
    let target = types::base(to.oid);
    let trimmed = text.trim();
    let wrong = |state| {
        let name = types::format(target, -1).unwrap_or_default();
        failure(
            state,
            format!("invalid input syntax for type {name}: \"{text}\""),
        )
    };
    let value = match target {
        oid::BOOL => Value::Bool(parse_bool(trimmed).ok_or_else(|| wrong("22P02"))?),
        oid::INT2 | oid::INT4 | oid::INT8 => {
            let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(wrong("22P02"));
            }
            let value = trimmed
                .parse()
                .ok()
                .and_then(|value| integer(value, target));
            value.ok_or_else(|| {
                let name = types::format(target, -1).unwrap_or_default();
                let message = format!("value \"{trimmed}\" is out of range for type {name}");
                failure("22003", message)
            })?
        }
        oid::OID | oid::XID | oid::CID | oid::XID8 => {
            let value = trimmed
                .parse()
                .ok()
                .and_then(|value| integer(value, target));
            value.ok_or_else(|| wrong("22P02"))?
        }
        oid::FLOAT4 | oid::FLOAT8 => Value::Float(trimmed.parse().map_err(|_| wrong("22P02"))?),
        oid::NUMERIC => Value::Numeric(Numeric::parse(trimmed).ok_or_else(|| wrong("22P02"))?),
        oid::BYTEA => Value::Bytes(bytes(text).ok_or_else(|| wrong("22P02"))?.into()),
        oid::NAME => Value::text(prefix(text, 63)),
        // One byte, as in PostgreSQL.
        oid::CHAR => Value::text(prefix(text, 1)),
        oid::DATE => {
            let days = time::read::read_date(trimmed, catalog.clock());
            Value::Date(days.map_err(|problem| wrong_time(problem, target, text))?)
        }
        oid::TIME => {
            let at = time::read::read_time(trimmed, catalog.clock());
            Value::Time(at.map_err(|problem| wrong_time(problem, target, text))?)
        }
        oid::TIMESTAMP | oid::TIMESTAMPTZ => {
            let has_zone = target == oid::TIMESTAMPTZ;
            let at = time::read::read_timestamp(trimmed, has_zone, catalog.clock());
            Value::Timestamp(at.map_err(|problem| wrong_time(problem, target, text))?)
        }
        oid::INTERVAL => {
            let of = time::interval::read_interval(trimmed, None);
            Value::Interval(of.map_err(|problem| wrong_interval(problem, text))?)
        }
        _ if types::is_reg(target) => Value::Int(catalog.parse_name(trimmed, target)?),
        _ => match types::element(target) {
            Some(element) if matches!(target, oid::INT2VECTOR | oid::OIDVECTOR) => {
                let element = Type::of(element);
                let items = trimmed.split_whitespace();
                let items = items.map(|item| parse(catalog, item, &element));
                Value::vector(items.collect::<Result<_>>()?)
            }
            Some(element) => {
                let element = Type::with_typmod(element, to.typmod);
                let items = parse_array(trimmed).ok_or_else(|| {
                    failure("22P02", format!("malformed array literal: \"{text}\""))
                })?;
                let items = items.into_iter().map(|item| match item {
                    Some(item) => parse(catalog, &item, &element),
                    None => Ok(Value::Null),
                });
                Value::array(items.collect::<Result<_>>()?)
            }
            None => Value::text(text),
        },
    };
    modified(value, to)
}

/// A text that is no date or time, in PostgreSQL's words.
pub fn wrong_time(problem: time::read::Problem, of: u32, text: &str) -> Error {
    use time::read::Problem;
    let name = types::format(of, -1).unwrap_or_default();
    match problem {
        Problem::Syntax => failure(
            "22007",
            format!("invalid input syntax for type {name}: \"{text}\""),
        ),
        Problem::OutOfRange => failure(
            "22008",
            format!("date/time field value out of range: \"{text}\""),
        ),
        Problem::UnknownZone(zone) => {
            failure("22023", format!("time zone \"{zone}\" not recognized"))
        }
    }
}

/// A text that is no interval, in PostgreSQL's words.
pub fn wrong_interval(problem: time::interval::Problem, text: &str) -> Error {
    use time::interval::Problem;
    match problem {
        Problem::Syntax => failure(
            "22007",
            format!("invalid input syntax for type interval: \"{text}\""),
        ),
        Problem::OutOfRange => failure(
            "22008",
            format!("interval field value out of range: \"{text}\""),
        ),
    }
}

/// A date, timestamp or interval that PostgreSQL cannot hold.
pub fn out_of_time(name: &str) -> Error {
    failure("22008", format!("{name} out of range"))
}

fn prefix(text: &str, most: usize) -> &str {
    let mut end = text
        .len()
        .min(most.max(text.chars().next().map_or(0, char::len_utf8)));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// A truth value in the words that PostgreSQL takes.
pub fn parse_bool(text: &str) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    let begins = |word: &str| !text.is_empty() && word.starts_with(&text);
    match text.as_str() {
        "on" | "1" => Some(true),
        "off" | "of" | "0" => Some(false),
        _ if begins("true") || begins("yes") => Some(true),
        _ if begins("false") || begins("no") => Some(false),
        _ => None,
    }
}

/// The items of `{a,"b c",NULL}`.
pub fn parse_array(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    if inner.trim().is_empty() {
        return Some(items);
    }
    let (mut item, mut quoted, mut in_quotes) = (String::new(), false, false);
    let mut letters = inner.chars();
    let finish = |item: &mut String, quoted: &mut bool| {
        let text = std::mem::take(item);
        let was_quoted = std::mem::take(quoted);
        match (was_quoted, text.trim()) {
            (true, _) => Some(text),
            (false, trimmed) if trimmed.eq_ignore_ascii_case("null") => None,
            (false, trimmed) => Some(trimmed.to_owned()),
        }
    };
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => item.push(letters.next()?),
            '"' => {
                in_quotes = !in_quotes;
                quoted = true;
            }
            ',' if !in_quotes => items.push(finish(&mut item, &mut quoted)),
            // Arrays of arrays are not among a catalog's types.
            '{' | '}' if !in_quotes => return None,
            letter if quoted && !in_quotes && letter.is_whitespace() => {}
            letter => item.push(letter),
        }
    }
    (!in_quotes).then_some(())?;
    items.push(finish(&mut item, &mut quoted));
    Some(items)
}

/// The bytes that `\x…` says, or text in which others are `\ooo`.
pub fn bytes(text: &str) -> Option<Vec<u8>> {
    if let Some(digits) = text.strip_prefix("\\x") {
        let digits: Vec<u8> = digits
            .bytes()
            .filter(|b| !b.is_ascii_whitespace())
            .collect();
        let pair = |pair: &[u8]| match pair {
            [_, _] => u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok(),
            _ => None,
        };
        return digits.chunks(2).map(pair).collect();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [b'\\', tail @ ..]) => {
                bytes.push(b'\\');
                tail
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                bytes.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                tail
            }
            (b'\\', _) => return None,
            (byte, tail) => {
                bytes.push(*byte);
                tail
            }
        };
    }
    Some(bytes)
}

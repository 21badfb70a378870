//! Functions of dates and times. Everything is in UTC.

use super::super::cast::failure;
use super::super::interpret::run::Context;
use super::super::numeric::Numeric;
use super::super::time;
use super::super::value::{Interval, Value};
use super::Functions;
use super::text::str_at;
use crate::error::{Error, Result};

pub fn register(f: &mut Functions) {
    for name in [
        "now",
        "transaction_timestamp",
        "statement_timestamp",
        "clock_timestamp",
    ] {
        f.strict(name, "", "timestamptz", |c, _| {
            Ok(Value::Timestamp(c.catalog.now()))
        });
    }
    f.strict("localtimestamp", "", "timestamp", |c, _| {
        Ok(Value::Timestamp(c.catalog.now()))
    });
    f.strict("current_date", "", "date", |c, _| {
        let days = i32::try_from(c.catalog.now().div_euclid(86_400_000_000));
        Ok(days.map_or(Value::Null, Value::Date))
    });
    for of in ["timestamptz", "timestamp"] {
        f.strict("age", &format!("{of}, {of}?"), "interval", age);
        f.strict("extract", &format!("text, {of}"), "numeric", extract);
        f.strict("date_part", &format!("text, {of}"), "float8", date_part);
        f.strict("date_trunc", &format!("text, {of}"), of, date_trunc);
        f.strict("to_char", &format!("{of}, text"), "text", to_char);
        f.strict("+", &format!("{of}, interval"), of, |_, a| moved(a, 1));
        f.strict("-", &format!("{of}, interval"), of, |_, a| moved(a, -1));
        f.strict("-", &format!("{of}, {of}"), "interval", difference);
    }
    f.strict("-", "date, date", "int4", |_, a| match a {
        [Value::Date(x), Value::Date(y)] => Ok(Value::Int(i64::from(*x) - i64::from(*y))),
        _ => Ok(Value::Null),
    });
    f.strict("extract", "text, interval", "numeric", extract);
    f.strict("to_timestamp", "float8", "timestamptz", |_, a| {
        match a.first() {
            Some(Value::Float(seconds)) => Ok(Value::Timestamp((seconds * 1e6).round() as i64)),
            _ => Ok(Value::Null),
        }
    });
    let zoned = |_: &Context<'_>, a: &[Value]| match str_at(a, 0).to_ascii_lowercase().as_str() {
        "utc" | "gmt" | "z" | "etc/utc" => Ok(a.get(1).cloned().unwrap_or(Value::Null)),
        _ => Err(failure("0A000", "the catalog knows no time zone but UTC")),
    };
    f.strict("timezone", "text, timestamptz", "timestamp", zoned);
    f.strict("timezone", "text, timestamp", "timestamptz", zoned);
}

fn out_of_range() -> Error {
    failure("22008", "timestamp out of range")
}

fn at(a: &[Value], position: usize) -> Option<i64> {
    match a.get(position) {
        Some(Value::Timestamp(at)) => Some(*at),
        _ => None,
    }
}

fn age(context: &Context<'_>, a: &[Value]) -> Result<Value> {
    let Some(first) = at(a, 0) else {
        return Ok(Value::Null);
    };
    Ok(Value::Interval(match at(a, 1) {
        Some(second) => time::age(first, second),
        // Of one argument it is the age at midnight today.
        None => {
            let now = context.catalog.now();
            time::age(now - now.rem_euclid(86_400_000_000), first)
        }
    }))
}

fn moved(a: &[Value], sign: i32) -> Result<Value> {
    let (Some(from), Some(Value::Interval(by))) = (at(a, 0), a.get(1)) else {
        return Ok(Value::Null);
    };
    let by = Interval {
        months: by.months.checked_mul(sign).ok_or_else(out_of_range)?,
        days: by.days.checked_mul(sign).ok_or_else(out_of_range)?,
        microseconds: by
            .microseconds
            .checked_mul(i64::from(sign))
            .ok_or_else(out_of_range)?,
    };
    let moved = time::add_interval(from, by);
    moved.map(Value::Timestamp).ok_or_else(out_of_range)
}

fn difference(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let (Some(x), Some(y)) = (at(a, 0), at(a, 1)) else {
        return Ok(Value::Null);
    };
    let between = x.checked_sub(y).ok_or_else(out_of_range)?;
    let days = between / 86_400_000_000;
    Ok(Value::Interval(Interval {
        months: 0,
        days: i32::try_from(days).map_err(|_| out_of_range())?,
        microseconds: between - days * 86_400_000_000,
    }))
}

/// A field in microseconds of its unit.
fn field(a: &[Value]) -> Result<Option<i128>> {
    let name = str_at(a, 0).to_ascii_lowercase();
    let value = match a.get(1) {
        Some(Value::Timestamp(at)) => time::field(&name, *at),
        Some(Value::Interval(of)) if name == "epoch" => {
            let days = i128::from(of.months) * 30 + i128::from(of.days);
            Some(days * 86_400_000_000 + i128::from(of.microseconds))
        }
        Some(Value::Interval(of)) => {
            let whole = |value: i64| Some(i128::from(value) * 1_000_000);
            match name.as_str() {
                "day" => whole(i64::from(of.days)),
                "month" => whole(i64::from(of.months % 12)),
                "year" => whole(i64::from(of.months / 12)),
                "hour" => whole(of.microseconds / 3_600_000_000),
                "minute" => whole(of.microseconds / 60_000_000 % 60),
                "second" => Some(i128::from(of.microseconds % 60_000_000)),
                _ => None,
            }
        }
        _ => return Ok(None),
    };
    match value {
        Some(value) => Ok(Some(value)),
        None => Err(failure("22023", format!("unit \"{name}\" not recognized"))),
    }
}

fn extract(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let fractional = matches!(str_at(a, 0), "epoch" | "second");
    Ok(match field(a)? {
        Some(value) if fractional => Value::Numeric(Numeric {
            digits: value,
            scale: 6,
        }),
        Some(value) => Value::Numeric(Numeric {
            digits: value / 1_000_000,
            scale: 0,
        }),
        None => Value::Null,
    })
}

fn date_part(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    Ok(field(a)?.map_or(Value::Null, |value| Value::Float(value as f64 / 1e6)))
}

fn date_trunc(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let Some(at) = at(a, 1) else {
        return Ok(Value::Null);
    };
    let day = 86_400_000_000;
    let days = i32::try_from(at.div_euclid(day)).map_err(|_| out_of_range())?;
    let (year, month, _) = time::civil(days);
    let first = |year, month| time::days_of(year, month, 1).map(|days| i64::from(days) * day);
    let start = match str_at(a, 0).to_ascii_lowercase().as_str() {
        "microseconds" => Some(at),
        "second" => Some(at - at.rem_euclid(1_000_000)),
        "minute" => Some(at - at.rem_euclid(60_000_000)),
        "hour" => Some(at - at.rem_euclid(3_600_000_000)),
        "day" => Some(at - at.rem_euclid(day)),
        "week" => Some((i64::from(days) - i64::from(days + 3).rem_euclid(7)) * day),
        "month" => first(year, month),
        "quarter" => first(year, (month - 1) / 3 * 3 + 1),
        "year" => first(year, 1),
        unit => return Err(failure("22023", format!("unit \"{unit}\" not recognized"))),
    };
    start.map(Value::Timestamp).ok_or_else(out_of_range)
}

/// The patterns that reports use; what is none is copied.
fn to_char(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let (Some(at), pattern) = (at(a, 0), str_at(a, 1)) else {
        return Ok(Value::Null);
    };
    let days = i32::try_from(at.div_euclid(86_400_000_000)).map_err(|_| out_of_range())?;
    let (year, month, day) = time::civil(days);
    let of_day = at.rem_euclid(86_400_000_000);
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ];
    let month_name = usize::try_from(month - 1)
        .ok()
        .and_then(|m| MONTHS.get(m))
        .unwrap_or(&"");
    let weekday = usize::try_from(i64::from(days + 3).rem_euclid(7)).ok();
    let day_name = weekday.and_then(|d| DAYS.get(d)).unwrap_or(&"");
    let parts = [
        ("YYYY", format!("{year:04}")),
        ("HH24", format!("{hour:02}")),
        ("HH12", format!("{:02}", (hour + 11) % 12 + 1)),
        ("Month", format!("{month_name:<9}")),
        ("Mon", month_name.get(..3).unwrap_or("").to_owned()),
        ("Day", format!("{day_name:<9}")),
        (
            "DDD",
            format!(
                "{:03}",
                i64::from(days - time::days_of(year, 1, 1).unwrap_or(days)) + 1
            ),
        ),
        ("YY", format!("{:02}", year.rem_euclid(100))),
        ("MM", format!("{month:02}")),
        ("MI", format!("{minute:02}")),
        ("MS", format!("{:03}", fraction / 1000)),
        ("US", format!("{fraction:06}")),
        ("DD", format!("{day:02}")),
        ("Dy", day_name.get(..3).unwrap_or("").to_owned()),
        ("HH", format!("{:02}", (hour + 11) % 12 + 1)),
        ("SS", format!("{second:02}")),
        ("AM", if hour < 12 { "AM".into() } else { "PM".into() }),
        ("PM", if hour < 12 { "AM".into() } else { "PM".into() }),
        ("TZ", "UTC".into()),
        ("OF", "+00".into()),
        ("Q", format!("{}", (month + 2) / 3)),
    ];
    let mut text = String::new();
    let mut rest = pattern.strip_prefix("FM").unwrap_or(pattern);
    while let Some(letter) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (literal, after) = quoted.split_once('"').unwrap_or((quoted, ""));
            text.push_str(literal);
            rest = after;
            continue;
        }
        let known = parts.iter().find(|(name, _)| rest.starts_with(name));
        let length = match known {
            Some((name, part)) => {
                text.push_str(part);
                name.len()
            }
            None => {
                text.push(letter);
                letter.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or("");
    }
    Ok(Value::text(text))
}

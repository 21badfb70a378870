//! Functions of dates, times and intervals. What has a zone is computed in the session's.

use super::Functions;
use super::text::{int_at, str_at};
use crate::cast::{failure, out_of_time, wrong_interval};
use crate::error::{Error, Result};
use crate::interpret::run::Context;
use crate::numeric::Numeric;
use crate::time::fields::{self, Field};
use crate::time::zone::Zone;
use crate::time::{self, DAY, interval, patterns, scan};
use crate::types::{Type, oid};
use crate::value::{Interval, Value};

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
        let clock = c.catalog.clock();
        Ok(Value::Timestamp(clock.zone.local(clock.now)))
    });
    f.strict("current_date", "", "date", |c, _| {
        Ok(Value::Date(c.catalog.clock().today()))
    });
    f.strict("age", "timestamptz, timestamptz?", "interval", |c, a| {
        age(c, a, true)
    });
    f.strict("age", "timestamp, timestamp?", "interval", |c, a| {
        age(c, a, false)
    });
    f.strict("extract", "text, date", "numeric", |_, a| {
        date_field(a).map(|field| field.map_or(Value::Null, |field| Value::Numeric(number(field))))
    });
    f.strict("date_part", "text, date", "float8", |_, a| {
        date_field(a).map(|field| field.map_or(Value::Null, |field| Value::Float(float(field))))
    });
    f.strict("extract", "text, timestamptz", "numeric", |c, a| {
        extract(c, a, true)
    });
    f.strict("extract", "text, timestamp", "numeric", |c, a| {
        extract(c, a, false)
    });
    f.strict("extract", "text, time", "numeric", |c, a| {
        extract(c, a, false)
    });
    f.strict("extract", "text, interval", "numeric", |c, a| {
        extract(c, a, false)
    });
    f.strict("date_part", "text, timestamptz", "float8", |c, a| {
        date_part(c, a, true)
    });
    f.strict("date_part", "text, timestamp", "float8", |c, a| {
        date_part(c, a, false)
    });
    f.strict("date_part", "text, time", "float8", |c, a| {
        date_part(c, a, false)
    });
    f.strict("date_part", "text, interval", "float8", |c, a| {
        date_part(c, a, false)
    });
    f.strict(
        "date_trunc",
        "text, timestamptz, text?",
        "timestamptz",
        |c, a| truncated(c, a, true),
    );
    f.strict("date_trunc", "text, timestamp", "timestamp", |c, a| {
        truncated(c, a, false)
    });
    f.strict("to_char", "timestamptz, text", "text", |c, a| {
        written(a, Some(&c.catalog.clock().zone))
    });
    f.strict("to_char", "timestamp, text", "text", |_, a| {
        written(a, None)
    });
    f.strict("to_char", "interval, text", "text", |_, a| {
        match a.first() {
            Some(Value::Interval(of)) => {
                let text = patterns::interval(*of, str_at(a, 1));
                text.map(Value::text)
                    .map_err(|problem| failure("22007", problem))
            }
            _ => Ok(Value::Null),
        }
    });
    f.strict("+", "timestamptz, interval", "timestamptz", |c, a| {
        moved(c, a, 1, true)
    });
    f.strict("+", "timestamp, interval", "timestamp", |c, a| {
        moved(c, a, 1, false)
    });
    f.strict("-", "timestamptz, interval", "timestamptz", |c, a| {
        moved(c, a, -1, true)
    });
    f.strict("-", "timestamp, interval", "timestamp", |c, a| {
        moved(c, a, -1, false)
    });
    for of in ["timestamptz", "timestamp"] {
        f.strict("-", &format!("{of}, {of}"), "interval", difference);
    }
    f.strict("+", "interval, timestamptz", "timestamptz", |c, a| {
        moved(c, &turned(a), 1, true)
    });
    f.strict("+", "interval, timestamp", "timestamp", |c, a| {
        moved(c, &turned(a), 1, false)
    });
    f.strict("+", "date, interval", "timestamp", |c, a| {
        moved(c, &at_midnight(a), 1, false)
    });
    f.strict("+", "interval, date", "timestamp", |c, a| {
        moved(c, &at_midnight(&turned(a)), 1, false)
    });
    f.strict("-", "date, interval", "timestamp", |c, a| {
        moved(c, &at_midnight(a), -1, false)
    });
    f.strict("+", "date, time", "timestamp", |_, a| at_time(a));
    f.strict("+", "time, date", "timestamp", |_, a| at_time(&turned(a)));
    f.strict("+", "time, interval", "time", |_, a| turned_on(a, 1));
    f.strict("+", "interval, time", "time", |_, a| {
        turned_on(&turned(a), 1)
    });
    f.strict("-", "time, interval", "time", |_, a| turned_on(a, -1));
    f.strict("-", "time, time", "interval", |_, a| match a {
        [Value::Time(x), Value::Time(y)] => Ok(Value::Interval(Interval {
            months: 0,
            days: 0,
            microseconds: x - y,
        })),
        _ => Ok(Value::Null),
    });
    f.strict("-", "date, date", "int4", |_, a| match a {
        [Value::Date(x), Value::Date(y)] => Ok(Value::Int(i64::from(*x) - i64::from(*y))),
        _ => Ok(Value::Null),
    });
    f.strict("+", "date, int4", "date", |_, a| days_on(a, 1));
    f.strict("+", "int4, date", "date", |_, a| days_on(&turned(a), 1));
    f.strict("-", "date, int4", "date", |_, a| days_on(a, -1));
    f.strict("+", "interval, interval", "interval", |_, a| {
        both(a, interval::plus)
    });
    f.strict("-", "interval, interval", "interval", |_, a| {
        both(a, |x, y| interval::plus(x, interval::negated(y)?))
    });
    f.strict("- unary", "interval", "interval", |_, a| {
        each(a, interval::negated)
    });
    f.strict("*", "interval, float8", "interval", |_, a| scaled(a));
    f.strict("*", "float8, interval", "interval", |_, a| {
        scaled(&turned(a))
    });
    f.strict("/", "interval, float8", "interval", |_, a| match a.get(1) {
        Some(Value::Float(by)) if *by == 0.0 => Err(failure("22012", "division by zero")),
        _ => divided(a),
    });
    f.strict("justify_hours", "interval", "interval", |_, a| {
        each(a, interval::justify_hours)
    });
    f.strict("justify_days", "interval", "interval", |_, a| {
        each(a, interval::justify_days)
    });
    f.strict("justify_interval", "interval", "interval", |_, a| {
        each(a, interval::justify_interval)
    });
    for of in ["timestamptz", "timestamp", "date"] {
        f.strict("isfinite", of, "bool", |_, a| {
            Ok(Value::Bool(match a.first() {
                Some(Value::Timestamp(at)) => !time::is_infinite(*at),
                Some(Value::Date(days)) => !matches!(days, &i32::MAX | &i32::MIN),
                _ => true,
            }))
        });
    }
    f.strict("isfinite", "interval", "bool", |_, _| Ok(Value::Bool(true)));
    f.strict("to_timestamp", "float8", "timestamptz", |_, a| {
        match a.first() {
            Some(Value::Float(seconds)) => of_epoch(*seconds),
            _ => Ok(Value::Null),
        }
    });
    f.strict("to_timestamp", "text, text", "timestamptz", |c, a| {
        let (text, pattern) = (str_at(a, 0), str_at(a, 1));
        let at = scan::timestamp(text, pattern, &c.catalog.clock().zone);
        at.map(Value::Timestamp)
            .map_err(|problem| unscanned(problem, text))
    });
    f.strict("to_date", "text, text", "date", |_, a| {
        let (text, pattern) = (str_at(a, 0), str_at(a, 1));
        let days = scan::date(text, pattern);
        days.map(Value::Date)
            .map_err(|problem| unscanned(problem, text))
    });
    f.strict("make_date", "int4, int4, int4", "date", |_, a| {
        let (year, month, day) = (int_at(a, 0), int_at(a, 1), int_at(a, 2));
        made_date(year, month, day).map(Value::Date)
    });
    f.strict(
        "make_timestamp",
        "int4, int4, int4, int4, int4, float8",
        "timestamp",
        |_, a| Ok(Value::Timestamp(made(a)?)),
    );
    f.strict(
        "make_timestamptz",
        "int4, int4, int4, int4, int4, float8, text?",
        "timestamptz",
        |c, a| {
            let zone = match a.get(6) {
                Some(_) => zone_of(str_at(a, 6))?,
                None => c.catalog.clock().zone.clone(),
            };
            Ok(Value::Timestamp(zone.instant(made(a)?)))
        },
    );
    f.strict("make_time", "int4, int4, float8", "time", |_, a| {
        made_time(int_at(a, 0), int_at(a, 1), float_at(a, 2)).map(Value::Time)
    });
    f.strict(
        "make_interval",
        "int4?, int4?, int4?, int4?, int4?, int4?, float8?",
        "interval",
        made_interval,
    );
    f.strict("timezone", "text, timestamptz", "timestamp", |_, a| {
        zoned(a, |zone, at| zone.local(at))
    });
    f.strict("timezone", "text, timestamp", "timestamptz", |_, a| {
        zoned(a, |zone, at| zone.instant(at))
    });
    f.strict("timezone", "interval, timestamptz", "timestamp", |_, a| {
        zoned(a, |zone, at| zone.local(at))
    });
    f.strict("timezone", "interval, timestamp", "timestamptz", |_, a| {
        zoned(a, |zone, at| zone.instant(at))
    });
    for of in ["timestamptz", "timestamp"] {
        f.lenient(
            "overlaps",
            &format!("{of}, {of}, {of}, {of}"),
            "bool",
            overlaps,
        );
    }
    f.lenient(
        "overlaps",
        "timestamptz, interval, timestamptz, interval",
        "bool",
        |c, a| overlaps(c, &with_ends(a, Some(&c.catalog.clock().zone))),
    );
    f.lenient(
        "overlaps",
        "timestamp, interval, timestamp, interval",
        "bool",
        |c, a| overlaps(c, &with_ends(a, None)),
    );
    f.strict(
        "date_bin",
        "interval, timestamptz, timestamptz",
        "timestamptz",
        binned,
    );
    f.strict(
        "date_bin",
        "interval, timestamp, timestamp",
        "timestamp",
        binned,
    );
}

fn out_of_range() -> Error {
    out_of_time("timestamp")
}

fn interval_out_of_range() -> Error {
    out_of_time("interval")
}

fn at(a: &[Value], position: usize) -> Option<i64> {
    match a.get(position) {
        Some(Value::Timestamp(at)) => Some(*at),
        _ => None,
    }
}

fn float_at(a: &[Value], position: usize) -> f64 {
    match a.get(position) {
        Some(Value::Float(value)) => *value,
        _ => 0.0,
    }
}

/// Two arguments the other way round.
fn turned(a: &[Value]) -> Vec<Value> {
    a.iter().rev().cloned().collect()
}

/// A date's first moment in the date's place.
fn at_midnight(a: &[Value]) -> Vec<Value> {
    let values = a.iter().map(|value| match value {
        Value::Date(days) => time::midnight(*days, None).map_or(Value::Null, Value::Timestamp),
        value => value.clone(),
    });
    values.collect()
}

fn at_time(a: &[Value]) -> Result<Value> {
    match (at_midnight(a).first(), a.get(1)) {
        (Some(Value::Timestamp(at)), Some(Value::Time(time))) => {
            let at = at.checked_add(*time);
            at.map(Value::Timestamp).ok_or_else(out_of_range)
        }
        _ => Ok(Value::Null),
    }
}

fn turned_on(a: &[Value], sign: i64) -> Result<Value> {
    match a {
        [Value::Time(at), Value::Interval(by)] => {
            let by = by.microseconds.rem_euclid(DAY) * sign;
            Ok(Value::Time((at + by).rem_euclid(DAY)))
        }
        _ => Ok(Value::Null),
    }
}

/// The zone of a name in `AT TIME ZONE`.
pub fn zone_of(name: &str) -> Result<Zone> {
    Zone::written(name)
        .ok_or_else(|| failure("22023", format!("time zone \"{name}\" not recognized")))
}

fn zoned(a: &[Value], change: fn(&Zone, i64) -> i64) -> Result<Value> {
    let zone = match a.first() {
        Some(Value::Interval(of)) if of.months == 0 && of.days == 0 => {
            Zone::east(i32::try_from(of.microseconds / time::SECOND).map_err(|_| out_of_range())?)
        }
        Some(Value::Interval(of)) => {
            let text = time::interval_text(*of);
            let message = "must not include months or days";
            return Err(failure(
                "22023",
                format!("interval time zone \"{text}\" {message}"),
            ));
        }
        _ => zone_of(str_at(a, 0))?,
    };
    Ok(at(a, 1).map_or(Value::Null, |at| Value::Timestamp(change(&zone, at))))
}

fn age(context: &Context<'_>, a: &[Value], has_zone: bool) -> Result<Value> {
    let clock = context.catalog.clock();
    let local = |at: i64| if has_zone { clock.zone.local(at) } else { at };
    let Some(first) = at(a, 0).map(local) else {
        return Ok(Value::Null);
    };
    Ok(Value::Interval(match at(a, 1).map(local) {
        Some(second) => time::age(first, second),
        // Of one argument it is the age at midnight today.
        None => time::age(i64::from(clock.today()) * DAY, first),
    }))
}

fn moved(context: &Context<'_>, a: &[Value], sign: i32, has_zone: bool) -> Result<Value> {
    let (Some(from), Some(Value::Interval(by))) = (at(a, 0), a.get(1)) else {
        return Ok(Value::Null);
    };
    let by = match sign {
        1 => *by,
        _ => interval::negated(*by).ok_or_else(out_of_range)?,
    };
    let zone = has_zone.then_some(&context.catalog.clock().zone);
    let moved = time::add_interval(from, by, zone);
    moved.map(Value::Timestamp).ok_or_else(out_of_range)
}

fn days_on(a: &[Value], sign: i64) -> Result<Value> {
    let [Value::Date(days), Value::Int(more)] = a else {
        return Ok(Value::Null);
    };
    let days = i64::from(*days) + sign * more;
    i32::try_from(days)
        .ok()
        .filter(|days| (-2_440_588..=106_741_034 + 2_440_588).contains(days))
        .map(Value::Date)
        .ok_or_else(|| out_of_time("date"))
}

fn difference(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let (Some(x), Some(y)) = (at(a, 0), at(a, 1)) else {
        return Ok(Value::Null);
    };
    if time::is_infinite(x) || time::is_infinite(y) {
        return Err(failure("22008", "cannot subtract infinite timestamps"));
    }
    interval::between(x, y)
        .map(Value::Interval)
        .ok_or_else(interval_out_of_range)
}

fn each(a: &[Value], change: fn(Interval) -> Option<Interval>) -> Result<Value> {
    match a.first() {
        Some(Value::Interval(of)) => change(*of)
            .map(Value::Interval)
            .ok_or_else(interval_out_of_range),
        _ => Ok(Value::Null),
    }
}

fn both(a: &[Value], operate: fn(Interval, Interval) -> Option<Interval>) -> Result<Value> {
    match a {
        [Value::Interval(x), Value::Interval(y)] => operate(*x, *y)
            .map(Value::Interval)
            .ok_or_else(interval_out_of_range),
        _ => Ok(Value::Null),
    }
}

fn scaled(a: &[Value]) -> Result<Value> {
    match a {
        [Value::Interval(of), Value::Float(by)] => interval::times(*of, *by)
            .map(Value::Interval)
            .ok_or_else(interval_out_of_range),
        _ => Ok(Value::Null),
    }
}

fn divided(a: &[Value]) -> Result<Value> {
    match a {
        [Value::Interval(of), Value::Float(by)] => interval::divided(*of, *by)
            .map(Value::Interval)
            .ok_or_else(interval_out_of_range),
        _ => Ok(Value::Null),
    }
}

/// A field, and the name it was asked for by.
pub fn field(a: &[Value], zone: Option<&Zone>) -> Result<Option<Field>> {
    let name = str_at(a, 0).to_ascii_lowercase();
    let (value, of) = match a.get(1) {
        Some(Value::Timestamp(at)) if time::is_infinite(*at) => return Ok(None),
        Some(Value::Timestamp(at)) => (
            fields::of_timestamp(&name, *at, zone),
            if zone.is_some() {
                oid::TIMESTAMPTZ
            } else {
                oid::TIMESTAMP
            },
        ),
        Some(Value::Interval(of)) => (fields::of_interval(&name, *of), oid::INTERVAL),
        Some(Value::Time(at)) => (fields::of_time(&name, *at), oid::TIME),
        _ => return Ok(None),
    };
    value.map(Some).ok_or_else(|| unknown_unit(&name, of))
}

/// A field that a type has not.
pub fn unknown_unit(name: &str, of: u32) -> Error {
    let known = [
        "timezone",
        "timezone_hour",
        "timezone_minute",
        "dow",
        "isodow",
        "doy",
        "week",
        "isoyear",
        "julian",
        "year",
        "month",
        "day",
        "quarter",
        "decade",
        "century",
        "millennium",
    ];
    let of = super::super::types::format(of, Type::of(of).typmod).unwrap_or_default();
    match known.contains(&name) {
        true => failure(
            "0A000",
            format!("unit \"{name}\" not supported for type {of}"),
        ),
        false => failure(
            "22023",
            format!("unit \"{name}\" not recognized for type {of}"),
        ),
    }
}

fn extract(context: &Context<'_>, a: &[Value], has_zone: bool) -> Result<Value> {
    let zone = has_zone.then_some(&context.catalog.clock().zone);
    Ok(field(a, zone)?.map_or(Value::Null, |field| Value::Numeric(number(field))))
}

fn number(field: Field) -> Numeric {
    Numeric {
        digits: field.digits,
        scale: field.scale,
    }
}

fn float(field: Field) -> f64 {
    field.digits as f64 / 10_f64.powi(field.scale as i32)
}

/// A field of a date, which has no time.
pub fn date_field(a: &[Value]) -> Result<Option<Field>> {
    let name = str_at(a, 0).to_ascii_lowercase();
    let Some(Value::Date(days)) = a.get(1) else {
        return Ok(None);
    };
    let Some(at) = time::midnight(*days, None).filter(|at| !time::is_infinite(*at)) else {
        return Ok(None);
    };
    let of_time = [
        "hour",
        "minute",
        "second",
        "millisecond",
        "milliseconds",
        "microsecond",
        "microseconds",
        "timezone",
        "timezone_hour",
        "timezone_minute",
    ];
    if of_time.contains(&name.as_str()) {
        let message = format!("unit \"{name}\" not supported for type date");
        return Err(failure("0A000", message));
    }
    let whole = |field: Field| Field {
        digits: field.digits / 10_i128.pow(field.scale),
        scale: 0,
    };
    let field = fields::of_timestamp(&name, at, None).map(whole);
    field
        .map(Some)
        .ok_or_else(|| unknown_unit(&name, oid::DATE))
}

fn date_part(context: &Context<'_>, a: &[Value], has_zone: bool) -> Result<Value> {
    let zone = has_zone.then_some(&context.catalog.clock().zone);
    Ok(field(a, zone)?.map_or(Value::Null, |field| Value::Float(float(field))))
}

fn truncated(context: &Context<'_>, a: &[Value], has_zone: bool) -> Result<Value> {
    let Some(at) = at(a, 1) else {
        return Ok(Value::Null);
    };
    let name = str_at(a, 0).to_ascii_lowercase();
    let of = if has_zone {
        oid::TIMESTAMPTZ
    } else {
        oid::TIMESTAMP
    };
    let unit = fields::unit(&name).ok_or_else(|| unknown_unit(&name, of))?;
    let cut = match (has_zone, a.get(2)) {
        (true, Some(_)) => fields::truncated_in(&unit, at, &zone_of(str_at(a, 2))?),
        (true, None) => fields::truncated_in(&unit, at, &context.catalog.clock().zone),
        (false, _) => fields::truncated(&unit, at),
    };
    cut.map(Value::Timestamp).ok_or_else(out_of_range)
}

fn written(a: &[Value], zone: Option<&Zone>) -> Result<Value> {
    let Some(at) = at(a, 0) else {
        return Ok(Value::Null);
    };
    let text = patterns::timestamp(at, zone, str_at(a, 1));
    text.map(Value::optional)
        .map_err(|problem| failure("22007", problem))
}

fn of_epoch(seconds: f64) -> Result<Value> {
    if seconds.is_infinite() {
        let end = if seconds > 0.0 { i64::MAX } else { i64::MIN };
        return Ok(Value::Timestamp(end));
    }
    let rounded = (seconds * 1e6).round_ties_even();
    let at = (rounded.abs() < 9.223e18).then_some(rounded as i64);
    let message = || failure("22008", format!("timestamp out of range: \"{seconds}\""));
    at.and_then(time::in_range)
        .map(Value::Timestamp)
        .ok_or_else(message)
}

fn unscanned(problem: scan::Problem, text: &str) -> Error {
    match problem {
        scan::Problem::Value(found, key) => {
            failure("22007", format!("invalid value \"{found}\" for \"{key}\""))
        }
        scan::Problem::OutOfRange => failure(
            "22008",
            format!("date/time field value out of range: \"{text}\""),
        ),
        scan::Problem::Unsupported(key) => failure(
            "0A000",
            format!("formatting field \"{key}\" is only supported in to_char"),
        ),
    }
}

fn made_date(year: i64, month: i64, day: i64) -> Result<i32> {
    // There is no year 0: -1 is the year before 1.
    let counted = if year < 0 { year + 1 } else { year };
    let in_range = year != 0 && (-4713..=5_874_897).contains(&counted);
    let days = in_range
        .then(|| time::days_of(counted, month, day))
        .flatten();
    days.ok_or_else(|| {
        let message = format!("date field value out of range: {year}-{month:02}-{day:02}");
        failure("22008", message)
    })
}

fn made_time(hour: i64, minute: i64, second: f64) -> Result<i64> {
    let microseconds = (second * 1e6).round_ties_even();
    let fits = (0..=24).contains(&hour)
        && (0..60).contains(&minute)
        && (0.0..=60e6).contains(&microseconds);
    let at = (hour * 60 + minute) * 60 * time::SECOND + microseconds as i64;
    (fits && at <= DAY).then_some(at).ok_or_else(|| {
        let message = format!("time field value out of range: {hour}:{minute:02}:{second:02}");
        failure("22008", message)
    })
}

fn made(a: &[Value]) -> Result<i64> {
    let days = made_date(int_at(a, 0), int_at(a, 1), int_at(a, 2))?;
    let at = made_time(int_at(a, 3), int_at(a, 4), float_at(a, 5))?;
    let at = i64::from(days).checked_mul(DAY).map(|days| days + at);
    at.and_then(time::in_range).ok_or_else(out_of_range)
}

fn made_interval(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let count = |position| i128::from(int_at(a, position));
    let seconds = float_at(a, 6);
    let seconds = (seconds * 1e6).round_ties_even();
    let narrow = |value: i128| i32::try_from(value).map_err(|_| interval_out_of_range());
    if !seconds.is_finite() || seconds.abs() > 9e18 {
        return Err(interval_out_of_range());
    }
    let second = i128::from(time::SECOND);
    let microseconds = (count(4) * 60 + count(5)) * 60 * second + seconds as i128;
    Ok(Value::Interval(Interval {
        months: narrow(count(0) * 12 + count(1))?,
        days: narrow(count(2) * 7 + count(3))?,
        microseconds: i64::try_from(microseconds).map_err(|_| interval_out_of_range())?,
    }))
}

/// Two starts with what lies between them and their ends, as two starts and ends.
fn with_ends(a: &[Value], zone: Option<&Zone>) -> Vec<Value> {
    let end = |from: usize| match (at(a, from), a.get(from + 1)) {
        (Some(from), Some(Value::Interval(length))) => {
            time::add_interval(from, *length, zone).map_or(Value::Null, Value::Timestamp)
        }
        _ => Value::Null,
    };
    let start = |from: usize| a.get(from).cloned().unwrap_or(Value::Null);
    vec![start(0), end(0), start(2), end(2)]
}

/// Whether two spans of time have an instant in common; their ends do not belong to them.
fn overlaps(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let span = |from: usize| match (at(a, from), at(a, from + 1)) {
        (Some(x), Some(y)) => Some((x.min(y), x.max(y))),
        _ => None,
    };
    Ok(match (span(0), span(2)) {
        (Some(first), Some(second)) => {
            let (first, second) = if first <= second {
                (first, second)
            } else {
                (second, first)
            };
            Value::Bool(first.0 == second.0 || second.0 < first.1)
        }
        _ => Value::Null,
    })
}

/// An interval's whole length, where it has no months.
pub fn stride(of: &Interval) -> Result<i64> {
    if of.months != 0 {
        let message = "timestamps cannot be binned into intervals containing months or years";
        return Err(failure("0A000", message));
    }
    let days = i64::from(of.days).checked_mul(DAY);
    let length = days.and_then(|days| days.checked_add(of.microseconds));
    let length = length.ok_or_else(interval_out_of_range)?;
    match length {
        1.. => Ok(length),
        _ => Err(failure("22008", "stride must be greater than zero")),
    }
}

fn binned(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let (Some(Value::Interval(of)), Some(at), Some(origin)) = (a.first(), at(a, 1), at(a, 2))
    else {
        return Ok(Value::Null);
    };
    if time::is_infinite(at) {
        return Ok(Value::Timestamp(at));
    }
    fields::binned(stride(of)?, at, origin)
        .map(Value::Timestamp)
        .ok_or_else(out_of_range)
}

/// A text as an interval; a number without a unit is of `unit`.
pub fn read_interval(text: &str, unit: Option<&str>) -> Result<Interval> {
    interval::read_interval(text, unit).map_err(|problem| wrong_interval(problem, text))
}

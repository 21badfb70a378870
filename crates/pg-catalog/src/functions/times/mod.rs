//! Functions of dates, times and intervals. What has a zone is computed in the session's.

mod parts;

mod make;

mod ranges;

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
use make::{made, made_date, made_interval, made_time, of_epoch, unscanned};
pub use parts::{date_field, field, unknown_unit};
use parts::{date_part, extract, float, number, truncated};
pub use ranges::stride;
use ranges::{binned, overlaps, with_ends};

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
    f.strict("localtime", "", "time", |c, _| {
        let clock = c.catalog.clock();
        Ok(Value::Time(
            clock.zone.local(clock.now).rem_euclid(time::DAY),
        ))
    });
    for of in ["timestamptz", "timestamp", "time"] {
        f.strict("time_places", &format!("{of}, int4"), of, |_, a| {
            Ok(ranges::in_places(a))
        });
    }
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
    for (first, second) in [
        ("interval", "interval"),
        ("interval", "end"),
        ("end", "interval"),
    ] {
        let spans = |of: &str| {
            let [first, second] = [first, second].map(|end| end.replace("end", of));
            format!("{of}, {first}, {of}, {second}")
        };
        f.lenient("overlaps", &spans("timestamptz"), "bool", |c, a| {
            overlaps(c, &with_ends(a, Some(&c.catalog.clock().zone)))
        });
        f.lenient("overlaps", &spans("timestamp"), "bool", |c, a| {
            overlaps(c, &with_ends(a, None))
        });
    }
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

fn written(a: &[Value], zone: Option<&Zone>) -> Result<Value> {
    let Some(at) = at(a, 0) else {
        return Ok(Value::Null);
    };
    let text = patterns::timestamp(at, zone, str_at(a, 1));
    text.map(Value::optional)
        .map_err(|problem| failure("22007", problem))
}

/// A text as an interval; a number without a unit is of `unit`.
pub fn read_interval(text: &str, unit: Option<&str>) -> Result<Interval> {
    interval::read_interval(text, unit).map_err(|problem| wrong_interval(problem, text))
}

//! Fields of dates, timestamps and intervals: `extract`, `date_part`, `date_trunc`.

use super::*;

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
    let of = crate::types::format(of, Type::of(of).typmod).unwrap_or_default();
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

pub(super) fn extract(context: &Context<'_>, a: &[Value], has_zone: bool) -> Result<Value> {
    let zone = has_zone.then_some(&context.catalog.clock().zone);
    Ok(field(a, zone)?.map_or(Value::Null, |field| Value::Numeric(number(field))))
}

pub(super) fn number(field: Field) -> Numeric {
    Numeric {
        digits: field.digits,
        scale: field.scale,
    }
}

pub(super) fn float(field: Field) -> f64 {
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

pub(super) fn date_part(context: &Context<'_>, a: &[Value], has_zone: bool) -> Result<Value> {
    let zone = has_zone.then_some(&context.catalog.clock().zone);
    Ok(field(a, zone)?.map_or(Value::Null, |field| Value::Float(float(field))))
}

pub(super) fn truncated(context: &Context<'_>, a: &[Value], has_zone: bool) -> Result<Value> {
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

//! Stretches of time: `overlaps`, `date_bin`.

use super::*;

/// 2000, when PostgreSQL's time begins.
const EPOCH: i64 = 946_684_800 * time::SECOND;

/// Two starts with what lies between them and their ends, as two starts and ends.
pub(super) fn with_ends(a: &[Value], zone: Option<&Zone>) -> Vec<Value> {
    let end = |from: usize| match (at(a, from), a.get(from + 1)) {
        (Some(from), Some(Value::Interval(length))) => {
            time::add_interval(from, *length, zone).map_or(Value::Null, Value::Timestamp)
        }
        (_, Some(end)) if !matches!(end, Value::Interval(_)) => end.clone(),
        _ => Value::Null,
    };
    let start = |from: usize| a.get(from).cloned().unwrap_or(Value::Null);
    vec![start(0), end(0), start(2), end(2)]
}

/// A time rounded to so many decimal places of its seconds.
pub(super) fn in_places(a: &[Value]) -> Value {
    let places = a.get(1).and_then(Value::as_int).unwrap_or(6).clamp(0, 6);
    let unit = 10_i64.pow(6 - u32::try_from(places).unwrap_or(6));
    let rounded = |at: i64| match time::is_infinite(at) {
        true => at,
        // Half a unit is away from that time.
        false => {
            let since = at.saturating_sub(EPOCH);
            let half = if since < 0 { -(unit / 2) } else { unit / 2 };
            (since.saturating_add(half) / unit * unit).saturating_add(EPOCH)
        }
    };
    match a.first() {
        Some(Value::Timestamp(at)) => Value::Timestamp(rounded(*at)),
        Some(Value::Time(at)) => Value::Time((at + unit / 2) / unit * unit),
        _ => Value::Null,
    }
}

/// Whether two spans of time have an instant in common; their ends do not belong to them.
pub(super) fn overlaps(_: &Context<'_>, a: &[Value]) -> Result<Value> {
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

pub(super) fn binned(_: &Context<'_>, a: &[Value]) -> Result<Value> {
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

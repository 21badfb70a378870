//! Dates, times and intervals made of numbers.

use super::*;

pub(super) fn of_epoch(seconds: f64) -> Result<Value> {
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

pub(super) fn unscanned(problem: scan::Problem, text: &str) -> Error {
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

pub(super) fn made_date(year: i64, month: i64, day: i64) -> Result<i32> {
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

pub(super) fn made_time(hour: i64, minute: i64, second: f64) -> Result<i64> {
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

pub(super) fn made(a: &[Value]) -> Result<i64> {
    let days = made_date(int_at(a, 0), int_at(a, 1), int_at(a, 2))?;
    let at = made_time(int_at(a, 3), int_at(a, 4), float_at(a, 5))?;
    let at = i64::from(days).checked_mul(DAY).map(|days| days + at);
    at.and_then(time::in_range).ok_or_else(out_of_range)
}

pub(super) fn made_interval(_: &Context<'_>, a: &[Value]) -> Result<Value> {
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

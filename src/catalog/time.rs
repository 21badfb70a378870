//! Dates, times and intervals as text, in PostgreSQL's ISO style. Everything is in UTC.

use super::value::Interval;
use crate::calendar::{date_of_day, day_of_date, days_in_month};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Days since 1970 of a date, as PostgreSQL's type `date` holds them.
pub fn days_of(year: i64, month: i64, day: i64) -> Option<i32> {
    i32::try_from(day_of_date(year, month, day)?).ok()
}

/// Year, month and day of a day since 1970.
pub fn civil(days: i32) -> (i64, i64, i64) {
    date_of_day(i64::from(days))
}

pub fn date_text(days: i32) -> String {
    let (year, month, day) = civil(days);
    match year {
        1.. => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{:04}-{month:02}-{day:02} BC", 1 - year),
    }
}

pub fn time_text(microseconds: i64) -> String {
    let (seconds, fraction) = (
        microseconds.div_euclid(SECOND),
        microseconds.rem_euclid(SECOND),
    );
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!(
        "{hours:02}:{minutes:02}:{seconds:02}{}",
        fraction_text(fraction)
    )
}

fn fraction_text(microseconds: i64) -> String {
    match microseconds {
        0 => String::new(),
        _ => format!(".{microseconds:06}")
            .trim_end_matches('0')
            .to_owned(),
    }
}

/// A timestamp, with `+00` where it has a zone.
pub fn timestamp_text(microseconds: i64, has_zone: bool) -> String {
    let (days, time) = (microseconds.div_euclid(DAY), microseconds.rem_euclid(DAY));
    let date = i32::try_from(days).map_or_else(|_| "infinity".into(), date_text);
    let zone = if has_zone { "+00" } else { "" };
    format!("{date} {}{zone}", time_text(time))
}

pub fn interval_text(interval: Interval) -> String {
    let mut parts = Vec::new();
    let mut part = |count: i32, unit: &str| {
        if count != 0 {
            let plural = if count == 1 { "" } else { "s" };
            parts.push(format!("{count} {unit}{plural}"));
        }
    };
    part(interval.months / 12, "year");
    part(interval.months % 12, "mon");
    part(interval.days, "day");
    if interval.microseconds != 0 || parts.is_empty() {
        let sign = if interval.microseconds < 0 { "-" } else { "" };
        let length = interval.microseconds.saturating_abs();
        parts.push(format!("{sign}{}", time_text(length)));
    }
    parts.join(" ")
}

pub fn parse_date(text: &str) -> Option<i32> {
    let mut parts = text.trim().splitn(3, '-');
    let mut number = || parts.next()?.parse::<i64>().ok();
    let (year, month, day) = (number()?, number()?, number()?);
    days_of(year, month, day)
}

pub fn parse_time(text: &str) -> Option<i64> {
    let mut parts = text.trim().split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let seconds = parts.next().unwrap_or("0");
    if parts.next().is_some() || !(0..=24).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let whole: i64 = whole.parse().ok()?;
    let fraction: i64 = match fraction.len() {
        0 => 0,
        1..=6 => format!("{fraction:0<6}").parse().ok()?,
        _ => fraction.get(..6)?.parse().ok()?,
    };
    (0..=60).contains(&whole).then_some(())?;
    Some((hours * 3600 + minutes * 60 + whole) * SECOND + fraction)
}

/// A timestamp in UTC; an offset in the text is taken away where the type has a zone.
pub fn parse_timestamp(text: &str, has_zone: bool) -> Option<i64> {
    let text = text.trim();
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    let (date, rest) = text.split_once([' ', 'T']).unwrap_or((text, ""));
    let days = i64::from(parse_date(date)?);
    if rest.is_empty() {
        return days.checked_mul(DAY);
    }
    let rest = rest.strip_suffix('Z').unwrap_or(rest);
    let zone_at = rest.rfind(['+', '-']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(zone_at);
    let offset = match zone.strip_prefix('-') {
        _ if zone.is_empty() || !has_zone => 0,
        Some(zone) => -zone_offset(zone)?,
        None => zone_offset(zone.strip_prefix('+')?)?,
    };
    let days = days.checked_mul(DAY)?;
    days.checked_add(parse_time(time)?)?.checked_sub(offset)
}

fn zone_offset(zone: &str) -> Option<i64> {
    let (hours, minutes) = match zone.split_once(':') {
        Some(parts) => parts,
        None if zone.len() == 4 => zone.split_at(2),
        None => (zone, "0"),
    };
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    Some((hours * 60 + minutes) * 60 * SECOND)
}

/// An interval as `1 day 02:00:00`, or `3 mons -2 days`.
pub fn parse_interval(text: &str) -> Option<Interval> {
    let mut interval = Interval {
        months: 0,
        days: 0,
        microseconds: 0,
    };
    let mut words = text.split_whitespace().peekable();
    words.peek()?;
    while let Some(word) = words.next() {
        if word.contains(':') {
            let (sign, time) = match word.strip_prefix('-') {
                Some(time) => (-1, time),
                None => (1, word),
            };
            interval.microseconds += sign * parse_time(time)?;
            continue;
        }
        let count: f64 = word.parse().ok()?;
        let unit = words.next()?.to_ascii_lowercase();
        let whole = count as i32;
        match unit.trim_end_matches('s') {
            "year" | "yr" | "y" => interval.months += whole.checked_mul(12)?,
            "mon" | "month" => interval.months += whole,
            "week" | "w" => interval.days += whole.checked_mul(7)?,
            "day" | "d" => interval.days += whole,
            "hour" | "hr" | "h" => interval.microseconds += (count * 3.6e9) as i64,
            "minute" | "min" | "m" => interval.microseconds += (count * 6e7) as i64,
            "second" | "sec" | "" => interval.microseconds += (count * 1e6) as i64,
            "millisecond" | "msec" => interval.microseconds += (count * 1e3) as i64,
            "microsecond" => interval.microseconds += count as i64,
            _ => return None,
        }
    }
    Some(interval)
}

/// A timestamp with an interval added; a day that its month does not have becomes the last.
pub fn add_interval(timestamp: i64, interval: Interval) -> Option<i64> {
    let (days, time) = (timestamp.div_euclid(DAY), timestamp.rem_euclid(DAY));
    let (year, month, day) = civil(i32::try_from(days).ok()?);
    let months = year * 12 + month - 1 + i64::from(interval.months);
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    let day = day.min(days_in_month(year, month));
    let days = i64::from(days_of(year, month, day)?) + i64::from(interval.days);
    let added = days.checked_mul(DAY)?.checked_add(time)?;
    added.checked_add(interval.microseconds)
}

/// What lies between two timestamps, in years, months, days and the rest.
pub fn age(later: i64, earlier: i64) -> Interval {
    if later < earlier {
        let age = age(earlier, later);
        return Interval {
            months: -age.months,
            days: -age.days,
            microseconds: -age.microseconds,
        };
    }
    let parts = |timestamp: i64| {
        let days = i32::try_from(timestamp.div_euclid(DAY)).unwrap_or(0);
        let (year, month, day) = civil(days);
        (year * 12 + month - 1, day, timestamp.rem_euclid(DAY))
    };
    let (late, early) = (parts(later), parts(earlier));
    let (mut months, mut days, mut time) = (late.0 - early.0, late.1 - early.1, late.2 - early.2);
    if time < 0 {
        time += DAY;
        days -= 1;
    }
    if days < 0 {
        days += days_in_month(early.0.div_euclid(12), early.0.rem_euclid(12) + 1);
        months -= 1;
    }
    Interval {
        months: i32::try_from(months).unwrap_or(0),
        days: i32::try_from(days).unwrap_or(0),
        microseconds: time,
    }
}

/// A field of a timestamp, such as `year` or `epoch`, in microseconds of its unit.
pub fn field(name: &str, timestamp: i64) -> Option<i128> {
    let days = i32::try_from(timestamp.div_euclid(DAY)).ok()?;
    let time = timestamp.rem_euclid(DAY);
    let (year, month, day) = civil(days);
    let whole = |value: i64| Some(i128::from(value) * i128::from(SECOND));
    match name {
        "epoch" => Some(i128::from(timestamp)),
        "year" => whole(year),
        "quarter" => whole((month + 2) / 3),
        "month" => whole(month),
        "day" => whole(day),
        "hour" => whole(time / (3600 * SECOND)),
        "minute" => whole(time / (60 * SECOND) % 60),
        "second" => Some(i128::from(time % (60 * SECOND))),
        "dow" => whole(i64::from(days + 4).rem_euclid(7)),
        "isodow" => whole(i64::from(days + 3).rem_euclid(7) + 1),
        "doy" => whole(i64::from(days - days_of(year, 1, 1)?) + 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar_goes_both_ways() {
        for days in (-800_000..800_000).step_by(37) {
            let (year, month, day) = civil(days);
            assert_eq!(days_of(year, month, day), Some(days));
        }
        assert_eq!(days_of(2024, 13, 1), None);
        assert_eq!(days_of(2023, 2, 29), None);
    }

    #[test]
    fn texts_are_those_of_postgresql() {
        let at = parse_timestamp("2024-02-29 23:59:59.5+02", true);
        assert_eq!(
            at.map(|at| timestamp_text(at, true)).as_deref(),
            Some("2024-02-29 21:59:59.5+00")
        );
        let interval = parse_interval("1 mon 2 days 03:00:00");
        assert_eq!(
            interval.map(interval_text).as_deref(),
            Some("1 mon 2 days 03:00:00")
        );
        assert_eq!(parse_timestamp("yesterday", true), None);
    }
}

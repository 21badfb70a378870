//! Dates, times and intervals as PostgreSQL has them: how they are read, written, counted and cut.
//!
//! A timestamp is microseconds since 1970, of universal time where its type has a zone and of the
//! clock's time where it has none; what depends on a zone takes one. The ends of the range are
//! `infinity` and `-infinity`.

pub mod fields;
pub mod interval;
pub mod patterns;
pub mod read;
pub mod scan;
pub mod zone;

use super::value::Interval;
use crate::calendar::{date_of_day, day_of_date, days_in_month};
pub use interval::{interval_text, parse_interval};
pub use read::{parse_date, parse_time, parse_timestamp};
pub use zone::Zone;

pub const SECOND: i64 = 1_000_000;
pub const DAY: i64 = 86_400 * SECOND;

/// Whether a timestamp is `infinity` or `-infinity`.
pub fn is_infinite(timestamp: i64) -> bool {
    matches!(timestamp, i64::MAX | i64::MIN)
}

/// Days since 1970 of a date, as PostgreSQL's type `date` holds them.
pub fn days_of(year: i64, month: i64, day: i64) -> Option<i32> {
    i32::try_from(day_of_date(year, month, day)?).ok()
}

/// Year, month and day of a day since 1970.
pub fn civil(days: i32) -> (i64, i64, i64) {
    date_of_day(i64::from(days))
}

pub fn date_text(days: i32) -> String {
    match days {
        i32::MAX => return "infinity".into(),
        i32::MIN => return "-infinity".into(),
        _ => {}
    }
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

/// A timestamp; with a zone, as its clocks show it and with its offset.
pub fn timestamp_text(timestamp: i64, zone: Option<&Zone>) -> String {
    match timestamp {
        i64::MAX => return "infinity".into(),
        i64::MIN => return "-infinity".into(),
        _ => {}
    }
    let offset = zone.map(|zone| zone.offset(timestamp));
    let local = timestamp.saturating_add(i64::from(offset.unwrap_or(0)) * SECOND);
    let date = i32::try_from(local.div_euclid(DAY)).map_or_else(|_| String::new(), date_text);
    let (date, era) = match date.strip_suffix(" BC") {
        Some(date) => (date, " BC"),
        None => (date.as_str(), ""),
    };
    let offset = offset.map_or_else(String::new, zone::offset_text);
    format!("{date} {}{offset}{era}", time_text(local.rem_euclid(DAY)))
}

/// A timestamp with an interval added; a day that its month does not have becomes the last. With a
/// zone, months and days are those of its clocks.
pub fn add_interval(timestamp: i64, interval: Interval, zone: Option<&Zone>) -> Option<i64> {
    if is_infinite(timestamp) {
        return Some(timestamp);
    }
    let mut moved = timestamp;
    if interval.months != 0 || interval.days != 0 {
        let local = zone.map_or(moved, |zone| zone.local(moved));
        let (days, time) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let (year, month, day) = civil(i32::try_from(days).ok()?);
        let months = year * 12 + month - 1 + i64::from(interval.months);
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        let day = day.min(days_in_month(year, month));
        let days = i64::from(days_of(year, month, day)?) + i64::from(interval.days);
        let local = days.checked_mul(DAY)?.checked_add(time)?;
        moved = zone.map_or(local, |zone| zone.instant(local));
    }
    in_range(moved.checked_add(interval.microseconds)?)
}

/// The timestamp at which a day begins, in a zone or for a clock that has none.
pub fn midnight(days: i32, zone: Option<&Zone>) -> Option<i64> {
    match days {
        i32::MAX => Some(i64::MAX),
        i32::MIN => Some(i64::MIN),
        days => {
            let local = i64::from(days).checked_mul(DAY)?;
            in_range(zone.map_or(local, |zone| zone.instant(local)))
        }
    }
}

/// The day that a clock's time is in.
pub fn day(local: i64) -> Option<i32> {
    match local {
        i64::MAX => Some(i32::MAX),
        i64::MIN => Some(i32::MIN),
        local => i32::try_from(local.div_euclid(DAY)).ok(),
    }
}

/// A timestamp that PostgreSQL can hold: from 4714 BC to the end of what 64 bits count.
pub fn in_range(timestamp: i64) -> Option<i64> {
    (-210_866_803_200_000_000..i64::MAX)
        .contains(&timestamp)
        .then_some(timestamp)
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
            at.map(|at| timestamp_text(at, Some(&Zone::UTC))).as_deref(),
            Some("2024-02-29 21:59:59.5+00")
        );
        let interval = parse_interval("1 mon 2 days 03:00:00");
        assert_eq!(
            interval.map(interval_text).as_deref(),
            Some("1 mon 2 days 03:00:00")
        );
    }
}

//! Fields of timestamps and intervals, and what they are cut to.

use super::zone::Zone;
use super::{DAY, SECOND, civil, days_of, is_infinite};
use crate::value::Interval;

/// A number with so many decimal places, as `extract` gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub digits: i128,
    pub scale: u32,
}

/// How many decimal places a field has.
pub fn scale(name: &str) -> u32 {
    match plain(name) {
        "epoch" | "second" | "julian" => 6,
        "millisecond" => 3,
        _ => 0,
    }
}

/// A field's name without its plural, or its long form.
fn plain(name: &str) -> &str {
    match name {
        "years" | "y" | "yr" | "yrs" => "year",
        "months" | "mon" | "mons" => "month",
        "days" | "d" => "day",
        "hours" | "h" | "hr" | "hrs" => "hour",
        "minutes" | "m" | "min" | "mins" => "minute",
        "seconds" | "s" | "sec" | "secs" => "second",
        "milliseconds" | "ms" | "msec" | "msecs" | "msecond" | "mseconds" => "millisecond",
        "microseconds" | "us" | "usec" | "usecs" | "usecond" | "useconds" => "microsecond",
        "weeks" | "w" => "week",
        "qtr" | "quarters" => "quarter",
        "decades" | "dec" | "decs" => "decade",
        "centuries" | "c" | "cent" => "century",
        "millennia" | "mil" | "mils" | "millenniums" => "millennium",
        name => name,
    }
}

fn whole(value: i64) -> Option<Field> {
    Some(Field {
        digits: i128::from(value),
        scale: 0,
    })
}

/// The year of a week as ISO 8601 counts them, and the week.
pub fn iso_week(days: i32) -> (i64, i64) {
    let weekday = i64::from(days + 3).rem_euclid(7);
    // The week is of the year that its Thursday is in.
    let thursday = i64::from(days) - weekday + 3;
    let (year, _, _) = civil(thursday as i32);
    let start = days_of(year, 1, 1).map_or(thursday, i64::from);
    (year, (thursday - start) / 7 + 1)
}

/// What a field is without fraction of seconds, such as `year`, of local time; `None` where there is
/// no such field.
pub fn of_timestamp(name: &str, timestamp: i64, zone: Option<&Zone>) -> Option<Field> {
    let offset = zone.map_or(0, |zone| zone.offset(timestamp));
    let local = timestamp.saturating_add(i64::from(offset) * SECOND);
    let days = i32::try_from(local.div_euclid(DAY)).ok()?;
    let time = local.rem_euclid(DAY);
    let (year, month, day) = civil(days);
    let towards = |year: i64, length: i64| match year {
        1.. => (year + length - 1) / length,
        _ => -((length - year) / length),
    };
    match plain(name) {
        "epoch" => Some(Field {
            digits: i128::from(timestamp),
            scale: 6,
        }),
        "year" => whole(if year > 0 { year } else { year - 1 }),
        "quarter" => whole((month + 2) / 3),
        "month" => whole(month),
        "week" => whole(iso_week(days).1),
        "isoyear" => {
            let year = iso_week(days).0;
            whole(if year > 0 { year } else { year - 1 })
        }
        "day" => whole(day),
        "dow" => whole(i64::from(days + 4).rem_euclid(7)),
        "isodow" => whole(i64::from(days + 3).rem_euclid(7) + 1),
        "doy" => whole(i64::from(days - days_of(year, 1, 1)?) + 1),
        "decade" => whole(year.div_euclid(10)),
        "century" => whole(towards(year, 100)),
        "millennium" => whole(towards(year, 1000)),
        "julian" => {
            let julian = (i128::from(days) + 2_440_588) * i128::from(DAY) + i128::from(time);
            Some(Field {
                digits: julian * 1_000_000 / i128::from(DAY),
                scale: 6,
            })
        }
        "timezone" if zone.is_some() => whole(i64::from(offset)),
        "timezone_hour" | "timezone_h" if zone.is_some() => whole(i64::from(offset / 3600)),
        "timezone_minute" | "timezone_m" if zone.is_some() => whole(i64::from(offset / 60 % 60)),
        name => of_time(name, time),
    }
}

/// The same of a time of day.
pub fn of_time(name: &str, time: i64) -> Option<Field> {
    let seconds = i128::from(time % (60 * SECOND));
    match plain(name) {
        "hour" => whole(time / (3600 * SECOND)),
        "minute" => whole(time / (60 * SECOND) % 60),
        "second" => Some(Field {
            digits: seconds,
            scale: 6,
        }),
        "millisecond" => Some(Field {
            digits: seconds,
            scale: 3,
        }),
        "microsecond" => whole(seconds as i64),
        "epoch" => Some(Field {
            digits: i128::from(time),
            scale: 6,
        }),
        _ => None,
    }
}

/// The same of an interval, of which a year has 365.25 days and a month 30.
pub fn of_interval(name: &str, of: Interval) -> Option<Field> {
    let (years, months) = (of.months / 12, of.months % 12);
    match plain(name) {
        "epoch" => {
            let years = i128::from(years) * 36_525 * 864;
            let days = i128::from(months) * 30 + i128::from(of.days);
            let seconds = years + days * 86_400;
            Some(Field {
                digits: seconds * i128::from(SECOND) + i128::from(of.microseconds),
                scale: 6,
            })
        }
        "year" => whole(i64::from(years)),
        "quarter" => whole(i64::from(months / 3 + 1)),
        "month" => whole(i64::from(months)),
        "day" => whole(i64::from(of.days)),
        "decade" => whole(i64::from(years / 10)),
        "century" => whole(i64::from(years / 100)),
        "millennium" => whole(i64::from(years / 1000)),
        name => of_time(name, of.microseconds),
    }
}

/// What a timestamp is cut to.
pub enum Unit {
    /// So many microseconds of the clock.
    Length(i64),
    Day,
    Week,
    /// So many months of a year, or years from 1 on.
    Months(i64),
    Years(i64),
}

/// The unit of a name.
pub fn unit(name: &str) -> Option<Unit> {
    Some(match plain(name) {
        "microsecond" => Unit::Length(1),
        "millisecond" => Unit::Length(1_000),
        "second" => Unit::Length(SECOND),
        "minute" => Unit::Length(60 * SECOND),
        "hour" => Unit::Length(3600 * SECOND),
        "day" => Unit::Day,
        "week" => Unit::Week,
        "month" => Unit::Months(1),
        "quarter" => Unit::Months(3),
        "year" => Unit::Years(1),
        "decade" => Unit::Years(10),
        "century" => Unit::Years(100),
        "millennium" => Unit::Years(1000),
        _ => return None,
    })
}

/// A timestamp cut to a unit of what clocks show.
pub fn truncated(unit: &Unit, local: i64) -> Option<i64> {
    if is_infinite(local) {
        return Some(local);
    }
    let days = || i32::try_from(local.div_euclid(DAY)).ok();
    let first = |year, month| days_of(year, month, 1).map(|days| i64::from(days) * DAY);
    match unit {
        Unit::Length(length) => Some(local - local.rem_euclid(*length)),
        Unit::Day => Some(local - local.rem_euclid(DAY)),
        Unit::Week => {
            let days = i64::from(days()?);
            Some((days - (days + 3).rem_euclid(7)) * DAY)
        }
        Unit::Months(count) => {
            let (year, month, _) = civil(days()?);
            first(year, (month - 1) / count * count + 1)
        }
        Unit::Years(1) => first(civil(days()?).0, 1),
        Unit::Years(10) => first(civil(days()?).0.div_euclid(10) * 10, 1),
        // Centuries begin with the year 1.
        Unit::Years(count) => first((civil(days()?).0 - 1).div_euclid(*count) * count + 1, 1),
    }
}

/// An instant cut to a unit of a zone's clocks. Hours and less are cut by their offset, so that an
/// hour that comes twice stays two.
pub fn truncated_in(unit: &Unit, instant: i64, zone: &Zone) -> Option<i64> {
    match unit {
        _ if is_infinite(instant) => Some(instant),
        Unit::Length(_) => {
            let offset = i64::from(zone.offset(instant)) * SECOND;
            Some(truncated(unit, instant.checked_add(offset)?)? - offset)
        }
        _ => Some(zone.instant(truncated(unit, zone.local(instant))?)),
    }
}

/// The start of the stride that a timestamp is in, of strides that begin at an origin.
pub fn binned(stride: i64, timestamp: i64, origin: i64) -> Option<i64> {
    let since = timestamp.checked_sub(origin)?;
    origin.checked_add(since.div_euclid(stride).checked_mul(stride)?)
}

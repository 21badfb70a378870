//! Timestamps: text and epoch numbers become microseconds since 1970 UTC.
//!
//! Text is RFC 3339, with `T` or a blank, seconds and zone optional (no zone means UTC, `+00` and
//! `+0000` are zones), or a date alone, its midnight. A number counts from 1970 in the unit its size
//! tells: below 10^11 seconds, below 10^14 milliseconds, below 10^17 microseconds, else nanoseconds.
//! Numbers below 10^8 (March 1973 in seconds) are refused, since they are dates like 20250131 or
//! mistakes; so are those whose digits end before the units, as `1.73569E+12`. What is finer than a
//! microsecond is rounded half to even. A history has timestamps from 2009 to 2099.

use super::decimal::Decimal;
use crate::calendar::{date_of_day, day_of_date};

/// A point in time as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instant {
    /// Since 1970 UTC.
    pub(super) micros: i64,
    /// Whether it was finer.
    pub(super) rounded: bool,
    pub(super) form: Form,
}

/// How a timestamp is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    Zoned,
    /// Without a zone, and so taken as UTC.
    Naive,
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Form {
    pub(super) const ALL: [Self; 6] = [
        Self::Zoned,
        Self::Naive,
        Self::Seconds,
        Self::Milliseconds,
        Self::Microseconds,
        Self::Nanoseconds,
    ];
}

/// Whether a history can have it: before 2009 there was no chain, and from 2100 on a unit is wrong.
pub(super) fn is_plausible(micros: i64) -> bool {
    (micros.wrapping_sub(FIRST_MICROS) as u64) < (END_MICROS - FIRST_MICROS) as u64
}

const FIRST_MICROS: i64 = 1_230_768_000_000_000;
const END_MICROS: i64 = 4_102_444_800_000_000;

/// Microseconds since 1970 UTC, and whether the text was finer than that.
pub(super) fn from_text(text: &str) -> Option<(i64, bool)> {
    read_text(text).map(|instant| (instant.micros, instant.rounded))
}

/// A timestamp or an epoch number.
pub(super) fn read_text(text: &str) -> Option<Instant> {
    let bytes = text.as_bytes();
    if bytes.get(4) != Some(&b'-') {
        let number = Decimal::parse(bytes)?;
        return match number.ends_before_units() {
            true => None,
            false => from_number(&number),
        };
    }
    let (year, month, day) = (number(bytes.get(..4)?)?, two(bytes, 5)?, two(bytes, 8)?);
    if bytes.get(7) != Some(&b'-') {
        return None;
    }
    let midnight = day_of_date(year, month, day)? * 86_400;
    if bytes.len() == 10 {
        return Some(Instant {
            micros: midnight * MICROS_PER_SECOND,
            rounded: false,
            form: Form::Naive,
        });
    }
    if !matches!(bytes[10], b'T' | b't' | b' ') || bytes.get(13) != Some(&b':') {
        return None;
    }
    let (hour, minute) = (two(bytes, 11)?, two(bytes, 14)?);
    let mut rest = bytes.get(16..)?;
    let (mut second, mut micros, mut rounded) = (0, 0, false);
    if rest.first() == Some(&b':') {
        second = two(rest, 1)?;
        rest = &rest[3..];
        if rest.first() == Some(&b'.') {
            let length = 1 + rest[1..].iter().take_while(|b| b.is_ascii_digit()).count();
            (micros, rounded) = fraction(&rest[1..length])?;
            rest = &rest[length..];
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let form = match rest {
        [] => Form::Naive,
        _ => Form::Zoned,
    };
    let seconds = midnight + hour * 3600 + minute * 60 + second - zone_seconds(rest)?;
    Some(Instant {
        micros: seconds * MICROS_PER_SECOND + micros,
        rounded,
        form,
    })
}

/// The instant of an epoch number.
pub(super) fn from_number(number: &Decimal) -> Option<Instant> {
    let (whole, _) = number.at_scale(38, 0)?;
    let (form, scale) = match whole {
        100_000_000..100_000_000_000 => (Form::Seconds, 6),
        100_000_000_000..100_000_000_000_000 => (Form::Milliseconds, 3),
        100_000_000_000_000..100_000_000_000_000_000 => (Form::Microseconds, 0),
        100_000_000_000_000_000.. => {
            let (value, rounded) = number.scaled_down(3)?;
            return Some(Instant {
                micros: i64::try_from(value).ok()?,
                rounded,
                form: Form::Nanoseconds,
            });
        }
        _ => return None,
    };
    let (value, rounded) = number.at_scale(38, scale)?;
    Some(Instant {
        micros: i64::try_from(value).ok()?,
        rounded,
        form,
    })
}

/// Microseconds of a nanosecond count, and whether it was rounded.
pub(super) fn from_nanoseconds(nanoseconds: i64) -> (i64, bool) {
    let (quotient, remainder) = (nanoseconds.div_euclid(1000), nanoseconds.rem_euclid(1000));
    let up = remainder > 500 || (remainder == 500 && quotient % 2 != 0);
    (quotient + i64::from(up), remainder != 0)
}

/// RFC 3339 in UTC, as short as the value allows.
pub(super) fn to_text(micros: i64) -> String {
    let (seconds, fraction) = (
        micros.div_euclid(MICROS_PER_SECOND),
        micros.rem_euclid(MICROS_PER_SECOND),
    );
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date_of_day(days);
    let fraction = match fraction {
        0 => String::new(),
        _ => format!(".{fraction:06}"),
    };
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}{fraction}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

const MICROS_PER_SECOND: i64 = 1_000_000;

/// The digits after the point of a second, as microseconds.
fn fraction(digits: &[u8]) -> Option<(i64, bool)> {
    let mut text = b"0.".to_vec();
    text.extend_from_slice(digits);
    if digits.is_empty() {
        return None;
    }
    let (micros, rounded) = Decimal::parse(&text)?.at_scale(38, 6)?;
    Some((i64::try_from(micros).ok()?, rounded))
}

fn zone_seconds(zone: &[u8]) -> Option<i64> {
    let zone = match zone {
        [b' ', zone @ ..] => zone,
        zone => zone,
    };
    let (sign, offset) = match zone {
        [] | b"Z" | b"z" | b"UTC" => return Some(0),
        [b'+', offset @ ..] => (1, offset),
        [b'-', offset @ ..] => (-1, offset),
        _ => return None,
    };
    let (hours, minutes) = match offset.len() {
        2 => (two(offset, 0)?, 0),
        4 => (two(offset, 0)?, two(offset, 2)?),
        5 if offset[2] == b':' => (two(offset, 0)?, two(offset, 3)?),
        _ => return None,
    };
    (hours <= 18 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

fn two(bytes: &[u8], at: usize) -> Option<i64> {
    number(bytes.get(at..at + 2)?)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + i64::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW_YEAR: i64 = 1_735_689_600_000_000;

    #[test]
    fn text_and_numbers() {
        for (text, expected) in [
            ("2025-01-01", (NEW_YEAR, false)),
            ("2025-01-01T00:00:00Z", (NEW_YEAR, false)),
            ("2025-01-01 00:00:00+00", (NEW_YEAR, false)),
            ("2025-01-01 01:30:00.5+01:30", (NEW_YEAR + 500_000, false)),
            ("2024-12-31T19:00:00-0500", (NEW_YEAR, false)),
            ("2025-01-01 00:00", (NEW_YEAR, false)),
            ("2025-01-01 00:00:00 UTC", (NEW_YEAR, false)),
            ("2025-01-01T00:00:00.1234565Z", (NEW_YEAR + 123_456, true)),
            (
                "2025-01-01T00:00:00.123456000Z",
                (NEW_YEAR + 123_456, false),
            ),
            ("1735689600", (NEW_YEAR, false)),
            ("1735689600.25", (NEW_YEAR + 250_000, false)),
            ("1.7356896000E+09", (NEW_YEAR, false)),
            ("1735689600000", (NEW_YEAR, false)),
            ("1735689600000000", (NEW_YEAR, false)),
            ("1735689600000000001", (NEW_YEAR, true)),
            ("1970-01-01", (0, false)),
            ("1969-12-31T23:59:59Z", (-1_000_000, false)),
            ("2024-02-29", (1_709_164_800_000_000, false)),
        ] {
            assert_eq!(from_text(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "today",
            "20250101",
            "1.73569E+12",
            "1.73e9",
            "2025-13-01",
            "2025-02-29",
            "2025-01-01T24:00:00Z",
            "2025-01-01T00:00:00.Z",
            "2025-01-01T00:00:00X",
            "2025-1-1",
            "-5",
            "2025-01-01T",
            "2025-01-01T00:00:00+1",
        ] {
            assert_eq!(from_text(text), None, "{text}");
        }
    }

    #[test]
    fn a_history_is_of_this_century() {
        for (text, plausible) in [
            ("2008-12-31T23:59:59Z", false),
            ("2009-01-01", true),
            ("2099-12-31T23:59:59.999999Z", true),
            ("2100-01-01", false),
            ("1969-12-31", false),
            // Seconds times ten, as milliseconds that lost two digits.
            ("17356896000", false),
        ] {
            let (micros, _) = from_text(text).unwrap_or_default();
            assert_eq!(is_plausible(micros), plausible, "{text}");
        }
        assert!(!is_plausible(i64::MIN) && !is_plausible(i64::MAX));
    }

    #[test]
    fn text_of_a_timestamp_reads_back() {
        for micros in [
            0,
            NEW_YEAR,
            NEW_YEAR + 1,
            -1,
            1_709_164_800_000_000,
            4_102_444_799_999_999,
        ] {
            assert_eq!(from_text(&to_text(micros)), Some((micros, false)));
        }
        assert_eq!(to_text(NEW_YEAR), "2025-01-01T00:00:00Z");
    }
}

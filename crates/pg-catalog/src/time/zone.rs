//! Time zones by the names that PostgreSQL knows, and what the clocks in them show.
//!
//! A name of the zone database in any case, a POSIX form without summer time (`GMT+03:00`, which is
//! west of Greenwich), hours to the east (`-7`, `5.5`), or one of the abbreviations of PostgreSQL's
//! default table. A local time that a clock skips is read with the offset before the jump, one that
//! it shows twice with the offset after it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::{OffsetName, TZ_VARIANTS, Tz};

use super::SECOND;

/// A time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// One of the zone database.
    Named(Tz),
    /// So many seconds to the east at all times, with what it is called.
    Fixed(i32, Arc<str>),
}

/// Abbreviations that PostgreSQL takes in timestamps and in `AT TIME ZONE`, with minutes to the east.
const ABBREVIATIONS: &[(&str, i32)] = &[
    ("ACDT", 630),
    ("ACST", 570),
    ("ADT", -180),
    ("AEDT", 660),
    ("AEST", 600),
    ("AKDT", -480),
    ("AKST", -540),
    ("AST", -240),
    ("AWST", 480),
    ("BRT", -180),
    ("BST", 60),
    ("CDT", -300),
    ("CEST", 120),
    ("CET", 60),
    ("CETDST", 120),
    ("CST", -360),
    ("EAT", 180),
    ("EDT", -240),
    ("EEST", 180),
    ("EET", 120),
    ("EETDST", 180),
    ("EST", -300),
    ("GMT", 0),
    ("HKT", 480),
    ("HST", -600),
    ("IDT", 180),
    ("IST", 120),
    ("JST", 540),
    ("KST", 540),
    ("MDT", -360),
    ("MEST", 120),
    ("MESZ", 120),
    ("MET", 60),
    ("METDST", 120),
    ("MEZ", 60),
    ("MSD", 240),
    ("MSK", 180),
    ("MST", -420),
    ("NDT", -150),
    ("NST", -210),
    ("NZDT", 780),
    ("NZST", 720),
    ("PDT", -420),
    ("PHT", 480),
    ("PKT", 300),
    ("PST", -480),
    ("SAST", 120),
    ("SGT", 480),
    ("UCT", 0),
    ("UT", 0),
    ("UTC", 0),
    ("WAST", 120),
    ("WEST", 60),
    ("WET", 0),
    ("WETDST", 60),
    ("Z", 0),
    ("ZULU", 0),
];

thread_local! {
    static KNOWN: RefCell<HashMap<String, Option<Zone>>> = RefCell::default();
}

/// How many names a thread remembers.
const MOST_KNOWN: usize = 256;

impl Zone {
    /// Where clocks show universal time.
    pub const UTC: Self = Self::Named(Tz::UTC);

    /// The zone of a name, as `SET TIME ZONE` takes it.
    pub fn named(name: &str) -> Option<Self> {
        let known = KNOWN.with_borrow(|known| known.get(name).cloned());
        if let Some(known) = known {
            return known;
        }
        let found = database(name).map(Self::Named).or_else(|| posix(name));
        KNOWN.with_borrow_mut(|known| {
            if known.len() >= MOST_KNOWN {
                known.clear();
            }
            known.insert(name.to_owned(), found.clone());
        });
        found
    }

    /// The zone of a name as timestamps and `AT TIME ZONE` take it: abbreviations first.
    pub fn written(name: &str) -> Option<Self> {
        let name = name.trim();
        let known = ABBREVIATIONS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        match known {
            Some((known, minutes)) => Some(Self::Fixed(minutes * 60, (*known).into())),
            None => Self::named(name),
        }
    }

    /// So many seconds to the east, named as PostgreSQL names them.
    pub fn east(seconds: i32) -> Self {
        Self::Fixed(seconds, offset_text(seconds).into())
    }

    /// Its name, in the letters of the zone database.
    pub fn name(&self) -> String {
        match self {
            Self::Named(zone) => zone.name().to_owned(),
            Self::Fixed(_, name) => name.to_string(),
        }
    }

    /// Seconds to the east at an instant.
    pub fn offset(&self, instant: i64) -> i32 {
        match self {
            Self::Fixed(seconds, _) => *seconds,
            Self::Named(Tz::UTC) => 0,
            Self::Named(zone) => match naive(instant) {
                Some(at) => zone.offset_from_utc_datetime(&at).fix().local_minus_utc(),
                None => 0,
            },
        }
    }

    /// What its clocks show at an instant.
    pub fn local(&self, instant: i64) -> i64 {
        if super::is_infinite(instant) {
            return instant;
        }
        instant.saturating_add(i64::from(self.offset(instant)) * SECOND)
    }

    /// The instant at which its clocks show this.
    pub fn instant(&self, local: i64) -> i64 {
        let offset = match self {
            _ if super::is_infinite(local) => return local,
            Self::Fixed(seconds, _) => *seconds,
            Self::Named(Tz::UTC) => 0,
            Self::Named(zone) => match naive(local) {
                None => 0,
                Some(at) => match zone.offset_from_local_datetime(&at) {
                    MappedLocalTime::Single(offset) => offset.fix().local_minus_utc(),
                    MappedLocalTime::Ambiguous(_, after) => after.fix().local_minus_utc(),
                    MappedLocalTime::None => {
                        let before = at.checked_sub_signed(TimeDelta::days(1)).unwrap_or(at);
                        let before = zone.offset_from_utc_datetime(&before);
                        before.fix().local_minus_utc()
                    }
                },
            },
        };
        local.saturating_sub(i64::from(offset) * SECOND)
    }

    /// What the zone is called at an instant, such as `CEST`.
    pub fn abbreviation(&self, instant: i64) -> String {
        match self {
            Self::Fixed(_, name) => {
                let end = name.find(|c: char| !c.is_ascii_alphabetic());
                match end {
                    Some(0) | None => name.to_string(),
                    Some(end) => name.get(..end).unwrap_or(name).to_owned(),
                }
            }
            Self::Named(zone) => {
                let offset = naive(instant).map(|at| zone.offset_from_utc_datetime(&at));
                let name = offset.and_then(|offset| offset.abbreviation().map(str::to_owned));
                name.unwrap_or_else(|| offset_text(self.offset(instant)))
            }
        }
    }
}

fn naive(microseconds: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(microseconds).map(|at| at.naive_utc())
}

/// `+05:30`, `-03`.
pub fn offset_text(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (minutes, rest) {
        (0, 0) => format!("{sign}{hours:02}"),
        (_, 0) => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{rest:02}"),
    }
}

fn database(name: &str) -> Option<Tz> {
    let mut zones = TZ_VARIANTS.iter();
    zones
        .find(|zone| zone.name().eq_ignore_ascii_case(name))
        .copied()
}

/// A name of letters or in `<>`, and hours to the west.
fn posix(name: &str) -> Option<Zone> {
    let (word, west) = match name.strip_prefix('<') {
        Some(rest) => rest.split_once('>')?,
        None => name.split_at(name.find(|c: char| !c.is_ascii_alphabetic())?),
    };
    if name.len() > 64 || !west.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let seconds = -offset(west)?;
    let quoted = name.starts_with('<');
    let name = match (word, quoted) {
        ("", _) => west.to_owned(),
        (word, true) => word.to_owned(),
        (word, false) => format!("{}{west}", word.to_ascii_uppercase()),
    };
    Some(Zone::Fixed(seconds, name.into()))
}

/// Seconds of `+5`, `-03:30`, `0530`.
pub fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = digits.split(':');
    let first = parts.next()?;
    if first.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit() || b == b':') {
        return None;
    }
    let number = |part: &str| part.parse::<i32>().ok().filter(|_| part.len() <= 6);
    let (hours, minutes, seconds) = match (first.len(), parts.next()) {
        (1..=3, minutes) => {
            let minutes = minutes.map_or(Some(0), number)?;
            (
                number(first)?,
                minutes,
                parts.next().map_or(Some(0), number)?,
            )
        }
        (4, None) => (number(first.get(..2)?)?, number(first.get(2..)?)?, 0),
        _ => return None,
    };
    let fits = hours <= 167 && minutes < 60 && seconds < 60 && parts.next().is_none();
    fits.then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn zones_are_those_of_postgresql() {
        let east = |name: &str| Zone::named(name).map(|zone| zone.offset(1_735_689_600_000_000));
        for (name, hours) in [
            ("Asia/Calcutta", Some(5.5)),
            ("america/new_york", Some(-5.0)),
            ("US/Pacific", Some(-8.0)),
            ("EST5EDT", Some(-5.0)),
            ("GMT+03:00", Some(-3.0)),
            ("GMT-03:00", Some(3.0)),
            ("Etc/GMT+3", Some(-3.0)),
            ("<+03>-3", Some(3.0)),
            ("FOO5", Some(-5.0)),
            ("Foo/Bar", None),
            ("cest", None),
            ("GMT+168", None),
        ] {
            assert_eq!(east(name).map(|s| f64::from(s) / 3600.0), hours, "{name}");
        }
    }

    #[test]
    fn clocks_that_jump_are_read_as_postgresql_reads_them() {
        let zone = Zone::named("America/New_York").unwrap();
        let hour = 3600 * SECOND;
        // 2025-03-09 02:30 is skipped, 2025-11-02 01:30 comes twice.
        let skipped = 1_741_487_400 * SECOND;
        assert_eq!(zone.instant(skipped), skipped + 5 * hour);
        let twice = 1_762_047_000 * SECOND;
        assert_eq!(zone.instant(twice), twice + 5 * hour);
        assert_eq!(zone.abbreviation(skipped + 5 * hour), "EDT");
    }
}

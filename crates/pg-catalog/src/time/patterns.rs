//! Dates, times and intervals written by a pattern, as `to_char` does.
//!
//! The patterns are PostgreSQL's: `YYYY-MM-DD HH24:MI:SS.MS`, `FMMonth`, `DDth`, `IYYY-IW`, `TZ`;
//! text in double quotes and what is no pattern is copied.

use super::fields::iso_week;
use super::read::{MONTHS, WEEKDAYS};
use super::zone::{Zone, offset_text};
use super::{DAY, SECOND, civil, days_of, is_infinite};
use crate::value::Interval;

/// What one part of a pattern stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Era(bool),
    Noon(bool),
    Century,
    Weekday,
    WeekdayShort,
    WeekdayNumber,
    IsoWeekdayNumber,
    Day,
    DayOfYear,
    IsoDayOfYear,
    Fraction(u8),
    Exact,
    Hour12,
    Hour24,
    IsoWeek,
    IsoYear(u8),
    Julian,
    Minute,
    Month,
    MonthName,
    MonthShort,
    Offset,
    Quarter,
    Roman,
    SecondsOfDay,
    Second,
    Zone,
    ZoneHour,
    ZoneMinute,
    Week,
    WeekOfMonth,
    YearComma,
    Year(u8),
}

/// Upper, lower or mixed case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Upper,
    Lower,
    Capital,
}

/// One part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Key {
        key: Key,
        case: Case,
        /// Without padding: `FM`, or `TM` before a name.
        is_bare: bool,
        /// An English ordinal behind it: `TH`, `th`.
        ordinal: Option<Case>,
    },
    /// What is copied; in quotes or not.
    Text(String, bool),
}

/// Longer names before those they begin with.
const KEYS: &[(&str, Key)] = &[
    ("SSSSS", Key::SecondsOfDay),
    ("MONTH", Key::MonthName),
    ("Y,YYY", Key::YearComma),
    ("A.D.", Key::Era(true)),
    ("B.C.", Key::Era(true)),
    ("A.M.", Key::Noon(true)),
    ("P.M.", Key::Noon(true)),
    ("HH24", Key::Hour24),
    ("HH12", Key::Hour12),
    ("IDDD", Key::IsoDayOfYear),
    ("IYYY", Key::IsoYear(4)),
    ("SSSS", Key::SecondsOfDay),
    ("YYYY", Key::Year(4)),
    ("DAY", Key::Weekday),
    ("DDD", Key::DayOfYear),
    ("FF1", Key::Fraction(1)),
    ("FF2", Key::Fraction(2)),
    ("FF3", Key::Fraction(3)),
    ("FF4", Key::Fraction(4)),
    ("FF5", Key::Fraction(5)),
    ("FF6", Key::Fraction(6)),
    ("IYY", Key::IsoYear(3)),
    ("MON", Key::MonthShort),
    ("TZH", Key::ZoneHour),
    ("TZM", Key::ZoneMinute),
    ("YYY", Key::Year(3)),
    ("AD", Key::Era(false)),
    ("BC", Key::Era(false)),
    ("AM", Key::Noon(false)),
    ("PM", Key::Noon(false)),
    ("CC", Key::Century),
    ("DD", Key::Day),
    ("DY", Key::WeekdayShort),
    ("FX", Key::Exact),
    ("HH", Key::Hour12),
    ("ID", Key::IsoWeekdayNumber),
    ("IW", Key::IsoWeek),
    ("IY", Key::IsoYear(2)),
    ("MI", Key::Minute),
    ("MM", Key::Month),
    ("MS", Key::Fraction(3)),
    ("OF", Key::Offset),
    ("RM", Key::Roman),
    ("SS", Key::Second),
    ("TZ", Key::Zone),
    ("US", Key::Fraction(6)),
    ("WW", Key::Week),
    ("YY", Key::Year(2)),
    ("D", Key::WeekdayNumber),
    ("I", Key::IsoYear(1)),
    ("J", Key::Julian),
    ("Q", Key::Quarter),
    ("W", Key::WeekOfMonth),
    ("Y", Key::Year(1)),
];

/// The parts of a pattern.
pub fn parse(pattern: &str) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        if letter == '"' {
            let (text, after) = quoted(rest.get(1..).unwrap_or(""));
            nodes.push(Node::Text(text, true));
            rest = after;
            continue;
        }
        if letter == '\\' && rest.get(1..).is_some_and(|r| r.starts_with('"')) {
            nodes.push(Node::Text("\"".into(), false));
            rest = rest.get(2..).unwrap_or("");
            continue;
        }
        let (mut is_bare, mut after) = (false, rest);
        while let Some(prefix) = ["FM", "fm", "TM", "tm", "SP"]
            .iter()
            .find(|prefix| after.starts_with(**prefix))
        {
            is_bare |= *prefix != "SP";
            after = after.get(2..).unwrap_or("");
        }
        match key(after) {
            Some((key, case, length)) => {
                after = after.get(length..).unwrap_or("");
                let ordinal = match after.get(..2) {
                    Some("TH") => Some(Case::Upper),
                    Some("th") => Some(Case::Lower),
                    _ => None,
                };
                if ordinal.is_some() {
                    after = after.get(2..).unwrap_or("");
                }
                nodes.push(Node::Key {
                    key,
                    case,
                    is_bare,
                    ordinal,
                });
                rest = after;
            }
            None => {
                // A prefix before nothing it belongs to is passed over.
                let Some(letter) = after.chars().next() else {
                    break;
                };
                if after.len() == rest.len() {
                    nodes.push(Node::Text(letter.into(), false));
                    rest = rest.get(letter.len_utf8()..).unwrap_or("");
                } else {
                    rest = after;
                }
            }
        }
    }
    nodes
}

/// Text to the closing quote, where `\` keeps what follows.
pub fn quoted(rest: &str) -> (String, &str) {
    let mut text = String::new();
    let mut letters = rest.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (text, rest.get(at + 1..).unwrap_or("")),
            '\\' => text.extend(letters.next().map(|(_, letter)| letter)),
            letter => text.push(letter),
        }
    }
    (text, "")
}

fn key(text: &str) -> Option<(Key, Case, usize)> {
    KEYS.iter().find_map(|(name, key)| {
        let written = text.get(..name.len())?;
        if !written.eq_ignore_ascii_case(name) {
            return None;
        }
        let is_upper = written == *name;
        let is_lower = !written.bytes().any(|b| b.is_ascii_uppercase());
        let is_capital = written.starts_with(|c: char| c.is_ascii_uppercase())
            && !written.bytes().skip(1).any(|b| b.is_ascii_uppercase());
        let takes_capital = matches!(
            key,
            Key::MonthName | Key::MonthShort | Key::Weekday | Key::WeekdayShort
        );
        let case = match (is_upper, is_lower) {
            (true, _) => Case::Upper,
            (_, true) => Case::Lower,
            _ if is_capital && takes_capital => Case::Capital,
            _ => return None,
        };
        Some((*key, case, name.len()))
    })
}

/// What a pattern can write.
struct Moment {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
    /// Days since 1970; none of an interval.
    days: Option<i32>,
    time: i64,
    /// The instant and the zone it is shown in.
    zoned: Option<(i64, Zone)>,
}

/// A timestamp by a pattern; with a zone, as its clocks show it.
pub fn timestamp(at: i64, zone: Option<&Zone>, pattern: &str) -> Result<Option<String>, String> {
    let local = zone.map_or(at, |zone| zone.local(at));
    let Ok(days) = i32::try_from(local.div_euclid(DAY)) else {
        return Ok(None);
    };
    if is_infinite(at) {
        return Ok(None);
    }
    let (year, month, day) = civil(days);
    let moment = Moment {
        year,
        month,
        day,
        day_of_year: i64::from(days - days_of(year, 1, 1).unwrap_or(days)) + 1,
        days: Some(days),
        time: local.rem_euclid(DAY),
        zoned: zone.map(|zone| (at, zone.clone())),
    };
    write(&moment, pattern).map(Some)
}

/// An interval by a pattern.
pub fn interval(of: Interval, pattern: &str) -> Result<String, String> {
    let (year, month, day) = (of.months / 12, of.months % 12, of.days);
    let moment = Moment {
        year: i64::from(year),
        month: i64::from(month),
        day: i64::from(day),
        day_of_year: i64::from(year) * 360 + i64::from(month) * 30 + i64::from(day),
        days: None,
        time: of.microseconds,
        zoned: None,
    };
    write(&moment, pattern)
}

fn write(moment: &Moment, pattern: &str) -> Result<String, String> {
    let mut text = String::new();
    for node in parse(pattern) {
        match node {
            Node::Text(literal, _) => text.push_str(&literal),
            Node::Key {
                key,
                case,
                is_bare,
                ordinal,
            } => {
                let part = part(moment, key, case, is_bare)?;
                text.push_str(&part);
                if let Some(case) = ordinal {
                    text.push_str(suffix(&part, case));
                }
            }
        }
    }
    Ok(text)
}

/// `st`, `nd`, `rd` or `th`.
pub fn suffix(number: &str, case: Case) -> &'static str {
    let last = number.chars().last();
    let teen = number.len() > 1
        && number
            .get(number.len() - 2..)
            .is_some_and(|t| t.starts_with('1'));
    let place = match last {
        Some('1') if !teen => 0,
        Some('2') if !teen => 1,
        Some('3') if !teen => 2,
        Some(digit) if digit.is_ascii_digit() => 3,
        _ => return "",
    };
    let suffixes = match case {
        Case::Upper => ["ST", "ND", "RD", "TH"],
        _ => ["st", "nd", "rd", "th"],
    };
    suffixes.get(place).unwrap_or(&"")
}

pub const ROMAN: [&str; 12] = [
    "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII",
];

fn name(names: &[&str], place: i64, length: usize, case: Case, width: usize) -> String {
    let place = usize::try_from(place).ok();
    let name = place.and_then(|place| names.get(place)).unwrap_or(&"");
    let name = name.get(..length.min(name.len())).unwrap_or(name);
    let name = match case {
        Case::Upper => name.to_ascii_uppercase(),
        Case::Lower => name.to_ascii_lowercase(),
        Case::Capital => name.to_owned(),
    };
    format!("{name:<width$}")
}

fn part(m: &Moment, key: Key, case: Case, is_bare: bool) -> Result<String, String> {
    let is_interval = m.days.is_none();
    let number = |value: i64, width: usize| match is_bare {
        true => value.to_string(),
        // The sign comes before the zeros, and takes a place of its own.
        false if value < 0 => format!("-{:0width$}", -value),
        false => format!("{value:0width$}"),
    };
    let cased = |text: &str| match case {
        Case::Lower => text.to_ascii_lowercase(),
        _ => text.to_owned(),
    };
    let padded = |width: usize| if is_bare { 0 } else { width };
    let shown_year = |year: i64| match (is_interval, year) {
        (false, ..=0) => 1 - year,
        _ => year,
    };
    let hour = m.time / (3600 * SECOND);
    let second = m.time / SECOND % 60;
    let fraction = m.time % SECOND;
    let weekday = || m.days.map_or(0, |days| i64::from(days + 4).rem_euclid(7));
    let needs_day = |text: fn(i32) -> i64| match m.days {
        Some(days) => Ok(text(days)),
        None => Err("invalid format specification for an interval value".to_owned()),
    };
    let iso_year = |days: i32| iso_week(days).0;
    let zone = || {
        let invalid = "invalid format specification for an interval value";
        match &m.zoned {
            Some((at, zone)) => Ok((zone.abbreviation(*at), zone.offset(*at))),
            None if is_interval => Err(invalid.to_owned()),
            None => Ok((String::new(), 0)),
        }
    };
    let digits = |year: i64, count: u8| match count {
        4 => number(year, 4),
        count => number(year % 10_i64.pow(u32::from(count)), usize::from(count)),
    };
    Ok(match key {
        Key::Era(dots) => {
            needs_day(|_| 0)?;
            let era = match (m.year > 0, dots) {
                (true, true) => "A.D.",
                (true, false) => "AD",
                (false, true) => "B.C.",
                (false, false) => "BC",
            };
            cased(era)
        }
        Key::Noon(dots) => {
            let is_late = hour.rem_euclid(24) >= 12;
            cased(match (is_late, dots) {
                (true, true) => "P.M.",
                (true, false) => "PM",
                (false, true) => "A.M.",
                (false, false) => "AM",
            })
        }
        Key::Hour24 => number(hour, 2),
        Key::Hour12 if hour % 12 == 0 => number(12, 2),
        Key::Hour12 => number(hour % 12, 2),
        Key::Minute => number(m.time / (60 * SECOND) % 60, 2),
        Key::Second => number(second, 2),
        Key::Fraction(count) => {
            let fraction = fraction / 10_i64.pow(6 - u32::from(count.min(6)));
            format!("{fraction:0width$}", width = usize::from(count))
        }
        Key::SecondsOfDay => (m.time / SECOND).to_string(),
        Key::Zone => cased(&zone()?.0),
        Key::ZoneHour => {
            let (_, offset) = zone()?;
            let sign = if offset < 0 { '-' } else { '+' };
            format!("{sign}{:02}", offset.abs() / 3600)
        }
        Key::ZoneMinute => format!("{:02}", zone()?.1.abs() / 60 % 60),
        Key::Offset => offset_text(zone()?.1),
        Key::MonthName | Key::MonthShort if is_interval => {
            needs_day(|_| 0)?;
            String::new()
        }
        Key::MonthName => name(&MONTHS, m.month - 1, 9, case, padded(9)),
        Key::MonthShort => name(&MONTHS, m.month - 1, 3, case, 0),
        Key::Month => number(m.month, 2),
        Key::Weekday => {
            needs_day(|_| 0)?;
            name(&WEEKDAYS, weekday(), 9, case, padded(9))
        }
        Key::WeekdayShort => {
            needs_day(|_| 0)?;
            name(&WEEKDAYS, weekday(), 3, case, 0)
        }
        Key::WeekdayNumber => {
            (needs_day(|days| i64::from(days + 4).rem_euclid(7))? + 1).to_string()
        }
        Key::IsoWeekdayNumber => {
            (needs_day(|days| i64::from(days + 3).rem_euclid(7))? + 1).to_string()
        }
        Key::Day => number(m.day, 2),
        Key::DayOfYear => number(m.day_of_year, 3),
        Key::IsoDayOfYear => number(
            needs_day(|days| {
                let (_, week) = iso_week(days);
                (week - 1) * 7 + i64::from(days + 3).rem_euclid(7) + 1
            })?,
            3,
        ),
        Key::Week => number((m.day_of_year - 1) / 7 + 1, 2),
        Key::IsoWeek => number(needs_day(|days| iso_week(days).1)?, 2),
        Key::WeekOfMonth => ((m.day - 1) / 7 + 1).to_string(),
        Key::Quarter if m.month == 0 => String::new(),
        Key::Quarter => ((m.month - 1) / 3 + 1).to_string(),
        Key::Century => {
            let century = match m.year {
                year if is_interval => year / 100,
                year @ 1.. => (year - 1) / 100 + 1,
                year => year / 100 - 1,
            };
            number(century, 2)
        }
        Key::Year(count) => digits(shown_year(m.year), count),
        Key::IsoYear(count) => digits(shown_year(needs_day(iso_year)?), count),
        Key::YearComma => {
            let year = shown_year(m.year);
            format!("{},{:03}", year / 1000, year % 1000)
        }
        Key::Roman if m.month == 0 => String::new(),
        Key::Roman => {
            let month = usize::try_from(m.month - 1).unwrap_or(0);
            let roman = cased(ROMAN.get(month).unwrap_or(&""));
            format!("{roman:<width$}", width = padded(4))
        }
        Key::Julian => needs_day(|days| i64::from(days) + 2_440_588)?.to_string(),
        Key::Exact => String::new(),
    })
}

#[cfg(test)]
mod tests;

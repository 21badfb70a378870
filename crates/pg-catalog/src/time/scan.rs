//! Dates and times read by a pattern, as `to_timestamp` and `to_date` do.

use super::patterns::{Case, Key, Node, ROMAN, parse};
use super::read::{MONTHS, WEEKDAYS};
use super::zone::Zone;
use super::{DAY, SECOND, days_of, in_range};

/// Why a text does not fit its pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// What was found, and the pattern that it is none of.
    Value(String, String),
    OutOfRange,
    /// A pattern that only writes.
    Unsupported(&'static str),
}

#[derive(Default)]
struct Found {
    year: Option<i64>,
    iso_year: Option<i64>,
    iso_week: Option<i64>,
    iso_weekday: Option<i64>,
    century: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    week: Option<i64>,
    julian: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    of_day: Option<i64>,
    microsecond: i64,
    is_twelve: bool,
    is_pm: Option<bool>,
    is_bc: bool,
    zone_hour: Option<i64>,
    zone_minute: i64,
    zone_is_west: bool,
}

struct Scanner<'t> {
    rest: &'t str,
}

impl<'t> Scanner<'t> {
    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn skip_letter(&mut self) {
        let length = self.rest.chars().next().map_or(0, char::len_utf8);
        self.rest = self.rest.get(length..).unwrap_or("");
    }

    /// A whole number of at most so many digits, or of all there are.
    fn number(&mut self, key: &str, most: usize, is_open: bool) -> Result<(i64, usize), Problem> {
        self.skip_spaces();
        let sign = usize::from(self.rest.starts_with(['-', '+']));
        let digits = self.rest.get(sign..).unwrap_or("");
        let digits = digits.bytes().take_while(u8::is_ascii_digit).count();
        let digits = if is_open { digits } else { digits.min(most) };
        let text = self.rest.get(..sign + digits).unwrap_or("");
        let number = text.trim_start_matches('+').parse::<i64>();
        match number {
            Ok(number) if digits > 0 && digits <= 10 => {
                self.rest = self.rest.get(sign + digits..).unwrap_or("");
                Ok((number, digits))
            }
            _ => Err(self.wrong(key, most)),
        }
    }

    fn wrong(&self, key: &str, most: usize) -> Problem {
        let found: String = self.rest.chars().take(most).collect();
        Problem::Value(found, key.to_owned())
    }

    /// Which of some words comes next.
    fn word(&mut self, key: &str, words: &[&str], length: usize) -> Result<i64, Problem> {
        self.skip_spaces();
        // Of words of which one begins another, the longer is behind.
        let found = words.iter().enumerate().rev().find(|(_, word)| {
            let word = word.get(..length.min(word.len())).unwrap_or(word);
            let start = self.rest.get(..word.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(word))
        });
        match found {
            Some((place, word)) => {
                let length = length.min(word.len());
                self.rest = self.rest.get(length..).unwrap_or("");
                Ok(place as i64)
            }
            None => {
                let most = self.rest.find(|c: char| !c.is_alphanumeric());
                Err(self.wrong(key, most.unwrap_or(self.rest.len())))
            }
        }
    }
}

/// A text by a pattern, as microseconds since 1970 of universal time.
pub fn timestamp(text: &str, pattern: &str, zone: &Zone) -> Result<i64, Problem> {
    let found = scan(text, pattern)?;
    let local = found.local()?;
    let at = match found.zone_hour {
        Some(hours) => {
            let seconds = hours.abs() * 3600 + found.zone_minute * 60;
            let seconds = if found.zone_is_west {
                -seconds
            } else {
                seconds
            };
            local - seconds * SECOND
        }
        None => zone.instant(local),
    };
    in_range(at).ok_or(Problem::OutOfRange)
}

/// A text by a pattern, as days since 1970.
pub fn date(text: &str, pattern: &str) -> Result<i32, Problem> {
    scan(text, pattern)?.days()
}

fn scan(text: &str, pattern: &str) -> Result<Found, Problem> {
    let mut found = Found::default();
    let mut scanner = Scanner { rest: text };
    let nodes = parse(pattern);
    for (place, node) in nodes.iter().enumerate() {
        match node {
            Node::Text(literal, true) => {
                for _ in literal.chars() {
                    scanner.skip_letter();
                }
            }
            Node::Text(letter, false) => {
                let is_separator = !letter.starts_with(char::is_alphanumeric);
                let next = scanner.rest.chars().next();
                match next {
                    Some(next) if next.is_whitespace() => scanner.skip_spaces(),
                    // A sign before an offset's hours is theirs.
                    Some(next) if is_separator && !next.is_alphanumeric() => {
                        let is_space = letter.starts_with(char::is_whitespace);
                        if !(is_space && matches!(next, '-' | '+')) {
                            scanner.skip_letter();
                        }
                    }
                    Some(_) if !is_separator => scanner.skip_letter(),
                    _ => {}
                }
            }
            Node::Key { key, is_bare, .. } => {
                if scanner.rest.trim_start().is_empty() && *key != Key::Exact {
                    break;
                }
                let is_open = *is_bare
                    || match nodes.get(place + 1) {
                        None => true,
                        Some(Node::Text(text, _)) => {
                            !text.starts_with(|c: char| c.is_ascii_digit())
                        }
                        Some(Node::Key { .. }) => false,
                    };
                found.take(*key, is_open, &mut scanner)?;
                if let Node::Key {
                    ordinal: Some(Case::Upper | Case::Lower | Case::Capital),
                    ..
                } = node
                {
                    scanner.skip_letter();
                    scanner.skip_letter();
                }
            }
        }
    }
    Ok(found)
}

impl Found {
    fn take(&mut self, key: Key, is_open: bool, from: &mut Scanner<'_>) -> Result<(), Problem> {
        let mut number = |name: &str, most| from.number(name, most, is_open).map(|(n, _)| n);
        match key {
            Key::Year(4) => self.year = Some(number("YYYY", 4)?),
            Key::Year(count) => {
                let (year, digits) = from.number("YY", usize::from(count), is_open)?;
                self.year = Some(near_2020(year, digits));
            }
            Key::IsoYear(count) => {
                let (year, digits) = from.number("IYYY", usize::from(count), is_open)?;
                self.iso_year = Some(if count == 4 {
                    year
                } else {
                    near_2020(year, digits)
                });
            }
            Key::YearComma => {
                let (thousands, _) = from.number("Y,YYY", 3, false)?;
                if from.rest.starts_with(',') {
                    from.skip_letter();
                }
                let (rest, _) = from.number("Y,YYY", 3, false)?;
                self.year = Some(thousands * 1000 + rest);
            }
            Key::Century => self.century = Some(number("CC", 2)?),
            Key::Month => self.month = Some(number("MM", 2)?),
            Key::MonthName => self.month = Some(from.word("MONTH", &MONTHS, 9)? + 1),
            Key::MonthShort => self.month = Some(from.word("MON", &MONTHS, 3)? + 1),
            Key::Roman => self.month = Some(from.word("RM", &ROMAN, 4)? + 1),
            Key::Day => self.day = Some(number("DD", 2)?),
            Key::DayOfYear => self.day_of_year = Some(number("DDD", 3)?),
            Key::IsoDayOfYear => {
                let day = number("IDDD", 3)? - 1;
                self.iso_week = Some(day / 7 + 1);
                self.iso_weekday = Some(day % 7 + 1);
            }
            Key::Weekday => {
                from.word("DAY", &WEEKDAYS, 9)?;
            }
            Key::WeekdayShort => {
                from.word("DY", &WEEKDAYS, 3)?;
            }
            Key::WeekdayNumber => {
                number("D", 1)?;
            }
            Key::IsoWeekdayNumber => self.iso_weekday = Some(number("ID", 1)?),
            Key::IsoWeek => self.iso_week = Some(number("IW", 2)?),
            Key::Week => self.week = Some(number("WW", 2)?),
            Key::WeekOfMonth | Key::Quarter => {
                number("Q", 1)?;
            }
            Key::Julian => self.julian = Some(number("J", 9)?),
            Key::Hour24 => {
                self.hour = number("HH24", 2)?;
                self.is_twelve = false;
            }
            Key::Hour12 => {
                self.hour = number("HH12", 2)?;
                self.is_twelve = true;
            }
            Key::Minute => self.minute = number("MI", 2)?,
            Key::Second => self.second = number("SS", 2)?,
            Key::SecondsOfDay => self.of_day = Some(number("SSSS", 5)?),
            Key::Fraction(count) => {
                let (value, digits) = from.number("US", usize::from(count), is_open)?;
                let scale = 6_u32.saturating_sub(digits as u32);
                self.microsecond = match digits {
                    ..=6 => value * 10_i64.pow(scale),
                    more => value / 10_i64.pow(more as u32 - 6),
                };
            }
            Key::Noon(dots) => {
                let words = if dots { ["a.m.", "p.m."] } else { ["am", "pm"] };
                self.is_pm = Some(from.word("AM", &words, 4)? == 1);
                self.is_twelve = true;
            }
            Key::Era(dots) => {
                let words = if dots { ["a.d.", "b.c."] } else { ["ad", "bc"] };
                self.is_bc = from.word("AD", &words, 4)? == 1;
            }
            Key::ZoneHour => {
                from.skip_spaces();
                self.zone_is_west = from.rest.starts_with('-');
                self.zone_hour = Some(from.number("TZH", 2, false)?.0);
            }
            Key::ZoneMinute => self.zone_minute = from.number("TZM", 2, false)?.0,
            Key::Zone => return Err(Problem::Unsupported("TZ")),
            Key::Offset => return Err(Problem::Unsupported("OF")),
            Key::Exact => {}
        }
        Ok(())
    }

    fn days(&self) -> Result<i32, Problem> {
        let out = Problem::OutOfRange;
        if let Some(julian) = self.julian {
            return i32::try_from(julian - 2_440_588).map_err(|_| out);
        }
        if let (Some(year), Some(week)) = (self.iso_year, self.iso_week) {
            let weekday = self.iso_weekday.unwrap_or(1);
            if !(1..=53).contains(&week) || !(1..=7).contains(&weekday) {
                return Err(out);
            }
            // The fourth of January is in the first week.
            let fourth = i64::from(days_of(year, 1, 4).ok_or(out.clone())?);
            let monday = fourth - (fourth + 3).rem_euclid(7);
            return i32::try_from(monday + (week - 1) * 7 + weekday - 1).map_err(|_| out);
        }
        let year = match (self.year, self.century) {
            (Some(year), Some(century)) if year < 100 => (century - 1) * 100 + year,
            (Some(year), _) => year,
            (None, Some(century)) => (century - 1) * 100 + 1,
            // Without a year it is the one before the first.
            (None, None) => self.iso_year.unwrap_or(0),
        };
        let year = if self.is_bc { 1 - year } else { year };
        if !(-4713..=294_276).contains(&year) {
            return Err(out);
        }
        if let Some(day) = self
            .day_of_year
            .or(self.week.map(|week| (week - 1) * 7 + 1))
        {
            let start = days_of(year, 1, 1).ok_or(out.clone())?;
            let length = i64::from(days_of(year + 1, 1, 1).ok_or(out.clone())? - start);
            return match (1..=length).contains(&day) {
                true => Ok(start + day as i32 - 1),
                false => Err(out),
            };
        }
        days_of(year, self.month.unwrap_or(1), self.day.unwrap_or(1)).ok_or(out)
    }

    fn local(&self) -> Result<i64, Problem> {
        let days = i64::from(self.days()?);
        let mut hour = self.hour;
        if self.is_twelve {
            if !(1..=12).contains(&hour) && (self.hour != 0 || self.is_pm.is_some()) {
                return Err(Problem::OutOfRange);
            }
            match self.is_pm {
                Some(true) if hour < 12 => hour += 12,
                Some(false) if hour == 12 => hour = 0,
                _ => {}
            }
        }
        let fits = (0..24).contains(&hour)
            && (0..60).contains(&self.minute)
            && (0..60).contains(&self.second)
            && (0..=86_400).contains(&self.of_day.unwrap_or(0));
        if !fits {
            return Err(Problem::OutOfRange);
        }
        let of_day = hour * 3600 + self.minute * 60 + self.second;
        let seconds = self.of_day.unwrap_or(of_day);
        days.checked_mul(DAY)
            .and_then(|at| at.checked_add(seconds * SECOND + self.microsecond))
            .ok_or(Problem::OutOfRange)
    }
}

/// A year of one to three digits is the one nearest to 2020.
fn near_2020(year: i64, digits: usize) -> i64 {
    match (digits, year) {
        (4.., year) => year,
        (_, 0..=69) => year + 2000,
        (_, 70..=99) => year + 1900,
        (_, 100..=519) => year + 2000,
        (_, 520..=999) => year + 1000,
        (_, year) => year,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{date_text, timestamp_text};

    #[test]
    fn texts_are_read_by_their_patterns() {
        for (text, pattern, expected) in [
            ("2025-01-05", "YYYY-MM-DD", "2025-01-05 00:00:00+00"),
            ("20250105", "YYYYMMDD", "2025-01-05 00:00:00+00"),
            (
                "05 Jan 2025 3:04 PM",
                "DD Mon YYYY HH12:MI PM",
                "2025-01-05 15:04:00+00",
            ),
            (
                "January 5, 2025",
                "FMMonth DD, YYYY",
                "2025-01-05 00:00:00+00",
            ),
            (
                "2025-01-05 10:11:12.5",
                "YYYY-MM-DD HH24:MI:SS.MS",
                "2025-01-05 10:11:12.5+00",
            ),
            (
                "2025-01-05T10:11",
                "YYYY-MM-DD\"T\"HH24:MI",
                "2025-01-05 10:11:00+00",
            ),
            ("2025/1/5", "YYYY-MM-DD", "2025-01-05 00:00:00+00"),
            ("25", "YY", "2025-01-01 00:00:00+00"),
            (
                "2025-01-05 10:11 +02",
                "YYYY-MM-DD HH24:MI TZH",
                "2025-01-05 08:11:00+00",
            ),
        ] {
            let at = timestamp(text, pattern, &Zone::UTC);
            let at = at.map(|at| timestamp_text(at, Some(&Zone::UTC)));
            assert_eq!(at.as_deref(), Ok(expected), "{text} {pattern}");
        }
        assert_eq!(
            date("2025-W02-3", "IYYY-\"W\"IW-ID")
                .map(date_text)
                .as_deref(),
            Ok("2025-01-08")
        );
        assert_eq!(date("2025-02-30", "YYYY-MM-DD"), Err(Problem::OutOfRange));
        assert_eq!(
            date("x", "YYYY"),
            Err(Problem::Value("x".into(), "YYYY".into()))
        );
    }
}

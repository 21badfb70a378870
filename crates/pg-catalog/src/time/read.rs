//! Dates and times as people write them, read as PostgreSQL reads them.
//!
//! `2025-01-05`, `2025/1/5`, `20250105`, `Jan 5 2025`, `5-Jan-2025`, `1/5/2025` in the session's
//! order of day and month, with or without a time, an offset or a zone's name, and the words `now`,
//! `today`, `tomorrow`, `yesterday`, `epoch`, `infinity`.

use super::zone::{self, Zone};
use super::{DAY, SECOND, days_of, in_range};

/// How dates are read whose parts may stand in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Order {
    Ymd,
    Dmy,
    #[default]
    Mdy,
}

impl Order {
    /// The order that a setting of `DateStyle` says.
    pub fn of_style(style: &str) -> Self {
        match style.rsplit(',').next().map(str::trim) {
            Some("DMY") => Self::Dmy,
            Some("YMD") => Self::Ymd,
            _ => Self::Mdy,
        }
    }
}

/// Where and when a text is read.
#[derive(Clone, Debug)]
pub struct Clock {
    pub zone: Zone,
    /// The instant that `now` is.
    pub now: i64,
    pub order: Order,
}

/// Why a text is no date or time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    Syntax,
    OutOfRange,
    UnknownZone(String),
}

type Result<T> = std::result::Result<T, Problem>;

impl Clock {
    /// Universal time, for texts that say everything.
    pub const fn utc(now: i64) -> Self {
        Self {
            zone: Zone::UTC,
            now,
            order: Order::Mdy,
        }
    }

    /// Days since 1970 in the clock's zone.
    pub fn today(&self) -> i32 {
        i32::try_from(self.zone.local(self.now).div_euclid(DAY)).unwrap_or(0)
    }
}

/// What stands in a text.
#[derive(Default)]
struct Parts {
    infinite: Option<i64>,
    days: Option<i32>,
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    time: Option<i64>,
    /// `now` and `epoch` are instants.
    instant: Option<i64>,
    zone: Option<Zone>,
    is_bc: bool,
    is_pm: Option<bool>,
}

pub fn parse_date(text: &str) -> Option<i32> {
    read_date(text, &Clock::utc(0)).ok()
}

pub fn parse_timestamp(text: &str, has_zone: bool) -> Option<i64> {
    read_timestamp(text, has_zone, &Clock::utc(0)).ok()
}

pub fn parse_time(text: &str) -> Option<i64> {
    read_time(text, &Clock::utc(0)).ok()
}

/// Days since 1970.
pub fn read_date(text: &str, clock: &Clock) -> Result<i32> {
    let parts = read(text, clock)?;
    if let Some(infinite) = parts.infinite {
        return Ok(if infinite > 0 { i32::MAX } else { i32::MIN });
    }
    if let Some(instant) = parts.instant {
        let local = match instant {
            // The epoch is that of clocks everywhere.
            0 => 0,
            instant => clock.zone.local(instant),
        };
        return i32::try_from(local.div_euclid(DAY)).map_err(|_| Problem::OutOfRange);
    }
    parts.date()
}

/// Microseconds since midnight.
pub fn read_time(text: &str, clock: &Clock) -> Result<i64> {
    let parts = read(text, clock)?;
    match (parts.instant, parts.time) {
        (Some(instant), _) => Ok(clock.zone.local(instant).rem_euclid(DAY)),
        (None, Some(_)) => parts.of_day(),
        _ => Err(Problem::Syntax),
    }
}

/// Microseconds since 1970: of universal time with a zone, of what clocks show without.
pub fn read_timestamp(text: &str, has_zone: bool, clock: &Clock) -> Result<i64> {
    let parts = read(text, clock)?;
    if let Some(infinite) = parts.infinite {
        return Ok(infinite);
    }
    if let Some(instant) = parts.instant {
        // The epoch is that of clocks everywhere.
        return Ok(if has_zone || instant == 0 {
            instant
        } else {
            clock.zone.local(instant)
        });
    }
    let days = i64::from(parts.date()?);
    let time = if parts.time.is_some() {
        parts.of_day()?
    } else {
        0
    };
    let local = days.checked_mul(DAY).and_then(|at| at.checked_add(time));
    let local = local.ok_or(Problem::OutOfRange)?;
    let at = match has_zone {
        true => parts.zone.as_ref().unwrap_or(&clock.zone).instant(local),
        false => local,
    };
    in_range(at).ok_or(Problem::OutOfRange)
}

impl Parts {
    fn date(&self) -> Result<i32> {
        if let Some(days) = self.days {
            return Ok(days);
        }
        let (Some(year), Some(month), Some(day)) = (self.year, self.month, self.day) else {
            return Err(Problem::Syntax);
        };
        let year = match (self.is_bc, year) {
            (_, ..=0) => return Err(Problem::OutOfRange),
            (true, year) => 1 - year,
            (false, year) => year,
        };
        if !(-4713..=294_276).contains(&year) {
            return Err(Problem::OutOfRange);
        }
        days_of(year, month, day).ok_or(Problem::OutOfRange)
    }

    fn of_day(&self) -> Result<i64> {
        let time = self.time.unwrap_or(0);
        let hour = time / (3600 * SECOND);
        match self.is_pm {
            None => Ok(time),
            Some(_) if hour > 12 => Err(Problem::OutOfRange),
            Some(true) if hour < 12 => Ok(time + 12 * 3600 * SECOND),
            Some(false) if hour == 12 => Ok(time - 12 * 3600 * SECOND),
            Some(_) => Ok(time),
        }
    }

    fn has_date(&self) -> bool {
        self.days.is_some() || self.instant.is_some() || self.infinite.is_some()
    }

    /// A date whose parts are parted by `-`, `/` or `.`.
    fn take_date(&mut self, token: &str, order: Order) -> Result<()> {
        if self.has_date() || self.year.is_some() {
            return Err(Problem::Syntax);
        }
        let parts: Vec<&str> = token.split(['-', '/', '.']).collect();
        let (first, second, third) = match *parts.as_slice() {
            [first, second, third] => (first, second, third),
            [year, day] if year.len() >= 4 && day.len() == 3 => {
                let (year, day) = (number(year)?, number(day)?);
                let start = days_of(year, 1, 1).ok_or(Problem::OutOfRange)?;
                let length = days_of(year + 1, 1, 1).unwrap_or(start) - start;
                if !(1..=i64::from(length)).contains(&day) {
                    return Err(Problem::OutOfRange);
                }
                self.days = Some(start + day as i32 - 1);
                return Ok(());
            }
            _ => return Err(Problem::Syntax),
        };
        let named = [first, second, third].map(month_named);
        let (year, month, day) = match named {
            // A month in letters: the year is the longer of the others, or the last.
            [Some(month), None, None] => (third, month, number(second)?),
            [None, Some(month), None] if first.len() >= 3 => (first, month, number(third)?),
            [None, Some(month), None] => (third, month, number(first)?),
            [None, None, None] => match order {
                _ if first.len() >= 3 => (first, number(second)?, number(third)?),
                Order::Ymd => (first, number(second)?, number(third)?),
                Order::Mdy => (third, number(first)?, number(second)?),
                Order::Dmy => (third, number(second)?, number(first)?),
            },
            _ => return Err(Problem::Syntax),
        };
        self.year = Some(full_year(year)?);
        self.month = Some(month);
        self.day = Some(day);
        Ok(())
    }

    /// Digits alone: a date or time without separators, or a part of a date.
    fn take_digits(&mut self, token: &str) -> Result<()> {
        let (digits, fraction) = token.split_once('.').unwrap_or((token, ""));
        let has_date = self.has_date() || self.year.is_some() && self.day.is_some();
        let pair = |at: usize| number(digits.get(at..at + 2).unwrap_or(""));
        match digits.len() {
            6 | 4 if has_date && self.time.is_none() => {
                let seconds = digits.get(4..).filter(|s| !s.is_empty()).unwrap_or("00");
                let seconds = format!("{seconds}.{fraction}");
                self.time = Some(time_of(pair(0)?, pair(2)?, &seconds)?);
            }
            8 if !has_date && self.month.is_none() => {
                self.year = Some(number(digits.get(..4).unwrap_or(""))?);
                self.month = Some(pair(4)?);
                self.day = Some(pair(6)?);
            }
            6 if !has_date && self.month.is_none() => {
                self.year = Some(full_year(digits.get(..2).unwrap_or(""))?);
                self.month = Some(pair(2)?);
                self.day = Some(pair(4)?);
            }
            1..=2 if self.day.is_none() && fraction.is_empty() => self.day = Some(number(digits)?),
            _ if self.year.is_none() && fraction.is_empty() => self.year = Some(full_year(digits)?),
            _ => return Err(Problem::Syntax),
        }
        Ok(())
    }

    fn take_word(&mut self, word: &str, clock: &Clock) -> Result<()> {
        let lower = word.to_ascii_lowercase();
        let today = clock.today();
        match lower.as_str() {
            "infinity" | "+infinity" => self.infinite = Some(i64::MAX),
            "-infinity" => self.infinite = Some(i64::MIN),
            "now" => self.instant = Some(clock.now),
            "epoch" => self.instant = Some(0),
            "today" => self.days = Some(today),
            "tomorrow" => self.days = today.checked_add(1),
            "yesterday" => self.days = today.checked_sub(1),
            "allballs" => {
                self.time = Some(0);
                self.zone = Some(Zone::UTC);
            }
            "bc" => self.is_bc = true,
            "ad" | "at" | "on" | "t" => {}
            "am" => self.is_pm = Some(false),
            "pm" => self.is_pm = Some(true),
            _ if is_weekday(&lower) => {}
            _ => match month_named(&lower) {
                Some(month) if self.month.is_none() => self.month = Some(month),
                Some(_) => return Err(Problem::Syntax),
                None => self.take_zone(word)?,
            },
        }
        Ok(())
    }

    fn take_zone(&mut self, word: &str) -> Result<()> {
        let is_name = word.contains(['/', '_']) || word.len() > 2 && self.time.is_some();
        match Zone::written(word) {
            Some(zone) if self.zone.is_none() => self.zone = Some(zone),
            None if is_name && word.contains('/') => {
                return Err(Problem::UnknownZone(word.to_owned()));
            }
            _ => return Err(Problem::Syntax),
        }
        Ok(())
    }
}

fn number(text: &str) -> Result<i64> {
    match text.len() {
        1..=9 => text.parse().map_err(|_| Problem::Syntax),
        _ => Err(Problem::Syntax),
    }
}

/// A year of two digits lies between 1970 and 2069.
fn full_year(text: &str) -> Result<i64> {
    let year = number(text)?;
    Ok(match (text.len(), year) {
        (1..=2, ..=69) => 2000 + year,
        (1..=2, _) => 1900 + year,
        _ => year,
    })
}

pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// From Sunday on.
pub const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

fn month_named(word: &str) -> Option<i64> {
    let lower = word.to_ascii_lowercase();
    let is = |name: &&str| {
        let name = name.to_ascii_lowercase();
        lower == name || name.get(..3) == Some(&lower) || lower == "sept" && name == "september"
    };
    let place = MONTHS.iter().position(is)?;
    i64::try_from(place + 1).ok()
}

fn is_weekday(lower: &str) -> bool {
    let short = ["tues", "wednes", "weds", "thur", "thurs"];
    WEEKDAYS.iter().any(|name| {
        let name = name.to_ascii_lowercase();
        lower == name || name.get(..3) == Some(lower)
    }) || short.contains(&lower)
}

fn time_of(hours: i64, minutes: i64, seconds: &str) -> Result<i64> {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Problem::Syntax);
    }
    let whole = number(whole)?;
    let fraction: f64 = format!("0.{fraction}0").parse().unwrap_or(0.0);
    let fraction = (fraction * 1e6).round_ties_even() as i64;
    let time = (hours * 3600 + minutes * 60 + whole) * SECOND + fraction;
    let fits = (0..=24).contains(&hours) && minutes < 60 && whole <= 60 && time <= DAY;
    fits.then_some(time).ok_or(Problem::OutOfRange)
}

/// `10:30`, `10:30:05.25`.
fn time(token: &str) -> Result<i64> {
    let mut parts = token.split(':');
    let (hours, minutes) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let seconds = parts.next().unwrap_or("0");
    if parts.next().is_some() {
        return Err(Problem::Syntax);
    }
    time_of(number(hours)?, number(minutes)?, seconds)
}

fn read(text: &str, clock: &Clock) -> Result<Parts> {
    let mut parts = Parts::default();
    let mut rest = text.trim();
    if rest.is_empty() || rest.len() > 128 {
        return Err(Problem::Syntax);
    }
    while let Some(letter) = rest.chars().next() {
        if letter.is_whitespace() || letter == ',' {
            rest = rest.get(letter.len_utf8()..).unwrap_or("");
            continue;
        }
        let (token, after) = rest.split_at(token_length(rest));
        if token.is_empty() {
            return Err(Problem::Syntax);
        }
        rest = after;
        match letter {
            '0'..='9' if token.contains(':') && parts.time.is_none() => {
                parts.time = Some(time(token)?);
            }
            '0'..='9' if token.contains(['-', '/']) || token.matches('.').count() == 2 => {
                parts.take_date(token, clock.order)?;
            }
            '0'..='9' => parts.take_digits(token)?,
            '+' | '-' if token.ends_with(|c: char| c.is_ascii_digit()) => {
                let offset = zone::offset(token).ok_or(Problem::Syntax)?;
                if offset.abs() >= 16 * 3600 {
                    return Err(Problem::OutOfRange);
                }
                if parts.zone.is_some() {
                    return Err(Problem::Syntax);
                }
                parts.zone = Some(Zone::east(offset));
            }
            _ if token.contains('-')
                && token
                    .split_once('-')
                    .is_some_and(|(month, _)| month_named(month).is_some()) =>
            {
                parts.take_date(token, clock.order)?;
            }
            _ => parts.take_word(token, clock)?,
        }
    }
    let is_known = parts.has_date() || parts.day.is_some() || parts.time.is_some();
    is_known.then_some(parts).ok_or(Problem::Syntax)
}

/// How long the token is that a text begins with.
fn token_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let at = |place: usize| bytes.get(place).copied().unwrap_or(b' ');
    let mut end = 1;
    match at(0) {
        b'0'..=b'9' => loop {
            let (last, next) = (at(end - 1), at(end));
            let goes_on = match next {
                b'0'..=b'9' | b':' | b'.' => true,
                // A sign behind a time is its offset's.
                b'-' | b'/' => {
                    !text.get(..end).unwrap_or("").contains(':')
                        && end < 12
                        && (at(end + 1).is_ascii_alphanumeric())
                }
                letter if letter.is_ascii_alphabetic() => {
                    last == b'-' || last == b'/' || last == b'.' || last.is_ascii_alphabetic()
                }
                _ => false,
            };
            if !goes_on {
                return end;
            }
            end += 1;
        },
        b'+' | b'-' if at(1).is_ascii_alphabetic() => {
            while at(end).is_ascii_alphabetic() {
                end += 1;
            }
            end
        }
        b'+' | b'-' => {
            while matches!(at(end), b'0'..=b'9' | b':') {
                end += 1;
            }
            end
        }
        b'T' | b't' if at(1).is_ascii_digit() => 1,
        letter if letter.is_ascii_alphabetic() => {
            while matches!(at(end), b'_' | b'/' | b'-' | b'+')
                && at(end + 1).is_ascii_alphanumeric()
                || at(end).is_ascii_alphabetic()
                || at(end).is_ascii_digit()
                    && text.get(..end).unwrap_or("").contains(['-', '+', '/'])
            {
                end += 1;
            }
            end
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests;

//! Intervals: how they are read, written, counted and compared.
//!
//! An interval has months, days and microseconds, of which none is turned into another unasked. A
//! fraction of a larger unit goes on into the smaller ones: half a month is 15 days.

use super::{DAY, SECOND, time_text};
use crate::value::Interval;

const ZERO: Interval = Interval {
    months: 0,
    days: 0,
    microseconds: 0,
};

/// Why a text is no interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    Syntax,
    OutOfRange,
}

pub fn interval_text(interval: Interval) -> String {
    let mut parts = Vec::new();
    // Once a part is negative, those behind it show their sign.
    let mut was_negative = false;
    let mut part = |count: i32, unit: &str, parts: &mut Vec<String>| {
        if count != 0 {
            let plus = if was_negative && count > 0 { "+" } else { "" };
            let plural = if count == 1 { "" } else { "s" };
            parts.push(format!("{plus}{count} {unit}{plural}"));
            was_negative = count < 0;
        }
    };
    part(interval.months / 12, "year", &mut parts);
    part(interval.months % 12, "mon", &mut parts);
    part(interval.days, "day", &mut parts);
    if interval.microseconds != 0 || parts.is_empty() {
        let sign = match interval.microseconds {
            ..0 => "-",
            _ if was_negative => "+",
            _ => "",
        };
        let length = interval.microseconds.unsigned_abs();
        let hours = length / (3600 * SECOND as u64);
        let rest = time_text((length % (3600 * SECOND as u64)) as i64);
        let rest = rest.get(2..).unwrap_or("");
        parts.push(format!("{sign}{hours:02}{rest}"));
    }
    parts.join(" ")
}

/// An interval while it is read.
#[derive(Default)]
struct Sum {
    months: i128,
    days: i128,
    microseconds: i128,
}

/// A decimal number: whole part and fraction in billionths, both with the sign.
#[derive(Clone, Copy)]
struct Number {
    whole: i128,
    billionths: i128,
    is_negative: bool,
}

const BILLION: i128 = 1_000_000_000;

impl Number {
    fn read(text: &str) -> Option<Self> {
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let is_number = !(whole.is_empty() && fraction.is_empty());
        if !is_number || !all_digits(whole) || !all_digits(fraction) || whole.len() > 18 {
            return None;
        }
        let sign = if is_negative { -1 } else { 1 };
        let whole: i128 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        let fraction = format!("{fraction:0<9}");
        let billionths: i128 = fraction.get(..9)?.parse().ok()?;
        Some(Self {
            whole: sign * whole,
            billionths: sign * billionths,
            is_negative,
        })
    }

    /// So many times this, in whole ones, rounded.
    fn times(self, unit: i128) -> i128 {
        self.whole * unit + round_div(self.billionths * unit, BILLION)
    }
}

fn round_div(value: i128, by: i128) -> i128 {
    (value + (by / 2) * value.signum()) / by
}

impl Sum {
    fn add_days(&mut self, number: Number, unit: i128) {
        self.days += number.whole * unit;
        let billionths = number.billionths * unit;
        self.days += billionths / BILLION;
        self.microseconds += round_div(billionths % BILLION * i128::from(DAY), BILLION);
    }

    fn add_months(&mut self, number: Number, unit: i128) {
        self.months += number.whole * unit;
        // Fractions of years are whole months, those of months are days.
        if unit >= 12 {
            self.months += round_div(number.billionths * unit, BILLION);
        } else {
            let billionths = number.billionths * 30;
            self.days += billionths / BILLION;
            self.microseconds += round_div(billionths % BILLION * i128::from(DAY), BILLION);
        }
    }

    fn add(&mut self, number: Number, unit: &str) -> Option<()> {
        let second = i128::from(SECOND);
        match unit {
            "millennium" | "millennia" | "mil" | "mils" | "millenniums" => {
                self.add_months(number, 12_000);
            }
            "century" | "centuries" | "cent" | "c" => self.add_months(number, 1_200),
            "decade" | "decades" | "dec" | "decs" => self.add_months(number, 120),
            "year" | "years" | "yr" | "yrs" | "y" => self.add_months(number, 12),
            "month" | "months" | "mon" | "mons" => self.add_months(number, 1),
            "week" | "weeks" | "w" => self.add_days(number, 7),
            "day" | "days" | "d" => self.add_days(number, 1),
            "hour" | "hours" | "hr" | "hrs" | "h" => {
                self.microseconds += number.times(3600 * second);
            }
            "minute" | "minutes" | "min" | "mins" | "m" => {
                self.microseconds += number.times(60 * second);
            }
            "second" | "seconds" | "sec" | "secs" | "s" | "" => {
                self.microseconds += number.times(second);
            }
            "millisecond" | "milliseconds" | "msec" | "msecs" | "ms" | "msecond" | "mseconds" => {
                self.microseconds += number.times(1_000);
            }
            "microsecond" | "microseconds" | "usec" | "usecs" | "us" | "usecond" | "useconds" => {
                self.microseconds += number.times(1);
            }
            _ => return None,
        }
        Some(())
    }

    fn finish(self, is_ago: bool) -> Result<Interval, Problem> {
        let sign = if is_ago { -1 } else { 1 };
        let out = |_| Problem::OutOfRange;
        Ok(Interval {
            months: i32::try_from(sign * self.months).map_err(out)?,
            days: i32::try_from(sign * self.days).map_err(out)?,
            microseconds: i64::try_from(sign * self.microseconds).map_err(out)?,
        })
    }
}

/// `1:02:03.5` with its sign in front, in microseconds; with `is_minutes` two parts are minutes and
/// seconds, as where a fraction ends them.
fn clock(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let parts: Vec<&str> = digits.split(':').collect();
    let number = |text: &str| Number::read(text).filter(|number| !number.is_negative);
    let whole = |text: &str| number(text).filter(|n| n.billionths == 0 && !text.contains('.'));
    let second = i128::from(SECOND);
    let (hours, minutes, seconds) = match parts.as_slice() {
        // Two parts of which the last has a fraction are minutes and seconds.
        [minutes, seconds] if seconds.contains('.') => (0, whole(minutes)?.whole, *seconds),
        [hours, minutes] => (whole(hours)?.whole, whole(minutes)?.whole, "0"),
        [hours, minutes, seconds] => (whole(hours)?.whole, whole(minutes)?.whole, *seconds),
        _ => return None,
    };
    let seconds = number(seconds)?.times(second);
    if minutes >= 60 && parts.len() == 3 || seconds > 60 * second {
        return None;
    }
    Some(sign * ((hours * 60 + minutes) * 60 * second + seconds))
}

/// The longest text that is read as an interval.
const MOST_BYTES: usize = 1_000;

/// An interval in any of the forms that PostgreSQL reads; a number without a unit is of `unit`.
pub fn read_interval(text: &str, unit: Option<&str>) -> Result<Interval, Problem> {
    let text = text.trim();
    if text.len() > MOST_BYTES {
        return Err(Problem::Syntax);
    }
    if text.starts_with(['P', 'p']) || text.starts_with("-P") {
        return iso(text).unwrap_or(Err(Problem::Syntax));
    }
    let lower = text.to_ascii_lowercase();
    let words = words(&lower);
    let mut sum = Sum::default();
    let (mut is_ago, mut seen) = (false, false);
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        let next = words.get(at).map(String::as_str);
        if word == "@" || (word == "and" && seen) {
            continue;
        }
        if word == "ago" && seen && next.is_none() {
            is_ago = true;
            continue;
        }
        seen = true;
        if word.contains(':') {
            sum.microseconds += clock(word).ok_or(Problem::Syntax)?;
            continue;
        }
        // Years and months, as the standard writes them.
        if let Some((years, months)) = word.trim_start_matches(['-', '+']).split_once('-') {
            let both = years.parse::<i128>().ok().zip(months.parse::<i128>().ok());
            let (years, months) = both.ok_or(Problem::Syntax)?;
            if months >= 12 || years > 1_000_000_000 {
                return Err(Problem::OutOfRange);
            }
            let sign = if word.starts_with('-') { -1 } else { 1 };
            sum.months += sign * (years * 12 + months);
            continue;
        }
        let number = Number::read(word).ok_or(Problem::Syntax)?;
        match next {
            Some(next) if next.starts_with(|c: char| c.is_ascii_alphabetic()) && next != "ago" => {
                sum.add(number, next).ok_or(Problem::Syntax)?;
                at += 1;
            }
            // A bare number before a time is days.
            Some(next) if next.contains(':') => sum.add_days(number, 1),
            None | Some("ago") => {
                sum.add(number, unit.unwrap_or("second"))
                    .ok_or(Problem::Syntax)?;
            }
            Some(_) => return Err(Problem::Syntax),
        }
    }
    match seen {
        true => sum.finish(is_ago),
        false => Err(Problem::Syntax),
    }
}

/// The words of an interval: signs stay with their numbers, units are parted from them.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut last = ' ';
    for letter in text.chars() {
        let is_split = letter.is_whitespace()
            || (letter.is_ascii_alphabetic() && !last.is_ascii_alphabetic())
            || (!letter.is_ascii_alphabetic() && last.is_ascii_alphabetic())
            || (matches!(letter, '+' | '@') && !word.is_empty());
        // A sign may stand apart from its number.
        let is_sign = matches!(word.as_str(), "-" | "+");
        if is_split && !word.is_empty() && !(is_sign && letter.is_whitespace()) {
            words.push(std::mem::take(&mut word));
        }
        if !letter.is_whitespace() {
            word.push(letter);
        }
        last = letter;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// `P1Y2M3DT4H5M6.7S`.
fn iso(text: &str) -> Option<Result<Interval, Problem>> {
    let (is_ago, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let mut sum = Sum::default();
    let (mut in_time, mut number, mut seen) = (false, String::new(), false);
    for letter in text.get(1..)?.chars() {
        match letter.to_ascii_uppercase() {
            'T' if !in_time && number.is_empty() => in_time = true,
            '0'..='9' | '.' | '-' | '+' => number.push(letter),
            unit => {
                let count = Number::read(&std::mem::take(&mut number))?;
                let unit = match (unit, in_time) {
                    ('Y', false) => "year",
                    ('M', false) => "month",
                    ('W', false) => "week",
                    ('D', false) => "day",
                    ('H', true) => "hour",
                    ('M', true) => "minute",
                    ('S', true) => "second",
                    _ => return None,
                };
                sum.add(count, unit)?;
                seen = true;
            }
        }
    }
    (seen && number.is_empty()).then(|| sum.finish(is_ago))
}

pub fn parse_interval(text: &str) -> Option<Interval> {
    read_interval(text, None).ok()
}

pub fn plus(a: Interval, b: Interval) -> Option<Interval> {
    Some(Interval {
        months: a.months.checked_add(b.months)?,
        days: a.days.checked_add(b.days)?,
        microseconds: a.microseconds.checked_add(b.microseconds)?,
    })
}

pub fn negated(of: Interval) -> Option<Interval> {
    Some(Interval {
        months: of.months.checked_neg()?,
        days: of.days.checked_neg()?,
        microseconds: of.microseconds.checked_neg()?,
    })
}

/// An interval so many times: what is left of months is days, what is left of days is time.
pub fn times(of: Interval, factor: f64) -> Option<Interval> {
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    let months = f64::from(of.months) * factor;
    let days = f64::from(of.days) * factor;
    if !factor.is_finite() || months.abs() > 2_147_483_647.0 || days.abs() > 2_147_483_647.0 {
        return None;
    }
    let (whole_months, whole_days) = (months.trunc(), days.trunc());
    let month_rest = rounded((months - whole_months) * 30.0);
    let mut seconds = (days - whole_days) + (month_rest - month_rest.trunc());
    seconds = rounded(seconds * 86_400.0);
    let mut day = whole_days + month_rest.trunc();
    if seconds.abs() >= 86_400.0 {
        day += (seconds / 86_400.0).trunc();
        seconds -= (seconds / 86_400.0).trunc() * 86_400.0;
    }
    let microseconds = (of.microseconds as f64 * factor + seconds * 1e6).round_ties_even();
    if day.abs() > 2_147_483_647.0 || microseconds.abs() >= 9.2e18 {
        return None;
    }
    // A whole factor of a plain time needs no detour over doubles.
    let exact = (factor.fract() == 0.0 && seconds == 0.0 && factor.abs() < 9e15)
        .then(|| of.microseconds.checked_mul(factor as i64));
    Some(Interval {
        months: whole_months as i32,
        days: day as i32,
        microseconds: match exact {
            Some(exact) => exact?,
            None => microseconds as i64,
        },
    })
}

/// An interval in so many parts: what is left of months is days, what is left of days is time.
pub fn divided(of: Interval, by: f64) -> Option<Interval> {
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    let months = f64::from(of.months) / by;
    let days = f64::from(of.days) / by;
    if by == 0.0 || by.is_nan() || months.abs() > 2_147_483_647.0 || days.abs() > 2_147_483_647.0 {
        return None;
    }
    let month_rest = rounded((months - months.trunc()) * 30.0);
    let mut seconds = (days - days.trunc()) + (month_rest - month_rest.trunc());
    seconds = rounded(seconds * 86_400.0);
    let mut day = days.trunc() + month_rest.trunc();
    if seconds.abs() >= 86_400.0 {
        day += (seconds / 86_400.0).trunc();
        seconds -= (seconds / 86_400.0).trunc() * 86_400.0;
    }
    let microseconds = (of.microseconds as f64 / by + seconds * 1e6).round_ties_even();
    (day.abs() <= 2_147_483_647.0 && microseconds.abs() < 9.2e18).then_some(Interval {
        months: months.trunc() as i32,
        days: day as i32,
        microseconds: microseconds as i64,
    })
}

/// Days of 24 hours out of its time.
pub fn justify_hours(of: Interval) -> Option<Interval> {
    let days = of.microseconds / DAY;
    let mut justified = Interval {
        months: of.months,
        days: of.days.checked_add(i32::try_from(days).ok()?)?,
        microseconds: of.microseconds % DAY,
    };
    if justified.days > 0 && justified.microseconds < 0 {
        justified.microseconds += DAY;
        justified.days -= 1;
    } else if justified.days < 0 && justified.microseconds > 0 {
        justified.microseconds -= DAY;
        justified.days += 1;
    }
    Some(justified)
}

/// Months of 30 days out of its days.
pub fn justify_days(of: Interval) -> Option<Interval> {
    let mut justified = Interval {
        months: of.months.checked_add(of.days / 30)?,
        days: of.days % 30,
        microseconds: of.microseconds,
    };
    if justified.months > 0 && justified.days < 0 {
        justified.days += 30;
        justified.months -= 1;
    } else if justified.months < 0 && justified.days > 0 {
        justified.days -= 30;
        justified.months += 1;
    }
    Some(justified)
}

/// Both, with one sign for all.
pub fn justify_interval(of: Interval) -> Option<Interval> {
    let mut of = justify_days(justify_hours(of)?)?;
    if of.months > 0 && (of.days < 0 || (of.days == 0 && of.microseconds < 0)) {
        of.days += 30;
        of.months -= 1;
    } else if of.months < 0 && (of.days > 0 || (of.days == 0 && of.microseconds > 0)) {
        of.days -= 30;
        of.months += 1;
    }
    if of.days > 0 && of.microseconds < 0 {
        of.microseconds += DAY;
        of.days -= 1;
    } else if of.days < 0 && of.microseconds > 0 {
        of.microseconds -= DAY;
        of.days += 1;
    }
    Some(of)
}

/// What lies between two timestamps: days and time.
pub fn between(later: i64, earlier: i64) -> Option<Interval> {
    let between = later.checked_sub(earlier)?;
    justify_hours(Interval {
        microseconds: between,
        ..ZERO
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_as_postgresql_reads_them() {
        for (text, expected) in [
            ("1 day 02:00:00", "1 day 02:00:00"),
            ("1.5 hours", "01:30:00"),
            ("1.5 months", "1 mon 15 days"),
            ("1.5 years", "1 year 6 mons"),
            ("90 minutes", "01:30:00"),
            ("25 hours", "25:00:00"),
            ("1h", "01:00:00"),
            ("1 month - 1 day", "1 mon -1 days"),
            ("1 day ago", "-1 days"),
            ("@ 1 day 2 hours ago", "-1 days -02:00:00"),
            ("-1 day +02:00", "-1 days +02:00:00"),
            ("1-2", "1 year 2 mons"),
            ("3 4:05:06", "3 days 04:05:06"),
            ("P1Y2M3DT4H5M6.7S", "1 year 2 mons 3 days 04:05:06.7"),
            ("2.5 weeks", "17 days 12:00:00"),
            ("1 sec 500 ms", "00:00:01.5"),
            ("5", "00:00:05"),
        ] {
            let read = read_interval(text, None).map(interval_text);
            assert_eq!(read.as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(read_interval("x", None), Err(Problem::Syntax));
        assert_eq!(read_interval("", None), Err(Problem::Syntax));
        assert_eq!(
            read_interval("999999999999 years", None),
            Err(Problem::OutOfRange)
        );
    }
}

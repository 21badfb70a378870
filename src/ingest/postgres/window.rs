//! What a load that reads only what is new looked at, in a sentence.

use std::fmt;

use super::days::NewDays;
use crate::calendar;

/// The days of a table that were read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    table: &'static str,
    gained: Vec<i64>,
    lost: Vec<i64>,
    last: Option<i64>,
    unread: u64,
}

impl Window {
    pub(super) fn new(table: &'static str, new: &NewDays) -> Self {
        Self {
            table,
            gained: new.gained.clone(),
            lost: new.lost.clone(),
            last: new.last,
            unread: new.unread,
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.gained.is_empty() {
            parts.push(format!("{}, which gained rows", days(&self.gained)));
        }
        if !self.lost.is_empty() {
            let days = days(&self.lost);
            parts.push(format!("{days}, with fewer rows there than here"));
        }
        if let Some(last) = self.last {
            let last = date(last);
            parts.push(format!("day {last}, the last that was loaded before"));
        }
        match parts.is_empty() {
            true => write!(f, "{}: no day has gained rows", self.table)?,
            false => write!(f, "{}: read {}", self.table, parts.join("; "))?,
        }
        match self.unread {
            0 => Ok(()),
            rows => write!(f, "; --full compares all, {rows} rows more"),
        }
    }
}

fn date(day: i64) -> String {
    let (year, month, day) = calendar::date_of_day(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Stretches of days, the first few.
fn days(days: &[i64]) -> String {
    const SHOWN: usize = 3;
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    for day in days {
        match stretches.last_mut() {
            Some((_, last)) if *last + 1 == *day => *last = *day,
            _ => stretches.push((*day, *day)),
        }
    }
    let text = |(first, last): &(i64, i64)| match first == last {
        true => date(*first),
        false => format!("{} to {}", date(*first), date(*last)),
    };
    let mut shown: Vec<String> = stretches.iter().take(SHOWN).map(text).collect();
    let rest = stretches
        .iter()
        .skip(SHOWN)
        .map(|(first, last)| last - first + 1);
    let rest: i64 = rest.sum();
    if rest > 0 {
        shown.push(format!("{rest} more"));
    }
    let word = if days.len() == 1 { "day" } else { "days" };
    format!("{word} {}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(gained: &[i64], lost: &[i64], last: Option<i64>, unread: u64) -> String {
        let window = Window {
            table: "signals",
            gained: gained.to_vec(),
            lost: lost.to_vec(),
            last,
            unread,
        };
        window.to_string()
    }

    #[test]
    fn a_window_says_what_it_looked_at() {
        assert_eq!(
            window(&[20_092, 20_093], &[], None, 5),
            "signals: read days 2025-01-04 to 2025-01-05, which gained rows; --full compares all, \
             5 rows more"
        );
        assert_eq!(
            window(&[20_092], &[20_080], Some(20_093), 0),
            "signals: read day 2025-01-04, which gained rows; day 2024-12-23, with fewer rows \
             there than here; day 2025-01-05, the last that was loaded before"
        );
        assert_eq!(
            window(&[1, 3, 5, 7, 8], &[], None, 0),
            "signals: read days 1970-01-02, 1970-01-04, 1970-01-06, 2 more, which gained rows"
        );
        assert_eq!(
            window(&[], &[], None, 7),
            "signals: no day has gained rows; --full compares all, 7 rows more"
        );
    }
}

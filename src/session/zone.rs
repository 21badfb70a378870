//! Time zones as clients name them.

use std::str::FromStr;

use datafusion::arrow::array::timezone::Tz;

/// The name by which Arrow knows a time zone that a client names, if there is one.
pub fn named(name: &str) -> Option<String> {
    let name = name.trim();
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    if is("etc/utc") {
        return Some("Etc/UTC".into());
    }
    if is("utc") || is("gmt") {
        return Some(name.to_uppercase());
    }
    if is("z") || is("zulu") || is("uct") {
        return Some("UTC".into());
    }
    // SET TIME ZONE -7 and INTERVAL '-07:00' count hours to the east.
    if let Some(interval) = name.strip_prefix("interval ") {
        return offset(interval);
    }
    if let Ok(hours) = name.parse::<f64>() {
        return minutes((hours * 60.0).round());
    }
    // GMT+7 counts hours to the west, as POSIX has it.
    for prefix in ["GMT", "UTC", "Etc/GMT"] {
        if let Some(west) = name.strip_prefix(prefix)
            && let Ok(hours) = west.parse::<f64>()
        {
            return minutes((-hours * 60.0).round());
        }
    }
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let candidates = [name.to_owned(), capitalized(name), name.to_uppercase()];
    let mut known = candidates
        .into_iter()
        .filter(|zone| is_name && Tz::from_str(zone).is_ok());
    known.next()
}

/// Every part with a capital: `america/new_york` is `America/New_York`.
fn capitalized(name: &str) -> String {
    let mut at_start = true;
    let letters = name.chars().map(|letter| {
        let letter = match at_start {
            true => letter.to_ascii_uppercase(),
            false => letter.to_ascii_lowercase(),
        };
        at_start = matches!(letter, '/' | '_' | '-');
        letter
    });
    letters.collect()
}

/// An offset such as `-07:30`.
fn offset(text: &str) -> Option<String> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = digits.split(':');
    let hours: f64 = parts.next()?.trim().parse().ok()?;
    let rest: f64 = parts.next().unwrap_or("0").trim().parse().ok()?;
    minutes(sign * (hours * 60.0 + rest))
}

fn minutes(east: f64) -> Option<String> {
    if !east.is_finite() || east.abs() > 15.0 * 60.0 {
        return None;
    }
    let sign = if east < 0.0 { '-' } else { '+' };
    let minutes = east.abs();
    let (hours, rest) = ((minutes / 60.0).floor(), minutes % 60.0);
    Some(format!("{sign}{hours:02.0}:{rest:02.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_one_name() {
        let named = |name| super::named(name);
        assert_eq!(named("utc").as_deref(), Some("UTC"));
        assert_eq!(named("Etc/UTC").as_deref(), Some("Etc/UTC"));
        assert_eq!(named("GMT").as_deref(), Some("GMT"));
        assert_eq!(
            named("america/new_york").as_deref(),
            Some("America/New_York")
        );
        assert_eq!(named("-7").as_deref(), Some("-07:00"));
        assert_eq!(named("5.5").as_deref(), Some("+05:30"));
        assert_eq!(named("interval +02:00").as_deref(), Some("+02:00"));
        assert_eq!(named("GMT+2").as_deref(), Some("-02:00"));
        assert_eq!(named("Nowhere/City"), None);
        assert_eq!(named("+02:00"), None);
        assert_eq!(minutes(90.0).as_deref(), Some("+01:30"));
    }
}

//! Time zones as clients name them.

use crate::catalog::time::zone::{Zone, offset_text};

/// The name that a time zone is shown by which a client names, if there is one.
pub fn named(name: &str) -> Option<String> {
    let name = name.trim();
    // SET TIME ZONE -7 and INTERVAL '-07:00' count hours to the east.
    if let Some(interval) = name.strip_prefix("interval ") {
        return minutes(offset(interval)?);
    }
    if let Ok(hours) = name.parse::<f64>() {
        return minutes((hours * 60.0).round());
    }
    let known = Zone::named(name)?;
    // A name of one's own in POSIX form is shown as it is given.
    match name.starts_with('<') {
        true => Some(name.to_owned()),
        false => Some(known.name()),
    }
}

/// Minutes of an offset such as `-07:30`.
fn offset(text: &str) -> Option<f64> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = digits.split(':');
    let hours: f64 = parts.next()?.trim().parse().ok()?;
    let rest: f64 = parts.next().unwrap_or("0").trim().parse().ok()?;
    Some(sign * (hours * 60.0 + rest))
}

/// So many minutes to the east, in the POSIX form that counts them to the west.
fn minutes(east: f64) -> Option<String> {
    if !east.is_finite() || east.abs() > 167.0 * 60.0 {
        return None;
    }
    let seconds = (east * 60.0).round() as i32;
    Some(format!(
        "<{}>{}",
        offset_text(seconds),
        offset_text(-seconds)
    ))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn zones_have_one_name() {
        for (given, shown) in [
            ("utc", Some("UTC")),
            ("Etc/UTC", Some("Etc/UTC")),
            ("GMT", Some("GMT")),
            ("america/new_york", Some("America/New_York")),
            ("Asia/Calcutta", Some("Asia/Calcutta")),
            ("-7", Some("<-07>+07")),
            ("5.5", Some("<+05:30>-05:30")),
            ("interval +02:00", Some("<+02>-02")),
            ("GMT+2", Some("GMT+2")),
            ("GMT+03:00", Some("GMT+03:00")),
            ("Nowhere/City", None),
            ("cest", None),
        ] {
            assert_eq!(named(given).as_deref(), shown, "{given}");
        }
    }

    #[test]
    fn a_name_that_is_shown_is_a_name() {
        for given in ["-7", "5.5", "<+02>-02", "GMT+03:00", "0"] {
            let shown = named(given).unwrap();
            assert_eq!(named(&shown).as_deref(), Some(shown.as_str()), "{given}");
        }
    }
}

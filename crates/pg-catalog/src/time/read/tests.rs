//! Tests of the module beside.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
use super::*;
use crate::time::{date_text, timestamp_text};

#[test]
fn dates_are_read_as_people_write_them() {
    let clock = Clock::utc(1_736_078_400_000_000);
    let date = |text: &str| read_date(text, &clock).map(date_text);
    for text in [
        "2025-01-05",
        "2025-1-5",
        "2025/01/05",
        "20250105",
        "Jan 5 2025",
        "January 5, 2025",
        "5 Jan 2025",
        "5-Jan-2025",
        "Jan-5-2025",
        "2025-Jan-05",
        "1/5/2025",
        "01.05.2025",
        "1/5/25",
        "Sun Jan 5 2025",
        "2025-005",
        "2025-01-05 23:59",
        "2025-01-05T10:00:00Z",
        "today",
    ] {
        assert_eq!(date(text).as_deref(), Ok("2025-01-05"), "{text}");
    }
    assert_eq!(date("tomorrow").as_deref(), Ok("2025-01-06"));
    assert_eq!(date("2025-02-30"), Err(Problem::OutOfRange));
    assert_eq!(date("2025-13-01"), Err(Problem::OutOfRange));
    assert_eq!(date("x"), Err(Problem::Syntax));
    assert_eq!(date(""), Err(Problem::Syntax));
    assert_eq!(date("2025-01"), Err(Problem::Syntax));
}

#[test]
fn timestamps_are_read_in_the_zone_they_name() {
    let clock = Clock {
        zone: Zone::named("America/New_York").unwrap(),
        ..Clock::utc(0)
    };
    let at = |text: &str| {
        read_timestamp(text, true, &clock).map(|at| timestamp_text(at, Some(&Zone::UTC)))
    };
    for (text, expected) in [
        ("2025-01-05 10:00", "2025-01-05 15:00:00+00"),
        ("2025-01-05 10:00:00Z", "2025-01-05 10:00:00+00"),
        ("2025-01-05T10:00:00.000Z", "2025-01-05 10:00:00+00"),
        ("2025-01-05 10:00+01", "2025-01-05 09:00:00+00"),
        ("2025-01-05 10:00:00 +0100", "2025-01-05 09:00:00+00"),
        ("2025-01-05 10:00 Europe/Berlin", "2025-01-05 09:00:00+00"),
        ("2025-01-05 10:00 PST", "2025-01-05 18:00:00+00"),
        ("2025-01-05 10:00 PM UTC", "2025-01-05 22:00:00+00"),
        ("20250105T100000Z", "2025-01-05 10:00:00+00"),
        ("2025-01-05 24:00:00Z", "2025-01-06 00:00:00+00"),
        (
            "2025-01-05 10:00:00.1234567Z",
            "2025-01-05 10:00:00.123457+00",
        ),
        ("infinity", "infinity"),
        ("epoch", "1970-01-01 00:00:00+00"),
    ] {
        assert_eq!(at(text).as_deref(), Ok(expected), "{text}");
    }
    assert_eq!(
        at("2025-01-05 10:00 No/Where"),
        Err(Problem::UnknownZone("No/Where".into()))
    );
    assert_eq!(at("2025-01-05 25:00"), Err(Problem::OutOfRange));
}

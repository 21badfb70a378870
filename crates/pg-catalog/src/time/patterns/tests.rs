//! Tests of the module beside.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
use super::*;

#[test]
fn patterns_are_those_of_postgresql() {
    // 2025-01-05 15:04:05.678901, a Sunday.
    let at = 1_736_089_445_678_901;
    let zone = Zone::named("Europe/Berlin").unwrap();
    for (pattern, expected) in [
        ("YYYY-MM-DD HH24:MI:SS", "2025-01-05 16:04:05"),
        ("FMMonth FMDDth, YYYY", "January 5th, 2025"),
        (
            "Month|Day|Dy|Mon|MONTH|mon",
            "January  |Sunday   |Sun|Jan|JANUARY  |jan",
        ),
        ("HH12:MI AM hh p.m.", "04:04 PM 04 p.m."),
        ("MS US FF2", "678 678901 67"),
        ("IYYY-IW-ID Q WW W D DDD", "2025-01-7 1 01 1 1 005"),
        ("TZ OF TZH:TZM", "CET +01 +01:00"),
        ("YYYY\"W\"WW", "2025W01"),
        ("yyyymmdd", "20250105"),
        ("FMHH24hMI", "16h04"),
        ("YY Y,YYY CC RM J", "25 2,025 21 I    2460681"),
    ] {
        let text = timestamp(at, Some(&zone), pattern);
        assert_eq!(text, Ok(Some(expected.into())), "{pattern}");
    }
}

//! Intervals as text, in each of the styles.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};

use super::IntervalStyle;
use super::text::{fraction, put};

pub(super) fn interval(
    months: i32,
    days: i32,
    microseconds: i64,
    style: IntervalStyle,
    out: &mut BytesMut,
) {
    match style {
        IntervalStyle::Postgres => postgres(months, days, microseconds, out),
        IntervalStyle::Verbose => verbose(months, days, microseconds, out),
        IntervalStyle::Iso => iso(months, days, microseconds, out),
        IntervalStyle::Standard => standard(months, days, microseconds, out),
    }
}

fn postgres(months: i32, days: i32, microseconds: i64, out: &mut BytesMut) {
    let parts = [(months / 12, "year"), (months % 12, "mon"), (days, "day")];
    let mut text = String::new();
    let mut was_negative = false;
    for (count, unit) in parts.into_iter().filter(|(count, _)| *count != 0) {
        let plus = if was_negative && count > 0 { "+" } else { "" };
        let plural = if count == 1 { "" } else { "s" };
        let _ = write!(text, "{plus}{count} {unit}{plural} ");
        was_negative = count < 0;
    }
    let is_negative = microseconds < 0;
    let size = microseconds.unsigned_abs();
    let (seconds, rest) = (size / 1_000_000, (size % 1_000_000) as i64);
    out.put_slice(text.as_bytes());
    if microseconds != 0 || text.is_empty() {
        let sign = match (is_negative, was_negative) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        put(
            out,
            format_args!("{sign}{hours:02}:{minutes:02}:{:02}", seconds % 60),
        );
        fraction(rest, out);
    } else {
        out.truncate(out.len() - 1);
    }
}

/// `@ 1 day 2 hours ago`: the first part that is not zero says whether it is past, and the others
/// have a sign where they are on the other side.
fn verbose(months: i32, days: i32, microseconds: i64, out: &mut BytesMut) {
    let seconds = microseconds / 1_000_000;
    let rest = microseconds % 1_000_000;
    let parts = [
        (i64::from(months / 12), "year"),
        (i64::from(months % 12), "mon"),
        (i64::from(days), "day"),
        (seconds / 3_600, "hour"),
        (seconds / 60 % 60, "min"),
    ];
    let mut past: Option<bool> = None;
    let mut signed = |is_negative: bool| match past {
        None => {
            past = Some(is_negative);
            ""
        }
        Some(is_past) if is_past != is_negative => "-",
        Some(_) => "",
    };
    put(out, format_args!("@"));
    for (count, unit) in parts.into_iter().filter(|(count, _)| *count != 0) {
        let sign = signed(count < 0);
        let size = count.unsigned_abs();
        let plural = if size == 1 && sign.is_empty() {
            ""
        } else {
            "s"
        };
        put(out, format_args!(" {sign}{size} {unit}{plural}"));
    }
    let whole = seconds % 60;
    if whole != 0 || rest != 0 {
        let sign = signed(whole < 0 || rest < 0);
        put(out, format_args!(" {sign}{}", whole.unsigned_abs()));
        fraction(rest.abs(), out);
        let is_one = whole.unsigned_abs() == 1 && rest == 0;
        put(out, format_args!(" sec{}", if is_one { "" } else { "s" }));
    }
    match past {
        None => put(out, format_args!(" 0")),
        Some(true) => put(out, format_args!(" ago")),
        Some(false) => {}
    }
}

fn iso(months: i32, days: i32, microseconds: i64, out: &mut BytesMut) {
    if (months, days, microseconds) == (0, 0, 0) {
        out.put_slice(b"PT0S");
        return;
    }
    out.put_u8(b'P');
    for (count, unit) in [(months / 12, 'Y'), (months % 12, 'M'), (days, 'D')] {
        if count != 0 {
            put(out, format_args!("{count}{unit}"));
        }
    }
    if microseconds == 0 {
        return;
    }
    let sign = if microseconds < 0 { "-" } else { "" };
    let size = microseconds.unsigned_abs();
    let (seconds, rest) = (size / 1_000_000, (size % 1_000_000) as i64);
    out.put_u8(b'T');
    for (count, unit) in [(seconds / 3_600, 'H'), (seconds / 60 % 60, 'M')] {
        if count != 0 {
            put(out, format_args!("{sign}{count}{unit}"));
        }
    }
    if seconds % 60 != 0 || rest != 0 {
        put(out, format_args!("{sign}{}", seconds % 60));
        fraction(rest, out);
        out.put_u8(b'S');
    }
}

fn standard(months: i32, days: i32, microseconds: i64, out: &mut BytesMut) {
    let is_any = |is: fn(i64) -> bool| is(months.into()) || is(days.into()) || is(microseconds);
    let (has_negative, has_positive) = (is_any(|part| part < 0), is_any(|part| part > 0));
    let (has_months, has_time) = (months != 0, days != 0 || microseconds != 0);
    if !has_negative && !has_positive {
        out.put_u8(b'0');
        return;
    }
    let sign = |is_negative: bool| if is_negative { '-' } else { '+' };
    let (years, of_year) = (months.unsigned_abs() / 12, months.unsigned_abs() % 12);
    let days_count = days.unsigned_abs();
    let size = microseconds.unsigned_abs();
    let (seconds, rest) = (size / 1_000_000, (size % 1_000_000) as i64);
    let clock = |out: &mut BytesMut| {
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        put(
            out,
            format_args!("{hours}:{minutes:02}:{:02}", seconds % 60),
        );
        fraction(rest, out);
    };
    // One sign before all of it is all that the standard has.
    if has_negative && has_positive || has_months && has_time {
        let signs = (sign(months < 0), sign(days < 0), sign(microseconds < 0));
        put(
            out,
            format_args!(
                "{}{years}-{of_year} {}{days_count} {}",
                signs.0, signs.1, signs.2
            ),
        );
        clock(out);
        return;
    }
    if has_negative {
        out.put_u8(b'-');
    }
    if has_months {
        put(out, format_args!("{years}-{of_year}"));
    } else {
        if days != 0 {
            put(out, format_args!("{days_count} "));
        }
        clock(out);
    }
}

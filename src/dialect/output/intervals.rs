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
        IntervalStyle::Postgres | IntervalStyle::Verbose => {
            let is_verbose = style == IntervalStyle::Verbose;
            postgres(months, days, microseconds, is_verbose, out);
        }
        IntervalStyle::Iso => iso(months, days, microseconds, out),
        IntervalStyle::Standard => standard(months, days, microseconds, out),
    }
}

fn postgres(months: i32, days: i32, microseconds: i64, is_verbose: bool, out: &mut BytesMut) {
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
    if is_verbose {
        let sign = if is_negative { "-" } else { "" };
        for (count, unit) in [(seconds / 3_600, "hour"), (seconds / 60 % 60, "min")] {
            if count != 0 {
                let plural = if count == 1 { "" } else { "s" };
                let _ = write!(text, "{sign}{count} {unit}{plural} ");
            }
        }
        let mut tail = BytesMut::new();
        fraction(rest, &mut tail);
        if seconds % 60 != 0 || rest != 0 {
            let tail = String::from_utf8_lossy(&tail).into_owned();
            let _ = write!(text, "{sign}{}{tail} secs", seconds % 60);
        }
        let text = text.trim_end();
        put(
            out,
            format_args!("@ {}", if text.is_empty() { "0" } else { text }),
        );
        return;
    }
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
    let has = [months != 0, days != 0 || microseconds != 0];
    let signed = |is_negative: bool| if is_negative { '-' } else { '+' };
    let size = microseconds.unsigned_abs();
    let (seconds, rest) = (size / 1_000_000, (size % 1_000_000) as i64);
    let clock = |out: &mut BytesMut| {
        put(
            out,
            format_args!(
                "{}:{:02}:{:02}",
                seconds / 3_600,
                seconds / 60 % 60,
                seconds % 60
            ),
        );
        fraction(rest, out);
    };
    match has {
        [false, false] => out.put_u8(b'0'),
        [true, false] => {
            let sign = if months < 0 { "-" } else { "" };
            let months = months.unsigned_abs();
            put(out, format_args!("{sign}{}-{}", months / 12, months % 12));
        }
        [false, true] if days == 0 => {
            out.put_slice(if microseconds < 0 { b"-" } else { b"" });
            clock(out);
        }
        _ => {
            let years = months.unsigned_abs();
            put(
                out,
                format_args!("{}{}-{} ", signed(months < 0), years / 12, years % 12),
            );
            put(
                out,
                format_args!("{}{} ", signed(days < 0), days.unsigned_abs()),
            );
            put(out, format_args!("{}", signed(microseconds < 0)));
            clock(out);
        }
    }
}

//! Values as text.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};

use super::cells::{Cells, List};
use super::intervals::interval;
use super::{Style, numeric};
use crate::calendar::date_of_day;
use crate::dialect::numbers::Exact;
use crate::dialect::numbers::types::PLACES;
use crate::error::Result;

const DAY: i64 = 86_400_000_000;

impl Cells {
    /// Writes a value as text.
    pub fn text(&self, row: usize, style: &Style, out: &mut BytesMut) -> Result<()> {
        match self {
            Self::Nothing => {}
            Self::Bool(values) => out.put_u8(if values.value(row) { b't' } else { b'f' }),
            Self::Int2(values) => put(out, format_args!("{}", values.value(row))),
            Self::Int4(values) => put(out, format_args!("{}", values.value(row))),
            Self::Int8(values) => put(out, format_args!("{}", values.value(row))),
            Self::Oid(values) => put(out, format_args!("{}", values.value(row) as u32)),
            Self::Float4(values) => {
                let value = values.value(row);
                match style.float_digits {
                    1.. => float(&format!("{value:e}"), 6, out),
                    less => rounded(f64::from(value), 6 + i32::from(less), out),
                }
            }
            Self::Float8(values) => {
                let value = values.value(row);
                match style.float_digits {
                    1.. => float(&format!("{value:e}"), 15, out),
                    less => rounded(value, 15 + i32::from(less), out),
                }
            }
            Self::Decimal128(values, scale) => {
                numeric::text(&values.value(row).to_string(), *scale, out);
            }
            Self::Decimal256(values, PLACES) => {
                let value = Exact::of_i256(values.value(row), PLACES).opened();
                let places = i8::try_from(value.places).unwrap_or(PLACES);
                numeric::text(&value.digits.to_string(), places, out);
            }
            Self::Decimal256(values, scale) => {
                numeric::text(&values.value(row).to_string(), *scale, out);
            }
            Self::Text(values) | Self::Jsonb(values) | Self::Uuid(values) => {
                out.put_slice(values.value(row).as_bytes());
            }
            Self::TextView(values) => out.put_slice(values.value(row).as_bytes()),
            Self::Bytes(values) => bytea(values.value(row), style.bytea_is_escaped, out),
            Self::Date(values) => {
                let is_bc = date(i64::from(values.value(row)), out);
                out.put_slice(if is_bc { b" BC" } else { b"" });
            }
            Self::Time(values) => time(values.value(row), out),
            Self::Timestamp(values) => {
                let is_bc = timestamp(values.value(row), out);
                out.put_slice(if is_bc { b" BC" } else { b"" });
            }
            Self::TimestampTz(values) => timestamptz(values.value(row), style, out),
            Self::Interval(values) => {
                let value = values.value(row);
                let microseconds = value.nanoseconds / 1_000;
                interval(value.months, value.days, microseconds, style.interval, out);
            }
            Self::List(list) => list.text(row, style, out)?,
            Self::Vector(list) => {
                let mut is_first = true;
                for position in list.range(row) {
                    if !std::mem::take(&mut is_first) {
                        out.put_u8(b' ');
                    }
                    list.values.text(position, style, out)?;
                }
            }
            Self::Record(_, fields) => {
                let mut separator = b'(';
                for (_, cells) in fields {
                    out.put_u8(separator);
                    separator = b',';
                    if !cells.is_null(row) {
                        let mut text = BytesMut::new();
                        cells.text(row, style, &mut text)?;
                        quoted(&text, &text, b"(),\"\\", true, out);
                    }
                }
                if fields.is_empty() {
                    out.put_u8(b'(');
                }
                out.put_u8(b')');
            }
        }
        Ok(())
    }
}

impl List {
    fn range(&self, row: usize) -> std::ops::Range<usize> {
        let offsets = self.array.value_offsets();
        let at = |position: usize| offsets.get(position).map_or(0, |offset| *offset as usize);
        at(row)..at(row + 1)
    }

    fn text(&self, row: usize, style: &Style, out: &mut BytesMut) -> Result<()> {
        out.put_u8(b'{');
        for (element, position) in self.range(row).enumerate() {
            if element > 0 {
                out.put_u8(b',');
            }
            match &*self.values {
                cells if cells.is_null(position) => out.put_slice(b"NULL"),
                _ if element < self.places.len()
                    && let Some((digits, places)) = self.number(position, element) =>
                {
                    numeric::text(&digits, places, out);
                }
                Cells::List(inner) => inner.text(position, style, out)?,
                cells => {
                    let mut text = BytesMut::new();
                    cells.text(position, style, &mut text)?;
                    let is_null_word = text.eq_ignore_ascii_case(b"null");
                    let shown: &[u8] = if is_null_word { b"" } else { &text };
                    quoted(&text, shown, b"{},\"\\", false, out);
                }
            }
        }
        out.put_u8(b'}');
        Ok(())
    }
}

/// Writes a text that is part of another, in quotes where it holds what would be misread or is
/// empty; `judged` stands for it in that question.
fn quoted(text: &[u8], judged: &[u8], special: &[u8], is_doubled: bool, out: &mut BytesMut) {
    let needs = |byte: &u8| special.contains(byte) || byte.is_ascii_whitespace() || *byte == 0x0b;
    if !judged.is_empty() && !judged.iter().any(needs) {
        out.put_slice(text);
        return;
    }
    out.put_u8(b'"');
    for byte in text {
        match byte {
            b'"' if is_doubled => out.put_slice(b"\"\""),
            b'\\' if is_doubled => out.put_slice(b"\\\\"),
            b'"' | b'\\' => out.put_slice(&[b'\\', *byte]),
            byte => out.put_u8(*byte),
        }
    }
    out.put_u8(b'"');
}

pub(super) fn put(out: &mut BytesMut, text: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = out.write_fmt(text);
}

/// Writes a floating point value with the fewest digits that are exact. `shortest` has them with an
/// exponent, which is shown only from `digits` digits before the point on, or four zeros behind it.
fn float(shortest: &str, digits: i32, out: &mut BytesMut) {
    let named = match shortest {
        "NaN" => Some("NaN"),
        "inf" => Some("Infinity"),
        "-inf" => Some("-Infinity"),
        _ => None,
    };
    if let Some(name) = named {
        out.put_slice(name.as_bytes());
        return;
    }
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..digits).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        put(
            out,
            format_args!("{mantissa}e{sign}{:02}", exponent.unsigned_abs()),
        );
        return;
    }
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let all: String = mantissa.chars().filter(|c| *c != '.').collect();
    out.put_slice(sign.as_bytes());
    match usize::try_from(exponent) {
        Ok(exponent) if all.len() > exponent + 1 => {
            put(
                out,
                format_args!("{}.{}", &all[..=exponent], &all[exponent + 1..]),
            );
        }
        Ok(exponent) => {
            out.put_slice(all.as_bytes());
            out.put_bytes(b'0', exponent + 1 - all.len());
        }
        Err(_) => {
            out.put_slice(b"0.");
            out.put_bytes(b'0', exponent.unsigned_abs() as usize - 1);
            out.put_slice(all.as_bytes());
        }
    }
}

/// Writes a floating point value rounded to so many digits.
fn rounded(value: f64, digits: i32, out: &mut BytesMut) {
    let digits = usize::try_from(digits).unwrap_or_default().max(1);
    let text = format!("{value:.*e}", digits - 1);
    // Zeros at the end are not shown.
    let text = match text.split_once('e') {
        Some((mantissa, exponent)) if mantissa.contains('.') => {
            let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
            format!("{mantissa}e{exponent}")
        }
        _ => text,
    };
    float(&text, digits as i32, out);
}

fn bytea(bytes: &[u8], is_escaped: bool, out: &mut BytesMut) {
    if !is_escaped {
        out.put_slice(b"\\x");
        for byte in bytes {
            put(out, format_args!("{byte:02x}"));
        }
        return;
    }
    for byte in bytes {
        match byte {
            b'\\' => out.put_slice(b"\\\\"),
            0x20..=0x7e => out.put_u8(*byte),
            byte => put(out, format_args!("\\{byte:03o}")),
        }
    }
}

/// Writes the day that is so many days after 1970; whether it is before Christ.
fn date(days: i64, out: &mut BytesMut) -> bool {
    if days == i64::from(i32::MAX) || days == i64::from(i32::MIN) {
        infinite(if days > 0 { i64::MAX } else { i64::MIN }, out);
        return false;
    }
    let (year, month, day) = date_of_day(days);
    let is_bc = year <= 0;
    let year = if is_bc { 1 - year } else { year };
    put(out, format_args!("{year:04}-{month:02}-{day:02}"));
    is_bc
}

fn time(microseconds: i64, out: &mut BytesMut) {
    let seconds = microseconds / 1_000_000;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    put(
        out,
        format_args!("{hours:02}:{minutes:02}:{:02}", seconds % 60),
    );
    fraction(microseconds % 1_000_000, out);
}

/// Writes millionths behind a point, without zeros at the end.
pub(super) fn fraction(millionths: i64, out: &mut BytesMut) {
    if millionths != 0 {
        let digits = format!("{millionths:06}");
        put(out, format_args!(".{}", digits.trim_end_matches('0')));
    }
}

/// Writes an end of time, where it is one.
fn infinite(microseconds: i64, out: &mut BytesMut) -> bool {
    match microseconds {
        i64::MAX => out.put_slice(b"infinity"),
        i64::MIN => out.put_slice(b"-infinity"),
        _ => return false,
    }
    true
}

fn timestamp(microseconds: i64, out: &mut BytesMut) -> bool {
    if infinite(microseconds, out) {
        return false;
    }
    let is_bc = date(microseconds.div_euclid(DAY), out);
    out.put_u8(b' ');
    time(microseconds.rem_euclid(DAY), out);
    is_bc
}

fn timestamptz(microseconds: i64, style: &Style, out: &mut BytesMut) {
    if infinite(microseconds, out) {
        return;
    }
    let zone = style.zone.as_ref();
    let local = zone.map_or(microseconds, |zone| zone.local(microseconds));
    let is_bc = timestamp(local, out);
    let offset = (local - microseconds) / 1_000_000;
    let sign = if offset < 0 { '-' } else { '+' };
    let offset = offset.unsigned_abs();
    put(out, format_args!("{sign}{:02}", offset / 3_600));
    if !offset.is_multiple_of(3_600) {
        put(out, format_args!(":{:02}", offset / 60 % 60));
    }
    if !offset.is_multiple_of(60) {
        put(out, format_args!(":{:02}", offset % 60));
    }
    out.put_slice(if is_bc { b" BC" } else { b"" });
}

#[cfg(test)]
mod tests {
    use super::super::IntervalStyle;
    use super::*;

    fn text(write: impl FnOnce(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn floats_are_as_short_as_they_are_exact() {
        let double = |value: f64| text(|out| float(&format!("{value:e}"), 15, out));
        let shown = [
            1.0,
            1e20,
            0.1,
            -1e300,
            1e15,
            123_456_789_012_345.0,
            0.000_1,
            0.000_01,
            -0.5,
            1.5e-7,
        ];
        let expected = [
            "1",
            "1e+20",
            "0.1",
            "-1e+300",
            "1e+15",
            "123456789012345",
            "0.0001",
            "1e-05",
            "-0.5",
            "1.5e-07",
        ];
        assert_eq!(shown.map(double), expected);
        assert_eq!(double(f64::NAN), "NaN");
        assert_eq!(double(f64::NEG_INFINITY), "-Infinity");
        assert_eq!(text(|out| rounded(1.0 / 3.0, 15, out)), "0.333333333333333");
        assert_eq!(text(|out| rounded(0.5, 15, out)), "0.5");
    }

    #[test]
    fn times_are_iso() {
        let at = |value| {
            text(|out| {
                timestamp(value, out);
            })
        };
        assert_eq!(at(0), "1970-01-01 00:00:00");
        assert_eq!(at(-1), "1969-12-31 23:59:59.999999");
        assert_eq!(at(1_709_251_199_123_456), "2024-02-29 23:59:59.123456");
        assert_eq!(
            text(|out| {
                date(-719_529, out);
            }),
            "0002-12-31"
        );
        assert_eq!(
            text(|out| {
                date(2_932_897, out);
            }),
            "10000-01-01"
        );
    }

    #[test]
    fn intervals_are_as_postgresql_shows_them() {
        let shown = |months, days, microseconds| {
            text(|out| interval(months, days, microseconds, IntervalStyle::Postgres, out))
        };
        assert_eq!(shown(1, 2, 10_800_000_000), "1 mon 2 days 03:00:00");
        assert_eq!(shown(0, 0, 0), "00:00:00");
        assert_eq!(shown(-13, 0, 500_000), "-1 years -1 mons +00:00:00.5");
        assert_eq!(shown(0, 1, 0), "1 day");
        let iso = |out: &mut BytesMut| interval(14, 3, -1_500_000, IntervalStyle::Iso, out);
        assert_eq!(text(iso), "P1Y2M3DT-1.5S");
    }

    #[test]
    fn parts_are_quoted_where_they_must_be() {
        let part = |word: &str| {
            text(|out| quoted(word.as_bytes(), word.as_bytes(), b"{},\"\\", false, out))
        };
        assert_eq!(
            ["a b", "c,d", "\"q\"", "", "plain"].map(part),
            ["\"a b\"", "\"c,d\"", "\"\\\"q\\\"\"", "\"\"", "plain"]
        );
    }
}

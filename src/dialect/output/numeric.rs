//! Decimals as PostgreSQL sends them, with all their digits.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::datatypes::i256;

use crate::dialect::numbers::Exact;
use crate::dialect::numbers::types::PLACES;

/// Writes a number of so many decimal places as text. `digits` is its mantissa, with a sign.
pub fn text(digits: &str, scale: i8, out: &mut BytesMut) {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    out.put_slice(sign.as_bytes());
    let Some(scale) = usize::try_from(scale).ok().filter(|scale| *scale > 0) else {
        out.put_slice(digits.as_bytes());
        if digits != "0" {
            out.put_bytes(b'0', usize::from(scale.unsigned_abs()));
        }
        return;
    };
    match digits.len().checked_sub(scale) {
        Some(whole) if whole > 0 => {
            out.put_slice(&digits.as_bytes()[..whole]);
            out.put_u8(b'.');
            out.put_slice(&digits.as_bytes()[whole..]);
        }
        _ => {
            out.put_slice(b"0.");
            out.put_bytes(b'0', scale - digits.len());
            out.put_slice(digits.as_bytes());
        }
    }
}

/// A wide decimal as PostgreSQL shows it: one of open places without the zeros that fill them.
pub fn wide_text(value: i256, scale: i8) -> String {
    let value = match scale {
        PLACES => Exact::of_i256(value, scale).opened(),
        scale => Exact::of_i256(value, scale),
    };
    let mut out = BytesMut::new();
    let places = i8::try_from(value.places).unwrap_or(scale);
    text(&value.digits.to_string(), places, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Writes a number of so many decimal places in groups of four digits.
pub fn binary(digits: &str, scale: i8, out: &mut BytesMut) {
    let (is_negative, digits) = match digits.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, digits),
    };
    let mut digits = digits.as_bytes().to_vec();
    let places = usize::try_from(scale).unwrap_or_else(|_| {
        digits.extend(std::iter::repeat_n(b'0', usize::from(scale.unsigned_abs())));
        0
    });
    if digits.len() < places {
        let missing = places - digits.len();
        digits.splice(0..0, std::iter::repeat_n(b'0', missing));
    }
    // Groups are counted from the point, so both sides are filled up to whole groups.
    let whole = digits.len() - places;
    let before = (4 - whole % 4) % 4;
    let behind = (4 - places % 4) % 4;
    let mut padded = vec![b'0'; before];
    padded.extend_from_slice(&digits);
    padded.extend(std::iter::repeat_n(b'0', behind));
    let groups: Vec<i16> = padded
        .chunks(4)
        .map(|group| {
            group
                .iter()
                .fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0'))
        })
        .collect();
    let whole_groups = (whole + before) / 4;
    let leading = groups.iter().take_while(|group| **group == 0).count();
    let trailing = groups.iter().rev().take_while(|group| **group == 0).count();
    let shown = match leading == groups.len() {
        true => &[][..],
        false => &groups[leading..groups.len() - trailing],
    };
    let weight = whole_groups as i16 - leading as i16 - 1;
    out.put_i16(shown.len() as i16);
    out.put_i16(if shown.is_empty() { 0 } else { weight });
    out.put_u16(if is_negative && !shown.is_empty() {
        0x4000
    } else {
        0
    });
    out.put_u16(places as u16);
    for group in shown {
        out.put_i16(*group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(digits: &str, scale: i8) -> String {
        let mut out = BytesMut::new();
        text(digits, scale, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn groups(digits: &str, scale: i8) -> Vec<i16> {
        let mut out = BytesMut::new();
        binary(digits, scale, &mut out);
        out.chunks(2)
            .map(|pair| i16::from_be_bytes([pair[0], pair[1]]))
            .collect()
    }

    #[test]
    fn a_decimal_has_all_its_digits() {
        assert_eq!(shown("110", 2), "1.10");
        assert_eq!(shown("-1", 10), "-0.0000000001");
        assert_eq!(shown("0", 2), "0.00");
        assert_eq!(shown("42", 0), "42");
        assert_eq!(shown("42", -2), "4200");
        assert_eq!(shown("0", -2), "0");
    }

    #[test]
    fn a_decimal_goes_in_groups_of_four() {
        assert_eq!(groups("110", 2), [2, 0, 0, 2, 1, 1000]);
        assert_eq!(groups("0", 2), [0, 0, 0, 2]);
        assert_eq!(groups("-1", 10), [1, -3, 0x4000, 10, 100]);
        assert_eq!(groups("123456789", 4), [3, 1, 0, 4, 1, 2345, 6789]);
        assert_eq!(groups("10000", 0), [1, 1, 0, 0, 1]);
        assert_eq!(groups("5", -3), [1, 0, 0, 0, 5000]);
    }
}

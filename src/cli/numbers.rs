//! Numbers as people read them: thousands apart, a fixed number of digits, a sign on differences.

use std::str::FromStr;

use hindsight_udfs::decimal;

/// A whole number that was typed.
pub fn whole<N: FromStr>(text: &str) -> Result<N, String> {
    text.trim()
        .parse()
        .map_err(|_| "expected a whole number".to_owned())
}

/// A count with its thousands apart: `36,000`.
pub fn grouped(count: u64) -> String {
    group(&count.to_string())
}

/// `mantissa / 10^scale` with this many fractional digits, its thousands apart.
pub fn fixed(mantissa: i128, scale: i8, digits: i8) -> String {
    // A number too large for the scale has no digits there: it is shown as it is.
    let Some(rounded) = decimal::rescale_half_even(mantissa, scale, digits) else {
        return decimal::format(mantissa, scale);
    };
    let unit = decimal::pow10(digits.unsigned_abs().into()).unsigned_abs();
    let (whole, fraction) = (rounded.unsigned_abs() / unit, rounded.unsigned_abs() % unit);
    let sign = if rounded < 0 { "-" } else { "" };
    let whole = group(&whole.to_string());
    match digits {
        0 => format!("{sign}{whole}"),
        _ => format!(
            "{sign}{whole}.{fraction:0width$}",
            width = digits.unsigned_abs().into()
        ),
    }
}

/// As [`fixed`], with a plus where it is more than nothing.
pub fn signed(mantissa: i128, scale: i8, digits: i8) -> String {
    let text = fixed(mantissa, scale, digits);
    match text.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
        true if mantissa > 0 => format!("+{text}"),
        true => text,
        false => text.trim_start_matches('-').to_owned(),
    }
}

fn group(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_rounded_and_signed() {
        assert_eq!(whole::<u32>(" 12 "), Ok(12));
        assert!(whole::<u32>("-1").is_err() && whole::<u32>("4294967296").is_err());
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(fixed(-1_234_567_890, 6, 4), "-1,234.5679");
        assert_eq!(fixed(5, 0, 2), "5.00");
        assert_eq!(fixed(36_000, 0, 0), "36,000");
        assert_eq!(signed(12_000, 4, 4), "+1.2000");
        assert_eq!(signed(-12_000, 4, 4), "-1.2000");
        assert_eq!(signed(-1, 9, 4), "0.0000");
        assert_eq!(signed(0, 4, 4), "0.0000");
    }
}

//! Exact numbers: fractions of big integers, decimal text, and rounding half to even.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Zero};

/// Every quantity of the reference.
pub type Number = BigRational;

/// A whole number.
pub fn whole(value: i64) -> Number {
    Number::from_integer(value.into())
}

/// `mantissa / 10^digits`.
pub fn decimal(mantissa: impl Into<BigInt>, digits: u32) -> Number {
    Number::new(mantissa.into(), BigInt::from(10).pow(digits))
}

/// `-12.50` as a number, `None` where the text is anything else.
pub fn parse(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (before, after) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if before.is_empty() || !is_digits(before) || !is_digits(after) {
        return None;
    }
    let mantissa: BigInt = format!("{before}{after}").parse().ok()?;
    let value = decimal(mantissa, u32::try_from(after.len()).ok()?);
    Some(if text.starts_with('-') { -value } else { value })
}

/// The nearest multiple of `10^-digits`; of two equally near, the one whose last digit is even.
pub fn rounded(value: &Number, digits: u32) -> Number {
    let unit = BigInt::from(10).pow(digits);
    let scaled = value * Number::from_integer(unit.clone());
    let below = scaled.floor().to_integer();
    let rest = scaled - Number::from_integer(below.clone());
    let half = Number::new(BigInt::one(), 2.into());
    let is_up = rest > half || (rest == half && below.is_odd());
    Number::new(if is_up { below + 1 } else { below }, unit)
}

/// The value as a decimal where it has one of at most 60 digits, else as a fraction.
pub fn show(value: &Number) -> String {
    for digits in 0..=60_u32 {
        let scaled = value * Number::from_integer(BigInt::from(10).pow(digits));
        if scaled.is_integer() {
            return with_digits(&scaled.to_integer(), digits);
        }
    }
    value.to_string()
}

/// A mantissa with its decimal point.
fn with_digits(mantissa: &BigInt, digits: u32) -> String {
    let sign = if *mantissa < BigInt::zero() { "-" } else { "" };
    let width = digits as usize + 1;
    let text = format!("{:0>width$}", mantissa.magnitude().to_string());
    let (before, after) = text.split_at(text.len() - digits as usize);
    let point = if digits == 0 { "" } else { "." };
    format!("{sign}{before}{point}{after}")
}

#[test]
fn rounds_half_to_even() {
    for (value, digits, expected) in [
        ("0.00005", 4, "0"),
        ("0.00015", 4, "0.0002"),
        ("0.000150000001", 4, "0.0002"),
        ("-0.00025", 4, "-0.0002"),
        ("-0.00035", 4, "-0.0004"),
        ("2.5", 0, "2"),
        ("-1.5", 0, "-2"),
        ("69.995", 2, "70"),
    ] {
        let found = show(&rounded(&parse(value).unwrap(), digits));
        assert_eq!(found, expected, "{value} rounded to {digits}");
    }
}

#[test]
fn reads_and_shows_decimals() {
    for text in ["0", "-0.05", "123.000001", "99999999999999999999.5"] {
        assert_eq!(show(&parse(text).unwrap()), text);
    }
    for text in ["", "-", ".5", "1e5", "0x1", "1.2.3", "e14304c1-872f"] {
        assert!(parse(text).is_none(), "{text:?} is no decimal");
    }
    assert_eq!(show(&Number::new(1.into(), 3.into())), "1/3");
}

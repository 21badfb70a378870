//! Exact decimal arithmetic on integers: a value is `mantissa / 10^scale`.
//!
//! Every rounding is half to even and happens once. Where a product leaves 128 bits on its way to
//! a quotient it is carried in 256.

use datafusion::arrow::datatypes::i256;

/// The most digits a 128-bit decimal holds.
pub const DIGITS_MAX: u32 = 38;

/// `10^digits`, for up to 38 digits.
pub const fn pow10(digits: u32) -> i128 {
    10_i128.pow(digits)
}

/// `numerator / denominator` rounded half to even; the denominator is positive.
pub fn divide_half_even(numerator: i128, denominator: i128) -> i128 {
    // One division: the remainder by multiplication costs a tenth of a second one.
    let mut quotient = numerator / denominator;
    let mut remainder = numerator - quotient * denominator;
    if remainder < 0 {
        (quotient, remainder) = (quotient - 1, remainder + denominator);
    }
    // remainder against denominator - remainder: the doubled remainder could overflow.
    match remainder.cmp(&(denominator - remainder)) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + (quotient & 1),
    }
}

/// `a × b / denominator` rounded half to even, `None` where the result leaves 128 bits.
pub fn multiply_divide_half_even(a: i128, b: i128, denominator: i128) -> Option<i128> {
    if let Some(product) = a.checked_mul(b) {
        return Some(divide_half_even(product, denominator));
    }
    multiply_divide_wide(a, b, i256::from_i128(denominator))
}

/// As [`multiply_divide_half_even`], with a denominator of more than 128 bits.
pub fn multiply_divide_wide(a: i128, b: i128, denominator: i256) -> Option<i128> {
    let product = i256::from_i128(a).wrapping_mul(i256::from_i128(b));
    divide_wide_half_even(product, denominator)
}

/// As [`divide_half_even`], in 256 bits; `None` where the result leaves 128.
pub fn divide_wide_half_even(numerator: i256, denominator: i256) -> Option<i128> {
    if let (Some(numerator), Some(denominator)) = (numerator.to_i128(), denominator.to_i128())
        && denominator > 0
    {
        return Some(divide_half_even(numerator, denominator));
    }
    let mut quotient = numerator.checked_div(denominator)?;
    let mut remainder = numerator.wrapping_sub(quotient.wrapping_mul(denominator));
    if remainder < i256::ZERO {
        quotient = quotient.checked_sub(i256::ONE)?;
        remainder = remainder.checked_add(denominator)?;
    }
    let rest = denominator.checked_sub(remainder)?;
    let is_odd = quotient.to_parts().0 & 1 == 1;
    if remainder > rest || (remainder == rest && is_odd) {
        quotient = quotient.checked_add(i256::ONE)?;
    }
    quotient.to_i128()
}

/// A product in 256 bits, most of which fit 128.
pub fn product(factors: &[i128]) -> Option<i256> {
    let small = factors
        .iter()
        .try_fold(1_i128, |product, factor| product.checked_mul(*factor));
    if let Some(product) = small {
        return Some(i256::from_i128(product));
    }
    let mut factors = factors.iter();
    factors.try_fold(i256::ONE, |product, factor| {
        product.checked_mul(i256::from_i128(*factor))
    })
}

/// A product of two, likewise.
pub fn multiply_wide(a: i256, b: i256) -> Option<i256> {
    match (a.to_i128(), b.to_i128()) {
        (Some(a), Some(b)) => product(&[a, b]),
        _ => a.checked_mul(b),
    }
}

/// The mantissa at another scale, `None` where digits would be lost or it leaves 128 bits.
pub fn rescale_exact(mantissa: i128, from: i8, to: i8) -> Option<i128> {
    let digits = u32::from(to.abs_diff(from));
    if mantissa == 0 || digits == 0 {
        return Some(mantissa);
    }
    if digits > DIGITS_MAX {
        return None;
    }
    if to > from {
        return mantissa.checked_mul(pow10(digits));
    }
    (mantissa % pow10(digits) == 0).then(|| mantissa / pow10(digits))
}

/// The mantissa at another scale, rounded half to even, `None` where it leaves 128 bits.
pub fn rescale_half_even(mantissa: i128, from: i8, to: i8) -> Option<i128> {
    let digits = u32::from(to.abs_diff(from));
    if to >= from {
        return rescale_exact(mantissa, from, to);
    }
    if digits > DIGITS_MAX {
        return Some(0);
    }
    Some(divide_half_even(mantissa, pow10(digits)))
}

/// Reads a decimal number such as `-12.50` or `1.5e-7` without loss, as mantissa and scale with
/// no trailing zeros behind the point; `None` where the text is no number or needs over 38 digits.
pub fn parse(text: &str) -> Option<(i128, i8)> {
    let text = text.trim();
    let (number, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match number.as_bytes().first()? {
        b'-' => (true, &number[1..]),
        b'+' => (false, &number[1..]),
        _ => (false, number),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    if digits.is_empty() || digits == "." {
        return None;
    }
    let mut mantissa: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return None;
        }
        mantissa = mantissa
            .checked_mul(10)?
            .checked_add(i128::from(byte - b'0'))?;
    }
    let mut scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    if mantissa == 0 {
        return Some((0, 0));
    }
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    if scale < 0 {
        let digits = scale.unsigned_abs();
        if digits > DIGITS_MAX {
            return None;
        }
        mantissa = mantissa.checked_mul(pow10(digits))?;
        scale = 0;
    }
    let mantissa = if negative { -mantissa } else { mantissa };
    Some((mantissa, i8::try_from(scale).ok()?))
}

/// Writes `mantissa / 10^scale` without trailing zeros behind the point.
pub fn format(mantissa: i128, scale: i8) -> String {
    let (mut mantissa, mut scale) = (mantissa, scale);
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    let sign = if mantissa < 0 { "-" } else { "" };
    let digits = mantissa.unsigned_abs().to_string();
    let Ok(places) = usize::try_from(scale) else {
        return format!("{sign}{digits}{}", "0".repeat(scale.unsigned_abs().into()));
    };
    if places == 0 {
        return format!("{sign}{digits}");
    }
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    format!("{sign}{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_ties_to_even_on_both_sides_of_zero() {
        let rounded: Vec<i128> = [-25, -15, -5, 5, 15, 25]
            .iter()
            .map(|n| divide_half_even(*n, 10))
            .collect();
        assert_eq!(rounded, [-2, -2, 0, 0, 2, 2]);
        assert_eq!(divide_half_even(i128::MAX, i128::MAX), 1);
    }

    #[test]
    fn wide_products_round_as_narrow_ones_do() {
        let wide = pow10(30);
        for n in [-25, -15, -14, -5, 0, 5, 14, 15, 25_i128] {
            assert_eq!(
                multiply_divide_half_even(n * wide, wide, 10 * wide),
                Some(n * wide / 10),
                "{n}"
            );
            assert_eq!(
                multiply_divide_wide(n, 1, i256::from_i128(10)),
                multiply_divide_half_even(n, 1, 10),
                "{n}"
            );
        }
        assert_eq!(multiply_divide_half_even(i128::MAX, i128::MAX, 1), None);
        assert_eq!(
            multiply_divide_half_even(i128::MAX, 15, pow10(1)),
            multiply_divide_half_even(i128::MAX, 3, 2)
        );
    }

    #[test]
    fn reads_and_writes_numbers() {
        for (text, expected) in [
            ("0", Some((0, 0))),
            ("-0.0", Some((0, 0))),
            ("12.50", Some((125, 1))),
            (".5", Some((5, 1))),
            ("5.", Some((5, 0))),
            ("1.5e-7", Some((15, 8))),
            ("1.5E3", Some((1500, 0))),
            ("100", Some((100, 0))),
            ("", None),
            (".", None),
            ("-", None),
            ("1.2.3", None),
            ("nan", None),
            ("1e99", None),
            ("0x10", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(format(-125, 1), "-12.5");
        assert_eq!(format(5, 3), "0.005");
        assert_eq!(format(1500, 2), "15");
        assert_eq!(format(0, 4), "0");
    }
}

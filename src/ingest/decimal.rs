//! Exact decimals: text, integers and binary floats become integers with a power-of-ten scale.
//!
//! Text is never read through a float. A float stands for its shortest decimal representation, the
//! one that people see printed. Rounding, where a column holds fewer digits, is half to even.

use std::cmp::Ordering;
use std::fmt::Write;

use hindsight_udfs::price_book::PRICE_DIGITS_MAX;

/// `digits × 10^exponent`, negated if `negative`; `inexact` if nonzero digits after the 38th were cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: u128,
    exponent: i32,
    inexact: bool,
}

/// Why a number is not a price of this engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotAPrice {
    Negative,
    /// Rounded to the digits that there is room for, it would move further than is allowed.
    TooFine,
    /// The mantissa is not below `i64::MAX`.
    TooLong,
}

/// How far rounding may move a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Rounding {
    /// By at most 1e-9 of itself.
    #[default]
    Slight,
    /// As far as it must, since the user said so.
    Any,
}

/// Whether `rounded` is within 1e-9 of `exact`, both in the same unit.
pub(super) fn is_slight(exact: u128, rounded: u128) -> bool {
    exact.abs_diff(rounded) <= exact / 1_000_000_000
}

impl Decimal {
    /// A plain or scientific decimal number: `-12.5`, `.5`, `1e-7`.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (negative, mut rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        // The first 19 digits fit a u64, which is faster.
        let (mut short, mut long) = (0_u64, 0_u128);
        let mut significant = 0_u32;
        let (mut any, mut in_fraction, mut inexact) = (false, false, false);
        let mut exponent = 0_i32;
        while let [byte, tail @ ..] = rest {
            match byte {
                b'0'..=b'9' => {
                    let digit = byte - b'0';
                    any = true;
                    if significant < 38 {
                        if significant < 19 {
                            short = short * 10 + u64::from(digit);
                            long = u128::from(short);
                        } else {
                            long = long * 10 + u128::from(digit);
                        }
                        significant += u32::from(significant > 0 || digit > 0);
                        exponent -= i32::from(in_fraction);
                    } else {
                        inexact |= digit > 0;
                        exponent += i32::from(!in_fraction);
                    }
                }
                b'.' if !in_fraction => in_fraction = true,
                b'e' | b'E' if any => {
                    let power: i32 = std::str::from_utf8(tail).ok()?.parse().ok()?;
                    exponent = exponent.checked_add(power)?;
                    rest = &[];
                    continue;
                }
                _ => return None,
            }
            rest = tail;
        }
        any.then_some(Self {
            negative,
            digits: long,
            exponent,
            inexact,
        })
    }

    pub(super) fn from_integer(value: i128, scale: i8) -> Self {
        Self {
            negative: value < 0,
            digits: value.unsigned_abs(),
            exponent: -i32::from(scale),
            inexact: false,
        }
    }

    /// The shortest decimal that reads back as `value`; `None` for NaN and infinities. `scratch` is
    /// kept by the caller to save allocations.
    pub(super) fn from_float(value: f64, scratch: &mut String) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        scratch.clear();
        write!(scratch, "{value:e}").ok()?;
        Self::parse(scratch.as_bytes())
    }

    /// The value as an integer count of `10^-scale`, and whether it was rounded; `None` where it has
    /// more than `precision` digits.
    pub(super) fn at_scale(&self, precision: u8, scale: u8) -> Option<(i128, bool)> {
        let (magnitude, of_exact) = self.magnitude_at(scale)?;
        let value = i128::try_from(magnitude).ok()?;
        (magnitude < power_of_ten(u32::from(precision))?)
            .then_some((if self.negative { -value } else { value }, of_exact.is_ne()))
    }

    /// The value without its sign, rounded half to even to a count of `10^-scale`, and how that
    /// compares to what it was.
    fn magnitude_at(&self, scale: u8) -> Option<(u128, Ordering)> {
        let below = match self.inexact {
            true => Ordering::Less,
            false => Ordering::Equal,
        };
        let shift = self.exponent.checked_add(i32::from(scale))?;
        if self.digits == 0 {
            return Some((0, below));
        }
        if shift >= 0 {
            let power = power_of_ten(u32::try_from(shift).ok()?)?;
            return Some((self.digits.checked_mul(power)?, below));
        }
        let Some(divisor) = power_of_ten(shift.unsigned_abs()) else {
            return Some((0, Ordering::Less));
        };
        let (quotient, remainder) = (self.digits / divisor, self.digits % divisor);
        let is_up = match remainder.cmp(&(divisor / 2)) {
            Ordering::Less => false,
            Ordering::Equal => self.inexact || quotient % 2 == 1,
            Ordering::Greater => true,
        };
        Some(match (is_up, remainder) {
            (true, _) => (quotient + 1, Ordering::Greater),
            (false, 0) => (quotient, below),
            (false, _) => (quotient, Ordering::Less),
        })
    }

    pub(super) fn is_negative(&self) -> bool {
        self.negative && self.digits > 0
    }

    /// Whether the value is above `limit × 10^-scale`, which it is close to.
    pub(super) fn is_above(&self, limit: u128, scale: u8) -> bool {
        let shift = -(self.exponent.saturating_add(i32::from(scale)));
        let scaled = u32::try_from(shift)
            .ok()
            .and_then(power_of_ten)
            .and_then(|power| limit.checked_mul(power));
        match scaled {
            Some(scaled) => self.digits > scaled || (self.digits == scaled && self.inexact),
            // No more digits than the scale has: nothing was rounded away.
            None => false,
        }
    }

    /// The value in units of `10^power`, and whether it was rounded.
    pub(super) fn scaled_down(mut self, power: u8) -> Option<(i128, bool)> {
        self.exponent = self.exponent.checked_sub(i32::from(power))?;
        self.at_scale(38, 0)
    }

    /// The value as an exact price: its mantissa and scale.
    pub(super) fn exact_price(&self) -> Result<(i64, u8), NotAPrice> {
        if self.is_negative() {
            return Err(NotAPrice::Negative);
        }
        let (mut digits, mut exponent) = (self.digits, self.exponent);
        if digits == 0 {
            return Ok((0, 0));
        }
        while exponent < 0
            && (exponent < -i32::from(PRICE_DIGITS_MAX) || digits >= MANTISSA_LIMIT)
            && digits % 10 == 0
        {
            digits /= 10;
            exponent += 1;
        }
        if exponent < -i32::from(PRICE_DIGITS_MAX) || (self.inexact && exponent < 0) {
            return Err(NotAPrice::TooFine);
        }
        if exponent > 0 {
            digits = power_of_ten(exponent.unsigned_abs())
                .and_then(|power| digits.checked_mul(power))
                .ok_or(NotAPrice::TooLong)?;
            exponent = 0;
        }
        price_mantissa(digits)
            .map(|mantissa| (mantissa, exponent.unsigned_abs() as u8))
            .ok_or(NotAPrice::TooLong)
    }

    /// The value as a price: its mantissa and scale, and how it compares to the value.
    pub(super) fn price(&self, rounding: Rounding) -> Result<(i64, u8, Ordering), NotAPrice> {
        match self.exact_price() {
            Ok((mantissa, scale)) => Ok((mantissa, scale, Ordering::Equal)),
            Err(NotAPrice::Negative) => Err(NotAPrice::Negative),
            Err(_) => self.rounded_price(rounding),
        }
    }

    /// Rounded to as many digits as there is room for.
    #[cold]
    fn rounded_price(&self, rounding: Rounding) -> Result<(i64, u8, Ordering), NotAPrice> {
        let (mantissa, scale, of_exact) = (0..=PRICE_DIGITS_MAX)
            .rev()
            .find_map(|scale| {
                let (value, of_exact) = self.magnitude_at(scale)?;
                price_mantissa(value).map(|mantissa| (mantissa, scale, of_exact))
            })
            .ok_or(NotAPrice::TooLong)?;
        if rounding == Rounding::Slight && !self.is_slightly(mantissa.into(), scale) {
            return Err(NotAPrice::TooFine);
        }
        match mantissa {
            0 => Ok((0, 0, of_exact)),
            _ => Ok((mantissa, scale, of_exact)),
        }
    }

    /// Whether `value × 10^-scale`, to which this was rounded, is within 1e-9 of it.
    pub(super) fn is_slightly(&self, value: i128, scale: u8) -> bool {
        let dropped = -self.exponent.saturating_add(i32::from(scale));
        let Ok(dropped) = u32::try_from(dropped) else {
            // No digit was dropped.
            return true;
        };
        match power_of_ten(dropped).and_then(|power| value.unsigned_abs().checked_mul(power)) {
            Some(rounded) => is_slight(self.digits, rounded),
            None => self.digits == 0,
        }
    }

    /// Whether the digits that were written end before the units, as in `1.73569E+12`.
    pub(super) fn ends_before_units(&self) -> bool {
        self.exponent > 0 && self.digits > 0
    }
}

/// The count of `10^-scale` that `value` stands for, where its shortest decimal representation has
/// at most 15 digits and `scale` of them, or fewer, after the point.
///
/// Decimals of up to 15 digits are told apart by f64, so one that reads back as `value` is its
/// shortest representation; and an integer below 2^53 over a power of ten up to 10^22 is read
/// correctly by one division.
pub(super) fn short_float(value: f64, scale: u8) -> Option<i64> {
    const POWERS: [f64; 19] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18,
    ];
    let power = *POWERS.get(usize::from(scale))?;
    // For a value that is not negative, adding a half and cutting rounds; a wrong guess is found out.
    let candidate = (value * power + 0.5) as i64;
    let short = (0..1_000_000_000_000_000).contains(&candidate);
    (short && candidate as f64 / power == value).then_some(candidate)
}

/// `10^power`, where it is below 2^127.
pub(super) fn power_of_ten(power: u32) -> Option<u128> {
    (power <= 38).then(|| 10_u128.pow(power))
}

/// A mantissa as the price book keeps it.
pub(super) fn price_mantissa(value: u128) -> Option<i64> {
    if value < MANTISSA_LIMIT {
        i64::try_from(value).ok()
    } else {
        None
    }
}

const MANTISSA_LIMIT: u128 = i64::MAX as u128;
#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        reason = "a test may stop at what it did not expect"
    )]

    use super::*;

    fn parse(text: &str) -> Decimal {
        Decimal::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn text_is_read_exactly() {
        for (text, precision, scale, expected) in [
            ("0", 7, 2, (0, false)),
            ("-0.0", 7, 2, (0, false)),
            ("12.34", 7, 2, (1234, false)),
            (".5", 7, 2, (50, false)),
            ("5.", 7, 2, (500, false)),
            ("+1e2", 7, 2, (10_000, false)),
            ("1.25e-1", 7, 2, (12, true)),
            ("0.135", 7, 2, (14, true)),
            ("-0.125", 7, 2, (-12, true)),
            (
                "0.1250000000000000000000000000000000000000000001",
                7,
                2,
                (13, true),
            ),
            ("1e-400", 7, 2, (0, true)),
            (
                "99999999999.123456789",
                20,
                9,
                (99_999_999_999_123_456_789, false),
            ),
        ] {
            assert_eq!(
                parse(text).at_scale(precision, scale),
                Some(expected),
                "{text}"
            );
        }
        assert_eq!(parse("100000").at_scale(7, 2), None);
        assert_eq!(parse("1e400").at_scale(38, 18), None);
        for text in [
            "",
            "-",
            ".",
            "1.2.3",
            "1e",
            "e5",
            "0x1",
            "1,5",
            "NaN",
            "inf",
            "1 2",
            "1e99999999999",
        ] {
            assert_eq!(Decimal::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn prices_are_exact_or_refused() {
        assert_eq!(parse("0.000000000000000001").exact_price(), Ok((1, 18)));
        assert_eq!(
            parse("0.1000000000000000000000").exact_price(),
            Ok((100_000_000_000_000_000, 18))
        );
        assert_eq!(parse("1.5e-7").exact_price(), Ok((15, 8)));
        assert_eq!(parse("2e3").exact_price(), Ok((2000, 0)));
        assert_eq!(
            parse("12.000000000000000000").exact_price(),
            Ok((1_200_000_000_000_000_000, 17))
        );
        assert_eq!(
            parse("0.0000000000000000001").exact_price(),
            Err(NotAPrice::TooFine)
        );
        assert_eq!(
            parse("9223372036854775807").exact_price(),
            Err(NotAPrice::TooLong)
        );
        assert_eq!(
            parse("9223372036854775806").exact_price(),
            Ok((i64::MAX - 1, 0))
        );
        assert_eq!(parse("-1").exact_price(), Err(NotAPrice::Negative));
    }

    #[test]
    fn floats_are_their_shortest_decimals() {
        let mut scratch = String::new();
        let price = |value: f64, scratch: &mut String| {
            Decimal::from_float(value, scratch)
                .unwrap()
                .price(Rounding::Slight)
        };
        assert_eq!(price(0.1, &mut scratch), Ok((1, 1, Ordering::Equal)));
        assert_eq!(
            price(1.2345678901234567e-5, &mut scratch),
            Ok((12_345_678_901_235, 18, Ordering::Greater))
        );
        assert_eq!(price(1e300, &mut scratch), Err(NotAPrice::TooLong));
        assert_eq!(
            price(1.2345678901234567e-12, &mut scratch),
            Err(NotAPrice::TooFine)
        );
        assert_eq!(Decimal::from_float(f64::NAN, &mut scratch), None);
        for (value, scale, expected) in [
            (0.1, 1, Some(1)),
            (0.1, 9, Some(100_000_000)),
            (0.1, 0, None),
            (0.0032111, 10, Some(32_111_000)),
            (0.1 + 0.2, 15, None),
            (123456789.0, 0, Some(123_456_789)),
        ] {
            assert_eq!(short_float(value, scale), expected, "{value} {scale}");
        }
    }

    #[test]
    fn prices_are_rounded_where_that_hardly_moves_them() {
        for (text, slight, any) in [
            (
                "1.2345678901234568e-05",
                Ok((12_345_678_901_235, 18, Ordering::Greater)),
                Ok((12_345_678_901_235, 18, Ordering::Greater)),
            ),
            // Half to even, up and down.
            (
                "1.0000000005000000005",
                Ok((1_000_000_000_500_000_000, 18, Ordering::Less)),
                Ok((1_000_000_000_500_000_000, 18, Ordering::Less)),
            ),
            (
                "1.0000000005000000015",
                Ok((1_000_000_000_500_000_002, 18, Ordering::Greater)),
                Ok((1_000_000_000_500_000_002, 18, Ordering::Greater)),
            ),
            // 5e-19 of 5e-10 is 1e-9 of it, and of a little less it is more.
            (
                "0.0000000005000000005",
                Ok((500_000_000, 18, Ordering::Less)),
                Ok((500_000_000, 18, Ordering::Less)),
            ),
            (
                "0.0000000004999999995",
                Err(NotAPrice::TooFine),
                Ok((500_000_000, 18, Ordering::Greater)),
            ),
            ("1e-20", Err(NotAPrice::TooFine), Ok((0, 0, Ordering::Less))),
            (
                "1e-400",
                Err(NotAPrice::TooFine),
                Ok((0, 0, Ordering::Less)),
            ),
            // More digits than 64 bits hold, but not before the point.
            (
                "150.12345678901234567",
                Ok((1_501_234_567_890_123_457, 16, Ordering::Greater)),
                Ok((1_501_234_567_890_123_457, 16, Ordering::Greater)),
            ),
            (
                "9223372036854775807",
                Err(NotAPrice::TooLong),
                Err(NotAPrice::TooLong),
            ),
            (
                "-1.00000000000000000001",
                Err(NotAPrice::Negative),
                Err(NotAPrice::Negative),
            ),
            (
                "12.5",
                Ok((125, 1, Ordering::Equal)),
                Ok((125, 1, Ordering::Equal)),
            ),
        ] {
            assert_eq!(parse(text).price(Rounding::Slight), slight, "{text}");
            assert_eq!(parse(text).price(Rounding::Any), any, "{text}");
        }
    }
}

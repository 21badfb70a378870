//! Exact decimals of `numeric`, as far as catalogs need them: 38 digits.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// `digits / 10^scale`.
#[derive(Clone, Copy, Debug)]
pub struct Numeric {
    pub digits: i128,
    pub scale: u32,
}

const MOST_DIGITS: u32 = 38;

impl Numeric {
    pub fn integer(value: i64) -> Self {
        Self {
            digits: i128::from(value),
            scale: 0,
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (is_negative, whole) = match whole.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, whole.strip_prefix('+').unwrap_or(whole)),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut digits = 0_i128;
        for letter in whole.chars().chain(fraction.chars()) {
            let digit = i128::from(letter.to_digit(10)?);
            digits = digits.checked_mul(10)?.checked_add(digit)?;
        }
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        let digits = if is_negative { -digits } else { digits };
        match u32::try_from(scale) {
            Ok(scale) => (scale <= MOST_DIGITS).then_some(Self { digits, scale }),
            Err(_) => Some(Self {
                digits: digits.checked_mul(10_i128.checked_pow(scale.unsigned_abs())?)?,
                scale: 0,
            }),
        }
    }

    /// The value at another scale, rounded half away from zero as PostgreSQL does.
    pub fn rescale(self, scale: u32) -> Option<Self> {
        if scale >= self.scale {
            let factor = 10_i128.checked_pow(scale - self.scale)?;
            let digits = self.digits.checked_mul(factor)?;
            return Some(Self { digits, scale });
        }
        let factor = 10_i128.checked_pow(self.scale - scale)?;
        let half = factor / 2 * self.digits.signum();
        let digits = self.digits.checked_add(half)? / factor;
        Some(Self { digits, scale })
    }

    fn aligned(self, other: Self) -> Option<(i128, i128, u32)> {
        let scale = self.scale.max(other.scale);
        let (a, b) = (self.rescale(scale)?, other.rescale(scale)?);
        Some((a.digits, b.digits, scale))
    }

    pub fn plus(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other)?;
        let digits = a.checked_add(b)?;
        Some(Self { digits, scale })
    }

    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negate())
    }

    pub fn times(self, other: Self) -> Option<Self> {
        Some(Self {
            digits: self.digits.checked_mul(other.digits)?,
            scale: self.scale + other.scale,
        })
    }

    /// The quotient with at least 16 digits that count, as PostgreSQL has it; none on overflow.
    pub fn divide(self, other: Self) -> Option<Self> {
        let scale = 16.max(self.scale).max(other.scale);
        let shift = scale + 1 + other.scale;
        let dividend = self.rescale(shift.max(self.scale))?;
        let quotient = dividend.digits.checked_div(other.digits)?;
        let scale_of_quotient = dividend.scale.checked_sub(other.scale)?;
        let quotient = Self {
            digits: quotient,
            scale: scale_of_quotient,
        };
        quotient.rescale(scale)
    }

    pub fn remainder(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other)?;
        let digits = a.checked_rem(b)?;
        Some(Self { digits, scale })
    }

    pub fn negate(self) -> Self {
        Self {
            digits: -self.digits,
            scale: self.scale,
        }
    }

    pub fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// Rounded half away from zero.
    pub fn to_integer(self) -> Option<i64> {
        i64::try_from(self.rescale(0)?.digits).ok()
    }

    pub fn to_float(self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// Without zeros at the end, so that equal values are equal in every part.
    fn normal(self) -> Self {
        let mut normal = self;
        while normal.scale > 0 && normal.digits % 10 == 0 {
            normal.digits /= 10;
            normal.scale -= 1;
        }
        normal
    }

    pub fn compare(&self, other: &Self) -> Ordering {
        match self.aligned(*other) {
            Some((a, b, _)) => a.cmp(&b),
            None => self.to_float().total_cmp(&other.to_float()),
        }
    }
}

impl Hash for Numeric {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let normal = self.normal();
        (normal.digits, normal.scale).hash(state);
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.digits < 0 { "-" } else { "" };
        let digits = self.digits.unsigned_abs().to_string();
        let scale = self.scale as usize;
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(value: Option<Numeric>) -> String {
        value.map_or_else(|| "none".into(), |value| value.to_string())
    }

    #[test]
    fn decimals_keep_their_digits() {
        let n = |text: &str| Numeric::parse(text);
        assert_eq!(show(n("1.50")), "1.50");
        assert_eq!(show(n("-0.05")), "-0.05");
        assert_eq!(show(n("1e3")), "1000");
        assert_eq!(show(n("12e-4")), "0.0012");
        assert_eq!(show(n(".5")), "0.5");
        assert_eq!(show(n("x")), "none");
        assert_eq!(show(n("")), "none");
        let divide = |a: &str, b: &str| show(n(a).zip(n(b)).and_then(|(a, b)| a.divide(b)));
        assert_eq!(divide("1", "3"), "0.3333333333333333");
        assert_eq!(divide("1", "0"), "none");
        assert_eq!(show(n("2.5").and_then(|n| n.rescale(0))), "3");
        assert_eq!(show(n("-2.5").and_then(|n| n.rescale(0))), "-3");
        assert_eq!(
            n("1.0").zip(n("1")).map(|(a, b)| a.compare(&b).is_eq()),
            Some(true)
        );
    }
}

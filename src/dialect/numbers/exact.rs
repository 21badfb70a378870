//! One exact decimal, and what PostgreSQL computes of it: quotients, roots, logarithms and powers
//! with as many digits as it has, by the rules of its `numeric.c`.

mod powers;

use std::cmp::Ordering;

use datafusion::arrow::datatypes::i256;
use num_bigint::{BigInt, Sign};

/// How many digits that count a quotient or a root has at least.
const SIGNIFICANT_DIGITS: i64 = 16;
/// The most digits behind the point.
const MOST_PLACES: i64 = 1_000;
/// Digits of PostgreSQL's `numeric` go in groups of four.
const GROUP: i64 = 4;

/// `digits / 10^places`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exact {
    pub digits: BigInt,
    pub places: i64,
}

/// What no number is the result of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undefined {
    DivisionByZero,
    RootOfNegative,
    LogarithmOfZero,
    LogarithmOfNegative,
    ZeroToNegative,
    NegativeToFraction,
    TooLarge,
}

impl Exact {
    pub fn new(digits: impl Into<BigInt>, places: i64) -> Self {
        Self {
            digits: digits.into(),
            places,
        }
    }

    pub fn of_i256(value: i256, places: i8) -> Self {
        let digits = match value.to_i128() {
            Some(small) => BigInt::from(small),
            None => BigInt::from_signed_bytes_le(&value.to_le_bytes()),
        };
        Self::new(digits, i64::from(places))
    }

    /// The digits at so many places, rounded half away from zero; `None` where they have no room.
    pub fn to_i256(&self, places: i8) -> Option<i256> {
        let digits = self.rounded(i64::from(places)).digits;
        if let Ok(small) = i128::try_from(&digits) {
            return Some(i256::from_i128(small));
        }
        // 76 digits, as Arrow's decimals have at most.
        if digits.magnitude().bits() > 253 {
            return None;
        }
        let fill = if digits.sign() == Sign::Minus {
            0xff
        } else {
            0
        };
        let mut bytes = [fill; 32];
        for (place, byte) in bytes.iter_mut().zip(digits.to_signed_bytes_le()) {
            *place = byte;
        }
        let value = i256::from_le_bytes(bytes);
        let most = i256::from_i128(10).checked_pow(76)?;
        (value.checked_abs()? < most).then_some(value)
    }

    pub fn is_zero(&self) -> bool {
        self.digits.sign() == Sign::NoSign
    }

    fn is_negative(&self) -> bool {
        self.digits.sign() == Sign::Minus
    }

    /// At so many places, rounded half away from zero; less than none are places before the point.
    pub fn rounded(&self, places: i64) -> Self {
        if places < 0 {
            let divisor = power_of_ten(self.places - places);
            let rounded = divide_half_up(&self.digits, &divisor);
            return Self::new(rounded * power_of_ten(-places), 0);
        }
        if places >= self.places {
            return Self::new(&self.digits * power_of_ten(places - self.places), places);
        }
        let divisor = power_of_ten(self.places - places);
        Self::new(divide_half_up(&self.digits, &divisor), places)
    }

    /// At so many places, the rest cut off.
    pub fn cut(&self, places: i64) -> Self {
        if places >= self.places {
            return self.rounded(places);
        }
        let cut = &self.digits / power_of_ten(self.places - places);
        match places < 0 {
            true => Self::new(cut * power_of_ten(-places), 0),
            false => Self::new(cut, places),
        }
    }

    /// The next whole number up or down.
    pub fn whole(&self, towards: Sign) -> Self {
        let cut = self.cut(0);
        let is_whole = cut.compare(self) == Ordering::Equal;
        match !is_whole && self.digits.sign() == towards {
            true if towards == Sign::Plus => Self::new(cut.digits + 1, 0),
            true => Self::new(cut.digits - 1, 0),
            false => cut,
        }
    }

    pub fn times(&self, other: &Self) -> Self {
        Self::new(&self.digits * &other.digits, self.places + other.places)
    }

    pub fn plus(&self, other: &Self) -> Self {
        let places = self.places.max(other.places);
        Self::new(
            self.rounded(places).digits + other.rounded(places).digits,
            places,
        )
    }

    pub fn minus(&self, other: &Self) -> Self {
        self.plus(&Self::new(-&other.digits, other.places))
    }

    /// How many decimal digits are before the point, less one: 0 of 5, 1 of 50, -1 of 0.5.
    fn magnitude(&self) -> i64 {
        if self.is_zero() {
            return 0;
        }
        self.digits.magnitude().to_string().len() as i64 - 1 - self.places
    }

    /// The power of 10,000 of the first group of four digits, and that group.
    fn first_group(&self) -> (i64, i64) {
        if self.is_zero() {
            return (0, 0);
        }
        let weight = self.magnitude().div_euclid(GROUP);
        let shift = self.places + weight * GROUP;
        let group = match shift >= 0 {
            true => self.digits.magnitude() / power_of_ten(shift).magnitude(),
            false => self.digits.magnitude() * power_of_ten(-shift).magnitude(),
        };
        (weight, i64::try_from(group).unwrap_or_default())
    }

    /// A value of open places with those that PostgreSQL would have given it: without the zeros that
    /// fill them, but with at least 16 digits that count.
    pub fn opened(self) -> Self {
        let value = self.shortest();
        let (weight, _) = value.first_group();
        let places = clamped(SIGNIFICANT_DIGITS - weight * GROUP);
        match places > value.places {
            true => value.rounded(places),
            false => value,
        }
    }

    /// Without zeros at the end.
    pub fn shortest(mut self) -> Self {
        let ten = BigInt::from(10_u8);
        while self.places > 0 {
            let shorter = &self.digits / &ten;
            if &shorter * &ten != self.digits {
                break;
            }
            self.digits = shorter;
            self.places -= 1;
        }
        self
    }

    fn to_float(&self) -> f64 {
        let text = format!("{}e{}", self.digits, -self.places);
        text.parse().unwrap_or(f64::NAN)
    }

    /// How many places a quotient has: at least 16 digits that count, and those of both sides.
    fn places_of_quotient(&self, divisor: &Self) -> i64 {
        let (weight, first) = self.first_group();
        let (weight_below, first_below) = divisor.first_group();
        let mut of_quotient = weight - weight_below;
        if first <= first_below {
            of_quotient -= 1;
        }
        let places = SIGNIFICANT_DIGITS - of_quotient * GROUP;
        clamped(places.max(self.places).max(divisor.places))
    }

    pub fn divided_by(&self, divisor: &Self) -> Result<Self, Undefined> {
        if divisor.is_zero() {
            return Err(Undefined::DivisionByZero);
        }
        let places = self.places_of_quotient(divisor);
        self.quotient(divisor, places)
    }

    fn quotient(&self, divisor: &Self, places: i64) -> Result<Self, Undefined> {
        if divisor.is_zero() {
            return Err(Undefined::DivisionByZero);
        }
        let shift = places + divisor.places - self.places;
        let digits = match shift >= 0 {
            true => divide_half_up(&(&self.digits * power_of_ten(shift)), &divisor.digits),
            false => divide_half_up(&self.digits, &(&divisor.digits * power_of_ten(-shift))),
        };
        Ok(Self::new(digits, places))
    }

    pub fn compare(&self, other: &Self) -> Ordering {
        let places = self.places.max(other.places);
        let (left, right) = (self.rounded(places), other.rounded(places));
        left.digits.cmp(&right.digits)
    }

    /// The variance of so many values by their sum and the sum of their squares, or its root.
    pub fn deviation(
        count: u64,
        sum: &Self,
        squares: &Self,
        is_sample: bool,
        is_root: bool,
    ) -> Result<Self, Undefined> {
        let number = BigInt::from(count);
        let number_exact = Self::new(number.clone(), 0);
        let above = number_exact.times(squares).minus(&sum.times(sum));
        if above.digits.sign() != Sign::Plus {
            return Ok(Self::new(0, 0));
        }
        let below = match is_sample {
            true => &number * (&number - 1_u32),
            false => &number * &number,
        };
        let below = Self::new(below, 0);
        let places = above.places_of_quotient(&below);
        let variance = above.quotient(&below, places)?;
        match is_root {
            true => variance.root(places),
            false => Ok(variance),
        }
    }
}

fn clamped(places: i64) -> i64 {
    places.clamp(0, MOST_PLACES)
}

fn power_of_ten(exponent: i64) -> BigInt {
    BigInt::from(10_u8).pow(u32::try_from(exponent).unwrap_or_default())
}

/// The quotient, rounded half away from zero.
fn divide_half_up(dividend: &BigInt, divisor: &BigInt) -> BigInt {
    let is_negative = (dividend.sign() == Sign::Minus) != (divisor.sign() == Sign::Minus);
    let (above, below) = (dividend.magnitude(), divisor.magnitude());
    let quotient = (above * 2_u32 + below) / (below * 2_u32);
    let sign = if is_negative { Sign::Minus } else { Sign::Plus };
    BigInt::from_biguint(sign, quotient)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits: BigInt = format!("{whole}{fraction}").parse().unwrap_or_default();
        Exact::new(digits, fraction.len() as i64)
    }

    fn shown(value: Result<Exact, Undefined>) -> String {
        match value {
            Ok(value) => {
                let width = value.places as usize + 1 + usize::from(value.is_negative());
                let digits = format!("{:0width$}", value.digits);
                let (whole, fraction) = digits.split_at(digits.len() - value.places as usize);
                format!("{whole}.{fraction}")
            }
            Err(undefined) => format!("{undefined:?}"),
        }
    }

    /// What PostgreSQL 15 answers.
    #[test]
    fn digits_are_those_of_postgresql() {
        let divided = |a: &str, b: &str| shown(exact(a).divided_by(&exact(b)));
        assert_eq!(divided("1.0", "3"), "0.33333333333333333333");
        assert_eq!(divided("10", "4"), "2.5000000000000000");
        assert_eq!(divided("-7", "2"), "-3.5000000000000000");
        assert_eq!(divided("1", "0"), "DivisionByZero");
        assert_eq!(shown(exact("2").square_root()), "1.414213562373095");
        assert_eq!(shown(exact("-2").square_root()), "RootOfNegative");
        assert_eq!(shown(exact("1.0").exponential()), "2.7182818284590452");
        assert_eq!(shown(exact("2").natural_logarithm()), "0.6931471805599453");
        assert_eq!(
            shown(exact("80.5").logarithm(&exact("10"))),
            "1.9057958803678685"
        );
        assert_eq!(
            shown(exact("2.0").power(&exact("0.5"))),
            "1.4142135623730950"
        );
        assert_eq!(shown(exact("2").power(&exact("3"))), "8.0000000000000000");
        assert_eq!(shown(exact("0").power(&exact("-1"))), "ZeroToNegative");
        assert_eq!(
            shown(exact("-2").power(&exact("0.5"))),
            "NegativeToFraction"
        );
    }
}

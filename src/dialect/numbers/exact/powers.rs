//! Roots, exponentials, logarithms and powers.

use std::cmp::Ordering;

use num_bigint::Sign;

use super::{Exact, GROUP, SIGNIFICANT_DIGITS, Undefined, clamped, power_of_ten};

/// Digits that are computed beyond those that are kept.
const GUARD: i64 = 12;

impl Exact {
    pub fn square_root(&self) -> Result<Self, Undefined> {
        let (weight, _) = self.first_group();
        let of_root = (weight + 1) * GROUP / 2 - 1;
        self.root(clamped((SIGNIFICANT_DIGITS - of_root).max(self.places)))
    }

    pub(super) fn root(&self, places: i64) -> Result<Self, Undefined> {
        if self.is_negative() {
            return Err(Undefined::RootOfNegative);
        }
        let shift = 2 * (places + 1) - self.places;
        let digits = match shift >= 0 {
            true => &self.digits * power_of_ten(shift),
            false => &self.digits / power_of_ten(-shift),
        };
        Ok(Self::new(digits.sqrt(), places + 1).rounded(places))
    }

    pub fn exponential(&self) -> Result<Self, Undefined> {
        let magnitude = self.to_float() * std::f64::consts::LOG10_E;
        if magnitude > 200.0 {
            return Err(Undefined::TooLarge);
        }
        let magnitude = magnitude.max(-2_000.0) as i64;
        let places = clamped((SIGNIFICANT_DIGITS - magnitude).max(self.places));
        Ok(self.exponential_at(places))
    }

    /// `e^self` at so many places: the argument is halved until its series is short.
    fn exponential_at(&self, places: i64) -> Self {
        let magnitude = (self.to_float() * std::f64::consts::LOG10_E).max(0.0) as i64;
        let halvings = 12 + 4 * magnitude.max(self.magnitude().max(0));
        let working = places + magnitude + GUARD + halvings / 3 + 1;
        let unit = power_of_ten(working);
        let small = self.rounded(working).digits >> halvings as u64;
        let mut sum = unit.clone();
        let mut term = unit.clone();
        let mut count = 1_u32;
        loop {
            term = &term * &small / &unit / count;
            if term.sign() == Sign::NoSign {
                break;
            }
            sum += &term;
            count += 1;
        }
        for _ in 0..halvings {
            sum = &sum * &sum / &unit;
        }
        Self::new(sum, working).rounded(places)
    }

    /// The decimal digits before the point of the natural logarithm, less one, as PostgreSQL
    /// estimates them.
    fn magnitude_of_logarithm(&self) -> i64 {
        let near_one = |text: &str| {
            let tenths = Self::new(text.parse::<i64>().unwrap_or_default(), 1);
            self.compare(&tenths)
        };
        if near_one("9") != Ordering::Less && near_one("11") != Ordering::Greater {
            let off = self.minus(&Self::new(1, 0));
            if off.is_zero() {
                return 0;
            }
            let (weight, first) = off.first_group();
            return weight * GROUP + (first as f64).log10() as i64;
        }
        let logarithm = self.logarithm_as_float();
        logarithm.abs().log10() as i64
    }

    fn logarithm_as_float(&self) -> f64 {
        let magnitude = self.magnitude();
        let mantissa = Self::new(self.digits.clone(), self.places + magnitude);
        mantissa.to_float().ln() + magnitude as f64 * std::f64::consts::LN_10
    }

    fn check_logarithm(&self) -> Result<(), Undefined> {
        match self.digits.sign() {
            Sign::Minus => Err(Undefined::LogarithmOfNegative),
            Sign::NoSign => Err(Undefined::LogarithmOfZero),
            Sign::Plus => Ok(()),
        }
    }

    pub fn natural_logarithm(&self) -> Result<Self, Undefined> {
        self.check_logarithm()?;
        let places = SIGNIFICANT_DIGITS - self.magnitude_of_logarithm();
        Ok(self.logarithm_at(clamped(places.max(self.places))))
    }

    /// The natural logarithm at so many places: roots bring the argument near one, where
    /// `2 artanh((x - 1) / (x + 1))` is short.
    fn logarithm_at(&self, places: i64) -> Self {
        const ROOTS: u64 = 10;
        let working = places.max(0) + GUARD + 8;
        let magnitude = self.magnitude();
        let unit = power_of_ten(working);
        let mantissa = |value: &Self, exponent: i64| {
            Self::new(value.digits.clone(), value.places + exponent).rounded(working)
        };
        let of_mantissa = |mantissa: Self| {
            let mut root = mantissa.digits;
            for _ in 0..ROOTS {
                root = (root * &unit).sqrt();
            }
            let small = (&root - &unit) * &unit / (&root + &unit);
            let square = &small * &small / &unit;
            let (mut sum, mut power, mut odd) = (small.clone(), small, 1_u32);
            loop {
                power = &power * &square / &unit;
                odd += 2;
                let term = &power / odd;
                if term.sign() == Sign::NoSign {
                    break;
                }
                sum += term;
            }
            sum << (ROOTS + 1)
        };
        let mut sum = of_mantissa(mantissa(self, magnitude));
        if magnitude != 0 {
            sum += of_mantissa(Self::new(10, 0).rounded(working)) * magnitude;
        }
        Self::new(sum, working).rounded(places)
    }

    /// The logarithm to a base.
    pub fn logarithm(&self, base: &Self) -> Result<Self, Undefined> {
        self.check_logarithm()?;
        base.check_logarithm()?;
        let of_result = self.magnitude_of_logarithm() - base.magnitude_of_logarithm();
        let places = SIGNIFICANT_DIGITS - of_result;
        let places = clamped(places.max(self.places).max(base.places));
        let working = places + GUARD + self.magnitude_of_logarithm().abs();
        let below = base.logarithm_at(working);
        self.logarithm_at(working).quotient(&below, places)
    }

    pub fn power(&self, exponent: &Self) -> Result<Self, Undefined> {
        let whole = exponent.rounded(0);
        let is_whole = exponent.compare(&whole) == Ordering::Equal;
        if self.is_zero() {
            return match exponent.digits.sign() {
                Sign::Minus => Err(Undefined::ZeroToNegative),
                Sign::NoSign => Ok(Self::new(1, 0).rounded(SIGNIFICANT_DIGITS)),
                Sign::Plus => Ok(Self::new(0, SIGNIFICANT_DIGITS)),
            };
        }
        if is_whole && let Ok(whole) = i32::try_from(&whole.digits) {
            return self.whole_power(whole);
        }
        if self.is_negative() {
            return Err(Undefined::NegativeToFraction);
        }
        let logarithm = self.magnitude_of_logarithm();
        let rough = self.logarithm_as_float() * exponent.to_float();
        let magnitude = rough * std::f64::consts::LOG10_E;
        if magnitude > 200.0 {
            return Err(Undefined::TooLarge);
        }
        let magnitude = magnitude.max(-1_000.0) as i64;
        let places = SIGNIFICANT_DIGITS - magnitude;
        let places = clamped(places.max(self.places).max(exponent.places));
        let working = places + magnitude - logarithm + 8 + GUARD + exponent.magnitude().max(0);
        let argument = self.logarithm_at(working.max(0)).times(exponent);
        Ok(argument.exponential_at(places))
    }

    fn whole_power(&self, exponent: i32) -> Result<Self, Undefined> {
        let places = clamped(SIGNIFICANT_DIGITS.max(self.places));
        let size = (self.magnitude() + 1) * i64::from(exponent);
        if size > 400 {
            return Err(Undefined::TooLarge);
        }
        // What is too small for every digit that is kept.
        if self.magnitude() < 0 && (self.magnitude() + 1) * i64::from(exponent) < -places - 2 {
            return Ok(Self::new(0, places));
        }
        let raised = Self::new(
            self.digits.pow(exponent.unsigned_abs()),
            self.places * i64::from(exponent.unsigned_abs()),
        );
        match exponent < 0 {
            true => Self::new(1, 0).quotient(&raised, places),
            false => Ok(raised.rounded(places)),
        }
    }
}

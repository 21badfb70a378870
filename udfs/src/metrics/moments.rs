//! Counts, sums and sums of squares, from which the ratios of gain to risk are made, exactly: the
//! square root of a ratio of whole numbers, rounded once.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Field, FieldRef, Int64Type, i256,
};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::Accumulator;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};

use crate::arguments::{decimal_array, refuse};
use crate::decimal::pow10;

/// The type of a ratio.
pub const RATIO: DataType = DataType::Decimal128(38, 4);
/// Days of a year, by which ratios over days are made those of a year.
pub const YEAR_DAYS: i64 = 365;
/// What a ratio is multiplied by, squared: its four digits.
const UNITS_SQUARED: i128 = pow10(8);
const SUM: DataType = DataType::Decimal128(38, 9);
const SQUARES: DataType = DataType::Decimal256(76, 18);

/// What amounts add up to; lamports, and lamports squared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moments {
    pub count: i64,
    pub sum: i128,
    pub squares: i256,
    /// The squares of the amounts below 0.
    pub falls: i256,
}

impl Moments {
    /// Takes one amount in.
    pub fn add(&mut self, amount: i128) {
        let square = match i64::try_from(amount) {
            Ok(amount) => wide(i128::from(amount) * i128::from(amount)),
            Err(_) => wide(amount).wrapping_mul(wide(amount)),
        };
        self.count += 1;
        self.sum = self.sum.saturating_add(amount);
        self.squares = self.squares.wrapping_add(square);
        if amount < 0 {
            self.falls = self.falls.wrapping_add(square);
        }
    }

    /// Takes the amounts of another part in.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.squares = self.squares.wrapping_add(other.squares);
        self.falls = self.falls.wrapping_add(other.falls);
    }

    /// `sum × √(factor / below)` rounded half to even, × 10^4; `None` where `below` is 0.
    pub(super) fn ratio(&self, factor: i128, below: Option<i256>) -> Result<Option<i128>> {
        if below == Some(i256::ZERO) {
            return Ok(None);
        }
        let root = below.and_then(|below| {
            let square = wide(self.sum).checked_mul(wide(self.sum))?;
            let above = square.checked_mul(wide(factor))?;
            rounded_root(above.checked_mul(wide(UNITS_SQUARED))?, below)
        });
        match root {
            Some(root) => Ok(Some(root * self.sum.signum())),
            None => refuse(
                "pnl",
                "few and small enough for the ratio to be worked out",
                format!("{} amounts", self.count),
            ),
        }
    }

    /// `count × Σx² − (Σx)²`, the count squared times the variance; `None` where 256 bits do not
    /// hold it.
    pub(super) fn spread(&self) -> Option<i256> {
        let squares = self.squares.checked_mul(wide(self.count.into()))?;
        squares.checked_sub(wide(self.sum).checked_mul(wide(self.sum))?)
    }

    /// The squares of the amounts below 0, times the count.
    pub(super) fn counted_falls(&self) -> Option<i256> {
        self.falls.checked_mul(wide(self.count.into()))
    }
}

fn wide(value: i128) -> i256 {
    i256::from_i128(value)
}

/// `√(above / below)` rounded half to even, of numbers of 0 or more and above 0; `None` where it
/// leaves 128 bits.
fn rounded_root(above: i256, below: i256) -> Option<i128> {
    let root = whole_root(above.checked_div(below)?)?;
    // Above the middle between two results, at it, or below it: (2 × root + 1)² against 4 × ratio.
    let middle = wide(root).checked_mul(wide(2))?.checked_add(i256::ONE)?;
    let middle = middle.checked_mul(middle)?.checked_mul(below)?;
    Some(match above.checked_mul(wide(4))?.cmp(&middle) {
        std::cmp::Ordering::Less => root,
        std::cmp::Ordering::Equal => root + (root & 1),
        std::cmp::Ordering::Greater => root + 1,
    })
}

/// The largest whole number whose square is no more than this one, which is 0 or more.
fn whole_root(square: i256) -> Option<i128> {
    if let Some(square) = square.to_i128() {
        return Some(square.isqrt());
    }
    // Newton's way from above: it falls until it is there.
    let (_, high) = square.to_parts();
    let bits = 256 - high.leading_zeros();
    let mut root = wide(1) << u8::try_from(bits.div_ceil(2)).ok()?;
    loop {
        let next = root.checked_add(square.checked_div(root)?)? >> 1;
        if next >= root {
            return root.to_i128();
        }
        root = next;
    }
}

/// Keeps [`Moments`] and makes a ratio of them.
#[derive(Debug)]
pub struct MomentsAccumulator {
    moments: Moments,
    ratio: fn(&Moments) -> Result<Option<i128>>,
}

impl MomentsAccumulator {
    /// An accumulator of one ratio.
    pub fn boxed(
        args: &AccumulatorArgs,
        ratio: fn(&Moments) -> Result<Option<i128>>,
    ) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return Err(DataFusionError::NotImplemented(format!(
                "{} counts every amount: DISTINCT is not supported",
                args.name
            )));
        }
        Ok(Box::new(Self {
            moments: Moments::default(),
            ratio,
        }))
    }
}

/// The fields of a [`MomentsAccumulator`]'s state.
pub fn state_fields(args: &StateFieldsArgs) -> Vec<FieldRef> {
    let field = |name: &str, data_type: DataType| -> FieldRef {
        let name = format!("{}[{name}]", args.name);
        Arc::new(Field::new(name, data_type, true))
    };
    vec![
        field("count", DataType::Int64),
        field("sum", SUM),
        field("squares", SQUARES),
        field("falls", SQUARES),
    ]
}

impl Accumulator for MomentsAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for amount in decimal_array("pnl", &values[0], 9)?.iter().flatten() {
            self.moments.add(amount);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let ratio = (self.ratio)(&self.moments)?;
        Ok(ScalarValue::Decimal128(ratio, 38, 4))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Moments {
            count,
            sum,
            squares,
            falls,
        } = self.moments;
        Ok(vec![
            ScalarValue::Int64(Some(count)),
            ScalarValue::Decimal128(Some(sum), 38, 9),
            ScalarValue::Decimal256(Some(squares), 76, 18),
            ScalarValue::Decimal256(Some(falls), 76, 18),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for row in (0..states[0].len()).filter(|row| states[0].is_valid(*row)) {
            self.moments.merge(&Moments {
                count: states[0].as_primitive::<Int64Type>().value(row),
                sum: states[1].as_primitive::<Decimal128Type>().value(row),
                squares: states[2].as_primitive::<Decimal256Type>().value(row),
                falls: states[3].as_primitive::<Decimal256Type>().value(row),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(above: i128, below: i128) -> Option<i128> {
        rounded_root(wide(above), wide(below))
    }

    #[test]
    fn roots_round_half_to_even() {
        for n in 0..2_000_i128 {
            // The middle between n and n + 1, and what lies at its sides.
            let middle = (2 * n + 1) * (2 * n + 1);
            assert_eq!(root(middle * 1_000 - 1, 4_000), Some(n), "{n}");
            assert_eq!(root(middle, 4), Some(n + (n & 1)), "{n}");
            assert_eq!(root(middle * 1_000 + 1, 4_000), Some(n + 1), "{n}");
            assert_eq!(root(n * n, 1), Some(n), "{n}");
        }
    }

    #[test]
    fn roots_of_more_than_128_bits_are_exact() {
        for n in [pow10(20), pow10(20) + 1, pow10(37) - 1, (1 << 120) - 1] {
            let square = wide(n).wrapping_mul(wide(n));
            assert_eq!(whole_root(square), Some(n));
            assert_eq!(whole_root(square.wrapping_sub(i256::ONE)), Some(n - 1));
            let next = wide(n + 1).wrapping_mul(wide(n + 1));
            assert_eq!(whole_root(next.wrapping_sub(i256::ONE)), Some(n));
        }
        assert_eq!(rounded_root(i256::MAX, i256::ONE), None);
    }

    #[test]
    fn two_parts_are_the_whole() {
        let (mut whole, mut halves) = (Moments::default(), [Moments::default(); 2]);
        for n in 0..100_i128 {
            let amount = (n * 7_919 % 201 - 100) * pow10(19);
            whole.add(amount);
            halves[usize::from(n % 3 == 0)].add(amount);
        }
        let [mut first, second] = halves;
        first.merge(&second);
        assert_eq!(first, whole);
    }
}

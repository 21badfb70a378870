//! Sums of values and of their squares, which averages and deviations are computed of.

use std::collections::VecDeque;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoArray};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{
    DataType, DurationMicrosecondType, Float64Type, Int64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, TimeUnit,
};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::Accumulator;
use num_bigint::BigInt;

use super::aggregates::Statistic;
use super::columns::{Exacts, failed};
use super::exact::{Exact, Undefined};
use super::types;

/// What one partition tells another.
pub const STATE: [(&str, DataType); 3] = [
    ("count", DataType::Int64),
    ("sum", DataType::Utf8),
    ("squares", DataType::Utf8),
];

/// What takes the values of a type; one whose window slides gives them back.
pub fn accumulator(
    statistic: Statistic,
    of: &DataType,
    slides: bool,
) -> Result<Box<dyn Accumulator>> {
    Ok(match of {
        DataType::Float64 | DataType::Float32 | DataType::Null => Box::new(Floats {
            statistic,
            moments: FloatMoments::default(),
            window: slides.then(VecDeque::new),
        }),
        DataType::Interval(_) | DataType::Duration(_) => Box::new(Intervals::default()),
        of => match types::digits(of) {
            Some((_, places)) => Box::new(Exactly {
                statistic,
                is_open: types::is_open(of),
                places: places.into(),
                count: 0,
                sum: BigInt::ZERO,
                squares: BigInt::ZERO,
            }),
            None => return internal_err!("{of} is no number"),
        },
    })
}

/// Integers and decimals.
#[derive(Debug)]
struct Exactly {
    statistic: Statistic,
    is_open: bool,
    places: i64,
    count: i64,
    sum: BigInt,
    squares: BigInt,
}

impl Exactly {
    fn take(&mut self, values: &[ArrayRef], sign: i8) -> Result<()> {
        let Some(array) = values.first() else {
            return Ok(());
        };
        let Some(values) = Exacts::of(array) else {
            return internal_err!("{} is no exact number", array.data_type());
        };
        let has_squares = self.statistic != Statistic::Average;
        let (mut sum, mut squares) = (BigInt::ZERO, BigInt::ZERO);
        // Sums in registers, put away before they are full.
        let (mut small, mut small_squares) = (0_i128, 0_i128);
        for row in 0..array.len() {
            if values.is_null(row) {
                continue;
            }
            self.count += i64::from(sign);
            let narrow = values.narrow(row);
            match narrow.and_then(|digits| small.checked_add(digits)) {
                Some(more) => small = more,
                None => {
                    sum += std::mem::take(&mut small);
                    sum += self.digits(&values, row);
                }
            }
            if has_squares {
                let square = narrow.and_then(|digits| digits.checked_mul(digits));
                match square.and_then(|square| small_squares.checked_add(square)) {
                    Some(more) => small_squares = more,
                    None => {
                        squares += std::mem::take(&mut small_squares);
                        squares += self.digits(&values, row).pow(2);
                    }
                }
            }
        }
        self.sum += (sum + small) * sign;
        self.squares += (squares + small_squares) * sign;
        Ok(())
    }

    fn digits(&self, values: &Exacts, row: usize) -> BigInt {
        Exact::of_i256(values.wide(row), 0).digits
    }
}

impl Accumulator for Exactly {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.take(values, 1)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.take(values, -1)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [counts, sums, squares, ..] = states else {
            return internal_err!("a state has three parts");
        };
        let number = |array: &ArrayRef, row: usize| -> BigInt {
            let text = array.as_string::<i32>().value(row);
            text.parse().unwrap_or_default()
        };
        for row in 0..counts.len() {
            self.count += counts.as_primitive::<Int64Type>().value(row);
            self.sum += number(sums, row);
            self.squares += number(squares, row);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![
            ScalarValue::from(self.count),
            ScalarValue::from(self.sum.to_string()),
            ScalarValue::from(self.squares.to_string()),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let open = |value: Exact| match self.is_open {
            true => value.opened(),
            false => value,
        };
        let sum = open(Exact::new(self.sum.clone(), self.places));
        let value = match self.statistic {
            _ if self.count == 0 => None,
            Statistic::Average => Some(sum.divided_by(&Exact::new(self.count, 0))),
            Statistic::Deviation {
                is_sample: true, ..
            } if self.count == 1 => None,
            Statistic::Deviation { is_sample, is_root } => {
                let squares = open(Exact::new(self.squares.clone(), 2 * self.places));
                let count = self.count.unsigned_abs();
                Some(Exact::deviation(count, &sum, &squares, is_sample, is_root))
            }
        };
        let value = value.transpose().map_err(failed)?;
        let digits = match value {
            None => None,
            Some(value) => match value.to_i256(types::PLACES) {
                None => return Err(failed(Undefined::TooLarge)),
                digits => digits,
            },
        };
        Ok(ScalarValue::Decimal256(digits, 76, types::PLACES))
    }

    fn size(&self) -> usize {
        let bits = self.sum.bits() + self.squares.bits();
        size_of_val(self) + bits as usize / 8
    }
}

/// How many floating point values there are, their sum, and the sum of the squares of what is
/// between them and their mean, as Youngs and Cramer keep them.
#[derive(Debug, Default, Clone, Copy)]
struct FloatMoments {
    count: f64,
    sum: f64,
    squares: f64,
}

impl FloatMoments {
    fn add(&mut self, value: f64) {
        let before = *self;
        self.count += 1.0;
        self.sum += value;
        if before.count > 0.0 {
            let off = value * self.count - self.sum;
            self.squares += off * off / (self.count * before.count);
        }
    }

    fn merge(&mut self, other: Self) {
        if self.count == 0.0 {
            *self = other;
        } else if other.count > 0.0 {
            let count = self.count + other.count;
            let off = self.sum / self.count - other.sum / other.count;
            self.squares += other.squares + self.count * other.count * off * off / count;
            self.sum += other.sum;
            self.count = count;
        }
    }
}

#[derive(Debug)]
struct Floats {
    statistic: Statistic,
    moments: FloatMoments,
    /// The values of a window that slides: what is taken away leaves no trace.
    window: Option<VecDeque<f64>>,
}

impl Accumulator for Floats {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(array) = values.first() else {
            return Ok(());
        };
        let Some(values) = array.as_primitive_opt::<Float64Type>() else {
            return Ok(());
        };
        for value in values.iter().flatten() {
            match &mut self.window {
                Some(window) => window.push_back(value),
                None => self.moments.add(value),
            }
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let gone = values
            .first()
            .map_or(0, |array| array.len() - array.null_count());
        if let Some(window) = &mut self.window {
            window.drain(..gone.min(window.len()));
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        self.window.is_some()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [counts, sums, squares, ..] = states else {
            return internal_err!("a state has three parts");
        };
        let float = |array: &ArrayRef, row: usize| -> f64 {
            let text = array.as_string::<i32>().value(row);
            text.parse().unwrap_or(f64::NAN)
        };
        for row in 0..counts.len() {
            self.moments.merge(FloatMoments {
                count: counts.as_primitive::<Int64Type>().value(row) as f64,
                sum: float(sums, row),
                squares: float(squares, row),
            });
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![
            ScalarValue::from(self.moments.count as i64),
            ScalarValue::from(self.moments.sum.to_string()),
            ScalarValue::from(self.moments.squares.to_string()),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut moments = self.moments;
        for value in self.window.iter().flatten() {
            moments.add(*value);
        }
        let FloatMoments {
            count,
            sum,
            squares,
        } = moments;
        let value = match self.statistic {
            _ if count == 0.0 => None,
            Statistic::Average => Some(sum / count),
            Statistic::Deviation { is_sample, is_root } => {
                let freedom = if is_sample { count - 1.0 } else { count };
                let variance = (freedom > 0.0).then(|| squares / freedom);
                variance.map(|variance| if is_root { variance.sqrt() } else { variance })
            }
        };
        Ok(ScalarValue::Float64(value))
    }

    fn size(&self) -> usize {
        let window = self.window.as_ref().map_or(0, VecDeque::capacity);
        size_of_val(self) + window * size_of::<f64>()
    }
}

/// Intervals: their months, days and microseconds.
#[derive(Debug, Default)]
struct Intervals {
    count: i64,
    months: i64,
    days: i64,
    microseconds: i128,
}

impl Intervals {
    fn take(&mut self, values: &[ArrayRef], sign: i64) -> Result<()> {
        let Some(array) = values.first() else {
            return Ok(());
        };
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        if let DataType::Duration(_) = array.data_type() {
            let unit = DataType::Duration(TimeUnit::Microsecond);
            let durations = cast_with_options(array, &unit, &strict)?;
            for value in durations
                .as_primitive::<DurationMicrosecondType>()
                .iter()
                .flatten()
            {
                self.count += sign;
                self.microseconds += i128::from(sign) * i128::from(value);
            }
            return Ok(());
        }
        let intervals: Option<&IntervalMonthDayNanoArray> =
            array.as_primitive_opt::<IntervalMonthDayNanoType>();
        for value in intervals
            .into_iter()
            .flat_map(|values| values.iter().flatten())
        {
            self.count += sign;
            self.months += sign * i64::from(value.months);
            self.days += sign * i64::from(value.days);
            self.microseconds += i128::from(sign) * i128::from(value.nanoseconds / 1_000);
        }
        Ok(())
    }
}

impl Accumulator for Intervals {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.take(values, 1)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.take(values, -1)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [counts, sums, ..] = states else {
            return internal_err!("a state has three parts");
        };
        for row in 0..counts.len() {
            self.count += counts.as_primitive::<Int64Type>().value(row);
            let text = sums.as_string::<i32>().value(row);
            let mut parts = text
                .split(' ')
                .map(|part| part.parse::<i128>().unwrap_or_default());
            let mut next = || parts.next().unwrap_or_default();
            self.months += next() as i64;
            self.days += next() as i64;
            self.microseconds += next();
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sums = format!("{} {} {}", self.months, self.days, self.microseconds);
        Ok(vec![
            ScalarValue::from(self.count),
            ScalarValue::from(sums),
            ScalarValue::Utf8(None),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.count == 0 {
            return Ok(ScalarValue::IntervalMonthDayNano(None));
        }
        // What is left of the months are days of thirty to the month, of the days hours.
        let count = i128::from(self.count);
        let months = i128::from(self.months);
        let days_over = months % count * 30;
        let days = i128::from(self.days) + days_over;
        let microseconds = days % count * 86_400_000_000 + self.microseconds;
        let rounded = (2 * microseconds + microseconds.signum() * count) / (2 * count);
        let large = || {
            failed(crate::error::Error::session(
                "22008",
                "interval out of range",
            ))
        };
        Ok(ScalarValue::IntervalMonthDayNano(Some(
            IntervalMonthDayNano {
                months: i32::try_from(months / count).map_err(|_| large())?,
                days: i32::try_from(days / count).map_err(|_| large())?,
                nanoseconds: i64::try_from(rounded * 1_000).map_err(|_| large())?,
            },
        )))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

//! What `mode()`, `percentile_disc(f)` and `percentile_cont(f)` make of the values of a group, which
//! `array_agg` has sorted ([`super::syntax`] writes them so).
//!
//! Input: the sorted values without nulls; fractions between 0 and 1, one or an array. Output: of
//! `mode` and `percentile_disc` one of the values, of `percentile_cont` a double or an interval; of an
//! array of fractions an array. Unit: that of the values. Nulls: null of no values and of a null
//! fraction. Errors: 22003 a fraction that is not between 0 and 1. Source: PostgreSQL's aggregates of
//! the names.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, new_empty_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::casts::{arrow_interval, intervals};
use super::routine::{failed, unknown};
use super::values::INTERVAL;
use crate::catalog::time::interval;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Op {
    Mode,
    Discrete,
    Continuous,
}

/// One of them.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Ordered {
    name: &'static str,
    op: Op,
    signature: Signature,
}

/// All of them.
pub fn functions() -> Vec<ScalarUDF> {
    let of = |name, op| {
        ScalarUDF::new_from_impl(Ordered {
            name,
            op,
            signature: Signature::user_defined(Volatility::Immutable),
        })
    };
    vec![
        of("mode_of", Op::Mode),
        of("percentile_disc_of", Op::Discrete),
        of("percentile_cont_of", Op::Continuous),
    ]
}

fn is_interval(of: &DataType) -> bool {
    matches!(of, DataType::Interval(_) | DataType::Duration(_))
}

impl ScalarUDFImpl for Ordered {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let Some(DataType::List(item)) = given.first() else {
            return Err(unknown(self.name.trim_end_matches("_of"), given));
        };
        let item = item.data_type().clone();
        let values = match self.op {
            Op::Continuous if is_interval(&item) => INTERVAL,
            Op::Continuous if item.is_numeric() || item.is_null() => DataType::Float64,
            Op::Continuous => return Err(unknown("percentile_cont", &[item])),
            _ => item,
        };
        let list = |of| DataType::List(Arc::new(Field::new_list_field(of, true)));
        let mut taken = vec![list(values)];
        match (given.get(1), self.op) {
            (None, Op::Mode) => {}
            (Some(DataType::List(_)), _) => taken.push(list(DataType::Float64)),
            (Some(_), _) => taken.push(DataType::Float64),
            _ => return Err(unknown(self.name.trim_end_matches("_of"), given)),
        }
        Ok(taken)
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given {
            [of @ DataType::List(_), DataType::List(_)] => Ok(of.clone()),
            [DataType::List(item), ..] => Ok(item.data_type().clone()),
            _ => Err(unknown(self.name, given)),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let columns = args
            .args
            .iter()
            .map(|argument| argument.clone().into_array(rows));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let Some(lists) = columns
            .first()
            .and_then(|column| column.as_list_opt::<i32>())
        else {
            return exec_err!("{} takes a list", self.name);
        };
        let mut results = Vec::with_capacity(rows);
        for row in 0..rows {
            let values = (!lists.is_null(row)).then(|| lists.value(row));
            let values = values.filter(|values| !values.is_empty());
            let result = match values {
                None => ScalarValue::try_from(args.return_type())?,
                Some(values) => match columns.get(1) {
                    None => mode(&values)?,
                    Some(fractions) => {
                        self.of_fractions(&values, fractions, row, args.return_type())?
                    }
                },
            };
            results.push(result);
        }
        Ok(ColumnarValue::Array(match results.is_empty() {
            true => new_empty_array(args.return_type()),
            false => ScalarValue::iter_to_array(results)?,
        }))
    }
}

impl Ordered {
    fn of_fractions(
        &self,
        values: &ArrayRef,
        fractions: &ArrayRef,
        row: usize,
        of: &DataType,
    ) -> Result<ScalarValue> {
        if fractions.is_null(row) {
            return ScalarValue::try_from(of);
        }
        let Some(fractions) = fractions.as_list_opt::<i32>() else {
            let fraction = fractions.as_primitive::<Float64Type>().value(row);
            return self.one(values, fraction);
        };
        let fractions = fractions.value(row);
        let fractions: &Float64Array = fractions.as_primitive();
        let items = fractions.iter().map(|fraction| match fraction {
            Some(fraction) => self.one(values, fraction),
            None => ScalarValue::try_from(values.data_type()),
        });
        let items = items.collect::<Result<Vec<_>>>()?;
        Ok(ScalarValue::List(ScalarValue::new_list_nullable(
            &items,
            values.data_type(),
        )))
    }

    fn one(&self, values: &ArrayRef, fraction: f64) -> Result<ScalarValue> {
        if !(0.0..=1.0).contains(&fraction) {
            let message = format!("percentile value {fraction} is not between 0 and 1");
            return Err(failed("22003", message));
        }
        let count = values.len();
        if self.op == Op::Discrete {
            let place = (fraction * count as f64).ceil().max(1.0) as usize;
            return ScalarValue::try_from_array(values, place.min(count) - 1);
        }
        let place = fraction * (count - 1) as f64;
        let (low, high) = (place.floor() as usize, place.ceil() as usize);
        let share = place - place.floor();
        if is_interval(values.data_type()) {
            let of = intervals(values)?;
            let at = |place: usize| of.get(place).copied().flatten();
            let between = at(low).zip(at(high)).and_then(|(low, high)| {
                let step = interval::plus(high, interval::negated(low)?)?;
                interval::plus(low, interval::times(step, share)?)
            });
            let between = between.map(arrow_interval).transpose()?;
            return Ok(ScalarValue::IntervalMonthDayNano(between));
        }
        let values = cast(values, &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        let (low, high) = (values.value(low), values.value(high));
        let between = if share == 0.0 {
            low
        } else {
            low + share * (high - low)
        };
        Ok(ScalarValue::Float64(Some(between)))
    }
}

/// The most frequent of sorted values; of several the first.
fn mode(values: &ArrayRef) -> Result<ScalarValue> {
    let mut best = (0, ScalarValue::try_from(values.data_type())?);
    let (mut start, mut current) = (0, ScalarValue::try_from_array(values, 0)?);
    for place in 1..=values.len() {
        let next = match place < values.len() {
            true => Some(ScalarValue::try_from_array(values, place)?),
            false => None,
        };
        if next.as_ref() != Some(&current) {
            if place - start > best.0 {
                best = (place - start, current.clone());
            }
            start = place;
            if let Some(next) = next {
                current = next;
            }
        }
    }
    Ok(best.1)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn the_mode_is_the_first_of_the_most_frequent() {
        let values: ArrayRef = Arc::new(datafusion::arrow::array::Int64Array::from(vec![
            1, 2, 2, 3, 3,
        ]));
        assert_eq!(mode(&values).unwrap(), ScalarValue::Int64(Some(2)));
    }
}

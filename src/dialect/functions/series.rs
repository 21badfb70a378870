//! `generate_series(from, to [, step])` as an array, which is unnested where its rows are wanted.
//!
//! Input: whole numbers, numerics, or timestamps with an interval as the step; dates are timestamps
//! with time zone. Output: an array of the type of the bounds. Unit: that of the bounds; days and
//! months of a step are those of the session's zone. Nulls: null of null, which unnests to no row.
//! Errors: 22023 a step of zero, 54000 more than [`MOST`] values. Source: PostgreSQL's function.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int32Array, Int64Array, ListArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Field, Int64Type, TimestampMicrosecondType,
};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::casts::intervals;
use super::routine::{failed, unknown};
use super::values::{INTERVAL, TIMESTAMP, taken, timestamptz};
use crate::catalog::time;
use crate::dialect::around::Around;
use crate::dialect::numbers::columns::{columns, result};

/// The most values that one batch of series has.
pub const MOST: usize = 10_000_000;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Series(Signature);

impl Series {
    pub fn function() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self(Signature::user_defined(Volatility::Stable)))
    }
}

impl ScalarUDFImpl for Series {
    fn name(&self) -> &str {
        "generate_series"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let unknown = || unknown("generate_series", given);
        if !(2..=3).contains(&given.len()) {
            return Err(unknown());
        }
        let bounds: Vec<DataType> = given.iter().take(2).map(taken).collect();
        let all: Vec<DataType> = given.iter().map(taken).collect();
        let is_narrow = |of: &DataType| matches!(of, DataType::Int16 | DataType::Int32);
        let is_whole = |of: &DataType| is_narrow(of) || matches!(of, DataType::Int64);
        if all.iter().all(is_narrow) {
            return Ok(vec![DataType::Int32; given.len()]);
        }
        if all.iter().all(is_whole) {
            return Ok(vec![DataType::Int64; given.len()]);
        }
        if all.iter().all(|of| is_whole(of) || of.is_decimal()) {
            let scale = all.iter().map(|of| match of {
                DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => (*scale).min(20),
                _ => 0,
            });
            let scale = scale.max().unwrap_or(0).max(0);
            return Ok(vec![DataType::Decimal128(38, scale); given.len()]);
        }
        let is_moment = |of: &DataType| {
            matches!(
                of,
                DataType::Timestamp(_, _) | DataType::Date32 | DataType::Utf8
            )
        };
        if given.len() == 3 && bounds.iter().all(is_moment) {
            let has_no_zone = |of: &DataType| matches!(of, DataType::Timestamp(_, None));
            let of = match bounds.iter().any(has_no_zone) {
                true => TIMESTAMP,
                false => timestamptz(),
            };
            return Ok(vec![of.clone(), of, INTERVAL]);
        }
        Err(unknown())
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let of = match self.coerce_types(given)?.into_iter().next() {
            Some(of) => of,
            None => return Err(unknown("generate_series", given)),
        };
        Ok(DataType::List(Arc::new(Field::new_list_field(of, true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (given, is_constant) = columns(&args.args)?;
        let rows = if is_constant { 1 } else { args.number_rows };
        result(lists(&given, rows, &args)?, is_constant)
    }
}

fn lists(columns: &[ArrayRef], rows: usize, args: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (Some(from), Some(to)) = (columns.first(), columns.get(1)) else {
        return exec_err!("generate_series takes two bounds");
    };
    let DataType::List(item) = args.return_type() else {
        return exec_err!("generate_series makes a list");
    };
    let is_known = |row: usize| columns.iter().all(|column| column.is_valid(row));
    let mut lengths = Vec::with_capacity(rows);
    let nulls = NullBuffer::from_iter((0..rows).map(is_known));
    let of = item.data_type();
    let values: ArrayRef = match of {
        DataType::Timestamp(_, zone) => {
            let clock = Around::of(&args.config_options).clock();
            let shown = zone.as_ref().map(|_| &clock.zone);
            let (from, to) = (
                from.as_primitive::<TimestampMicrosecondType>(),
                to.as_primitive::<TimestampMicrosecondType>(),
            );
            let steps = columns
                .get(2)
                .map(intervals)
                .transpose()?
                .unwrap_or_default();
            let mut values = Vec::new();
            for row in 0..rows {
                let before = values.len();
                if let (true, Some(Some(step))) = (is_known(row), steps.get(row)) {
                    let sign = step.span().signum();
                    if sign == 0 {
                        return Err(failed("22023", "step size cannot equal zero"));
                    }
                    let (mut at, end) = (from.value(row), to.value(row));
                    if time::is_infinite(end) || time::is_infinite(at) {
                        return Err(too_many());
                    }
                    while (sign > 0 && at <= end) || (sign < 0 && at >= end) {
                        values.push(at);
                        enough(values.len())?;
                        let Some(next) = time::add_interval(at, *step, shown) else {
                            break;
                        };
                        if next == at {
                            return Err(failed("22023", "step size cannot equal zero"));
                        }
                        at = next;
                    }
                }
                lengths.push(values.len() - before);
            }
            Arc::new(TimestampMicrosecondArray::from(values).with_timezone_opt(zone.clone()))
        }
        DataType::Decimal128(precision, scale) => {
            let digits = |column: &ArrayRef| column.as_primitive::<Decimal128Type>().clone();
            let (from, to, step) = (digits(from), digits(to), columns.get(2).map(digits));
            let one = 10_i128.pow(u32::try_from(*scale).unwrap_or(0));
            let mut values = Vec::new();
            for row in 0..rows {
                let before = values.len();
                if is_known(row) {
                    let step = step.as_ref().map_or(one, |step| step.value(row));
                    count(from.value(row), to.value(row), step, &mut values)?;
                }
                lengths.push(values.len() - before);
            }
            let values = Decimal128Array::from(values);
            Arc::new(values.with_precision_and_scale(*precision, *scale)?)
        }
        _ => {
            use datafusion::arrow::compute::cast;
            let whole = |column: &ArrayRef| {
                let column = cast(column, &DataType::Int64)?;
                Ok::<_, datafusion::common::DataFusionError>(
                    column.as_primitive::<Int64Type>().clone(),
                )
            };
            let (from, to) = (whole(from)?, whole(to)?);
            let step = columns.get(2).map(whole).transpose()?;
            let mut values = Vec::new();
            for row in 0..rows {
                let before = values.len();
                if is_known(row) {
                    let step = step.as_ref().map_or(1, |step| step.value(row));
                    let (from, to) = (from.value(row).into(), to.value(row).into());
                    count(from, to, step.into(), &mut values)?;
                }
                lengths.push(values.len() - before);
            }
            match of {
                DataType::Int32 => Arc::new(Int32Array::from_iter_values(
                    values.into_iter().map(|value| value as i32),
                )),
                _ => Arc::new(Int64Array::from_iter_values(
                    values.into_iter().map(|value| value as i64),
                )),
            }
        }
    };
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(item),
        offsets,
        values,
        Some(nulls),
    )?))
}

/// Counts from one bound to the other.
fn count(from: i128, to: i128, step: i128, values: &mut Vec<i128>) -> Result<()> {
    if step == 0 {
        return Err(failed("22023", "step size cannot equal zero"));
    }
    let mut at = from;
    while (step > 0 && at <= to) || (step < 0 && at >= to) {
        values.push(at);
        enough(values.len())?;
        match at.checked_add(step) {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(())
}

fn enough(count: usize) -> Result<()> {
    match count > MOST {
        true => Err(too_many()),
        false => Ok(()),
    }
}

fn too_many() -> datafusion::common::DataFusionError {
    let message = format!("generate_series would make more than {MOST} values");
    failed("54000", message)
}

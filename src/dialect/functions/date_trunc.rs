//! `date_trunc(unit, timestamp [, zone])`: a timestamp cut to a unit.
//!
//! Input: the unit (`hour`, `day`, `week`, `month` …) and a timestamp, a date or an interval; with a
//! zone, of a timestamp with time zone. Output: of the same type, of a date a timestamp with time
//! zone. Unit: that of the argument; with a time zone, days and more begin when they begin in the
//! session's zone, or in the one that is named. Nulls: null of null. Errors: 22023 an unknown unit or
//! zone, 22008 out of range. Source: PostgreSQL's function of the name.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, IntervalMonthDayNanoArray, new_empty_array};
use datafusion::arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::casts::{Offsets, arrow_interval, intervals};
use super::routine::{columns, text_of, unknown};
use super::values::{INTERVAL, TIMESTAMP, taken, timestamptz, value_at};
use crate::catalog::cast::out_of_time;
use crate::catalog::functions::times::{unknown_unit, zone_of};
use crate::catalog::time::fields::{self, Unit};
use crate::catalog::time::is_infinite;
use crate::catalog::time::zone::Zone;
use crate::catalog::types::oid;
use crate::catalog::value::{Interval, Value};
use crate::dialect::around::Around;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct DateTrunc(Signature);

impl DateTrunc {
    pub fn function() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self(Signature::user_defined(Volatility::Stable)))
    }
}

fn unit_of(name: &str, of: u32) -> Result<Unit> {
    let name = name.to_ascii_lowercase();
    let unit = fields::unit(&name);
    unit.ok_or_else(|| DataFusionError::from(unknown_unit(&name, of)))
}

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &str {
        "date_trunc"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let of = match given.get(1).map(taken) {
            Some(DataType::Timestamp(_, None)) if given.len() == 2 => TIMESTAMP,
            Some(INTERVAL) if given.len() == 2 => INTERVAL,
            Some(DataType::Timestamp(_, _) | DataType::Date32 | DataType::Utf8) => timestamptz(),
            _ => return Err(unknown("date_trunc", given)),
        };
        match given.len() {
            2 => Ok(vec![DataType::Utf8, of]),
            3 => Ok(vec![DataType::Utf8, of, DataType::Utf8]),
            _ => Err(unknown("date_trunc", given)),
        }
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        given
            .get(1)
            .cloned()
            .ok_or_else(|| unknown("date_trunc", given))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(ColumnarValue::Array(times)) = args.args.get(1) else {
            return by_row(&args);
        };
        let constant = |position: usize| match args.args.get(position) {
            Some(ColumnarValue::Scalar(value)) => text_of(value),
            _ => None,
        };
        let (Some(name), true) = (constant(0), args.args.len() == 2 || constant(2).is_some())
        else {
            return by_row(&args);
        };
        Ok(ColumnarValue::Array(column(
            &name,
            times,
            constant(2).as_deref(),
            &args,
        )?))
    }
}

/// A whole column cut to one unit.
fn column(
    name: &str,
    times: &ArrayRef,
    zone: Option<&str>,
    args: &ScalarFunctionArgs,
) -> Result<ArrayRef> {
    let out = || DataFusionError::from(out_of_time("timestamp"));
    match times.data_type() {
        DataType::Interval(_) => {
            let unit = unit_of(name, oid::INTERVAL)?;
            let cut = intervals(times)?.into_iter();
            let cut = cut.map(|of| {
                of.map(|of| arrow_interval(of_interval(&unit, of)))
                    .transpose()
            });
            Ok(Arc::new(
                cut.collect::<Result<IntervalMonthDayNanoArray>>()?,
            ))
        }
        DataType::Timestamp(_, None) => {
            let unit = unit_of(name, oid::TIMESTAMP)?;
            let times = times.as_primitive::<TimestampMicrosecondType>();
            let cut = times.try_unary::<_, TimestampMicrosecondType, _>(|at| {
                fields::truncated(&unit, at).ok_or_else(out)
            })?;
            Ok(Arc::new(cut))
        }
        _ => {
            let unit = unit_of(name, oid::TIMESTAMPTZ)?;
            let zone = match zone {
                Some(name) => zone_of(name).map_err(DataFusionError::from)?,
                None => Around::of(&args.config_options).zone(),
            };
            let times = times.as_primitive::<TimestampMicrosecondType>();
            let offsets = Offsets::new(&zone);
            let cut = times.try_unary::<_, TimestampMicrosecondType, _>(|at| {
                cut_in(&unit, at, &zone, &offsets).ok_or_else(out)
            })?;
            Ok(Arc::new(cut.with_timezone("UTC")))
        }
    }
}

fn cut_in(unit: &Unit, at: i64, zone: &Zone, offsets: &Offsets<'_>) -> Option<i64> {
    if is_infinite(at) {
        return Some(at);
    }
    let offset = offsets.at(at);
    let local = at.checked_add(offset)?;
    let cut = fields::truncated(unit, local)?;
    match unit {
        Unit::Length(_) => cut.checked_sub(offset),
        _ => Some(zone.instant(cut)),
    }
}

/// An interval without what is smaller than a unit.
fn of_interval(unit: &Unit, of: Interval) -> Interval {
    let months = |count: i32| Interval {
        months: of.months / count * count,
        days: 0,
        microseconds: 0,
    };
    match unit {
        Unit::Length(length) => Interval {
            microseconds: of.microseconds / length * length,
            ..of
        },
        Unit::Day | Unit::Week => Interval {
            microseconds: 0,
            ..of
        },
        Unit::Months(count) => months(*count as i32),
        Unit::Years(count) => months(*count as i32 * 12),
    }
}

/// The arguments of each row, one by one.
fn by_row(args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
    let columns = columns(&args.args)?;
    let is_constant = columns.iter().all(|(_, is_constant)| *is_constant);
    let rows = if is_constant { 1 } else { args.number_rows };
    let cut = (0..rows).map(|row| {
        let values = columns
            .iter()
            .map(|(column, is_constant)| value_at(column, if *is_constant { 0 } else { row }));
        truncated(&values.collect::<Vec<_>>(), args.return_type(), args)
    });
    let cut = cut.collect::<Result<Vec<_>>>()?;
    Ok(match cut.as_slice() {
        [only] if is_constant => ColumnarValue::Scalar(only.clone()),
        [] => ColumnarValue::Array(new_empty_array(args.return_type())),
        _ => ColumnarValue::Array(ScalarValue::iter_to_array(cut)?),
    })
}

fn truncated(values: &[Value], of: &DataType, args: &ScalarFunctionArgs) -> Result<ScalarValue> {
    let (Some(Value::Text(name)), Some(value)) = (values.first(), values.get(1)) else {
        return ScalarValue::try_from(of);
    };
    if values.iter().any(Value::is_null) {
        return ScalarValue::try_from(of);
    }
    let zone = values.get(2).and_then(Value::as_str);
    let value = match value {
        Value::Timestamp(at) => match of {
            DataType::Timestamp(_, zone) => {
                ScalarValue::TimestampMicrosecond(Some(*at), zone.clone())
            }
            _ => return ScalarValue::try_from(of),
        },
        Value::Interval(of) => ScalarValue::IntervalMonthDayNano(Some(arrow_interval(*of)?)),
        _ => return ScalarValue::try_from(of),
    };
    let cut = column(name, &value.to_array_of_size(1)?, zone, args)?;
    ScalarValue::try_from_array(&cut, 0)
}

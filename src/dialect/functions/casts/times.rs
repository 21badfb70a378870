//! Between dates, times, timestamps and intervals, by the clocks of a zone.

use std::cell::Cell;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray, Date32Array, IntervalMonthDayNanoArray, PrimitiveArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, DurationMicrosecondType, IntervalMonthDayNano,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use datafusion::common::{DataFusionError, Result, exec_err};

use super::Kind;
use crate::catalog::cast::out_of_time;
use crate::catalog::time::read::Clock;
use crate::catalog::time::zone::Zone;
use crate::catalog::time::{self, DAY, interval};
use crate::catalog::value::Interval;
use crate::dialect::functions::routine;
use crate::dialect::functions::values::{INTERVAL, TIME};

/// Offsets of a zone, each looked for once for a quarter of an hour, in which none changes.
pub struct Offsets<'z> {
    zone: &'z Zone,
    quarter: Cell<i64>,
    offset: Cell<i64>,
}

const QUARTER: i64 = 900 * time::SECOND;

impl<'z> Offsets<'z> {
    pub fn new(zone: &'z Zone) -> Self {
        Self {
            zone,
            quarter: Cell::new(i64::MIN),
            offset: Cell::new(0),
        }
    }

    /// Microseconds to the east at an instant.
    pub fn at(&self, instant: i64) -> i64 {
        let quarter = instant.div_euclid(QUARTER);
        if quarter != self.quarter.get() {
            self.quarter.set(quarter);
            let seconds = i64::from(self.zone.offset(instant));
            self.offset.set(seconds * time::SECOND);
        }
        self.offset.get()
    }

    /// What the zone's clocks show.
    pub fn local(&self, instant: i64) -> i64 {
        match time::is_infinite(instant) {
            true => instant,
            false => instant.saturating_add(self.at(instant)),
        }
    }
}

/// An interval as Arrow keeps it, in nanoseconds.
pub fn arrow_interval(of: Interval) -> Result<IntervalMonthDayNano> {
    let nanoseconds = of.microseconds.checked_mul(1000);
    let nanoseconds = nanoseconds.ok_or_else(|| DataFusionError::from(out_of_time("interval")))?;
    Ok(IntervalMonthDayNano::new(of.months, of.days, nanoseconds))
}

/// Timestamps in microseconds.
pub fn microseconds(column: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    fn whole<T: ArrowPrimitiveType<Native = i64>>(
        column: &ArrayRef,
        scale: fn(i64) -> i64,
    ) -> TimestampMicrosecondArray {
        let values = column.as_primitive::<T>();
        values.unary(|at| if time::is_infinite(at) { at } else { scale(at) })
    }
    Ok(match column.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            whole::<TimestampNanosecondType>(column, |at| at.div_euclid(1000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            whole::<TimestampMillisecondType>(column, |at| at.saturating_mul(1000))
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            whole::<TimestampSecondType>(column, |at| at.saturating_mul(1_000_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            column.as_primitive::<TimestampMicrosecondType>().clone()
        }
        _ => return exec_err!("{} is no timestamp", column.data_type()),
    })
}

/// Timestamps in the unit and with the zone of a type.
pub fn in_unit(times: TimestampMicrosecondArray, target: &DataType) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, zone) = target else {
        return exec_err!("{target} is no timestamp");
    };
    fn scaled<T: ArrowPrimitiveType<Native = i64>>(
        times: &TimestampMicrosecondArray,
        scale: fn(i64) -> Option<i64>,
    ) -> Result<PrimitiveArray<T>> {
        times.try_unary(|at| match time::is_infinite(at) {
            true => Ok(at),
            false => scale(at).ok_or_else(|| DataFusionError::from(out_of_time("timestamp"))),
        })
    }
    Ok(match unit {
        TimeUnit::Microsecond => Arc::new(times.with_timezone_opt(zone.clone())),
        TimeUnit::Nanosecond => {
            let times = scaled::<TimestampNanosecondType>(&times, |at| at.checked_mul(1000))?;
            Arc::new(times.with_timezone_opt(zone.clone()))
        }
        TimeUnit::Millisecond => {
            let rounded = |at: i64| Some((at + 500).div_euclid(1000));
            let times = scaled::<TimestampMillisecondType>(&times, rounded)?;
            Arc::new(times.with_timezone_opt(zone.clone()))
        }
        TimeUnit::Second => {
            let rounded = |at: i64| Some((at + 500_000).div_euclid(1_000_000));
            let times = scaled::<TimestampSecondType>(&times, rounded)?;
            Arc::new(times.with_timezone_opt(zone.clone()))
        }
    })
}

/// Intervals in PostgreSQL's parts; a duration is days and time.
pub fn intervals(column: &ArrayRef) -> Result<Vec<Option<Interval>>> {
    if matches!(column.data_type(), DataType::Duration(_)) {
        let column = cast(column, &DataType::Duration(TimeUnit::Microsecond))?;
        let durations = column.as_primitive::<DurationMicrosecondType>();
        let of = |microseconds| interval::between(microseconds, 0);
        return Ok(durations.iter().map(|at| at.and_then(of)).collect());
    }
    let column = cast(column, &INTERVAL)?;
    let of = column.as_primitive::<IntervalMonthDayNanoType>().iter();
    let of = of.map(|of| {
        of.map(|of| Interval {
            months: of.months,
            days: of.days,
            microseconds: of.nanoseconds / 1000,
        })
    });
    Ok(of.collect())
}

pub(super) fn moved(
    column: &ArrayRef,
    (from, to): (Kind, Kind),
    target: &DataType,
    clock: &Clock,
) -> Result<ArrayRef> {
    let zone = &clock.zone;
    let offsets = Offsets::new(zone);
    let out = |name: &str| DataFusionError::from(out_of_time(name));
    let local = |column: &ArrayRef| {
        let times = microseconds(column)?;
        Ok::<_, DataFusionError>(match from {
            Kind::Zoned => times.unary(|at| offsets.local(at)),
            _ => times,
        })
    };
    Ok(match (from, to) {
        (Kind::Zoned, Kind::Timestamp) => in_unit(local(column)?, target)?,
        (Kind::Timestamp, Kind::Zoned) => {
            let times = microseconds(column)?;
            in_unit(times.unary(|at| zone.instant(at)), target)?
        }
        (Kind::Date, Kind::Timestamp | Kind::Zoned) => {
            let days = cast(column, &DataType::Date32)?;
            let days = days.as_primitive::<Date32Type>();
            let zone = (to == Kind::Zoned).then_some(zone);
            let times =
                days.try_unary(|days| time::midnight(days, zone).ok_or_else(|| out("timestamp")))?;
            in_unit(times, target)?
        }
        (Kind::Zoned | Kind::Timestamp, Kind::Date) => {
            let local = local(column)?;
            let days: Date32Array =
                local.try_unary(|at| time::day(at).ok_or_else(|| out("date")))?;
            cast(&(Arc::new(days) as ArrayRef), target)?
        }
        (Kind::Zoned | Kind::Timestamp, Kind::Time) => {
            let local = local(column)?;
            let times: Time64MicrosecondArray = local.unary(|at| at.rem_euclid(DAY));
            cast(&(Arc::new(times) as ArrayRef), target)?
        }
        (Kind::Interval, Kind::Time) => {
            let of = intervals(column)?.into_iter();
            let times = of.map(|of| of.map(|of| of.microseconds.rem_euclid(DAY)));
            cast(
                &(Arc::new(times.collect::<Time64MicrosecondArray>()) as ArrayRef),
                target,
            )?
        }
        (Kind::Time, Kind::Interval) => {
            let times = cast(column, &TIME)?;
            let times = times.as_primitive::<Time64MicrosecondType>();
            let of: IntervalMonthDayNanoArray =
                times.unary(|at| IntervalMonthDayNano::new(0, 0, at.saturating_mul(1000)));
            cast(&(Arc::new(of) as ArrayRef), target)?
        }
        (Kind::Interval, Kind::Interval) => {
            let of = intervals(column)?.into_iter();
            let of = of.map(|of| of.map(arrow_interval).transpose());
            let of = of.collect::<Result<IntervalMonthDayNanoArray>>()?;
            cast(&(Arc::new(of) as ArrayRef), target)?
        }
        _ => {
            let name = routine::pg_name;
            let message = format!(
                "cannot cast type {} to {}",
                name(column.data_type()),
                name(target)
            );
            return Err(routine::failed("42846", message));
        }
    })
}

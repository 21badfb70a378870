//! Casts between texts, dates, times, timestamps and intervals, written or implied, as PostgreSQL
//! makes them: in the session's time zone, of texts as people write them, to PostgreSQL's texts.
//!
//! [`ZonedCasts`] puts them in the place of DataFusion's own once types are settled.

use std::cell::Cell;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Date32Array, Float64Array, IntervalMonthDayNanoArray,
    LargeStringArray, ListArray, PrimitiveArray, StringArray, StringViewArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, DurationMicrosecondType, Field, FieldRef,
    Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::own_places;
use super::values::{INTERVAL, TIME};
use crate::catalog::cast::{out_of_time, wrong_interval, wrong_time};
use crate::catalog::time::read::{self, Clock};
use crate::catalog::time::zone::Zone;
use crate::catalog::time::{self, DAY, interval};
use crate::catalog::types::oid;
use crate::catalog::value::Interval;
use crate::dialect::around::Around;
use crate::dialect::numbers;
use crate::dialect::numbers::types::is_open;

/// Puts PostgreSQL's casts of dates and times in the place of DataFusion's.
#[derive(Debug)]
pub struct ZonedCasts;

impl AnalyzerRule for ZonedCasts {
    fn name(&self) -> &str {
        "zoned_casts"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|plan| {
            let mut schema = merge_schema(&plan.inputs());
            if let LogicalPlan::TableScan(scan) = &plan {
                let source = scan.source.schema();
                let source = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &source)?;
                schema.merge(&source);
            }
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let expr = expr.transform_up(|expr| Ok(rewritten(expr, &schema)))?;
                Ok(expr.update_data(|expr| name.restore(expr)))
            })
        })?;
        Ok(plan.data)
    }
}

fn rewritten(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let to_text = match &expr {
        Expr::Cast(Cast { expr: inner, field }) => Some((&**inner, field.data_type())),
        Expr::ScalarFunction(call) if call.func.name() == "text" => {
            call.args.first().map(|inner| (inner, &DataType::Utf8))
        }
        _ => None,
    };
    if let Some(texts) = to_text.and_then(|(inner, to)| own_places::as_texts(inner, to, schema)) {
        return Transformed::yes(texts);
    }
    let Expr::Cast(Cast { expr: inner, field }) = expr else {
        return own_places::joined(expr, schema);
    };
    match inner.get_type(schema) {
        Ok(from) if is_ours(&from, field.data_type()) => {
            Transformed::yes(ZonedCast::of(*inner, field))
        }
        _ => Transformed::no(Expr::Cast(Cast { expr: inner, field })),
    }
}

/// What a type is to these casts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Date,
    Time,
    Timestamp,
    Zoned,
    Interval,
    List,
    Bytes,
    /// A number whose text Arrow writes in another way.
    Number,
}

fn kind(of: &DataType) -> Option<Kind> {
    Some(match of {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Date32 | DataType::Date64 => Kind::Date,
        DataType::Time32(_) | DataType::Time64(_) => Kind::Time,
        DataType::Timestamp(_, None) => Kind::Timestamp,
        DataType::Timestamp(_, Some(_)) => Kind::Zoned,
        DataType::Interval(_) | DataType::Duration(_) => Kind::Interval,
        DataType::Dictionary(_, values) => return kind(values),
        DataType::List(_) => Kind::List,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Kind::Bytes,
        of if of.is_floating() || is_open(of) => Kind::Number,
        _ => return None,
    })
}

/// Whether casting arrays is more than casting their elements as Arrow does.
fn are_items_ours(from: &DataType, to: &DataType) -> bool {
    let (DataType::List(from), DataType::List(to)) = (from, to) else {
        return false;
    };
    let (from, to) = (from.data_type(), to.data_type());
    is_ours(from, to) || to.is_integer() && (from.is_decimal() || from.is_floating())
}

fn is_ours(from: &DataType, to: &DataType) -> bool {
    let (Some(from_kind), Some(to_kind)) = (kind(from), kind(to)) else {
        return false;
    };
    let is_refined = matches!(to, DataType::Dictionary(_, _));
    match (from_kind, to_kind) {
        _ if is_refined => false,
        (Kind::List, Kind::List) => are_items_ours(from, to),
        (Kind::Number, to) => to == Kind::Text,
        (_, Kind::Number) => false,
        (Kind::List | Kind::Bytes, to) => to == Kind::Text,
        (from, Kind::List | Kind::Bytes) => from == Kind::Text,
        (from, to) if from != to => true,
        // A duration is an interval of days and time, in DataFusion of time alone.
        (Kind::Interval, Kind::Interval) => matches!(from, DataType::Duration(_)),
        _ => false,
    }
}

/// A cast to one type.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ZonedCast {
    target: FieldRef,
    signature: Signature,
}

impl ZonedCast {
    /// The cast of an expression.
    pub fn of(expr: Expr, target: FieldRef) -> Expr {
        let signature = Signature::any(1, Volatility::Stable);
        ScalarUDF::new_from_impl(Self { target, signature }).call(vec![expr])
    }

    /// The cast of an expression to a type.
    pub fn to(expr: Expr, target: DataType) -> Expr {
        Self::of(expr, Arc::new(Field::new("cast", target, true)))
    }
}

impl ScalarUDFImpl for ZonedCast {
    fn name(&self) -> &str {
        "cast"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.target.data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::clone(&self.target))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(argument) = args.args.first() else {
            return exec_err!("a cast takes one value");
        };
        let clock = Around::of(&args.config_options).clock();
        let target = self.target.data_type();
        Ok(match argument {
            ColumnarValue::Array(column) => {
                ColumnarValue::Array(converted(column, target, &clock)?)
            }
            ColumnarValue::Scalar(value) => {
                let column = converted(&value.to_array_of_size(1)?, target, &clock)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&column, 0)?)
            }
        })
    }
}

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

/// A column as another type.
pub fn converted(column: &ArrayRef, target: &DataType, clock: &Clock) -> Result<ArrayRef> {
    let column = match column.data_type() {
        DataType::Dictionary(_, values) => cast(column, values)?,
        _ => Arc::clone(column),
    };
    let (Some(from), Some(to)) = (kind(column.data_type()), kind(target)) else {
        return Ok(cast(&column, target)?);
    };
    match (from, to) {
        (Kind::List, Kind::List) => moved_lists(&column, target, clock),
        (Kind::Text, _) => read(&column, to, target, clock),
        (_, Kind::Text) => written(&column, from, target, clock),
        _ => moved(&column, (from, to), target, clock),
    }
}

/// Texts as dates and times.
fn read(column: &ArrayRef, to: Kind, target: &DataType, clock: &Clock) -> Result<ArrayRef> {
    let column = cast(column, &DataType::Utf8)?;
    let texts = column.as_string::<i32>();
    let wrong = |of: u32, text: &str| {
        let text = text.to_owned();
        move |problem| DataFusionError::from(wrong_time(problem, of, &text))
    };
    Ok(match to {
        Kind::Timestamp | Kind::Zoned => {
            let has_zone = to == Kind::Zoned;
            let of = if has_zone {
                oid::TIMESTAMPTZ
            } else {
                oid::TIMESTAMP
            };
            let read =
                |text: &str| read::read_timestamp(text, has_zone, clock).map_err(wrong(of, text));
            let times = texts.iter().map(|text| text.map(read).transpose());
            in_unit(
                times.collect::<Result<TimestampMicrosecondArray>>()?,
                target,
            )?
        }
        Kind::Date => {
            let read = |text: &str| read::read_date(text, clock).map_err(wrong(oid::DATE, text));
            let days = texts.iter().map(|text| text.map(read).transpose());
            let days: ArrayRef = Arc::new(days.collect::<Result<Date32Array>>()?);
            cast(&days, target)?
        }
        Kind::Time => {
            let read = |text: &str| read::read_time(text, clock).map_err(wrong(oid::TIME, text));
            let times = texts.iter().map(|text| text.map(read).transpose());
            let times: ArrayRef = Arc::new(times.collect::<Result<Time64MicrosecondArray>>()?);
            cast(&times, target)?
        }
        Kind::Interval => {
            let read = |text: &str| {
                let of = interval::read_interval(text, None);
                let of =
                    of.map_err(|problem| DataFusionError::from(wrong_interval(problem, text)))?;
                arrow_interval(of)
            };
            let intervals = texts.iter().map(|text| text.map(read).transpose());
            let intervals = intervals.collect::<Result<IntervalMonthDayNanoArray>>()?;
            cast(&(Arc::new(intervals) as ArrayRef), target)?
        }
        Kind::List => read_lists(texts, target, clock)?,
        Kind::Bytes => {
            let read = |text: &str| {
                let bytes = crate::catalog::cast::bytes(text);
                bytes.ok_or_else(|| {
                    super::routine::failed("22P02", "invalid input syntax for type bytea")
                })
            };
            let bytes = texts.iter().map(|text| text.map(read).transpose());
            let bytes = bytes.collect::<Result<Vec<_>>>()?;
            let bytes = bytes.iter().map(|bytes| bytes.as_deref());
            cast(
                &(Arc::new(BinaryArray::from_iter(bytes)) as ArrayRef),
                target,
            )?
        }
        Kind::Text | Kind::Number => cast(&column, target)?,
    })
}

/// Lists of other elements: those that become integers are rounded.
fn moved_lists(column: &ArrayRef, target: &DataType, clock: &Clock) -> Result<ArrayRef> {
    let (DataType::List(item), Some(lists)) = (target, column.as_list_opt::<i32>()) else {
        return exec_err!("{} is no list", column.data_type());
    };
    let (from, to) = (lists.value_type(), item.data_type());
    let strictly = |values: &ArrayRef, to: &DataType| {
        let options = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let out_of_range = |_| super::routine::failed("22003", "a number is out of range");
        cast_with_options(values, to, &options).map_err(out_of_range)
    };
    let values = match to.is_integer() {
        true if from.is_floating() => {
            let values = cast(lists.values(), &DataType::Float64)?;
            let values: Float64Array = values
                .as_primitive::<Float64Type>()
                .unary(f64::round_ties_even);
            strictly(&(Arc::new(values) as ArrayRef), to)?
        }
        true if from.is_decimal() => {
            let whole = strictly(lists.values(), &DataType::Decimal256(76, 0))?;
            strictly(&whole, to)?
        }
        _ => converted(lists.values(), to, clock)?,
    };
    let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(item),
        offsets,
        values,
        nulls,
    )?))
}

/// Texts such as `{1,2,NULL}` as lists.
fn read_lists(texts: &StringArray, target: &DataType, clock: &Clock) -> Result<ArrayRef> {
    let DataType::List(item) = target else {
        return exec_err!("{target} is no list");
    };
    let (mut items, mut lengths) = (Vec::new(), Vec::new());
    for text in texts {
        let Some(text) = text else {
            lengths.push(0);
            continue;
        };
        let list = crate::catalog::cast::parse_array(text.trim()).ok_or_else(|| {
            let message = format!("malformed array literal: \"{text}\"");
            super::routine::failed("22P02", message)
        })?;
        lengths.push(list.len());
        items.extend(list);
    }
    let items: ArrayRef = Arc::new(StringArray::from(items));
    let items = converted(&items, item.data_type(), clock)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let nulls = texts.nulls().cloned();
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(item),
        offsets,
        items,
        nulls,
    )?))
}

/// Lists as texts such as `{1,2,NULL}`.
fn written_lists(column: &ArrayRef, clock: &Clock) -> Result<Vec<Option<String>>> {
    let lists = column.as_list::<i32>();
    let items = converted(lists.values(), &DataType::Utf8, clock)?;
    let is_nested = matches!(lists.value_type(), DataType::List(_));
    let is_bool = lists.value_type() == DataType::Boolean;
    let items = items.as_string::<i32>();
    let offsets = lists.value_offsets();
    let bound = |at: usize| offsets.get(at).map_or(0, |offset| *offset as usize);
    let text = |row: usize| {
        let items = (bound(row)..bound(row + 1)).map(|place| match items.is_null(place) {
            true => "NULL".to_owned(),
            false if is_nested => items.value(place).to_owned(),
            false if is_bool => items.value(place).chars().take(1).collect(),
            false => array_item(items.value(place)),
        });
        format!("{{{}}}", items.collect::<Vec<_>>().join(","))
    };
    Ok((0..lists.len())
        .map(|row| lists.is_valid(row).then(|| text(row)))
        .collect())
}

/// An item of an array, in quotes where it needs them.
fn array_item(item: &str) -> String {
    let is_plain = !item.is_empty()
        && !item.eq_ignore_ascii_case("null")
        && !item.contains(|c: char| matches!(c, ',' | '{' | '}' | '"' | '\\') || c.is_whitespace());
    match is_plain {
        true => item.to_owned(),
        false => format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// An interval as Arrow keeps it, in nanoseconds.
pub fn arrow_interval(of: Interval) -> Result<IntervalMonthDayNano> {
    let nanoseconds = of.microseconds.checked_mul(1000);
    let nanoseconds = nanoseconds.ok_or_else(|| DataFusionError::from(out_of_time("interval")))?;
    Ok(IntervalMonthDayNano::new(of.months, of.days, nanoseconds))
}

/// Dates and times as texts.
fn written(column: &ArrayRef, from: Kind, target: &DataType, clock: &Clock) -> Result<ArrayRef> {
    let texts: Vec<Option<String>> = match from {
        Kind::Timestamp | Kind::Zoned => {
            let times = microseconds(column)?;
            let zone = (from == Kind::Zoned).then_some(&clock.zone);
            let text = |at: i64| time::timestamp_text(at, zone);
            times.iter().map(|at| at.map(text)).collect()
        }
        Kind::Date => {
            let days = cast(column, &DataType::Date32)?;
            let days = days.as_primitive::<Date32Type>();
            days.iter().map(|days| days.map(time::date_text)).collect()
        }
        Kind::Time => {
            let times = cast(column, &TIME)?;
            let times = times.as_primitive::<Time64MicrosecondType>();
            times.iter().map(|at| at.map(time::time_text)).collect()
        }
        Kind::Interval => {
            let of = intervals(column)?;
            of.iter().map(|of| of.map(time::interval_text)).collect()
        }
        Kind::List => written_lists(column, clock)?,
        Kind::Bytes => {
            let bytes = cast(column, &DataType::Binary)?;
            let hex = |bytes: &[u8]| {
                let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
                format!("\\x{}", digits.collect::<String>())
            };
            bytes
                .as_binary::<i32>()
                .iter()
                .map(|bytes| bytes.map(hex))
                .collect()
        }
        Kind::Number => {
            let texts = numbers::texts(column, clock.zone.clone())?;
            return Ok(cast(&(Arc::new(texts) as ArrayRef), target)?);
        }
        Kind::Text => return Ok(cast(column, target)?),
    };
    Ok(match target {
        DataType::LargeUtf8 => Arc::new(LargeStringArray::from(texts)),
        DataType::Utf8View => Arc::new(StringViewArray::from_iter(texts)),
        _ => Arc::new(StringArray::from(texts)),
    })
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

fn moved(
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
            let name = super::routine::pg_name;
            let message = format!(
                "cannot cast type {} to {}",
                name(column.data_type()),
                name(target)
            );
            return Err(super::routine::failed("42846", message));
        }
    })
}

//! Between texts and other values, as PostgreSQL reads and writes them.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Date32Array, IntervalMonthDayNanoArray,
    LargeStringArray, ListArray, StringArray, StringViewArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type, Time64MicrosecondType};
use datafusion::common::{DataFusionError, Result, exec_err};

use super::{Kind, arrow_interval, converted, in_unit, intervals, microseconds};
use crate::catalog::cast::{wrong_interval, wrong_time};
use crate::catalog::time::read::{self, Clock};
use crate::catalog::time::{self, interval};
use crate::catalog::types::oid;
use crate::dialect::functions::values::TIME;
use crate::dialect::numbers;

/// Texts as dates and times.
pub(super) fn read(
    column: &ArrayRef,
    to: Kind,
    target: &DataType,
    clock: &Clock,
) -> Result<ArrayRef> {
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
                    crate::dialect::functions::routine::failed(
                        "22P02",
                        "invalid input syntax for type bytea",
                    )
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
            crate::dialect::functions::routine::failed("22P02", message)
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

/// Dates and times as texts.
pub(super) fn written(
    column: &ArrayRef,
    from: Kind,
    target: &DataType,
    clock: &Clock,
) -> Result<ArrayRef> {
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

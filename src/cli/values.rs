//! A value of any Arrow type as text: the one place where the formats agree or differ.
//!
//! Decimals are written with all the digits of their scale and never pass through floats. Instants
//! are UTC, intervals as PostgreSQL writes them. JSON knows no NaN and no infinity: they are null
//! there. What is nested is JSON, whatever the format around it, and no object has a key twice.

use std::collections::HashSet;
use std::fmt::Write;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, GenericListArray, OffsetSizeTrait, PrimitiveArray,
};
use datafusion::arrow::datatypes::*;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use hindsight::Result;
use hindsight::calendar::date_of_day;
use hindsight::catalog::time::interval_text;
use hindsight::catalog::value::Interval;
use hindsight::dialect::output::numeric::wide_text;

/// For whom a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A person: `2025-01-01 00:00:00 UTC`.
    Table,
    /// A program that takes text: `2025-01-01T00:00:00Z`. Null is empty.
    Text,
    /// A program that takes JSON: text in quotes, numbers bare.
    Json,
}

/// Appends the value of one row.
pub fn write_value(out: &mut String, column: &dyn Array, row: usize, form: Form) -> Result<()> {
    if is_null(column, row) {
        if form == Form::Json {
            out.push_str("null");
        }
        return Ok(());
    }
    match column.data_type() {
        DataType::Boolean => push(out, column.as_boolean().value(row)),
        DataType::Int8 => push(out, native::<Int8Type>(column, row)),
        DataType::Int16 => push(out, native::<Int16Type>(column, row)),
        DataType::Int32 => push(out, native::<Int32Type>(column, row)),
        DataType::Int64 => push(out, native::<Int64Type>(column, row)),
        DataType::UInt8 => push(out, native::<UInt8Type>(column, row)),
        DataType::UInt16 => push(out, native::<UInt16Type>(column, row)),
        DataType::UInt32 => push(out, native::<UInt32Type>(column, row)),
        DataType::UInt64 => push(out, native::<UInt64Type>(column, row)),
        DataType::Float16 => float(out, native::<Float16Type>(column, row).to_f64(), form),
        DataType::Float32 => float32(out, native::<Float32Type>(column, row), form),
        DataType::Float64 => float(out, native::<Float64Type>(column, row), form),
        DataType::Decimal32(_, scale) => {
            decimal(out, native::<Decimal32Type>(column, row).into(), *scale);
        }
        DataType::Decimal64(_, scale) => {
            decimal(out, native::<Decimal64Type>(column, row).into(), *scale);
        }
        DataType::Decimal128(_, scale) => {
            decimal(out, native::<Decimal128Type>(column, row), *scale);
        }
        DataType::Decimal256(_, scale) => {
            out.push_str(&wide_text(native::<Decimal256Type>(column, row), *scale));
        }
        DataType::Utf8 => text(out, column.as_string::<i32>().value(row), form),
        DataType::LargeUtf8 => text(out, column.as_string::<i64>().value(row), form),
        DataType::Utf8View => text(out, column.as_string_view().value(row), form),
        DataType::Binary => binary(out, column.as_binary::<i32>().value(row), form),
        DataType::LargeBinary => binary(out, column.as_binary::<i64>().value(row), form),
        DataType::BinaryView => binary(out, column.as_binary_view().value(row), form),
        DataType::FixedSizeBinary(_) => {
            binary(out, column.as_fixed_size_binary().value(row), form);
        }
        DataType::Date32 => {
            let days = native::<Date32Type>(column, row);
            quoted(out, form, |out| date(out, days.into()));
        }
        DataType::Date64 => {
            let days = native::<Date64Type>(column, row).div_euclid(86_400_000);
            quoted(out, form, |out| date(out, days));
        }
        DataType::Timestamp(unit, _) => {
            let (value, per_second) = match unit {
                TimeUnit::Second => (native::<TimestampSecondType>(column, row), 1),
                TimeUnit::Millisecond => (native::<TimestampMillisecondType>(column, row), 1_000),
                TimeUnit::Microsecond => {
                    (native::<TimestampMicrosecondType>(column, row), 1_000_000)
                }
                TimeUnit::Nanosecond => (
                    native::<TimestampNanosecondType>(column, row),
                    1_000_000_000,
                ),
            };
            quoted(out, form, |out| instant(out, value, per_second, form));
        }
        DataType::List(_) => list(out, column.as_list::<i32>(), row)?,
        DataType::LargeList(_) => list(out, column.as_list::<i64>(), row)?,
        DataType::ListView(_) => elements(out, &column.as_list_view::<i32>().value(row))?,
        DataType::LargeListView(_) => elements(out, &column.as_list_view::<i64>().value(row))?,
        DataType::FixedSizeList(_, _) => {
            elements(out, &column.as_fixed_size_list().value(row))?;
        }
        DataType::Interval(unit) => {
            let interval = interval(column, row, *unit);
            text(out, &interval_text(interval), form);
        }
        DataType::Duration(unit) => {
            let microseconds = duration(column, row, *unit);
            let interval = Interval {
                months: 0,
                days: 0,
                microseconds,
            };
            text(out, &interval_text(interval), form);
        }
        DataType::Struct(fields) => {
            let names = distinct(fields.iter().map(|field| field.name().as_str()));
            out.push('{');
            for (position, name) in names.iter().enumerate() {
                separate(out, position);
                write_json_text(out, name);
                out.push(':');
                write_value(out, column.as_struct().column(position), row, Form::Json)?;
            }
            out.push('}');
        }
        DataType::Map(_, _) => map(out, column, row)?,
        DataType::Dictionary(_, _) => match entry(column, row) {
            Some((values, key)) => write_value(out, values, key, form)?,
            None => other(out, column, row, form)?,
        },
        _ => other(out, column, row, form)?,
    }
    Ok(())
}

/// Whether the value is null, also where the type has no place for nulls of its own.
pub fn is_null(column: &dyn Array, row: usize) -> bool {
    match column.data_type() {
        DataType::Null => true,
        DataType::Dictionary(_, _) if column.is_valid(row) => {
            entry(column, row).is_some_and(|(values, key)| is_null(values, key))
        }
        _ => column.is_null(row),
    }
}

/// The value that a dictionary's key stands for, for the types of keys in use here.
fn entry(column: &dyn Array, row: usize) -> Option<(&dyn Array, usize)> {
    fn of<K: ArrowDictionaryKeyType>(
        column: &dyn Array,
        row: usize,
    ) -> Option<(&dyn Array, usize)> {
        let column = column.as_dictionary_opt::<K>()?;
        Some((column.values().as_ref(), column.key(row)?))
    }
    of::<Int32Type>(column, row)
        .or_else(|| of::<UInt16Type>(column, row))
        .or_else(|| of::<UInt32Type>(column, row))
        .or_else(|| of::<UInt8Type>(column, row))
}

/// Names as keys of one object: what is there already is told apart by a number behind it.
pub fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names: Vec<&str> = names.collect();
    let mut taken: HashSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut seen = HashSet::new();
    let mut distinct = Vec::with_capacity(names.len());
    for name in names {
        if seen.insert(name) {
            distinct.push(name.to_owned());
            continue;
        }
        let mut number = 2;
        let mut other = format!("{name}_{number}");
        while !taken.insert(other.clone()) {
            number += 1;
            other = format!("{name}_{number}");
        }
        distinct.push(other);
    }
    distinct
}

/// Appends text as a JSON string.
pub fn write_json_text(out: &mut String, value: &str) {
    out.push('"');
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if value.bytes().all(is_plain) {
        out.push_str(value);
        out.push('"');
        return;
    }
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => push(out, format_args!("\\u{:04x}", control as u32)),
            character => out.push(character),
        }
    }
    out.push('"');
}

fn push(out: &mut String, value: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

fn native<T: ArrowPrimitiveType>(column: &dyn Array, row: usize) -> T::Native {
    let column: &PrimitiveArray<T> = column.as_primitive();
    column.value(row)
}

fn text(out: &mut String, value: &str, form: Form) {
    match form {
        Form::Json => write_json_text(out, value),
        Form::Table | Form::Text => out.push_str(value),
    }
}

fn binary(out: &mut String, bytes: &[u8], form: Form) {
    let mut hex = String::with_capacity(2 + 2 * bytes.len());
    hex.push_str("\\x");
    for byte in bytes {
        push(&mut hex, format_args!("{byte:02x}"));
    }
    text(out, &hex, form);
}

fn float(out: &mut String, value: f64, form: Form) {
    match (value.is_finite(), form) {
        // The shortest digits that give the same number back.
        (true, _) => push(out, format_args!("{value:?}")),
        (false, Form::Json) => out.push_str("null"),
        (false, _) if value.is_nan() => out.push_str("NaN"),
        (false, _) => out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" }),
    }
}

fn float32(out: &mut String, value: f32, form: Form) {
    match value.is_finite() {
        true => push(out, format_args!("{value:?}")),
        false => float(out, value.into(), form),
    }
}

/// What is text in JSON and consists of harmless characters.
fn quoted(out: &mut String, form: Form, write: impl FnOnce(&mut String)) {
    let quote = if form == Form::Json { "\"" } else { "" };
    out.push_str(quote);
    write(out);
    out.push_str(quote);
}

/// All the digits of the scale.
fn decimal(out: &mut String, mantissa: i128, scale: i8) {
    if mantissa < 0 {
        out.push('-');
    }
    let digits = mantissa.unsigned_abs();
    let Ok(scale) = u32::try_from(scale) else {
        // The last digit of a negative scale stands for tens, hundreds, …
        push(out, digits);
        if digits != 0 {
            out.extend(std::iter::repeat_n('0', scale.unsigned_abs().into()));
        }
        return;
    };
    let unit = 10_u128.pow(scale);
    match scale {
        0 => push(out, digits),
        // The common case, and several times faster.
        1..=18 if let Ok(small) = u64::try_from(digits) => {
            let unit = 10_u64.pow(scale);
            push(
                out,
                format_args!(
                    "{}.{:0width$}",
                    small / unit,
                    small % unit,
                    width = scale as usize
                ),
            );
        }
        _ => push(
            out,
            format_args!(
                "{}.{:0width$}",
                digits / unit,
                digits % unit,
                width = scale as usize
            ),
        ),
    }
}

fn date(out: &mut String, days: i64) {
    let (year, month, day) = date_of_day(days);
    push(out, format_args!("{year:04}-{month:02}-{day:02}"));
}

fn instant(out: &mut String, value: i64, per_second: i64, form: Form) {
    let (seconds, fraction) = (value.div_euclid(per_second), value.rem_euclid(per_second));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let (between, zone) = match form {
        Form::Table => (' ', " UTC"),
        Form::Text | Form::Json => ('T', "Z"),
    };
    date(out, days);
    push(
        out,
        format_args!("{between}{hour:02}:{minute:02}:{second:02}"),
    );
    let nanoseconds = fraction * (1_000_000_000 / per_second);
    match nanoseconds {
        0 => {}
        _ if nanoseconds % 1_000 == 0 => push(out, format_args!(".{:06}", nanoseconds / 1_000)),
        _ => push(out, format_args!(".{nanoseconds:09}")),
    }
    out.push_str(zone);
}

fn separate(out: &mut String, position: usize) {
    if position > 0 {
        out.push(',');
    }
}

fn list<O: OffsetSizeTrait>(
    out: &mut String,
    column: &GenericListArray<O>,
    row: usize,
) -> Result<()> {
    elements(out, &column.value(row))
}

fn elements(out: &mut String, values: &ArrayRef) -> Result<()> {
    out.push('[');
    for position in 0..values.len() {
        separate(out, position);
        write_value(out, values, position, Form::Json)?;
    }
    out.push(']');
    Ok(())
}

fn map(out: &mut String, column: &dyn Array, row: usize) -> Result<()> {
    let entries = column.as_map().value(row);
    let mut keys = Vec::with_capacity(entries.len());
    for position in 0..entries.len() {
        let mut key = String::new();
        write_value(&mut key, entries.column(0), position, Form::Text)?;
        keys.push(key);
    }
    out.push('{');
    for (position, key) in distinct(keys.iter().map(String::as_str)).iter().enumerate() {
        separate(out, position);
        write_json_text(out, key);
        out.push(':');
        write_value(out, entries.column(1), position, Form::Json)?;
    }
    out.push('}');
    Ok(())
}

fn interval(column: &dyn Array, row: usize, unit: IntervalUnit) -> Interval {
    match unit {
        IntervalUnit::YearMonth => Interval {
            months: native::<IntervalYearMonthType>(column, row),
            days: 0,
            microseconds: 0,
        },
        IntervalUnit::DayTime => {
            let value = native::<IntervalDayTimeType>(column, row);
            Interval {
                months: 0,
                days: value.days,
                microseconds: i64::from(value.milliseconds) * 1_000,
            }
        }
        IntervalUnit::MonthDayNano => {
            let value = native::<IntervalMonthDayNanoType>(column, row);
            Interval {
                months: value.months,
                days: value.days,
                microseconds: value.nanoseconds / 1_000,
            }
        }
    }
}

fn duration(column: &dyn Array, row: usize, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => native::<DurationSecondType>(column, row).saturating_mul(1_000_000),
        TimeUnit::Millisecond => {
            native::<DurationMillisecondType>(column, row).saturating_mul(1_000)
        }
        TimeUnit::Microsecond => native::<DurationMicrosecondType>(column, row),
        TimeUnit::Nanosecond => native::<DurationNanosecondType>(column, row) / 1_000,
    }
}

/// Times and the rare rest, as Arrow shows them.
fn other(out: &mut String, column: &dyn Array, row: usize, form: Form) -> Result<()> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options)
        .map_err(datafusion::error::DataFusionError::from)?;
    text(out, &formatter.value(row).to_string(), form);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(write: impl FnOnce(&mut String)) -> String {
        let mut text = String::new();
        write(&mut text);
        text
    }

    #[test]
    fn names_are_told_apart() {
        let names = |names: &[&str]| distinct(names.iter().copied());
        assert_eq!(names(&["a", "b"]), ["a", "b"]);
        assert_eq!(names(&["a", "a", "a_2", "a"]), ["a", "a_3", "a_2", "a_4"]);
    }

    #[test]
    fn days_become_dates() {
        let date = |days| shown(|out| date(out, days));
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(date(20_089), "2025-01-01");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(-719_468), "0000-03-01");
    }

    #[test]
    fn fractions_of_a_second_show_only_where_there_are_some() {
        let instant = |value, unit, form| shown(|out| instant(out, value, unit, form));
        let micros = 1_735_689_600_000_000;
        assert_eq!(
            instant(micros, 1_000_000, Form::Text),
            "2025-01-01T00:00:00Z"
        );
        assert_eq!(
            instant(micros, 1_000_000, Form::Table),
            "2025-01-01 00:00:00 UTC"
        );
        assert_eq!(
            instant(micros + 5, 1_000_000, Form::Json),
            "2025-01-01T00:00:00.000005Z"
        );
        assert_eq!(
            instant(-1, 1_000_000_000, Form::Text),
            "1969-12-31T23:59:59.999999999Z"
        );
        assert_eq!(instant(-1, 1, Form::Text), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn decimals_keep_the_digits_of_their_scale() {
        let decimal = |mantissa, scale| shown(|out| decimal(out, mantissa, scale));
        assert_eq!(decimal(-5, 1), "-0.5");
        assert_eq!(decimal(0, 9), "0.000000000");
        assert_eq!(decimal(1_500, 2), "15.00");
        assert_eq!(decimal(7, 0), "7");
        assert_eq!(decimal(7, -2), "700");
        let most = 10_i128.pow(38) - 1;
        assert_eq!(decimal(-most, 38), format!("-0.{}", "9".repeat(38)));
        assert_eq!(
            decimal(most, 18),
            format!("{}.{}", "9".repeat(20), "9".repeat(18))
        );
    }
}

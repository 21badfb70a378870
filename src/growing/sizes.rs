//! How long the arguments of a function are, row by row.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::ColumnarValue;

use super::SLICE_BYTES;
use crate::error::Error;

/// An argument, of which lengths and numbers are read.
pub enum Input<'a> {
    Array(&'a ArrayRef, Option<Int64Array>),
    /// With its length and its number.
    Scalar(&'a ScalarValue, usize, usize),
}

impl<'a> Input<'a> {
    pub fn of(value: &'a ColumnarValue) -> Self {
        match value {
            ColumnarValue::Array(array) => {
                let numbers = match array.data_type().is_integer() {
                    true => cast(array, &DataType::Int64).ok(),
                    false => None,
                };
                Self::Array(
                    array,
                    numbers.and_then(|n| n.as_primitive_opt::<Int64Type>().cloned()),
                )
            }
            ColumnarValue::Scalar(value) => {
                let number = match value.cast_to(&DataType::Int64) {
                    Ok(ScalarValue::Int64(Some(number))) if value.data_type().is_integer() => {
                        number
                    }
                    _ => 0,
                };
                let number = usize::try_from(number).unwrap_or(0);
                Self::Scalar(value, scalar_length(value), number)
            }
        }
    }

    /// Bytes of a text or list, and those of what has a fixed width.
    pub fn length(&self, row: usize) -> usize {
        match self {
            Self::Scalar(_, length, _) => *length,
            Self::Array(array, _) => array_length(array, row),
        }
    }

    /// A count; none where it is null or negative.
    pub fn number(&self, row: usize) -> usize {
        match self {
            Self::Scalar(_, _, number) => *number,
            Self::Array(_, Some(numbers)) if numbers.is_valid(row) => {
                usize::try_from(numbers.value(row)).unwrap_or(0)
            }
            Self::Array(_, _) => 0,
        }
    }

    /// How many elements a list has.
    pub fn count(&self, row: usize) -> usize {
        let (list, row) = match self {
            Self::Scalar(ScalarValue::List(list), _, _) => (Some(&**list), 0),
            Self::Scalar(_, _, _) => (None, 0),
            Self::Array(array, _) => (array.as_list_opt::<i32>(), row),
        };
        list.map_or(0, |list| {
            usize::try_from(list.value_length(row)).unwrap_or(0)
        })
    }

    /// The most that this pattern of `format` comes to with arguments of which the longest has so many
    /// bytes and the greatest is so great: each mark may be any of them, and as wide as it says.
    pub fn formatted(&self, row: usize, longest: usize, widest: usize) -> usize {
        let value = match self {
            Self::Scalar(value, _, _) => Some((*value).clone()),
            Self::Array(array, _) => ScalarValue::try_from_array(array, row).ok(),
        };
        let Some(pattern) = value
            .as_ref()
            .and_then(|value| value.try_as_str().flatten())
        else {
            return 0;
        };
        let marks = pattern.split('%').skip(1).map(|mark| {
            // `%2$-10s`: a number with a dollar says which, another how wide; a star takes that from
            // an argument, which may be a text or less than 0: then one slice is enough for one row.
            let is_digit = |c: char| c.is_ascii_digit();
            let which = mark.trim_start_matches(is_digit).strip_prefix('$');
            let width = which.unwrap_or(mark).trim_start_matches('-');
            let digits = width.len() - width.trim_start_matches(is_digit).len();
            let given = match width.starts_with('*') {
                true if widest == 0 => SLICE_BYTES,
                true => widest,
                false => width[..digits].parse().unwrap_or(0),
            };
            longest.max(given)
        });
        marks.fold(pattern.len(), usize::saturating_add)
    }
}

/// How many values a series has, by numbers, days or microseconds.
pub fn series(args: &[ColumnarValue], row: usize) -> usize {
    let value = |place: usize| -> Option<ScalarValue> {
        match args.get(place)? {
            ColumnarValue::Scalar(value) => Some(value.clone()),
            ColumnarValue::Array(array) => ScalarValue::try_from_array(array, row).ok(),
        }
    };
    let number = |place: usize| -> Option<i128> {
        Some(match value(place)? {
            ScalarValue::IntervalMonthDayNano(Some(step)) => {
                let days = i128::from(step.months) * 28 + i128::from(step.days);
                days * 86_400_000_000_000 + i128::from(step.nanoseconds)
            }
            ScalarValue::Date32(Some(day)) => i128::from(day) * 86_400_000_000_000,
            value @ (ScalarValue::TimestampNanosecond(_, _)
            | ScalarValue::TimestampMicrosecond(_, _)
            | ScalarValue::TimestampMillisecond(_, _)
            | ScalarValue::TimestampSecond(_, _)) => {
                let unit = DataType::Timestamp(TimeUnit::Microsecond, None);
                match value.cast_to(&unit).ok()? {
                    ScalarValue::TimestampMicrosecond(Some(at), _) => i128::from(at) * 1_000,
                    _ => return None,
                }
            }
            value => match value.cast_to(&DataType::Int64).ok()? {
                ScalarValue::Int64(Some(number)) => i128::from(number),
                _ => return None,
            },
        })
    };
    let (from, to) = match (number(0), number(1)) {
        (Some(from), Some(to)) => (from, to),
        // A range to a number begins at 0.
        (Some(to), None) if args.len() == 1 => (0, to),
        _ => return 0,
    };
    let step = number(2).unwrap_or(1).unsigned_abs().max(1);
    usize::try_from((to - from).unsigned_abs() / step + 1).unwrap_or(usize::MAX)
}

/// What stands before the pattern of an operator, and is that pattern.
pub const PATTERN: &str = "pattern";
/// The most bytes of a pattern: it takes hundreds of times as many to be read.
pub const PATTERN_BYTES: usize = 64 << 10;

/// Refuses a pattern that is too long.
pub fn check_pattern(name: &str, args: &[ColumnarValue]) -> Result<()> {
    let place = match name {
        PATTERN => 0,
        "~" | "~*" | "substring" => 1,
        name if name.starts_with("regexp_") => 1,
        _ => return Ok(()),
    };
    match args.get(place).map(longest) {
        Some(length) if length > PATTERN_BYTES => Err(Error::session_hint(
            "54000",
            format!("a pattern has {length} bytes, and at most {PATTERN_BYTES} are read"),
            "look for parts of it one by one, or with position() or like",
        )
        .into()),
        _ => Ok(()),
    }
}

/// What the longest value of an argument has.
fn longest(arg: &ColumnarValue) -> usize {
    match arg {
        ColumnarValue::Scalar(value) => scalar_length(value),
        ColumnarValue::Array(array) => {
            let lengths = (0..array.len()).map(|row| array_length(array, row));
            lengths.max().unwrap_or(0)
        }
    }
}

/// The most that the arguments of all rows have together, at a glance.
pub fn at_most(args: &[ColumnarValue], rows: usize) -> usize {
    let bytes = args.iter().map(|arg| match arg {
        ColumnarValue::Scalar(value) => scalar_length(value).saturating_mul(rows),
        ColumnarValue::Array(array) => total_length(array),
    });
    bytes.fold(0, usize::saturating_add)
}

fn total_length(array: &ArrayRef) -> usize {
    match array.data_type() {
        DataType::Utf8View => {
            let lengths = array.as_string_view().lengths();
            lengths.fold(0, |sum: usize, length| sum.saturating_add(length as usize))
        }
        DataType::Utf8 => {
            let offsets = array.as_string::<i32>().value_offsets();
            let at = |offset: Option<&i32>| offset.map_or(0, |offset| *offset as usize);
            at(offsets.last()) - at(offsets.first())
        }
        of if of.is_primitive() || *of == DataType::Boolean => array.len() * 16,
        _ => (0..array.len())
            .map(|row| array_length(array, row))
            .fold(0, usize::saturating_add),
    }
}

pub fn scalar_length(value: &ScalarValue) -> usize {
    match value {
        ScalarValue::Utf8(Some(text))
        | ScalarValue::Utf8View(Some(text))
        | ScalarValue::LargeUtf8(Some(text)) => text.len(),
        ScalarValue::Binary(Some(bytes))
        | ScalarValue::BinaryView(Some(bytes))
        | ScalarValue::LargeBinary(Some(bytes)) => bytes.len(),
        ScalarValue::List(list) => list_length(&(Arc::clone(list) as ArrayRef), 0),
        ScalarValue::Struct(of) => array_length(&(Arc::clone(of) as ArrayRef), 0),
        ScalarValue::Dictionary(_, value) => scalar_length(value),
        _ => 16,
    }
}

/// The bytes of a text or list, about, and those of any value with a fixed width.
fn array_length(array: &ArrayRef, row: usize) -> usize {
    let bytes = |length: i64| usize::try_from(length).unwrap_or(0);
    match array.data_type() {
        DataType::Utf8 => bytes(array.as_string::<i32>().value_length(row).into()),
        DataType::LargeUtf8 => bytes(array.as_string::<i64>().value_length(row)),
        DataType::Binary => bytes(array.as_binary::<i32>().value_length(row).into()),
        // The length is in the low half of a view.
        DataType::Utf8View => {
            let view = array.as_string_view().views().get(row);
            view.map_or(0, |view| *view as u32 as usize)
        }
        DataType::List(_) => list_length(array, row),
        DataType::LargeBinary => bytes(array.as_binary::<i64>().value_length(row)),
        DataType::BinaryView => {
            let view = array.as_binary_view().views().get(row);
            view.map_or(0, |view| *view as u32 as usize)
        }
        DataType::Struct(_) => {
            let fields = array.as_struct().columns().iter();
            let lengths = fields.map(|field| array_length(field, row));
            lengths.fold(0, usize::saturating_add)
        }
        DataType::Dictionary(_, _) => match array.as_dictionary_opt::<Int32Type>() {
            Some(of) => of.key(row).map_or(0, |key| array_length(of.values(), key)),
            None => 16,
        },
        _ => 16,
    }
}

fn list_length(array: &ArrayRef, row: usize) -> usize {
    let Some(list) = array.as_list_opt::<i32>() else {
        return 16;
    };
    let values = list.values();
    if matches!(
        values.data_type(),
        DataType::Utf8View | DataType::List(_) | DataType::Struct(_)
    ) {
        // Views may share what they show, so each is asked for its length.
        let values = list.value(row);
        let lengths = (0..values.len()).map(|row| array_length(&values, row) + 1);
        return lengths.fold(0, |sum: usize, length| sum.saturating_add(length));
    }
    let each = values.get_buffer_memory_size() / values.len().max(1) + 1;
    let count = usize::try_from(list.value_length(row)).unwrap_or(0);
    count.saturating_mul(each)
}

//! Some rows of one input file, checked and typed: what every format becomes.

use std::borrow::Cow;

use datafusion::arrow::array::{
    Array, AsArray, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::buffer::ScalarBuffer;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Int32Type, TimestampMicrosecondType};

use super::columns::Column;
use super::timestamp;

/// Rows in the columns of their table.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) rows: usize,
    pub(super) columns: Vec<Values>,
    /// Values that lost digits.
    pub(super) rounded: Vec<Rounded>,
}

/// The values of one column, of the kind its declaration says; a column that must not be null is not.
#[derive(Debug)]
pub(super) enum Values {
    Absent,
    Text(StringArray),
    Token(DictionaryArray<Int32Type>),
    /// Microseconds since 1970 UTC.
    Timestamp(Int64Array),
    Price {
        mantissas: ScalarBuffer<i64>,
        scales: Vec<u8>,
    },
    Decimal(Decimal128Array),
}

impl Chunk {
    /// Rows of the stored history, whose columns are those of their table.
    pub(super) fn of_stored(batch: &RecordBatch) -> Self {
        let columns = batch
            .columns()
            .iter()
            .map(|column| match column.data_type() {
                DataType::Utf8 => Values::Text(column.as_string::<i32>().clone()),
                DataType::Timestamp(..) => {
                    let micros = column.as_primitive::<TimestampMicrosecondType>();
                    Values::Timestamp(micros.reinterpret_cast())
                }
                _ => Values::Decimal(column.as_primitive::<Decimal128Type>().clone()),
            });
        Self {
            rows: batch.num_rows(),
            columns: columns.collect(),
            rounded: Vec::new(),
        }
    }

    pub(super) fn text(&self, column: usize, row: usize) -> Option<&str> {
        match self.columns.get(column)? {
            Values::Text(values) => values.is_valid(row).then(|| values.value(row)),
            _ => None,
        }
    }

    pub(super) fn micros(&self, column: usize, row: usize) -> Option<i64> {
        match self.columns.get(column)? {
            Values::Timestamp(values) => values.is_valid(row).then(|| values.value(row)),
            _ => None,
        }
    }

    pub(super) fn decimal(&self, column: usize, row: usize) -> Option<i128> {
        match self.columns.get(column)? {
            Values::Decimal(values) => values.is_valid(row).then(|| values.value(row)),
            _ => None,
        }
    }
}

/// How many values of one column were rounded, and the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rounded {
    pub(super) column: &'static str,
    pub(super) count: u64,
    pub(super) row: u64,
    pub(super) found: String,
}

/// A value that does not fit its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// In the chunk, from 0.
    pub(super) row: u64,
    pub(super) column: Cow<'static, str>,
    pub(super) found: String,
    pub(super) expected: String,
}

/// One value as a file gives it.
#[derive(Debug, Clone)]
pub(super) enum Cell<'a> {
    Null,
    Text(Cow<'a, str>),
    /// A number in the digits of the file.
    Number(Cow<'a, str>),
    Float(f64),
    /// Microseconds since 1970 UTC; whether it was finer.
    Timestamp(i64, bool),
    /// A JSON object.
    Object(Cow<'a, str>),
    /// Anything else, which fits no column.
    Other(Cow<'a, str>),
}

impl Cell<'_> {
    pub(super) fn found(&self) -> String {
        match self {
            Self::Null => "nothing".into(),
            Self::Text(text) if text.is_empty() => "an empty text".into(),
            Self::Text(text) | Self::Number(text) | Self::Object(text) | Self::Other(text) => {
                const SHOWN: usize = 80;
                match text.char_indices().nth(SHOWN) {
                    Some((end, _)) => format!("{}…", &text[..end]),
                    None => text.to_string(),
                }
            }
            Self::Float(value) => value.to_string(),
            Self::Timestamp(micros, _) => timestamp::to_text(*micros),
        }
    }
}

/// Counts a rounded value; only the first is shown.
pub(super) fn note_rounded(
    rounded: &mut Option<Rounded>,
    column: &'static str,
    row: u64,
    found: impl FnOnce() -> String,
) {
    match rounded {
        Some(rounded) => rounded.count += 1,
        None => {
            *rounded = Some(Rounded {
                column,
                count: 1,
                row,
                found: found(),
            });
        }
    }
}

pub(super) fn mismatch(column: &Column, row: u64, found: String) -> Mismatch {
    Mismatch {
        row,
        column: column.name.into(),
        found,
        expected: column.expected.into(),
    }
}

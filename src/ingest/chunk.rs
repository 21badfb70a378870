//! Some rows of one input file, checked and typed: what every format becomes.

use std::borrow::Cow;

use datafusion::arrow::array::{
    Array, AsArray, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::buffer::ScalarBuffer;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Int32Type, TimestampMicrosecondType};

use super::columns::Column;
use super::names::Unused;
use super::timestamp::{self, Form, Instant};

/// Rows in the columns of their table.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) rows: usize,
    pub(super) columns: Vec<Values>,
    /// What was odd about values.
    pub(super) notes: Vec<Note>,
    /// Where lines of the file were passed that are no rows.
    pub(super) passed: Passed,
    /// Keys of JSON objects that are no columns of ours.
    pub(super) unused: Vec<Unused>,
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
        /// As [`super::mantissas::marked_scale`] has them.
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
            ..Self::default()
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

/// What can be odd about a value that is taken nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Check {
    /// It lost digits.
    Rounded,
    /// It is a word such as `NULL`, and was taken as nothing.
    Nothing,
    /// A timestamp in the form that it has.
    Clock(Form),
}

/// How many values of one column have something odd in common, and the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) check: Check,
    pub(super) column: &'static str,
    pub(super) count: u64,
    pub(super) row: u64,
    pub(super) found: String,
}

/// The lines of a text that are no rows: blank ones, repeated headers, and the further lines of a
/// record that has several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Passed {
    /// From which row on how many lines were passed so far.
    shifts: Vec<(u64, u64)>,
    /// All there are.
    pub(super) lines: u64,
    /// How many of them repeat the header.
    pub(super) headers: u64,
    /// The lines in which rows begin that have not one each: from a row on the line of the file, and
    /// how many lines further each next row begins.
    runs: Vec<(u64, u64, u64)>,
}

impl Passed {
    /// Beyond so many it is no longer known where they are.
    const SHIFTS_MAX: usize = 1000;

    /// Passes lines before a row.
    #[cold]
    pub(super) fn pass(&mut self, row: u64, lines: u64) {
        self.lines += lines;
        let is_known = self.shifts.len() <= Self::SHIFTS_MAX;
        match self.shifts.last_mut() {
            Some((at, shift)) if *at == row => *shift = self.lines,
            _ if is_known => self.shifts.push((row, self.lines)),
            _ => {}
        }
    }

    /// Passes a line that repeats the header.
    #[cold]
    pub(super) fn pass_header(&mut self, row: u64) {
        self.headers += 1;
        self.pass(row, 1);
    }

    /// Notes in which line of the file the next row begins.
    pub(super) fn begin_row(&mut self, row: u64, line: u64) {
        let is_known = self.runs.len() <= Self::SHIFTS_MAX;
        match self.runs.last_mut() {
            Some((first, from, step)) if *from + *step * (row - *first) == line => {}
            // The second row of a run says how far apart they are.
            Some((first, from, step)) if row - *first == 1 && line >= *from => *step = line - *from,
            _ if is_known => self.runs.push((row, line, 0)),
            _ => {}
        }
    }

    /// The line of the file in which a row begins, where [`Self::begin_row`] told it; 0 where there
    /// were too many to remember.
    pub(super) fn line_of(&self, row: u64) -> Option<u64> {
        let later = self.runs.partition_point(|(first, ..)| *first <= row);
        let (first, from, step) = self.runs.get(later.checked_sub(1)?)?;
        let is_known = later < self.runs.len() || self.runs.len() <= Self::SHIFTS_MAX;
        Some(if is_known {
            from + step * (row - first)
        } else {
            0
        })
    }

    /// How many lines there are before a row that are no rows.
    pub(super) fn before(&self, row: u64) -> Option<u64> {
        let later = self.shifts.partition_point(|(at, _)| *at <= row);
        let known = later < self.shifts.len() || self.shifts.len() <= Self::SHIFTS_MAX;
        let before = later.checked_sub(1).map_or(0, |last| self.shifts[last].1);
        known.then_some(before)
    }
}

/// A value that does not fit its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// In the chunk, from 0.
    pub(super) row: u64,
    pub(super) column: Cow<'static, str>,
    pub(super) found: String,
    pub(super) expected: String,
    /// The way out, where there is one.
    pub(super) hint: Option<String>,
}

impl Mismatch {
    /// Of a row as a whole.
    pub(super) fn of_row(row: u64, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            row,
            column: "".into(),
            found: found.into(),
            expected: expected.into(),
            hint: None,
        }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// One value as a file gives it.
#[derive(Debug, Clone)]
pub(super) enum Cell<'a> {
    Null,
    Text(Cow<'a, str>),
    /// A number in the digits of the file.
    Number(Cow<'a, str>),
    Float(f64),
    Timestamp(Instant),
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
            Self::Timestamp(instant) => timestamp::to_text(instant.micros),
        }
    }
}

/// Counts a value that was rounded or taken as nothing; only the first is shown.
pub(super) fn note(
    notes: &mut Option<Note>,
    check: Check,
    column: &'static str,
    row: u64,
    found: impl FnOnce() -> String,
) {
    match notes {
        Some(note) => note.count += 1,
        None => {
            *notes = Some(Note {
                check,
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
        hint: None,
    }
}

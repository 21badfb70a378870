//! Results as bytes for programs: a Parquet file or an Arrow IPC stream.
//!
//! Readers of both know fewer types than we compute with. Decimals of 256 bits are written with 128
//! where their values fit, which takes a look at them first; intervals, for which Parquet has no place
//! and many readers of Arrow no type, as PostgreSQL prints them.

use std::error::Error as StdError;
use std::io::{self, Write};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringBuilder};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Decimal256Type, Field, Schema, SchemaRef};
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::error::DataFusionError;
use datafusion::parquet::arrow::ArrowWriter as ParquetFileWriter;

use super::{ResultWriter, Target};
use crate::cli::failure::Failure;
use crate::cli::values::{Form, distinct, write_value};

/// A format of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    Parquet,
    /// An IPC stream, which readers can follow through a pipe.
    Arrow,
}

/// Writes one result.
pub struct BinaryWriter {
    format: Binary,
    /// The result's, with names that are told apart: readers find columns by them.
    schema: SchemaRef,
    state: State,
}

enum State {
    /// Rows are looked at before it is known how they are written.
    Looking(Target, Vec<RecordBatch>),
    Writing(Vec<Change>, Sink),
    Done,
}

/// Rows are looked at up to so many; if there are more, they are written in the types they have.
const LOOKED_AT_ROWS: usize = 1 << 20;

impl BinaryWriter {
    pub fn new(format: Binary, schema: &SchemaRef, target: Target) -> Result<Self, Failure> {
        let fields = schema.fields();
        let names = distinct(fields.iter().map(|field| field.name().as_str()));
        let fields = fields.iter().zip(names);
        let fields: Vec<Field> = fields
            .map(|(field, name)| field.as_ref().clone().with_name(name))
            .collect();
        let is_wide = |field: &Field| matches!(field.data_type(), DataType::Decimal256(..));
        let is_looked_at = fields.iter().any(is_wide);
        let mut writer = Self {
            format,
            schema: Arc::new(Schema::new(fields)),
            state: State::Looking(target, Vec::new()),
        };
        if !is_looked_at {
            writer.begin(true)?;
        }
        Ok(writer)
    }

    /// Begins to write, now that it is known how; `is_whole` says that all rows were looked at.
    fn begin(&mut self, is_whole: bool) -> Result<(), Failure> {
        let (target, batches) = match std::mem::replace(&mut self.state, State::Done) {
            State::Looking(target, batches) => (target, batches),
            begun => {
                self.state = begun;
                return Ok(());
            }
        };
        let changes = self.schema.fields().iter().enumerate();
        let changes: Vec<Change> = changes
            .map(|(at, field)| match field.data_type() {
                DataType::Decimal256(_, scale) if is_whole => {
                    let columns = batches.iter().map(|batch| batch.column(at));
                    narrow(columns, *scale).map_or(Change::None, Change::Narrow)
                }
                DataType::Interval(_) => Change::Text,
                _ => Change::None,
            })
            .collect();
        let fields = self.schema.fields().iter().zip(&changes);
        let fields: Vec<Field> = fields
            .map(|(field, change)| match change.data_type() {
                Some(data_type) => field.as_ref().clone().with_data_type(data_type),
                None => field.as_ref().clone(),
            })
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let mut sink = match self.format {
            Binary::Parquet => {
                let writer = ParquetFileWriter::try_new(target, Arc::clone(&schema), None);
                Sink::Parquet(Box::new(writer.map_err(failure)?))
            }
            Binary::Arrow => {
                let writer = StreamWriter::try_new(target, &schema);
                Sink::Arrow(Box::new(writer.map_err(failure)?))
            }
        };
        for batch in batches {
            sink.write(&changed(&batch, &schema, &changes)?)?;
        }
        self.schema = schema;
        self.state = State::Writing(changes, sink);
        Ok(())
    }
}

impl ResultWriter for BinaryWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        match &mut self.state {
            State::Looking(_, batches) => {
                batches.push(batch.clone());
                let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
                match rows > LOOKED_AT_ROWS {
                    true => self.begin(false),
                    false => Ok(()),
                }
            }
            State::Writing(changes, sink) => sink.write(&changed(batch, &self.schema, changes)?),
            State::Done => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.begin(true)?;
        match std::mem::replace(&mut self.state, State::Done) {
            State::Writing(_, sink) => sink.finish(),
            State::Looking(..) | State::Done => Ok(()),
        }
    }
}

enum Sink {
    Parquet(Box<ParquetFileWriter<Target>>),
    Arrow(Box<StreamWriter<Target>>),
}

impl Sink {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        match self {
            Self::Parquet(writer) => writer.write(batch).map_err(failure),
            Self::Arrow(writer) => writer.write(batch).map_err(failure),
        }
    }

    fn finish(self) -> Result<(), Failure> {
        let mut target = match self {
            Self::Parquet(writer) => writer.into_inner().map_err(failure)?,
            Self::Arrow(writer) => writer.into_inner().map_err(failure)?,
        };
        Ok(target.flush()?)
    }
}

/// How a column is written otherwise than it was computed.
enum Change {
    None,
    /// As a decimal of 128 bits with so many fractional digits.
    Narrow(i8),
    Text,
}

const DIGITS_MAX: u8 = 38;

impl Change {
    fn data_type(&self) -> Option<DataType> {
        match self {
            Self::None => None,
            Self::Narrow(scale) => Some(DataType::Decimal128(DIGITS_MAX, *scale)),
            Self::Text => Some(DataType::Utf8),
        }
    }
}

/// The fractional digits with which 128 bits hold every value whole: 18, as prices have, where they
/// do, else as few as there are.
fn narrow<'a>(columns: impl Iterator<Item = &'a ArrayRef>, scale: i8) -> Option<i8> {
    const USUAL: usize = 18;
    let scale = usize::try_from(scale).ok()?;
    let (mut whole, mut fraction) = (0, 0);
    for column in columns {
        for value in column.as_primitive::<Decimal256Type>().iter().flatten() {
            let text = value.to_string();
            let digits = text.trim_start_matches('-').trim_start_matches('0');
            let zeros = digits.len() - digits.trim_end_matches('0').len();
            whole = whole.max(digits.len().saturating_sub(scale));
            if !digits.is_empty() {
                fraction = fraction.max(scale.saturating_sub(zeros));
            }
        }
    }
    let digits = usize::from(DIGITS_MAX);
    let usual = USUAL.min(scale);
    let fraction = match fraction <= usual && whole + usual <= digits {
        true => usual,
        false => fraction,
    };
    (whole + fraction <= digits).then(|| i8::try_from(fraction).ok())?
}

fn changed(
    batch: &RecordBatch,
    schema: &SchemaRef,
    changes: &[Change],
) -> Result<RecordBatch, Failure> {
    let mut columns = Vec::with_capacity(changes.len());
    for (column, change) in batch.columns().iter().zip(changes) {
        columns.push(match change {
            Change::None => Arc::clone(column),
            Change::Narrow(scale) => {
                let options = CastOptions {
                    safe: false,
                    ..CastOptions::default()
                };
                let narrow = DataType::Decimal128(DIGITS_MAX, *scale);
                cast_with_options(column, &narrow, &options).map_err(DataFusionError::from)?
            }
            Change::Text => text(column)?,
        });
    }
    let batch = RecordBatch::try_new(Arc::clone(schema), columns);
    Ok(batch.map_err(DataFusionError::from)?)
}

/// A column as the text formats have it.
fn text(column: &ArrayRef) -> Result<ArrayRef, Failure> {
    let mut texts = StringBuilder::new();
    let mut text = String::new();
    for row in 0..column.len() {
        if column.is_null(row) {
            texts.append_null();
            continue;
        }
        text.clear();
        write_value(&mut text, column, row, Form::Text)?;
        texts.append_value(&text);
    }
    Ok(Arc::new(texts.finish()))
}

/// A pipe that was closed is told from a type that the format does not have.
fn failure<E>(error: E) -> Failure
where
    E: StdError + 'static,
    DataFusionError: From<E>,
{
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(current) = cause {
        if let Some(error) = current.downcast_ref::<io::Error>() {
            return io::Error::new(error.kind(), error.to_string()).into();
        }
        cause = current.source();
    }
    DataFusionError::from(error).into()
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        reason = "a test may stop at what it did not expect"
    )]

    use datafusion::arrow::array::Decimal256Array;
    use datafusion::arrow::datatypes::i256;

    use super::*;

    #[test]
    fn wide_decimals_are_narrowed_where_they_fit() {
        for (values, scale, expected) in [
            (&["0"][..], 40, Some(18)),
            // 1.5 and one with 20 digits behind the point.
            (&["15000000000000000000000000000000000000000"], 40, Some(18)),
            (&["3333333333333333333300000000000000000000"], 40, Some(20)),
            (&["-1"], 40, None),
            (&["-1"], 38, Some(38)),
            (&["-10"], 39, Some(38)),
            (&["100000000000000000000000000000000000000"], 2, Some(0)),
            (&["100000000000000000000000000000000000000"], 0, None),
            (&["99999999999999999999999999999999999999"], 0, Some(0)),
            (&["12345678901234567890123", "5"], 10, Some(10)),
            (
                &["12345678901234567890123000000000000000", "5"],
                20,
                Some(20),
            ),
        ] {
            let numbers = values.iter().map(|text| i256::from_string(text).unwrap());
            let array = Decimal256Array::from_iter_values(numbers);
            let array = array.with_precision_and_scale(76, scale).unwrap();
            let array: ArrayRef = Arc::new(array);
            assert_eq!(
                narrow([&array].into_iter(), scale),
                expected,
                "{values:?} {scale}"
            );
        }
    }
}

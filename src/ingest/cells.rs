//! Arrow columns of any type, read cell by cell.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float32Array, Float64Array, Int64Array, StringArray,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{
    DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};

use super::chunk::{Cell, Mismatch};
use super::timestamp::{self, Form, Instant};

/// A column of a record batch, read cell by cell.
#[derive(Debug, Clone)]
pub(super) struct Source {
    values: SourceValues,
    nulls: Option<NullBuffer>,
}

#[derive(Debug, Clone)]
enum SourceValues {
    Text(StringArray),
    Integer(Int64Array),
    Float(Float64Array),
    Decimal(Decimal128Array),
    Micros(Int64Array, Form),
    Nanos(Int64Array, Form),
}

impl Source {
    pub(super) fn new(
        name: &str,
        array: &ArrayRef,
        parent_nulls: Option<&NullBuffer>,
    ) -> Result<Self, Mismatch> {
        // What cannot be read must not become a null.
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let to = |data_type: &DataType| {
            cast_with_options(array, data_type, &strict).map_err(|error| Mismatch {
                row: 0,
                column: Cow::Owned(name.to_owned()),
                found: error.to_string(),
                expected: "a value that can be read".into(),
                hint: None,
            })
        };
        let form = |zone: &Option<Arc<str>>| match zone {
            Some(_) => Form::Zoned,
            None => Form::Naive,
        };
        let values = match array.data_type() {
            DataType::Float64 => SourceValues::Float(array.as_primitive::<Float64Type>().clone()),
            DataType::Float32 | DataType::Float16 => {
                SourceValues::Float(shortest_doubles(to(&DataType::Float32)?.as_primitive()))
            }
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32 => {
                SourceValues::Integer(to(&DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            DataType::Decimal128(..) => SourceValues::Decimal(array.as_primitive().clone()),
            DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
                let nanos = to(&DataType::Timestamp(TimeUnit::Nanosecond, zone.clone()))?;
                SourceValues::Nanos(
                    nanos
                        .as_primitive::<TimestampNanosecondType>()
                        .reinterpret_cast(),
                    form(zone),
                )
            }
            DataType::Timestamp(_, zone) => {
                let micros = to(&DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
                SourceValues::Micros(
                    micros
                        .as_primitive::<TimestampMicrosecondType>()
                        .reinterpret_cast(),
                    form(zone),
                )
            }
            DataType::Date32 | DataType::Date64 => {
                let micros = to(&DataType::Timestamp(TimeUnit::Microsecond, None))?;
                SourceValues::Micros(
                    micros
                        .as_primitive::<TimestampMicrosecondType>()
                        .reinterpret_cast(),
                    Form::Naive,
                )
            }
            DataType::FixedSizeBinary(16) => {
                let uuids = array.as_fixed_size_binary().iter();
                SourceValues::Text(uuids.map(|uuid| uuid.map(uuid_text)).collect())
            }
            // Text of every kind, and numbers whose text is exact: the other widths of decimals.
            _ => SourceValues::Text(to(&DataType::Utf8)?.as_string::<i32>().clone()),
        };
        Ok(Self {
            nulls: NullBuffer::union(parent_nulls, array.logical_nulls().as_ref()),
            values,
        })
    }

    pub(super) fn cell(&self, row: usize) -> Cell<'_> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Cell::Null;
        }
        match &self.values {
            SourceValues::Text(values) => Cell::Text(Cow::Borrowed(values.value(row))),
            SourceValues::Integer(values) => {
                Cell::Number(Cow::Owned(values.value(row).to_string()))
            }
            SourceValues::Float(values) => Cell::Float(values.value(row)),
            SourceValues::Decimal(values) => Cell::Number(Cow::Owned(values.value_as_string(row))),
            SourceValues::Micros(values, form) => Cell::Timestamp(Instant {
                micros: values.value(row),
                rounded: false,
                form: *form,
            }),
            SourceValues::Nanos(values, form) => {
                let (micros, rounded) = timestamp::from_nanoseconds(values.value(row));
                Cell::Timestamp(Instant {
                    micros,
                    rounded,
                    form: *form,
                })
            }
        }
    }
}

/// A UUID as PostgreSQL writes it.
fn uuid_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (position, byte) in bytes.iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The doubles that have the same shortest decimal representation.
fn shortest_doubles(floats: &Float32Array) -> Float64Array {
    floats.unary(|value| value.to_string().parse().unwrap_or(f64::NAN))
}

//! JSON as it comes in, where no field may be unknown or there twice, and rows as they go out.
//!
//! A number is read as it is written, so that no digit is lost. What goes out: decimals are texts
//! with all the digits that SQL shows, counts are numbers, times are RFC 3339 in UTC.

use bytes::BytesMut;
use chrono::{DateTime, SecondsFormat};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Field, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::problem::Problem;
use crate::dialect::output::cells::Cells;
use crate::dialect::output::types::PgType;
use crate::dialect::output::{IntervalStyle, Style};
use crate::error::{Error, Result};

/// An object whose members are taken one by one; what is left at the end is unknown.
pub struct Object {
    /// Where it stands in the whole, with a dot behind it; nothing for the whole.
    path: String,
    members: Vec<(String, Box<RawValue>)>,
    known: Vec<String>,
}

struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Members, A::Error> {
                let mut members: Vec<(String, Box<RawValue>)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format!("{name} is there twice")));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

impl Object {
    /// The object that a body is.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(Problem::request(
                "the body is empty, and expected is a JSON object",
            ));
        }
        Self::read(String::new(), body)
    }

    fn read(path: String, text: &[u8]) -> Result<Self, Problem> {
        let members: Members = serde_json::from_slice(text).map_err(|error| {
            let what = match path.trim_end_matches('.') {
                "" => "the body",
                path => path,
            };
            Problem::request(format!("{what} is no JSON object: {error}"))
        })?;
        Ok(Self {
            path,
            members: members.0,
            known: Vec::new(),
        })
    }

    /// The place of a member, for people.
    fn place(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    /// Takes a member out; null is as if it were not there.
    pub fn take(&mut self, name: &str) -> Option<Box<RawValue>> {
        self.known.push(name.to_owned());
        let at = self.members.iter().position(|(known, _)| known == name)?;
        let value = self.members.remove(at).1;
        (value.get() != "null").then_some(value)
    }

    /// Takes a member that is an object itself.
    pub fn object(&mut self, name: &str) -> Result<Option<Self>, Problem> {
        let path = format!("{}.", self.place(name));
        let value = self.take(name);
        value
            .map(|value| Self::read(path, value.get().as_bytes()))
            .transpose()
    }

    /// Takes a member of a type that serde knows.
    pub fn get<T: serde::de::DeserializeOwned>(
        &mut self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let read = serde_json::from_str(value.get());
        read.map(Some).map_err(|_| {
            let found: String = value.get().chars().take(100).collect();
            let place = self.place(name);
            Problem::request(format!("{place} must be {expected}, found {found}"))
        })
    }

    pub fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        self.get(name, "a text")
    }

    /// A text that must be there.
    pub fn required(&mut self, name: &str) -> Result<String, Problem> {
        let text = self.text(name)?;
        text.ok_or_else(|| Problem::request(format!("{} is missing", self.place(name))))
    }

    pub fn boolean(&mut self, name: &str) -> Result<Option<bool>, Problem> {
        self.get(name, "true or false")
    }

    /// Whatever is left, by their names.
    pub fn rest(&mut self) -> Vec<(String, Box<RawValue>)> {
        std::mem::take(&mut self.members)
    }

    /// Refuses what nobody has taken.
    pub fn end(self) -> Result<(), Problem> {
        let Some((unknown, _)) = self.members.first() else {
            return Ok(());
        };
        let unknown: String = unknown.chars().take(100).collect();
        let place = self.place(&unknown);
        let near = self
            .known
            .iter()
            .max_by(|a, b| {
                strsim::jaro_winkler(a, &unknown).total_cmp(&strsim::jaro_winkler(b, &unknown))
            })
            .filter(|near| strsim::jaro_winkler(near, &unknown) > 0.8);
        let hint = match near {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are {}", self.known.join(", ")),
        };
        Err(Problem::request(format!("{place} is unknown")).hinted(hint))
    }
}

/// The text that a member stands for: a string as it is, a number or a truth value as it is written.
pub fn scalar(place: &str, value: &RawValue) -> Result<String, Problem> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text)
            .map_err(|error| Problem::request(format!("{place} is no text: {error}"))),
        Some(b'[' | b'{') => {
            let found = if text.starts_with('[') {
                "a list"
            } else {
                "an object"
            };
            Err(Problem::request(format!(
                "{place} must be one value, found {found}"
            )))
        }
        _ => Ok(text.to_owned()),
    }
}

/// The columns of rows, ready to be written.
pub struct Columns {
    names: Vec<String>,
    columns: Vec<(ArrayRef, Option<Cells>)>,
}

const STYLE: Style = Style {
    zone: None,
    bytea_is_escaped: false,
    interval: IntervalStyle::Iso,
    float_digits: 1,
};

impl Columns {
    pub fn new(batch: &RecordBatch) -> Result<Self> {
        let schema = batch.schema();
        let fields = schema.fields().iter().zip(batch.columns());
        let columns = fields.map(|(field, column)| {
            let cells = match field.data_type() {
                DataType::Decimal128(_, _) | DataType::Decimal256(_, _) => {
                    Some(Cells::new(column, PgType::of(field).oid)?)
                }
                _ => None,
            };
            Ok((ArrayRef::clone(column), cells))
        });
        Ok(Self {
            names: schema.fields().iter().map(|f| f.name().clone()).collect(),
            columns: columns.collect::<Result<_>>()?,
        })
    }

    /// A row as a list.
    pub fn list(&self, row: usize, out: &mut String) -> Result<()> {
        out.push('[');
        for (position, (column, cells)) in self.columns.iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            write(column, cells.as_ref(), row, out)?;
        }
        out.push(']');
        Ok(())
    }

    /// A row by the names of its columns.
    pub fn object(&self, row: usize) -> Result<serde_json::Map<String, Value>> {
        let mut members = serde_json::Map::new();
        for (name, (column, cells)) in self.names.iter().zip(&self.columns) {
            let mut text = String::new();
            write(column, cells.as_ref(), row, &mut text)?;
            let value = serde_json::from_str(&text).unwrap_or(Value::Null);
            members.insert(name.clone(), value);
        }
        Ok(members)
    }
}

/// Every row by the names of its columns.
pub fn objects(batches: &[RecordBatch]) -> Result<Vec<serde_json::Map<String, Value>>> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns = Columns::new(batch)?;
        for row in 0..batch.num_rows() {
            rows.push(columns.object(row)?);
        }
    }
    Ok(rows)
}

fn write(column: &ArrayRef, cells: Option<&Cells>, row: usize, out: &mut String) -> Result<()> {
    if column.is_null(row) || *column.data_type() == DataType::Null {
        out.push_str("null");
        return Ok(());
    }
    if let Some(cells) = cells {
        let mut text = BytesMut::new();
        cells.text(row, &STYLE, &mut text)?;
        quote(&String::from_utf8_lossy(&text), out);
        return Ok(());
    }
    match column.data_type() {
        DataType::Boolean => out.push_str(match column.as_boolean().value(row) {
            true => "true",
            false => "false",
        }),
        DataType::Int64 => {
            out.push_str(&column.as_primitive::<Int64Type>().value(row).to_string());
        }
        DataType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            out.push_str(&Value::from(value).to_string());
        }
        DataType::Utf8 => quote(column.as_string::<i32>().value(row), out),
        DataType::Utf8View => quote(column.as_string_view().value(row), out),
        DataType::Date32 => {
            let day = column.as_primitive::<Date32Type>().value_as_date(row);
            quote(&day.map(|day| day.to_string()).unwrap_or_default(), out);
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            quote(&time(micros), out);
        }
        DataType::List(field) => {
            let values = column.as_list::<i32>().value(row);
            let cells = match field.data_type() {
                DataType::Decimal128(_, _) | DataType::Decimal256(_, _) => {
                    Some(Cells::new(&values, PgType::of(field).oid)?)
                }
                _ => None,
            };
            out.push('[');
            for place in 0..values.len() {
                if place > 0 {
                    out.push(',');
                }
                write(&values, cells.as_ref(), place, out)?;
            }
            out.push(']');
        }
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64 => {
            out.push_str(&shown(column, row)?);
        }
        _ => quote(&shown(column, row)?, out),
    }
    Ok(())
}

fn shown(column: &ArrayRef, row: usize) -> Result<String> {
    let formatter = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default());
    let formatter = formatter.map_err(|error| {
        Error::from(datafusion::error::DataFusionError::ArrowError(
            Box::new(error),
            None,
        ))
    })?;
    Ok(formatter.value(row).to_string())
}

fn quote(text: &str, out: &mut String) {
    out.push_str(&Value::from(text).to_string());
}

/// A time as RFC 3339 in UTC.
pub fn time(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .map(|time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        .unwrap_or_default()
}

/// The name of a column's type in SQL, for people and pages.
pub fn type_name(field: &Field) -> &'static str {
    match field.data_type() {
        DataType::Decimal128(_, _) | DataType::Decimal256(_, _) => "numeric",
        DataType::Boolean => "boolean",
        DataType::Date32 => "date",
        DataType::Timestamp(_, _) => "timestamptz",
        DataType::Float64 | DataType::Float32 => "double precision",
        DataType::List(_) => "list",
        data_type if data_type.is_integer() => "bigint",
        _ => "text",
    }
}

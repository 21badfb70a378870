//! The values of a column, written as JSON.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, StringArray};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{DataFusionError, Result};

use super::casts::converted;
use super::json::texts;
use super::json_text::quoted;
use super::routine::failed;
use crate::catalog::PG_TYPE;
use crate::catalog::time::read::Clock;

/// Writes the values of a column as JSON.
pub enum Writer {
    Null,
    Bool(BooleanArray),
    /// Numbers, and what is JSON already.
    Bare(StringArray),
    Quoted(StringArray),
    /// Timestamps, whose date and time are parted by a `T`.
    Moment(StringArray),
    List(ListArray, Box<Writer>),
    Struct(ArrayRef, Vec<(String, Writer)>),
}

impl Writer {
    pub fn new(column: &ArrayRef, field: &Field, clock: &Clock) -> Result<Self> {
        let pg_type = field.metadata().get(PG_TYPE).map(String::as_str);
        if matches!(pg_type, Some("json" | "jsonb")) {
            return Ok(Self::Bare(texts(column)?));
        }
        Ok(match column.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Bool(column.as_boolean().clone()),
            of if of.is_numeric() => Self::Bare(text_column(column, clock)?),
            DataType::Timestamp(_, zone) => {
                let texts = text_column(column, clock)?;
                // An offset is written with its minutes.
                let full = |text: &str| match text.len().checked_sub(3) {
                    Some(at) if zone.is_some() && text.get(at..).is_some_and(is_offset) => {
                        format!("{text}:00")
                    }
                    _ => text.to_owned(),
                };
                Self::Moment(texts.iter().map(|text| text.map(full)).collect())
            }
            DataType::List(item) => {
                let list = column.as_list::<i32>().clone();
                let writer = Self::new(list.values(), item, clock)?;
                Self::List(list, Box::new(writer))
            }
            DataType::Struct(fields) => {
                let columns = column.as_struct().columns().iter().zip(fields);
                let members = columns.map(|(column, field)| {
                    Ok((field.name().clone(), Self::new(column, field, clock)?))
                });
                Self::Struct(Arc::clone(column), members.collect::<Result<_>>()?)
            }
            _ => Self::Quoted(text_column(column, clock)?),
        })
    }

    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(values) => values.is_null(row),
            Self::Bare(values) | Self::Quoted(values) | Self::Moment(values) => values.is_null(row),
            Self::List(list, _) => list.is_null(row),
            Self::Struct(column, _) => column.is_null(row),
        }
    }

    /// A value as the text of a key.
    pub fn key(&self, row: usize) -> Result<String> {
        Ok(match self {
            Self::Bare(values) | Self::Quoted(values) => values.value(row).to_owned(),
            Self::Bool(values) => values.value(row).to_string(),
            Self::Moment(values) => values.value(row).to_owned(),
            _ => {
                let message = "key value must be scalar, not array, composite, or json";
                return Err(failed("22023", message));
            }
        })
    }

    pub fn json(&self, row: usize) -> Result<String> {
        if self.is_null(row) {
            return Ok("null".into());
        }
        Ok(match self {
            Self::Null => "null".into(),
            Self::Bool(values) => values.value(row).to_string(),
            Self::Bare(values) => match values.value(row) {
                text @ ("NaN" | "inf" | "-inf" | "Infinity" | "-Infinity") => quoted(text),
                text => text.to_owned(),
            },
            Self::Quoted(values) => quoted(values.value(row)),
            Self::Moment(values) => quoted(&values.value(row).replacen(' ', "T", 1)),
            Self::List(list, writer) => {
                let offsets = list.value_offsets();
                let bound = |at: usize| offsets.get(at).map_or(0, |offset| *offset as usize);
                let items = (bound(row)..bound(row + 1)).map(|row| writer.json(row));
                format!("[{}]", items.collect::<Result<Vec<_>>>()?.join(","))
            }
            Self::Struct(_, members) => {
                let members = members
                    .iter()
                    .map(|(name, writer)| Ok(format!("{}:{}", quoted(name), writer.json(row)?)));
                format!("{{{}}}", members.collect::<Result<Vec<_>>>()?.join(","))
            }
        })
    }
}

fn is_offset(text: &str) -> bool {
    text.starts_with(['+', '-']) && !text.contains(':')
}

fn text_column(column: &ArrayRef, clock: &Clock) -> Result<StringArray> {
    let texts = converted(column, &DataType::Utf8, clock)?;
    match texts.as_string_opt::<i32>() {
        Some(texts) => Ok(texts.clone()),
        None => Err(DataFusionError::Internal("texts are expected".into())),
    }
}

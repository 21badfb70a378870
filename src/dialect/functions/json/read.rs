//! What is read of JSON, or made of it: one row after the other.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, ListArray, StringArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};

use super::{JsonFunction, Op, parsed, texts};
use crate::dialect::functions::json_edit;
use crate::dialect::functions::json_text::{Json, Kind};
use crate::dialect::functions::routine::failed;

impl JsonFunction {
    pub(super) fn read(
        &self,
        columns: &[ArrayRef],
        rows: usize,
        of: &DataType,
    ) -> Result<ArrayRef> {
        let Some(first) = columns.first() else {
            return exec_err!("{} takes JSON", self.name);
        };
        let sources = texts(first)?;
        let keys = match columns.get(1) {
            Some(column) if matches!(column.data_type(), DataType::List(_)) => None,
            Some(column) => Some(texts(column)?),
            None => None,
        };
        let key_is_place = columns
            .get(1)
            .is_some_and(|column| column.data_type().is_integer());
        let mut out: Vec<Option<String>> = Vec::new();
        let mut flags: Vec<Option<bool>> = Vec::new();
        let mut counts: Vec<Option<i32>> = Vec::new();
        let mut lists: Vec<Option<Vec<Option<String>>>> = Vec::new();
        for row in 0..rows {
            let source = (!sources.is_null(row)).then(|| sources.value(row));
            let json = source.map(parsed).transpose()?;
            let key = keys
                .as_ref()
                .and_then(|keys| keys.is_valid(row).then(|| keys.value(row)));
            let part = |json: &Json<'_>, as_text: bool| -> Option<String> {
                let key = key?;
                let place = if key_is_place {
                    Some(key.parse().ok()?)
                } else {
                    None
                };
                let part = json.get(key, place)?;
                if as_text {
                    part.as_text()
                } else {
                    Some(part.text.to_owned())
                }
            };
            let at_path = |json: &Json<'_>, path: Vec<String>, as_text: bool| {
                let part = json.at_path(&path)?;
                if as_text {
                    part.as_text()
                } else {
                    Some(part.text.to_owned())
                }
            };
            match self.op {
                Op::Read if self.is_binary => out.push(json.map(|json| json.binary())),
                Op::Read => out.push(source.map(str::to_owned)),
                Op::Get => out.push(json.and_then(|json| part(&json, false))),
                Op::GetText => out.push(json.and_then(|json| part(&json, true))),
                Op::Path | Op::PathText => {
                    let path = path(columns.get(1), row)?;
                    let as_text = self.op == Op::PathText;
                    let found = json.zip(path);
                    out.push(found.and_then(|(json, path)| at_path(&json, path, as_text)));
                }
                Op::PathOf | Op::PathTextOf => {
                    let steps = columns.iter().skip(1).map(|column| {
                        let steps = texts(column)?;
                        Ok(steps.is_valid(row).then(|| steps.value(row).to_owned()))
                    });
                    let path = steps.collect::<Result<Option<Vec<_>>>>()?;
                    let as_text = self.op == Op::PathTextOf;
                    let found = json.zip(path);
                    out.push(found.and_then(|(json, path)| at_path(&json, path, as_text)));
                }
                Op::Contains => {
                    let other = key.map(parsed).transpose()?;
                    flags.push(json.zip(other).map(|(json, other)| json.contains(&other)));
                }
                Op::Compare => {
                    let other = key.map(parsed).transpose()?;
                    let order = json.zip(other).map(|(json, other)| json.compare(&other));
                    counts.push(order.map(|order| order as i32));
                }
                Op::Has => flags.push(json.zip(key).map(|(json, key)| {
                    match &json.kind {
                        Kind::Object(members) => members.iter().any(|(name, _)| name == key),
                        Kind::Array(items) => items
                            .iter()
                            .any(|item| matches!(&item.kind, Kind::Text(text) if text == key)),
                        Kind::Text(text) => text == key,
                        _ => false,
                    }
                })),
                Op::TypeOf => out.push(json.map(|json| json.type_name().to_owned())),
                Op::ArrayLength => counts.push(match json.map(|json| json.kind) {
                    Some(Kind::Array(items)) => i32::try_from(items.len()).ok(),
                    Some(_) => {
                        return Err(failed("22023", "cannot get array length of a non-array"));
                    }
                    None => None,
                }),
                Op::Items | Op::TextItems => lists.push(match json.map(|json| json.kind) {
                    Some(Kind::Array(items)) => Some(
                        items
                            .iter()
                            .map(|item| match self.op {
                                Op::TextItems => item.as_text(),
                                _ => Some(item.text.to_owned()),
                            })
                            .collect(),
                    ),
                    Some(_) => {
                        return Err(failed("22023", "cannot extract elements from an object"));
                    }
                    None => None,
                }),
                Op::Concat => {
                    let other = key.map(parsed).transpose()?;
                    let made = json.zip(other).map(|(a, b)| json_edit::joined(&a, &b));
                    out.push(made.map(|text| self.finished(text)).transpose()?);
                }
                Op::Without => {
                    let keys = match key {
                        Some(key) => Some(vec![key.to_owned()]),
                        None => path(columns.get(1), row)?,
                    };
                    let mut left = source.map(str::to_owned).filter(|_| keys.is_some());
                    for key in keys.unwrap_or_default() {
                        let place = if key_is_place { key.parse().ok() } else { None };
                        let text = left.unwrap_or_default();
                        let text = json_edit::without(&parsed(&text)?, &key, place)?;
                        left = Some(self.finished(text)?);
                    }
                    out.push(left);
                }
                Op::WithoutPath => {
                    let made = json.zip(path(columns.get(1), row)?);
                    let made = made.map(|(json, path)| json_edit::without_path(&json, &path));
                    out.push(made.map(|text| self.finished(text)).transpose()?);
                }
                Op::With | Op::Into => {
                    let path = path(columns.get(1), row)?;
                    let value = columns.get(2).map(texts).transpose()?;
                    let value = value.as_ref().filter(|value| value.is_valid(row));
                    // Whether it is made where it is not, or comes behind what is there.
                    let flag = columns.get(3).and_then(|flag| flag.as_boolean_opt());
                    let flag = flag.map_or(self.op == Op::With, |flag| flag.value(row));
                    let made = match (json, path, value) {
                        (Some(json), Some(path), Some(value)) => {
                            let value = parsed(value.value(row))?;
                            Some(match self.op {
                                Op::Into => json_edit::inserted(&json, &path, value.text, flag)?,
                                _ => json_edit::with(&json, &path, value.text, flag),
                            })
                        }
                        _ => None,
                    };
                    out.push(made.map(|text| self.finished(text)).transpose()?);
                }
                Op::WithoutNulls => {
                    let made = json.map(|json| match self.is_binary {
                        true => json_edit::without_nulls(&json),
                        false => json_edit::without_nulls_or_blanks(&json),
                    });
                    out.push(made.map(|text| self.finished(text)).transpose()?);
                }
                Op::InLines => out.push(json.map(|json| json_edit::in_lines(&json))),
                Op::Values | Op::TextValues => lists.push(match json.map(|json| json.kind) {
                    Some(Kind::Object(members)) => Some(
                        members
                            .iter()
                            .map(|(_, value)| match self.op {
                                Op::TextValues => value.as_text(),
                                _ => Some(value.text.to_owned()),
                            })
                            .collect(),
                    ),
                    Some(_) => {
                        return Err(failed("22023", "cannot deconstruct a scalar or an array"));
                    }
                    None => None,
                }),
                Op::Keys => lists.push(match json.map(|json| json.kind) {
                    Some(Kind::Object(members)) => {
                        Some(members.into_iter().map(|(key, _)| Some(key)).collect())
                    }
                    Some(_) => {
                        return Err(failed("22023", "cannot call json_object_keys on a scalar"));
                    }
                    None => None,
                }),
                _ => {}
            }
        }
        Ok(match of {
            DataType::Boolean => Arc::new(BooleanArray::from(flags)),
            DataType::Int32 => Arc::new(Int32Array::from(counts)),
            DataType::List(item) => {
                let lengths = lists.iter().map(|list| list.as_ref().map_or(0, Vec::len));
                let offsets = OffsetBuffer::from_lengths(lengths);
                let nulls = NullBuffer::from_iter(lists.iter().map(Option::is_some));
                let items: StringArray = lists.into_iter().flatten().flatten().collect();
                Arc::new(ListArray::try_new(
                    Arc::clone(item),
                    offsets,
                    Arc::new(items),
                    Some(nulls),
                )?)
            }
            _ => Arc::new(StringArray::from(out)),
        })
    }
}

/// A path: an array of texts, or `{a,b}`.
fn path(column: Option<&ArrayRef>, row: usize) -> Result<Option<Vec<String>>> {
    let Some(column) = column.filter(|column| column.is_valid(row)) else {
        return Ok(None);
    };
    let steps: Vec<Option<String>> = match column.as_list_opt::<i32>() {
        Some(list) => {
            let steps = texts(&list.value(row))?;
            steps.iter().map(|step| step.map(str::to_owned)).collect()
        }
        None => {
            let texts = texts(column)?;
            let text = texts.value(row);
            crate::catalog::cast::parse_array(text)
                .ok_or_else(|| failed("22P02", format!("malformed array literal: \"{text}\"")))?
        }
    };
    Ok(steps.into_iter().collect())
}

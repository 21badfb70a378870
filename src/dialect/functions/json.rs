//! JSON in SQL: values as `json` and `jsonb`, their operators, and what aggregates are made of.
//!
//! Input: any values; texts where JSON is read. Output: texts whose PostgreSQL type is `json` or
//! `jsonb`. Unit: none. Nulls: null members are `null`; operators are null of null and of what is not
//! there. Errors: 22P02 what is no JSON, 22023 a null key or an odd number of arguments. Source:
//! PostgreSQL's functions of the names. `json_agg` and `json_object_agg` are written as
//! `array_agg` with these around it ([`super::syntax`]).

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, ListArray, StringArray, StringBuilder,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::casts::converted;
use super::json_edit;
use super::json_text::{Json, Kind, quoted};
use super::routine::{failed, named};
use crate::catalog::PG_TYPE;
use crate::catalog::time::read::Clock;
use crate::dialect::around::Around;

/// What a function makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Op {
    /// Any value as JSON.
    Value,
    /// The same for an array's item: what has parts of its own begins a line.
    Item,
    BuildObject,
    BuildArray,
    /// A text that is read as JSON.
    Read,
    Get,
    GetText,
    Path,
    PathText,
    PathOf,
    PathTextOf,
    Contains,
    Has,
    TypeOf,
    ArrayLength,
    /// The items of an array, as a list.
    Items,
    TextItems,
    Keys,
    /// The values of an object, as a list.
    Values,
    TextValues,
    /// One made of two.
    Concat,
    Without,
    WithoutPath,
    With,
    Into,
    WithoutNulls,
    InLines,
    /// An array of a list's items.
    OfItems,
    /// An object of a list of keys and a list of values.
    OfMembers,
}

/// A function that makes or reads JSON.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct JsonFunction {
    name: &'static str,
    op: Op,
    is_binary: bool,
    signature: Signature,
}

/// Every function.
pub fn functions() -> Vec<ScalarUDF> {
    let of = |name: &'static str, op: Op, is_binary: bool| {
        ScalarUDF::new_from_impl(JsonFunction {
            name,
            op,
            is_binary,
            signature: Signature::variadic_any(Volatility::Stable),
        })
    };
    vec![
        of("to_json", Op::Value, false),
        of("to_jsonb", Op::Value, true),
        of("json_item", Op::Item, false),
        of("row_to_json", Op::Value, false),
        of("array_to_json", Op::Value, false),
        of("json_build_object", Op::BuildObject, false),
        of("jsonb_build_object", Op::BuildObject, true),
        of("json_build_array", Op::BuildArray, false),
        of("jsonb_build_array", Op::BuildArray, true),
        of("json", Op::Read, false),
        of("jsonb", Op::Read, true),
        of("json_get", Op::Get, false),
        of("json_get_text", Op::GetText, false),
        of("json_get_path", Op::Path, false),
        of("json_get_path_text", Op::PathText, false),
        of("json_extract_path", Op::PathOf, false),
        of("jsonb_extract_path", Op::PathOf, true),
        of("json_extract_path_text", Op::PathTextOf, false),
        of("jsonb_extract_path_text", Op::PathTextOf, true),
        of("json_contains", Op::Contains, true),
        of("json_has", Op::Has, true),
        of("json_typeof", Op::TypeOf, false),
        of("jsonb_typeof", Op::TypeOf, true),
        of("json_array_length", Op::ArrayLength, false),
        of("jsonb_array_length", Op::ArrayLength, true),
        of("json_items", Op::Items, false),
        of("jsonb_items", Op::Items, true),
        of("json_text_items", Op::TextItems, false),
        of("json_keys", Op::Keys, false),
        of("json_values", Op::Values, false),
        of("json_text_values", Op::TextValues, false),
        of("jsonb_concat", Op::Concat, true),
        of("jsonb_delete", Op::Without, true),
        of("jsonb_delete_path", Op::WithoutPath, true),
        of("jsonb_set", Op::With, true),
        of("jsonb_insert", Op::Into, true),
        of("json_strip_nulls", Op::WithoutNulls, false),
        of("jsonb_strip_nulls", Op::WithoutNulls, true),
        of("jsonb_pretty", Op::InLines, true),
        of("json_of_items", Op::OfItems, false),
        of("jsonb_of_items", Op::OfItems, true),
        of("json_of_members", Op::OfMembers, false),
        of("jsonb_of_members", Op::OfMembers, true),
    ]
}

/// The function of one name, for operators.
pub fn function(name: &str) -> Option<Arc<ScalarUDF>> {
    let mut functions = functions().into_iter();
    functions
        .find(|function| function.name() == name)
        .map(Arc::new)
}

/// Whether a column is `jsonb`.
pub fn is_binary(field: &Field) -> bool {
    field
        .metadata()
        .get(PG_TYPE)
        .is_some_and(|name| name == "jsonb")
}

impl ScalarUDFImpl for JsonFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.op {
            Op::Contains | Op::Has => DataType::Boolean,
            Op::ArrayLength => DataType::Int32,
            Op::Items | Op::TextItems | Op::Keys | Op::Values | Op::TextValues => {
                DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
            }
            _ => DataType::Utf8,
        })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let of = self.return_type(&[])?;
        let given_binary = args
            .arg_fields
            .first()
            .is_some_and(|field| is_binary(field));
        let pg_type = match self.op {
            Op::Get | Op::Path if given_binary => "jsonb",
            Op::Get | Op::Path => "json",
            Op::Value
            | Op::Item
            | Op::BuildObject
            | Op::BuildArray
            | Op::Read
            | Op::PathOf
            | Op::Concat
            | Op::Without
            | Op::WithoutPath
            | Op::With
            | Op::Into
            | Op::WithoutNulls
            | Op::OfItems
            | Op::OfMembers => {
                if self.is_binary {
                    "jsonb"
                } else {
                    "json"
                }
            }
            Op::Items => {
                let pg_type = if self.is_binary { "jsonb" } else { "json" };
                let item = Field::new_list_field(DataType::Utf8, true);
                let item = item.with_metadata([(PG_TYPE.to_owned(), pg_type.to_owned())].into());
                return Ok(Arc::new(Field::new(
                    self.name,
                    DataType::List(Arc::new(item)),
                    true,
                )));
            }
            _ => return Ok(Arc::new(Field::new(self.name, of, true))),
        };
        Ok(named(self.name, of, pg_type))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let clock = Around::of(&args.config_options).clock();
        let columns = args
            .args
            .iter()
            .map(|argument| argument.clone().into_array(rows));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let column = self.column(&columns, &args.arg_fields, rows, &clock, args.return_type())?;
        Ok(match is_constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&column, 0)?),
            false => ColumnarValue::Array(column),
        })
    }
}

impl JsonFunction {
    fn column(
        &self,
        columns: &[ArrayRef],
        fields: &[FieldRef],
        rows: usize,
        clock: &Clock,
        of: &DataType,
    ) -> Result<ArrayRef> {
        match self.op {
            Op::Value | Op::Item | Op::BuildObject | Op::BuildArray => {
                let writers = columns.iter().zip(fields);
                let writers = writers.map(|(column, field)| Writer::new(column, field, clock));
                let writers = writers.collect::<Result<Vec<_>>>()?;
                self.built(&writers, rows)
            }
            Op::OfItems => self.of_items(columns, rows),
            Op::OfMembers => self.of_members(columns, rows),
            _ => self.read(columns, rows, of),
        }
    }

    fn finished(&self, text: String) -> Result<String> {
        if !self.is_binary {
            return Ok(text);
        }
        Ok(parsed(&text)?.binary())
    }

    fn built(&self, writers: &[Writer], rows: usize) -> Result<ArrayRef> {
        let mut builder = StringBuilder::new();
        let mut bytes = 0;
        for row in 0..rows {
            let text = match self.op {
                Op::BuildObject if writers.len() % 2 == 1 => {
                    let message = "argument list must have even number of elements";
                    return Err(failed("22023", message));
                }
                Op::BuildObject => {
                    let mut members = Vec::with_capacity(writers.len() / 2);
                    for (place, member) in writers.chunks(2).enumerate() {
                        let [key, value] = member else { continue };
                        if key.is_null(row) {
                            let message = format!("argument {} cannot be null", place * 2 + 1);
                            return Err(failed("22023", message));
                        }
                        let key = key.key(row)?;
                        members.push(format!("{} : {}", quoted(&key), value.json(row)?));
                    }
                    format!("{{{}}}", members.join(", "))
                }
                Op::BuildArray => {
                    let items = writers.iter().map(|writer| writer.json(row));
                    format!("[{}]", items.collect::<Result<Vec<_>>>()?.join(", "))
                }
                Op::Item => match writers.first() {
                    Some(writer @ (Writer::List(..) | Writer::Struct(..))) => {
                        format!("\n {}", writer.json(row)?)
                    }
                    Some(writer) => writer.json(row)?,
                    None => "null".into(),
                },
                _ => match writers.first() {
                    Some(writer) if !writer.is_null(row) => writer.json(row)?,
                    _ => {
                        builder.append_null();
                        continue;
                    }
                },
            };
            bytes += text.len();
            if bytes > super::routine::MOST_BYTES {
                return Err(super::routine::too_long());
            }
            builder.append_value(self.finished(text)?);
        }
        Ok(Arc::new(builder.finish()))
    }

    /// `[a, b]` of a list of JSON.
    fn of_items(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let lists = list(columns, 0)?;
        let mut builder = StringBuilder::new();
        for row in 0..rows {
            if lists.is_null(row) {
                builder.append_null();
                continue;
            }
            let items = texts(&lists.value(row))?;
            let items: Vec<&str> = items.iter().map(|item| item.unwrap_or("null")).collect();
            let joined = items.join(", ");
            let joined = joined.strip_prefix("\n ").unwrap_or(&joined);
            builder.append_value(self.finished(format!("[{joined}]"))?);
        }
        Ok(Arc::new(builder.finish()))
    }

    /// `{ "a" : 1, "b" : 2 }` of keys and values.
    fn of_members(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let (keys, values) = (list(columns, 0)?, list(columns, 1)?);
        let mut builder = StringBuilder::new();
        for row in 0..rows {
            if keys.is_null(row) || values.is_null(row) {
                builder.append_null();
                continue;
            }
            let (keys, values) = (texts(&keys.value(row))?, texts(&values.value(row))?);
            let mut members = Vec::with_capacity(keys.len());
            for (key, value) in keys.iter().zip(values.iter()) {
                let Some(key) = key else {
                    return Err(failed("22004", "field name must not be null"));
                };
                members.push(format!("{} : {}", quoted(key), value.unwrap_or("null")));
            }
            builder.append_value(self.finished(format!("{{ {} }}", members.join(", ")))?);
        }
        Ok(Arc::new(builder.finish()))
    }

    fn read(&self, columns: &[ArrayRef], rows: usize, of: &DataType) -> Result<ArrayRef> {
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
                    let made = json.map(|json| json_edit::without_nulls(&json));
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

fn parsed(text: &str) -> Result<Json<'_>> {
    Json::parse(text).ok_or_else(|| failed("22P02", "invalid input syntax for type json"))
}

fn texts(column: &ArrayRef) -> Result<StringArray> {
    Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
}

fn list(columns: &[ArrayRef], position: usize) -> Result<ListArray> {
    match columns
        .get(position)
        .and_then(|column| column.as_list_opt::<i32>())
    {
        Some(list) => Ok(list.clone()),
        None => exec_err!("a list is expected"),
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

/// Writes the values of a column as JSON.
enum Writer {
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
    fn new(column: &ArrayRef, field: &Field, clock: &Clock) -> Result<Self> {
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

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(values) => values.is_null(row),
            Self::Bare(values) | Self::Quoted(values) | Self::Moment(values) => values.is_null(row),
            Self::List(list, _) => list.is_null(row),
            Self::Struct(column, _) => column.is_null(row),
        }
    }

    /// A value as the text of a key.
    fn key(&self, row: usize) -> Result<String> {
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

    fn json(&self, row: usize) -> Result<String> {
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

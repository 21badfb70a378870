//! JSON in SQL: values as `json` and `jsonb`, their operators, and what aggregates are made of.
//!
//! Input: any values; texts where JSON is read. Output: texts whose PostgreSQL type is `json` or
//! `jsonb`. Unit: none. Nulls: null members are `null`; operators are null of null and of what is not
//! there. Errors: 22P02 what is no JSON, 22023 a null key or an odd number of arguments. Source:
//! PostgreSQL's functions of the names. `json_agg` and `json_object_agg` are written as
//! `array_agg` with these around it ([`super::syntax`]).

mod read;

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, StringArray, StringBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};

use super::json_text::{Json, quoted};
use super::json_writer::Writer;
use super::routine::{failed, named};
use crate::catalog::PG_TYPE;
use crate::catalog::array_literals::{self, Item};
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
    /// -1, 0 or 1, by the order of `jsonb`.
    Compare,
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
    /// An object of texts: keys and values in turns, in pairs, or in two arrays.
    OfTexts,
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
            signature: match op {
                Op::BuildObject | Op::BuildArray => Signature::one_of(
                    vec![TypeSignature::Nullary, TypeSignature::VariadicAny],
                    Volatility::Stable,
                ),
                _ => Signature::variadic_any(Volatility::Stable),
            },
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
        of("jsonb_compare", Op::Compare, true),
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
        of("json_object", Op::OfTexts, false),
        of("jsonb_object", Op::OfTexts, true),
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
            Op::ArrayLength | Op::Compare => DataType::Int32,
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
            | Op::OfMembers
            | Op::OfTexts => {
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
            Op::OfTexts => self.of_texts(columns, rows),
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

    /// `{"a" : "1", "b" : "2"}` of texts.
    fn of_texts(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let mut builder = StringBuilder::new();
        for row in 0..rows {
            let Some(texts) = members(columns, row)? else {
                builder.append_null();
                continue;
            };
            let mut members = Vec::with_capacity(texts.len() / 2);
            for member in texts.chunks(2) {
                let [Some(key), value] = member else {
                    return Err(failed("22004", "null value not allowed for object key"));
                };
                let value = value.as_deref().map_or_else(|| "null".to_owned(), quoted);
                members.push(format!("{} : {value}", quoted(key)));
            }
            builder.append_value(self.finished(format!("{{{}}}", members.join(", ")))?);
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
}

/// Keys and values of texts, in a row; `None` where there are none.
fn members(columns: &[ArrayRef], row: usize) -> Result<Option<Vec<Option<String>>>> {
    let uneven = |message: &str| failed("2202E", message);
    let mut parts = columns.iter().map(|column| text_items(column, row));
    let (first, second) = (parts.next().transpose()?, parts.next().transpose()?);
    Ok(match (first.flatten(), second) {
        (None, _) | (_, Some(None)) => None,
        (Some(items), None) => {
            let mut members = Vec::with_capacity(items.len());
            for item in items {
                match item {
                    Item::Text(text) => members.push(text),
                    Item::Array(pair) if pair.len() == 2 => {
                        members.extend(pair.into_iter().map(|item| match item {
                            Item::Text(text) => text,
                            Item::Array(_) => None,
                        }));
                    }
                    Item::Array(_) => return Err(uneven("array must have two columns")),
                }
            }
            if members.len() % 2 == 1 {
                return Err(uneven("array must have even number of elements"));
            }
            Some(members)
        }
        (Some(keys), Some(Some(values))) => {
            if keys.len() != values.len() {
                return Err(uneven("mismatched array dimensions"));
            }
            let members = keys.into_iter().zip(values);
            let members = members.flat_map(|(key, value)| [key, value]);
            let text = |item| match item {
                Item::Text(text) => Ok(text),
                Item::Array(_) => Err(uneven("wrong number of array subscripts")),
            };
            Some(members.map(text).collect::<Result<_>>()?)
        }
    })
}

/// The items of an array of texts, or of its literal; `None` of null.
fn text_items(column: &ArrayRef, row: usize) -> Result<Option<Vec<Item>>> {
    if column.is_null(row) {
        return Ok(None);
    }
    let Some(lists) = column.as_list_opt::<i32>() else {
        let texts = texts(column)?;
        let text = texts.value(row);
        let malformed = || failed("22P02", format!("malformed array literal: \"{text}\""));
        return Ok(Some(array_literals::parse(text).ok_or_else(malformed)?));
    };
    let items = lists.value(row);
    if items.as_list_opt::<i32>().is_some() {
        let arrays = (0..items.len()).map(|place| {
            let items = text_items(&items, place)?;
            Ok(Item::Array(items.unwrap_or_default()))
        });
        return arrays.collect::<Result<_>>().map(Some);
    }
    let items = texts(&items)?;
    let items = items.iter().map(|item| Item::Text(item.map(str::to_owned)));
    Ok(Some(items.collect()))
}

fn parsed(text: &str) -> Result<Json<'_>> {
    Json::parse(text).ok_or_else(|| failed("22P02", "invalid input syntax for type json"))
}

pub(super) fn texts(column: &ArrayRef) -> Result<StringArray> {
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

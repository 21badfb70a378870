//! `jsonb_path_query`, `jsonb_path_exists` and the others that follow a path through JSON.
//!
//! Input: JSON and an SQL/JSON path (`json_path`). Output: what is found, as a list whose elements
//! are rows, as a JSON array, or its first; or whether something is found, or holds. Unit: none. Nulls:
//! null of null. Errors: 22P02 what is no JSON, 42601 what is no path. Source: PostgreSQL's functions.

use std::sync::Arc;

use datafusion::arrow::array::StringBuilder;
use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, ListBuilder, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::common::utils::take_function_args;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::json_path::{Item, Path, read};
use super::json_text::Json;
use super::routine::{failed, named};
use crate::dialect::numbers::columns::{columns, result};

/// What is told of what a path finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Told {
    Exists,
    Holds,
    All,
    Array,
    First,
}

/// A function that follows a path.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Paths {
    name: &'static str,
    told: Told,
    signature: Signature,
}

/// Every function.
pub fn functions() -> Vec<ScalarUDF> {
    let of = |name, told| {
        ScalarUDF::new_from_impl(Paths {
            name,
            told,
            signature: Signature::any(2, Volatility::Immutable),
        })
    };
    vec![
        of("jsonb_path_exists", Told::Exists),
        of("jsonb_path_match", Told::Holds),
        of("jsonb_path_items", Told::All),
        of("jsonb_path_query_array", Told::Array),
        of("jsonb_path_query_first", Told::First),
    ]
}

/// The function of one name, for operators.
pub fn function(name: &str) -> Option<Arc<ScalarUDF>> {
    let mut functions = functions().into_iter();
    functions
        .find(|function| function.name() == name)
        .map(Arc::new)
}

impl ScalarUDFImpl for Paths {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.told {
            Told::Exists | Told::Holds => DataType::Boolean,
            Told::All => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
            Told::Array | Told::First => DataType::Utf8,
        })
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let of = self.return_type(&[])?;
        Ok(match self.told {
            Told::Array | Told::First => named(self.name, of, "jsonb"),
            _ => Arc::new(Field::new(self.name, of, true)),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (given, is_constant) = columns(&args.args)?;
        let texts = |column: ArrayRef| {
            let texts = cast(&column, &DataType::Utf8)?;
            Ok::<StringArray, datafusion::common::DataFusionError>(texts.as_string::<i32>().clone())
        };
        let [json, path] = take_function_args(self.name, given)?;
        result(self.told(&texts(json)?, &texts(path)?)?, is_constant)
    }
}

impl Paths {
    fn told(&self, documents: &StringArray, paths: &StringArray) -> Result<ArrayRef> {
        let mut lists = ListBuilder::new(StringBuilder::new());
        let (mut texts, mut flags) = (Vec::new(), Vec::new());
        let mut kept: Option<(&str, Path)> = None;
        for (document, path) in documents.iter().zip(paths) {
            let (Some(document), Some(path)) = (document, path) else {
                lists.append_null();
                texts.push(None);
                flags.push(None);
                continue;
            };
            // Most often one path is followed through all documents.
            let path = match kept.take() {
                Some(kept) if kept.0 == path => kept,
                _ => {
                    let wrong = |message: String| failed("42601", message);
                    (path, read(path).map_err(wrong)?)
                }
            };
            let (_, steps) = kept.insert(path);
            let no_json = || failed("22P02", "invalid input syntax for type json");
            let binary = Json::parse(document).ok_or_else(no_json)?.binary();
            let json = Json::parse(&binary).ok_or_else(no_json)?;
            match self.told {
                Told::Holds => flags.push(steps.answer(&json)),
                Told::Exists => flags.push(Some(!steps.find(&json).is_empty())),
                Told::First => texts.push(steps.find(&json).first().map(Item::text)),
                Told::Array => {
                    let found = steps.find(&json);
                    let found: Vec<String> = found.iter().map(Item::text).collect();
                    texts.push(Some(format!("[{}]", found.join(", "))));
                }
                Told::All => {
                    for item in steps.find(&json) {
                        lists.values().append_value(item.text());
                    }
                    lists.append(true);
                }
            }
        }
        Ok(match self.told {
            Told::Exists | Told::Holds => Arc::new(BooleanArray::from(flags)),
            Told::All => Arc::new(lists.finish()),
            Told::Array | Told::First => Arc::new(StringArray::from(texts)),
        })
    }
}

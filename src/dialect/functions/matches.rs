//! `regexp_matches(text, pattern [, flags])` as an array, which is unnested where its rows are wanted.
//!
//! Input: texts. Output: an array with one array of groups for each match, for all matches with the
//! flag `g`, else for the first. Unit: none. Nulls: null of null, which unnests to no row; a group that
//! matched nothing is null. Errors: 2201B a pattern that is none. Source: PostgreSQL's function.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, ListBuilder, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::routine::unknown;
use crate::catalog::functions::regexps;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Matches(Signature);

impl Matches {
    pub fn function() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self(Signature::user_defined(Volatility::Immutable)))
    }
}

fn list_of(of: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(of, true)))
}

impl ScalarUDFImpl for Matches {
    fn name(&self) -> &str {
        "regexp_matches"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given.len() {
            2 | 3 => Ok(vec![DataType::Utf8; given.len()]),
            _ => Err(unknown(self.name(), given)),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_of(list_of(DataType::Utf8)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let columns = args
            .args
            .iter()
            .map(|argument| argument.clone().into_array(rows));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let texts: Option<Vec<_>> = columns
            .iter()
            .map(|column| column.as_string_opt::<i32>())
            .collect();
        let Some(texts) = texts else {
            return exec_err!("regexp_matches takes texts");
        };
        let mut lists = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
        for row in 0..rows {
            if texts.iter().any(|text| text.is_null(row)) {
                lists.append_null();
                continue;
            }
            let value = |place: usize| texts.get(place).map_or("", |text| text.value(row));
            let matches = regexps::matches(value(0), value(1), value(2));
            for groups in matches.map_err(DataFusionError::from)? {
                for group in groups {
                    lists.values().values().append_option(group);
                }
                lists.values().append(true);
            }
            lists.append(true);
        }
        Ok(ColumnarValue::Array(Arc::new(lists.finish())))
    }
}

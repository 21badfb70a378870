//! `extract(field from source)` and `date_part(field, source)`: one part of a date, time, timestamp
//! or interval.
//!
//! Input: the part's name (`year`, `dow`, `epoch` …) and the source. Output: `extract` a numeric, with
//! six decimal places of `epoch` and `second`, three of `milliseconds`; `date_part` a double. Unit:
//! that of the part; with a time zone, what the session's clocks show. Nulls: null of null and of
//! what is infinite. Errors: 22023 an unknown part, 0A000 one that the type has not. Source:
//! PostgreSQL's functions of the names.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Decimal128Array, Float64Array};
use datafusion::arrow::datatypes::{DataType, Field as ArrowField, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::routine::{columns, text_of, unknown};
use super::values::{INTERVAL, TIME, taken, timestamptz, value_at};
use crate::catalog::functions::times::{date_field, field};
use crate::catalog::time::fields::{Field, scale};
use crate::catalog::value::Value;
use crate::dialect::around::Around;

/// Either function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Extract {
    name: &'static str,
    is_numeric: bool,
    signature: Signature,
}

impl Extract {
    pub fn extract() -> ScalarUDF {
        Self::function("extract", true)
    }

    pub fn date_part() -> ScalarUDF {
        Self::function("date_part", false)
    }

    fn function(name: &'static str, is_numeric: bool) -> ScalarUDF {
        ScalarUDF::new_from_impl(Self {
            name,
            is_numeric,
            signature: Signature::user_defined(Volatility::Stable),
        })
    }
}

impl ScalarUDFImpl for Extract {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let of = match given {
            [_, of] => taken(of),
            _ => return Err(unknown(self.name, given)),
        };
        let of = match of {
            of @ (DataType::Timestamp(_, _) | DataType::Date32 | TIME | INTERVAL) => of,
            DataType::Utf8 => timestamptz(),
            _ => return Err(unknown(self.name, given)),
        };
        Ok(vec![DataType::Utf8, of])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.is_numeric {
            true => DataType::Decimal128(38, 6),
            false => DataType::Float64,
        })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let of = match self.is_numeric {
            false => DataType::Float64,
            true => {
                let name = args.scalar_arguments.first().copied().flatten();
                let name = name.and_then(text_of).map(|name| name.to_ascii_lowercase());
                let is_date = args
                    .arg_fields
                    .get(1)
                    .map(|field| field.data_type().clone())
                    == Some(DataType::Date32);
                let places = match name {
                    Some(_) if is_date => 0,
                    Some(name) => scale(&name) as i8,
                    None => 6,
                };
                DataType::Decimal128(38, places)
            }
        };
        Ok(Arc::new(ArrowField::new(self.name, of, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = columns(&args.args)?;
        let is_constant = columns.iter().all(|(_, is_constant)| *is_constant);
        let rows = if is_constant { 1 } else { args.number_rows };
        let zone = Around::of(&args.config_options).zone();
        let of = columns.get(1).map(|(column, _)| column.data_type().clone());
        let zone = matches!(of, Some(DataType::Timestamp(_, Some(_)))).then_some(&zone);
        let mut values = Vec::with_capacity(2);
        let mut parts = Vec::with_capacity(rows);
        for row in 0..rows {
            values.clear();
            for (column, is_constant) in &columns {
                values.push(value_at(column, if *is_constant { 0 } else { row }));
            }
            let part = match values.as_slice() {
                [Value::Null, _] | [_, Value::Null] => None,
                [_, Value::Date(_)] => date_field(&values).map_err(DataFusionError::from)?,
                _ => field(&values, zone).map_err(DataFusionError::from)?,
            };
            parts.push(part);
        }
        let column: ArrayRef = match args.return_type() {
            DataType::Decimal128(precision, places) => {
                let parts = parts
                    .iter()
                    .map(|part| part.map(|part| rescaled(part, *places)));
                let parts = parts.collect::<Decimal128Array>();
                Arc::new(parts.with_precision_and_scale(*precision, *places)?)
            }
            _ => {
                let parts = parts.iter().map(|part| {
                    part.map(|part| part.digits as f64 / 10_f64.powi(part.scale as i32))
                });
                Arc::new(parts.collect::<Float64Array>())
            }
        };
        Ok(match is_constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&column, 0)?),
            false => ColumnarValue::Array(column),
        })
    }
}

fn rescaled(part: Field, places: i8) -> i128 {
    let more = i32::from(places) - part.scale as i32;
    match u32::try_from(more) {
        Ok(more) => part.digits * 10_i128.pow(more),
        Err(_) => part.digits / 10_i128.pow(more.unsigned_abs()),
    }
}

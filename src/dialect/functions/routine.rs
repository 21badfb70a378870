//! Functions that are computed row by row: the same bodies as those of catalog queries.
//!
//! A call is of the overload whose parameters are nearest to the arguments. A text stands for any
//! other type where no overload takes texts, as a literal in quotes does in PostgreSQL. The result
//! of one row may have as many bytes as PostgreSQL allows a value, and all rows of a batch together
//! no more than [`MOST_BYTES`].

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::values::{INTERVAL, TIME, TIMESTAMP, taken, timestamptz, value_at};
use crate::catalog::functions::{self, Body, Function, TEXT_OF_ANY};
use crate::catalog::interpret::run::Context;
use crate::catalog::types::{self, oid};
use crate::catalog::value::Value;
use crate::catalog::{PG_TYPE, arrow, cast};
use crate::dialect::around::Around;
use crate::error::Error;

/// The most bytes of text that one call makes of a batch.
pub const MOST_BYTES: usize = 1 << 28;

/// A function of the catalog's table, for the engine.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Routine {
    name: &'static str,
    signature: Signature,
    /// How many decimal places a numeric result has, by the constant arguments.
    places: Places,
}

/// How many decimal places a numeric result has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Places {
    /// So many.
    Fixed(i8),
    /// As many as the most that an argument has.
    OfArguments,
    /// As the pattern in the second argument says.
    OfPattern,
}

impl Routine {
    #[expect(clippy::new_ret_no_self, reason = "what is made of it is what is used")]
    pub fn new(name: &'static str, volatility: Volatility) -> ScalarUDF {
        Self::with_places(name, volatility, Places::OfArguments)
    }

    pub fn with_places(name: &'static str, volatility: Volatility, places: Places) -> ScalarUDF {
        ScalarUDF::new_from_impl(Self {
            name,
            signature: Signature::user_defined(volatility),
            places,
        })
    }

    fn overload(&self, given: &[DataType]) -> Result<&'static Function> {
        let mut best: Option<(u32, &Function)> = None;
        for function in functions::named(self.name) {
            if let (Body::Scalar(_), Some(far)) = (&function.body, distance(function, given))
                && best.is_none_or(|(least, _)| far < least)
            {
                best = Some((far, function));
            }
        }
        best.map(|(_, function)| function)
            .ok_or_else(|| unknown(self.name, given))
    }
}

/// There is no function of this name for these arguments.
pub fn unknown(name: &str, given: &[DataType]) -> DataFusionError {
    let types: Vec<String> = given.iter().map(pg_name).collect();
    let message = format!("function {name}({}) does not exist", types.join(", "));
    Error::session("42883", message).into()
}

/// What PostgreSQL calls a type.
pub fn pg_name(of: &DataType) -> String {
    match of {
        DataType::Null => "unknown".into(),
        of => types::format(arrow::type_of(of).oid, -1).unwrap_or_else(|| of.to_string()),
    }
}

fn parameter(function: &Function, position: usize) -> Option<u32> {
    let last = function.parameters.len().checked_sub(1)?;
    let position = if function.is_variadic {
        position.min(last)
    } else {
        position
    };
    function.parameters.get(position).copied()
}

/// How far arguments are from the parameters of an overload.
fn distance(function: &Function, given: &[DataType]) -> Option<u32> {
    let most = function.parameters.len();
    let fits = match function.is_variadic {
        true => given.len() + 1 >= most,
        false => (function.required..=most).contains(&given.len()),
    };
    fits.then_some(())?;
    let far = given.iter().enumerate().map(|(position, of)| {
        let to = parameter(function, position)?;
        if *of == DataType::Null || to == TEXT_OF_ANY {
            return Some(3);
        }
        let from = arrow::type_of(of).oid;
        Some(match (from, to) {
            (from, to) if from == to => 0,
            (from, to) if types::is_integer(from) && types::is_integer(to) => 1,
            (oid::DATE, oid::TIMESTAMPTZ) => 2,
            (oid::TEXT, to) if !types::is_text(to) => 20,
            // Where only whole numbers are taken, they may be computed as numerics here.
            (oid::NUMERIC, oid::INT4 | oid::INT8) => 15,
            (from, to) => types::distance(from, to)?,
        })
    });
    far.sum()
}

/// The Arrow type in which a parameter is taken.
fn taken_as(parameter: u32, given: &DataType) -> DataType {
    match parameter {
        TEXT_OF_ANY if *given == DataType::Boolean => DataType::Boolean,
        TEXT_OF_ANY => DataType::Utf8,
        oid::BOOL => DataType::Boolean,
        oid::INT2 | oid::INT4 | oid::INT8 => match given {
            // The overload that was chosen for it is chosen again.
            DataType::Int16 | DataType::Int32 => given.clone(),
            _ => DataType::Int64,
        },
        oid::FLOAT4 | oid::FLOAT8 => DataType::Float64,
        oid::NUMERIC => match taken(given) {
            of @ (DataType::Decimal128(_, _) | DataType::Decimal256(_, _)) => of,
            DataType::Utf8 => DataType::Decimal128(38, 10),
            _ => DataType::Decimal128(20, 0),
        },
        oid::DATE => DataType::Date32,
        oid::TIME => TIME,
        oid::TIMESTAMP => TIMESTAMP,
        oid::TIMESTAMPTZ => timestamptz(),
        oid::INTERVAL => INTERVAL,
        oid::BYTEA => DataType::Binary,
        oid::ANY | oid::ANYELEMENT | oid::ANYARRAY => taken(given),
        parameter if types::is_text(parameter) => DataType::Utf8,
        parameter => match types::element(parameter) {
            Some(element) => {
                let item = taken_as(element, &DataType::Utf8);
                DataType::List(Arc::new(Field::new_list_field(item, true)))
            }
            None => DataType::Utf8,
        },
    }
}

impl ScalarUDFImpl for Routine {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let given: Vec<DataType> = given.iter().map(unpacked).collect();
        let function = self.overload(&given)?;
        let taken = given.iter().enumerate().map(|(position, of)| {
            let parameter = parameter(function, position).unwrap_or(oid::TEXT);
            taken_as(parameter, of)
        });
        Ok(taken.collect())
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let fields: Vec<FieldRef> = given
            .iter()
            .map(|of| Arc::new(Field::new("", of.clone(), true)))
            .collect();
        let scalars = vec![None; fields.len()];
        let field = self.return_field_from_args(ReturnFieldArgs {
            arg_fields: &fields,
            scalar_arguments: &scalars,
        })?;
        Ok(field.data_type().clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let given: Vec<DataType> = args
            .arg_fields
            .iter()
            .map(|field| unpacked(field.data_type()))
            .collect();
        let function = self.overload(&given)?;
        let field = match function.result {
            oid::NUMERIC => {
                let scale = match self.places {
                    Places::Fixed(scale) => scale,
                    Places::OfArguments => given.iter().map(scale_of).max().unwrap_or(0),
                    Places::OfPattern => args
                        .scalar_arguments
                        .get(1)
                        .and_then(|pattern| text_of((*pattern)?))
                        .and_then(|text| places_of(&text))
                        .unwrap_or(10),
                };
                Field::new(self.name, DataType::Decimal128(38, scale), true)
            }
            result => arrow::field(self.name, &types::Type::of(result)),
        };
        Ok(Arc::new(field))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let given: Vec<DataType> = args
            .args
            .iter()
            .map(|argument| argument.data_type())
            .collect();
        let function = self.overload(&given)?;
        let Body::Scalar(run) = function.body else {
            return exec_err!("{} returns rows", self.name);
        };
        let around = Around::of(&args.config_options);
        let catalog = around.catalog();
        let context = Context::new(&catalog, &[]);
        let is_constant = args
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let is_once = is_constant && self.signature.volatility != Volatility::Volatile;
        let rows = if is_once { 1 } else { args.number_rows };
        let columns = columns(&args.args)?;
        let shown: Vec<bool> = (0..columns.len())
            .map(|position| parameter(function, position) == Some(TEXT_OF_ANY))
            .collect();
        let mut results = Vec::with_capacity(rows);
        let mut values = Vec::with_capacity(columns.len());
        let mut bytes = 0_usize;
        for row in 0..rows {
            values.clear();
            for ((column, is_constant), is_shown) in columns.iter().zip(&shown) {
                let value = value_at(column, if *is_constant { 0 } else { row });
                values.push(match value {
                    // As a client would see it: booleans are one letter.
                    Value::Bool(value) if *is_shown => Value::text(if value { "t" } else { "f" }),
                    value => value,
                });
            }
            if function.is_strict && values.iter().any(Value::is_null) {
                results.push(Value::Null);
                continue;
            }
            let value = run(&context, &values).map_err(DataFusionError::from)?;
            if let Value::Text(text) = &value {
                bytes = bytes.saturating_add(text.len());
                if bytes > MOST_BYTES {
                    return Err(too_long());
                }
            }
            results.push(value);
        }
        let result = column_of(function.result, args.return_field.data_type(), &results)?;
        match is_once {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &result, 0,
            )?)),
            false => Ok(ColumnarValue::Array(result)),
        }
    }
}

/// Texts would be longer than a statement may make them.
pub fn too_long() -> DataFusionError {
    Error::session("54000", "requested length too large").into()
}

/// Arguments as columns, and whether their one row stands for all.
pub fn columns(arguments: &[ColumnarValue]) -> Result<Vec<(ArrayRef, bool)>> {
    let columns = arguments.iter().map(|argument| match argument {
        ColumnarValue::Array(array) => Ok((Arc::clone(array), false)),
        ColumnarValue::Scalar(value) => Ok((value.to_array_of_size(1)?, true)),
    });
    columns.collect()
}

/// Values as a column of an Arrow type.
pub fn column_of(of: u32, data_type: &DataType, values: &[Value]) -> Result<ArrayRef> {
    use datafusion::arrow::array::Decimal128Builder;
    if let DataType::Decimal128(precision, scale) = data_type {
        let mut builder = Decimal128Builder::with_capacity(values.len())
            .with_precision_and_scale(*precision, *scale)?;
        for value in values {
            match value {
                Value::Numeric(number) => {
                    let scale = u32::try_from(*scale).unwrap_or(0);
                    let rescaled = number
                        .rescale(scale)
                        .ok_or_else(|| Error::session("22003", "value overflows numeric format"));
                    builder.append_value(rescaled.map_err(DataFusionError::from)?.digits);
                }
                _ => builder.append_null(),
            }
        }
        return Ok(Arc::new(builder.finish()));
    }
    let catalog = Around::default().catalog();
    let column = arrow::array(&catalog, of, data_type, values.iter());
    column.map_err(DataFusionError::from)
}

fn unpacked(of: &DataType) -> DataType {
    match of {
        DataType::Null => DataType::Null,
        of => taken(of),
    }
}

fn scale_of(of: &DataType) -> i8 {
    match of {
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => (*scale).min(20),
        _ => 0,
    }
}

/// A constant text.
pub fn text_of(value: &ScalarValue) -> Option<String> {
    match value {
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
            text.clone()
        }
        ScalarValue::Dictionary(_, inner) => text_of(inner),
        _ => None,
    }
}

fn places_of(pattern: &str) -> Option<i8> {
    let pattern = crate::catalog::number_patterns::Pattern::parse(pattern).ok()?;
    i8::try_from(pattern.places()).ok()
}

/// The name of a type that Arrow has no twin of, as a field says it.
pub fn named(name: &str, data_type: DataType, pg_type: &str) -> FieldRef {
    let field = Field::new(name, data_type, true);
    Arc::new(field.with_metadata([(PG_TYPE.to_owned(), pg_type.to_owned())].into()))
}

/// An error in PostgreSQL's words, as DataFusion carries it.
pub fn failed(state: &'static str, message: impl Into<String>) -> DataFusionError {
    cast::failure(state, message).into()
}

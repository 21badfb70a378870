//! Casts to numbers, truth values and texts, as PostgreSQL makes them: what does not fit is refused,
//! integers are rounded and not cut, a numeric keeps all its digits.

use std::str::FromStr;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, new_null_array,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use num_traits::ToPrimitive;

use super::columns::{self, Exacts, failed, out_of_range};
use super::exact::Exact;
use super::texts::{fitted, parse, texts};
use super::types;
use crate::catalog::cast::parse_bool;
use crate::dialect::around::Around;
use crate::dialect::output::types::{PG_TYPE, PgType};
use crate::error::Error;

/// The types that are cast to, by the names that PostgreSQL has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Target {
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Bool,
    Text,
    Varchar,
    Bpchar,
}

/// A cast, as a function of the value and the digits or the length that the type has.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Conversion {
    name: &'static str,
    /// As errors call the type.
    said: &'static str,
    target: Target,
    signature: Signature,
}

/// The casts, each under the name of its type.
pub fn all() -> Vec<ScalarUDF> {
    use Target::*;
    [
        ("int2", "smallint", Int2),
        ("int4", "integer", Int4),
        ("int8", "bigint", Int8),
        ("float4", "real", Float4),
        ("float8", "double precision", Float8),
        ("numeric", "numeric", Numeric),
        ("bool", "boolean", Bool),
        ("text", "text", Text),
        ("varchar", "character varying", Varchar),
        ("bpchar", "character", Bpchar),
    ]
    .into_iter()
    .map(|(name, said, target)| {
        ScalarUDF::from(Conversion {
            name,
            said,
            target,
            signature: Signature::user_defined(Volatility::Immutable),
        })
    })
    .collect()
}

impl ScalarUDFImpl for Conversion {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        let (value, modifiers) = match of {
            [value, modifiers @ ..] if modifiers.len() <= 2 => (value, modifiers),
            _ => return datafusion::common::plan_err!("No function matches {}", self.name),
        };
        let is_to_text = matches!(self.target, Target::Text | Target::Varchar | Target::Bpchar);
        let value = match value {
            of if types::is_text(of) => DataType::Utf8,
            of if of.is_numeric() || matches!(of, DataType::Dictionary(..)) => types::plain(of),
            DataType::Null => DataType::Utf8,
            DataType::Boolean => DataType::Boolean,
            of if is_to_text => of.clone(),
            of => {
                let field = Field::new("value", of.clone(), true);
                let from = PgType::of(&field).name();
                return Err(failed(Error::session(
                    "42846",
                    format!("cannot cast type {from} to {}", self.said),
                )));
            }
        };
        let mut types = vec![value];
        types.extend(modifiers.iter().map(|_| DataType::Int64));
        Ok(types)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type of {} depends on its arguments", self.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let modifier = |position: usize| match args.scalar_arguments.get(position) {
            Some(Some(ScalarValue::Int64(value))) => *value,
            _ => None,
        };
        let text = |name: &str| {
            let field = Field::new(self.name, DataType::Utf8, true);
            field.with_metadata([(PG_TYPE.to_owned(), name.to_owned())].into())
        };
        let plain = |of: DataType| Field::new(self.name, of, true);
        Ok(Arc::new(match self.target {
            Target::Int2 => plain(DataType::Int16),
            Target::Int4 => plain(DataType::Int32),
            Target::Int8 => plain(DataType::Int64),
            Target::Float4 => plain(DataType::Float32),
            Target::Float8 => plain(DataType::Float64),
            Target::Bool => plain(DataType::Boolean),
            Target::Text => plain(DataType::Utf8),
            Target::Varchar => text("varchar"),
            Target::Bpchar => text("bpchar"),
            Target::Numeric => plain(match (modifier(1), modifier(2)) {
                (Some(digits), places) => declared(digits, places.unwrap_or(0))?,
                _ => match args
                    .arg_fields
                    .first()
                    .map(|field| types::plain(field.data_type()))
                {
                    Some(of) => types::as_decimal(&of).unwrap_or(types::NUMERIC),
                    None => types::NUMERIC,
                },
            }),
        }))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let modifier = |position: usize| match args.args.get(position) {
            Some(ColumnarValue::Scalar(ScalarValue::Int64(value))) => *value,
            _ => None,
        };
        let value = args.args.iter().take(1).cloned().collect::<Vec<_>>();
        let (arrays, is_constant) = columns::columns(&value)?;
        let [array] = &arrays[..] else {
            return internal_err!("{} has a value", self.name);
        };
        let to = args.return_field.data_type();
        let result: ArrayRef = match self.target {
            _ if array.null_count() == array.len() => new_null_array(to, array.len()),
            Target::Int2 => Arc::new(self.integers::<Int16Type>(array)?),
            Target::Int4 => Arc::new(self.integers::<Int32Type>(array)?),
            Target::Int8 => Arc::new(self.integers::<Int64Type>(array)?),
            Target::Float4 => Arc::new(self.floats::<Float32Type>(array)?),
            Target::Float8 => Arc::new(self.floats::<Float64Type>(array)?),
            Target::Numeric => self.numerics(array, to)?,
            Target::Bool => Arc::new(self.booleans(array)?),
            Target::Text | Target::Varchar | Target::Bpchar => {
                let zone = Around::of(&args.config_options).zone();
                let mut texts = texts(array, zone)?;
                let from = args
                    .arg_fields
                    .first()
                    .and_then(|field| field.metadata().get(PG_TYPE));
                if from.is_some_and(|name| name == "bpchar") {
                    let trimmed = texts
                        .iter()
                        .map(|text| text.map(|text| text.trim_end_matches(' ')));
                    texts = trimmed.collect();
                }
                Arc::new(match (self.target, modifier(1)) {
                    (Target::Text, _) | (_, None) => texts,
                    (target, Some(length)) => fitted(&texts, length, target == Target::Bpchar),
                })
            }
        };
        columns::result(result, is_constant)
    }
}

/// The type of a numeric of declared digits.
fn declared(digits: i64, places: i64) -> Result<DataType> {
    let (Ok(digits), Ok(places)) = (u8::try_from(digits), i8::try_from(places)) else {
        return Err(failed(Error::session(
            "22023",
            format!("NUMERIC precision {digits} must be between 1 and 1000"),
        )));
    };
    match (digits, places) {
        (1..=38, 0..) if places as u8 <= digits => Ok(DataType::Decimal128(digits, places)),
        (1..=76, 0..) if places as u8 <= digits => Ok(DataType::Decimal256(digits, places)),
        _ => Err(failed(Error::session(
            "0A000",
            format!(
                "numeric({digits},{places}) is not supported: at most 76 digits, and no more places \
                 than digits"
            ),
        ))),
    }
}

impl Conversion {
    fn wrong(&self, text: &str) -> datafusion::error::DataFusionError {
        let message = format!("invalid input syntax for type {}: \"{text}\"", self.said);
        failed(Error::session("22P02", message))
    }

    fn no_cast(&self, array: &ArrayRef) -> datafusion::error::DataFusionError {
        let field = Field::new("value", array.data_type().clone(), true);
        let from = PgType::of(&field).name();
        failed(Error::session(
            "42846",
            format!("cannot cast type {from} to {}", self.said),
        ))
    }

    fn integers<T: ArrowPrimitiveType>(&self, array: &ArrayRef) -> Result<PrimitiveArray<T>>
    where
        T::Native: TryFrom<i64>,
    {
        let fit = |value: Option<i64>| {
            let value = value.and_then(|value| T::Native::try_from(value).ok());
            value.ok_or_else(|| failed(out_of_range(&T::DATA_TYPE)))
        };
        let rows = 0..array.len();
        if let Some(exacts) = Exacts::of(array) {
            return rows
                .map(|row| match exacts.is_null(row) {
                    true => Ok(None),
                    false => fit(whole(&exacts, row)).map(Some),
                })
                .collect();
        }
        match array.data_type() {
            DataType::Float32 | DataType::Float64 => {
                let wide = cast(array, &DataType::Float64)?;
                let values = wide.as_primitive::<Float64Type>().iter();
                values
                    .map(|value| {
                        let value = value.map(f64::round_ties_even);
                        value.map(|value| fit(value.to_i64())).transpose()
                    })
                    .collect()
            }
            DataType::Boolean if self.target == Target::Int4 => {
                let values = array.as_boolean().iter();
                values
                    .map(|value| value.map(|value| fit(Some(value.into()))).transpose())
                    .collect()
            }
            DataType::Utf8 => {
                let texts = array.as_string::<i32>().iter();
                texts
                    .map(|text| {
                        let Some(text) = text else { return Ok(None) };
                        let digits = text.trim();
                        let digits = digits.strip_prefix('+').unwrap_or(digits);
                        if let Ok(value) = digits.parse::<i64>()
                            && let Ok(value) = T::Native::try_from(value)
                        {
                            return Ok(Some(value));
                        }
                        let unsigned = digits.strip_prefix('-').unwrap_or(digits);
                        let is_number = !unsigned.is_empty()
                            && unsigned.bytes().all(|digit| digit.is_ascii_digit());
                        Err(match is_number {
                            true => failed(Error::session(
                                "22003",
                                format!("value \"{text}\" is out of range for type {}", self.said),
                            )),
                            false => self.wrong(text),
                        })
                    })
                    .collect()
            }
            _ => Err(self.no_cast(array)),
        }
    }

    fn floats<T: ArrowPrimitiveType>(&self, array: &ArrayRef) -> Result<PrimitiveArray<T>>
    where
        T::Native: FromStr + num_traits::Float + num_traits::NumCast,
    {
        use num_traits::Float;
        let too_large = |text: &dyn std::fmt::Display| {
            let message = format!("\"{text}\" is out of range for type {}", self.said);
            failed(Error::session("22003", message))
        };
        if let Some(exacts) = Exacts::of(array) {
            return (0..array.len())
                .map(|row| {
                    if exacts.is_null(row) {
                        return Ok(None);
                    }
                    // Whole numbers and powers of ten that a double has exactly give the nearest one.
                    let places = exacts.places();
                    let small = exacts
                        .narrow(row)
                        .filter(|digits| digits.unsigned_abs() < 1 << 53);
                    if let (Some(digits), 0..=22, DataType::Float64) = (small, places, T::DATA_TYPE)
                        && let Some(value) =
                            num_traits::cast(digits as f64 / 10_f64.powi(places.into()))
                    {
                        return Ok(Some(value));
                    }
                    let text = format!("{}e-{places}", exacts.wide(row));
                    match text.parse::<T::Native>() {
                        Ok(value) if value.is_finite() => Ok(Some(value)),
                        _ => Err(too_large(&text)),
                    }
                })
                .collect();
        }
        match array.data_type() {
            DataType::Float32 | DataType::Float64 => {
                let wide = cast(array, &DataType::Float64)?;
                let values = wide.as_primitive::<Float64Type>().iter();
                values
                    .map(|value| {
                        let Some(value) = value else { return Ok(None) };
                        let near: Option<T::Native> = num_traits::cast(value);
                        match near {
                            Some(near) if near.is_infinite() && value.is_finite() => Err(failed(
                                Error::session("22003", "value out of range: overflow"),
                            )),
                            near => Ok(near),
                        }
                    })
                    .collect()
            }
            DataType::Utf8 => {
                let texts = array.as_string::<i32>().iter();
                texts
                    .map(|text| {
                        let Some(text) = text else { return Ok(None) };
                        let value = text.trim().parse::<T::Native>();
                        let value = value.map_err(|_| self.wrong(text))?;
                        let is_named = text.to_ascii_lowercase().contains("inf");
                        match value.is_infinite() && !is_named {
                            true => Err(too_large(&text)),
                            false => Ok(Some(value)),
                        }
                    })
                    .collect()
            }
            _ => Err(self.no_cast(array)),
        }
    }

    fn numerics(&self, array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
        if array.data_type() == to {
            return Ok(Arc::clone(array));
        }
        let parsed = |text: &str, said: &str| {
            let value = parse(text.trim()).ok_or_else(|| self.wrong(said))?;
            Ok(Some(value))
        };
        let (DataType::Decimal128(digits, places) | DataType::Decimal256(digits, places)) = to
        else {
            return internal_err!("{to} is no decimal");
        };
        let overflow = |value: Result<Option<Exact>>| {
            let Some(value) = value? else { return Ok(None) };
            let value = value.rounded((*places).into());
            let size = value.digits.magnitude().to_string().len();
            match size <= usize::from(*digits) {
                true => Ok(Some(value)),
                false => Err(failed(Error::session(
                    "22003",
                    format!(
                        "numeric field overflow: a field with precision {digits}, scale {places} must \
                         round to an absolute value less than 10^{}",
                        i16::from(*digits) - i16::from(*places)
                    ),
                ))),
            }
        };
        if let Some(exacts) = Exacts::of(array) {
            let rows = (0..array.len()).map(|row| match exacts.is_null(row) {
                true => Ok(None),
                false => Ok(Some(exacts.exact(row))),
            });
            return columns::decimals(rows.map(overflow), to);
        }
        // As many digits as a floating point value has for certain.
        let of_float = |value: f64, certain: usize| {
            let text = format!("{value:.*e}", certain - 1);
            match value.is_finite() {
                true => {
                    let value = parse(&text).ok_or_else(|| self.wrong(&text))?;
                    Ok(Some(value.shortest()))
                }
                false => Err(failed(Error::session(
                    "0A000",
                    format!("a numeric that is {value} is not supported"),
                ))),
            }
        };
        match array.data_type() {
            DataType::Float64 => {
                let values = array.as_primitive::<Float64Type>().iter();
                let rows = values.map(|value| value.map_or(Ok(None), |value| of_float(value, 15)));
                columns::decimals(rows.map(overflow), to)
            }
            DataType::Float32 => {
                let values = array.as_primitive::<Float32Type>().iter();
                let rows =
                    values.map(|value| value.map_or(Ok(None), |value| of_float(value.into(), 6)));
                columns::decimals(rows.map(overflow), to)
            }
            DataType::Utf8 => {
                let texts = array.as_string::<i32>().iter();
                let rows = texts.map(|text| text.map_or(Ok(None), |text| parsed(text, text)));
                columns::decimals(rows.map(overflow), to)
            }
            _ => Err(self.no_cast(array)),
        }
    }

    fn booleans(&self, array: &ArrayRef) -> Result<BooleanArray> {
        match array.data_type() {
            DataType::Boolean => Ok(array.as_boolean().clone()),
            DataType::Int32 => {
                let values = array.as_primitive::<Int32Type>().iter();
                Ok(values.map(|value| value.map(|value| value != 0)).collect())
            }
            DataType::Utf8 => {
                let texts = array.as_string::<i32>().iter();
                texts
                    .map(|text| {
                        let Some(text) = text else { return Ok(None) };
                        let value = parse_bool(text.trim());
                        value.map(Some).ok_or_else(|| self.wrong(text))
                    })
                    .collect()
            }
            _ => Err(self.no_cast(array)),
        }
    }
}

/// An exact number rounded to a whole one, half away from zero.
fn whole(exacts: &Exacts, row: usize) -> Option<i64> {
    let places = u32::try_from(exacts.places()).ok()?;
    if let Some(digits) = exacts.narrow(row)
        && let Some(unit) = 10_i128.checked_pow(places)
    {
        let (quotient, rest) = (digits / unit, digits % unit);
        let is_up = unit > 1 && rest.unsigned_abs() >= (unit / 2).unsigned_abs();
        let rounded = quotient + if is_up { rest.signum() } else { 0 };
        return i64::try_from(rounded).ok();
    }
    i64::try_from(&exacts.exact(row).rounded(0).digits).ok()
}

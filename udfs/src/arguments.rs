//! From SQL arguments to exact integers: the thin layer between Arrow and the kernels.
//!
//! A number may come as an integer, a decimal, a float or text; it is taken exactly, or refused
//! with the argument's name. A scalar stands for every row.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayAccessor, ArrayRef, AsArray, BooleanArray, Decimal128Array, Decimal256Array,
    Int64Array, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, i256,
};
use datafusion::arrow::util::display::FormatOptions;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Signature, TypeSignature, Volatility,
};

use crate::decimal;

/// What cannot be cast is an error and not null.
const STRICT: CastOptions<'static> = CastOptions {
    safe: false,
    format_options: FormatOptions::new(),
};

/// SOL amounts have nine fractional digits: one unit in the last place is a lamport.
pub const SOL: DataType = DataType::Decimal128(20, 9);
/// Prices, SOL per token.
pub const PRICE: DataType = DataType::Decimal128(38, 18);

/// A value that an argument cannot have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentError {
    /// The argument's name.
    pub argument: String,
    /// What it must be.
    pub expected: String,
    /// What it was.
    pub found: String,
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} must be {}, found {}",
            self.argument, self.expected, self.found
        )
    }
}

impl std::error::Error for ArgumentError {}

impl From<ArgumentError> for DataFusionError {
    fn from(error: ArgumentError) -> Self {
        Self::External(Box::new(error))
    }
}

/// The refusal of one argument's value.
pub fn refuse<T>(
    argument: &str,
    expected: impl Into<String>,
    found: impl Into<String>,
) -> Result<T> {
    Err(ArgumentError {
        argument: argument.into(),
        expected: expected.into(),
        found: found.into(),
    }
    .into())
}

/// Microseconds, UTC.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The signature of a function with these named arguments.
///
/// The types say what clients should send; any other is taken as well, because a cast made by the
/// planner would round where the functions must be exact.
pub fn signature(arguments: &[(&str, DataType)]) -> Signature {
    let types = arguments.iter().map(|(_, t)| t.clone()).collect();
    let names = arguments.iter().map(|(name, _)| (*name).to_string());
    let signature = Signature::one_of(
        vec![
            TypeSignature::Exact(types),
            TypeSignature::Any(arguments.len()),
        ],
        Volatility::Immutable,
    );
    signature
        .clone()
        .with_parameter_names(names.collect())
        .unwrap_or(signature)
}

/// Ends the description with the example, since clients that list functions show nothing else.
pub fn with_example(documentation: Documentation) -> Documentation {
    let mut documentation = documentation;
    if let Some(example) = &documentation.sql_example {
        documentation.description.push_str(" Example: ");
        documentation.description.push_str(example);
    }
    documentation
}

/// One argument of a function: a value for each row, or one for all of them.
#[derive(Debug)]
pub struct Argument<A> {
    values: A,
    is_scalar: bool,
}

impl<A> Argument<A> {
    /// The value of a row.
    pub fn get<'a>(&'a self, row: usize) -> Option<<&'a A as ArrayAccessor>::Item>
    where
        &'a A: ArrayAccessor,
    {
        let row = if self.is_scalar { 0 } else { row };
        let values = &self.values;
        values.is_valid(row).then(|| values.value(row))
    }
}

/// Takes a number exactly, at `scale` fractional digits.
pub fn decimals(
    argument: &str,
    value: &ColumnarValue,
    scale: i8,
) -> Result<Argument<Decimal128Array>> {
    let (array, is_scalar) = parts(value)?;
    Ok(Argument {
        values: decimal_array(argument, &array, scale)?,
        is_scalar,
    })
}

/// Takes an array of numbers exactly, at `scale` fractional digits.
pub fn decimal_array(argument: &str, array: &ArrayRef, scale: i8) -> Result<Decimal128Array> {
    let too_precise = |found: String| {
        ArgumentError {
            argument: argument.into(),
            expected: format!("a number of at most {scale} fractional digits"),
            found,
        }
        .into()
    };
    let exact = |mantissa: i128, from: i8| -> Result<i128> {
        decimal::rescale_exact(mantissa, from, scale)
            .ok_or_else(|| too_precise(decimal::format(mantissa, from)))
    };
    let text = |text: &str| -> Result<i128> {
        decimal::parse(text)
            .and_then(|(mantissa, from)| decimal::rescale_exact(mantissa, from, scale))
            .ok_or_else(|| too_precise(format!("'{text}'")))
    };
    let values: Decimal128Array = match array.data_type() {
        DataType::Null => std::iter::repeat_n(None::<i128>, array.len()).collect(),
        DataType::Decimal128(_, from) if *from == scale => {
            array.as_primitive::<Decimal128Type>().clone()
        }
        DataType::Decimal128(_, from) => array
            .as_primitive::<Decimal128Type>()
            .try_unary(|mantissa| exact(mantissa, *from))?,
        DataType::Decimal256(_, from) => array
            .as_primitive::<Decimal256Type>()
            .iter()
            .map(|wide| {
                wide.map(|wide| {
                    let (mantissa, places) = shortest(wide, *from);
                    match mantissa.to_i128() {
                        Some(mantissa) => exact(mantissa, places),
                        None => Err(too_precise(format!("{mantissa} / 10^{places}"))),
                    }
                })
                .transpose()
            })
            .collect::<Result<_>>()?,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            // The shortest decimal that reads back as the same float.
            let is_single = matches!(array.data_type(), DataType::Float32 | DataType::Float16);
            let wide = cast(array, &DataType::Float64)?;
            wide.as_primitive::<Float64Type>()
                .iter()
                .map(|value| {
                    value
                        .map(|value| match is_single {
                            true => text(&(value as f32).to_string()),
                            false => text(&value.to_string()),
                        })
                        .transpose()
                })
                .collect::<Result<_>>()?
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(_, _) => {
            strings_of(array)?
                .iter()
                .map(|value| value.map(text).transpose())
                .collect::<Result<_>>()?
        }
        integer if integer.is_integer() && *integer != DataType::UInt64 => {
            let wide = cast(array, &DataType::Int64)?;
            wide.as_primitive::<Int64Type>()
                .iter()
                .map(|value| value.map(|value| exact(value.into(), 0)).transpose())
                .collect::<Result<_>>()?
        }
        DataType::UInt64 => cast(array, &DataType::Decimal128(20, 0))?
            .as_primitive::<Decimal128Type>()
            .try_unary(|mantissa| exact(mantissa, 0))?,
        other => return refuse(argument, "a number", format!("a value of type {other}")),
    };
    Ok(values.with_data_type(DataType::Decimal128(38, scale)))
}

/// A wide decimal without the zeros at its end.
fn shortest(wide: i256, places: i8) -> (i256, i8) {
    let ten = i256::from_i128(10);
    let (mut mantissa, mut places) = (wide, places);
    while places > 0 && mantissa.wrapping_rem(ten) == i256::ZERO {
        mantissa = mantissa.wrapping_div(ten);
        places -= 1;
    }
    (mantissa, places)
}

/// Takes text.
pub fn strings(argument: &str, value: &ColumnarValue) -> Result<Argument<StringArray>> {
    let (array, is_scalar) = parts(value)?;
    match array.data_type() {
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Dictionary(_, _)
        | DataType::Null => Ok(Argument {
            values: strings_of(&array)?,
            is_scalar,
        }),
        other => refuse(argument, "text", format!("a value of type {other}")),
    }
}

/// Takes a timestamp, a date or RFC 3339 text.
pub fn timestamps(
    argument: &str,
    value: &ColumnarValue,
) -> Result<Argument<TimestampMicrosecondArray>> {
    let (array, is_scalar) = parts(value)?;
    match array.data_type() {
        DataType::Timestamp(_, _)
        | DataType::Date32
        | DataType::Date64
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Null => Ok(Argument {
            values: cast_with_options(&array, &timestamp(), &STRICT)?
                .as_primitive::<TimestampMicrosecondType>()
                .clone(),
            is_scalar,
        }),
        other => refuse(argument, "a timestamp", format!("a value of type {other}")),
    }
}

/// Takes a whole number.
pub fn integers(argument: &str, value: &ColumnarValue) -> Result<Argument<Int64Array>> {
    let (array, is_scalar) = parts(value)?;
    let values = decimal_array(argument, &array, 0).or_else(|_| {
        refuse(
            argument,
            "a whole number",
            match value {
                ColumnarValue::Scalar(value) => value.to_string(),
                ColumnarValue::Array(array) => format!("values of type {}", array.data_type()),
            },
        )
    })?;
    let values = values
        .iter()
        .map(|value| {
            value
                .map(|value| {
                    i64::try_from(value)
                        .or_else(|_| refuse(argument, "a whole number", value.to_string()))
                })
                .transpose()
        })
        .collect::<Result<_>>()?;
    Ok(Argument { values, is_scalar })
}

/// One argument as yes or no.
pub fn booleans(argument: &str, value: &ColumnarValue) -> Result<Argument<BooleanArray>> {
    let (array, is_scalar) = parts(value)?;
    match array.data_type() {
        DataType::Boolean | DataType::Null => Ok(Argument {
            values: cast(&array, &DataType::Boolean)?.as_boolean().clone(),
            is_scalar,
        }),
        other => refuse(
            argument,
            "true or false",
            format!("a value of type {other}"),
        ),
    }
}

/// Takes a price that may have more digits than [`PRICE`] has, at `scale` fractional digits.
pub fn wide_decimals(
    argument: &str,
    value: &ColumnarValue,
    scale: i8,
) -> Result<Argument<Decimal256Array>> {
    let (array, is_scalar) = parts(value)?;
    let array = match array.data_type() {
        DataType::Decimal256(_, _) => array,
        _ => Arc::new(decimal_array(argument, &array, 18)?),
    };
    Ok(Argument {
        values: cast(&array, &DataType::Decimal256(76, scale))?
            .as_primitive::<Decimal256Type>()
            .clone(),
        is_scalar,
    })
}

/// An array of one row for a scalar.
fn parts(value: &ColumnarValue) -> Result<(ArrayRef, bool)> {
    match value {
        ColumnarValue::Scalar(scalar) => Ok((scalar.to_array()?, true)),
        ColumnarValue::Array(array) => Ok((Arc::clone(array), false)),
    }
}

fn strings_of(array: &ArrayRef) -> Result<StringArray> {
    if let Some(strings) = array.as_string_opt::<i32>() {
        return Ok(strings.clone());
    }
    Ok(cast(array, &DataType::Utf8)?.as_string::<i32>().clone())
}

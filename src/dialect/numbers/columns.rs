//! Columns of numbers as rows of exact values, and what goes wrong with them.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array, PrimitiveArray,
};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Int16Type, Int32Type, Int64Type, i256,
};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::ColumnarValue;

use super::exact::{Exact, Undefined};
use super::types;
use crate::error::Error;

impl From<Undefined> for Error {
    fn from(undefined: Undefined) -> Self {
        let (state, message) = match undefined {
            Undefined::DivisionByZero => ("22012", "division by zero"),
            Undefined::RootOfNegative => ("2201F", "cannot take square root of a negative number"),
            Undefined::LogarithmOfZero => ("2201E", "cannot take logarithm of zero"),
            Undefined::LogarithmOfNegative => {
                ("2201E", "cannot take logarithm of a negative number")
            }
            Undefined::ZeroToNegative => ("2201F", "zero raised to a negative power is undefined"),
            Undefined::NegativeToFraction => (
                "2201F",
                "a negative number raised to a non-integer power yields a complex result",
            ),
            Undefined::TooLarge => ("22003", "value overflows numeric format"),
        };
        Self::session(state, message)
    }
}

/// An error of ours out of a kernel of Arrow's.
pub fn external(error: impl Into<Error>) -> ArrowError {
    ArrowError::ExternalError(Box::new(error.into()))
}

pub fn out_of_range(data_type: &DataType) -> Error {
    let name = match data_type {
        DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        _ => "bigint",
    };
    Error::session("22003", format!("{name} out of range"))
}

pub fn failed(error: impl Into<Error>) -> DataFusionError {
    error.into().into()
}

/// A column of decimals or integers.
pub enum Exacts<'a> {
    Narrow(&'a Decimal128Array, i8),
    Wide(&'a Decimal256Array, i8),
    Int2(&'a PrimitiveArray<Int16Type>),
    Int4(&'a PrimitiveArray<Int32Type>),
    Int8(&'a PrimitiveArray<Int64Type>),
}

impl<'a> Exacts<'a> {
    pub fn of(array: &'a ArrayRef) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Decimal128(_, scale) => {
                Self::Narrow(array.as_primitive::<Decimal128Type>(), *scale)
            }
            DataType::Decimal256(_, scale) => {
                Self::Wide(array.as_primitive::<Decimal256Type>(), *scale)
            }
            DataType::Int16 => Self::Int2(array.as_primitive::<Int16Type>()),
            DataType::Int32 => Self::Int4(array.as_primitive::<Int32Type>()),
            DataType::Int64 => Self::Int8(array.as_primitive::<Int64Type>()),
            _ => return None,
        })
    }

    pub fn places(&self) -> i8 {
        match self {
            Self::Narrow(_, places) | Self::Wide(_, places) => *places,
            _ => 0,
        }
    }

    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Narrow(values, _) => values.is_null(row),
            Self::Wide(values, _) => values.is_null(row),
            Self::Int2(values) => values.is_null(row),
            Self::Int4(values) => values.is_null(row),
            Self::Int8(values) => values.is_null(row),
        }
    }

    /// The digits of a value, where they have room in 128 bits.
    pub fn narrow(&self, row: usize) -> Option<i128> {
        match self {
            Self::Narrow(values, _) => Some(values.value(row)),
            Self::Wide(values, _) => values.value(row).to_i128(),
            Self::Int2(values) => Some(values.value(row).into()),
            Self::Int4(values) => Some(values.value(row).into()),
            Self::Int8(values) => Some(values.value(row).into()),
        }
    }

    /// The digits of a value.
    pub fn wide(&self, row: usize) -> i256 {
        match self {
            Self::Wide(values, _) => values.value(row),
            _ => i256::from_i128(self.narrow(row).unwrap_or_default()),
        }
    }

    /// A value with the places that it has for PostgreSQL.
    pub fn exact(&self, row: usize) -> Exact {
        let value = match self.narrow(row) {
            Some(digits) => Exact::new(digits, self.places().into()),
            None => Exact::of_i256(self.wide(row), self.places()),
        };
        match self.places() {
            types::PLACES => value.opened(),
            _ => value,
        }
    }
}

/// Decimals of a type out of rows of exact values.
pub fn decimals(
    rows: impl Iterator<Item = Result<Option<Exact>>>,
    to: &DataType,
) -> Result<ArrayRef> {
    let too_large = || failed(Undefined::TooLarge);
    match to {
        DataType::Decimal128(precision, scale) => {
            let most = 10_i128.pow((*precision).into());
            let values: Decimal128Array = rows
                .map(|row| match row? {
                    None => Ok(None),
                    Some(value) => {
                        let digits = value.rounded((*scale).into()).digits;
                        let digits = i128::try_from(&digits).ok();
                        let digits = digits
                            .filter(|digits| digits.checked_abs().is_some_and(|size| size < most));
                        digits.map(Some).ok_or_else(too_large)
                    }
                })
                .collect::<Result<_>>()?;
            Ok(Arc::new(values.with_data_type(to.clone())))
        }
        DataType::Decimal256(_, scale) => {
            let values: Decimal256Array = rows
                .map(|row| match row? {
                    None => Ok(None),
                    Some(value) => value.to_i256(*scale).map(Some).ok_or_else(too_large),
                })
                .collect::<Result<_>>()?;
            Ok(Arc::new(values.with_data_type(to.clone())))
        }
        other => datafusion::common::internal_err!("{other} is no decimal"),
    }
}

/// The arguments as columns of one length, and whether all are constants.
pub fn columns(args: &[ColumnarValue]) -> Result<(Vec<ArrayRef>, bool)> {
    let are_constant = args
        .iter()
        .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
    Ok((ColumnarValue::values_to_arrays(args)?, are_constant))
}

/// A result, which is a constant where all arguments were.
pub fn result(array: ArrayRef, is_constant: bool) -> Result<ColumnarValue> {
    match is_constant && array.len() == 1 {
        true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
            &array, 0,
        )?)),
        false => Ok(ColumnarValue::Array(array)),
    }
}

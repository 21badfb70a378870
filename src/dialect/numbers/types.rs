//! Which Arrow types numbers have, by PostgreSQL's rules for the types of results.
//!
//! `int2`, `int4`, `int8`, `float4` and `float8` are Arrow's. A `numeric` of known places, such as a
//! column or a product, is a decimal of those places, in 128 bits as long as its digits have room.
//! One whose places differ from value to value, as those of quotients do, is [`NUMERIC`]: each value
//! is rounded to the places that PostgreSQL gives it, and zeros follow.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};

/// The places of [`NUMERIC`].
pub const PLACES: i8 = 40;
/// A numeric of which no places are known.
pub const NUMERIC: DataType = DataType::Decimal256(76, PLACES);
/// The digits of 128 and 256 bits.
const NARROW: i16 = 38;
const WIDE: i16 = 76;
/// The most places that a product has: beyond them it would have no room before the point.
const MOST_PLACES: i16 = 56;

/// Whether it is a numeric whose places differ from value to value.
pub fn is_open(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal256(_, PLACES))
}

pub fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

pub fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        _ => false,
    }
}

/// The type among PostgreSQL's that stands for an Arrow type of numbers.
pub fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => decimal(
            i16::from(*precision) - i16::from(*scale).min(0),
            (*scale).max(0).into(),
        ),
        DataType::Decimal256(precision, scale) if *scale < 0 => {
            decimal(i16::from(*precision) - i16::from(*scale), 0)
        }
        DataType::Dictionary(_, values) => plain(values),
        other => other.clone(),
    }
}

/// A decimal of so many digits, of which so many are behind the point.
fn decimal(digits: i16, places: i16) -> DataType {
    match digits {
        ..=NARROW => DataType::Decimal128(digits.max(places).max(1) as u8, places as i8),
        _ => DataType::Decimal256(digits.min(WIDE) as u8, places.min(WIDE) as i8),
    }
}

/// The digits of a decimal or an integer, and how many of them are behind the point.
pub fn digits(data_type: &DataType) -> Option<(i16, i16)> {
    match data_type {
        DataType::Int16 => Some((5, 0)),
        DataType::Int32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            Some(((*precision).into(), (*scale).into()))
        }
        _ => None,
    }
}

/// The decimal that has room for a decimal or an integer.
pub fn as_decimal(data_type: &DataType) -> Option<DataType> {
    let (precision, scale) = digits(data_type)?;
    Some(match data_type {
        DataType::Decimal256(..) => data_type.clone(),
        _ => decimal(precision, scale),
    })
}

/// The types that the operands of an arithmetic operator are brought to.
pub fn operands(name: &str, left: &DataType, right: &DataType) -> Result<[DataType; 2]> {
    let is_unknown = |of: &DataType| is_text(of) || *of == DataType::Null;
    let (left, right) = match (is_unknown(left), is_unknown(right)) {
        (true, true) => (DataType::Int32, DataType::Int32),
        (true, false) => (plain(right), plain(right)),
        (false, true) => (plain(left), plain(left)),
        (false, false) => (plain(left), plain(right)),
    };
    match (&left, &right) {
        (DataType::Float32, DataType::Float32) => Ok([left, right]),
        (left, right) if is_number(left) && is_number(right) => {
            if left.is_floating() || right.is_floating() {
                return Ok([DataType::Float64, DataType::Float64]);
            }
            if left.is_integer() && right.is_integer() {
                let wider = match digits(left) > digits(right) {
                    true => left,
                    false => right,
                };
                return Ok([wider.clone(), wider.clone()]);
            }
            match (as_decimal(left), as_decimal(right)) {
                (Some(left), Some(right)) => Ok([left, right]),
                _ => plan_err!("no operator {name} for {left} and {right}"),
            }
        }
        _ => plan_err!("Cannot coerce {left} and {right} for the operator {name}"),
    }
}

/// The type of a sum or a difference of two decimals.
pub fn of_sum(left: &DataType, right: &DataType) -> DataType {
    let (Some((left, places)), Some((right, right_places))) = (digits(left), digits(right)) else {
        return NUMERIC;
    };
    let before = (left - places).max(right - right_places);
    let places = places.max(right_places);
    // The carry has a digit of its own where that needs no more bits.
    match before + places {
        NARROW => decimal(NARROW, places),
        digits => decimal(digits + 1, places),
    }
}

/// The type of a product of two decimals.
pub fn of_product(left: &DataType, right: &DataType) -> DataType {
    if is_open(left) || is_open(right) {
        return NUMERIC;
    }
    match (digits(left), digits(right)) {
        (Some((left, places)), Some((right, right_places))) => {
            decimal(left + right, (places + right_places).min(MOST_PLACES))
        }
        _ => NUMERIC,
    }
}

/// The type of what is left of a division.
pub fn of_remainder(left: &DataType, right: &DataType) -> DataType {
    let (Some((left, places)), Some((right, right_places))) = (digits(left), digits(right)) else {
        return NUMERIC;
    };
    let before = (left - places).max(right - right_places);
    let places = places.max(right_places);
    decimal(before + places, places)
}

/// What a number becomes when it is rounded to so many places.
pub fn of_rounded(of: &DataType, places: i64) -> DataType {
    let places = places.clamp(0, MOST_PLACES.into()) as i16;
    match digits(of) {
        // A carry may need a digit more.
        Some((digits, before)) => decimal((digits - before + 1 + places).max(1), places),
        None => NUMERIC,
    }
}

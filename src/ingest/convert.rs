//! Columns of Parquet files, converted whole where they are as nearly all are, else cell by cell.

use std::borrow::Cow;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, FixedSizeBinaryArray, Float64Array, Int64Array,
};
use datafusion::arrow::buffer::ScalarBuffer;
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, DecimalType, Int32Type, TimeUnit, TimestampMicrosecondType,
};

use super::builder::ColumnBuilder;
use super::cells::Source;
use super::chunk::{Cell, Check, Mismatch, Note, Values, note};
use super::columns::{Column, Kind, Range};
use super::decimal::{Decimal, Rounding, power_of_ten, price_mantissa, short_float};
use super::division::divide_exactly;
use super::explain::explain;
use super::mantissas::marked_scale;
use super::timestamp::{self, Form, Instant};

/// Values, and what was odd about them.
pub(super) type Converted = Result<(Values, Vec<Note>), Mismatch>;

pub(super) fn convert(column: &'static Column, array: &ArrayRef, rounding: Rounding) -> Converted {
    let no_nulls = array.null_count() == 0;
    match (column.kind, array.data_type()) {
        (Kind::Token, DataType::Dictionary(..)) if no_nulls => {
            let tokens = array.as_dictionary::<Int32Type>();
            Ok((Values::Token(tokens.clone()), Vec::new()))
        }
        (Kind::Timestamp, DataType::Timestamp(TimeUnit::Microsecond, zone)) if no_nulls => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().values();
            timestamps(column, micros, zone.is_some())
        }
        (Kind::Price, DataType::Decimal128(_, scale)) if no_nulls && *scale >= 0 => {
            decimal_prices(column, array.as_primitive(), *scale, rounding)
        }
        (Kind::Price, DataType::Float64) if no_nulls => {
            float_prices(column, array.as_primitive(), rounding)
        }
        (
            Kind::Decimal {
                precision, scale, ..
            },
            DataType::Decimal128(_, from),
        ) if (0..=scale as i8).contains(from) => {
            match widen(column, array.as_primitive(), precision, scale - *from as u8) {
                Some(values) => Ok((Values::Decimal(values), Vec::new())),
                None => convert_by_cells(column, array, rounding),
            }
        }
        _ => convert_by_cells(column, array, rounding),
    }
}

fn convert_by_cells(column: &'static Column, array: &ArrayRef, rounding: Rounding) -> Converted {
    let source = Source::new(column.name, array, None)?;
    let mut builder = ColumnBuilder::new(column, rounding);
    for row in 0..array.len() {
        builder.append(&source.cell(row))?;
    }
    Ok(builder.finish())
}

fn decimal_prices(
    column: &'static Column,
    prices: &Decimal128Array,
    scale: i8,
    rounding: Rounding,
) -> Converted {
    let mut mantissas = Vec::with_capacity(prices.len());
    let mut scales = Vec::with_capacity(prices.len());
    let mut rounded = None;
    for (row, &value) in prices.values().iter().enumerate() {
        let price = match u128::try_from(value).ok().and_then(price_mantissa) {
            Some(mantissa) if scale <= 18 => Some((mantissa, scale as u8)),
            _ => shorten(value, scale),
        };
        let found = || Decimal128Type::format_decimal(value, 38, scale);
        let (mantissa, scale) = match price {
            Some(price) => price,
            None => {
                let number = Decimal::from_integer(value, scale).price(rounding);
                let Ok((mantissa, scale, of_exact)) = number else {
                    let cell = Cell::Number(Cow::Owned(found()));
                    return Err(explain(column, row as u64, &cell));
                };
                note(&mut rounded, Check::Rounded, column.name, row as u64, found);
                (mantissa, marked_scale(mantissa, scale, of_exact))
            }
        };
        mantissas.push(mantissa);
        scales.push(scale);
    }
    Ok((
        price_values(mantissas, scales),
        rounded.into_iter().collect(),
    ))
}

fn float_prices(column: &'static Column, prices: &Float64Array, rounding: Rounding) -> Converted {
    let mut mantissas = Vec::with_capacity(prices.len());
    let mut scales = Vec::with_capacity(prices.len());
    let mut rounded = None;
    let mut scratch = String::new();
    // Neighbours mostly have as many digits as each other.
    let mut likely_scale = 0;
    for (row, &value) in prices.values().iter().enumerate() {
        if value >= 0.0
            && let Some(mantissa) = short_float(value, likely_scale)
        {
            mantissas.push(mantissa);
            scales.push(likely_scale);
            continue;
        }
        let price = Decimal::from_float(value, &mut scratch)
            .and_then(|decimal| decimal.price(rounding).ok());
        let Some((mantissa, scale, of_exact)) = price else {
            return Err(explain(column, row as u64, &Cell::Float(value)));
        };
        if of_exact.is_ne() {
            let found = || value.to_string();
            note(&mut rounded, Check::Rounded, column.name, row as u64, found);
        }
        if short_float(value, scale).is_some() {
            likely_scale = scale;
        }
        mantissas.push(mantissa);
        scales.push(marked_scale(mantissa, scale, of_exact));
    }
    Ok((
        price_values(mantissas, scales),
        rounded.into_iter().collect(),
    ))
}

/// Timestamps in one go, where they are those of a history.
fn timestamps(column: &'static Column, micros: &ScalarBuffer<i64>, zoned: bool) -> Converted {
    let form = if zoned { Form::Zoned } else { Form::Naive };
    // A sum, not a search: what is nearly always so is found out without a branch.
    let beyond: u64 = micros
        .iter()
        .map(|t| u64::from(!timestamp::is_plausible(*t)))
        .sum();
    if beyond > 0 {
        let row = micros
            .iter()
            .position(|t| !timestamp::is_plausible(*t))
            .unwrap_or(0);
        let cell = Cell::Timestamp(Instant {
            micros: micros[row],
            rounded: false,
            form,
        });
        return Err(explain(column, row as u64, &cell));
    }
    let notes = micros.first().map(|first| Note {
        check: Check::Clock(form),
        column: column.name,
        count: micros.len() as u64,
        row: 0,
        found: timestamp::to_text(*first),
    });
    let values = Values::Timestamp(Int64Array::new(micros.clone(), None));
    Ok((values, notes.into_iter().collect()))
}

/// Numbers of two's complement, most significant byte first; 8 to 16 bytes each.
pub(super) fn decimals_of_bytes(bytes: &FixedSizeBinaryArray) -> Decimal128Array {
    let values = halves(bytes).map(|(high, low)| i128::from(high) << 64 | i128::from(low));
    Decimal128Array::new(values.collect(), bytes.nulls().cloned())
}

/// The upper and the lower 64 bits of each number.
fn halves(bytes: &FixedSizeBinaryArray) -> impl Iterator<Item = (i64, u64)> {
    let width = bytes.value_length() as usize;
    // The first eight bytes hold the sign and all that is above the last eight.
    let shift = (128 - 8 * width as u32).min(63);
    let eight = |bytes: &[u8]| bytes.try_into().map_or(0, i64::from_be_bytes);
    let values = bytes.value_data().chunks_exact(width);
    values.map(move |value| {
        let (first, last) = (eight(&value[..8]), eight(&value[width - 8..]));
        (first >> shift, last as u64)
    })
}

/// Prices and volumes in one go where each is there, is not negative and below `i64::MAX`, as nearly
/// all are.
pub(super) fn short_decimals(
    column: &Column,
    bytes: &FixedSizeBinaryArray,
    scale: i8,
) -> Option<Values> {
    let scale = u8::try_from(scale).ok().filter(|scale| *scale <= 18)?;
    let mut beyond = 0;
    let mut short = |(high, low): (i64, u64)| {
        // What is too large has the leading bit, or as `i64::MAX` gets it from one more.
        beyond |= high as u64 | (low | low.wrapping_add(1)) >> 63;
        low
    };
    if bytes.null_count() > 0 {
        return None;
    }
    let values = match column.kind {
        Kind::Price => {
            let mantissas: Vec<_> = halves(bytes).map(|half| short(half) as i64).collect();
            let scales = vec![scale; mantissas.len()];
            Some(price_values(mantissas, scales))
        }
        Kind::Decimal {
            precision,
            scale: to,
            ..
        } if precision == 38 && matches!(column.range, Range::NotNegative) => {
            // 63 bits and 18 digits more are less than 10^38.
            let digits = to.checked_sub(scale)?;
            let factor = i128::try_from(power_of_ten(digits.into())?).ok()?;
            let values = halves(bytes).map(|half| i128::from(short(half)).wrapping_mul(factor));
            Some(Values::Decimal(Decimal128Array::new(
                values.collect(),
                None,
            )))
        }
        _ => None,
    };
    values.filter(|_| beyond == 0)
}

fn price_values(mantissas: Vec<i64>, scales: Vec<u8>) -> Values {
    Values::Price {
        mantissas: mantissas.into(),
        scales,
    }
}

/// Cuts zeros at the end of a decimal until it fits a mantissa.
fn shorten(value: i128, scale: i8) -> Option<(i64, u8)> {
    let value = u128::try_from(value).ok()?;
    (1..=scale).find_map(|cut| {
        let left = u8::try_from(scale - cut).ok().filter(|left| *left <= 18)?;
        let mantissa = divide_exactly(value, u32::from(cut.unsigned_abs()))?;
        Some((price_mantissa(mantissa)?, left))
    })
}

/// The values with so many more fractional digits; `None` where one does not fit or must be looked
/// at.
fn widen(
    column: &Column,
    values: &Decimal128Array,
    precision: u8,
    digits: u8,
) -> Option<Decimal128Array> {
    let factor = i128::try_from(power_of_ten(u32::from(digits))?).ok()?;
    let limit = i128::try_from(power_of_ten(u32::from(precision))?).ok()? / factor;
    let least = if matches!(column.range, Range::Any) {
        -limit + 1
    } else {
        0
    };
    // What lies under a null may be anything; the slow way looks at it row by row.
    let fits = values
        .values()
        .iter()
        .all(|value| *value >= least && *value < limit);
    fits.then(|| values.unary::<_, Decimal128Type>(|value| value.wrapping_mul(factor)))
}

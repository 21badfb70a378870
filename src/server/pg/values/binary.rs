//! Values in PostgreSQL's binary forms.

use bytes::Bytes;
use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion::common::ScalarValue;

use super::{exact, list, name, value};
use crate::error::{Error, Result};
use crate::server::pg::wire::{Body, utf8};

const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;

const EPOCH_DAYS: i32 = 10_957;

pub(super) fn binary(bytes: &Bytes, data_type: &DataType) -> Result<ScalarValue> {
    let wrong = || {
        let name = name(data_type);
        Error::session(
            "22P03",
            format!("incorrect binary data format for type {name}"),
        )
    };
    let fixed = |count: usize| match bytes.len() == count {
        true => Ok(bytes.as_ref()),
        false => Err(wrong()),
    };
    let eight = || -> Result<[u8; 8]> { fixed(8)?.try_into().map_err(|_| wrong()) };
    let four = || -> Result<[u8; 4]> { fixed(4)?.try_into().map_err(|_| wrong()) };
    Ok(match data_type {
        DataType::Utf8 => ScalarValue::Utf8(Some(utf8(bytes)?)),
        DataType::Boolean => ScalarValue::Boolean(Some(fixed(1)? != [0])),
        DataType::Int16 => {
            let bytes: [u8; 2] = fixed(2)?.try_into().map_err(|_| wrong())?;
            ScalarValue::Int16(Some(i16::from_be_bytes(bytes)))
        }
        DataType::Int32 => ScalarValue::Int32(Some(i32::from_be_bytes(four()?))),
        DataType::UInt32 => ScalarValue::UInt32(Some(u32::from_be_bytes(four()?))),
        // An oid has four bytes, and is one of these here.
        DataType::Int64 if bytes.len() == 4 => {
            ScalarValue::Int64(Some(i64::from(u32::from_be_bytes(four()?))))
        }
        DataType::Int64 => ScalarValue::Int64(Some(i64::from_be_bytes(eight()?))),
        DataType::Float32 => ScalarValue::Float32(Some(f32::from_be_bytes(four()?))),
        DataType::Float64 => ScalarValue::Float64(Some(f64::from_be_bytes(eight()?))),
        DataType::Decimal128(_, _) | DataType::Decimal256(_, _) => numeric(bytes)?,
        DataType::Binary => ScalarValue::Binary(Some(bytes.to_vec())),
        DataType::Date32 => {
            let days = i32::from_be_bytes(four()?).checked_add(EPOCH_DAYS);
            ScalarValue::Date32(Some(days.ok_or_else(wrong)?))
        }
        DataType::Time64(_) => {
            let nanoseconds = i64::from_be_bytes(eight()?).checked_mul(1_000);
            ScalarValue::Time64Nanosecond(Some(nanoseconds.ok_or_else(wrong)?))
        }
        DataType::Timestamp(_, zone) => {
            let at = i64::from_be_bytes(eight()?).checked_add(EPOCH_MICROSECONDS);
            ScalarValue::TimestampMicrosecond(Some(at.ok_or_else(wrong)?), zone.clone())
        }
        DataType::Interval(_) => {
            let mut body = Body::new(Bytes::copy_from_slice(fixed(16)?));
            let high = i64::from(body.number()?) << 32;
            let low = i64::from(body.number()? as u32);
            let (days, months) = (body.number()?, body.number()?);
            let nanoseconds = (high | low).checked_mul(1_000).ok_or_else(wrong)?;
            let interval = IntervalMonthDayNano::new(months, days, nanoseconds);
            ScalarValue::IntervalMonthDayNano(Some(interval))
        }
        DataType::List(element) => {
            let mut body = Body::new(bytes.clone());
            let dimensions = body.number()?;
            body.number()?;
            body.number()?;
            let count = match dimensions {
                0 => 0,
                1 => {
                    let count = body.number()?;
                    body.number()?;
                    usize::try_from(count).map_err(|_| wrong())?
                }
                _ => {
                    let message = "arrays of arrays are not supported as parameters";
                    return Err(Error::session("0A000", message));
                }
            };
            // Each item has a length of four bytes, so this many cannot be in fewer.
            if count > bytes.len() / 4 {
                return Err(wrong());
            }
            let mut values = Vec::with_capacity(count);
            for _ in 0..count {
                let item = body.value()?;
                values.push(value(item.as_ref(), true, element.data_type())?);
            }
            body.end()?;
            list(values, element.data_type())?
        }
        _ => return Err(wrong()),
    })
}

fn numeric(bytes: &Bytes) -> Result<ScalarValue> {
    let (digits, scale) = numeric_digits(bytes)?;
    exact(&digits, scale)
}

/// The digits of a numeric from its groups of four, and how many of them stand behind the point.
pub(super) fn numeric_digits(bytes: &Bytes) -> Result<(String, i32)> {
    let wrong = || Error::session("22P03", "incorrect binary data format for type numeric");
    let mut body = Body::new(bytes.clone());
    let count = body.count()?;
    let weight = body.count()? as u16 as i16;
    let sign = body.count()?;
    let scale = body.count()?;
    if sign != 0 && sign != 0x4000 {
        let message = "NaN and infinity are no numeric values here";
        return Err(Error::session("22003", message));
    }
    let mut digits = String::new();
    for _ in 0..count {
        let group = body.count()?;
        if group > 9_999 {
            return Err(wrong());
        }
        digits.push_str(&format!("{group:04}"));
    }
    body.end()?;
    // The groups stand before the point as far as the weight says, and behind it from there on.
    let whole = (i32::from(weight) + 1) * 4;
    let behind = digits.len() as i32 - whole;
    let scale = i32::try_from(scale).map_err(|_| wrong())?;
    if !(-400..=400).contains(&(scale - behind)) {
        return Err(Error::session(
            "22003",
            "a numeric has at most 76 digits here",
        ));
    }
    match usize::try_from(scale - behind) {
        Ok(missing) => digits.extend(std::iter::repeat_n('0', missing)),
        Err(_) => {
            let extra = usize::try_from(behind - scale).unwrap_or_default();
            digits.truncate(digits.len().saturating_sub(extra));
        }
    }
    if digits.is_empty() {
        digits.push('0');
    }
    let sign = if sign == 0 { "" } else { "-" };
    Ok((format!("{sign}{digits}"), scale))
}

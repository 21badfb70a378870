//! Between Arrow's columns and the values that row-wise functions take.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int16Type, Int32Type,
    Int64Type, IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType,
};

use crate::catalog::numeric::Numeric;
use crate::catalog::value::{Interval, Value};
use crate::dialect::numbers::Exact;
use crate::dialect::numbers::types::is_open;

/// A timestamp with a zone, which is kept in universal time.
pub fn timestamptz() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A timestamp without a zone.
pub const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
/// An interval.
pub const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
/// A time of day.
pub const TIME: DataType = DataType::Time64(TimeUnit::Microsecond);

/// The type in which functions take values of a type.
pub fn taken(given: &DataType) -> DataType {
    match given {
        DataType::Timestamp(_, Some(_)) => timestamptz(),
        DataType::Timestamp(_, None) => TIMESTAMP,
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => TIME,
        DataType::Interval(_) | DataType::Duration(_) => INTERVAL,
        DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => DataType::Utf8,
        DataType::Int8 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 | DataType::Float32 => DataType::Float64,
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => {
            DataType::Decimal128(38, *scale)
        }
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            DataType::Binary
        }
        DataType::Dictionary(_, values) => taken(values),
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            DataType::List(item.clone())
        }
        other => other.clone(),
    }
}

/// The value of a row, of a column of a [`taken`] type.
pub fn value_at(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => Value::Bool(column.as_boolean().value(row)),
        DataType::Int16 => Value::Int(column.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Value::Int(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Int(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::Float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => {
            let digits = column.as_primitive::<Decimal128Type>().value(row);
            match u32::try_from(*scale) {
                Ok(scale) => Value::Numeric(Numeric { digits, scale }),
                Err(_) => {
                    let factor = 10_i128.checked_pow(u32::from(scale.unsigned_abs()));
                    let digits = factor.and_then(|factor| digits.checked_mul(factor));
                    digits.map_or(Value::Null, |digits| {
                        Value::Numeric(Numeric { digits, scale: 0 })
                    })
                }
            }
        }
        DataType::Decimal256(_, scale) => {
            let digits = column.as_primitive::<Decimal256Type>().value(row);
            let mut value = Exact::of_i256(digits, *scale);
            if is_open(column.data_type()) {
                value = value.opened();
            }
            // What has no room loses digits at its end, not its size.
            let fits = |value: &Exact| i128::try_from(&value.digits).ok();
            while value.places > 20 && fits(&value).is_none() {
                value = value.cut(value.places - 1);
            }
            let scale = u32::try_from(value.places).unwrap_or(0);
            fits(&value).map_or(Value::Null, |digits| {
                Value::Numeric(Numeric { digits, scale })
            })
        }
        DataType::Utf8 => Value::text(column.as_string::<i32>().value(row)),
        DataType::Utf8View => Value::text(column.as_string_view().value(row)),
        DataType::Binary => Value::Bytes(column.as_binary::<i32>().value(row).into()),
        DataType::Date32 => Value::Date(column.as_primitive::<Date32Type>().value(row)),
        DataType::Time64(_) => {
            Value::Time(column.as_primitive::<Time64MicrosecondType>().value(row))
        }
        DataType::Timestamp(_, _) => {
            Value::Timestamp(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Interval(_) => {
            let of = column.as_primitive::<IntervalMonthDayNanoType>().value(row);
            Value::Interval(Interval {
                months: of.months,
                days: of.days,
                microseconds: of.nanoseconds / 1000,
            })
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            Value::array((0..items.len()).map(|row| value_at(&items, row)).collect())
        }
        _ => Value::Null,
    }
}

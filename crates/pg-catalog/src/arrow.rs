//! Between values and Arrow: parameters in, results out.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array as _, ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Float32Builder,
    Float64Builder, Int16Builder, Int32Builder, Int64Builder, IntervalMonthDayNanoBuilder,
    ListArray, StringBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder, UInt32Builder,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, IntervalMonthDayNano, IntervalUnit, TimeUnit,
};
use datafusion::common::ScalarValue;

use super::cast;
use super::interpret::Column;
use super::types::{self, Type, oid};
use super::value::{Interval, Value};
use super::{Catalog, PG_TYPE};
use crate::error::Result;

/// The PostgreSQL type of an Arrow type.
pub fn type_of(data_type: &DataType) -> Type {
    match data_type {
        DataType::Boolean => Type::of(oid::BOOL),
        DataType::Int8 | DataType::UInt8 | DataType::Int16 => Type::of(oid::INT2),
        DataType::UInt16 | DataType::Int32 => Type::of(oid::INT4),
        DataType::UInt32 | DataType::Int64 => Type::of(oid::INT8),
        DataType::UInt64 => Type::with_typmod(oid::NUMERIC, types::numeric_typmod(20, 0)),
        DataType::Float16 | DataType::Float32 => Type::of(oid::FLOAT4),
        DataType::Float64 => Type::of(oid::FLOAT8),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            Type::with_typmod(oid::NUMERIC, types::numeric_typmod(*precision, *scale))
        }
        DataType::Timestamp(_, Some(_)) => Type::of(oid::TIMESTAMPTZ),
        DataType::Timestamp(_, None) => Type::of(oid::TIMESTAMP),
        DataType::Date32 | DataType::Date64 => Type::of(oid::DATE),
        DataType::Time32(_) | DataType::Time64(_) => Type::of(oid::TIME),
        DataType::Interval(_) | DataType::Duration(_) => Type::of(oid::INTERVAL),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => Type::of(oid::BYTEA),
        DataType::Dictionary(_, values) => type_of(values),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => {
            let element = type_of(item.data_type());
            let array = types::array(element.oid).unwrap_or(1009);
            Type::with_typmod(array, element.typmod)
        }
        DataType::Struct(_) => Type::of(oid::RECORD),
        _ => Type::of(oid::TEXT),
    }
}

/// The Arrow type of a PostgreSQL type, and its name where Arrow has no twin.
fn arrow_type(of: u32) -> (DataType, Option<String>) {
    let base = types::base(of);
    let named = |data_type| (data_type, types::get(base).map(|fact| fact.name.clone()));
    match base {
        oid::BOOL => (DataType::Boolean, None),
        oid::INT2 => (DataType::Int16, None),
        oid::INT4 => (DataType::Int32, None),
        oid::INT8 => (DataType::Int64, None),
        oid::FLOAT4 => (DataType::Float32, None),
        oid::FLOAT8 => (DataType::Float64, None),
        oid::TEXT | oid::UNKNOWN => (DataType::Utf8, None),
        oid::BYTEA => (DataType::Binary, None),
        oid::DATE => (DataType::Date32, None),
        oid::TIME => (DataType::Time64(TimeUnit::Microsecond), None),
        oid::TIMESTAMP => (DataType::Timestamp(TimeUnit::Microsecond, None), None),
        oid::TIMESTAMPTZ => {
            let utc = Some("UTC".into());
            (DataType::Timestamp(TimeUnit::Microsecond, utc), None)
        }
        oid::INTERVAL => (DataType::Interval(IntervalUnit::MonthDayNano), None),
        oid::OID | oid::XID | oid::CID => named(DataType::UInt32),
        oid::XID8 => named(DataType::Int64),
        // Of what is in it nothing is known.
        oid::ANYARRAY => named(DataType::Utf8),
        _ => match types::element(base) {
            Some(element) => {
                let (item, name) = arrow_type(element);
                let list = DataType::List(Arc::new(Field::new_list_field(item, true)));
                let name = match base {
                    oid::INT2VECTOR => Some("int2vector".into()),
                    oid::OIDVECTOR => Some("oidvector".into()),
                    _ => name.map(|name| name + "[]"),
                };
                (list, name)
            }
            None => named(DataType::Utf8),
        },
    }
}

/// A result's column as a field.
pub fn field(name: &str, of: &Type) -> Field {
    let (data_type, pg_type) = arrow_type(of.oid);
    let field = Field::new(name, data_type, true);
    match pg_type {
        Some(pg_type) => field.with_metadata([(PG_TYPE.to_owned(), pg_type)].into()),
        None => field,
    }
}

/// One column of the results.
pub fn column<'v>(
    catalog: &Catalog,
    column: &Column,
    field: &FieldRef,
    values: impl ExactSizeIterator<Item = &'v Value>,
) -> Result<ArrayRef> {
    array(catalog, column.data_type.oid, field.data_type(), values)
}

pub fn array<'v>(
    catalog: &Catalog,
    of: u32,
    data_type: &DataType,
    values: impl ExactSizeIterator<Item = &'v Value>,
) -> Result<ArrayRef> {
    let narrow = |value: &Value| match value {
        Value::Int(value) => Some(*value),
        _ => None,
    };
    Ok(match data_type {
        DataType::Boolean => {
            let mut builder = BooleanBuilder::with_capacity(values.len());
            values.for_each(|value| {
                builder.append_option(match value {
                    Value::Bool(value) => Some(*value),
                    _ => None,
                });
            });
            Arc::new(builder.finish())
        }
        DataType::Int16 => {
            let mut builder = Int16Builder::with_capacity(values.len());
            values.for_each(|v| builder.append_option(narrow(v).and_then(|v| v.try_into().ok())));
            Arc::new(builder.finish())
        }
        DataType::Int32 => {
            let mut builder = Int32Builder::with_capacity(values.len());
            values.for_each(|v| builder.append_option(narrow(v).and_then(|v| v.try_into().ok())));
            Arc::new(builder.finish())
        }
        DataType::Int64 => {
            let mut builder = Int64Builder::with_capacity(values.len());
            values.for_each(|v| builder.append_option(narrow(v)));
            Arc::new(builder.finish())
        }
        DataType::UInt32 => {
            let mut builder = UInt32Builder::with_capacity(values.len());
            values.for_each(|v| builder.append_option(narrow(v).and_then(|v| v.try_into().ok())));
            Arc::new(builder.finish())
        }
        DataType::Float32 => {
            let mut builder = Float32Builder::with_capacity(values.len());
            values.for_each(|value| {
                builder.append_option(match value {
                    Value::Float(value) => Some(*value as f32),
                    _ => None,
                });
            });
            Arc::new(builder.finish())
        }
        DataType::Float64 => {
            let mut builder = Float64Builder::with_capacity(values.len());
            values.for_each(|value| {
                builder.append_option(match value {
                    Value::Float(value) => Some(*value),
                    _ => None,
                });
            });
            Arc::new(builder.finish())
        }
        DataType::Binary => {
            let mut builder = BinaryBuilder::new();
            values.for_each(|value| {
                builder.append_option(match value {
                    Value::Bytes(bytes) => Some(bytes),
                    _ => None,
                });
            });
            Arc::new(builder.finish())
        }
        DataType::Date32 => {
            let mut builder = Date32Builder::with_capacity(values.len());
            values.for_each(|value| {
                builder.append_option(match value {
                    Value::Date(days) => Some(*days),
                    _ => None,
                });
            });
            Arc::new(builder.finish())
        }
        DataType::Time64(_) => {
            let mut builder = Time64MicrosecondBuilder::with_capacity(values.len());
            values.for_each(|value| {
                builder.append_option(match value {
                    Value::Time(at) => Some(*at),
                    _ => None,
                });
            });
            Arc::new(builder.finish())
        }
        DataType::Timestamp(_, zone) => {
            let mut builder = TimestampMicrosecondBuilder::with_capacity(values.len());
            values.for_each(|value| {
                builder.append_option(match value {
                    Value::Timestamp(at) => Some(*at),
                    _ => None,
                });
            });
            Arc::new(builder.finish().with_timezone_opt(zone.clone()))
        }
        DataType::Interval(_) => {
            let mut builder = IntervalMonthDayNanoBuilder::with_capacity(values.len());
            values.for_each(|value| {
                builder.append_option(match value {
                    Value::Interval(of) => Some(IntervalMonthDayNano::new(
                        of.months,
                        of.days,
                        of.microseconds.saturating_mul(1000),
                    )),
                    _ => None,
                });
            });
            Arc::new(builder.finish())
        }
        DataType::List(item) => {
            let element = types::element(types::base(of)).unwrap_or(oid::TEXT);
            let values: Vec<&Value> = values.collect();
            let items: Vec<&Value> = values.iter().flat_map(|value| value.items()).collect();
            let items = array(catalog, element, item.data_type(), items.into_iter())?;
            let lengths = values.iter().map(|value| value.items().len());
            let nulls: Vec<bool> = values.iter().map(|value| !value.is_null()).collect();
            let nulls = NullBuffer::from(nulls);
            let offsets = OffsetBuffer::from_lengths(lengths);
            let list = ListArray::try_new(Arc::clone(item), offsets, items, Some(nulls));
            Arc::new(list?)
        }
        _ => {
            let mut builder = StringBuilder::new();
            values.for_each(|value| match value {
                Value::Null => builder.append_null(),
                Value::Text(text) => builder.append_value(text),
                value => builder.append_value(cast::output(catalog, value, of)),
            });
            Arc::new(builder.finish())
        }
    })
}

/// A parameter's value, as the type that the statement takes it for.
pub fn parameter(catalog: &Catalog, given: &ScalarValue, to: &Type) -> Result<Value> {
    let from = type_of(&given.data_type());
    let value = value(given)?;
    match &value {
        // What comes as text is read as the type.
        Value::Text(text) if !types::is_text(types::base(to.oid)) => cast::parse(catalog, text, to),
        Value::Array(_) | Value::Int(_) if from.oid != to.oid => {
            cast::cast(catalog, &value, &from, to)
        }
        _ if from.oid != to.oid => cast::cast(catalog, &value, &from, to),
        _ => Ok(value),
    }
}

fn value(given: &ScalarValue) -> Result<Value> {
    if given.is_null() {
        return Ok(Value::Null);
    }
    let text = |text: &Option<String>| Value::optional(text.as_deref());
    Ok(match given {
        ScalarValue::Boolean(Some(value)) => Value::Bool(*value),
        ScalarValue::Int8(Some(value)) => Value::Int(i64::from(*value)),
        ScalarValue::Int16(Some(value)) => Value::Int(i64::from(*value)),
        ScalarValue::Int32(Some(value)) => Value::Int(i64::from(*value)),
        ScalarValue::Int64(Some(value)) => Value::Int(*value),
        ScalarValue::UInt8(Some(value)) => Value::Int(i64::from(*value)),
        ScalarValue::UInt16(Some(value)) => Value::Int(i64::from(*value)),
        ScalarValue::UInt32(Some(value)) => Value::Int(i64::from(*value)),
        ScalarValue::Float32(Some(value)) => Value::Float(f64::from(*value)),
        ScalarValue::Float64(Some(value)) => Value::Float(*value),
        ScalarValue::Utf8(value) | ScalarValue::LargeUtf8(value) | ScalarValue::Utf8View(value) => {
            text(value)
        }
        ScalarValue::Dictionary(_, inner) => value(inner)?,
        ScalarValue::Binary(Some(bytes)) | ScalarValue::LargeBinary(Some(bytes)) => {
            Value::Bytes(bytes.as_slice().into())
        }
        ScalarValue::Date32(Some(days)) => Value::Date(*days),
        ScalarValue::Time64Microsecond(Some(at)) => Value::Time(*at),
        ScalarValue::TimestampMicrosecond(Some(at), _) => Value::Timestamp(*at),
        ScalarValue::TimestampNanosecond(Some(at), _) => Value::Timestamp(at.div_euclid(1000)),
        ScalarValue::IntervalMonthDayNano(Some(of)) => Value::Interval(Interval {
            months: of.months,
            days: of.days,
            microseconds: of.nanoseconds / 1000,
        }),
        ScalarValue::List(list) => {
            let items = list.value(0);
            let items = (0..items.len())
                .map(|position| value(&ScalarValue::try_from_array(&items, position)?));
            Value::array(items.collect::<Result<_>>()?)
        }
        ScalarValue::Decimal128(Some(digits), _, scale) => {
            Value::Numeric(super::numeric::Numeric {
                digits: *digits,
                scale: u32::try_from(*scale).unwrap_or(0),
            })
        }
        other => Value::text(other.to_string()),
    })
}

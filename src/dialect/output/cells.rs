//! The values of one column, in the form that they are written from.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
    Decimal256Array, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array,
    IntervalMonthDayNanoArray, ListArray, StringArray, StringViewArray, StructArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Field, Float32Type, Float64Type,
    Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType,
    TimeUnit, TimestampMicrosecondType,
};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::DataFusionError;

use super::types::{self, PgType};
use super::{Style, set_length};
use crate::dialect::numbers::Exact;
use crate::dialect::numbers::types::PLACES;
use crate::error::{Error, Result};

/// The values of one column.
#[derive(Debug)]
pub enum Cells {
    /// A column without values.
    Nothing,
    Bool(BooleanArray),
    Int2(Int16Array),
    Int4(Int32Array),
    Int8(Int64Array),
    /// Unsigned in four bytes: an object id.
    Oid(Int64Array),
    Float4(Float32Array),
    Float8(Float64Array),
    Decimal128(Decimal128Array, i8),
    Decimal256(Decimal256Array, i8),
    Text(StringArray),
    TextView(StringViewArray),
    /// A text with a version before it in binary.
    Jsonb(StringArray),
    Uuid(StringArray),
    Bytes(BinaryArray),
    Date(Date32Array),
    Time(Time64MicrosecondArray),
    Timestamp(TimestampMicrosecondArray),
    TimestampTz(TimestampMicrosecondArray),
    Interval(IntervalMonthDayNanoArray),
    List(List),
    /// `int2vector` and `oidvector`, which are written without braces.
    Vector(List),
    Record(StructArray, Vec<(u32, Cells)>),
}

/// Arrays, and the values of all of them.
#[derive(Debug)]
pub struct List {
    pub array: ListArray,
    pub element: u32,
    pub values: Box<Cells>,
    /// The places of its numbers one by one, where they differ.
    pub places: Vec<i8>,
}

impl Cells {
    /// The values of a column that is sent as this type.
    pub fn new(column: &ArrayRef, oid: u32) -> Result<Self> {
        let data_type = column.data_type();
        let to = |target: DataType| cast(column, &target);
        Ok(match oid {
            _ if *data_type == DataType::Null => Self::Nothing,
            types::BOOL => Self::Bool(to(DataType::Boolean)?.as_boolean().clone()),
            types::INT2 => Self::Int2(to(DataType::Int16)?.as_primitive::<Int16Type>().clone()),
            types::INT4 => Self::Int4(to(DataType::Int32)?.as_primitive::<Int32Type>().clone()),
            types::INT8 => Self::Int8(to(DataType::Int64)?.as_primitive::<Int64Type>().clone()),
            types::FLOAT4 => {
                Self::Float4(to(DataType::Float32)?.as_primitive::<Float32Type>().clone())
            }
            types::FLOAT8 => {
                Self::Float8(to(DataType::Float64)?.as_primitive::<Float64Type>().clone())
            }
            types::NUMERIC => match unpacked(column)?.data_type() {
                DataType::Decimal128(_, scale) => {
                    let values = unpacked(column)?;
                    Self::Decimal128(values.as_primitive::<Decimal128Type>().clone(), *scale)
                }
                DataType::Decimal256(_, scale) => {
                    let values = unpacked(column)?;
                    Self::Decimal256(values.as_primitive::<Decimal256Type>().clone(), *scale)
                }
                DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
                    let values = to(DataType::Decimal128(*precision, *scale))?;
                    Self::Decimal128(values.as_primitive::<Decimal128Type>().clone(), *scale)
                }
                _ => Self::Text(shown(column)?),
            },
            types::BYTEA => Self::Bytes(to(DataType::Binary)?.as_binary::<i32>().clone()),
            types::DATE => Self::Date(to(DataType::Date32)?.as_primitive::<Date32Type>().clone()),
            types::TIME => {
                let values = to(DataType::Time64(TimeUnit::Microsecond))?;
                Self::Time(values.as_primitive::<Time64MicrosecondType>().clone())
            }
            types::TIMESTAMP => {
                let values = to(DataType::Timestamp(TimeUnit::Microsecond, None))?;
                Self::Timestamp(values.as_primitive::<TimestampMicrosecondType>().clone())
            }
            types::TIMESTAMPTZ => {
                let zone = Some("UTC".into());
                let values = to(DataType::Timestamp(TimeUnit::Microsecond, zone))?;
                Self::TimestampTz(values.as_primitive::<TimestampMicrosecondType>().clone())
            }
            types::INTERVAL => {
                let values = to(DataType::Interval(IntervalUnit::MonthDayNano))?;
                Self::Interval(values.as_primitive::<IntervalMonthDayNanoType>().clone())
            }
            types::UUID => Self::Uuid(shown(column)?),
            types::JSONB => Self::Jsonb(shown(column)?),
            types::RECORD => match data_type {
                DataType::Struct(_) => Self::record(column.as_struct())?,
                _ => Self::Text(shown(column)?),
            },
            oid => match data_type {
                DataType::List(_)
                | DataType::LargeList(_)
                | DataType::ListView(_)
                | DataType::LargeListView(_)
                | DataType::FixedSizeList(_, _) => Self::list(column, oid)?,
                data_type if data_type.is_integer() => {
                    Self::Oid(to(DataType::Int64)?.as_primitive::<Int64Type>().clone())
                }
                DataType::Utf8View => Self::TextView(column.as_string_view().clone()),
                DataType::Utf8 => Self::Text(column.as_string::<i32>().clone()),
                DataType::LargeUtf8 | DataType::Dictionary(_, _) => {
                    Self::Text(to(DataType::Utf8)?.as_string::<i32>().clone())
                }
                _ => Self::Text(shown(column)?),
            },
        })
    }

    /// The values of the column that a field describes.
    pub fn of(column: &ArrayRef, field: &Field) -> Result<Self> {
        let mut cells = Self::new(column, PgType::of(field).oid)?;
        if let Self::List(list) = &mut cells {
            list.places = types::element_places(field);
        }
        Ok(cells)
    }

    fn list(column: &ArrayRef, oid: u32) -> Result<Self> {
        let element = match column.data_type() {
            DataType::List(field)
            | DataType::LargeList(field)
            | DataType::ListView(field)
            | DataType::LargeListView(field)
            | DataType::FixedSizeList(field, _) => field.clone(),
            _ => return Ok(Self::Text(shown(column)?)),
        };
        let array = cast(column, &DataType::List(element.clone()))?;
        let array = array.as_list::<i32>().clone();
        let is_vector = matches!(oid, 22 | 30);
        let inner = match oid {
            22 => types::INT2,
            30 => types::OID,
            oid => types::element_of(oid).unwrap_or_else(|| PgType::of(&element).oid),
        };
        // Arrays of arrays are of the same type.
        let of_values = match element.data_type() {
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => oid,
            _ => inner,
        };
        let list = List {
            values: Box::new(Self::new(array.values(), of_values)?),
            element: inner,
            array,
            places: Vec::new(),
        };
        Ok(match is_vector {
            true => Self::Vector(list),
            false => Self::List(list),
        })
    }

    fn record(array: &StructArray) -> Result<Self> {
        let fields = array.fields().iter().zip(array.columns());
        let fields = fields.map(|(field, column)| {
            let oid = PgType::of(field).oid;
            Ok((oid, Self::new(column, oid)?))
        });
        let fields = fields.collect::<Result<Vec<_>>>()?;
        Ok(Self::Record(array.clone(), fields))
    }

    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Nothing => true,
            Self::Bool(values) => values.is_null(row),
            Self::Int2(values) => values.is_null(row),
            Self::Int4(values) => values.is_null(row),
            Self::Int8(values) | Self::Oid(values) => values.is_null(row),
            Self::Float4(values) => values.is_null(row),
            Self::Float8(values) => values.is_null(row),
            Self::Decimal128(values, _) => values.is_null(row),
            Self::Decimal256(values, _) => values.is_null(row),
            Self::Text(values) | Self::Jsonb(values) | Self::Uuid(values) => values.is_null(row),
            Self::TextView(values) => values.is_null(row),
            Self::Bytes(values) => values.is_null(row),
            Self::Date(values) => values.is_null(row),
            Self::Time(values) => values.is_null(row),
            Self::Timestamp(values) | Self::TimestampTz(values) => values.is_null(row),
            Self::Interval(values) => values.is_null(row),
            Self::List(list) | Self::Vector(list) => list.array.is_null(row),
            Self::Record(values, _) => values.is_null(row),
        }
    }

    /// Writes a value with its length before it; null has the length -1.
    pub fn sized(
        &self,
        row: usize,
        is_binary: bool,
        style: &Style,
        out: &mut BytesMut,
    ) -> Result<()> {
        if self.is_null(row) {
            out.put_i32(-1);
            return Ok(());
        }
        let start = out.len();
        out.put_u32(0);
        match is_binary {
            true => self.binary(row, style, out)?,
            false => self.text(row, style, out)?,
        }
        let length = out.len() - start - 4;
        if length > i32::MAX as usize {
            return Err(Error::session(
                "54000",
                "a value is longer than the protocol allows",
            ));
        }
        set_length(out, start, length as u32);
        Ok(())
    }
}

impl List {
    /// An element that is a number of its own places: its digits, and how many are behind the point.
    pub fn number(&self, position: usize, element: usize) -> Option<(String, i8)> {
        let places = *self.places.get(element)?;
        let value = match &*self.values {
            Cells::Decimal128(values, scale) => {
                Exact::new(values.value(position), i64::from(*scale))
            }
            Cells::Decimal256(values, scale) => Exact::of_i256(values.value(position), *scale),
            _ => return None,
        };
        let value = match places {
            PLACES => value.opened(),
            places => value.rounded(i64::from(places)),
        };
        let places = i8::try_from(value.places).ok()?;
        Some((value.digits.to_string(), places))
    }
}

/// Values in another Arrow type, exactly or not at all.
fn cast(column: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    if column.data_type() == target {
        return Ok(column.clone());
    }
    let from = column.data_type();
    let is_cut = match target {
        target if target.is_integer() => from.is_decimal() || from.is_floating(),
        DataType::Float32 => from.is_numeric() && *from != DataType::Float32,
        DataType::Float64 => from.is_decimal(),
        _ => false,
    };
    if is_cut {
        let message = format!("values of type {from} cannot be sent as {target} without being cut");
        return Err(Error::session("XX000", message));
    }
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let cast = cast_with_options(column, target, &options);
    cast.map_err(|error| DataFusionError::from(error).into())
}

/// The values of a dictionary, each in its row.
fn unpacked(column: &ArrayRef) -> Result<ArrayRef> {
    match column.data_type() {
        DataType::Dictionary(_, values) => cast(column, values),
        _ => Ok(column.clone()),
    }
}

/// Values as Arrow shows them, of types that are sent as text.
fn shown(column: &ArrayRef) -> Result<StringArray> {
    if column.data_type() == &DataType::Utf8 {
        return Ok(column.as_string::<i32>().clone());
    }
    let failed = |error| Error::from(DataFusionError::from(error));
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options).map_err(failed)?;
    let texts = (0..column.len()).map(|row| {
        let text = || formatter.value(row).try_to_string();
        (!column.is_null(row)).then(text).transpose()
    });
    texts.collect::<std::result::Result<_, _>>().map_err(failed)
}

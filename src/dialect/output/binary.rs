//! Values in binary.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::Array;

use super::cells::{Cells, List};
use super::{Style, numeric, set_length};
use crate::dialect::numbers::Exact;
use crate::dialect::numbers::types::PLACES;
use crate::error::{Error, Result};

/// Microseconds from 1970 to 2000, when PostgreSQL's time begins.
const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;
/// Days from 1970 to 2000.
const EPOCH_DAYS: i32 = 10_957;

impl Cells {
    /// Writes a value in binary.
    pub fn binary(&self, row: usize, style: &Style, out: &mut BytesMut) -> Result<()> {
        match self {
            Self::Nothing => {}
            Self::Bool(values) => out.put_u8(u8::from(values.value(row))),
            Self::Int2(values) => out.put_i16(values.value(row)),
            Self::Int4(values) => out.put_i32(values.value(row)),
            Self::Int8(values) => out.put_i64(values.value(row)),
            // The low half of an id that is kept in more bits than it has.
            Self::Oid(values) => out.put_u32(values.value(row) as u32),
            Self::Float4(values) => out.put_f32(values.value(row)),
            Self::Float8(values) => out.put_f64(values.value(row)),
            Self::Decimal128(values, scale) => {
                numeric::binary(&values.value(row).to_string(), *scale, out);
            }
            Self::Decimal256(values, PLACES) => {
                let value = Exact::of_i256(values.value(row), PLACES).opened();
                let places = i8::try_from(value.places).unwrap_or(PLACES);
                numeric::binary(&value.digits.to_string(), places, out);
            }
            Self::Decimal256(values, scale) => {
                numeric::binary(&values.value(row).to_string(), *scale, out);
            }
            Self::Text(values) => out.put_slice(values.value(row).as_bytes()),
            Self::TextView(values) => out.put_slice(values.value(row).as_bytes()),
            Self::Jsonb(values) => {
                out.put_u8(1);
                out.put_slice(values.value(row).as_bytes());
            }
            Self::Uuid(values) => out.put_slice(&uuid(values.value(row))?),
            Self::Bytes(values) => out.put_slice(values.value(row)),
            Self::Date(values) => out.put_i32(values.value(row).saturating_sub(EPOCH_DAYS)),
            Self::Time(values) => out.put_i64(values.value(row)),
            Self::Timestamp(values) | Self::TimestampTz(values) => {
                out.put_i64(values.value(row).saturating_sub(EPOCH_MICROSECONDS));
            }
            Self::Interval(values) => {
                let value = values.value(row);
                out.put_i64(value.nanoseconds / 1_000);
                out.put_i32(value.days);
                out.put_i32(value.months);
            }
            Self::List(list) | Self::Vector(list) => list.binary(row, style, out)?,
            Self::Record(_, fields) => {
                out.put_i32(fields.len() as i32);
                for (oid, cells) in fields {
                    out.put_u32(*oid);
                    cells.sized(row, true, style, out)?;
                }
            }
        }
        Ok(())
    }
}

impl List {
    fn binary(&self, row: usize, style: &Style, out: &mut BytesMut) -> Result<()> {
        let mut sizes = Vec::new();
        let mut leaves = Vec::new();
        self.flatten(row, 0, &mut sizes, &mut leaves)?;
        let is_empty = leaves.is_empty();
        out.put_i32(if is_empty { 0 } else { sizes.len() as i32 });
        let has_null = leaves.iter().any(|(cells, row)| cells.is_null(*row));
        out.put_i32(i32::from(has_null));
        out.put_u32(self.element);
        if is_empty {
            return Ok(());
        }
        for size in sizes {
            out.put_i32(size as i32);
            out.put_i32(1);
        }
        for (element, (cells, row)) in leaves.into_iter().enumerate() {
            match self.number(row, element).filter(|_| !cells.is_null(row)) {
                Some((digits, places)) => {
                    let start = out.len();
                    out.put_u32(0);
                    numeric::binary(&digits, places, out);
                    set_length(out, start, (out.len() - start - 4) as u32);
                }
                None => cells.sized(row, true, style, out)?,
            }
        }
        Ok(())
    }

    /// The values of an array of arrays in order, and the size of each dimension, which must be the
    /// same for all its arrays.
    fn flatten<'a>(
        &'a self,
        row: usize,
        depth: usize,
        sizes: &mut Vec<usize>,
        leaves: &mut Vec<(&'a Cells, usize)>,
    ) -> Result<()> {
        let offsets = self.array.value_offsets();
        let at = |position: usize| offsets.get(position).map_or(0, |offset| *offset as usize);
        let range = at(row)..at(row + 1);
        match sizes.get(depth) {
            None => sizes.push(range.len()),
            Some(size) if *size == range.len() => {}
            Some(_) => {
                let message = "arrays in an array must have the same length to be sent in binary";
                return Err(Error::session("2202E", message));
            }
        }
        for position in range {
            match &*self.values {
                Cells::List(inner) if !inner.array.is_null(position) => {
                    inner.flatten(position, depth + 1, sizes, leaves)?;
                }
                cells => leaves.push((cells, position)),
            }
        }
        Ok(())
    }
}

/// The 16 bytes of a UUID.
fn uuid(text: &str) -> Result<[u8; 16]> {
    let parsed = text.parse::<uuid::Uuid>();
    let wrong = |_| {
        Error::session(
            "22P02",
            format!("invalid input syntax for type uuid: \"{text}\""),
        )
    };
    parsed.map(uuid::Uuid::into_bytes).map_err(wrong)
}

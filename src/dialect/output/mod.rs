//! Values as PostgreSQL writes them, in text and in binary.

mod binary;
pub mod cells;
mod intervals;
pub mod numeric;
mod text;
pub mod types;

use bytes::BytesMut;

use crate::catalog::time::Zone;

/// How values of a session are written.
#[derive(Debug, Clone)]
pub struct Style {
    /// The time zone, where it is another than UTC.
    pub zone: Option<Zone>,
    pub bytea_is_escaped: bool,
    pub interval: IntervalStyle,
    /// Digits of floating point values below the shortest exact ones.
    pub float_digits: i8,
}

/// How intervals are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalStyle {
    Postgres,
    Verbose,
    Standard,
    Iso,
}

/// Puts a number over the four bytes that were kept for it.
pub fn set_length(out: &mut BytesMut, at: usize, length: u32) {
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

//! The fingerprint of a dataset: a digest of its sorted rows and of nothing else.
//!
//! Neither the order of the input, nor files, batches or findings enter it. A token's columns, most
//! of the bytes, go through XXH64, which is as fast as memory; those digests and the small tables go
//! through SHA-256.

use std::hash::Hasher;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, TimestampMicrosecondType, ToByteSlice,
};
use sha2::{Digest, Sha256};
use twox_hash::XxHash64;

/// Takes tokens in the order of their addresses, then the small tables.
pub(crate) struct Fingerprint(Sha256);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(Sha256::new_with_prefix("hindsight dataset 1"))
    }
}

impl Fingerprint {
    pub(crate) fn add_token(&mut self, address: &str, digest: u64) {
        self.add_text(address);
        self.0.update(digest.to_le_bytes());
    }

    pub(crate) fn finish(mut self, signals: &RecordBatch, trade_outcomes: &RecordBatch) -> String {
        for table in [signals, trade_outcomes] {
            self.0.update((table.num_rows() as u64).to_le_bytes());
            for column in table.columns() {
                self.add_column(column);
            }
        }
        let digest = self.0.finalize();
        digest[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn add_column(&mut self, column: &dyn Array) {
        match column.data_type() {
            DataType::Utf8 => {
                for value in column.as_string::<i32>() {
                    match value {
                        Some(text) => self.add_text(text),
                        None => self.0.update(u64::MAX.to_le_bytes()),
                    }
                }
            }
            DataType::Timestamp(..) => self.add_numbers::<TimestampMicrosecondType>(column),
            _ => self.add_numbers::<Decimal128Type>(column),
        }
    }

    fn add_numbers<T: ArrowPrimitiveType>(&mut self, column: &dyn Array) {
        for value in column.as_primitive::<T>() {
            match value {
                Some(number) => {
                    self.0.update([1]);
                    self.0.update(number.to_byte_slice());
                }
                None => self.0.update([0]),
            }
        }
    }

    fn add_text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }
}

/// The digest of one token's prices; volumes are empty where all are null, each null one
/// [`super::NO_VOLUME`].
pub(crate) fn token_digest(
    scale: u8,
    timestamps: &[i64],
    mantissas: &[i64],
    volumes: &[i128],
) -> u64 {
    let mut hasher = XxHash64::with_seed(u64::from(scale));
    hasher.write(&(timestamps.len() as u64).to_le_bytes());
    hasher.write(timestamps.to_byte_slice());
    hasher.write(mantissas.to_byte_slice());
    hasher.write(volumes.to_byte_slice());
    hasher.finish()
}

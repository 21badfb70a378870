//! Arrow files used where the operating system maps them, without a copy.

use std::fs::File;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Decimal128Array, RecordBatch};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Field, Int64Type, Schema, SchemaRef, UInt8Type, UInt32Type,
    UInt64Type,
};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc;
use datafusion::arrow::ipc::convert::fb_to_schema;
use datafusion::arrow::ipc::reader::{FileDecoder, read_footer_length};
use hindsight_udfs::price_book::{PriceBook, TokenPrices};
use memmap2::Mmap;

use super::{PRICES_FILE, TOKENS_FILE, damaged, unreadable};
use crate::error::Result;
use crate::schema::VOLUME;

/// The columns of `prices.arrow`; the volumes are left out where all are null.
pub(super) fn prices_schema(with_volumes: bool) -> SchemaRef {
    let mut fields = vec![
        Field::new("timestamp", DataType::Int64, false),
        Field::new("mantissa", DataType::Int64, false),
    ];
    if with_volumes {
        fields.push(Field::new("volume_24h", VOLUME, true));
    }
    Arc::new(Schema::new(fields))
}

/// The columns of `tokens.arrow`: where in `prices.arrow` each token lies.
pub(super) fn tokens_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("address", DataType::Utf8, false),
        Field::new("scale", DataType::UInt8, false),
        Field::new("batch", DataType::UInt32, false),
        Field::new("offset", DataType::UInt64, false),
        Field::new("length", DataType::UInt64, false),
    ]))
}

/// The prices of every token of a generation, and the volumes in the same order.
pub(super) fn open_prices(directory: &Path) -> Result<(PriceBook, Vec<Option<Decimal128Array>>)> {
    let path = directory.join(PRICES_FILE);
    let batches = read_arrow_file(&path)?;
    if let Some(batch) = batches.iter().find(|batch| {
        let schema = batch.schema();
        schema != prices_schema(false) && schema != prices_schema(true)
    }) {
        return Err(damaged(&path, format!("has columns {}", batch.schema())));
    }
    let path = directory.join(TOKENS_FILE);
    let mut tokens = Vec::new();
    let mut volumes = Vec::new();
    for table in read_arrow_file(&path)? {
        if table.schema() != tokens_schema() {
            return Err(damaged(&path, format!("has columns {}", table.schema())));
        }
        let addresses = table.column(0).as_string::<i32>();
        let scales = table.column(1).as_primitive::<UInt8Type>();
        let batch_numbers = table.column(2).as_primitive::<UInt32Type>();
        let offsets = table.column(3).as_primitive::<UInt64Type>();
        let lengths = table.column(4).as_primitive::<UInt64Type>();
        for row in 0..table.num_rows() {
            let (offset, length) = (offsets.value(row) as usize, lengths.value(row) as usize);
            let address = addresses.value(row);
            let batch = batches
                .get(batch_numbers.value(row) as usize)
                .filter(|batch| {
                    offset
                        .checked_add(length)
                        .is_some_and(|end| end <= batch.num_rows())
                })
                .ok_or_else(|| {
                    damaged(&path, format!("token {address} lies outside the prices"))
                })?;
            let slice = |column: usize| {
                let values = batch.column(column).as_primitive::<Int64Type>().values();
                values.slice(offset, length)
            };
            let prices = TokenPrices::new(slice(0), slice(1), scales.value(row));
            tokens.push((Arc::from(address), prices));
            volumes.push(
                batch
                    .columns()
                    .get(2)
                    .map(|column| {
                        column
                            .as_primitive::<Decimal128Type>()
                            .slice(offset, length)
                    })
                    .filter(|volumes| volumes.null_count() < volumes.len()),
            );
        }
    }
    Ok((PriceBook::new(tokens), volumes))
}

/// Every record batch of an Arrow file; their buffers point into the map and keep it alive.
pub(super) fn read_arrow_file(path: &Path) -> Result<Vec<RecordBatch>> {
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    let buffer = map(&file).map_err(|error| unreadable(path, error))?;
    decode(&buffer).map_err(|error| damaged(path, error))
}

fn map(file: &File) -> std::io::Result<Buffer> {
    #[expect(
        unsafe_code,
        reason = "a generation's files never change once written: a load writes other files and \
                  removes these, which leaves the map whole; the map owns the memory it points to"
    )]
    unsafe {
        let map = Mmap::map(file)?;
        let start = NonNull::new(map.as_ptr().cast_mut()).unwrap_or(NonNull::dangling());
        let length = map.len();
        Ok(Buffer::from_custom_allocation(start, length, Arc::new(map)))
    }
}

fn decode(buffer: &Buffer) -> Result<Vec<RecordBatch>, ArrowError> {
    const TRAILER_BYTES: usize = 10;
    let cut_off = || ArrowError::IpcError("the file is cut off".to_owned());
    let slice = |offset: usize, length: usize| {
        let end = offset.checked_add(length).ok_or_else(cut_off)?;
        if end > buffer.len() {
            return Err(cut_off());
        }
        Ok(buffer.slice_with_length(offset, length))
    };
    let trailer_offset = buffer
        .len()
        .checked_sub(TRAILER_BYTES)
        .ok_or_else(cut_off)?;
    let trailer: [u8; TRAILER_BYTES] = slice(trailer_offset, TRAILER_BYTES)?
        .as_slice()
        .try_into()
        .map_err(|_| cut_off())?;
    let footer_length = read_footer_length(trailer)?;
    let footer_offset = trailer_offset
        .checked_sub(footer_length)
        .ok_or_else(cut_off)?;
    let footer_bytes = slice(footer_offset, footer_length)?;
    let footer = ipc::root_as_footer(&footer_bytes)
        .map_err(|error| ArrowError::IpcError(error.to_string()))?;
    let schema = footer.schema().ok_or_else(cut_off)?;
    // Values are not walked here: of the price columns only the buffer lengths are checked, and the
    // text columns, whose UTF-8 is, are small.
    let decoder = FileDecoder::new(Arc::new(fb_to_schema(schema)), footer.version())
        .with_require_alignment(true);
    let mut batches = Vec::new();
    for block in footer.recordBatches().iter().flatten() {
        let length = (block.metaDataLength() as usize)
            .checked_add(block.bodyLength() as usize)
            .ok_or_else(cut_off)?;
        let data = slice(block.offset() as usize, length)?;
        batches.extend(decoder.read_record_batch(block, &data)?);
    }
    Ok(batches)
}

//! The three Parquet files: columns as the live system exports them, bytes the same everywhere.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, DictionaryArray, Int32Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves,
};
use datafusion::parquet::basic::{Compression, Encoding, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use datafusion::parquet::file::writer::SerializedFileWriter;
use datafusion::parquet::schema::types::ColumnPath;

use super::draws::uuid_text;
use super::paths;
use super::{Call, Cast, Outcome};
use crate::error::{Error, Result};
use crate::schema::{FACTORS, SOL, timestamp};

const PRICE: DataType = DataType::Decimal128(20, 10);
const VOLUME: DataType = DataType::Decimal128(20, 4);
const SCORE: DataType = DataType::Decimal128(5, 2);

/// Prices of some tokens, one token after the other.
#[derive(Default)]
pub struct Prices {
    addresses: Vec<String>,
    /// Positions in `addresses`.
    tokens: Vec<i32>,
    timestamps: Vec<i64>,
    prices: Vec<i128>,
    volumes: Vec<i128>,
}

impl Prices {
    pub fn push(&mut self, address: &str, path: paths::Path) {
        let token = self.addresses.len() as i32;
        self.addresses.push(address.to_owned());
        let length = self.tokens.len() + path.prices.len();
        self.tokens.resize(length, token);
        self.timestamps.extend(path.timestamps);
        self.prices.extend(path.prices.into_iter().map(i128::from));
        self.volumes
            .extend(path.volumes.into_iter().map(i128::from));
    }

    fn columns(self) -> Result<Vec<ArrayRef>, ArrowError> {
        let addresses = Arc::new(StringArray::from(self.addresses));
        let tokens = Int32Array::from(self.tokens);
        Ok(vec![
            Arc::new(DictionaryArray::<Int32Type>::try_new(tokens, addresses)?),
            timestamps(self.timestamps),
            decimals(self.prices, PRICE),
            decimals(self.volumes, VOLUME),
        ])
    }
}

/// Begins the file of prices; row groups are encoded wherever there is a core to do it, and
/// appended in order.
pub fn create_prices(path: &Path) -> Result<(PriceFile, PriceEncoder)> {
    let schema = Arc::new(Schema::new(vec![
        Field::new(
            "token_address",
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            false,
        ),
        Field::new("timestamp", timestamp(), false),
        Field::new("price", PRICE, false),
        Field::new("volume_24h", VOLUME, true),
    ]));
    let (writer, factory) = ArrowWriter::try_new(create(path)?, schema.clone(), Some(properties()))
        .and_then(ArrowWriter::into_serialized_writer)
        .map_err(|error| failed(path, error))?;
    let path = path.to_owned();
    let encoder = PriceEncoder {
        path: path.clone(),
        schema,
        factory,
    };
    Ok((PriceFile { path, writer }, encoder))
}

pub struct PriceFile {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
}

impl PriceFile {
    pub fn append(&mut self, columns: Vec<ArrowColumnChunk>) -> Result<()> {
        let append = || {
            let mut group = self.writer.next_row_group()?;
            for column in columns {
                column.append_to_row_group(&mut group)?;
            }
            group.close()
        };
        append()
            .map(drop)
            .map_err(|error| failed(&self.path, error))
    }

    pub fn close(self) -> Result<()> {
        let path = self.path;
        let closed = self.writer.close();
        closed.map(drop).map_err(|error| failed(&path, error))
    }
}

pub struct PriceEncoder {
    path: PathBuf,
    schema: SchemaRef,
    factory: ArrowRowGroupWriterFactory,
}

impl PriceEncoder {
    pub fn encode(&self, row_group: usize, prices: Prices) -> Result<Vec<ArrowColumnChunk>> {
        let encode = || {
            let mut writers = self.factory.create_column_writers(row_group)?;
            let columns = prices.columns()?;
            for ((field, column), writer) in
                self.schema.fields().iter().zip(&columns).zip(&mut writers)
            {
                // No column is nested, so each is one leaf.
                for leaf in compute_leaves(field, column)? {
                    writer.write(&leaf)?;
                }
            }
            writers
                .into_iter()
                .map(|writer| writer.close())
                .collect::<Result<_, ParquetError>>()
        };
        encode().map_err(|error| failed(&self.path, error))
    }
}

pub fn write_signals(path: &Path, calls: &[Call], cast: &Cast) -> Result<()> {
    let signals = || calls.iter().map(|call| &call.signal);
    let ids = signals().map(|signal| uuid_text(signal.id));
    let tokens = calls.iter().map(|call| &cast.tokens[call.token].address);
    let wallets = signals().map(|signal| &cast.wallets[signal.wallet].address);
    let scores = signals().map(|signal| i128::from(signal.score));
    let factors = signals().map(|signal| factors_json(signal.factors));
    write_table(path, || {
        RecordBatch::try_from_iter([
            ("id", strings(ids)),
            (
                "timestamp",
                timestamps(signals().map(|signal| signal.timestamp).collect()),
            ),
            ("token_address", strings(tokens)),
            ("source_wallet", strings(wallets)),
            ("score", decimals(scores.collect::<Vec<_>>(), SCORE)),
            ("score_factors", strings(factors)),
        ])
    })
}

pub fn write_outcomes(path: &Path, outcomes: &[Outcome], cast: &Cast) -> Result<()> {
    // One row for each exit, and one without an exit for what is still held.
    let rows: Vec<_> = outcomes
        .iter()
        .flat_map(|outcome| {
            let exits = outcome.trade.exits.iter().map(Some);
            let open = outcome.trade.is_open.then_some(None);
            exits.chain(open).map(move |exit| (outcome, exit))
        })
        .collect();
    let ids = rows.iter().map(|(outcome, _)| uuid_text(outcome.signal_id));
    let tokens = rows
        .iter()
        .map(|(outcome, _)| &cast.tokens[outcome.token].address);
    let entries = rows
        .iter()
        .map(|(outcome, _)| outcome.trade.entry_timestamp);
    let entry_prices = rows
        .iter()
        .map(|(outcome, _)| i128::from(outcome.trade.entry_price));
    let exits = || rows.iter().map(|(_, exit)| *exit);
    let exit_timestamps = exits().map(|exit| exit.map(|exit| exit.timestamp));
    let exit_prices = exits().map(|exit| exit.map(|exit| i128::from(exit.price)));
    let pnls = exits().map(|exit| exit.map(|exit| i128::from(exit.pnl_lamports)));
    write_table(path, || {
        RecordBatch::try_from_iter([
            ("signal_id", strings(ids)),
            ("token_address", strings(tokens)),
            ("entry_timestamp", timestamps(entries.collect())),
            (
                "exit_timestamp",
                Arc::new(
                    exit_timestamps
                        .collect::<TimestampMicrosecondArray>()
                        .with_timezone("UTC"),
                ),
            ),
            (
                "entry_price",
                decimals(entry_prices.collect::<Vec<_>>(), PRICE),
            ),
            (
                "exit_price",
                decimals(exit_prices.collect::<Vec<_>>(), PRICE),
            ),
            ("realized_pnl_sol", decimals(pnls.collect::<Vec<_>>(), SOL)),
        ])
    })
}

fn write_table(path: &Path, batch: impl FnOnce() -> Result<RecordBatch, ArrowError>) -> Result<()> {
    let file = create(path)?;
    let write = || {
        let batch = batch()?;
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties()))?;
        writer.write(&batch)?;
        writer.close()
    };
    write().map(drop).map_err(|error| failed(path, error))
}

/// Everything that would otherwise follow the version of a library is said here.
fn properties() -> WriterProperties {
    let timestamp = ColumnPath::from("timestamp");
    let mut properties = WriterProperties::builder()
        .set_created_by("hindsight".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_column_dictionary_enabled(timestamp.clone(), false)
        .set_column_encoding(timestamp, Encoding::DELTA_BINARY_PACKED);
    // Nearly every price differs from the others: a dictionary would be begun and given up.
    for column in ["price", "entry_price", "exit_price"] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
    }
    properties.build()
}

fn factors_json(factors: [i64; 5]) -> String {
    let members = FACTORS
        .iter()
        .zip(factors)
        .map(|(name, factor)| format!("\"{name}\": {}.{:04}", factor / 10_000, factor % 10_000));
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}

fn strings(values: impl Iterator<Item = impl AsRef<str>>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn timestamps(values: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
}

fn decimals(values: impl Into<Decimal128Array>, data_type: DataType) -> ArrayRef {
    Arc::new(values.into().with_data_type(data_type))
}

fn create(path: &Path) -> Result<File> {
    File::create(path).map_err(|source| Error::Io {
        path: path.display().to_string(),
        source,
    })
}

fn failed(path: &Path, error: ParquetError) -> Error {
    Error::Io {
        path: path.display().to_string(),
        source: std::io::Error::other(error),
    }
}

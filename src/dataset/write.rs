//! Writes the next generation: everything beside the old one, synced, then one rename.
//!
//! Killed at any instant, the manifest names the old generation or the new one, both whole. What a
//! killed writer leaves behind is removed by the next; a writer that fails removes it itself. What
//! may be removed at all, [`super::claim`] says.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, UInt8Array, UInt32Array,
    UInt64Array,
};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::writer::FileWriter;

use super::behind::WrittenBehind;
use super::claim::{Claim, remove_generation};
use super::fingerprint::{Fingerprint, token_digest};
use super::map::{prices_schema, tokens_schema};
use super::series::Series;
use super::{
    DATA_QUALITY_FILE, Dataset, FORMAT, FileDigest, MANIFEST_FILE, Manifest, PRICES_FILE,
    SIGNALS_FILE, TOKENS_FILE, TRADE_OUTCOMES_FILE, dataset_directory, unwritable,
};
use crate::error::{Error, Result};
use crate::schema::VOLUME;

/// The one writer of a workspace, from [`Self::begin`] to [`Self::commit`]; dropped without a
/// commit, it leaves the workspace as it was.
#[derive(Debug)]
pub(crate) struct GenerationWriter {
    workspace: PathBuf,
    generation: u64,
    directory: PathBuf,
    previous: Dataset,
    /// Held to the end.
    _claim: Claim,
}

/// What a commit made the current generation.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) generation: u64,
    pub(crate) fingerprint: String,
    /// False where its rows are those of the previous one, which then stays.
    pub(crate) is_new: bool,
}

impl GenerationWriter {
    /// Takes the workspace for writing, makes it if it is not there, and clears what a killed
    /// writer left.
    pub(crate) fn begin(workspace: &Path) -> Result<Self> {
        let mut claim = Claim::take(workspace)?;
        let previous = Dataset::open(workspace)?;
        claim.clear(previous.generation);
        let (generation, directory) = claim.next(previous.generation)?;
        Ok(Self {
            workspace: workspace.to_owned(),
            generation,
            directory,
            previous,
            _claim: claim,
        })
    }

    /// The generation that is current until the commit.
    pub(crate) fn previous(&self) -> &Dataset {
        &self.previous
    }

    /// Where the new generation grows; what is not one of its files is gone after the commit.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts the prices of the new generation.
    pub(crate) fn prices(&self, with_volumes: bool) -> Result<PricesWriter> {
        let path = self.directory.join(PRICES_FILE);
        Ok(PricesWriter {
            writer: arrow_writer(&path, &prices_schema(with_volumes))?,
            path,
            with_volumes,
            batch_count: 0,
            price_count: 0,
            fingerprint: Fingerprint::default(),
            tokens: TokenTable::default(),
        })
    }

    /// Makes the new generation the current one, unless it says the same as the one before.
    pub(crate) fn commit(
        self,
        mut prices: PricesWriter,
        signals: &RecordBatch,
        trade_outcomes: &RecordBatch,
        data_quality: &RecordBatch,
    ) -> Result<Committed> {
        let price_count = prices.price_count;
        let fingerprint = std::mem::take(&mut prices.fingerprint).finish(signals, trade_outcomes);
        if self.previous.generation > 0 && self.previous.fingerprint == fingerprint {
            // It may have been named by a load that could not sync what it did.
            sync_directory(&dataset_directory(&self.workspace))?;
            return Ok(Committed {
                generation: self.previous.generation,
                fingerprint,
                is_new: false,
            });
        }
        let mut files = prices.finish(&self.directory)?;
        for (file, table) in [
            (SIGNALS_FILE, signals),
            (TRADE_OUTCOMES_FILE, trade_outcomes),
            (DATA_QUALITY_FILE, data_quality),
        ] {
            let digest = write_table(&self.directory.join(file), table)?;
            files.insert(file.to_owned(), digest);
        }
        self.publish(Manifest {
            format: FORMAT,
            generation: self.generation,
            fingerprint: fingerprint.clone(),
            rows: [
                ("signals", signals.num_rows() as u64),
                ("token_prices", price_count),
                ("trade_outcomes", trade_outcomes.num_rows() as u64),
            ]
            .map(|(table, rows)| (table.to_owned(), rows))
            .into(),
            files,
            digest: String::new(),
        })?;
        // From here on the load has succeeded; what cannot be removed now, the next one removes.
        remove_generation(&self.workspace, self.previous.generation);
        Ok(Committed {
            generation: self.generation,
            fingerprint,
            is_new: true,
        })
    }

    /// Everything is on the disk before the manifest names it. An error before the rename leaves the
    /// old manifest; one after it leaves the new one, and both generations, since either may be
    /// found after a power failure.
    fn publish(&self, mut manifest: Manifest) -> Result<()> {
        let root = dataset_directory(&self.workspace);
        let path = root.join(MANIFEST_FILE);
        let written = self.directory.join(MANIFEST_FILE);
        let mut write = || -> io::Result<()> {
            let mut file = File::create_new(&written)?;
            file.write_all(&manifest.text_with_digest()?)?;
            file.sync_all()
        };
        write().map_err(|error| unwritable(&path, error))?;
        sync_directory(&self.directory)?;
        sync_directory(&root)?;
        fs::rename(&written, &path).map_err(|error| unwritable(&path, error))?;
        sync_directory(&root).map_err(|_| Error::Workspace {
            path: root,
            problem: "the new history is in force, but the disk failed to confirm that it would \
                      outlast a power failure; load again to make sure"
                .into(),
        })
    }
}

impl Drop for GenerationWriter {
    fn drop(&mut self) {
        // Whatever was done and whatever failed, what the manifest names stays; and where nobody can
        // say what it names, everything does.
        let current = Dataset::current_generation(&self.workspace);
        if current.is_ok_and(|current| current != self.generation) {
            remove_generation(&self.workspace, self.generation);
        }
    }
}

/// Stands for a null volume, since volumes are not negative.
pub(crate) const NO_VOLUME: i128 = -1;

/// One token's checked prices, strictly ascending by time, with their digest.
#[derive(Debug)]
pub(crate) struct SortedToken {
    address: Arc<str>,
    scale: u8,
    timestamps: Series<i64>,
    mantissas: Series<i64>,
    volumes: Series<i128>,
    /// Whether a volume is null; looked up here, where they are at hand for the digest.
    has_nulls: bool,
    digest: u64,
}

impl SortedToken {
    /// `volumes` is empty where all are null.
    pub(crate) fn new(
        address: Arc<str>,
        scale: u8,
        timestamps: Series<i64>,
        mantissas: Series<i64>,
        mut volumes: Series<i128>,
    ) -> Self {
        if volumes.iter().all(|volume| *volume == NO_VOLUME) {
            volumes = Series::default();
        }
        // All signs gathered, not a search: what is nearly never so is found out without a branch.
        let signs = volumes.iter().fold(0, |signs, volume| signs | *volume);
        Self {
            has_nulls: volumes.is_empty() || signs < 0,
            digest: token_digest(scale, &timestamps, &mantissas, &volumes),
            address,
            scale,
            timestamps,
            mantissas,
            volumes,
        }
    }
}

/// Writes prices batch by batch, tokens in the order of their addresses.
pub(crate) struct PricesWriter {
    writer: FileWriter<BufWriter<WrittenBehind>>,
    path: PathBuf,
    with_volumes: bool,
    batch_count: u32,
    price_count: u64,
    fingerprint: Fingerprint,
    tokens: TokenTable,
}

#[derive(Default)]
struct TokenTable {
    addresses: Vec<Arc<str>>,
    scales: Vec<u8>,
    batches: Vec<u32>,
    offsets: Vec<u64>,
    lengths: Vec<u64>,
}

impl PricesWriter {
    /// Writes whole tokens: those that follow each other in a chunk as a record batch of their own,
    /// which is then a part of the chunk, the others together.
    pub(crate) fn write(&mut self, tokens: &[SortedToken]) -> Result<()> {
        const ALONE_ROWS: usize = 1 << 14;
        let mut others = 0..0;
        for group in
            tokens.chunk_by(|token, next| token.timestamps.is_followed_by(&next.timestamps))
        {
            let rows = group.iter().map(|token| token.timestamps.len());
            let end = others.end + group.len();
            if group.len() > 1 && rows.sum::<usize>() >= ALONE_ROWS {
                self.write_batch(&tokens[others.clone()])?;
                self.write_batch(group)?;
                others = end..end;
            } else {
                others.end = end;
            }
        }
        self.write_batch(&tokens[others])
    }

    fn write_batch(&mut self, tokens: &[SortedToken]) -> Result<()> {
        if tokens.is_empty() {
            return Ok(());
        }
        let mut rows = 0;
        for token in tokens {
            self.fingerprint.add_token(&token.address, token.digest);
            self.tokens.addresses.push(Arc::clone(&token.address));
            self.tokens.scales.push(token.scale);
            self.tokens.batches.push(self.batch_count);
            self.tokens.offsets.push(rows);
            self.tokens.lengths.push(token.timestamps.len() as u64);
            rows += token.timestamps.len() as u64;
        }
        let timestamps = Series::concat(tokens.iter().map(|token| &token.timestamps));
        let mantissas = Series::concat(tokens.iter().map(|token| &token.mantissas));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::new(timestamps, None)),
            Arc::new(Int64Array::new(mantissas, None)),
        ];
        if self.with_volumes {
            columns.push(Arc::new(concat_volumes(tokens)));
        }
        let failed = |error| unwritable(&self.path, io_message(error));
        let batch =
            RecordBatch::try_new(prices_schema(self.with_volumes), columns).map_err(failed)?;
        self.writer.write(&batch).map_err(failed)?;
        self.batch_count += 1;
        self.price_count += rows;
        Ok(())
    }

    /// Closes the files of the prices.
    fn finish(self, directory: &Path) -> Result<BTreeMap<String, FileDigest>> {
        let prices = close(self.writer, &self.path)?;
        let path = directory.join(TOKENS_FILE);
        let addresses = StringArray::from_iter_values(self.tokens.addresses.iter());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(addresses),
            Arc::new(UInt8Array::from(self.tokens.scales)),
            Arc::new(UInt32Array::from(self.tokens.batches)),
            Arc::new(UInt64Array::from(self.tokens.offsets)),
            Arc::new(UInt64Array::from(self.tokens.lengths)),
        ];
        let table = RecordBatch::try_new(tokens_schema(), columns)
            .map_err(|error| unwritable(&path, error))?;
        let tokens = write_table(&path, &table)?;
        Ok([(PRICES_FILE, prices), (TOKENS_FILE, tokens)]
            .map(|(file, digest)| (file.to_owned(), digest))
            .into())
    }
}

fn concat_volumes(tokens: &[SortedToken]) -> Decimal128Array {
    let is_whole = |token: &SortedToken| token.volumes.len() == token.timestamps.len();
    let values = match tokens.iter().all(is_whole) {
        true => Series::concat(tokens.iter().map(|token| &token.volumes)),
        false => {
            let mut values = Vec::new();
            let mut rows = 0;
            for token in tokens {
                values.extend_from_slice(&token.volumes);
                rows += token.timestamps.len();
                values.resize(rows, NO_VOLUME);
            }
            values.into()
        }
    };
    let nulls = tokens.iter().any(|token| token.has_nulls).then(|| {
        NullBuffer::new(BooleanBuffer::collect_bool(values.len(), |row| {
            values[row] != NO_VOLUME
        }))
    });
    Decimal128Array::new(values, nulls).with_data_type(VOLUME)
}

fn write_table(path: &Path, table: &RecordBatch) -> Result<FileDigest> {
    let mut writer = arrow_writer(path, table.schema_ref())?;
    writer
        .write(table)
        .map_err(|error| unwritable(path, io_message(error)))?;
    close(writer, path)
}

fn arrow_writer(path: &Path, schema: &SchemaRef) -> Result<FileWriter<BufWriter<WrittenBehind>>> {
    let file = File::create_new(path).map_err(|error| unwritable(path, error))?;
    let schema: &Schema = schema;
    FileWriter::try_new(BufWriter::new(WrittenBehind::new(file)), schema)
        .map_err(|error| unwritable(path, io_message(error)))
}

fn close(mut writer: FileWriter<BufWriter<WrittenBehind>>, path: &Path) -> Result<FileDigest> {
    writer
        .finish()
        .and_then(|()| writer.into_inner())
        .map_err(|error| unwritable(path, io_message(error)))?
        .into_inner()
        .map_err(|error| unwritable(path, error.error()))?
        .sync()
        .map_err(|error| unwritable(path, error))
}

/// A rename or a new file lasts only once its directory is synced.
fn sync_directory(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| unwritable(path, error))
}

/// Arrow wraps what the operating system said; people need the inside.
fn io_message(error: ArrowError) -> String {
    match error {
        ArrowError::IoError(_, source) => source.to_string(),
        other => other.to_string(),
    }
}

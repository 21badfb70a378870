//! The dataset on disk: generations of memory-mapped Arrow, one of them current.
//!
//! `<workspace>/dataset/manifest.json` names the current generation; its tables are Arrow IPC files,
//! uncompressed, in `<workspace>/dataset/<generation>/`. Prices lie there sorted by token and time,
//! and no token is split between two record batches, so every token is one contiguous slice of the
//! map and opening costs nothing per price. A generation never changes once the manifest names it: a
//! load writes the next one beside it and then replaces the manifest, so whoever reads sees the old
//! history or the new one, and statements under way keep the maps they have.

mod behind;
mod claim;
mod fingerprint;
mod map;
mod series;
mod verify;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{Decimal128Array, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::SchemaRef;
use hindsight_udfs::price_book::{PriceBook, TokenPrices};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use crate::error::{Error, Result};
use crate::schema::{DATA_QUALITY, SIGNALS, TRADE_OUTCOMES};

pub(crate) use series::Series;
pub use verify::{Damage, Verified};
pub(crate) use write::{GenerationWriter, NO_VOLUME, PricesWriter, SortedToken};

/// One generation of a loaded history, open for reading; clones share the mapped memory.
#[derive(Clone)]
pub struct Dataset {
    /// Counts up with every load; 0 before the first.
    pub generation: u64,
    /// The same for the same rows, whatever order or files they were loaded from.
    pub fingerprint: String,
    /// [`crate::schema::SIGNALS`], ordered by timestamp, then id.
    pub signals: RecordBatch,
    /// [`crate::schema::TRADE_OUTCOMES`], ordered by signal, entry and exit.
    pub trade_outcomes: RecordBatch,
    /// [`crate::schema::DATA_QUALITY`].
    pub data_quality: RecordBatch,
    /// Every price; tokens in the order of their addresses.
    pub price_book: Arc<PriceBook>,
    /// `volume_24h` of each token by its position in the price book, `None` where all are null.
    pub volumes: Arc<Vec<Option<Decimal128Array>>>,
}

impl Dataset {
    /// The current generation of the workspace; an empty dataset where nothing was loaded yet.
    pub fn open(workspace: &Path) -> Result<Self> {
        loop {
            let Some(manifest) = Manifest::read(workspace)? else {
                return Self::in_memory(
                    RecordBatch::new_empty(SIGNALS.clone()),
                    RecordBatch::new_empty(TRADE_OUTCOMES.clone()),
                    [],
                );
            };
            let opened = Self::open_generation(workspace, &manifest);
            // A load may have replaced and removed the generation since the manifest was read.
            if opened.is_err() && Self::current_generation(workspace)? != manifest.generation {
                continue;
            }
            return opened;
        }
    }

    /// The number of the current generation, 0 where nothing was loaded yet; costs one small read.
    pub fn current_generation(workspace: &Path) -> Result<u64> {
        Ok(Manifest::read(workspace)?.map_or(0, |manifest| manifest.generation))
    }

    /// A dataset that lies in no workspace, of rows already in their order; tokens by address.
    pub fn in_memory(
        signals: RecordBatch,
        trade_outcomes: RecordBatch,
        prices: impl IntoIterator<Item = (Arc<str>, TokenPrices)>,
    ) -> Result<Self> {
        let price_book = PriceBook::new(prices);
        let mut fingerprint = fingerprint::Fingerprint::default();
        for (address, token) in price_book.iter() {
            fingerprint.add_token(
                address,
                fingerprint::token_digest(token.scale, &token.timestamps, &token.mantissas, &[]),
            );
        }
        Ok(Self {
            generation: 0,
            fingerprint: fingerprint.finish(&signals, &trade_outcomes),
            signals,
            trade_outcomes,
            data_quality: RecordBatch::new_empty(DATA_QUALITY.clone()),
            volumes: Arc::new(vec![None; price_book.token_count()]),
            price_book: Arc::new(price_book),
        })
    }

    /// Removes the dataset of a workspace that was made for it and is given up again.
    pub fn remove(workspace: &Path) {
        claim::remove(workspace);
    }

    /// Whether a directory has what would name a dataset, be it damaged or of others.
    pub fn is_named_in(workspace: &Path) -> bool {
        dataset_directory(workspace).join(MANIFEST_FILE).exists()
    }

    fn open_generation(workspace: &Path, manifest: &Manifest) -> Result<Self> {
        let directory = generation_directory(workspace, manifest.generation);
        let table = |file: &str, schema: &SchemaRef| -> Result<RecordBatch> {
            let path = directory.join(file);
            let batches = map::read_arrow_file(&path)?;
            if let Some(batch) = batches.iter().find(|batch| batch.schema() != *schema) {
                return Err(damaged(&path, format!("has columns {}", batch.schema())));
            }
            concat_batches(schema, &batches).map_err(|error| damaged(&path, error))
        };
        let (price_book, volumes) = map::open_prices(&directory)?;
        Ok(Self {
            generation: manifest.generation,
            fingerprint: manifest.fingerprint.clone(),
            signals: table(SIGNALS_FILE, &SIGNALS)?,
            trade_outcomes: table(TRADE_OUTCOMES_FILE, &TRADE_OUTCOMES)?,
            data_quality: table(DATA_QUALITY_FILE, &DATA_QUALITY)?,
            price_book: Arc::new(price_book),
            volumes: Arc::new(volumes),
        })
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset")
            .field("generation", &self.generation)
            .field("fingerprint", &self.fingerprint)
            .field("signals", &self.signals.num_rows())
            .field("trade_outcomes", &self.trade_outcomes.num_rows())
            .field("tokens", &self.price_book.token_count())
            .field("prices", &self.price_book.price_count())
            .finish_non_exhaustive()
    }
}

const SIGNALS_FILE: &str = "signals.arrow";
const TRADE_OUTCOMES_FILE: &str = "trade_outcomes.arrow";
const DATA_QUALITY_FILE: &str = "data_quality.arrow";
const PRICES_FILE: &str = "prices.arrow";
const TOKENS_FILE: &str = "tokens.arrow";
/// The files of a generation.
const GENERATION_FILES: [&str; 5] = [
    SIGNALS_FILE,
    TRADE_OUTCOMES_FILE,
    DATA_QUALITY_FILE,
    PRICES_FILE,
    TOKENS_FILE,
];
const MANIFEST_FILE: &str = "manifest.json";

/// The layout this version reads and writes; another number in a manifest is refused.
pub const FORMAT: u32 = 1;

/// What makes a generation the current one.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    generation: u64,
    fingerprint: String,
    /// Rows by table, for people who look into the directory.
    rows: BTreeMap<String, u64>,
    /// What was written of each file; earlier versions did not say.
    #[serde(default)]
    files: BTreeMap<String, FileDigest>,
    /// Of this text as it is without this.
    #[serde(default)]
    digest: String,
}

/// The bytes of a file as they were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FileDigest {
    bytes: u64,
    #[serde(flatten)]
    checksum: Checksum,
}

/// Of all bytes of a file, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Checksum {
    /// Finds every change in one place, at half the cost of the other.
    Crc32(String),
    /// What earlier versions wrote.
    Xxh64(String),
}

impl Manifest {
    fn read(workspace: &Path) -> Result<Option<Self>> {
        let path = dataset_directory(workspace).join(MANIFEST_FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&path, error)),
        };
        let mut manifest: Self =
            serde_json::from_slice(&text).map_err(|error| {
                match claim::check(&dataset_directory(workspace)) {
                    Ok(_) => damaged(&path, error),
                    Err(not_ours) => not_ours,
                }
            })?;
        if manifest.format != FORMAT {
            return Err(Error::Workspace {
                path,
                problem: format!(
                    "has dataset format {}, this version reads format {FORMAT}; \
                     load the history into a new workspace",
                    manifest.format
                ),
            });
        }
        let is_whole = manifest.digest.is_empty() && manifest.files.is_empty()
            || manifest.text_with_digest().is_ok_and(|again| again == text);
        if !is_whole {
            return Err(damaged(&path, "it is not as it was written"));
        }
        Ok(Some(manifest))
    }

    /// Whether there is one that only we write, whatever its format.
    fn is_ours(root: &Path) -> bool {
        let text = std::fs::read(root.join(MANIFEST_FILE)).unwrap_or_default();
        serde_json::from_slice::<Self>(&text).is_ok()
    }

    /// The text of the file, for which the digest is set.
    fn text_with_digest(&mut self) -> serde_json::Result<Vec<u8>> {
        self.digest.clear();
        let text = serde_json::to_vec_pretty(self)?;
        self.digest = hexadecimal(XxHash64::oneshot(0, &text));
        serde_json::to_vec_pretty(self)
    }
}

fn crc32_text(checksum: &flate2::Crc) -> String {
    format!("{:08x}", checksum.sum())
}

fn hexadecimal(digest: u64) -> String {
    format!("{digest:016x}")
}

fn dataset_directory(workspace: &Path) -> PathBuf {
    workspace.join("dataset")
}

fn generation_directory(workspace: &Path, generation: u64) -> PathBuf {
    dataset_directory(workspace).join(generation.to_string())
}

fn damaged(path: &Path, found: impl fmt::Display) -> Error {
    Error::Workspace {
        path: path.to_owned(),
        problem: format!("is damaged ({found}); load the history into a new workspace"),
    }
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::Workspace {
        path: path.to_owned(),
        problem: format!("cannot be read: {error}"),
    }
}

fn unwritable(path: &Path, error: impl fmt::Display) -> Error {
    Error::Workspace {
        path: path.to_owned(),
        problem: format!("cannot be written: {error}"),
    }
}

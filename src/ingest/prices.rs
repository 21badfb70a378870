//! Prices on their way in: columns for each token, moved to a file when they outgrow the memory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Int64Array, StringArray};
use datafusion::arrow::array::{ArrayData, Decimal128Array, DictionaryArray};
use datafusion::arrow::datatypes::{Int32Type, ToByteSlice};

use super::chunk::{Chunk, Values, mismatch};
use super::columns::TOKEN_PRICES;
use super::mantissas::{DoesNotFit, Mantissas};
use super::read::{Failure, Place, Sink};
use crate::dataset::NO_VOLUME;
use crate::error::Error;

/// Prices of one token in the order they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) timestamps: Vec<i64>,
    pub(super) mantissas: Mantissas,
    /// Empty where all are null.
    pub(super) volumes: Vec<i128>,
}

impl Piece {
    pub(super) fn append(&mut self, other: &Self) -> Result<(), DoesNotFit> {
        self.mantissas
            .append(&other.mantissas.values, other.mantissas.scale)?;
        if !(self.volumes.is_empty() && other.volumes.is_empty()) {
            self.volumes.resize(self.timestamps.len(), NO_VOLUME);
            self.volumes.extend_from_slice(&other.volumes);
            let rows = self.timestamps.len() + other.timestamps.len();
            self.volumes.resize(rows, NO_VOLUME);
        }
        self.timestamps.extend_from_slice(&other.timestamps);
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.timestamps.len() * 16 + self.volumes.len() * 16
    }
}

/// All prices that one thread has read.
pub(super) struct PriceCollector {
    pub(super) tokens: Vec<CollectedToken>,
    pub(super) with_volumes: bool,
    by_address: HashMap<Arc<str>, u32>,
    dictionary: Dictionary,
    bytes: usize,
    budget_bytes: usize,
    spill: Spill,
}

/// One token's prices: what is in memory, and what went to the file before.
#[derive(Debug)]
pub(super) struct CollectedToken {
    pub(super) address: Arc<str>,
    piece: Piece,
    segments: Vec<Segment>,
}

impl CollectedToken {
    /// Its prices in the order they came, as pieces.
    pub(super) fn into_pieces(self, spill: &Spill) -> crate::error::Result<Vec<Piece>> {
        let mut pieces = Vec::with_capacity(self.segments.len() + 1);
        for segment in &self.segments {
            pieces.push(spill.read(segment)?);
        }
        if !self.piece.timestamps.is_empty() {
            pieces.push(self.piece);
        }
        Ok(pieces)
    }

    pub(super) fn rows(&self) -> usize {
        let spilled: usize = self.segments.iter().map(|segment| segment.rows).sum();
        spilled + self.piece.timestamps.len()
    }
}

/// The dictionary of the last chunk: its keys as positions in `tokens`, found when first used.
#[derive(Default)]
struct Dictionary {
    values: Option<ArrayData>,
    positions: Vec<Option<u32>>,
}

impl PriceCollector {
    pub(super) fn new(budget_bytes: usize, spill_path: PathBuf) -> Self {
        Self {
            tokens: Vec::new(),
            with_volumes: false,
            by_address: HashMap::new(),
            dictionary: Dictionary::default(),
            bytes: 0,
            budget_bytes,
            spill: Spill::new(spill_path),
        }
    }

    /// The tokens, and the file with what did not fit in memory.
    pub(super) fn finish(mut self) -> crate::error::Result<(Vec<CollectedToken>, Spill)> {
        self.spill.flush()?;
        Ok((self.tokens, self.spill))
    }

    fn use_dictionary(&mut self, values: &StringArray) {
        let data = values.to_data();
        if self
            .dictionary
            .values
            .as_ref()
            .is_none_or(|last| !last.ptr_eq(&data))
        {
            self.dictionary.positions.clear();
            self.dictionary.positions.resize(values.len(), None);
            self.dictionary.values = Some(data);
        }
    }

    fn position(&mut self, key: usize, values: &StringArray) -> Option<usize> {
        if let Some(position) = self.dictionary.positions.get(key)? {
            return Some(*position as usize);
        }
        let address = Some(values.value(key)).filter(|address| !address.is_empty())?;
        let position = match self.by_address.get(address) {
            Some(position) => *position,
            None => {
                let position = u32::try_from(self.tokens.len()).ok()?;
                let address: Arc<str> = address.into();
                self.by_address.insert(Arc::clone(&address), position);
                self.tokens.push(CollectedToken {
                    address,
                    piece: Piece::default(),
                    segments: Vec::new(),
                });
                position
            }
        };
        self.dictionary.positions[key] = Some(position);
        Some(position as usize)
    }

    fn collect(&mut self, rows: &PriceRows<'_>) -> Result<(), Failure> {
        let keys = rows.tokens.keys().values();
        let values = rows.tokens.values().as_string::<i32>();
        self.use_dictionary(values);
        let mut start = 0;
        while start < keys.len() {
            let key = keys[start];
            let scale = rows.scales[start];
            // A run of one token and one scale is copied as a whole.
            let mut end = start + 1;
            while end < keys.len() && keys[end] == key && rows.scales[end] == scale {
                end += 1;
            }
            let refused = |column: usize, found| {
                Failure::Mismatch(mismatch(&TOKEN_PRICES.columns[column], start as u64, found))
            };
            let Some(position) = self.position(key as usize, values) else {
                return Err(refused(0, "an empty text".into()));
            };
            let token = &mut self.tokens[position];
            let before = token.piece.bytes();
            let mantissas = &rows.mantissas[start..end];
            token
                .piece
                .mantissas
                .append(mantissas, scale)
                .map_err(|DoesNotFit| refused(2, does_not_fit(&token.address)))?;
            let timestamps = &mut token.piece.timestamps;
            let volumes = &mut token.piece.volumes;
            if let Some(new) = rows.volumes
                && new.null_count() < new.len()
            {
                volumes.resize(timestamps.len(), NO_VOLUME);
                match new.nulls() {
                    None => volumes.extend_from_slice(&new.values()[start..end]),
                    Some(_) => volumes.extend((start..end).map(|row| {
                        if new.is_null(row) {
                            NO_VOLUME
                        } else {
                            new.value(row)
                        }
                    })),
                }
                self.with_volumes = true;
            }
            append_run(timestamps, &rows.timestamps.values()[start..end]);
            if !volumes.is_empty() {
                volumes.resize(timestamps.len(), NO_VOLUME);
            }
            self.bytes += token.piece.bytes() - before;
            start = end;
        }
        if self.bytes > self.budget_bytes {
            self.spill.write(&mut self.tokens).map_err(Failure::Other)?;
            self.bytes = 0;
        }
        Ok(())
    }
}

/// Appends a run that is mostly long, or a single value where tokens take turns.
pub(super) fn append_run(all: &mut Vec<i64>, run: &[i64]) {
    match run {
        [one] => all.push(*one),
        many => all.extend_from_slice(many),
    }
}

/// What to say of a token none of whose scales serves all its prices.
pub(super) fn does_not_fit(address: &str) -> String {
    format!(
        "prices of token {address} so large and others so fine that no one scale of at most 18 \
         digits holds them in 64 bits"
    )
}

impl Sink for PriceCollector {
    fn take(&mut self, chunk: &Chunk, _: Place) -> Result<(), Failure> {
        match PriceRows::of(chunk) {
            Some(rows) => self.collect(&rows),
            None => Ok(()),
        }
    }
}

/// The columns of a chunk of prices.
pub(super) struct PriceRows<'c> {
    pub(super) tokens: &'c DictionaryArray<Int32Type>,
    pub(super) timestamps: &'c Int64Array,
    pub(super) mantissas: &'c [i64],
    pub(super) scales: &'c [u8],
    pub(super) volumes: Option<&'c Decimal128Array>,
}

impl<'c> PriceRows<'c> {
    pub(super) fn of(chunk: &'c Chunk) -> Option<Self> {
        let [
            Values::Token(tokens),
            Values::Timestamp(timestamps),
            Values::Price { mantissas, scales },
            volumes,
        ] = chunk.columns.as_slice()
        else {
            return None;
        };
        Some(Self {
            tokens,
            timestamps,
            mantissas,
            scales,
            volumes: match volumes {
                Values::Decimal(volumes) => Some(volumes),
                _ => None,
            },
        })
    }
}

/// A temporary file of pieces; it is there only once something was written.
pub(super) struct Spill {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    bytes: u64,
}

/// Where a piece lies in the file.
#[derive(Debug, Clone, Copy)]
struct Segment {
    offset: u64,
    rows: usize,
    scale: u8,
    with_volumes: bool,
}

impl Spill {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            bytes: 0,
        }
    }

    fn write(&mut self, tokens: &mut [CollectedToken]) -> crate::error::Result<()> {
        let path = self.path.clone();
        self.try_write(tokens)
            .map_err(|error| unwritable(&path, &error))
    }

    fn try_write(&mut self, tokens: &mut [CollectedToken]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = File::options()
                    .create_new(true)
                    .read(true)
                    .write(true)
                    .open(&self.path)?;
                self.file.insert(BufWriter::with_capacity(1 << 20, file))
            }
        };
        for token in tokens
            .iter_mut()
            .filter(|token| !token.piece.timestamps.is_empty())
        {
            // Not cleared: the memory is for the tokens that come next.
            let piece = std::mem::take(&mut token.piece);
            file.write_all(piece.timestamps.to_byte_slice())?;
            file.write_all(piece.mantissas.values.to_byte_slice())?;
            file.write_all(piece.volumes.to_byte_slice())?;
            token.segments.push(Segment {
                offset: self.bytes,
                rows: piece.timestamps.len(),
                scale: piece.mantissas.scale,
                with_volumes: !piece.volumes.is_empty(),
            });
            self.bytes += piece.bytes() as u64;
        }
        Ok(())
    }

    fn flush(&mut self) -> crate::error::Result<()> {
        match &mut self.file {
            Some(file) => file.flush().map_err(|error| unwritable(&self.path, &error)),
            None => Ok(()),
        }
    }

    fn read(&self, segment: &Segment) -> crate::error::Result<Piece> {
        self.try_read(segment).map_err(|error| Error::Workspace {
            path: self.path.clone(),
            problem: format!("cannot be read: {error}"),
        })
    }

    fn try_read(&self, segment: &Segment) -> io::Result<Piece> {
        let Some(file) = &self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let width = if segment.with_volumes { 32 } else { 16 };
        let mut bytes = vec![0; segment.rows * width];
        file.get_ref().read_exact_at(&mut bytes, segment.offset)?;
        let (timestamps, rest) = bytes.split_at(segment.rows * 8);
        let (mantissas, volumes) = rest.split_at(segment.rows * 8);
        let numbers = |bytes: &[u8]| -> Vec<i64> {
            let (numbers, _) = bytes.as_chunks::<8>();
            numbers
                .iter()
                .map(|number| i64::from_ne_bytes(*number))
                .collect()
        };
        let (volumes, _) = volumes.as_chunks::<16>();
        Ok(Piece {
            timestamps: numbers(timestamps),
            mantissas: Mantissas {
                scale: segment.scale,
                values: numbers(mantissas),
            },
            volumes: volumes
                .iter()
                .map(|volume| i128::from_ne_bytes(*volume))
                .collect(),
        })
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if self.file.is_some() {
            // If it stays, it is in a directory that the next load clears.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::Workspace {
        path: path.to_owned(),
        problem: format!("cannot be written: {error}"),
    }
}

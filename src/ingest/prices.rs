//! Prices on their way in: columns for each token.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Int64Array, StringArray};
use datafusion::arrow::array::{ArrayData, Decimal128Array, DictionaryArray};
use datafusion::arrow::datatypes::Int32Type;

use super::chunk::{Chunk, Values, mismatch};
use super::columns::TOKEN_PRICES;
use super::mantissas::{DoesNotFit, Mantissas};
use super::read::{Failure, Place, Sink};
use super::spill::{Segment, Spill};
use crate::dataset::NO_VOLUME;
use crate::error::Result;

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

    pub(super) fn bytes(&self) -> usize {
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
    pub(super) piece: Piece,
    pub(super) segments: Vec<Segment>,
}

impl CollectedToken {
    /// Its prices in the order they came, as pieces.
    pub(super) fn into_pieces(self, spill: &Spill) -> Result<Vec<Piece>> {
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
    pub(super) fn finish(mut self) -> Result<(Vec<CollectedToken>, Spill)> {
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
        let values = rows.tokens.values().as_string::<i32>();
        self.use_dictionary(values);
        let volumes = rows
            .volumes
            .filter(|volumes| volumes.null_count() < volumes.len());
        self.with_volumes |= volumes.is_some();
        let columns = Columns {
            keys: rows.tokens.keys().values(),
            timestamps: rows.timestamps.values(),
            mantissas: rows.mantissas,
            scales: rows.scales,
            volumes: volumes.map_or(Cow::Borrowed(&[]), volume_values),
        };
        match columns.grouped(values.len()) {
            Some((grouped, order)) => self.collect_runs(&grouped.borrow(), values, &order)?,
            None => self.collect_runs(&columns, values, &[])?,
        }
        if self.bytes > self.budget_bytes {
            self.spill.write(&mut self.tokens).map_err(Failure::Other)?;
            self.bytes = 0;
        }
        Ok(())
    }

    /// Copies runs of one token and one scale as a whole. `order` holds the rows in the chunk of
    /// columns that were grouped.
    fn collect_runs(
        &mut self,
        columns: &Columns<'_>,
        values: &StringArray,
        order: &[u32],
    ) -> Result<(), Failure> {
        let Columns { keys, scales, .. } = columns;
        let mut start = 0;
        while start < keys.len() {
            let (key, scale) = (keys[start], scales[start]);
            let mut end = start + 1;
            while end < keys.len() && keys[end] == key && scales[end] == scale {
                end += 1;
            }
            let refused = |column: usize, found| {
                let row = order.get(start).map_or(start as u64, |row| u64::from(*row));
                Failure::Mismatch(mismatch(&TOKEN_PRICES.columns[column], row, found))
            };
            let Some(position) = self.position(key as usize, values) else {
                return Err(refused(0, "an empty text".into()));
            };
            let token = &mut self.tokens[position];
            let piece = &mut token.piece;
            let before = piece.bytes();
            piece
                .mantissas
                .append(&columns.mantissas[start..end], scale)
                .map_err(|DoesNotFit| refused(2, does_not_fit(&token.address)))?;
            if !columns.volumes.is_empty() {
                piece.volumes.resize(piece.timestamps.len(), NO_VOLUME);
                piece
                    .volumes
                    .extend_from_slice(&columns.volumes[start..end]);
            }
            append_run(&mut piece.timestamps, &columns.timestamps[start..end]);
            if !piece.volumes.is_empty() {
                piece.volumes.resize(piece.timestamps.len(), NO_VOLUME);
            }
            self.bytes += piece.bytes() - before;
            start = end;
        }
        Ok(())
    }
}

/// The rows of a chunk, column by column; no volumes where all are null.
struct Columns<'c> {
    keys: &'c [i32],
    timestamps: &'c [i64],
    mantissas: &'c [i64],
    scales: &'c [u8],
    volumes: Cow<'c, [i128]>,
}

/// Rows copied so that those of a token follow each other.
struct Grouped {
    keys: Vec<i32>,
    timestamps: Vec<i64>,
    mantissas: Vec<i64>,
    scales: Vec<u8>,
    volumes: Vec<i128>,
}

impl Columns<'_> {
    /// The rows grouped by token, each with its row here; `None` where they come in runs anyway.
    ///
    /// Where tokens take turns, as in a history ordered by time, every row would go to another place
    /// in memory; grouped in the cache first, fewer do.
    fn grouped(&self, tokens: usize) -> Option<(Grouped, Vec<u32>)> {
        const RUN_ROWS: usize = 4;
        let rows = self.keys.len();
        let turns = self
            .keys
            .windows(2)
            .filter(|pair| pair[0] != pair[1])
            .count();
        if turns * RUN_ROWS < rows || tokens > rows {
            return None;
        }
        let mut next = vec![0_u32; tokens + 1];
        for key in self.keys {
            next[*key as usize + 1] += 1;
        }
        for token in 0..tokens {
            next[token + 1] += next[token];
        }
        let mut order = vec![0_u32; rows];
        for (row, key) in self.keys.iter().enumerate() {
            let place = &mut next[*key as usize];
            order[*place as usize] = row as u32;
            *place += 1;
        }
        let volumes = if self.volumes.is_empty() {
            &[][..]
        } else {
            &order
        };
        let grouped = Grouped {
            keys: pick(self.keys, &order),
            timestamps: pick(self.timestamps, &order),
            mantissas: pick(self.mantissas, &order),
            scales: pick(self.scales, &order),
            volumes: pick(&self.volumes, volumes),
        };
        Some((grouped, order))
    }
}

impl Grouped {
    fn borrow(&self) -> Columns<'_> {
        Columns {
            keys: &self.keys,
            timestamps: &self.timestamps,
            mantissas: &self.mantissas,
            scales: &self.scales,
            volumes: Cow::Borrowed(&self.volumes),
        }
    }
}

fn pick<T: Copy>(values: &[T], order: &[u32]) -> Vec<T> {
    order.iter().map(|row| values[*row as usize]).collect()
}

fn volume_values(volumes: &Decimal128Array) -> Cow<'_, [i128]> {
    match volumes.nulls() {
        None => Cow::Borrowed(volumes.values()),
        Some(_) => volumes
            .iter()
            .map(|volume| volume.unwrap_or(NO_VOLUME))
            .collect(),
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

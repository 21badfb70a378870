//! Prices on their way in: columns for each token.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Int64Array, StringArray};
use datafusion::arrow::array::{ArrayData, Decimal128Array, DictionaryArray};
use datafusion::arrow::buffer::ScalarBuffer;
use datafusion::arrow::datatypes::Int32Type;

use super::chunk::{Cell, Chunk, Values, mismatch};
use super::columns::{TOKEN_PRICES, TOO_FINE};
use super::decimal::Rounding;
use super::explain::{explain, is_word_for_nothing};
use super::mantissas::{DoesNotFit, Mantissas, plain_scale};
use super::read::{Failure, Place};
use super::spill::{Segment, Spill};
use crate::dataset::{NO_VOLUME, Series};
use crate::error::Result;

/// A run of a token of so many rows is not copied as long as no other follows it.
const SHARED_ROWS: usize = 256;

/// Prices of one token in the order they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) timestamps: Series<i64>,
    pub(super) mantissas: Mantissas,
    /// Empty where all are null.
    pub(super) volumes: Series<i128>,
    /// Where each comes from, as [`Place::packed`] has it; empty where nobody asks which is later.
    pub(super) places: Series<u64>,
}

impl Piece {
    /// Shares a run of a chunk.
    fn of_run(columns: &Columns<'_>, start: usize, rows: usize) -> Self {
        let volumes = match columns.volumes.is_empty() {
            true => Series::default(),
            false => Series::shared(&columns.volumes, start, rows),
        };
        Self {
            timestamps: Series::shared(&columns.timestamps, start, rows),
            mantissas: Mantissas::new(
                columns.scales[start],
                Series::shared(&columns.mantissas, start, rows),
            ),
            volumes,
            places: match columns.places.is_empty() {
                true => Series::default(),
                false => Series::shared(&columns.places, start, rows),
            },
        }
    }

    pub(super) fn append(&mut self, other: &Self, rounding: Rounding) -> Result<(), DoesNotFit> {
        self.mantissas.append_all(&other.mantissas, rounding)?;
        if !(self.volumes.is_empty() && other.volumes.is_empty()) {
            let volumes = self.volumes.to_mut();
            volumes.resize(self.timestamps.len(), NO_VOLUME);
            volumes.extend_from_slice(&other.volumes);
            let rows = self.timestamps.len() + other.timestamps.len();
            volumes.resize(rows, NO_VOLUME);
        }
        self.timestamps.append_run(&other.timestamps);
        self.places.append_run(&other.places);
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        self.timestamps.len() * 16
            + self.volumes.len() * 16
            + self.places.len() * 8
            + self.mantissas.scales.len()
    }
}

/// All prices that one thread has read.
pub(super) struct PriceCollector {
    pub(super) tokens: Vec<CollectedToken>,
    pub(super) with_volumes: bool,
    with_places: bool,
    by_address: HashMap<Arc<str>, u32>,
    dictionary: Dictionary,
    bytes: usize,
    budget_bytes: usize,
    rounding: Rounding,
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
    /// `with_places` where it matters which of two rows is the later one.
    pub(super) fn new(
        budget_bytes: usize,
        rounding: Rounding,
        spill_path: PathBuf,
        with_places: bool,
    ) -> Self {
        Self {
            tokens: Vec::new(),
            with_volumes: false,
            with_places,
            by_address: HashMap::new(),
            dictionary: Dictionary::default(),
            bytes: 0,
            budget_bytes,
            rounding,
            spill: Spill::new(spill_path),
        }
    }

    /// Takes chunks of prices.
    pub(super) fn take(&mut self, chunk: &Chunk, place: Place) -> Result<(), Failure> {
        match PriceRows::of(chunk) {
            Some(rows) => self.collect(&rows, place),
            None => Ok(()),
        }
    }

    /// The memory of the prices held.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes
    }

    /// Whether something is no longer in memory.
    pub(super) fn has_spilled(&self) -> bool {
        !self.spill.is_empty()
    }

    /// Takes out the tokens before one; what comes later of them is collected anew.
    pub(super) fn take_before(&mut self, end: &[u8]) -> Vec<CollectedToken> {
        let mut taken = Vec::new();
        for token in &mut self.tokens {
            if !token.piece.timestamps.is_empty() && token.address.as_bytes() < end {
                self.bytes -= token.piece.bytes();
                taken.push(CollectedToken {
                    address: Arc::clone(&token.address),
                    piece: std::mem::take(&mut token.piece),
                    segments: std::mem::take(&mut token.segments),
                });
            }
        }
        taken
    }

    /// The tokens, and the file with what did not fit in memory.
    pub(super) fn finish(&mut self) -> Result<(Vec<CollectedToken>, Spill)> {
        self.spill.flush()?;
        let mut tokens = std::mem::take(&mut self.tokens);
        tokens.retain(|token| token.rows() > 0);
        Ok((tokens, std::mem::take(&mut self.spill)))
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
            None if is_word_for_nothing(address) => return None,
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

    fn collect(&mut self, rows: &PriceRows<'_>, place: Place) -> Result<(), Failure> {
        let values = rows.tokens.values().as_string::<i32>();
        self.use_dictionary(values);
        let volumes = rows
            .volumes
            .filter(|volumes| volumes.null_count() < volumes.len());
        self.with_volumes |= volumes.is_some();
        let columns = Columns {
            keys: Cow::Borrowed(rows.tokens.keys().values()),
            timestamps: rows.timestamps.values().clone(),
            mantissas: rows.mantissas.clone(),
            scales: Cow::Borrowed(rows.scales),
            volumes: volumes.map_or_else(|| Vec::new().into(), volume_values),
            places: match self.with_places {
                true => {
                    // What is stored is 0.
                    let first = place.packed() + 1;
                    let rows = rows.timestamps.len() as u64;
                    (first..first + rows).collect()
                }
                false => Vec::new().into(),
            },
        };
        match columns.grouped(values.len()) {
            Some((grouped, order)) => self.collect_runs(&grouped, values, &order)?,
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
        let (keys, scales) = (&columns.keys[..], &columns.scales[..]);
        let mut start = 0;
        while start < keys.len() {
            let (key, scale) = (keys[start], scales[start]);
            let rest = keys[start..].iter().zip(&scales[start..]);
            let rows = rest.take_while(|row| *row == (&key, &scale)).count();
            let end = start + rows;
            let row_of = |row: usize| order.get(row).map_or(row as u64, |found| u64::from(*found));
            let Some(position) = self.position(key as usize, values) else {
                let cell = Cell::Text(values.value(key as usize).into());
                let mismatch = explain(&TOKEN_PRICES.columns[0], row_of(start), &cell);
                return Err(Failure::Mismatch(mismatch));
            };
            let token = &mut self.tokens[position];
            let piece = &mut token.piece;
            let before = piece.bytes();
            if before == 0 && end - start >= SHARED_ROWS && plain_scale(scale) == scale {
                *piece = Piece::of_run(columns, start, end - start);
                self.bytes += piece.bytes();
                start = end;
                continue;
            }
            piece
                .mantissas
                .append(&columns.mantissas[start..end], scale, self.rounding)
                .map_err(|DoesNotFit| {
                    let found = does_not_fit(&token.address);
                    let mismatch = mismatch(&TOKEN_PRICES.columns[2], row_of(start), found);
                    Failure::Mismatch(mismatch.with_hint(TOO_FINE))
                })?;
            if !columns.volumes.is_empty() {
                let volumes = piece.volumes.to_mut();
                volumes.resize(piece.timestamps.len(), NO_VOLUME);
                volumes.extend_from_slice(&columns.volumes[start..end]);
            }
            piece.timestamps.append_run(&columns.timestamps[start..end]);
            if !columns.places.is_empty() {
                piece.places.append_run(&columns.places[start..end]);
            }
            if !piece.volumes.is_empty() {
                let rows = piece.timestamps.len();
                piece.volumes.to_mut().resize(rows, NO_VOLUME);
            }
            self.bytes += piece.bytes() - before;
            start = end;
        }
        Ok(())
    }
}

/// The rows of a chunk, column by column; no volumes where all are null.
struct Columns<'c> {
    keys: Cow<'c, [i32]>,
    timestamps: ScalarBuffer<i64>,
    mantissas: ScalarBuffer<i64>,
    scales: Cow<'c, [u8]>,
    volumes: ScalarBuffer<i128>,
    /// Empty where nobody asks.
    places: ScalarBuffer<u64>,
}

impl Columns<'_> {
    /// The rows grouped by token, each with its row here; `None` where they come in runs anyway.
    ///
    /// Where tokens take turns, as in a history ordered by time, every row would go to another place
    /// in memory; grouped by chunk first, fewer do.
    fn grouped(&self, tokens: usize) -> Option<(Columns<'static>, Vec<u32>)> {
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
        for key in self.keys.iter() {
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
        let unless_empty = |is_empty: bool| if is_empty { &[][..] } else { &order[..] };
        let volumes = unless_empty(self.volumes.is_empty());
        let places = unless_empty(self.places.is_empty());
        let grouped = Columns {
            keys: pick(&self.keys, &order).into(),
            timestamps: pick(&self.timestamps, &order).into(),
            mantissas: pick(&self.mantissas, &order).into(),
            scales: pick(&self.scales, &order).into(),
            volumes: pick(&self.volumes, volumes).into(),
            places: pick(&self.places, places).into(),
        };
        Some((grouped, order))
    }
}

fn pick<T: Copy>(values: &[T], order: &[u32]) -> Vec<T> {
    order.iter().map(|row| values[*row as usize]).collect()
}

pub(super) fn volume_values(volumes: &Decimal128Array) -> ScalarBuffer<i128> {
    match volumes.nulls() {
        None => volumes.values().clone(),
        Some(_) => volumes
            .iter()
            .map(|volume| volume.unwrap_or(NO_VOLUME))
            .collect(),
    }
}

/// What to say of a token none of whose scales serves all its prices.
pub(super) fn does_not_fit(address: &str) -> String {
    format!(
        "prices of token {address} so large and others so fine that no one scale of at most 18 \
         digits holds them in 64 bits"
    )
}

/// The columns of a chunk of prices.
pub(super) struct PriceRows<'c> {
    pub(super) tokens: &'c DictionaryArray<Int32Type>,
    pub(super) timestamps: &'c Int64Array,
    pub(super) mantissas: &'c ScalarBuffer<i64>,
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

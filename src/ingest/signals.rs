//! Signals: rows merged by id, ordered by timestamp, then id.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::DataType;

use super::chunk::Chunk;
use super::columns::SIGNALS as COLUMNS;
use super::read::{Failure, Place, Reading, Sink};
use super::rows::{Contradiction, Contradictions, Earlier, Merged, optional};
use super::{OnConflict, timestamp};
use crate::error::Result;
use crate::schema::{FACTOR, FACTORS, SCORE, SIGNALS};

/// One signal; ordered as the table is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Signal {
    timestamp: i64,
    id: Box<str>,
    token_address: Box<str>,
    source_wallet: Option<Box<str>>,
    score: Option<i128>,
    factors: [Option<i128>; FACTORS.len()],
}

impl Signal {
    fn of(chunk: &Chunk, row: usize) -> Option<Self> {
        Some(Self {
            id: chunk.text(0, row)?.into(),
            timestamp: chunk.micros(1, row)?,
            token_address: chunk.text(2, row)?.into(),
            source_wallet: chunk.text(3, row).map(Into::into),
            score: chunk.decimal(4, row),
            factors: std::array::from_fn(|factor| chunk.decimal(5 + factor, row)),
        })
    }

    /// The first column in which two signals of one id differ, with both values.
    fn difference(&self, other: &Self) -> (&'static str, String, String) {
        let texts = |signal: &Self| {
            let mut texts = vec![
                signal.id.to_string(),
                timestamp::to_text(signal.timestamp),
                signal.token_address.to_string(),
                signal
                    .source_wallet
                    .as_deref()
                    .unwrap_or("no wallet")
                    .to_owned(),
                optional(signal.score, 2),
            ];
            texts.extend(signal.factors.map(|factor| optional(factor, 6)));
            texts
        };
        let (ours, theirs) = (texts(self), texts(other));
        let column = ours
            .iter()
            .zip(&theirs)
            .position(|(a, b)| a != b)
            .unwrap_or(0);
        let [ours, theirs] = [ours, theirs].map(|mut texts| texts.swap_remove(column));
        (COLUMNS.columns[column].name, ours, theirs)
    }

    /// That this one says something else than an earlier one, which was read there or is stored.
    fn contradiction(&self, place: Place, other: &Self, at: Option<Place>) -> Contradiction {
        let (column, later, earlier) = self.difference(other);
        Contradiction {
            place,
            column,
            of: format!("signal {}", self.id),
            later,
            earlier: match at {
                Some(at) => Earlier::Read(earlier, at),
                None => Earlier::Stored(earlier),
            },
        }
    }
}

/// Signals of one thread, each with its place for errors.
#[derive(Default)]
pub(super) struct SignalCollector(Vec<(Signal, Place)>);

impl Sink for SignalCollector {
    fn take(&mut self, chunk: &Chunk, place: Place) -> Result<(), Failure> {
        self.0.extend((0..chunk.rows).filter_map(|row| {
            let at = place.row + row as u64;
            Some((Signal::of(chunk, row)?, Place { row: at, ..place }))
        }));
        Ok(())
    }
}

/// The stored signals and the new ones.
pub(super) fn merge(
    stored: &RecordBatch,
    mut reading: Reading<SignalCollector>,
    on_conflict: OnConflict,
) -> Result<Merged> {
    let sinks = std::mem::take(&mut reading.sinks);
    // Sorted where they are: they are large.
    let mut new: Vec<_> = sinks.iter().flat_map(|sink| &sink.0).collect();
    new.sort_unstable_by(|(a, a_place), (b, b_place)| (&a.id, a_place).cmp(&(&b.id, b_place)));
    let chunk = Chunk::of_stored(stored);
    let signals: Vec<_> = (0..chunk.rows)
        .filter_map(|row| Signal::of(&chunk, row))
        .collect();
    let mut signals: Vec<_> = signals.iter().collect();
    signals.sort_unstable_by(|a, b| a.id.cmp(&b.id));

    let mut contradictions = Contradictions::new(on_conflict);
    let mut added: Vec<&Signal> = Vec::new();
    let mut duplicates = 0;
    let mut duplicate = None;
    for same in new.chunk_by(|(a, _), (b, _)| a.id == b.id) {
        let [(first, first_place), rest @ ..] = same else {
            continue;
        };
        // The row that holds of those that are read.
        let mut holds = (first, *first_place);
        for (again, place) in rest {
            if again == holds.0 {
                duplicates += 1;
                duplicate = duplicate.min(Some(*place)).or(Some(*place));
                continue;
            }
            contradictions.note(again.contradiction(*place, holds.0, Some(holds.1)));
            if on_conflict == OnConflict::Replace {
                holds = (again, *place);
            }
        }
        let (holds, place) = holds;
        match signals.binary_search_by(|signal| signal.id.cmp(&first.id)) {
            Err(_) => added.push(holds),
            Ok(position) if signals[position] == holds => {}
            Ok(position) => {
                contradictions.note(holds.contradiction(place, signals[position], None));
                if on_conflict == OnConflict::Replace {
                    signals[position] = holds;
                }
            }
        }
    }
    contradictions.check(&reading)?;
    let added_count = added.len() as u64;
    signals.append(&mut added);
    signals.sort_unstable();
    Merged::new(
        &COLUMNS,
        table(&signals)?,
        added_count,
        reading,
        (duplicates, duplicate),
        contradictions,
    )
}

fn table(signals: &[&Signal]) -> Result<RecordBatch> {
    let timestamps = signals.iter().map(|signal| signal.timestamp);
    let decimals = |data_type: DataType, of: &dyn Fn(&Signal) -> Option<i128>| -> ArrayRef {
        let values: Decimal128Array = signals.iter().map(|signal| of(signal)).collect();
        Arc::new(values.with_data_type(data_type))
    };
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(
            signals.iter().map(|signal| &signal.id),
        )),
        Arc::new(TimestampMicrosecondArray::from_iter_values(timestamps).with_timezone("UTC")),
        Arc::new(StringArray::from_iter_values(
            signals.iter().map(|signal| &signal.token_address),
        )),
        Arc::new(StringArray::from_iter(
            signals.iter().map(|signal| signal.source_wallet.as_deref()),
        )),
        decimals(SCORE, &|signal| signal.score),
    ];
    columns.extend(
        (0..FACTORS.len()).map(|factor| decimals(FACTOR, &|signal| signal.factors[factor])),
    );
    super::rows::batch(&SIGNALS, columns)
}

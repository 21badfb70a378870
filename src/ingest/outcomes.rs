//! Trade outcomes: rows merged by signal and entry, ordered by signal, entry and exit.
//!
//! Every distinct row is one actual trade; several of one signal are partial exits. An outcome is
//! open until it has an exit and a PnL. When a load brings a closed row for a stored open one (same
//! signal and entry), the open one goes; an open row that comes after it was closed says nothing new
//! and is left out. A closed row for a stored signal, entry and exit must be the stored row.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::DataType;

use super::chunk::{Chunk, mismatch};
use super::columns::TRADE_OUTCOMES as COLUMNS;
use super::read::{Failure, Place, Reading, Sink};
use super::rows::{Contradiction, Merged, optional};
use super::timestamp;
use crate::error::Result;
use crate::schema::{PRICE, SOL, TRADE_OUTCOMES};

/// One outcome; ordered as the table is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Outcome {
    signal_id: Box<str>,
    entry_timestamp: Option<i64>,
    exit_timestamp: Option<i64>,
    token_address: Option<Box<str>>,
    entry_price: Option<i128>,
    exit_price: Option<i128>,
    realized_pnl_sol: Option<i128>,
}

impl Outcome {
    fn of(chunk: &Chunk, row: usize) -> Option<Self> {
        Some(Self {
            signal_id: chunk.text(0, row)?.into(),
            token_address: chunk.text(1, row).map(Into::into),
            entry_timestamp: chunk.micros(2, row),
            exit_timestamp: chunk.micros(3, row),
            entry_price: chunk.decimal(4, row),
            exit_price: chunk.decimal(5, row),
            realized_pnl_sol: chunk.decimal(6, row),
        })
    }

    fn is_open(&self) -> bool {
        self.exit_timestamp.is_none() || self.realized_pnl_sol.is_none()
    }

    /// The first column in which two outcomes of one exit differ, with both values.
    fn difference(&self, other: &Self) -> (&'static str, String, String) {
        let texts = |outcome: &Self| {
            [
                (
                    "token_address",
                    outcome
                        .token_address
                        .as_deref()
                        .unwrap_or("nothing")
                        .to_owned(),
                ),
                ("entry_price", optional(outcome.entry_price, 18)),
                ("exit_price", optional(outcome.exit_price, 18)),
                ("realized_pnl_sol", optional(outcome.realized_pnl_sol, 9)),
            ]
        };
        let pairs = texts(self).into_iter().zip(texts(other));
        let mut different = pairs.filter(|(ours, theirs)| ours != theirs);
        different.next().map_or_else(
            || {
                (
                    "signal_id",
                    self.signal_id.to_string(),
                    other.signal_id.to_string(),
                )
            },
            |((column, ours), (_, theirs))| (column, ours, theirs),
        )
    }
}

/// Outcomes of one thread, each with its place for errors.
#[derive(Default)]
pub(super) struct OutcomeCollector(Vec<(Outcome, Place)>);

impl Sink for OutcomeCollector {
    fn take(&mut self, chunk: &Chunk, place: Place) -> Result<(), Failure> {
        for row in 0..chunk.rows {
            let Some(outcome) = Outcome::of(chunk, row) else {
                continue;
            };
            if let (Some(entry), Some(exit)) = (outcome.entry_timestamp, outcome.exit_timestamp)
                && exit < entry
            {
                let found = format!(
                    "{} for signal {}",
                    timestamp::to_text(exit),
                    outcome.signal_id
                );
                let mut mismatch = mismatch(&COLUMNS.columns[3], row as u64, found);
                mismatch.expected = format!(
                    "an exit that is not before the entry at {}",
                    timestamp::to_text(entry)
                );
                return Err(Failure::Mismatch(mismatch));
            }
            let at = place.row + row as u64;
            self.0.push((outcome, Place { row: at, ..place }));
        }
        Ok(())
    }
}

/// The stored outcomes and the new ones.
pub(super) fn merge(
    stored: &RecordBatch,
    mut reading: Reading<OutcomeCollector>,
) -> Result<Merged> {
    let sinks = std::mem::take(&mut reading.sinks);
    let mut new: Vec<_> = sinks.into_iter().flat_map(|sink| sink.0).collect();
    new.sort();
    let mut duplicates = 0;
    let mut duplicate = None;
    new.dedup_by(|(later, place), (kept, _)| {
        let same = later == kept;
        if same {
            duplicates += 1;
            duplicate = duplicate.min(Some(*place)).or(Some(*place));
        }
        same
    });

    let mut trades: BTreeMap<(Box<str>, Option<i64>), Trade> = BTreeMap::new();
    let chunk = Chunk::of_stored(stored);
    for outcome in (0..chunk.rows).filter_map(|row| Outcome::of(&chunk, row)) {
        let key = (outcome.signal_id.clone(), outcome.entry_timestamp);
        trades.entry(key).or_default().stored.push(outcome);
    }
    for (outcome, place) in new {
        let key = (outcome.signal_id.clone(), outcome.entry_timestamp);
        trades.entry(key).or_default().new.push((outcome, place));
    }
    let mut contradiction: Option<Contradiction> = None;
    let mut outcomes = Vec::new();
    let mut added = 0;
    for trade in trades.into_values() {
        let earlier = contradiction
            .as_ref()
            .map(|contradiction| contradiction.place);
        match trade.contradiction() {
            Some(found) if earlier.is_none_or(|earlier| found.place < earlier) => {
                contradiction = Some(found);
            }
            _ => {}
        }
        let (merged, new_rows) = trade.merge();
        added += new_rows;
        outcomes.extend(merged);
    }
    if let Some(contradiction) = contradiction {
        return Err(contradiction.error(&reading));
    }
    outcomes.sort();
    Merged::new(
        &COLUMNS,
        table(&outcomes)?,
        added,
        reading,
        (duplicates, duplicate),
    )
}

/// The outcomes of one signal and entry.
#[derive(Default)]
struct Trade {
    stored: Vec<Outcome>,
    new: Vec<(Outcome, Place)>,
}

impl Trade {
    /// A new closed row for a stored exit whose stored rows it does not bring along.
    fn contradiction(&self) -> Option<Contradiction> {
        self.new
            .iter()
            .filter(|(outcome, _)| !outcome.is_open())
            .find_map(|(outcome, place)| {
                let same_exit = |other: &&Outcome| {
                    !other.is_open() && other.exit_timestamp == outcome.exit_timestamp
                };
                if self.stored.contains(outcome) {
                    return None;
                }
                let missing = self
                    .stored
                    .iter()
                    .filter(same_exit)
                    .find(|stored| !self.new.iter().any(|(new, _)| new == *stored))?;
                let (column, found, expected) = outcome.difference(missing);
                Some(Contradiction {
                    place: *place,
                    column,
                    found: format!("{found} for signal {}", outcome.signal_id),
                    expected: format!("{expected}, which the stored history holds for that exit"),
                })
            })
    }

    /// The rows to keep, and how many of them are new.
    fn merge(self) -> (Vec<Outcome>, u64) {
        let Self { mut stored, new } = self;
        let (mentioned, unknown): (Vec<_>, Vec<_>) = new
            .into_iter()
            .map(|(outcome, _)| outcome)
            .partition(|outcome| stored.contains(outcome));
        let (new_open, new_closed): (Vec<_>, Vec<_>) =
            unknown.into_iter().partition(Outcome::is_open);
        let was_closed = stored.iter().any(|outcome| !outcome.is_open());
        // What the new rows say of a trade under way is the later word, unless it was closed before.
        let replaces_open = !new_closed.is_empty() || (!was_closed && !new_open.is_empty());
        let keeps_new_open = replaces_open || !was_closed;
        let mut added = new_closed;
        if keeps_new_open {
            added.extend(new_open);
        }
        let added_count = added.len() as u64;
        stored
            .retain(|outcome| !(outcome.is_open() && replaces_open) || mentioned.contains(outcome));
        added.append(&mut stored);
        (added, added_count)
    }
}

fn table(outcomes: &[Outcome]) -> Result<RecordBatch> {
    let timestamps = |of: &dyn Fn(&Outcome) -> Option<i64>| -> ArrayRef {
        let values: TimestampMicrosecondArray = outcomes.iter().map(of).collect();
        Arc::new(values.with_timezone("UTC"))
    };
    let decimals = |data_type: DataType, of: &dyn Fn(&Outcome) -> Option<i128>| -> ArrayRef {
        let values: Decimal128Array = outcomes.iter().map(of).collect();
        Arc::new(values.with_data_type(data_type))
    };
    let tokens = outcomes
        .iter()
        .map(|outcome| outcome.token_address.as_deref());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(
            outcomes.iter().map(|outcome| &outcome.signal_id),
        )),
        Arc::new(StringArray::from_iter(tokens)),
        timestamps(&|outcome| outcome.entry_timestamp),
        timestamps(&|outcome| outcome.exit_timestamp),
        decimals(PRICE, &|outcome| outcome.entry_price),
        decimals(PRICE, &|outcome| outcome.exit_price),
        decimals(SOL, &|outcome| outcome.realized_pnl_sol),
    ];
    super::rows::batch(&TRADE_OUTCOMES, columns)
}

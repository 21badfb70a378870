//! Trade outcomes: rows merged by signal and entry, ordered by signal, entry and exit.
//!
//! Every row is one actual trade; several of one signal are partial exits, and two of one file that
//! say the same are two. In several files, or loaded again, a row is there as often as in the file
//! that has it most. An outcome is open until it has an exit and a PnL. When a load brings a closed row for a stored open one (same
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
use super::rows::{Contradiction, Contradictions, Earlier, Merged, optional};
use super::{Finding, OnConflict, Severity, timestamp};
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
    on_conflict: OnConflict,
) -> Result<Merged> {
    let sinks = std::mem::take(&mut reading.sinks);
    let mut new: Vec<_> = sinks.into_iter().flat_map(|sink| sink.0).collect();
    new.sort();
    let mut trades: BTreeMap<(Box<str>, Option<i64>), Trade> = BTreeMap::new();
    let chunk = Chunk::of_stored(stored);
    for outcome in (0..chunk.rows).filter_map(|row| Outcome::of(&chunk, row)) {
        let key = (outcome.signal_id.clone(), outcome.entry_timestamp);
        trades.entry(key).or_default().stored.push(outcome);
    }
    let mut duplicates = 0;
    let mut duplicate = None;
    let mut identical = Identical::default();
    for same in new.chunk_by(|(a, _), (b, _)| a == b) {
        let files: Vec<_> = same.iter().map(|(_, place)| reading.file(*place)).collect();
        let most = files.chunk_by(|a, b| a == b).map(<[usize]>::len).max();
        let most = most.unwrap_or(0);
        identical.note(same, most);
        for (outcome, place) in &same[..most] {
            let key = (outcome.signal_id.clone(), outcome.entry_timestamp);
            let trade = trades.entry(key).or_default();
            trade.united.push((outcome.clone(), *place));
        }
        for (_, place) in &same[most..] {
            duplicates += 1;
            duplicate = duplicate.min(Some(*place)).or(Some(*place));
        }
        if on_conflict != OnConflict::Refuse {
            for (outcome, place) in same {
                let key = (outcome.signal_id.clone(), outcome.entry_timestamp);
                let files = &mut trades.entry(key).or_default().by_file;
                let of_file = files.entry(reading.file(*place)).or_default();
                of_file.push((outcome.clone(), *place));
            }
        }
    }
    let mut contradictions = Contradictions::new(on_conflict);
    let mut outcomes = Vec::new();
    let mut added = 0;
    for trade in trades.into_values() {
        let before = trade.stored.clone();
        let after = trade.merge(on_conflict, &mut contradictions);
        added += without(&after, &before).len() as u64;
        outcomes.extend(after);
    }
    contradictions.check(&reading)?;
    outcomes.sort();
    let findings = identical.finding(&reading);
    let mut merged = Merged::new(
        &COLUMNS,
        table(&outcomes)?,
        added,
        reading,
        (duplicates, duplicate),
        contradictions,
    )?;
    merged.findings.extend(findings);
    Ok(merged)
}

/// Rows of one file that say the same: each is a trade of its own.
#[derive(Default)]
struct Identical {
    rows: u64,
    first: Option<Place>,
}

impl Identical {
    /// Of these rows, which say the same, so many are of one file.
    fn note(&mut self, same: &[(Outcome, Place)], most: usize) {
        let again = same.get(1..most).unwrap_or_default();
        if let Some((_, place)) = again.first() {
            self.rows += again.len() as u64;
            self.first = self.first.min(Some(*place)).or(Some(*place));
        }
    }

    fn finding<S>(&self, reading: &Reading<S>) -> Option<Finding> {
        let (file, row) = reading.locate(self.first?);
        Some(Finding {
            table_name: COLUMNS.name,
            check_name: "identical_rows",
            severity: Severity::Info,
            row_count: self.rows,
            example: format!(
                "{file}: row {row} says the same as another of the file; each is a trade of its own"
            ),
        })
    }
}

/// The outcomes of one signal and entry.
#[derive(Default)]
struct Trade {
    stored: Vec<Outcome>,
    /// Of all files together: of rows that say the same as many as the file has that has most.
    united: Vec<(Outcome, Place)>,
    /// File by file, where a later one may contradict an earlier one.
    by_file: BTreeMap<usize, Vec<(Outcome, Place)>>,
}

impl Trade {
    fn merge(self, on_conflict: OnConflict, contradictions: &mut Contradictions) -> Vec<Outcome> {
        let Self {
            mut stored,
            united,
            by_file,
        } = self;
        if on_conflict == OnConflict::Refuse {
            resolve(&mut stored, &united, on_conflict, contradictions);
            return joined(stored, united);
        }
        // As if each file were loaded after the one before.
        for (_, mut new) in by_file {
            let left_out = resolve(&mut stored, &new, on_conflict, contradictions);
            new.retain(|(_, place)| !left_out.contains(place));
            stored = joined(stored, new);
        }
        stored
    }
}

/// Looks for new closed rows of a stored exit whose stored rows they do not bring along. Takes the
/// stored ones away, or returns the places of the new ones, whichever shall not hold.
fn resolve(
    stored: &mut Vec<Outcome>,
    new: &[(Outcome, Place)],
    on_conflict: OnConflict,
    contradictions: &mut Contradictions,
) -> Vec<Place> {
    let mut left_out = Vec::new();
    let mut replaced = Vec::new();
    for (outcome, place) in new.iter().filter(|(outcome, _)| !outcome.is_open()) {
        if stored.contains(outcome) {
            continue;
        }
        let same_exit =
            |other: &&Outcome| !other.is_open() && other.exit_timestamp == outcome.exit_timestamp;
        let is_missing = |stored: &&Outcome| !new.iter().any(|(new, _)| new == *stored);
        let missing: Vec<_> = stored.iter().filter(same_exit).filter(is_missing).collect();
        let Some(first) = missing.first() else {
            continue;
        };
        let (column, later, earlier) = outcome.difference(first);
        contradictions.note(Contradiction {
            place: *place,
            column,
            of: format!(
                "the exit of signal {} at {}",
                outcome.signal_id,
                outcome
                    .exit_timestamp
                    .map_or_else(String::new, timestamp::to_text)
            ),
            later,
            earlier: Earlier::Stored(earlier),
        });
        match on_conflict {
            OnConflict::Refuse => {}
            OnConflict::Keep => left_out.push(*place),
            OnConflict::Replace => replaced.extend(missing.into_iter().cloned()),
        }
    }
    stored.retain(|outcome| !replaced.contains(outcome));
    left_out
}

/// The rows to keep of a trade's stored and new ones, which do not contradict each other.
fn joined(mut stored: Vec<Outcome>, new: Vec<(Outcome, Place)>) -> Vec<Outcome> {
    let new: Vec<_> = new.into_iter().map(|(outcome, _)| outcome).collect();
    let unknown = without(&new, &stored);
    let (new_open, new_closed): (Vec<_>, Vec<_>) = unknown.into_iter().partition(Outcome::is_open);
    let was_closed = stored.iter().any(|outcome| !outcome.is_open());
    // What the new rows say of a trade under way is the later word, unless it was closed before.
    let replaces_open = !new_closed.is_empty() || (!was_closed && !new_open.is_empty());
    let keeps_new_open = replaces_open || !was_closed;
    stored.retain(|outcome| !(outcome.is_open() && replaces_open) || new.contains(outcome));
    stored.extend(new_closed);
    if keeps_new_open {
        stored.extend(new_open);
    }
    stored
}

/// The rows that are there and, one for one, not among the others.
fn without(rows: &[Outcome], others: &[Outcome]) -> Vec<Outcome> {
    let mut others: Vec<_> = others.iter().collect();
    let mut left = Vec::new();
    for row in rows {
        match others.iter().position(|other| *other == row) {
            Some(position) => drop(others.swap_remove(position)),
            None => left.push(row.clone()),
        }
    }
    left
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

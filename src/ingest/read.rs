//! Reading: inputs become units of work, threads turn units into chunks and hand them to their sinks.
//!
//! A unit is a row group of a Parquet file or a block of records of text. Units are taken in
//! the order of the inputs. Of several errors the first in that order is reported: every unit before
//! a failed one is still read, which is also what tells the row number of the failure.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::builder::ChunkBuilder;
use super::chunk::{Chunk, Mismatch, Note, Passed};
use super::columns::Table;
use super::folders::Claims;
use super::input::Input;
use super::names::{BadHeader, Unused};
use super::notes::{self, Notes};
use super::queue::{Next, Queue, Units, Work};
use super::{Finding, Phase, Progress, csv, json, sources};
use crate::error::{Error, InputRow, Result};

/// Takes the checked rows of one thread.
pub(super) trait Sink: Send {
    fn take(&mut self, chunk: &Chunk, place: Place) -> Result<(), Failure>;

    /// All rows of a unit were taken.
    fn unit_read(&mut self, _unit: u64) -> Result<(), Failure> {
        Ok(())
    }
}

/// Where rows come from: those of a chunk follow each other from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) unit: u64,
    /// In the unit, from 0.
    pub(super) row: u64,
}

impl Place {
    /// In one number, in the same order.
    pub(super) fn packed(self) -> u64 {
        self.unit << 32 | self.row & u64::from(u32::MAX)
    }

    pub(super) fn unpacked(packed: u64) -> Self {
        Self {
            unit: packed >> 32,
            row: packed & u64::from(u32::MAX),
        }
    }
}

/// What reading the files of one table gave.
pub(super) struct Reading<S> {
    pub(super) sinks: Vec<S>,
    pub(super) rows: u64,
    /// What was odd about values and columns.
    pub(super) findings: Vec<Finding>,
    /// Whether some timestamps had a zone, and some had none.
    pub(super) zones: notes::Zones,
    units: Units,
    files: Vec<String>,
}

impl<S> Reading<S> {
    /// What is known of the rows, without what took them.
    pub(super) fn without_sinks(self) -> Reading<()> {
        Reading {
            sinks: Vec::new(),
            rows: self.rows,
            findings: self.findings,
            zones: self.zones,
            units: self.units,
            files: self.files,
        }
    }

    /// The position of the file of a place among the inputs.
    pub(super) fn file(&self, place: Place) -> usize {
        self.units.input(place)
    }

    /// The file and the row of a place.
    pub(super) fn locate(&self, place: Place) -> (String, InputRow) {
        self.units.locate(&self.files, place)
    }
}

/// Reads all inputs, with one sink for each thread.
pub(super) fn read<S: Sink>(
    inputs: &[Input],
    table: &'static Table,
    sink: impl Fn() -> S + Sync,
    progress: &dyn Progress,
) -> Result<Reading<S>> {
    let names: Vec<_> = inputs.iter().map(Input::name).collect();
    let queue = Mutex::new(Queue::new(table, inputs, progress));
    let failures = Failures::default();
    let threads = rayon::current_num_threads();
    let outputs: Vec<Worker<S>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut worker = Worker::new(table, sink());
                    worker.run(&queue, &failures, progress);
                    worker
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    let Queue {
        mut units, unused, ..
    } = queue.into_inner().unwrap_or_else(PoisonError::into_inner);
    for worker in &outputs {
        for (unit, rows) in &worker.unit_rows {
            units.set_rows(*unit, *rows);
        }
        for (unit, passed) in &worker.unit_passed {
            units.set_passed(*unit, passed.clone());
        }
    }
    if let Some((place, failure)) = failures.first() {
        return Err(match failure {
            Failure::Mismatch(mismatch) => {
                let row = place.row + mismatch.row;
                let (file, row) = units.locate(&names, Place { row, ..place });
                let error = Error::InputValue {
                    file,
                    row,
                    column: mismatch.column.into_owned(),
                    found: mismatch.found,
                    expected: mismatch.expected,
                };
                match mismatch.hint {
                    Some(hint) => error.hinted(hint),
                    None => error,
                }
            }
            failure => failure.into_error(units.file(&names, place)),
        });
    }
    let mut notes = Notes::new(table);
    for (file, unused) in unused {
        let name = names.get(file).map_or("", String::as_str);
        notes.add_unused(name, &unused.name, unused.near);
    }
    for worker in &outputs {
        for (place, note) in &worker.notes {
            notes.add(*place, note);
        }
        for (place, key) in &worker.unused {
            notes.add_unused(&units.file(&names, *place), &key.name, key.near);
        }
        for (unit, passed) in &worker.unit_passed {
            let place = Place {
                unit: *unit,
                row: 0,
            };
            notes.add_headers(&units.file(&names, place), passed.headers);
        }
    }
    let zones = notes.zones();
    let mut findings = notes.findings(|place| units.locate(&names, place));
    // A query finds nothing new on most days, a file is there for its rows.
    let empty = inputs.iter().enumerate().filter(|(position, input)| {
        matches!(input, Input::File(_)) && units.rows_of(*position) == 0
    });
    let empty: Vec<_> = empty.map(|(_, input)| input.name()).collect();
    findings.extend(sources::empty_files(table, &empty, inputs.len()));
    Ok(Reading {
        rows: outputs
            .iter()
            .flat_map(|worker| &worker.unit_rows)
            .map(|(_, rows)| rows)
            .sum(),
        sinks: outputs.into_iter().map(|worker| worker.sink).collect(),
        findings,
        zones,
        units,
        files: names,
    })
}

/// Why a unit could not be read.
pub(super) enum Failure {
    /// Its row counts from the beginning of the chunk.
    Mismatch(Mismatch),
    /// What was found in a file, what was expected, and the way out.
    File(String, String, Option<String>),
    Other(Error),
}

impl Failure {
    pub(super) fn file(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::File(found.into(), expected.into(), None)
    }

    /// The error of a file as a whole.
    pub(super) fn into_error(self, file: String) -> Error {
        let (found, expected, hint) = match self {
            Self::File(found, expected, hint) => (found, expected, hint),
            Self::Mismatch(mismatch) => (mismatch.found, mismatch.expected, mismatch.hint),
            Self::Other(error) => return error,
        };
        let error = Error::InputFile {
            file,
            found,
            expected,
        };
        match hint {
            Some(hint) => error.hinted(hint),
            None => error,
        }
    }

    /// A file that turned out not to have what it must have.
    pub(super) fn of_header(bad: BadHeader) -> Self {
        Self::File(bad.found, bad.expected, bad.hint)
    }
}

/// The earliest failure so far.
#[derive(Default)]
struct Failures {
    first: Mutex<Option<(Place, Failure)>>,
    /// 1 + the unit of the earliest failure; 0 for none.
    unit: AtomicU64,
}

impl Failures {
    fn add(&self, place: Place, failure: Failure) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|(earliest, _)| place < *earliest) {
            self.unit.store(place.unit + 1, Ordering::Relaxed);
            *first = Some((place, failure));
        }
    }

    /// Whether a unit comes after a failed one, so that nobody needs it.
    fn is_behind(&self, unit: u64) -> bool {
        let failed = self.unit.load(Ordering::Relaxed);
        failed > 0 && unit + 1 > failed
    }

    fn any(&self) -> bool {
        self.unit.load(Ordering::Relaxed) > 0
    }

    fn first(self) -> Option<(Place, Failure)> {
        self.first
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

struct Worker<S> {
    table: &'static Table,
    sink: S,
    /// Of the unit that is read.
    claims: Arc<Claims>,
    unit_rows: Vec<(u64, u64)>,
    /// Of units whose lines are lines of a file.
    unit_passed: Vec<(u64, Passed)>,
    notes: Vec<(Place, Note)>,
    /// Keys of JSON objects that are no columns, each with a place that has it.
    unused: Vec<(Place, Unused)>,
}

impl<S: Sink> Worker<S> {
    fn new(table: &'static Table, sink: S) -> Self {
        Self {
            table,
            sink,
            claims: Arc::default(),
            unit_rows: Vec::new(),
            unit_passed: Vec::new(),
            notes: Vec::new(),
            unused: Vec::new(),
        }
    }

    fn run(&mut self, queue: &Mutex<Queue<'_>>, failures: &Failures, progress: &dyn Progress) {
        loop {
            // A failure stops the queue; units already taken are read to their end.
            if failures.any() {
                return;
            }
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(Next { unit, claims, work }) = next else {
                return;
            };
            self.claims = claims;
            if progress.should_stop() {
                failures.add(Place { unit: 0, row: 0 }, Failure::Other(Error::Cancelled));
                return;
            }
            let mut place = Place { unit, row: 0 };
            let done = work
                .and_then(|work| self.read_unit(work, &mut place, failures, progress))
                .and_then(|()| self.sink.unit_read(unit));
            match done {
                Ok(()) => self.unit_rows.push((unit, place.row)),
                Err(failure) => failures.add(place, failure),
            }
        }
    }

    fn read_unit(
        &mut self,
        work: Work,
        place: &mut Place,
        failures: &Failures,
        progress: &dyn Progress,
    ) -> Result<(), Failure> {
        match work {
            Work::Empty => Ok(()),
            Work::Csv {
                block,
                from,
                header,
            } => {
                let mut chunk = ChunkBuilder::new(self.table, header.rounding);
                let head = memchr::memchr_iter(b'\n', &block[..from]).count();
                if head > 0 {
                    chunk.pass_lines(head as u64);
                }
                let done = csv::append_records(&block[from..], &header, self.table, &mut chunk);
                self.take_built(chunk, done, header.has_lines, place)
            }
            Work::Ndjson {
                block,
                shape,
                is_numbered,
            } => {
                let mut chunk = ChunkBuilder::new(self.table, shape.options.rounding());
                let done = json::append_lines(&block, is_numbered, self.table, &shape, &mut chunk);
                self.take_built(chunk, done, true, place)
            }
            Work::RowGroup { file, row_group } => {
                for batch in file.read(row_group).map_err(Failure::of_header)? {
                    if failures.is_behind(place.unit) {
                        return Ok(());
                    }
                    if progress.should_stop() {
                        return Err(Failure::Other(Error::Cancelled));
                    }
                    let expected = "a Parquet file that can be read";
                    let batch =
                        batch.map_err(|error| Failure::file(error.to_string(), expected))?;
                    let chunk = file.chunk(&batch).map_err(Failure::Mismatch)?;
                    self.take(&chunk, place)?;
                }
                progress.advance(Phase::Reading, file.row_group_bytes(row_group));
                Ok(())
            }
        }
    }

    /// Takes the rows of a text, or those before the first that is wrong.
    fn take_built(
        &mut self,
        chunk: ChunkBuilder,
        done: Result<(), Mismatch>,
        has_lines: bool,
        place: &mut Place,
    ) -> Result<(), Failure> {
        if let Err(mismatch) = done {
            if has_lines {
                self.unit_passed.push((place.unit, chunk.into_passed()));
            }
            return Err(Failure::Mismatch(mismatch));
        }
        let mut chunk = chunk.finish();
        if has_lines {
            let passed = std::mem::take(&mut chunk.passed);
            self.unit_passed.push((place.unit, passed));
        }
        self.take(&chunk, place)
    }

    fn take(&mut self, chunk: &Chunk, place: &mut Place) -> Result<(), Failure> {
        for note in &chunk.notes {
            let row = place.row + note.row;
            self.notes.push((Place { row, ..*place }, note.clone()));
        }
        for key in &chunk.unused {
            if !self.unused.iter().any(|(_, known)| known.name == key.name) {
                self.unused.push((*place, key.clone()));
            }
        }
        let told = self.claims.check(self.table, chunk);
        told.map_err(Failure::Mismatch)?;
        self.sink.take(chunk, *place)?;
        place.row += chunk.rows as u64;
        Ok(())
    }
}

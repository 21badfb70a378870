//! Loading a history: files or a database → checked, exact, sorted rows → a new dataset generation.
//!
//! Every value is checked and every number kept exactly; one wrong value and nothing is loaded. Rows
//! merge with what the workspace holds already: the same rows change nothing, new rows are added, an
//! outcome that has closed replaces its open self, and a row that contradicts the stored history or
//! an earlier row is an error, unless the request says which of the two holds. What is odd but usable becomes a row of `data_quality`. The result depends on the rows
//! alone, not on their order, their files or the number of threads.

pub mod synthetic;

mod blocks;
mod builder;
mod cells;
mod chunk;
mod columns;
mod conflict;
mod convert;
mod csv;
mod decimal;
mod division;
mod explain;
mod files;
mod flow;
mod folders;
mod input;
mod json;
mod mantissas;
mod merge;
mod names;
mod near;
mod notes;
mod others;
mod outcomes;
mod parquet;
mod postgres;
mod prices;
mod probes;
mod quality;
mod queue;
mod read;
mod room;
mod rows;
mod signals;
mod sources;
mod spill;
mod stream;
mod text;
mod timestamp;
mod unite;
mod values;

#[cfg(test)]
mod tests;

use std::path::Path;

use crate::configuration;
use crate::dataset::GenerationWriter;
use crate::error::{Error, Result};

pub use conflict::OnConflict;
pub use files::{Delimiter, InputFormat, ReadOptions};
pub use names::ColumnName;
pub use postgres::{DatabaseRequest, Period, Window};

use flow::Flow;
use input::Inputs;
use merge::MergeError;
use outcomes::OutcomeCollector;
use probes::Probes;
use signals::SignalCollector;

/// What to load: for each table any number of files, directories and glob patterns.
#[derive(Debug, Clone, Default)]
pub struct LoadRequest {
    pub signals: Vec<String>,
    pub prices: Vec<String>,
    pub trades: Vec<String>,
    /// What holds where rows contradict each other.
    pub on_conflict: OnConflict,
    /// How the files are read where they do not tell themselves.
    pub reading: ReadOptions,
}

/// What a load did.
#[derive(Debug, Clone)]
pub struct LoadSummary {
    /// The current generation after it.
    pub generation: u64,
    /// Whether it made that generation; where it brought nothing new, nothing was written.
    pub is_new: bool,
    pub fingerprint: String,
    pub signals: RowCounts,
    pub prices: RowCounts,
    pub trade_outcomes: RowCounts,
    /// The rows of `data_quality`.
    pub findings: Vec<Finding>,
    /// Rows of a database that were not read, since the dataset holds as many of their days.
    pub unread: u64,
    /// Which days of a database were read, where not all were.
    pub windows: Vec<Window>,
}

impl LoadSummary {
    /// The rows of each table, by its name.
    pub fn rows(&self) -> [(&'static str, RowCounts); 3] {
        [
            (columns::SIGNALS.name, self.signals),
            (columns::TOKEN_PRICES.name, self.prices),
            (columns::TRADE_OUTCOMES.name, self.trade_outcomes),
        ]
    }
}

/// Rows of one table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// In the files of this load, or read from its database.
    pub read: u64,
    /// In the dataset that had not been there before.
    pub added: u64,
    /// In the dataset now.
    pub total: u64,
    /// Those that contradicted a stored or an earlier one, and took its place or were left out.
    pub contradicting: u64,
}

/// Something odd but usable: a row of `data_quality`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub table_name: &'static str,
    pub check_name: &'static str,
    pub severity: Severity,
    pub row_count: u64,
    pub example: String,
}

/// How much a finding should worry the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Info,
    Warning,
}

impl Severity {
    /// The word in `data_quality`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
        }
    }
}

/// A part of a load, in order; its progress is counted in `unit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Asking a database which days are new; takes a while, and cannot say how long.
    Comparing,
    /// Reading and checking input files, in bytes.
    Reading,
    /// Reading and checking the rows of a database; their total is an estimate.
    Receiving,
    /// Sorting, merging and writing prices, in rows.
    Writing,
}

/// Listens to a load, and may stop it. Called from several threads.
pub trait Progress: Sync {
    /// A phase begins; `total` is known in advance.
    fn begin(&self, phase: Phase, total: u64);
    /// So much more of the phase is done.
    fn advance(&self, phase: Phase, amount: u64);
    /// Whether to stop: the load then ends with [`crate::error::Error::Cancelled`] and leaves no trace.
    fn should_stop(&self) -> bool {
        false
    }
}

/// Nobody listens.
#[derive(Debug, Clone, Copy)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _: Phase, _: u64) {}
    fn advance(&self, _: Phase, _: u64) {}
}

/// Loads files into the workspace, which is made if it is not there.
pub fn load(
    workspace: &Path,
    request: &LoadRequest,
    progress: &dyn Progress,
) -> Result<LoadSummary> {
    load_within(workspace, request, progress, PRICES_MEMORY_BYTES)
}

/// Prices held in memory before they move to a temporary file; vectors that grow may take twice that.
const PRICES_MEMORY_BYTES: usize = 512 << 20;

/// [`load`] with another limit on the memory for prices.
fn load_within(
    workspace: &Path,
    request: &LoadRequest,
    progress: &dyn Progress,
    prices_memory_bytes: usize,
) -> Result<LoadSummary> {
    let mut inputs = Inputs::of_files(request)?;
    let generation = GenerationWriter::begin(workspace)?;
    inputs.copy_streams(generation.directory(), progress)?;
    progress.begin(Phase::Reading, inputs.file_bytes());
    let on_conflict = request.on_conflict;
    write(
        generation,
        &inputs,
        Vec::new(),
        on_conflict,
        progress,
        prices_memory_bytes,
    )
}

/// Loads the tables of a live PostgreSQL into the workspace, those rows that it does not hold yet.
pub fn load_database(
    workspace: &Path,
    request: &DatabaseRequest,
    progress: &dyn Progress,
) -> Result<LoadSummary> {
    let ranges = configuration::ranges(workspace)?;
    let database = postgres::Database::open(request, progress)?;
    let generation = GenerationWriter::begin(workspace)?;
    let selected = database.select(generation.previous(), &ranges, progress)?;
    progress.begin(Phase::Receiving, selected.inputs.query_rows());
    let summary = write(
        generation,
        &selected.inputs,
        database.findings(),
        request.on_conflict,
        progress,
        PRICES_MEMORY_BYTES,
    )?;
    Ok(LoadSummary {
        unread: selected.unread,
        windows: selected.windows,
        ..summary
    })
}

/// Reads the inputs, merges them with what is stored, and makes the next generation of it.
fn write(
    generation: GenerationWriter,
    inputs: &Inputs,
    of_source: Vec<Finding>,
    on_conflict: OnConflict,
    progress: &dyn Progress,
    prices_memory_bytes: usize,
) -> Result<LoadSummary> {
    let stored = generation.previous();

    let reading = read::read(
        &inputs.signals,
        &columns::SIGNALS,
        SignalCollector::default,
        progress,
    )?;
    let mut zones = vec![reading.zones];
    let signals = signals::merge(&stored.signals, reading, on_conflict)?;
    let reading = read::read(
        &inputs.outcomes,
        &columns::TRADE_OUTCOMES,
        OutcomeCollector::default,
        progress,
    )?;
    zones.push(reading.zones);
    let outcomes = outcomes::merge(&stored.trade_outcomes, reading, on_conflict)?;

    let probes = Probes::new(&signals.table, &outcomes.table);
    let flow = Flow::new(
        &inputs.prices,
        &generation,
        &probes,
        prices_memory_bytes,
        on_conflict,
        progress,
    )?;
    let reading = read::read(
        &inputs.prices,
        &columns::TOKEN_PRICES,
        || flow.sink(),
        progress,
    )?
    .without_sinks();
    zones.push(reading.zones);
    let prices = match flow.finish() {
        Ok(prices) => prices,
        Err(MergeError::Conflict(conflict)) => {
            let error = conflict::locate(&conflict, &inputs.prices, progress);
            return Err(match reading.zones.absent {
                true => error.hinted("the timestamps have no zone and were read as UTC"),
                false => error,
            });
        }
        Err(MergeError::Other(error)) => return Err(error),
    };

    let mut findings = of_source;
    findings.extend(signals.findings);
    findings.extend(quality::check_signals(
        &signals.table,
        &prices.last_timestamps,
    ));
    let corrections = &prices.corrections;
    findings.extend(corrections.finding(on_conflict, |place| reading.locate(place)));
    findings.extend(probes::range_finding(&signals.table, prices.answers.span));
    findings.extend(reading.findings);
    findings.extend(prices.checks.findings());
    findings.extend(prices.answers.findings());
    findings.extend(outcomes.findings);
    findings.extend(quality::check_outcomes(&outcomes.table, &signals.table));
    for (table_name, paths) in &inputs.not_read {
        findings.push(sources::not_read(table_name, paths));
    }
    // Where others say their zone, those that do not are easily hours off.
    if zones.iter().any(|zones| zones.given) {
        for finding in &mut findings {
            if finding.check_name == notes::WITHOUT_ZONE {
                finding.severity = Severity::Warning;
            }
        }
    }
    inputs.remove_copies();
    let quality = quality::table(&findings)?;
    if progress.should_stop() {
        return Err(Error::Cancelled);
    }
    let committed = generation.commit(prices.prices, &signals.table, &outcomes.table, &quality)?;
    Ok(LoadSummary {
        generation: committed.generation,
        is_new: committed.is_new,
        fingerprint: committed.fingerprint,
        signals: signals.rows,
        prices: RowCounts {
            read: reading.rows,
            added: prices.added,
            total: prices.total,
            contradicting: prices.corrections.rows,
        },
        trade_outcomes: outcomes.rows,
        findings,
        unread: 0,
        windows: Vec::new(),
    })
}

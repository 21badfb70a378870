//! Where the rows of a table come from: files, or a table of a database.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::columns::{SIGNALS, TOKEN_PRICES, TRADE_OUTCOMES, Table};
use super::decimal::Rounding;
use super::files::{self, InputFile};
use super::postgres::Query;
use super::{LoadRequest, Phase, Progress, stream};
use crate::error::{Error, Result};
use crate::store::source::Copy;

/// One source of rows.
#[derive(Clone)]
pub(super) enum Input {
    File(InputFile),
    Query(Query),
}

impl Input {
    /// The name errors show.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(file) => file.name(),
            Self::Query(query) => query.place.clone(),
        }
    }

    /// How far its prices may be moved.
    pub(super) fn rounding(&self) -> Rounding {
        match self {
            Self::File(file) => file.shape.options.rounding(),
            Self::Query(query) => query.rounding,
        }
    }
}

/// The inputs of a load, by table.
#[derive(Default)]
pub(super) struct Inputs {
    pub(super) signals: Vec<Input>,
    pub(super) prices: Vec<Input>,
    pub(super) outcomes: Vec<Input>,
    /// What lies in directories that were named, and is not read.
    pub(super) not_read: Vec<(&'static str, Vec<PathBuf>)>,
    /// Copies of what can be read only once.
    copies: Vec<PathBuf>,
}

impl Inputs {
    /// The files that a request names.
    pub(super) fn of_files(request: &LoadRequest) -> Result<Self> {
        let options = Arc::new(request.reading.clone());
        let mut inputs = Self::default();
        let mut tables: Vec<&Table> = Vec::new();
        for (table, names, files) in [
            (&SIGNALS, &request.signals, &mut inputs.signals),
            (&TOKEN_PRICES, &request.prices, &mut inputs.prices),
            (&TRADE_OUTCOMES, &request.trades, &mut inputs.outcomes),
        ] {
            let found = files::find(names, &options)?;
            if !found.files.is_empty() {
                tables.push(table);
            }
            if !found.not_read.is_empty() {
                inputs.not_read.push((table.name, found.not_read));
            }
            files.extend(found.files.into_iter().map(Input::File));
        }
        if tables.is_empty() {
            return Err(Error::Usage(
                "nothing to load: name files of signals, prices or trades".into(),
            ));
        }
        for column in &options.columns {
            column.check(&tables)?;
        }
        let is_standard_input =
            |input: &&Input| matches!(input, Input::File(file) if file.is_standard_input());
        if inputs.all().filter(is_standard_input).count() > 1 {
            return Err(Error::Usage(
                "standard input holds one table: - can be given once".into(),
            ));
        }
        Ok(inputs)
    }

    /// Copies what can be read only once into a directory.
    pub(super) fn copy_streams(&mut self, directory: &Path, progress: &dyn Progress) -> Result<()> {
        for (table, inputs) in [
            (&SIGNALS, &mut self.signals),
            (&TOKEN_PRICES, &mut self.prices),
            (&TRADE_OUTCOMES, &mut self.outcomes),
        ] {
            for input in inputs {
                let Input::File(file) = input else {
                    continue;
                };
                if file.is_stream() {
                    let copy = directory.join(format!("input-{}.tmp", self.copies.len()));
                    self.copies.push(copy.clone());
                    stream::copy(file, table, copy, progress)?;
                }
            }
        }
        Ok(())
    }

    /// Removes the copies, once they have been read.
    pub(super) fn remove_copies(&self) {
        for copy in &self.copies {
            // If it stays, it is in a directory that the next load clears.
            let _ = std::fs::remove_file(copy);
        }
    }

    fn all(&self) -> impl Iterator<Item = &Input> {
        self.signals
            .iter()
            .chain(&self.prices)
            .chain(&self.outcomes)
    }

    /// The compressed bytes of the files, for progress.
    pub(super) fn file_bytes(&self) -> u64 {
        let sizes = self.all().filter_map(|input| match input {
            Input::File(file) => std::fs::metadata(&file.path).ok(),
            Input::Query(_) => None,
        });
        sizes.map(|metadata| metadata.len()).sum()
    }

    /// About how many rows the queries give, for progress.
    pub(super) fn query_rows(&self) -> u64 {
        let rows = self.all().map(|input| match input {
            Input::File(_) => 0,
            Input::Query(query) => query.expected_rows,
        });
        rows.sum()
    }
}

/// Text that arrives from a database; stops when the load is to stop.
pub(super) struct Arriving<'p> {
    copy: Copy,
    piece: Vec<u8>,
    taken: usize,
    progress: &'p dyn Progress,
}

impl<'p> Arriving<'p> {
    pub(super) fn new(copy: Copy, progress: &'p dyn Progress) -> Self {
        Self {
            copy,
            piece: Vec::new(),
            taken: 0,
            progress,
        }
    }
}

impl Read for Arriving<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.piece.len() {
            let piece = self.copy.next(&|| self.progress.should_stop());
            let Some(piece) = piece.map_err(io::Error::other)? else {
                return Ok(0);
            };
            self.progress.advance(Phase::Receiving, piece.rows);
            self.piece = piece.text;
            self.taken = 0;
        }
        let rest = &self.piece[self.taken..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.taken += length;
        Ok(length)
    }
}

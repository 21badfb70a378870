//! Where the rows of a table come from: files, or a table of a database.

use std::io::{self, Read};

use super::files::{self, InputFile};
use super::postgres::Query;
use super::{LoadRequest, Phase, Progress};
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
}

/// The inputs of a load, by table.
pub(super) struct Inputs {
    pub(super) signals: Vec<Input>,
    pub(super) prices: Vec<Input>,
    pub(super) outcomes: Vec<Input>,
}

impl Inputs {
    /// The files that a request names.
    pub(super) fn of_files(request: &LoadRequest) -> Result<Self> {
        let find = |inputs: &[String]| -> Result<Vec<Input>> {
            Ok(files::find(inputs)?.into_iter().map(Input::File).collect())
        };
        let inputs = Self {
            signals: find(&request.signals)?,
            prices: find(&request.prices)?,
            outcomes: find(&request.trades)?,
        };
        if inputs.all().next().is_none() {
            return Err(Error::Usage(
                "nothing to load: name files of signals, prices or trades".into(),
            ));
        }
        Ok(inputs)
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

//! The units of work of the inputs, in their order: row groups, and blocks of records.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use super::blocks::Blocks;
use super::columns::Table;
use super::csv::Header;
use super::files::{Compression, Format, InputFile};
use super::input::{Arriving, Input};
use super::parquet::ParquetFile;
use super::postgres::Query;
use super::read::{Failure, Place};
use super::{Phase, Progress};
use crate::error::Error;

/// One unit of work.
pub(super) enum Work {
    /// A file without rows.
    Empty,
    Csv {
        block: Vec<u8>,
        from: usize,
        header: Header,
    },
    Ndjson {
        block: Vec<u8>,
    },
    RowGroup {
        file: ParquetFile,
        row_group: usize,
    },
}

/// Hands out the units of all inputs in order; reading text happens here, one thread at a time.
pub(super) struct Queue<'p> {
    table: &'static Table,
    progress: &'p dyn Progress,
    inputs: VecDeque<(usize, Input)>,
    open: Option<(usize, OpenInput<'p>)>,
    pub(super) units: Units,
}

enum OpenInput<'p> {
    Parquet {
        file: ParquetFile,
        next: usize,
    },
    Csv {
        blocks: TextBlocks<'p>,
        header: Option<Header>,
        /// Where the text comes from a database: what is known of its columns.
        query: Option<Query>,
    },
    Ndjson {
        blocks: TextBlocks<'p>,
    },
}

type TextBlocks<'p> = Blocks<Box<dyn Read + Send + 'p>>;

impl<'p> Queue<'p> {
    pub(super) fn new(table: &'static Table, inputs: &[Input], progress: &'p dyn Progress) -> Self {
        Self {
            table,
            progress,
            inputs: inputs.iter().cloned().enumerate().collect(),
            open: None,
            units: Units::default(),
        }
    }

    /// The next unit with its number; `None` after the last.
    pub(super) fn next(&mut self) -> Option<(u64, Result<Work, Failure>)> {
        loop {
            if let Some((file, open)) = &mut self.open {
                let file = *file;
                match open.next(self.table) {
                    Ok(Some(work)) => return Some((self.units.add(file), Ok(work))),
                    Ok(None) => self.open = None,
                    Err(failure) => {
                        self.open = None;
                        return Some((self.units.add(file), Err(failure)));
                    }
                }
            }
            let (index, input) = self.inputs.pop_front()?;
            let open = match input {
                Input::File(file) => self.open_file(&file),
                Input::Query(query) => Ok(self.run(query)),
            };
            match open {
                Ok(open) => self.open = Some((index, open)),
                Err(failure) => return Some((self.units.add(index), Err(failure))),
            }
        }
    }

    fn run(&self, query: Query) -> OpenInput<'p> {
        let text = Box::new(Arriving::new(query.run(), self.progress));
        OpenInput::Csv {
            blocks: Blocks::new(text, true),
            header: None,
            query: Some(query),
        }
    }

    fn open_file(&self, input: &InputFile) -> Result<OpenInput<'p>, Failure> {
        if input.format == Format::Parquet {
            let file = ParquetFile::open(&input.path, self.table).map_err(refused)?;
            return Ok(OpenInput::Parquet { file, next: 0 });
        }
        let file = File::open(&input.path).map_err(unreadable)?;
        let counted = Counted {
            file,
            progress: self.progress,
        };
        let text: Box<dyn Read + Send + 'p> = match input.compression {
            Compression::None => Box::new(counted),
            Compression::Gzip => Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(
                1 << 16,
                counted,
            ))),
            Compression::Zstd => Box::new(zstd::Decoder::new(counted).map_err(unreadable)?),
        };
        Ok(match input.format {
            Format::Csv => OpenInput::Csv {
                blocks: Blocks::new(text, true),
                header: None,
                query: None,
            },
            _ => OpenInput::Ndjson {
                blocks: Blocks::new(text, false),
            },
        })
    }
}

impl OpenInput<'_> {
    fn next(&mut self, table: &'static Table) -> Result<Option<Work>, Failure> {
        match self {
            Self::Parquet { file, next } => {
                let row_group = *next;
                *next += 1;
                Ok((row_group < file.row_groups()).then(|| Work::RowGroup {
                    file: file.clone(),
                    row_group,
                }))
            }
            Self::Csv {
                blocks,
                header,
                query,
            } => {
                let block = blocks.next_block().map_err(unreadable)?;
                let (header, block, from) = match (header, block) {
                    (Some(header), Some(block)) => (&*header, block, 0),
                    (Some(_), None) => return Ok(None),
                    (slot, block) => {
                        let block = block.unwrap_or_default();
                        let (mut read, from) = Header::read(&block, table).map_err(refused)?;
                        if let Some(query) = query {
                            read.describe(table, &query.floats, query.keys);
                        }
                        (&*slot.insert(read), block, from)
                    }
                };
                Ok(Some(match from == block.len() {
                    true => Work::Empty,
                    false => Work::Csv {
                        block,
                        from,
                        header: header.clone(),
                    },
                }))
            }
            Self::Ndjson { blocks } => {
                let block = blocks.next_block().map_err(unreadable)?;
                Ok(block.map(|block| Work::Ndjson { block }))
            }
        }
    }
}

/// What a file turned out to be instead: what was found, and what was expected.
fn refused((found, expected): (String, String)) -> Failure {
    Failure::File(found, expected)
}

/// A database says itself what is wrong, inside the error of the text that it sends.
fn unreadable(error: io::Error) -> Failure {
    match error.downcast::<Error>() {
        Ok(error) => Failure::Other(error),
        Err(error) => Failure::File(error.to_string(), "a file that can be read".to_owned()),
    }
}

/// Tells how much of a file has been read.
struct Counted<'p> {
    file: File,
    progress: &'p dyn Progress,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.progress.advance(Phase::Reading, read as u64);
        Ok(read)
    }
}

/// The files units came from and how many rows each had.
#[derive(Debug, Default)]
pub(super) struct Units(Vec<(usize, u64)>);

impl Units {
    fn add(&mut self, file: usize) -> u64 {
        self.0.push((file, 0));
        self.0.len() as u64 - 1
    }

    pub(super) fn set_rows(&mut self, unit: u64, rows: u64) {
        if let Some(entry) = self.0.get_mut(unit as usize) {
            entry.1 = rows;
        }
    }

    /// The position of the file among the inputs.
    pub(super) fn input(&self, place: Place) -> usize {
        self.0.get(place.unit as usize).map_or(0, |(file, _)| *file)
    }

    pub(super) fn file(&self, names: &[String], place: Place) -> String {
        names.get(self.input(place)).cloned().unwrap_or_default()
    }

    pub(super) fn locate(&self, names: &[String], place: Place) -> (String, u64) {
        let file = self.input(place);
        let units = self.0.iter().take(place.unit as usize);
        let before: u64 = units
            .filter(|(of, _)| *of == file)
            .map(|(_, rows)| rows)
            .sum();
        (self.file(names, place), before + place.row + 1)
    }
}

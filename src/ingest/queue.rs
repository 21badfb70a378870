//! The units of work of the input files, in their order: row groups, and blocks of records.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use super::blocks::Blocks;
use super::columns::Table;
use super::csv::Header;
use super::files::{Compression, Format, InputFile};
use super::parquet::ParquetFile;
use super::read::Place;
use super::{Phase, Progress};

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

/// What a file turned out to be instead: what was found, and what was expected.
pub(super) type Refused = (String, String);

/// Hands out the units of all files in order; reading text happens here, one thread at a time.
pub(super) struct Queue<'p> {
    table: &'static Table,
    progress: &'p dyn Progress,
    files: VecDeque<(usize, InputFile)>,
    open: Option<(usize, OpenFile<'p>)>,
    pub(super) units: Units,
}

enum OpenFile<'p> {
    Parquet {
        file: ParquetFile,
        next: usize,
    },
    Csv {
        blocks: TextBlocks<'p>,
        header: Option<Header>,
    },
    Ndjson {
        blocks: TextBlocks<'p>,
    },
}

type TextBlocks<'p> = Blocks<Box<dyn Read + Send + 'p>>;

impl<'p> Queue<'p> {
    pub(super) fn new(
        table: &'static Table,
        files: &[InputFile],
        progress: &'p dyn Progress,
    ) -> Self {
        Self {
            table,
            progress,
            files: files.iter().cloned().enumerate().collect(),
            open: None,
            units: Units::default(),
        }
    }

    /// The next unit with its number; `None` after the last.
    pub(super) fn next(&mut self) -> Option<(u64, Result<Work, Refused>)> {
        loop {
            if let Some((file, open)) = &mut self.open {
                let file = *file;
                match open.next(self.table) {
                    Ok(Some(work)) => return Some((self.units.add(file), Ok(work))),
                    Ok(None) => self.open = None,
                    Err(refused) => {
                        self.open = None;
                        return Some((self.units.add(file), Err(refused)));
                    }
                }
            }
            let (index, file) = self.files.pop_front()?;
            match self.open_file(&file) {
                Ok(open) => self.open = Some((index, open)),
                Err(refused) => return Some((self.units.add(index), Err(refused))),
            }
        }
    }

    fn open_file(&self, input: &InputFile) -> Result<OpenFile<'p>, Refused> {
        if input.format == Format::Parquet {
            let file = ParquetFile::open(&input.path, self.table)?;
            return Ok(OpenFile::Parquet { file, next: 0 });
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
            Format::Csv => OpenFile::Csv {
                blocks: Blocks::new(text, true),
                header: None,
            },
            _ => OpenFile::Ndjson {
                blocks: Blocks::new(text, false),
            },
        })
    }
}

impl OpenFile<'_> {
    fn next(&mut self, table: &'static Table) -> Result<Option<Work>, Refused> {
        match self {
            Self::Parquet { file, next } => {
                let row_group = *next;
                *next += 1;
                Ok((row_group < file.row_groups()).then(|| Work::RowGroup {
                    file: file.clone(),
                    row_group,
                }))
            }
            Self::Csv { blocks, header } => {
                let block = blocks.next_block().map_err(unreadable)?;
                let (header, block, from) = match (header, block) {
                    (Some(header), Some(block)) => (&*header, block, 0),
                    (Some(_), None) => return Ok(None),
                    (slot, block) => {
                        let block = block.unwrap_or_default();
                        let (read, from) = Header::read(&block, table)?;
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

fn unreadable(error: io::Error) -> Refused {
    (error.to_string(), "a file that can be read".to_owned())
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

    pub(super) fn file(&self, names: &[String], place: Place) -> String {
        let file = self.0.get(place.unit as usize).map_or(0, |(file, _)| *file);
        names.get(file).cloned().unwrap_or_default()
    }

    pub(super) fn locate(&self, names: &[String], place: Place) -> (String, u64) {
        let file = self.0.get(place.unit as usize).map_or(0, |(file, _)| *file);
        let units = self.0.iter().take(place.unit as usize);
        let before: u64 = units
            .filter(|(of, _)| *of == file)
            .map(|(_, rows)| rows)
            .sum();
        (self.file(names, place), before + place.row + 1)
    }
}

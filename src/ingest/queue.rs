//! The units of work of the inputs, in their order: row groups, and blocks of records.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Progress;
use super::blocks::Blocks;
use super::chunk::Passed;
use super::columns::Table;
use super::csv::Header;
use super::files::{Format, InputFile, Shape};
use super::folders::Claims;
use super::input::{Arriving, Input};
use super::names::Unused;
use super::parquet::ParquetFile;
use super::postgres::Query;
use super::read::{Failure, Place};
use super::text::{self, OpenText, Text, unreadable};
use crate::error::InputRow;

/// One unit of work.
pub(super) enum Work {
    /// A file without rows.
    Empty,
    Csv {
        block: Vec<u8>,
        from: usize,
        header: Arc<Header>,
    },
    Ndjson {
        block: Vec<u8>,
        shape: Arc<Shape>,
        /// Whether each line begins with the number that it has in the file.
        is_numbered: bool,
    },
    RowGroup {
        file: ParquetFile,
        row_group: usize,
    },
}

/// A unit with its number.
pub(super) struct Next {
    pub(super) unit: u64,
    /// What the folders of its file say.
    pub(super) claims: Arc<Claims>,
    pub(super) work: Result<Work, Failure>,
}

/// Hands out the units of all inputs in order; reading text happens here, one thread at a time.
pub(super) struct Queue<'p> {
    table: &'static Table,
    progress: &'p dyn Progress,
    inputs: VecDeque<(usize, Input)>,
    open: Option<(usize, Arc<Claims>, OpenInput<'p>)>,
    pub(super) units: Units,
    /// By file.
    pub(super) unused: Vec<(usize, Unused)>,
}

enum OpenInput<'p> {
    Parquet {
        file: ParquetFile,
        next: usize,
    },
    Csv {
        blocks: Blocks<Text<'p>>,
        shape: Arc<Shape>,
        header: Option<Arc<Header>>,
        /// Where the text comes from a database: what is known of its columns.
        query: Option<Query>,
    },
    Ndjson {
        blocks: Blocks<Text<'p>>,
        shape: Arc<Shape>,
        /// Whether each line begins with the number that it has in the file.
        is_numbered: bool,
    },
}

impl<'p> Queue<'p> {
    pub(super) fn new(table: &'static Table, inputs: &[Input], progress: &'p dyn Progress) -> Self {
        Self {
            table,
            progress,
            inputs: inputs.iter().cloned().enumerate().collect(),
            open: None,
            units: Units::default(),
            unused: Vec::new(),
        }
    }

    /// The next unit; `None` after the last.
    pub(super) fn next(&mut self) -> Option<Next> {
        loop {
            if let Some((file, claims, open)) = &mut self.open {
                let file = *file;
                let claims = Arc::clone(claims);
                let unused = &mut self.unused;
                match open.next(self.table, |names| {
                    unused.extend(names.iter().cloned().map(|name| (file, name)));
                }) {
                    Ok(Some(work)) => {
                        return Some(Next {
                            unit: self.units.add(file),
                            claims,
                            work: Ok(work),
                        });
                    }
                    Ok(None) => self.open = None,
                    Err(failure) => {
                        self.open = None;
                        return Some(self.failed(file, failure));
                    }
                }
            }
            let (index, input) = self.inputs.pop_front()?;
            let claims = match &input {
                Input::File(file) => Claims::of(&file.shape, self.table),
                Input::Query(_) => Claims::default(),
            };
            let open = match input {
                Input::File(file) => self.open_file(&file),
                Input::Query(query) => Ok(self.run(query)),
            };
            match open {
                Ok(open) => {
                    if let OpenInput::Parquet { file, .. } = &open {
                        let unused = file.unused().iter().cloned();
                        self.unused.extend(unused.map(|name| (index, name)));
                    }
                    self.open = Some((index, Arc::new(claims), open));
                }
                Err(failure) => return Some(self.failed(index, failure)),
            }
        }
    }

    fn failed(&mut self, file: usize, failure: Failure) -> Next {
        Next {
            unit: self.units.add(file),
            claims: Arc::default(),
            work: Err(failure),
        }
    }

    fn run(&self, query: Query) -> OpenInput<'p> {
        let text = Box::new(Arriving::new(query.run(), self.progress));
        let shape = Arc::<Shape>::default();
        OpenInput::Csv {
            blocks: Blocks::new(text, Some(shape.delimiter)),
            shape,
            header: None,
            query: Some(query),
        }
    }

    fn open_file(&self, input: &InputFile) -> Result<OpenInput<'p>, Failure> {
        if input.format == Format::Parquet {
            let file = ParquetFile::open(input, self.table).map_err(Failure::of_header)?;
            return Ok(OpenInput::Parquet { file, next: 0 });
        }
        let OpenText {
            text,
            is_numbered,
            shape,
        } = text::open(input, self.table, self.progress)?;
        Ok(match input.format {
            Format::Csv => OpenInput::Csv {
                blocks: Blocks::new(text, Some(shape.delimiter)),
                shape,
                header: None,
                query: None,
            },
            _ => OpenInput::Ndjson {
                blocks: Blocks::new(text, None),
                shape,
                is_numbered,
            },
        })
    }
}

impl OpenInput<'_> {
    /// The next unit; what is not used of a header is told when it is read.
    fn next(
        &mut self,
        table: &'static Table,
        note_unused: impl FnOnce(&[Unused]),
    ) -> Result<Option<Work>, Failure> {
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
                shape,
                header,
                query,
            } => {
                let block = blocks.next_block().map_err(unreadable)?;
                let (header, block, from) = match (header, block) {
                    (Some(header), Some(block)) => (&*header, block, 0),
                    (Some(_), None) => return Ok(None),
                    (slot, block) => {
                        let block = block.unwrap_or_default();
                        let (mut read, from) =
                            Header::read(&block, table, shape).map_err(Failure::of_header)?;
                        match query {
                            Some(query) => {
                                read.describe(table, &query.floats, query.keys);
                                read.rounding = query.rounding;
                                note_unused(&query.unused);
                            }
                            None => note_unused(&read.unused),
                        }
                        (&*slot.insert(Arc::new(read)), block, from)
                    }
                };
                Ok(Some(match from == block.len() {
                    true => Work::Empty,
                    false => Work::Csv {
                        block,
                        from,
                        header: Arc::clone(header),
                    },
                }))
            }
            Self::Ndjson {
                blocks,
                shape,
                is_numbered,
            } => {
                let block = blocks.next_block().map_err(unreadable)?;
                Ok(block.map(|block| Work::Ndjson {
                    block,
                    shape: Arc::clone(shape),
                    is_numbered: *is_numbered,
                }))
            }
        }
    }
}

/// The files units came from, how many rows each had, and where that is known the lines of the file
/// that are no rows.
#[derive(Debug, Default)]
pub(super) struct Units(Vec<Unit>);

#[derive(Debug)]
struct Unit {
    file: usize,
    rows: u64,
    passed: Option<Passed>,
}

impl Units {
    fn add(&mut self, file: usize) -> u64 {
        self.0.push(Unit {
            file,
            rows: 0,
            passed: None,
        });
        self.0.len() as u64 - 1
    }

    pub(super) fn set_rows(&mut self, unit: u64, rows: u64) {
        if let Some(unit) = self.0.get_mut(unit as usize) {
            unit.rows = rows;
        }
    }

    pub(super) fn set_passed(&mut self, unit: u64, passed: Passed) {
        if let Some(unit) = self.0.get_mut(unit as usize) {
            unit.passed = Some(passed);
        }
    }

    /// How many rows an input had, by its position.
    pub(super) fn rows_of(&self, input: usize) -> u64 {
        let units = self.0.iter().filter(|unit| unit.file == input);
        units.map(|unit| unit.rows).sum()
    }

    /// The position of the file among the inputs.
    pub(super) fn input(&self, place: Place) -> usize {
        self.0.get(place.unit as usize).map_or(0, |unit| unit.file)
    }

    pub(super) fn file(&self, names: &[String], place: Place) -> String {
        names.get(self.input(place)).cloned().unwrap_or_default()
    }

    pub(super) fn locate(&self, names: &[String], place: Place) -> (String, InputRow) {
        let file = self.input(place);
        let units = self.0.iter().take(place.unit as usize);
        let before: Vec<_> = units.filter(|unit| unit.file == file).collect();
        let rows: u64 = before.iter().map(|unit| unit.rows).sum();
        let row = rows + place.row + 1;
        let passed = |unit: &&Unit| Some(unit.passed.as_ref()?.lines);
        let passed_before: Option<u64> = before.iter().map(passed).sum();
        let here = self.0.get(place.unit as usize);
        let here = here.and_then(|unit| unit.passed.as_ref());
        let line = match here.and_then(|passed| passed.line_of(place.row)) {
            Some(line) => Some(line).filter(|line| *line > 0),
            None => {
                let here = here.and_then(|passed| passed.before(place.row));
                let lines = passed_before.zip(here);
                lines.map(|(before, here)| row + before + here)
            }
        };
        (self.file(names, place), InputRow { row, line })
    }
}

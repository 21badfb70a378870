//! Builds chunks from cells: where text, numbers and nulls are checked against their columns.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Decimal128Builder, DictionaryArray, Int32Array, Int64Builder, StringArray, StringBuilder,
};
use datafusion::arrow::datatypes::Int32Type;

use super::chunk::{Cell, Check, Chunk, Mismatch, Note, Passed, Values, note};
use super::columns::{Column, Kind, Presence, Table};
use super::decimal::{Decimal, Rounding};
use super::explain::{explain, is_null, is_word_for_nothing};
use super::json;
use super::mantissas::marked_scale;
use super::names::Unused;
use super::timestamp::{self, Form, Instant};

/// Builds a chunk row by row.
pub(super) struct ChunkBuilder {
    table: &'static Table,
    rows: usize,
    columns: Vec<ColumnBuilder>,
    passed: Passed,
    /// Keys of JSON objects that are no columns of ours, each once.
    unused: Vec<Unused>,
}

impl ChunkBuilder {
    pub(super) fn new(table: &'static Table, rounding: Rounding) -> Self {
        let columns = table.columns.iter();
        Self {
            table,
            rows: 0,
            columns: columns
                .map(|column| ColumnBuilder::new(column, rounding))
                .collect(),
            passed: Passed::default(),
            unused: Vec::new(),
        }
    }

    /// Passes lines that are no rows.
    pub(super) fn pass_lines(&mut self, lines: u64) {
        self.passed.pass(self.rows as u64, lines);
    }

    /// Passes a line that repeats the header.
    pub(super) fn pass_header(&mut self) {
        self.passed.pass_header(self.rows as u64);
    }

    /// Says in which line of the file the next row begins.
    pub(super) fn begin_row(&mut self, line: u64) {
        self.passed.begin_row(self.rows as u64, line);
    }

    /// Notes a key of a JSON object that is no column of ours.
    #[cold]
    pub(super) fn note_unused(&mut self, key: &str, near: Option<&'static str>) {
        /// An object whose keys are data has any number of them.
        const KEYS_MAX: usize = 1000;
        if self.unused.len() < KEYS_MAX && !self.unused.iter().any(|known| known.name == key) {
            self.unused.push(Unused {
                name: key.to_owned(),
                near,
            });
        }
    }

    /// Appends a row of [`Table::slots`] cells.
    pub(super) fn append(&mut self, cells: &[Cell<'_>]) -> Result<(), Mismatch> {
        let factors = self.table.factors.filter(|_| {
            !matches!(
                cells.get(self.table.score_factors_slot()),
                None | Some(Cell::Null)
            )
        });
        let mut unused = Vec::new();
        let from_object = match factors {
            Some(first) => json::factors(&cells[self.table.score_factors_slot()], &mut unused)
                .map(|cells| Some((first, cells)))
                .map_err(|(column, found, expected)| {
                    let is_python = found.starts_with("{'");
                    let mismatch = self.mismatch(column.into(), found, expected);
                    match is_python {
                        true => mismatch.with_hint(
                            "JSON has double quotes: json.dumps writes it of a dict of Python",
                        ),
                        false => mismatch,
                    }
                })?,
            None => None,
        };
        for key in unused {
            self.note_unused(&key.name, key.near);
        }
        for (slot, (builder, cell)) in self.columns.iter_mut().zip(cells).enumerate() {
            let cell = match (&from_object, cell) {
                (Some((first, from_object)), Cell::Null) if slot >= *first => {
                    from_object.get(slot - first).unwrap_or(cell)
                }
                _ => cell,
            };
            builder.append(cell).map_err(|mut mismatch| {
                mismatch.row = self.rows as u64;
                mismatch
            })?;
        }
        self.rows += 1;
        Ok(())
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// What is left of it where a row was refused.
    pub(super) fn into_passed(self) -> Passed {
        self.passed
    }

    pub(super) fn finish(self) -> Chunk {
        let mut notes = Vec::new();
        let columns = self.columns.into_iter().map(|builder| {
            let (values, of_column) = builder.finish();
            notes.extend(of_column);
            values
        });
        Chunk {
            rows: self.rows,
            columns: columns.collect(),
            notes,
            passed: self.passed,
            unused: self.unused,
        }
    }

    fn mismatch(&self, column: Cow<'static, str>, found: String, expected: &str) -> Mismatch {
        Mismatch {
            row: self.rows as u64,
            column,
            found,
            expected: expected.into(),
            hint: None,
        }
    }
}

/// Builds one column cell by cell.
pub(super) struct ColumnBuilder {
    column: &'static Column,
    rows: u64,
    values: Building,
    rounding: Rounding,
    rounded: Option<Note>,
    nothing: Option<Note>,
    /// How many timestamps of each form there are, and the row of the first.
    forms: [(u64, u64); Form::ALL.len()],
    /// For the digits of floats.
    scratch: String,
}

enum Building {
    Text(StringBuilder),
    Token(TokenBuilder),
    Timestamp(Int64Builder),
    Price {
        mantissas: Vec<i64>,
        scales: Vec<u8>,
    },
    Decimal {
        values: Decimal128Builder,
        precision: u8,
        scale: u8,
        exact: bool,
    },
}

impl ColumnBuilder {
    pub(super) fn new(column: &'static Column, rounding: Rounding) -> Self {
        let values = match column.kind {
            Kind::Text => Building::Text(StringBuilder::new()),
            Kind::Token => Building::Token(TokenBuilder::default()),
            Kind::Timestamp => Building::Timestamp(Int64Builder::new()),
            Kind::Price => Building::Price {
                mantissas: Vec::new(),
                scales: Vec::new(),
            },
            Kind::Decimal {
                precision,
                scale,
                exact,
            } => Building::Decimal {
                values: Decimal128Builder::new(),
                precision,
                scale,
                exact,
            },
        };
        Self {
            column,
            rows: 0,
            values,
            rounding,
            rounded: None,
            nothing: None,
            forms: Default::default(),
            scratch: String::new(),
        }
    }

    pub(super) fn append(&mut self, cell: &Cell<'_>) -> Result<(), Mismatch> {
        match self.try_append(cell) {
            Some(rounded) => {
                if rounded {
                    let notes = &mut self.rounded;
                    note(notes, Check::Rounded, self.column.name, self.rows, || {
                        cell.found()
                    });
                }
                self.rows += 1;
                Ok(())
            }
            None if is_null(cell, self.column) && self.try_append(&Cell::Null).is_some() => {
                let notes = &mut self.nothing;
                note(notes, Check::Nothing, self.column.name, self.rows, || {
                    cell.found()
                });
                self.rows += 1;
                Ok(())
            }
            None => Err(explain(self.column, self.rows, cell)),
        }
    }

    /// Appends the cell and says whether it lost digits; `None` where it does not fit.
    fn try_append(&mut self, cell: &Cell<'_>) -> Option<bool> {
        let empty = match cell {
            Cell::Null => true,
            Cell::Text(text) => text.is_empty() && self.column.kind == Kind::Text,
            _ => false,
        };
        if empty {
            if self.column.presence == Presence::NotNull {
                return None;
            }
            match &mut self.values {
                Building::Text(values) => values.append_null(),
                Building::Timestamp(values) => values.append_null(),
                Building::Decimal { values, .. } => values.append_null(),
                Building::Token(_) | Building::Price { .. } => return None,
            }
            return Some(false);
        }
        match &mut self.values {
            Building::Text(values) => {
                let text = text_of(cell).filter(|text| !is_word_for_nothing(text))?;
                values.append_value(text);
                Some(false)
            }
            Building::Token(tokens) => {
                let token = text_of(cell).filter(|token| !token.is_empty())?;
                tokens.append(token)?;
                Some(false)
            }
            Building::Timestamp(values) => {
                let instant = match cell {
                    Cell::Timestamp(instant) => *instant,
                    Cell::Text(text) | Cell::Number(text) => {
                        timestamp::read_text(text.trim_ascii())?
                    }
                    Cell::Float(value) => {
                        timestamp::from_number(&Decimal::from_float(*value, &mut self.scratch)?)?
                    }
                    _ => return None,
                };
                let Instant {
                    micros,
                    rounded,
                    form,
                } = instant;
                if !timestamp::is_plausible(micros) {
                    return None;
                }
                let (count, first) = &mut self.forms[form as usize];
                if *count == 0 {
                    *first = self.rows;
                }
                *count += 1;
                values.append_value(micros);
                Some(rounded)
            }
            Building::Price { mantissas, scales } => {
                let number = number_of(cell, &mut self.scratch)?;
                let (mantissa, scale, of_exact) = number.price(self.rounding).ok()?;
                mantissas.push(mantissa);
                scales.push(marked_scale(mantissa, scale, of_exact));
                Some(of_exact.is_ne())
            }
            Building::Decimal {
                values,
                precision,
                scale,
                exact,
            } => {
                let number = number_of(cell, &mut self.scratch)?;
                let (value, rounded) = number.at_scale(*precision, *scale)?;
                let refused = rounded
                    && *exact
                    && self.rounding == Rounding::Slight
                    && !number.is_slightly(value, *scale);
                if refused || !self.column.range.contains(value, *scale, &number) {
                    return None;
                }
                values.append_value(value);
                Some(rounded)
            }
        }
    }

    pub(super) fn finish(self) -> (Values, Vec<Note>) {
        let mut notes = Vec::new();
        notes.extend(self.rounded);
        notes.extend(self.nothing);
        if let Building::Timestamp(values) = &self.values {
            let values = values.values_slice();
            let forms = Form::ALL.into_iter().zip(self.forms);
            notes.extend(
                forms
                    .filter(|(_, (count, _))| *count > 0)
                    .map(|(form, (count, row))| Note {
                        check: Check::Clock(form),
                        column: self.column.name,
                        count,
                        row,
                        found: timestamp::to_text(values[row as usize]),
                    }),
            );
        }
        let values = match self.values {
            Building::Text(mut values) => Values::Text(values.finish()),
            Building::Token(tokens) => Values::Token(tokens.finish()),
            Building::Timestamp(mut values) => Values::Timestamp(values.finish()),
            Building::Price { mantissas, scales } => Values::Price {
                mantissas: mantissas.into(),
                scales,
            },
            Building::Decimal { mut values, .. } => Values::Decimal(values.finish()),
        };
        (values, notes)
    }
}

/// Dictionary-encodes addresses; a run of one address costs one comparison for each row.
#[derive(Default)]
struct TokenBuilder {
    keys: Vec<i32>,
    values: Vec<Arc<str>>,
    by_value: HashMap<Arc<str>, i32>,
}

impl TokenBuilder {
    fn append(&mut self, token: &str) -> Option<()> {
        let key = match self.keys.last() {
            Some(&last)
                if self
                    .values
                    .get(last as usize)
                    .is_some_and(|v| **v == *token) =>
            {
                last
            }
            _ => match self.by_value.get(token) {
                Some(&key) => key,
                None => {
                    let key = i32::try_from(self.values.len()).ok()?;
                    let token: Arc<str> = token.into();
                    self.values.push(Arc::clone(&token));
                    self.by_value.insert(token, key);
                    key
                }
            },
        };
        self.keys.push(key);
        Some(())
    }

    fn finish(self) -> DictionaryArray<Int32Type> {
        let values = StringArray::from_iter_values(self.values);
        DictionaryArray::new(Int32Array::from(self.keys), Arc::new(values))
    }
}

fn text_of<'a>(cell: &'a Cell<'_>) -> Option<&'a str> {
    match cell {
        Cell::Text(text) | Cell::Number(text) => Some(text),
        _ => None,
    }
}

fn number_of(cell: &Cell<'_>, scratch: &mut String) -> Option<Decimal> {
    match cell {
        Cell::Text(text) | Cell::Number(text) => Decimal::parse(text.trim_ascii().as_bytes()),
        Cell::Float(value) => Decimal::from_float(*value, scratch),
        _ => None,
    }
}

//! What merging signals and merging trade outcomes have in common.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::{Decimal128Type, DecimalType, SchemaRef};

use super::columns::Table;
use super::conflict::WAYS_OUT;
use super::read::{Place, Reading};
use super::{Finding, OnConflict, RowCounts, Severity};
use crate::error::{Error, Result};

/// A table merged with the stored one.
pub(super) struct Merged {
    pub(super) table: RecordBatch,
    pub(super) rows: RowCounts,
    pub(super) findings: Vec<Finding>,
}

impl Merged {
    /// `duplicates` says how many rows came again, and the first of them.
    pub(super) fn new<S>(
        declared: &Table,
        table: RecordBatch,
        added: u64,
        reading: Reading<S>,
        duplicates: (u64, Option<Place>),
        contradictions: Contradictions,
    ) -> Result<Self> {
        let mut findings = Vec::new();
        findings.extend(contradictions.finding(declared, &reading));
        if let (row_count, Some(place)) = duplicates {
            let (file, row) = reading.locate(place);
            findings.push(Finding {
                table_name: declared.name,
                check_name: "duplicate_rows",
                severity: Severity::Info,
                row_count,
                example: format!("{file}: row {row} is there before; one was kept"),
            });
        }
        findings.extend(reading.findings);
        Ok(Self {
            rows: RowCounts {
                read: reading.rows,
                added,
                total: table.num_rows() as u64,
                contradicting: contradictions.rows,
            },
            table,
            findings,
        })
    }
}

/// A row that says something else than an earlier or a stored one.
pub(super) struct Contradiction {
    pub(super) place: Place,
    pub(super) column: &'static str,
    /// What both are about.
    pub(super) of: String,
    pub(super) later: String,
    pub(super) earlier: Earlier,
}

/// What a row contradicts.
pub(super) enum Earlier {
    Stored(String),
    Read(String, Place),
}

/// Rows that contradict others, and the first of them.
pub(super) struct Contradictions {
    on_conflict: OnConflict,
    rows: u64,
    first: Option<Contradiction>,
}

impl Contradictions {
    pub(super) fn new(on_conflict: OnConflict) -> Self {
        Self {
            on_conflict,
            rows: 0,
            first: None,
        }
    }

    /// Notes a row that contradicts others.
    pub(super) fn note(&mut self, found: Contradiction) {
        self.rows += 1;
        let first = self.first.as_ref();
        if first.is_none_or(|first| found.place < first.place) {
            self.first = Some(found);
        }
    }

    /// An error where rows must not contradict each other and do.
    pub(super) fn check<S>(&self, reading: &Reading<S>) -> Result<()> {
        let Some(first) = &self.first else {
            return Ok(());
        };
        if self.on_conflict != OnConflict::Refuse {
            return Ok(());
        }
        let (file, row) = reading.locate(first.place);
        let expected = match &first.earlier {
            Earlier::Stored(value) => {
                format!("{value}, which the stored history holds; {WAYS_OUT}")
            }
            Earlier::Read(value, place) => {
                let (file, row) = reading.locate(*place);
                format!("{value} as in {file}, row {row}: one row for each id; {WAYS_OUT}")
            }
        };
        Err(Error::InputValue {
            file,
            row,
            column: first.column.into(),
            found: format!("{} for {}", first.later, first.of),
            expected,
        })
    }

    fn finding<S>(&self, declared: &Table, reading: &Reading<S>) -> Option<Finding> {
        let first = self.first.as_ref()?;
        let (file, row) = reading.locate(first.place);
        let (Earlier::Stored(earlier) | Earlier::Read(earlier, _)) = &first.earlier;
        Some(self.on_conflict.finding(
            declared.name,
            self.rows,
            &format!("{file}: row {row}, {} of {}", first.column, first.of),
            earlier,
            &first.later,
        ))
    }
}

/// A decimal for an error message, without zeros at the end.
pub(super) fn optional(value: Option<i128>, scale: i8) -> String {
    match value {
        Some(value) => {
            let text = Decimal128Type::format_decimal(value, 38, scale);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        None => "nothing".into(),
    }
}

pub(super) fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    // Cannot fail for rows that were checked; if it does, the message says what to look at.
    RecordBatch::try_new(Arc::clone(schema), columns)
        .map_err(|error| Error::Statement(error.into()))
}

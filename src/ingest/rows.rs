//! What merging signals and merging trade outcomes have in common.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::{Decimal128Type, DecimalType, SchemaRef};

use super::columns::Table;
use super::read::{Place, Reading};
use super::{Finding, RowCounts, Severity};
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
    ) -> Result<Self> {
        let mut findings = Vec::new();
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
        findings.extend(reading.rounded);
        Ok(Self {
            rows: RowCounts {
                read: reading.rows,
                added,
                total: table.num_rows() as u64,
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
    pub(super) found: String,
    pub(super) expected: String,
}

impl Contradiction {
    pub(super) fn error<S>(self, reading: &Reading<S>) -> Error {
        let (file, row) = reading.locate(self.place);
        Error::InputValue {
            file,
            row,
            column: self.column.into(),
            found: self.found,
            expected: self.expected,
        }
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

//! A stored run: a backtest that is kept, with its parameters and its metrics.

use std::collections::BTreeMap;
use std::fmt;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::ScalarValue;

use crate::error::Result;

/// Values by the names of their columns, as exact text; null is left out.
pub type Texts = BTreeMap<String, String>;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Running,
    Completed,
    Failed,
    Cancelled,
    /// Its process ended before it did.
    Interrupted,
}

/// A run as it is stored.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: String,
    pub scenario: Option<String>,
    pub label: Option<String>,
    pub status: Status,
    pub started_by: String,
    /// Microseconds since 1970 UTC.
    pub started_at: i64,
    pub completed_at: Option<i64>,
    pub error_message: Option<String>,
    /// The fingerprint of the dataset.
    pub dataset: String,
    pub engine_version: String,
    pub parameters: Texts,
    /// The columns that a backtest adds to its parameters; none unless it completed.
    pub results: Texts,
    /// What it did when it last said so.
    pub phase: Option<String>,
    pub signals_processed: Option<i64>,
    pub total_signals: Option<i64>,
}

impl Status {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Running, "running"),
        (Self::Completed, "completed"),
        (Self::Failed, "failed"),
        (Self::Cancelled, "cancelled"),
        (Self::Interrupted, "interrupted"),
    ];

    /// The status of this name.
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found.map(|(status, _)| *status)
    }

    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(status, _)| *status == self);
        found.map_or("", |(_, name)| name)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The values of one row as exact text.
pub fn texts(batch: &RecordBatch, row: usize) -> Result<Texts> {
    let mut texts = Texts::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let value = ScalarValue::try_from_array(column, row)?;
        if !value.is_null() {
            texts.insert(field.name().clone(), value.to_string());
        }
    }
    Ok(texts)
}

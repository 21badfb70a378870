//! Stored runs: a backtest that is kept, with its parameters, its metrics and all its rows.
//!
//! What a run is lies in the state; its trades, comparisons and equity curve are Parquet files under
//! `runs/` of the workspace, on the disk before the run is said to be completed. A run is told dead
//! from alive by a lock that ends with its process, so that one which was killed is found out by
//! whoever looks next, and marked interrupted.

pub mod execute;
pub mod files;
pub mod progress;
pub mod tables;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;

use crate::error::Result;
use crate::schema;
use crate::sweep;
use progress::Progress;

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

/// The runs of an engine: where their rows are, and those that are under way here.
#[derive(Debug)]
pub struct Runs {
    /// `None` where the dataset lies in memory: nothing can be stored then.
    pub workspace: Option<PathBuf>,
    under_way: Mutex<BTreeMap<String, Arc<Progress>>>,
}

impl Runs {
    pub fn new(workspace: Option<PathBuf>) -> Self {
        Self {
            workspace,
            under_way: Mutex::default(),
        }
    }

    /// The runs under way in this process.
    pub fn under_way(&self) -> Vec<Arc<Progress>> {
        let under_way = self.under_way.lock();
        let under_way = under_way.unwrap_or_else(PoisonError::into_inner);
        under_way.values().cloned().collect()
    }

    /// Lists a run for as long as what is returned is held.
    fn list(self: &Arc<Self>, progress: &Arc<Progress>) -> Listed {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        under_way.insert(progress.id.clone(), Arc::clone(progress));
        UNENDED.fetch_add(1, Ordering::Relaxed);
        Listed(Arc::clone(self), Arc::clone(progress))
    }
}

/// The runs that this process has yet to end.
static UNENDED: AtomicUsize = AtomicUsize::new(0);

/// Whether a run of this process has yet to end, and to store how.
pub fn any_unended() -> bool {
    UNENDED.load(Ordering::Relaxed) > 0
}

/// A run that is listed as under way.
struct Listed(Arc<Runs>, Arc<Progress>);

impl Drop for Listed {
    fn drop(&mut self) {
        let mut under_way = self.0.under_way.lock();
        if let Ok(under_way) = &mut under_way {
            under_way.remove(&self.1.id);
        }
        self.1.end();
        UNENDED.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Of a run itself; the columns of `backtest` follow.
const OWN_COLUMNS: usize = 10;

/// The columns of the table `backtests`.
pub static BACKTESTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let time = |name: &str| Field::new(name, schema::timestamp(), true);
    let mut fields = vec![
        text("id"),
        text("scenario"),
        text("label"),
        text("status"),
        time("started_at"),
        time("completed_at"),
        Field::new("duration_seconds", DURATION, true),
        text("error_message"),
        text("dataset"),
        text("engine_version"),
    ];
    let of_backtest = sweep::plan::schema();
    let of_backtest = of_backtest
        .fields()
        .iter()
        .filter(|f| f.name() != "scenario");
    fields.extend(of_backtest.map(|field| field.as_ref().clone()));
    Arc::new(Schema::new(fields))
});

/// Seconds, exact to the microsecond.
const DURATION: DataType = DataType::Decimal128(18, 6);

/// Rows of the table `backtests`.
pub fn backtests(runs: &[Run]) -> Result<RecordBatch> {
    let text = |pick: &dyn Fn(&Run) -> Option<&str>| -> ArrayRef {
        Arc::new(runs.iter().map(pick).collect::<StringArray>())
    };
    let time = |pick: &dyn Fn(&Run) -> Option<i64>| -> ArrayRef {
        let times: TimestampMicrosecondArray = runs.iter().map(pick).collect();
        Arc::new(times.with_timezone("UTC"))
    };
    let durations = runs
        .iter()
        .map(|run| Some(i128::from(run.completed_at? - run.started_at)));
    let durations: Decimal128Array = durations.collect();
    let mut columns = vec![
        text(&|run| Some(&run.id)),
        text(&|run| run.scenario.as_deref()),
        text(&|run| run.label.as_deref()),
        text(&|run| Some(run.status.name())),
        time(&|run| Some(run.started_at)),
        time(&|run| run.completed_at),
        Arc::new(durations.with_data_type(DURATION)) as ArrayRef,
        text(&|run| run.error_message.as_deref()),
        text(&|run| Some(&run.dataset)),
        text(&|run| Some(&run.engine_version)),
    ];
    for field in BACKTESTS.fields().iter().skip(OWN_COLUMNS) {
        let of_run = |run: &Run| -> Option<String> {
            let text = run.parameters.get(field.name());
            text.or_else(|| run.results.get(field.name())).cloned()
        };
        let texts: StringArray = runs.iter().map(of_run).collect();
        columns.push(cast(&texts, field.data_type()).map_err(DataFusionError::from)?);
    }
    Ok(RecordBatch::try_new(Arc::clone(&BACKTESTS), columns).map_err(DataFusionError::from)?)
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

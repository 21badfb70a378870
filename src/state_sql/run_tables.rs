//! The tables of stored runs. What is asked of certain runs opens no others.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, OnceLock};

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt, stream};

use super::backtests::{BACKTESTS, backtests};
use crate::caller::client::{Client, Severity};
use crate::caller::progress::{remaining, tenths_of_percent};
use crate::error::{self, Error};
use crate::records::runs::Run;
use crate::state_sql::state_table::{StateTable, rows_of};
use crate::store::run_files::{RunRows, RunTable, are_here};
use crate::whatif::data_tables::wanted_values;
use crate::whatif::pipeline::Pipeline;

/// `backtests`: what is known of each stored run.
#[derive(Debug)]
pub struct BacktestsTable;

#[async_trait]
impl TableProvider for BacktestsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&BACKTESTS)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(pushdown(filters, "id"))
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let ids = wanted_ids(filters, "id");
        rows_of(
            "backtests",
            Arc::clone(&BACKTESTS),
            projection,
            None,
            move |client: Arc<Client>| {
                let ids = ids.clone();
                async move { backtests(&client.store.runs(ids.as_deref()).await?) }
            },
        )
    }
}

/// `backtest_progress`: the runs under way, here and in other processes.
pub fn backtest_progress() -> StateTable {
    let fetch = |client: Arc<Client>| async move {
        let mut runs = client.store.runs_under_way().await?;
        // Those of this process are known more exactly.
        for progress in client.runs.under_way() {
            if let Some(run) = runs.iter_mut().find(|run| run.id == progress.id) {
                run.phase = Some(progress.phase().name().into());
                run.signals_processed = i64::try_from(progress.signals_processed()).ok();
            }
        }
        progress_rows(&runs)
    };
    StateTable::new("backtest_progress", Arc::clone(&PROGRESS), fetch)
}

static PROGRESS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("backtest_id", DataType::Utf8, true),
        Field::new("status", DataType::Utf8, true),
        Field::new("phase", DataType::Utf8, true),
        Field::new("signals_processed", DataType::Int64, true),
        Field::new("total_signals", DataType::Int64, true),
        Field::new("progress_percent", DataType::Decimal128(4, 1), true),
        Field::new("elapsed_seconds", DataType::Int64, true),
        Field::new("estimated_remaining_seconds", DataType::Int64, true),
    ]))
});

fn progress_rows(runs: &[Run]) -> error::Result<RecordBatch> {
    let now = crate::clock::now();
    let of = |run: &Run| {
        let processed = run.signals_processed.unwrap_or(0).max(0).unsigned_abs();
        let total = run.total_signals.unwrap_or(0).max(0).unsigned_abs();
        let micros = u64::try_from(now - run.started_at).unwrap_or(0);
        (processed, total, std::time::Duration::from_micros(micros))
    };
    let whole = |pick: &dyn Fn(&Run) -> Option<i64>| -> ArrayRef {
        Arc::new(runs.iter().map(pick).collect::<Int64Array>())
    };
    let text = |pick: &dyn Fn(&Run) -> Option<String>| -> ArrayRef {
        Arc::new(runs.iter().map(pick).collect::<StringArray>())
    };
    let percent = runs.iter().map(|run| {
        let (processed, total, _) = of(run);
        Some(tenths_of_percent(processed, total))
    });
    let percent: Decimal128Array = percent.collect();
    let columns = vec![
        text(&|run| Some(run.id.clone())),
        text(&|run| Some(run.status.to_string())),
        text(&|run| run.phase.clone()),
        whole(&|run| run.signals_processed),
        whole(&|run| run.total_signals),
        Arc::new(percent.with_data_type(DataType::Decimal128(4, 1))) as ArrayRef,
        whole(&|run| i64::try_from(of(run).2.as_secs()).ok()),
        whole(&|run| {
            let (processed, total, elapsed) = of(run);
            remaining(elapsed, processed, total)
        }),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&PROGRESS), columns);
    Ok(batch.map_err(DataFusionError::from)?)
}

/// `simulated_trades`, `trade_comparisons`, `equity_curves`.
#[derive(Debug)]
pub struct RunRowsTable {
    table: &'static RunTable,
    /// Knows the columns, once somebody asks.
    pipeline: Arc<Pipeline>,
    schema: OnceLock<SchemaRef>,
}

impl RunRowsTable {
    /// The rows of stored runs that a query of the pipeline made.
    pub fn new(table: &'static RunTable, pipeline: &Arc<Pipeline>) -> Self {
        Self {
            table,
            pipeline: Arc::clone(pipeline),
            schema: OnceLock::new(),
        }
    }

    fn columns(&self) -> &SchemaRef {
        self.schema.get_or_init(|| {
            let mut fields = vec![Arc::new(Field::new("backtest_id", DataType::Utf8, true))];
            // The queries are ours and tested: they plan.
            if let Ok(rows) = self.pipeline.schema(self.table.query) {
                fields.extend(rows.fields().iter().cloned());
            }
            Arc::new(Schema::new(fields))
        })
    }
}

#[async_trait]
impl TableProvider for RunRowsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.columns())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(pushdown(filters, "backtest_id"))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.columns().fields().len()).collect();
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let schema = Arc::new(self.columns().project(&columns)?);
        let rows = StoredRows {
            table: self.table,
            ids: wanted_ids(filters, "backtest_id"),
            columns,
            schema: Arc::clone(&schema),
            batch_size: state.config().batch_size(),
        };
        Ok(Arc::new(StreamingTableExec::try_new(
            schema,
            vec![Arc::new(rows)],
            None,
            None,
            false,
            limit,
        )?))
    }
}

/// Rows of some runs, or of all.
struct StoredRows {
    table: &'static RunTable,
    ids: Option<Vec<String>>,
    columns: Vec<usize>,
    schema: SchemaRef,
    batch_size: usize,
}

impl fmt::Debug for StoredRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ids {
            Some(ids) => write!(f, "{} of {} runs", self.table.name, ids.len()),
            None => write!(f, "{} of all runs", self.table.name),
        }
    }
}

impl PartitionStream for StoredRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (table, ids) = (self.table, self.ids.clone());
        let (columns, schema) = (self.columns.clone(), Arc::clone(&self.schema));
        let batch_size = self.batch_size;
        let client = Client::of(&context);
        let files = async move {
            let client = client?;
            let (workspace, runs) = runs_here(&client, table, ids.as_deref()).await?;
            let rows = stream::iter(runs).map(move |id| {
                let (workspace, columns) = (workspace.clone(), columns.clone());
                let schema = Arc::clone(&schema);
                let open =
                    move || RunRows::open(&workspace, &id, table, &columns, &schema, batch_size);
                Ok::<_, DataFusionError>(rows_of_file(open))
            });
            Ok::<_, DataFusionError>(rows.try_flatten())
        };
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            stream::once(files).try_flatten().boxed(),
        ))
    }
}

/// The workspace, and the completed runs whose rows are in it.
async fn runs_here(
    client: &Client,
    table: &'static RunTable,
    ids: Option<&[String]>,
) -> error::Result<(PathBuf, Vec<String>)> {
    let Some(workspace) = client.runs.workspace.clone() else {
        return Ok((PathBuf::new(), Vec::new()));
    };
    let completed = client.store.completed_runs(ids).await?;
    let (here, elsewhere): (Vec<String>, Vec<String>) = completed
        .into_iter()
        .partition(|id| are_here(&workspace, id, table));
    match (elsewhere.first(), ids) {
        (Some(id), Some(_)) => Err(Error::Workspace {
            path: workspace,
            problem: format!(
                "the rows of backtest {id} are not here: they are in the workspace that it was run \
                 in"
            ),
        }),
        (Some(_), None) => {
            let message = format!(
                "{} runs are left out, whose rows are in other workspaces",
                elsewhere.len()
            );
            client.notice(Severity::Warning, "01000", message);
            Ok((workspace, here))
        }
        (None, _) => Ok((workspace, here)),
    }
}

/// The rows of one file, read where it may block.
fn rows_of_file(
    open: impl FnOnce() -> error::Result<RunRows> + Send + 'static,
) -> impl futures::Stream<Item = Result<RecordBatch>> + Send {
    enum Reader<O> {
        Closed(O),
        Open(RunRows),
    }
    stream::try_unfold(Reader::Closed(open), |reader| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut rows = match reader {
                Reader::Closed(open) => open()?,
                Reader::Open(rows) => rows,
            };
            let batch = rows.next_batch()?;
            Ok::<_, Error>(batch.map(|batch| (batch, Reader::Open(rows))))
        });
        let read = read
            .await
            .map_err(|error| DataFusionError::External(error.into()))?;
        Ok(read?)
    })
}

fn pushdown(filters: &[&Expr], column: &str) -> Vec<TableProviderFilterPushDown> {
    let support = |filter: &&Expr| match wanted_values(filter, column) {
        Some(_) => TableProviderFilterPushDown::Inexact,
        None => TableProviderFilterPushDown::Unsupported,
    };
    filters.iter().map(support).collect()
}

/// The ids that filters leave; `None` where there is no filter on them.
fn wanted_ids(filters: &[Expr], column: &str) -> Option<Vec<String>> {
    let mut wanted = filters
        .iter()
        .filter_map(|filter| wanted_values(filter, column));
    let mut ids = wanted.next()?;
    for others in wanted {
        ids.retain(|id| others.contains(id));
    }
    ids.sort_unstable();
    ids.dedup();
    Some(ids)
}

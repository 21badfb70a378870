//! `run_backtest`: one backtest that is stored.
//!
//! Its plan has the row of parameters as one input, and as others the backtest and the queries over
//! stand-ins for that row and for the simulated signals, which execution fills in: so the scenario is
//! looked up once, every signal is simulated once, and what is stored belongs together. The run is a task of its own; when nobody waits for it any more, or it
//! is asked to stop, it ends as cancelled, and whatever it leaves is in the state.

mod stand_in;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{
    DataType, Int64Type, Schema, SchemaRef, TimestampMicrosecondType,
};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DFSchema, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use super::backtests::{BACKTESTS, CHOICE, backtests};
use crate::caller::client::{Client, Severity};
use crate::caller::give_way::Stop;
use crate::caller::progress::{Phase, Progress, tenths_of_percent};
use crate::caller::runs::Runs;
use crate::clock::now;
use crate::dataset::Dataset;
use crate::error::{self, Error};
use crate::parameters::PARAMETERS;
use crate::records::roles::Role;
use crate::records::runs::{Run, Status, Texts, texts};
use crate::store::BegunRun;
use crate::store::run_files::{self, RUN_TABLES, RunWriter};
use crate::whatif::grid;
use crate::whatif::grid::SweepSource;
use crate::whatif::here;
use crate::whatif::operator::{self, Operator};
use crate::whatif::pipeline::{Pipeline, RUN_PARAMETERS_SCHEMA};
use crate::whatif::statistics::{interval, own_arguments};
use stand_in::{Made, MadeRows, StandIn};

/// How often a run looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(50);
/// How often others can ask it to stop, and learn how far it is.
const ASK: Duration = Duration::from_millis(250);
/// How often a client is told.
const TELL: Duration = Duration::from_secs(1);

/// The columns of its one row: the run as `backtests` has it.
fn schema() -> Schema {
    let fields = BACKTESTS
        .fields()
        .iter()
        .map(|field| match field.name().as_str() {
            "id" => field.as_ref().clone().with_name("backtest_id"),
            _ => field.as_ref().clone(),
        });
    Schema::new(fields.collect::<Vec<_>>())
}

/// The plan of a run: `label` is a row with its label and how it was chosen, `parameters` the row that it is run with.
pub fn plan(
    label: LogicalPlan,
    parameters: LogicalPlan,
    pipeline: &Pipeline,
    source: &Arc<SweepSource>,
    dataset: &Dataset,
) -> Result<LogicalPlan> {
    let stand_in = |schema: SchemaRef, of: Made, row_count: usize| -> Result<LogicalPlan> {
        let schema = Arc::new(DFSchema::try_from(schema)?);
        Ok(operator::plan(StandIn { of, row_count }, vec![], schema))
    };
    let row = stand_in(Arc::clone(&RUN_PARAMETERS_SCHEMA), Made::Parameters, 1)?;
    let signals = stand_in(
        pipeline.schema(ADMITTED_SIGNALS)?,
        Made::AdmittedSignals,
        dataset.signals.num_rows(),
    )?;
    let mut inputs = vec![
        label,
        parameters,
        grid::plan(here::Made::Backtests, row.clone(), source)?,
        pipeline.relation(ADMITTED_SIGNALS, &row)?,
    ];
    for table in &RUN_TABLES {
        inputs.push(pipeline.over(table.query, ADMITTED_SIGNALS, &signals, &row)?);
    }
    inputs.push(interval::plan(own_arguments::none()?, row, source)?);
    let run = RunBacktest {
        dataset: dataset.clone(),
    };
    let schema = Arc::new(DFSchema::try_from(schema())?);
    Ok(operator::plan(run, inputs, schema))
}

/// The operator: its inputs are the label, the parameters, the backtest, the simulated signals, what
/// [`RUN_TABLES`] keeps, and the interval of the difference.
#[derive(Debug)]
struct RunBacktest {
    dataset: Dataset,
}

impl Operator for RunBacktest {
    fn name(&self) -> &'static str {
        "RunBacktest"
    }

    fn detail(&self) -> String {
        format!("dataset {}", self.dataset.fingerprint)
    }

    fn execute(
        &self,
        inputs: &[Arc<dyn ExecutionPlan>],
        schema: &SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let client = Client::of(&context)?;
        let (inputs, dataset) = (inputs.to_vec(), self.dataset.clone());
        let schema = Arc::clone(schema);
        let row = async move {
            let run = begin(client, inputs, &dataset, context).await?;
            let row = backtests(&[run])?;
            Ok(RecordBatch::try_new(schema, row.columns().to_vec())?)
        };
        Ok(stream::once(row).boxed())
    }
}

/// Checks what is asked, runs it, and returns the run once it has completed.
async fn begin(
    client: Arc<Client>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    dataset: &Dataset,
    context: Arc<TaskContext>,
) -> error::Result<Run> {
    client.require(Role::Analyst, "run_backtest")?;
    client.transaction.check_idle("run_backtest")?;
    let Some(workspace) = client.runs.workspace.clone() else {
        return Err(Error::NotReady(
            "there is no workspace to store a run in".into(),
        ));
    };
    let [label, parameters, work @ ..] = inputs.as_slice() else {
        return Err(internal("a run has several inputs"));
    };
    let row = |plan| one_row(Arc::clone(plan), Arc::clone(&context));
    let (own, parameters) = (row(label).await?, row(parameters).await?);
    let mut choice = texts(&own, 0)?;
    choice.retain(|name, _| CHOICE.iter().any(|(known, _)| known == name));
    let label = own.column_by_name("label");
    let label = label.and_then(|column| column.as_string_opt::<i32>());
    let label = label
        .filter(|column| column.is_valid(0))
        .map(|column| column.value(0));
    let total_signals = signals_in_range(dataset, &parameters);
    let mut run = Run {
        id: uuid::Uuid::now_v7().to_string(),
        scenario: None,
        label: label.map(str::to_owned),
        status: Status::Running,
        started_by: client.user.clone(),
        started_at: now(),
        completed_at: None,
        error_message: None,
        dataset: dataset.fingerprint.clone(),
        engine_version: env!("CARGO_PKG_VERSION").into(),
        parameters: texts(&parameters, 0)?,
        results: Texts::new(),
        phase: Some(Phase::Signals.name().into()),
        signals_processed: Some(0),
        total_signals: i64::try_from(total_signals).ok(),
    };
    run.scenario = run.parameters.remove("scenario");
    run.parameters
        .retain(|name, _| crate::parameters::position(name).is_some());
    let progress = Arc::new(Progress::new(run.id.clone(), total_signals));
    let stop = Stop::of(&context);
    let config = context.session_config().clone();
    let made = Arc::new(MadeRows {
        parameters,
        admitted_signals: OnceLock::new(),
    });
    let config = config.with_extension(Arc::clone(&made));
    let context = Arc::new(TaskContext::new(
        context.task_id(),
        context.session_id(),
        config,
        context.scalar_functions().clone(),
        context.higher_order_functions().clone(),
        context.aggregate_functions().clone(),
        context.window_functions().clone(),
        context.runtime_env(),
    ));
    let runs: Arc<Runs> = Arc::clone(&client.runs);
    let listed = runs.list(&progress);
    client.began(&progress);
    let _cancel = CancelOnDrop(Arc::clone(&progress));
    let work = work.to_vec();
    // Stored as begun by the task that also stores how it ended, so that one is not without the other.
    let task = async move {
        let _listed = listed;
        let begun = client.store.begin_run(&run, &workspace).await?;
        let task = RunTask {
            client,
            choice,
            run,
            begun,
            progress,
            work,
            made,
            context,
            stop,
        };
        task.run(workspace).await
    };
    let ended = tokio::spawn(task).await;
    ended.unwrap_or_else(|error| Err(internal(&format!("the run stopped: {error}"))))
}

/// Asks the run to stop when nobody waits for it any more.
struct CancelOnDrop(Arc<Progress>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// A run under way.
struct RunTask {
    client: Arc<Client>,
    /// How its settings were chosen.
    choice: Texts,
    run: Run,
    begun: BegunRun,
    progress: Arc<Progress>,
    /// The backtest, the simulated signals, what [`RUN_TABLES`] keeps, and the interval.
    work: Vec<Arc<dyn ExecutionPlan>>,
    made: Arc<MadeRows>,
    context: Arc<TaskContext>,
    stop: Stop,
}

impl RunTask {
    /// Runs to an end, and stores which.
    async fn run(self, workspace: std::path::PathBuf) -> error::Result<Run> {
        let done = tokio::select! {
            biased;
            stopped = self.watch() => Err(stopped),
            results = self.work(&workspace) => results,
        };
        // What still computes for it looks there.
        self.stop.stop();
        // Who asked it to stop in its last moments is not told that it completed.
        let done = match done {
            Ok(_) if self.begun.is_cancel_requested().await.unwrap_or(false) => {
                Err(Error::Cancelled)
            }
            done => done,
        };
        let mut run = self.run;
        let (status, message) = match &done {
            Ok(_) => (Status::Completed, None),
            Err(Error::Cancelled) => (Status::Cancelled, Some("cancelled".to_owned())),
            Err(error) => (Status::Failed, Some(error.to_string())),
        };
        let results = done.as_ref().map_or_else(|_| Texts::new(), Texts::clone);
        let stored = self.begun.end(status, message.as_deref(), &results).await;
        // Not before: among the files is the lock by which others see that it is under way.
        if status != Status::Completed {
            run_files::remove(&workspace, &run.id);
        }
        let results = done?;
        run.completed_at = Some(stored?);
        run.status = status;
        run.results = results;
        Ok(run)
    }

    /// Does the work, phase by phase.
    async fn work(&self, workspace: &Path) -> error::Result<Texts> {
        let [backtest, signals, rows @ .., interval] = self.work.as_slice() else {
            return Err(internal(
                "a run has a backtest, its signals and its interval",
            ));
        };
        // Neither needs the other, and each keeps one core busy.
        let backtest = SpawnedTask::spawn(one_row(Arc::clone(backtest), Arc::clone(&self.context)));
        self.enter(Phase::Signals);
        let memory = MemoryConsumer::new("run_backtest").register(self.context.memory_pool());
        let signals = self.simulate(signals, &memory).await;
        self.enter(Phase::Metrics);
        // Where both fail, the backtest knows better which parameter is wrong.
        let mut results = texts(&joined(backtest).await?, 0)?;
        let _ = self.made.admitted_signals.set(signals?);
        results.retain(|name, _| {
            name != "scenario" && !PARAMETERS.iter().any(|parameter| parameter.name == name)
        });
        self.enter(Phase::Rows);
        let tables = RUN_TABLES.iter().zip(rows).map(|(table, rows)| {
            let rows = rows.execute(0, Arc::clone(&self.context))?;
            let writer = RunWriter::create(workspace, &self.run.id, table, &rows.schema())?;
            Ok(SpawnedTask::spawn(write(rows, writer)))
        });
        let tables = tables.collect::<error::Result<Vec<_>>>()?;
        let interval = rows_of(Arc::clone(interval), Arc::clone(&self.context)).await?;
        results.extend(interval::stored(&interval)?);
        results.extend(self.choice.clone());
        futures::future::try_join_all(tables.into_iter().map(joined)).await?;
        self.enter(Phase::Storing);
        run_files::sync(workspace, &self.run.id)?;
        Ok(results)
    }

    /// What every signal comes to, kept in memory that is accounted for.
    async fn simulate(
        &self,
        signals: &Arc<dyn ExecutionPlan>,
        memory: &MemoryReservation,
    ) -> error::Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        let mut signals = signals.execute(0, Arc::clone(&self.context))?;
        while let Some(batch) = signals.next().await {
            let batch = batch?;
            memory.try_grow(batch.get_array_memory_size())?;
            self.progress.advance(signals_of(&batch));
            batches.push(batch);
        }
        Ok(batches)
    }

    fn enter(&self, phase: Phase) {
        self.progress.begin(phase);
        self.tell();
    }

    /// Tells the client how far it is.
    fn tell(&self) {
        let (processed, total) = (
            self.progress.signals_processed(),
            self.progress.total_signals,
        );
        let tenths = tenths_of_percent(processed, total);
        let message = format!(
            "backtest {}: {}, {processed} of {total} signals, {}.{} %",
            self.run.id,
            self.progress.phase().name(),
            tenths / 10,
            tenths % 10
        );
        self.client.notice(Severity::Notice, "00000", message);
    }

    /// Waits until the run shall stop; meanwhile says how far it is.
    async fn watch(&self) -> Error {
        let (mut asked, mut told) = (Instant::now(), Instant::now());
        loop {
            tokio::select! {
                () = self.progress.cancelled() => return Error::Cancelled,
                () = tokio::time::sleep(LOOK) => {}
            }
            if self.stop.is_stopped() {
                return Error::Cancelled;
            }
            if asked.elapsed() >= ASK {
                let processed = i64::try_from(self.progress.signals_processed());
                let phase = self.progress.phase().name();
                match self
                    .begun
                    .report(phase, processed.unwrap_or(i64::MAX))
                    .await
                {
                    Ok(false) => {}
                    Ok(true) => return Error::Cancelled,
                    Err(error) => return error,
                }
                asked = Instant::now();
            }
            if told.elapsed() >= TELL {
                self.tell();
                told = Instant::now();
            }
        }
    }
}

/// What a task comes to.
async fn joined<T: Send + 'static>(task: SpawnedTask<error::Result<T>>) -> error::Result<T> {
    let ended = task.join().await;
    ended.unwrap_or_else(|error| Err(internal(&format!("a part of the run stopped: {error}"))))
}

/// How many signals some rows are of: each has one row of its first sale, or of none.
fn signals_of(batch: &RecordBatch) -> usize {
    let parts = batch.column_by_name("part");
    let parts = parts.and_then(|parts| parts.as_primitive_opt::<Int64Type>());
    parts.map_or(batch.num_rows(), |parts| {
        let is_first = |part: &Option<i64>| part.is_none_or(|part| part == 1);
        parts.iter().filter(is_first).count()
    })
}

/// Writes rows into the file of their table.
async fn write(mut rows: SendableRecordBatchStream, mut writer: RunWriter) -> error::Result<()> {
    while let Some(batch) = rows.next().await {
        writer.write(&batch?)?;
    }
    writer.finish()
}

/// The rows of a plan.
async fn rows_of(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
) -> error::Result<Vec<RecordBatch>> {
    Ok(plan.execute(0, context)?.try_collect().await?)
}

/// The single row of a plan.
async fn one_row(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
) -> error::Result<RecordBatch> {
    let row = rows_of(plan, context)
        .await?
        .into_iter()
        .find(|batch| batch.num_rows() > 0);
    row.filter(|batch| batch.num_rows() == 1)
        .ok_or_else(|| internal("a run is one row"))
}

/// The signals that the run goes over.
fn signals_in_range(dataset: &Dataset, parameters: &RecordBatch) -> u64 {
    let timestamps = |batch: &RecordBatch, name: &str| {
        let column = batch.column_by_name(name)?;
        let column = column.as_primitive_opt::<TimestampMicrosecondType>()?;
        Some(column.clone())
    };
    let bound = |name: &str| {
        let column = timestamps(parameters, name)?;
        column.is_valid(0).then(|| column.value(0))
    };
    let (Some(start), Some(end), Some(signals)) = (
        bound("range_start"),
        bound("range_end"),
        timestamps(&dataset.signals, "timestamp"),
    ) else {
        return 0;
    };
    let before = |bound: i64| signals.values().partition_point(|at| *at < bound);
    before(end).saturating_sub(before(start)) as u64
}

fn internal(problem: &str) -> Error {
    datafusion::error::DataFusionError::Internal(problem.to_owned()).into()
}

const ADMITTED_SIGNALS: &str = "admitted_signals";

/// A row of the arguments beside the parameters, null where they are not given.
pub fn own_row(own: Vec<(&'static str, DataType, Option<Expr>)>) -> Result<LogicalPlan> {
    let none = || Expr::Literal(datafusion::common::ScalarValue::Null, None);
    let columns = own.into_iter().map(|(name, data_type, value)| {
        let value = value.unwrap_or_else(none);
        datafusion::logical_expr::cast(value, data_type).alias(name)
    });
    LogicalPlanBuilder::empty(true).project(columns)?.build()
}

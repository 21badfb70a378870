//! A grid over the workers: its combinations in shares, its rows merged in their order.
//!
//! Combinations go out in rounds, so that neither side holds more of them than it makes use of. What
//! of a round has not arrived when a worker is lost is run again on the others, once for each
//! statement; rows that have arrived are never asked for again.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::catalog::Session;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::prelude::SessionConfig;
use datafusion_distributed::{
    DistributedExt, DistributedLeafExec, NetworkCoalesceExec, RouteTasksEvent,
    RouteTasksEventResponse, SessionStateBuilderExt, WorkerResolver,
};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc::Sender;
use url::Url;

use super::leaf::{GridCodec, GridLeafExec, order, own_error, pieces, schema};
use super::shares::shares;
use super::workers::{Workers, lost, shown};
use crate::caller::client::Client;
use crate::error::Error;
use crate::whatif::elsewhere::{Elsewhere, Place};
use crate::whatif::grid::{Here, SweepSource};
use crate::whatif::pipeline::RUN_PARAMETERS_SCHEMA;

/// Batches of parameter rows that each worker is given in one round, 32,768 combinations.
const BATCHES_OF_ROUND: usize = 32;
/// Bytes of rows that are taken from one worker before they are asked for.
const AHEAD: usize = 16 << 20;

/// A session's configuration with these workers.
pub fn with_workers(config: SessionConfig, workers: Workers) -> SessionConfig {
    let cluster = Cluster {
        workers: workers.clone(),
    };
    config
        .with_extension(Arc::new(workers))
        .with_extension(Arc::new(Place(Arc::new(cluster))))
}

/// The workers of a server as a place to run combinations at.
#[derive(Debug)]
struct Cluster {
    workers: Workers,
}

#[async_trait]
impl Elsewhere for Cluster {
    async fn detail(&self, source: &SweepSource) -> String {
        let asked = self.workers.asked().await;
        let ready = asked
            .iter()
            .filter(|asked| asked.problem(source.fingerprint()).is_none());
        let ready: Vec<&str> = ready.map(|asked| shown(&asked.url)).collect();
        match ready.len() {
            0 => "on this machine, since no worker is ready".into(),
            count => format!("tasks={} on {}", tasks(count), ready.join(", ")),
        }
    }

    fn backtests(
        self: Arc<Self>,
        parameters: SendableRecordBatchStream,
        here: Here,
        client: Arc<Client>,
        context: Arc<TaskContext>,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        let mut rows = RecordBatchReceiverStreamBuilder::new(Arc::clone(&here.schema), 2);
        let mut grid = Grid {
            workers: self.workers.clone(),
            here,
            client,
            context,
            rows: rows.tx(),
            has_lost: false,
        };
        rows.spawn(async move { grid.run(parameters).await });
        rows.build().boxed()
    }
}

/// How many shares so many workers are given: the library sends nothing away that is one share.
fn tasks(workers: usize) -> usize {
    workers.max(2)
}

/// A grid that is run.
struct Grid {
    workers: Workers,
    here: Here,
    client: Arc<Client>,
    context: Arc<TaskContext>,
    rows: Sender<Result<RecordBatch>>,
    /// Whether it was planned again, since a worker was lost.
    has_lost: bool,
}

impl Grid {
    async fn run(&mut self, parameters: SendableRecordBatchStream) -> Result<()> {
        let mut ready = self.ready(None).await;
        let mut rounds = parameters.try_chunks(BATCHES_OF_ROUND * tasks(ready.len()));
        while let Some(round) = rounds.next().await {
            let round = round.map_err(|error| error.1)?;
            let _memory = self.reserve(&round)?;
            let mut left = concat_batches(&RUN_PARAMETERS_SCHEMA, &round)?;
            while left.num_rows() > 0 && !self.rows.is_closed() {
                if ready.is_empty() {
                    self.run_here(&mut left).await?;
                } else if let Err(error) = self.run_on(&ready, &mut left).await {
                    ready = self.without(&ready, error).await?;
                }
            }
        }
        Ok(())
    }

    /// Memory for the combinations of a round, as they are here and as they are sent.
    fn reserve(&self, round: &[RecordBatch]) -> Result<MemoryReservation> {
        let memory = MemoryConsumer::new("combinations for workers").register(&self.here.pool);
        let bytes: usize = round.iter().map(RecordBatch::get_array_memory_size).sum();
        memory.try_grow(3 * bytes)?;
        Ok(memory)
    }

    /// The workers that this history is run on; who listens is told of the others.
    async fn ready(&self, lost: Option<&Url>) -> Vec<Url> {
        let mut ready = Vec::new();
        let asked = match lost {
            None => self.workers.asked().await,
            Some(_) => self.workers.ask().await,
        };
        for asked in asked {
            if lost == Some(&asked.url) {
                continue;
            }
            match asked.problem(self.here.source.fingerprint()) {
                None => ready.push(asked.url),
                Some(problem) => {
                    let address = shown(&asked.url);
                    let remark = format!("worker {address} is not used: it {problem}");
                    self.client.remark_once(remark);
                }
            }
        }
        if ready.is_empty() {
            let remark = "no worker is ready, and the combinations run on the server's machine";
            self.client.remark_once(remark.into());
        }
        ready
    }

    /// Whom to go on with when something went wrong on these.
    async fn without(&mut self, ready: &[Url], error: DataFusionError) -> Result<Vec<Url>> {
        if let Some(error) = own_error(&error) {
            return Err(error.into());
        }
        let Some(lost) = lost(&error) else {
            return Err(error);
        };
        if self.has_lost {
            let hint = "the table workers says which are ready; the statement can be run again";
            return Err(Error::session_hint("58000", lost.to_string(), hint).into());
        }
        self.has_lost = true;
        let others = self.ready(Some(&lost.url)).await;
        let others: Vec<Url> = others
            .into_iter()
            .filter(|url| ready.contains(url))
            .collect();
        let remark = format!(
            "{lost}; what is missing of it is run on {} others",
            others.len()
        );
        self.client.remark_once(remark);
        Ok(others)
    }

    /// Runs what is left in this process.
    async fn run_here(&self, left: &mut RecordBatch) -> Result<()> {
        let parameters = stream::iter(pieces(left).map(Ok));
        let mut rows = Box::pin(self.here.clone().rows(parameters));
        while let Some(batch) = rows.try_next().await? {
            *left = left.slice(batch.num_rows(), left.num_rows() - batch.num_rows());
            if self.rows.send(Ok(batch)).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Runs what is left on these workers, and takes off it what has arrived.
    async fn run_on(&self, ready: &[Url], left: &mut RecordBatch) -> Result<()> {
        let (plan, context) = self.plan(ready, left).await?;
        let mut rows = plan.execute(0, context)?;
        while let Some(batch) = rows.try_next().await? {
            let count = batch.num_rows();
            // A share that ended too soon would leave a gap.
            if count > left.num_rows() || *batch.column(0) != left.column(0).slice(0, count) {
                return exec_err!("the rows of workers are not those of the combinations sent");
            }
            *left = left.slice(count, left.num_rows() - count);
            let columns = batch.columns().iter().skip(1).cloned().collect();
            let batch = RecordBatch::try_new(Arc::clone(&self.here.schema), columns)?;
            let done = u64::try_from(count).unwrap_or(u64::MAX);
            self.here
                .done
                .fetch_add(done, std::sync::atomic::Ordering::Relaxed);
            if self.rows.send(Ok(batch)).await.is_err() {
                return Ok(());
            }
        }
        match left.num_rows() {
            0 => Ok(()),
            missing => exec_err!("the rows of workers ended {missing} combinations too soon"),
        }
    }

    /// The plan that runs what is left: a share for each worker, merged by combination.
    async fn plan(
        &self,
        ready: &[Url],
        left: &RecordBatch,
    ) -> Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)> {
        let tasks = tasks(ready.len());
        let mut leaves: Vec<Arc<dyn ExecutionPlan>> = Vec::with_capacity(tasks);
        for share in shares(left, tasks)? {
            let fingerprint = self.here.source.fingerprint();
            leaves.push(Arc::new(GridLeafExec::new(share, fingerprint)?));
        }
        let all = GridLeafExec::new(left.clone(), self.here.source.fingerprint())?;
        let leaf = DistributedLeafExec::try_new(Arc::new(all), leaves)?;
        let network = NetworkCoalesceExec::try_new(Arc::new(leaf), tasks, 1)?;
        let merged = SortPreservingMergeExec::new(order(&schema())?, Arc::new(network));
        let urls: Vec<Url> = ready.iter().cycle().take(tasks).cloned().collect();
        let routed = urls.clone();
        let config = SessionConfig::new()
            .with_batch_size(self.context.session_config().batch_size())
            .with_distributed_channel_resolver(self.workers.clone())
            .with_distributed_worker_resolver(Routes(urls))
            .with_distributed_user_codec(GridCodec { node: None })
            .with_distributed_route_tasks_handler(move |_: RouteTasksEvent<'_>| {
                Some(Ok(RouteTasksEventResponse::new(routed.clone())))
            })
            .with_distributed_metrics_collection(false)?
            .with_distributed_worker_connection_buffer_budget_bytes(AHEAD)?;
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(self.context.runtime_env())
            .with_query_planner(Arc::new(Planned(Arc::new(merged))))
            .with_distributed_planner()
            .build();
        let nothing = LogicalPlanBuilder::empty(false).build()?;
        let planner = Arc::clone(state.query_planner());
        let plan = planner.create_physical_plan(&nothing, &state).await?;
        Ok((plan, state.task_ctx()))
    }
}

/// Where shares are sent.
struct Routes(Vec<Url>);

impl WorkerResolver for Routes {
    fn get_urls(&self) -> Result<Vec<Url>> {
        Ok(self.0.clone())
    }
}

/// What the library divides is planned already.
#[derive(Debug)]
struct Planned(Arc<dyn ExecutionPlan>);

#[async_trait]
impl QueryPlanner for Planned {
    async fn create_physical_plan(
        &self,
        _: &LogicalPlan,
        _: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::clone(&self.0))
    }
}

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
use datafusion::common::{Result, exec_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::prelude::SessionConfig;
use datafusion_distributed::{DistributedLeafExec, NetworkCoalesceExec};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc::Sender;

use super::fragments::Fragments;
use super::leaf::{GridLeafExec, order, pieces, schema};
use super::shares::shares;
use super::used::{self, Used, tasks};
use super::workers::Workers;
use crate::caller::client::Client;
use crate::whatif::elsewhere::{Elsewhere, Place};
use crate::whatif::grid::{Here, SweepSource};
use crate::whatif::pipeline::RUN_PARAMETERS_SCHEMA;

/// Batches of parameter rows that each worker is given in one round, 32,768 combinations.
const BATCHES_OF_ROUND: usize = 32;

/// A session's configuration with these workers.
pub fn with_workers(config: SessionConfig, workers: Workers) -> SessionConfig {
    let cluster = Cluster {
        workers: workers.clone(),
    };
    config
        .with_extension(Arc::new(workers))
        .with_extension(Arc::new(Place(Arc::new(cluster))))
}

/// The workers of a server as a place to run statements at.
#[derive(Debug)]
struct Cluster {
    workers: Workers,
}

#[async_trait]
impl Elsewhere for Cluster {
    async fn detail(&self, source: &SweepSource) -> String {
        used::detail(&self.workers.asked().await, source.fingerprint())
    }

    fn backtests(
        self: Arc<Self>,
        parameters: SendableRecordBatchStream,
        here: Here,
        client: Arc<Client>,
        context: Arc<TaskContext>,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        let mut rows = RecordBatchReceiverStreamBuilder::new(Arc::clone(&here.schema), 2);
        let workers = self.workers.clone();
        let sender = rows.tx();
        rows.spawn(async move {
            let used = Used::of(workers, client, here.source.fingerprint()).await;
            let mut grid = Grid {
                used,
                here,
                context,
                rows: sender,
            };
            grid.run(parameters).await
        });
        rows.build().boxed()
    }

    async fn rule(
        &self,
        session: &dyn Session,
        client: Arc<Client>,
    ) -> Arc<dyn PhysicalOptimizerRule + Send + Sync> {
        let asked = self.workers.asked().await;
        Arc::new(Fragments::new(self.workers.clone(), asked, session, client))
    }
}

/// A grid that is run.
struct Grid {
    used: Used,
    here: Here,
    context: Arc<TaskContext>,
    rows: Sender<Result<RecordBatch>>,
}

impl Grid {
    async fn run(&mut self, parameters: SendableRecordBatchStream) -> Result<()> {
        let mut rounds = parameters.try_chunks(BATCHES_OF_ROUND * tasks(self.used.ready().len()));
        while let Some(round) = rounds.next().await {
            let round = round.map_err(|error| error.1)?;
            let _memory = self.reserve(&round)?;
            let mut left = concat_batches(&RUN_PARAMETERS_SCHEMA, &round)?;
            while left.num_rows() > 0 && !self.rows.is_closed() {
                if self.used.ready().is_empty() {
                    self.run_here(&mut left).await?;
                } else if let Err(error) = self.run_on_workers(&mut left).await {
                    self.used.lose(error, true).await?;
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

    /// Runs what is left on the workers, and takes off it what has arrived.
    async fn run_on_workers(&self, left: &mut RecordBatch) -> Result<()> {
        let (plan, context) = self.used.planned(self.plan(left)?, &self.context).await?;
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
    fn plan(&self, left: &RecordBatch) -> Result<Arc<dyn ExecutionPlan>> {
        let tasks = tasks(self.used.ready().len());
        let mut leaves: Vec<Arc<dyn ExecutionPlan>> = Vec::with_capacity(tasks);
        for share in shares(left, tasks)? {
            let fingerprint = self.here.source.fingerprint();
            leaves.push(Arc::new(GridLeafExec::new(share, fingerprint)?));
        }
        let all = GridLeafExec::new(left.clone(), self.here.source.fingerprint())?;
        let leaf = DistributedLeafExec::try_new(Arc::new(all), leaves)?;
        let network = NetworkCoalesceExec::try_new(Arc::new(leaf), tasks, 1)?;
        let merged = SortPreservingMergeExec::new(order(&schema())?, Arc::new(network));
        Ok(Arc::new(merged))
    }
}

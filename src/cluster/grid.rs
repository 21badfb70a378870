//! A grid over the workers: its combinations in shares, its rows merged in their order.
//!
//! Combinations go out in rounds, so that neither side holds more of them than it makes use of. What
//! of a round has not arrived when a worker is lost is run again on the others, once for each
//! statement; rows that have arrived are never asked for again.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::Int64Type;
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
use crate::whatif::grid::{SweepSource, combinations};
use crate::whatif::here::{Here, Made};

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
            let parameters = concat_batches(&self.here.kind.parameters(), &round)?;
            let mut left = Left::of(parameters, self.here.kind)?;
            while !left.is_nothing() && !self.rows.is_closed() {
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
    async fn run_here(&self, left: &mut Left) -> Result<()> {
        let parameters = left.parameters();
        let parameters: Vec<_> = pieces(&parameters).map(Ok).collect();
        let mut rows = self.here.clone().rows(stream::iter(parameters));
        let mut known = left.arrived;
        while let Some(batch) = rows.try_next().await? {
            let batch = behind(&batch, &mut known);
            if batch.num_rows() > 0 && self.rows.send(Ok(batch)).await.is_err() {
                break;
            }
        }
        left.next = left.rows.len();
        Ok(())
    }

    /// Runs what is left on the workers, and takes off it what has arrived.
    async fn run_on_workers(&self, left: &mut Left) -> Result<()> {
        let (plan, context) = self.used.planned(self.plan(left)?, &self.context).await?;
        let mut rows = plan.execute(0, context)?;
        let mut known = left.arrived;
        while let Some(batch) = rows.try_next().await? {
            let batch = behind(&batch, &mut known);
            // A share that ended too soon would leave a gap.
            let Some(done) = left.take(batch.column(0)) else {
                return exec_err!("the rows of workers are not those of the combinations sent");
            };
            self.here
                .done
                .fetch_add(done, std::sync::atomic::Ordering::Relaxed);
            if batch.num_rows() == 0 {
                continue;
            }
            let columns = batch.columns().iter().skip(1).cloned().collect();
            let batch = RecordBatch::try_new(Arc::clone(&self.here.schema), columns)?;
            if self.rows.send(Ok(batch)).await.is_err() {
                return Ok(());
            }
        }
        match left.is_nothing() {
            true => Ok(()),
            false => exec_err!("the rows of workers ended too soon"),
        }
    }

    /// The plan that runs what is left: a share for each worker, merged by combination.
    fn plan(&self, left: &Left) -> Result<Arc<dyn ExecutionPlan>> {
        let (tasks, kind) = (tasks(self.used.ready().len()), self.here.kind);
        let (left, fingerprint) = (left.parameters(), self.here.source.fingerprint());
        let mut leaves: Vec<Arc<dyn ExecutionPlan>> = Vec::with_capacity(tasks);
        for share in shares(&left, tasks)? {
            leaves.push(Arc::new(GridLeafExec::new(share, kind, fingerprint)?));
        }
        let all = GridLeafExec::new(left, kind, fingerprint)?;
        let leaf = DistributedLeafExec::try_new(Arc::new(all), leaves)?;
        let network = NetworkCoalesceExec::try_new(Arc::new(leaf), tasks, 1)?;
        let merged = SortPreservingMergeExec::new(order(&schema(kind))?, Arc::new(network));
        Ok(Arc::new(merged))
    }
}

/// What is behind rows that are known already.
fn behind(batch: &RecordBatch, known: &mut usize) -> RecordBatch {
    let skipped = batch.num_rows().min(*known);
    *known -= skipped;
    batch.slice(skipped, batch.num_rows() - skipped)
}

/// Combinations of which rows are missing.
struct Left {
    all: RecordBatch,
    /// How many rows each has.
    rows: Vec<usize>,
    /// The first that is not complete, and how many rows of it have arrived.
    next: usize,
    arrived: usize,
}

impl Left {
    fn of(all: RecordBatch, kind: Made) -> Result<Self> {
        let rows = match kind {
            Made::Backtests | Made::Trainings { .. } => vec![1; all.num_rows()],
            Made::Days | Made::Series => {
                let combinations = combinations(&all)?;
                combinations.iter().map(|one| kind.rows(one)).collect()
            }
        };
        let mut left = Self {
            all,
            rows,
            next: 0,
            arrived: 0,
        };
        left.settle();
        Ok(left)
    }

    fn is_nothing(&self) -> bool {
        self.next >= self.rows.len()
    }

    /// Those of which rows are missing.
    fn parameters(&self) -> RecordBatch {
        self.all.slice(self.next, self.all.num_rows() - self.next)
    }

    /// Goes on to the first that is not complete.
    fn settle(&mut self) {
        while self
            .rows
            .get(self.next)
            .is_some_and(|rows| self.arrived >= *rows)
        {
            self.next += 1;
            self.arrived = 0;
        }
    }

    /// Takes rows off, of these combinations, and says how many of them are complete then; `None` where
    /// they are not the next.
    fn take(&mut self, combinations: &ArrayRef) -> Option<u64> {
        let own = self.all.column(0).as_primitive_opt::<Int64Type>()?.clone();
        let before = self.next;
        for combination in combinations.as_primitive_opt::<Int64Type>()?.values() {
            if self.is_nothing() || own.value(self.next) != *combination {
                return None;
            }
            self.arrived += 1;
            self.settle();
        }
        u64::try_from(self.next - before).ok()
    }
}

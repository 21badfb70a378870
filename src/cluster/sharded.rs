//! A fragment of a plan that runs on the workers: each reads a part of its relation, and their rows
//! come in the order in which one process would have had them.
//!
//! What is read beside the relation is read first, here, and goes with the fragment; where that is
//! much, or no worker is ready, the fragment runs in this process. A worker that is lost before the
//! first row, or before the last of an aggregate, is made up for by the others; later the statement
//! ends.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::concat_batches;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::TryStreamExt;
use tokio::sync::mpsc::Sender;

use super::sent;
use super::used::{Used, tasks};
use super::workers::Workers;
use crate::caller::client::Client;
use crate::caller::in_turn::{Begins, in_turn};

/// Bytes of rows that go with a fragment at most.
const GIVEN_MOST: usize = 1 << 20;
/// Bytes of the first halves of an aggregate that are held until all have come, at most.
const HELD_MOST: usize = 16 << 20;

/// The fragment in its plan.
#[derive(Debug)]
pub struct ShardedExec {
    workers: Workers,
    /// As this process would run it.
    fragment: Arc<dyn ExecutionPlan>,
    detail: String,
    properties: Arc<PlanProperties>,
}

impl ShardedExec {
    /// `detail` says where it runs.
    pub fn new(workers: Workers, fragment: Arc<dyn ExecutionPlan>, detail: String) -> Self {
        let of_fragment = fragment.properties();
        // Partial aggregates of signals come as the shares do.
        let is_as_here = sent::has_places(&fragment) || !sent::lies_between(&fragment);
        let equivalence = match is_as_here {
            true => of_fragment.eq_properties.clone(),
            false => EquivalenceProperties::new(fragment.schema()),
        };
        let properties = PlanProperties::new(
            equivalence,
            Partitioning::UnknownPartitioning(1),
            of_fragment.emission_type,
            of_fragment.boundedness,
        );
        Self {
            workers,
            fragment,
            detail,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for ShardedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "ShardedExec: {}", self.detail)
    }
}

impl ExecutionPlan for ShardedExec {
    fn name(&self) -> &str {
        "ShardedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.fragment]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([fragment]) = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) else {
            return internal_err!("what is sharded is one fragment");
        };
        let (workers, detail) = (self.workers.clone(), self.detail.clone());
        Ok(Arc::new(Self::new(workers, fragment, detail)))
    }

    fn child_stats_requests(&self, _: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(None)]
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let unknown = || Arc::new(Statistics::new_unknown(&self.schema()));
        Ok(inputs.first().cloned().unwrap_or_else(unknown))
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut rows = RecordBatchReceiverStreamBuilder::new(self.schema(), 2);
        let run = Run {
            workers: self.workers.clone(),
            fragment: Arc::clone(&self.fragment),
            client: Client::of(&context)?,
            context,
            rows: rows.tx(),
        };
        rows.spawn(run.run());
        Ok(rows.build())
    }
}

/// A fragment that is run.
struct Run {
    workers: Workers,
    fragment: Arc<dyn ExecutionPlan>,
    client: Arc<Client>,
    context: Arc<TaskContext>,
    rows: Sender<Result<RecordBatch>>,
}

impl Run {
    async fn run(self) -> Result<()> {
        let Some(leaf) = sent::leaf(&self.fragment) else {
            return internal_err!("a fragment reads a relation");
        };
        let memory = MemoryConsumer::new("rows for workers").register(self.context.memory_pool());
        let given = self.given(&memory).await?;
        let is_sorted = !sent::needs_one(&self.fragment) || given.iter().all(|g| g.num_rows() < 2);
        if !is_sorted || memory.size() > GIVEN_MOST {
            let remark = "the statement runs on the server's machine: too many rows go with it";
            self.client.remark_once(remark.into());
            return self.here(&given).await;
        }
        let fingerprint = &leaf.scan().origin.fingerprint;
        let mut used = Used::of(self.workers.clone(), Arc::clone(&self.client), fingerprint).await;
        loop {
            if used.ready().is_empty() {
                return self.here(&given).await;
            }
            let mut has_begun = false;
            match self
                .on_workers(&used, &given, &mut has_begun, &memory)
                .await
            {
                Ok(()) => return Ok(()),
                Err(error) => used.lose(error, !has_begun).await?,
            }
        }
    }

    /// The rows of what is read beside the relation.
    async fn given(&self, memory: &MemoryReservation) -> Result<Vec<RecordBatch>> {
        let mut all = Vec::new();
        for plan in sent::given(&self.fragment) {
            let mut rows = in_turn(&plan, Begins::Ahead, Arc::clone(&self.context))?;
            let mut batches = Vec::new();
            while let Some(batch) = rows.try_next().await? {
                memory.try_grow(batch.get_array_memory_size())?;
                batches.push(batch);
            }
            all.push(concat_batches(&plan.schema(), &batches)?);
        }
        Ok(all)
    }

    /// Runs it in this process.
    async fn here(&self, given: &[RecordBatch]) -> Result<()> {
        let plan = sent::here(&self.fragment, given)?;
        let mut rows = in_turn(&plan, Begins::Ahead, Arc::clone(&self.context))?;
        while let Some(batch) = rows.try_next().await? {
            if self.rows.send(Ok(batch)).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn on_workers(
        &self,
        used: &Used,
        given: &[RecordBatch],
        has_begun: &mut bool,
        memory: &MemoryReservation,
    ) -> Result<()> {
        let session = self.context.session_config();
        let (tasks, partitions) = (tasks(used.ready().len()), session.target_partitions());
        let plan = sent::plan(
            &self.fragment,
            given,
            tasks,
            partitions,
            session.batch_size(),
        )?;
        let (plan, context) = used.planned(plan, &self.context).await?;
        let mut rows = plan.execute(0, context)?;
        let schema = self.fragment.schema();
        // Nobody makes use of half an aggregate before the last worker has sent its own: until then one
        // that is lost can be made up for.
        let held_memory = memory.new_empty();
        let mut held = Vec::new();
        let mut holds = sent::is_aggregated(&self.fragment);
        while let Some(batch) = rows.try_next().await? {
            // Without the places.
            let columns = batch.columns().iter().take(schema.fields().len());
            let count = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = columns.cloned().collect();
            let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &count)?;
            let bytes = batch.get_array_memory_size();
            holds &= held_memory.size() + bytes <= HELD_MOST && held_memory.try_grow(bytes).is_ok();
            held.push(batch);
            if !holds && !self.pass_on(&mut held, has_begun).await {
                return Ok(());
            }
        }
        self.pass_on(&mut held, has_begun).await;
        Ok(())
    }

    /// Whether somebody still reads the rows.
    async fn pass_on(&self, held: &mut Vec<RecordBatch>, has_begun: &mut bool) -> bool {
        for batch in held.drain(..) {
            *has_begun = true;
            if self.rows.send(Ok(batch)).await.is_err() {
                return false;
            }
        }
        true
    }
}

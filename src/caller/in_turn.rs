//! The partitions of a plan one behind the other.
//!
//! `UNION ALL` in the order in which it is written: the rows of one part behind those of the part before,
//! where nothing else says an order, as PostgreSQL has them, and the same at each execution. And shares of
//! a relation, which are made at the same time.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
#[cfg(feature = "distributed")]
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};

/// Batches of a partition that are made before they are asked for.
#[cfg(feature = "distributed")]
const AHEAD: usize = 2;

/// When a partition is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// When the one before has ended.
    InTurn,
    /// At once, as all others.
    #[cfg(feature = "distributed")]
    Ahead,
}

/// Takes the partitions of its input one after the other.
#[derive(Debug)]
pub struct InTurnExec {
    input: Arc<dyn ExecutionPlan>,
    begins: Begins,
    properties: Arc<PlanProperties>,
}

impl InTurnExec {
    pub fn new(input: Arc<dyn ExecutionPlan>, begins: Begins) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(1),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self {
            input,
            begins,
            properties: Arc::new(properties),
        }
    }

    /// Stands for what takes partitions as their rows come, where they are the parts of a union.
    pub fn in_place_of(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
        let coalesced = node.downcast_ref::<CoalescePartitionsExec>()?;
        let is_all = coalesced.fetch().is_none();
        let input = coalesced.input();
        (is_all && is_union(input))
            .then(|| Arc::new(Self::new(Arc::clone(input), Begins::InTurn)) as _)
    }

    /// The whole plan, whose partitions would be taken as their rows come.
    pub fn of_root(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        match plan.output_partitioning().partition_count() > 1 && is_union(&plan) {
            true => Arc::new(Self::new(plan, Begins::InTurn)),
            false => plan,
        }
    }
}

/// Whether the partitions of a plan are the parts of a union, each of one partition.
fn is_union(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let children = plan.children();
    if plan.is::<UnionExec>() {
        return children
            .iter()
            .all(|part| part.output_partitioning().partition_count() == 1);
    }
    let keeps_parts = plan.is::<ProjectionExec>()
        || plan.is::<FilterExec>()
        || plan.is::<AggregateExec>()
        || plan.is::<CooperativeExec>();
    match children.as_slice() {
        [child] => keeps_parts && is_union(child),
        _ => false,
    }
}

impl DisplayAs for InTurnExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("InTurnExec")
    }
}

impl ExecutionPlan for InTurnExec {
    fn name(&self) -> &str {
        "InTurnExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
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
        let Ok([input]) = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) else {
            return internal_err!("what is taken in turn has one input");
        };
        Ok(Arc::new(Self::new(input, self.begins)))
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        in_turn(&self.input, self.begins, context)
    }
}

/// The rows of all partitions of a plan.
pub fn in_turn(
    plan: &Arc<dyn ExecutionPlan>,
    begins: Begins,
    context: Arc<TaskContext>,
) -> Result<SendableRecordBatchStream> {
    let (schema, plan) = (plan.schema(), Arc::clone(plan));
    let partitions = 0..plan.output_partitioning().partition_count();
    let parts = partitions.map(move |partition| plan.execute(partition, Arc::clone(&context)));
    let rows = match begins {
        Begins::InTurn => stream::iter(parts).try_flatten().boxed(),
        #[cfg(feature = "distributed")]
        Begins::Ahead => {
            let parts = parts.map(|part| Ok(spawn_buffered(part?, AHEAD)));
            let parts = parts.collect::<Result<Vec<_>>>()?;
            stream::iter(parts).flatten().boxed()
        }
    };
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

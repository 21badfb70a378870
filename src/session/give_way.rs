//! Makes plans give way: whatever a statement computes, it can be stopped soon.
//!
//! DataFusion lets a task be stopped where its tables are read. A join may turn one batch it has
//! read into billions of rows, or compare it with billions and find none, and looks up only then.
//! So the rows that joins and unnested arrays make count as read ones do, and what a nested loop
//! compares comes in small batches with a pause behind each.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
};
use futures::{Stream, StreamExt};

/// Rows that a nested loop compares with all others before it can be stopped.
const ROWS_BETWEEN_PAUSES: usize = 512;

/// Puts a pause into every plan that needs one.
#[derive(Debug)]
pub struct GiveWay;

impl PhysicalOptimizerRule for GiveWay {
    fn name(&self) -> &str {
        "GiveWay"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let node = match node.is::<NestedLoopJoinExec>() {
                true => with_pauses(node)?,
                false if multiplies(&node) => node,
                false => return Ok(Transformed::no(node)),
            };
            Ok(Transformed::yes(Arc::new(CooperativeExec::new(node))))
        })
        .data()
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether few rows read may become many.
fn multiplies(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.is::<CrossJoinExec>()
        || node.is::<HashJoinExec>()
        || node.is::<SortMergeJoinExec>()
        || node.is::<UnnestExec>()
}

/// A nested loop whose rows to compare come a few at a time.
fn with_pauses(join: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let children = join.children();
    let [left, right] = children.as_slice() else {
        return internal_err!("a join has two inputs");
    };
    let (left, right) = (Arc::clone(left), Arc::new(PauseExec(Arc::clone(right))));
    join.with_new_children(vec![left, right])
}

/// Hands its input on in small batches, with a pause behind each.
#[derive(Debug)]
struct PauseExec(Arc<dyn ExecutionPlan>);

impl DisplayAs for PauseExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "PauseExec: rows={ROWS_BETWEEN_PAUSES}")
    }
}

impl ExecutionPlan for PauseExec {
    fn name(&self) -> &str {
        "PauseExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.0.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.0]
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
            return internal_err!("a pause has one input");
        };
        Ok(Arc::new(Self(input)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        Ok(Box::pin(Pauses {
            input: self.0.execute(partition, context)?,
            rest: None,
            paused: false,
        }))
    }
}

struct Pauses {
    input: SendableRecordBatchStream,
    /// What is left of the batch last read.
    rest: Option<RecordBatch>,
    /// Whether there was a pause since the last rows.
    paused: bool,
}

impl Stream for Pauses {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.paused {
            self.paused = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let batch = match self.rest.take() {
            Some(batch) => batch,
            None => match ready!(self.input.poll_next_unpin(context)) {
                Some(Ok(batch)) => batch,
                end => return Poll::Ready(end),
            },
        };
        self.paused = false;
        if batch.num_rows() <= ROWS_BETWEEN_PAUSES {
            return Poll::Ready(Some(Ok(batch)));
        }
        let rows = batch.num_rows() - ROWS_BETWEEN_PAUSES;
        self.rest = Some(batch.slice(ROWS_BETWEEN_PAUSES, rows));
        Poll::Ready(Some(Ok(batch.slice(0, ROWS_BETWEEN_PAUSES))))
    }
}

impl RecordBatchStream for Pauses {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}

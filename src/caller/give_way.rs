//! Makes plans give way: whatever a statement computes, it can be stopped soon.
//!
//! DataFusion lets a task be stopped where its tables are read. A join may turn one batch it has
//! read into billions of rows, or compare it with billions and find none, and looks up only then.
//! So the rows that joins and unnested arrays make count as read ones do, and what a nested loop
//! compares comes in small batches with a pause behind each, and the comparison itself asks whether
//! anybody still waits for it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::sink::DataSinkExec;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec,
};
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{Stream, StreamExt};

use super::guard;
use super::in_turn::InTurnExec;
use super::passing::PassingExec;
use crate::error::Error;

/// Stops one statement: what computes for it asks now and then.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Stops the statement, wherever it is.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is to stop.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// That of the statement that is being executed.
    pub fn of(context: &TaskContext) -> Self {
        let stop = context.session_config().get_extension::<Self>();
        stop.map_or_else(Self::default, |stop| stop.as_ref().clone())
    }
}

/// The statements of a session that are under way.
#[derive(Debug, Default)]
pub struct UnderWay(Mutex<Vec<Weak<AtomicBool>>>);

impl UnderWay {
    /// Stops all of them.
    pub fn stop(&self) {
        for stop in self.statements().drain(..) {
            if let Some(stop) = stop.upgrade() {
                Stop(stop).stop();
            }
        }
    }

    /// One more, which has just begun.
    pub fn begin(&self) -> Stop {
        let stop = Stop::default();
        self.add(&stop);
        stop
    }

    /// Counts one more among them.
    pub fn add(&self, stop: &Stop) {
        let mut statements = self.statements();
        statements.retain(|statement| statement.strong_count() > 0);
        statements.push(Arc::downgrade(&stop.0));
    }

    fn statements(&self) -> MutexGuard<'_, Vec<Weak<AtomicBool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a statement. It stops when its rows are dropped, or when it is told to.
pub async fn start(frame: DataFrame, under_way: &UnderWay) -> Result<SendableRecordBatchStream> {
    let stop = under_way.begin();
    let (mut state, plan) = frame.into_parts();
    state.config_mut().set_extension(Arc::new(stop.clone()));
    let rows = DataFrame::new(state, plan).execute_stream().await?;
    Ok(awaited(rows, stop))
}

/// Rows that stop being made when they are dropped.
pub fn awaited(rows: SendableRecordBatchStream, stop: Stop) -> SendableRecordBatchStream {
    Box::pin(Awaited { rows, stop })
}

/// Rows that somebody waits for.
struct Awaited {
    rows: SendableRecordBatchStream,
    stop: Stop,
}

impl Stream for Awaited {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { rows, stop } = &mut *self;
        match guard::call(stop, || Ok(rows.poll_next_unpin(context))) {
            Ok(polled) => polled,
            Err(error) => Poll::Ready(Some(Err(error.into()))),
        }
    }
}

impl RecordBatchStream for Awaited {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

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
        let plan = plan.transform_up(|node| {
            if let Some(in_turn) = InTurnExec::in_place_of(&node) {
                return Ok(Transformed::yes(in_turn));
            }
            let node = match node.is::<NestedLoopJoinExec>() {
                true => with_pauses(node)?,
                false if multiplies(&node) => node,
                false if node.is::<DataSinkExec>() => {
                    let inputs = node.children().into_iter().map(Arc::clone);
                    let inputs = inputs.map(PassingExec::counted).collect();
                    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
                    return Ok(Transformed::yes(node.replace_children(inputs, options)?));
                }
                false => return Ok(Transformed::no(node)),
            };
            Ok(Transformed::yes(Arc::new(CooperativeExec::new(node))))
        });
        plan.data().map(InTurnExec::of_root)
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

/// What a node is over that only has a plan give way: a plan that is sent elsewhere goes without.
pub fn over(node: &Arc<dyn ExecutionPlan>) -> Option<&Arc<dyn ExecutionPlan>> {
    match node.downcast_ref::<StoppableExec>() {
        Some(stoppable) => Some(&stoppable.join),
        None if node.name() == PAUSE => node.children().first().copied(),
        None => None,
    }
}

const PAUSE: &str = "PauseExec";

/// A nested loop whose rows to compare come a few at a time, and which can be stopped.
fn with_pauses(join: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let children = join.children();
    let [left, right] = children.as_slice() else {
        return internal_err!("a join has two inputs");
    };
    let right = PassingExec::over(PAUSE, paused, Arc::clone(right));
    let left = Arc::clone(left);
    let join = join.replace_children(
        vec![left, right],
        ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
    )?;
    Ok(Arc::new(StoppableExec {
        join,
        started: OnceLock::new(),
    }))
}

/// A nested loop join that compares until it is told to stop.
#[derive(Debug)]
struct StoppableExec {
    join: Arc<dyn ExecutionPlan>,
    /// The join that asks; one for all partitions, since they share what it collects.
    started: OnceLock<Arc<dyn ExecutionPlan>>,
}

impl StoppableExec {
    fn asking(&self, stop: &Stop) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(join) = self.join.downcast_ref::<NestedLoopJoinExec>() else {
            return internal_err!("only nested loops are stoppable");
        };
        let Some(filter) = join.filter() else {
            return Ok(Arc::clone(&self.join));
        };
        let asking = Asking {
            comparison: Arc::clone(filter.expression()),
            stop: stop.clone(),
        };
        let filter = JoinFilter::new(
            Arc::new(asking),
            filter.column_indices().to_vec(),
            Arc::clone(filter.schema()),
        );
        let join = NestedLoopJoinExecBuilder::from(join).with_filter(Some(filter));
        Ok(Arc::new(join.build()?))
    }
}

impl DisplayAs for StoppableExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("StoppableExec")
    }
}

impl ExecutionPlan for StoppableExec {
    fn name(&self) -> &str {
        "StoppableExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.join.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.join]
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
        let Ok([join]) = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) else {
            return internal_err!("what is stoppable has one input");
        };
        Ok(Arc::new(Self {
            join,
            started: OnceLock::new(),
        }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let join = match self.started.get() {
            Some(join) => join,
            None => {
                let join = self.asking(&Stop::of(&context))?;
                self.started.get_or_init(|| join)
            }
        };
        join.execute(partition, context)
    }
}

/// A comparison that fails once it is told to stop.
#[derive(Debug)]
struct Asking {
    comparison: Arc<dyn PhysicalExpr>,
    stop: Stop,
}

impl PartialEq for Asking {
    fn eq(&self, other: &Self) -> bool {
        self.comparison.eq(&other.comparison)
    }
}

impl Eq for Asking {}

impl Hash for Asking {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.comparison.hash(state);
    }
}

impl fmt::Display for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.comparison.fmt(f)
    }
}

impl PhysicalExpr for Asking {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.comparison.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.comparison.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.stop.is_stopped() {
            return Err(DataFusionError::External(Box::new(Error::Cancelled)));
        }
        self.comparison.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.comparison]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let Ok([comparison]) = <[Arc<dyn PhysicalExpr>; 1]>::try_from(children) else {
            return internal_err!("a comparison that asks wraps one");
        };
        let stop = self.stop.clone();
        Ok(Arc::new(Self { comparison, stop }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.comparison.fmt_sql(f)
    }
}

/// Hands rows on in small batches, with a pause behind each.
fn paused(input: SendableRecordBatchStream, _: &TaskContext) -> SendableRecordBatchStream {
    Box::pin(Pauses {
        input,
        rest: None,
        paused: false,
    })
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

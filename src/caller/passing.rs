//! A node of a plan that hands the rows of its one input on, having seen or parted them.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::TryStreamExt;

use crate::memory;

/// What the pool counts the rows of temporary tables as.
pub const TEMPORARY_TABLE: &str = "temporary table";

/// What becomes of the rows on their way.
pub type Handling = fn(SendableRecordBatchStream, &TaskContext) -> SendableRecordBatchStream;

/// The node.
pub struct PassingExec {
    input: Arc<dyn ExecutionPlan>,
    name: &'static str,
    handling: Handling,
}

impl PassingExec {
    pub fn over(
        name: &'static str,
        handling: Handling,
        input: Arc<dyn ExecutionPlan>,
    ) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self {
            input,
            name,
            handling,
        })
    }

    /// Rows that are kept, counted in the memory pool for as long as they live.
    pub fn counted(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Self::over("CountedExec", counted, input)
    }
}

fn counted(rows: SendableRecordBatchStream, context: &TaskContext) -> SendableRecordBatchStream {
    let pool = Arc::clone(context.memory_pool());
    let schema = rows.schema();
    let rows = rows
        .and_then(move |batch| std::future::ready(memory::counted(&batch, TEMPORARY_TABLE, &pool)));
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

impl fmt::Debug for PassingExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(self.name).field(&self.input).finish()
    }
}

impl DisplayAs for PassingExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl ExecutionPlan for PassingExec {
    fn name(&self) -> &str {
        self.name
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
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
            return internal_err!("{} has one input", self.name);
        };
        Ok(Self::over(self.name, self.handling, input))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, Arc::clone(&context))?;
        Ok((self.handling)(rows, &context))
    }
}

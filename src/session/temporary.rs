//! The rows of temporary tables: read as those of any statement, and counted while they are kept.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::SchemaProvider;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::memory::MemTable;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::CreateMemoryTable;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::TryStreamExt;

use super::Session;
use crate::caller::give_way;
use crate::error::{Error, Result};
use crate::memory::counted;

/// What the pool counts the rows as.
const WHAT: &str = "temporary table";

impl Session {
    /// Makes a temporary table of the rows of a query.
    pub(super) async fn create_table(&self, table: CreateMemoryTable) -> Result<()> {
        let name = table.name.table();
        let exists = self.tables.table_exist(name);
        match (exists, table.if_not_exists, table.or_replace) {
            (true, true, false) => return Ok(()),
            (true, false, false) => {
                let message = format!("Table '{name}' already exists");
                return Err(Error::session("42P07", message));
            }
            (true, true, true) => {
                let message = "IF NOT EXISTS and OR REPLACE exclude each other";
                return Err(Error::session("42601", message));
            }
            (true, false, true) | (false, _, _) => {}
        }
        let state = self.context.state();
        let query = state.optimize(&table.input)?;
        let schema = Arc::clone(query.schema().inner());
        let mut names = HashSet::new();
        if let Some(twice) = schema
            .fields()
            .iter()
            .find(|field| !names.insert(field.name()))
        {
            let message = format!("column \"{}\" specified more than once", twice.name());
            return Err(Error::session("42701", message));
        }
        let pool = Arc::clone(&self.context.runtime_env().memory_pool);
        let rows = give_way::start(DataFrame::new(state, query), &self.under_way).await?;
        let rows = rows.map_err(Error::from);
        let batches: Vec<RecordBatch> = rows
            .and_then(|batch| std::future::ready(counted(&batch, WHAT, &pool).map_err(Error::from)))
            .try_collect()
            .await?;
        let made = MemTable::try_new(schema, vec![batches])?
            .with_constraints(table.constraints)
            .with_column_defaults(table.column_defaults.into_iter().collect());
        self.tables.deregister_table(name)?;
        self.tables
            .register_table(name.to_owned(), Arc::new(made))?;
        Ok(())
    }
}

/// Hands rows on that are counted for as long as they are kept.
#[derive(Debug)]
pub struct CountedExec(pub Arc<dyn ExecutionPlan>);

impl DisplayAs for CountedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("CountedExec")
    }
}

impl ExecutionPlan for CountedExec {
    fn name(&self) -> &str {
        "CountedExec"
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
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DfResult<TreeNodeRecursion>,
    ) -> DfResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) else {
            return internal_err!("what is counted has one input");
        };
        Ok(Arc::new(Self(input)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let pool = Arc::clone(context.memory_pool());
        let rows = self.0.execute(partition, context)?;
        let schema = rows.schema();
        let rows = rows.and_then(move |batch| std::future::ready(counted(&batch, WHAT, &pool)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

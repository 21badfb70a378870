//! `RETURNING` of a write to a temporary table: a query of the rows that are written or deleted.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, WriteOp};

use crate::error::{Error, Result};

/// Both plans of an insert that returns its rows, over the rows that were made for it.
pub fn over_rows(
    write: &LogicalPlan,
    returned: &LogicalPlan,
    rows: Vec<RecordBatch>,
) -> Result<(LogicalPlan, LogicalPlan)> {
    let LogicalPlan::Dml(insert) = write else {
        return Ok((write.clone(), returned.clone()));
    };
    let schema = Arc::new(insert.input.schema().as_arrow().clone());
    let made = provider_as_source(Arc::new(MemTable::try_new(schema, vec![rows])?));
    let made = LogicalPlanBuilder::scan("made", made, None)?.build()?;
    let over = |plan: LogicalPlan| {
        let plan = plan.transform_down(|node| match node == *insert.input {
            true => Ok(Transformed::new(
                made.clone(),
                true,
                TreeNodeRecursion::Jump,
            )),
            false => Ok(Transformed::no(node)),
        })?;
        Ok::<_, crate::Error>(plan.data)
    };
    Ok((over(write.clone())?, over(returned.clone())?))
}

/// The plan of what a write returns: a select list over its rows.
pub async fn plan(state: &SessionState, items: &str, write: &LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Dml(write) = write else {
        return Err(Error::session("42601", "RETURNING belongs to a write"));
    };
    let mut is_volatile = false;
    write.input.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            is_volatile |= expr.is_volatile();
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    // What is inserted is made once.
    if is_volatile && matches!(write.op, WriteOp::Update) {
        return Err(Error::session_hint(
            "0A000",
            "RETURNING of random values is not supported, since they would be drawn twice",
            "make them in a temporary table, and insert from there",
        ));
    }
    let select = format!(
        "select {items} from {}",
        write.table_name.to_quoted_string()
    );
    let select = state.create_logical_plan(&select).await?;
    let rows = select.transform_down(|node| match node {
        LogicalPlan::TableScan(scan) if scan.table_name.table() == write.table_name.table() => {
            let rows = LogicalPlanBuilder::new_from_arc(Arc::clone(&write.input));
            let rows = rows.alias(scan.table_name)?.build()?;
            // The scans below are the write's own.
            Ok(Transformed::new(rows, true, TreeNodeRecursion::Jump))
        }
        node => Ok(Transformed::no(node)),
    })?;
    Ok(rows.data)
}

//! `RETURNING` of a write to a temporary table: a query of the rows that are written or deleted.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, WriteOp};

use crate::error::{Error, Result};

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
    if is_volatile && !matches!(write.op, WriteOp::Delete) {
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

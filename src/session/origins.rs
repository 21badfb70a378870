//! Which columns of a result are columns of a table, so that a client can be told so.

use datafusion::catalog::SchemaProvider;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan};

use super::SCHEMA;
use super::tables::SessionTables;
use crate::catalog::relations::tables::oid_of;

/// A column of a table: its name, and the column's number from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    table: String,
    attribute: usize,
}

/// The oid of the table and the number of the column, for each column of a result that is one.
pub fn of(plan: &LogicalPlan, tables: &SessionTables) -> Vec<Option<(i64, usize)>> {
    let origins = origins(plan);
    if origins.iter().all(Option::is_none) {
        return Vec::new();
    }
    let names = tables.table_names();
    let origins = origins.into_iter().map(|origin| {
        let Origin { table, attribute } = origin?;
        Some((oid_of(SCHEMA, &names, &table)?, attribute))
    });
    origins.collect()
}

fn origins(plan: &LogicalPlan) -> Vec<Option<Origin>> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let count = scan.source.schema().fields().len();
            let columns = match &scan.projection {
                Some(projection) => projection.clone(),
                None => (0..count).collect(),
            };
            let columns = columns.into_iter().map(|column| {
                Some(Origin {
                    table: scan.table_name.table().to_owned(),
                    attribute: column + 1,
                })
            });
            columns.collect()
        }
        LogicalPlan::Projection(projection) => through(&projection.expr, &projection.input),
        LogicalPlan::Aggregate(aggregate) => {
            let mut columns = through(&aggregate.group_expr, &aggregate.input);
            columns.resize(plan.schema().fields().len(), None);
            columns
        }
        LogicalPlan::Join(join)
            if matches!(
                join.join_type,
                JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full
            ) =>
        {
            let mut columns = origins(&join.left);
            columns.extend(origins(&join.right));
            columns
        }
        LogicalPlan::Filter(filter) => origins(&filter.input),
        LogicalPlan::Sort(sort) => origins(&sort.input),
        LogicalPlan::Limit(limit) => origins(&limit.input),
        LogicalPlan::SubqueryAlias(alias) => origins(&alias.input),
        _ => vec![None; plan.schema().fields().len()],
    }
}

/// The origins of expressions over a plan: those that are its columns have theirs.
fn through(exprs: &[Expr], input: &LogicalPlan) -> Vec<Option<Origin>> {
    let from = origins(input);
    let exprs = exprs.iter().map(|expr| {
        let mut expr = expr;
        while let Expr::Alias(alias) = expr {
            expr = &alias.expr;
        }
        let Expr::Column(column) = expr else {
            return None;
        };
        let position = input.schema().maybe_index_of_column(column)?;
        from.get(position).cloned().flatten()
    });
    exprs.collect()
}

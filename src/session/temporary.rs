//! The rows of temporary tables: read as those of any statement, and counted while they are kept.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::{filter_record_batch, not};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::SchemaProvider;
use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::memory::MemTable;
use datafusion::logical_expr::{CreateMemoryTable, LogicalPlan};
use futures::TryStreamExt;

use super::Session;
use super::writes::{self, Rewrite};
use crate::caller::give_way;
use crate::caller::passing::TEMPORARY_TABLE;
use crate::dialect::functions::next_value::NextValue;
use crate::error::{Error, Result};
use crate::memory::counted;

impl Session {
    /// Makes a temporary table of the rows of a query, and says how many there are; `None` where there
    /// is no query.
    pub(super) async fn create_table(&self, table: CreateMemoryTable) -> Result<Option<u64>> {
        let name = table.name.table();
        let exists = self.tables.table_exist(name);
        match (exists, table.if_not_exists, table.or_replace) {
            (true, true, false) => return Ok(None),
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
        let is_of_query = !matches!(&*table.input, LogicalPlan::EmptyRelation(_));
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
            .and_then(|batch| {
                std::future::ready(counted(&batch, TEMPORARY_TABLE, &pool).map_err(Error::from))
            })
            .try_collect()
            .await?;
        let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let schema = writes::schema(&schema, &table.constraints, is_of_query);
        let defaults = table.column_defaults.into_iter();
        let defaults =
            defaults.map(|(column, default)| Ok((column, NextValue::of_table(default)?)));
        let made = MemTable::try_new(schema, vec![batches])?
            .with_constraints(table.constraints)
            .with_column_defaults(defaults.collect::<Result<_>>()?);
        self.tables.deregister_table(name)?;
        self.tables
            .register_table(name.to_owned(), Arc::new(made))?;
        Ok(is_of_query.then_some(count as u64))
    }

    /// Puts the rows of a query in the place of a temporary table's, and says how many of them are meant.
    pub(super) async fn rewrite_table(&self, rewrite: &Rewrite, query: LogicalPlan) -> Result<u64> {
        let Some(schema) = self.tables.own_schema(&rewrite.table) else {
            let message = format!("table '{}' not found", rewrite.table);
            return Err(Error::session("42P01", message));
        };
        let pool = Arc::clone(&self.context.runtime_env().memory_pool);
        let frame = self.context.execute_logical_plan(query).await?;
        let mut rows = give_way::start(frame, &self.under_way).await?;
        let (mut kept, mut count) = (Vec::new(), 0);
        while let Some(batch) = rows.try_next().await? {
            let Some((mark, columns)) = batch.columns().split_last() else {
                continue;
            };
            let meant = mark.as_boolean();
            count += meant.true_count() as u64;
            let batch = RecordBatch::try_new(Arc::clone(&schema), columns.to_vec());
            let batch = batch.and_then(|batch| match rewrite.is_delete {
                true => filter_record_batch(&batch, &not(meant)?),
                false => Ok(batch),
            });
            let batch = batch.map_err(DataFusionError::from)?;
            kept.push(counted(&batch, TEMPORARY_TABLE, &pool)?);
        }
        self.tables.replace_rows(&rewrite.table, kept).await;
        Ok(count)
    }
}

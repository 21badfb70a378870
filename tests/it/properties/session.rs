//! Runs a query over random cases through the SQL functions alone, at any number of threads.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use hindsight_udfs::price_book::PriceBook;

use crate::engine::{Execution, block_on};
use crate::rows::{Row, from_batches};

/// The rows of `sql` over the table `cases`.
pub fn query(sql: &str, cases: &RecordBatch, book: &Arc<PriceBook>, how: Execution) -> Vec<Row> {
    let mut session = SessionContext::new_with_config(how.config());
    hindsight_udfs::register(&mut session, book).unwrap();

    // As many partitions as threads, so that they work on rows of different places.
    let rows = cases.num_rows().div_ceil(how.target_partitions).max(1);
    let partitions = (0..cases.num_rows())
        .step_by(rows)
        .map(|start| vec![cases.slice(start, rows.min(cases.num_rows() - start))])
        .collect();
    let table = MemTable::try_new(cases.schema(), partitions).unwrap();
    session.register_table("cases", Arc::new(table)).unwrap();

    let batches = block_on(async { session.sql(sql).await?.collect().await });
    from_batches(&batches.unwrap_or_else(|error| panic!("{sql}: {error}")))
}

/// A table of these columns.
pub fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    )
    .unwrap()
}

/// A decimal column from its mantissas.
pub fn decimals(
    mantissas: impl IntoIterator<Item = impl Into<Option<i128>>>,
    precision: u8,
    scale: i8,
) -> ArrayRef {
    let column: Decimal128Array = mantissas.into_iter().map(Into::into).collect();
    Arc::new(column.with_precision_and_scale(precision, scale).unwrap())
}

/// The numbers from 0, by which a case is found again.
pub fn identifiers(count: usize) -> ArrayRef {
    let count = i64::try_from(count).unwrap();
    Arc::new(Int64Array::from_iter_values(0..count))
}

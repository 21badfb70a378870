//! Tables whose rows are fetched from the state when they are scanned, never while they are
//! planned.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::future::BoxFuture;
use futures::{FutureExt, stream};

use crate::caller::client::Client;
use crate::error;

type Fetch =
    Arc<dyn Fn(Arc<Client>) -> BoxFuture<'static, error::Result<RecordBatch>> + Send + Sync>;

/// A table whose rows are fetched for the session that scans it.
pub struct StateTable {
    name: &'static str,
    schema: SchemaRef,
    fetch: Fetch,
}

impl StateTable {
    pub fn new<F>(
        name: &'static str,
        schema: SchemaRef,
        fetch: impl Fn(Arc<Client>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = error::Result<RecordBatch>> + Send + 'static,
    {
        Self {
            name,
            schema,
            fetch: Arc::new(move |client| fetch(client).boxed()),
        }
    }
}

impl fmt::Debug for StateTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[async_trait]
impl TableProvider for StateTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let fetch = Arc::clone(&self.fetch);
        let fetch = move |client| fetch(client);
        rows_of(self.name, self.schema(), projection, limit, fetch)
    }
}

/// A plan that fetches its rows, in these columns, for the session that executes it.
pub fn rows_of<F>(
    name: &'static str,
    schema: SchemaRef,
    projection: Option<&Vec<usize>>,
    limit: Option<usize>,
    fetch: impl Fn(Arc<Client>) -> F + Send + Sync + 'static,
) -> Result<Arc<dyn ExecutionPlan>>
where
    F: Future<Output = error::Result<RecordBatch>> + Send + 'static,
{
    let rows = Rows(StateTable::new(name, Arc::clone(&schema), fetch));
    Ok(Arc::new(StreamingTableExec::try_new(
        schema,
        vec![Arc::new(rows)],
        projection,
        None,
        false,
        limit,
    )?))
}

#[derive(Debug)]
struct Rows(StateTable);

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = Client::of(&context).map(|client| (self.0.fetch)(client));
        let rows = async move { Ok(rows?.await?) };
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.0.schema),
            stream::once(rows),
        ))
    }
}

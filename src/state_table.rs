//! Tables whose rows are fetched from the state when they are scanned, never while they are
//! planned.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::future::BoxFuture;
use futures::{FutureExt, stream};

use crate::error;
use crate::session::client::Client;

type Fetch =
    Box<dyn Fn(Arc<Client>) -> BoxFuture<'static, error::Result<RecordBatch>> + Send + Sync>;

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
    let rows = Rows {
        name,
        schema: Arc::clone(&schema),
        fetch: Box::new(move |client| fetch(client).boxed()),
    };
    Ok(Arc::new(StreamingTableExec::try_new(
        schema,
        vec![Arc::new(rows)],
        projection,
        None,
        false,
        limit,
    )?))
}

struct Rows {
    name: &'static str,
    schema: SchemaRef,
    fetch: Fetch,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = Client::of(&context).map(|client| (self.fetch)(client));
        let rows = async move { Ok(rows?.await?) };
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            stream::once(rows),
        ))
    }
}

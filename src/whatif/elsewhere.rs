//! Where else than in this process the combinations of a grid may run: on other machines, where a
//! server has been told of some.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::prelude::SessionConfig;
use futures::stream::BoxStream;

use super::grid::{Here, SweepSource};
use crate::caller::client::Client;

/// A place to run combinations at.
#[async_trait]
pub trait Elsewhere: fmt::Debug + Send + Sync {
    /// What `EXPLAIN` says of it.
    async fn detail(&self, source: &SweepSource) -> String;

    /// The rows of the combinations that come in, in their order, to the last digit as
    /// [`Here::rows`] has them.
    fn backtests(
        self: Arc<Self>,
        parameters: SendableRecordBatchStream,
        here: Here,
        client: Arc<Client>,
        context: Arc<TaskContext>,
    ) -> BoxStream<'static, Result<RecordBatch>>;
}

/// What a session's configuration holds, where its server has such a place.
#[derive(Debug)]
pub struct Place(pub Arc<dyn Elsewhere>);

/// The place of a session that makes use of it.
pub fn of(session: &SessionConfig) -> Option<Arc<dyn Elsewhere>> {
    let client = session.get_extension::<Client>()?;
    let place = session.get_extension::<Place>()?;
    // Sales are kept where they are made.
    let is_used = client.distributes() && !client.wants_sales();
    is_used.then(|| Arc::clone(&place.0))
}

//! Where else than in this process statements may run: on other machines, where a server has been
//! told of some.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::prelude::SessionConfig;
use futures::stream::BoxStream;

use super::grid::SweepSource;
use super::here::Here;
use super::relations;
use crate::caller::client::Client;

/// A place to run combinations at, and what reads relations.
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

    /// What has a plan read its relations there.
    async fn rule(
        &self,
        session: &dyn Session,
        client: Arc<Client>,
    ) -> Arc<dyn PhysicalOptimizerRule + Send + Sync>;
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

/// A session that plans what reads relations for its place, where it has one.
pub async fn planning(session: &dyn Session, plan: &LogicalPlan) -> Result<Option<SessionState>> {
    let config = session.config();
    let (Some(place), Some(client)) = (of(config), config.get_extension::<Client>()) else {
        return Ok(None);
    };
    let Some(state) = session.as_any().downcast_ref::<SessionState>() else {
        return Ok(None);
    };
    if !relations::are_read(plan)? {
        return Ok(None);
    }
    let rule = place.rule(session, client).await;
    let state = SessionStateBuilder::new_from_existing(state.clone());
    Ok(Some(state.with_physical_optimizer_rule(rule).build()))
}

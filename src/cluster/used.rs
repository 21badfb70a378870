//! The workers that a statement runs on, what its client is told of the others, and plans for them.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::{HeaderMap, HeaderValue};
use datafusion::catalog::Session;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use datafusion_distributed::{
    DistributedExt, RouteTasksEvent, RouteTasksEventResponse, SessionStateBuilderExt,
    WorkerResolver,
};
use url::Url;

use super::codec::Codec;
use super::leaf::own_error;
use super::workers::{Asked, Workers, lost, shown};
use crate::caller::client::Client;
use crate::error::Error;

/// Bytes of rows that are taken from one worker before they are asked for.
const AHEAD: usize = 16 << 20;
/// What a plan is sent with: the fingerprint of its history, and its session's time zone.
pub const DATASET: &str = "hindsight-dataset";
pub const ZONE: &str = "hindsight-time-zone";

/// How many shares so many workers are given: the library sends nothing away that is one share.
pub fn tasks(workers: usize) -> usize {
    workers.max(2)
}

/// What `EXPLAIN` says of the workers that are used for a history.
pub fn detail(asked: &[Asked], fingerprint: &str) -> String {
    let ready = asked
        .iter()
        .filter(|asked| asked.problem(fingerprint).is_none());
    let ready: Vec<&str> = ready.map(|asked| shown(&asked.url)).collect();
    match ready.len() {
        0 => "on this machine, since no worker is ready".into(),
        count => format!("tasks={} on {}", tasks(count), ready.join(", ")),
    }
}

/// The workers that a statement is run on.
pub struct Used {
    workers: Workers,
    client: Arc<Client>,
    fingerprint: String,
    ready: Vec<Url>,
    /// Whether one of them was lost.
    has_lost: bool,
}

impl Used {
    /// Those that are ready for this history; who listens is told of the others.
    pub async fn of(workers: Workers, client: Arc<Client>, fingerprint: &str) -> Self {
        let mut used = Self {
            workers,
            client,
            fingerprint: fingerprint.to_owned(),
            ready: Vec::new(),
            has_lost: false,
        };
        used.ready = used.ask(None).await;
        used
    }

    /// Whom it is run on, in the order in which they were named.
    pub fn ready(&self) -> &[Url] {
        &self.ready
    }

    async fn ask(&self, lost: Option<&Url>) -> Vec<Url> {
        let mut ready = Vec::new();
        let asked = match lost {
            None => self.workers.asked().await,
            Some(_) => self.workers.ask().await,
        };
        for asked in asked {
            if lost == Some(&asked.url) {
                continue;
            }
            match asked.problem(&self.fingerprint) {
                None => ready.push(asked.url),
                Some(problem) => {
                    let address = shown(&asked.url);
                    let remark = format!("worker {address} is not used: it {problem}");
                    self.client.remark_once(remark);
                }
            }
        }
        if ready.is_empty() {
            let remark = "no worker is ready, and the statement runs on the server's machine";
            self.client.remark_once(remark.into());
        }
        ready
    }

    /// Goes on with the others when something went wrong with one: once, and only where what has
    /// arrived can be gone on from.
    pub async fn lose(&mut self, error: DataFusionError, can_go_on: bool) -> Result<()> {
        if let Some(error) = own_error(&error) {
            return Err(error.into());
        }
        let Some(lost) = lost(&error) else {
            return Err(error);
        };
        if self.has_lost || !can_go_on {
            let hint = "the table workers says which are ready; the statement can be run again";
            return Err(Error::session_hint("58000", lost.to_string(), hint).into());
        }
        self.has_lost = true;
        let others = self.ask(Some(&lost.url)).await;
        self.ready.retain(|url| others.contains(url));
        let remark = format!(
            "{lost}; what is missing of it is run on {} others",
            self.ready.len()
        );
        self.client.remark_once(remark);
        Ok(())
    }

    /// A plan with the library's boundary in it, ready to be executed.
    pub async fn planned(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: &TaskContext,
    ) -> Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)> {
        let tasks = tasks(self.ready.len());
        let urls: Vec<Url> = self.ready.iter().cycle().take(tasks).cloned().collect();
        let routed = urls.clone();
        let session = context.session_config();
        let mut headers = HeaderMap::new();
        let zone = session.options().execution.time_zone.clone();
        for (name, value) in [(DATASET, Some(&self.fingerprint)), (ZONE, zone.as_ref())] {
            // A zone is a name or a distance, and a fingerprint is hexadecimal.
            if let Some(Ok(value)) = value.map(|value| HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        }
        let config = SessionConfig::new()
            .with_batch_size(session.batch_size())
            .with_distributed_channel_resolver(self.workers.clone())
            .with_distributed_worker_resolver(Routes(urls))
            .with_distributed_user_codec(Codec { node: None })
            .with_distributed_passthrough_headers(headers)?
            .with_distributed_route_tasks_handler(move |_: RouteTasksEvent<'_>| {
                Some(Ok(RouteTasksEventResponse::new(routed.clone())))
            })
            .with_distributed_metrics_collection(false)?
            .with_distributed_worker_connection_buffer_budget_bytes(AHEAD)?;
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(context.runtime_env())
            .with_query_planner(Arc::new(Planned(plan)))
            .with_distributed_planner()
            .build();
        let nothing = LogicalPlanBuilder::empty(false).build()?;
        let planner = Arc::clone(state.query_planner());
        let plan = planner.create_physical_plan(&nothing, &state).await?;
        Ok((plan, state.task_ctx()))
    }
}

/// Where shares are sent.
struct Routes(Vec<Url>);

impl WorkerResolver for Routes {
    fn get_urls(&self) -> Result<Vec<Url>> {
        Ok(self.0.clone())
    }
}

/// What the library divides is planned already.
#[derive(Debug)]
struct Planned(Arc<dyn ExecutionPlan>);

#[async_trait]
impl QueryPlanner for Planned {
    async fn create_physical_plan(
        &self,
        _: &LogicalPlan,
        _: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::clone(&self.0))
    }
}

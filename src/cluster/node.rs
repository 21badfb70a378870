//! A worker: a workspace that is open, and a server that runs the shares it is sent.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_recursion::async_recursion as door;
use axum::http::{Request, Response};
use datafusion::common::exec_err;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_distributed::{
    DistributedExt, Worker, WorkerPlanRewriteEvent, WorkerPlanRewriteEventResponse,
    WorkerQueryContext,
};
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::server::{Server, TcpIncoming};
use tower_service::Service;

use super::codec::Codec;
use super::fragments::{functions, is_known};
use super::leaf::{GridLeafExec, sent_back};
use super::security::{Security, check_listening};
use super::used::{DATASET, ZONE};
use super::{Info, version};
use crate::caller::give_way::{self, Stop};
use crate::caller::passing::PassingExec;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::whatif::data_tables::PriceTable;
use crate::whatif::grid::SweepSource;
use crate::whatif::relations::Origin;

/// After so long without a word a server is asked whether it is there, and after so long without an
/// answer what it has begun is stopped.
const ALIVE: Duration = Duration::from_secs(5);
const SILENT: Duration = Duration::from_secs(8);
/// What of the library's protocol asks a worker about itself.
const ASKED: &str = "/GetWorkerInfo";

/// A history that a worker holds.
pub struct Held {
    pub dataset: Dataset,
    /// As grids read it.
    pub source: Arc<SweepSource>,
    pub prices: PriceTable,
    /// The functions over it.
    state: SessionState,
}

/// What gives a history the functions of statements.
pub type WithFunctions = fn(&Dataset, &Arc<RuntimeEnv>) -> Result<SessionState>;

/// The newest history of a workspace, and how much is run over it.
pub struct Node {
    workspace: PathBuf,
    /// The newest first; behind it the one before, since statements that began over it go on.
    histories: Mutex<Vec<Arc<Held>>>,
    with_functions: WithFunctions,
    runtime: Arc<RuntimeEnv>,
    running: Arc<AtomicU64>,
    begun: AtomicU64,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.workspace.display())
    }
}

impl Node {
    /// Opens a workspace, and reads its history, for shares that together may use so many bytes.
    pub fn open(
        workspace: PathBuf,
        memory_limit: Option<usize>,
        with_functions: WithFunctions,
    ) -> Result<Self> {
        let runtime = match memory_limit {
            Some(limit) => RuntimeEnvBuilder::new().with_memory_limit(limit, 1.0),
            None => RuntimeEnvBuilder::new(),
        };
        let node = Self {
            workspace,
            histories: Mutex::default(),
            with_functions,
            runtime: runtime.build_arc()?,
            running: Arc::default(),
            begun: AtomicU64::new(0),
        };
        let held = node.opened()?;
        node.histories().push(Arc::new(held));
        Ok(node)
    }

    /// Opens the newest history of its workspace. Nothing of the prices is read: only grids need
    /// those of all signals.
    fn opened(&self) -> Result<Held> {
        let dataset = Dataset::open(&self.workspace)?;
        let source = SweepSource::new(dataset.clone());
        let origin = Origin {
            fingerprint: dataset.fingerprint.clone(),
            price_book: Arc::clone(&dataset.price_book),
        };
        Ok(Held {
            source: Arc::new(source),
            prices: PriceTable::new(Arc::new(origin), Arc::clone(&dataset.volumes)),
            state: (self.with_functions)(&dataset, &self.runtime)?,
            dataset,
        })
    }

    /// The history of this fingerprint.
    pub(super) fn held(&self, fingerprint: &str) -> DataFusionResult<Arc<Held>> {
        let histories = self.histories();
        let mut found = histories.iter();
        match found.find(|held| held.dataset.fingerprint == fingerprint) {
            Some(held) => Ok(Arc::clone(held)),
            None => exec_err!("it has another history than was meant, which is {fingerprint}"),
        }
    }

    fn histories(&self) -> MutexGuard<'_, Vec<Arc<Held>>> {
        self.histories
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What it says of itself.
    pub fn info(&self) -> Info {
        let dataset = self
            .histories()
            .first()
            .map(|held| held.dataset.fingerprint.clone());
        Info {
            version: version(),
            dataset: dataset.unwrap_or_default(),
            tasks: self.running.load(Ordering::Relaxed),
            tasks_begun: self.begun.load(Ordering::Relaxed),
        }
    }

    /// Counts a share for as long as what is returned is kept.
    pub(super) fn begin_task(&self) -> Task {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.running.fetch_add(1, Ordering::Relaxed);
        Task(Arc::clone(&self.running))
    }

    /// Goes over to the newest history, if a load has made one.
    fn refresh(&self) -> Result<()> {
        let newest = Dataset::current_generation(&self.workspace)?;
        let is_newest = |held: &Arc<Held>| held.dataset.generation == newest;
        if self.histories().first().is_some_and(is_newest) {
            return Ok(());
        }
        let newer = Arc::new(self.opened()?);
        let mut histories = self.histories();
        histories.insert(0, newer);
        histories.truncate(2);
        Ok(())
    }

    /// The session of a plan: the functions over its history, and its time zone.
    fn session(self: &Arc<Self>, context: WorkerQueryContext) -> DataFusionResult<SessionState> {
        let header = |name| {
            let value = context.headers.get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let (dataset, zone) = (header(DATASET), header(ZONE));
        let mut builder = context.builder;
        let config = builder.config().get_or_insert_default();
        config.set_extension(Arc::clone(self));
        if zone.is_some() {
            config.options_mut().execution.time_zone = zone;
        }
        let options = config.options().as_ref().clone();
        if let Some(dataset) = dataset {
            let held = self.held(&dataset)?;
            let scalar = functions(held.state.scalar_functions());
            let scalar = scalar.into_values().map(|function| {
                let updated = function.inner().with_updated_config(&options);
                updated.map_or(function, Arc::new)
            });
            let aggregates = held.state.aggregate_functions().values();
            builder = builder
                .with_scalar_functions(scalar.collect())
                .with_aggregate_functions(aggregates.cloned().collect());
        }
        let state = builder
            .with_distributed_user_codec(Codec {
                node: Some(Arc::clone(self)),
            })
            .with_distributed_worker_plan_rewrite_handler(known_alone);
        Ok(state.build())
    }
}

/// A share that is run.
pub(super) struct Task(Arc<AtomicU64>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs what is sent, until it is told to stop.
#[door]
pub async fn serve(
    node: Arc<Node>,
    listener: TcpListener,
    security: Option<&Security>,
    stop: BoxFuture<'static, ()>,
) -> Result<()> {
    let failed = |what: &'static str| {
        move |error: tonic::transport::Error| {
            let source = std::io::Error::other(error);
            Error::Io {
                path: what.into(),
                source,
            }
        }
    };
    let address = listener.local_addr().map_err(|source| Error::Io {
        path: "the listening socket".into(),
        source,
    })?;
    check_listening(address.ip(), security.is_some())?;
    let mut server = Server::builder()
        .http2_keepalive_interval(Some(ALIVE))
        .http2_keepalive_timeout(Some(SILENT));
    if let Some(security) = security {
        let tls = server.tls_config(security.of_server());
        server = tls.map_err(failed("--tls-cert and --tls-key"))?;
    }
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    server
        .add_service(Answering::new(node))
        .serve_with_incoming_shutdown(incoming, stop)
        .await
        .map_err(failed("the connections of servers"))
}

/// The library's worker, which says of itself what is so when it is asked.
#[derive(Clone)]
struct Answering {
    node: Arc<Node>,
    worker: Worker,
}

impl Answering {
    fn new(node: Arc<Node>) -> Self {
        let runtime = Arc::clone(&node.runtime);
        let of_plans = Arc::clone(&node);
        let worker = Worker::from_session_builder(move |context: WorkerQueryContext| {
            std::future::ready(of_plans.session(context))
        });
        Self {
            worker: worker.with_runtime_env(runtime),
            node,
        }
    }
}

/// Refuses whatever else a plan could do, such as read files; what goes wrong with what is left is
/// told as it is told where it was asked for.
fn known_alone(
    sent: WorkerPlanRewriteEvent<'_>,
) -> DataFusionResult<WorkerPlanRewriteEventResponse> {
    if sent.plan.is::<GridLeafExec>() {
        return Ok(WorkerPlanRewriteEventResponse::new(sent.plan));
    }
    sent.plan.apply(|node| match is_known(node) {
        true => Ok(TreeNodeRecursion::Continue),
        false => exec_err!("it reads its own history, and was sent {}", node.name()),
    })?;
    let plan = PassingExec::over("ShareExec", share, sent.plan);
    Ok(WorkerPlanRewriteEventResponse::new(plan))
}

/// The rows of a share, counted as a task for as long as they are made.
fn share(rows: SendableRecordBatchStream, context: &TaskContext) -> SendableRecordBatchStream {
    let node = context.session_config().get_extension::<Node>();
    let task = node.map(|node| node.begin_task());
    let schema = rows.schema();
    let rows = give_way::awaited(rows, Stop::default()).inspect(move |_| {
        let _running = &task;
    });
    Box::pin(RecordBatchStreamAdapter::new(
        schema,
        rows.map_err(sent_back),
    ))
}

impl NamedService for Answering {
    const NAME: &'static str = "worker.WorkerService";
}

impl Service<Request<Body>> for Answering {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { node, worker } = self.clone();
        Box::pin(async move {
            if !request.uri().path().ends_with(ASKED) {
                return worker.into_worker_server().call(request).await;
            }
            let refreshed = Arc::clone(&node);
            // Where it cannot, it has the history that it had.
            match tokio::task::spawn_blocking(move || refreshed.refresh()).await {
                Ok(Err(error)) => tracing::warn!("the newest history is not used: {error}"),
                Err(error) => tracing::warn!("the newest history is not used: {error}"),
                Ok(Ok(())) => {}
            }
            let info = serde_json::to_string(&node.info()).unwrap_or_default();
            let mut server = worker.with_version(info).into_worker_server();
            server.call(request).await
        })
    }
}

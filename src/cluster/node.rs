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

use axum::http::{Request, Response};
use datafusion::common::exec_err;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion_distributed::{
    DistributedExt, Worker, WorkerPlanRewriteEvent, WorkerPlanRewriteEventResponse,
    WorkerQueryContext,
};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::server::{Server, TcpIncoming};
use tower_service::Service;

use super::leaf::{GridCodec, GridLeafExec};
use super::security::{Security, check_listening};
use super::{Info, version};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::whatif::grid::SweepSource;

/// After so long without a word a server is asked whether it is there, and after so long without an
/// answer what it has begun is stopped.
const ALIVE: Duration = Duration::from_secs(5);
const SILENT: Duration = Duration::from_secs(8);
/// What of the library's protocol asks a worker about itself.
const ASKED: &str = "/GetWorkerInfo";

/// The newest history of a workspace, and how much is run over it.
pub struct Node {
    workspace: PathBuf,
    /// The newest first; behind it the one before, since statements that began over it go on.
    sources: Mutex<Vec<Arc<SweepSource>>>,
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
    pub fn open(workspace: PathBuf, memory_limit: Option<usize>) -> Result<Self> {
        let source = opened(&workspace)?;
        let runtime = match memory_limit {
            Some(limit) => RuntimeEnvBuilder::new().with_memory_limit(limit, 1.0),
            None => RuntimeEnvBuilder::new(),
        };
        Ok(Self {
            workspace,
            sources: Mutex::new(vec![Arc::new(source)]),
            runtime: runtime.build_arc()?,
            running: Arc::default(),
            begun: AtomicU64::new(0),
        })
    }

    /// The history of this fingerprint, if it has it.
    pub(super) fn source_of(&self, fingerprint: &str) -> Option<Arc<SweepSource>> {
        let sources = self.sources();
        let found = sources
            .iter()
            .find(|source| source.fingerprint() == fingerprint);
        found.cloned()
    }

    fn sources(&self) -> MutexGuard<'_, Vec<Arc<SweepSource>>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it says of itself.
    pub fn info(&self) -> Info {
        let dataset = self
            .sources()
            .first()
            .map(|source| source.fingerprint().to_owned());
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
        let is_newest = |source: &Arc<SweepSource>| source.generation() == newest;
        if self.sources().first().is_some_and(is_newest) {
            return Ok(());
        }
        let newer = Arc::new(opened(&self.workspace)?);
        let mut sources = self.sources();
        sources.insert(0, newer);
        sources.truncate(2);
        Ok(())
    }
}

/// Opens and reads the newest history of a workspace: who sends a plan does not wait for it.
fn opened(workspace: &std::path::Path) -> Result<SweepSource> {
    let source = SweepSource::new(Dataset::open(workspace)?);
    source.history()?;
    Ok(source)
}

/// A share that is run.
pub(super) struct Task(Arc<AtomicU64>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs what is sent, until it is told to stop.
pub async fn serve(
    node: Arc<Node>,
    listener: TcpListener,
    security: Option<&Security>,
    stop: impl Future<Output = ()>,
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
            let node = Some(Arc::clone(&of_plans));
            let state = context
                .builder
                .with_distributed_user_codec(GridCodec { node })
                .with_distributed_worker_plan_rewrite_handler(shares_alone)
                .build();
            std::future::ready(Ok::<_, DataFusionError>(state))
        });
        Self {
            worker: worker.with_runtime_env(runtime),
            node,
        }
    }
}

/// Refuses whatever else a plan could do, such as read files.
fn shares_alone(
    sent: WorkerPlanRewriteEvent<'_>,
) -> std::result::Result<WorkerPlanRewriteEventResponse, DataFusionError> {
    match sent.plan.is::<GridLeafExec>() {
        true => Ok(WorkerPlanRewriteEventResponse::new(sent.plan)),
        false => exec_err!("it runs shares of grids, and was sent {}", sent.plan.name()),
    }
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

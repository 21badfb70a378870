//! The engine as a program embeds it: a workspace that is open, and a session of its own for
//! whoever needs only one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_recursion::async_recursion as door;
use datafusion::arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use datafusion::arrow::datatypes::Schema;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionConfig;
use futures::TryStreamExt;
use tokio::sync::mpsc::UnboundedSender;

use super::{Outcome, Session};
use crate::caller::client::Notice;
use crate::caller::runs::Runs;
use crate::dataset::Dataset;
use crate::engine::{OpenGeneration, OpenWorkspace};
use crate::error::Result;
use crate::records::roles::Role;
use crate::store::{Place, Store};
use crate::whatif::pipeline::Pipeline;

/// A workspace that is open: its history as it is now, for any number of sessions.
#[derive(Clone)]
pub struct Engine {
    workspace: Arc<OpenWorkspace>,
    session: Arc<Session>,
    opened: Arc<OpenGeneration>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine(generation {})", self.opened.dataset.generation)
    }
}

impl Engine {
    /// Opens the current dataset of a workspace, or an empty one where nothing is loaded yet.
    #[door]
    pub async fn open(workspace: &Path) -> Result<Self> {
        Self::open_with_state(workspace, None).await
    }

    /// Opens a workspace whose state is at a URL, or in the workspace.
    #[door]
    pub async fn open_with_state(workspace: &Path, state: Option<&str>) -> Result<Self> {
        Self::open_limited(workspace, state, None).await
    }

    /// Opens a workspace for statements that together may use so many bytes of memory.
    #[door]
    pub async fn open_limited(
        workspace: &Path,
        state: Option<&str>,
        memory_limit: Option<usize>,
    ) -> Result<Self> {
        Self::open_configured(workspace, state, memory_limit, SessionConfig::new()).await
    }

    /// The same with a configuration that its sessions begin with.
    #[door]
    pub async fn open_configured(
        workspace: &Path,
        state: Option<&str>,
        memory_limit: Option<usize>,
        config: SessionConfig,
    ) -> Result<Self> {
        let place = Place::of(workspace, state)?;
        let runtime = match memory_limit {
            Some(limit) => RuntimeEnvBuilder::new().with_memory_limit(limit, 1.0),
            None => RuntimeEnvBuilder::new(),
        };
        Self::build(
            Some(workspace.to_owned()),
            place,
            Dataset::open(workspace)?,
            config,
            runtime.build_arc()?,
        )
        .await
    }

    /// Opens a workspace, with partitions and batch size as configured.
    #[door]
    pub async fn open_with_config(
        workspace: &Path,
        state: Place,
        config: SessionConfig,
    ) -> Result<Self> {
        Self::build(
            Some(workspace.to_owned()),
            state,
            Dataset::open(workspace)?,
            config,
            Arc::default(),
        )
        .await
    }

    /// An engine over a dataset.
    #[door]
    pub async fn new(dataset: Dataset) -> Result<Self> {
        Self::with_config(dataset, SessionConfig::new()).await
    }

    /// An engine over a dataset, with partitions and batch size as configured.
    #[door]
    pub async fn with_config(dataset: Dataset, config: SessionConfig) -> Result<Self> {
        Self::build(None, Place::Memory, dataset, config, Arc::default()).await
    }

    /// The memory that all statements share.
    pub(crate) fn memory(&self) -> Arc<dyn MemoryPool> {
        self.workspace.memory()
    }

    async fn build(
        folder: Option<PathBuf>,
        state: Place,
        dataset: Dataset,
        config: SessionConfig,
        runtime: Arc<RuntimeEnv>,
    ) -> Result<Self> {
        let workspace = OpenWorkspace::new(folder, state, dataset, config, runtime).await?;
        let workspace = Arc::new(workspace);
        let opened = workspace.newest().await?;
        let session = Session::new(Arc::clone(&workspace), "hindsight", Role::Operator).await?;
        Ok(Self {
            workspace,
            session: Arc::new(session),
            opened,
        })
    }

    /// The same with a session of its own for this user.
    #[door]
    pub async fn of_user(self, user: &str, role: Role) -> Result<Self> {
        let session = Arc::new(self.session(user, role).await?);
        Ok(Self { session, ..self })
    }

    /// Where remarks on the statements of its own session go from now on.
    pub fn listen(&self, notices: UnboundedSender<Notice>) {
        self.session.listen(Some(notices));
    }

    /// The runs under way in this process.
    pub fn runs(&self) -> &Arc<Runs> {
        self.workspace.runs()
    }

    /// A session for a user: what it sets and makes, no other sees.
    #[door]
    pub async fn session(&self, user: &str, role: Role) -> Result<Session> {
        Session::new(Arc::clone(&self.workspace), user, role).await
    }

    /// The dataset as it was when the engine was opened.
    pub fn dataset(&self) -> &Dataset {
        &self.opened.dataset
    }

    /// The combinations that backtests of its own session have run so far.
    pub fn combinations_done(&self) -> u64 {
        self.session.combinations_done()
    }

    /// Begins to read what a backtest needs, while the first is being planned. Who needs it is told
    /// what fails.
    pub fn read_ahead(&self) {
        let source = Arc::clone(self.opened.sweep_source());
        tokio::task::spawn_blocking(move || drop(source.history().map(|_| ())));
    }

    /// Users, scenarios, runs and live settings.
    pub fn store(&self) -> &Arc<Store> {
        self.workspace.store()
    }

    /// The planned queries.
    pub fn pipeline(&self) -> &Pipeline {
        &self.opened.pipeline
    }

    /// Executes one statement in the engine's own session.
    #[door]
    pub async fn run(&self, sql: &str) -> Result<Outcome> {
        self.session.run(sql).await
    }

    /// Runs one statement in the engine's own session and collects its rows: at least one batch, so
    /// that its columns are known. What returns no rows has no columns, and a write has one, the
    /// number of rows that it wrote.
    #[door]
    pub async fn sql(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        let rows = match self.run(sql).await? {
            Outcome::Rows(rows) => rows,
            Outcome::Done { rows: None, .. } => {
                return Ok(vec![RecordBatch::new_empty(Arc::new(Schema::empty()))]);
            }
            Outcome::Done {
                rows: Some(count), ..
            } => {
                let count: ArrayRef = Arc::new(UInt64Array::from(vec![count]));
                let batch = RecordBatch::try_from_iter([("count", count)]);
                return Ok(vec![batch.map_err(DataFusionError::from)?]);
            }
        };
        let schema = rows.schema();
        let batches: Vec<RecordBatch> = rows.try_collect().await?;
        Ok(match batches.is_empty() {
            true => vec![RecordBatch::new_empty(schema)],
            false => batches,
        })
    }
}

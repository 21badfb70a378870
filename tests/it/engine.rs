//! The one place in the tests that knows how an engine is made and asked.

use std::future::Future;
use std::path::Path;
use std::sync::LazyLock;

use datafusion::arrow::array::RecordBatch;
use datafusion::prelude::SessionConfig;
use hindsight::Engine;
use hindsight::ingest::{self, LoadRequest, NoProgress};
use hindsight::store::Place;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::dataset::dataset;
use crate::reference::history::History;
use crate::rows::{Row, from_batches};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Runs a future to its end.
pub fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// How statements are executed; no result may depend on it.
#[derive(Debug, Clone, Copy)]
pub struct Execution {
    pub target_partitions: usize,
    pub batch_size: usize,
}

impl Execution {
    /// What runs in bulk.
    pub const USUAL: Self = Self {
        target_partitions: 2,
        batch_size: 8192,
    };

    /// Many threads, and no two rows together.
    pub const SCATTERED: Self = Self {
        target_partitions: 7,
        batch_size: 1,
    };

    /// Every combination that results are held against.
    pub fn all() -> impl Iterator<Item = Self> {
        [1, 2, 7].into_iter().flat_map(|target_partitions| {
            [1, 7, 8192].map(|batch_size| Self {
                target_partitions,
                batch_size,
            })
        })
    }

    /// As DataFusion takes it.
    pub fn config(self) -> SessionConfig {
        SessionConfig::new()
            .with_target_partitions(self.target_partitions)
            .with_batch_size(self.batch_size)
    }
}

/// An engine over one history.
pub struct TestEngine {
    engine: Engine,
    /// Kept while the engine maps it.
    _workspace: Option<TempDir>,
}

impl TestEngine {
    /// Over `signals.parquet`, `token_prices.parquet` and `trade_outcomes.parquet` of a folder,
    /// through the product's own ingest and its dataset on disk.
    pub async fn of_files(folder: &Path, how: Execution) -> Self {
        Self::configured(folder, how.config()).await
    }

    /// The same with sessions that are configured so.
    pub async fn configured(folder: &Path, config: SessionConfig) -> Self {
        let file = |name: &str| vec![folder.join(name).to_str().unwrap().to_owned()];
        let request = LoadRequest {
            signals: file("signals.parquet"),
            prices: file("token_prices.parquet"),
            trades: file("trade_outcomes.parquet"),
            ..LoadRequest::default()
        };
        Self::loaded(request, config).await
    }

    /// Over `signals.csv` and `prices.csv` of a folder.
    pub async fn of_texts(folder: &Path, how: Execution) -> Self {
        let file = |name: &str| vec![folder.join(name).to_str().unwrap().to_owned()];
        let request = LoadRequest {
            signals: file("signals.csv"),
            prices: file("prices.csv"),
            ..LoadRequest::default()
        };
        Self::loaded(request, how.config()).await
    }

    async fn loaded(request: LoadRequest, config: SessionConfig) -> Self {
        let workspace = TempDir::new().unwrap();
        ingest::load(workspace.path(), &request, &NoProgress).unwrap();
        let place = Place::Workspace(workspace.path().to_owned());
        let engine = Engine::open_with_config(workspace.path(), place, config).await;
        Self {
            engine: engine.unwrap(),
            _workspace: Some(workspace),
        }
    }

    /// Over a history made by a test.
    pub async fn of_history(history: &History, how: Execution) -> Self {
        let engine = Engine::with_config(dataset(history), how.config()).await;
        Self {
            engine: engine.unwrap(),
            _workspace: None,
        }
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The result, or the SQLSTATE and the message that a user sees.
    pub async fn sql(&self, sql: &str) -> Result<Vec<RecordBatch>, String> {
        let result = self.engine.sql(sql).await;
        result.map_err(|error| format!("{}: {error}", error.sqlstate()))
    }

    /// The rows of a statement that must succeed.
    pub fn rows(&self, sql: &str) -> Vec<Row> {
        let result = block_on(self.sql(sql));
        from_batches(&result.unwrap_or_else(|error| panic!("{sql}: {error}")))
    }
}

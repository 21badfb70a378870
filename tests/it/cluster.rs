//! Many machines: workers as processes of this machine, and a server over them. What is asked is
//! answered as one process answers it, whoever is lost meanwhile.

mod failures;
mod grids;
#[cfg(target_os = "linux")]
mod memory;
mod relations;
mod security;
mod workers;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::prelude::SessionConfig;
use futures::TryStreamExt;
use hindsight::cluster::grid::with_workers;
use hindsight::cluster::security::Security;
use hindsight::cluster::workers::Workers;
use hindsight::{Engine, Notice, Outcome};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::cli::hindsight;
use crate::engine::block_on;
use crate::files;
use crate::server::workspace;

/// The workspace that all workers of these tests have.
static WORKSPACE: LazyLock<TempDir> = LazyLock::new(|| files::removed_at_the_end(workspace()));

/// A worker as a process, ended when it is dropped.
pub struct Worker {
    child: Child,
    pub url: String,
}

impl Worker {
    pub fn start() -> Self {
        Self::with(WORKSPACE.path(), "127.0.0.1", &[])
    }

    /// One of a workspace, with further options, that is reached by a name.
    pub fn with(workspace: &Path, name: &str, options: &[&str]) -> Self {
        let mut child = hindsight(workspace)
            .args(["worker", "--listen", "127.0.0.1:0"])
            .args(options)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        let address = line.strip_prefix("worker on 127.0.0.1:");
        let port = address.and_then(|rest| rest.split(',').next());
        let port = port.unwrap_or_else(|| panic!("{line}"));
        let scheme = if options.is_empty() { "http" } else { "https" };
        let url = format!("{scheme}://{name}:{port}");
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Self { child, url }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by its name, such as `-KILL`.
    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An engine with a session of its own, and what its statements were told.
pub struct Server {
    pub engine: Engine,
    notices: UnboundedReceiver<Notice>,
}

impl Server {
    /// Over the workspace of the workers.
    pub fn over(urls: &[&str]) -> Self {
        Self::of(WORKSPACE.path(), urls, None)
    }

    pub fn of(workspace: &Path, urls: &[&str], security: Option<&Security>) -> Self {
        Self::configured(workspace, urls, security, SessionConfig::new())
    }

    /// Over the workspace of the workers, where all that has no order comes in the one that it is read
    /// in.
    pub fn in_order(urls: &[&str]) -> Self {
        let config = SessionConfig::new().with_target_partitions(1);
        Self::configured(WORKSPACE.path(), urls, None, config)
    }

    fn configured(
        workspace: &Path,
        urls: &[&str],
        security: Option<&Security>,
        config: SessionConfig,
    ) -> Self {
        let config = match urls {
            [] => config,
            urls => {
                let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
                let workers = block_on(async { Workers::new(&urls, security) });
                with_workers(config, workers.unwrap())
            }
        };
        let engine = Engine::open_configured(workspace, None, None, config);
        let engine = block_on(engine).unwrap();
        let (sender, notices) = tokio::sync::mpsc::unbounded_channel();
        engine.listen(sender);
        Self { engine, notices }
    }

    /// All rows of a statement in one batch.
    pub fn rows(&self, sql: &str) -> RecordBatch {
        let batches = block_on(self.engine.sql(sql));
        let batches = batches.unwrap_or_else(|error| panic!("{sql}: {error}"));
        concat_batches(&batches[0].schema(), &batches).unwrap()
    }

    /// What was said since it was asked last.
    pub fn said(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Ok(notice) = self.notices.try_recv() {
            said.push(notice.message);
        }
        said
    }

    /// The counts of a column of `workers`, by address; of those that do not answer, none.
    pub fn counts(&self, column: &str) -> BTreeMap<String, Option<i64>> {
        let rows = self.rows(&format!("select address, {column} from workers"));
        let counts = rows.column(1).as_primitive::<Int64Type>().iter();
        let addresses = rows.column(0).as_string::<i32>().iter();
        addresses
            .map(|address| address.unwrap().to_owned())
            .zip(counts)
            .collect()
    }

    /// The states of the workers, in the order in which they were named.
    pub fn states(&self) -> Vec<String> {
        let rows = self.rows("select state from workers");
        let states = rows.column(0).as_string::<i32>().iter();
        states.map(|state| state.unwrap().to_owned()).collect()
    }

    /// Begins a statement and reads its first rows.
    pub fn begin(&self, sql: &str) -> Begun {
        block_on(async {
            let Outcome::Rows(mut rows) = self.engine.run(sql).await.unwrap() else {
                panic!("{sql} has no rows");
            };
            let first = rows.try_next().await.unwrap().unwrap();
            Begun { first, rows }
        })
    }
}

/// A statement that is under way.
pub struct Begun {
    first: RecordBatch,
    rows: datafusion::execution::SendableRecordBatchStream,
}

impl Begun {
    /// One step further.
    pub fn next(mut self) -> Result<Self, hindsight::Error> {
        let next = block_on(self.rows.try_next())?;
        self.first = next.expect("rows");
        Ok(self)
    }

    /// Reads the rest of its rows, and keeps none.
    pub fn skip_to_end(mut self) -> Result<(), hindsight::Error> {
        while block_on(self.rows.try_next())?.is_some() {}
        Ok(())
    }

    /// All of its rows, or the error that they end with.
    pub fn finish(self) -> Result<RecordBatch, hindsight::Error> {
        let mut batches = vec![self.first];
        let mut rows = self.rows;
        block_on(async {
            while let Some(batch) = rows.try_next().await? {
                batches.push(batch);
            }
            Ok(concat_batches(&batches[0].schema(), &batches).unwrap())
        })
    }
}

/// Waits until something is so.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(15), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Some hundred combinations of every kind.
pub const GRID: &str = "select * from backtest(
    score_threshold => [0, 50, 60, 70, 80], stop_loss_percent => [5, 15, 30],
    exit_strategy => ['fixed_targets', 'trailing_stop'], max_hold_minutes => [5, 60, 600],
    max_open_positions => [null, 2], slippage_percent => [0, 1.5])";

/// So many combinations that two workers run them in so many rounds.
pub fn large(rounds: usize) -> String {
    let fees = (rounds * 2 * 32 * 1024).div_ceil(1000);
    format!(
        "select priority_fee_sol, gas_cost_sol, simulated_total_pnl_sol, simulated_max_drawdown_sol \
         from backtest(priority_fee_sol => range(0, {fees}), \
         gas_cost_sol => range(0, 1000))"
    )
}

//! Tells a run that is under way from one whose process has ended.
//!
//! Whoever runs it holds a lock on a file of the workspace, which nobody can forget to let go. From
//! another machine that lock is not seen: with the state in a PostgreSQL the run says so often enough
//! there that it is under way. A lock of the database would not do, since behind a pooler a
//! connection is somebody else's after every transaction.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::client::Statement;
use super::run_files;
use super::{Database, Dialect};
use crate::error::{Error, Result};

/// How often a run says that it is under way, and how long it may be silent.
const BEAT: Duration = Duration::from_secs(5);
const SILENCE_MICROS: i64 = 30_000_000;
/// Microseconds since 1970 UTC by the clock that all who look have in common.
const DATABASE_NOW: &str = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";

/// The lock of one run.
pub(super) struct Running {
    _file: File,
    path: PathBuf,
    beats: Option<JoinHandle<()>>,
}

impl Running {
    /// Takes the lock of a new run.
    pub(super) fn begin(workspace: &Path, id: &str) -> Result<Self> {
        let path = lock_path(workspace, id);
        let file = lock_file(&path).map_err(|error| Error::Workspace {
            path: path.clone(),
            problem: format!("cannot be written: {error}"),
        })?;
        Ok(Self {
            _file: file,
            path,
            beats: None,
        })
    }

    /// Says in the database, from now on, that the run is under way.
    pub(super) fn beat(&mut self, database: &Database, id: &str) {
        if database.dialect() == Dialect::Postgres {
            let (database, id) = (database.clone(), id.to_owned());
            self.beats = Some(tokio::spawn(async move {
                loop {
                    // What cannot be said now can be said the next time; how it ends is told apart.
                    let _ = beat(&database, &id).await;
                    tokio::time::sleep(BEAT).await;
                }
            }));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(beats) = &self.beats {
            beats.abort();
        }
        // A lock file that stays does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

/// Says that a run is under way.
async fn beat(database: &Database, id: &str) -> Result<u64> {
    let update = format!(
        "update hindsight.backtest_results set heartbeat_at = {DATABASE_NOW} \
         where id = $1 and status = 'running'"
    );
    database.execute(Statement::new(update).bind(id)).await
}

/// Whether somebody runs this.
pub(super) async fn is_alive(
    database: &Database,
    workspace: Option<&Path>,
    id: &str,
) -> Result<bool> {
    if let Some(workspace) = workspace
        && let Ok(file) = File::open(lock_path(workspace, id))
    {
        return Ok(matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
    }
    if database.dialect() == Dialect::Sqlite {
        return Ok(false);
    }
    let select = format!(
        "select ({DATABASE_NOW} - coalesce(heartbeat_at, started_at))::bigint \
         from hindsight.backtest_results where id = $1"
    );
    let rows = database.rows(Statement::new(select).bind(id)).await?;
    let silent = rows.first().map(|row| row.get::<i64>(0)).transpose();
    let silent = silent.map_err(|error| database.failed(error))?;
    Ok(silent.is_some_and(|micros| micros < SILENCE_MICROS))
}

fn lock_path(workspace: &Path, id: &str) -> PathBuf {
    run_files::directory(workspace, id).join(run_files::LOCK_FILE)
}

fn lock_file(path: &Path) -> std::io::Result<File> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let file = File::create(path)?;
    file.try_lock()?;
    Ok(file)
}

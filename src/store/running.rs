//! Tells a run that is under way from one whose process has ended: whoever runs it holds a lock
//! that nobody can forget to let go.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use sqlx::{AnyConnection, ConnectOptions};

use super::{Database, Dialect};
use crate::error::{Error, Result};

const LOCK_FILE: &str = "lock";

/// The lock of one run.
pub(super) enum Running {
    /// Held on a file as long as it is open.
    File { _file: File, path: PathBuf },
    /// Held by a connection of its own as long as it lasts.
    Connection(#[expect(dead_code, reason = "held, not used")] Mutex<AnyConnection>),
}

impl Running {
    /// Takes the lock of a new run.
    pub(super) async fn begin(database: &Database, workspace: &Path, id: &str) -> Result<Self> {
        match database.dialect {
            Dialect::Sqlite => {
                let path = lock_path(workspace, id);
                let file = lock_file(&path).map_err(|error| Error::Workspace {
                    path: path.clone(),
                    problem: format!("cannot be written: {error}"),
                })?;
                Ok(Self::File { _file: file, path })
            }
            Dialect::Postgres => {
                let connection = async {
                    let mut connection = database.pool.connect_options().connect().await?;
                    sqlx::query("select pg_advisory_lock($1)")
                        .bind(key(id))
                        .execute(&mut connection)
                        .await?;
                    Ok(connection)
                };
                let connection = connection.await.map_err(|error| database.failed(error))?;
                Ok(Self::Connection(Mutex::new(connection)))
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Self::File { path, .. } = self {
            // A lock file that stays does no harm.
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether somebody holds the lock of a run.
pub(super) async fn is_alive(
    database: &Database,
    workspace: Option<&Path>,
    id: &str,
) -> Result<bool> {
    match (database.dialect, workspace) {
        (Dialect::Sqlite, None) => Ok(false),
        (Dialect::Sqlite, Some(workspace)) => {
            let Ok(file) = File::open(lock_path(workspace, id)) else {
                return Ok(false);
            };
            Ok(matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
        }
        (Dialect::Postgres, _) => {
            // Let go at the end of the statement.
            let taken: bool = sqlx::query_scalar("select pg_try_advisory_xact_lock($1)")
                .bind(key(id))
                .fetch_one(&database.pool)
                .await
                .map_err(|error| database.failed(error))?;
            Ok(!taken)
        }
    }
}

fn lock_path(workspace: &Path, id: &str) -> PathBuf {
    crate::runs::files::directory(workspace, id).join(LOCK_FILE)
}

fn lock_file(path: &Path) -> std::io::Result<File> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let file = File::create(path)?;
    file.try_lock()?;
    Ok(file)
}

/// The random half of the id.
fn key(id: &str) -> i64 {
    uuid::Uuid::parse_str(id).map_or(0, |id| id.as_u64_pair().1 as i64)
}

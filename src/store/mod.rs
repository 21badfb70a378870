//! The state store: users, scenarios, runs and live settings, in SQLite or PostgreSQL.
//!
//! By default the state is `state.sqlite` in the workspace, made when something is first written;
//! until then, reading finds what a new store would hold. A store is opened when it is first asked,
//! so that statements which need none do not pay for it.
//!
//! Only this module knows sqlx, so [`source`] is here too, which reads a history out of a live
//! PostgreSQL and has nothing to do with the state.

mod migrations;
mod open;
mod running;
mod runs;
mod scenarios;
mod settings;
pub mod source;
mod users;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as Lock};
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Transaction};
use tokio::sync::Mutex;

use crate::error::{Error, Result};
pub use runs::BegunRun;
pub use settings::{Application, Applied};
pub use users::User;

const STATE_FILE: &str = "state.sqlite";

/// Where the state lies.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// Nowhere that outlasts the process.
    Memory,
    /// `state.sqlite` in this workspace.
    Workspace(PathBuf),
    /// `postgres://…`
    Postgres(String),
}

/// The state of a workspace.
pub struct Store {
    place: Place,
    opened: Mutex<Option<Opened>>,
}

/// A database that has our tables.
#[derive(Debug, Clone)]
struct Opened {
    database: Database,
    access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    ReadWrite,
    /// The workspace cannot be written.
    ReadOnly,
    /// Nothing is stored yet: an empty store in memory stands for it.
    StandIn,
}

/// Connections to a database, and how it is spoken to.
#[derive(Debug, Clone)]
struct Database {
    pool: AnyPool,
    dialect: Dialect,
    /// For people; without a password.
    name: String,
    /// Keeps what is only in memory.
    anchor: Option<Arc<Lock<AnyConnection>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Sqlite,
    Postgres,
}

impl Place {
    /// The state of a workspace: in the workspace, or where the URL says.
    pub fn of(workspace: &Path, url: Option<&str>) -> Result<Self> {
        let Some(url) = url.map(str::trim).filter(|url| !url.is_empty()) else {
            return Ok(Self::Workspace(workspace.to_owned()));
        };
        match url.split_once("://") {
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(url.to_owned())),
            _ => Err(Error::Usage(
                "the state is in the workspace or at a URL such as \
                 postgres://user@host:5432/database"
                    .into(),
            )),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("state in memory"),
            Self::Workspace(workspace) => write!(f, "{}", workspace.join(STATE_FILE).display()),
            Self::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.place)
    }
}

impl Store {
    /// A store that is not opened yet.
    pub fn new(place: Place) -> Self {
        Self {
            place,
            opened: Mutex::new(None),
        }
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Opens it, if it is there.
    pub async fn open(&self) -> Result<()> {
        self.reading().await.map(drop)
    }

    /// The database to read from.
    async fn reading(&self) -> Result<Database> {
        let mut opened = self.opened.lock().await;
        if let Some(Opened { database, access }) = &*opened
            && (*access != Access::StandIn || !self.is_made())
        {
            return Ok(database.clone());
        }
        let fresh = match (&self.place, self.is_made()) {
            (Place::Memory, _) | (_, false) => open::in_memory(&self.place).await?,
            (place, true) => open::existing(place).await?,
        };
        Ok(opened.insert(fresh).database.clone())
    }

    /// The database to write to, made if it is not there.
    async fn writing(&self) -> Result<Database> {
        let mut opened = self.opened.lock().await;
        if let Some(Opened { database, access }) = &*opened
            && *access == Access::ReadWrite
        {
            return Ok(database.clone());
        }
        let fresh = match &self.place {
            Place::Memory => open::in_memory(&self.place).await?,
            place => open::or_make(place).await?,
        };
        Ok(opened.insert(fresh).database.clone())
    }

    /// Closes its connections, so that SQLite leaves one file with everything in it.
    pub async fn close(&self) {
        let opened = self.opened.lock().await.take();
        if let Some(Opened { database, .. }) = opened {
            database.pool.close().await;
        }
    }

    /// Whether there is a database to open.
    fn is_made(&self) -> bool {
        match &self.place {
            Place::Memory => false,
            Place::Workspace(workspace) => workspace.join(STATE_FILE).exists(),
            Place::Postgres(_) => true,
        }
    }
}

impl Database {
    async fn connection(&self) -> Result<PoolConnection<Any>> {
        let connection = self.pool.acquire().await;
        connection.map_err(|error| self.failed(error))
    }

    /// A transaction that no other writer runs beside: what it reads stays so until it commits.
    async fn transaction(&self) -> Result<Transaction<'static, Any>> {
        let begun = match self.dialect {
            // SQLite would take the lock at the first write, when it may be too late to wait for it.
            Dialect::Sqlite => self.pool.begin_with("begin immediate").await,
            Dialect::Postgres => self.pool.begin().await,
        };
        begun.map_err(|error| self.failed(error))
    }

    /// A transaction that reads, and sees one state of everything.
    async fn snapshot(&self) -> Result<Transaction<'static, Any>> {
        let begun = match self.dialect {
            Dialect::Sqlite => self.pool.begin().await,
            Dialect::Postgres => {
                let begin = "begin isolation level repeatable read read only";
                self.pool.begin_with(begin).await
            }
        };
        begun.map_err(|error| self.failed(error))
    }

    async fn commit(&self, transaction: Transaction<'static, Any>) -> Result<()> {
        let committed = transaction.commit().await;
        committed.map_err(|error| self.failed(error))
    }

    /// What the database says, in one sentence.
    fn failed(&self, error: sqlx::Error) -> Error {
        let hint = match &error {
            sqlx::Error::PoolTimedOut => "it did not answer in time; is it busy or out of reach?",
            sqlx::Error::Database(said) if said.message().contains("locked") => {
                "another process is writing to it; try again"
            }
            _ => "",
        };
        let problem = match &error {
            sqlx::Error::Database(said) => said.message().to_owned(),
            sqlx::Error::PoolTimedOut => "no connection to be had".into(),
            error => error.to_string(),
        };
        self.error(problem, hint)
    }

    fn error(&self, problem: impl Into<String>, hint: &str) -> Error {
        Error::Database {
            database: self.name.clone(),
            problem: problem.into(),
            hint: hint.into(),
        }
    }
}

/// The URL without the password and what follows the database.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split('?').next().unwrap_or(rest);
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or(user);
            format!("{scheme}://{user}@{host}")
        }
        None => format!("{scheme}://{rest}"),
    }
}

/// Microseconds since 1970 UTC.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}

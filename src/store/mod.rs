//! The state store: users, scenarios, runs and live settings, in SQLite or PostgreSQL.
//!
//! By default the state is `state.sqlite` in the workspace, made when something is first written;
//! until then, reading finds what a new store would hold. At a PostgreSQL it is the schema
//! `hindsight`, made likewise, beside the tables of live settings, which are the trading system's and
//! never made unless that is asked for. A store is opened when it is first asked, so that statements
//! which need none do not pay for it.
//!
//! Only this module knows sqlx, so [`source`] is here too, which reads a history out of a live
//! PostgreSQL and has nothing to do with the state; both reach it through [`Server`].

mod client;
mod live;
mod log;
mod migrations;
mod open;
pub mod run_files;
mod running;
mod runs;
mod scenarios;
mod server;
mod settings;
pub mod source;
mod users;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as Lock};

use async_recursion::async_recursion as door;
use sqlx::SqliteConnection;
use tokio::sync::Mutex;

use crate::clock::now;
use crate::error::{Error, Result};
use crate::parameters::Ranges;
use client::{Pool, Row, Statement, Transaction};
pub use runs::{BegunRun, DeletedRun};
pub use server::Server;
pub use settings::{Application, Applied, unknown_history};
pub use users::User;

const STATE_FILE: &str = "state.sqlite";

/// Where the state lies.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// Nowhere that outlasts the process.
    Memory,
    /// `state.sqlite` in this workspace.
    Workspace(PathBuf),
    /// In a PostgreSQL; the rows of runs are in the workspace nevertheless.
    Postgres {
        server: Box<Server>,
        workspace: PathBuf,
    },
}

/// The state of a workspace.
pub struct Store {
    place: Place,
    /// What parameters of scenarios may be.
    ranges: Ranges,
    opened: Mutex<Connected>,
}

/// What has been opened so far.
#[derive(Default)]
struct Connected {
    state: Option<Opened>,
    /// The PostgreSQL, whether or not it has our tables.
    server: Option<Database>,
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
    /// It cannot be written, or not by us.
    ReadOnly,
    /// Nothing is stored yet: an empty store in memory stands for it.
    StandIn,
}

/// Connections to a database, and how it is spoken to.
#[derive(Debug, Clone)]
struct Database {
    pool: Pool,
    /// For people; without a password.
    name: String,
    /// Where it is, if it is a PostgreSQL.
    server: Option<Arc<Server>>,
    /// Keeps what is only in memory.
    anchor: Option<Arc<Lock<SqliteConnection>>>,
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
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres {
                server: Box::new(Server::read(url)?),
                workspace: workspace.to_owned(),
            }),
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
            Self::Postgres { server, .. } => f.write_str(&server.name),
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
            ranges: Ranges::default(),
            opened: Mutex::default(),
        }
    }

    /// The same where a configuration has widened ranges.
    pub fn with_ranges(self, ranges: Ranges) -> Self {
        Self { ranges, ..self }
    }

    /// The ranges of parameters that are in force.
    pub fn ranges(&self) -> &Ranges {
        &self.ranges
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Opens it, if it is there.
    #[door]
    pub async fn open(&self) -> Result<()> {
        self.reading().await.map(drop)
    }

    /// The database to read from.
    async fn reading(&self) -> Result<Database> {
        let mut opened = self.opened.lock().await;
        if let Some(Opened { database, access }) = &opened.state
            && (*access != Access::StandIn || !self.is_made())
        {
            return Ok(database.clone());
        }
        let fresh = match (&self.place, self.is_made()) {
            (Place::Memory, _) | (_, false) => open::in_memory(&self.place).await?,
            (Place::Postgres { server, .. }, true) => {
                let database = opened.server(server).await?;
                open::to_read(&database, &self.place).await?
            }
            (place, true) => open::existing(place).await?,
        };
        Ok(opened.state.insert(fresh).database.clone())
    }

    /// The database to write to, made if it is not there.
    async fn writing(&self) -> Result<Database> {
        let mut opened = self.opened.lock().await;
        if let Some(Opened { database, access }) = &opened.state
            && *access == Access::ReadWrite
        {
            return Ok(database.clone());
        }
        let fresh = match &self.place {
            Place::Memory => open::in_memory(&self.place).await?,
            Place::Postgres { server, .. } => {
                let database = opened.server(server).await?;
                open::to_write(database).await?
            }
            place => open::or_make(place).await?,
        };
        Ok(opened.state.insert(fresh).database.clone())
    }

    /// The database that the trading system reads its settings from.
    async fn live(&self) -> Result<Database> {
        match &self.place {
            Place::Postgres { server, .. } => self.opened.lock().await.server(server).await,
            _ => self.reading().await,
        }
    }

    /// Reads all of it, and says what is not as it was written; a server sees to its own.
    #[door]
    pub async fn verify(&self) -> Result<Vec<String>> {
        if !matches!(self.place, Place::Workspace(_)) || !self.is_made() {
            return Ok(Vec::new());
        }
        let database = self.reading().await?;
        let mut problems = Vec::new();
        let pages =
            "select integrity_check from pragma_integrity_check where integrity_check <> 'ok'";
        let keys = "select 'a row of ' || \"table\" || ' refers to one of ' || parent || ' that is not \
                    there' from pragma_foreign_key_check";
        for check in [pages, keys] {
            for row in database.rows(Statement::new(check)).await? {
                let problem = row.get::<String>(0);
                problems.push(problem.map_err(|error| database.failed(error))?);
            }
        }
        Ok(problems)
    }

    /// Whether a workspace has a state of its own.
    pub fn is_in(workspace: &Path) -> bool {
        workspace.join(STATE_FILE).exists()
    }

    /// The ids of all runs.
    #[door]
    pub async fn run_ids(&self) -> Result<Vec<String>> {
        let database = self.reading().await?;
        let select = Statement::new("select id from hindsight.backtest_results");
        let rows = database.rows(select).await?;
        let ids: sqlx::Result<Vec<String>> = rows.iter().map(|row| row.get(0)).collect();
        ids.map_err(|error| database.failed(error))
    }

    /// Closes its connections, so that SQLite leaves one file with everything in it.
    #[door]
    pub async fn close(&self) {
        let mut opened = self.opened.lock().await;
        let Connected { state, server } = std::mem::take(&mut *opened);
        for database in state.map(|state| state.database).into_iter().chain(server) {
            database.pool.close().await;
        }
    }

    /// Whether there is a database to open.
    fn is_made(&self) -> bool {
        match &self.place {
            Place::Memory => false,
            Place::Workspace(workspace) => Self::is_in(workspace),
            Place::Postgres { .. } => true,
        }
    }

    /// The workspace in which runs hold their locks.
    fn workspace(&self) -> Option<&Path> {
        match &self.place {
            Place::Memory => None,
            Place::Workspace(workspace) | Place::Postgres { workspace, .. } => Some(workspace),
        }
    }
}

impl Connected {
    /// The PostgreSQL, connected to when it is first asked.
    async fn server(&mut self, server: &Server) -> Result<Database> {
        if let Some(database) = &self.server {
            return Ok(database.clone());
        }
        let database = open::server(server).await?;
        Ok(self.server.insert(database).clone())
    }
}

/// How long a statement may take, and a lock or a client may keep others waiting.
const POSTGRES_LIMITS: [(&str, &str); 5] = [
    ("statement_timeout", "'60s'"),
    ("lock_timeout", "'5s'"),
    ("idle_in_transaction_session_timeout", "'60s'"),
    ("extra_float_digits", "1"),
    // Rows that a policy hides are refused, never taken for rows that are not there.
    ("row_security", "off"),
];

impl Database {
    fn dialect(&self) -> Dialect {
        match self.pool {
            Pool::Sqlite(_) => Dialect::Sqlite,
            Pool::Postgres(_) => Dialect::Postgres,
        }
    }

    /// A transaction that no other writer runs beside: what it reads stays so until it commits.
    async fn transaction(&self) -> Result<Transaction> {
        // SQLite would take the lock at the first write, when it may be too late to wait for it.
        let begun = self.begin("begin immediate", "begin isolation level read committed");
        begun.await
    }

    /// A transaction that reads, and sees one state of everything.
    async fn snapshot(&self) -> Result<Transaction> {
        let begun = self.begin("begin", "begin isolation level repeatable read read only");
        begun.await
    }

    async fn begin(&self, sqlite: &str, postgres: &str) -> Result<Transaction> {
        let begun = match &self.server {
            None => self.pool.begin(sqlite).await,
            Some(server) => {
                let settings = server.local_settings(&POSTGRES_LIMITS);
                self.pool.begin(&format!("{postgres}; {settings}")).await
            }
        };
        begun.map_err(|error| self.failed(error))
    }

    /// Ends a transaction that has written.
    async fn commit(&self, mut transaction: Transaction) -> Result<()> {
        let counted = log::count_commit(&mut transaction).await;
        counted.map_err(|error| self.failed(error))?;
        self.end(transaction).await
    }

    /// Ends a transaction that has only read.
    async fn end(&self, transaction: Transaction) -> Result<()> {
        let ended = transaction.commit().await;
        ended.map_err(|error| self.failed(error))
    }

    /// Runs one statement that writes; the number of rows that it changed.
    async fn execute(&self, statement: Statement) -> Result<u64> {
        let mut transaction = self.transaction().await?;
        let done = statement.execute(&mut transaction).await;
        let done = done.map_err(|error| self.failed(error))?;
        self.commit(transaction).await?;
        Ok(done)
    }

    /// The rows of one statement that reads.
    async fn rows(&self, statement: Statement) -> Result<Vec<Row>> {
        let mut transaction = self.snapshot().await?;
        let rows = statement.rows(&mut transaction).await;
        let rows = rows.map_err(|error| self.failed(error))?;
        self.end(transaction).await?;
        Ok(rows)
    }

    /// What the database says, in one sentence.
    fn failed(&self, error: sqlx::Error) -> Error {
        if let Some(server) = &self.server {
            return server.of_state(&error);
        }
        let hint = match &error {
            sqlx::Error::PoolTimedOut => "it did not answer in time; is it busy or out of reach?",
            sqlx::Error::Database(said) if said.message().contains("locked") => {
                "another process is writing to it; try again"
            }
            sqlx::Error::Database(said) => open::damage_hint(said.message()),
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

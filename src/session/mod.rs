//! One client's session: its statements, settings, temporary tables and views.
//!
//! A statement is parsed, prepared (planned, which does nothing yet) and executed with the values
//! of its parameters. Each statement sees the newest generation of the dataset; one under way
//! finishes on the generation it began with.

mod allowed;
mod catalog;
mod command;
mod comments;
mod copy;
mod cursors;
mod embedded;
mod every_column;
mod explain;
mod labels;
mod length;
mod origins;
mod parse;
mod perform;
mod placeholders;
mod plan;
mod returning;
mod settings;
mod syntax;
mod tables;
mod temporary;
mod words;
mod writes;
mod zone;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_recursion::async_recursion as door;
use datafusion::arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
};
use datafusion::common::ScalarValue;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use hindsight_sweep::sales::Sale;
use tokio::sync::mpsc::UnboundedSender;

use crate::caller::activity::{Activity, Notification};
use crate::caller::client::{Client, Notice};
use crate::caller::give_way::{Stop, UnderWay};
use crate::caller::guard;
use crate::caller::progress::Progress;
use crate::caller::transaction::TransactionStatus;
use crate::engine::{OpenGeneration, OpenWorkspace};
use crate::error::{Error, Result};
use crate::records::roles::Role;
use command::Command;
use cursors::Cursor;
use tables::SessionTables;
use writes::Rewrite;

pub use crate::dialect::output::types::PG_TYPE;
pub use copy::{CopyFormat, CopyOptions, ForceQuote};
pub use embedded::Engine;
pub use parse::{Statement, position_of};
pub use settings::{SETTINGS, Settings, milliseconds, reported_name};
pub(crate) use syntax::parsed;

/// The catalog, which clients call the database.
pub const DATABASE: &str = "hindsight";
/// The schema of all tables.
pub const SCHEMA: &str = "public";
/// The keys of a field's metadata with the oid of the table that the column is of, and its number
/// there from 1.
pub const TABLE_OID: &str = "table_oid";
pub const ATTRIBUTE: &str = "attribute";

/// One client's session.
pub struct Session {
    client: Arc<Client>,
    workspace: Arc<OpenWorkspace>,
    opened: Mutex<Arc<OpenGeneration>>,
    tables: Arc<SessionTables>,
    context: SessionContext,
    under_way: UnderWay,
    /// Its number among the sessions of the process.
    pid: i32,
    settings: Mutex<Settings>,
    /// Statements that the client gave a name, in SQL or in the protocol.
    named: Mutex<HashMap<String, Arc<Prepared>>>,
    cursors: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Cursor>>>>,
    /// What the transaction tells others when it is committed.
    notifications: Mutex<Vec<Notification>>,
}

/// A statement that is planned and has done nothing yet.
#[derive(Debug, Clone)]
pub struct Prepared {
    statement: Statement,
    work: Work,
    generation: u64,
    given: Vec<Option<DataType>>,
    /// What it does, as the client is told when it is done: `SELECT`, `SET` and so on.
    pub verb: &'static str,
    /// The columns of its rows; `None` where it returns none.
    pub schema: Option<SchemaRef>,
    /// The types of `$1`, `$2` and so on.
    pub parameters: Vec<Option<DataType>>,
    /// The types that the client has said, by their oids; 0 where it says none.
    pub declared: Arc<[u32]>,
    /// What more is known of the parameters, such as their PostgreSQL types.
    pub parameter_fields: Option<Arc<[FieldRef]>>,
    /// How its rows are written, where they are copied out.
    pub copy: Option<CopyOptions>,
}

/// What is done when a prepared statement is executed.
#[derive(Debug, Clone)]
enum Work {
    Nothing,
    Plan(Box<LogicalPlan>),
    /// A write to a temporary table, and the query of what it returns.
    Returning(Box<LogicalPlan>, Box<LogicalPlan>),
    /// A write to a temporary table that reads others, as the query of all its rows.
    Rewrite(Rewrite, Box<LogicalPlan>),
    /// A query of the PostgreSQL catalog.
    Catalog(Box<datafusion::sql::sqlparser::ast::Statement>),
    Command(Box<Command>),
    /// Another statement, for a cursor or for copying.
    Inner(Box<Prepared>, Option<Box<Command>>),
    /// A statement with a name, with its arguments.
    Named(Arc<Prepared>, Vec<datafusion::sql::sqlparser::ast::Expr>),
}

/// What a statement did.
pub enum Outcome {
    /// Rows, made while they are read.
    Rows(SendableRecordBatchStream),
    /// It is done; with the number of rows that it wrote, where it writes rows.
    Done {
        rows: Option<u64>,
        verb: &'static str,
    },
}

impl Prepared {
    /// The statement as the client wrote it.
    pub fn text(&self) -> Arc<str> {
        Arc::clone(&self.statement.text)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.workspace.activity().remove(self.pid);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({}, {:?})", self.user(), self.role())
    }
}

impl Session {
    pub(crate) async fn new(workspace: Arc<OpenWorkspace>, user: &str, role: Role) -> Result<Self> {
        let opened = workspace.newest().await?;
        let tables = Arc::new(SessionTables::new(base_tables(&opened)?));
        let schema = MemoryCatalogProvider::new();
        schema.register_schema(SCHEMA, Arc::clone(&tables) as _)?;
        let catalogs = Arc::new(MemoryCatalogProviderList::new());
        catalogs.register_catalog(DATABASE.into(), Arc::new(schema));
        let mut state = opened.state.clone();
        state.register_catalog_list(catalogs);
        let (store, runs) = (Arc::clone(workspace.store()), Arc::clone(workspace.runs()));
        let client = Arc::new(Client::new(user, role, store, runs));
        state.config_mut().set_extension(Arc::clone(&client));
        let pid = workspace.activity().add(user);
        let session = Self {
            client,
            workspace,
            opened: Mutex::new(opened),
            tables,
            context: SessionContext::new_with_state(state),
            under_way: UnderWay::default(),
            pid,
            settings: Mutex::new(Settings::new(user)),
            named: Mutex::default(),
            cursors: Mutex::default(),
            notifications: Mutex::default(),
        };
        session.apply_zone()?;
        Ok(session)
    }

    /// Who it is.
    pub fn user(&self) -> &str {
        &self.client.user
    }

    /// Its number among the sessions of the process.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The sessions of the process.
    pub fn activity(&self) -> &Activity {
        self.workspace.activity()
    }

    /// The run that this session began last, for as long as that is under way.
    pub fn run_under_way(&self) -> Option<Arc<Progress>> {
        self.client.run_under_way()
    }

    /// The combinations that backtests of this session have run so far.
    pub fn combinations_done(&self) -> u64 {
        self.client.combinations.load(Ordering::Relaxed)
    }

    /// Has a backtest of one combination keep its simulated sales, for [`Self::take_sales`].
    pub fn want_sales(&self) {
        self.client.want_sales();
    }

    /// The sales of the backtest before, in the order in which trades are counted.
    pub fn take_sales(&self) -> Vec<Sale> {
        self.client.take_sales()
    }

    /// Goes over to the newest generation, and says which it is.
    #[door]
    pub async fn generation(&self) -> Result<u64> {
        self.refresh().await
    }

    /// The fingerprint of the generation that statements see.
    pub fn fingerprint(&self) -> String {
        self.opened().dataset.fingerprint.clone()
    }

    /// What the user may do.
    pub fn role(&self) -> Role {
        self.client.role
    }

    /// The DataFusion session underneath.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Memory of the pool that all statements share, for as long as it is kept.
    pub fn reserve(&self, what: &str, bytes: usize) -> Result<MemoryReservation> {
        let pool = &self.context.runtime_env().memory_pool;
        let memory = MemoryConsumer::new(what).register(pool);
        memory.try_grow(bytes)?;
        Ok(memory)
    }

    /// The settings in force.
    pub fn settings(&self) -> MutexGuard<'_, Settings> {
        lock(&self.settings)
    }

    /// Sets what the session begins with, and returns to on `RESET`: from the login.
    pub fn begin_with(&self, name: &str, value: &str) -> Result<()> {
        self.settings().set_initial(name, value)?;
        self.put_in_force()
    }

    /// Whether a transaction is open, and whether it has failed.
    pub fn transaction_status(&self) -> TransactionStatus {
        self.client.transaction.status()
    }

    /// Says that a statement failed: a transaction that is open ends with a rollback only.
    pub fn failed(&self) {
        self.client.transaction.fail();
    }

    /// Where remarks on the statements go from now on, while they run.
    pub fn listen(&self, notices: Option<UnboundedSender<Notice>>) {
        self.client.listen(notices);
    }

    /// The statements of a text, of which nothing is known but their syntax.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        let pool = &self.context.runtime_env().memory_pool;
        let stop = Stop::default();
        self.noted(guard::call(&stop, || parse::parse_within(sql, pool)))
    }

    /// Plans a statement over the newest generation. `parameters` are the types that the client
    /// gives to `$1`, `$2` and so on; what it leaves open is inferred.
    #[door]
    pub async fn prepare(
        &self,
        statement: Statement,
        parameters: &[Option<DataType>],
    ) -> Result<Prepared> {
        let text = Arc::clone(&statement.text);
        let planning = Box::pin(self.plan(statement, parameters));
        let prepared = guard::run(self.under_way.begin(), planning).await;
        self.noted(prepared.map_err(|error| error.located(|name| position_of(&text, name))))
    }

    /// Executes a prepared statement, on the newest generation as it is now.
    #[door]
    pub async fn execute(&self, prepared: &Prepared, values: Vec<ScalarValue>) -> Result<Outcome> {
        self.client.begin_statement();
        let performing = Box::pin(self.perform(prepared, values));
        let outcome = guard::run(self.under_way.begin(), performing).await;
        let outcome = outcome
            .map_err(|error| error.located(|name| position_of(&prepared.statement.text, name)));
        match self.noted(outcome)? {
            Outcome::Rows(rows) => Ok(Outcome::Rows(self.noting(rows))),
            done => Ok(done),
        }
    }

    /// Executes one statement.
    #[door]
    pub async fn run(&self, sql: &str) -> Result<Outcome> {
        let mut statements = self.parse(sql)?;
        let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
            let problem = "one statement at a time; found several, or none";
            return self.noted(Err(Error::Usage(problem.into())));
        };
        let prepared = self.prepare(statement, &[]).await?;
        self.execute(&prepared, vec![]).await
    }

    /// A statement that fails is the end of its transaction.
    fn noted<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.client.transaction.fail();
        }
        result
    }

    /// The same for one that fails while its rows are read.
    fn noting(&self, rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
        if self.transaction_status() == TransactionStatus::Idle {
            return rows;
        }
        let client = Arc::clone(&self.client);
        let schema = rows.schema();
        let rows = rows.inspect_err(move |_| client.transaction.fail());
        Box::pin(RecordBatchStreamAdapter::new(schema, rows))
    }

    /// Stops what is under way in this session; its rows end with an error.
    pub fn stop(&self) {
        self.under_way.stop();
    }

    /// The generation that statements see.
    fn opened(&self) -> Arc<OpenGeneration> {
        Arc::clone(&lock(&self.opened))
    }

    /// Goes over to the newest generation, and says which it is.
    async fn refresh(&self) -> Result<u64> {
        let newest = self.workspace.newest().await?;
        let generation = newest.dataset.generation;
        {
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            if opened.dataset.generation == generation {
                return Ok(generation);
            }
            *opened = Arc::clone(&newest);
        }
        self.tables.set_base(base_tables(&newest)?);
        {
            let state = self.context.state_ref();
            let mut state = state.write();
            let mut fresh = newest.state.clone();
            fresh.register_catalog_list(Arc::clone(state.catalog_list()));
            *fresh.config_mut() = state.config().clone();
            *state = fresh;
        }
        self.apply_zone()?;
        self.plan_views().await?;
        Ok(generation)
    }
}

impl Session {
    /// Plans the session's own views again: over the tables of a generation, and over each other.
    pub(crate) async fn plan_views(&self) -> Result<()> {
        for (name, definition) in self.tables.views() {
            let dropped = format!("drop view if exists \"{}\"", name.replace('"', "\"\""));
            for sql in [dropped, definition] {
                let state = self.context.state();
                let plan = state.create_logical_plan(&sql).await?;
                self.context.execute_logical_plan(plan).await?;
            }
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The tables that a generation brings.
fn base_tables(opened: &OpenGeneration) -> Result<Arc<dyn datafusion::catalog::SchemaProvider>> {
    let catalog = opened.state.catalog_list().catalog(DATABASE);
    let schema = catalog.and_then(|catalog| catalog.schema(SCHEMA));
    schema.ok_or_else(|| {
        let missing = format!("no schema {DATABASE}.{SCHEMA}");
        datafusion::error::DataFusionError::Internal(missing).into()
    })
}

//! One client's session: its statements, settings, temporary tables and views.
//!
//! A statement is parsed, prepared (planned, which does nothing yet) and executed with the values
//! of its parameters. Each statement sees the newest generation of the dataset; one under way
//! finishes on the generation it began with.

mod catalog;
pub mod client;
mod comments;
pub(crate) mod give_way;
mod tables;
pub mod transaction;

pub(crate) use catalog::functions as functions_of;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, SchemaRef, UInt64Type};
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{LogicalPlan, Statement as PlanStatement};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use futures::{TryStreamExt, stream};
use tokio::sync::mpsc::UnboundedSender;

use crate::engine::{Newest, Served};
use crate::error::{Error, Result};
use crate::scenarios::write::{is_write, plan_writes, returning};
use crate::statements;
use client::{Client, Notice};
use give_way::UnderWay;
use tables::SessionTables;
use transaction::TransactionStatus;

/// The catalog, which clients call the database.
pub const DATABASE: &str = "hindsight";
/// The schema of all tables.
pub const SCHEMA: &str = "public";

/// What a user may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads, and makes what lasts for the session.
    Reader,
    /// Stores runs and scenarios.
    Analyst,
    /// Applies settings to the live system.
    Operator,
}

/// One client's session.
pub struct Session {
    client: Arc<Client>,
    newest: Arc<Newest>,
    served: Mutex<Arc<Served>>,
    tables: Arc<SessionTables>,
    context: SessionContext,
    under_way: UnderWay,
    /// What `set_config` has set.
    settings: Mutex<BTreeMap<String, String>>,
}

/// A statement that is planned and has done nothing yet.
#[derive(Debug, Clone)]
pub struct Prepared {
    statement: Statement,
    /// `None` where the catalog answers it.
    plan: Option<LogicalPlan>,
    generation: u64,
    /// The columns of its rows; `None` where it returns none.
    pub schema: Option<SchemaRef>,
    /// The types of `$1`, `$2` and so on, where they are known.
    pub parameters: Vec<Option<DataType>>,
}

/// What a statement did.
pub enum Outcome {
    /// Rows, made while they are read.
    Rows(SendableRecordBatchStream),
    /// It is done; with the number of rows that it wrote, where it writes rows.
    Done { rows: Option<u64> },
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Analyst, Self::Operator];

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Analyst => "analyst",
            Self::Operator => "operator",
        }
    }

    /// The role of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({}, {:?})", self.user(), self.role())
    }
}

impl Session {
    pub(crate) async fn new(newest: Arc<Newest>, user: &str, role: Role) -> Result<Self> {
        let served = newest.get().await?;
        let tables = Arc::new(SessionTables::new(base_tables(&served)?));
        let schema = MemoryCatalogProvider::new();
        schema.register_schema(SCHEMA, Arc::clone(&tables) as _)?;
        let catalogs = Arc::new(MemoryCatalogProviderList::new());
        catalogs.register_catalog(DATABASE.into(), Arc::new(schema));
        let mut state = served.state.clone();
        state.register_catalog_list(catalogs);
        let (store, runs) = (Arc::clone(newest.store()), Arc::clone(newest.runs()));
        let client = Arc::new(Client::new(user, role, store, runs));
        state.config_mut().set_extension(Arc::clone(&client));
        Ok(Self {
            client,
            newest,
            served: Mutex::new(served),
            tables,
            context: SessionContext::new_with_state(state),
            under_way: UnderWay::default(),
            settings: Mutex::default(),
        })
    }

    /// Who it is.
    pub fn user(&self) -> &str {
        &self.client.user
    }

    /// What the user may do.
    pub fn role(&self) -> Role {
        self.client.role
    }

    /// Whether a transaction is open, and whether it has failed.
    pub fn transaction_status(&self) -> TransactionStatus {
        self.client.transaction.status()
    }

    /// Where remarks on the statements go from now on, while they run.
    pub fn listen(&self, notices: Option<UnboundedSender<Notice>>) {
        self.client.listen(notices);
    }

    /// The DataFusion session underneath.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// The statements of a text, of which nothing is known but their syntax.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        let parsed = self.parse_statements(sql);
        self.noted(parsed)
    }

    fn parse_statements(&self, sql: &str) -> Result<Vec<Statement>> {
        let limit = self
            .context
            .copied_config()
            .options()
            .sql_parser
            .recursion_limit;
        let statements = DFParserBuilder::new(statements::spelled_out(sql))
            .with_dialect(&PostgreSqlDialect {})
            .with_recursion_limit(limit.get())
            .build()?
            .parse_statements()?;
        Ok(statements.into())
    }

    /// Plans a statement over the newest generation. `parameters` are the types that the client
    /// gives to `$1`, `$2` and so on; what it leaves open is inferred.
    pub async fn prepare(
        &self,
        statement: Statement,
        parameters: &[Option<DataType>],
    ) -> Result<Prepared> {
        let prepared = self.plan(statement, parameters).await;
        self.noted(prepared)
    }

    async fn plan(
        &self,
        statement: Statement,
        parameters: &[Option<DataType>],
    ) -> Result<Prepared> {
        let generation = self.refresh().await?;
        if catalog::answers(&self.served().state, &statement) {
            self.client.transaction.check_reads()?;
            let described = self.describe_of_catalog(&statement, parameters).await?;
            let parameters = described.parameters.iter();
            return Ok(Prepared {
                statement,
                plan: None,
                generation,
                parameters: parameters
                    .map(|field| Some(field.data_type().clone()))
                    .collect(),
                schema: Some(described.schema),
            });
        }
        let plan = self.logical_plan(statement.clone()).await?;
        self.client.transaction.check_not_failed(&plan)?;
        let inferred = plan.get_parameter_types()?;
        let count = inferred
            .keys()
            .filter_map(|name| name.trim_start_matches('$').parse::<usize>().ok())
            .fold(parameters.len(), usize::max);
        let parameters = (0..count).map(|position| {
            let given = parameters.get(position).cloned().flatten();
            given.or_else(|| {
                inferred
                    .get(&format!("${}", position + 1))
                    .cloned()
                    .flatten()
            })
        });
        Ok(Prepared {
            schema: returns_rows(&plan).then(|| Arc::new(plan.schema().as_arrow().clone())),
            parameters: parameters.collect(),
            statement,
            plan: Some(plan),
            generation,
        })
    }

    /// The plan of a statement that is allowed.
    async fn logical_plan(&self, mut statement: Statement) -> Result<LogicalPlan> {
        let returned = statements::prepare(&mut statement)?;
        let state = self.context.state();
        let plan = match statements::is_scenario_write(&statement) {
            true => {
                tables::PLANNING_WRITE
                    .scope((), state.statement_to_plan(statement))
                    .await?
            }
            false => state.statement_to_plan(statement).await?,
        };
        statements::check(&plan)?;
        let plan = plan_writes(plan)?;
        Ok(match returned {
            None => plan,
            Some(items) => {
                let select = format!("select {items} from scenarios");
                returning(state.create_logical_plan(&select).await?, &plan)?
            }
        })
    }

    /// Executes a prepared statement, on the newest generation as it is now.
    pub async fn execute(&self, prepared: &Prepared, values: Vec<ScalarValue>) -> Result<Outcome> {
        let outcome = self.execute_plan(prepared, values).await;
        match self.noted(outcome)? {
            Outcome::Rows(rows) => Ok(Outcome::Rows(self.noting(rows))),
            done => Ok(done),
        }
    }

    async fn execute_plan(&self, prepared: &Prepared, values: Vec<ScalarValue>) -> Result<Outcome> {
        let generation = self.refresh().await?;
        let Some(plan) = &prepared.plan else {
            self.client.transaction.check_reads()?;
            let batch = self.run_on_catalog(&prepared.statement, values).await?;
            let schema = batch.schema();
            let rows = stream::iter([Ok(batch)]);
            let rows = RecordBatchStreamAdapter::new(schema, rows);
            return Ok(Outcome::Rows(Box::pin(rows)));
        };
        let plan = match generation == prepared.generation {
            true => plan.clone(),
            false => self.logical_plan(prepared.statement.clone()).await?,
        };
        self.client.transaction.check_not_failed(&plan)?;
        let plan = match values.is_empty() {
            true => plan,
            false => plan.with_param_values(ParamValues::from(values))?,
        };
        if transaction::execute(&self.client, &plan).await? {
            return Ok(Outcome::Done { rows: None });
        }
        let writes = matches!(plan, LogicalPlan::Dml(_)) || is_write(&plan);
        let has_rows = returns_rows(&plan);
        let frame = self.context.execute_logical_plan(plan).await?;
        let rows = give_way::start(frame, &self.under_way).await?;
        if has_rows {
            return Ok(Outcome::Rows(rows));
        }
        let batches: Vec<RecordBatch> = rows.try_collect().await?;
        let counts = batches.iter().filter(|_| writes).flat_map(|batch| {
            let column = batch.columns().first()?;
            column.as_primitive_opt::<UInt64Type>()?.iter().next()?
        });
        Ok(Outcome::Done {
            rows: writes.then(|| counts.sum()),
        })
    }

    /// Stops what is under way in this session; its rows end with an error.
    pub fn stop(&self) {
        self.under_way.stop();
    }

    /// Executes one statement.
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

    /// The generation that statements see.
    fn served(&self) -> Arc<Served> {
        Arc::clone(&self.served.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Goes over to the newest generation, and says which it is.
    async fn refresh(&self) -> Result<u64> {
        let newest = self.newest.get().await?;
        let generation = newest.dataset.generation;
        {
            let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
            if served.dataset.generation == generation {
                return Ok(generation);
            }
            *served = Arc::clone(&newest);
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
        // Views are planned over the tables of a generation.
        for (name, definition) in self.tables.views() {
            let dropped = format!("drop view if exists \"{}\"", name.replace('"', "\"\""));
            for sql in [dropped, definition] {
                let state = self.context.state();
                let plan = state.create_logical_plan(&sql).await?;
                self.context.execute_logical_plan(plan).await?;
            }
        }
        Ok(generation)
    }
}

/// The tables that a generation brings.
fn base_tables(served: &Served) -> Result<Arc<dyn datafusion::catalog::SchemaProvider>> {
    let catalog = served.state.catalog_list().catalog(DATABASE);
    let schema = catalog.and_then(|catalog| catalog.schema(SCHEMA));
    schema.ok_or_else(|| {
        let missing = format!("no schema {DATABASE}.{SCHEMA}");
        datafusion::error::DataFusionError::Internal(missing).into()
    })
}

/// Whether a client gets rows from it, even if none.
fn returns_rows(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Dml(_) | LogicalPlan::Ddl(_) | LogicalPlan::Copy(_) => false,
        LogicalPlan::Extension(_) => !is_write(plan),
        LogicalPlan::Statement(statement) => matches!(statement, PlanStatement::Execute(_)),
        _ => true,
    }
}

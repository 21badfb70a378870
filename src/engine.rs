//! The engine: what all sessions share, and a session of its own for whoever needs only one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use datafusion::arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use datafusion::arrow::datatypes::Schema;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::optimizer::{Analyzer, AnalyzerRule};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use tokio::sync::mpsc::UnboundedSender;

use crate::catalog::relations::functions::FunctionSet;
use crate::dataset::Dataset;
use crate::dialect::functions::casts::ZonedCasts;
use crate::dialect::queries::decorrelate::Decorrelate;
use crate::dialect::{Types, functions, numbers};
use crate::error::Result;
use crate::functions::procedures::PROCEDURES;
use crate::functions::{RUN_BACKTEST, TABLE_FUNCTIONS, TableFunctionPlanner};
use crate::operator::HindsightQueryPlanner;
use crate::parameters;
use crate::pipeline::Pipeline;
use crate::runs::Runs;
use crate::runs::files::RUN_TABLES;
use crate::runs::tables::{BacktestsTable, RunRowsTable, backtest_progress};
use crate::scenarios::table::ScenariosTable;
use crate::session::activity::Activity;
use crate::session::client::Notice;
use crate::session::give_way::GiveWay;
use crate::session::{Outcome, Role, Session};
use crate::settings::tables::{live_settings, settings_history};
use crate::store::{Place, Store};
use crate::sweep::plan::SweepSource;
use crate::tables::{DataTable, PriceTable};

/// A workspace that is open: its history as it is now, for any number of sessions.
#[derive(Clone)]
pub struct Engine {
    newest: Arc<Newest>,
    session: Arc<Session>,
    served: Arc<Served>,
}

/// One generation of the dataset with everything that is planned over it.
pub struct Served {
    pub dataset: Dataset,
    pub pipeline: Arc<Pipeline>,
    /// Tables, functions and settings, which every session starts from.
    pub state: SessionState,
    sweep_source: Arc<SweepSource>,
    functions: OnceLock<Arc<FunctionSet>>,
}

/// The newest generation that any session has seen, and the state.
pub struct Newest {
    /// Where newer ones appear; `None` where the dataset lies in memory.
    workspace: Option<PathBuf>,
    config: SessionConfig,
    /// The memory that all statements share.
    runtime: Arc<RuntimeEnv>,
    activity: Activity,
    served: Mutex<Arc<Served>>,
    store: Arc<Store>,
    runs: Arc<Runs>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine(generation {})", self.served.dataset.generation)
    }
}

impl Engine {
    /// Opens the current dataset of a workspace, or an empty one where nothing is loaded yet.
    pub async fn open(workspace: &Path) -> Result<Self> {
        Self::open_with_state(workspace, None).await
    }

    /// Opens a workspace whose state is at a URL, or in the workspace.
    pub async fn open_with_state(workspace: &Path, state: Option<&str>) -> Result<Self> {
        Self::open_limited(workspace, state, None).await
    }

    /// Opens a workspace for statements that together may use so many bytes of memory.
    pub async fn open_limited(
        workspace: &Path,
        state: Option<&str>,
        memory_limit: Option<usize>,
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
            SessionConfig::new(),
            runtime.build_arc()?,
        )
        .await
    }

    /// Opens a workspace, with partitions and batch size as configured.
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
    pub async fn new(dataset: Dataset) -> Result<Self> {
        Self::with_config(dataset, SessionConfig::new()).await
    }

    /// An engine over a dataset, with partitions and batch size as configured.
    pub async fn with_config(dataset: Dataset, config: SessionConfig) -> Result<Self> {
        Self::build(None, Place::Memory, dataset, config, Arc::default()).await
    }

    async fn build(
        workspace: Option<PathBuf>,
        state: Place,
        dataset: Dataset,
        config: SessionConfig,
        runtime: Arc<RuntimeEnv>,
    ) -> Result<Self> {
        let config = settings(config);
        let served = Arc::new(Served::new(dataset, config.clone(), &runtime).await?);
        let newest = Arc::new(Newest {
            runs: Arc::new(Runs::new(workspace.clone())),
            workspace,
            config,
            runtime,
            activity: Activity::default(),
            served: Mutex::new(Arc::clone(&served)),
            store: Arc::new(Store::new(state)),
        });
        let session = Session::new(Arc::clone(&newest), "hindsight", Role::Operator).await?;
        Ok(Self {
            newest,
            session: Arc::new(session),
            served,
        })
    }

    /// The same with a session of its own for this user.
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
        self.newest.runs()
    }

    /// A session for a user: what it sets and makes, no other sees.
    pub async fn session(&self, user: &str, role: Role) -> Result<Session> {
        Session::new(Arc::clone(&self.newest), user, role).await
    }

    /// The dataset as it was when the engine was opened.
    pub fn dataset(&self) -> &Dataset {
        &self.served.dataset
    }

    /// The combinations that backtests of that dataset have run so far.
    pub fn combinations_done(&self) -> u64 {
        self.served.sweep_source.done()
    }

    /// Begins to read what a backtest needs, while the first is being planned. Who needs it is told
    /// what fails.
    pub fn read_ahead(&self) {
        let source = Arc::clone(&self.served.sweep_source);
        tokio::task::spawn_blocking(move || drop(source.history().map(|_| ())));
    }

    /// Users, scenarios, runs and live settings.
    pub fn store(&self) -> &Arc<Store> {
        &self.newest.store
    }

    /// The planned queries.
    pub fn pipeline(&self) -> &Pipeline {
        &self.served.pipeline
    }

    /// Executes one statement in the engine's own session.
    pub async fn run(&self, sql: &str) -> Result<Outcome> {
        self.session.run(sql).await
    }

    /// Runs one statement in the engine's own session and collects its rows: at least one batch, so
    /// that its columns are known. What returns no rows has no columns, and a write has one, the
    /// number of rows that it wrote.
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

impl Newest {
    /// The runs under way, and where runs are stored.
    pub fn runs(&self) -> &Arc<Runs> {
        &self.runs
    }

    /// The sessions of this process.
    pub fn activity(&self) -> &Activity {
        &self.activity
    }

    /// The state that all sessions share.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The newest generation; a load since the last look is opened here.
    pub async fn get(&self) -> Result<Arc<Served>> {
        let lock = || self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let served = Arc::clone(&lock());
        let Some(workspace) = &self.workspace else {
            return Ok(served);
        };
        if Dataset::current_generation(workspace)? == served.dataset.generation {
            return Ok(served);
        }
        let dataset = Dataset::open(workspace)?;
        let newer = Arc::new(Served::new(dataset, self.config.clone(), &self.runtime).await?);
        let mut newest = lock();
        if newer.dataset.generation >= newest.dataset.generation {
            *newest = Arc::clone(&newer);
        }
        Ok(newer)
    }
}

impl Served {
    /// The functions as the catalog shows them.
    pub fn functions(&self) -> &Arc<FunctionSet> {
        let functions = || Arc::new(crate::session::functions_of(self));
        self.functions.get_or_init(functions)
    }

    async fn new(
        dataset: Dataset,
        config: SessionConfig,
        runtime: &Arc<RuntimeEnv>,
    ) -> Result<Self> {
        let pipeline = Arc::new(Pipeline::new(context(&dataset, config.clone(), runtime)?)?);
        let session = context(&dataset, config, runtime)?;
        functions::register_intervals(&mut *session.state_ref().write())?;
        numbers::register(&mut *session.state_ref().write())?;
        for function in TABLE_FUNCTIONS.into_iter().chain([RUN_BACKTEST]) {
            session.register_udtf(function.name, Arc::new(function));
        }
        for procedure in &PROCEDURES {
            session.register_udtf(procedure.name, Arc::new(procedure));
        }
        for table in &RUN_TABLES {
            session.register_table(table.name, Arc::new(RunRowsTable::new(table, &pipeline)))?;
        }
        let sweep_source = Arc::new(SweepSource::new(dataset.clone()));
        session.register_relation_planner(Arc::new(TableFunctionPlanner {
            pipeline: Arc::clone(&pipeline),
            sweep_source: Arc::clone(&sweep_source),
            dataset: dataset.clone(),
            last_day: last_day(&dataset),
        }))?;
        Ok(Self {
            state: session.state(),
            dataset,
            pipeline,
            sweep_source,
            functions: OnceLock::new(),
        })
    }
}
/// What every session is set to.
fn settings(config: SessionConfig) -> SessionConfig {
    config
        .with_default_catalog_and_schema("hindsight", "public")
        .with_information_schema(true)
        .set_bool("datafusion.sql_parser.parse_float_as_decimal", true)
        // compare_trades has an order, which a subquery's would not keep.
        .set_bool(
            "datafusion.sql_parser.enable_subquery_sort_elimination",
            false,
        )
        // A field of simulate_exit(…) would be computed where its struct is, once for each field.
        .set_bool(
            "datafusion.optimizer.enable_leaf_expression_pushdown",
            false,
        )
        .set_str("datafusion.execution.time_zone", "UTC")
        .set_str("datafusion.sql_parser.dialect", "PostgreSQL")
}

/// What makes plans of statements such as DataFusion executes.
fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules = Analyzer::new().rules;
    rules.insert(0, Arc::new(Decorrelate::default()));
    rules
}

/// A context with the tables and functions of a dataset.
fn context(
    dataset: &Dataset,
    config: SessionConfig,
    runtime: &Arc<RuntimeEnv>,
) -> Result<SessionContext> {
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(Arc::clone(runtime))
        .with_expr_planners(functions::planners())
        .with_default_features()
        .with_query_planner(Arc::new(HindsightQueryPlanner))
        .with_analyzer_rules(analyzer_rules())
        .with_analyzer_rule(Arc::new(ZonedCasts))
        .with_type_planner(Arc::new(Types))
        .with_physical_optimizer_rule(Arc::new(GiveWay))
        .build();
    let context = SessionContext::new_with_state(state);
    let prices = PriceTable::new(
        Arc::clone(&dataset.price_book),
        Arc::clone(&dataset.volumes),
    );
    let table = |batch: &RecordBatch, order: &'static [&'static str]| {
        Arc::new(DataTable::new(batch.clone(), order))
    };
    context.register_table("signals", table(&dataset.signals, &["timestamp", "id"]))?;
    context.register_table("token_prices", Arc::new(prices))?;
    context.register_table(
        "trade_outcomes",
        table(&dataset.trade_outcomes, &["signal_id"]),
    )?;
    context.register_table("data_quality", table(&dataset.data_quality, &[]))?;
    context.register_table("parameters", table(&parameters::table()?, &[]))?;
    context.register_table("scenarios", Arc::new(ScenariosTable::default()))?;
    context.register_table("backtests", Arc::new(BacktestsTable))?;
    context.register_table("backtest_progress", Arc::new(backtest_progress()))?;
    context.register_table("live_settings", Arc::new(live_settings()))?;
    context.register_table("settings_history", Arc::new(settings_history()))?;
    functions::register(&mut *context.state_ref().write())?;
    hindsight_udfs::register(&mut *context.state_ref().write(), &dataset.price_book)?;
    Ok(context)
}

/// The day of the last signal, in days since 1970.
fn last_day(dataset: &Dataset) -> Option<i32> {
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::TimestampMicrosecondType;
    let timestamps = dataset.signals.column_by_name("timestamp")?;
    let timestamps = timestamps.as_primitive_opt::<TimestampMicrosecondType>()?;
    let last = timestamps.values().last()?;
    i32::try_from(last.div_euclid(86_400_000_000)).ok()
}

//! What all sessions of an open workspace share: the newest generation with everything that is
//! planned over it, the state, and the memory.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::optimizer::{Analyzer, AnalyzerRule};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::caller::activity::Activity;
use crate::caller::give_way::GiveWay;
use crate::caller::runs::Runs;
use crate::catalog::relations::functions::FunctionSet;
#[cfg(feature = "distributed")]
use crate::cluster::{self, workers::Workers};
use crate::configuration;
use crate::dataset::Dataset;
use crate::dialect::functions::casts::ZonedCasts;
use crate::dialect::queries::column_aliases::ColumnAliases;
use crate::dialect::queries::decorrelate::Decorrelate;
use crate::dialect::queries::unions::UnionTypes;
use crate::dialect::{Types, functions, numbers};
use crate::error::{Error, Result};
use crate::growing;
use crate::parameters::{self, Ranges};
use crate::state_sql::call::{ProcedurePlanner, RUN_BACKTEST};
use crate::state_sql::procedures::PROCEDURES;
use crate::state_sql::run_tables::{BacktestsTable, RunRowsTable, backtest_progress};
use crate::state_sql::scenarios_table::ScenariosTable;
use crate::state_sql::settings_tables::{live_settings, settings_history};
use crate::store::run_files::RUN_TABLES;
use crate::store::{Place, Store};
use crate::whatif::data_tables::{DataTable, PriceTable};
use crate::whatif::grid::SweepSource;
use crate::whatif::operator::HindsightQueryPlanner;
use crate::whatif::pipeline::Pipeline;
use crate::whatif::relations::{Origin, Relation};
use crate::whatif::statistics::STATISTICS;
use crate::whatif::table_functions::{TABLE_FUNCTIONS, TableFunctionPlanner};

/// One generation of the dataset with everything that is planned over it.
pub struct OpenGeneration {
    pub dataset: Dataset,
    pub pipeline: Arc<Pipeline>,
    /// Tables, functions and settings, which every session starts from.
    pub state: SessionState,
    sweep_source: Arc<SweepSource>,
    functions: OnceLock<Arc<FunctionSet>>,
}

/// A workspace that is open: the newest generation that any session has seen, and the state.
pub struct OpenWorkspace {
    /// Where newer generations appear; `None` where the dataset lies in memory.
    folder: Option<PathBuf>,
    config: SessionConfig,
    /// The memory that all statements share.
    runtime: Arc<RuntimeEnv>,
    activity: Activity,
    opened: Mutex<Arc<OpenGeneration>>,
    store: Arc<Store>,
    runs: Arc<Runs>,
}

impl OpenWorkspace {
    /// The memory that all statements share.
    pub fn memory(&self) -> Arc<dyn MemoryPool> {
        Arc::clone(&self.runtime.memory_pool)
    }

    /// Opens what sessions share over a dataset.
    pub async fn new(
        folder: Option<PathBuf>,
        state: Place,
        dataset: Dataset,
        config: SessionConfig,
        runtime: Arc<RuntimeEnv>,
    ) -> Result<Self> {
        let config = settings(config);
        let ranges = match &folder {
            Some(folder) => configuration::ranges(folder)?,
            None => Ranges::default(),
        };
        let store = Arc::new(Store::new(state).with_ranges(ranges));
        let opened = OpenGeneration::new(dataset, config.clone(), &runtime, store.ranges()).await?;
        let opened = Arc::new(opened);
        Ok(Self {
            runs: Arc::new(Runs::new(folder.clone())),
            folder,
            config,
            runtime,
            activity: Activity::default(),
            opened: Mutex::new(opened),
            store,
        })
    }

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
    pub async fn newest(&self) -> Result<Arc<OpenGeneration>> {
        let lock = || self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = Arc::clone(&lock());
        let Some(folder) = &self.folder else {
            return Ok(opened);
        };
        let current = Dataset::current_generation(folder)?;
        if current == opened.dataset.generation {
            return Ok(opened);
        }
        // Not an empty history: a folder that was moved, or a volume that is no longer there.
        if current == 0 {
            return Err(Error::Workspace {
                path: folder.clone(),
                problem: "the history that was loaded is no longer there".into(),
            });
        }
        let dataset = Dataset::open(folder)?;
        let (config, ranges) = (self.config.clone(), self.store.ranges());
        let newer = Arc::new(OpenGeneration::new(dataset, config, &self.runtime, ranges).await?);
        let mut newest = lock();
        if newer.dataset.generation >= newest.dataset.generation {
            *newest = Arc::clone(&newer);
        }
        Ok(newer)
    }
}

impl OpenGeneration {
    /// The functions as the catalog shows them, collected when they are first asked for.
    pub fn functions(&self, collect: impl FnOnce(&Self) -> FunctionSet) -> &Arc<FunctionSet> {
        self.functions.get_or_init(|| Arc::new(collect(self)))
    }

    /// The history as the grid reads it.
    pub fn sweep_source(&self) -> &Arc<SweepSource> {
        &self.sweep_source
    }

    async fn new(
        dataset: Dataset,
        config: SessionConfig,
        runtime: &Arc<RuntimeEnv>,
        ranges: &Ranges,
    ) -> Result<Self> {
        let of_pipeline = context(&dataset, config.clone(), runtime, ranges)?;
        let pipeline = Arc::new(Pipeline::new(of_pipeline)?);
        let session = context(&dataset, config, runtime, ranges)?;
        functions::register_intervals(&mut *session.state_ref().write())?;
        numbers::register(&mut *session.state_ref().write())?;
        for function in TABLE_FUNCTIONS.into_iter().chain([RUN_BACKTEST]) {
            session.register_udtf(function.name, Arc::new(function));
        }
        for statistic in STATISTICS {
            session.register_udtf(statistic.function.name, Arc::new(statistic.function));
        }
        for procedure in &PROCEDURES {
            session.register_udtf(procedure.name, Arc::new(procedure));
        }
        for table in &RUN_TABLES {
            session.register_table(table.name, Arc::new(RunRowsTable::new(table, &pipeline)))?;
        }
        #[cfg(feature = "distributed")]
        if let Some(workers) = session.copied_config().get_extension::<Workers>() {
            let table = cluster::table::workers(&workers, &dataset.fingerprint);
            session.register_table("workers", Arc::new(table))?;
        }
        let sweep_source = Arc::new(SweepSource::new(dataset.clone()));
        let table_functions = Arc::new(TableFunctionPlanner {
            pipeline: Arc::clone(&pipeline),
            sweep_source: Arc::clone(&sweep_source),
            scenarios: Arc::new(ScenariosTable::default()),
            live_settings: Arc::new(live_settings()),
            last_day: last_day(&dataset),
        });
        // The last that is registered is asked first.
        session.register_relation_planner(Arc::clone(&table_functions) as _)?;
        session.register_relation_planner(Arc::new(ProcedurePlanner {
            table_functions,
            dataset: dataset.clone(),
        }))?;
        session.register_relation_planner(Arc::new(ColumnAliases))?;
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
        // Dealt out to several threads, rows that come in an order would lose it: a series, the
        // rounds of a recursive query, the trades of a function.
        .with_round_robin_repartition(false)
        // It makes room for as many groups as LIMIT says, before there are any.
        .set_bool("datafusion.optimizer.enable_topk_aggregation", false)
        .set_str("datafusion.execution.time_zone", "UTC")
        .set_str("datafusion.sql_parser.dialect", "PostgreSQL")
}

/// What makes plans of statements such as DataFusion executes.
fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules = Analyzer::new().rules;
    rules.insert(0, Arc::new(Decorrelate::default()));
    rules.insert(1, Arc::new(UnionTypes));
    rules
}

/// A context with the tables and functions of a dataset.
fn context(
    dataset: &Dataset,
    config: SessionConfig,
    runtime: &Arc<RuntimeEnv>,
    ranges: &Ranges,
) -> Result<SessionContext> {
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(Arc::clone(runtime))
        .with_expr_planners(functions::planners())
        .with_default_features()
        .with_query_planner(Arc::new(HindsightQueryPlanner))
        .with_analyzer_rules(analyzer_rules())
        .with_analyzer_rule(Arc::new(ZonedCasts))
        .with_analyzer_rule(Arc::new(growing::Bounds::new(&runtime.memory_pool)))
        .with_type_planner(Arc::new(Types))
        .with_physical_optimizer_rule(Arc::new(GiveWay))
        .build();
    let context = SessionContext::new_with_state(state);
    let origin = Arc::new(Origin {
        fingerprint: dataset.fingerprint.clone(),
        price_book: Arc::clone(&dataset.price_book),
    });
    let prices = PriceTable::new(Arc::clone(&origin), Arc::clone(&dataset.volumes));
    let signals = DataTable::shared(dataset.signals.clone(), Relation::Signals, origin);
    let table = |batch: &RecordBatch, order: &'static [&'static str]| {
        Arc::new(DataTable::new(batch.clone(), order))
    };
    context.register_table("signals", Arc::new(signals))?;
    context.register_table("token_prices", Arc::new(prices))?;
    context.register_table(
        "trade_outcomes",
        table(&dataset.trade_outcomes, &["signal_id"]),
    )?;
    context.register_table("data_quality", table(&dataset.data_quality, &[]))?;
    context.register_table("parameters", table(&parameters::table(ranges)?, &[]))?;
    context.register_table("scenarios", Arc::new(ScenariosTable::default()))?;
    context.register_table("backtests", Arc::new(BacktestsTable))?;
    context.register_table("backtest_progress", Arc::new(backtest_progress()))?;
    context.register_table("live_settings", Arc::new(live_settings()))?;
    context.register_table("settings_history", Arc::new(settings_history()))?;
    functions::register(&mut *context.state_ref().write())?;
    hindsight_udfs::register(&mut *context.state_ref().write(), &dataset.price_book)?;
    growing::register(&mut context.state_ref().write(), &runtime.memory_pool)?;
    Ok(context)
}

/// A session with the functions over a dataset, and nobody's statements.
#[cfg(feature = "distributed")]
pub fn with_functions(dataset: &Dataset, runtime: &Arc<RuntimeEnv>) -> Result<SessionState> {
    let config = settings(SessionConfig::new());
    let session = context(dataset, config, runtime, &Ranges::default())?;
    functions::register_intervals(&mut *session.state_ref().write())?;
    numbers::register(&mut *session.state_ref().write())?;
    Ok(session.state())
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

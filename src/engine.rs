//! The engine: a session over one dataset, with the functions and the pipeline.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::dataframe::DataFrame;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::dataset::Dataset;
use crate::error::Result;
use crate::functions::parameter_rows::HindsightQueryPlanner;
use crate::functions::{TABLE_FUNCTIONS, TableFunctionPlanner};
use crate::parameters;
use crate::pipeline::Pipeline;
use crate::statements;
use crate::sweep::plan::SweepSource;
use crate::tables::{DataTable, PriceTable};

/// A session over one dataset.
pub struct Engine {
    session: SessionContext,
    dataset: Dataset,
    pipeline: Arc<Pipeline>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine(generation {})", self.dataset.generation)
    }
}

impl Engine {
    /// Opens the current dataset of a workspace, or an empty one where nothing is loaded yet.
    pub async fn open(workspace: &Path) -> Result<Self> {
        Self::new(Dataset::open(workspace)?).await
    }

    /// A session over a dataset.
    pub async fn new(dataset: Dataset) -> Result<Self> {
        Self::with_config(dataset, SessionConfig::new()).await
    }

    /// A session over a dataset, with partitions and batch size as configured.
    pub async fn with_config(dataset: Dataset, config: SessionConfig) -> Result<Self> {
        let config = settings(config);
        let pipeline = Pipeline::plan(context(&dataset, config.clone())?).await?;
        let pipeline = Arc::new(pipeline);
        let session = context(&dataset, config)?;
        for function in TABLE_FUNCTIONS {
            session.register_udtf(function.name, Arc::new(function));
        }
        session.register_relation_planner(Arc::new(TableFunctionPlanner {
            pipeline: Arc::clone(&pipeline),
            sweep_source: Arc::new(SweepSource::new(dataset.clone())),
            last_day: last_day(&dataset),
        }))?;
        Ok(Self {
            session,
            dataset,
            pipeline,
        })
    }

    /// The dataset that is served.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The planned queries.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Plans one statement. What it returns runs when it is collected.
    pub async fn statement(&self, sql: &str) -> Result<DataFrame> {
        let state = self.session.state();
        let dialect = state.config_options().sql_parser.dialect;
        let mut statement = state.sql_to_statement(sql, &dialect)?;
        statements::prepare(&mut statement)?;
        let plan = state.statement_to_plan(statement).await?;
        statements::check(&plan)?;
        Ok(self.session.execute_logical_plan(plan).await?)
    }

    /// Runs one statement and collects its rows: at least one batch, so that its columns are known.
    pub async fn sql(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        let frame = self.statement(sql).await?;
        let schema = Arc::new(frame.schema().as_arrow().clone());
        let batches = frame.collect().await?;
        Ok(match batches.is_empty() {
            true => vec![RecordBatch::new_empty(schema)],
            false => batches,
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
        .set_str("datafusion.execution.time_zone", "UTC")
        .set_str("datafusion.sql_parser.dialect", "PostgreSQL")
}

/// A context with the tables and functions of a dataset.
fn context(dataset: &Dataset, config: SessionConfig) -> Result<SessionContext> {
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_query_planner(Arc::new(HindsightQueryPlanner))
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

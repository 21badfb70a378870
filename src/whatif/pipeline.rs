//! The pipeline: `queries/*.sql`, each one relation named by its file, planned once for a dataset.
//!
//! They read the data tables, one another, and `run_parameters`, which is put in place of a
//! stand-in when a table function is called.

use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::ViewTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::SessionContext;
use futures::FutureExt;
use hindsight_sweep::metrics::Metrics;

use crate::error::Result;
use crate::metrics::{METRICS, Metric};
use crate::parameters::PARAMETERS;
use crate::schema;

/// The relation of parameters that every query reads.
pub const RUN_PARAMETERS: &str = "run_parameters";

/// Every query, each after those it reads.
pub const QUERIES: [(&str, &str); 17] = [
    (
        "closed_signals",
        include_str!("../../queries/closed_signals.sql"),
    ),
    (
        "scored_signals",
        include_str!("../../queries/scored_signals.sql"),
    ),
    (
        "simulated_signals",
        include_str!("../../queries/simulated_signals.sql"),
    ),
    (
        "admitted_signals",
        include_str!("../../queries/admitted_signals.sql"),
    ),
    (
        "simulate_trades",
        include_str!("../../queries/simulate_trades.sql"),
    ),
    (
        "actual_trades",
        include_str!("../../queries/actual_trades.sql"),
    ),
    (
        "compared_signals",
        include_str!("../../queries/compared_signals.sql"),
    ),
    (
        "compare_trades",
        include_str!("../../queries/compare_trades.sql"),
    ),
    (
        "equity_curve",
        include_str!("../../queries/equity_curve.sql"),
    ),
    ("exposure", include_str!("../../queries/exposure.sql")),
    (
        "both_sides_trades",
        include_str!("../../queries/both_sides_trades.sql"),
    ),
    ("daily_sides", include_str!("../../queries/daily_sides.sql")),
    ("daily_pnl", include_str!("../../queries/daily_pnl.sql")),
    (
        "trade_metrics",
        include_str!("../../queries/trade_metrics.sql"),
    ),
    ("backtest", include_str!("../../queries/backtest.sql")),
    ("pnl_groups", include_str!("../../queries/pnl_groups.sql")),
    (
        "calibrate_trades",
        include_str!("../../queries/calibrate_trades.sql"),
    ),
];

/// The columns of `run_parameters`: one row for each combination.
pub static RUN_PARAMETERS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = vec![
        Field::new("combination", DataType::Int64, false),
        Field::new("scenario", DataType::Utf8, true),
        Field::new("range_start", schema::timestamp(), true),
        Field::new("range_end", schema::timestamp(), true),
    ];
    fields.extend(
        PARAMETERS
            .iter()
            .map(|parameter| Field::new(parameter.name, parameter.data_type(), true)),
    );
    Arc::new(Schema::new(fields))
});

/// The queries over the tables and functions of one dataset, each planned when it, or one that reads
/// it, is first asked for: `backtest` alone needs none of them.
pub struct Pipeline {
    /// Used up by planning: the names of the queries are nobody else's.
    context: SessionContext,
    plans: [OnceLock<std::result::Result<LogicalPlan, String>>; QUERIES.len()],
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pipeline")
    }
}

impl Pipeline {
    /// The queries over a context of their own.
    pub fn new(context: SessionContext) -> Result<Self> {
        let stand_in = EmptyTable::new(Arc::clone(&RUN_PARAMETERS_SCHEMA));
        context.register_table(RUN_PARAMETERS, Arc::new(stand_in))?;
        Ok(Self {
            context,
            plans: Default::default(),
        })
    }

    /// The columns of a query.
    pub fn schema(&self, name: &str) -> Result<SchemaRef> {
        Ok(Arc::clone(self.query(name)?.schema().inner()))
    }

    fn query(&self, name: &str) -> Result<&LogicalPlan> {
        for ((known, sql), planned) in QUERIES.iter().zip(&self.plans) {
            let plan = planned
                .get_or_init(|| plan(&self.context, known, sql).map_err(|error| error.to_string()));
            let plan = plan.as_ref();
            let plan = plan.map_err(|problem| DataFusionError::Internal(problem.clone()))?;
            if *known == name {
                return Ok(plan);
            }
        }
        Err(DataFusionError::Internal(format!("there is no query {name}")).into())
    }

    /// The plan of a query over these parameters.
    pub fn relation(&self, name: &str, parameters: &LogicalPlan) -> Result<LogicalPlan> {
        over_parameters(self.query(name)?.clone(), parameters)
    }

    /// The plan of a query over these parameters, with what was really traded and is closed for all
    /// signals.
    pub fn relation_of_closed(&self, name: &str, parameters: &LogicalPlan) -> Result<LogicalPlan> {
        let closed = self.query("closed_signals")?;
        let replaced =
            self.query(name)?
                .clone()
                .transform_down_with_subqueries(|node| match node {
                    LogicalPlan::TableScan(scan) if scan.table_name.table() == "signals" => {
                        let closed =
                            LogicalPlanBuilder::from(closed.clone()).alias(scan.table_name)?;
                        Ok(Transformed::new(
                            closed.build()?,
                            true,
                            TreeNodeRecursion::Jump,
                        ))
                    }
                    node => Ok(Transformed::no(node)),
                })?;
        over_parameters(replaced.data, parameters)
    }

    /// The plan of a query that reads `made`, over rows of that relation that are made already, and the
    /// parameters that they are made with.
    pub fn over(
        &self,
        name: &str,
        made: &str,
        rows: &LogicalPlan,
        parameters: &LogicalPlan,
    ) -> Result<LogicalPlan> {
        let replaced =
            self.query(name)?
                .clone()
                .transform_down_with_subqueries(|node| match node {
                    LogicalPlan::SubqueryAlias(relation) if relation.alias.table() == made => {
                        let rows = LogicalPlanBuilder::from(rows.clone()).alias(relation.alias)?;
                        Ok(Transformed::new(
                            rows.build()?,
                            true,
                            TreeNodeRecursion::Jump,
                        ))
                    }
                    node => Ok(Transformed::no(node)),
                })?;
        over_parameters(replaced.data, parameters)
    }
}

/// Puts parameters in place of their stand-in.
fn over_parameters(plan: LogicalPlan, parameters: &LogicalPlan) -> Result<LogicalPlan> {
    let replaced = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::TableScan(scan) if scan.table_name.table() == RUN_PARAMETERS => {
            let parameters =
                LogicalPlanBuilder::from(parameters.clone()).alias(scan.table_name.clone())?;
            Ok(Transformed::yes(parameters.build()?))
        }
        node => Ok(Transformed::no(node)),
    })?;
    Ok(replaced.data)
}

/// Plans a query, and makes it a relation that those after it can read.
fn plan(context: &SessionContext, name: &str, sql: &str) -> Result<LogicalPlan> {
    // Nothing is waited for: the tables are in memory.
    let sql = with_metrics(sql);
    let plan = context.state().create_logical_plan(&sql).now_or_never();
    let waits = || Err(DataFusionError::Internal("planning waits".into()));
    let plan = plan
        .unwrap_or_else(waits)
        .map_err(|error| error.context(format!("queries/{name}.sql")))?;
    context.register_table(name, Arc::new(ViewTable::new(plan.clone(), None)))?;
    Ok(plan)
}

/// The text of a query with every metric of one side in the places that say so: from `trade_metrics`,
/// 0 where a side without trades has it, and then by its name.
fn with_metrics(sql: &str) -> String {
    let of_all =
        |of_one: &dyn Fn(&Metric) -> String| -> String { METRICS.iter().map(of_one).collect() };
    let mut sql = sql.to_owned();
    for side in ["actual", "simulated"] {
        let read = |metric: &Metric| {
            let name = metric.name;
            let value = match (metric.value)(&Metrics::default()) {
                Some(_) => format!("coalesce({side}.{name}, 0)"),
                None => format!("{side}.{name}"),
            };
            match metric.data_type() {
                DataType::Decimal128(precision, scale) => {
                    format!("cast({value} as numeric({precision}, {scale})) as {side}_{name}, ")
                }
                _ => format!("{value} as {side}_{name}, "),
            }
        };
        let places = [
            (
                format!("/* every metric: {side}.M as {side}_M, */"),
                of_all(&read),
            ),
            (
                format!("/* every metric: {side}_M, */"),
                of_all(&|metric| format!("{side}_{}, ", metric.name)),
            ),
        ];
        for (place, columns) in places {
            sql = sql.replace(&place, &columns);
        }
    }
    sql
}

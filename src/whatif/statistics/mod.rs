//! How far to believe a backtest: table functions that judge what the pipeline and the grid make.

pub mod calibration;
pub mod gathered;
pub mod interval;
pub mod overfitting;
pub mod own_arguments;
pub mod walk_forward;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::sql::sqlparser::ast::FunctionArg;
use std::sync::Arc;

use super::parameter_rows;
use super::table_functions::{Argument, SCENARIO, TableFunction, TableFunctionPlanner, arguments};
use crate::parameters::PARAMETERS;
use own_arguments::OwnArgument;

/// A table function that judges.
#[derive(Debug)]
pub struct Statistic {
    pub function: TableFunction,
    /// The arguments beside the parameters.
    own: &'static [OwnArgument],
    /// Whether the live settings are what is not given.
    of_live: bool,
    plan:
        fn(&TableFunctionPlanner, own: LogicalPlan, parameters: LogicalPlan) -> Result<LogicalPlan>,
}

impl Statistic {
    /// The arguments beside the parameters: name and type.
    pub fn own_arguments(&self) -> Vec<(&'static str, DataType)> {
        let own = self.own.iter();
        own.map(|own| (own.name, own.data_type())).collect()
    }
}

const fn over_query(name: &'static str, query: &'static str) -> TableFunction {
    TableFunction {
        name,
        query,
        is_grid: false,
        sweeps: false,
    }
}

const fn over_grid(name: &'static str) -> TableFunction {
    TableFunction {
        name,
        query: "backtest",
        is_grid: true,
        sweeps: true,
    }
}

/// Every one of them.
pub const STATISTICS: [Statistic; 6] = [
    Statistic {
        function: over_query("pnl_interval", "pnl_groups"),
        own: &interval::ARGUMENTS,
        of_live: false,
        plan: |planner, own, parameters| interval::plan(own, parameters, &planner.sweep_source),
    },
    Statistic {
        function: over_query("pnl_interval_by_queries", "pnl_groups"),
        own: &interval::ARGUMENTS,
        of_live: false,
        plan: |planner, own, parameters| {
            let groups = planner.pipeline.relation("pnl_groups", &parameters)?;
            interval::plan_by_queries(own, groups)
        },
    },
    Statistic {
        function: over_query("calibrate_trades", "calibrate_trades"),
        own: &[],
        of_live: true,
        plan: |planner, _, parameters| {
            let pipeline = &planner.pipeline;
            Ok(pipeline.relation_of_closed("calibrate_trades", &parameters)?)
        },
    },
    Statistic {
        function: over_query("calibration", "calibrate_trades"),
        own: &interval::ARGUMENTS,
        of_live: true,
        plan: |planner, own, parameters| {
            let pipeline = &planner.pipeline;
            let trades = pipeline.relation_of_closed("calibrate_trades", &parameters)?;
            calibration::plan(own, trades)
        },
    },
    Statistic {
        function: over_grid("overfitting"),
        own: &[overfitting::BLOCKS],
        of_live: false,
        plan: |planner, own, parameters| overfitting::plan(own, parameters, &planner.sweep_source),
    },
    Statistic {
        function: over_grid("walk_forward"),
        own: &walk_forward::ARGUMENTS,
        of_live: false,
        plan: |planner, own, parameters| walk_forward::plan(own, parameters, &planner.sweep_source),
    },
];

impl TableFunctionPlanner {
    /// The plan of a call of one of [`STATISTICS`]; `None` where it calls another function.
    pub fn statistic(
        &self,
        called: &str,
        args: &[FunctionArg],
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Option<LogicalPlan>> {
        let mut statistics = STATISTICS.iter();
        let Some(statistic) = statistics.find(|statistic| statistic.function.name == called) else {
            return Ok(None);
        };
        let own = statistic.own_arguments();
        let mut arguments = arguments(&statistic.function, &own, args, context)?;
        let own = own_arguments::row(&statistic.function, statistic.own, &mut arguments)?;
        let is_scenario = |argument: &Argument| argument.name == SCENARIO;
        let parameters = match statistic.of_live && !arguments.iter().any(is_scenario) {
            true => self.live_parameter_rows(&statistic.function, arguments)?,
            false => self.parameter_rows(&statistic.function, &arguments)?,
        };
        (statistic.plan)(self, own, parameters).map(Some)
    }

    /// As `parameter_rows`, with the live settings in place of a scenario.
    fn live_parameter_rows(
        &self,
        function: &TableFunction,
        mut arguments: Vec<Argument>,
    ) -> Result<LogicalPlan> {
        const NAME: &str = "live settings";
        let source = provider_as_source(Arc::clone(&self.live_settings));
        let settings = PARAMETERS
            .iter()
            .filter(|parameter| LIVE_GROUPS.contains(&parameter.group));
        let values = settings.map(|parameter| {
            let value = max(col("value"))
                .filter(col("setting").eq(lit(parameter.name)))
                .build()?;
            Ok(value.alias(parameter.name))
        });
        let values = values.collect::<Result<Vec<Expr>>>()?;
        let names: Vec<Expr> = values
            .iter()
            .map(|value| col(value.schema_name().to_string()))
            .collect();
        let name = lit(ScalarValue::Utf8(Some(NAME.into()))).alias("name");
        let live = LogicalPlanBuilder::scan("live_settings", source, None)?
            .aggregate(Vec::<Expr>::new(), values)?
            .project(std::iter::once(name).chain(names))?
            .build()?;
        arguments.push(Argument {
            name: SCENARIO,
            value: lit(NAME),
        });
        let row = self.argument_row(function, &arguments)?;
        parameter_rows::plan(row, Some(live), function.name, self.last_day, None)
    }
}

/// The groups of parameters that the live system knows.
const LIVE_GROUPS: [&str; 4] = [
    "scoring_weights",
    "score_threshold",
    "position_sizing",
    "exit_strategy",
];

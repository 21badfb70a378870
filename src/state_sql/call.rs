//! Plans calls of procedures, `run_backtest` among them, wherever a relation may stand.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::{
    RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::sql::sqlparser::ast::TableFactor;

use super::backtests::CHOICE;
use super::procedures::{self, PROCEDURES};
use super::run_backtest;
use crate::dataset::Dataset;
use crate::whatif::table_functions::{
    Argument, Call, TableFunction, TableFunctionPlanner, arguments, called, planned,
};

/// The argument of `run_backtest` that says what the run is for.
const LABEL: &str = "label";

/// The arguments of `run_backtest` beside the parameters: the label, and how its settings were chosen.
fn own_arguments() -> Vec<(&'static str, DataType)> {
    let label = std::iter::once((LABEL, DataType::Utf8));
    label.chain(CHOICE).collect()
}

/// The procedure that stores a run: its arguments are the parameters.
pub const RUN_BACKTEST: TableFunction = TableFunction {
    name: "run_backtest",
    query: "backtest",
    is_grid: true,
    sweeps: false,
};

/// Plans calls of [`RUN_BACKTEST`] and of [`PROCEDURES`].
#[derive(Debug)]
pub struct ProcedurePlanner {
    pub table_functions: Arc<TableFunctionPlanner>,
    pub dataset: Dataset,
}

impl RelationPlanner for ProcedurePlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let Some(Call { name, args, alias }) = called(&relation) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let name = context.object_name_to_table_reference(name.clone())?;
        let called = name.table();
        let plan = if called == RUN_BACKTEST.name {
            let own = own_arguments();
            self.run_backtest(arguments(&RUN_BACKTEST, &own, args, context)?)?
        } else if let Some(procedure) = PROCEDURES.iter().find(|p| p.name == called) {
            procedures::plan(procedure, args, context)?
        } else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        planned(plan, called, alias)
    }
}

impl ProcedurePlanner {
    fn run_backtest(&self, mut arguments: Vec<Argument>) -> Result<LogicalPlan> {
        let own = own_arguments().into_iter().map(|(name, data_type)| {
            let given = arguments.iter().position(|argument| argument.name == name);
            (
                name,
                data_type,
                given.map(|given| arguments.remove(given).value),
            )
        });
        let own = own.collect();
        let functions = &self.table_functions;
        let parameters = functions.parameter_rows(&RUN_BACKTEST, &arguments)?;
        run_backtest::plan(
            run_backtest::own_row(own)?,
            parameters,
            &functions.pipeline,
            &functions.sweep_source,
            &self.dataset,
        )
    }
}

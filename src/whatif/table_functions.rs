//! Table functions with named arguments: a call becomes parameter rows and a plan over `queries/`.
//!
//! DataFusion's own table functions refuse `name => value`; its relation planner is the door. The
//! arguments become a plan of one row, so that placeholders stay placeholders until they are bound,
//! and [`parameter_rows`] multiplies that row at execution. Nothing acts while a call is planned.

use std::cmp::Reverse;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, FunctionArg, FunctionArgExpr, ObjectName, TableAlias, TableFactor,
};

use super::grid::{self, SweepSource};
use super::here::Made;
use super::parameter_rows;
use super::pipeline::Pipeline;
use crate::error::Error;
use crate::parameters::{PARAMETERS, Parameter, position};

/// The argument that pairs arrays in place of crossing them.
pub const ZIP: &str = "zip";

/// How alike two words are at least, of 1, where one is the other with a slip.
const ALIKE: f64 = 0.9;

/// The argument that names scenarios.
pub const SCENARIO: &str = "scenario";

/// A table function.
#[derive(Debug)]
pub struct TableFunction {
    pub name: &'static str,
    /// The query that says what its rows are.
    pub query: &'static str,
    /// Whether the grid operator makes the rows in place of the query.
    pub is_grid: bool,
    /// Whether an array argument makes one row for each of its values.
    pub sweeps: bool,
}

/// Every table function.
pub const TABLE_FUNCTIONS: [TableFunction; 8] = [
    TableFunction {
        name: "backtest",
        query: "backtest",
        is_grid: true,
        sweeps: true,
    },
    TableFunction {
        name: "backtest_by_queries",
        query: "backtest",
        is_grid: false,
        sweeps: true,
    },
    TableFunction {
        name: "simulate_trades",
        query: "simulate_trades",
        is_grid: false,
        sweeps: false,
    },
    TableFunction {
        name: "compare_trades",
        query: "compare_trades",
        is_grid: false,
        sweeps: false,
    },
    TableFunction {
        name: "equity_curve",
        query: "equity_curve",
        is_grid: false,
        sweeps: false,
    },
    TableFunction {
        name: "daily_pnl",
        query: "daily_pnl",
        is_grid: true,
        sweeps: true,
    },
    TableFunction {
        name: "daily_pnl_by_queries",
        query: "daily_pnl",
        is_grid: false,
        sweeps: true,
    },
    TableFunction {
        name: "exposure",
        query: "exposure",
        is_grid: false,
        sweeps: false,
    },
];

/// What DataFusion lists of a table function; the planner below comes before it.
impl TableFunctionImpl for TableFunction {
    fn call_with_args(&self, _: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        plan_err!("{} is planned with named arguments", self.name)
    }
}

/// Plans calls of [`TABLE_FUNCTIONS`].
#[derive(Debug)]
pub struct TableFunctionPlanner {
    pub pipeline: Arc<Pipeline>,
    pub sweep_source: Arc<SweepSource>,
    /// The table that `scenario => …` names rows of.
    pub scenarios: Arc<dyn TableProvider>,
    /// The settings in force: group, name and value.
    pub live_settings: Arc<dyn TableProvider>,
    /// The last signal's day, in days since 1970.
    pub last_day: Option<i32>,
}

impl RelationPlanner for TableFunctionPlanner {
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
        let plan = if let Some(function) = TABLE_FUNCTIONS.iter().find(|f| f.name == called) {
            let arguments = arguments(function, &[], args, context)?;
            let parameters = self.parameter_rows(function, &arguments)?;
            match function.is_grid {
                true if function.query == "daily_pnl" => {
                    grid::plan(Made::Days, parameters, &self.sweep_source)?
                }
                true => grid::plan(Made::Backtests, parameters, &self.sweep_source)?,
                false => self.pipeline.relation(function.query, &parameters)?,
            }
        } else if let Some(plan) = self.statistic(called, args, context)? {
            plan
        } else if args.iter().any(|a| !matches!(a, FunctionArg::Unnamed(_))) {
            return plan_err!("table function '{called}' not found, or without named arguments");
        } else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        planned(plan, called, alias)
    }
}

/// A call in `FROM`.
pub struct Call<'a> {
    pub name: &'a ObjectName,
    pub args: &'a [FunctionArg],
    pub alias: &'a Option<TableAlias>,
}

/// The call that a relation is, if it is one.
pub fn called(relation: &TableFactor) -> Option<Call<'_>> {
    match relation {
        TableFactor::Table {
            name,
            alias,
            args: Some(args),
            ..
        } => Some(Call {
            name,
            args: &args.args,
            alias,
        }),
        TableFactor::Function {
            name, args, alias, ..
        } => Some(Call { name, args, alias }),
        _ => None,
    }
}

/// The plan of a call under its name.
pub fn planned(
    plan: LogicalPlan,
    called: &str,
    alias: &Option<TableAlias>,
) -> Result<RelationPlanning> {
    let plan = LogicalPlanBuilder::from(plan).alias(called)?.build()?;
    let planned = PlannedRelation::new(plan, alias.clone());
    Ok(RelationPlanning::Planned(Box::new(planned)))
}

impl TableFunctionPlanner {
    /// One row with a column for each argument.
    pub fn argument_row(
        &self,
        function: &TableFunction,
        arguments: &[Argument],
    ) -> Result<LogicalPlan> {
        let mut columns = Vec::with_capacity(arguments.len());
        for Argument { name, value } in arguments {
            let data_type = value.get_type(&DFSchema::empty())?;
            if is_list(&data_type) && !function.sweeps {
                let problem =
                    format!("{name} is an array, and only backtest sweeps; give one value");
                return Err(Error::Argument {
                    function: function.name.into(),
                    problem,
                }
                .into());
            }
            columns.push(value.clone().alias(*name));
        }
        if columns.is_empty() {
            // A plan without columns would have no row to multiply.
            columns.push(lit(ScalarValue::Null).alias("no_argument"));
        }
        LogicalPlanBuilder::empty(true).project(columns)?.build()
    }

    /// One row with a column for each argument, and over it the node that multiplies it.
    pub fn parameter_rows(
        &self,
        function: &TableFunction,
        arguments: &[Argument],
    ) -> Result<LogicalPlan> {
        let row = self.argument_row(function, arguments)?;
        let scenarios = match arguments.iter().any(|argument| argument.name == SCENARIO) {
            true => {
                let table = provider_as_source(Arc::clone(&self.scenarios));
                Some(LogicalPlanBuilder::scan("scenarios", table, None)?.build()?)
            }
            false => None,
        };
        let grid_signals = function.is_grid.then(|| self.sweep_source.signal_count());
        parameter_rows::plan(row, scenarios, function.name, self.last_day, grid_signals)
    }
}

/// One argument of a call.
pub struct Argument {
    pub name: &'static str,
    pub value: Expr,
}

/// The arguments of a call: parameters, `scenario`, and those that are this function's own.
pub fn arguments(
    function: &TableFunction,
    own: &[(&'static str, DataType)],
    args: &[FunctionArg],
    context: &mut dyn RelationPlannerContext,
) -> Result<Vec<Argument>> {
    let refuse = |problem: String| Error::Argument {
        function: function.name.into(),
        problem,
    };
    let mut arguments: Vec<Argument> = Vec::with_capacity(args.len());
    for arg in args {
        // Some dialects take an expression for the name.
        let named = match arg {
            FunctionArg::Named { name, arg, .. } => Some((name, arg)),
            FunctionArg::ExprNamed {
                name: SqlExpr::Identifier(name),
                arg,
                ..
            } => Some((name, arg)),
            _ => None,
        };
        let Some((name, FunctionArgExpr::Expr(value))) = named else {
            let problem = format!("arguments are named, as in name => value; found {arg}");
            return Err(refuse(problem).into());
        };
        let name = context.normalize_ident(name.clone());
        let of_own = own.iter().find(|(own, _)| *own == name);
        let (name, data_type) = match (position(&name), of_own) {
            (Some(position), _) => (PARAMETERS[position].name, PARAMETERS[position].data_type()),
            (None, Some((own, data_type))) => (*own, data_type.clone()),
            (None, None) if name == SCENARIO => (SCENARIO, DataType::Utf8),
            (None, None) if name == ZIP && function.sweeps => (ZIP, DataType::Boolean),
            (None, None) => {
                return Err(Error::UnknownArgument {
                    function: function.name.into(),
                    hint: nearest(&name),
                    argument: name,
                }
                .into());
            }
        };
        if arguments.iter().any(|known| known.name == name) {
            return Err(refuse(format!("{name} is given twice")).into());
        }
        let value = context.sql_to_expr(value.clone(), &DFSchema::empty())?;
        let value = typed(value, name, &data_type)?;
        arguments.push(Argument { name, value });
    }
    Ok(arguments)
}

/// Gives placeholders the argument's type, so that clients learn what to send.
pub fn typed(value: Expr, name: &str, data_type: &DataType) -> Result<Expr> {
    let typed = value.transform(|expr| match expr {
        Expr::Placeholder(mut placeholder) if placeholder.field.is_none() => {
            let field = Field::new(name, data_type.clone(), true);
            placeholder.field = Some(Arc::new(field));
            Ok(Transformed::yes(Expr::Placeholder(placeholder)))
        }
        expr => Ok(Transformed::no(expr)),
    })?;
    Ok(typed.data)
}

/// Whether values of this type are arrays.
pub fn is_list(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(_, _)
            | DataType::ListView(_)
            | DataType::LargeListView(_)
    )
}

/// A hint with the parameter whose name is most like this one: that has most words of it, and fewest
/// others.
fn nearest(name: &str) -> String {
    let typed: Vec<&str> = name.split('_').collect();
    // Of equals, the first.
    let nearest = PARAMETERS.iter().rev().max_by_key(|p| likeness(&typed, p));
    match nearest.filter(|parameter| likeness(&typed, parameter).0 > 0) {
        Some(parameter) => format!(
            "did you mean {}? The table parameters lists all",
            parameter.name
        ),
        None => "the table parameters lists all".into(),
    }
}

/// How many of these words a parameter's name has, and how few others.
fn likeness(typed: &[&str], parameter: &Parameter) -> (usize, Reverse<usize>) {
    let known: Vec<&str> = parameter.name.split('_').collect();
    let alike = |word: &&&str| known.iter().any(|known| are_alike(word, known));
    let count = typed.iter().filter(alike).count();
    (count, Reverse(known.len().abs_diff(typed.len())))
}

/// Whether one word is the beginning of the other, or the other with a slip.
fn are_alike(a: &str, b: &str) -> bool {
    !a.is_empty() && (a.starts_with(b) || b.starts_with(a) || strsim::jaro_winkler(a, b) >= ALIKE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_right_finds_the_right_one() {
        for (typed, meant) in [
            ("stop_loss", "stop_loss_percent"),
            ("stop_loss_pct", "stop_loss_percent"),
            ("take_profit", "take_profit_percent"),
            ("ladder", "take_profit_ladder"),
            ("trailling_activation", "trailing_activation_percent"),
            ("breakeven_percent", "break_even_percent"),
            ("stagnaton_minutes", "stagnation_minutes"),
            ("moon_bag_percent", "moonbag_percent"),
            ("max_open", "max_open_positions"),
            ("max_hold", "max_hold_minutes"),
            ("starting_balance", "starting_balance_sol"),
            ("pool", "pool_sol"),
            ("cooldown_minutes", "token_cooldown_minutes"),
        ] {
            let hint = nearest(typed);
            assert!(
                hint.starts_with(&format!("did you mean {meant}?")),
                "{typed}: {hint}"
            );
        }
        assert_eq!(nearest("zzz"), "the table parameters lists all");
    }
}

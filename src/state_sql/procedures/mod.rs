//! Procedures: what `CALL f(…)` and `SELECT * FROM f(…)` do, when they are executed and not before.
//!
//! Arguments are named; the first, which says what it is about, may come without its name. Each
//! returns one row, or a few, that say what was done.

mod apply_settings;
mod cancel_backtest;
mod preview_settings;
mod rollback_settings;

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue, internal_err, plan_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, FunctionArg, FunctionArgExpr};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};

use crate::caller::client::Client;
use crate::error::{self, Error};
use crate::whatif::operator::{self, Operator};
use crate::whatif::table_functions::typed;

/// A procedure.
pub struct Procedure {
    pub name: &'static str,
    /// The first may come without its name.
    pub arguments: &'static [ProcedureArgument],
    /// The columns of what it returns: name and type.
    pub columns: Columns,
    act: fn(Arc<Client>, Arguments) -> BoxFuture<'static, error::Result<RecordBatch>>,
}

/// An argument of a procedure.
#[derive(Debug)]
pub struct ProcedureArgument {
    pub name: &'static str,
    pub is_boolean: bool,
    pub is_required: bool,
}

const fn required(name: &'static str) -> ProcedureArgument {
    ProcedureArgument {
        name,
        is_boolean: false,
        is_required: true,
    }
}

const fn optional(name: &'static str) -> ProcedureArgument {
    ProcedureArgument {
        name,
        is_boolean: false,
        is_required: false,
    }
}

const fn switch(name: &'static str) -> ProcedureArgument {
    ProcedureArgument {
        name,
        is_boolean: true,
        is_required: false,
    }
}

/// Every procedure but `run_backtest`, whose arguments are the parameters.
pub static PROCEDURES: [Procedure; 4] = [
    Procedure {
        name: "cancel_backtest",
        arguments: &[required("backtest_id")],
        columns: cancel_backtest::columns,
        act: |client, arguments| cancel_backtest::cancel_backtest(client, arguments).boxed(),
    },
    Procedure {
        name: "preview_settings",
        arguments: &[required("backtest_id")],
        columns: preview_settings::columns,
        act: |client, arguments| preview_settings::preview_settings(client, arguments).boxed(),
    },
    Procedure {
        name: "apply_settings",
        arguments: &[
            required("backtest_id"),
            switch("confirm"),
            switch("scoring_weights"),
            switch("score_threshold"),
            switch("position_sizing"),
            switch("exit_strategy"),
            optional("without"),
            optional("settings_version"),
            switch("create_settings"),
        ],
        columns: apply_settings::columns,
        act: |client, arguments| apply_settings::apply_settings(client, arguments).boxed(),
    },
    Procedure {
        name: "rollback_settings",
        arguments: &[required("history_id"), switch("confirm")],
        columns: rollback_settings::columns,
        act: |client, arguments| rollback_settings::rollback_settings(client, arguments).boxed(),
    },
];

/// What DataFusion lists of a procedure; the planner comes before it.
impl TableFunctionImpl for &'static Procedure {
    fn call_with_args(&self, _: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        plan_err!("{} is planned with named arguments", self.name)
    }
}

impl fmt::Debug for Procedure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl ProcedureArgument {
    fn data_type(&self) -> DataType {
        match self.is_boolean {
            true => DataType::Boolean,
            false => DataType::Utf8,
        }
    }
}

impl Procedure {
    /// The columns of what it returns.
    pub fn schema(&self) -> SchemaRef {
        schema(self.columns)
    }
}

type Columns = fn() -> Vec<(&'static str, DataType)>;

fn schema(columns: Columns) -> SchemaRef {
    let fields = columns()
        .into_iter()
        .map(|(name, data_type)| Field::new(name, data_type, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows of a procedure.
pub fn batch(columns: Columns, values: Vec<ArrayRef>) -> error::Result<RecordBatch> {
    Ok(RecordBatch::try_new(schema(columns), values).map_err(DataFusionError::from)?)
}

/// The values that a procedure is called with.
pub struct Arguments(RecordBatch);

impl Arguments {
    fn column(&self, name: &str, data_type: &DataType) -> error::Result<Option<Arc<dyn Array>>> {
        let Some(column) = self.0.column_by_name(name) else {
            return Ok(None);
        };
        if column.is_null(0) {
            return Ok(None);
        }
        Ok(Some(
            cast(column, data_type).map_err(DataFusionError::from)?,
        ))
    }

    /// A text, if it is given.
    pub fn text(&self, name: &str) -> error::Result<Option<String>> {
        let column = self.column(name, &DataType::Utf8)?;
        Ok(column.map(|column| column.as_string::<i32>().value(0).to_owned()))
    }

    /// A text that must be given.
    pub fn required(&self, name: &str) -> error::Result<String> {
        self.text(name)?.ok_or_else(|| Error::Parameter {
            parameter: name.into(),
            expected: "an id".into(),
            found: "null".into(),
        })
    }

    /// True or false, if it is given.
    pub fn boolean(&self, name: &str) -> error::Result<Option<bool>> {
        let column = self.column(name, &DataType::Boolean)?;
        Ok(column.map(|column| column.as_boolean().value(0)))
    }
}

/// The plan of a call.
pub fn plan(
    procedure: &'static Procedure,
    args: &[FunctionArg],
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let refuse = |problem: String| Error::Argument {
        function: procedure.name.into(),
        problem,
    };
    let mut given: Vec<(&'static str, Expr)> = Vec::with_capacity(args.len());
    for (place, arg) in args.iter().enumerate() {
        let (name, value) = match arg {
            FunctionArg::Named { name, arg, .. } => (Some(name.clone()), arg),
            FunctionArg::ExprNamed {
                name: SqlExpr::Identifier(name),
                arg,
                ..
            } => (Some(name.clone()), arg),
            FunctionArg::Unnamed(arg) if place == 0 => (None, arg),
            _ => {
                let problem = format!("arguments are named, as in name => value; found {arg}");
                return Err(refuse(problem).into());
            }
        };
        let FunctionArgExpr::Expr(value) = value else {
            return Err(refuse(format!("{arg} is no value")).into());
        };
        let name = name.map(|name| context.normalize_ident(name));
        let argument = match &name {
            None => procedure.arguments.first(),
            Some(name) => procedure.arguments.iter().find(|a| a.name == name),
        };
        let Some(argument) = argument else {
            let names: Vec<&str> = procedure.arguments.iter().map(|a| a.name).collect();
            return Err(Error::UnknownArgument {
                function: procedure.name.into(),
                argument: name.unwrap_or_default(),
                hint: format!("its arguments are {}", names.join(", ")),
            }
            .into());
        };
        if given.iter().any(|(known, _)| *known == argument.name) {
            return Err(refuse(format!("{} is given twice", argument.name)).into());
        }
        let value = context.sql_to_expr(value.clone(), &DFSchema::empty())?;
        given.push((
            argument.name,
            typed(value, argument.name, &argument.data_type())?,
        ));
    }
    for argument in procedure.arguments.iter().filter(|a| a.is_required) {
        if !given.iter().any(|(name, _)| *name == argument.name) {
            let problem = format!("{0} is missing, as in {0} => '…'", argument.name);
            return Err(refuse(problem).into());
        }
    }
    let mut columns: Vec<Expr> = given
        .into_iter()
        .map(|(name, value)| value.alias(name))
        .collect();
    if columns.is_empty() {
        columns.push(lit(ScalarValue::Null).alias("no_argument"));
    }
    let arguments = LogicalPlanBuilder::empty(true).project(columns)?.build()?;
    let schema = DFSchema::try_from(procedure.schema().as_ref().clone())?;
    let call = ProcedureCall(procedure);
    Ok(operator::plan(call, vec![arguments], Arc::new(schema)))
}

/// The operator: its input is one row with a column for each argument given.
#[derive(Debug)]
struct ProcedureCall(&'static Procedure);

impl Operator for ProcedureCall {
    fn name(&self) -> &'static str {
        "ProcedureCall"
    }

    fn detail(&self) -> String {
        self.0.name.to_owned()
    }

    fn execute(
        &self,
        inputs: &[Arc<dyn ExecutionPlan>],
        schema: &SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let client = Client::of(&context)?;
        let [arguments] = inputs else {
            return internal_err!("a procedure has one row of arguments");
        };
        let arguments = arguments.execute(0, context)?;
        let (procedure, schema) = (self.0, Arc::clone(schema));
        let rows = async move {
            let rows: Vec<RecordBatch> = arguments.try_collect().await?;
            let Some(row) = rows.into_iter().find(|batch| batch.num_rows() > 0) else {
                return internal_err!("the arguments of {} are one row", procedure.name);
            };
            let done = (procedure.act)(client, Arguments(row)).await?;
            Ok(RecordBatch::try_new(schema, done.columns().to_vec())?)
        };
        Ok(stream::once(rows).boxed())
    }
}

//! `INSERT`, `UPDATE` and `DELETE` on scenarios, as an operator of a plan.
//!
//! DataFusion plans the statement; its input, the rows to write or to delete, stays as it is, so
//! that any expression, subquery and placeholder works. Nothing is written before every row is
//! known and checked, and then all rows are, or none.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch, UInt64Array};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DataFusionError, Result, internal_err};
use datafusion::datasource::source_as_provider;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{DmlStatement, Expr, LogicalPlan, Projection, WriteOp};
use datafusion::physical_plan::ExecutionPlan;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use super::scenarios_table::ScenariosTable;
use crate::caller::client::Client;
use crate::clock::now;
use crate::error::Error;
use crate::records::scenarios::{Change, INPUT_SCHEMA, SCHEMA, Scenario, Scenarios, batch};
use crate::whatif::operator::{self, Operator};

/// The name of a scenario before an update, among the columns of its new row.
const OLD_NAME: &str = "name before the update";

/// Which write it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd)]
enum Kind {
    Insert,
    Update,
    Delete,
}

/// The operator: its input is the rows to write or to delete.
#[derive(Debug, Clone, Copy)]
struct ScenarioWrite {
    kind: Kind,
    /// Whether the rows written are returned, and not how many there are.
    is_returning: bool,
}

/// Puts our operator in place of writes to scenarios, anywhere in a plan.
pub fn plan_writes(plan: LogicalPlan) -> Result<LogicalPlan> {
    let planned = plan.transform_down(|node| match node {
        LogicalPlan::Dml(write) if is_of_scenarios(&write) => {
            Ok(Transformed::yes(plan_write(write)?))
        }
        node => Ok(Transformed::no(node)),
    })?;
    Ok(planned.data)
}

/// Whether executing the plan writes, and returns only how much.
pub fn is_write(plan: &LogicalPlan) -> bool {
    operator::of_plan::<ScenarioWrite>(plan).is_some_and(|(write, _)| !write.is_returning)
}

/// The plan of `select … from scenarios` over the rows that a write returns instead.
pub fn returning(select: LogicalPlan, write: &LogicalPlan) -> Result<LogicalPlan> {
    let Some((write, inputs)) = operator::of_plan::<ScenarioWrite>(write) else {
        return internal_err!("RETURNING belongs to a write to scenarios");
    };
    let returned = select.transform_down(|node| match node {
        LogicalPlan::TableScan(scan) => {
            let schema = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &SCHEMA)?;
            let write = ScenarioWrite {
                is_returning: true,
                ..*write
            };
            let plan = operator::plan(write, inputs.to_vec(), Arc::new(schema));
            // The scans below are the write's own.
            Ok(Transformed::new(plan, true, TreeNodeRecursion::Jump))
        }
        node => Ok(Transformed::no(node)),
    })?;
    Ok(returned.data)
}

fn is_of_scenarios(write: &DmlStatement) -> bool {
    source_as_provider(&write.target).is_ok_and(|provider| provider.is::<ScenariosTable>())
}

fn plan_write(write: DmlStatement) -> Result<LogicalPlan> {
    let refuse = |what: &str| {
        let problem = format!("{what} is not supported on scenarios");
        Err(DataFusionError::NotImplemented(problem))
    };
    let input = Arc::unwrap_or_clone(write.input);
    let (kind, input) = match write.op {
        WriteOp::Insert(InsertOp::Append) => (Kind::Insert, input),
        WriteOp::Insert(_) => return refuse("replacing"),
        WriteOp::Delete => (Kind::Delete, input),
        WriteOp::Update => (Kind::Update, with_old_name(input)?),
        _ => return refuse("this write"),
    };
    let operator = ScenarioWrite {
        kind,
        is_returning: false,
    };
    Ok(operator::plan(operator, vec![input], write.output_schema))
}

/// Adds the name that each updated row had.
fn with_old_name(updated: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Projection(Projection {
        mut expr, input, ..
    }) = updated
    else {
        return internal_err!("an UPDATE is planned as a projection");
    };
    let (table, field) = input
        .schema()
        .qualified_field_with_unqualified_name("name")?;
    let name = Expr::Column(Column::from((table, field)));
    expr.push(name.alias(OLD_NAME));
    Ok(LogicalPlan::Projection(Projection::try_new(expr, input)?))
}

impl Operator for ScenarioWrite {
    fn name(&self) -> &'static str {
        "ScenarioWrite"
    }

    fn detail(&self) -> String {
        format!("{:?}", self.kind)
    }

    fn execute(
        &self,
        inputs: &[Arc<dyn ExecutionPlan>],
        schema: &SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let client = Client::of(&context)?;
        let [input] = inputs else {
            return internal_err!("a write has one input");
        };
        let input = input.execute(0, context)?;
        let (Self { kind, is_returning }, schema) = (*self, Arc::clone(schema));
        let done = async move {
            let input_schema = input.schema();
            let batches: Vec<RecordBatch> = input.try_collect().await?;
            let rows = concat_batches(&input_schema, &batches)?;
            let written = write(&client, kind, &rows).await?;
            Ok(match is_returning {
                true => batch(&written, &SCHEMA)?.with_schema(schema)?,
                false => {
                    let count = UInt64Array::from(vec![written.len() as u64]);
                    RecordBatch::try_new(schema, vec![Arc::new(count)])?
                }
            })
        };
        Ok(stream::once(done).boxed())
    }
}

/// Writes the rows; returns them as they are now, or as they were where they are deleted.
async fn write(client: &Client, kind: Kind, rows: &RecordBatch) -> Result<Vec<Scenario>, Error> {
    let now = now();
    let before = match kind {
        Kind::Insert => Scenarios::new(),
        Kind::Update | Kind::Delete => client.scenarios().await?,
    };
    let column = match kind {
        Kind::Update => INPUT_SCHEMA.fields().len(),
        _ => 0,
    };
    let (mut changes, mut written) = (Vec::new(), Vec::new());
    for row in 0..rows.num_rows() {
        if kind == Kind::Insert {
            Scenario::check_times(rows, row, None)?;
            let scenario = Scenario::read(rows, row, now, client.store.ranges())?;
            written.push(scenario.clone());
            changes.push(Change::Insert(scenario));
            continue;
        }
        let names = rows.column(column).as_string_opt::<i32>();
        let old = names.and_then(|names| before.get(names.value(row)));
        let Some(old) = old else {
            let problem = "a scenario was changed meanwhile; try again";
            return Err(Error::Conflict(problem.into()));
        };
        if kind == Kind::Delete {
            written.push(old.clone());
            changes.push(Change::Delete(old.name.clone()));
            continue;
        }
        Scenario::check_times(rows, row, Some(old))?;
        let mut scenario = Scenario::read(rows, row, now, client.store.ranges())?;
        scenario.created_at = old.created_at;
        written.push(scenario.clone());
        changes.push(Change::Update(Box::new((old.clone(), scenario))));
    }
    client.change_scenarios(changes).await?;
    Ok(written)
}

//! `INSERT`, `UPDATE` and `DELETE` on scenarios, as nodes of a plan.
//!
//! DataFusion plans the statement; its input, the rows to write or to delete, stays as it is, so
//! that any expression, subquery and placeholder works. Nothing is written before every row is
//! known and checked, and then all rows are, or none.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch, UInt64Array};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, DataFusionError, Result, internal_err};
use datafusion::datasource::source_as_provider;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{
    DmlStatement, Expr, Extension, LogicalPlan, Projection, UserDefinedLogicalNodeCore, WriteOp,
};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, Partitioning, PhysicalExpr,
    PlanProperties,
};
use futures::{TryStreamExt, stream};

use super::table::ScenariosTable;
use super::{Change, INPUT_SCHEMA, SCHEMA, Scenario, Scenarios, batch};
use crate::error::Error;
use crate::session::client::Client;
use crate::store::now;

/// The name of a scenario before an update, among the columns of its new row.
const OLD_NAME: &str = "name before the update";

/// Which write it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd)]
enum Kind {
    Insert,
    Update,
    Delete,
}

/// The logical node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScenarioWrite {
    kind: Kind,
    input: LogicalPlan,
    /// Whether the rows written are returned, and not how many there are.
    is_returning: bool,
    schema: DFSchemaRef,
}

/// Puts our nodes in place of writes to scenarios, anywhere in a plan.
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
    match plan {
        LogicalPlan::Extension(extension) => {
            let write = extension.node.as_any().downcast_ref::<ScenarioWrite>();
            write.is_some_and(|write| !write.is_returning)
        }
        _ => false,
    }
}

/// The plan of `select … from scenarios` over the rows that a write returns instead.
pub fn returning(select: LogicalPlan, write: &LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Extension(extension) = write else {
        return internal_err!("RETURNING belongs to a write");
    };
    let Some(write) = extension.node.as_any().downcast_ref::<ScenarioWrite>() else {
        return internal_err!("RETURNING belongs to a write to scenarios");
    };
    let returned = select.transform_down(|node| match node {
        LogicalPlan::TableScan(scan) => {
            let node = ScenarioWrite {
                is_returning: true,
                schema: Arc::new(DFSchema::try_from_qualified_schema(
                    scan.table_name.clone(),
                    &SCHEMA,
                )?),
                ..write.clone()
            };
            let node = LogicalPlan::Extension(Extension {
                node: Arc::new(node),
            });
            // The scans below are the write's own.
            Ok(Transformed::new(node, true, TreeNodeRecursion::Jump))
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
    let node = Arc::new(ScenarioWrite {
        kind,
        input,
        is_returning: false,
        schema: write.output_schema,
    });
    Ok(LogicalPlan::Extension(Extension { node }))
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

impl PartialOrd for ScenarioWrite {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.input.partial_cmp(&other.input)
    }
}

impl UserDefinedLogicalNodeCore for ScenarioWrite {
    fn name(&self) -> &str {
        "ScenarioWrite"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "ScenarioWrite: {:?}", self.kind)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Ok([input]) = <[LogicalPlan; 1]>::try_from(inputs) else {
            return internal_err!("ScenarioWrite has one input");
        };
        Ok(Self {
            input,
            ..self.clone()
        })
    }
}

impl ScenarioWrite {
    /// The physical node over its input.
    pub fn execution_plan(&self, input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        let schema = Arc::clone(self.schema.inner());
        Arc::new(ScenarioWriteExec::new(
            self.kind,
            input,
            self.is_returning,
            schema,
        ))
    }
}

/// The physical node.
#[derive(Debug)]
struct ScenarioWriteExec {
    kind: Kind,
    input: Arc<dyn ExecutionPlan>,
    is_returning: bool,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl ScenarioWriteExec {
    fn new(
        kind: Kind,
        input: Arc<dyn ExecutionPlan>,
        is_returning: bool,
        schema: SchemaRef,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            kind,
            input,
            is_returning,
            schema,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for ScenarioWriteExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "ScenarioWriteExec: {:?}", self.kind)
    }
}

impl ExecutionPlan for ScenarioWriteExec {
    fn name(&self) -> &str {
        "ScenarioWriteExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) else {
            return internal_err!("ScenarioWrite has one input");
        };
        let schema = Arc::clone(&self.schema);
        let (kind, is_returning) = (self.kind, self.is_returning);
        Ok(Arc::new(Self::new(kind, input, is_returning, schema)))
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let client = Client::of(&context)?;
        let input = self.input.execute(0, context)?;
        let (kind, is_returning) = (self.kind, self.is_returning);
        let schema = Arc::clone(&self.schema);
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
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            stream::once(done),
        )))
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
            let scenario = Scenario::read(rows, row, now)?;
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
        let mut scenario = Scenario::read(rows, row, now)?;
        scenario.created_at = old.created_at;
        written.push(scenario.clone());
        changes.push(Change::Update(Box::new((old.clone(), scenario))));
    }
    client.change_scenarios(changes).await?;
    Ok(written)
}

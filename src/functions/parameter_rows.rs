//! The parameter relation: one row for each combination of a call's arguments, checked.
//!
//! Its input is a single row with a column for each argument given. What is not given, or null,
//! takes its default; an array stands for each of its values in turn, the last parameter changing
//! fastest. Every value is checked when the rows are made, before anything is simulated.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, DFSchemaRef, Result, ScalarValue, internal_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use futures::{StreamExt, TryStreamExt, stream};

use super::is_list;
use crate::error::Error;
use crate::parameters::{PARAMETERS, check_together};
use crate::pipeline::RUN_PARAMETERS_SCHEMA;
use crate::sweep::plan::BacktestGrid;

const DAY_MICROS: i64 = 86_400_000_000;
/// Days of the default range.
const RANGE_DAYS: i32 = 30;
const ROWS_PER_BATCH: usize = 1024;

/// The plan that multiplies the row of arguments.
pub fn plan(
    arguments: LogicalPlan,
    function: &'static str,
    last_day: Option<i32>,
) -> Result<LogicalPlan> {
    let schema = DFSchema::try_from(RUN_PARAMETERS_SCHEMA.as_ref().clone())?;
    Ok(LogicalPlan::Extension(Extension {
        node: Arc::new(ParameterRows {
            arguments,
            function,
            last_day,
            schema: Arc::new(schema),
        }),
    }))
}

/// The logical node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ParameterRows {
    arguments: LogicalPlan,
    function: &'static str,
    last_day: Option<i32>,
    schema: DFSchemaRef,
}

impl PartialOrd for ParameterRows {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.arguments.partial_cmp(&other.arguments)
    }
}

impl UserDefinedLogicalNodeCore for ParameterRows {
    fn name(&self) -> &str {
        "ParameterRows"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.arguments]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "ParameterRows: {}", self.function)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Ok([arguments]) = <[LogicalPlan; 1]>::try_from(inputs) else {
            return internal_err!("ParameterRows has one input");
        };
        Ok(Self {
            arguments,
            ..self.clone()
        })
    }
}

/// DataFusion's planner, and that of our own nodes.
#[derive(Debug, Default)]
pub struct HindsightQueryPlanner;

#[async_trait]
impl QueryPlanner for HindsightQueryPlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(NodePlanner)])
            .create_physical_plan(plan, session)
            .await
    }
}

struct NodePlanner;

#[async_trait]
impl ExtensionPlanner for NodePlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let [input] = inputs else {
            return Ok(None);
        };
        if let Some(grid) = node.as_any().downcast_ref::<BacktestGrid>() {
            return Ok(Some(grid.execution_plan(Arc::clone(input))));
        }
        let Some(node) = node.as_any().downcast_ref::<ParameterRows>() else {
            return Ok(None);
        };
        Ok(Some(Arc::new(ParameterRowsExec::new(
            Arc::clone(input),
            node.function,
            node.last_day,
        ))))
    }
}

/// The physical node.
#[derive(Debug)]
struct ParameterRowsExec {
    arguments: Arc<dyn ExecutionPlan>,
    function: &'static str,
    last_day: Option<i32>,
    properties: Arc<PlanProperties>,
}

impl ParameterRowsExec {
    fn new(
        arguments: Arc<dyn ExecutionPlan>,
        function: &'static str,
        last_day: Option<i32>,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&RUN_PARAMETERS_SCHEMA)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            arguments,
            function,
            last_day,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for ParameterRowsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "ParameterRowsExec: {}", self.function)
    }
}

impl ExecutionPlan for ParameterRowsExec {
    fn name(&self) -> &str {
        "ParameterRowsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.arguments]
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
        let Ok([arguments]) = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) else {
            return internal_err!("ParameterRows has one input");
        };
        Ok(Arc::new(Self::new(arguments, self.function, self.last_day)))
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.arguments.execute(0, context)?;
        let (function, last_day) = (self.function, self.last_day);
        let rows = async move {
            let batches: Vec<RecordBatch> = input.try_collect().await?;
            let Some(arguments) = batches.iter().find(|batch| batch.num_rows() > 0) else {
                return internal_err!("the arguments of {function} are one row");
            };
            let combinations = Combinations::new(arguments, last_day)?;
            Ok(stream::iter(combinations.batches()))
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&RUN_PARAMETERS_SCHEMA),
            stream::once(rows).try_flatten().boxed(),
        )))
    }
}

/// The values of each parameter, of which every combination is a row.
struct Combinations {
    values: Vec<Vec<ScalarValue>>,
    last_day: Option<i32>,
}

impl Combinations {
    fn new(arguments: &RecordBatch, last_day: Option<i32>) -> Result<Self> {
        let mut values = Vec::with_capacity(PARAMETERS.len());
        for parameter in &PARAMETERS {
            let given = match arguments.column_by_name(parameter.name) {
                None => vec![ScalarValue::Null],
                Some(column) => elements(column)?,
            };
            let checked = given.iter().map(|value| parameter.value(value));
            values.push(checked.collect::<Result<_, Error>>()?);
        }
        Ok(Self { values, last_day })
    }

    /// How many there are; a number past counting stands for itself.
    fn count(&self) -> usize {
        let sizes = self.values.iter().map(Vec::len);
        sizes.fold(1, usize::saturating_mul)
    }

    /// The values of one combination, the last parameter changing fastest.
    fn row(&self, combination: usize) -> Result<Vec<ScalarValue>> {
        let mut rest = combination;
        let mut row: Vec<ScalarValue> = Vec::with_capacity(self.values.len());
        for values in self.values.iter().rev() {
            row.push(values[rest % values.len()].clone());
            rest /= values.len();
        }
        row.reverse();
        if let [start, end, ..] = row.as_mut_slice() {
            if end.is_null() {
                *end = ScalarValue::Date32(self.last_day);
            }
            if let (true, ScalarValue::Date32(Some(end))) = (start.is_null(), end) {
                *start = ScalarValue::Date32(Some(end.saturating_sub(RANGE_DAYS - 1)));
            }
        }
        check_together(&row)?;
        Ok(row)
    }

    fn batches(self) -> impl Iterator<Item = Result<RecordBatch>> {
        let count = self.count();
        (0..count).step_by(ROWS_PER_BATCH).map(move |first| {
            let last = first.saturating_add(ROWS_PER_BATCH).min(count);
            self.batch(first..last)
        })
    }

    fn batch(&self, combinations: std::ops::Range<usize>) -> Result<RecordBatch> {
        let schema: SchemaRef = Arc::clone(&RUN_PARAMETERS_SCHEMA);
        let mut columns: Vec<Vec<ScalarValue>> = vec![Vec::new(); schema.fields().len()];
        for combination in combinations {
            let row = self.row(combination)?;
            let midnight = |date: &ScalarValue, days: i64| match date {
                ScalarValue::Date32(Some(day)) => {
                    Some((i64::from(*day) + days).saturating_mul(DAY_MICROS))
                }
                _ => None,
            };
            let zone: Option<Arc<str>> = Some("UTC".into());
            let leading = [
                ScalarValue::Int64(i64::try_from(combination).ok()),
                ScalarValue::Utf8(None),
                ScalarValue::TimestampMicrosecond(midnight(&row[0], 0), zone.clone()),
                ScalarValue::TimestampMicrosecond(midnight(&row[1], 1), zone),
            ];
            for (column, value) in columns.iter_mut().zip(leading.into_iter().chain(row)) {
                column.push(value);
            }
        }
        let columns = columns
            .into_iter()
            .map(ScalarValue::iter_to_array)
            .collect::<Result<Vec<ArrayRef>>>()?;
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

/// The values of an argument: those of an array, or the one.
fn elements(column: &ArrayRef) -> Result<Vec<ScalarValue>> {
    if !is_list(column.data_type()) {
        return Ok(vec![ScalarValue::try_from_array(column, 0)?]);
    }
    let item = match column.data_type() {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::ListView(field)
        | DataType::LargeListView(field) => field.data_type().clone(),
        _ => DataType::Null,
    };
    let list = DataType::List(Arc::new(Field::new_list_field(item, true)));
    let lists = cast(column, &list)?;
    if lists.is_null(0) {
        return Ok(vec![ScalarValue::Null]);
    }
    let items = lists.as_list::<i32>().value(0);
    (0..items.len())
        .map(|row| ScalarValue::try_from_array(&items, row))
        .collect()
}

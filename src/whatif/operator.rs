//! Operators of our own in a plan: each says what it does with its inputs, and is a node of the
//! logical and of the physical plan by that alone.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchemaRef, Result, Statistics};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::physical_expr::{EquivalenceProperties, OrderingRequirements};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, Partitioning, PhysicalExpr,
    PlanProperties,
};
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use datafusion::prelude::SessionConfig;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use super::elsewhere;

/// What an operator does with its inputs, each of which is one partition.
pub trait Operator: Any + fmt::Debug + Send + Sync {
    /// What `EXPLAIN` calls it.
    fn name(&self) -> &'static str;

    /// What `EXPLAIN` says of it.
    fn detail(&self) -> String;

    /// The operator as a session runs it, where that is another.
    fn of_session<'a>(&'a self, _: &'a SessionConfig) -> BoxFuture<'a, Option<Arc<dyn Operator>>> {
        futures::future::ready(None).boxed()
    }

    /// How many rows it has in all, about, where that is known.
    fn row_count(&self) -> Option<usize> {
        None
    }

    /// Its rows. Nothing is done before they are asked for.
    fn execute(
        &self,
        inputs: &[Arc<dyn ExecutionPlan>],
        schema: &SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>>;
}

/// The plan of an operator over its inputs; its rows have these columns.
pub fn plan(operator: impl Operator, inputs: Vec<LogicalPlan>, schema: DFSchemaRef) -> LogicalPlan {
    let operator = Arc::new(operator);
    LogicalPlan::Extension(Extension {
        node: Arc::new(Node {
            operator,
            inputs,
            schema,
        }),
    })
}

/// The operator at the root of a plan, and its inputs, where it is of this kind.
pub fn of_plan<T: Operator>(plan: &LogicalPlan) -> Option<(&T, &[LogicalPlan])> {
    let LogicalPlan::Extension(extension) = plan else {
        return None;
    };
    let node = extension.node.as_any().downcast_ref::<Node>()?;
    let operator: &dyn Any = node.operator.as_ref();
    Some((operator.downcast_ref()?, &node.inputs))
}

/// The logical node.
#[derive(Debug, Clone)]
struct Node {
    operator: Arc<dyn Operator>,
    inputs: Vec<LogicalPlan>,
    schema: DFSchemaRef,
}

// An operator is equal to itself alone.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.operator, &other.operator)
            && self.inputs == other.inputs
            && self.schema == other.schema
    }
}

impl Eq for Node {}

impl PartialOrd for Node {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        let order = self.inputs.partial_cmp(&other.inputs);
        order.filter(|order| order.is_ne() || self == other)
    }
}

impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.operator).cast::<()>().hash(state);
        self.inputs.hash(state);
    }
}

impl UserDefinedLogicalNodeCore for Node {
    fn name(&self) -> &str {
        self.operator.name()
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.operator.name(), self.operator.detail())
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        Ok(Self {
            inputs,
            ..self.clone()
        })
    }
}

/// The physical node.
#[derive(Debug)]
struct NodeExec {
    operator: Arc<dyn Operator>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    /// The order that each input has been given, which it must keep.
    orders: Vec<Option<OrderingRequirements>>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl NodeExec {
    fn new(
        operator: Arc<dyn Operator>,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        schema: SchemaRef,
    ) -> Self {
        let orders = inputs.iter().map(|input| {
            let order = input.properties().output_ordering();
            order.cloned().map(OrderingRequirements::from)
        });
        let orders = orders.collect();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            operator,
            inputs,
            orders,
            schema,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for NodeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{}Exec: {}",
            self.operator.name(),
            self.operator.detail()
        )
    }
}

impl ExecutionPlan for NodeExec {
    fn name(&self) -> &str {
        self.operator.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition; self.inputs.len()]
    }

    // Without it, an order that an input has would be taken for one that nobody needs. Its rows are
    // others, so that what they are sorted by is never sorted below it.
    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        self.orders.clone()
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
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
        Ok(Arc::new(Self {
            operator: Arc::clone(&self.operator),
            inputs: children,
            orders: self.orders.clone(),
            schema: Arc::clone(&self.schema),
            properties: Arc::clone(&self.properties),
        }))
    }

    fn partition_statistics(&self, _: Option<usize>) -> Result<Arc<Statistics>> {
        let statistics = Statistics::new_unknown(&self.schema);
        let rows = self.operator.row_count();
        let rows = rows.map_or(Precision::Absent, Precision::Inexact);
        Ok(Arc::new(statistics.with_num_rows(rows)))
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.operator.execute(&self.inputs, &self.schema, context)?;
        let schema = Arc::clone(&self.schema);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

/// DataFusion's planner, and that of operators.
#[derive(Debug, Default)]
pub struct HindsightQueryPlanner;

#[async_trait]
impl QueryPlanner for HindsightQueryPlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        crate::caller::bounds::check_expansion(plan)?;
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(NodePlanner)]);
        match elsewhere::planning(session, plan).await? {
            None => planner.create_physical_plan(plan, session).await,
            Some(session) => planner.create_physical_plan(plan, &session).await,
        }
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
        session: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<Node>() else {
            return Ok(None);
        };
        let operator = node.operator.of_session(session.config()).await;
        let operator = operator.unwrap_or_else(|| Arc::clone(&node.operator));
        let schema = Arc::clone(node.schema.inner());
        let planned = NodeExec::new(operator, inputs.to_vec(), schema);
        Ok(Some(Arc::new(planned)))
    }
}

//! What of a plan is sent to workers: from a relation upwards all that looks at one row at a time, and
//! the partial aggregate above it.
//!
//! What is above a fragment sees the same rows in the same order, but in one partition. It is decided
//! here, when a statement is planned, and not when rows have begun to flow.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{JoinType, Result};
use datafusion::datasource::memory::{DataSourceExec, MemorySourceConfig};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, Volatility};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr,
    IsNullExpr, LikeExpr, Literal, NegativeExpr, NotExpr, TryCastExpr,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode,
};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::part::PartExec;
use super::sent;
use super::sharded::ShardedExec;
use super::used;
use super::workers::{Asked, Workers};
use crate::caller::client::Client;
use crate::caller::give_way;
use crate::caller::in_turn::InTurnExec;
use crate::dialect::numbers;
use crate::whatif::relations::{Relation, RelationExec};

/// So many rows go with a plan at most, by what is known when it is planned.
const GIVEN_MOST: usize = 1_000;

/// Aggregates that depend on the order of their rows, also where none is said.
const BY_ORDER: [&str; 12] = [
    "any_value",
    "array_agg",
    "string_agg",
    "first_value",
    "last_value",
    "nth_value",
    "json_agg",
    "jsonb_agg",
    "json_object_agg",
    "jsonb_object_agg",
    "max_drawdown",
    "max_consecutive_losses",
];

/// Whether a worker runs such a node.
pub fn is_known(node: &Arc<dyn ExecutionPlan>) -> bool {
    is_by_row(node)
        || node.is::<AggregateExec>()
        || node.is::<HashJoinExec>()
        || node.is::<CrossJoinExec>()
        || node.is::<NestedLoopJoinExec>()
        || node.is::<SortPreservingMergeExec>()
        || node.is::<InTurnExec>()
        || node.is::<PartExec>()
        || holds_rows(node)
}

/// Whether a node has its rows in itself: other sources are files.
fn holds_rows(node: &Arc<dyn ExecutionPlan>) -> bool {
    let source = node.downcast_ref::<DataSourceExec>();
    source.is_some_and(|node| node.data_source().is::<MemorySourceConfig>())
}

fn is_by_row(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.is::<ProjectionExec>()
        || node.is::<FilterExec>()
        || node.is::<UnnestExec>()
        || node.is::<CooperativeExec>()
        || give_way::over(node).is_some()
}

/// Finds what is sent.
pub struct Fragments {
    workers: Workers,
    asked: Vec<Asked>,
    client: Arc<Client>,
    functions: HashMap<String, Arc<ScalarUDF>>,
    aggregates: HashMap<String, Arc<AggregateUDF>>,
}

impl Fragments {
    /// For a session; `asked` is what its workers said.
    pub fn new(
        workers: Workers,
        asked: Vec<Asked>,
        session: &dyn Session,
        client: Arc<Client>,
    ) -> Self {
        Self {
            workers,
            asked,
            client,
            functions: functions(session.scalar_functions()),
            aggregates: session.aggregate_functions().clone(),
        }
    }
}

/// The functions that workers know, by their names: those of a session, and what operators are.
pub fn functions(of_session: &HashMap<String, Arc<ScalarUDF>>) -> HashMap<String, Arc<ScalarUDF>> {
    let operators = numbers::arithmetic();
    let operators = operators.map(|function| (function.name().to_owned(), function));
    let mut functions = of_session.clone();
    functions.extend(operators);
    functions
}

impl fmt::Debug for Fragments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fragments({:?})", self.workers)
    }
}

impl PhysicalOptimizerRule for Fragments {
    fn name(&self) -> &str {
        "Fragments"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        options: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let seen = self.seen(plan, options)?;
        match seen.is_open {
            true => self.closed(seen.plan),
            false => Ok(seen.plan),
        }
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A plan that was looked at.
struct Seen {
    plan: Arc<dyn ExecutionPlan>,
    /// Whether it is a fragment that what is above may belong to.
    is_open: bool,
}

/// What a node is to the fragment below it.
enum Role {
    /// A part of it.
    Part,
    /// What it ends below.
    Bound,
    /// An aggregate in one step, whose first half is a part of it.
    Halved(Arc<AggregateExec>),
    /// What makes all of it stay where it was asked for.
    Problem(String),
}

impl Fragments {
    fn seen(&self, plan: Arc<dyn ExecutionPlan>, options: &ConfigOptions) -> Result<Seen> {
        if plan.is::<RelationExec>() {
            // Each part would have as many rows as are enough; they are few, and read here.
            let is_open = plan.fetch().is_none();
            return Ok(Seen { plan, is_open });
        }
        let children = plan.children().into_iter().cloned();
        let before: Vec<Arc<dyn ExecutionPlan>> = children.collect();
        let seen = before.iter().cloned();
        let seen: Vec<Seen> = seen
            .map(|child| self.seen(child, options))
            .collect::<Result<_>>()?;
        let role = match seen.iter().any(|child| child.is_open) {
            true => self.role(&plan, &seen, options)?,
            false => Role::Bound,
        };
        let mut children = Vec::with_capacity(seen.len());
        for (number, child) in seen.into_iter().enumerate() {
            let is_kept = match role {
                Role::Part | Role::Halved(_) => number == way(&plan),
                Role::Bound => false,
                Role::Problem(_) => true,
            };
            children.push(match child.is_open && !is_kept {
                true => self.closed(child.plan)?,
                false => child.plan,
            });
        }
        let is_same = before.iter().zip(&children).all(|(a, b)| Arc::ptr_eq(a, b));
        let rebuilt = |plan: Arc<dyn ExecutionPlan>, children| match is_same {
            true => Ok(plan),
            false => plan.replace_children(
                children,
                ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
            ),
        };
        Ok(match role {
            Role::Part => Seen {
                plan: rebuilt(plan, children)?,
                is_open: true,
            },
            Role::Bound => Seen {
                plan: rebuilt(plan, children)?,
                is_open: false,
            },
            Role::Halved(first) => Seen {
                plan: self.second_half(&plan, first)?,
                is_open: false,
            },
            Role::Problem(problem) => {
                self.stays(&problem);
                Seen {
                    plan: rebuilt(plan, children)?,
                    is_open: false,
                }
            }
        })
    }

    /// What is sent of a fragment, or the fragment itself where it cannot be.
    fn closed(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(leaf) = sent::leaf(&plan) else {
            return Ok(plan);
        };
        if plan.schema().fields().is_empty() {
            self.stays("no column of it is asked for");
            return Ok(plan);
        }
        if let Err(error) = sent::check(&plan) {
            self.stays(&error.strip_backtrace());
            return Ok(plan);
        }
        let detail = used::detail(&self.asked, &leaf.scan().origin.fingerprint);
        Ok(Arc::new(ShardedExec::new(
            self.workers.clone(),
            plan,
            detail,
        )))
    }

    fn stays(&self, problem: &str) {
        let remark = format!("the statement runs on the server's machine: {problem}");
        self.client.remark_once(remark);
    }

    fn role(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        seen: &[Seen],
        options: &ConfigOptions,
    ) -> Result<Role> {
        let is_over = seen.get(way(plan)).is_some_and(|child| child.is_open);
        if !is_over || plan.fetch().is_some() {
            return Ok(Role::Bound);
        }
        if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
            return self.role_of_aggregate(aggregate, &seen[0].plan, options);
        }
        let is_join = is_by_right(plan) && is_small(&seen[0].plan);
        // Above an aggregate there are no rows of the relation any more.
        if !is_by_row(plan) && !is_join || sent::is_aggregated(&seen[way(plan)].plan) {
            return Ok(Role::Bound);
        }
        Ok(match self.problem(plan, options)? {
            None => Role::Part,
            Some(problem) => Role::Problem(problem),
        })
    }

    fn role_of_aggregate(
        &self,
        aggregate: &AggregateExec,
        input: &Arc<dyn ExecutionPlan>,
        options: &ConfigOptions,
    ) -> Result<Role> {
        let functions = aggregate.aggr_expr();
        let is_in_parts = aggregate.limit_options().is_none()
            && !sent::is_aggregated(input)
            && functions.iter().all(is_in_parts);
        if !is_in_parts {
            return Ok(Role::Bound);
        }
        let known = functions.iter().find(|function| {
            let known = self.aggregates.get(function.fun().name());
            known.is_none_or(|known| **known != *function.fun())
        });
        if let Some(unknown) = known {
            let problem = format!("{} is not sent to workers", unknown.fun().name());
            return Ok(Role::Problem(problem));
        }
        let relation = sent::leaf(input).map(|leaf| leaf.scan().relation);
        // Shares of signals lie between each other.
        let is_between = relation == Some(Relation::Signals);
        let mode = aggregate.mode();
        let first: Arc<AggregateExec> = match mode {
            AggregateMode::Partial => {
                let with = Arc::new(aggregate.clone()) as Arc<dyn ExecutionPlan>;
                if is_between && with.output_ordering().is_some() {
                    return Ok(Role::Bound);
                }
                return Ok(match self.problem(&with, options)? {
                    None => Role::Part,
                    Some(problem) => Role::Problem(problem),
                });
            }
            // Groups come in the order in which they are first seen.
            AggregateMode::Single | AggregateMode::SinglePartitioned
                if !is_between || aggregate.group_expr().is_empty() =>
            {
                Arc::new(AggregateExec::try_new(
                    AggregateMode::Partial,
                    aggregate.group_expr().clone(),
                    functions.to_vec(),
                    aggregate.filter_expr().to_vec(),
                    Arc::clone(input),
                    aggregate.input_schema(),
                )?)
            }
            _ => return Ok(Role::Bound),
        };
        let plan = Arc::clone(&first) as Arc<dyn ExecutionPlan>;
        Ok(match self.problem(&plan, options)? {
            None => Role::Halved(first),
            Some(problem) => Role::Problem(problem),
        })
    }

    /// The second half of an aggregate over its first, which is sent.
    fn second_half(
        &self,
        whole: &Arc<dyn ExecutionPlan>,
        first: Arc<AggregateExec>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let closed = self.closed(Arc::clone(&first) as _)?;
        let second = AggregateExec::try_new(
            AggregateMode::Final,
            first.group_expr().as_final(),
            first.aggr_expr().to_vec(),
            first.filter_expr().to_vec(),
            closed,
            first.input_schema(),
        )?;
        Ok(match second.schema() == whole.schema() {
            true => Arc::new(second),
            false => Arc::clone(whole),
        })
    }

    /// Why a node cannot be sent for the sake of its expressions.
    fn problem(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        options: &ConfigOptions,
    ) -> Result<Option<String>> {
        let mut problem = None;
        plan.apply_expressions(&mut |expression| {
            problem = problem.take().or_else(|| self.of(expression, options));
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(problem)
    }

    /// Why an expression cannot be sent.
    fn of(&self, expression: &Arc<dyn PhysicalExpr>, options: &ConfigOptions) -> Option<String> {
        let is_plain = expression.is::<Column>()
            || expression.is::<Literal>()
            || expression.is::<BinaryExpr>()
            || expression.is::<CaseExpr>()
            || expression.is::<CastExpr>()
            || expression.is::<TryCastExpr>()
            || expression.is::<InListExpr>()
            || expression.is::<IsNullExpr>()
            || expression.is::<IsNotNullExpr>()
            || expression.is::<LikeExpr>()
            || expression.is::<NegativeExpr>()
            || expression.is::<NotExpr>()
            || expression.is::<DynamicFilterPhysicalExpr>();
        if let Some(call) = expression.downcast_ref::<ScalarFunctionExpr>() {
            let function = call.fun();
            let is_theirs = self.functions.get(function.name()).is_some_and(|known| {
                let updated = known.inner().with_updated_config(options);
                **known == *function || updated.is_some_and(|updated| updated == *function)
            });
            if !is_theirs || function.signature().volatility == Volatility::Volatile {
                return Some(format!("{} is not sent to workers", function.name()));
            }
        } else if !is_plain {
            return Some(format!("{expression} is not sent to workers"));
        }
        let mut below = expression.children().into_iter();
        below.find_map(|expression| self.of(expression, options))
    }
}

/// The child by which the rows of a relation come.
pub fn way(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let is_join =
        plan.is::<HashJoinExec>() || plan.is::<CrossJoinExec>() || plan.is::<NestedLoopJoinExec>();
    usize::from(is_join)
}

/// Whether each row of a join is of one row at its right side, whatever the others are.
fn is_by_right(join: &Arc<dyn ExecutionPlan>) -> bool {
    let Some(join) = join.downcast_ref::<HashJoinExec>() else {
        let looping = join.downcast_ref::<NestedLoopJoinExec>();
        let is_inner = looping.is_some_and(|join| *join.join_type() == JoinType::Inner);
        return is_inner || join.is::<CrossJoinExec>();
    };
    let kinds = [
        JoinType::Inner,
        JoinType::Right,
        JoinType::RightSemi,
        JoinType::RightAnti,
    ];
    *join.partition_mode() == PartitionMode::CollectLeft
        && !join.null_aware
        && join.fetch().is_none()
        && kinds.contains(join.join_type())
}

/// Whether a plan is known to have few rows.
fn is_small(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let known = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new());
    let rows = known
        .ok()
        .and_then(|known| known.num_rows.get_value().copied());
    !plan.schema().fields().is_empty() && rows.is_some_and(|rows| rows <= GIVEN_MOST)
}

/// Whether an aggregate is the same to the last digit, in whatever parts its rows come.
fn is_in_parts(function: &Arc<AggregateFunctionExpr>) -> bool {
    let arguments = function.expressions();
    let input = function.field();
    let is_exact =
        !input.data_type().is_floating() || matches!(function.fun().name(), "min" | "max");
    is_exact
        && !arguments.is_empty()
        && function.order_bys().is_empty()
        && !BY_ORDER.contains(&function.fun().name())
}

//! A fragment of a plan as it is sent: over a part of its relation, and with the rows that go with it.
//!
//! Shares of `token_prices` lie one behind the other, and so do their rows. Those of `signals` lie
//! between each other: each row says its place, which goes with it to the top, where all shares are
//! merged by it.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{Result, internal_err};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder,
};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion_distributed::{DistributedLeafExec, NetworkCoalesceExec};
use datafusion_proto::bytes::physical_plan_to_bytes_with_extension_codec;

use super::codec::Codec;
use super::fragments::way;
use super::part::{PLACE, Part, PartExec, by_place};
use crate::caller::give_way;
use crate::caller::in_turn::{Begins, InTurnExec};
use crate::whatif::relations::{Relation, RelationExec};

type Plan = Arc<dyn ExecutionPlan>;

/// The relation at the bottom of a fragment.
pub fn leaf(fragment: &Plan) -> Option<&RelationExec> {
    let mut node = fragment;
    loop {
        match node.downcast_ref::<RelationExec>() {
            Some(leaf) => return Some(leaf),
            None => node = node.children().get(way(node)).copied()?,
        }
    }
}

/// The nodes of a fragment, from the top to its relation.
fn nodes(fragment: &Plan) -> impl Iterator<Item = &Plan> {
    std::iter::successors(Some(fragment), |node| {
        node.children().get(way(node)).copied()
    })
}

/// Whether it ends in an aggregate.
pub fn is_aggregated(fragment: &Plan) -> bool {
    nodes(fragment).any(|node| node.is::<AggregateExec>())
}

/// What is read beside the relation, whose rows go with the fragment.
pub fn given(fragment: &Plan) -> Vec<Plan> {
    let joins = nodes(fragment).filter(|node| way(node) == 1);
    joins
        .filter_map(|join| join.children().first().copied().cloned())
        .collect()
}

/// Whether a fragment keeps its rows in order only where one row is given to each join.
pub fn needs_one(fragment: &Plan) -> bool {
    let is_loop = |node: &Plan| node.is::<CrossJoinExec>() || node.is::<NestedLoopJoinExec>();
    has_places(fragment) && nodes(fragment).any(is_loop)
}

/// Whether the rows of its shares lie between each other.
pub fn lies_between(fragment: &Plan) -> bool {
    let relation = leaf(fragment).map(|leaf| leaf.scan().relation);
    relation == Some(Relation::Signals)
}

/// Whether its shares are merged by the places of rows.
pub fn has_places(fragment: &Plan) -> bool {
    lies_between(fragment) && !is_aggregated(fragment)
}

/// Fails where a fragment cannot be put on the wire.
pub fn check(fragment: &Plan) -> Result<()> {
    let nothing = given(fragment);
    let nothing: Vec<RecordBatch> = nothing
        .iter()
        .map(|plan| RecordBatch::new_empty(plan.schema()))
        .collect();
    let (all, _) = parts(fragment, 1, 1, 1)?;
    let fragment = over_parts(fragment, Arc::new(PartExec::new(all)?), &nothing)?;
    physical_plan_to_bytes_with_extension_codec(fragment, &Codec { node: None })?;
    Ok(())
}

/// The plan that runs a fragment in so many tasks, each of so many partitions, and brings their rows
/// together.
pub fn plan(
    fragment: &Plan,
    given: &[RecordBatch],
    tasks: usize,
    partitions: usize,
    batch_size: usize,
) -> Result<Plan> {
    let (all, parts) = parts(fragment, tasks, partitions, batch_size)?;
    let parts = parts.into_iter().map(PartExec::new);
    let parts = parts.map(|part| Ok(Arc::new(part?) as Plan));
    let parts: Vec<Plan> = parts.collect::<Result<_>>()?;
    let leaf = DistributedLeafExec::try_new(Arc::new(PartExec::new(all)?), parts)?;
    let fragment = over_parts(fragment, Arc::new(leaf), given)?;
    let network = NetworkCoalesceExec::try_new(together(fragment)?, tasks, 1)?;
    together(Arc::new(network))
}

fn parts(
    fragment: &Plan,
    tasks: usize,
    partitions: usize,
    batch_size: usize,
) -> Result<(Part, Vec<Part>)> {
    let Some(leaf) = leaf(fragment) else {
        return internal_err!("a fragment reads a relation");
    };
    let (all, parts) = Part::of(leaf.scan(), tasks, partitions, batch_size);
    Ok(match has_places(fragment) {
        true => (all, parts),
        false => {
            let parts = parts.into_iter().map(Part::without_place);
            (all.without_place(), parts.collect())
        }
    })
}

/// The partitions of a plan as one: by the places of their rows, or one behind the other.
fn together(plan: Plan) -> Result<Plan> {
    if plan.output_partitioning().partition_count() == 1 {
        return Ok(plan);
    }
    let schema = plan.schema();
    let has_places = schema
        .fields()
        .last()
        .is_some_and(|last| last.name() == PLACE);
    Ok(match has_places {
        true => Arc::new(SortPreservingMergeExec::new(by_place(&schema)?, plan)),
        false => Arc::new(InTurnExec::new(plan, Begins::Ahead)),
    })
}

/// A fragment over a part of its relation.
fn over_parts(fragment: &Plan, part: Plan, given: &[RecordBatch]) -> Result<Plan> {
    let kept = match has_places(fragment) {
        true => Kept::WithPlaces,
        false => Kept::Sent,
    };
    over(fragment, &part, given, kept)
}

/// A fragment as this process runs it, with rows that are there already.
pub fn here(fragment: &Plan, given: &[RecordBatch]) -> Result<Plan> {
    let Some(leaf) = leaf(fragment) else {
        return internal_err!("a fragment reads a relation");
    };
    over(fragment, leaf.rows(), given, Kept::Here)
}

/// What is kept of a fragment over another leaf.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    /// All of it.
    Here,
    /// All but what has it give way.
    Sent,
    /// And the places of rows with it.
    WithPlaces,
}

fn over(node: &Plan, leaf: &Plan, given: &[RecordBatch], kept: Kept) -> Result<Plan> {
    if node.is::<RelationExec>() {
        return Ok(Arc::clone(leaf));
    }
    if let (Some(node), true) = (give_way::over(node), kept != Kept::Here) {
        return over(node, leaf, given, kept);
    }
    let Some(below) = node.children().get(way(node)).copied() else {
        return internal_err!("{} is no part of a fragment", node.name());
    };
    let mut children = Vec::with_capacity(2);
    let mut left = given;
    if way(node) == 1 {
        let Some((first, others)) = given.split_first() else {
            return internal_err!("a join of a fragment is given rows");
        };
        left = others;
        let rows = [vec![first.clone()]];
        children.push(MemorySourceConfig::try_new_exec(&rows, first.schema(), None)? as Plan);
    }
    let below = over(below, leaf, left, kept)?;
    match kept {
        Kept::WithPlaces => with_places(node, children.pop(), below),
        Kept::Here | Kept::Sent => {
            children.push(below);
            Arc::clone(node).replace_children(
                children,
                ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
            )
        }
    }
}

/// A node over rows whose last column is their places, which it hands on as its own last column.
fn with_places(node: &Plan, given: Option<Plan>, below: Plan) -> Result<Plan> {
    let schema = below.schema();
    let Some(place) = schema.fields().len().checked_sub(1) else {
        return internal_err!("rows have places");
    };
    if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
        let mut columns = projection.expr().to_vec();
        columns.push(ProjectionExpr {
            expr: Arc::new(Column::new(PLACE, place)) as Arc<dyn PhysicalExpr>,
            alias: PLACE.into(),
        });
        return Ok(Arc::new(ProjectionExec::try_new(columns, below)?));
    }
    if let Some(filter) = node.downcast_ref::<FilterExec>() {
        let columns = filter.projection().as_ref().map(|columns| {
            let columns = columns.iter().copied();
            columns.chain([place]).collect()
        });
        let filter = FilterExecBuilder::new(Arc::clone(filter.predicate()), below)
            .apply_projection(columns)?
            .with_default_selectivity(filter.default_selectivity())
            .with_batch_size(filter.batch_size())
            .with_fetch(filter.fetch());
        return Ok(Arc::new(filter.build()?));
    }
    if let Some(unnest) = node.downcast_ref::<UnnestExec>() {
        let mut fields: Vec<_> = unnest.schema().fields().iter().cloned().collect();
        fields.push(Arc::clone(&schema.fields()[place]));
        let fields = datafusion::arrow::datatypes::Schema::new(fields);
        return Ok(Arc::new(UnnestExec::new(
            below,
            unnest.list_column_indices().to_vec(),
            unnest.struct_column_indices().to_vec(),
            Arc::new(fields),
            unnest.options().clone(),
        )?));
    }
    if node.is::<CooperativeExec>() {
        return Ok(Arc::new(CooperativeExec::new(below)));
    }
    let Some(given) = given else {
        return internal_err!("{} is no part of a fragment", node.name());
    };
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        let is_of_both = join.join_schema().fields().len() > join.right().schema().fields().len();
        let behind = if is_of_both {
            given.schema().fields().len()
        } else {
            0
        };
        let columns = join.projection.as_ref().map(|columns| {
            let columns = columns.iter().copied();
            columns.chain([behind + place]).collect()
        });
        let builder = join.builder().reset_state();
        let builder = builder.with_new_children(vec![given, below])?;
        return builder.with_projection(columns).build_exec();
    }
    let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() else {
        return Ok(Arc::new(CrossJoinExec::new(given, below)));
    };
    let behind = given.schema().fields().len();
    let columns = join.projection().as_ref().map(|columns| {
        let columns = columns.iter().copied();
        columns.chain([behind + place]).collect()
    });
    let join = NestedLoopJoinExecBuilder::new(given, below, *join.join_type())
        .with_filter(join.filter().cloned())
        .with_projection(columns);
    Ok(Arc::new(join.build()?))
}

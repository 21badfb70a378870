//! The types of a `UNION`'s columns, before DataFusion settles them: numerics beside doubles are
//! doubles, of which it would make decimals of few places, and a text in quotes is read as what the
//! other sides are.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Union};
use datafusion::optimizer::AnalyzerRule;

use crate::dialect::functions::casts::ZonedCast;
use crate::dialect::numbers::{conversion, read_as, types};

/// Settles them.
#[derive(Debug)]
pub struct UnionTypes;

impl AnalyzerRule for UnionTypes {
    fn name(&self) -> &str {
        "union_types"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Union(union) => settled(union),
            plan => Ok(Transformed::no(plan)),
        })?;
        // What stands over a union has its types from it.
        match plan.transformed {
            true => plan
                .data
                .transform_up_with_subqueries(|plan| plan.recompute_schema().map(Transformed::yes))
                .data(),
            false => Ok(plan.data),
        }
    }
}

/// What a side of a union has in a column.
enum Given {
    /// A text in quotes.
    Quoted(String),
    Null,
    Of(DataType),
}

fn settled(union: Union) -> Result<Transformed<LogicalPlan>> {
    let columns = union.schema.fields().len();
    let mut inputs = union.inputs;
    let mut is_changed = false;
    for column in 0..columns {
        let given: Vec<Given> = inputs.iter().map(|input| given(input, column)).collect();
        let Some(common) = common(&given) else {
            continue;
        };
        for (input, given) in inputs.iter_mut().zip(&given) {
            if let Some(changed) = as_common(input, column, given, &common)? {
                *input = Arc::new(changed);
                is_changed = true;
            }
        }
    }
    match is_changed {
        true => {
            let union = Union::try_new_with_loose_types(inputs)?;
            Ok(Transformed::yes(LogicalPlan::Union(union)))
        }
        false => Ok(Transformed::no(LogicalPlan::Union(Union {
            inputs,
            schema: union.schema,
        }))),
    }
}

fn given(input: &LogicalPlan, column: usize) -> Given {
    if let LogicalPlan::Projection(projection) = input
        && let Some(expr) = projection.expr.get(column)
    {
        match expr.clone().unalias() {
            Expr::Literal(ScalarValue::Utf8(Some(text)), _) => return Given::Quoted(text),
            Expr::Literal(value, _) if value.is_null() => return Given::Null,
            _ => {}
        }
    }
    match input.schema().fields().get(column) {
        Some(field) => Given::Of(field.data_type().clone()),
        None => Given::Null,
    }
}

/// The type that sides are to be of, where DataFusion would find another.
fn common(given: &[Given]) -> Option<DataType> {
    let known: Vec<&DataType> = given
        .iter()
        .filter_map(|given| match given {
            Given::Of(of) if !of.is_null() => Some(of),
            _ => None,
        })
        .collect();
    let is_float = |of: &&&DataType| of.is_floating();
    let (first, others) = known.split_first()?;
    if known.iter().all(|of| types::is_number(of)) {
        let float = match known.iter().any(|of| **of == DataType::Float64) {
            true => Some(DataType::Float64),
            false => known.iter().find(is_float).map(|of| (**of).clone()),
        };
        if float.is_some() && known.iter().any(|of| of.is_decimal()) {
            return float;
        }
    }
    let has_quoted = given.iter().any(|given| matches!(given, Given::Quoted(_)));
    let is_one = others.iter().all(|of| of == first);
    let is_text = types::is_text(first);
    (has_quoted && is_one && !is_text).then(|| (*first).clone())
}

/// A side whose column is of the common type.
fn as_common(
    input: &LogicalPlan,
    column: usize,
    given: &Given,
    common: &DataType,
) -> Result<Option<LogicalPlan>> {
    let value = |own: Expr| match given {
        Given::Quoted(text) if types::is_number(common) || *common == DataType::Boolean => {
            read_as(text, common).map(Some)
        }
        Given::Quoted(_) => Ok(Some(ZonedCast::to(own, common.clone()))),
        Given::Of(of) if common.is_floating() && of.is_decimal() => {
            let name = match common {
                DataType::Float64 => "float8",
                _ => "float4",
            };
            Ok(conversion(name).map(|float| float.call(vec![own])))
        }
        _ => Ok(None),
    };
    let fields = input.schema().iter().enumerate();
    let mut exprs = Vec::with_capacity(input.schema().fields().len());
    let mut is_changed = false;
    for (place, (qualifier, field)) in fields {
        let own = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        if place != column {
            exprs.push(own);
            continue;
        }
        let Some(value) = value(own.clone())? else {
            return Ok(None);
        };
        is_changed = true;
        exprs.push(value.alias_qualified(qualifier.cloned(), field.name()));
    }
    if !is_changed {
        return Ok(None);
    }
    let input = LogicalPlanBuilder::from(input.clone());
    Ok(Some(input.project(exprs)?.build()?))
}

//! Groups and their aggregates.

use std::collections::{HashMap, HashSet};

use super::run::{Context, Frame, ordered};
use super::{Aggregate, AggregateKind, From, Grouping, Sort};
use crate::cast::failure;
use crate::error::Result;
use crate::numeric::Numeric;
use crate::types::oid;
use crate::value::Value;

impl Context<'_> {
    /// A row for each group: the columns of its first row, then its aggregates.
    pub fn groups(
        &self,
        from: &From,
        grouping: &Grouping,
        computed: [usize; 3],
        outer: Option<&Frame<'_>>,
    ) -> Result<Vec<Vec<Value>>> {
        let mut positions: HashMap<Vec<Value>, usize> = HashMap::new();
        let mut groups: Vec<Vec<Vec<Value>>> = Vec::new();
        self.join(from, outer, &mut |row| {
            self.keep(row.len())?;
            let frame = Frame::of(row, outer);
            let key = grouping.keys.iter().map(|key| self.evaluate(key, &frame));
            let key = key.collect::<Result<Vec<Value>>>()?;
            let position = *positions.entry(key).or_insert(groups.len());
            match groups.get_mut(position) {
                Some(group) => group.push(row.to_vec()),
                None => groups.push(vec![row.to_vec()]),
            }
            Ok(true)
        })?;
        if groups.is_empty() && grouping.keys.is_empty() {
            groups.push(Vec::new());
        }
        let mut rows = Vec::with_capacity(groups.len());
        for group in groups {
            let first = group.first().cloned();
            let mut row = first.unwrap_or_else(|| vec![Value::Null; from.width]);
            for aggregate in &grouping.aggregates {
                row.push(self.aggregate(aggregate, &group, outer)?);
            }
            if let Some(having) = &grouping.having {
                let frame = Frame {
                    row: &row,
                    computed,
                    parent: outer,
                };
                if !self.evaluate(having, &frame)?.is_true() {
                    continue;
                }
            }
            rows.push(row);
        }
        Ok(rows)
    }

    fn aggregate(
        &self,
        aggregate: &Aggregate,
        group: &[Vec<Value>],
        outer: Option<&Frame<'_>>,
    ) -> Result<Value> {
        let mut inputs: Vec<(Vec<Value>, Vec<Value>)> = Vec::with_capacity(group.len());
        for row in group {
            let frame = Frame::of(row, outer);
            if let Some(filter) = &aggregate.filter
                && !self.evaluate(filter, &frame)?.is_true()
            {
                continue;
            }
            let arguments = aggregate.arguments.iter();
            let arguments = arguments.map(|argument| self.evaluate(argument, &frame));
            let arguments = arguments.collect::<Result<Vec<Value>>>()?;
            let keys = aggregate
                .order
                .iter()
                .map(|key| self.evaluate(&key.expr, &frame));
            inputs.push((keys.collect::<Result<_>>()?, arguments));
        }
        inputs.sort_by(|(a, _), (b, _)| by_keys(&aggregate.order, a, b));
        let mut inputs: Vec<Vec<Value>> = inputs.into_iter().map(|(_, input)| input).collect();
        if aggregate.is_distinct {
            let mut seen = HashSet::new();
            inputs.retain(|input| seen.insert(input.clone()));
            if aggregate.order.is_empty() {
                inputs.sort_by(|a, b| match (a.first(), b.first()) {
                    (Some(a), Some(b)) => a.order(b),
                    _ => std::cmp::Ordering::Equal,
                });
            }
        }
        total(aggregate.kind, aggregate.result, &inputs)
    }
}

/// Two rows in the order of their sort keys.
pub fn by_keys(order: &[Sort], a: &[Value], b: &[Value]) -> std::cmp::Ordering {
    let keys = order.iter().zip(a.iter().zip(b));
    let mut orders = keys.map(|(key, (a, b))| ordered(a, b, key.is_descending, key.nulls_first));
    orders
        .find(|order| order.is_ne())
        .unwrap_or(std::cmp::Ordering::Equal)
}

/// An aggregate over the arguments of each row.
pub fn total(kind: AggregateKind, result: u32, inputs: &[Vec<Value>]) -> Result<Value> {
    let values = || inputs.iter().filter_map(|input| input.first());
    let known = || values().filter(|value| !value.is_null());
    let count = |count: usize| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(match kind {
        AggregateKind::CountRows => count(inputs.len()),
        AggregateKind::Count => count(known().count()),
        AggregateKind::Sum => sum(known(), result)?.unwrap_or(Value::Null),
        AggregateKind::Average => match sum(known(), result)? {
            Some(Value::Float(sum)) => Value::Float(sum / known().count() as f64),
            Some(Value::Numeric(sum)) => {
                let count = i64::try_from(known().count()).unwrap_or(i64::MAX);
                let average = sum.divide(Numeric::integer(count));
                Value::Numeric(average.ok_or_else(too_large)?)
            }
            _ => Value::Null,
        },
        AggregateKind::Min => {
            let least = known().min_by(|a, b| a.order(b));
            least.cloned().unwrap_or(Value::Null)
        }
        AggregateKind::Max => {
            let most = known().max_by(|a, b| a.order(b));
            most.cloned().unwrap_or(Value::Null)
        }
        AggregateKind::And | AggregateKind::Or if known().next().is_none() => Value::Null,
        AggregateKind::And => Value::Bool(known().all(Value::is_true)),
        AggregateKind::Or => Value::Bool(known().any(Value::is_true)),
        AggregateKind::Array if inputs.is_empty() => Value::Null,
        AggregateKind::Array => Value::array(values().cloned().collect()),
        AggregateKind::String => {
            let mut text: Option<String> = None;
            for input in inputs {
                let Some(part) = input.first().and_then(Value::as_str) else {
                    continue;
                };
                match &mut text {
                    Some(text) => {
                        text.push_str(input.get(1).and_then(Value::as_str).unwrap_or(""));
                        text.push_str(part);
                    }
                    None => text = Some(part.to_owned()),
                }
            }
            Value::optional(text)
        }
        AggregateKind::Json | AggregateKind::JsonObject if inputs.is_empty() => Value::Null,
        AggregateKind::Json => {
            let items: Vec<&str> = values().filter_map(Value::as_str).collect();
            Value::text(format!("[{}]", items.join(", ")))
        }
        AggregateKind::JsonObject => {
            let members = inputs.iter().filter_map(|input| match input.as_slice() {
                [Value::Text(key), Value::Text(value)] => {
                    let key = serde_json::Value::from(&**key);
                    Some(format!("{key} : {value}"))
                }
                _ => None,
            });
            Value::text(format!("{{ {} }}", members.collect::<Vec<_>>().join(", ")))
        }
    })
}

fn too_large() -> crate::error::Error {
    failure("22003", "the sum is out of range")
}

fn sum<'v>(values: impl Iterator<Item = &'v Value>, result: u32) -> Result<Option<Value>> {
    let mut total: Option<Value> = None;
    for value in values {
        total = Some(match (total, value) {
            (None, Value::Int(value)) if result == oid::NUMERIC => {
                Value::Numeric(Numeric::integer(*value))
            }
            (None, value) => value.clone(),
            (Some(Value::Int(total)), Value::Int(value)) => {
                Value::Int(total.checked_add(*value).ok_or_else(too_large)?)
            }
            (Some(Value::Float(total)), Value::Float(value)) => Value::Float(total + value),
            (Some(Value::Numeric(total)), Value::Numeric(value)) => {
                Value::Numeric(total.plus(*value).ok_or_else(too_large)?)
            }
            (Some(Value::Numeric(total)), Value::Int(value)) => {
                let value = Numeric::integer(*value);
                Value::Numeric(total.plus(value).ok_or_else(too_large)?)
            }
            (Some(total), _) => total,
        });
    }
    Ok(total)
}

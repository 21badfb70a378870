//! Window functions over the default frame: a partition's rows up to the current one's peers.

use std::collections::HashMap;

use super::aggregates::{by_keys, total};
use super::run::{Context, Frame};
use super::{Window, WindowKind};
use crate::error::Result;
use crate::value::Value;

/// A row of a partition while it is sorted.
struct Member {
    position: usize,
    keys: Vec<Value>,
    arguments: Vec<Value>,
    is_counted: bool,
}

impl Context<'_> {
    /// Appends a window function's value to each row.
    pub fn window(
        &self,
        window: &Window,
        rows: &mut [Vec<Value>],
        computed: [usize; 3],
        outer: Option<&Frame<'_>>,
    ) -> Result<()> {
        let mut partitions: HashMap<Vec<Value>, Vec<Member>> = HashMap::new();
        for (position, row) in rows.iter().enumerate() {
            let frame = Frame {
                row,
                computed,
                parent: outer,
            };
            let partition = window
                .partition
                .iter()
                .map(|key| self.evaluate(key, &frame));
            let keys = window
                .order
                .iter()
                .map(|key| self.evaluate(&key.expr, &frame));
            let arguments = window.arguments.iter();
            let arguments = arguments.map(|argument| self.evaluate(argument, &frame));
            let is_counted = match &window.filter {
                Some(filter) => self.evaluate(filter, &frame)?.is_true(),
                None => true,
            };
            let member = Member {
                position,
                keys: keys.collect::<Result<_>>()?,
                arguments: arguments.collect::<Result<_>>()?,
                is_counted,
            };
            let partition = partition.collect::<Result<Vec<Value>>>()?;
            partitions.entry(partition).or_default().push(member);
        }
        for mut members in partitions.into_values() {
            members.sort_by(|a, b| by_keys(&window.order, &a.keys, &b.keys));
            for (position, value) in self.values(window, &members)? {
                if let Some(row) = rows.get_mut(position) {
                    row.push(value);
                }
            }
        }
        Ok(())
    }

    fn values(&self, window: &Window, members: &[Member]) -> Result<Vec<(usize, Value)>> {
        let mut values = Vec::with_capacity(members.len());
        let (mut first_peer, mut dense_rank) = (0, 0);
        let number = |number: usize| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let mut last_total: Option<(usize, Value)> = None;
        let mut frame_end = 0;
        for (index, member) in members.iter().enumerate() {
            self.tick()?;
            let before = index.checked_sub(1).and_then(|before| members.get(before));
            if before.is_none_or(|before| before.keys != member.keys) {
                first_peer = index;
                dense_rank += 1;
                let peers = members.get(index..).unwrap_or_default().iter();
                frame_end = index + peers.take_while(|peer| peer.keys == member.keys).count();
            }
            let shifted = |is_back: bool| {
                let by = match member.arguments.get(1) {
                    Some(Value::Int(by)) => usize::try_from(*by).unwrap_or(0),
                    _ => 1,
                };
                let other = match is_back {
                    true => index.checked_sub(by),
                    false => index.checked_add(by),
                };
                match other.and_then(|other| members.get(other)) {
                    Some(other) => other.arguments.first(),
                    None => member.arguments.get(2),
                }
            };
            let value = match window.kind {
                WindowKind::RowNumber => number(index + 1),
                WindowKind::Rank => number(first_peer + 1),
                WindowKind::DenseRank => number(dense_rank),
                WindowKind::Lag => shifted(true).cloned().unwrap_or(Value::Null),
                WindowKind::Lead => shifted(false).cloned().unwrap_or(Value::Null),
                WindowKind::FirstValue => first(members.first()),
                WindowKind::LastValue => first(members.get(frame_end - 1)),
                WindowKind::Aggregate(kind, result) => match &last_total {
                    Some((end, value)) if *end == frame_end => value.clone(),
                    _ => {
                        let frame = members.get(..frame_end).unwrap_or_default().iter();
                        let frame = frame.filter(|member| member.is_counted);
                        let inputs: Vec<Vec<Value>> =
                            frame.map(|member| member.arguments.clone()).collect();
                        let value = total(kind, result, &inputs)?;
                        last_total = Some((frame_end, value.clone()));
                        value
                    }
                },
            };
            values.push((member.position, value));
        }
        Ok(values)
    }
}

fn first(member: Option<&Member>) -> Value {
    let value = member.and_then(|member| member.arguments.first());
    value.cloned().unwrap_or(Value::Null)
}

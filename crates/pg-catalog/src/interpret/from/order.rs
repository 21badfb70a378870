//! The order in which the relations of a FROM are joined: what is looked up by a key comes after what gives it.

use super::*;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Inner,
    Left,
    Right,
    Full,
}

pub(super) fn combined(mut left: Group, right: Group, on: Vec<Condition>, kind: Kind) -> Group {
    match kind {
        Kind::Inner => {
            left.items.extend(right.items);
            left.conditions.extend(right.conditions);
            left.conditions.extend(on);
            left
        }
        Kind::Left => {
            let mut item = whole(right);
            item.is_left = true;
            item.on.extend(on);
            left.items.push(item);
            left
        }
        Kind::Right => {
            let mut item = whole(left);
            item.is_left = true;
            item.on.extend(on);
            let mut group = right;
            group.items.push(item);
            group
        }
        Kind::Full => {
            let (left, right) = (whole(left), whole(right));
            let item = Item {
                bits: left.bits | right.bits,
                offset: left.offset.min(right.offset),
                width: left.width + right.width,
                is_left: false,
                on: Vec::new(),
                needs: left.needs | right.needs,
                source: Source::Full {
                    left_width: left.width,
                    left: Box::new(alone(left)),
                    right: Box::new(alone(right)),
                    condition: on.into_iter().map(|on| on.expr).collect(),
                },
            };
            Group {
                items: vec![item],
                conditions: Vec::new(),
            }
        }
    }
}

/// A group as one item.
pub(super) fn whole(mut group: Group) -> Item {
    let is_single = group.items.len() == 1 && group.conditions.is_empty();
    if is_single && let Some(item) = group.items.pop() {
        match item.is_left {
            false => return item,
            true => group.items.push(item),
        }
    }
    let bits = group.items.iter().fold(0, |bits, item| bits | item.bits);
    let needs = group.items.iter().fold(0, |needs, item| needs | item.needs);
    let offset = group.items.iter().map(|item| item.offset).min();
    let width = group.items.iter().map(|item| item.width).sum();
    Item {
        bits,
        needs: needs & !bits,
        offset: offset.unwrap_or(0),
        width,
        is_left: false,
        on: Vec::new(),
        source: Source::Join(Box::new(ordered(group, Vec::new(), None))),
    }
}

pub(super) fn alone(item: Item) -> From {
    let group = Group {
        items: vec![item],
        conditions: Vec::new(),
    };
    ordered(group, Vec::new(), None)
}

/// The order of the joins, with the columns that are read.
pub fn plan(
    group: Group,
    conditions: Vec<Condition>,
    scope: &Scope<'_>,
    catalog: &Catalog,
) -> From {
    let mut from = ordered(group, conditions, Some(catalog));
    from.width = scope.columns.len();
    keep_used(&mut from, scope);
    from
}

pub(super) fn keep_used(from: &mut From, scope: &Scope<'_>) {
    for step in &mut from.steps {
        let columns = 0..step.width;
        step.used = columns
            .filter(|column| scope.is_used(step.offset + column))
            .collect();
        match &mut step.source {
            Source::Join(inner) => {
                inner.width = scope.columns.len();
                keep_used(inner, scope);
            }
            Source::Full { left, right, .. } => {
                for side in [left, right] {
                    side.width = scope.columns.len();
                    keep_used(side, scope);
                }
            }
            _ => {}
        }
    }
}

/// Chooses again and again the item that costs least: one that is looked up by what is there.
pub(super) fn ordered(group: Group, conditions: Vec<Condition>, catalog: Option<&Catalog>) -> From {
    let mut pending: Vec<Condition> = group.conditions;
    pending.extend(conditions);
    let mut items = group.items;
    let mine = items.iter().fold(0, |bits, item| bits | item.bits);
    let mut from = From::default();
    let mut known: u128 = !mine;
    let settled = |condition: &Condition, known: u128| condition.items & !known == 0;
    let mut rest = Vec::new();
    for condition in pending {
        match settled(&condition, known) {
            true => from.conditions.push(condition.expr),
            false => rest.push(condition),
        }
    }
    let mut pending = rest;
    while !items.is_empty() {
        let costs = items.iter().enumerate().filter_map(|(position, item)| {
            let waits = item.needs & !known != 0
                || item.on.iter().any(|on| !settled(on, known | item.bits));
            (!waits).then(|| (position, cost(item, &pending, known, catalog)))
        });
        let best = costs
            .min_by_key(|(_, cost)| *cost)
            .map_or(0, |(position, _)| position);
        let item = items.remove(best);
        let before = known;
        known |= item.bits;
        let mut ready = Vec::new();
        let mut rest = Vec::new();
        for condition in pending {
            match settled(&condition, known) {
                true => ready.push(condition),
                false => rest.push(condition),
            }
        }
        pending = rest;
        let (mut matching, filters) = match item.is_left {
            true => (item.on, ready),
            false => {
                ready.extend(item.on);
                (ready, Vec::new())
            }
        };
        let mut lookup = None;
        if item.needs == 0 {
            let found = matching.iter().position(|condition| {
                key(condition, item.offset, item.width, item.bits, before).is_some()
            });
            if let Some(found) = found {
                let condition = matching.remove(found);
                lookup = into_lookup(condition.expr, item.offset, item.width);
            }
        }
        from.steps.push(Step {
            source: item.source,
            offset: item.offset,
            width: item.width,
            used: Vec::new(),
            is_left: item.is_left,
            is_lateral: item.needs != 0,
            lookup,
            conditions: matching.into_iter().map(|c| c.expr).collect(),
            filters: filters.into_iter().map(|c| c.expr).collect(),
        });
    }
    from
}

pub(super) fn cost(
    item: &Item,
    pending: &[Condition],
    known: u128,
    catalog: Option<&Catalog>,
) -> usize {
    let rows = match &item.source {
        Source::Relation(relation) => catalog.map_or(100, |c| c.relation_size(*relation)),
        Source::Function { .. } => 10,
        Source::Query(query) if matches!(query.body, Body::Values(_)) => 5,
        Source::Full { .. } => 10_000,
        _ => 200,
    };
    let conditions = match item.is_left {
        true => &item.on,
        false => pending,
    };
    let mut ready = conditions
        .iter()
        .filter(|condition| condition.items & !(known | item.bits) == 0);
    let is_found = item.needs == 0
        && ready
            .clone()
            .any(|condition| key(condition, item.offset, item.width, item.bits, known).is_some());
    match (is_found, item.is_left) {
        (true, false) => 1 + rows / 100,
        (true, true) => 50 + rows / 100,
        (false, false) if ready.any(|condition| condition.items & item.bits != 0) => {
            20 + rows * 10 / 4
        }
        (false, _) => 20 + rows * 10,
    }
}

/// The column of an item that a condition says is equal to what is known.
pub(super) fn key(
    condition: &Condition,
    offset: usize,
    width: usize,
    bits: u128,
    known: u128,
) -> Option<usize> {
    let Expr::Binary {
        operator: Binary::Compare(Comparison::Equal),
        left,
        right,
    } = &condition.expr
    else {
        return None;
    };
    if condition.items & !(known | bits) != 0 {
        return None;
    }
    let own = |expr: &Expr| match expr {
        Expr::Column { depth: 0, index } if (offset..offset + width).contains(index) => {
            Some(index - offset)
        }
        _ => None,
    };
    match (own(left), own(right)) {
        (Some(column), None) if !reads(right, offset, width) => Some(column),
        (None, Some(column)) if !reads(left, offset, width) => Some(column),
        _ => None,
    }
}

/// Whether an expression may read columns of an item; of a query inside it is not known.
pub(super) fn reads(expr: &Expr, offset: usize, width: usize) -> bool {
    let any = |parts: &[Expr]| parts.iter().any(|part| reads(part, offset, width));
    match expr {
        Expr::Column { depth, index } => *depth == 0 && (offset..offset + width).contains(index),
        Expr::Value(_) | Expr::Parameter(_) | Expr::Bound(_) => false,
        Expr::Let { value, body, .. } => reads(value, offset, width) || reads(body, offset, width),
        Expr::Cast { expr, .. } | Expr::Not(expr) | Expr::IsNull(expr) => {
            reads(expr, offset, width)
        }
        Expr::Call { arguments, .. } => any(arguments),
        Expr::And(parts) | Expr::Or(parts) | Expr::Coalesce(parts) | Expr::Array(parts) => {
            any(parts)
        }
        Expr::Subscript(left, right) | Expr::Binary { left, right, .. } => {
            reads(left, offset, width) || reads(right, offset, width)
        }
        Expr::Case {
            branches,
            otherwise,
        } => {
            let mut branches = branches.iter();
            reads(otherwise, offset, width)
                || branches.any(|(condition, result)| {
                    reads(condition, offset, width) || reads(result, offset, width)
                })
        }
        Expr::Scalar(query) => query.is_correlated,
        _ => true,
    }
}

pub(super) fn into_lookup(expr: Expr, offset: usize, width: usize) -> Option<(usize, Expr)> {
    let Expr::Binary { left, right, .. } = expr else {
        return None;
    };
    let own = match &*left {
        Expr::Column { depth: 0, index } if (offset..offset + width).contains(index) => {
            Some(index - offset)
        }
        _ => None,
    };
    match (own, *right) {
        (Some(column), key) => Some((column, key)),
        (None, Expr::Column { index, .. }) => Some((index - offset, *left)),
        (None, _) => None,
    }
}

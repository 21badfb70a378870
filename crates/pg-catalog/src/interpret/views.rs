//! Views, with the conditions on them taken inside, so that `information_schema.columns` of one
//! table looks at one table.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, CastKind, DataType, Expr as Ast, Ident, ObjectName, SelectItem, SetExpr,
    Value as Literal,
};
use sql_visit::visit_expressions_mut;

use super::bind::Binder;
use super::names;
use super::{Body, Expr, Query};
use crate::error::Result;
use crate::relations::RelationFacts;
use crate::types::{self, Type, oid};

/// The conditions of a `WHERE` that is being bound, for the views of its `FROM`.
#[derive(Default)]
pub struct Conditions {
    parts: Vec<Ast>,
    /// Whether a bare name is a column of the one relation.
    is_only: bool,
}

impl Conditions {
    /// None where a join may make nulls of any side; what follows `LEFT JOIN` is left out where
    /// it is bound.
    pub fn of(from: &[ast::TableWithJoins], selection: Option<&Ast>) -> Self {
        use ast::JoinOperator as Op;
        let is_simple = |join: &ast::Join| {
            matches!(
                join.join_operator,
                Op::Join(_) | Op::Inner(_) | Op::CrossJoin(_) | Op::Left(_) | Op::LeftOuter(_)
            )
        };
        let mut joins = from.iter().flat_map(|tables| &tables.joins);
        if !joins.all(is_simple) {
            return Self::default();
        }
        let mut pending: Vec<&Ast> = selection.into_iter().collect();
        let mut parts = Vec::new();
        while let Some(expr) = pending.pop() {
            match expr {
                Ast::BinaryOp {
                    left,
                    op: BinaryOperator::And,
                    right,
                } => pending.extend([&**left, &**right]),
                Ast::Nested(inner) => pending.push(inner),
                part => parts.push(part.clone()),
            }
        }
        Self {
            parts,
            is_only: matches!(from, [tables] if tables.joins.is_empty()),
        }
    }

    /// Adds to a view's query what is asked of it under this name; whether there is something.
    pub fn add_to(&self, view: &mut ast::Query, known: &RelationFacts, alias: &str) -> bool {
        let SetExpr::Select(select) = &mut *view.body else {
            return false;
        };
        let mut is_added = false;
        for part in &self.parts {
            let mut part = part.clone();
            let flow = visit_expressions_mut(&mut part, |expr| {
                let column = match &*expr {
                    Ast::Identifier(name) if self.is_only => names::ident(name),
                    Ast::CompoundIdentifier(parts) => match parts.as_slice() {
                        [relation, column] if names::ident(relation) == alias => {
                            names::ident(column)
                        }
                        _ => return ControlFlow::Break(()),
                    },
                    Ast::Identifier(_)
                    | Ast::Subquery(_)
                    | Ast::Exists { .. }
                    | Ast::InSubquery { .. } => return ControlFlow::Break(()),
                    _ => return ControlFlow::Continue(()),
                };
                match inside(&select.projection, known, &column) {
                    Some(inside) => {
                        *expr = inside;
                        ControlFlow::Continue(())
                    }
                    None => ControlFlow::Break(()),
                }
            });
            if flow.is_continue() {
                let part = Ast::Nested(Box::new(part));
                select.selection = Some(match select.selection.take() {
                    Some(selection) => Ast::BinaryOp {
                        left: Box::new(Ast::Nested(Box::new(selection))),
                        op: BinaryOperator::And,
                        right: Box::new(part),
                    },
                    None => part,
                });
                is_added = true;
            }
        }
        is_added
    }
}

/// A column of a view as the expression that it is inside, in the type that it has outside.
fn inside(projection: &[SelectItem], known: &RelationFacts, column: &str) -> Option<Ast> {
    let declared = known.columns.iter().find(|of| of.name == column)?;
    let mut expr = Ast::value(Literal::Null);
    for item in projection {
        match item {
            SelectItem::ExprWithAlias { expr: shown, alias } if names::ident(alias) == column => {
                expr = shown.clone()
            }
            SelectItem::UnnamedExpr(shown) if names::column_name(shown) == column => {
                expr = shown.clone();
            }
            SelectItem::ExprWithAlias { .. } | SelectItem::UnnamedExpr(_) => {}
            _ => return None,
        }
    }
    let fact = types::get(declared.data_type.oid)?;
    let name = Ident::with_quote('"', &fact.name);
    Some(Ast::Nested(Box::new(Ast::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(Ast::Nested(Box::new(expr))),
        data_type: DataType::Custom(ObjectName::from(vec![name]), Vec::new()),
        array: false,
        format: None,
    })))
}

impl Binder<'_> {
    /// A view's query with the columns that the view has; what it does not name is null.
    pub fn view(&mut self, view: &ast::Query, known: &RelationFacts) -> Result<Query> {
        let mut query = self.query(view, None, true)?;
        let Body::Select(select) = &mut query.body else {
            return Ok(query);
        };
        let shown = std::mem::take(&mut select.projection).into_iter();
        let mut shown: Vec<Option<(Expr, Type)>> = shown
            .zip(&query.columns)
            .map(|(expr, column)| Some((expr, column.data_type.clone())))
            .collect();
        for column in &known.columns {
            let mut columns = query.columns.iter();
            let place = columns.position(|of| of.name == column.name);
            let shown = place.and_then(|place| shown.get_mut(place)?.take());
            let (expr, from) = shown.unwrap_or((Expr::null(), Type::of(oid::UNKNOWN)));
            select.projection.push(match expr {
                Expr::Value(value) if value.is_null() => Expr::Value(value),
                expr if types::base(from.oid) == types::base(column.data_type.oid) => expr,
                expr => Expr::Cast {
                    expr: Box::new(expr),
                    from,
                    to: column.data_type.clone(),
                },
            });
        }
        query.columns.clone_from(&known.columns);
        Ok(query)
    }
}

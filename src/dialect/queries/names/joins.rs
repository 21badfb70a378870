//! Relations with their columns, and the joins that merge some of them.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, JoinConstraint, JoinOperator, Select, SelectItem, TableWithJoins,
    Value,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::super::limits::{binary, folded};
use crate::error::{Error, Result};

/// Which side of a join keeps all its rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    None,
    Left,
    Right,
    Both,
}

pub fn constraint(operator: &JoinOperator) -> Option<(&JoinConstraint, Side)> {
    match operator {
        JoinOperator::Join(on) | JoinOperator::Inner(on) => Some((on, Side::None)),
        JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => Some((on, Side::Left)),
        JoinOperator::Right(on) | JoinOperator::RightOuter(on) => Some((on, Side::Right)),
        JoinOperator::FullOuter(on) => Some((on, Side::Both)),
        _ => None,
    }
}

pub fn constraint_mut(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    match operator {
        JoinOperator::Join(on)
        | JoinOperator::Inner(on)
        | JoinOperator::Left(on)
        | JoinOperator::LeftOuter(on)
        | JoinOperator::Right(on)
        | JoinOperator::RightOuter(on)
        | JoinOperator::FullOuter(on) => Some(on),
        _ => None,
    }
}

/// A relation with its columns.
pub struct Relation {
    pub qualifier: Ident,
    pub columns: Vec<String>,
    /// Whether a join may make a row of nulls of it.
    pub is_nullable: bool,
}

impl Relation {
    fn column(&self, name: &str) -> Expr {
        Expr::CompoundIdentifier(vec![self.qualifier.clone(), quoted(name)])
    }

    /// The whole row as one value.
    pub fn row(&self) -> Result<Expr> {
        let mut fields = Vec::with_capacity(self.columns.len());
        for name in &self.columns {
            let text = Value::SingleQuotedString(name.clone());
            fields.push(format!("{text}, {}", self.column(name)));
        }
        let mut text = format!("named_struct({})", fields.join(", "));
        if self.is_nullable {
            let columns = self.columns.iter();
            let is_there = columns.map(|name| format!("{} is not null", self.column(name)));
            let is_there: Vec<String> = is_there.collect();
            text = format!("case when {} then {text} end", is_there.join(" or "));
        }
        let parsed = Parser::new(&PostgreSqlDialect {})
            .try_with_sql(&text)
            .and_then(|mut parser| parser.parse_expr());
        Ok(parsed.map_err(datafusion::error::DataFusionError::from)?)
    }
}

pub fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

pub type Columns = Vec<(String, Expr)>;

/// Says the conditions of joins that merge columns: the columns of the whole in their order, and
/// those that are merged. Nothing where a name cannot be told apart.
pub fn merge(
    table: &mut TableWithJoins,
    relations: &[Relation],
) -> Result<Option<(Columns, Columns)>> {
    let Some((first, others)) = relations.split_first() else {
        return Ok(None);
    };
    let of = |relation: &Relation| -> Columns {
        let columns = relation.columns.iter();
        columns
            .map(|name| (name.clone(), relation.column(name)))
            .collect()
    };
    let mut visible = of(first);
    let mut merged = Columns::new();
    for (join, right) in table.joins.iter_mut().zip(others) {
        let side = constraint(&join.join_operator).map(|(_, side)| side);
        let right_columns = of(right);
        let names: Vec<String> = match constraint_mut(&mut join.join_operator) {
            Some(JoinConstraint::Using(names)) => {
                let idents = names.iter().filter_map(|name| name.0.last()?.as_ident());
                idents.map(folded).collect()
            }
            Some(JoinConstraint::Natural) => {
                let is_right = |name: &String| right.columns.contains(name);
                let names = visible.iter().map(|(name, _)| name).filter(|n| is_right(n));
                names.cloned().collect()
            }
            _ => {
                visible.extend(right_columns);
                continue;
            }
        };
        let mut condition: Option<Expr> = None;
        let mut made = Columns::new();
        for name in &names {
            let find = |columns: &Columns, side: &str| {
                let mut found = columns.iter().filter(|(known, _)| known == name);
                match (found.next(), found.next()) {
                    (Some((_, expr)), None) => Ok(expr.clone()),
                    (None, _) => Err(Error::session(
                        "42703",
                        format!(
                            "column \"{name}\" specified in USING clause does not exist in {side} table"
                        ),
                    )),
                    _ => Err(Error::session(
                        "42702",
                        format!(
                            "common column name \"{name}\" appears more than once in {side} table"
                        ),
                    )),
                }
            };
            let (left, right) = (find(&visible, "left")?, find(&right_columns, "right")?);
            let equal = binary(left.clone(), BinaryOperator::Eq, right.clone());
            condition = Some(match condition {
                Some(condition) => binary(condition, BinaryOperator::And, equal),
                None => equal,
            });
            let value = match side {
                Some(Side::Right) => right,
                Some(Side::Both) => coalesce(&left, &right)?,
                _ => left,
            };
            made.push((name.clone(), value));
        }
        let is_other = |(name, _): &(String, Expr)| !names.contains(name);
        let others: Columns = visible
            .into_iter()
            .chain(right_columns)
            .filter(is_other)
            .collect();
        merged.retain(is_other);
        merged.extend(made.iter().cloned());
        visible = made.into_iter().chain(others).collect();
        if let Some(on) = constraint_mut(&mut join.join_operator) {
            let always = Expr::Value(Value::Boolean(true).with_empty_span());
            *on = JoinConstraint::On(condition.unwrap_or(always));
        }
    }
    Ok(Some((visible, merged)))
}

fn coalesce(left: &Expr, right: &Expr) -> Result<Expr> {
    let parsed = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(&format!("coalesce({left}, {right})"))
        .and_then(|mut parser| parser.parse_expr());
    Ok(parsed.map_err(datafusion::error::DataFusionError::from)?)
}

/// Says the columns that `*` stands for.
pub fn expand(select: &mut Select, visible: &Columns) {
    let items = std::mem::take(&mut select.projection);
    for item in items {
        match item {
            SelectItem::Wildcard(_) => {
                select
                    .projection
                    .extend(visible.iter().map(|(name, expr)| match expr {
                        Expr::CompoundIdentifier(_) => SelectItem::UnnamedExpr(expr.clone()),
                        _ => SelectItem::ExprWithAlias {
                            expr: expr.clone(),
                            alias: quoted(name),
                        },
                    }));
            }
            item => select.projection.push(item),
        }
    }
}

//! Binding of queries: from the parsed statement to a plan with types.

mod select;

use std::cell::RefCell;

use datafusion::sql::sqlparser::ast::{self, Expr as Ast};

use super::names;
use super::scope::{Clause, Scope};
use super::views::Conditions;
use super::{
    Body, Column, Cte, Distinct, Expr, Grouping, MOST_NESTED, Query, Recursion, Select,
    SetOperator, SortKey,
};
use crate::Catalog;
use crate::cast::failure;
use crate::error::Result;
use crate::types::{self, Type, oid};

/// Binds one statement.
pub struct Binder<'c> {
    pub catalog: &'c Catalog,
    /// The types of `$1` and so on, where given or seen.
    pub parameters: RefCell<Vec<Option<Type>>>,
    /// The queries of `WITH` that are in sight, innermost last.
    ctes: Vec<(String, CteInSight)>,
    /// The queries being bound: the scopes around each, and whether it reads from one.
    units: RefCell<Vec<(usize, bool)>>,
    /// What is asked of the relations that are being bound.
    pub conditions: Conditions,
    next_id: usize,
    nested: usize,
}

#[derive(Clone)]
struct CteInSight {
    slot: usize,
    columns: Vec<Column>,
    /// How many queries are around its `WITH`.
    owner: usize,
}

impl<'c> Binder<'c> {
    pub fn new(catalog: &'c Catalog, given: &[Option<Type>]) -> Self {
        Self {
            catalog,
            parameters: RefCell::new(given.to_vec()),
            ctes: Vec::new(),
            units: RefCell::default(),
            conditions: Conditions::default(),
            next_id: 0,
            nested: 0,
        }
    }

    /// The whole statement.
    pub fn statement(&mut self, query: &ast::Query) -> Result<Query> {
        self.query(query, None, true)
    }

    /// One level deeper, or an error where the stack would end.
    pub fn nest<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.nested >= MOST_NESTED {
            let message = "stack depth limit exceeded: the statement is nested too deeply";
            return Err(failure("54001", message));
        }
        self.nested += 1;
        let result = inner(self);
        self.nested -= 1;
        result
    }

    pub fn id(&mut self) -> usize {
        self.next_id += 1;
        self.next_id
    }

    /// Notes that something of the scope at this level is read: every query inside of it is
    /// correlated.
    pub fn escape(&self, level: usize) {
        for (around, is_correlated) in self.units.borrow_mut().iter_mut() {
            if level < *around {
                *is_correlated = true;
            }
        }
    }

    pub fn cte(&self, name: &str) -> Option<(usize, Vec<Column>)> {
        let mut in_sight = self.ctes.iter().rev();
        let (_, cte) = in_sight.find(|(known, _)| known == name)?;
        // Its rows may be others when the query that has it runs again.
        for (_, is_correlated) in self.units.borrow_mut().iter_mut().skip(cte.owner) {
            *is_correlated = true;
        }
        Some((cte.slot, cte.columns.clone()))
    }

    /// A query; texts of unknown type become `text` unless a union around it decides.
    pub fn query(
        &mut self,
        query: &ast::Query,
        parent: Option<&Scope<'_>>,
        resolves: bool,
    ) -> Result<Query> {
        let around = parent.map_or(0, |parent| parent.level + 1);
        self.units.borrow_mut().push((around, false));
        let in_sight = self.ctes.len();
        let bound = self.nest(|binder| binder.query_with(query, parent, resolves));
        self.ctes.truncate(in_sight);
        let unit = self.units.borrow_mut().pop();
        let mut bound = bound?;
        bound.is_correlated = unit.is_some_and(|(_, is_correlated)| is_correlated);
        Ok(bound)
    }

    fn query_with(
        &mut self,
        query: &ast::Query,
        parent: Option<&Scope<'_>>,
        resolves: bool,
    ) -> Result<Query> {
        let mut ctes = Vec::new();
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                ctes.push(self.cte_of(cte, with.recursive, parent)?);
            }
        }
        let order: &[ast::OrderByExpr] = match &query.order_by {
            Some(order) => match &order.kind {
                ast::OrderByKind::Expressions(order) => order,
                ast::OrderByKind::All(_) => return Err(unsupported("ORDER BY ALL")),
            },
            None => &[],
        };
        let mut bound = self.body(&query.body, order, parent)?;
        if resolves {
            let known = bound.columns.iter().map(|column| column.data_type.clone());
            let known = known.map(|known| match known.is_unknown() {
                true => Type::of(oid::TEXT),
                false => known,
            });
            let known: Vec<Type> = known.collect();
            self.coerce_query(&mut bound, &known)?;
        }
        let (limit, offset) = match &query.limit_clause {
            Some(ast::LimitClause::LimitOffset { limit, offset, .. }) => {
                (limit.as_ref(), offset.as_ref().map(|offset| &offset.value))
            }
            Some(ast::LimitClause::OffsetCommaLimit { offset, limit }) => {
                (Some(limit), Some(offset))
            }
            None => (None, None),
        };
        let limit = limit.or(query
            .fetch
            .as_ref()
            .and_then(|fetch| fetch.quantity.as_ref()));
        let scope = Scope::new(parent);
        let count = |binder: &mut Self, count: Option<&Ast>| -> Result<Option<Expr>> {
            let Some(count) = count else { return Ok(None) };
            let bound = binder.expr(count, &scope)?;
            Ok(Some(binder.coerce(bound, &Type::of(oid::INT8))?))
        };
        bound.limit = count(self, limit)?;
        bound.offset = count(self, offset)?;
        bound.ctes.splice(0..0, ctes);
        Ok(bound)
    }

    fn cte_of(
        &mut self,
        cte: &ast::Cte,
        is_recursive: bool,
        parent: Option<&Scope<'_>>,
    ) -> Result<Cte> {
        let name = names::ident(&cte.alias.name);
        let slot = self.id();
        let renamed = |columns: &[Column]| -> Vec<Column> {
            let mut columns = columns.to_vec();
            for (column, alias) in columns.iter_mut().zip(&cte.alias.columns) {
                column.name = names::ident(&alias.name);
            }
            columns
        };
        let union = match (
            &*cte.query.body,
            is_recursive && mentions(&cte.query, &name),
        ) {
            (
                ast::SetExpr::SetOperation {
                    left,
                    op: ast::SetOperator::Union,
                    set_quantifier,
                    right,
                },
                true,
            ) => Some((left, set_quantifier, right)),
            _ => None,
        };
        let Some((left, quantifier, right)) = union else {
            let query = self.query(&cte.query, parent, true)?;
            let columns = renamed(&query.columns);
            let width = columns.len();
            self.ctes.push((
                name,
                CteInSight {
                    slot,
                    columns,
                    owner: self.units.borrow().len(),
                },
            ));
            return Ok(Cte {
                slot,
                width,
                query,
                recursive: None,
            });
        };
        let part = |body: &ast::SetExpr| ast::Query {
            with: None,
            body: Box::new(body.clone()),
            order_by: None,
            ..(*cte.query).clone()
        };
        let query = self.query(&part(left), parent, true)?;
        let columns = renamed(&query.columns);
        let types: Vec<Type> = columns
            .iter()
            .map(|column| column.data_type.clone())
            .collect();
        let width = columns.len();
        self.ctes.push((
            name,
            CteInSight {
                slot,
                columns,
                owner: self.units.borrow().len(),
            },
        ));
        let mut step = self.query(&part(right), parent, false)?;
        if step.columns.len() != width {
            return Err(uneven("UNION"));
        }
        self.coerce_query(&mut step, &types)?;
        Ok(Cte {
            slot,
            width,
            query,
            recursive: Some(Recursion {
                step,
                keeps_duplicates: keeps_duplicates(quantifier),
            }),
        })
    }

    fn body(
        &mut self,
        body: &ast::SetExpr,
        order: &[ast::OrderByExpr],
        parent: Option<&Scope<'_>>,
    ) -> Result<Query> {
        match body {
            ast::SetExpr::Select(select) => self.select(select, order, parent),
            ast::SetExpr::Query(query) => {
                let mut bound = self.query(query, parent, false)?;
                if !order.is_empty() {
                    if !bound.order.is_empty() || bound.limit.is_some() {
                        return Err(unsupported("ORDER BY of a query that is sorted already"));
                    }
                    bound.order = self.order_of_columns(order, &bound.columns)?;
                }
                Ok(bound)
            }
            ast::SetExpr::Values(values) => {
                let mut bound = self.values(values, parent)?;
                bound.order = self.order_of_columns(order, &bound.columns)?;
                Ok(bound)
            }
            ast::SetExpr::SetOperation {
                left,
                op,
                set_quantifier,
                right,
            } => {
                let mut bound = self.set_operation(left, *op, set_quantifier, right, parent)?;
                bound.order = self.order_of_columns(order, &bound.columns)?;
                Ok(bound)
            }
            ast::SetExpr::Table(table) => {
                let name = table.table_name.clone().unwrap_or_default();
                let schema = table
                    .schema_name
                    .as_ref()
                    .map(|schema| format!("\"{schema}\"."));
                let sql = format!("SELECT * FROM {}\"{name}\"", schema.unwrap_or_default());
                let query = super::super::answers::parse_query(&sql)?;
                self.query(&query, parent, false)
            }
            _ => Err(unsupported("a statement that writes")),
        }
    }

    fn finished(&mut self, body: Body, columns: Vec<Column>, order: Vec<SortKey>) -> Query {
        Query {
            id: self.id(),
            is_correlated: false,
            ctes: Vec::new(),
            body,
            columns,
            order,
            limit: None,
            offset: None,
        }
    }

    fn values(&mut self, values: &ast::Values, parent: Option<&Scope<'_>>) -> Result<Query> {
        let scope = Scope::new(parent);
        let mut rows: Vec<Vec<(Expr, Type)>> = Vec::with_capacity(values.rows.len());
        for row in &values.rows {
            let row = row.content.iter().map(|value| self.expr(value, &scope));
            rows.push(row.collect::<Result<_>>()?);
        }
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            return Err(failure("42601", "VALUES lists must all be the same length"));
        }
        let mut columns = Vec::with_capacity(width);
        for position in 0..width {
            let types = rows.iter().filter_map(|row| row.get(position));
            let types: Vec<Type> = types.map(|(_, data_type)| data_type.clone()).collect();
            columns.push(Column {
                name: format!("column{}", position + 1),
                data_type: unified(&types, "VALUES")?,
            });
        }
        let mut bound = Vec::with_capacity(rows.len());
        for row in rows {
            let row = row.into_iter().zip(&columns);
            let row = row.map(|(value, column)| self.coerce(value, &column.data_type));
            bound.push(row.collect::<Result<_>>()?);
        }
        Ok(self.finished(Body::Values(bound), columns, Vec::new()))
    }

    fn set_operation(
        &mut self,
        left: &ast::SetExpr,
        operator: ast::SetOperator,
        quantifier: &ast::SetQuantifier,
        right: &ast::SetExpr,
        parent: Option<&Scope<'_>>,
    ) -> Result<Query> {
        let (operator, name) = match operator {
            ast::SetOperator::Union => (SetOperator::Union, "UNION"),
            ast::SetOperator::Intersect => (SetOperator::Intersect, "INTERSECT"),
            _ => (SetOperator::Except, "EXCEPT"),
        };
        let mut left = self.part(left, parent)?;
        let mut right = self.part(right, parent)?;
        if left.columns.len() != right.columns.len() {
            return Err(uneven(name));
        }
        let pairs = left.columns.iter().zip(&right.columns);
        let types = pairs.map(|(a, b)| unified(&[a.data_type.clone(), b.data_type.clone()], name));
        let types = types.collect::<Result<Vec<Type>>>()?;
        self.coerce_query(&mut left, &types)?;
        self.coerce_query(&mut right, &types)?;
        let columns = left.columns.clone();
        let body = Body::Set {
            operator,
            keeps_duplicates: keeps_duplicates(quantifier),
            left: Box::new(left),
            right: Box::new(right),
        };
        Ok(self.finished(body, columns, Vec::new()))
    }

    /// One side of a set operation.
    fn part(&mut self, body: &ast::SetExpr, parent: Option<&Scope<'_>>) -> Result<Query> {
        let around = parent.map_or(0, |parent| parent.level + 1);
        self.units.borrow_mut().push((around, false));
        let bound = self.nest(|binder| binder.body(body, &[], parent));
        let unit = self.units.borrow_mut().pop();
        let mut bound = bound?;
        bound.is_correlated = unit.is_some_and(|(_, is_correlated)| is_correlated);
        Ok(bound)
    }

    /// Gives the columns of a query these types.
    pub fn coerce_query(&self, query: &mut Query, types: &[Type]) -> Result<()> {
        for (position, to) in types.iter().enumerate() {
            let Some(column) = query.columns.get_mut(position) else {
                continue;
            };
            if column.data_type.oid == to.oid {
                continue;
            }
            let from = std::mem::replace(&mut column.data_type, to.clone());
            match &mut query.body {
                Body::Select(select) => {
                    if let Some(expr) = select.projection.get_mut(position) {
                        let bound = std::mem::replace(expr, Expr::null());
                        *expr = self.coerce((bound, from), to)?;
                    }
                }
                Body::Values(rows) => {
                    for expr in rows.iter_mut().filter_map(|row| row.get_mut(position)) {
                        let bound = std::mem::replace(expr, Expr::null());
                        *expr = self.coerce((bound, from.clone()), to)?;
                    }
                }
                Body::Set { .. } => {}
            }
        }
        if let Body::Set { left, right, .. } = &mut query.body {
            self.coerce_query(left, types)?;
            self.coerce_query(right, types)?;
        }
        Ok(())
    }
}

fn keeps_duplicates(quantifier: &ast::SetQuantifier) -> bool {
    matches!(quantifier, ast::SetQuantifier::All)
}

/// The type of a column that several expressions make.
pub fn unified(of: &[Type], place: &str) -> Result<Type> {
    let mut united: Option<Type> = None;
    for data_type in of {
        united = Some(match united {
            None => data_type.clone(),
            Some(known) if known.oid == data_type.oid => match known.typmod == data_type.typmod {
                true => known,
                false => Type::of(known.oid),
            },
            // Texts of all kinds are turned into each other: the first decides.
            Some(known)
                if types::is_text(known.oid)
                    && types::is_text(data_type.oid)
                    && known.oid != oid::CHAR =>
            {
                Type::of(known.oid)
            }
            Some(known) => match types::common(known.oid, data_type.oid) {
                Some(oid) => Type::of(oid),
                None => {
                    let name = |data_type: &Type| types::format(data_type.oid, -1);
                    let (a, b) = (name(&known), name(data_type));
                    return Err(failure(
                        "42804",
                        format!(
                            "{place} types {} and {} cannot be matched",
                            a.unwrap_or_default(),
                            b.unwrap_or_default()
                        ),
                    ));
                }
            },
        });
    }
    Ok(united.unwrap_or(Type::of(oid::TEXT)))
}

fn uneven(name: &str) -> crate::error::Error {
    failure(
        "42601",
        format!("each {name} query must have the same number of columns"),
    )
}

fn no_position(clause: &str, position: usize) -> crate::error::Error {
    failure(
        "42P10",
        format!("{clause} position {position} is not in select list"),
    )
}

pub fn no_relation(name: &str) -> crate::error::Error {
    failure(
        "42P01",
        format!("missing FROM-clause entry for table \"{name}\""),
    )
}

pub fn unsupported(what: &str) -> crate::error::Error {
    failure("0A000", format!("the catalog does not support {what}"))
}

/// Whether a query reads a relation of this name, at any depth.
fn mentions(query: &ast::Query, name: &str) -> bool {
    use std::ops::ControlFlow;
    let flow =
        sql_visit::visit_relations(query, |relation| match names::parts(relation).as_slice() {
            [only] if only == name => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
    flow.is_break()
}

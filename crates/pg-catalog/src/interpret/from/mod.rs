//! Binding of `FROM` and `WHERE`: relations become items, conditions are split at `AND`, and
//! [`plan`] puts the items into an order in which each is looked up by what is known before it.

mod order;

use datafusion::sql::sqlparser::ast::{self, BinaryOperator, Expr as Ast, TableFactor};

use super::bind::{Binder, unsupported};
use super::names;
use super::scope::{Scope, ScopeColumn, ScopeRelation};
use super::views::Conditions;
use super::{Binary, Body, Column, Comparison, Expr, From, SetCall, Source, Step};
use crate::Catalog;
use crate::cast::failure;
use crate::error::Result;
use crate::relations;
use crate::types::{self, Type, oid};
pub use order::plan;
use order::{Kind, combined};

/// A condition, and the items it names as bits.
pub struct Condition {
    expr: Expr,
    items: u128,
}

/// Relations that are joined in any order, and what joins them.
#[derive(Default)]
pub struct Group {
    items: Vec<Item>,
    conditions: Vec<Condition>,
}

struct Item {
    source: Source,
    /// The bits of all relations in it.
    bits: u128,
    offset: usize,
    width: usize,
    is_left: bool,
    on: Vec<Condition>,
    /// The items whose columns it reads.
    needs: u128,
}

impl Binder<'_> {
    /// Binds the relations into the scope, and the condition of `WHERE`.
    pub fn relations(
        &mut self,
        from: &[ast::TableWithJoins],
        selection: Option<&Ast>,
        scope: &mut Scope<'_>,
    ) -> Result<(Group, Vec<Condition>)> {
        let mut group = Group::default();
        let conditions = Conditions::of(from, selection);
        let around = std::mem::replace(&mut self.conditions, conditions);
        for tables in from {
            let joined = self.joined(tables, scope)?;
            group.items.extend(joined.items);
            group.conditions.extend(joined.conditions);
        }
        self.conditions = around;
        let mut conditions = Vec::new();
        if let Some(selection) = selection {
            self.split(selection, scope, &mut conditions)?;
        }
        Ok((group, conditions))
    }

    /// The parts of a condition that are joined by `AND`.
    fn split(&mut self, expr: &Ast, scope: &Scope<'_>, parts: &mut Vec<Condition>) -> Result<()> {
        // A chain of ANDs leans to the left, and may be long.
        let mut pending = vec![expr];
        while let Some(expr) = pending.pop() {
            match expr {
                Ast::BinaryOp {
                    left,
                    op: BinaryOperator::And,
                    right,
                } => {
                    pending.push(right);
                    pending.push(left);
                }
                Ast::Nested(inner) => pending.push(inner),
                expr => {
                    scope.touched.set(0);
                    let bound = self.condition(expr, scope)?;
                    parts.push(Condition {
                        expr: bound,
                        items: scope.touched.get(),
                    });
                }
            }
        }
        Ok(())
    }

    fn joined(&mut self, tables: &ast::TableWithJoins, scope: &mut Scope<'_>) -> Result<Group> {
        let star_from = scope.star.len();
        let first = scope.columns.len();
        let mut group = self.factor(&tables.relation, scope)?;
        for join in &tables.joins {
            let left_columns = first..scope.columns.len();
            let right_first = scope.columns.len();
            use ast::JoinOperator as Op;
            let (kind, constraint) = match &join.join_operator {
                Op::Join(on) | Op::Inner(on) | Op::CrossJoin(on) => (Kind::Inner, on),
                Op::Left(on) | Op::LeftOuter(on) => (Kind::Left, on),
                Op::Right(on) | Op::RightOuter(on) => (Kind::Right, on),
                Op::FullOuter(on) => (Kind::Full, on),
                _ => return Err(unsupported("this kind of join")),
            };
            let right = match kind {
                Kind::Left => {
                    // A row of nulls may fulfil what a row of the view does not.
                    let conditions = std::mem::take(&mut self.conditions);
                    let right = self.factor(&join.relation, scope);
                    self.conditions = conditions;
                    right?
                }
                _ => self.factor(&join.relation, scope)?,
            };
            let right_columns = right_first..scope.columns.len();
            let mut on = Vec::new();
            match constraint {
                ast::JoinConstraint::On(expr) => self.split(expr, scope, &mut on)?,
                ast::JoinConstraint::None => {}
                ast::JoinConstraint::Using(columns) => {
                    let names = columns.iter().map(|name| names::schema_and_name(name).1);
                    let names: Vec<String> = names.collect();
                    on = self.using(names, left_columns, right_columns, kind, scope, star_from)?;
                }
                ast::JoinConstraint::Natural => {
                    let all = scope.columns.get(right_columns.clone()).unwrap_or_default();
                    let left = scope.columns.get(left_columns.clone()).unwrap_or_default();
                    let shared = all.iter().map(|column| column.name.clone()).filter(|name| {
                        let mut left = left.iter();
                        left.any(|column| !column.is_merged && column.name == *name)
                    });
                    let names: Vec<String> = shared.collect();
                    on = self.using(names, left_columns, right_columns, kind, scope, star_from)?;
                }
            }
            group = combined(group, right, on, kind);
        }
        Ok(group)
    }

    /// `USING`: equality of the named columns, which are one column from here on.
    fn using(
        &mut self,
        names: Vec<String>,
        left: std::ops::Range<usize>,
        right: std::ops::Range<usize>,
        kind: Kind,
        scope: &mut Scope<'_>,
        star_from: usize,
    ) -> Result<Vec<Condition>> {
        let mut on = Vec::with_capacity(names.len());
        let mut merged = Vec::with_capacity(names.len());
        for name in names {
            let find = |range: &std::ops::Range<usize>| {
                range.clone().find(|index| {
                    let column = scope.columns.get(*index);
                    column.is_some_and(|column| !column.is_merged && column.name == name)
                })
            };
            let (Some(a), Some(b)) = (find(&left), find(&right)) else {
                let message = format!("column \"{name}\" specified in USING clause does not exist");
                return Err(failure("42703", message));
            };
            scope.touched.set(0);
            let (x, y) = (self.column(scope, 0, a), self.column(scope, 0, b));
            let items = scope.touched.get();
            let expr = self.compare(Comparison::Equal, x, y)?.0;
            on.push(Condition { expr, items });
            let (kept, hidden) = if kind == Kind::Right { (b, a) } else { (a, b) };
            if let Some(column) = scope.columns.get_mut(hidden) {
                column.is_merged = true;
            }
            if let (Kind::Full, Some(column)) = (kind, scope.columns.get_mut(kept)) {
                column.or_else = Some(hidden);
            }
            scope.star.retain(|index| *index != a && *index != b);
            merged.push(kept);
        }
        let at = star_from.min(scope.star.len());
        scope.star.splice(at..at, merged);
        Ok(on)
    }

    fn factor(&mut self, factor: &TableFactor, scope: &mut Scope<'_>) -> Result<Group> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                with_ordinality: false,
                ..
            } => self.table(name, alias.as_ref(), scope),
            TableFactor::Table {
                name,
                alias,
                args: Some(args),
                with_ordinality,
                ..
            } => self.function(name, &args.args, alias.as_ref(), *with_ordinality, scope),
            TableFactor::Function {
                name,
                args,
                alias,
                with_ordinality,
                ..
            } => self.function(name, args, alias.as_ref(), *with_ordinality, scope),
            TableFactor::TableFunction {
                expr: Ast::Function(call),
                alias,
            } => {
                let arguments = match &call.args {
                    ast::FunctionArguments::List(list) => list.args.as_slice(),
                    _ => &[],
                };
                self.function(&call.name, arguments, alias.as_ref(), false, scope)
            }
            TableFactor::UNNEST {
                alias,
                array_exprs,
                with_ordinality,
                ..
            } => {
                scope.touched.set(0);
                let mut calls = Vec::with_capacity(array_exprs.len());
                for array in array_exprs {
                    let array = self.expr(array, scope)?;
                    calls.push(self.set_call("unnest", vec![array])?);
                }
                self.functions("unnest", calls, alias.as_ref(), *with_ordinality, scope)
            }
            TableFactor::Derived {
                lateral,
                subquery,
                alias,
                ..
            } => {
                scope.touched.set(0);
                let query = match lateral {
                    true => self.query(subquery, Some(&*scope), true)?,
                    false => self.query(subquery, scope.parent, true)?,
                };
                let needs = scope.touched.get();
                let columns = query.columns.clone();
                let source = Source::Query(Box::new(query));
                let name = alias.as_ref().map(|alias| names::ident(&alias.name));
                let name = name.unwrap_or_default();
                self.item(source, None, name, columns, alias.as_ref(), needs, scope)
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => {
                let conditions = std::mem::take(&mut self.conditions);
                let joined = self.nest(|binder| binder.joined(table_with_joins, scope));
                self.conditions = conditions;
                joined
            }
            _ => Err(unsupported("this kind of relation")),
        }
    }

    fn table(
        &mut self,
        name: &ast::ObjectName,
        alias: Option<&ast::TableAlias>,
        scope: &mut Scope<'_>,
    ) -> Result<Group> {
        let (schema, name) = names::schema_and_name(name);
        if schema.is_none()
            && let Some((slot, columns)) = self.cte(&name)
        {
            return self.item(Source::Cte(slot), None, name, columns, alias, 0, scope);
        }
        let Some(relation) = self.catalog.relation(schema.as_deref(), &name) else {
            let full = schema.map_or_else(|| name.clone(), |schema| format!("{schema}.{name}"));
            return Err(failure(
                "42P01",
                format!("relation \"{full}\" does not exist"),
            ));
        };
        let known = self.catalog.relation_facts(relation);
        let (schema, columns) = (Some(known.schema.to_owned()), known.columns.clone());
        let source = match relations::view(known) {
            Some(view) => self.source_of_view(relation, view, &name, alias)?,
            None => Source::Relation(relation),
        };
        self.item(source, schema, name, columns, alias, 0, scope)
    }

    /// A view as a whole, or the part of it that is asked for.
    fn source_of_view(
        &mut self,
        relation: usize,
        view: &ast::Query,
        name: &str,
        alias: Option<&ast::TableAlias>,
    ) -> Result<Source> {
        let known = self.catalog.relation_facts(relation);
        let is_renamed = alias.is_some_and(|alias| !alias.columns.is_empty());
        let alias = alias.map_or_else(|| name.to_owned(), |alias| names::ident(&alias.name));
        let mut part = view.clone();
        match !is_renamed && self.conditions.add_to(&mut part, known, &alias) {
            true => Ok(Source::Query(Box::new(self.view(&part, known)?))),
            false => Ok(Source::Relation(relation)),
        }
    }

    fn function(
        &mut self,
        name: &ast::ObjectName,
        arguments: &[ast::FunctionArg],
        alias: Option<&ast::TableAlias>,
        has_ordinality: bool,
        scope: &mut Scope<'_>,
    ) -> Result<Group> {
        let (_, name) = names::schema_and_name(name);
        scope.touched.set(0);
        let arguments = self.arguments(arguments, scope)?;
        let call = match name.as_str() {
            // Several arrays, one column for each.
            "unnest" if arguments.len() > 1 => {
                let calls = arguments.into_iter();
                let calls = calls.map(|array| self.set_call("unnest", vec![array]));
                calls.collect::<Result<Vec<_>>>()?
            }
            _ => vec![self.set_call(&name, arguments)?],
        };
        self.functions(&name, call, alias, has_ordinality, scope)
    }

    fn functions(
        &mut self,
        name: &str,
        calls: Vec<SetCall>,
        alias: Option<&ast::TableAlias>,
        has_ordinality: bool,
        scope: &mut Scope<'_>,
    ) -> Result<Group> {
        let needs = scope.touched.get();
        let mut columns: Vec<Column> = Vec::new();
        for call in &calls {
            columns.extend(call.columns.iter().cloned());
        }
        // The one column of a function has the relation's name.
        if let ([column], Some(alias), false) = (columns.as_mut_slice(), alias, calls.len() > 1) {
            let is_scalar = calls.first().is_some_and(|call| !call.is_record);
            if is_scalar {
                column.name = names::ident(&alias.name);
            }
        }
        if has_ordinality {
            columns.push(Column {
                name: "ordinality".into(),
                data_type: Type::of(oid::INT8),
            });
        }
        let source = Source::Function {
            calls,
            has_ordinality,
        };
        self.item(source, None, name.to_owned(), columns, alias, needs, scope)
    }

    /// Adds a relation to the scope.
    #[expect(clippy::too_many_arguments, reason = "each is a fact of the relation")]
    fn item(
        &mut self,
        source: Source,
        schema: Option<String>,
        name: String,
        mut columns: Vec<Column>,
        alias: Option<&ast::TableAlias>,
        needs: u128,
        scope: &mut Scope<'_>,
    ) -> Result<Group> {
        let mut relation = (schema, name);
        if let Some(alias) = alias {
            relation = (None, names::ident(&alias.name));
            if alias.columns.len() > columns.len() {
                let message = format!(
                    "table \"{}\" has {} columns available but {} columns specified",
                    relation.1,
                    columns.len(),
                    alias.columns.len()
                );
                return Err(failure("42P10", message));
            }
            for (column, alias) in columns.iter_mut().zip(&alias.columns) {
                column.name = names::ident(&alias.name);
            }
        }
        let (schema, name) = relation;
        let is_taken = |known: &ScopeRelation| {
            known.name == name && known.schema == schema && !name.is_empty()
        };
        if scope.relations.iter().any(is_taken) {
            let message = format!("table name \"{name}\" specified more than once");
            return Err(failure("42712", message));
        }
        let oid = match &source {
            Source::Relation(relation) => Some(self.catalog.relation_facts(*relation).oid),
            _ => None,
        };
        let number = u32::try_from(scope.relations.len()).unwrap_or(u32::MAX);
        if number >= 128 {
            return Err(failure("54000", "more than 128 relations in one FROM"));
        }
        let (offset, width) = (scope.columns.len(), columns.len());
        scope.relations.push(ScopeRelation {
            schema,
            name,
            first: offset,
            width,
            oid,
        });
        for column in columns {
            scope.star.push(scope.columns.len());
            scope.columns.push(ScopeColumn {
                name: column.name,
                data_type: column.data_type,
                item: number,
                is_merged: false,
                or_else: None,
            });
        }
        let item = Item {
            source,
            bits: 1 << number,
            offset,
            width,
            is_left: false,
            on: Vec::new(),
            needs,
        };
        Ok(Group {
            items: vec![item],
            conditions: Vec::new(),
        })
    }
}

/// The element type of what a set function takes, for the type of its column.
pub fn element_or_text(data_type: &Type) -> Type {
    match types::element(data_type.oid) {
        Some(element) => Type::with_typmod(element, data_type.typmod),
        None => Type::of(oid::TEXT),
    }
}

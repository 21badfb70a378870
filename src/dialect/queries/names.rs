//! Names that stand for columns only where the columns of a relation are known: those that
//! `JOIN … USING` and `NATURAL JOIN` merge, `*` over them, and a whole row by its relation's name.
//!
//! The engine is asked for the columns of the relations, of statements that have such a name only.

mod joins;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::execution::context::SessionState;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, Cte, Expr, FunctionArg, FunctionArgExpr, GroupByExpr, Ident, JoinConstraint,
    ObjectName, OrderByKind, Query, Select, SelectItem, SetExpr, TableFactor, Visitor, VisitorMut,
};
use sql_visit::{visit, visit_mut};

use super::limits::folded;
use crate::error::{Error, Result};
use joins::{Columns, Relation, Side, constraint, expand, merge, quoted};

/// The columns of relations, by the text that asks for them.
type Known = BTreeMap<String, Vec<String>>;

/// Resolves such names in a statement.
pub async fn resolve(state: &SessionState, statement: &mut DfStatement) -> Result<()> {
    super::calls::check(state, statement)?;
    let statement = match statement {
        DfStatement::Statement(statement) => statement,
        DfStatement::Explain(explain) => match explain.statement.as_mut() {
            DfStatement::Statement(statement) => statement,
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    let mut questions = Questions::default();
    let _ = visit(&*statement, &mut questions);
    if questions.asked.is_empty() {
        return Ok(());
    }
    let mut known = Known::new();
    for text in questions.asked {
        if known.contains_key(&text) {
            continue;
        }
        let parsed = state.sql_to_statement(&text, &datafusion::config::Dialect::PostgreSQL);
        let Ok(parsed) = parsed else { continue };
        // What cannot be planned alone, such as a lateral, is left as it is.
        if let Ok(plan) = state.statement_to_plan(parsed).await {
            let fields = plan.schema().fields().iter();
            known.insert(text, fields.map(|field| field.name().clone()).collect());
        }
    }
    let mut names = Names {
        known,
        withs: Vec::new(),
    };
    match visit_mut(statement, &mut names) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

/// The text that asks for the columns of a relation.
fn question(withs: &[Vec<Cte>], is_recursive: bool, relation: &TableFactor) -> String {
    let mut ctes: Vec<&Cte> = Vec::new();
    for cte in withs.iter().flatten() {
        ctes.retain(|known| folded(&known.alias.name) != folded(&cte.alias.name));
        ctes.push(cte);
    }
    let with = match ctes.is_empty() {
        true => String::new(),
        false => {
            let ctes: Vec<String> = ctes.iter().map(ToString::to_string).collect();
            let recursive = if is_recursive { "recursive " } else { "" };
            format!("with {recursive}{} ", ctes.join(", "))
        }
    };
    format!("{with}select * from {relation} limit 0")
}

fn ctes(query: &Query) -> Vec<Cte> {
    query
        .with
        .as_ref()
        .map_or_else(Vec::new, |with| with.cte_tables.clone())
}

/// What must be asked before a statement's names can be resolved.
#[derive(Default)]
struct Questions {
    withs: Vec<Vec<Cte>>,
    asked: Vec<String>,
}

impl Visitor for Questions {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.withs.push(ctes(query));
        if let SetExpr::Select(select) = query.body.as_ref()
            && is_wanted(select, query)
        {
            self.ask(select);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.withs.pop();
        ControlFlow::Continue(())
    }
}

impl Questions {
    fn ask(&mut self, select: &Select) {
        for table in &select.from {
            let joined = table.joins.iter().map(|join| &join.relation);
            for relation in std::iter::once(&table.relation).chain(joined) {
                self.asked.push(question(&self.withs, true, relation));
            }
        }
    }
}

/// Whether a `SELECT` has names that need the columns of its relations.
fn is_wanted(select: &Select, query: &Query) -> bool {
    merges(select) || names_rows(select, query)
}

fn merges(select: &Select) -> bool {
    let has_star = select
        .projection
        .iter()
        .any(|item| matches!(item, SelectItem::Wildcard(_)));
    let mut joins = select.from.iter().flat_map(|table| &table.joins);
    joins.any(|join| match constraint(&join.join_operator) {
        Some((JoinConstraint::Using(_) | JoinConstraint::Natural, side)) => {
            has_star || matches!(side, Side::Right | Side::Both)
        }
        _ => false,
    })
}

fn names_rows(select: &Select, query: &Query) -> bool {
    let names: Vec<String> = relations(select).filter_map(name_of).collect();
    let mut found = Rows {
        names: &names,
        depth: 0,
        is_found: false,
    };
    let _ = visit(&select.projection, &mut found);
    let _ = visit(&select.selection, &mut found);
    let _ = visit(&select.having, &mut found);
    let _ = visit(&select.group_by, &mut found);
    let _ = visit(&query.order_by, &mut found);
    found.is_found
}

struct Rows<'a> {
    names: &'a [String],
    depth: usize,
    is_found: bool,
}

impl Visitor for Rows<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let is_row = |name: &Ident| self.names.contains(&folded(name));
        let is_found = match expr {
            Expr::Identifier(name) => is_row(name),
            Expr::Function(function) => match &function.args {
                datafusion::sql::sqlparser::ast::FunctionArguments::List(list) => {
                    list.args.iter().any(|arg| star_of(arg).is_some())
                }
                _ => false,
            },
            _ => false,
        };
        self.is_found |= self.depth == 0 && is_found;
        ControlFlow::Continue(())
    }
}

/// The relation of `t.*` as an argument.
fn star_of(arg: &FunctionArg) -> Option<&Ident> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(ObjectName(parts))) => {
            parts.last()?.as_ident()
        }
        _ => None,
    }
}

fn relations(select: &Select) -> impl Iterator<Item = &TableFactor> {
    select.from.iter().flat_map(|table| {
        std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
    })
}

/// What a relation is called in its query.
fn name_of(relation: &TableFactor) -> Option<String> {
    qualifier(relation).map(|name| folded(&name))
}

fn qualifier(relation: &TableFactor) -> Option<Ident> {
    match relation {
        TableFactor::Table { name, alias, .. } => match alias {
            Some(alias) => Some(alias.name.clone()),
            None => name.0.last()?.as_ident().cloned(),
        },
        TableFactor::Derived { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. } => alias.as_ref().map(|alias| alias.name.clone()),
        _ => None,
    }
}

struct Names {
    known: Known,
    withs: Vec<Vec<Cte>>,
}

impl VisitorMut for Names {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        self.withs.push(ctes(query));
        let is_wanted = match query.body.as_ref() {
            SetExpr::Select(select) => is_wanted(select, query),
            _ => false,
        };
        match is_wanted.then(|| self.query(query)) {
            Some(Err(error)) => ControlFlow::Break(Box::new(error)),
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Self::Break> {
        self.withs.pop();
        ControlFlow::Continue(())
    }
}

impl Names {
    fn query(&self, query: &mut Query) -> Result<()> {
        let Query { body, order_by, .. } = query;
        let SetExpr::Select(select) = body.as_mut() else {
            return Ok(());
        };
        let Some(tables) = self.relations(select) else {
            return Ok(());
        };
        let mut merged = Vec::new();
        if merges(select) {
            let mut visible = Vec::new();
            for (table, relations) in select.from.iter_mut().zip(&tables) {
                let Some((columns, names)) = merge(table, relations)? else {
                    return Ok(());
                };
                visible.extend(columns);
                merged.extend(names);
            }
            expand(select, &visible);
        }
        let relations: Vec<Relation> = tables.into_iter().flatten().collect();
        let mut rewrite = Rewrite {
            merged: &merged,
            relations: &relations,
            depth: 0,
        };
        let outputs: Vec<String> = select.projection.iter().filter_map(output).collect();
        for item in &mut select.projection {
            let SelectItem::UnnamedExpr(expr) = item else {
                continue;
            };
            if let Expr::Identifier(name) = expr {
                // What it stands for has another name.
                let alias = quoted(&folded(name));
                let expr = expr.clone();
                if rewrite.stands_for(&expr)?.is_some() {
                    *item = SelectItem::ExprWithAlias { expr, alias };
                }
            }
        }
        let mut visits = vec![
            visit_mut(&mut select.projection, &mut rewrite),
            visit_mut(&mut select.selection, &mut rewrite),
            visit_mut(&mut select.having, &mut rewrite),
            visit_mut(&mut select.distinct, &mut rewrite),
            visit_mut(&mut select.named_window, &mut rewrite),
        ];
        if let GroupByExpr::Expressions(exprs, _) = &mut select.group_by {
            visits.push(visit_mut(exprs, &mut rewrite));
        }
        if let Some(order) = order_by
            && let OrderByKind::Expressions(exprs) = &mut order.kind
        {
            for by in exprs {
                match &by.expr {
                    Expr::Identifier(name) if outputs.contains(&folded(name)) => {}
                    _ => visits.push(visit_mut(&mut by.expr, &mut rewrite)),
                }
            }
        }
        for visit in visits {
            if let ControlFlow::Break(error) = visit {
                return Err(*error);
            }
        }
        Ok(())
    }

    /// The relations of each item of `FROM`, where the columns of all are known.
    fn relations(&self, select: &Select) -> Option<Vec<Vec<Relation>>> {
        let mut tables = Vec::with_capacity(select.from.len());
        for table in &select.from {
            let mut relations: Vec<Relation> = Vec::with_capacity(table.joins.len() + 1);
            let joins = table.joins.iter();
            let joins = joins.map(|join| (&join.relation, Some(&join.join_operator)));
            for (relation, operator) in std::iter::once((&table.relation, None)).chain(joins) {
                let side = operator.and_then(constraint).map(|(_, side)| side);
                if matches!(side, Some(Side::Right | Side::Both)) {
                    relations
                        .iter_mut()
                        .for_each(|left| left.is_nullable = true);
                }
                let columns = self.known.get(&question(&self.withs, true, relation))?;
                relations.push(Relation {
                    qualifier: qualifier(relation)?,
                    columns: columns.clone(),
                    is_nullable: matches!(side, Some(Side::Left | Side::Both)),
                });
            }
            tables.push(relations);
        }
        Some(tables)
    }
}

/// The name that an item gives its column, where it says so.
fn output(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(folded(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().map(folded),
        _ => None,
    }
}

struct Rewrite<'a> {
    merged: &'a Columns,
    relations: &'a [Relation],
    depth: usize,
}

impl Rewrite<'_> {
    /// What a name stands for, if it is none of a column that the engine finds.
    fn stands_for(&self, expr: &Expr) -> Result<Option<Expr>> {
        let Expr::Identifier(name) = expr else {
            return Ok(None);
        };
        let name = folded(name);
        if let Some((_, merged)) = self.merged.iter().find(|(known, _)| *known == name) {
            return Ok(Some(merged.clone()));
        }
        self.row(&name)
    }

    fn row(&self, name: &str) -> Result<Option<Expr>> {
        let is_column = self
            .relations
            .iter()
            .any(|relation| relation.columns.iter().any(|column| column == name));
        let relation = self
            .relations
            .iter()
            .find(|relation| folded(&relation.qualifier) == name);
        match relation {
            Some(relation) if !is_column => relation.row().map(Some),
            _ => Ok(None),
        }
    }

    fn rewrite(&self, expr: &mut Expr) -> Result<()> {
        if let Expr::CompoundFieldAccess { root, access_chain } = &*expr
            && let Expr::Nested(root) = root.as_ref()
            && let Expr::Identifier(name) = root.as_ref()
            && let [AccessExpr::Dot(Expr::Identifier(field))] = access_chain.as_slice()
            && self.row(&folded(name))?.is_some()
        {
            *expr = Expr::CompoundIdentifier(vec![name.clone(), field.clone()]);
            return Ok(());
        }
        if let Expr::Function(function) = &mut *expr
            && let datafusion::sql::sqlparser::ast::FunctionArguments::List(list) =
                &mut function.args
        {
            for arg in &mut list.args {
                let row = star_of(arg).map(|name| self.row(&folded(name)));
                if let Some(row) = row.transpose()?.flatten() {
                    *arg = FunctionArg::Unnamed(FunctionArgExpr::Expr(row));
                }
            }
        }
        if let Some(other) = self.stands_for(expr)? {
            *expr = other;
        }
        Ok(())
    }
}

impl VisitorMut for Rewrite<'_> {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<Self::Break> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        match self.depth {
            0 => super::flow(self.rewrite(expr)),
            _ => ControlFlow::Continue(()),
        }
    }
}

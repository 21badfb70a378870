//! Where procedures may stand: as the whole of a statement's `FROM`, since whatever else a plan holds
//! it may run twice, or never.

use std::ops::ControlFlow;

use datafusion::sql::parser::{ExplainStatement, Statement as DfStatement};
use datafusion::sql::sqlparser::ast::{Query, SetExpr, Statement, TableFactor, Visitor};
use sql_visit::visit;

use crate::error::{Error, Result};
use crate::state_sql::call::RUN_BACKTEST;
use crate::state_sql::procedures::PROCEDURES;

/// Refuses a procedure that is not the whole of a statement's `FROM`.
pub fn check(statement: &Statement) -> Result<()> {
    let Some((name, is_alone)) = called(statement) else {
        return Ok(());
    };
    let query = match statement {
        Statement::Query(query) => Some(query),
        Statement::CreateTable(table) => table.query.as_ref(),
        _ => None,
    };
    match query.is_some_and(|query| is_alone && is_whole(query)) {
        true => Ok(()),
        false => Err(Error::session_hint(
            "0A000",
            format!("{name} acts, and acts once only as the whole of a statement's FROM"),
            format!(
                "CALL {name}(…), or SELECT … FROM {name}(…) without joins, subqueries, WITH and \
                 UNION; CREATE TEMP TABLE t AS SELECT * FROM {name}(…) keeps what it returns"
            ),
        )),
    }
}

/// Refuses to run a procedure only to see how long that takes.
pub fn check_explained(explain: &ExplainStatement) -> Result<()> {
    let DfStatement::Statement(statement) = explain.statement.as_ref() else {
        return Ok(());
    };
    if let Statement::Call(call) = statement.as_ref() {
        let name = call.name.to_string().to_lowercase();
        if let (true, Some(name)) = (explain.options.analyze, known(&name)) {
            return Err(analyzed(name));
        }
        return Ok(());
    }
    match called(statement) {
        Some((name, _)) if explain.options.analyze => Err(analyzed(name)),
        _ => check(statement),
    }
}

fn analyzed(name: &str) -> Error {
    Error::session_hint(
        "0A000",
        format!("EXPLAIN ANALYZE of {name} is not allowed, since it would act"),
        "EXPLAIN shows its plan and does nothing",
    )
}

/// The procedure of this name that changes something.
fn known(name: &str) -> Option<&'static str> {
    let mut names = PROCEDURES.iter().map(|procedure| procedure.name);
    let acts = |known: &&str| *known != "preview_settings" && *known == name;
    match name == RUN_BACKTEST.name {
        true => Some(RUN_BACKTEST.name),
        false => names.find(acts),
    }
}

/// A procedure in a statement, and whether there is no other, and no query but around it and in
/// its arguments.
fn called(statement: &Statement) -> Option<(&'static str, bool)> {
    let mut calls = Calls::default();
    let _ = visit(statement, &mut calls);
    let is_alone = calls.count == 1 && calls.queries == calls.queries_in_arguments + 1;
    calls.name.map(|name| (name, is_alone))
}

#[derive(Default)]
struct Calls {
    name: Option<&'static str>,
    count: usize,
    queries: usize,
    queries_in_arguments: usize,
}

impl Visitor for Calls {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.queries += 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        if let Some(name) = procedure(table) {
            self.name = self.name.or(Some(name));
            self.count += 1;
            let mut within = Self::default();
            let _ = match table {
                TableFactor::Table { args, .. } => visit(args, &mut within),
                TableFactor::Function { args, .. } => visit(args, &mut within),
                _ => ControlFlow::Continue(()),
            };
            self.queries_in_arguments += within.queries;
        }
        ControlFlow::Continue(())
    }
}

fn procedure(table: &TableFactor) -> Option<&'static str> {
    let (TableFactor::Table {
        name,
        args: Some(_),
        ..
    }
    | TableFactor::Function { name, .. }) = table
    else {
        return None;
    };
    let name = name.0.last()?.as_ident()?;
    match name.quote_style {
        Some(_) => known(&name.value),
        None => known(&name.value.to_lowercase()),
    }
}

fn is_whole(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return false;
    };
    match select.from.as_slice() {
        [table] => table.joins.is_empty() && procedure(&table.relation).is_some(),
        _ => false,
    }
}

//! Forms of queries that PostgreSQL knows, written as those that DataFusion plans.
//!
//! A statement is rewritten once, before anything of it is planned: first what DataFusion would drop
//! without a word is refused (`clauses`), then each form becomes another with the same answer.
//! What needs the plan, such as a subquery that reads outer columns, is a rule of the analyzer
//! ([`decorrelate`]).

mod bags;
mod calls;
mod clauses;
pub mod column_aliases;
pub mod dates_in_sets;
pub mod decorrelate;
mod elements;
mod exclusions;
mod limits;
pub mod names;
mod order;
mod patterns;
pub mod recursion;
mod rows;
mod samples;
mod sets;
pub mod tokens;
pub mod unions;
mod value_rows;

use std::ops::ControlFlow;

use datafusion::execution::context::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Query, Select, SetExpr, Statement as SqlStatement, TableFactor, VisitorMut,
};
use sql_visit::visit_mut;

use crate::error::{Error, Result};

/// Whether a statement is planned as it is written, and has no clause that is refused.
pub fn is_plain(state: &SessionState, statement: &SqlStatement) -> bool {
    let is_into = match statement {
        SqlStatement::Query(query) => match query.body.as_ref() {
            SetExpr::Select(select) => select.into.is_some(),
            _ => false,
        },
        _ => false,
    };
    let mut rewritten = statement.clone();
    !is_into
        && rewrite_sql(&mut rewritten).is_ok()
        && rewritten == *statement
        && calls::check_sql(state, statement).is_ok()
}

/// Rewrites a statement, before anything of it is planned.
pub fn rewrite(statement: &mut Statement) -> Result<()> {
    match statement {
        Statement::Statement(statement) => rewrite_sql(statement),
        Statement::Explain(explain) => rewrite(&mut explain.statement),
        _ => Ok(()),
    }
}

fn rewrite_sql(statement: &mut SqlStatement) -> Result<()> {
    let mut forms = Forms {
        room: COPIED_CHARACTERS_MAX,
    };
    match visit_mut(statement, &mut forms) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

/// How many characters may come from writing expressions more than once.
const COPIED_CHARACTERS_MAX: usize = 1 << 20;

/// Rewrites each part of a statement where it stands.
struct Forms {
    room: usize,
}

fn flow(result: Result<()>) -> ControlFlow<Box<Error>> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(Box::new(error)),
    }
}

impl VisitorMut for Forms {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        flow(clauses::check_query(query).and_then(|()| {
            recursion::rewrite(query);
            value_rows::rewrite(&mut query.body);
            dates_in_sets::rewrite(query);
            bags::rewrite(&mut query.body)?;
            limits::rewrite(query)?;
            order::rewrite_union(query);
            sets::rewrite_order(query)
        }))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        flow(clauses::check_select(select).and_then(|()| {
            exclusions::rewrite_named(select);
            elements::rewrite(select);
            limits::rewrite_groups(select)?;
            order::rewrite_select(select)?;
            sets::rewrite_select(select)
        }))
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<Self::Break> {
        flow(samples::rewrite(table).and_then(|()| {
            sets::records::rewrite(table, &mut self.room)?;
            clauses::check_table(table)?;
            sets::rewrite_table(table)
        }))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        flow(clauses::check_expr(expr).and_then(|()| {
            exclusions::rewrite(expr, &mut self.room)?;
            order::rewrite_aggregate(expr);
            value_rows::rewrite_set(expr);
            sets::rewrite_array(expr)?;
            rows::rewrite(expr, &mut self.room)?;
            patterns::rewrite(expr)
        }))
    }
}

/// What PostgreSQL or others know and this engine does not.
fn unsupported(what: &str, hint: &str) -> Error {
    Error::session_hint("0A000", format!("{what} is not supported"), hint)
}

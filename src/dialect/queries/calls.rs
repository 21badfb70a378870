//! What only aggregates and windows take, refused for other functions, which would drop it.

use std::ops::ControlFlow;

use datafusion::execution::context::SessionState;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArgumentClause, FunctionArguments,
    Statement as SqlStatement,
};
use sql_visit::visit_expressions;

use super::limits::folded;
use crate::error::{Error, Result};

/// Refuses `OVER`, `FILTER`, `DISTINCT` and `ORDER BY` in calls of functions of single rows.
pub fn check(state: &SessionState, statement: &DfStatement) -> Result<()> {
    match statement {
        DfStatement::Statement(statement) => check_sql(state, statement),
        _ => Ok(()),
    }
}

/// The same for a statement of SQL itself.
pub fn check_sql(state: &SessionState, statement: &SqlStatement) -> Result<()> {
    let checked = visit_expressions(statement, |expr| match expr {
        Expr::Function(function) => super::flow(check_call(state, function)),
        _ => ControlFlow::Continue(()),
    });
    match checked {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

fn check_call(state: &SessionState, function: &Function) -> Result<()> {
    let [part] = function.name.0.as_slice() else {
        return Ok(());
    };
    let Some(name) = part.as_ident().map(folded) else {
        return Ok(());
    };
    if !state.scalar_functions().contains_key(&name)
        || state.aggregate_functions().contains_key(&name)
        || state.window_functions().contains_key(&name)
    {
        return Ok(());
    }
    let (mut is_distinct, mut is_ordered) = (false, !function.within_group.is_empty());
    if let FunctionArguments::List(list) = &function.args {
        is_distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        let mut clauses = list.clauses.iter();
        is_ordered |= clauses.any(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)));
    }
    let (what, kind) = if function.over.is_some() {
        ("OVER", "a window function nor an aggregate function")
    } else if function.filter.is_some() {
        ("FILTER", "an aggregate function")
    } else if is_distinct {
        ("DISTINCT", "an aggregate function")
    } else if is_ordered {
        ("ORDER BY", "an aggregate function")
    } else {
        return Ok(());
    };
    let message = format!("{what} specified, but {name} is not {kind}");
    Err(Error::session("42809", message))
}

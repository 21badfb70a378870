//! `select * from` one relation is planned as that relation.
//!
//! DataFusion compares each column of a list with all others by name, which for the hundred of a
//! backtest takes longer than everything else that is planned of it.

use std::mem;
use std::sync::{Arc, LazyLock};

use datafusion::logical_expr::{Limit, LogicalPlan, Sort};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr, Statement as SqlStatement,
    TableFactor, Value,
};

use super::parsed;

/// The query of every column, of nothing.
static EVERY: LazyLock<Option<Box<Select>>> = LazyLock::new(|| {
    let query = parsed("select *", |parser| parser.parse_query()).ok()?;
    match *query.body {
        SetExpr::Select(select) => Some(select),
        _ => None,
    }
});

/// Asks for the columns that it is ordered by in place of every column of one relation, or for a number
/// where there are none; whether it did.
pub fn take(statement: &mut Statement) -> bool {
    let Statement::Statement(statement) = statement else {
        return false;
    };
    let SqlStatement::Query(query) = &mut **statement else {
        return false;
    };
    let Query { body, order_by, .. } = &mut **query;
    let SetExpr::Select(select) = &mut **body else {
        return false;
    };
    let is_one = matches!(select.from.as_slice(), [from] if from.joins.is_empty()
        && matches!(from.relation, TableFactor::Table { .. } | TableFactor::Function { .. }));
    let Some(asked) = ordered_by(order_by.as_ref()).filter(|_| is_one) else {
        return false;
    };
    let of = (mem::take(&mut select.from), select.selection.take());
    let is_every = EVERY.as_ref() == Some(select);
    (select.from, select.selection) = of;
    if is_every {
        select.projection = asked.into_iter().map(SelectItem::UnnamedExpr).collect();
    }
    is_every
}

/// The columns that rows are ordered by, each once, a number if there are none; `None` where
/// something else is.
fn ordered_by(order: Option<&OrderBy>) -> Option<Vec<Expr>> {
    let mut columns: Vec<Expr> = Vec::new();
    match order.map(|order| &order.kind) {
        Some(OrderByKind::Expressions(keys)) => {
            for key in keys {
                match &key.expr {
                    Expr::Identifier(_) if columns.contains(&key.expr) => {}
                    Expr::Identifier(_) => columns.push(key.expr.clone()),
                    _ => return None,
                }
            }
        }
        Some(OrderByKind::All(_)) => return None,
        None => columns.push(Expr::Value(Value::Number("1".into(), false).into())),
    }
    Some(columns)
}

/// The plan of every column, of that of those.
pub fn put_back(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Limit(Limit { skip, fetch, input }) => LogicalPlan::Limit(Limit {
            skip,
            fetch,
            input: below(input),
        }),
        LogicalPlan::Sort(Sort { expr, input, fetch }) => LogicalPlan::Sort(Sort {
            expr,
            input: below(input),
            fetch,
        }),
        LogicalPlan::Projection(asked) => Arc::unwrap_or_clone(asked.input),
        plan => plan,
    }
}

fn below(input: Arc<LogicalPlan>) -> Arc<LogicalPlan> {
    Arc::new(put_back(Arc::unwrap_or_clone(input)))
}

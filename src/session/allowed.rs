//! What statements may do: read the data tables, and make what lasts for the session.

mod procedures;

use std::ops::ControlFlow;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::helpers::stmt_create_table::CreateTableBuilder;
use datafusion::sql::sqlparser::ast::{
    CastKind, CreateTableLikeKind, DataType as SqlType, Expr, FromTable, ObjectName, ObjectType,
    OnCommit, Query, SelectInto, SetExpr, Statement as SqlStatement, TableFactor, TableObject,
    TableWithJoins, Value,
};
use sql_visit::{visit_expressions_mut, visit_statements};

use crate::error::{Error, Result};
use crate::session::parsed;

/// The tables of a dataset, which statements read and never write.
pub const DATA_TABLES: [&str; 5] = [
    "signals",
    "token_prices",
    "trade_outcomes",
    "data_quality",
    "parameters",
];

/// The tables of the state.
const STATE_TABLES: [&str; 8] = [
    "scenarios",
    "backtests",
    "backtest_progress",
    "simulated_trades",
    "trade_comparisons",
    "equity_curves",
    "live_settings",
    "settings_history",
];

/// The largest exponent of a number that is taken as a decimal.
const DECIMAL_EXPONENT_MAX: i64 = 36;

/// Refuses what no plan shows any more, and brings what DataFusion does not plan into a form that it
/// does: every table made here lasts as long as the session, so that `TEMP` is taken away. Returns
/// what a write shall return.
pub fn prepare(statement: &mut Statement) -> Result<Option<String>> {
    let statement = match statement {
        Statement::Statement(statement) => statement,
        Statement::Explain(explain) => {
            procedures::check_explained(explain)?;
            return Ok(None);
        }
        _ => return Ok(None),
    };
    let returning = match &mut **statement {
        SqlStatement::Insert(insert) => Some(&mut insert.returning),
        SqlStatement::Update(update) => Some(&mut update.returning),
        SqlStatement::Delete(delete) => Some(&mut delete.returning),
        _ => None,
    };
    let returned = returning.and_then(Option::take);
    let returned = returned.map(|items| {
        let items: Vec<String> = items.iter().map(ToString::to_string).collect();
        items.join(", ")
    });
    take_into(statement)?;
    take_like(statement)?;
    take_truncate(statement)?;
    form(statement)?;
    take_large_numbers(statement)?;
    if let SqlStatement::Call(call) = &**statement {
        let select = format!("select * from {call}");
        **statement = parsed(&select, |parser| parser.parse_statement())?;
    }
    procedures::check(statement)?;
    Ok(returned)
}

/// Makes `CREATE TEMP TABLE … AS` of `CREATE TEMP TABLE … (LIKE …)`.
fn take_like(statement: &mut SqlStatement) -> Result<()> {
    let SqlStatement::CreateTable(table) = statement else {
        return Ok(());
    };
    let Some(CreateTableLikeKind::Parenthesized(like) | CreateTableLikeKind::Plain(like)) =
        table.like.take()
    else {
        return Ok(());
    };
    let select = format!("select * from {} where false", like.name);
    table.query = Some(parsed(&select, |parser| parser.parse_query())?);
    Ok(())
}

/// Makes a `DELETE` of every row of a `TRUNCATE`.
fn take_truncate(statement: &mut SqlStatement) -> Result<()> {
    let SqlStatement::Truncate(truncate) = statement else {
        return Ok(());
    };
    let [target] = truncate.table_names.as_slice() else {
        return Err(Error::session_hint(
            "0A000",
            "TRUNCATE of several tables is not supported",
            "truncate one after the other",
        ));
    };
    let name = target.name.to_string();
    replaceable("TRUNCATE of", name.rsplit('.').next().unwrap_or(&name))?;
    let delete = format!("delete from {}", target.name);
    *statement = parsed(&delete, |parser| parser.parse_statement())?;
    Ok(())
}

/// Makes `CREATE TEMP TABLE … AS` of `SELECT … INTO TEMP`.
fn take_into(statement: &mut SqlStatement) -> Result<()> {
    let SqlStatement::Query(query) = statement else {
        return Ok(());
    };
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Ok(());
    };
    let Some(SelectInto {
        temporary,
        unlogged: _,
        table: _,
        name,
    }) = select.into.take()
    else {
        return Ok(());
    };
    if !temporary {
        return Err(Error::NotAllowed(
            "SELECT INTO is not allowed, since nothing made in SQL outlasts the session; SELECT \
             INTO TEMP is"
                .into(),
        ));
    }
    let table = CreateTableBuilder::new(name)
        .temporary(true)
        .query(Some(query.clone()));
    *statement = SqlStatement::CreateTable(table.build());
    Ok(())
}

fn form(statement: &mut SqlStatement) -> Result<()> {
    match statement {
        SqlStatement::CreateTable(table) if !table.temporary => Err(not_lasting("TABLE")),
        SqlStatement::CreateView(view) if !view.temporary => Err(not_lasting("VIEW")),
        SqlStatement::CreateTable(table) => {
            table.temporary = false;
            table.global = None;
            match table.on_commit.take() {
                // What holds without it.
                None | Some(OnCommit::PreserveRows) => Ok(()),
                Some(OnCommit::DeleteRows | OnCommit::Drop) => Err(Error::session_hint(
                    "0A000",
                    "ON COMMIT DELETE ROWS or DROP is not supported",
                    "a temporary table lasts until the session ends; DROP TABLE takes it away",
                )),
            }
        }
        SqlStatement::CreateView(view) => {
            view.temporary = false;
            Ok(())
        }
        SqlStatement::Insert(insert) => match &insert.table {
            TableObject::TableName(name) => writable("INSERT into", &name.to_string()),
            _ => Ok(()),
        },
        SqlStatement::Query(query) => written_within(query),
        SqlStatement::Update(_)
        | SqlStatement::Delete(_)
        | SqlStatement::Call(_)
        | SqlStatement::Drop {
            object_type: ObjectType::Table | ObjectType::View,
            ..
        }
        | SqlStatement::ExplainTable { .. }
        | SqlStatement::ShowColumns { .. }
        | SqlStatement::ShowCreate { .. }
        | SqlStatement::ShowFunctions { .. }
        | SqlStatement::ShowTables { .. } => Ok(()),
        other => {
            let text = other.to_string();
            let words: Vec<&str> = text.split_whitespace().take(2).collect();
            Err(Error::NotAllowed(format!(
                "{} is not allowed",
                words.join(" ")
            )))
        }
    }
}

/// Makes floating point values of numbers whose exponent no decimal here has room for.
fn take_large_numbers(statement: &mut SqlStatement) -> Result<()> {
    let taken = visit_expressions_mut(statement, |expr| {
        let Expr::Value(value) = expr else {
            return ControlFlow::Continue(());
        };
        let Value::Number(digits, _) = &value.value else {
            return ControlFlow::Continue(());
        };
        let exponent = digits.split_once(['e', 'E']);
        let exponent = exponent.and_then(|(_, exponent)| exponent.parse::<i64>().ok());
        if exponent.is_none_or(|exponent| exponent.abs() <= DECIMAL_EXPONENT_MAX) {
            return ControlFlow::Continue(());
        }
        if !digits.parse::<f64>().is_ok_and(f64::is_finite) {
            let message = format!("\"{digits}\" is out of range for type double precision");
            return ControlFlow::Break(Error::session("22003", message));
        }
        let text = Value::SingleQuotedString(digits.clone());
        *expr = Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(Expr::Value(text.with_empty_span())),
            data_type: SqlType::DoublePrecision,
            array: false,
            format: None,
        };
        ControlFlow::Continue(())
    });
    match taken {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// Refuses writes that are parts of a query, such as `WITH … INSERT`.
fn written_within(query: &Query) -> Result<()> {
    let written = visit_statements(query, |statement| {
        let writable = match statement {
            SqlStatement::Insert(insert) => writable("INSERT into", &insert.table.to_string()),
            SqlStatement::Update(update) => writable("UPDATE of", &update.table.to_string()),
            SqlStatement::Delete(delete) => {
                let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) =
                    &delete.from;
                let tables = tables.first().map(ToString::to_string);
                writable("DELETE from", &tables.unwrap_or_default())
            }
            _ => Ok(()),
        };
        match writable {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    });
    match written {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// Refuses plans that write what they may not, wherever in the plan they do it.
pub fn check(plan: &LogicalPlan) -> Result<()> {
    let mut refused = None;
    plan.apply_with_subqueries(|node| {
        refused = check_node(node).err();
        Ok(match refused {
            Some(_) => TreeNodeRecursion::Stop,
            None => TreeNodeRecursion::Continue,
        })
    })?;
    refused.map_or(Ok(()), Err)
}

fn check_node(node: &LogicalPlan) -> Result<()> {
    let refuse = |what: &str| Err(Error::NotAllowed(format!("{what} is not allowed")));
    match node {
        LogicalPlan::Dml(statement) => writable(
            &format!("{} on", statement.op),
            statement.table_name.table(),
        ),
        LogicalPlan::Ddl(ddl) => match ddl {
            DdlStatement::CreateMemoryTable(table) => replaceable("replacing", table.name.table()),
            DdlStatement::CreateView(view) => replaceable("replacing", view.name.table()),
            DdlStatement::DropTable(table) => replaceable("dropping", table.name.table()),
            DdlStatement::DropView(view) => replaceable("dropping", view.name.table()),
            other => refuse(other.name()),
        },
        LogicalPlan::Copy(_) => refuse("COPY to a file"),
        // Settings, transactions and named statements are the session's own.
        LogicalPlan::Statement(statement) => refuse(statement.name()),
        _ => Ok(()),
    }
}

/// Whether a statement writes scenarios, also one that is only prepared or explained.
pub fn is_scenario_write(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(statement) => is_scenario_dml(statement),
        Statement::Explain(explain) => is_scenario_write(&explain.statement),
        _ => false,
    }
}

fn is_scenario_dml(statement: &SqlStatement) -> bool {
    let is_scenarios = |name: &ObjectName| {
        let last = name.0.last().and_then(|part| part.as_ident());
        last.is_some_and(|name| match name.quote_style {
            Some(_) => name.value == "scenarios",
            None => name.value.eq_ignore_ascii_case("scenarios"),
        })
    };
    let is_scenarios_table = |table: &TableWithJoins| match &table.relation {
        TableFactor::Table { name, .. } => is_scenarios(name),
        _ => false,
    };
    match statement {
        SqlStatement::Insert(insert) => match &insert.table {
            TableObject::TableName(name) => is_scenarios(name),
            _ => false,
        },
        SqlStatement::Update(update) => is_scenarios_table(&update.table),
        SqlStatement::Delete(delete) => {
            let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) =
                &delete.from;
            tables.first().is_some_and(is_scenarios_table)
        }
        SqlStatement::Prepare { statement, .. } | SqlStatement::Explain { statement, .. } => {
            is_scenario_dml(statement)
        }
        _ => false,
    }
}

/// Refuses to put a table of the session in the place of one that is kept.
fn replaceable(what: &str, table: &str) -> Result<()> {
    match STATE_TABLES.contains(&table.trim_matches('"')) {
        true => Err(Error::NotAllowed(format!("{what} {table} is not allowed"))),
        false => writable(what, table),
    }
}

fn writable(what: &str, table: &str) -> Result<()> {
    let table = table.rsplit('.').next().unwrap_or(table).trim_matches('"');
    if STATE_TABLES.contains(&table) && table != "scenarios" {
        return Err(Error::NotAllowed(format!(
            "{what} {table} is not allowed: run_backtest and the other procedures write it"
        )));
    }
    match DATA_TABLES.contains(&table) {
        true => Err(Error::NotAllowed(format!(
            "{what} {table} is not allowed: the data tables are read-only in SQL, hindsight load \
             fills them"
        ))),
        false => Ok(()),
    }
}

fn not_lasting(what: &str) -> Error {
    Error::NotAllowed(format!(
        "CREATE {what} is not allowed, since nothing made in SQL outlasts the session; CREATE TEMP \
         {what} is"
    ))
}

//! What statements may do: read the data tables, and make what lasts for the session.

use datafusion::logical_expr::{DdlStatement, LogicalPlan, Statement as PlanStatement};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Statement as SqlStatement, TableObject};

use crate::error::{Error, Result};

/// The tables of a dataset, which statements read and never write.
pub const DATA_TABLES: [&str; 5] = [
    "signals",
    "token_prices",
    "trade_outcomes",
    "data_quality",
    "parameters",
];

/// Refuses what no plan shows any more, and takes `TEMP` away, which DataFusion does not plan:
/// every table made here lasts as long as the session.
pub fn prepare(statement: &mut Statement) -> Result<()> {
    let Statement::Statement(statement) = statement else {
        return Ok(());
    };
    match &mut **statement {
        SqlStatement::CreateTable(table) if !table.temporary => Err(not_lasting("TABLE")),
        SqlStatement::CreateView(view) if !view.temporary => Err(not_lasting("VIEW")),
        SqlStatement::CreateTable(table) => {
            table.temporary = false;
            Ok(())
        }
        SqlStatement::CreateView(view) => {
            view.temporary = false;
            Ok(())
        }
        SqlStatement::Insert(insert) => match &insert.table {
            TableObject::TableName(name) => writable("INSERT into", &name.to_string()),
            _ => Ok(()),
        },
        SqlStatement::Truncate(_) => Err(Error::NotAllowed("TRUNCATE is not allowed".into())),
        _ => Ok(()),
    }
}

/// Refuses plans that write what they may not.
pub fn check(plan: &LogicalPlan) -> Result<()> {
    match plan {
        LogicalPlan::Dml(statement) => writable(
            &format!("{} on", statement.op),
            statement.table_name.table(),
        ),
        LogicalPlan::Ddl(ddl) => match ddl {
            DdlStatement::CreateMemoryTable(table) => writable("replacing", table.name.table()),
            DdlStatement::CreateView(view) => writable("replacing", view.name.table()),
            DdlStatement::DropTable(table) => writable("dropping", table.name.table()),
            DdlStatement::DropView(view) => writable("dropping", view.name.table()),
            other => Err(Error::NotAllowed(format!(
                "{} is not allowed",
                other.name()
            ))),
        },
        LogicalPlan::Statement(PlanStatement::SetVariable(set))
            if set.variable.starts_with("datafusion.runtime") =>
        {
            let variable = &set.variable;
            Err(Error::NotAllowed(format!(
                "setting {variable} is not allowed"
            )))
        }
        _ => Ok(()),
    }
}

fn writable(what: &str, table: &str) -> Result<()> {
    match DATA_TABLES.contains(&table.trim_matches('"')) {
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

//! Statements and cursors by their names.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::Expr as SqlExpr;
use futures::TryStreamExt;
use futures::future::BoxFuture;

use crate::caller::bounds::{self, limited};
use crate::caller::give_way;
use crate::caller::transaction::TransactionStatus;
use crate::dialect::around::Around;
use crate::dialect::functions::casts::converted;
use crate::error::{Error, Result};
use crate::session::command::Command;
use crate::session::cursors::Cursor;
use crate::session::{Outcome, Prepared, Session, lock, parsed};

/// How many statements a client may have prepared, and how many cursors open.
const NAMED_LIMIT: usize = 5_000;
const CURSOR_LIMIT: usize = 1_000;

impl Session {
    /// Keeps a statement under a name, or opens a cursor over a query.
    pub(in crate::session) fn declare<'a>(
        &'a self,
        inner: &'a Prepared,
        values: Vec<ScalarValue>,
        command: &'a Command,
    ) -> BoxFuture<'a, Result<Outcome>> {
        Box::pin(async move {
            match command {
                Command::Prepare { name, .. } => {
                    self.name_statement(name, Arc::new(inner.clone()))?;
                    Ok(Outcome::Done {
                        rows: None,
                        verb: "PREPARE",
                    })
                }
                Command::Declare {
                    name,
                    keeps_rows,
                    outlasts_transaction,
                    ..
                } => {
                    if !outlasts_transaction && self.transaction_status() == TransactionStatus::Idle
                    {
                        let message = "DECLARE CURSOR can only be used in transaction blocks";
                        let hint = "begin a transaction, or declare it WITH HOLD";
                        return Err(Error::session_hint("25P01", message, hint));
                    }
                    if lock(&self.cursors).contains_key(name) {
                        let message = format!("cursor \"{name}\" already exists");
                        return Err(Error::session("42P03", message));
                    }
                    limited(lock(&self.cursors).len(), CURSOR_LIMIT, "open cursors")?;
                    let Outcome::Rows(rows) = self.perform(inner, values).await? else {
                        return Err(Error::session("42601", "DECLARE takes a query"));
                    };
                    let memory = keeps_rows.then(|| {
                        let pool = &self.context.runtime_env().memory_pool;
                        MemoryConsumer::new(format!("cursor {name}")).register(pool)
                    });
                    let schema = inner.schema.clone().unwrap_or_else(|| rows.schema());
                    let cursor = Cursor::new(schema, rows, memory, *outlasts_transaction);
                    let cursor = Arc::new(tokio::sync::Mutex::new(cursor));
                    lock(&self.cursors).insert(name.clone(), cursor);
                    Ok(Outcome::Done {
                        rows: None,
                        verb: "DECLARE CURSOR",
                    })
                }
                _ => self.perform(inner, values).await,
            }
        })
    }

    /// The statement that was given this name.
    pub fn named_statement(&self, name: &str) -> Result<Arc<Prepared>> {
        let named = lock(&self.named).get(name).cloned();
        named.ok_or_else(|| not_prepared(name))
    }

    /// Gives a statement a name, which no other has.
    pub fn name_statement(&self, name: &str, prepared: Arc<Prepared>) -> Result<()> {
        let mut named = lock(&self.named);
        // The statement without a name is replaced by the next.
        if named.contains_key(name) && !name.is_empty() {
            return Err(already_prepared(name));
        }
        limited(named.len(), NAMED_LIMIT, "prepared statements")?;
        named.insert(name.to_owned(), prepared);
        Ok(())
    }

    /// Forgets a statement, if there is one of this name.
    pub fn forget_statement(&self, name: &str) {
        lock(&self.named).remove(name);
    }

    /// The columns of a cursor that is open.
    pub fn cursor_schema(&self, name: &str) -> Option<SchemaRef> {
        let cursor = self.cursor(name).ok()?;
        let cursor = cursor.try_lock().ok()?;
        Some(Arc::clone(&cursor.schema))
    }

    /// Closes a cursor, if there is one of this name.
    pub fn close_cursor(&self, name: &str) {
        lock(&self.cursors).remove(name);
    }

    pub(super) fn cursor(&self, name: &str) -> Result<Arc<tokio::sync::Mutex<Cursor>>> {
        let cursor = lock(&self.cursors).get(name).cloned();
        cursor.ok_or_else(|| no_cursor(name))
    }

    /// The values of the arguments of `EXECUTE`, in the types of the parameters.
    pub(in crate::session) async fn arguments(
        &self,
        named: &Prepared,
        arguments: &[SqlExpr],
    ) -> Result<Vec<ScalarValue>> {
        if named.parameters.len() != arguments.len() {
            let message = format!(
                "wrong number of parameters: expected {}, found {}",
                named.parameters.len(),
                arguments.len()
            );
            return Err(Error::session("42601", message));
        }
        if arguments.is_empty() {
            return Ok(Vec::new());
        }
        let items: Vec<String> = arguments
            .iter()
            .enumerate()
            .map(|(i, e)| format!("{e} as a{i}"))
            .collect();
        let state = self.context.state();
        let select = format!("select {}", items.join(", "));
        let select = parsed(&select, |parser| parser.parse_statement())?;
        let select = DfStatement::Statement(Box::new(select));
        bounds::check_size(&select, &|name| self.tables.view_reads(name))?;
        let plan = state.statement_to_plan(select).await?;
        bounds::check_expansion(&plan)?;
        let frame = self.context.execute_logical_plan(plan).await?;
        let rows = give_way::start(frame, &self.under_way).await?;
        let batches: Vec<RecordBatch> = rows.try_collect().await?;
        let row = batches.iter().find(|batch| batch.num_rows() == 1);
        let row =
            row.ok_or_else(|| Error::session("42601", "arguments of EXECUTE are single values"))?;
        let mut values = Vec::with_capacity(arguments.len());
        let clock = Around::of(state.config_options()).clock();
        for (column, data_type) in row.columns().iter().zip(&named.parameters) {
            let value = ScalarValue::try_from_array(column, 0)?;
            values.push(match data_type {
                Some(
                    of @ (DataType::List(_)
                    | DataType::Date32
                    | DataType::Time64(_)
                    | DataType::Timestamp(_, _)
                    | DataType::Interval(_)),
                ) if column.data_type() != of => {
                    let column = converted(column, of, &clock)?;
                    ScalarValue::try_from_array(&column, 0)?
                }
                Some(data_type) => value.cast_to(data_type)?,
                None => value,
            });
        }
        Ok(values)
    }
}

pub(super) fn not_prepared(name: &str) -> Error {
    Error::session(
        "26000",
        format!("prepared statement \"{name}\" does not exist"),
    )
}

pub(super) fn already_prepared(name: &str) -> Error {
    Error::session(
        "42P05",
        format!("prepared statement \"{name}\" already exists"),
    )
}

pub(super) fn no_cursor(name: &str) -> Error {
    Error::session("34000", format!("cursor \"{name}\" does not exist"))
}

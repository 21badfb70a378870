//! What the session answers itself: settings, named statements, cursors and transactions.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::config::ConfigField;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::Expr as SqlExpr;
use futures::future::BoxFuture;
use futures::{TryStreamExt, stream};

use super::command::{Command, Discard, Modes, Transaction};
use super::cursors::{self, Cursor};
use super::parse::{Request, Statement};
use super::settings::reported_name;
use super::{DATABASE, Outcome, Prepared, Session, Work, lock, parsed, placeholders};
use crate::caller::activity::{NOTIFICATION_LIMIT, Notification};
use crate::caller::bounds::{self, limited};
use crate::caller::client::Severity;
use crate::caller::give_way;
use crate::caller::transaction::{self, TransactionStatus};
use crate::dialect::around::Around;
use crate::error::{Error, Result};

/// What a client may change of the engine underneath, and between which bounds.
const ENGINE_SETTINGS: [(&str, u64, u64); 2] = [
    ("datafusion.execution.batch_size", 1, 65_536),
    ("datafusion.execution.target_partitions", 1, 64),
];
/// How many statements a client may have prepared, and how many cursors open.
const NAMED_LIMIT: usize = 5_000;
const CURSOR_LIMIT: usize = 1_000;
/// Settings of the engine that are words.
const ENGINE_WORDS: [&str; 2] = ["datafusion.explain.format", "datafusion.explain.show_sizes"];

impl Session {
    /// What a command returns and takes, before it does anything.
    pub(super) fn plan_command(
        &self,
        prepared: Prepared,
        command: Command,
    ) -> BoxFuture<'_, Result<Prepared>> {
        Box::pin(async move {
            let statement = prepared.statement.clone();
            let inner = |request: &Request| Statement {
                request: request.clone(),
                ..statement.clone()
            };
            match &command {
                Command::Refused { state, reason } => {
                    return Err(Error::session(state, reason.clone()));
                }
                Command::Prepare {
                    name,
                    types,
                    request,
                } => {
                    let state = self.context.state();
                    let mut given = Vec::with_capacity(types.len());
                    for data_type in types {
                        given.push(Some(
                            placeholders::arrow_type(&state, data_type.clone()).await?,
                        ));
                    }
                    let named = self.plan(inner(request), &given).await?;
                    if lock(&self.named).contains_key(name) {
                        return Err(already_prepared(name));
                    }
                    return Ok(Prepared {
                        verb: "PREPARE",
                        work: Work::Inner(Box::new(named), Some(Box::new(command))),
                        ..prepared
                    });
                }
                Command::Declare { request, .. } => {
                    let query = self.plan(inner(request), &prepared.given).await?;
                    if query.schema.is_none() {
                        return Err(Error::session("42601", "DECLARE takes a query"));
                    }
                    return Ok(Prepared {
                        verb: "DECLARE CURSOR",
                        parameters: query.parameters.clone(),
                        work: Work::Inner(Box::new(query), Some(Box::new(command))),
                        ..prepared
                    });
                }
                Command::CopyOut { request, options } => {
                    let query = self.plan(inner(request), &prepared.given).await?;
                    return Ok(Prepared {
                        verb: "COPY",
                        schema: query.schema.clone(),
                        parameters: query.parameters.clone(),
                        copy: Some(options.clone()),
                        work: Work::Inner(Box::new(query), None),
                        ..prepared
                    });
                }
                Command::Execute { name, arguments } => {
                    let named = self.named_statement(name)?;
                    return Ok(Prepared {
                        verb: named.verb,
                        schema: named.schema.clone(),
                        copy: named.copy.clone(),
                        work: Work::Named(named, arguments.clone()),
                        ..prepared
                    });
                }
                _ => {}
            }
            Ok(Prepared {
                verb: verb(&command),
                schema: self.columns(&command)?,
                work: Work::Command(Box::new(command)),
                ..prepared
            })
        })
    }

    /// The columns of a command's rows.
    fn columns(&self, command: &Command) -> Result<Option<SchemaRef>> {
        Ok(match command {
            Command::Show(Some(name)) => {
                let found = super::settings::find(name);
                let name = found.map_or(name.as_str(), |setting| reported_name(setting.name));
                Some(texts(&[name]))
            }
            Command::Show(None) => Some(texts(&["name", "setting", "description"])),
            Command::Fetch {
                name,
                only_moves: false,
                ..
            } => {
                let cursor = self.cursor(name)?;
                let schema = cursor.try_lock().map(|cursor| Arc::clone(&cursor.schema));
                let in_use = || Error::session("55006", format!("cursor \"{name}\" is in use"));
                Some(schema.map_err(|_| in_use())?)
            }
            _ => None,
        })
    }

    /// Does what a command says.
    pub(super) async fn obey(&self, prepared: &Prepared, command: &Command) -> Result<Outcome> {
        let verb = prepared.verb;
        let done = Ok(Outcome::Done { rows: None, verb });
        match command {
            Command::Set {
                name,
                value,
                is_local,
            } => {
                self.set(name, value.as_deref(), *is_local)?;
                done
            }
            Command::SetTransaction { modes, is_session } => {
                self.set_modes(
                    modes,
                    if *is_session {
                        "default_transaction"
                    } else {
                        "transaction"
                    },
                )?;
                done
            }
            Command::Show(Some(name)) => {
                let value = self.show(name)?;
                let schema = prepared.schema.clone().unwrap_or_else(|| texts(&[name]));
                rows(schema, vec![Arc::new(StringArray::from(vec![value]))])
            }
            Command::Show(None) => {
                let settings = self.settings();
                let all: Vec<_> = settings.all().collect();
                let column = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
                let columns = vec![
                    column(
                        all.iter()
                            .map(|(setting, _)| reported_name(setting.name))
                            .collect(),
                    ),
                    column(all.iter().map(|(_, value)| *value).collect()),
                    column(all.iter().map(|(setting, _)| setting.description).collect()),
                ];
                rows(texts(&["name", "setting", "description"]), columns)
            }
            Command::Reset(Some(name)) => {
                self.set(name, None, false)?;
                done
            }
            Command::Reset(None) => {
                self.settings().reset_all();
                self.put_in_force()?;
                done
            }
            Command::Discard(what) => {
                self.discard(*what)?;
                done
            }
            Command::Deallocate(Some(name)) => match lock(&self.named).remove(name) {
                Some(_) => done,
                None => Err(not_prepared(name)),
            },
            Command::Deallocate(None) => {
                lock(&self.named).clear();
                done
            }
            Command::Fetch {
                name,
                direction,
                only_moves,
            } => {
                let cursor = self.cursor(name)?;
                if !only_moves {
                    let rows = cursors::fetch(&cursor, *direction).await?;
                    return Ok(Outcome::Rows(rows));
                }
                let rows = Some(cursors::pass(&cursor, *direction).await?);
                Ok(Outcome::Done { rows, verb })
            }
            Command::Close(Some(name)) => match lock(&self.cursors).remove(name) {
                Some(_) => done,
                None => Err(no_cursor(name)),
            },
            Command::Close(None) => {
                lock(&self.cursors).clear();
                done
            }
            Command::Listen(channel) => {
                self.activity().listen(self.pid, channel)?;
                done
            }
            Command::Unlisten(channel) => {
                self.activity().unlisten(self.pid, channel.as_deref());
                done
            }
            Command::Notify { channel, payload } => {
                let notification = Notification::new(self.pid, channel, payload)?;
                if self.transaction_status() == TransactionStatus::Idle {
                    self.activity().notify(&notification)?;
                    return done;
                }
                let mut waiting = lock(&self.notifications);
                // As in PostgreSQL, what was said already is not said again.
                if !waiting.contains(&notification) {
                    limited(
                        waiting.len(),
                        NOTIFICATION_LIMIT,
                        "notifications in a transaction",
                    )?;
                    waiting.push(notification);
                }
                done
            }
            Command::Lock => done,
            Command::Upkeep(what) => {
                let message = format!(
                    "there is nothing to {what}: the data tables are written once, by hindsight load"
                );
                self.client.notice(Severity::Warning, "01000", message);
                done
            }
            Command::Transaction(statement) => self.transact(statement, verb).await,
            Command::Prepare { .. }
            | Command::Execute { .. }
            | Command::Declare { .. }
            | Command::CopyOut { .. }
            | Command::Refused { .. } => done,
        }
    }

    /// Keeps a statement under a name, or opens a cursor over a query.
    pub(super) fn declare<'a>(
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

    fn cursor(&self, name: &str) -> Result<Arc<tokio::sync::Mutex<Cursor>>> {
        let cursor = lock(&self.cursors).get(name).cloned();
        cursor.ok_or_else(|| no_cursor(name))
    }

    /// The values of the arguments of `EXECUTE`, in the types of the parameters.
    pub(super) async fn arguments(
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
        for (column, data_type) in row.columns().iter().zip(&named.parameters) {
            let value = ScalarValue::try_from_array(column, 0)?;
            values.push(match data_type {
                Some(data_type) => value.cast_to(data_type)?,
                None => value,
            });
        }
        Ok(values)
    }

    /// Sets a setting; `None` is its default.
    pub fn set(&self, name: &str, value: Option<&str>, is_local: bool) -> Result<()> {
        if name.starts_with("datafusion.") {
            return self.set_engine(name, value);
        }
        self.settings().set(name, value, is_local)?;
        self.put_in_force()?;
        if name == "transaction_read_only" {
            let is_read_only = self.settings().show(name)? == "on";
            self.client.transaction.set_read_only(is_read_only);
        }
        Ok(())
    }

    fn set_engine(&self, name: &str, value: Option<&str>) -> Result<()> {
        let bounds = ENGINE_SETTINGS.iter().find(|(known, _, _)| *known == name);
        if bounds.is_none() && !ENGINE_WORDS.contains(&name) {
            return Err(Error::NotAllowed(format!("setting {name} is not allowed")));
        }
        if let (Some((_, least, most)), Some(value)) = (bounds, value)
            && !value
                .parse::<u64>()
                .is_ok_and(|value| (*least..=*most).contains(&value))
        {
            let message = format!("{name} must be between {least} and {most}, found {value}");
            return Err(Error::session("22023", message));
        }
        let state = self.context.state_ref();
        let mut state = state.write();
        let options = state.config_mut().options_mut();
        match value {
            Some(value) => options.set(name, value)?,
            None => ConfigField::reset(options, name)?,
        }
        Ok(())
    }

    /// The value of a setting.
    pub fn show(&self, name: &str) -> Result<String> {
        if name.starts_with("datafusion.") {
            let config = self.context.copied_config();
            let entries = config.options().entries();
            let entry = entries.into_iter().find(|entry| entry.key == name);
            if let Some(entry) = entry {
                return Ok(entry.value.unwrap_or_default());
            }
        }
        // Outside of a transaction, what the next would be.
        let is_idle = self.transaction_status() == TransactionStatus::Idle;
        match name.strip_prefix("transaction_") {
            Some(mode) if is_idle => {
                let name = format!("default_transaction_{mode}");
                Ok(self.settings().show(&name)?.to_owned())
            }
            _ => Ok(self.settings().show(name)?.to_owned()),
        }
    }

    /// Has the session do what its settings say: the time zone, and whether statements only read.
    pub(super) fn put_in_force(&self) -> Result<()> {
        let is_read_only = self.settings().show("default_transaction_read_only")? == "on";
        self.client.transaction.set_read_only_alone(is_read_only);
        let distributes = self.settings().show("hindsight.distribute")? == "auto";
        self.client.distribute(distributes);
        self.apply_zone()
    }

    /// Has functions know the settings of the session, its time zone first of all.
    pub(super) fn apply_zone(&self) -> Result<()> {
        let settings = self.settings();
        let values = settings
            .all()
            .map(|(setting, value)| (setting.name.to_owned(), value.to_owned()));
        let own = settings.own();
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let around = Around::new(self.user(), DATABASE, values.chain(own).collect());
        drop(settings);
        let state = self.context.state_ref();
        let mut state = state.write();
        state.config_mut().options_mut().extensions.insert(around);
        Ok(())
    }

    fn set_modes(&self, modes: &Modes, prefix: &str) -> Result<()> {
        let is_local = prefix == "transaction";
        if is_local && self.transaction_status() == TransactionStatus::Idle {
            let message = "SET TRANSACTION can only be used in transaction blocks";
            self.client.notice(Severity::Warning, "25P01", message);
            return Ok(());
        }
        let mut settings = self.settings();
        if let Some(isolation) = modes.isolation {
            settings.set(&format!("{prefix}_isolation"), Some(isolation), is_local)?;
        }
        let switch = |is_on: bool| Some(if is_on { "on" } else { "off" });
        if let Some(read_only) = modes.read_only {
            settings.set(&format!("{prefix}_read_only"), switch(read_only), is_local)?;
            match is_local {
                true => self.client.transaction.set_read_only(read_only),
                false => self.client.transaction.set_read_only_alone(read_only),
            }
        }
        if let Some(deferrable) = modes.deferrable {
            settings.set(
                &format!("{prefix}_deferrable"),
                switch(deferrable),
                is_local,
            )?;
        }
        Ok(())
    }

    fn discard(&self, what: Discard) -> Result<()> {
        if what == Discard::All && self.transaction_status() != TransactionStatus::Idle {
            let message = "DISCARD ALL cannot run inside a transaction block";
            return Err(Error::session("25001", message));
        }
        if matches!(what, Discard::All | Discard::Temp) {
            self.tables.drop_own();
        }
        if what == Discard::All {
            lock(&self.cursors).clear();
            lock(&self.named).clear();
            self.activity().unlisten(self.pid, None);
            self.settings().reset_all();
            self.put_in_force()?;
        }
        Ok(())
    }

    async fn transact(&self, statement: &Transaction, verb: &'static str) -> Result<Outcome> {
        let mut verb = verb;
        match statement {
            Transaction::Savepoint(name) => {
                transaction::save(&self.client, name)?;
                self.tables.save(Some(name));
                self.settings().save(name);
            }
            Transaction::Release(name) => {
                transaction::release(&self.client, name)?;
                self.tables.release(name);
                self.settings().release(name);
            }
            Transaction::RollbackTo(name) => {
                transaction::return_to(&self.client, name)?;
                self.tables.return_to(name);
                self.settings().return_to(name);
                self.put_in_force()?;
            }
            Transaction::Begin { modes, .. } => self.begin(modes)?,
            Transaction::Commit { chain } | Transaction::Rollback { chain } => {
                let commits = matches!(statement, Transaction::Commit { .. });
                let ended = transaction::end(&self.client, commits).await;
                let is_kept = matches!(ended, Ok(true));
                verb = if is_kept { "COMMIT" } else { "ROLLBACK" };
                for notification in std::mem::take(&mut *lock(&self.notifications)) {
                    if is_kept && let Err(error) = self.activity().notify(&notification) {
                        let message = error.to_string();
                        self.client
                            .notice(Severity::Warning, error.sqlstate(), message);
                    }
                }
                self.settings().end(is_kept);
                self.tables.end(is_kept);
                self.put_in_force()?;
                lock(&self.cursors).retain(|_, cursor| {
                    is_kept
                        && cursor
                            .try_lock()
                            .is_ok_and(|cursor| cursor.outlasts_transaction)
                });
                ended?;
                if *chain {
                    self.begin(&Modes::default())?;
                }
            }
        }
        Ok(Outcome::Done { rows: None, verb })
    }

    fn begin(&self, modes: &Modes) -> Result<()> {
        let read_only = match modes.read_only {
            Some(read_only) => read_only,
            None => self.show("default_transaction_read_only")? == "on",
        };
        if !transaction::begin(&self.client, read_only) {
            return Ok(());
        }
        self.tables.save(None);
        {
            let mut settings = self.settings();
            settings.begin();
            for name in ["isolation", "read_only", "deferrable"] {
                let default = settings
                    .show(&format!("default_transaction_{name}"))?
                    .to_owned();
                settings.set(&format!("transaction_{name}"), Some(&default), true)?;
            }
        }
        self.set_modes(modes, "transaction")
    }
}

fn verb(command: &Command) -> &'static str {
    match command {
        Command::Set { .. } | Command::SetTransaction { .. } => "SET",
        Command::Show(_) => "SHOW",
        Command::Reset(_) => "RESET",
        Command::Discard(Discard::All) => "DISCARD ALL",
        Command::Discard(Discard::Plans) => "DISCARD PLANS",
        Command::Discard(Discard::Sequences) => "DISCARD SEQUENCES",
        Command::Discard(Discard::Temp) => "DISCARD TEMP",
        Command::Prepare { .. } => "PREPARE",
        Command::Execute { .. } => "EXECUTE",
        Command::Deallocate(Some(_)) => "DEALLOCATE",
        Command::Deallocate(None) => "DEALLOCATE ALL",
        Command::Declare { .. } => "DECLARE CURSOR",
        Command::Fetch {
            only_moves: false, ..
        } => "FETCH",
        Command::Fetch {
            only_moves: true, ..
        } => "MOVE",
        Command::Close(Some(_)) => "CLOSE CURSOR",
        Command::Close(None) => "CLOSE CURSOR ALL",
        Command::Listen(_) => "LISTEN",
        Command::Unlisten(_) => "UNLISTEN",
        Command::Notify { .. } => "NOTIFY",
        Command::Transaction(transaction) => match transaction {
            Transaction::Begin { word, .. } => word,
            Transaction::Commit { .. } => "COMMIT",
            Transaction::Rollback { .. } => "ROLLBACK",
            Transaction::Savepoint(_) => "SAVEPOINT",
            Transaction::Release(_) => "RELEASE",
            Transaction::RollbackTo(_) => "ROLLBACK",
        },
        Command::CopyOut { .. } => "COPY",
        Command::Lock => "LOCK TABLE",
        Command::Upkeep("vacuum") => "VACUUM",
        Command::Upkeep(_) => "ANALYZE",
        Command::Refused { .. } => "",
    }
}

fn texts(names: &[&str]) -> SchemaRef {
    let fields = names
        .iter()
        .map(|name| Field::new(*name, DataType::Utf8, false));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn rows(schema: SchemaRef, columns: Vec<ArrayRef>) -> Result<Outcome> {
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(arrow)?;
    let rows = stream::iter([Ok(batch)]);
    Ok(Outcome::Rows(Box::pin(RecordBatchStreamAdapter::new(
        schema, rows,
    ))))
}

fn arrow(error: datafusion::arrow::error::ArrowError) -> Error {
    datafusion::error::DataFusionError::from(error).into()
}

fn not_prepared(name: &str) -> Error {
    Error::session(
        "26000",
        format!("prepared statement \"{name}\" does not exist"),
    )
}

fn already_prepared(name: &str) -> Error {
    Error::session(
        "42P05",
        format!("prepared statement \"{name}\" already exists"),
    )
}

fn no_cursor(name: &str) -> Error {
    Error::session("34000", format!("cursor \"{name}\" does not exist"))
}

//! What the session answers itself: settings, named statements, cursors and transactions.

mod named;
mod settings;
mod transactions;

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::future::BoxFuture;
use futures::stream;

use super::command::{Command, Discard, Transaction};
use super::cursors;
use super::parse::{Request, Statement};
use super::settings::reported_name;
use super::{Outcome, Prepared, Session, Work, lock, placeholders};
use crate::caller::activity::{NOTIFICATION_LIMIT, Notification};
use crate::caller::bounds::limited;
use crate::caller::client::Severity;
use crate::caller::transaction::TransactionStatus;
use crate::error::{Error, Result};
use named::{already_prepared, no_cursor, not_prepared};

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

//! `apply_settings(backtest_id => '…', confirm => true, …)`: makes the settings of a completed run
//! those of the live system. A run with what that does not know, such as a ladder, is applied only
//! where the call says so: `without => 'take_profit_ladder'`.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::DataType;

use super::cancel_backtest::unknown;
use super::{Arguments, batch};
use crate::caller::client::{Client, Severity};
use crate::error::{Error, Result};
use crate::records::objections::objections;
use crate::records::roles::Role;
use crate::records::runs::{Run, Status};
use crate::records::settings::Group;
use crate::records::settings::beyond::{beyond, named};
use crate::schema;
use crate::state_sql::settings_tables::{group_lists, text_list};
use crate::store::Application;

pub fn columns() -> Vec<(&'static str, DataType)> {
    vec![
        ("applied", DataType::Boolean),
        ("message", DataType::Utf8),
        ("history_id", DataType::Utf8),
        ("backtest_id", DataType::Utf8),
        ("applied_at", schema::timestamp()),
        ("applied_by", DataType::Utf8),
        ("changes_applied", text_list()),
        ("settings_version", DataType::Utf8),
    ]
}

pub async fn apply_settings(client: Arc<Client>, arguments: Arguments) -> Result<RecordBatch> {
    client.require(Role::Operator, "apply_settings")?;
    client.transaction.check_idle("apply_settings")?;
    let id = arguments.required("backtest_id")?;
    let run = completed(&client, &id).await?;
    let mut groups = Vec::new();
    for group in Group::ALL {
        if arguments.boolean(group.name())?.unwrap_or(true) {
            groups.push(group);
        }
    }
    if groups.is_empty() {
        return Err(Error::Argument {
            function: "apply_settings".into(),
            problem: "all four groups are left out, and nothing is left to apply".into(),
        });
    }
    let version = arguments.text("settings_version")?;
    let without = named(arguments.text("without")?.as_deref().unwrap_or_default())?;
    let beyond = beyond(&run.parameters);
    let needed: Vec<&str> = beyond.iter().map(|(parameter, _)| parameter.name).collect();
    let are_left_out = needed.iter().all(|name| without.contains(name));
    let needed = needed.join(", ");
    if arguments.boolean("confirm")? != Some(true) {
        for objection in objections(&run.results) {
            client.notice(Severity::Notice, "00000", objection);
        }
        let version = client.store.live_settings().await?.version();
        let message = match are_left_out {
            true => "nothing was changed: confirm => true applies these settings".into(),
            false => format!(
                "nothing was changed: confirm => true, without => '{needed}' applies these settings, \
                 which will not trade as the backtest did"
            ),
        };
        return row(&Done {
            applied: false,
            message,
            history: None,
            backtest_id: id,
            groups: Vec::new(),
            version,
        });
    }
    if !are_left_out {
        let values = beyond.iter();
        let values = values.map(|(parameter, value)| format!("{} {value}", parameter.name));
        let values: Vec<String> = values.collect();
        return Err(Error::Argument {
            function: "apply_settings".into(),
            problem: format!(
                "backtest {id} was run with {}, which the live system does not know; without => \
                 '{needed}' applies the rest, which will not trade as the backtest did",
                values.join(", ")
            ),
        });
    }
    let (applied, version) = client
        .store
        .apply_settings(&Application {
            backtest_id: &id,
            parameters: &run.parameters,
            groups: &groups,
            applied_by: &client.user,
            settings_version: version.as_deref(),
            create_settings: arguments.boolean("create_settings")? == Some(true),
        })
        .await?;
    let names: Vec<&str> = groups.iter().map(|group| group.name()).collect();
    row(&Done {
        applied: true,
        message: match needed.is_empty() {
            true => format!("applied {}", names.join(", ")),
            false => format!("applied {} without {needed}", names.join(", ")),
        },
        history: Some((applied.id, applied.applied_at, applied.applied_by)),
        backtest_id: id,
        groups,
        version,
    })
}

/// The run with this id, if its settings can be applied.
pub async fn completed(client: &Client, id: &str) -> Result<Run> {
    match client.store.run(id).await? {
        None => Err(unknown(id)),
        Some(run) if run.status == Status::Completed => Ok(run),
        Some(run) => {
            let why = match &run.error_message {
                Some(message) if run.status == Status::Failed => format!(" ({message})"),
                _ => String::new(),
            };
            Err(Error::NotReady(format!(
                "backtest {id} is {}{why}, and only the settings of a completed one can be applied",
                run.status
            )))
        }
    }
}

struct Done {
    applied: bool,
    message: String,
    /// Its id, when and by whom.
    history: Option<(String, i64, String)>,
    backtest_id: String,
    groups: Vec<Group>,
    version: String,
}

fn row(done: &Done) -> Result<RecordBatch> {
    let text = |text: Option<&str>| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let history = done.history.as_ref();
    let at = TimestampMicrosecondArray::from(vec![history.map(|(_, at, _)| *at)]);
    let columns = vec![
        Arc::new(BooleanArray::from(vec![done.applied])) as ArrayRef,
        text(Some(&done.message)),
        text(history.map(|(id, _, _)| id.as_str())),
        text(Some(&done.backtest_id)),
        Arc::new(at.with_timezone("UTC")),
        text(history.map(|(_, _, by)| by.as_str())),
        group_lists([done.groups.as_slice()]),
        text(Some(&done.version)),
    ];
    batch(self::columns, columns)
}

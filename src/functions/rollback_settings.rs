//! `rollback_settings(history_id => '…', confirm => true)`: puts back what was there before.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::DataType;

use super::procedures::{Arguments, batch};
use crate::error::{Error, Result};
use crate::schema;
use crate::session::Role;
use crate::session::client::Client;
use crate::settings::tables::{group_lists, text_list};

pub fn columns() -> Vec<(&'static str, DataType)> {
    vec![
        ("rolled_back", DataType::Boolean),
        ("message", DataType::Utf8),
        ("history_id", DataType::Utf8),
        ("backtest_id", DataType::Utf8),
        ("rolled_back_at", schema::timestamp()),
        ("groups", text_list()),
    ]
}

pub async fn rollback_settings(client: Arc<Client>, arguments: Arguments) -> Result<RecordBatch> {
    client.require(Role::Operator, "rollback_settings")?;
    client.transaction.check_idle("rollback_settings")?;
    let id = arguments.required("history_id")?;
    let (applied, message) = if arguments.boolean("confirm")? == Some(true) {
        let applied = client.store.rollback_settings(&id, &client.user).await?;
        (applied, "the previous values are in force again")
    } else {
        let history = client.store.settings_history().await?;
        let Some(applied) = history.into_iter().find(|applied| applied.id == id) else {
            return Err(unknown(&id));
        };
        let message = "nothing was changed: confirm => true puts the previous values back";
        (applied, message)
    };
    let confirmed = arguments.boolean("confirm")? == Some(true);
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let at = TimestampMicrosecondArray::from(vec![applied.rolled_back_at]);
    let columns = vec![
        Arc::new(BooleanArray::from(vec![confirmed])) as ArrayRef,
        text(message),
        text(&applied.id),
        text(&applied.backtest_id),
        Arc::new(at.with_timezone("UTC")),
        group_lists([applied.groups.as_slice()]),
    ];
    batch(self::columns, columns)
}

/// There is no such row in the history.
pub fn unknown(id: &str) -> Error {
    Error::Parameter {
        parameter: "history_id".into(),
        expected: "the id of a row of settings_history".into(),
        found: format!("'{id}'"),
    }
}

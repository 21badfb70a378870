//! `rollback_settings(history_id => '…', confirm => true)`: puts back what was there before.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::DataType;

use super::{Arguments, batch};
use crate::caller::client::Client;
use crate::error::Result;
use crate::records::roles::Role;
use crate::schema;
use crate::state_sql::settings_tables::{group_lists, text_list};
use crate::store::unknown_history;

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
            return Err(unknown_history(&id));
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

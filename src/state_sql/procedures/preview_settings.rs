//! `preview_settings(backtest_id => '…')`: what applying a run would change, and what it was run
//! with that the live system does not know, in no group. What speaks against it is said in notices.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::DataType;

use super::apply_settings::completed;
use super::{Arguments, batch};
use crate::caller::client::{Client, Severity};
use crate::error::Result;
use crate::records::objections::objections;
use crate::records::settings::beyond::beyond;
use crate::records::settings::{Group, proposed};

pub fn columns() -> Vec<(&'static str, DataType)> {
    vec![
        ("setting_group", DataType::Utf8),
        ("setting", DataType::Utf8),
        ("current", DataType::Utf8),
        ("proposed", DataType::Utf8),
        ("changed", DataType::Boolean),
        ("settings_version", DataType::Utf8),
    ]
}

pub async fn preview_settings(client: Arc<Client>, arguments: Arguments) -> Result<RecordBatch> {
    let run = completed(&client, &arguments.required("backtest_id")?).await?;
    for objection in objections(&run.results) {
        client.notice(Severity::Notice, "00000", objection);
    }
    let live = client.store.live_settings().await?;
    let version = live.version();
    let (mut groups, mut settings) = (Vec::new(), Vec::new());
    let (mut current, mut wanted, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for group in Group::ALL {
        for parameter in group.parameters() {
            let now = live.value(group, parameter)?;
            let then = proposed(parameter, &run.parameters)?;
            groups.push(Some(group.name()));
            settings.push(parameter.name);
            changed.push(now.as_ref() != Some(&then));
            current.push(now.map(|now| now.to_string()));
            wanted.push(then.to_string());
        }
    }
    for (parameter, value) in beyond(&run.parameters) {
        groups.push(None);
        settings.push(parameter.name);
        changed.push(true);
        current.push(None);
        wanted.push(value.to_string());
    }
    let versions = vec![version; groups.len()];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(groups)),
        Arc::new(StringArray::from(settings)),
        Arc::new(StringArray::from(current)),
        Arc::new(StringArray::from(wanted)),
        Arc::new(BooleanArray::from(changed)),
        Arc::new(StringArray::from(versions)),
    ];
    batch(self::columns, columns)
}

//! `live_settings` and `settings_history`.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    ArrayRef, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::DataFusionError;

use crate::error;
use crate::records::settings::{Group, Stored};
use crate::schema;
use crate::state_sql::state_table::StateTable;
use crate::store::Applied;

/// `live_settings`: the settings in force.
pub fn live_settings() -> StateTable {
    StateTable::new("live_settings", Arc::clone(&LIVE), |client| async move {
        live(&client.store.live_settings().await?)
    })
}

/// `settings_history`: what was applied, by whom, and what was there before.
pub fn settings_history() -> StateTable {
    StateTable::new(
        "settings_history",
        Arc::clone(&HISTORY),
        |client| async move { history(&client.store.settings_history().await?) },
    )
}

static LIVE: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let fields = ["setting_group", "setting", "value"].map(text);
    Arc::new(Schema::new(fields.to_vec()))
});

fn live(stored: &Stored) -> error::Result<RecordBatch> {
    let (mut groups, mut settings, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for group in Group::ALL {
        for parameter in group.parameters() {
            groups.push(group.name());
            settings.push(parameter.name);
            let value = stored.value(group, parameter)?;
            values.push(value.map(|value| value.to_string()));
        }
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(groups)),
        Arc::new(StringArray::from(settings)),
        Arc::new(StringArray::from(values)),
    ];
    Ok(RecordBatch::try_new(Arc::clone(&LIVE), columns).map_err(DataFusionError::from)?)
}

static HISTORY: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let time = |name: &str| Field::new(name, schema::timestamp(), true);
    Arc::new(Schema::new(vec![
        text("id"),
        text("backtest_id"),
        time("applied_at"),
        text("applied_by"),
        Field::new("changes_applied", text_list(), true),
        text("previous_values"),
        text("new_values"),
        time("rolled_back_at"),
    ]))
});

/// Several texts.
pub fn text_list() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

/// The names of groups, one list for each row.
pub fn group_lists<'a>(rows: impl IntoIterator<Item = &'a [Group]>) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for groups in rows {
        lists.append_value(groups.iter().map(|group| Some(group.name())));
    }
    Arc::new(lists.finish())
}

fn history(rows: &[Applied]) -> error::Result<RecordBatch> {
    let text = |pick: fn(&Applied) -> &str| -> ArrayRef {
        Arc::new(rows.iter().map(pick).map(Some).collect::<StringArray>())
    };
    let time = |pick: fn(&Applied) -> Option<i64>| -> ArrayRef {
        let times: TimestampMicrosecondArray = rows.iter().map(pick).collect();
        Arc::new(times.with_timezone("UTC"))
    };
    let columns = vec![
        text(|row| &row.id),
        text(|row| &row.backtest_id),
        time(|row| Some(row.applied_at)),
        text(|row| &row.applied_by),
        group_lists(rows.iter().map(|row| row.groups.as_slice())),
        text(|row| &row.previous_values),
        text(|row| &row.new_values),
        time(|row| row.rolled_back_at),
    ];
    Ok(RecordBatch::try_new(Arc::clone(&HISTORY), columns).map_err(DataFusionError::from)?)
}

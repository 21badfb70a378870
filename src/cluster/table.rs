//! The table `workers`: which there are, what they are, and what they do.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::DataFusionError;

use super::Info;
use super::workers::{Asked, Workers, shown};
use crate::error;
use crate::state_sql::state_table::StateTable;

/// `workers`; each is asked when the table is read. `fingerprint` is that of the history read.
pub fn workers(workers: &Workers, fingerprint: &str) -> StateTable {
    let (workers, fingerprint) = (workers.clone(), Arc::<str>::from(fingerprint));
    StateTable::new("workers", Arc::clone(&SCHEMA), move |_| {
        let (workers, fingerprint) = (workers.clone(), Arc::clone(&fingerprint));
        async move { rows(&workers.ask().await, &fingerprint) }
    })
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let count = |name: &str| Field::new(name, DataType::Int64, true);
    Arc::new(Schema::new(vec![
        text("address"),
        text("version"),
        text("dataset"),
        text("state"),
        count("tasks"),
        count("tasks_begun"),
    ]))
});

fn rows(asked: &[Asked], fingerprint: &str) -> error::Result<RecordBatch> {
    let said = |pick: fn(&Info) -> String| -> ArrayRef {
        let values = asked.iter().map(|asked| asked.said.as_ref().ok().map(pick));
        Arc::new(values.collect::<StringArray>())
    };
    let count = |pick: fn(&Info) -> u64| -> ArrayRef {
        let values = asked.iter().map(|asked| {
            let count = pick(asked.said.as_ref().ok()?);
            i64::try_from(count).ok()
        });
        Arc::new(values.collect::<Int64Array>())
    };
    let addresses: StringArray = asked.iter().map(|asked| Some(shown(&asked.url))).collect();
    let states = asked.iter().map(|asked| {
        let problem = asked.problem(fingerprint);
        Some(problem.unwrap_or_else(|| "ready".into()))
    });
    let columns: Vec<ArrayRef> = vec![
        Arc::new(addresses),
        said(|info| info.version.clone()),
        said(|info| info.dataset.clone()),
        Arc::new(states.collect::<StringArray>()),
        count(|info| info.tasks),
        count(|info| info.tasks_begun),
    ];
    Ok(RecordBatch::try_new(Arc::clone(&SCHEMA), columns).map_err(DataFusionError::from)?)
}

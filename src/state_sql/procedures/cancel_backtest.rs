//! `cancel_backtest('…')`: stops a run under way, in this process or in another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::DataType;

use super::{Arguments, batch};
use crate::caller::client::Client;
use crate::error::{Error, Result};
use crate::records::roles::Role;
use crate::records::runs::Status;

/// How long a run may take to end; the request stays.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(25);

pub fn columns() -> Vec<(&'static str, DataType)> {
    vec![("backtest_id", DataType::Utf8), ("status", DataType::Utf8)]
}

pub async fn cancel_backtest(client: Arc<Client>, arguments: Arguments) -> Result<RecordBatch> {
    client.require(Role::Analyst, "cancel_backtest")?;
    client.transaction.check_idle("cancel_backtest")?;
    let id = arguments.required("backtest_id")?;
    let Some(mut run) = client.store.run(&id).await? else {
        return Err(unknown(&id));
    };
    if run.status != Status::Running {
        let problem = format!("backtest {id} is {} and cannot be cancelled", run.status);
        return Err(Error::NotReady(problem));
    }
    let here = client.runs.under_way().into_iter().find(|p| p.id == id);
    match here {
        Some(progress) => {
            progress.cancel();
            let _ = tokio::time::timeout(PATIENCE, progress.ended()).await;
        }
        None => {
            client.store.request_cancel(&id).await?;
        }
    }
    let asked = Instant::now();
    while run.status == Status::Running && asked.elapsed() < PATIENCE {
        run = client.store.run(&id).await?.ok_or_else(|| unknown(&id))?;
        if run.status == Status::Running {
            tokio::time::sleep(LOOK).await;
        }
    }
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    batch(columns, vec![text(&id), text(run.status.name())])
}

/// There is no run with this id.
pub fn unknown(id: &str) -> Error {
    Error::Parameter {
        parameter: "backtest_id".into(),
        expected: "the id of a stored run, which the table backtests lists".into(),
        found: format!("'{id}'"),
    }
}

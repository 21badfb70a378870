//! Stored runs: what is known of each but its rows.

use std::path::Path;

use async_recursion::async_recursion as door;

use super::client::{Row, Statement};
use super::run_files;
use super::running::{self, Running};
use super::scenarios::{from_json, to_json};
use super::{Access, Database, Store, now};
use crate::error::{Error, Result};
use crate::records::runs::{Run, Status, Texts};

const COLUMNS: &str = "id, scenario, label, status, started_by, started_at, completed_at, \
                       error_message, dataset, engine_version, parameters, results, phase, \
                       signals_processed, total_signals";

/// Ids of one statement; SQLite takes 32,766 parameters.
const IDS_MAX: usize = 1000;

/// A run that this process has begun; dropped, it is over one way or another.
pub struct BegunRun {
    id: String,
    database: Database,
    _running: Running,
}

/// What became of a run that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletedRun {
    Gone,
    /// It is there: it is under way.
    Running,
    /// It is there: its settings were applied.
    Applied,
}

impl Store {
    /// Stores that a run has begun.
    #[door]
    pub async fn begin_run(&self, run: &Run, workspace: &Path) -> Result<BegunRun> {
        let database = self.writing().await?;
        let mut running = Running::begin(workspace, &run.id)?;
        let parameters = to_json(&run.parameters).map_err(|error| database.failed(error))?;
        let insert = Statement::new(
            "insert into hindsight.backtest_results (id, scenario, label, status, started_by, \
             started_at, dataset, engine_version, parameters, phase, signals_processed, \
             total_signals) values ($1, $2, $3, 'running', $4, $5, $6, $7, $8, $9, 0, $10)",
        )
        .bind(run.id.as_str())
        .bind(run.scenario.as_deref())
        .bind(run.label.as_deref())
        .bind(run.started_by.as_str())
        .bind(run.started_at)
        .bind(run.dataset.as_str())
        .bind(run.engine_version.as_str())
        .bind(parameters)
        .bind(run.phase.as_deref())
        .bind(run.total_signals);
        database.execute(insert).await?;
        running.beat(&database, &run.id);
        Ok(BegunRun {
            id: run.id.clone(),
            database,
            _running: running,
        })
    }

    /// The runs with these ids, or all, the oldest first. Those whose process has ended without
    /// ending them are interrupted, and marked so where the state can be written.
    #[door]
    pub async fn runs(&self, ids: Option<&[String]>) -> Result<Vec<Run>> {
        let database = self.reading().await?;
        let mut runs = read_runs(&database, ids).await?;
        let workspace = self.workspace();
        let mut dead = Vec::new();
        for run in runs.iter().filter(|run| run.status == Status::Running) {
            if !running::is_alive(&database, workspace, &run.id).await? {
                dead.push(run.id.clone());
            }
        }
        if dead.is_empty() {
            return Ok(runs);
        }
        if self.can_write().await {
            for id in &dead {
                // Only who has marked it, lest a run be harmed that has just completed.
                if mark_interrupted(&database, id).await?
                    && let Some(workspace) = workspace
                {
                    run_files::remove(workspace, id);
                }
            }
            // One may have ended by itself between the two looks.
            return read_runs(&database, ids).await;
        }
        for run in runs.iter_mut().filter(|run| dead.contains(&run.id)) {
            run.status = Status::Interrupted;
            run.error_message = Some(INTERRUPTED.into());
        }
        Ok(runs)
    }

    /// The run with this id.
    #[door]
    pub async fn run(&self, id: &str) -> Result<Option<Run>> {
        Ok(self.runs(Some(&[id.to_owned()])).await?.pop())
    }

    /// The runs that are under way, here and in other processes.
    #[door]
    pub async fn runs_under_way(&self) -> Result<Vec<Run>> {
        let database = self.reading().await?;
        let select = "select id from hindsight.backtest_results where status = 'running'";
        let rows = database.rows(Statement::new(select)).await?;
        let ids: sqlx::Result<Vec<String>> = rows.iter().map(|row| row.get(0)).collect();
        let ids = ids.map_err(|error| database.failed(error))?;
        let mut runs = self.runs(Some(&ids)).await?;
        runs.retain(|run| run.status == Status::Running);
        Ok(runs)
    }

    /// The ids of the runs that have completed, among these or all, the oldest first.
    #[door]
    pub async fn completed_runs(&self, ids: Option<&[String]>) -> Result<Vec<String>> {
        let database = self.reading().await?;
        let select = "select id from hindsight.backtest_results where status = 'completed'";
        let mut rows = Vec::new();
        match ids {
            None => rows = database.rows(Statement::new(select)).await?,
            Some(ids) => {
                for ids in ids.chunks(IDS_MAX) {
                    let select = format!("{select} and {}", is_in(ids.len()));
                    rows.extend(database.rows(with_ids(select, ids)).await?);
                }
            }
        }
        let ids = rows.iter().map(|row| row.get(0));
        let ids: sqlx::Result<Vec<String>> = ids.collect();
        let mut ids = ids.map_err(|error| database.failed(error))?;
        // Ids rise with the time they were made at.
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Asks a run of another process to stop; whether there is one.
    #[door]
    pub async fn request_cancel(&self, id: &str) -> Result<bool> {
        let database = self.writing().await?;
        let ask = Statement::new(
            "update hindsight.backtest_results set cancel_requested = 1 \
             where id = $1 and status = 'running'",
        );
        Ok(database.execute(ask.bind(id)).await? > 0)
    }

    /// Whether somebody has asked a run to stop.
    #[door]
    pub async fn is_cancel_requested(&self, id: &str) -> Result<bool> {
        is_cancel_requested(&self.reading().await?, id).await
    }

    /// Deletes a run that is over, unless its settings were applied; when forced, then with what the
    /// settings history has of it, which it refers to.
    #[door]
    pub async fn delete_run(&self, id: &str, forced: bool) -> Result<DeletedRun> {
        let database = self.writing().await?;
        // Marks those as interrupted whose process has ended.
        match self.run(id).await? {
            None => return Ok(DeletedRun::Gone),
            Some(run) if run.status == Status::Running => return Ok(DeletedRun::Running),
            Some(_) => {}
        }
        let mut transaction = database.transaction().await?;
        let history = "delete from hindsight.applied_settings_history where backtest_id = $1";
        let run = "delete from hindsight.backtest_results \
                   where id = $1 and status <> 'running' and not exists \
                   (select 1 from hindsight.applied_settings_history where backtest_id = $1)";
        let mut deleted = 0;
        for deletion in forced.then_some(history).into_iter().chain([run]) {
            let deletion = Statement::new(deletion).bind(id);
            let done = deletion.execute(&mut transaction).await;
            deleted = done.map_err(|error| database.failed(error))?;
        }
        if deleted == 0 {
            return Ok(DeletedRun::Applied);
        }
        database.commit(transaction).await?;
        Ok(DeletedRun::Gone)
    }

    async fn can_write(&self) -> bool {
        let opened = self.opened.lock().await;
        matches!(&opened.state, Some(opened) if opened.access == Access::ReadWrite)
    }
}

impl BegunRun {
    /// Stores how far it is; whether somebody has asked it to stop.
    #[door]
    pub async fn report(&self, phase: &str, processed: i64) -> Result<bool> {
        let database = &self.database;
        let mut transaction = database.transaction().await?;
        let update = Statement::new(
            "update hindsight.backtest_results set phase = $2, signals_processed = $3 \
             where id = $1 returning cancel_requested",
        );
        let update = update.bind(self.id.as_str()).bind(phase).bind(processed);
        let row = update.row(&mut transaction).await;
        let row = row.map_err(|error| database.failed(error))?;
        database.commit(transaction).await?;
        let asked = row.map(|row| row.get::<i64>(0)).transpose();
        Ok(asked.map_err(|error| database.failed(error))? == Some(1))
    }

    /// Whether somebody has asked it to stop.
    #[door]
    pub async fn is_cancel_requested(&self) -> Result<bool> {
        is_cancel_requested(&self.database, &self.id).await
    }

    /// Stores how it ended.
    #[door]
    pub async fn end(self, status: Status, message: Option<&str>, results: &Texts) -> Result<i64> {
        let database = &self.database;
        let completed_at = now();
        let results = match status {
            Status::Completed => Some(to_json(results)),
            _ => None,
        };
        let results = results
            .transpose()
            .map_err(|error| database.failed(error))?;
        let end = Statement::new(
            "update hindsight.backtest_results set status = $2, completed_at = $3, \
             error_message = $4, results = $5, phase = null where id = $1 and status = 'running'",
        )
        .bind(self.id.as_str())
        .bind(status.name())
        .bind(completed_at)
        .bind(message)
        .bind(results);
        match database.execute(end).await? {
            0 => Err(Error::Conflict(format!(
                "backtest {} lost its connection, and was taken for interrupted meanwhile; run it \
                 again",
                self.id
            ))),
            _ => Ok(completed_at),
        }
    }
}

async fn is_cancel_requested(database: &Database, id: &str) -> Result<bool> {
    let select = "select cancel_requested from hindsight.backtest_results where id = $1";
    let rows = database.rows(Statement::new(select).bind(id)).await?;
    let asked = rows.first().map(|row| row.get::<i64>(0)).transpose();
    Ok(asked.map_err(|error| database.failed(error))? == Some(1))
}

const INTERRUPTED: &str = "the process that ran it ended before it did";

/// Whether it was still taken for running.
async fn mark_interrupted(database: &Database, id: &str) -> Result<bool> {
    let mark = Statement::new(
        "update hindsight.backtest_results set status = 'interrupted', completed_at = $2, \
         error_message = $3, phase = null where id = $1 and status = 'running'",
    );
    let mark = mark.bind(id).bind(now()).bind(INTERRUPTED);
    Ok(database.execute(mark).await? > 0)
}

async fn read_runs(database: &Database, ids: Option<&[String]>) -> Result<Vec<Run>> {
    let select = format!("select {COLUMNS} from hindsight.backtest_results");
    let mut rows = Vec::new();
    match ids {
        None => rows = database.rows(Statement::new(select)).await?,
        Some(ids) => {
            for ids in ids.chunks(IDS_MAX) {
                let select = format!("{select} where {}", is_in(ids.len()));
                rows.extend(database.rows(with_ids(select, ids)).await?);
            }
        }
    }
    let runs = rows.iter().map(read);
    let runs: sqlx::Result<Vec<Run>> = runs.collect();
    let mut runs = runs.map_err(|error| database.failed(error))?;
    runs.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    Ok(runs)
}

fn is_in(count: usize) -> String {
    let places: Vec<String> = (1..=count).map(|place| format!("${place}")).collect();
    format!("id in ({})", places.join(", "))
}

fn with_ids(select: String, ids: &[String]) -> Statement {
    let select = Statement::new(select);
    ids.iter()
        .fold(select, |select, id| select.bind(id.as_str()))
}

fn read(row: &Row) -> sqlx::Result<Run> {
    let status: String = row.get(3)?;
    let texts = |column: usize| -> sqlx::Result<Texts> {
        let json: Option<String> = row.get(column)?;
        json.map_or_else(|| Ok(Texts::new()), |json| from_json(&json))
    };
    Ok(Run {
        id: row.get(0)?,
        scenario: row.get(1)?,
        label: row.get(2)?,
        status: Status::named(&status).ok_or_else(|| {
            sqlx::Error::Decode(format!("this version knows no status {status}").into())
        })?,
        started_by: row.get(4)?,
        started_at: row.get(5)?,
        completed_at: row.get(6)?,
        error_message: row.get(7)?,
        dataset: row.get(8)?,
        engine_version: row.get(9)?,
        parameters: texts(10)?,
        results: texts(11)?,
        phase: row.get(12)?,
        signals_processed: row.get(13)?,
        total_signals: row.get(14)?,
    })
}

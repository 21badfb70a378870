//! `hindsight status`: what a workspace holds, and whether it is as it was written.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use clap::Args;
use hindsight::dataset::{Dataset, Verified};
use hindsight::store::{Place, run_files};
use hindsight::{Engine, Error};

use super::failure::Failure;
use super::interrupt::Interrupt;
use super::numbers::grouped;
use super::output::{Format, Output, OutputArgs};
use super::table::{Cell, Column, Table};
use super::terminal::{aside, remark, say, seconds, stdout};
use super::values::{Form, write_value};
use super::workspace::Workspace;

/// Show what the workspace holds: period, rows, fingerprint, state, runs under way
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                  hindsight status\n  \
                  hindsight status --verify\n  \
                  hindsight status --format json | jq .fingerprint")]
pub struct StatusArgs {
    /// Read everything back: every byte of the dataset, its fingerprint, the state, and the rows of
    /// stored runs; what is not as it was written is named, and the exit code is 3
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    output: OutputArgs,
}

pub async fn execute(
    workspace: &Workspace,
    arguments: StatusArgs,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let is_table = arguments.output.is_table();
    let mut output = arguments.output.open()?;
    if arguments.verify {
        // Before it is opened, which a damaged one may not let itself be.
        verify_dataset(workspace, interrupt).await?;
    }
    let engine = workspace.open().await?;
    if arguments.verify {
        verify_state(workspace, &engine).await?;
        verify_runs(workspace, &engine).await?;
    }
    let sql = query(workspace, &engine);
    match is_table {
        true => print(&engine, &sql).await,
        false => output.write(engine.run(&sql).await?, true).await,
    }
}

/// One row that says it all.
fn query(workspace: &Path, engine: &Engine) -> String {
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let dataset = engine.dataset();
    let mut sql = format!(
        "select {} as workspace, {} as generation, {} as fingerprint",
        literal(&workspace.display().to_string()),
        dataset.generation,
        literal(&dataset.fingerprint),
    );
    for (what, name) in [
        ("count(*) from signals", "signals"),
        ("count(*) from token_prices", "token_prices"),
        ("count(*) from trade_outcomes", "trade_outcomes"),
        ("min(timestamp) from signals", "first_signal"),
        ("max(timestamp) from signals", "last_signal"),
        ("min(timestamp) from token_prices", "first_price"),
        ("max(timestamp) from token_prices", "last_price"),
        ("count(*) from data_quality", "findings"),
    ] {
        // To a string nothing cannot be written.
        let _ = write!(sql, ", (select {what}) as {name}");
    }
    let state = literal(&engine.store().place().to_string());
    sql + &format!(
        ", {state} as state, (select count(*) from backtests) as stored_runs, \
         (select count(*) from backtest_progress) as runs_under_way"
    )
}

/// One line for each column, and what is under way below.
async fn print(engine: &Engine, sql: &str) -> Result<(), Failure> {
    let batches = engine.sql(sql).await?;
    let mut out = stdout();
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        let schema = batch.schema();
        let names = schema.fields().iter();
        let mut table = Table::new(names.map(|field| Column::left(field.name())).collect());
        let mut cells = Vec::with_capacity(batch.num_columns());
        for column in batch.columns() {
            let mut text = String::new();
            match column.is_null(0) {
                true => text.push_str("none"),
                false => write_value(&mut text, column, 0, Form::Text)?,
            }
            cells.push(Cell::plain(text));
        }
        table.push(cells);
        let mut text = String::new();
        let _ = table.write_vertically(&mut text);
        out.write_all(text.as_bytes())?;
    }
    out.flush()?;
    let under_way = "select backtest_id, phase, signals_processed, total_signals, \
                     progress_percent, elapsed_seconds from backtest_progress";
    let runs = engine.sql(under_way).await?;
    if runs.iter().any(|batch| batch.num_rows() > 0) {
        remark("");
        let mut output = Output::new(Format::Table)?;
        output.write(engine.run(under_way).await?, true).await?;
    }
    Ok(())
}

/// Reads the dataset back, and names every file that is not as it was written.
async fn verify_dataset(workspace: &Path, interrupt: &Interrupt) -> Result<(), Failure> {
    let started = Instant::now();
    let (directory, listener) = (workspace.to_owned(), interrupt.clone());
    let verified = interrupt
        .write(move || Dataset::verify(&directory, &|| listener.is_set()))
        .await?;
    let Verified {
        bytes,
        digests,
        mut damage,
    } = verified;
    if let Some(last) = damage.pop() {
        for damage in damage {
            let (path, problem) = (damage.path.display(), damage.problem);
            say(format_args!("{path}: {problem}"));
        }
        let error = Error::Workspace {
            path: last.path,
            problem: last.problem,
        };
        return Err(Failure::from(error).with_hint(
            "restore the workspace from a backup, or load the history into a new workspace",
        ));
    }
    if bytes == 0 {
        return Ok(());
    }
    let compared = match digests {
        0 => "its fingerprint is that of its rows; an earlier version noted no digests of files",
        _ => "every byte is as it was written, and the fingerprint is that of the rows",
    };
    aside(format_args!(
        "read {} bytes of the dataset back in {}: {compared}",
        grouped(bytes),
        seconds(started.elapsed())
    ));
    Ok(())
}

/// Reads the state back, and names what in it does not fit together.
async fn verify_state(workspace: &Path, engine: &Engine) -> Result<(), Failure> {
    const PROBLEM: &str = "holds the rows of a run that the state does not know";
    let store = engine.store();
    let mut problems = store.verify().await?;
    if let Some(problem) = problems.pop() {
        let state = store.place();
        for problem in problems {
            say(format_args!("{state}: {problem}"));
        }
        let error = Error::Database {
            database: state.to_string(),
            problem,
            hint: "it is damaged: restore the workspace from a backup".into(),
        };
        return Err(error.into());
    }
    // At a server are the runs of other workspaces too.
    if !matches!(store.place(), Place::Workspace(_)) {
        return Ok(());
    }
    let mut unknown = run_files::unknown(workspace, &store.run_ids().await?);
    let Some(last) = unknown.pop() else {
        return Ok(());
    };
    for path in unknown {
        say(format_args!("{}: {PROBLEM}", path.display()));
    }
    let error = Error::Workspace {
        path: last,
        problem: PROBLEM.into(),
    };
    Err(Failure::from(error).with_hint(
        "the state is older than its runs: restore it from a backup that has them, or name with \
         --state where they are kept; of a run that was deleted, remove the folder",
    ))
}

/// Reads the files of stored runs back, and names each that is not as it was written.
async fn verify_runs(workspace: &Path, engine: &Engine) -> Result<(), Failure> {
    let mut damage = Vec::new();
    for id in engine.store().completed_runs(None).await? {
        damage.extend(run_files::verify(workspace, &id));
    }
    let Some((path, problem)) = damage.pop() else {
        return Ok(());
    };
    for (path, problem) in damage {
        say(format_args!("{}: {problem}", path.display()));
    }
    let error = Error::Workspace { path, problem };
    Err(Failure::from(error).with_hint(
        "copy the folder runs of the workspace where they were run, or run them again; what they \
         came to is in backtests",
    ))
}

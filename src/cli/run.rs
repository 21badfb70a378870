//! `hindsight run`: one backtest, stored and compared with what really happened.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;
use hindsight::caller::progress::Phase;
use hindsight::ingest::Severity;
use hindsight::{Engine, Error, Outcome};

use super::apply::text;
use super::comparison::Comparison;
use super::failure::Failure;
use super::output::{Output, OutputArgs};
use super::progress::Bar;
use super::settings::{self, Setting, quoted};
use super::terminal::{aside, seconds};
use super::workspace::Workspace;

/// How often the progress is looked at.
const FOLLOW: Duration = Duration::from_millis(100);

/// Backtest one set of settings, store it, and compare it with what really happened
#[derive(Debug, Args)]
#[command(
    long_about = "Backtest one set of settings, store it, and compare it with what really \
                  happened.\n\n\
                  What is not set takes the scenario's value, or its default; hindsight query \
                  \"select * from parameters\" lists them all.",
    after_help = "Examples:\n  \
                  hindsight run --set stop_loss_percent=12\n  \
                  hindsight run cautious --label 'before the weekend'\n  \
                  hindsight run --set start_date=2025-01-01 --set exit_strategy=hybrid\n  \
                  hindsight run --set score_threshold=80 --no-store --format json"
)]
pub struct RunArgs {
    /// The scenario to run
    scenario: Option<String>,
    /// A parameter and its value, which beats the scenario's; none is no value
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::parse)]
    settings: Vec<Setting>,
    /// What the run is for, beside it in the history
    #[arg(long)]
    label: Option<String>,
    /// Only show it
    #[arg(long, conflicts_with = "label")]
    no_store: bool,
    /// In all formats but table, the row of the backtest
    #[command(flatten)]
    output: OutputArgs,
}

pub async fn execute(workspace: &Workspace, arguments: RunArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let is_table = arguments.output.is_table();
    let mut output = arguments.output.open()?;
    let engine = open_loaded(workspace).await?;
    engine.read_ahead();
    let mut call: Vec<String> = arguments.settings.iter().map(Setting::argument).collect();
    if let Some(scenario) = &arguments.scenario {
        call.push(format!("scenario => {}", quoted(scenario)));
    }
    if let Some(label) = &arguments.label {
        call.push(format!("label => {}", quoted(label)));
    }
    let call = call.join(", ");
    let outcome = match arguments.no_store {
        true => show(&engine, &mut output, is_table, &call).await,
        false => store(&engine, &mut output, is_table, &call).await,
    };
    let id = outcome.map_err(|failure| {
        let is_several = arguments.settings.iter().any(Setting::is_several);
        match failure.error() {
            Error::Parameter { .. } if is_several => {
                failure.with_hint("hindsight sweep takes several values, run takes one")
            }
            Error::Workspace { problem, .. }
                if !arguments.no_store && problem.starts_with("cannot be written") =>
            {
                failure.with_hint("hindsight run --no-store runs it and keeps nothing")
            }
            _ => failure,
        }
    })?;
    match id {
        None => aside(seconds(started.elapsed())),
        Some(id) => aside(format_args!(
            "{}, stored as {id}",
            seconds(started.elapsed())
        )),
    }
    Ok(())
}

/// Says what in the history should worry the reader of a result, before it is shown. What was asked for
/// in vain is told of that alone.
fn warn_of_history(engine: &Engine) {
    const SHOWN: usize = 5;
    let findings = &engine.dataset().data_quality;
    let text = |column: &str, row: usize| text(std::slice::from_ref(findings), column, row);
    let warnings: Vec<_> = (0..findings.num_rows())
        .filter(|row| text("severity", *row) == Severity::Warning.as_str())
        .collect();
    for row in warnings.iter().take(SHOWN) {
        let [table, check, example] =
            ["table_name", "check_name", "example"].map(|column| text(column, *row));
        aside(format_args!("warning: {table} {check}: {example}"));
    }
    if warnings.len() > SHOWN {
        aside(format_args!(
            "warning: {} more: select * from data_quality where severity = 'warning'",
            warnings.len() - SHOWN
        ));
    }
}

/// Runs it and stores nothing.
async fn show(
    engine: &Engine,
    output: &mut Output,
    is_table: bool,
    call: &str,
) -> Result<Option<String>, Failure> {
    if is_table {
        let spinner = Bar::spinner("backtesting");
        let comparison = Comparison::run(engine, call).await;
        drop(spinner);
        let comparison = comparison?;
        warn_of_history(engine);
        comparison.print()?;
    } else {
        let run = format!("select * from backtest({call})");
        let run = engine.sql(&run).await?;
        warn_of_history(engine);
        output.write(rows_of(run), true).await?;
    }
    Ok(None)
}

/// Runs and stores it; returns its id.
async fn store(
    engine: &Engine,
    output: &mut Output,
    is_table: bool,
    call: &str,
) -> Result<Option<String>, Failure> {
    // Opened while the run is being planned, which is told what fails. Planning never gives way, so
    // that it is begun before.
    let state = Arc::clone(engine.store());
    tokio::spawn(async move { state.open().await });
    tokio::task::yield_now().await;
    let sql = format!("select * from run_backtest({call})");
    let run = engine.sql(&sql);
    let run = tokio::select! {
        run = run => run?,
        never = follow(engine) => match never {},
    };
    let id = text(&run, "backtest_id", 0);
    warn_of_history(engine);
    if is_table {
        Comparison::of_completed(engine, &id, run).await?.print()?;
    } else {
        output.write(rows_of(run), true).await?;
    }
    Ok(Some(id))
}

/// Rows that are there already.
fn rows_of(batches: Vec<RecordBatch>) -> Outcome {
    let schema = batches
        .first()
        .map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
    let rows = stream::iter(batches.into_iter().map(Ok));
    Outcome::Rows(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

/// Shows how far the run is, as long as it is waited for.
async fn follow(engine: &Engine) -> Infallible {
    let mut shown: Option<(Phase, Bar)> = None;
    loop {
        tokio::time::sleep(FOLLOW).await;
        let Some(progress) = engine.runs().under_way().pop() else {
            continue;
        };
        let phase = progress.phase();
        if shown.as_ref().is_none_or(|(known, _)| *known != phase) {
            // The old bar is cleared before the new one is drawn.
            drop(shown.take());
            let bar = match phase {
                Phase::Signals => Bar::new("signals", progress.total_signals),
                phase => Bar::spinner(phase.name()),
            };
            shown = Some((phase, bar));
        }
        if let (Phase::Signals, Some((_, bar))) = (phase, &shown) {
            bar.set(progress.signals_processed(), progress.total_signals);
        }
    }
}

/// Opens a workspace that has something to backtest.
pub async fn open_loaded(workspace: &Workspace) -> Result<Engine, Failure> {
    let engine = workspace.open().await?;
    let dataset = engine.dataset();
    let (problem, hint) = if dataset.generation == 0 {
        (
            "nothing is loaded yet",
            "hindsight demo makes a history to try; hindsight load --signals FILE… --prices FILE… \
             --trades FILE… loads yours",
        )
    } else if dataset.signals.num_rows() == 0 {
        (
            "no signals are loaded yet, so that there is nothing to backtest",
            "hindsight load --signals FILE… adds them to what is there",
        )
    } else {
        return Ok(engine);
    };
    let error = Error::Workspace {
        path: workspace.to_path_buf(),
        problem: problem.into(),
    };
    Err(Failure::from(error).with_hint(hint))
}

//! Runs: begun, followed, cancelled.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use datafusion::arrow::array::{AsArray, RecordBatch};
use hindsight_udfs::decimal;
use serde_json::{Value, json};

use super::call::{self, Call};
use super::config::{Config, literal};
use super::json::{Object, objects};
use super::problem::Problem;
use super::results;
use super::streams::{self, Form, Pieces};
use crate::caller::progress::{Phase, Progress, remaining, tenths_of_percent};
use crate::session::Session;

/// How often a run is looked at, and how often a client is told at least.
const LOOK: Duration = Duration::from_millis(20);
const TELL: Duration = Duration::from_millis(250);

/// The statement that runs and stores.
async fn statement(call: &Call, config: &Config) -> Result<String, Problem> {
    let mut arguments = config.arguments();
    if let Some(tried) = &config.tried {
        arguments.extend(tried.arguments(call, config).await?);
    }
    if let Some(label) = &config.label {
        arguments.push(format!("label => {}", literal(label)));
    }
    Ok(format!(
        "select backtest_id from run_backtest({})",
        arguments.join(", ")
    ))
}

fn id(rows: &[RecordBatch]) -> Result<String, Problem> {
    let row = rows.iter().find(|batch| batch.num_rows() > 0);
    let column = row.and_then(|batch| batch.column(0).as_string_opt::<i32>());
    match column {
        Some(column) => Ok(column.value(0).to_owned()),
        None => Err(crate::Error::session("XX000", "a run has no id").into()),
    }
}

pub async fn run(call: Call) -> Result<Response<Body>, Problem> {
    let trades = call.number("trades", results::TRADES, results::TRADES_MAX)?;
    let config = Config::read(Object::parse(&call.body)?, call.ranges())?;
    let rows = call.rows(&statement(&call, &config).await?).await?;
    let document = results::document(&call, &id(&rows)?, trades).await?;
    Ok(call.json(&document))
}

pub async fn stream(call: Call) -> Result<Response<Body>, Problem> {
    let trades = call.number("trades", results::TRADES, results::TRADES_MAX)?;
    let config = Config::read(Object::parse(&call.body)?, call.ranges())?;
    let call = Arc::new(call);
    let made = Arc::clone(&call);
    streams::answer(&call, Form::Events, move |pieces| {
        Box::pin(async move {
            let session = made.session().await?;
            let statement = statement(&made, &config).await?;
            let run = call::rows(&session, &statement);
            let mut told = Told::default();
            let rows = tokio::select! {
                rows = run => rows?,
                never = told.follow(&session, &pieces) => match never {},
            };
            told.all(&pieces).await;
            let document = results::document(&made, &id(&rows)?, trades).await?;
            pieces.send("complete", &document).await;
            Ok(())
        })
    })
}

/// What a client was told of a run under way.
#[derive(Default)]
struct Told {
    progress: Option<Arc<Progress>>,
    last: Option<(Phase, tokio::time::Instant)>,
}

impl Told {
    /// Tells how far the session's run is: at each phase, and while one takes long.
    async fn follow(&mut self, session: &Session, pieces: &Pieces) -> std::convert::Infallible {
        loop {
            if let Some(progress) = session.run_under_way() {
                let phase = progress.phase();
                self.progress = Some(progress);
                self.up_to(phase, pieces).await;
                if self.last.is_some_and(|(_, at)| at.elapsed() >= TELL) {
                    self.tell(phase, pieces).await;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Tells each phase that was begun since, those as well that were shorter than a look.
    async fn up_to(&mut self, phase: Phase, pieces: &Pieces) {
        for each in Phase::ALL {
            if each <= phase && self.last.is_none_or(|(last, _)| each > last) {
                self.tell(each, pieces).await;
            }
        }
    }

    /// Tells what is left of a run that is over.
    async fn all(&mut self, pieces: &Pieces) {
        self.up_to(Phase::Storing, pieces).await;
    }

    async fn tell(&mut self, phase: Phase, pieces: &Pieces) {
        if let Some(progress) = &self.progress {
            pieces.send("progress", &of_progress(progress, phase)).await;
            self.last = Some((phase, tokio::time::Instant::now()));
        }
    }
}

/// The story's `BacktestProgress`.
fn of_progress(progress: &Progress, phase: Phase) -> Value {
    let (processed, total) = (progress.signals_processed(), progress.total_signals);
    let elapsed = progress.elapsed();
    json!({
        "backtest_id": progress.id,
        "status": "running",
        "signals_processed": processed,
        "total_signals": total,
        "current_phase": phase.name(),
        "elapsed_seconds": elapsed.as_secs(),
        "estimated_remaining_seconds": remaining(elapsed, processed, total),
        "progress_percent": decimal::format(tenths_of_percent(processed, total), 1),
    })
}

pub async fn progress(call: Call) -> Result<Response<Body>, Problem> {
    let id = call.path("id");
    let sql = format!(
        "select backtest_id, status, signals_processed, total_signals, phase as current_phase, \
         elapsed_seconds, estimated_remaining_seconds, progress_percent from backtest_progress \
         where backtest_id = {}",
        literal(id)
    );
    match objects(&call.rows(&sql).await?)?.pop() {
        Some(progress) => Ok(call.json(&Value::Object(progress))),
        None => Err(Problem::missing("the backtest is unknown, or over")),
    }
}

pub async fn cancel(call: Call) -> Result<Response<Body>, Problem> {
    let id = literal(call.path("id"));
    let known = format!("select backtest_id from backtest_progress where backtest_id = {id}");
    if objects(&call.rows(&known).await?)?.is_empty() {
        return Err(Problem::missing("the backtest is unknown, or over"));
    }
    let sql = format!("select * from cancel_backtest({id})");
    let row = objects(&call.rows(&sql).await?)?.pop().unwrap_or_default();
    Ok(call.json(&Value::Object(row)))
}

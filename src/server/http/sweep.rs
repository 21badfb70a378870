//! A grid, streamed: rows as they come, how far it is, the best so far.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Response;
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::Decimal128Type;
use futures::TryStreamExt;
use serde_json::{Value, json};

use super::call::{Call, quoted};
use super::config::Config;
use super::json::{Columns, Object};
use super::problem::Problem;
use super::streams::{self, Form, Pieces};
use super::tables;
use crate::caller::progress::remaining;
use crate::error::Error;
use crate::parameters::{Parameter, Ranges, position};
use crate::session::{Outcome, Session};
use crate::whatif::grid;

const TELL: Duration = Duration::from_millis(250);
/// Rows in a piece.
const ROWS: usize = 500;
const BEST: &str = "simulated_total_pnl_sol";

/// What is swept, and what comes of it.
struct Sweep {
    statement: String,
    columns: Vec<String>,
    combinations: u64,
}

impl Sweep {
    fn read(body: &[u8], ranges: &Ranges) -> Result<Self, Problem> {
        let mut object = Object::parse(body)?;
        let config = match object.object("config")? {
            Some(config) => Config::read(config, ranges)?,
            None => Config::default(),
        };
        let Some(grid) = object.object("grid")? else {
            return Err(Problem::request("grid is missing"));
        };
        let grid = tables::grid_of(grid, ranges)?;
        object.end()?;
        if grid.is_empty() {
            return Err(Problem::request("grid names no parameter"));
        }
        let sizes = grid.iter().map(|(_, values)| values.len() as u64);
        let swept = |parameter: &Parameter| grid.iter().any(|(p, _)| p.name == parameter.name);
        let columns: Vec<String> = grid::schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .filter(|name| match position(name) {
                Some(position) => swept(&crate::parameters::PARAMETERS[position]),
                None => name != "scenario",
            })
            .collect();
        let quoted: Vec<_> = columns.iter().map(|name| quoted(name)).collect();
        Ok(Self {
            statement: format!(
                "select {} from backtest({})",
                quoted.join(", "),
                config.arguments_with(&grid)
            ),
            combinations: sizes.fold(1, u64::saturating_mul),
            columns,
        })
    }
}

pub async fn sweep(call: Call) -> Result<Response<Body>, Problem> {
    let sweep = Sweep::read(&call.body, call.ranges())?;
    let form = match call.takes_ndjson {
        true => Form::Lines,
        false => Form::Events,
    };
    // What is wrong with the grid as a whole is told before anything is streamed.
    let session = call.session().await?;
    let statement = session.parse(&sweep.statement)?.pop();
    let statement = statement.ok_or_else(|| Error::session("XX000", "no statement"))?;
    let prepared = session.prepare(statement, &[]).await?;
    streams::answer(&call, form, move |pieces| {
        Box::pin(async move {
            let Outcome::Rows(mut rows) = session.execute(&prepared, vec![]).await? else {
                return Err(Error::session("XX000", "a sweep has no rows").into());
            };
            let session = Arc::new(session);
            let mut events = SweepEvents::new(&sweep, &session, &pieces);
            loop {
                let batch = tokio::select! {
                    biased;
                    batch = rows.try_next() => batch?,
                    never = events.follow() => match never {},
                };
                match batch {
                    Some(batch) => events.take(&batch).await?,
                    None => break,
                }
            }
            events.complete().await;
            Ok(())
        })
    })
}

/// A sweep under way.
struct SweepEvents<'a> {
    sweep: &'a Sweep,
    session: &'a Session,
    pieces: &'a Pieces,
    started: Instant,
    sent: u64,
    best: Option<(i128, Value)>,
}

impl<'a> SweepEvents<'a> {
    fn new(sweep: &'a Sweep, session: &'a Session, pieces: &'a Pieces) -> Self {
        Self {
            sweep,
            session,
            pieces,
            started: Instant::now(),
            sent: 0,
            best: None,
        }
    }

    fn progress(&self) -> Value {
        let total = self.sweep.combinations;
        let done = self.session.combinations_done().max(self.sent).min(total);
        json!({
            "done": done,
            "total": total,
            "elapsed_seconds": self.started.elapsed().as_secs(),
            "estimated_remaining_seconds": remaining(self.started.elapsed(), done, total),
            "best": self.best.as_ref().map(|(_, row)| row),
        })
    }

    /// Tells how far it is, now and again.
    async fn follow(&self) -> std::convert::Infallible {
        loop {
            self.pieces.send("progress", &self.progress()).await;
            tokio::time::sleep(TELL).await;
        }
    }

    async fn take(&mut self, batch: &RecordBatch) -> Result<(), Problem> {
        let columns = Columns::new(batch)?;
        let pnl = batch.column_by_name(BEST);
        let pnl = pnl.and_then(|column| column.as_primitive_opt::<Decimal128Type>());
        for first in (0..batch.num_rows()).step_by(ROWS) {
            let last = (first + ROWS).min(batch.num_rows());
            let mut text = String::from("[");
            for row in first..last {
                if row > first {
                    text.push(',');
                }
                columns.list(row, &mut text)?;
                let Some(pnl) = pnl
                    .filter(|pnl| pnl.is_valid(row))
                    .map(|pnl| pnl.value(row))
                else {
                    continue;
                };
                if self.best.as_ref().is_none_or(|(best, _)| pnl > *best) {
                    self.best = Some((pnl, Value::Object(columns.object(row)?)));
                }
            }
            text.push(']');
            let rows: Value = serde_json::from_str(&text).unwrap_or_default();
            let piece = json!({ "columns": self.sweep.columns, "rows": rows });
            if !self.pieces.send("rows", &piece).await {
                return Err(Error::Cancelled.into());
            }
            self.sent += (last - first) as u64;
        }
        Ok(())
    }

    async fn complete(&self) {
        let mut complete = self.progress();
        if let Value::Object(members) = &mut complete {
            members.insert("combinations".into(), self.sent.into());
        }
        self.pieces.send("complete", &complete).await;
    }
}

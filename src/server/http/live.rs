//! The live what-if: one request for each adjustment, one binary body for each answer.
//!
//! What is asked: `{"page", "seq", "config", "width", "response"}`. The answer, little-endian:
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..4 | `HSL1` |
//! | 4..8 | how long the head is, a multiple of 4 |
//! | 8..8 + head | the head: JSON in UTF-8, padded with spaces |
//! | then | for each name in the head's `series` an array of 32-bit integers, `width` long |
//!
//! The head has `seq`, `width`, `start` and `end` of the axis, `digits`, the row of `backtest`, the
//! `exit_reasons` with trades and PnL, the names of the `series`, and of each parameter that a
//! `response` is asked for the `values` and what each would have earned. An integer of a series is
//! SOL × 10^`digits`: cumulative PnL in the order of exits, of each bucket the first, least, greatest
//! and last, so that no extreme is lost, and the greatest drawdown.
//!
//! A request that a newer one of the same page has overtaken is dropped, and answered with 204.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response, StatusCode};
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{Date32Type, Decimal128Type, TimestampMicrosecondType};
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::DataFusionError;
use hindsight_sweep::sales::Sale;
use hindsight_udfs::decimal;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::call::{self, Call};
use super::config::{self, Config};
use super::curves::{self, Axis, PARTS};
use super::defaults;
use super::json::{Columns, Object, objects, time};
use super::passwords::Caller;
use super::problem::Problem;
use super::responses;
use crate::error::Error;
use crate::parameters::{PARAMETERS, Parameter, Ranges};
use crate::schema::SOL;
use crate::session::{Engine, Session};

/// The layout of an answer, as the description has it.
pub const LAYOUT: &str = "Little-endian. Bytes 0..4: HSL1. Bytes 4..8: the length of the head, a \
    multiple of 4. Then the head: JSON in UTF-8, padded with spaces. Then for each name in its series \
    an array of 32-bit integers, width long; SOL = integer / 10^digits. Of each bucket of time from \
    start to end: the first, least, greatest and last cumulative PnL in the order of exits, and the \
    greatest drawdown. The head has seq, width, start, end, digits, backtest (the row of SQL's \
    backtest), exit_reasons (exit_reason, trades, net_pnl_sol), series, and response: for each \
    parameter asked for its values, simulated_total_pnl_sol and simulated_pnl_conservative_sol.";
const MAGIC: &[u8; 4] = b"HSL1";
pub const WIDTH_MAX: usize = 8_000;
pub const RESPONSES_MAX: usize = 8;
pub const PAGE_LIMIT: usize = 100;
/// Pages that are remembered.
const PAGES: usize = 1_000;
/// Ranges whose actual trades are remembered.
const RANGES: usize = 8;
const DAY_MICROS: i64 = 86_400_000_000;

/// A row of `backtest`, and its sales.
type Made = (Vec<RecordBatch>, Vec<Sale>);
/// Trades in the order of their exits: each its instant and its PnL.
type Trades = Vec<(i64, i128)>;
/// What actual trades depend on: the generation, the first day and the last.
type Range = (u64, i32, i32);

/// The pages that are open: of each the newest request, and the actual trades of what they look at.
#[derive(Default)]
pub struct Pages {
    newest: Mutex<HashMap<(Arc<str>, String), Page>>,
    actual: Mutex<Vec<(Range, Arc<Trades>)>>,
}

struct Page {
    newest: watch::Sender<u64>,
    used: Instant,
}

impl Pages {
    /// Where a request learns that a newer one has come; `None` where one has already.
    fn begin(&self, user: &Arc<str>, page: &str, seq: u64) -> Option<watch::Receiver<u64>> {
        let mut pages = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.len() >= PAGES {
            let oldest = pages.iter().min_by_key(|(_, page)| page.used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                pages.remove(&oldest);
            }
        }
        let page = pages
            .entry((Arc::clone(user), page.to_owned()))
            .or_insert_with(|| Page {
                newest: watch::Sender::new(seq),
                used: Instant::now(),
            });
        page.used = Instant::now();
        if *page.newest.borrow() > seq {
            return None;
        }
        page.newest.send_replace(seq);
        Some(page.newest.subscribe())
    }

    fn known(&self, range: Range) -> Option<Arc<Trades>> {
        let actual = self.actual.lock().unwrap_or_else(PoisonError::into_inner);
        let known = actual.iter().find(|(known, _)| *known == range);
        known.map(|(_, trades)| Arc::clone(trades))
    }

    fn know(&self, range: Range, trades: &Arc<Trades>) {
        let mut actual = self.actual.lock().unwrap_or_else(PoisonError::into_inner);
        actual.retain(|(known, _)| *known != range);
        if actual.len() >= RANGES {
            actual.remove(0);
        }
        actual.push((range, Arc::clone(trades)));
    }
}

/// What is asked.
struct Asked {
    page: String,
    seq: u64,
    config: Config,
    width: usize,
    response: Vec<&'static Parameter>,
}

impl Asked {
    fn read(body: &[u8], ranges: &Ranges) -> Result<Self, Problem> {
        let mut object = Object::parse(body)?;
        let page = object.text("page")?.unwrap_or_default();
        let seq = object.get("seq", "a whole number")?;
        let seq = seq.ok_or_else(|| Problem::request("seq is missing"))?;
        let width: Option<usize> = object.get("width", "a whole number")?;
        let width = width.ok_or_else(|| Problem::request("width is missing"))?;
        let response: Option<Vec<String>> = object.get("response", "a list of parameters")?;
        let config = object.object("config")?;
        let config = config.ok_or_else(|| Problem::request("config is missing"))?;
        object.end()?;
        if page.len() > PAGE_LIMIT {
            let detail = format!("page must be at most {PAGE_LIMIT} bytes long");
            return Err(Problem::request(detail));
        }
        if !(1..=WIDTH_MAX).contains(&width) {
            let detail = format!("width must be between 1 and {WIDTH_MAX}, found {width}");
            return Err(Problem::request(detail));
        }
        let response = response.unwrap_or_default();
        if response.len() > RESPONSES_MAX {
            let detail = format!("response must name at most {RESPONSES_MAX} parameters");
            return Err(Problem::request(detail));
        }
        Ok(Self {
            page,
            seq,
            config: Config::read(config, ranges)?,
            width,
            response: response
                .iter()
                .map(|name| config::named(name))
                .collect::<Result<_, _>>()?,
        })
    }
}

pub async fn live(call: Call) -> Result<Response<Body>, Problem> {
    let asked = Asked::read(&call.body, call.ranges())?;
    let dropped = || {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    };
    let pages = &call.shared.live;
    let Some(mut newest) = pages.begin(&call.caller.user, &asked.page, asked.seq) else {
        return Ok(dropped());
    };
    let seq = asked.seq;
    let overtaken = async {
        let _ = newest.wait_for(|newest| *newest > seq).await;
    };
    tokio::select! {
        made = made(&call, asked) => {
            let mut response = Response::new(Body::from(made?));
            let kind = HeaderValue::from_static("application/octet-stream");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            Ok(response)
        }
        () = overtaken => Ok(dropped()),
    }
}

/// The rows of a statement, made on a thread of their own.
fn spawned(call: &Call, sql: String) -> SpawnedTask<Result<Vec<RecordBatch>, Problem>> {
    let engine = call.shared.engine.clone();
    let caller = call.caller.clone();
    SpawnedTask::spawn(async move {
        let session = session(&engine, &caller).await?;
        call::rows(&session, &sql).await
    })
}

/// A backtest and its sales, made on a thread of their own over one generation.
fn spawned_sales(call: &Call, sql: String) -> SpawnedTask<Result<Made, Problem>> {
    let engine = call.shared.engine.clone();
    let caller = call.caller.clone();
    SpawnedTask::spawn(async move {
        let session = session(&engine, &caller).await?;
        session.want_sales();
        let rows = call::rows(&session, &sql).await?;
        Ok((rows, session.take_sales()))
    })
}

async fn session(engine: &Engine, caller: &Caller) -> Result<Session, Problem> {
    Ok(engine.session(&caller.user, caller.role).await?)
}

async fn joined<T: Send + 'static>(task: SpawnedTask<Result<T, Problem>>) -> Result<T, Problem> {
    let ended = task.join().await;
    ended.unwrap_or_else(|error| {
        Err(Error::session("XX000", format!("a part of the answer stopped: {error}")).into())
    })
}

fn backtest(config: &Config) -> String {
    format!("select * from backtest({})", config.arguments().join(", "))
}

/// The whole answer.
async fn made(call: &Call, asked: Asked) -> Result<Vec<u8>, Problem> {
    let Asked {
        seq,
        mut config,
        width,
        response,
        ..
    } = asked;
    if config.scenario.is_some() {
        // What the scenario sets is known from the row.
        config = explicit(&joined(spawned(call, backtest(&config))).await?)?;
    }
    let row = spawned_sales(call, backtest(&config));
    let responses: Vec<_> = response
        .iter()
        .map(|parameter| {
            let values = defaults::positions(parameter, config.text(parameter), call.ranges());
            let task = spawned(call, responses::statement(&config, parameter, &values));
            (*parameter, values, task)
        })
        .collect();
    let (rows, sales) = joined(row).await?;
    let actual = actual(call, &rows).await?;
    let (simulated, reasons) = summed(&sales);
    let axis = axis(&rows, &[&actual, &simulated], width)?;
    let curves = [
        ("actual", curves::curve(&actual, &axis)),
        ("simulated", curves::curve(&simulated, &axis)),
    ];
    let digits = curves::digits(&[&curves[0].1, &curves[1].1]);
    let series = curves
        .iter()
        .flat_map(|(side, _)| PARTS.map(|part| format!("{side}_{part}")));
    let series: Vec<String> = series.collect();
    let mut answered = Vec::with_capacity(responses.len());
    for (parameter, values, task) in responses {
        answered.push(responses::curve(parameter, values, &joined(task).await?)?);
    }
    let backtest = objects(&rows)?.pop().unwrap_or_default();
    let head = json!({
        "seq": seq,
        "width": width,
        "start": time(axis.start),
        "end": time(axis.end),
        "digits": digits,
        "backtest": backtest,
        "exit_reasons": reasons,
        "series": series,
        "response": answered,
    });
    Ok(body(&head, &curves.map(|(_, curve)| curve), digits))
}

/// Puts head and arrays together.
fn body(head: &Value, curves: &[curves::Curve], digits: u32) -> Vec<u8> {
    let mut head = head.to_string().into_bytes();
    head.resize(head.len().next_multiple_of(4), b' ');
    let mut body = Vec::with_capacity(8 + head.len());
    body.extend_from_slice(MAGIC);
    body.extend_from_slice(&u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes());
    body.extend_from_slice(&head);
    for value in curves.iter().flat_map(|curve| curve.parts.iter().flatten()) {
        body.extend_from_slice(&curves::scaled(*value, digits).to_le_bytes());
    }
    body
}

/// The only row of a backtest.
fn only(rows: &[RecordBatch]) -> Result<&RecordBatch, Problem> {
    let row = rows.iter().find(|batch| batch.num_rows() > 0);
    row.ok_or_else(|| Error::session("XX000", "a backtest is one row").into())
}

/// The configuration that a backtest was run with.
fn explicit(rows: &[RecordBatch]) -> Result<Config, Problem> {
    let row = only(rows)?;
    let values = Columns::new(row)?.object(0)?;
    let given = PARAMETERS.iter().filter_map(|parameter| {
        let text = match values.get(parameter.name)? {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        Some((parameter, config::plain(&text)))
    });
    Ok(Config {
        given: given.collect(),
        ..Config::default()
    })
}

fn days(rows: &[RecordBatch]) -> Result<Option<(i32, i32)>, Problem> {
    let row = only(rows)?;
    let day = |name: &str| {
        let column = row.column_by_name(name)?.as_primitive_opt::<Date32Type>()?;
        column.is_valid(0).then(|| column.value(0))
    };
    Ok(day("start_date").zip(day("end_date")))
}

/// From the first day to the last exit, or to the end of the last day where that is later.
fn axis(rows: &[RecordBatch], trades: &[&Trades], width: usize) -> Result<Axis, Problem> {
    let (first, last) = days(rows)?.unwrap_or_default();
    let end = (i64::from(last) + 1).saturating_mul(DAY_MICROS);
    let exits = trades.iter().filter_map(|trades| trades.last());
    Ok(Axis {
        start: i64::from(first).saturating_mul(DAY_MICROS),
        end: exits
            .map(|(at, _)| at.saturating_add(1))
            .fold(end, i64::max),
        width,
    })
}

/// Instants and PnL of rows, in their order.
fn read(batch: &RecordBatch, at: &str, pnl: &str) -> Result<Trades, Problem> {
    let wrong = || Problem::from(Error::session("XX000", format!("no column {at} or {pnl}")));
    let at = batch.column_by_name(at).ok_or_else(wrong)?;
    let pnl = cast(batch.column_by_name(pnl).ok_or_else(wrong)?, &SOL);
    let pnl = pnl.map_err(|error| DataFusionError::ArrowError(Box::new(error), None))?;
    let at = at
        .as_primitive_opt::<TimestampMicrosecondType>()
        .ok_or_else(wrong)?;
    let pnl = pnl.as_primitive_opt::<Decimal128Type>().ok_or_else(wrong)?;
    Ok(at
        .values()
        .iter()
        .copied()
        .zip(pnl.values().iter().copied())
        .collect())
}

/// What really happened on the signals of the range.
async fn actual(call: &Call, rows: &[RecordBatch]) -> Result<Arc<Trades>, Problem> {
    let Some((first, last)) = days(rows)? else {
        return Ok(Arc::default());
    };
    let session = call.session().await?;
    let range = (session.generation().await?, first, last);
    if let Some(known) = call.shared.live.known(range) {
        return Ok(known);
    }
    let row = Columns::new(only(rows)?)?.object(0)?;
    let day = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let sql = format!(
        "select exit_timestamp, realized_pnl_sol from trade_outcomes \
         join signals on signals.id = trade_outcomes.signal_id \
         where signals.timestamp >= timestamptz '{} 00:00:00+00' \
         and signals.timestamp < timestamptz '{} 00:00:00+00' + interval '1 day' \
         and exit_timestamp is not null and realized_pnl_sol is not null \
         order by exit_timestamp, signal_id",
        day("start_date"),
        day("end_date")
    );
    let mut trades = Trades::new();
    for batch in call::rows(&session, &sql).await? {
        trades.extend(read(&batch, "exit_timestamp", "realized_pnl_sol")?);
    }
    let trades = Arc::new(trades);
    call.shared.live.know(range, &trades);
    Ok(trades)
}

/// The trades that sales are, and what came of each way to end, most trades first.
fn summed(sales: &[Sale]) -> (Trades, Vec<Value>) {
    let mut reasons: BTreeMap<&str, (u64, i128)> = BTreeMap::new();
    for sale in sales {
        let of_reason = reasons.entry(sale.reason.name()).or_default();
        of_reason.0 += 1;
        of_reason.1 += sale.net_pnl;
    }
    let mut reasons: Vec<(&str, (u64, i128))> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    let reasons = reasons.into_iter().map(|(name, (count, pnl))| {
        json!({ "exit_reason": name, "trades": count, "net_pnl_sol": decimal::format(pnl, 9) })
    });
    let trades = sales.iter().map(|sale| (sale.end, sale.net_pnl));
    (trades.collect(), reasons.collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn a_newer_request_overtakes_those_of_its_page_alone() {
        let pages = Pages::default();
        let user: Arc<str> = "ann".into();
        let first = pages.begin(&user, "a", 1).unwrap();
        assert!(pages.begin(&user, "b", 1).is_some());
        assert!(!first.has_changed().unwrap());
        assert!(pages.begin(&user, "a", 3).is_some());
        assert_eq!(*first.borrow(), 3);
        assert!(pages.begin(&user, "a", 2).is_none());
        assert!(pages.begin(&"bob".into(), "a", 2).is_some());
    }
}

//! Stored runs: the story's `BacktestResult`, the rows behind it, the history.

use axum::body::Body;
use axum::http::Response;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::config::{self, literal};
use super::json::objects;
use super::problem::Problem;
use super::tables;
use crate::error::Error;
use crate::parameters::position;
use crate::records::runs::Texts;
use crate::store::{DeletedRun, run_files};

/// The trades and comparisons that a result has in itself, unless told otherwise.
pub const TRADES: u64 = 100;
pub const TRADES_MAX: u64 = 1_000;
const HISTORY: u64 = 20;
const HISTORY_MAX: u64 = 1_000;
/// The columns of a run that are not of its backtest.
pub const OWN: [&str; 10] = [
    "id",
    "scenario",
    "label",
    "status",
    "started_at",
    "completed_at",
    "duration_seconds",
    "error_message",
    "dataset",
    "engine_version",
];
/// The counts of a backtest by the names that the story has for them.
pub const COUNTS: [(&str, &str); 4] = [
    ("total_signals", "total_signals_analyzed"),
    ("signals_above_threshold", "signals_above_threshold"),
    ("untradable_signals", "untradable_signals"),
    ("trades_changed", "trades_changed_count"),
];

/// What is known of a run: of itself, its configuration, and what it came to.
struct Known {
    run: Map<String, Value>,
    config: Map<String, Value>,
    results: Map<String, Value>,
}

impl Known {
    fn of(row: Map<String, Value>) -> Self {
        let (mut run, mut results) = (Map::new(), Map::new());
        let mut parameters = Texts::new();
        for (name, value) in row {
            if OWN.contains(&name.as_str()) {
                run.insert(name, value);
            } else if position(&name).is_some() {
                match value {
                    Value::Null => {}
                    Value::String(text) => drop(parameters.insert(name, text)),
                    value => drop(parameters.insert(name, value.to_string())),
                }
            } else {
                results.insert(name, value);
            }
        }
        let mut config = config::document(&parameters);
        for name in ["scenario", "label"] {
            config.insert(name.into(), run.get(name).cloned().unwrap_or_default());
        }
        // Whole seconds, as the story has them; to the microsecond beside them.
        let duration = run.get("duration_seconds").cloned().unwrap_or_default();
        let whole = duration
            .as_str()
            .and_then(|text| text.split('.').next()?.parse::<i64>().ok());
        run.insert(
            "duration_seconds".into(),
            whole.map_or(Value::Null, Value::from),
        );
        run.insert("duration".into(), duration);
        Self {
            run,
            config,
            results,
        }
    }

    /// The metrics of a side by their names without it.
    fn side(&self, side: &str) -> Map<String, Value> {
        let prefix = format!("{side}_");
        let of_side = self.results.iter().filter_map(|(name, value)| {
            let name = name.strip_prefix(&prefix)?;
            // What has no counterpart is of the comparison.
            let is_of_both = ["actual", "simulated"]
                .iter()
                .all(|side| self.results.contains_key(&format!("{side}_{name}")));
            is_of_both.then(|| (name.to_owned(), value.clone()))
        });
        of_side.collect()
    }

    /// The story's `MetricsComparison`; null unless the run has completed.
    fn comparison(&self) -> Value {
        if self.run.get("status").and_then(Value::as_str) != Some("completed") {
            return Value::Null;
        }
        let (actual, simulated) = (self.side("actual"), self.side("simulated"));
        let mut comparison = Map::new();
        for (name, value) in &self.results {
            let metric = name.split_once('_').map_or("", |(_, metric)| metric);
            let is_of_side = actual.contains_key(metric)
                && (name.starts_with("actual_") || name.starts_with("simulated_"));
            if !is_of_side && !COUNTS.iter().any(|(count, _)| count == name) {
                comparison.insert(name.clone(), value.clone());
            }
        }
        comparison.insert("actual".into(), actual.into());
        comparison.insert("simulated".into(), simulated.into());
        comparison.into()
    }
}

/// The story's `BacktestResult` of a stored run, with so many of its rows.
pub async fn document(call: &Call, id: &str, trades: u64) -> Result<Value, Problem> {
    let sql = format!("select * from backtests where id = {}", literal(id));
    let Some(row) = objects(&call.rows(&sql).await?)?.pop() else {
        return Err(unknown(id));
    };
    let known = Known::of(row);
    let is_completed = known.run.get("status").and_then(Value::as_str) == Some("completed");
    let mut document = known.run.clone();
    document.insert("is_successful".into(), is_completed.into());
    for (name, told) in COUNTS {
        let count = known.results.get(name).cloned().unwrap_or_default();
        document.insert(told.into(), count);
    }
    document.insert("metrics_comparison".into(), known.comparison());
    document.insert("config".into(), known.config.into());
    let mut links = Map::new();
    for (route, table, member) in [
        ("trades", "simulated_trades", Some("simulated_trades")),
        (
            "comparisons",
            "trade_comparisons",
            Some("trade_comparisons"),
        ),
        ("equity", "equity_curves", None),
    ] {
        links.insert(
            route.into(),
            format!("/api/v1/backtest/result/{id}/{route}").into(),
        );
        let Some(member) = member else { continue };
        let (rows, count) = match is_completed {
            true => first_rows(call, table, id, trades).await?,
            false => (Vec::new(), Value::from(0)),
        };
        document.insert(member.into(), rows.into());
        document.insert(format!("{member}_count"), count);
    }
    document.insert("links".into(), links.into());
    Ok(document.into())
}

/// The first rows of a run, and how many there are.
async fn first_rows(
    call: &Call,
    table: &str,
    id: &str,
    most: u64,
) -> Result<(Vec<Value>, Value), Problem> {
    let from = format!("from {table} where backtest_id = {}", literal(id));
    let count = objects(&call.rows(&format!("select count(*) as n {from}")).await?)?;
    let count = count.into_iter().next().and_then(|mut row| row.remove("n"));
    let rows = objects(&call.rows(&format!("select * {from} limit {most}")).await?)?;
    let rows = rows.into_iter().map(|mut row| {
        row.remove("backtest_id");
        if table == "simulated_trades" {
            // As the story calls them.
            let score = row.get("score").cloned().unwrap_or_default();
            row.insert("simulated_score".into(), score);
            row.insert("would_trade".into(), true.into());
        }
        Value::Object(row)
    });
    Ok((rows.collect(), count.unwrap_or_default()))
}

pub fn unknown(id: &str) -> Problem {
    let id: String = id.chars().take(100).collect();
    Problem::missing(format!("there is no backtest {id}"))
        .hinted("GET backtest/history lists what there is")
}

pub async fn result(call: Call) -> Result<Response<Body>, Problem> {
    let trades = call.number("trades", TRADES, TRADES_MAX)?;
    let document = document(&call, call.path("id"), trades).await?;
    Ok(call.json(&document))
}

pub async fn trades(call: Call) -> Result<Response<Body>, Problem> {
    page(call, "simulated_trades").await
}

pub async fn comparisons(call: Call) -> Result<Response<Body>, Problem> {
    page(call, "trade_comparisons").await
}

pub async fn equity(call: Call) -> Result<Response<Body>, Problem> {
    page(call, "equity_curves").await
}

/// A page of the rows of a run.
async fn page(call: Call, table: &str) -> Result<Response<Body>, Problem> {
    let id = call.path("id").to_owned();
    let known = format!("select status from backtests where id = {}", literal(&id));
    if objects(&call.rows(&known).await?)?.is_empty() {
        return Err(unknown(&id));
    }
    let from = format!("{table} where backtest_id = {}", literal(&id));
    let wanted = tables::Wanted::of_query(&call)?;
    tables::answer(&call, &from, &["backtest_id"], &wanted).await
}

pub async fn history(call: Call) -> Result<Response<Body>, Problem> {
    let limit = call.number("limit", HISTORY, HISTORY_MAX)?;
    let mut sql = String::from("select * from backtests");
    if let Some(before) = call.query.get("before") {
        let of = format!("from backtests where id = {}", literal(before));
        if objects(&call.rows(&format!("select id {of}")).await?)?.is_empty() {
            return Err(unknown(before));
        }
        let at = format!("(select started_at {of})");
        sql += &format!(
            " where started_at < {at} or (started_at = {at} and id < {})",
            literal(before)
        );
    }
    sql += &format!(" order by started_at desc, id desc limit {}", limit + 1);
    let mut rows = objects(&call.rows(&sql).await?)?;
    let has_more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let last = rows.last().and_then(|row| row.get("id")).cloned();
    let runs = rows.into_iter().map(|row| {
        let known = Known::of(row);
        let comparison = known.comparison();
        let mut run = known.run;
        run.extend(known.results);
        run.insert("config".into(), known.config.into());
        run.insert("metrics_comparison".into(), comparison);
        Value::Object(run)
    });
    let runs: Vec<Value> = runs.collect();
    let next = last.filter(|_| has_more).unwrap_or_default();
    Ok(call.json(&json!({ "backtests": runs, "next": next })))
}

pub async fn delete(call: Call) -> Result<Response<Body>, Problem> {
    let id = call.path("id").to_owned();
    let store = call.shared.engine.store();
    if store.run(&id).await?.is_none() {
        return Err(unknown(&id));
    }
    match store.delete_run(&id, false).await? {
        DeletedRun::Gone => {}
        DeletedRun::Running => {
            let error = Error::NotReady(format!("backtest {id} is running"));
            return Err(Problem::from(error).hinted("POST backtest/cancel/{id} stops it"));
        }
        DeletedRun::Applied => {
            let error = Error::NotReady(format!("the settings of backtest {id} were applied"));
            let hint = "hindsight history --delete --force deletes it with the history of that";
            return Err(Problem::from(error).hinted(hint));
        }
    }
    // The run is gone, whatever stays of its rows.
    if let Some(workspace) = &call.shared.engine.runs().workspace
        && let Err(error) = run_files::delete(workspace, &id)
    {
        tracing::warn!("{error}");
    }
    Ok(call.json(&json!({ "id": id, "deleted": true })))
}

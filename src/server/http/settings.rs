//! Live settings: as they are, as they were, what a run would make of them, applying and undoing it.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::call::{Call, rows};
use super::config::literal;
use super::json::{Object, objects};
use super::problem::Problem;
use crate::records::objections::objections;
use crate::records::settings::Group;

/// The member of the story's request that says whether a group is applied.
pub fn member(group: Group) -> String {
    match group {
        Group::ScoreThreshold => "apply_threshold".into(),
        group => format!("apply_{}", group.name()),
    }
}

/// When and by whom settings were last applied.
async fn last_changed(call: &Call) -> Result<Value, Problem> {
    let sql = "select id as history_id, applied_at, applied_by, backtest_id from settings_history \
               order by applied_at desc limit 1";
    let row = objects(&call.rows(sql).await?)?.pop();
    Ok(row.map_or(Value::Null, Value::Object))
}

/// Which settings these are, as applying wants to know it.
pub async fn version(call: &Call) -> Result<String, Problem> {
    Ok(call.shared.engine.store().live_settings().await?.version())
}

pub async fn settings(call: Call) -> Result<Response<Body>, Problem> {
    // Before the values: what changes in between makes the version an old one, which is refused.
    let version = version(&call).await?;
    let settings = objects(&call.rows("select * from live_settings").await?)?;
    let last_changed = last_changed(&call).await?;
    Ok(call.json(&json!({
        "settings": settings,
        "settings_version": version,
        "last_changed": last_changed,
    })))
}

/// The columns of the history that are JSON themselves.
fn opened(mut row: Map<String, Value>) -> Map<String, Value> {
    for name in ["previous_values", "new_values"] {
        if let Some(Value::String(text)) = row.get(name)
            && let Ok(value) = serde_json::from_str(text)
        {
            row.insert(name.into(), value);
        }
    }
    row
}

pub async fn history(call: Call) -> Result<Response<Body>, Problem> {
    let sql = "select * from settings_history order by applied_at desc, id desc";
    let rows = objects(&call.rows(sql).await?)?;
    let rows: Vec<Map<String, Value>> = rows.into_iter().map(opened).collect();
    Ok(call.json(&json!({ "history": rows })))
}

pub async fn preview(call: Call) -> Result<Response<Body>, Problem> {
    let id = call.path("id");
    let sql = format!("select * from preview_settings({})", literal(id));
    let mut changes = objects(&call.rows(&sql).await?)?;
    let mut version = Value::Null;
    for change in &mut changes {
        version = change.remove("settings_version").unwrap_or_default();
    }
    let last_changed = last_changed(&call).await?;
    let run = call.shared.engine.store().run(id).await?;
    Ok(call.json(&json!({
        "backtest_id": id,
        "settings_version": version,
        "changes": changes,
        "objections": run.map_or_else(Vec::new, |run| objections(&run.results)),
        "last_changed": last_changed,
    })))
}

/// The call of a procedure, and its only row.
async fn done(
    call: &Call,
    name: &str,
    arguments: &[String],
) -> Result<Map<String, Value>, Problem> {
    let sql = format!("select * from {name}({})", arguments.join(", "));
    let session = call.session().await?;
    Ok(objects(&rows(&session, &sql).await?)?
        .pop()
        .unwrap_or_default())
}

pub async fn apply(call: Call) -> Result<Response<Body>, Problem> {
    let mut object = Object::parse(&call.body)?;
    let id = object.required("backtest_id")?;
    let version = object.text("settings_version")?.ok_or_else(|| {
        Problem::request("settings_version is missing")
            .hinted("GET backtest/preview/{id} says it, beside what would change")
    })?;
    let confirm = object.boolean("confirm_apply")?.unwrap_or(false);
    let mut arguments = vec![
        format!("backtest_id => {}", literal(&id)),
        format!("settings_version => {}", literal(&version)),
        format!("confirm => {confirm}"),
    ];
    for group in Group::ALL {
        let wanted = object.boolean(&member(group))?.unwrap_or(true);
        arguments.push(format!("{} => {wanted}", group.name()));
    }
    let without: Option<Vec<String>> = object.get("without", "a list of the names of settings")?;
    if let Some(without) = without.filter(|names| !names.is_empty()) {
        arguments.push(format!("without => {}", literal(&without.join(", "))));
    }
    if object.boolean("create_settings")? == Some(true) {
        arguments.push("create_settings => true".into());
    }
    object.end()?;
    let known = call.shared.engine.store().live_settings().await?.version();
    if known != version {
        return Err(changed());
    }
    let row = done(&call, "apply_settings", &arguments).await?;
    let of = |name: &str| row.get(name).cloned().unwrap_or_default();
    let applied = of("applied") == Value::Bool(true);
    let mut previous = Value::Object(Map::new());
    if let Value::String(history_id) = of("history_id") {
        let sql = format!(
            "select previous_values, new_values from settings_history where id = {}",
            literal(&history_id)
        );
        let values = objects(&call.rows(&sql).await?)?.pop().map(opened);
        previous = values
            .and_then(|mut row| row.remove("previous_values"))
            .unwrap_or(previous);
    }
    Ok(call.json(&json!({
        "success": applied,
        "backtest_id": id,
        "applied_at": of("applied_at"),
        "applied_by": of("applied_by"),
        "changes_applied": match of("changes_applied") {
            Value::Null => json!([]),
            changes => changes,
        },
        "previous_values": previous,
        "error_message": Value::Null,
        "message": of("message"),
        "history_id": of("history_id"),
        "settings_version": of("settings_version"),
    })))
}

fn changed() -> Problem {
    let detail = "the live settings have changed since this version of them";
    let mut problem = Problem::new(StatusCode::CONFLICT, detail)
        .hinted("GET backtest/preview/{id} shows what applying would change now");
    problem.sqlstate = Some("40001");
    problem
}

pub async fn rollback(call: Call) -> Result<Response<Body>, Problem> {
    let mut object = Object::parse(&call.body)?;
    let id = object.required("history_id")?;
    let confirm = object.boolean("confirm")?.unwrap_or(false);
    object.end()?;
    let arguments = [
        format!("history_id => {}", literal(&id)),
        format!("confirm => {confirm}"),
    ];
    let mut row = done(&call, "rollback_settings", &arguments).await?;
    row.insert("settings_version".into(), version(&call).await?.into());
    Ok(call.json(&Value::Object(row)))
}

pub async fn clear_cache(call: Call) -> Result<Response<Body>, Problem> {
    let session = call.session().await?;
    let served = session.generation().await?;
    Ok(call.json(&json!({
        "status": "cache_cleared",
        "message": "there is nothing to clear: every request sees the newest generation",
        "generation": served,
    })))
}

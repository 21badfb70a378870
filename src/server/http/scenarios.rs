//! Scenarios: listed, read, written and deleted.

use axum::body::Body;
use axum::http::Response;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::config::{self, Config, literal};
use super::json::{Object, objects};
use super::problem::Problem;
use crate::error::Error;
use crate::parameters::PARAMETERS;
use crate::records::runs::Texts;
use crate::session::Outcome;

fn unknown(name: &str) -> Problem {
    let name: String = name.chars().take(100).collect();
    Problem::missing(format!("there is no scenario {name}"))
        .hinted("GET scenarios lists what there is")
}

/// A scenario: what it is for, and the parameters that it sets.
fn document(mut row: Map<String, Value>) -> Value {
    let mut values = Texts::new();
    for parameter in &PARAMETERS {
        match row.remove(parameter.name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => drop(values.insert(parameter.name.into(), text)),
            Some(value) => drop(values.insert(parameter.name.into(), value.to_string())),
        }
    }
    let mut config = config::document(&values);
    // What is computed needs all of them.
    config.remove("date_range_days");
    if let Some(Value::Object(weights)) = config.get_mut("scoring_weights") {
        weights.retain(|name, _| !matches!(name.as_str(), "total_weight" | "is_valid"));
    }
    row.insert("config".into(), config.into());
    Value::Object(row)
}

pub async fn list(call: Call) -> Result<Response<Body>, Problem> {
    let rows = objects(&call.rows("select * from scenarios order by name").await?)?;
    let scenarios: Vec<Value> = rows.into_iter().map(document).collect();
    Ok(call.json(&json!({ "scenarios": scenarios })))
}

async fn read(call: &Call, name: &str) -> Result<Value, Problem> {
    let sql = format!("select * from scenarios where name = {}", literal(name));
    let row = objects(&call.rows(&sql).await?)?.pop();
    row.map(document).ok_or_else(|| unknown(name))
}

pub async fn get(call: Call) -> Result<Response<Body>, Problem> {
    let scenario = read(&call, call.path("name")).await?;
    Ok(call.json(&scenario))
}

pub async fn put(call: Call) -> Result<Response<Body>, Problem> {
    let mut object = Object::parse(&call.body)?;
    let description = object.text("description")?;
    let tags: Option<Vec<String>> = object.get("tags", "a list of texts")?;
    let config = match object.object("config")? {
        Some(config) => Config::read(config, call.ranges())?,
        None => Config::default(),
    };
    object.end()?;
    if config.scenario.is_some() || config.label.is_some() {
        return Err(Problem::request(
            "a scenario has no scenario and no label in its config",
        ));
    }
    let name = call.path("name").to_owned();
    let tags = match tags {
        Some(tags) if !tags.is_empty() => {
            let tags: Vec<String> = tags.iter().map(|tag| literal(tag)).collect();
            format!("array[{}]", tags.join(", "))
        }
        _ => "null".into(),
    };
    let mut columns = vec![
        (
            "description",
            description.map_or("null".into(), |text| literal(&text)),
        ),
        ("tags", tags),
    ];
    for parameter in &PARAMETERS {
        let value = config.text(parameter).map_or("null".into(), literal);
        columns.push((parameter.name, value));
    }
    let session = call.session().await?;
    let sets: Vec<String> = columns
        .iter()
        .map(|(column, value)| format!("{column} = {value}"))
        .collect();
    let update = format!(
        "update scenarios set {} where name = {}",
        sets.join(", "),
        literal(&name)
    );
    if written(session.run(&update).await?)? == 0 {
        let names: Vec<&str> = columns.iter().map(|(column, _)| *column).collect();
        let values: Vec<&str> = columns.iter().map(|(_, value)| value.as_str()).collect();
        let insert = format!(
            "insert into scenarios (name, {}) values ({}, {})",
            names.join(", "),
            literal(&name),
            values.join(", ")
        );
        written(session.run(&insert).await?)?;
    }
    let scenario = read(&call, &name).await?;
    Ok(call.json(&scenario))
}

pub async fn delete(call: Call) -> Result<Response<Body>, Problem> {
    let name = call.path("name");
    let sql = format!("delete from scenarios where name = {}", literal(name));
    let session = call.session().await?;
    match written(session.run(&sql).await?)? {
        0 => Err(unknown(name)),
        _ => Ok(call.json(&json!({ "name": name, "deleted": true }))),
    }
}

/// How many rows were written.
fn written(outcome: Outcome) -> Result<u64, Problem> {
    match outcome {
        Outcome::Done { rows, .. } => Ok(rows.unwrap_or(0)),
        Outcome::Rows(_) => Err(Error::session("XX000", "a write returned rows").into()),
    }
}

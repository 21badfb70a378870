//! Scenarios as they are stored: parameters as an object of exact text.

use std::collections::BTreeMap;

use async_recursion::async_recursion as door;
use serde::de::DeserializeOwned;

use super::client::{Row, Statement, Transaction};
use super::{Database, Dialect, Store};
use crate::error::Result;
use crate::parameters::value::Value;
use crate::parameters::{PARAMETERS, Parameter};
use crate::records::scenarios::{Change, Scenario, Scenarios};

const SELECT: &str = "select name, description, tags, parameters, created_at, updated_at \
     from hindsight.scenarios";

impl Store {
    /// Every scenario.
    #[door]
    pub async fn scenarios(&self) -> Result<Scenarios> {
        let database = self.reading().await?;
        let mut snapshot = database.snapshot().await?;
        let scenarios = read_all(&database, &mut snapshot).await?;
        database.end(snapshot).await?;
        Ok(scenarios)
    }

    /// Makes all of these changes or none, over what is stored by then.
    #[door]
    pub async fn change_scenarios(&self, changes: &[Change]) -> Result<()> {
        let database = self.writing().await?;
        let mut transaction = database.transaction().await?;
        if database.dialect() == Dialect::Postgres {
            let lock = "lock table hindsight.scenarios in exclusive mode";
            let locked = transaction.run(lock).await;
            locked.map_err(|error| database.failed(error))?;
        }
        let before = read_all(&database, &mut transaction).await?;
        let mut after = before.clone();
        for change in changes {
            change.apply(&mut after, self.ranges())?;
        }
        let written = write(&mut transaction, &before, &after).await;
        written.map_err(|error| database.failed(error))?;
        database.commit(transaction).await
    }
}

async fn read_all(database: &Database, transaction: &mut Transaction) -> Result<Scenarios> {
    let rows = Statement::new(SELECT).rows(transaction).await;
    let rows = rows.map_err(|error| database.failed(error))?;
    let mut scenarios = Scenarios::new();
    for row in &rows {
        let scenario = read(row).map_err(|error| database.failed(error))?;
        scenarios.insert(scenario.name.clone(), scenario);
    }
    Ok(scenarios)
}

fn read(row: &Row) -> sqlx::Result<Scenario> {
    let tags: Option<String> = row.get(2)?;
    let parameters: String = row.get(3)?;
    Ok(Scenario {
        name: row.get(0)?,
        description: row.get(1)?,
        tags: tags.map(|tags| from_json(&tags)).transpose()?,
        values: values(&parameters)?,
        created_at: row.get(4)?,
        updated_at: row.get(5)?,
    })
}

/// Writes what differs.
async fn write(
    transaction: &mut Transaction,
    before: &Scenarios,
    after: &Scenarios,
) -> sqlx::Result<()> {
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        Statement::new("delete from hindsight.scenarios where name = $1")
            .bind(name.as_str())
            .execute(transaction)
            .await?;
    }
    for (name, scenario) in after {
        if before.get(name) == Some(scenario) {
            continue;
        }
        let tags = scenario.tags.as_ref().map(to_json);
        Statement::new(
            "insert into hindsight.scenarios \
             (name, description, tags, parameters, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6) \
             on conflict (name) do update set description = excluded.description, \
             tags = excluded.tags, parameters = excluded.parameters, \
             created_at = excluded.created_at, updated_at = excluded.updated_at",
        )
        .bind(name.as_str())
        .bind(scenario.description.as_deref())
        .bind(tags.transpose()?)
        .bind(to_json(&texts(&scenario.values))?)
        .bind(scenario.created_at)
        .bind(scenario.updated_at)
        .execute(transaction)
        .await?;
    }
    Ok(())
}

/// The parameters that are not null, each as exact text.
fn texts(values: &[Option<Value>]) -> BTreeMap<&'static str, String> {
    let texts = PARAMETERS.iter().zip(values);
    let texts = texts.filter_map(|(parameter, value)| Some((parameter.name, value.as_ref()?)));
    texts
        .map(|(name, value)| (name, value.to_string()))
        .collect()
}

/// The values of an object of text, in the order of [`PARAMETERS`]. They are not held to the ranges
/// of this version until they are used.
fn values(json: &str) -> sqlx::Result<Vec<Option<Value>>> {
    let texts: BTreeMap<String, String> = from_json(json)?;
    let value = |parameter: &Parameter| {
        let Some(text) = texts.get(parameter.name) else {
            return Ok(None);
        };
        let value = Value::stored(parameter.kind, text);
        match value.scalar(&parameter.data_type()) {
            Some(_) => Ok(Some(value)),
            None => {
                let (name, kind) = (parameter.name, parameter.type_name());
                let problem = format!("{name} of a scenario is '{text}', which is no {kind}");
                Err(sqlx::Error::Decode(problem.into()))
            }
        }
    };
    PARAMETERS.iter().map(value).collect()
}

pub(super) fn from_json<T: DeserializeOwned>(json: &str) -> sqlx::Result<T> {
    serde_json::from_str(json).map_err(|error| sqlx::Error::Decode(error.into()))
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

//! Settings applied to the live system and put back, each with its row in the history.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_recursion::async_recursion as door;

use super::client::{Row, Statement, Transaction};
use super::live::Live;
use super::scenarios::{from_json, to_json};
use super::{Database, Store, now};
use crate::error::{Error, Result};
use crate::records::runs::Texts;
use crate::records::settings::{Group, Stored};

/// How long settings are tried to be written while somebody else has a lock on them.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(100);

/// What was applied once.
#[derive(Debug, Clone)]
pub struct Applied {
    pub id: String,
    pub backtest_id: String,
    /// Microseconds since 1970 UTC.
    pub applied_at: i64,
    pub applied_by: String,
    pub groups: Vec<Group>,
    /// JSON by group and setting.
    pub previous_values: String,
    pub new_values: String,
    pub rolled_back_at: Option<i64>,
}

/// What shall be applied.
#[derive(Debug)]
pub struct Application<'a> {
    pub backtest_id: &'a str,
    pub parameters: &'a Texts,
    pub groups: &'a [Group],
    pub applied_by: &'a str,
    /// What the settings must still be.
    pub settings_version: Option<&'a str>,
    /// Whether the tables that the trading system reads are made where they are missing.
    pub create_settings: bool,
}

impl Store {
    /// The settings in force; none where the trading system has no tables of them.
    #[door]
    pub async fn live_settings(&self) -> Result<Stored> {
        let database = self.live().await?;
        let mut snapshot = database.snapshot().await?;
        let stored = match Live::look_up(&database, &mut snapshot).await? {
            Some(live) => live.read(&mut snapshot).await?,
            None => Stored::default(),
        };
        database.end(snapshot).await?;
        Ok(stored)
    }

    /// Applies settings, all or none, with their row in the history. Returns it, and the version of
    /// the settings from now on.
    #[door]
    pub async fn apply_settings(&self, wanted: &Application<'_>) -> Result<(Applied, String)> {
        let database = self.writing().await?;
        let (mut transaction, live) = alone(&database, wanted.create_settings).await?;
        let before = live.read(&mut transaction).await?;
        let version = before.version();
        if wanted
            .settings_version
            .is_some_and(|wanted| wanted != version)
        {
            return Err(Error::Conflict(
                "the live settings have changed since the preview, and nothing was applied; look \
                 at preview_settings again"
                    .into(),
            ));
        }
        let after = before.with(wanted.groups, wanted.parameters)?;
        for group in wanted.groups {
            live.write(&mut transaction, *group, after.0.get(group.name()))
                .await?;
        }
        let stored = live.read(&mut transaction).await?;
        let applied = Applied {
            id: uuid::Uuid::now_v7().to_string(),
            backtest_id: wanted.backtest_id.to_owned(),
            applied_at: now(),
            applied_by: wanted.applied_by.to_owned(),
            groups: wanted.groups.to_vec(),
            previous_values: before.values_json(wanted.groups)?,
            new_values: stored.values_json(wanted.groups)?,
            rolled_back_at: None,
        };
        let noted = insert(&mut transaction, &applied, &before, &stored).await;
        noted.map_err(|error| database.failed(error))?;
        database.commit(transaction).await?;
        Ok((applied, stored.version()))
    }

    /// Puts back what was there before, to the letter. Refused where it was put back already, or
    /// where the settings have changed since.
    #[door]
    pub async fn rollback_settings(&self, id: &str, by: &str) -> Result<Applied> {
        let database = self.writing().await?;
        let (mut transaction, live) = alone(&database, false).await?;
        let history = Statement::new(format!("{SELECT} where id = $1"))
            .bind(id)
            .row(&mut transaction)
            .await
            .map_err(|error| database.failed(error))?;
        let Some(row) = history else {
            return Err(unknown_history(id));
        };
        let read = || Ok((read(&row)?, stored(&row, 8)?, stored(&row, 9)?));
        let (mut applied, previous, new) =
            read().map_err(|error: sqlx::Error| database.failed(error))?;
        if applied.rolled_back_at.is_some() {
            return Err(Error::NotReady(format!("{id} is rolled back already")));
        }
        let current = live.read(&mut transaction).await?;
        for group in &applied.groups {
            let name = group.name();
            if current.0.get(name) != new.0.get(name) {
                return Err(Error::NotReady(format!(
                    "{name} was changed after {id} was applied, and rolling back would lose that; \
                     roll back what came later first, or apply a backtest with the settings wanted"
                )));
            }
        }
        for group in &applied.groups {
            live.write(&mut transaction, *group, previous.0.get(group.name()))
                .await?;
        }
        let rolled_back_at = now();
        Statement::new(
            "update hindsight.applied_settings_history set rolled_back_at = $2, rolled_back_by = $3 \
             where id = $1",
        )
        .bind(id)
        .bind(rolled_back_at)
        .bind(by)
        .execute(&mut transaction)
        .await
        .map_err(|error| database.failed(error))?;
        database.commit(transaction).await?;
        applied.rolled_back_at = Some(rolled_back_at);
        Ok(applied)
    }

    /// What was applied, the oldest first.
    #[door]
    pub async fn settings_history(&self) -> Result<Vec<Applied>> {
        let database = self.reading().await?;
        let rows = database.rows(Statement::new(SELECT)).await?;
        let history: sqlx::Result<Vec<Applied>> = rows.iter().map(read).collect();
        let mut history = history.map_err(|error| database.failed(error))?;
        history.sort_by(|a, b| (a.applied_at, &a.id).cmp(&(b.applied_at, &b.id)));
        Ok(history)
    }
}

/// A transaction in which nobody else writes the live settings. A lock that another session has is
/// not waited for, since everybody who came later would wait behind us: it is tried again and again,
/// for a few seconds.
async fn alone<'a>(
    database: &'a Database,
    create_settings: bool,
) -> Result<(Transaction, Live<'a>)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut transaction = database.transaction().await?;
        if create_settings {
            Live::create(database, &mut transaction).await?;
        }
        let Some(live) = Live::look_up(database, &mut transaction).await? else {
            return Err(Live::missing(database));
        };
        match live.lock(&mut transaction).await {
            Ok(()) => return Ok((transaction, live)),
            Err(error) if Live::is_locked(&error) && Instant::now() < deadline => {
                let ended = transaction.rollback().await;
                ended.map_err(|error| database.failed(error))?;
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(database.failed(error)),
        }
    }
}

const SELECT: &str = "select id, backtest_id, applied_at, applied_by, changes_applied, \
                      previous_values, new_values, rolled_back_at, previous_stored, new_stored \
                      from hindsight.applied_settings_history";

async fn insert(
    transaction: &mut Transaction,
    applied: &Applied,
    before: &Stored,
    after: &Stored,
) -> sqlx::Result<()> {
    let names: Vec<&str> = applied.groups.iter().map(|group| group.name()).collect();
    let of_groups = |stored: &Stored| {
        let of_group = |name: &&'static str| Some((*name, stored.0.get(*name)?.clone()));
        let groups: Vec<&'static str> = applied.groups.iter().map(|group| group.name()).collect();
        let texts: BTreeMap<&str, String> = groups.iter().filter_map(of_group).collect();
        to_json(&texts)
    };
    Statement::new(
        "insert into hindsight.applied_settings_history (id, backtest_id, applied_at, applied_by, \
         changes_applied, previous_values, new_values, previous_stored, new_stored) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(applied.id.as_str())
    .bind(applied.backtest_id.as_str())
    .bind(applied.applied_at)
    .bind(applied.applied_by.as_str())
    .bind(to_json(&names)?)
    .bind(applied.previous_values.as_str())
    .bind(applied.new_values.as_str())
    .bind(of_groups(before)?)
    .bind(of_groups(after)?)
    .execute(transaction)
    .await?;
    Ok(())
}

fn read(row: &Row) -> sqlx::Result<Applied> {
    let names: String = row.get(4)?;
    let names: Vec<String> = from_json(&names)?;
    Ok(Applied {
        id: row.get(0)?,
        backtest_id: row.get(1)?,
        applied_at: row.get(2)?,
        applied_by: row.get(3)?,
        groups: names.iter().filter_map(|name| Group::named(name)).collect(),
        previous_values: row.get(5)?,
        new_values: row.get(6)?,
        rolled_back_at: row.get(7)?,
    })
}

fn stored(row: &Row, column: usize) -> sqlx::Result<Stored> {
    let json: String = row.get(column)?;
    let texts: BTreeMap<String, String> = from_json(&json)?;
    let named = texts
        .into_iter()
        .filter_map(|(name, text)| Some((Group::named(&name)?.name(), text)));
    Ok(Stored(named.collect()))
}

/// There is no such row in the history.
pub fn unknown_history(id: &str) -> Error {
    Error::Parameter {
        parameter: "history_id".into(),
        expected: "the id of a row of settings_history".into(),
        found: format!("'{id}'"),
    }
}

//! The live settings where they are stored, and the history of what was applied.
//!
//! The tables may be the trading system's own: their columns and types are looked up, values are
//! cast to them, and nothing but the settings applied is changed (and `updated_at`, where there is
//! such a column).

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Executor, Row, Transaction};

use super::scenarios::{from_json, to_json};
use super::{Database, Dialect, Store, now};
use crate::error::{Error, Result};
use crate::functions::unknown_history as unknown;
use crate::runs::Texts;
use crate::settings::{Group, Stored};

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
}

/// Columns of the tables of settings by name, with their types.
type Columns = BTreeMap<String, String>;

impl Store {
    /// The settings in force.
    pub async fn live_settings(&self) -> Result<Stored> {
        let database = self.reading().await?;
        let mut snapshot = database.snapshot().await?;
        let live = Live::look_up(&database, &mut snapshot).await?;
        live.read(&mut snapshot).await
    }

    /// Applies settings, all or none, with their row in the history. Returns it, and the version of
    /// the settings from now on.
    pub async fn apply_settings(&self, wanted: &Application<'_>) -> Result<(Applied, String)> {
        let database = self.writing().await?;
        let mut transaction = database.transaction().await?;
        let live = Live::look_up(&database, &mut transaction).await?;
        live.lock(&mut transaction).await?;
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
    pub async fn rollback_settings(&self, id: &str, by: &str) -> Result<Applied> {
        let database = self.writing().await?;
        let mut transaction = database.transaction().await?;
        let live = Live::look_up(&database, &mut transaction).await?;
        live.lock(&mut transaction).await?;
        let history = sqlx::query(AssertSqlSafe(format!("{SELECT} where id = $1")))
            .bind(id)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(|error| database.failed(error))?;
        let Some(row) = history else {
            return Err(unknown(id));
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
        sqlx::query(
            "update applied_settings_history set rolled_back_at = $2, rolled_back_by = $3 \
             where id = $1",
        )
        .bind(id)
        .bind(rolled_back_at)
        .bind(by)
        .execute(&mut *transaction)
        .await
        .map_err(|error| database.failed(error))?;
        database.commit(transaction).await?;
        applied.rolled_back_at = Some(rolled_back_at);
        Ok(applied)
    }

    /// What was applied, the oldest first.
    pub async fn settings_history(&self) -> Result<Vec<Applied>> {
        let database = self.reading().await?;
        let rows = sqlx::query(SELECT).fetch_all(&database.pool).await;
        let rows = rows.map_err(|error| database.failed(error))?;
        let history: sqlx::Result<Vec<Applied>> = rows.iter().map(read).collect();
        let mut history = history.map_err(|error| database.failed(error))?;
        history.sort_by(|a, b| (a.applied_at, &a.id).cmp(&(b.applied_at, &b.id)));
        Ok(history)
    }
}

/// The tables of settings as they are.
struct Live<'a> {
    database: &'a Database,
    weights: Columns,
    config: Columns,
}

impl<'a> Live<'a> {
    async fn look_up(database: &'a Database, connection: &mut AnyConnection) -> Result<Self> {
        let weights = columns(database, connection, WEIGHTS).await?;
        let config = columns(database, connection, CONFIG).await?;
        let needed = Group::ScoringWeights
            .parameters()
            .map(|p| (WEIGHTS, &weights, p.name));
        let needed = needed.chain([
            (WEIGHTS, &weights, "is_active"),
            (CONFIG, &config, "key"),
            (CONFIG, &config, "value"),
        ]);
        for (table, columns, column) in needed {
            if !columns.contains_key(column) {
                let problem = format!("the table {table} of live settings has no column {column}");
                return Err(database.error(problem, ""));
            }
        }
        Ok(Self {
            database,
            weights,
            config,
        })
    }

    fn failed(&self, error: sqlx::Error) -> Error {
        self.database.failed(error)
    }

    /// Lets nobody else write them until the end of the transaction.
    async fn lock(&self, connection: &mut AnyConnection) -> Result<()> {
        if self.database.dialect == Dialect::Sqlite {
            return Ok(());
        }
        // In this order everywhere: ours take turns, and the trading system waits for us.
        let lock = "lock table hindsight.applied_settings_history in exclusive mode; \
                    lock table scoring_weights in share row exclusive mode; \
                    lock table system_config in share row exclusive mode";
        let locked = connection.execute(sqlx::raw_sql(lock)).await;
        locked.map(|_| ()).map_err(|error| self.failed(error))
    }

    async fn read(&self, connection: &mut AnyConnection) -> Result<Stored> {
        let mut stored = Stored::default();
        let names: Vec<&str> = Group::ScoringWeights.parameters().map(|p| p.name).collect();
        let texts: Vec<String> = names.iter().map(|name| self.as_text(name)).collect();
        let select = format!(
            "select {} from {WEIGHTS} where {}",
            texts.join(", "),
            self.is_active()
        );
        let rows = sqlx::query(AssertSqlSafe(select))
            .fetch_all(&mut *connection)
            .await;
        let rows = rows.map_err(|error| self.failed(error))?;
        if rows.len() > 1 {
            let problem = format!(
                "{WEIGHTS} has {} active rows, and one was expected",
                rows.len()
            );
            return Err(self
                .database
                .error(problem, "set is_active of all but one to false"));
        }
        if let Some(row) = rows.first() {
            let mut members = Vec::with_capacity(names.len());
            for (position, name) in names.iter().enumerate() {
                let weight: Option<String> =
                    row.try_get(position).map_err(|error| self.failed(error))?;
                let weight = serde_json::Value::from(weight);
                members.push(format!("\"{name}\": {weight}"));
            }
            let object = format!("{{{}}}", members.join(", "));
            stored.0.insert(Group::ScoringWeights.name(), object);
        }
        let select = format!(
            "select {}, {} from {CONFIG}",
            self.as_text("\"key\""),
            self.as_text("\"value\"")
        );
        let rows = sqlx::query(AssertSqlSafe(select))
            .fetch_all(&mut *connection)
            .await;
        for row in rows.map_err(|error| self.failed(error))? {
            let member = || -> sqlx::Result<(Option<String>, Option<String>)> {
                Ok((row.try_get(0)?, row.try_get(1)?))
            };
            let (key, value) = member().map_err(|error| self.failed(error))?;
            let group = key.as_deref().and_then(Group::named);
            if let (Some(group), Some(value)) = (group, value)
                && group != Group::ScoringWeights
            {
                stored.0.insert(group.name(), value);
            }
        }
        Ok(stored)
    }

    /// Writes a group as it shall be stored; `None` takes it away.
    async fn write(
        &self,
        transaction: &mut Transaction<'static, Any>,
        group: Group,
        text: Option<&String>,
    ) -> Result<()> {
        let written = match group {
            Group::ScoringWeights => self.write_weights(transaction, text).await,
            _ => self.write_config(transaction, group, text).await,
        };
        written.map_err(|error| self.failed(error))
    }

    async fn write_weights(
        &self,
        connection: &mut AnyConnection,
        text: Option<&String>,
    ) -> sqlx::Result<()> {
        let is_active = self.is_active();
        let Some(text) = text else {
            let delete = format!("delete from {WEIGHTS} where {is_active}");
            sqlx::query(AssertSqlSafe(delete))
                .execute(connection)
                .await?;
            return Ok(());
        };
        let weights: BTreeMap<String, Option<String>> = from_json(text)?;
        let mut columns = Vec::with_capacity(weights.len());
        let mut values = Vec::with_capacity(weights.len());
        for (position, name) in weights.keys().enumerate() {
            columns.push(name.clone());
            values.push(self.cast(&self.weights, name, position + 1));
        }
        let set = columns
            .iter()
            .zip(&values)
            .map(|(name, value)| format!("{name} = {value}"));
        let mut set: Vec<String> = set.collect();
        set.extend(self.touched(&self.weights));
        let update = format!("update {WEIGHTS} set {} where {is_active}", set.join(", "));
        let mut query = sqlx::query(AssertSqlSafe(update));
        for weight in weights.values() {
            query = query.bind(weight.as_deref());
        }
        if query.execute(&mut *connection).await?.rows_affected() > 0 {
            return Ok(());
        }
        let active = match (self.database.dialect, self.weights.get("is_active")) {
            (Dialect::Postgres, Some(kind)) if kind == "boolean" => "true",
            _ => "1",
        };
        let insert = format!(
            "insert into {WEIGHTS} ({}, is_active) values ({}, {active})",
            columns.join(", "),
            values.join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(insert));
        for weight in weights.values() {
            query = query.bind(weight.as_deref());
        }
        query.execute(connection).await?;
        Ok(())
    }

    async fn write_config(
        &self,
        connection: &mut AnyConnection,
        group: Group,
        text: Option<&String>,
    ) -> sqlx::Result<()> {
        let is_key = format!("{} = $1", self.as_text("\"key\""));
        let Some(text) = text else {
            let delete = format!("delete from {CONFIG} where {is_key}");
            let query = sqlx::query(AssertSqlSafe(delete)).bind(group.name());
            query.execute(connection).await?;
            return Ok(());
        };
        let value = self.cast(&self.config, "value", 2);
        let mut set = vec![format!("\"value\" = {value}")];
        set.extend(self.touched(&self.config));
        let update = format!("update {CONFIG} set {} where {is_key}", set.join(", "));
        let query = sqlx::query(AssertSqlSafe(update))
            .bind(group.name())
            .bind(text.as_str());
        if query.execute(&mut *connection).await?.rows_affected() > 0 {
            return Ok(());
        }
        let key = self.cast(&self.config, "key", 1);
        let insert = format!("insert into {CONFIG} (\"key\", \"value\") values ({key}, {value})");
        let query = sqlx::query(AssertSqlSafe(insert))
            .bind(group.name())
            .bind(text.as_str());
        query.execute(connection).await?;
        Ok(())
    }

    fn is_active(&self) -> &'static str {
        match (self.database.dialect, self.weights.get("is_active")) {
            (Dialect::Postgres, Some(kind)) if kind == "boolean" => "is_active",
            _ => "is_active = 1",
        }
    }

    fn as_text(&self, column: &str) -> String {
        match self.database.dialect {
            Dialect::Sqlite => column.to_owned(),
            Dialect::Postgres => format!("{column}::text"),
        }
    }

    /// A parameter as a value of a column.
    fn cast(&self, columns: &Columns, column: &str, place: usize) -> String {
        match (self.database.dialect, columns.get(column)) {
            // The text first, so that the parameter is one.
            (Dialect::Postgres, Some(kind)) => format!("${place}::text::{kind}"),
            _ => format!("${place}"),
        }
    }

    /// What tells the trading system that there is something new.
    fn touched(&self, columns: &Columns) -> Option<String> {
        let kind = columns.get("updated_at")?;
        match self.database.dialect {
            Dialect::Sqlite => {
                Some("updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')".to_owned())
            }
            Dialect::Postgres if kind.starts_with("timestamp") => {
                Some("updated_at = now()".to_owned())
            }
            Dialect::Postgres => None,
        }
    }
}

const WEIGHTS: &str = "scoring_weights";
const CONFIG: &str = "system_config";

/// The columns of a table with their types as they are written in SQL.
async fn columns(
    database: &Database,
    connection: &mut AnyConnection,
    table: &'static str,
) -> Result<Columns> {
    let select = match database.dialect {
        Dialect::Sqlite => "select name, type from pragma_table_info($1)",
        Dialect::Postgres => {
            "select attname::text, format_type(atttypid, atttypmod) from pg_attribute \
             where attrelid = to_regclass($1) and attnum > 0 and not attisdropped"
        }
    };
    let rows = sqlx::query(select).bind(table).fetch_all(connection).await;
    let rows = rows.map_err(|error| database.failed(error))?;
    let columns = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    let columns: sqlx::Result<Columns> = columns.collect();
    columns.map_err(|error| database.failed(error))
}

const SELECT: &str = "select id, backtest_id, applied_at, applied_by, changes_applied, \
                      previous_values, new_values, rolled_back_at, previous_stored, new_stored \
                      from applied_settings_history";

async fn insert(
    connection: &mut AnyConnection,
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
    sqlx::query(
        "insert into applied_settings_history (id, backtest_id, applied_at, applied_by, \
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
    .execute(connection)
    .await?;
    Ok(())
}

fn read(row: &AnyRow) -> sqlx::Result<Applied> {
    let names: String = row.try_get(4)?;
    let names: Vec<String> = from_json(&names)?;
    Ok(Applied {
        id: row.try_get(0)?,
        backtest_id: row.try_get(1)?,
        applied_at: row.try_get(2)?,
        applied_by: row.try_get(3)?,
        groups: names.iter().filter_map(|name| Group::named(name)).collect(),
        previous_values: row.try_get(5)?,
        new_values: row.try_get(6)?,
        rolled_back_at: row.try_get(7)?,
    })
}

fn stored(row: &AnyRow, column: usize) -> sqlx::Result<Stored> {
    let json: String = row.try_get(column)?;
    let texts: BTreeMap<String, String> = from_json(&json)?;
    let named = texts
        .into_iter()
        .filter_map(|(name, text)| Some((Group::named(&name)?.name(), text)));
    Ok(Stored(named.collect()))
}

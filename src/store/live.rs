//! The live settings where they are stored.
//!
//! The tables may be the trading system's own: their schema, columns and types are looked up, values
//! are cast to them, and nothing but the settings applied is changed (and `updated_at`, where there
//! is such a column). They are made only where that is asked for.

use std::collections::BTreeMap;

use super::client::{Statement, Transaction};
use super::scenarios::from_json;
use super::{Database, Dialect};
use crate::error::{Error, Result};
use crate::records::settings::{Group, Stored};

/// Columns of the tables of settings by name, with their types.
type Columns = BTreeMap<String, String>;

/// The tables of settings as they are.
pub(super) struct Live<'a> {
    database: &'a Database,
    weights: Table,
    config: Table,
}

/// One of the tables: its name with its schema, and its columns.
struct Table {
    name: String,
    columns: Columns,
}

impl<'a> Live<'a> {
    /// Finds the tables; `None` where the trading system has not both of them.
    pub(super) async fn look_up(
        database: &'a Database,
        transaction: &mut Transaction,
    ) -> Result<Option<Self>> {
        let weights = Table::find(database, transaction, WEIGHTS).await?;
        let config = Table::find(database, transaction, CONFIG).await?;
        let (Some(weights), Some(config)) = (weights, config) else {
            return Ok(None);
        };
        let names = Group::ScoringWeights.parameters().map(|p| p.name);
        let needed = names.map(|name| (&weights, name));
        let needed = needed.chain([
            (&weights, "is_active"),
            (&config, "key"),
            (&config, "value"),
        ]);
        for (table, column) in needed {
            if !table.columns.contains_key(column) {
                let table = &table.name;
                let problem = format!("the table {table} of live settings has no column {column}");
                return Err(database.error(problem, ""));
            }
        }
        Ok(Some(Self {
            database,
            weights,
            config,
        }))
    }

    /// Makes those tables that are missing, where the trading system would look for them.
    pub(super) async fn create(database: &Database, transaction: &mut Transaction) -> Result<()> {
        if database.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        for (table, sql) in [
            (
                WEIGHTS,
                include_str!("../../migrations/0002_scoring_weights.postgres.sql"),
            ),
            (
                CONFIG,
                include_str!("../../migrations/0003_system_config.postgres.sql"),
            ),
        ] {
            if Table::find(database, transaction, table).await?.is_none() {
                let made = transaction.run(sql).await;
                made.map_err(|error| database.failed(error))?;
            }
        }
        Ok(())
    }

    /// There is nothing that settings could be applied to.
    pub(super) fn missing(database: &Database) -> Error {
        database.error(
            format!("has no tables {WEIGHTS} and {CONFIG} from which a trading system would read"),
            "is this its database, and does options=-csearch_path%3DSCHEMA in the URL name its \
             schema? Where there is none yet, hindsight apply --create-settings makes them \
             (create_settings => true in SQL)",
        )
    }

    /// Whether it is a lock that somebody else has.
    pub(super) fn is_locked(error: &sqlx::Error) -> bool {
        let said = error.as_database_error().and_then(|said| said.code());
        said.is_some_and(|code| code == "55P03")
    }

    fn failed(&self, error: sqlx::Error) -> Error {
        self.database.failed(error)
    }

    /// Lets nobody else write them until the end of the transaction.
    pub(super) async fn lock(&self, transaction: &mut Transaction) -> sqlx::Result<()> {
        if transaction.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        // In this order everywhere: ours take turns, and the trading system waits for us alone.
        let (weights, config) = (&self.weights.name, &self.config.name);
        let lock = format!(
            "set local lock_timeout = '2s'; \
             lock table hindsight.applied_settings_history in exclusive mode; \
             lock table {weights} in share row exclusive mode nowait; \
             lock table {config} in share row exclusive mode nowait"
        );
        transaction.run(&lock).await
    }

    pub(super) async fn read(&self, transaction: &mut Transaction) -> Result<Stored> {
        let mut stored = Stored::default();
        let names: Vec<&str> = Group::ScoringWeights.parameters().map(|p| p.name).collect();
        let texts: Vec<String> = names.iter().map(|name| self.as_text(name)).collect();
        let select = format!(
            "select {} from {} where {}",
            texts.join(", "),
            self.weights.name,
            self.is_active()
        );
        let rows = Statement::new(select).rows(transaction).await;
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
                    row.get(position).map_err(|error| self.failed(error))?;
                let weight = serde_json::Value::from(weight);
                members.push(format!("\"{name}\": {weight}"));
            }
            let object = format!("{{{}}}", members.join(", "));
            stored.0.insert(Group::ScoringWeights.name(), object);
        }
        let select = format!(
            "select {}, {} from {}",
            self.as_text("\"key\""),
            self.as_text("\"value\""),
            self.config.name
        );
        let rows = Statement::new(select).rows(transaction).await;
        for row in rows.map_err(|error| self.failed(error))? {
            let member = || -> sqlx::Result<(Option<String>, Option<String>)> {
                Ok((row.get(0)?, row.get(1)?))
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
    pub(super) async fn write(
        &self,
        transaction: &mut Transaction,
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
        transaction: &mut Transaction,
        text: Option<&String>,
    ) -> sqlx::Result<()> {
        let (is_active, table) = (self.is_active(), &self.weights.name);
        let Some(text) = text else {
            let delete = format!("delete from {table} where {is_active}");
            Statement::new(delete).execute(transaction).await?;
            return Ok(());
        };
        let weights: BTreeMap<String, Option<String>> = from_json(text)?;
        let mut columns = Vec::with_capacity(weights.len());
        let mut values = Vec::with_capacity(weights.len());
        for (position, name) in weights.keys().enumerate() {
            columns.push(name.clone());
            values.push(self.cast(&self.weights.columns, name, position + 1));
        }
        let set = columns
            .iter()
            .zip(&values)
            .map(|(name, value)| format!("{name} = {value}"));
        let mut set: Vec<String> = set.collect();
        set.extend(self.touched(&self.weights.columns));
        let with_weights = |sql: String| {
            let statement = Statement::new(sql);
            let weights = weights.values();
            weights.fold(statement, |statement, weight| {
                statement.bind(weight.as_deref())
            })
        };
        let update = format!("update {table} set {} where {is_active}", set.join(", "));
        if with_weights(update).execute(transaction).await? > 0 {
            return Ok(());
        }
        let active = match (
            self.database.dialect(),
            self.weights.columns.get("is_active"),
        ) {
            (Dialect::Postgres, Some(kind)) if kind == "boolean" => "true",
            _ => "1",
        };
        let insert = format!(
            "insert into {table} ({}, is_active) values ({}, {active})",
            columns.join(", "),
            values.join(", ")
        );
        with_weights(insert).execute(transaction).await?;
        Ok(())
    }

    async fn write_config(
        &self,
        transaction: &mut Transaction,
        group: Group,
        text: Option<&String>,
    ) -> sqlx::Result<()> {
        let table = &self.config.name;
        let is_key = format!("{} = $1", self.as_text("\"key\""));
        let Some(text) = text else {
            let delete = Statement::new(format!("delete from {table} where {is_key}"));
            delete.bind(group.name()).execute(transaction).await?;
            return Ok(());
        };
        let value = self.cast(&self.config.columns, "value", 2);
        let mut set = vec![format!("\"value\" = {value}")];
        set.extend(self.touched(&self.config.columns));
        let with_text = |sql: String| Statement::new(sql).bind(group.name()).bind(text.as_str());
        let update = format!("update {table} set {} where {is_key}", set.join(", "));
        if with_text(update).execute(transaction).await? > 0 {
            return Ok(());
        }
        let key = self.cast(&self.config.columns, "key", 1);
        let insert = format!("insert into {table} (\"key\", \"value\") values ({key}, {value})");
        with_text(insert).execute(transaction).await?;
        Ok(())
    }

    fn is_active(&self) -> &'static str {
        match (
            self.database.dialect(),
            self.weights.columns.get("is_active"),
        ) {
            (Dialect::Postgres, Some(kind)) if kind == "boolean" => "is_active",
            _ => "is_active = 1",
        }
    }

    fn as_text(&self, column: &str) -> String {
        match self.database.dialect() {
            Dialect::Sqlite => column.to_owned(),
            Dialect::Postgres => format!("{column}::text"),
        }
    }

    /// A parameter as a value of a column.
    fn cast(&self, columns: &Columns, column: &str, place: usize) -> String {
        match (self.database.dialect(), columns.get(column)) {
            // The text first, so that the parameter is one.
            (Dialect::Postgres, Some(kind)) => format!("${place}::text::{kind}"),
            _ => format!("${place}"),
        }
    }

    /// What tells the trading system that there is something new.
    fn touched(&self, columns: &Columns) -> Option<String> {
        let kind = columns.get("updated_at")?;
        match self.database.dialect() {
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

impl Table {
    /// The table that the trading system would find under this name, if there is one.
    async fn find(
        database: &Database,
        transaction: &mut Transaction,
        table: &'static str,
    ) -> Result<Option<Self>> {
        let found = async {
            let name = match transaction.dialect() {
                Dialect::Sqlite => table.to_owned(),
                Dialect::Postgres => {
                    let select = "select quote_ident(nspname::text) || '.' || quote_ident(relname::text) \
                        from pg_catalog.pg_class as c \
                        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace \
                        where c.oid = coalesce(to_regclass($1), to_regclass('public.' || $1))";
                    let found = Statement::new(select).bind(table).row(transaction).await?;
                    match found.map(|row| row.get(0)).transpose()? {
                        Some(name) => name,
                        None => return Ok(None),
                    }
                }
            };
            let select = match transaction.dialect() {
                Dialect::Sqlite => "select name, type from pragma_table_info($1)",
                Dialect::Postgres => {
                    "select attname::text, format_type(atttypid, atttypmod) \
                     from pg_catalog.pg_attribute \
                     where attrelid = to_regclass($1) and attnum > 0 and not attisdropped"
                }
            };
            let rows = Statement::new(select)
                .bind(name.as_str())
                .rows(transaction)
                .await?;
            let columns = rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?)));
            let columns = columns.collect::<sqlx::Result<Columns>>()?;
            Ok(Some(Self { name, columns }))
        };
        found.await.map_err(|error| database.failed(error))
    }
}

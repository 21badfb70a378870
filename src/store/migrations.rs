//! `migrations/*.sql`: brings a database up to this version, each file once and all or none.
//!
//! What was run is noted in a table of our own. In PostgreSQL nothing is made outside of the schema
//! `hindsight`: the tables of live settings are the trading system's (see [`super::live`]).

use std::time::Duration;

use sqlx::Executor;

use super::client::{Statement, Transaction};
use super::{Database, Dialect, Pool, now};
use crate::error::Result;

/// One step; a database for which there is no statement has nothing to do.
struct Migration {
    version: i64,
    name: &'static str,
    sqlite: Option<&'static str>,
    postgres: Option<&'static str>,
}

const MIGRATIONS: [Migration; 4] = [
    Migration {
        version: 1,
        name: "state",
        sqlite: Some(include_str!("../../migrations/0001_state.sql")),
        postgres: Some(include_str!("../../migrations/0001_state.sql")),
    },
    Migration {
        version: 2,
        name: "scoring_weights",
        sqlite: Some(include_str!(
            "../../migrations/0002_scoring_weights.sqlite.sql"
        )),
        postgres: None,
    },
    Migration {
        version: 3,
        name: "system_config",
        sqlite: Some(include_str!(
            "../../migrations/0003_system_config.sqlite.sql"
        )),
        postgres: None,
    },
    Migration {
        version: 4,
        name: "heartbeat",
        sqlite: None,
        postgres: Some(include_str!("../../migrations/0004_heartbeat.postgres.sql")),
    },
];

/// The newest version that this program knows.
pub(super) const NEWEST: i64 = MIGRATIONS[MIGRATIONS.len() - 1].version;
const NOTES: &str = "hindsight.hindsight_migrations";
/// Says to PostgreSQL which lock is meant: "hindsight" in ASCII, as far as it fits.
const LOCK: i64 = 0x6869_6e64_7369_6768;

/// Runs what has not been run yet.
pub(super) async fn run(database: &Database) -> Result<()> {
    let found = version(database).await?;
    if found >= newest_of(database.dialect()) {
        return Ok(());
    }
    match &database.pool {
        Pool::Sqlite(_) => keep_log(database).await?,
        Pool::Postgres(_) if found == 0 => check_makable(database).await?,
        Pool::Postgres(_) => {}
    }
    let mut transaction = database.transaction().await?;
    prepare(&mut transaction)
        .await
        .map_err(|error| database.failed(error))?;
    // Another process may have been faster.
    let done = known(database, noted(&mut transaction).await)?;
    for migration in MIGRATIONS.iter().filter(|step| step.version > done) {
        if let Some(sql) = migration.of(database.dialect()) {
            apply(&mut transaction, migration, sql)
                .await
                .map_err(|error| database.failed(error))?;
        }
    }
    database.commit(transaction).await
}

/// Refuses a database that this version cannot read as it is.
pub(super) async fn check(database: &Database) -> Result<()> {
    match version(database).await? >= newest_of(database.dialect()) {
        true => Ok(()),
        false => Err(database.error(
            "was written by an older version, and cannot be brought up to date since it is read-only",
            "open the workspace once where it can be written",
        )),
    }
}

/// The version that a database needs.
fn newest_of(dialect: Dialect) -> i64 {
    let needed = MIGRATIONS.iter().filter(|step| step.of(dialect).is_some());
    needed.map(|step| step.version).max().unwrap_or(0)
}

impl Migration {
    fn of(&self, dialect: Dialect) -> Option<&'static str> {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }
}

/// The newest migration that was run; a newer one than ours is refused.
pub(super) async fn version(database: &Database) -> Result<i64> {
    let exists = match database.dialect() {
        Dialect::Sqlite => "select count(*) from sqlite_master where name = 'hindsight_migrations'",
        Dialect::Postgres => {
            "select count(*) from pg_catalog.pg_tables \
             where schemaname = 'hindsight' and tablename = 'hindsight_migrations'"
        }
    };
    let mut transaction = database.snapshot().await?;
    let version = async {
        let found = Statement::new(exists).row(&mut transaction).await?;
        match found.map(|row| row.get::<i64>(0)).transpose()? {
            None | Some(0) => Ok(0),
            Some(_) => noted(&mut transaction).await,
        }
    };
    let version = known(database, version.await)?;
    database.end(transaction).await?;
    Ok(version)
}

async fn noted(transaction: &mut Transaction) -> sqlx::Result<i64> {
    let newest = format!("select coalesce(max(version), 0) from {NOTES}");
    let row = Statement::new(newest).row(transaction).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

fn known(database: &Database, version: sqlx::Result<i64>) -> Result<i64> {
    match version {
        Ok(version) if version > NEWEST => Err(database.error(
            format!("was written by a newer version (state {version}, this one knows {NEWEST})"),
            "use that version, or a workspace of its own",
        )),
        Ok(version) => Ok(version),
        Err(error) => Err(database.failed(error)),
    }
}

/// Refuses a PostgreSQL that has no state and in which we may not make one.
pub(super) async fn check_makable(database: &Database) -> Result<()> {
    let may = "select case when pg_is_in_recovery() then 0 \
               when to_regnamespace('hindsight') is null \
               then has_database_privilege(current_database(), 'create')::int \
               else has_schema_privilege('hindsight', 'create')::int end::bigint";
    if is_true(database, may).await? {
        return Ok(());
    }
    let user = database.server.as_ref().map_or("", |server| &server.user);
    Err(database.error(
        format!("has no state of hindsight yet, and user {user} may not make one"),
        "a user who may make schemas makes it with the first thing that is stored, such as hindsight \
         run; or create schema hindsight authorization USER makes room for it",
    ))
}

/// Whether we may write the state that is there.
pub(super) async fn may_write(database: &Database) -> Result<bool> {
    let may = "select case when pg_is_in_recovery() \
               then 0 else (has_schema_privilege('hindsight', 'usage') \
               and has_table_privilege('hindsight.backtest_results', 'insert, update') \
               and has_table_privilege('hindsight.scenarios', 'insert, update'))::int end::bigint";
    is_true(database, may).await
}

async fn is_true(database: &Database, sql: &'static str) -> Result<bool> {
    let rows = database.rows(Statement::new(sql)).await?;
    let first = rows.first().map(|row| row.get::<i64>(0)).transpose();
    Ok(first.map_err(|error| database.failed(error))? == Some(1))
}

/// A log that is written ahead lets readers go on beside a writer. SQLite does not wait for this
/// lock by itself.
async fn keep_log(database: &Database) -> Result<()> {
    let Pool::Sqlite(pool) = &database.pool else {
        return Ok(());
    };
    let mut tries = 0;
    loop {
        let switched = pool.execute("pragma journal_mode = wal").await;
        match switched {
            Ok(_) => return Ok(()),
            Err(error) if tries == 100 => return Err(database.failed(error)),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
        tries += 1;
    }
}

/// Where the notes are, and nobody else beside us.
async fn prepare(transaction: &mut Transaction) -> sqlx::Result<()> {
    if transaction.dialect() == Dialect::Postgres {
        let lock = format!("select pg_advisory_xact_lock({LOCK})");
        transaction.run(&lock).await?;
        // One that is there may be ours in a database in which we may make no other.
        let schema = "do $$ begin if to_regnamespace('hindsight') is null \
                      then create schema hindsight; end if; end $$";
        transaction.run(schema).await?;
    }
    let notes = format!(
        "create table if not exists {NOTES} \
         (version bigint primary key, name text not null, applied_at bigint not null)"
    );
    transaction.run(&notes).await
}

async fn apply(
    transaction: &mut Transaction,
    migration: &Migration,
    sql: &str,
) -> sqlx::Result<()> {
    transaction.run(sql).await?;
    let note = format!("insert into {NOTES} (version, name, applied_at) values ($1, $2, $3)");
    Statement::new(note)
        .bind(migration.version)
        .bind(migration.name)
        .bind(now())
        .execute(transaction)
        .await?;
    Ok(())
}

//! `migrations/*.sql`: brings a database up to this version, each file once and all or none.
//!
//! What was run is noted in a table of our own, beside whatever the trading system keeps there.

use std::time::Duration;

use sqlx::{Any, AssertSqlSafe, Executor, Transaction};

use super::{Database, Dialect, now};
use crate::error::Result;

/// One step; where the databases differ, each has its file.
struct Migration {
    version: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
    /// A table of the trading system, which is made only where it is missing.
    live_table: Option<&'static str>,
}

const MIGRATIONS: [Migration; 3] = [
    Migration {
        version: 1,
        name: "state",
        sqlite: include_str!("../../migrations/0001_state.sql"),
        postgres: include_str!("../../migrations/0001_state.sql"),
        live_table: None,
    },
    Migration {
        version: 2,
        name: "scoring_weights",
        sqlite: include_str!("../../migrations/0002_scoring_weights.sqlite.sql"),
        postgres: include_str!("../../migrations/0002_scoring_weights.postgres.sql"),
        live_table: Some("scoring_weights"),
    },
    Migration {
        version: 3,
        name: "system_config",
        sqlite: include_str!("../../migrations/0003_system_config.sqlite.sql"),
        postgres: include_str!("../../migrations/0003_system_config.postgres.sql"),
        live_table: Some("system_config"),
    },
];

const NEWEST: i64 = MIGRATIONS[MIGRATIONS.len() - 1].version;
const NOTES: &str = "hindsight_migrations";
/// Says to PostgreSQL which lock is meant: "hindsight" in ASCII, as far as it fits.
const LOCK: i64 = 0x6869_6e64_7369_6768;

/// Runs what has not been run yet.
pub(super) async fn run(database: &Database) -> Result<()> {
    if version(database).await? == NEWEST {
        return Ok(());
    }
    if database.dialect == Dialect::Sqlite {
        keep_log(database).await?;
    }
    let mut transaction = database.transaction().await?;
    prepare(database, &mut transaction)
        .await
        .map_err(|error| database.failed(error))?;
    // Another process may have been faster.
    let done = noted(database, &mut transaction).await?;
    for migration in MIGRATIONS.iter().filter(|step| step.version > done) {
        apply(database, &mut transaction, migration)
            .await
            .map_err(|error| database.failed(error))?;
    }
    transaction
        .commit()
        .await
        .map_err(|error| database.failed(error))
}

/// Refuses a database that this version cannot read as it is.
pub(super) async fn check(database: &Database) -> Result<()> {
    match version(database).await? {
        NEWEST => Ok(()),
        _ => Err(database.error(
            "was written by an older version, and cannot be brought up to date since it is read-only",
            "open the workspace once where it can be written",
        )),
    }
}

/// The newest migration that was run; a newer one than ours is refused.
async fn version(database: &Database) -> Result<i64> {
    let exists = match database.dialect {
        Dialect::Sqlite => "select count(*) from sqlite_master where name = 'hindsight_migrations'",
        Dialect::Postgres => {
            "select count(*) from pg_tables \
             where schemaname = 'hindsight' and tablename = 'hindsight_migrations'"
        }
    };
    let tables: i64 = sqlx::query_scalar(exists)
        .fetch_one(&database.pool)
        .await
        .map_err(|error| database.failed(error))?;
    if tables == 0 {
        return Ok(0);
    }
    let mut connection = database
        .pool
        .acquire()
        .await
        .map_err(|error| database.failed(error))?;
    known(database, newest_noted(&mut connection).await)
}

async fn noted(database: &Database, transaction: &mut Transaction<'static, Any>) -> Result<i64> {
    known(database, newest_noted(transaction).await)
}

async fn newest_noted(connection: &mut sqlx::AnyConnection) -> sqlx::Result<i64> {
    let newest = format!("select coalesce(max(version), 0) from {NOTES}");
    sqlx::query_scalar(AssertSqlSafe(newest))
        .fetch_one(connection)
        .await
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

/// A log that is written ahead lets readers go on beside a writer. SQLite does not wait for this
/// lock by itself.
async fn keep_log(database: &Database) -> Result<()> {
    let mut tries = 0;
    loop {
        let switched = database.pool.execute("pragma journal_mode = wal").await;
        match switched {
            Ok(_) => return Ok(()),
            Err(error) if tries == 100 => return Err(database.failed(error)),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
        tries += 1;
    }
}

/// Where the notes are, and nobody else beside us.
async fn prepare(
    database: &Database,
    transaction: &mut Transaction<'static, Any>,
) -> sqlx::Result<()> {
    if database.dialect == Dialect::Postgres {
        let lock = format!("select pg_advisory_xact_lock({LOCK})");
        transaction
            .execute(sqlx::raw_sql(AssertSqlSafe(lock)))
            .await?;
        let schema = "create schema if not exists hindsight";
        transaction.execute(sqlx::raw_sql(schema)).await?;
    }
    let notes = format!(
        "create table if not exists {}{NOTES} \
         (version bigint primary key, name text not null, applied_at bigint not null)",
        own_schema(database.dialect)
    );
    transaction
        .execute(sqlx::raw_sql(AssertSqlSafe(notes)))
        .await?;
    Ok(())
}

async fn apply(
    database: &Database,
    transaction: &mut Transaction<'static, Any>,
    migration: &Migration,
) -> sqlx::Result<()> {
    let sql = match database.dialect {
        Dialect::Sqlite => migration.sqlite,
        Dialect::Postgres => migration.postgres,
    };
    match (migration.live_table, database.dialect) {
        (Some(table), Dialect::Postgres) => {
            if !is_there(transaction, table).await? {
                // Where the trading system would make it, and not in our schema.
                let path = "select set_config('search_path', \
                            regexp_replace(current_setting('search_path'), '^hindsight, *', ''), \
                            true)";
                transaction.execute(sqlx::raw_sql(path)).await?;
                transaction.execute(sqlx::raw_sql(sql)).await?;
                let path = "select set_config('search_path', \
                            'hindsight, ' || current_setting('search_path'), true)";
                transaction.execute(sqlx::raw_sql(path)).await?;
            }
        }
        _ => {
            transaction.execute(sqlx::raw_sql(sql)).await?;
        }
    }
    let note = format!(
        "insert into {}{NOTES} (version, name, applied_at) values ($1, $2, $3)",
        own_schema(database.dialect)
    );
    sqlx::query(AssertSqlSafe(note))
        .bind(migration.version)
        .bind(migration.name)
        .bind(now())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn is_there(transaction: &mut Transaction<'static, Any>, table: &str) -> sqlx::Result<bool> {
    let found: Option<String> = sqlx::query_scalar("select to_regclass($1)::text")
        .bind(table)
        .fetch_one(&mut **transaction)
        .await?;
    Ok(found.is_some())
}

fn own_schema(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "",
        Dialect::Postgres => "hindsight.",
    }
}

//! Opens the database of the state: connects, sees to its tables, finds out whether it can be
//! written.

use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};

use super::client::Statement;
use super::{Access, Database, Opened, Place, Pool, STATE_FILE, Server, log, migrations};
use crate::error::{Error, Result};

/// How long a writer waits for another, and anyone for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECTIONS_MAX: u32 = 8;
/// A trading system needs its connections for itself.
const SERVER_CONNECTIONS_MAX: u32 = 4;

/// Of every connection to SQLite: committed is on the disk, and writers take turns. What is committed
/// moves from the log to the database at once, so that a copy of that one file has it.
const SQLITE_SETTINGS: &str = "pragma busy_timeout = 10000; pragma synchronous = full; \
     pragma foreign_keys = on; pragma wal_autocheckpoint = 1";
/// Of every connection to a SQLite that nobody writes to, ahead of all else: what its log says is
/// kept in memory, for want of a file beside it.
const SQLITE_ALONE_SETTINGS: &str = "pragma locking_mode = exclusive; pragma query_only = on";
/// An empty store that is gone with the process; it stands for one that nobody has written to.
pub(super) async fn in_memory(place: &Place) -> Result<Opened> {
    // A connection whose statement is given up may be closed; with another to the same memory, what
    // is there stays.
    // SQLite shares memory between connections only under a name that is a URI.
    let name = uuid::Uuid::new_v4();
    let url = format!("sqlite:file:hindsight-{name}?mode=memory&cache=shared");
    let mut database = connect(&url, SQLITE_SETTINGS, place, 1).await?;
    let anchor = SqliteConnection::connect(&url).await;
    let anchor = anchor.map_err(|error| database.failed(error))?;
    database.anchor = Some(Arc::new(Mutex::new(anchor)));
    migrations::run(&database).await?;
    let access = match place {
        Place::Memory => Access::ReadWrite,
        _ => Access::StandIn,
    };
    Ok(Opened { database, access })
}

/// The database that is there.
pub(super) async fn existing(place: &Place) -> Result<Opened> {
    let Place::Workspace(workspace) = place else {
        return in_memory(place).await;
    };
    match try_to_write(workspace) {
        Ok(()) => or_make(place).await,
        Err(_) => read_only(place, workspace).await,
    }
}

/// The database of a workspace, made if it is not there.
pub(super) async fn or_make(place: &Place) -> Result<Opened> {
    let Place::Workspace(workspace) = place else {
        return in_memory(place).await;
    };
    let unwritable = |problem: String| Error::Workspace {
        path: workspace.clone(),
        problem,
    };
    make_directory(workspace)
        .and_then(|()| try_to_write(workspace))
        .and_then(|()| make_state(workspace))
        .map_err(|error| unwritable(format!("cannot be written: {error}")))?;
    log::check(workspace).await?;
    let url = sqlite_url(workspace, "mode=rwc")?;
    let database = connect(&url, SQLITE_SETTINGS, place, CONNECTIONS_MAX).await?;
    refuse_others(&database, workspace).await?;
    migrations::run(&database).await?;
    Ok(Opened {
        database,
        access: Access::ReadWrite,
    })
}

/// The state in a PostgreSQL, as far as it is there and may be read.
pub(super) async fn to_read(database: &Database, place: &Place) -> Result<Opened> {
    let version = migrations::version(database).await?;
    if version == 0 {
        // As in a workspace: until something is written, there is nothing to read.
        migrations::check_makable(database).await?;
        return in_memory(place).await;
    }
    if version < migrations::NEWEST {
        return to_write(database.clone()).await;
    }
    let access = match migrations::may_write(database).await? {
        true => Access::ReadWrite,
        false => Access::ReadOnly,
    };
    let database = database.clone();
    Ok(Opened { database, access })
}

/// The state in a PostgreSQL, made if it is not there.
pub(super) async fn to_write(database: Database) -> Result<Opened> {
    migrations::run(&database).await?;
    if !migrations::may_write(&database).await? {
        let user = database.server.as_ref().map_or("", |server| &server.user);
        return Err(database.error(
            format!("user {user} may read the state and not write it"),
            "its owner may grant insert, update and delete on all tables in schema hindsight",
        ));
    }
    Ok(Opened {
        database,
        access: Access::ReadWrite,
    })
}

/// Connections to a PostgreSQL. One is tried first: a pool would try what cannot be had again and
/// again, and not say why.
pub(super) async fn server(server: &Server) -> Result<Database> {
    let (first, options) = server.connect().await?;
    // Whether it says goodbye in order is its own business.
    let _ = first.close().await;
    let pool = PgPoolOptions::new()
        .max_connections(SERVER_CONNECTIONS_MAX)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options);
    Ok(Database {
        pool: Pool::Postgres(pool),
        name: server.name.clone(),
        server: Some(Arc::new(server.clone())),
        anchor: None,
    })
}

/// Nothing can be written beside the database, so that it is read as it lies there: with the log
/// that others may be writing, with the log that they have left, or without one.
async fn read_only(place: &Place, workspace: &Path) -> Result<Opened> {
    let beside = |suffix: &str| std::fs::metadata(workspace.join(format!("{STATE_FILE}{suffix}")));
    let (options, settings) = match (beside("-wal"), beside("-shm")) {
        (Ok(_), Ok(_)) => ("mode=ro", SQLITE_SETTINGS),
        // SQLite would make the index of the log beside it, and cannot lock what is read-only.
        (Ok(log), Err(_)) if log.len() > 0 => ("mode=ro&vfs=unix-none", SQLITE_ALONE_SETTINGS),
        _ => ("mode=ro&immutable=true", SQLITE_SETTINGS),
    };
    log::check(workspace).await?;
    let url = sqlite_url(workspace, options)?;
    let database = connect(&url, settings, place, CONNECTIONS_MAX).await?;
    migrations::check(&database).await?;
    Ok(Opened {
        database,
        access: Access::ReadOnly,
    })
}

/// Room for what SQLite writes before it does anything else.
const ROOM_BYTES: usize = 64 << 10;

/// Finds out whether the state can be written, and if not, why. SQLite keeps files of its own beside
/// the database, so that the directory counts, and so does the room that is left on the disk.
fn try_to_write(workspace: &Path) -> io::Result<()> {
    write_probe(workspace)?;
    let state = workspace.join(STATE_FILE);
    match std::fs::File::options().append(true).open(state) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes a file that has no name, or where there are none such, a name that nothing has.
fn write_probe(workspace: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if let Ok(mut file) = std::fs::File::options()
        .write(true)
        .custom_flags(libc::O_TMPFILE)
        .open(workspace)
    {
        return file.write_all(&[0; ROOM_BYTES]);
    }
    let probe = workspace.join(format!("{STATE_FILE}.probe-{}", uuid::Uuid::new_v4()));
    let mut file = std::fs::File::create_new(&probe)?;
    let written = file.write_all(&[0; ROOM_BYTES]);
    let _ = std::fs::remove_file(&probe);
    written
}

/// Makes a workspace that is not there, for nobody but its user.
fn make_directory(workspace: &Path) -> io::Result<()> {
    if workspace.is_dir() {
        return Ok(());
    }
    if let Some(above) = workspace.parent() {
        std::fs::create_dir_all(above)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(workspace) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && workspace.is_dir() => Ok(()),
        made => made,
    }
}

/// Makes an empty file that only its user may read: users' verifiers are in it. SQLite gives the
/// files beside it the same permissions.
fn make_state(workspace: &Path) -> io::Result<()> {
    let made = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(workspace.join(STATE_FILE));
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Refuses a database that holds tables and none of ours.
async fn refuse_others(database: &Database, workspace: &Path) -> Result<()> {
    let select = "select count(*) from sqlite_master \
                  where not exists (select 1 from sqlite_master where name = 'hindsight_migrations')";
    let rows = database.rows(Statement::new(select)).await?;
    let others = rows.first().map(|row| row.get::<i64>(0)).transpose();
    let others = others.map_err(|error| database.failed(error))?;
    match others.unwrap_or(0) {
        0 => Ok(()),
        _ => Err(Error::Workspace {
            path: workspace.join(STATE_FILE),
            problem: "is not hindsight's: it holds tables of another program. Nothing in it was \
                      touched; name another workspace with --data, such as --data ./hindsight-data"
                .into(),
        }),
    }
}

fn sqlite_url(workspace: &Path, options: &str) -> Result<String> {
    let unusable = |problem: String| Error::Workspace {
        path: workspace.to_owned(),
        problem,
    };
    let absolute = std::path::absolute(workspace);
    let absolute = absolute.map_err(|error| unusable(format!("cannot be found: {error}")))?;
    let path = absolute.join(STATE_FILE);
    let Some(text) = path.to_str() else {
        return Err(unusable("its path is not UTF-8".into()));
    };
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(format!("sqlite://{encoded}?{options}"))
}

/// The way out where another process keeps the file to itself.
const BUSY_HINT: &str = "try again when that is done; if it hangs, end it";

/// The way out where the file is not what SQLite has written.
pub(super) fn damage_hint(problem: &str) -> &'static str {
    match problem.contains("malformed") || problem.contains("not a database") {
        true => {
            "it is damaged: restore it from a backup; without it, what was loaded is still there, and \
             hindsight status --verify says what else is"
        }
        false => "",
    }
}

async fn connect(
    url: &str,
    settings: &'static str,
    place: &Place,
    connections: u32,
) -> Result<Database> {
    let name = place.to_string();
    let unreachable = |error: sqlx::Error| {
        let problem = match &error {
            sqlx::Error::Database(said) => said.message().to_owned(),
            sqlx::Error::PoolTimedOut => format!(
                "another process has held it for {} seconds",
                PATIENCE.as_secs()
            ),
            error => error.to_string(),
        };
        Error::Database {
            database: name.clone(),
            hint: match error {
                sqlx::Error::PoolTimedOut => BUSY_HINT,
                _ => damage_hint(&problem),
            }
            .to_owned(),
            problem: format!("cannot be opened: {problem}"),
        }
    };
    let options: SqliteConnectOptions = url.parse().map_err(unreachable)?;
    let options = options.disable_statement_logging();
    // A pool would try what cannot be had again and again, and not say why.
    let first = async {
        let mut first = SqliteConnection::connect_with(&options).await?;
        first.execute(sqlx::raw_sql(settings)).await?;
        Ok(first)
    };
    let first = tokio::time::timeout(PATIENCE, first).await;
    let first = first.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    // Whether it says goodbye in order is its own business.
    let _ = first.map_err(unreachable)?.close().await;
    let pool = SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(u32::from(connections == 1))
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                connection.execute(sqlx::raw_sql(settings)).await?;
                Ok(())
            })
        })
        .connect_with(options)
        .await
        .map_err(unreachable)?;
    Ok(Database {
        pool: Pool::Sqlite(pool),
        name: place.to_string(),
        server: None,
        anchor: None,
    })
}

//! A real PgBouncer that gives its only server connection away after every transaction, as the pooler
//! of a trading system does: whoever comes next finds nothing of ours there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use tempfile::TempDir;

use crate::cli::{hindsight, text};
use crate::postgres::{Database, Postgres, TRADING_TABLES, User, block_on, free_port};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Waits for the pipe to be closed, then stops the pooler.
const SUPERVISOR: &str = "\"$@\" & pooler=$!; read -r end; kill -INT $pooler; wait $pooler";

/// A pooler before one database; it stops when dropped.
struct Pooler {
    supervisor: Child,
    _directory: TempDir,
    port: u16,
    database: String,
}

impl Pooler {
    /// One server connection for all, given away after every transaction (or statement).
    fn start(database: &Database, pool_mode: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let user = User::of_server();
        let port = free_port();
        let file = |name: &str| directory.path().join(name).display().to_string();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\n\
             pool_mode = {pool_mode}\ndefault_pool_size = 1\nmax_client_conn = 100\n\
             query_wait_timeout = 20\nserver_login_retry = 1\nlogfile = {}\npidfile =\n",
            database.port(),
            file("users"),
            file("log"),
        );
        fs::write(file("settings"), settings).unwrap();
        fs::write(file("users"), "\"postgres\" \"\"\n\"reader\" \"\"\n").unwrap();
        user.own(directory.path());
        for entry in fs::read_dir(directory.path()).unwrap() {
            user.own(&entry.unwrap().path());
        }
        let supervisor = user
            .command(Path::new("sh"))
            .args(["-c", SUPERVISOR, "sh"])
            .arg(program())
            .arg(file("settings"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pooler = Self {
            supervisor,
            _directory: directory,
            port,
            database: database.name.clone(),
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "PgBouncer does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        pooler
    }

    fn url_of(&self, user: &str) -> String {
        let Self { port, database, .. } = self;
        format!("postgres://{user}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Another client's statements, each alone.
    fn rows(&self, statements: &[&str]) -> Vec<Vec<Option<String>>> {
        let options: PgConnectOptions = self.url().parse().unwrap();
        let options = options.extra_float_digits(None).application_name("bot");
        let mut all = Vec::new();
        block_on(async {
            let mut connection = options.connect().await.unwrap();
            for sql in statements {
                let rows = sqlx::raw_sql(AssertSqlSafe(*sql)).fetch_all(&mut connection);
                let rows = rows.await.unwrap_or_else(|error| panic!("{sql}: {error}"));
                let texts = |row: &PgRow| (0..row.len()).map(|at| row.get(at)).collect();
                all.extend(rows.iter().map(texts));
            }
            connection.close().await.unwrap();
            all
        })
    }

    /// What the next client finds in the server connection, and which it is.
    fn found(&self) -> Vec<Vec<Option<String>>> {
        self.rows(&[
            "select pg_backend_pid()::text",
            "select name || ' = ' || setting from pg_settings where source = 'session' order by 1",
            "select current_setting('search_path')",
            "select name from pg_prepared_statements",
            "select name from pg_cursors",
            "select mode || ' of ' || locktype from pg_locks \
             where pid = pg_backend_pid() and locktype in ('advisory', 'object')",
            "select pg_listening_channels()",
            "select relname::text from pg_class where relpersistence = 't'",
        ])
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let mut programs = folders.map(|folder| folder.join("pgbouncer"));
    let found = programs.find(|program| program.is_file());
    found.expect("the program pgbouncer, of the package pgbouncer")
}

/// A trading system with its history, behind a pooler; and a workspace that has that history.
fn behind_a_pooler(name: &str) -> (Database, Pooler, TempDir) {
    let database = crate::from_postgres::tiny(name);
    database.execute(TRADING_TABLES);
    let pooler = Pooler::start(&database, "transaction");
    (database, pooler, tempfile::tempdir().unwrap())
}

fn command(workspace: &Path, pooler: &Pooler, arguments: &[&str]) -> Command {
    let mut command = hindsight(workspace);
    command.env("HINDSIGHT_STATE", pooler.url()).args(arguments);
    command
}

/// What a command that must succeed prints.
fn done(workspace: &Path, pooler: &Pooler, arguments: &[&str]) -> String {
    let output = command(workspace, pooler, arguments).output().unwrap();
    let errors = text(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    text(&output.stdout)
}

#[test]
fn pooler_finds_nothing_of_ours() {
    let (database, pooler, directory) = behind_a_pooler("pooled");
    let workspace = directory.path();
    let before = pooler.found();
    let done = |arguments: &[&str]| {
        let printed = done(workspace, &pooler, arguments);
        assert_eq!(pooler.found(), before, "after {arguments:?}");
        printed
    };
    done(&["load", "--from", &pooler.url()]);
    done(&["load", "--full", "--from", &pooler.url()]);
    done(&["history"]);
    let insert = "insert into scenarios (name, stop_loss_percent) values ('tight', 8)";
    done(&["query", insert]);
    done(&["run", "tight"]);
    let id = "select id from backtests where status = 'completed'";
    let id = done(&["query", id, "--format", "csv"]);
    let id = id.lines().nth(1).unwrap().to_owned();
    done(&["compare", &id]);
    done(&["settings"]);
    done(&["apply", &id, "--yes"]);
    let stop = "select value #>> '{stop_loss_percent}' from system_config \
                where key = 'exit_strategy'";
    assert_eq!(database.rows(stop)[0][0].as_deref(), Some("8"));
    let applied = "select id from settings_history";
    let applied = done(&["query", applied, "--format", "csv"]);
    done(&["rollback", applied.lines().nth(1).unwrap(), "--yes"]);
    assert_eq!(database.rows(stop)[0][0].as_deref(), Some("15"));
    done(&["scenarios", "export"]);
    done(&["query", "delete from scenarios"]);

    // What fails leaves nothing either.
    let output = command(workspace, &pooler, &["query", "call cancel_backtest('x')"]).output();
    assert!(!output.unwrap().status.success());
    assert_eq!(pooler.found(), before);
}

#[test]
fn pooler_is_shared_by_many() {
    let (_database, pooler, directory) = behind_a_pooler("shared");
    let workspace = directory.path();
    done(workspace, &pooler, &["load", "--from", &pooler.url()]);
    let run = |label: &str| {
        let call = format!("call run_backtest(label => '{label}')");
        let mut command = command(workspace, &pooler, &["query", &call]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        child.unwrap()
    };
    let runs = ["one", "two", "three"].map(run);
    // The trading bot uses the same connection all the while, with parameters.
    let url = pooler.url();
    block_on(async {
        let options: PgConnectOptions = url.parse().unwrap();
        let options = options.extra_float_digits(None);
        let mut bot: PgConnection = options.connect().await.unwrap();
        for price in 0..200_i64 {
            let mut transaction = bot.begin().await.unwrap();
            let seen = sqlx::query("select $1::bigint, current_setting('search_path')")
                .persistent(false)
                .bind(price)
                .fetch_one(&mut *transaction)
                .await
                .unwrap();
            assert_eq!(seen.get::<i64, _>(0), price);
            assert_eq!(seen.get::<String, _>(1), "\"$user\", public");
            transaction.commit().await.unwrap();
        }
    });
    for child in runs {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let completed = "select count(*) from backtests where status = 'completed'";
    let completed = done(workspace, &pooler, &["query", completed, "--format", "csv"]);
    assert_eq!(completed.lines().nth(1), Some("3"));
}

#[test]
fn pooler_that_cannot_be_used_says_why() -> Outcome {
    let database = Postgres::shared().database("statements");
    let statements = Pooler::start(&database, "statement");
    let directory = tempfile::tempdir()?;
    let mut nowhere = Pooler::start(&database, "transaction");
    nowhere.database = "nothing".into();
    for (pooler, expected) in [
        (
            &statements,
            "gives its connection away after every statement",
        ),
        (&nowhere, "\"nothing\" does not exist"),
    ] {
        let of_state = command(directory.path(), pooler, &["history"]).output()?;
        let of_load = hindsight(directory.path())
            .args(["load", "--from", &pooler.url()])
            .output()?;
        for output in [of_state, of_load] {
            let errors = text(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{errors}");
            assert!(errors.contains(expected), "{errors}");
        }
    }
    // A setting that comes with the connection.
    let pooler = Pooler::start(&database, "transaction");
    let output = command(directory.path(), &pooler, &["history"])
        .env("PGOPTIONS", "-c geqo=off")
        .output()?;
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(errors.contains("hint: unset PGOPTIONS"), "{errors}");
    let in_the_url = format!("{}&options=-cgeqo%3Doff", pooler.url());
    let output = hindsight(directory.path())
        .args(["history", "--state", &in_the_url])
        .output()?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    Ok(())
}

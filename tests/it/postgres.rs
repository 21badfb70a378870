//! A real PostgreSQL in a temporary directory, for the tests that need one.
//!
//! [`Postgres::shared`] is one server for all tests of the binary, each with a database of its own;
//! [`Postgres::start`] is one that a test may stop or wants to be safe against crashes. Either is stopped, by
//! its own process id, by a shell that waits for a pipe to be closed: when the value is dropped, and
//! in any case when the test process ends, however it does. As root it runs as `nobody`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row};

/// Waits for the pipe to be closed, then stops the server and removes its directory.
const SUPERVISOR: &str =
    "\"$@\" & server=$!; read -r end; kill -INT $server; wait $server; rm -rf \"$0\"";

/// Who may connect how: tests connect as `postgres`; the other users are for what may go wrong.
const WHO: &str = "\
local   all all                          trust
host    all postgres,reader 127.0.0.1/32 trust
host    all with_password   127.0.0.1/32 scram-sha-256
hostssl all only_tls        127.0.0.1/32 trust
";

/// The users besides `postgres`.
const USERS: &str = "create role reader login; \
                     create role with_password login superuser password 'open sesame'; \
                     create role only_tls login superuser";

/// The tables that a trading system reads its settings from, with the defaults in them.
pub const TRADING_TABLES: &str = concat!(
    include_str!("../../migrations/0002_scoring_weights.postgres.sql"),
    include_str!("../../migrations/0003_system_config.postgres.sql"),
);

/// Whether a commit is on the disk when it is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    On,
    Off,
}

/// A running server; it stops when dropped.
pub struct Postgres {
    supervisor: Child,
    directory: PathBuf,
    port: u16,
}

/// A database of a server.
#[derive(Clone)]
pub struct Database {
    pub name: String,
    port: u16,
    socket: PathBuf,
}

impl Postgres {
    /// The server that tests share; its databases do not outlive the test process.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Postgres> = LazyLock::new(|| Postgres::start(Fsync::Off));
        &SHARED
    }

    /// A server of one's own.
    pub fn start(fsync: Fsync) -> Self {
        // Somebody else may take the port before the server does.
        let server = (0..5).find_map(|_| Self::try_start(fsync));
        server.expect("a free port for PostgreSQL")
    }

    fn try_start(fsync: Fsync) -> Option<Self> {
        let programs = programs();
        let user = User::of_server();
        let directory = tempfile::Builder::new()
            .prefix("hindsight-postgres-")
            .tempdir()
            .unwrap()
            .keep();
        user.own(&directory);
        let data = directory.join("data");
        let output = user
            .command(&programs.join("initdb"))
            .args(["--no-sync", "--auth=trust", "--username=postgres"])
            .args(["--encoding=UTF8", "--locale=C", "--pgdata"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(output.status.success(), "initdb: {}", said(&output));
        fs::write(data.join("pg_hba.conf"), WHO).unwrap();
        let tls = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
        for file in ["certificate.pem", "key.pem"] {
            let copy = data.join(file);
            fs::copy(tls.join(file), &copy).unwrap();
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
            user.own(&copy);
        }
        let port = free_port();
        let server = Self {
            supervisor: serve(&programs, &user, &directory, port, fsync),
            directory,
            port,
        };
        server.wait_until_ready().then(|| {
            server.database_of("postgres").execute(USERS);
            server
        })
    }

    /// A new database whose name begins so.
    pub fn database(&self, name: &str) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{name}_{number}");
        let postgres = self.database_of("postgres");
        postgres.execute(&format!("create database \"{name}\""));
        self.database_of(&name)
    }

    /// A new database of a trading system, with the tables of its settings.
    pub fn trading_database(&self, name: &str) -> Database {
        let database = self.database(name);
        database.execute(TRADING_TABLES);
        database
    }

    fn database_of(&self, name: &str) -> Database {
        Database {
            name: name.to_owned(),
            port: self.port,
            socket: self.directory.clone(),
        }
    }

    /// Whether the server answers; otherwise its port was taken.
    fn wait_until_ready(&self) -> bool {
        let database = self.database_of("postgres");
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if block_on(PgConnection::connect(&database.url())).is_ok() {
                return true;
            }
            let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            if log.contains("Address already in use") {
                return false;
            }
            let in_time = Instant::now() < deadline && !log.contains("FATAL:  could not");
            assert!(in_time, "PostgreSQL does not start: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

impl Database {
    pub fn port(&self) -> u16 {
        self.port
    }

    /// For `postgres`, without TLS.
    pub fn url(&self) -> String {
        self.url_of("postgres", "sslmode=disable")
    }

    /// For another user, who may have a password after a colon, with these options.
    pub fn url_of(&self, user: &str, options: &str) -> String {
        let Self { name, port, .. } = self;
        format!("postgres://{user}@127.0.0.1:{port}/{name}?{options}")
    }

    /// Over the unix socket.
    pub fn socket_url(&self) -> String {
        let socket = self.socket.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{socket}:{}/{}", self.port, self.name)
    }

    /// Runs statements, several with semicolons.
    pub fn execute(&self, sql: &str) {
        block_on(async {
            let mut connection = PgConnection::connect(&self.url()).await.unwrap();
            let done = sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut connection)
                .await;
            done.unwrap_or_else(|error| panic!("{sql}: {error}"));
            connection.close().await.unwrap();
        });
    }

    /// The rows of a query whose columns are text.
    pub fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let texts = |row: &PgRow| (0..row.len()).map(|at| row.get(at)).collect();
        block_on(async {
            let mut connection = PgConnection::connect(&self.url()).await.unwrap();
            let rows = sqlx::raw_sql(AssertSqlSafe(sql))
                .fetch_all(&mut connection)
                .await;
            let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
            connection.close().await.unwrap();
            rows.iter().map(texts).collect()
        })
    }

    /// Fills a table from CSV with a header, whose columns it has.
    pub fn copy_in(&self, table: &str, csv: &str) {
        let columns = csv.lines().next().unwrap();
        let columns: Vec<_> = columns
            .split(',')
            .map(|name| format!("\"{name}\""))
            .collect();
        let statement = format!(
            "copy {table} ({}) from stdin (format csv, header true)",
            columns.join(", ")
        );
        block_on(async {
            let mut connection = PgConnection::connect(&self.url()).await.unwrap();
            let mut copy = connection.copy_in_raw(&statement).await.unwrap();
            copy.send(csv.as_bytes()).await.unwrap();
            let done = copy.finish().await;
            done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        });
    }
}

/// Runs a future to its end, also inside of another runtime.
pub fn block_on<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let worker = scope.spawn(move || runtime.unwrap().block_on(work));
        worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn serve(programs: &Path, user: &User, directory: &Path, port: u16, fsync: Fsync) -> Child {
    let log = fs::File::create(directory.join("log")).unwrap();
    let mut command = user.command(Path::new("sh"));
    command
        .args(["-c", SUPERVISOR])
        .arg(directory)
        .arg(programs.join("postgres"))
        .arg("-D")
        .arg(directory.join("data"))
        .args(["-p", &port.to_string(), "-k"])
        .arg(directory);
    for setting in [
        "listen_addresses=127.0.0.1",
        "max_connections=200",
        "ssl=on",
        "ssl_cert_file=certificate.pem",
        "ssl_key_file=key.pem",
        match fsync {
            Fsync::On => "fsync=on",
            Fsync::Off => "fsync=off",
        },
    ] {
        command.args(["-c", setting]);
    }
    command
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        // Ctrl-C is for the test process, whose end closes the pipe.
        .process_group(0)
        .spawn()
        .unwrap()
}

pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The folder of `initdb` and `postgres`.
fn programs() -> PathBuf {
    let has_both = |folder: &PathBuf| {
        ["initdb", "postgres"]
            .iter()
            .all(|program| folder.join(program).is_file())
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path);
    let behind_links = std::env::split_paths(&path).filter_map(|folder| {
        fs::canonicalize(folder.join("postgres"))
            .ok()?
            .parent()
            .map(Path::to_owned)
    });
    let mut packaged: Vec<PathBuf> = glob::glob("/usr/lib/postgresql/*/bin")
        .unwrap()
        .flatten()
        .collect();
    packaged.sort_by_key(|folder| {
        let version = folder.parent().and_then(Path::file_name);
        version.and_then(|v| v.to_str()?.parse::<u32>().ok())
    });
    let found = behind_links
        .chain(on_path)
        .chain(packaged.into_iter().rev())
        .find(has_both);
    found.expect("PostgreSQL's programs initdb and postgres, of the package postgresql")
}

/// Who the server runs as: PostgreSQL refuses to run as root.
pub struct User {
    /// What runs a command as that user; empty for ourselves.
    prefix: Vec<String>,
    ids: Option<(u32, u32)>,
}

impl User {
    pub fn of_server() -> Self {
        let id = |arguments: &[&str]| -> u32 {
            let output = Command::new("id").args(arguments).output().unwrap();
            String::from_utf8_lossy(&output.stdout)
                .trim()
                .parse()
                .unwrap()
        };
        if id(&["-u"]) != 0 {
            return Self {
                prefix: Vec::new(),
                ids: None,
            };
        }
        let (user, group) = (id(&["-u", "nobody"]), id(&["-g", "nobody"]));
        let is_there = |program: &str| {
            let tried = Command::new(program).arg("--version").output();
            tried.is_ok_and(|output| output.status.success())
        };
        let prefix: Vec<String> = if is_there("setpriv") {
            let (user, group) = (format!("--reuid={user}"), format!("--regid={group}"));
            vec!["setpriv".into(), user, group, "--clear-groups".into()]
        } else if is_there("runuser") {
            ["runuser", "-u", "nobody", "--"].map(str::to_owned).into()
        } else {
            let run = "exec \"$0\" \"$@\"";
            ["su", "-s", "/bin/sh", "nobody", "-c", run, "--"]
                .map(str::to_owned)
                .into()
        };
        Self {
            prefix,
            ids: Some((user, group)),
        }
    }

    pub fn own(&self, path: &Path) {
        if let Some((user, group)) = self.ids {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }

    pub fn command(&self, program: &Path) -> Command {
        let mut words = self
            .prefix
            .iter()
            .map(PathBuf::from)
            .chain([program.to_owned()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).current_dir("/");
        command
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn postgres_stops_when_dropped() {
    let server = Postgres::start(Fsync::On);
    let database = server.database("made");
    database.execute("create table t (a text); insert into t values ('x'), (null)");
    let rows = database.rows("select a from t order by a nulls first");
    assert_eq!(rows, [[None], [Some("x".to_owned())]]);
    let over_socket = database.socket_url();
    assert!(block_on(PgConnection::connect(&over_socket)).is_ok());
    let directory = server.directory.clone();
    drop(server);
    assert!(block_on(PgConnection::connect(&database.url())).is_err());
    assert!(!directory.exists());
}

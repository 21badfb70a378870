//! `hindsight serve`: the SQL surface over the PostgreSQL protocol, and the routes and the page over
//! HTTP, until it is told to stop.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use datafusion::prelude::SessionConfig;
use hindsight::server::{self, Options, STACK, Server, TlsFiles, http};
use hindsight::session::milliseconds;
use hindsight::{Engine, Error, Role};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

use super::failure::Failure;
use super::terminal::say;
use super::workspace::Workspace;

/// How long statements may go on after SIGTERM.
const GRACE: Duration = Duration::from_secs(30);

/// The port of HTTP where none is asked for.
const HTTP: &str = "127.0.0.1:8433";

/// Serve the workspace to psql, drivers and BI tools, as if it were PostgreSQL, and its page
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                  hindsight serve --trust\n  \
                  hindsight user add ann --role analyst && hindsight serve\n  \
                  hindsight serve --listen 0.0.0.0:5433 --tls-cert server.crt --tls-key server.key\n\n\
                  The database is hindsight. The page opens with the link that is printed; its token \
                  is a reader's, or with --trust that role's. SIGTERM or Ctrl-C lets what runs finish; a second one \
                  ends it.")]
pub struct ServeArgs {
    /// Address and port; port 0 picks a free one; localhost is 127.0.0.1 and ::1
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5433", value_parser = address)]
    listen: Address,
    /// Address and port of the page and its routes, or none [default: 127.0.0.1:8433, where it is free]
    #[arg(long, value_name = "ADDRESS", value_parser = http_address)]
    http: Option<Http>,
    /// A name that the page is reached by, such as that of a proxy; several times for several
    #[arg(long, value_name = "NAME")]
    http_host: Vec<String>,
    /// Let everybody in without a password, in this role [default role: analyst]; on loopback only
    #[arg(long, value_name = "ROLE", num_args = 0..=1, default_missing_value = "analyst", value_parser = role)]
    trust: Option<Role>,
    /// Certificate in PEM, with those that signed it behind it
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of the certificate in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Memory that all statements together may use, such as 512MB or 4GB [default: half of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory_limit: Option<usize>,
    /// How long a statement may run, such as 30s or 5min [default: as long as it takes]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    statement_timeout: Option<Duration>,
    /// How many clients may be connected
    #[arg(long, value_name = "COUNT", default_value_t = 250, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    max_connections: u32,
    /// The log on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    #[cfg(feature = "distributed")]
    #[command(flatten)]
    workers: super::worker::WorkersArgs,
    /// Check the configuration and the workspace, and serve nobody
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

pub async fn execute(workspace: &Workspace, arguments: ServeArgs) -> Result<(), Failure> {
    let options = Options {
        listen: arguments.listen.of,
        both_loopbacks: arguments.listen.is_localhost,
        trust: arguments.trust,
        tls: match (arguments.tls_cert, arguments.tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            _ => None,
        },
        statement_timeout: arguments.statement_timeout,
        max_connections: arguments.max_connections as usize,
        grace: GRACE,
    };
    let memory_limit = arguments.memory_limit.or_else(half_of_memory);
    let config = SessionConfig::new();
    #[cfg(feature = "distributed")]
    let config = arguments.workers.configured(config, options.tls.as_ref())?;
    let engine = workspace.open_configured(memory_limit, config).await?;
    let asked = match arguments.http {
        Some(Http::None) => None,
        Some(Http::At(address)) => Some(address),
        None => address(HTTP).ok(),
    };
    let http = asked.map(|address| http::Options {
        of: Options {
            listen: address.of,
            both_loopbacks: address.is_localhost,
            ..options.clone()
        },
        hosts: arguments.http_host,
    });
    if arguments.check {
        server::check(&engine, &options).await?;
        let mut places = options.listen.to_string();
        if let Some(http) = &http {
            server::check(&engine, &http.of).await?;
            places += &format!(" and {}", http.of.listen);
        }
        say(format_args!(
            "the configuration is right: it would listen on {places}"
        ));
        return Ok(());
    }
    log(arguments.log_format);
    let computing = tokio::runtime::Builder::new_multi_thread()
        .thread_name("compute")
        // More than there are cores, so that long statements leave some to short ones.
        .worker_threads(workers())
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .map_err(|source| Error::Io {
            path: "threads".into(),
            source,
        })?;
    let is_asked = arguments.http.is_some();
    let served = serve(
        engine,
        &options,
        http.map(|http| (http, is_asked)),
        &computing,
    )
    .await;
    // Statements that did not finish in time end with the process.
    computing.shutdown_background();
    served
}

/// Serves a workspace for its page alone, to whoever has the link.
pub async fn open(workspace: &Workspace) -> Result<(), Failure> {
    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        arguments: ServeArgs,
    }
    let words = "serve --trust --listen 127.0.0.1:0 --http 127.0.0.1:0";
    let words = Words::try_parse_from(words.split(' '));
    let words = words.map_err(|error| Error::Usage(error.to_string()))?;
    execute(workspace, words.arguments).await
}

async fn serve(
    engine: Engine,
    options: &Options,
    http: Option<(http::Options, bool)>,
    computing: &tokio::runtime::Runtime,
) -> Result<(), Failure> {
    let server = Server::bind(engine.clone(), options, computing.handle().clone()).await?;
    let (stop, end) = (CancellationToken::new(), CancellationToken::new());
    let mut signals = Signals::listen()?;
    let address = server.address()?;
    let place = match options.both_loopbacks {
        true => format!("localhost:{}", address.port()),
        false => address.to_string(),
    };
    let mode = match (options.trust, &options.tls) {
        (Some(role), _) => format!("everybody is let in as {}", role.name()),
        (None, Some(_)) => "with TLS and passwords".to_owned(),
        (None, None) => "with passwords".to_owned(),
    };
    say(format_args!(
        "listening on {place}, {mode}; database hindsight"
    ));
    let page = match http {
        Some((http, is_asked)) => page(engine, &http, is_asked, computing).await?,
        None => None,
    };
    let (stop_page, end_page) = (stop.clone(), end.clone());
    let page = async move {
        if let Some(page) = page {
            page.run(stop_page, end_page).await;
        }
    };
    let serving = server.run(stop.clone(), end.clone());
    let mut serving = tokio::spawn(async move { tokio::join!(serving, page) });
    loop {
        tokio::select! {
            joined = &mut serving => {
                return joined.map(|_| ()).map_err(|error| Failure::crashed(&error));
            }
            () = signals.next() => {
                if stop.is_cancelled() {
                    end.cancel();
                } else {
                    tracing::info!("stopping: what runs may finish");
                    stop.cancel();
                }
            }
        }
    }
}

/// Listens for the page, and says with which link it opens.
async fn page(
    engine: Engine,
    options: &http::Options,
    is_asked: bool,
    computing: &tokio::runtime::Runtime,
) -> Result<Option<http::Server>, Failure> {
    let bound = http::Server::bind(engine, options, computing.handle().clone()).await;
    match bound {
        Ok(page) => {
            let mode = match options.of.trust {
                Some(role) => format!("the link lets in as {}", role.name()),
                None => "the link lets read, and a user with a password do more".to_owned(),
            };
            say(format_args!("page on {}, {mode}", page.link()?));
            Ok(Some(page))
        }
        // Nobody has asked for it, and SQL is served all the same.
        Err(Error::Io { source, .. })
            if !is_asked && source.kind() == std::io::ErrorKind::AddrInUse =>
        {
            say(format_args!(
                "no page: {HTTP} is taken; --http 127.0.0.1:0 picks another port"
            ));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// SIGTERM and Ctrl-C.
pub(super) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Failure> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .map_err(|source| Error::Io {
                    path: "SIGTERM".into(),
                    source,
                })?,
        })
    }

    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

pub(super) fn log(format: LogFormat) {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(LevelFilter::INFO)
        .with_target(false);
    // A second log in one process would say everything twice.
    let _ = match format {
        LogFormat::Text => {
            let is_colourful = std::env::var_os("NO_COLOR").is_none()
                && std::io::IsTerminal::is_terminal(&std::io::stderr());
            tracing::subscriber::set_global_default(subscriber.with_ansi(is_colourful).finish())
        }
        LogFormat::Json => {
            tracing::subscriber::set_global_default(subscriber.json().flatten_event(true).finish())
        }
    };
}

/// Where to listen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Address {
    pub(super) of: SocketAddr,
    /// It was asked for by the name that is both loopback addresses.
    is_localhost: bool,
}

/// Where to listen for HTTP.
#[derive(Debug, Clone, Copy)]
enum Http {
    None,
    At(Address),
}

/// An address with its port, or none.
fn http_address(text: &str) -> Result<Http, String> {
    match text {
        "none" => Ok(Http::None),
        text => address(text).map(Http::At),
    }
}

/// An address with its port.
pub(super) fn address(text: &str) -> Result<Address, String> {
    let plain = |of| Address {
        of,
        is_localhost: false,
    };
    if let Ok(address) = text.parse() {
        return Ok(plain(address));
    }
    let expected = "expected an address and a port, such as 127.0.0.1:5433";
    let (host, port) = text.rsplit_once(':').ok_or(expected)?;
    let port = port.parse().map_err(|_| expected)?;
    match host {
        "localhost" => Ok(Address {
            of: SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port),
            is_localhost: true,
        }),
        "" | "*" => Ok(plain(SocketAddr::new(IpAddr::from([0, 0, 0, 0]), port))),
        _ => Err(expected.into()),
    }
}

/// A role by its name.
pub fn role(text: &str) -> Result<Role, String> {
    Role::named(text).ok_or_else(|| "expected reader, analyst or operator".into())
}

/// A size in bytes, with a unit.
pub fn bytes(text: &str) -> Result<usize, String> {
    let expected = || "expected a size such as 512MB or 4GB".to_owned();
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: usize = text[..end].parse().map_err(|_| expected())?;
    let shift = match text[end..].trim().to_uppercase().as_str() {
        "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return Err(expected()),
    };
    let size = number.checked_mul(1 << shift).ok_or_else(expected)?;
    match size {
        size if size >= 16 << 20 => Ok(size),
        _ => Err("expected at least 16MB".into()),
    }
}

/// A time with a unit.
fn duration(text: &str) -> Result<Duration, String> {
    match milliseconds(text) {
        Some(time) if time > 0 => Ok(Duration::from_millis(time)),
        _ => Err("expected a time such as 500ms, 30s or 5min".into()),
    }
}

fn workers() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (4 * cores).max(16)
}

/// Half of the machine's memory, where it says how much that is.
pub(super) fn half_of_memory() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kilobytes: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    kilobytes.checked_mul(512)
}

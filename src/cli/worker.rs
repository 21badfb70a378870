//! `hindsight worker`: runs a share of what servers are asked for, until it is told to stop; and the
//! options by which a server is told of workers.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use datafusion::prelude::SessionConfig;
use hindsight::Error;
use hindsight::cluster::grid::with_workers;
use hindsight::cluster::node::{self, Node};
use hindsight::cluster::security::{Files, Security, check_listening};
use hindsight::cluster::workers::Workers;
use hindsight::engine;
use hindsight::server::TlsFiles;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::serve::{Address, LogFormat, Signals, address, bytes, half_of_memory, log};
use super::terminal::say;
use super::workspace::Workspace;

/// Run a share of the backtests of servers that are told of this worker
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                  hindsight worker\n  \
                  hindsight worker --listen 10.0.0.2:5434 --cluster-ca ca.pem --tls-cert n.pem --tls-key n.key\n\n\
                  It needs the same history as the server: a copy of its workspace, or the same one on a \
                  shared file system. Whoever reaches it can read the history, so that off loopback \
                  addresses both sides show a certificate of an authority of the cluster's own. \
                  SIGTERM or Ctrl-C lets what runs finish; a second one ends it.")]
pub struct WorkerArgs {
    /// Address and port; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5434", value_parser = address)]
    listen: Address,
    /// Certificate in PEM of the authority that signs those of the cluster, and of nobody else
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    cluster_ca: Option<PathBuf>,
    /// Own certificate in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of the certificate in PEM
    #[arg(long, value_name = "FILE", requires = "cluster_ca")]
    tls_key: Option<PathBuf>,
    /// Memory that all it runs together may use, such as 512MB or 4GB [default: half of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory_limit: Option<usize>,
    /// The log on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

pub async fn execute(workspace: &Workspace, arguments: WorkerArgs) -> Result<(), Failure> {
    let security = security(arguments.cluster_ca, arguments.tls_cert, arguments.tls_key)?;
    check_listening(arguments.listen.of.ip(), security.is_some())?;
    let memory_limit = arguments.memory_limit.or_else(half_of_memory);
    let path = workspace.to_path_buf();
    let open = move || Node::open(path, memory_limit, engine::with_functions);
    let opened = tokio::task::spawn_blocking(open);
    let node = opened.await.map_err(|error| Failure::crashed(&error))??;
    log(arguments.log_format);
    let bound = TcpListener::bind(arguments.listen.of).await;
    let listener = bound.map_err(|source| Error::Io {
        path: arguments.listen.of.to_string(),
        source,
    })?;
    let address = listener.local_addr().map_err(|source| Error::Io {
        path: arguments.listen.of.to_string(),
        source,
    })?;
    let mode = match security {
        Some(_) => "with certificates",
        None => "to everybody on this machine",
    };
    say(format_args!("worker on {address}, {mode}"));
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let node = Arc::new(node);
    let serving = node::serve(node, listener, security.as_ref(), Box::pin(stopped));
    let mut signals = Signals::listen()?;
    tokio::pin!(serving);
    loop {
        tokio::select! {
            served = &mut serving => return Ok(served?),
            () = signals.next() => {
                if stop.is_cancelled() {
                    return Ok(());
                }
                tracing::info!("stopping: what runs may finish");
                stop.cancel();
            }
        }
    }
}

/// The options of a server.
#[derive(Debug, Args)]
pub struct WorkersArgs {
    /// Workers that backtests are run on, as URLs: http on loopback addresses, elsewhere https
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    workers: Vec<String>,
    /// Certificate in PEM of the authority that signs those of the workers, and of nobody else
    #[arg(long, value_name = "FILE")]
    cluster_ca: Option<PathBuf>,
    /// Certificate in PEM that workers are shown [default: that of --tls-cert]
    #[arg(long, value_name = "FILE", requires = "cluster_key")]
    cluster_cert: Option<PathBuf>,
    /// Key of that certificate in PEM [default: that of --tls-key]
    #[arg(long, value_name = "FILE", requires = "cluster_cert")]
    cluster_key: Option<PathBuf>,
}

impl WorkersArgs {
    /// The configuration of sessions with the workers, if there are some. `tls` is what clients are
    /// shown.
    pub fn configured(
        self,
        config: SessionConfig,
        tls: Option<&TlsFiles>,
    ) -> Result<SessionConfig, Failure> {
        if self.workers.is_empty() {
            return Ok(config);
        }
        let certificate = self.cluster_cert.or_else(|| Some(tls?.certificate.clone()));
        let key = self.cluster_key.or_else(|| Some(tls?.key.clone()));
        let security = match self.cluster_ca {
            None => None,
            Some(authority) => security(Some(authority), certificate, key)?,
        };
        let workers = Workers::new(&self.workers, security.as_ref())?;
        Ok(with_workers(config, workers))
    }
}

/// What the files hold; all of them or none.
fn security(
    authority: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<Security>, Failure> {
    let files = match (authority, certificate, key) {
        (None, None, None) => return Ok(None),
        (Some(authority), Some(certificate), Some(key)) => Files {
            authority,
            certificate,
            key,
        },
        _ => {
            let problem = "an authority of the cluster goes with a certificate and its key";
            return Err(Error::Usage(problem.into()).into());
        }
    };
    Ok(Some(Security::load(&files)?))
}

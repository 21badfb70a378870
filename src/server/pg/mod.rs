//! The PostgreSQL protocol: `hindsight serve`. Only this module knows pgwire.
//!
//! Of pgwire come the messages; how a connection goes is said here. A connection is a task: it ends
//! at the first message that makes no sense, and takes nothing else along. What is done before the
//! login is done (`startup`, `login`) can run no statement. What is computed for a client is
//! computed on threads of its own (`run`), so that the network answers whatever they do: a client
//! that cancels, or whose time is up, is told at once, and what still computes for it is stopped. A
//! client that reads slowly holds back the rows that are made for it.

mod cancel;
mod client;
mod copy;
mod encode;
mod login;
mod memory;
mod report;
mod run;
pub(super) mod scram;
mod startup;
pub(super) mod tls;
mod values;
mod wire;

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as door;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::records::roles::Role;
use crate::session::Engine;
use cancel::Backends;
use client::Client;
use startup::Request;
use tls::Tls;
use wire::Channel;

pub use scram::verifier;
pub use tls::TlsFiles;

/// Clients that may be logging in at once, beside those that are logged in. They cost little, and
/// many arrive together when the pool of an application starts.
const LOGINS: usize = 1_000;
/// After how long without a word a client is asked whether it is still there, and how often then; after
/// some questions without an answer the system ends the connection.
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How much stack a computing thread has: deep expressions are walked recursively.
pub const STACK: usize = 64 << 20;

/// How a server serves.
#[derive(Debug, Clone)]
pub struct Options {
    pub listen: SocketAddr,
    /// Listens on the loopback address of IPv6 too, where there is one: clients that are told
    /// `localhost` may try no other.
    pub both_loopbacks: bool,
    /// Lets everybody in with this role, which is allowed on a loopback address only.
    pub trust: Option<Role>,
    pub tls: Option<TlsFiles>,
    pub statement_timeout: Option<Duration>,
    pub max_connections: usize,
    /// How long statements may go on when the server is told to stop.
    pub grace: Duration,
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    /// On the same port of the other loopback address.
    second: Option<TcpListener>,
    shared: Arc<Shared>,
    grace: Duration,
}

/// What all connections share.
struct Shared {
    engine: Engine,
    trusted: Option<Role>,
    tls: Option<Tls>,
    needs_tls: bool,
    statement_timeout: Option<Duration>,
    max_connections: usize,
    backends: Arc<Backends>,
    connections: Arc<Semaphore>,
    logins: Arc<Semaphore>,
    /// The threads that compute.
    computing: Handle,
    memory: memory::Use,
    /// What the salts of users who do not exist are made from.
    secret: [u8; 32],
    /// The server takes no more, and connections end when they are idle.
    stopping: CancellationToken,
    /// Connections end at once.
    ending: CancellationToken,
}

impl Server {
    /// Checks the options and listens. `computing` is the runtime that statements run on.
    #[door]
    pub async fn bind(engine: Engine, options: &Options, computing: Handle) -> Result<Self> {
        let tls = check(&engine, options).await?;
        let listener = TcpListener::bind(options.listen).await;
        let listener = listener.map_err(|source| Error::Io {
            path: options.listen.to_string(),
            source,
        })?;
        let second = match options.both_loopbacks {
            true => second_loopback(&listener).await?,
            false => None,
        };
        let shared = Shared {
            trusted: options.trust,
            needs_tls: tls.is_some() && !options.listen.ip().is_loopback(),
            tls,
            statement_timeout: options.statement_timeout,
            max_connections: options.max_connections,
            backends: Arc::default(),
            connections: Arc::new(Semaphore::new(options.max_connections)),
            logins: Arc::new(Semaphore::new(LOGINS)),
            computing,
            memory: memory::Use::new(engine.memory()),
            secret: secret(&engine).await?,
            stopping: CancellationToken::new(),
            ending: CancellationToken::new(),
            engine,
        };
        Ok(Self {
            listener,
            second,
            shared: Arc::new(shared),
            grace: options.grace,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(|source| Error::Io {
            path: "the address that is listened on".into(),
            source,
        })
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.second {
            None => self.listener.accept().await,
            Some(second) => tokio::select! {
                accepted = self.listener.accept() => accepted,
                accepted = second.accept() => accepted,
            },
        }
    }

    /// Serves until `stop`: then idle connections are closed, statements that run may finish for a
    /// while, and `end` closes what is left at once.
    #[door]
    pub async fn run(self, stop: CancellationToken, end: CancellationToken) {
        let mut connections = JoinSet::new();
        let mut give_back = tokio::time::interval(memory::GIVE_BACK_INTERVAL);
        let looking_after = self.shared.memory.look_after();
        tokio::pin!(looking_after);
        loop {
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                // Those that have ended are forgotten.
                Some(_) = connections.join_next() => continue,
                _ = give_back.tick() => {
                    self.shared.memory.give_back();
                    continue;
                }
                () = &mut looking_after => continue,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connect(stream, peer, Arc::clone(&self.shared)));
                }
                Err(error) => {
                    // Out of file descriptors, for example: others may soon be closed.
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop((self.listener, self.second));
        self.shared.stopping.cancel();
        let all_ended = async { while connections.join_next().await.is_some() {} };
        tokio::pin!(all_ended);
        tokio::select! {
            () = &mut all_ended => return,
            () = end.cancelled() => {}
            () = tokio::time::sleep(self.grace) => {}
        }
        self.shared.ending.cancel();
        // What cannot even be told is left behind.
        let _ = tokio::time::timeout(Duration::from_secs(1), all_ended).await;
    }
}

/// Listens on the same port of `::1`, on machines that have it.
pub(super) async fn second_loopback(first: &TcpListener) -> Result<Option<TcpListener>> {
    let named = |address: String| {
        move |source| Error::Io {
            path: address,
            source,
        }
    };
    let port = first
        .local_addr()
        .map_err(named("localhost".into()))?
        .port();
    let address = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port);
    match TcpListener::bind(address).await {
        Ok(second) => Ok(Some(second)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(named(address.to_string())(error))
        }
        // A machine without IPv6.
        Err(_) => Ok(None),
    }
}

/// Checks that a server may listen so; its certificate.
#[door]
pub async fn check(engine: &Engine, options: &Options) -> Result<Option<Tls>> {
    let address = options.listen;
    let is_local = address.ip().is_loopback();
    let tls = options.tls.as_ref().map(Tls::load).transpose()?;
    let users = engine.store().users().await?;
    let refuse = |problem: &str| Err(Error::Usage(problem.into()));
    match options.trust {
        Some(_) if !is_local => refuse(&format!(
            "--trust lets everybody in and works on a loopback address only, such as 127.0.0.1; \
             {address} is none: add a user with hindsight user add, and give --tls-cert and \
             --tls-key, in a container too"
        )),
        None if !is_local && tls.is_none() => refuse(&format!(
            "{address} can be reached from other machines, so it needs --tls-cert and --tls-key"
        )),
        None if users.is_empty() => refuse(
            "nobody could log in: hindsight user add makes a user, and --trust lets loopback in \
             without a password",
        ),
        _ => Ok(tls),
    }
}

/// A secret of this installation, made from the verifiers of its users: it stays while they do.
async fn secret(engine: &Engine) -> Result<[u8; 32]> {
    let mut users = engine.store().users().await?;
    users.sort_by_key(|user| (user.created_at, user.name.clone()));
    match users.first() {
        Some(first) => {
            let digest = ring::digest::digest(&ring::digest::SHA256, first.verifier.as_bytes());
            Ok(digest.as_ref().try_into().unwrap_or_default())
        }
        None => scram::random(),
    }
}

/// Has the system look whether the client is still there: one whose machine or network is gone says
/// no goodbye.
pub(super) fn keep_alive(stream: &TcpStream) {
    let keep_alive = socket2::TcpKeepalive::new()
        .with_time(KEEP_ALIVE_AFTER)
        .with_interval(KEEP_ALIVE_INTERVAL);
    let _ = socket2::SockRef::from(stream).set_tcp_keepalive(&keep_alive);
}

/// Serves one connection.
async fn connect(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    // Rows are sent in chunks, which need not wait for more.
    let _ = stream.set_nodelay(true);
    keep_alive(&stream);
    let Ok(login) = Arc::clone(&shared.logins).try_acquire_owned() else {
        tracing::warn!(%peer, "too many clients are logging in");
        return;
    };
    let greeted = startup::greet(stream, shared.tls.as_ref());
    let request = tokio::select! {
        request = tokio::time::timeout(startup::LOGIN_TIME, greeted) => request,
        () = shared.stopping.cancelled() => return,
    };
    let greeting = match request {
        Ok(Request::LogIn(greeting)) => greeting,
        Ok(Request::Cancel { id, secret }) => return shared.backends.cancel(id, &secret),
        Ok(Request::Nothing) => return,
        Ok(Request::Refuse(transport, error)) => {
            let mut channel = Channel::new(transport);
            channel.put(&report::error("FATAL", &error, 0));
            return channel.close().await;
        }
        Err(_) => {
            tracing::info!(%peer, "login took too long");
            return;
        }
    };
    let Some(mut logged_in) = login::log_in(greeting, peer, &shared).await else {
        return;
    };
    drop(login);
    let Ok(_connection) = Arc::clone(&shared.connections).try_acquire_owned() else {
        let limit = shared.max_connections;
        let message = format!("sorry, too many clients already: {limit} are connected");
        let hint = "hindsight serve --max-connections lets more in";
        let error = Error::session_hint("53300", message, hint);
        logged_in.channel.put(&report::error("FATAL", &error, 0));
        return logged_in.channel.close().await;
    };
    match Client::new(logged_in, peer, Arc::clone(&shared)) {
        Ok(client) => client.serve().await,
        Err(error) => tracing::error!(%peer, "{error}"),
    }
}

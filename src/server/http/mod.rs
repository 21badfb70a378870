//! HTTP: the routes of the story, the live what-if, and the page, over the same engine as SQL.
//!
//! Of axum comes the finding of routes; how a connection goes is said here (`protocol`), as for SQL:
//! what is heard before a login is little, each step has its time, and a client that leaves is
//! noticed. What a request must be is checked before what it asks for (`gate`, `passwords`);
//! the routes are one table (`routes`), which also makes the description that `openapi.json` gives.
//! What is computed is computed on the threads of statements, in a session of the caller's role, so
//! that every rule of SQL holds here too. A client that leaves, or takes nothing any more, ends what
//! is done for it; a server that stops ends its streams.

mod backtests;
mod call;
mod chunks;
mod config;
mod curves;
mod defaults;
mod gate;
pub mod json;
mod live;
mod openapi;
pub mod page;
mod passwords;
mod problem;
mod protocol;
pub mod report;
mod responses;
mod results;
mod routes;
mod scenarios;
mod settings;
mod streams;
mod sweep;
mod tables;
mod tried;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_recursion::async_recursion as door;
use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::records::roles::Role;
use crate::server::pg;
use crate::server::pg::tls::Tls;
use crate::session::Engine;
use call::{Answering, Places};
use gate::Hosts;
use passwords::{Passwords, Token};

pub use problem::PROBLEM_JSON;

/// How long a client may take for the greeting of TLS.
const GREETING_TIME: Duration = Duration::from_secs(10);
/// How long requests under way may take when the server is told to stop.
const GRACE: Duration = Duration::from_secs(3);

/// How the routes are served.
#[derive(Debug, Clone)]
pub struct Options {
    /// As SQL is: where, to whom, how many.
    pub of: pg::Options,
    /// Names that the server is reached by, beside its address.
    pub hosts: Vec<String>,
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    second: Option<TcpListener>,
    shared: Arc<Shared>,
    router: Router,
    tls: Option<Tls>,
    connections: Arc<Semaphore>,
}

/// What all requests share.
struct Shared {
    engine: Engine,
    hosts: Hosts,
    passwords: Passwords,
    /// The threads that compute.
    computing: Handle,
    statement_timeout: Option<Duration>,
    /// How many requests and streams each caller has at once.
    places: Mutex<HashMap<Arc<str>, Arc<Places>>>,
    live: live::Pages,
    /// Streams end, and no request is taken any more.
    stopping: CancellationToken,
}

impl Server {
    /// Checks the options and listens. `computing` is the runtime that statements run on.
    #[door]
    pub async fn bind(engine: Engine, options: &Options, computing: Handle) -> Result<Self> {
        let tls = pg::check(&engine, &options.of).await?;
        let listener = TcpListener::bind(options.of.listen).await;
        let listener = listener.map_err(|source| Error::Io {
            path: options.of.listen.to_string(),
            source,
        })?;
        let second = match options.of.both_loopbacks {
            true => pg::second_loopback(&listener).await?,
            false => None,
        };
        let address = listener.local_addr().map_err(|source| Error::Io {
            path: options.of.listen.to_string(),
            source,
        })?;
        // Whoever sees the link may read; what else may be done, passwords say, or --trust does.
        let token = match address.ip().is_loopback() {
            true => Some(Token::new(options.of.trust.unwrap_or(Role::Reader))?),
            false => None,
        };
        let shared = Arc::new(Shared {
            hosts: Hosts::new(address, &options.hosts),
            passwords: Passwords::new(token)?,
            computing,
            statement_timeout: options.of.statement_timeout,
            places: Mutex::default(),
            live: live::Pages::default(),
            stopping: CancellationToken::new(),
            engine,
        });
        Ok(Self {
            listener,
            second,
            router: routes::router(&shared),
            shared,
            tls: tls.filter(|_| !address.ip().is_loopback()),
            connections: Arc::new(Semaphore::new(options.of.max_connections)),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(|source| Error::Io {
            path: "the address that is listened on".into(),
            source,
        })
    }

    /// The link that opens the page: with its token, where there is one.
    pub fn link(&self) -> Result<String> {
        let address = self.address()?;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(match self.shared.passwords.token() {
            Some(token) => format!("{scheme}://{address}/#token={}", token.text()),
            None => format!("{scheme}://{address}/"),
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

    /// Serves until `stop`: then streams end at once, and requests under way within some seconds.
    #[door]
    pub async fn run(self, stop: CancellationToken, end: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                Some(_) = connections.join_next() => continue,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    // Who is too many is told by the closed connection: an answer would need a place.
                    let Ok(place) = Arc::clone(&self.connections).try_acquire_owned() else {
                        tracing::warn!(%peer, "too many HTTP connections");
                        continue;
                    };
                    let connection = Connection {
                        router: self.router.clone(),
                        tls: self.tls.clone(),
                        shared: Arc::clone(&self.shared),
                        peer: peer.ip(),
                    };
                    connections.spawn(async move {
                        connection.serve(stream).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop((self.listener, self.second));
        self.shared.stopping.cancel();
        let all_ended = async { while connections.join_next().await.is_some() {} };
        tokio::select! {
            () = all_ended => {}
            () = end.cancelled() => {}
            () = tokio::time::sleep(GRACE + Duration::from_secs(1)) => {}
        }
    }
}

/// A connection of a client.
struct Connection {
    router: Router,
    tls: Option<Tls>,
    shared: Arc<Shared>,
    peer: IpAddr,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        pg::keep_alive(&stream);
        match self.tls.clone() {
            None => self.requests(stream).await,
            Some(tls) => {
                let greeting = tls.acceptor.accept(stream);
                if let Ok(Ok(stream)) = tokio::time::timeout(GREETING_TIME, greeting).await {
                    self.requests(stream).await;
                }
            }
        }
    }

    async fn requests<T: AsyncRead + AsyncWrite + Send>(self, stream: T) {
        let stopping = self.shared.stopping.clone();
        let answers = Answering {
            shared: self.shared,
            router: self.router,
            peer: self.peer,
        };
        Box::pin(protocol::serve(stream, answers, stopping)).await;
    }
}

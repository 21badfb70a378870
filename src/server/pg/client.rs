//! One client that is logged in: its messages in order, each answered before the next.

mod extended;
mod statement;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pgwire::messages::response::{
    CommandComplete, EmptyQueryResponse, NotificationResponse, ReadyForQuery, TransactionStatus,
};
use pgwire::messages::startup::{BackendKeyData, ParameterStatus, SecretKey};
use tokio::sync::mpsc;

use super::cancel::Backend;
use super::login::LoggedIn;
use super::run::{self, Portal};
use super::wire::{Body, Broken, Channel, malformed};
use super::{Shared, report};
use crate::caller::activity::{NOTIFICATION_LIMIT, Notification};
use crate::caller::client::Notice;
use crate::caller::transaction::TransactionStatus as Standing;
use crate::error::{Error, Result};
use crate::session::{SETTINGS, Session, milliseconds, reported_name};
use statement::Driven;

/// A client that is logged in.
pub struct Client {
    channel: Channel,
    shared: Arc<Shared>,
    session: Arc<Session>,
    backend: Backend,
    peer: SocketAddr,
    notices: mpsc::UnboundedReceiver<Notice>,
    notifications: mpsc::Receiver<Notification>,
    portals: HashMap<String, Portal>,
    /// The text of each named statement that has no statement in it.
    empty: HashMap<String, ()>,
    /// After an error in the extended protocol, until the client says that it has seen it.
    is_skipping: bool,
    /// What the client was last told of its settings.
    reported: HashMap<&'static str, String>,
}

impl Client {
    pub fn new(logged_in: LoggedIn, peer: SocketAddr, shared: Arc<Shared>) -> Result<Self> {
        let LoggedIn {
            channel,
            session,
            minor,
            is_encrypted,
        } = logged_in;
        let backend = shared
            .backends
            .add(session.pid(), if minor >= 2 { 32 } else { 4 })?;
        let (sender, notices) = mpsc::unbounded_channel();
        session.listen(Some(sender));
        let (sender, notifications) = mpsc::channel(NOTIFICATION_LIMIT);
        session.activity().deliver_to(session.pid(), sender);
        session.activity().change(session.pid(), |info| {
            info.client_address = Some(peer.ip().to_string());
            info.client_port = Some(i32::from(peer.port()));
            info.is_encrypted = is_encrypted;
        });
        Ok(Self {
            channel,
            notices,
            notifications,
            shared,
            session,
            backend,
            peer,
            portals: HashMap::new(),
            empty: HashMap::new(),
            is_skipping: false,
            reported: HashMap::new(),
        })
    }

    /// Serves the client until it leaves or the server stops.
    pub async fn serve(mut self) {
        let result = self.converse().await;
        self.session.stop();
        if let Err(Broken::Told(error)) = result {
            tracing::info!(peer = %self.peer, user = self.session.user(), sqlstate = error.sqlstate(), "connection closed: {error}");
            self.channel.put(&report::error("FATAL", &error, 0));
        }
        let Self {
            channel,
            session,
            backend,
            portals,
            ..
        } = self;
        // Nothing of the client's is kept until it has read the last of what it is told.
        drop((session, backend, portals));
        channel.close().await;
    }

    async fn converse(&mut self) -> Result<(), Broken> {
        self.report_settings();
        let secret = SecretKey::Bytes(self.backend.secret.clone());
        self.channel
            .put(&BackendKeyData::new(self.backend.id, secret));
        self.ready().await?;
        loop {
            let (kind, body) = self.next().await?;
            if !self.answer(kind, body).await? {
                return Ok(());
            }
        }
    }

    /// The next message. A server that stops says so to a client that waits for nothing.
    async fn next(&mut self) -> Result<(u8, Bytes), Broken> {
        let idle = self.idle_limit();
        let since = tokio::time::Instant::now();
        loop {
            if let Some(message) = self.channel.next_ready()? {
                return Ok(message);
            }
            let is_idle = self.channel.outbound.is_empty();
            tokio::select! {
                biased;
                () = self.shared.stopping.cancelled(), if is_idle => {
                    let message = "terminating connection due to administrator command";
                    return Err(Error::session("57P01", message).into());
                }
                read = self.channel.read() => read?,
                error = async {
                    match &idle {
                        Some((limit, state, message)) => {
                            tokio::time::sleep_until(since + *limit).await;
                            Error::session(state, *message)
                        }
                        None => std::future::pending().await,
                    }
                }, if is_idle => return Err(error.into()),
                Some(notification) = self.notifications.recv(), if is_idle => {
                    self.tell(notification);
                    self.channel.flush().await?;
                }
            }
        }
    }

    /// How long the client may say nothing, and what it is told when it has been too long.
    fn idle_limit(&self) -> Option<(Duration, &'static str, &'static str)> {
        let (setting, state, message) = match self.session.transaction_status() {
            Standing::Idle => (
                "idle_session_timeout",
                "57P05",
                "terminating connection due to idle-session timeout",
            ),
            Standing::Open | Standing::Failed => (
                "idle_in_transaction_session_timeout",
                "25P03",
                "terminating connection due to idle-in-transaction timeout",
            ),
        };
        let limit = milliseconds(&self.session.show(setting).ok()?)?;
        let limit = (limit > 0).then(|| Duration::from_millis(limit));
        Some((limit?, state, message))
    }

    fn tell(&mut self, notification: Notification) {
        let Notification {
            pid,
            channel,
            payload,
        } = notification;
        self.channel.put(&NotificationResponse::new(
            pid,
            channel.to_string(),
            payload.to_string(),
        ));
    }

    /// Answers a message; whether there is another to come.
    async fn answer(&mut self, kind: u8, body: Bytes) -> Result<bool, Broken> {
        match kind {
            b'X' => return Ok(false),
            b'S' => {
                self.is_skipping = false;
                self.end_of_pipeline();
                self.ready().await?;
            }
            b'H' if !self.is_skipping => self.channel.flush().await?,
            b'Q' => {
                self.is_skipping = false;
                self.portals.remove("");
                if let Err(error) = self.query(body).await? {
                    self.fail(&error, 0);
                }
                self.ready().await?;
            }
            // Copied data of a client that was refused is thrown away.
            b'd' | b'c' | b'f' | b'H' => {}
            b'F' => {
                let message = "function calls are not supported; use SELECT";
                self.fail(&Error::session("0A000", message), 0);
                self.ready().await?;
            }
            b'P' | b'B' | b'D' | b'E' | b'C' if self.is_skipping => {}
            b'P' | b'B' | b'D' | b'E' | b'C' => {
                let body = Body::new(body);
                let result = match kind {
                    b'P' => self.parse(body).await?,
                    b'B' => self.bind(body).await?,
                    b'D' => self.describe(body),
                    b'E' => self.execute(body).await?,
                    _ => self.close(body),
                };
                if let Err(error) = result {
                    self.is_skipping = true;
                    self.fail(&error, 0);
                    // A client may wait for it before it says that it has seen it.
                    self.channel.flush().await?;
                }
                if self.channel.outbound.len() >= super::wire::CHUNK {
                    self.channel.flush().await?;
                }
            }
            kind => {
                let message = format!("invalid frontend message type {kind}");
                return Err(malformed(&message).into());
            }
        }
        Ok(true)
    }

    /// A simple query: statements one after the other, until one fails.
    async fn query(&mut self, body: Bytes) -> Result<Result<()>, Broken> {
        let mut body = Body::new(body);
        let text = match body.text().and_then(|text| body.end().map(|()| text)) {
            Ok(text) => text,
            Err(error) => return Ok(Err(error)),
        };
        let session = Arc::clone(&self.session);
        let parsing = move |_| async move { session.parse(&text) };
        let statements = match self.drive(None, parsing).await? {
            Driven::Done(statements) => statements,
            Driven::Failed(error) => return Ok(Err(error)),
        };
        if statements.is_empty() {
            self.channel.put(&EmptyQueryResponse::new());
        }
        for statement in statements {
            let (start, text) = (statement.start, Arc::clone(&statement.text));
            if let Some((name, count)) = statement.moves()
                && let Some(portal) = self.portals.remove(name)
            {
                let name = name.to_owned();
                if let Err(error) = self.skip(name, portal, count, &text).await? {
                    return Ok(Err(error));
                }
                continue;
            }
            let session = Arc::clone(&self.session);
            let run = move |sink| run::simple(session, statement, sink);
            if let Driven::Failed(error) = self.drive(Some(&text), run).await? {
                return Ok(Err(error.moved(start)));
            }
            self.report_settings();
        }
        Ok(Ok(()))
    }

    /// Moves ahead in a portal, as a cursor is moved.
    async fn skip(
        &mut self,
        name: String,
        portal: Portal,
        count: u64,
        text: &str,
    ) -> Result<Result<()>, Broken> {
        let session = Arc::clone(&self.session);
        let run = move |_| async move {
            let (portal, result) = portal.skip(session, count).await;
            result.map(|skipped| (portal, skipped))
        };
        Ok(match self.drive(Some(text), run).await? {
            Driven::Done((portal, skipped)) => {
                self.portals.insert(name, portal);
                let tag = format!("MOVE {skipped}");
                self.channel.put(&CommandComplete::new(tag));
                Ok(())
            }
            Driven::Failed(error) => Err(error),
        })
    }

    /// Tells the client of an error, which also ends an open transaction.
    fn fail(&mut self, error: &Error, before: usize) {
        self.session.failed();
        self.channel.put(&report::error("ERROR", error, before));
    }

    /// Portals last until the transaction ends.
    fn end_of_pipeline(&mut self) {
        if self.session.transaction_status() != Standing::Open {
            self.portals.clear();
            self.empty.retain(|name, ()| !name.starts_with('\0'));
        }
    }

    /// Says that the client may go on, and how the transaction stands.
    async fn ready(&mut self) -> Result<(), Broken> {
        self.end_of_pipeline();
        // A transaction is not told of what happens beside it.
        if self.session.transaction_status() == Standing::Idle {
            while let Ok(notification) = self.notifications.try_recv() {
                self.tell(notification);
            }
        }
        let status = match self.session.transaction_status() {
            Standing::Idle => TransactionStatus::Idle,
            Standing::Open => TransactionStatus::Transaction,
            Standing::Failed => TransactionStatus::Error,
        };
        self.channel.put(&ReadyForQuery::new(status));
        self.channel.flush().await
    }

    /// Tells the client of settings that have changed.
    fn report_settings(&mut self) {
        let settings = self.session.settings();
        for setting in SETTINGS.iter().filter(|setting| setting.is_reported) {
            let value = settings.get(setting.name).unwrap_or_default();
            if self
                .reported
                .get(setting.name)
                .is_none_or(|known| known != value)
            {
                let status = ParameterStatus::new(reported_name(setting.name).into(), value.into());
                self.channel.put(&status);
                self.reported.insert(setting.name, value.to_owned());
            }
        }
    }
}

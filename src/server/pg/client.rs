//! One client that is logged in: its messages in order, each answered before the next.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{
    BindComplete, CloseComplete, ParseComplete, PortalSuspended,
};
use pgwire::messages::response::{
    CommandComplete, EmptyQueryResponse, NotificationResponse, ReadyForQuery, TransactionStatus,
};
use pgwire::messages::startup::{BackendKeyData, ParameterStatus, SecretKey};
use tokio::sync::mpsc;

use super::cancel::Backend;
use super::encode::Columns;
use super::login::LoggedIn;
use super::run::{self, Portal, Progress, Sink};
use super::wire::{Body, Broken, Channel, malformed};
use super::{Shared, report, values};
use crate::caller::activity::{NOTIFICATION_LIMIT, Notification};
use crate::caller::client::Notice;
use crate::caller::transaction::TransactionStatus as Standing;
use crate::dialect::output::types::{self, PgType};
use crate::error::{Error, Result};
use crate::session::{Prepared, SETTINGS, Session, milliseconds, reported_name};

/// How many portals a client may have open.
const PORTAL_LIMIT: usize = 1_000;

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

/// How a statement ended for the client that waited for it.
enum Driven<T> {
    Done(T),
    Failed(Error),
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

    async fn parse(&mut self, mut body: Body) -> Result<Result<()>, Broken> {
        let read = (|| {
            let (name, text) = (body.text()?, body.text()?);
            let count = body.count()?;
            let mut types = Vec::with_capacity(count.min(1_000));
            for _ in 0..count {
                types.push(body.number()? as u32);
            }
            body.end()?;
            let zone = self.session.show("timezone")?;
            let oids: Arc<[u32]> = types.into();
            let types = oids.iter().map(|oid| values::data_type(*oid, &zone));
            Ok((name, text, types.collect::<Result<Vec<_>>>()?, oids))
        })();
        let (name, text, types, declared) = match read {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        self.empty.remove(&name);
        let session = Arc::clone(&self.session);
        let prepare = move |_| async move {
            let mut statements = session.parse(&text)?;
            let Some(statement) = statements.pop() else {
                return Ok(None);
            };
            if !statements.is_empty() {
                let message = "cannot insert multiple commands into a prepared statement";
                return Err(Error::session("42601", message));
            }
            let start = statement.start;
            let prepared = session.prepare(statement, &types).await;
            let mut prepared = prepared.map_err(|error| error.moved(start))?;
            prepared.declared = declared;
            Ok(Some(prepared))
        };
        Ok(match self.drive(None, prepare).await? {
            Driven::Done(Some(prepared)) => self
                .session
                .name_statement(&name, Arc::new(prepared))
                .map(|()| self.channel.put(&ParseComplete::new())),
            Driven::Done(None) => {
                self.session.forget_statement(&name);
                self.add_empty(name)
                    .map(|()| self.channel.put(&ParseComplete::new()))
            }
            Driven::Failed(error) => Err(error),
        })
    }

    async fn bind(&mut self, mut body: Body) -> Result<Result<()>, Broken> {
        let bound = (|| {
            let length = body.length();
            let (portal, name) = (body.text()?, body.text()?);
            let formats = formats(&mut body)?;
            let count = body.count()?;
            let mut given = Vec::with_capacity(count.min(1_000));
            for _ in 0..count {
                given.push(body.value()?);
            }
            let results = self::formats(&mut body)?;
            body.end()?;
            if self.empty.contains_key(&name) {
                self.portals.remove(&portal);
                return self.add_empty(format!("\0{portal}"));
            }
            self.empty.remove(&format!("\0{portal}"));
            let prepared = self.session.named_statement(&name)?;
            // The message, and the values that are made of it.
            let memory = self.session.reserve("portal", 3 * length)?;
            let values = bound_values(&prepared, &name, &formats, &given)?;
            if self.portals.contains_key(&portal) && !portal.is_empty() {
                let message = format!("cursor \"{portal}\" already exists");
                return Err(Error::session("42P03", message));
            }
            if self.portals.len() >= PORTAL_LIMIT {
                let message = format!("more than {PORTAL_LIMIT} portals are open");
                return Err(Error::session("54000", message));
            }
            let bound = Portal::new(prepared, values, &results, memory)?;
            self.portals.insert(portal, bound);
            Ok(())
        })();
        if bound.is_ok() {
            self.channel.put(&BindComplete::new());
        }
        Ok(bound)
    }

    /// Notes that there is no statement under this name.
    fn add_empty(&mut self, name: String) -> Result<()> {
        if self.empty.len() >= PORTAL_LIMIT {
            let message = format!("more than {PORTAL_LIMIT} empty statements and portals are kept");
            return Err(Error::session("54000", message));
        }
        self.empty.insert(name, ());
        Ok(())
    }

    fn describe(&mut self, mut body: Body) -> Result<()> {
        let (kind, name) = (body.byte()?, body.text()?);
        body.end()?;
        match kind {
            b'S' if self.empty.contains_key(&name) => {
                self.channel.put(&ParameterDescription::new(Vec::new()));
                self.channel.put(&NoData::new());
            }
            b'S' => {
                let prepared = self.session.named_statement(&name)?;
                let types: Vec<u32> = match &prepared.parameter_fields {
                    Some(fields) => fields.iter().map(|field| PgType::of(field).oid).collect(),
                    None => {
                        let types = prepared.parameters.iter();
                        types
                            .map(|data_type| values::oid(data_type.as_ref()))
                            .collect()
                    }
                };
                // Some clients insist on what they have said.
                let types = types.into_iter().enumerate().map(|(position, oid)| {
                    let declared = prepared.declared.get(position).copied();
                    declared
                        .filter(|oid| !matches!(*oid, 0 | types::UNKNOWN))
                        .unwrap_or(oid)
                });
                self.channel
                    .put(&ParameterDescription::new(types.collect()));
                match (&prepared.schema, &prepared.copy) {
                    (Some(schema), None) => {
                        let columns = Columns::new(Arc::clone(schema), &[])?;
                        self.channel.put(&columns.description());
                    }
                    _ => self.channel.put(&NoData::new()),
                }
            }
            b'P' if self.empty.contains_key(&format!("\0{name}")) => {
                self.channel.put(&NoData::new());
            }
            b'P' => {
                let Some(portal) = self.portals.get(&name) else {
                    // A cursor that was declared in SQL is a portal too.
                    let schema = self.session.cursor_schema(&name);
                    let schema = schema.ok_or_else(|| no_portal(&name))?;
                    self.channel.put(&Columns::new(schema, &[])?.description());
                    return Ok(());
                };
                match (&portal.columns, &portal.prepared.copy) {
                    (Some(columns), None) => self.channel.put(&columns.description()),
                    _ => self.channel.put(&NoData::new()),
                }
            }
            _ => return Err(malformed("invalid DESCRIBE message subtype")),
        }
        Ok(())
    }

    async fn execute(&mut self, mut body: Body) -> Result<Result<()>, Broken> {
        let read = (|| {
            let (name, most) = (body.text()?, body.number()?);
            body.end()?;
            Ok((name, u64::try_from(most).unwrap_or_default()))
        })();
        let (name, most) = match read {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        if self.empty.contains_key(&format!("\0{name}")) {
            self.channel.put(&EmptyQueryResponse::new());
            return Ok(Ok(()));
        }
        let Some(portal) = self.portals.remove(&name) else {
            return Ok(Err(no_portal(&name)));
        };
        let text = portal.prepared.text();
        let session = Arc::clone(&self.session);
        let run = move |sink| async move {
            let (portal, result) = portal.execute(session, most, sink).await;
            result.map(|progress| (portal, progress))
        };
        Ok(match self.drive(Some(&text), run).await? {
            Driven::Done((portal, progress)) => {
                self.portals.insert(name, portal);
                if progress == Progress::Suspended {
                    self.channel.put(&PortalSuspended::new());
                }
                self.report_settings();
                Ok(())
            }
            Driven::Failed(error) => Err(error),
        })
    }

    fn close(&mut self, mut body: Body) -> Result<()> {
        let (kind, name) = (body.byte()?, body.text()?);
        body.end()?;
        match kind {
            b'S' => {
                self.empty.remove(&name);
                self.session.forget_statement(&name);
            }
            b'P' => {
                self.empty.remove(&format!("\0{name}"));
                self.portals.remove(&name);
                self.session.close_cursor(&name);
            }
            _ => return Err(malformed("invalid CLOSE message subtype")),
        }
        self.channel.put(&CloseComplete::new());
        Ok(())
    }

    /// Has something done on the threads that compute, and meanwhile sends what is made, listens to
    /// the client, and watches the clock. With a text, it is a statement that is logged.
    async fn drive<T, F>(
        &mut self,
        text: Option<&str>,
        work: impl FnOnce(Sink) -> F,
    ) -> Result<Driven<T>, Broken>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let started = Instant::now();
        let shared = Arc::clone(&self.shared);
        let _running = shared.memory.begin();
        if let Some(text) = text {
            self.now_runs(Some(text));
        }
        // Who asked before the statement began meant another.
        let _ = self.backend.cancel.notified().now_or_never();
        let (sink, mut made) = mpsc::channel::<Bytes>(4);
        let mut task = self.shared.computing.spawn(work(sink));
        let limit = self.time_limit();
        let timeout = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(timeout);
        let mut is_made = false;
        let result = loop {
            tokio::select! {
                biased;
                () = self.backend.cancel.notified() => break Err(Error::Cancelled),
                () = &mut timeout => {
                    let message = "canceling statement due to statement timeout";
                    break Err(Error::session("57014", message));
                }
                () = self.shared.ending.cancelled() => {
                    task.abort();
                    let message = "terminating connection due to administrator command";
                    return Err(Error::session("57P01", message).into());
                }
                chunk = made.recv(), if !is_made && self.channel.outbound.is_empty() => match chunk {
                    Some(chunk) => self.channel.outbound.extend_from_slice(&chunk),
                    None => is_made = true,
                },
                joined = &mut task, if is_made => break joined.unwrap_or_else(|error| {
                    tracing::error!(peer = %self.peer, "a statement crashed: {error}");
                    Err(Error::session("XX000", "the statement crashed; the server goes on"))
                }),
                Some(notice) = self.notices.recv() => {
                    self.channel.put(&report::notice(&notice));
                }
                attended = self.channel.attend() => if let Err(broken) = attended {
                    task.abort();
                    return Err(broken);
                },
            }
        };
        if result.is_err() {
            // Whatever still computes for it is told to stop.
            task.abort();
            self.session.stop();
        }
        while let Ok(notice) = self.notices.try_recv() {
            self.channel.put(&report::notice(&notice));
        }
        if let Some(text) = text {
            self.now_runs(None);
            self.log(text, started.elapsed(), result.as_ref().err());
        }
        Ok(match result {
            Ok(done) => Driven::Done(done),
            Err(error) => Driven::Failed(error),
        })
    }

    /// Lets other sessions see what is run.
    fn now_runs(&self, text: Option<&str>) {
        let application = self.session.show("application_name").unwrap_or_default();
        let status = self.session.transaction_status();
        let (activity, pid) = (self.session.activity(), self.session.pid());
        activity.change(pid, |info| {
            info.application = application;
            if text.is_none() {
                info.state = match status {
                    Standing::Idle => "idle".into(),
                    Standing::Open => "idle in transaction".into(),
                    Standing::Failed => "idle in transaction (aborted)".into(),
                };
            }
        });
        if let Some(text) = text {
            activity.runs(pid, text);
        }
    }

    /// How long a statement may run: as the client wants it, but not longer than the server lets it.
    fn time_limit(&self) -> Option<Duration> {
        let wanted = self.session.show("statement_timeout").ok();
        let wanted = wanted
            .and_then(|text| milliseconds(&text))
            .filter(|limit| *limit > 0);
        let wanted = wanted.map(Duration::from_millis);
        match (wanted, self.shared.statement_timeout) {
            (Some(wanted), Some(limit)) => Some(wanted.min(limit)),
            (wanted, limit) => wanted.or(limit),
        }
    }

    fn log(&self, text: &str, took: Duration, error: Option<&Error>) {
        let user = self.session.user();
        let milliseconds = (took.as_secs_f64() * 1e6).round() / 1e3;
        let peer = self.peer;
        let statement = logged(text);
        match error {
            None => tracing::info!(%peer, user, milliseconds, "{statement}"),
            Some(error) => {
                let sqlstate = error.sqlstate();
                tracing::info!(%peer, user, milliseconds, sqlstate, "{statement}");
            }
        }
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

fn no_portal(name: &str) -> Error {
    Error::session("34000", format!("portal \"{name}\" does not exist"))
}

fn formats(body: &mut Body) -> Result<Vec<i16>> {
    let count = body.count()?;
    let mut formats = Vec::with_capacity(count.min(1_000));
    for _ in 0..count {
        formats.push(body.format()?);
    }
    Ok(formats)
}

/// The values of a statement's parameters.
fn bound_values(
    prepared: &Prepared,
    name: &str,
    formats: &[i16],
    given: &[Option<Bytes>],
) -> Result<Vec<datafusion::common::ScalarValue>> {
    let expected = prepared.parameters.len();
    if given.len() != expected {
        let message = format!(
            "bind message supplies {} parameters, but prepared statement \"{name}\" requires \
             {expected}",
            given.len()
        );
        return Err(Error::session("08P01", message));
    }
    if formats.len() > 1 && formats.len() != expected {
        let message = format!(
            "bind message has {} parameter formats but {expected} parameters",
            formats.len()
        );
        return Err(Error::session("08P01", message));
    }
    let text = datafusion::arrow::datatypes::DataType::Utf8;
    let values = given.iter().zip(&prepared.parameters).enumerate();
    let values = values.map(|(position, (bytes, data_type))| {
        let format = formats.get(position).or_else(|| formats.first());
        let data_type = data_type.as_ref().unwrap_or(&text);
        let field = prepared
            .parameter_fields
            .as_ref()
            .and_then(|fields| fields.get(position));
        let is_binary = format == Some(&1);
        match field.map(|field| PgType::of(field).oid) {
            Some(oid) => values::value_of(bytes.as_ref(), is_binary, data_type, oid),
            None => values::value(bytes.as_ref(), is_binary, data_type),
        }
    });
    values.collect()
}

/// A statement as the log has it: cut where it is long, and without what it writes in quotes where it
/// may set a password.
fn logged(text: &str) -> String {
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.to_lowercase().contains("password") {
        line = line.split('\'').step_by(2).collect::<Vec<_>>().join("'…'");
    }
    match line.char_indices().nth(1_000) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

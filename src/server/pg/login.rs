//! Logging in: who it is, whether the password is right, and what the session begins with.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pgwire::messages::startup::{Authentication, NegotiateProtocolVersion};

use super::Shared;
use super::scram::{self, Exchange, Verifier};
use super::startup::{Greeting, NEWEST_MINOR};
use super::wire::{Body, Broken, Channel, malformed, utf8};
use crate::error::{Error, Result};
use crate::records::roles::Role;
use crate::session::{DATABASE, Session};

/// How long a client waits whose password was wrong.
const FAILED_LOGIN_DELAY: Duration = Duration::from_millis(500);

/// A client that is logged in.
pub struct LoggedIn {
    pub channel: Channel,
    pub session: Arc<Session>,
    pub minor: u32,
    pub is_encrypted: bool,
}

/// Logs a client in, or tells it why not and closes the connection.
pub async fn log_in(greeting: Greeting, peer: SocketAddr, shared: &Shared) -> Option<LoggedIn> {
    let Greeting {
        transport,
        endpoint,
        minor,
        parameters,
    } = greeting;
    let endpoint = endpoint.map(|tls| tls.endpoint);
    let mut channel = Channel::new(transport);
    let attempt = Attempt {
        endpoint: endpoint.as_deref(),
        minor,
        parameters: &parameters,
        peer,
    };
    let logged_in = tokio::time::timeout(
        super::startup::LOGIN_TIME,
        attempt.run(&mut channel, shared),
    );
    match logged_in.await {
        Ok(Ok(session)) => {
            channel.raise_limit();
            Some(LoggedIn {
                channel,
                session: Arc::new(session),
                minor: minor.min(NEWEST_MINOR),
                is_encrypted: endpoint.is_some(),
            })
        }
        Ok(Err(Broken::Told(error))) => {
            let user = parameters
                .get("user")
                .map(String::as_str)
                .unwrap_or_default();
            if error.sqlstate() == "28P01" {
                tracing::warn!(%peer, user, "login failed: wrong user or password");
                tokio::time::sleep(FAILED_LOGIN_DELAY).await;
            } else {
                tracing::info!(%peer, user, sqlstate = error.sqlstate(), "login refused: {error}");
            }
            channel.put(&super::report::error("FATAL", &error, 0));
            channel.close().await;
            None
        }
        Ok(Err(Broken::Gone)) => None,
        Err(_) => {
            tracing::info!(%peer, "login took too long");
            None
        }
    }
}

struct Attempt<'a> {
    endpoint: Option<&'a [u8]>,
    minor: u32,
    parameters: &'a BTreeMap<String, String>,
    peer: SocketAddr,
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

impl Attempt<'_> {
    async fn run(&self, channel: &mut Channel, shared: &Shared) -> Result<Session, Broken> {
        let parameter = |name: &str| self.parameters.get(name).map(String::as_str);
        self.negotiate(channel);
        let user = parameter("user").filter(|user| !user.is_empty());
        let user = user.ok_or_else(|| {
            Error::session(
                "28000",
                "no PostgreSQL user name specified in startup packet",
            )
        })?;
        if parameter("replication")
            .is_some_and(|value| !matches!(value, "false" | "off" | "no" | "0"))
        {
            return Err(Error::session("0A000", "replication is not supported").into());
        }
        let role = match shared.trusted {
            Some(role) => role,
            None => self.authenticate(channel, user, shared).await?,
        };
        let database = parameter("database")
            .filter(|name| !name.is_empty())
            .unwrap_or(user);
        if database != DATABASE {
            let message = format!("database \"{database}\" does not exist");
            let hint = format!("the database is {DATABASE}");
            return Err(Error::session_hint("3D000", message, hint).into());
        }
        let session = shared.engine.session(user, role).await?;
        self.set(&session)?;
        channel.put(&Authentication::Ok);
        tracing::debug!(peer = %self.peer, user, role = role.name(), "logged in");
        Ok(session)
    }

    /// Tells a client that asks for a newer protocol or for options of it what there is.
    fn negotiate(&self, channel: &mut Channel) {
        let options = self
            .parameters
            .keys()
            .filter(|name| name.starts_with("_pq_."));
        let options: Vec<String> = options.cloned().collect();
        if self.minor > NEWEST_MINOR || !options.is_empty() {
            let newest = (3 << 16) | self.minor.min(NEWEST_MINOR);
            channel.put(&NegotiateProtocolVersion::new(newest as i32, options));
        }
    }

    async fn authenticate(
        &self,
        channel: &mut Channel,
        user: &str,
        shared: &Shared,
    ) -> Result<Role, Broken> {
        if shared.needs_tls && self.endpoint.is_none() {
            let message = "a connection without TLS is not let in; connect with sslmode=require";
            return Err(Error::session("28000", message).into());
        }
        let known = shared.engine.store().user(user).await?;
        let verifier = match &known {
            Some(known) => Verifier::parse(&known.verifier),
            None => None,
        };
        let is_known = verifier.is_some();
        let verifier =
            verifier.unwrap_or_else(|| Verifier::of_nobody(user, shared.secret.as_ref()));
        let mut mechanisms = vec![scram::PLAIN.to_owned()];
        if self.endpoint.is_some() {
            mechanisms.insert(0, scram::BOUND.to_owned());
        }
        channel.put(&Authentication::SASL(mechanisms));
        let mut body = Body::new(answer(channel).await?);
        let mechanism = body.text()?;
        let is_bound = match mechanism.as_str() {
            scram::PLAIN => false,
            scram::BOUND if self.endpoint.is_some() => true,
            _ => {
                return Err(
                    malformed("client selected an invalid SASL authentication mechanism").into(),
                );
            }
        };
        let first = body
            .value()?
            .ok_or_else(|| malformed("malformed SCRAM message"))?;
        let (exchange, answered) =
            Exchange::begin(&utf8(&first)?, verifier, is_bound, self.endpoint)?;
        channel.put(&Authentication::SASLContinue(answered.into_bytes().into()));
        let last = utf8(&answer(channel).await?)?;
        match (exchange.finish(&last)?, known) {
            (Some(proof), Some(known)) if is_known => {
                channel.put(&Authentication::SASLFinal(proof.into_bytes().into()));
                Ok(known.role)
            }
            _ => {
                let message = format!("password authentication failed for user \"{user}\"");
                Err(Error::session("28P01", message).into())
            }
        }
    }

    /// Sets what the client asks for with its login.
    fn set(&self, session: &Session) -> Result<()> {
        let known = ["user", "database", "options", "replication"];
        let mut given: Vec<(String, String)> = Vec::new();
        for (name, value) in self.parameters {
            if !known.contains(&name.as_str()) && !name.starts_with("_pq_.") {
                given.push((name.clone(), value.clone()));
            }
        }
        if let Some(text) = self.parameters.get("options") {
            given.extend(options(text)?);
        }
        for (name, value) in given {
            session.begin_with(&name, &value)?;
        }
        Ok(())
    }
}

/// The next message, which must be an answer to what authentication asks.
async fn answer(channel: &mut Channel) -> Result<Bytes, Broken> {
    channel.flush().await?;
    match channel.next().await? {
        (b'p', body) => Ok(body),
        (b'X', _) => Err(Broken::Gone),
        _ => Err(malformed("expected SASL response").into()),
    }
}

/// Settings in the form of command-line options: `-c name=value` or `--name=value`.
fn options(text: &str) -> Result<Vec<(String, String)>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => word.extend(letters.next()),
            letter if letter.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            letter => word.push(letter),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    let mut settings = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let said = match word.strip_prefix("-c") {
            Some("") => words.next().unwrap_or_default(),
            Some(rest) => rest.to_owned(),
            None => match word.strip_prefix("--") {
                Some(rest) => rest.to_owned(),
                None => {
                    let message =
                        format!("invalid command-line argument for server process: {word}");
                    return Err(Error::session("42601", message));
                }
            },
        };
        let (name, value) = said.split_once('=').unwrap_or((said.as_str(), ""));
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    #[test]
    fn options_are_read() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let text = r"-c statement_timeout=60000 -csearch_path=a\ b --extra-float-digits=2";
        assert_eq!(
            super::options(text).unwrap(),
            [
                pair("statement_timeout", "60000"),
                pair("search_path", "a b"),
                pair("extra_float_digits", "2")
            ]
        );
        assert!(super::options("-x").is_err());
    }
}

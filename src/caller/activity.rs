//! The sessions of a process: what each does, and what they notify each other of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use crate::catalog::input::SessionInfo;
use crate::clock::now;
use crate::error::{Error, Result};

/// How many notifications may wait for a session, or be made by one transaction.
pub const NOTIFICATION_LIMIT: usize = 1_000;
/// How long what they say may be, in bytes, and the name of a channel: as in PostgreSQL.
const PAYLOAD_LIMIT: usize = 7_999;
const CHANNEL_LIMIT: usize = 63;
/// How many channels a session may listen to.
const CHANNELS_LIMIT: usize = 1_000;
/// How much of a statement's text others see, in bytes.
const QUERY_LIMIT: usize = 1_024;

/// Every session of a process.
#[derive(Debug)]
pub struct Activity {
    /// When the first could begin, in microseconds since 1970.
    pub started: i64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    last: i32,
    sessions: BTreeMap<i32, Entry>,
}

#[derive(Debug)]
struct Entry {
    info: SessionInfo,
    channels: BTreeSet<String>,
    listener: Option<Sender<Notification>>,
}

/// What one session tells those that listen to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The session that says it.
    pub pid: i32,
    pub channel: Arc<str>,
    pub payload: Arc<str>,
}

impl Notification {
    /// One that is not too long.
    pub fn new(pid: i32, channel: &str, payload: &str) -> Result<Self> {
        check_channel(channel)?;
        if payload.len() > PAYLOAD_LIMIT {
            let found = payload.len();
            let message = format!(
                "payload string too long: {found} bytes, and at most {PAYLOAD_LIMIT} are sent"
            );
            return Err(Error::session("22023", message));
        }
        Ok(Self {
            pid,
            channel: channel.into(),
            payload: payload.into(),
        })
    }
}

fn check_channel(channel: &str) -> Result<()> {
    match channel.len() > CHANNEL_LIMIT {
        true => {
            let message = format!("channel name too long: at most {CHANNEL_LIMIT} bytes are taken");
            Err(Error::session("22023", message))
        }
        false => Ok(()),
    }
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            started: now(),
            known: Mutex::default(),
        }
    }
}

impl Activity {
    /// Makes a session known under a number of its own.
    pub fn add(&self, user: &str) -> i32 {
        let mut known = self.known();
        loop {
            known.last = known.last.checked_add(1).unwrap_or(1);
            if !known.sessions.contains_key(&known.last) {
                break;
            }
        }
        let pid = known.last;
        let info = SessionInfo {
            pid,
            user: user.to_owned(),
            application: String::new(),
            client_address: None,
            client_port: None,
            started: now(),
            query_started: None,
            state: "idle".into(),
            query: String::new(),
            is_encrypted: false,
        };
        let entry = Entry {
            info,
            channels: BTreeSet::new(),
            listener: None,
        };
        known.sessions.insert(pid, entry);
        pid
    }

    pub fn remove(&self, pid: i32) {
        self.known().sessions.remove(&pid);
    }

    /// Changes what is said of a session.
    pub fn change(&self, pid: i32, change: impl FnOnce(&mut SessionInfo)) {
        if let Some(entry) = self.known().sessions.get_mut(&pid) {
            change(&mut entry.info);
        }
    }

    /// Every session.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        let known = self.known();
        known
            .sessions
            .values()
            .map(|entry| entry.info.clone())
            .collect()
    }

    /// Every session as a user may see it: what others do only where `sees_all`.
    pub fn sessions_for(&self, user: &str, sees_all: bool) -> Vec<SessionInfo> {
        let mut sessions = self.sessions();
        for session in &mut sessions {
            if !sees_all && session.user != user {
                *session = SessionInfo {
                    pid: session.pid,
                    user: std::mem::take(&mut session.user),
                    application: String::new(),
                    client_address: None,
                    client_port: None,
                    started: session.started,
                    query_started: None,
                    state: String::new(),
                    query: "<insufficient privilege>".into(),
                    is_encrypted: session.is_encrypted,
                };
            }
        }
        sessions
    }

    /// Where a session's notifications go.
    pub fn deliver_to(&self, pid: i32, listener: Sender<Notification>) {
        if let Some(entry) = self.known().sessions.get_mut(&pid) {
            entry.listener = Some(listener);
        }
    }

    pub fn listen(&self, pid: i32, channel: &str) -> Result<()> {
        check_channel(channel)?;
        if let Some(entry) = self.known().sessions.get_mut(&pid) {
            if entry.channels.len() >= CHANNELS_LIMIT && !entry.channels.contains(channel) {
                let message = format!("a session listens to at most {CHANNELS_LIMIT} channels");
                return Err(Error::session("54000", message));
            }
            entry.channels.insert(channel.to_owned());
        }
        Ok(())
    }

    /// Lets others see what a session runs, as much of it as is kept.
    pub fn runs(&self, pid: i32, text: &str) {
        let end = (0..=QUERY_LIMIT.min(text.len())).rev();
        let end = end.into_iter().find(|end| text.is_char_boundary(*end));
        let text = text.get(..end.unwrap_or_default()).unwrap_or_default();
        self.change(pid, |info| {
            info.query.clear();
            info.query.push_str(text);
            info.query_started = Some(now());
            info.state = "active".into();
        });
    }

    /// Hears no more of a channel; of none at all, without one.
    pub fn unlisten(&self, pid: i32, channel: Option<&str>) {
        if let Some(entry) = self.known().sessions.get_mut(&pid) {
            entry
                .channels
                .retain(|known| channel.is_some_and(|channel| channel != known));
        }
    }

    /// Tells those that listen; an error where one has not taken what it was told before.
    pub fn notify(&self, notification: &Notification) -> Result<()> {
        let mut full = None;
        for (pid, entry) in &self.known().sessions {
            if let Some(listener) = &entry.listener
                && entry.channels.contains(&*notification.channel)
                // A session that is ending hears no more.
                && let Err(TrySendError::Full(_)) = listener.try_send(notification.clone())
            {
                full = Some(*pid);
            }
        }
        match full {
            Some(pid) => {
                let message = format!(
                    "too many notifications: session {pid} has not taken the last \
                     {NOTIFICATION_LIMIT} yet"
                );
                Err(Error::session("54000", message))
            }
            None => Ok(()),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The sessions of a process: what each does, and what they notify each other of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use crate::catalog::input::SessionInfo;
use crate::clock::now;

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
    listener: Option<UnboundedSender<Notification>>,
}

/// What one session tells those that listen to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The session that says it.
    pub pid: i32,
    pub channel: String,
    pub payload: String,
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
    pub fn deliver_to(&self, pid: i32, listener: UnboundedSender<Notification>) {
        if let Some(entry) = self.known().sessions.get_mut(&pid) {
            entry.listener = Some(listener);
        }
    }

    pub fn listen(&self, pid: i32, channel: &str) {
        if let Some(entry) = self.known().sessions.get_mut(&pid) {
            entry.channels.insert(channel.to_owned());
        }
    }

    /// Hears no more of a channel; of none at all, without one.
    pub fn unlisten(&self, pid: i32, channel: Option<&str>) {
        if let Some(entry) = self.known().sessions.get_mut(&pid) {
            entry
                .channels
                .retain(|known| channel.is_some_and(|channel| channel != known));
        }
    }

    /// Tells those that listen.
    pub fn notify(&self, notification: &Notification) {
        for entry in self.known().sessions.values() {
            if let Some(listener) = &entry.listener
                && entry.channels.contains(&notification.channel)
            {
                // A session that is ending hears no more.
                let _ = listener.send(notification.clone());
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

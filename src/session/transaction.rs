//! Transactions: what is written between `BEGIN` and `COMMIT` is held back, and then written whole
//! or not at all.
//!
//! Only scenarios are written in SQL, so that a transaction is the list of their changes. Nobody
//! waits while a client thinks: no lock is held, and the changes are checked again against what is
//! stored when they are committed. Temporary tables and views are not part of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::client::{Client, Severity};
use crate::error::{Error, Result};
use crate::scenarios::Change;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Every statement is a transaction of its own.
    Idle,
    /// Between `BEGIN` and its end.
    Open,
    /// A statement failed: all others are refused until `ROLLBACK`.
    Failed,
}

/// The transaction of a session.
#[derive(Debug, Default)]
pub struct Transaction(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    Open {
        changes: Vec<Change>,
        is_read_only: bool,
    },
    Failed,
}

impl Transaction {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn status(&self) -> TransactionStatus {
        match *self.state() {
            State::Idle => TransactionStatus::Idle,
            State::Open { .. } => TransactionStatus::Open,
            State::Failed => TransactionStatus::Failed,
        }
    }

    pub fn is_open(&self) -> bool {
        self.status() == TransactionStatus::Open
    }

    /// What it has changed so far.
    pub fn changes(&self) -> Vec<Change> {
        match &*self.state() {
            State::Open { changes, .. } => changes.clone(),
            _ => Vec::new(),
        }
    }

    pub fn add(&self, more: Vec<Change>) {
        if let State::Open { changes, .. } = &mut *self.state() {
            changes.extend(more);
        }
    }

    /// Notes that a statement failed.
    pub fn fail(&self) {
        let mut state = self.state();
        if matches!(*state, State::Open { .. }) {
            *state = State::Failed;
        }
    }

    /// Refuses writes where only reads were announced.
    pub fn check_writable(&self) -> Result<()> {
        match &*self.state() {
            State::Open {
                is_read_only: true, ..
            } => Err(Error::ReadOnlyTransaction),
            _ => Ok(()),
        }
    }

    /// Refuses what commits by itself.
    pub fn check_idle(&self, what: &str) -> Result<()> {
        match self.status() {
            TransactionStatus::Idle => Ok(()),
            _ => Err(Error::InTransaction(what.into())),
        }
    }
}

/// Begins a transaction; whether none was open before.
pub fn begin(client: &Client, is_read_only: bool) -> bool {
    let mut state = client.transaction.state();
    if let State::Idle = *state {
        *state = State::Open {
            changes: Vec::new(),
            is_read_only,
        };
        return true;
    }
    drop(state);
    let message = "there is already a transaction in progress";
    client.notice(Severity::Warning, "25001", message);
    false
}

/// Ends a transaction; whether what it changed is kept.
pub async fn end(client: &Client, commits: bool) -> Result<bool> {
    let ended = std::mem::take(&mut *client.transaction.state());
    match ended {
        State::Idle => {
            let message = "there is no transaction in progress";
            client.notice(Severity::Warning, "25P01", message);
            Ok(commits)
        }
        State::Open { changes, .. } if commits => {
            if !changes.is_empty() {
                client.store.change_scenarios(&changes).await?;
            }
            Ok(true)
        }
        State::Open { .. } | State::Failed => Ok(false),
    }
}

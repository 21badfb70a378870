//! Transactions: what is written between `BEGIN` and `COMMIT` is held back, and then written whole
//! or not at all.
//!
//! Only scenarios are written in SQL, so that a transaction is the list of their changes. Nobody
//! waits while a client thinks: no lock is held, and the changes are checked again against what is
//! stored when they are committed. Temporary tables and views are the session's alone: what they
//! were is noted when a transaction begins, and a rollback returns to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::bounds::limited;
use super::client::{Client, Severity};
use crate::error::{Error, Result};
use crate::records::scenarios::Change;

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
pub struct Transaction {
    state: Mutex<State>,
    /// Whether a statement outside of one only reads: `default_transaction_read_only`.
    is_read_only_alone: AtomicBool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    Open(Changes),
    /// With what a savepoint may return to.
    Failed(Changes),
}

/// What a transaction has done so far.
#[derive(Debug, Default)]
struct Changes {
    changes: Vec<Change>,
    is_read_only: bool,
    /// The names of places to return to, each with the number of changes before it.
    savepoints: Vec<(String, usize)>,
}

impl Transaction {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn status(&self) -> TransactionStatus {
        match *self.state() {
            State::Idle => TransactionStatus::Idle,
            State::Open(_) => TransactionStatus::Open,
            State::Failed(_) => TransactionStatus::Failed,
        }
    }

    pub fn is_open(&self) -> bool {
        self.status() == TransactionStatus::Open
    }

    /// What it has changed so far.
    pub fn changes(&self) -> Vec<Change> {
        match &*self.state() {
            State::Open(open) => open.changes.clone(),
            _ => Vec::new(),
        }
    }

    pub fn add(&self, more: Vec<Change>) {
        if let State::Open(open) = &mut *self.state() {
            open.changes.extend(more);
        }
    }

    /// Notes that a statement failed.
    pub fn fail(&self) {
        let mut state = self.state();
        if let State::Open(open) = &mut *state {
            *state = State::Failed(std::mem::take(open));
        }
    }

    /// Says whether statements outside of a transaction may only read.
    pub fn set_read_only_alone(&self, is_read_only: bool) {
        self.is_read_only_alone
            .store(is_read_only, Ordering::Relaxed);
    }

    /// Refuses writes where only reads were announced.
    pub fn check_writable(&self) -> Result<()> {
        let is_read_only = match &*self.state() {
            State::Open(open) => open.is_read_only,
            State::Idle => self.is_read_only_alone.load(Ordering::Relaxed),
            State::Failed(_) => false,
        };
        match is_read_only {
            true => Err(Error::ReadOnlyTransaction),
            false => Ok(()),
        }
    }

    /// Says, in a transaction, whether it may only read from here on.
    pub fn set_read_only(&self, is_read_only: bool) {
        if let State::Open(open) = &mut *self.state() {
            open.is_read_only = is_read_only;
        }
    }

    /// Refuses what commits by itself inside of a transaction, and where only reads were announced.
    pub fn check_idle(&self, what: &str) -> Result<()> {
        match self.status() {
            TransactionStatus::Idle => self.check_writable(),
            _ => Err(Error::InTransaction(what.into())),
        }
    }
}

/// Begins a transaction; whether none was open before.
pub fn begin(client: &Client, is_read_only: bool) -> bool {
    let mut state = client.transaction.state();
    if let State::Idle = *state {
        *state = State::Open(Changes {
            is_read_only,
            ..Changes::default()
        });
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
        State::Open(open) if commits => {
            if !open.changes.is_empty() {
                client.store.change_scenarios(&open.changes).await?;
            }
            Ok(true)
        }
        State::Open(_) | State::Failed(_) => Ok(false),
    }
}

/// How many savepoints a transaction may have.
const SAVEPOINT_LIMIT: usize = 1_000;

/// Names a place in the transaction to return to.
pub fn save(client: &Client, name: &str) -> Result<()> {
    match &mut *client.transaction.state() {
        State::Open(open) => {
            limited(
                open.savepoints.len(),
                SAVEPOINT_LIMIT,
                "savepoints in a transaction",
            )?;
            open.savepoints.push((name.to_owned(), open.changes.len()));
            Ok(())
        }
        _ => Err(Error::session(
            "25P01",
            "SAVEPOINT can only be used in transaction blocks",
        )),
    }
}

/// Forgets a place, and those behind it.
pub fn release(client: &Client, name: &str) -> Result<()> {
    match &mut *client.transaction.state() {
        State::Open(open) => {
            let place = open.place(name)?;
            open.savepoints.truncate(place);
            Ok(())
        }
        _ => Err(no_savepoint(name)),
    }
}

/// Returns to a place: what was changed behind it is undone, and a failure is forgotten.
pub fn return_to(client: &Client, name: &str) -> Result<()> {
    let mut state = client.transaction.state();
    let (State::Open(open) | State::Failed(open)) = &mut *state else {
        return Err(no_savepoint(name));
    };
    let place = open.place(name)?;
    open.savepoints.truncate(place + 1);
    let changes = open.savepoints.last().map_or(0, |(_, changes)| *changes);
    open.changes.truncate(changes);
    *state = State::Open(std::mem::take(open));
    Ok(())
}

impl Changes {
    /// Where among the savepoints the last of this name is.
    fn place(&self, name: &str) -> Result<usize> {
        let place = self.savepoints.iter().rposition(|(known, _)| known == name);
        place.ok_or_else(|| no_savepoint(name))
    }
}

fn no_savepoint(name: &str) -> Error {
    Error::session("3B001", format!("savepoint \"{name}\" does not exist"))
}

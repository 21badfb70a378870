//! Transactions: what is written between `BEGIN` and `COMMIT` is held back, and then written whole
//! or not at all.
//!
//! Only scenarios are written in SQL, so that a transaction is the list of their changes. Nobody
//! waits while a client thinks: no lock is held, and the changes are checked again against what is
//! stored when they are committed. Temporary tables and views are not part of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::logical_expr::{
    LogicalPlan, Statement as PlanStatement, TransactionAccessMode, TransactionConclusion,
};

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

    /// Refuses to read in a transaction that failed.
    pub fn check_reads(&self) -> Result<()> {
        match self.status() {
            TransactionStatus::Failed => Err(Error::TransactionFailed),
            _ => Ok(()),
        }
    }

    /// Refuses everything but the end of a transaction that failed.
    pub fn check_not_failed(&self, plan: &LogicalPlan) -> Result<()> {
        let is_end = matches!(
            plan,
            LogicalPlan::Statement(PlanStatement::TransactionEnd(_))
        );
        match self.status() {
            TransactionStatus::Failed if !is_end => Err(Error::TransactionFailed),
            _ => Ok(()),
        }
    }
}

/// Executes `BEGIN` and its ends; whether it was one of them.
pub async fn execute(client: &Client, plan: &LogicalPlan) -> Result<bool> {
    let transaction = &client.transaction;
    match plan {
        LogicalPlan::Statement(PlanStatement::TransactionStart(start)) => {
            let mut state = transaction.state();
            if let State::Idle = *state {
                *state = State::Open {
                    changes: Vec::new(),
                    is_read_only: start.access_mode == TransactionAccessMode::ReadOnly,
                };
            } else {
                drop(state);
                let message = "there is already a transaction in progress";
                client.notice(Severity::Warning, "25001", message);
            }
            Ok(true)
        }
        LogicalPlan::Statement(PlanStatement::TransactionEnd(end)) => {
            let ended = std::mem::take(&mut *transaction.state());
            match ended {
                State::Idle => {
                    let message = "there is no transaction in progress";
                    client.notice(Severity::Warning, "25P01", message);
                }
                State::Open { changes, .. } if end.conclusion == TransactionConclusion::Commit => {
                    if !changes.is_empty() {
                        client.store.change_scenarios(&changes).await?;
                    }
                }
                State::Open { .. } | State::Failed => {}
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

//! Transactions: begun, saved, returned to, ended.

use crate::caller::client::Severity;
use crate::caller::transaction;
use crate::error::Result;
use crate::session::command::{Modes, Transaction};
use crate::session::{Outcome, Session, lock};

impl Session {
    pub(super) async fn transact(
        &self,
        statement: &Transaction,
        verb: &'static str,
    ) -> Result<Outcome> {
        let mut verb = verb;
        match statement {
            Transaction::Savepoint(name) => {
                transaction::save(&self.client, name)?;
                self.tables.save(Some(name));
                self.settings().save(name);
            }
            Transaction::Release(name) => {
                transaction::release(&self.client, name)?;
                self.tables.release(name);
                self.settings().release(name);
            }
            Transaction::RollbackTo(name) => {
                transaction::return_to(&self.client, name)?;
                self.tables.return_to(name);
                self.settings().return_to(name);
                self.put_in_force()?;
            }
            Transaction::Begin { modes, .. } => self.begin(modes)?,
            Transaction::Commit { chain } | Transaction::Rollback { chain } => {
                let commits = matches!(statement, Transaction::Commit { .. });
                let ended = transaction::end(&self.client, commits).await;
                let is_kept = matches!(ended, Ok(true));
                verb = if is_kept { "COMMIT" } else { "ROLLBACK" };
                for notification in std::mem::take(&mut *lock(&self.notifications)) {
                    if is_kept && let Err(error) = self.activity().notify(&notification) {
                        let message = error.to_string();
                        self.client
                            .notice(Severity::Warning, error.sqlstate(), message);
                    }
                }
                self.settings().end(is_kept);
                self.tables.end(is_kept);
                self.put_in_force()?;
                lock(&self.cursors).retain(|_, cursor| {
                    is_kept
                        && cursor
                            .try_lock()
                            .is_ok_and(|cursor| cursor.outlasts_transaction)
                });
                ended?;
                if *chain {
                    self.begin(&Modes::default())?;
                }
            }
        }
        Ok(Outcome::Done { rows: None, verb })
    }

    fn begin(&self, modes: &Modes) -> Result<()> {
        let read_only = match modes.read_only {
            Some(read_only) => read_only,
            None => self.show("default_transaction_read_only")? == "on",
        };
        if !transaction::begin(&self.client, read_only) {
            return Ok(());
        }
        self.tables.save(None);
        {
            let mut settings = self.settings();
            settings.begin();
            for name in ["isolation", "read_only", "deferrable"] {
                let default = settings
                    .show(&format!("default_transaction_{name}"))?
                    .to_owned();
                settings.set(&format!("transaction_{name}"), Some(&default), true)?;
            }
        }
        self.set_modes(modes, "transaction")
    }
}

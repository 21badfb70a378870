//! Who executes a statement: what plans find in the session that runs them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use datafusion::execution::TaskContext;
use hindsight_sweep::sales::Sale;
use tokio::sync::mpsc::UnboundedSender;

use super::progress::Progress;
use super::runs::Runs;
use super::transaction::Transaction;
use crate::error::{Error, Result};
use crate::records::roles::Role;
use crate::records::scenarios::{Change, Scenarios};
use crate::store::Store;

/// The SQLSTATE of a remark on what a statement asks for: no error, and more than how far it is.
pub const REMARK: &str = "01000";

/// A session as the statements under way see it.
pub struct Client {
    pub user: String,
    pub role: Role,
    pub store: Arc<Store>,
    pub runs: Arc<Runs>,
    pub(crate) transaction: Transaction,
    notices: Mutex<Option<UnboundedSender<Notice>>>,
    /// What the statement under way has been told once.
    said: Mutex<Vec<String>>,
    /// Counts the combinations of backtests that are done.
    pub combinations: Arc<AtomicU64>,
    /// The run that it began last.
    run: Mutex<Weak<Progress>>,
    /// The sales of a backtest, where they are wanted.
    sales: Mutex<Option<Vec<Sale>>>,
    /// Whether its statements may run on other machines too.
    distributes: AtomicBool,
}

/// A remark beside the rows of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub severity: Severity,
    pub sqlstate: &'static str,
    pub message: String,
}

/// How a remark is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Notice,
    Warning,
}

impl Client {
    pub fn new(user: &str, role: Role, store: Arc<Store>, runs: Arc<Runs>) -> Self {
        Self {
            user: user.into(),
            role,
            store,
            runs,
            transaction: Transaction::default(),
            notices: Mutex::new(None),
            said: Mutex::default(),
            combinations: Arc::default(),
            run: Mutex::default(),
            sales: Mutex::default(),
            distributes: AtomicBool::new(true),
        }
    }

    /// Whether its statements may run on other machines too, where there are some.
    pub fn distributes(&self) -> bool {
        self.distributes.load(Ordering::Relaxed)
    }

    /// Lets its statements run on other machines too, or not.
    pub fn distribute(&self, may: bool) {
        self.distributes.store(may, Ordering::Relaxed);
    }

    /// The client whose statement this is.
    pub fn of(context: &TaskContext) -> Result<Arc<Self>> {
        context.session_config().get_extension().ok_or_else(|| {
            let problem = "the state is read outside of a session".into();
            datafusion::error::DataFusionError::Internal(problem).into()
        })
    }

    /// Refuses those whose role does not reach; `what` is what they want to do.
    pub fn require(&self, least: Role, what: &str) -> Result<()> {
        match self.role >= least {
            true => Ok(()),
            false => Err(Error::NotAllowed(format!(
                "{what} needs the role {}; {} is {}",
                least.name(),
                self.user,
                self.role.name()
            ))),
        }
    }

    /// The scenarios, as the transaction under way has them.
    pub async fn scenarios(&self) -> Result<Scenarios> {
        let mut scenarios = self.store.scenarios().await?;
        for change in self.transaction.changes() {
            change.apply(&mut scenarios, self.store.ranges())?;
        }
        Ok(scenarios)
    }

    /// Changes scenarios, all or none: now, or when the transaction under way commits.
    pub async fn change_scenarios(&self, changes: Vec<Change>) -> Result<()> {
        self.require(Role::Analyst, "writing scenarios")?;
        self.transaction.check_writable()?;
        match self.transaction.is_open() {
            true => {
                let mut scenarios = self.scenarios().await?;
                for change in &changes {
                    change.apply(&mut scenarios, self.store.ranges())?;
                }
                self.transaction.add(changes);
                Ok(())
            }
            false => self.store.change_scenarios(&changes).await,
        }
    }

    /// Has backtests of one combination keep their sales from now on.
    pub fn want_sales(&self) {
        self.keep_sales(Some(Vec::new()));
    }

    /// Whether sales are wanted.
    pub fn wants_sales(&self) -> bool {
        self.kept_sales().is_some()
    }

    /// Keeps the sales of a backtest.
    pub fn keep_sales(&self, sales: Option<Vec<Sale>>) {
        *self.kept_sales() = sales;
    }

    /// The sales of the backtest before, which are no longer wanted then.
    pub fn take_sales(&self) -> Vec<Sale> {
        self.kept_sales().take().unwrap_or_default()
    }

    fn kept_sales(&self) -> MutexGuard<'_, Option<Vec<Sale>>> {
        self.sales.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says which run it has begun.
    pub fn began(&self, run: &Arc<Progress>) {
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(run);
    }

    /// The run that it began last, for as long as that is under way.
    pub fn run_under_way(&self) -> Option<Arc<Progress>> {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        run.upgrade()
    }

    /// Where remarks go from now on.
    pub fn listen(&self, notices: Option<UnboundedSender<Notice>>) {
        *self.notices.lock().unwrap_or_else(PoisonError::into_inner) = notices;
    }

    /// Forgets what was said of the last statement.
    pub fn begin_statement(&self) {
        self.said().clear();
    }

    /// Makes a remark on what a statement asks for, once however often it asks.
    pub fn remark_once(&self, message: String) {
        let mut said = self.said();
        if !said.contains(&message) {
            self.notice(Severity::Notice, REMARK, message.clone());
            said.push(message);
        }
    }

    fn said(&self) -> MutexGuard<'_, Vec<String>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a remark, which is lost where nobody listens.
    pub fn notice(&self, severity: Severity, sqlstate: &'static str, message: impl Into<String>) {
        let notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(notices) = &*notices {
            let _ = notices.send(Notice {
                severity,
                sqlstate,
                message: message.into(),
            });
        }
    }
}

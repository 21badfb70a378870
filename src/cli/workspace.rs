//! The workspace that a command works on, and where its state is.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use datafusion::prelude::SessionConfig;
use hindsight::caller::client::REMARK;
use hindsight::dataset::Dataset;
use hindsight::store::{Store, run_files};
use hindsight::{Engine, Error, Notice, Result, Role, Severity, configuration};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::failure::Failure;
use super::terminal::{remark, warn};

/// The options that every command has; also the path of the workspace.
#[derive(Debug, Args)]
pub struct Workspace {
    /// Directory of the workspace: the loaded history lies there
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "HINDSIGHT_DATA",
        default_value = "./hindsight-data"
    )]
    data: PathBuf,
    /// Keep scenarios, runs and settings in a PostgreSQL, not in the workspace
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "HINDSIGHT_STATE",
        hide_env_values = true
    )]
    state: Option<Url>,
}

/// The way out where there is no workspace.
const MAKES_ONE: &str = "hindsight demo makes one to try, hindsight load one of your history; \
                         --data DIR or HINDSIGHT_DATA names another";

impl Workspace {
    /// The URL of its state; `None` where that is in the workspace.
    pub fn state(&self) -> Option<&str> {
        self.state.as_ref().map(|Url(url)| url.as_str())
    }

    /// Opens it for statements that together may use so many bytes of memory.
    pub async fn open_limited(&self, memory_limit: Option<usize>) -> Result<Engine> {
        self.open_configured(memory_limit, SessionConfig::new())
            .await
    }

    /// The same with a configuration that its sessions begin with.
    pub async fn open_configured(
        &self,
        memory_limit: Option<usize>,
        config: SessionConfig,
    ) -> Result<Engine> {
        let engine = Engine::open_configured(self, self.state(), memory_limit, config).await?;
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        opened.push(Arc::clone(engine.store()));
        Ok(engine)
    }

    /// Opens it where it is there: only what loads or serves makes one.
    pub async fn open(&self) -> std::result::Result<Engine, Failure> {
        self.open_within(None).await
    }

    /// The same for statements that together may use so many bytes of memory.
    pub async fn open_within(
        &self,
        memory_limit: Option<usize>,
    ) -> std::result::Result<Engine, Failure> {
        if !self.data.is_dir() {
            let problem = match self.data.exists() {
                true => "is no directory",
                false => "is not there",
            };
            let error = Error::Workspace {
                path: self.data.clone(),
                problem: problem.into(),
            };
            return Err(Failure::from(error).with_hint(MAKES_ONE));
        }
        // A folder of something else would be an empty history.
        let is_ours = Dataset::is_named_in(self)
            || Store::is_in(self)
            || run_files::are_in(self)
            || self.data.join(configuration::FILE).is_file();
        if !is_ours {
            let error = Error::Workspace {
                path: self.data.clone(),
                problem: "holds nothing of hindsight's yet".into(),
            };
            return Err(Failure::from(error).with_hint(MAKES_ONE));
        }
        self.open_unchecked(memory_limit).await
    }

    /// Opens it for what only its state is asked for, which may lie elsewhere.
    pub async fn open_state(&self) -> std::result::Result<Engine, Failure> {
        match self.state {
            Some(_) => self.open_unchecked(None).await,
            None => self.open().await,
        }
    }

    async fn open_unchecked(
        &self,
        memory_limit: Option<usize>,
    ) -> std::result::Result<Engine, Failure> {
        let engine = self.open_limited(memory_limit).await?;
        let engine = engine.of_user(&user(), Role::Operator).await?;
        let (sender, mut notices) = mpsc::unbounded_channel();
        engine.listen(sender);
        let (close, mut closed) = oneshot::channel();
        let printer = tokio::spawn(async move {
            loop {
                let notice = tokio::select! {
                    biased;
                    notice = notices.recv() => notice,
                    _ = &mut closed => None,
                };
                match notice {
                    Some(notice) => print(&notice),
                    None => break,
                }
            }
        });
        let mut printers = PRINTERS.lock().unwrap_or_else(PoisonError::into_inner);
        printers.push((close, printer));
        drop(printers);
        Ok(engine)
    }
}

/// What prints the remarks of an engine, until it is told that there are no more.
type Printer = (oneshot::Sender<()>, JoinHandle<()>);

static PRINTERS: Mutex<Vec<Printer>> = Mutex::new(Vec::new());
/// The remarks on what the command or the statement asks for that are printed.
static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// How far a run is, a progress bar shows; other remarks are printed, once even where a command
/// makes several statements of what it is asked.
fn print(notice: &Notice) {
    match notice.severity {
        Severity::Warning => warn(&notice.message),
        Severity::Notice if notice.sqlstate == REMARK => {
            let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
            if !said.contains(&notice.message) {
                remark(&notice.message);
                said.push(notice.message.clone());
            }
        }
        Severity::Notice => {}
    }
}

/// What is said of the next statement, is said whatever was said before.
pub fn begin_statement() {
    SAID.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The state of what this process has opened.
static OPENED: Mutex<Vec<Arc<Store>>> = Mutex::new(Vec::new());

/// Closes the state of every workspace that is open.
pub async fn close() {
    let printers = std::mem::take(&mut *PRINTERS.lock().unwrap_or_else(PoisonError::into_inner));
    for (close, printer) in printers {
        let _ = close.send(());
        let _ = printer.await;
    }
    let opened = std::mem::take(&mut *OPENED.lock().unwrap_or_else(PoisonError::into_inner));
    for store in opened {
        store.close().await;
    }
}

/// Who is at the command line: their name is beside what they run and apply.
fn user() -> String {
    let variables = ["USER", "LOGNAME", "USERNAME"].iter();
    let mut names = variables.filter_map(|name| std::env::var(name).ok());
    let listed = || {
        use std::os::unix::fs::MetadataExt;
        let id = std::fs::metadata("/proc/self").ok()?.uid().to_string();
        let users = std::fs::read_to_string("/etc/passwd").ok()?;
        let user = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == id).then(|| name.to_owned())
        })?;
        (!user.is_empty()).then_some(user)
    };
    let asked = || {
        let output = std::process::Command::new("id").arg("-un").output().ok()?;
        let name = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (!name.is_empty()).then_some(name)
    };
    // A program to ask takes longer than opening the workspace.
    let name = names.find(|name| !name.is_empty());
    let name = name.or_else(listed).or_else(asked);
    name.unwrap_or_else(|| "unknown".into())
}

impl Deref for Workspace {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.data
    }
}

/// A URL that may hold a password, and so is not shown.
#[derive(Clone)]
pub struct Url(pub String);

impl From<String> for Url {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a URL")
    }
}

//! The workspace that a command works on, and where its state is.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use hindsight::store::Store;
use hindsight::{Engine, Result, Role, Severity};
use tokio::sync::mpsc;

use super::terminal::{CAUTION, remark};

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

impl Workspace {
    /// The URL of its state; `None` where that is in the workspace.
    pub fn state(&self) -> Option<&str> {
        self.state.as_ref().map(|Url(url)| url.as_str())
    }

    /// Opens it for statements that together may use so many bytes of memory.
    pub async fn open_limited(&self, memory_limit: Option<usize>) -> Result<Engine> {
        let engine = Engine::open_limited(self, self.state(), memory_limit).await?;
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        opened.push(Arc::clone(engine.store()));
        Ok(engine)
    }

    /// Opens it.
    pub async fn open(&self) -> Result<Engine> {
        let engine = self.open_limited(None).await?;
        let engine = engine.of_user(&user(), Role::Operator).await?;
        let (sender, mut notices) = mpsc::unbounded_channel();
        engine.listen(sender);
        tokio::spawn(async move {
            while let Some(notice) = notices.recv().await {
                // How far a run is, a progress bar shows.
                if notice.severity == Severity::Warning {
                    remark(format_args!(
                        "{CAUTION}warning{CAUTION:#}: {}",
                        notice.message
                    ));
                }
            }
        });
        Ok(engine)
    }
}

/// The state of what this process has opened.
static OPENED: Mutex<Vec<Arc<Store>>> = Mutex::new(Vec::new());

/// Closes the state of every workspace that is open.
pub async fn close() {
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

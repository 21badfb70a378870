//! The workspace that a command works on, and where its state is.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use clap::Args;
use hindsight::{Engine, Result};

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

    /// Opens it.
    pub async fn open(&self) -> Result<Engine> {
        Engine::open_with_state(self, self.state()).await
    }
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

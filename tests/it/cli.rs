//! The command line, as a user or a script meets it: bytes, exit codes, interruption.

mod belief;
mod database;
mod demo;
mod files;
mod formats;
mod options;
mod page;
mod reports;
mod scripts;
mod serve;
mod shell;
#[cfg(target_os = "linux")]
mod terminal;
mod unit;
mod warnings;
mod wrong_price;

use std::path::Path;
use std::process::{Command, Output, Stdio};

type Outcome = Result<(), Box<dyn std::error::Error>>;

pub fn hindsight(workspace: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hindsight"));
    command
        .env_remove("HINDSIGHT_DATA")
        .env_remove("HINDSIGHT_STATE")
        // Whoever runs the tests may have settings of their own.
        .env("XDG_CONFIG_HOME", workspace.join("no-configuration"))
        .arg("--data")
        .arg(workspace)
        .stdin(Stdio::null());
    command
}

/// A workspace in which nothing was loaded: what its operator has decided makes it one.
pub fn workspace() -> std::io::Result<tempfile::TempDir> {
    let workspace = tempfile::tempdir()?;
    std::fs::write(workspace.path().join("hindsight.json"), "{}")?;
    Ok(workspace)
}

pub fn run(workspace: &Path, arguments: &[&str]) -> std::io::Result<Output> {
    hindsight(workspace).args(arguments).output()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Standard output of a command that must succeed.
fn stdout(workspace: &Path, arguments: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
    let output = run(workspace, arguments)?;
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    Ok(text(&output.stdout))
}

/// Exit code and standard error of a command that must fail.
fn failure(workspace: &Path, arguments: &[&str]) -> std::io::Result<(Option<i32>, String)> {
    let output = run(workspace, arguments)?;
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    Ok((output.status.code(), text(&output.stderr)))
}

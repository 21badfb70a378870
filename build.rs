//! Tells the command line which commit it is built from, where this is a checkout of its own and git
//! is there; `HINDSIGHT_COMMIT` in the environment says it for any other build.

#![allow(
    clippy::print_stdout,
    reason = "it is how a build script speaks to cargo"
)]

use std::path::Path;
use std::process::Command;

const VARIABLE: &str = "HINDSIGHT_COMMIT";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    // A build that is not optimised is of work under way, between commits; and every commit would
    // have all of it compiled again.
    if std::env::var_os(VARIABLE).is_some() || std::env::var("OPT_LEVEL").as_deref() == Ok("0") {
        return;
    }
    // The sources may lie in a checkout of something else, whose commits are not theirs.
    if git(&["rev-parse", "--show-prefix"]).as_deref() != Some("") {
        return;
    }
    // Changes with every commit and checkout; without it the commit would soon be a wrong one.
    let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) else {
        return;
    };
    if !Path::new(&log).exists() {
        return;
    }
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
        println!("cargo::rustc-env={VARIABLE}={commit}");
    }
}

/// What git says, if it is there and has something to say.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}

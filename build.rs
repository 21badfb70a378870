//! Lists the files of the page, to be compiled in. And tells the command line which commit it is built
//! from, where this is a checkout of its own and git is there; `HINDSIGHT_COMMIT` in the environment
//! says it for any other build.

#![allow(
    clippy::print_stdout,
    reason = "it is how a build script speaks to cargo"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const VARIABLE: &str = "HINDSIGHT_COMMIT";
const PAGE: &str = "src/server/http/page";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    list_page();
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

/// Writes the list of the page's files: their names in the folder, and their contents.
fn list_page() {
    println!("cargo::rerun-if-changed={PAGE}");
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let folder = root.join(PAGE);
    let mut files = Vec::new();
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => files.push(path),
            }
        }
    }
    files.sort();
    let mut list =
        String::from("/// The files of the page.\npub static PAGE_FILES: &[(&str, &[u8])] = &[\n");
    for path in &files {
        let name = path.strip_prefix(&folder).unwrap_or(path);
        let name = name.to_string_lossy().replace('\\', "/");
        // To a string nothing cannot be written.
        let _ = writeln!(
            list,
            "    ({name:?}, include_bytes!({:?})),",
            path.display().to_string()
        );
    }
    list.push_str("];\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    if let Err(error) = fs::write(out.join("page_files.rs"), list) {
        println!("cargo::error=the list of the page's files cannot be written: {error}");
    }
}

/// What git says, if it is there and has something to say.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}

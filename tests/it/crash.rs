//! What a crash, a full disk or a second process can do to a workspace: nothing.
//!
//! Processes are killed with SIGKILL at random moments, `HINDSIGHT_KILLS` of them in all, 24 where
//! the variable is not set. Nothing here waits for a moment that suits it.

mod disk;
mod faults;
mod foreign;
mod load;
mod run_faults;
mod runs;
mod settings;
mod state;
mod together;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use hindsight::dataset::Dataset;
use tempfile::TempDir;

use crate::cli::{hindsight, text};
use crate::files::removed_at_the_end;
use crate::random::Random;

/// The parts that the kills are shared among: see [`kills`].
const PARTS: u64 = 8;

/// The kills of one part.
fn kills() -> u64 {
    let all = std::env::var("HINDSIGHT_KILLS").map_or(24, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("HINDSIGHT_KILLS must be a whole number, found {text}"))
    });
    u64::div_ceil(all, PARTS)
}

/// Kills processes at random moments of what they do, and counts how often it came too late.
struct Killer {
    random: Random,
    /// How long it takes undisturbed, as far as is known.
    whole: Duration,
    name: &'static str,
    killed: u64,
    ended: u64,
}

impl Killer {
    fn new(name: &'static str, whole: Duration) -> Self {
        Self {
            random: Random::of_test(name),
            whole,
            name,
            killed: 0,
            ended: 0,
        }
    }

    /// The next attempt, counted from 0, until as many were killed as shall be.
    fn next_round(&self) -> Option<u64> {
        (self.killed < kills()).then_some(self.killed + self.ended)
    }

    /// Starts a command and kills it at a random moment; what it did if it ended before.
    fn kill(&mut self, command: &mut Command) -> Option<Output> {
        self.kill_saying(command, Stdio::piped())
    }

    /// [`Self::kill`] where what it says goes elsewhere.
    fn kill_saying(&mut self, command: &mut Command, errors: Stdio) -> Option<Output> {
        // Somewhat longer too, so that the last steps are hit as often as the others.
        let longest = i64::try_from(self.whole.as_micros() * 11 / 10).unwrap();
        let delay = Duration::from_micros(self.random.small(0, longest) as u64);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        std::thread::sleep(delay);
        // The child is not waited for yet, so that its number is still its own.
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        if output.status.code().is_none() {
            self.killed += 1;
            self.whole = self.whole * 101 / 100;
            return None;
        }
        // Moments are chosen so that one in some comes too late: else the end would go unharmed.
        self.ended += 1;
        self.whole = self.whole * 95 / 100;
        Some(output)
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        let Self { name, whole, .. } = self;
        let (killed, ended) = (self.killed, self.ended);
        eprintln!("{name}: {killed} killed within {whole:?}, {ended} had ended before");
    }
}

/// What a command that must succeed prints, and how long it takes.
fn done(command: &mut Command) -> (String, Duration) {
    let started = Instant::now();
    let output = command.output().unwrap();
    let took = started.elapsed();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        text(&output.stderr)
    );
    (text(&output.stdout), took)
}

/// What the whole of a dataset says, so that a part of it would be noticed.
const DIGEST: &str = "\
    select (select count(*) from signals) as signals, (select sum(score) from signals) as scores, \
        (select count(*) from token_prices) as prices, (select sum(price) from token_prices) as sum, \
        (select max(timestamp) from token_prices) as last, \
        (select count(*) from trade_outcomes) as trades, \
        (select sum(realized_pnl_sol) from trade_outcomes) as pnl";

fn digest(workspace: &Path) -> String {
    done(hindsight(workspace).args(["query", DIGEST, "--format", "csv"])).0
}

fn fingerprint(workspace: &Path) -> String {
    Dataset::open(workspace).unwrap().fingerprint
}

/// The files of a history of some days that lasts a while to load.
struct Files {
    directory: TempDir,
}

impl Files {
    /// The same for all tests.
    fn get() -> &'static Self {
        static FILES: LazyLock<Files> = LazyLock::new(|| {
            let directory = removed_at_the_end(tempfile::tempdir().unwrap());
            done(hindsight(directory.path()).args(["demo", "--days", "30"]));
            Files { directory }
        });
        &FILES
    }

    fn path(&self, table: &str) -> PathBuf {
        self.directory.path().join(format!("demo/{table}.parquet"))
    }

    /// The command that loads them.
    fn load(&self, workspace: &Path) -> Command {
        let mut command = hindsight(workspace);
        command.arg("load");
        for (option, table) in [
            ("--signals", "signals"),
            ("--prices", "token_prices"),
            ("--trades", "trade_outcomes"),
        ] {
            command.arg(option).arg(self.path(table));
        }
        command
    }
}

/// Loads `tests/data/tiny`, a small history.
fn load_tiny(workspace: &Path) {
    let file = |table: &str| crate::files::test_data().join(format!("tiny/{table}.parquet"));
    let mut command = hindsight(workspace);
    command.arg("load").arg("--signals").arg(file("signals"));
    command.arg("--prices").arg(file("token_prices"));
    done(command.arg("--trades").arg(file("trade_outcomes")));
}

/// The files of the dataset, relative to it.
fn dataset_files(workspace: &Path) -> Vec<String> {
    let root = workspace.join("dataset");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        let inside = std::fs::read_dir(&path).into_iter().flatten();
        let mut all: Vec<_> = inside.map(|entry| entry.unwrap().path()).collect();
        if all.is_empty() {
            all.push(path);
        }
        files.extend(all.iter().map(|path| {
            let relative = path.strip_prefix(&root).unwrap();
            relative.to_str().unwrap().to_owned()
        }));
    }
    files.sort();
    files
}

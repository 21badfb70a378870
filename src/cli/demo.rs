//! `hindsight demo`: makes a synthetic history, loads it, and shows what the defaults would have
//! made of it.
//!
//! A note beside the history says which one it is, so that a second demo finds it loaded and
//! neither demo nor data of the user's is ever mixed with the other. It is there before the files
//! are: a folder of that name without it is not ours, and is left alone.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use hindsight::dataset::Dataset;
use hindsight::ingest::synthetic::SyntheticHistory;
use hindsight::ingest::{self, LoadRequest};
use hindsight::{Engine, Error, Result};
use serde::{Deserialize, Serialize};

use super::comparison::Comparison;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::numbers::{grouped, whole};
use super::output::OutputArgs;
use super::progress::{Bar, LoadProgress};
use super::terminal::{BOLD, DIM, aside, remark, seconds};
use super::values::{Form, write_value};
use super::workspace::Workspace;

const DIRECTORY: &str = "demo";
const NOTE: &str = "history.json";
const FILES: [&str; 3] = [
    "signals.parquet",
    "token_prices.parquet",
    "trade_outcomes.parquet",
];

/// Make a synthetic history, load it and backtest the defaults over it
#[derive(Debug, Args)]
#[command(
    long_about = "Make a synthetic history of copy trades, load it and backtest the default \
                  settings over all of it.\n\n\
                  The same seed and days give the same history on every machine. The workspace \
                  must be empty, or hold this demo already.",
    after_help = "Examples:\n  \
                  hindsight demo\n  \
                  hindsight demo --open\n  \
                  hindsight --data ./demo demo --days 30 --seed 7"
)]
pub struct DemoArgs {
    /// Which history to make
    #[arg(long, value_name = "N", default_value_t = SyntheticHistory::default().seed, value_parser = whole::<u64>)]
    seed: u64,
    /// Length of the history, in days
    #[arg(long, value_name = "N", default_value_t = SyntheticHistory::default().days, value_parser = whole::<u32>)]
    days: u32,
    /// Then serve its page, on a free port, and print the link that opens it
    #[arg(long)]
    pub open: bool,
    /// In all formats but table, the row of the backtest
    #[command(flatten)]
    output: OutputArgs,
}

/// Which history was made, and the dataset that loading it gave; no fingerprint until it has.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    seed: u64,
    days: u32,
    fingerprint: String,
}

pub async fn execute(
    workspace: &Workspace,
    arguments: DemoArgs,
    interrupt: &Interrupt,
) -> std::result::Result<(), Failure> {
    let is_table = arguments.output.is_table();
    let mut output = arguments.output.open()?;
    let history = SyntheticHistory {
        seed: arguments.seed,
        days: arguments.days,
    };
    if is_loaded(workspace, history)? {
        aside(format_args!(
            "{} holds this history already",
            workspace.display()
        ));
    } else {
        let started = Instant::now();
        let (directory, listener) = (workspace.to_path_buf(), interrupt.clone());
        let rows = interrupt
            .write(move || make(&directory, history, &listener))
            .await?;
        aside(format_args!(
            "made and loaded {} days, {} prices, in {}",
            history.days,
            grouped(rows),
            seconds(started.elapsed())
        ));
    }

    let started = Instant::now();
    let spinner = Bar::spinner("backtesting");
    let engine = workspace.open().await?;
    let first_day = first_day(&engine)?;
    let call = format!("start_date => '{first_day}'");
    if is_table {
        let comparison = Comparison::run(&engine, &call).await?;
        drop(spinner);
        comparison.print()?;
    } else {
        let sql = format!("select * from backtest({call})");
        let row = engine.run(&sql).await?;
        output.write_after(row, true, move || drop(spinner)).await?;
    }
    aside(format_args!(
        "one backtest in {}, {} signals over {} prices",
        seconds(started.elapsed()),
        grouped(engine.dataset().signals.num_rows() as u64),
        grouped(engine.dataset().price_book.price_count() as u64)
    ));
    print_next(workspace, &first_day);
    Ok(())
}

/// Whether the workspace holds this very history; refuses any other.
fn is_loaded(workspace: &Path, history: SyntheticHistory) -> std::result::Result<bool, Failure> {
    let dataset = Dataset::open(workspace)?;
    if dataset.generation == 0 {
        return Ok(false);
    }
    let refuse = |problem: String| {
        let error = Error::Workspace {
            path: workspace.to_owned(),
            problem,
        };
        Failure::from(error).with_hint("give the demo a workspace of its own, as in --data ./demo")
    };
    let note = fs::read(workspace.join(DIRECTORY).join(NOTE)).ok();
    let note: Option<Note> = note.and_then(|note| serde_json::from_slice(&note).ok());
    match note {
        Some(note) if note.fingerprint.is_empty() => Err(refuse(
            "holds a history already, which a demo would mix with".into(),
        )),
        Some(note) if note.fingerprint != dataset.fingerprint => Err(refuse(
            "holds more than a demo, which would mix with it".into(),
        )),
        Some(note) if (note.seed, note.days) == (history.seed, history.days) => Ok(true),
        Some(note) => Err(refuse(format!(
            "holds another demo already: --seed {} --days {}",
            note.seed, note.days
        ))),
        None => Err(refuse(
            "holds a history already, which a demo would mix with".into(),
        )),
    }
}

/// Makes and loads the history; whatever fails leaves the workspace as it was. Returns its prices.
fn make(workspace: &Path, history: SyntheticHistory, interrupt: &Interrupt) -> Result<u64> {
    let directory = workspace.join(DIRECTORY);
    refuse_others(&directory)?;
    let (makes_workspace, makes_directory) = (!workspace.exists(), !directory.exists());
    let undo = {
        let (workspace, directory) = (workspace.to_owned(), directory.clone());
        move || {
            // What cannot be removed does no harm, and there is another error to report.
            for file in FILES.iter().chain(&[NOTE]) {
                let _ = fs::remove_file(directory.join(file));
            }
            if makes_directory {
                let _ = fs::remove_dir(&directory);
            }
            if makes_workspace {
                Dataset::remove(&workspace);
                let _ = fs::remove_dir(&workspace);
            }
        }
    };
    interrupt.set_undo(undo.clone());
    let made = make_in(workspace, &directory, history, interrupt);
    if made.is_err() {
        undo();
    }
    made
}

/// Refuses a folder in which something lies that no demo has put there.
fn refuse_others(directory: &Path) -> Result<()> {
    let note = directory.join(NOTE);
    let is_file = fs::symlink_metadata(&note).is_ok_and(|metadata| metadata.is_file());
    let note = fs::read(&note).ok().filter(|_| is_file);
    let is_ours = note.is_some_and(|note| serde_json::from_slice::<Note>(&note).is_ok());
    let is_empty = match fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    match is_ours || is_empty {
        true => Ok(()),
        false => Err(Error::Workspace {
            path: directory.to_owned(),
            problem: "is in the way: a demo puts its files there, and it holds something else. \
                      Nothing in it was touched; give the demo a workspace of its own, as in \
                      --data ./demo-data"
                .into(),
        }),
    }
}

/// A directory that only its user may look into, and those above it.
fn make_directories(workspace: &Path, directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if let Some(above) = workspace.parent() {
        fs::create_dir_all(above)?;
    }
    let workspace = fs::DirBuilder::new().mode(0o700).create(workspace);
    match workspace {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    fs::create_dir_all(directory)
}

fn make_in(
    workspace: &Path,
    directory: &Path,
    history: SyntheticHistory,
    interrupt: &Interrupt,
) -> Result<u64> {
    let unwritable = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| Error::Workspace {
            path,
            problem: format!("cannot be written: {error}"),
        }
    };
    let path = directory.join(NOTE);
    let note = |fingerprint: String| {
        let note = Note {
            seed: history.seed,
            days: history.days,
            fingerprint,
        };
        let text = serde_json::to_vec(&note).map_err(std::io::Error::from);
        text.and_then(|text| fs::write(&path, text))
            .map_err(unwritable(&path))
    };
    make_directories(workspace, directory).map_err(unwritable(directory))?;
    note(String::new())?;
    let bar = Bar::new("making a history", 0);
    let files = history.write(directory, &|done, total| {
        bar.set(done, total);
        match interrupt.is_set() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    drop(bar);
    let literal = |path: PathBuf| vec![path.display().to_string()];
    let request = LoadRequest {
        signals: literal(files.signals),
        prices: literal(files.prices),
        trades: literal(files.trades),
        ..LoadRequest::default()
    };
    let summary = ingest::load(workspace, &request, &LoadProgress::new(interrupt))?;
    note(summary.fingerprint)?;
    Ok(summary.prices.total)
}

/// The day of the first signal.
fn first_day(engine: &Engine) -> Result<String> {
    let mut first = String::new();
    if let Some(timestamps) = engine.dataset().signals.column_by_name("timestamp")
        && !timestamps.is_empty()
    {
        write_value(&mut first, timestamps, 0, Form::Text)?;
    }
    first.truncate("2025-01-01".len());
    Ok(first)
}

/// Three commands to paste, with the program as it was called.
fn print_next(workspace: &Path, first_day: &str) {
    let program = std::env::args().next().unwrap_or("hindsight".into());
    let program = shell_word(&program);
    let data = match workspace == Path::new("./hindsight-data") {
        true => String::new(),
        false => format!(" --data {}", shell_word(&workspace.display().to_string())),
    };
    remark(format_args!("\n{BOLD}Try next{BOLD:#}"));
    for (what, command) in [
        (
            "tighter settings over the same days",
            format!(
                "{program}{data} run --set start_date={first_day} --set stop_loss_percent=8 \
                 --set score_threshold=80"
            ),
        ),
        (
            "a grid of them, best first",
            format!(
                "{program}{data} sweep --set start_date={first_day} \
                 --set stop_loss_percent=8,12,15 --set score_threshold=60:90:5"
            ),
        ),
        (
            "how trades ended, in SQL",
            format!(
                "{program}{data} query \"select exit_reason, count(*) as trades, sum(net_pnl_sol) \
                 as pnl_sol from simulate_trades(start_date => '{first_day}') group by exit_reason \
                 order by pnl_sol desc\""
            ),
        ),
    ] {
        remark(format_args!("  {DIM}# {what}{DIM:#}\n  {command}"));
    }
}

/// A word as a POSIX shell takes it literally.
fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%,=".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

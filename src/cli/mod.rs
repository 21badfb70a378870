//! The command line: one file for each subcommand. Only this module knows clap and the terminal.
//!
//! Results go to standard output, everything else to standard error. A command runs as a task of
//! its own, so that Ctrl-C ends it whatever it is doing; what holds files open is asked to stop and
//! given a moment to tidy up.

mod apply;
mod changes;
mod compare;
mod comparison;
mod consent;
mod copy;
mod demo;
mod failure;
mod history;
mod ids;
mod interrupt;
mod live_settings;
mod load;
mod numbers;
mod output;
mod progress;
mod query;
mod rollback;
mod run;
mod scenarios;
mod serve;
mod settings;
mod shell;
mod statements;
mod status;
mod sweep;
mod table;
mod terminal;
mod user;
mod values;
mod workspace;

use std::time::Duration;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{Parser, Subcommand};
use hindsight::{Error, configuration, runs};

use failure::Failure;
use interrupt::Interrupt;
use workspace::Workspace;

/// How long a load may take to remove its traces after Ctrl-C, and the state to close at the end.
const GRACE: Duration = Duration::from_millis(400);

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "hindsight",
    version,
    about = "Had our settings been different, what would have happened? Exact backtests of copy trades, in SQL.",
    after_help = "Exit codes: 0 done, 1 the statement or its data was wrong, 2 usage, \
                  3 the workspace, state or connection failed, 130 interrupted.",
    styles = STYLES,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    workspace: Workspace,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(status::StatusArgs),
    Demo(demo::DemoArgs),
    Load(load::LoadArgs),
    Run(run::RunArgs),
    Sweep(sweep::SweepArgs),
    History(history::HistoryArgs),
    Compare(compare::CompareArgs),
    Scenarios(scenarios::ScenariosArgs),
    Settings(live_settings::SettingsArgs),
    Apply(apply::ApplyArgs),
    Rollback(rollback::RollbackArgs),
    Query(query::QueryArgs),
    Shell(shell::ShellArgs),
    Serve(serve::ServeArgs),
    User(user::UserArgs),
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default())
    .error(AnsiColor::Red.on_default().bold());

/// Runs a command to its end, or until Ctrl-C.
pub fn execute(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Io {
            path: "threads".into(),
            source,
        })?;
    // In the shell Ctrl-C stops a statement, not the session; the server lets what runs finish.
    let interrupt = match cli.command {
        Command::Shell(_) | Command::Serve(_) => Interrupt::never(),
        _ => Interrupt::listen(),
    };
    let outcome = runtime.block_on(async {
        let mut task = tokio::spawn(dispatch(cli, interrupt.clone()));
        let joined = tokio::select! {
            joined = &mut task => joined,
            () = interrupt.happened() => {
                // What writes is let finish or undo; a query is simply left behind.
                // A run that nobody waits for any more stores that it was cancelled.
                let ended = match interrupt.is_writing() {
                    true => tokio::time::timeout(GRACE, &mut task).await.ok(),
                    false => {
                        task.abort();
                        let ended = async {
                            let _ = (&mut task).await;
                            runs_ended().await;
                        };
                        let _ = tokio::time::timeout(GRACE, ended).await;
                        None
                    }
                };
                match ended {
                    Some(joined) => joined,
                    None => {
                        interrupt.undo();
                        return Err(Error::Cancelled.into());
                    }
                }
            }
        };
        joined.unwrap_or_else(|error| Err(Failure::crashed(&error)))
    });
    // What is committed is safe without it; only files of SQLite would stay beside the state.
    let closed = async { tokio::time::timeout(GRACE, workspace::close()).await };
    let _ = runtime.block_on(closed);
    runtime.shutdown_background();
    outcome
}

/// Waits until no run is under way in this process.
async fn runs_ended() {
    while runs::any_unended() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn dispatch(cli: Cli, interrupt: Interrupt) -> Result<(), Failure> {
    let workspace = cli.workspace;
    configuration::apply(&workspace)?;
    match cli.command {
        Command::Status(arguments) => status::execute(&workspace, arguments, &interrupt).await,
        Command::Demo(arguments) => demo::execute(&workspace, arguments, &interrupt).await,
        Command::Load(arguments) => load::execute(&workspace, arguments, &interrupt).await,
        Command::Run(arguments) => run::execute(&workspace, arguments).await,
        Command::Sweep(arguments) => sweep::execute(&workspace, arguments).await,
        Command::History(arguments) => history::execute(&workspace, arguments).await,
        Command::Compare(arguments) => compare::execute(&workspace, arguments).await,
        Command::Scenarios(arguments) => scenarios::execute(&workspace, arguments).await,
        Command::Settings(arguments) => live_settings::execute(&workspace, arguments).await,
        Command::Apply(arguments) => apply::execute(&workspace, arguments).await,
        Command::Rollback(arguments) => rollback::execute(&workspace, arguments).await,
        Command::Query(arguments) => query::execute(&workspace, arguments).await,
        Command::Shell(arguments) => shell::execute(&workspace, arguments).await,
        Command::Serve(arguments) => serve::execute(&workspace, arguments).await,
        Command::User(arguments) => user::execute(&workspace, arguments).await,
    }
}

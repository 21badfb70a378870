//! The command line: one file for each subcommand. Only this module knows clap and the terminal.
//!
//! Results go to standard output, everything else to standard error. A command runs as a task of
//! its own, so that Ctrl-C ends it whatever it is doing; what holds files open is asked to stop and
//! given a moment to tidy up.

mod apply;
mod belief;
mod calibrate;
mod changes;
mod compare;
mod comparison;
mod completions;
mod config;
mod consent;
mod copy;
mod demo;
mod failure;
mod history;
mod ids;
mod interrupt;
mod live_settings;
mod load;
mod near;
mod numbers;
mod options;
mod output;
mod progress;
mod query;
mod report;
mod reports;
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
mod variables;
mod version;
mod walk_forward;
#[cfg(feature = "distributed")]
mod worker;
mod workspace;

use std::process::ExitCode;
use std::time::Duration;

use clap::builder::styling::AnsiColor;
use clap::builder::{FalseyValueParser, Styles};
use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use hindsight::allocator;
use hindsight::caller::runs;
use hindsight::{Error, configuration};

use failure::Failure;
use interrupt::Interrupt;
use options::{Files, Setting};
use version::version;
use workspace::Workspace;

/// How long a load may take to remove its traces after Ctrl-C, and the state to close at the end.
const GRACE: Duration = Duration::from_millis(400);

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "hindsight",
    version = version(),
    about = "Had our settings been different, what would have happened? Exact backtests of copy trades, in SQL.",
    after_help = "hindsight.toml in the current directory or the user's configuration directory sets \
                  what is not given here; hindsight config shows what is in force.\n\n\
                  Exit codes: 0 done, 1 the statement or its data was wrong, 2 usage, \
                  3 the workspace, state or connection failed, 130 interrupted.",
    styles = STYLES,
    max_term_width = 100,
    arg_required_else_help = true
)]
struct Cli {
    #[command(flatten)]
    workspace: Workspace,
    /// Say nothing but results, warnings and errors
    #[arg(
        long,
        short,
        global = true,
        value_parser = FalseyValueParser::new(),
        hide_env = true
    )]
    quiet: bool,
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
    WalkForward(walk_forward::WalkForwardArgs),
    Calibrate(calibrate::CalibrateArgs),
    History(history::HistoryArgs),
    Compare(compare::CompareArgs),
    Scenarios(scenarios::ScenariosArgs),
    Settings(live_settings::SettingsArgs),
    Apply(apply::ApplyArgs),
    Rollback(rollback::RollbackArgs),
    Report(report::ReportArgs),
    Query(query::QueryArgs),
    Shell(shell::ShellArgs),
    Serve(serve::ServeArgs),
    #[cfg(feature = "distributed")]
    Worker(worker::WorkerArgs),
    User(user::UserArgs),
    Config(config::ConfigArgs),
    Completions(completions::CompletionsArgs),
    Man(completions::ManArgs),
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default())
    .error(AnsiColor::Red.on_default().bold());

/// Runs what was asked for on the command line.
pub fn main() -> ExitCode {
    allocator::keep();
    let (cli, settings) = match parse() {
        Ok(parsed) => parsed,
        Err(code) => return code,
    };
    if cli.quiet {
        terminal::be_quiet();
    }
    let done = match cli.command {
        Command::Completions(arguments) => completions::completions(Cli::command(), &arguments),
        Command::Man(arguments) => completions::man(Cli::command(), &arguments),
        _ => execute(cli, settings),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Reads the command line, what it leaves out from the files of settings and the environment. Whoever
/// asks for help gets it, whatever is wrong with those.
fn parse() -> Result<(Cli, Vec<Setting>), ExitCode> {
    let command = Cli::command();
    let files = match Files::read(&command) {
        Ok(files) => files,
        Err(error) => {
            return Err(match command.try_get_matches() {
                Err(asked) if !asked.use_stderr() => print(&asked),
                _ => Failure::from(error).report(),
            });
        }
    };
    let command = files.as_defaults_of(command);
    let parsed = command.clone().try_get_matches().and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches);
        cli.map_err(|error| error.format(&mut command.clone()))
            .map(|cli| (cli, matches))
    });
    match parsed {
        Ok((cli, matches)) => {
            let settings = match cli.command {
                Command::Config(_) => files.settings(&command, &matches),
                _ => Vec::new(),
            };
            Ok((cli, settings))
        }
        Err(error) => Err(refused(&error, &files)),
    }
}

/// Prints help, the version or what is wrong with a command line.
fn print(error: &clap::Error) -> ExitCode {
    match error.print() {
        Err(failed) if !error.use_stderr() => Failure::from(failed).report(),
        _ => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)),
    }
}

/// As [`print`], and where a wrong value is from a file, which.
fn refused(error: &clap::Error, files: &Files) -> ExitCode {
    let code = print(error);
    let value = error.get(ContextKind::InvalidValue);
    if let Some(ContextValue::String(value)) = value
        && let Some(file) = files.origin_of(value)
    {
        terminal::say(format_args!("it may stand in {}", file.display()));
    }
    code
}

/// Runs a command to its end, or until Ctrl-C.
fn execute(cli: Cli, settings: Vec<Setting>) -> Result<(), Failure> {
    // What a panic costs is said where it is caught, in one sentence.
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        std::panic::set_hook(Box::new(|_| {}));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(hindsight::server::STACK)
        .enable_all()
        .build()
        .map_err(|source| Error::Io {
            path: "threads".into(),
            source,
        })?;
    // In the shell Ctrl-C stops a statement, not the session; the server lets what runs finish.
    let interrupt = match cli.command {
        Command::Shell(_) | Command::Serve(_) => Interrupt::never(),
        #[cfg(feature = "distributed")]
        Command::Worker(_) => Interrupt::never(),
        _ => Interrupt::listen(),
    };
    let outcome = runtime.block_on(async {
        let mut task = tokio::spawn(dispatch(cli, settings, interrupt.clone()));
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

async fn dispatch(cli: Cli, settings: Vec<Setting>, interrupt: Interrupt) -> Result<(), Failure> {
    let workspace = cli.workspace;
    if !matches!(cli.command, Command::Config(_)) {
        // A wrong one is refused whatever is asked for.
        configuration::ranges(&workspace)?;
    }
    match cli.command {
        Command::Status(arguments) => status::execute(&workspace, arguments, &interrupt).await,
        Command::Demo(arguments) => {
            let opens = arguments.open;
            demo::execute(&workspace, arguments, &interrupt).await?;
            match opens {
                true => serve::open(&workspace).await,
                false => Ok(()),
            }
        }
        Command::Load(arguments) => load::execute(&workspace, arguments, &interrupt).await,
        Command::Run(arguments) => run::execute(&workspace, arguments).await,
        Command::Sweep(arguments) => sweep::execute(&workspace, arguments).await,
        Command::WalkForward(arguments) => walk_forward::execute(&workspace, arguments).await,
        Command::Calibrate(arguments) => calibrate::execute(&workspace, arguments).await,
        Command::History(arguments) => history::execute(&workspace, arguments).await,
        Command::Compare(arguments) => compare::execute(&workspace, arguments).await,
        Command::Scenarios(arguments) => scenarios::execute(&workspace, arguments).await,
        Command::Settings(arguments) => live_settings::execute(&workspace, arguments).await,
        Command::Apply(arguments) => apply::execute(&workspace, arguments).await,
        Command::Rollback(arguments) => rollback::execute(&workspace, arguments).await,
        Command::Report(arguments) => report::execute(&workspace, arguments).await,
        Command::Query(arguments) => query::execute(&workspace, arguments).await,
        Command::Shell(arguments) => shell::execute(&workspace, arguments).await,
        Command::Serve(arguments) => serve::execute(&workspace, arguments).await,
        #[cfg(feature = "distributed")]
        Command::Worker(arguments) => worker::execute(&workspace, arguments).await,
        Command::User(arguments) => user::execute(&workspace, arguments).await,
        Command::Config(arguments) => config::execute(settings, arguments).await,
        // These need no workspace, and are printed before.
        Command::Completions(_) | Command::Man(_) => Ok(()),
    }
}

//! `hindsight query`: statements from the argument, a file or standard input, each result in order.

use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use hindsight::{Engine, Error};

use super::copy;
use super::failure::Failure;
use super::output::{Output, OutputArgs};
use super::reports::{self, Report};
use super::serve::bytes;
use super::settings::{self, Setting};
use super::statements;
use super::variables::{self, Variables};
use super::workspace::{Workspace, begin_statement};

/// Run SQL statements and print their results
#[derive(Debug, Args)]
#[command(
    long_about = "Run SQL statements and print their results.\n\n\
                  Several statements end with semicolons; the first that fails ends the script, with \
                  exit code 1. With -v name=value, :name in a statement is the value as it is, :'name' \
                  the value as a text in quotes, :\"name\" the value as a name in quotes.\n\n\
                  --report NAME answers a ready-made question over the settings that --set gives; \
                  --report alone lists them.",
    after_help = "Examples:\n  \
                  hindsight query \"select * from backtest(stop_loss_percent => 12)\"\n  \
                  hindsight query \"select * from signals\" --format csv > signals.csv\n  \
                  hindsight query \"select * from equity_curve()\" -o equity.parquet\n  \
                  hindsight query \"copy signals to 'signals.csv'\"\n  \
                  hindsight query -f report.sql -v day=2025-01-31 --format json\n  \
                  hindsight query --report wallets --set start_date=2025-01-01\n  \
                  echo \"show tables\" | hindsight query -"
)]
pub struct QueryArgs {
    /// One statement, or several that end with semicolons; - is standard input [default: -]
    sql: Option<String>,
    /// Read the statements from a file; - is standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "sql")]
    file: Option<PathBuf>,
    /// A variable, used as :name, :'name' or :"name"
    #[arg(short = 'v', long = "variable", value_name = "NAME=VALUE", value_parser = variables::parse)]
    variables: Vec<(String, String)>,
    /// Answer a ready-made question; without a name, list them
    #[arg(
        long,
        value_name = "NAME",
        num_args = 0..=1,
        default_missing_value = "",
        conflicts_with_all = ["sql", "file", "variables"]
    )]
    report: Option<String>,
    /// A parameter of the report and its value, or scenario=NAME
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::parse, requires = "report")]
    settings: Vec<Setting>,
    /// Memory that the statements may use, such as 512MB or 4GB [default: as much as they need]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory_limit: Option<usize>,
    #[command(flatten)]
    output: OutputArgs,
}

pub async fn execute(workspace: &Workspace, arguments: QueryArgs) -> Result<(), Failure> {
    let mut output = arguments.output.open()?;
    let (script, variables) = match arguments.report.as_deref() {
        Some("") => (reports::list(), Variables::default()),
        Some(name) => {
            let report = Report::named(name)?;
            (
                report.sql.to_owned(),
                reports::variables(&arguments.settings),
            )
        }
        None => {
            let script = read(arguments.sql, arguments.file.as_deref())?;
            (script, arguments.variables.into_iter().collect())
        }
    };
    let engine = workspace.open_within(arguments.memory_limit).await?;
    run_script(&engine, &mut output, &script, &variables).await?;
    output.finish()
}

/// Runs the statements of a script until one fails.
async fn run_script(
    engine: &Engine,
    output: &mut Output,
    script: &str,
    variables: &Variables,
) -> Result<(), Failure> {
    let (script, unset) = variables.put_into(script);
    let explained = |failure: Failure| match &unset {
        Some(name) => failure.or_hint(format!("nobody has set :{name}; -v {name}=… sets it")),
        None => failure,
    };
    let statements = statements::split(&script).map_err(|error| explained(error.into()))?;
    for (position, statement) in statements.iter().enumerate() {
        let is_last = position + 1 == statements.len();
        begin_statement();
        let result = async {
            if let Some(copy) = copy::read(statement.sql)? {
                return copy::execute(engine, &copy).await;
            }
            let outcome = engine.run(statement.sql).await?;
            output.write(outcome, is_last).await
        };
        result.await.map_err(|failure: Failure| {
            let failure = explained(failure);
            match statements.len() {
                1 => failure,
                _ => failure.at(format!(
                    "statement {} (line {})",
                    position + 1,
                    statement.line
                )),
            }
        })?;
    }
    Ok(())
}

/// The script, from wherever it comes.
fn read(sql: Option<String>, file: Option<&Path>) -> Result<String, Failure> {
    let named = |path: String, text: io::Result<String>| {
        text.map_err(|source| Failure::from(Error::Io { path, source }))
    };
    match (sql, file) {
        (Some(sql), _) if sql != "-" => Ok(sql),
        (None, Some(path)) if path != Path::new("-") => {
            named(path.display().to_string(), std::fs::read_to_string(path))
        }
        (None, None) if io::stdin().is_terminal() => Err(Failure::usage(
            "no statement to run",
            "hindsight query \"select …\", hindsight query -f FILE, or pipe statements in",
        )),
        _ => {
            let mut text = String::new();
            let read = io::stdin().read_to_string(&mut text);
            named("standard input".into(), read.map(|_| text))
        }
    }
}

//! `hindsight query`: statements from the argument, a file or standard input, each result in order.

use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use hindsight::Error;

use super::copy;
use super::failure::Failure;
use super::output::{Format, Output};
use super::statements;
use super::workspace::Workspace;

/// Run SQL statements and print their results
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                  hindsight query \"select * from backtest(stop_loss_percent => 12)\"\n  \
                  hindsight query \"select * from signals\" --format csv > signals.csv\n  \
                  hindsight query \"copy (select * from equity_curve()) to 'equity.parquet'\"\n  \
                  hindsight query -f report.sql --format json\n  \
                  echo \"show tables\" | hindsight query")]
pub struct QueryArgs {
    /// One statement, or several that end with semicolons [default: standard input]
    sql: Option<String>,
    /// Read the statements from a file; - is standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "sql")]
    file: Option<PathBuf>,
    /// How results are written, on a terminal and elsewhere
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn execute(workspace: &Workspace, arguments: QueryArgs) -> Result<(), Failure> {
    let mut output = Output::new(arguments.format)?;
    let script = read(arguments.sql, arguments.file.as_deref())?;
    let statements = statements::split(&script)?;
    let engine = workspace.open().await?;
    for (position, statement) in statements.iter().enumerate() {
        let is_last = position + 1 == statements.len();
        let result = async {
            if let Some(copy) = copy::read(statement.sql)? {
                return copy::execute(&engine, &copy).await;
            }
            let outcome = engine.run(statement.sql).await?;
            output.write(outcome, is_last).await
        };
        result.await.map_err(|failure: Failure| {
            if statements.len() == 1 {
                return failure;
            }
            failure.at(format!(
                "statement {} (line {})",
                position + 1,
                statement.line
            ))
        })?;
    }
    Ok(())
}

/// The script, from wherever it comes.
fn read(sql: Option<String>, file: Option<&Path>) -> Result<String, Failure> {
    let from_file = |path: String, text: io::Result<String>| {
        text.map_err(|source| Failure::from(Error::Io { path, source }))
    };
    match (sql, file) {
        (Some(sql), _) => Ok(sql),
        (None, Some(path)) if path != Path::new("-") => {
            from_file(path.display().to_string(), std::fs::read_to_string(path))
        }
        (None, None) if io::stdin().is_terminal() => Err(Failure::usage(
            "no statement to run",
            "hindsight query \"select …\", hindsight query -f FILE, or pipe statements in",
        )),
        (None, _) => {
            let mut text = String::new();
            let read = io::stdin().read_to_string(&mut text);
            from_file("standard input".into(), read.map(|_| text))
        }
    }
}

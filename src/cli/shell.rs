//! `hindsight shell`: statements typed one after the other, in one session.
//!
//! A statement ends with a semicolon and may span lines. Ctrl-C takes back what is being typed, or
//! stops what is running, and the session goes on; Ctrl-D or `\q` ends it.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use datafusion::arrow::array::AsArray;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use hindsight::{Engine, Error};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use tokio::runtime::Handle;

use super::copy;
use super::failure::Failure;
use super::output::{Format, Output};
use super::statements;
use super::terminal::{aside, remark, seconds};
use super::workspace::Workspace;

const PROMPT: &str = "hindsight> ";

const HELP: &str = "\
  select …;      a statement ends with a semicolon and may span lines
  \\d             the tables
  \\d NAME        the columns of a table
  \\df            the functions
  \\p             the parameters of a backtest
  \\q             ends the session, as Ctrl-D does
  Tab            completes names; Ctrl-R searches what was typed before";

/// Words that are completed beside the names of the engine.
const KEYWORDS: &str = "select from where group by order limit having join left on using with as \
                        and or not in is null between like case when then else end distinct count \
                        sum avg min max explain analyze show create temp table view desc asc call";

/// Type statements and see their results
#[derive(Debug, Args)]
pub struct ShellArgs {
    /// How results are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn execute(workspace: &Workspace, arguments: ShellArgs) -> Result<(), Failure> {
    let engine = workspace.open().await?;
    // Statements have threads of their own, which they may keep busy while Ctrl-C is listened for.
    let threads = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ended = converse(&engine, threads.handle(), arguments.format).await;
    threads.shutdown_background();
    ended
}

async fn converse(engine: &Engine, threads: &Handle, format: Format) -> Result<(), Failure> {
    let mut editor = editor(Names(names(engine).await?))?;
    let history = history_file();
    if let Some(file) = &history {
        // Nothing was typed yet, or it cannot be read: either way there is no history.
        let _ = editor.load_history(file);
    }
    if io::stdin().is_terminal() {
        aside(format_args!(
            "{} signals, dataset {}; \\? helps, \\q ends",
            engine.dataset().signals.num_rows(),
            engine
                .dataset()
                .fingerprint
                .get(..12)
                .unwrap_or("of no rows"),
        ));
    }
    loop {
        let typed;
        // The editor blocks its thread while it waits for keys.
        (editor, typed) = tokio::task::spawn_blocking(move || {
            let typed = editor.readline(PROMPT);
            (editor, typed)
        })
        .await
        .map_err(|error| Failure::crashed(&error))?;
        let typed = match typed {
            Ok(typed) => typed,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(unreadable(error)),
        };
        if typed.trim().is_empty() {
            continue;
        }
        let _ = editor.add_history_entry(typed.trim());
        if matches!(typed.trim().trim_end_matches(';'), "\\q" | "quit" | "exit") {
            break;
        }
        if let Err(failure) = run(engine, threads, typed.trim(), format).await {
            failure.report();
        }
    }
    if let Some(file) = &history {
        let _ = editor.save_history(file);
    }
    Ok(())
}

/// Runs what was typed, until it is done or Ctrl-C.
async fn run(
    engine: &Engine,
    threads: &Handle,
    typed: &str,
    format: Format,
) -> Result<(), Failure> {
    let script = match typed.strip_prefix('\\') {
        Some("?" | "h") => {
            remark(HELP);
            return Ok(());
        }
        Some(command) => match abbreviated(command) {
            Some(sql) => sql,
            None => {
                return Err(Failure::usage(
                    format!("there is no \\{command}"),
                    "\\? lists what there is",
                ));
            }
        },
        None => typed.to_owned(),
    };
    for statement in statements::split(&script)? {
        let started = Instant::now();
        // Each result stands alone, whatever its format.
        let mut output = Output::new(format)?;
        let (engine, sql) = (engine.clone(), statement.sql.to_owned());
        let mut task = threads.spawn(async move {
            if let Some(copy) = copy::read(&sql)? {
                return copy::execute(&engine, &copy).await;
            }
            let outcome = engine.run(&sql).await?;
            output.write(outcome, true).await
        });
        tokio::select! {
            joined = &mut task => joined.map_err(|error| Failure::crashed(&error))??,
            _ = tokio::signal::ctrl_c() => {
                task.abort();
                return Err(Error::Cancelled.into());
            }
        }
        if io::stdin().is_terminal() {
            aside(seconds(started.elapsed()));
        }
    }
    Ok(())
}

/// The statement behind a command with a backslash.
fn abbreviated(command: &str) -> Option<String> {
    let mut words = command.trim_end_matches(';').split_whitespace();
    let sql = match (words.next()?, words.next()) {
        ("d", Some(table)) => {
            let table = table.replace('\'', "''");
            format!(
                "select column_name, data_type, is_nullable from information_schema.columns \
                 where table_name = '{table}' order by ordinal_position"
            )
        }
        ("d", None) => "select table_name, table_type from information_schema.tables \
                        where table_schema = 'public' order by table_name"
            .into(),
        ("df", None) => "select distinct routine_name, description \
                         from information_schema.routines order by routine_name"
            .into(),
        ("p", None) => "select * from parameters".into(),
        _ => return None,
    };
    Some(sql)
}

fn editor(names: Names) -> Result<Editor<Names, FileHistory>, Failure> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_space(true)
        .build();
    let mut editor = Editor::with_config(config).map_err(unreadable)?;
    editor.set_helper(Some(names));
    Ok(editor)
}

/// Where what was typed is kept, outside the workspace.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state"));
    let directory = state.or_else(home)?.join("hindsight");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("history"))
}

fn unreadable(error: ReadlineError) -> Failure {
    let source = match error {
        ReadlineError::Io(source) => source,
        other => io::Error::other(other),
    };
    Error::Io {
        path: "standard input".into(),
        source,
    }
    .into()
}

/// Every name that can be completed, in order.
async fn names(engine: &Engine) -> Result<Vec<String>, Failure> {
    let batches = engine
        .sql(
            "select table_name from information_schema.tables where table_schema = 'public' \
             union select column_name from information_schema.columns where table_schema = 'public' \
             union select routine_name from information_schema.routines",
        )
        .await?;
    let mut names: Vec<String> = KEYWORDS.split_whitespace().map(Into::into).collect();
    for batch in &batches {
        let column = batch.column(0);
        let column =
            datafusion::arrow::compute::cast(column, &datafusion::arrow::datatypes::DataType::Utf8);
        if let Some(column) = column.as_ref().ok().and_then(|c| c.as_string_opt::<i32>()) {
            names.extend(column.iter().flatten().map(Into::into));
        }
    }
    names.extend(
        hindsight::parameters::PARAMETERS
            .iter()
            .map(|p| p.name.into()),
    );
    names.sort();
    names.dedup();
    Ok(names)
}

/// Completes names, and knows where a statement ends.
struct Names(Vec<String>);

impl Completer for Names {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..position).unwrap_or_default();
        let word = typed
            .rsplit(|c: char| !c.is_alphanumeric() && c != '_')
            .next();
        let word = word.unwrap_or_default();
        let begun = word.to_lowercase();
        let matching = self.0.iter().filter(|name| name.starts_with(&begun));
        let candidates = match begun.is_empty() {
            true => Vec::new(),
            false => matching.cloned().collect(),
        };
        Ok((position - word.len(), candidates))
    }
}

impl Validator for Names {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match is_complete(context.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl Hinter for Names {
    type Hint = String;
}

impl Highlighter for Names {}

impl Helper for Names {}

/// Whether what was typed can run: nothing, a command, or statements each with its semicolon.
fn is_complete(typed: &str) -> bool {
    let typed = typed.trim();
    if typed.is_empty() || typed.starts_with('\\') || matches!(typed, "quit" | "exit") {
        return true;
    }
    // An open quote or comment goes on in the next line.
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, typed).tokenize() else {
        return false;
    };
    let last = tokens
        .iter()
        .rfind(|token| !matches!(token, Token::Whitespace(_)));
    last.is_none_or(|token| *token == Token::SemiColon)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_with_a_semicolon_that_is_its_own() {
        for complete in [
            "",
            "select 1;",
            "select 1; -- done",
            "\\d signals",
            "exit",
            "-- nothing",
        ] {
            assert!(is_complete(complete), "{complete}");
        }
        for open in [
            "select 1",
            "select ';",
            "select 1; select 2",
            "select /* ; ",
            "select $$;",
        ] {
            assert!(!is_complete(open), "{open}");
        }
    }
}

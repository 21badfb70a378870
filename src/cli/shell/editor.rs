//! The line in which statements are typed: what completes it, where it ends, what was typed before.

use std::io;
use std::path::PathBuf;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use hindsight::parameters::PARAMETERS;
use hindsight::{Engine, Error};
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::commands::COMMANDS;
use crate::cli::failure::Failure;

/// Words that are completed beside the names of the engine.
const KEYWORDS: &str = "select from where group by order limit having join left on using with as \
                        and or not in is null between like case when then else end distinct count \
                        sum avg min max explain analyze show create temp table view desc asc call";

/// The editor, with what was typed in earlier sessions.
pub type Line = Editor<Names, FileHistory>;

pub fn editor(names: Names) -> Result<Line, Failure> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_space(true)
        .build();
    let mut editor = Editor::with_config(config).map_err(unreadable)?;
    editor.set_helper(Some(names));
    if let Some(file) = history_file() {
        // Nothing was typed yet, or it cannot be read: either way there is no history.
        let _ = editor.load_history(&file);
    }
    Ok(editor)
}

/// Keeps what was typed.
pub fn save(editor: &mut Line) {
    if let Some(file) = history_file() {
        let _ = editor.save_history(&file);
    }
}

/// Where what was typed is kept, outside the workspace.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state"));
    let directory = state.or_else(home)?.join("hindsight");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("history"))
}

pub fn unreadable(error: ReadlineError) -> Failure {
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

/// Completes names, and knows where a statement ends.
pub struct Names {
    names: Vec<String>,
    files: FilenameCompleter,
}

impl Names {
    /// Every name that can be completed, in order.
    pub async fn of(engine: &Engine) -> Result<Self, Failure> {
        let batches = engine
            .sql(
                "select table_name from information_schema.tables where table_schema = 'public' \
                 union select column_name from information_schema.columns \
                 where table_schema = 'public' \
                 union select routine_name from information_schema.routines",
            )
            .await?;
        let mut names: Vec<String> = KEYWORDS.split_whitespace().map(Into::into).collect();
        for batch in &batches {
            let column = cast(batch.column(0), &DataType::Utf8);
            if let Some(column) = column.as_ref().ok().and_then(|c| c.as_string_opt::<i32>()) {
                names.extend(column.iter().flatten().map(Into::into));
            }
        }
        names.extend(PARAMETERS.iter().map(|p| p.name.into()));
        names.sort();
        names.dedup();
        Ok(Self {
            names,
            files: FilenameCompleter::new(),
        })
    }
}

impl Completer for Names {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = line.get(..position).unwrap_or_default();
        if typed.starts_with("\\i ") || typed.starts_with("\\o ") {
            return self.files.complete(line, position, context);
        }
        let pair = |name: &str| Pair {
            display: name.to_owned(),
            replacement: name.to_owned(),
        };
        if let Some(begun) = typed.strip_prefix('\\')
            && !begun.contains(' ')
        {
            let names = COMMANDS.iter().map(|command| command.name);
            let matching = names.filter(|name| name.starts_with(begun));
            return Ok((1, matching.map(pair).collect()));
        }
        let word = typed.rsplit(|c: char| !c.is_alphanumeric() && c != '_');
        let word = word.into_iter().next().unwrap_or_default();
        let begun = word.to_lowercase();
        let matching = self.names.iter().filter(|name| name.starts_with(&begun));
        let candidates = match begun.is_empty() {
            true => Vec::new(),
            false => matching.map(|name| pair(name)).collect(),
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
pub fn is_complete(typed: &str) -> bool {
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

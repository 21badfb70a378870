//! The commands of the shell that begin with a backslash, as those of psql where psql has them.

use std::fmt::Write;

use crate::cli::failure::Failure;
use crate::cli::near::nearest;
use crate::cli::settings::quoted;

/// A command as `\?` lists it.
pub struct Command {
    /// Without its backslash.
    pub name: &'static str,
    takes: &'static str,
    does: &'static str,
}

const fn command(name: &'static str, takes: &'static str, does: &'static str) -> Command {
    Command { name, takes, does }
}

pub const COMMANDS: [Command; 17] = [
    command("d", "[NAME]", "the tables, or the columns of one"),
    command("dt", "", "the tables"),
    command("df", "[NAME]", "the functions, or how one is used"),
    command("l", "", "the databases"),
    command("p", "", "the parameters of a backtest"),
    command("conninfo", "", "what this session works on"),
    command("timing", "[on|off]", "how long each statement takes"),
    command("x", "[on|off]", "each column on a line of its own"),
    command(
        "format",
        "[FORMAT]",
        "how results are written: table, csv, json, ndjson, markdown",
    ),
    command(
        "i",
        "FILE",
        "runs the statements of a file, until one fails",
    ),
    command("o", "[FILE]", "writes results to a file, until \\o alone"),
    command(
        "copy",
        "… to FILE",
        "writes a table or a (query) to a file, as copy does",
    ),
    command(
        "set",
        "[NAME VALUE]",
        "sets a variable, used as :NAME, :'NAME' or :\"NAME\"",
    ),
    command("unset", "NAME", "takes a variable away"),
    command("h", "", "this list"),
    command("?", "", "this list"),
    command("q", "", "ends the session, as Ctrl-D does"),
];

/// What a command that was typed asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    Help,
    Quit,
    /// To run this statement.
    Statement(String),
    /// The columns of a table.
    Table(String),
    /// How a function is used.
    Function(String),
    Connection,
    Timing(Option<bool>),
    Upright(Option<bool>),
    Format(Option<String>),
    Include(String),
    Output(Option<String>),
    Copy(String),
    Set(Option<(String, String)>),
    Unset(String),
}

/// What `\?` shows.
pub fn help() -> String {
    let mut help = String::from(
        "  select …;            a statement ends with a semicolon and may span lines\n",
    );
    for command in &COMMANDS {
        let usage = format!("\\{} {}", command.name, command.takes);
        let _ = writeln!(help, "  {usage:<20} {}", command.does);
    }
    help.push_str("  Tab                  completes names; Ctrl-R searches what was typed before");
    help
}

/// Reads a command, with its backslash.
pub fn read(typed: &str) -> Result<Asked, Failure> {
    let typed = typed.trim().trim_end_matches(';').trim_end();
    let typed = typed.strip_prefix('\\').unwrap_or(typed);
    let (name, rest) = match typed.split_once(char::is_whitespace) {
        Some((name, rest)) => (name, rest.trim()),
        None => (typed, ""),
    };
    let word = || unquoted(rest);
    let some = || (!rest.is_empty()).then(word);
    let needed = || some().ok_or_else(|| wants(name));
    // psql's \d+ and the like show more than there is here.
    match name.trim_end_matches('+') {
        "?" | "h" => Ok(Asked::Help),
        "q" => Ok(Asked::Quit),
        "d" if !rest.is_empty() => Ok(Asked::Table(word())),
        "d" | "dt" => Ok(Asked::Statement(TABLES.into())),
        "df" if !rest.is_empty() => Ok(Asked::Function(word())),
        "df" => Ok(Asked::Statement(FUNCTIONS.into())),
        "l" => Ok(Asked::Statement(DATABASES.into())),
        "p" => Ok(Asked::Statement("select * from parameters".into())),
        "conninfo" => Ok(Asked::Connection),
        "timing" => Ok(Asked::Timing(switch(name, rest)?)),
        "x" => Ok(Asked::Upright(switch(name, rest)?)),
        "format" => Ok(Asked::Format(some())),
        "i" => Ok(Asked::Include(needed()?)),
        "o" => Ok(Asked::Output(some())),
        "copy" => Ok(Asked::Copy(copy(rest)?)),
        "set" => Ok(Asked::Set(match rest.split_once(char::is_whitespace) {
            Some((name, value)) => Some((name.to_owned(), unquoted(value.trim()))),
            None if rest.is_empty() => None,
            None => Some((rest.to_owned(), String::new())),
        })),
        "unset" => Ok(Asked::Unset(needed()?)),
        _ => {
            let near = nearest(name, COMMANDS.iter().map(|command| command.name));
            let hint = match near {
                Some(near) => format!("did you mean \\{near}? \\? lists what there is"),
                None => "\\? lists what there is".into(),
            };
            Err(Failure::usage(format!("there is no \\{name}"), hint))
        }
    }
}

const TABLES: &str = "select table_name, table_type from information_schema.tables \
                      where table_schema = 'public' order by table_name";
const FUNCTIONS: &str = "select distinct routine_name, description \
                         from information_schema.routines order by routine_name";
const DATABASES: &str = "select datname as name from pg_catalog.pg_database order by datname";

/// The columns of a table.
pub fn columns_of(table: &str) -> String {
    format!(
        "select column_name, data_type, is_nullable from information_schema.columns \
         where table_name = {} order by ordinal_position",
        quoted(table)
    )
}

/// How a function is used.
pub fn usage_of(function: &str) -> String {
    format!(
        "select distinct routine_name, description, syntax_example \
         from information_schema.routines where routine_name = {}",
        quoted(function)
    )
}

fn wants(name: &str) -> Failure {
    let takes = COMMANDS.iter().find(|command| command.name == name);
    Failure::usage(
        format!("\\{name} needs {}", takes.map_or("more", |c| c.takes)),
        "\\? says what each command takes",
    )
}

fn switch(name: &str, text: &str) -> Result<Option<bool>, Failure> {
    match text.to_lowercase().as_str() {
        "" => Ok(None),
        "on" | "true" | "1" => Ok(Some(true)),
        "off" | "false" | "0" => Ok(Some(false)),
        _ => Err(Failure::usage(
            format!("\\{name} is on or off, found {text}"),
            format!("\\{name} alone changes it"),
        )),
    }
}

/// A word without the quotes around it.
fn unquoted(text: &str) -> String {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    match inner('\'').or_else(|| inner('"')) {
        Some(inner) if !text.is_empty() => inner.replace("''", "'"),
        _ => text.to_owned(),
    }
}

/// The statement behind `\copy`, which takes a name of a file without quotes too.
fn copy(rest: &str) -> Result<String, Failure> {
    let expected = || {
        Failure::usage(
            "\\copy takes a table or a query, and a file",
            "as in \\copy signals to signals.csv, or \\copy (select …) to 'result.parquet'",
        )
    };
    // Letters keep their places.
    let lower = rest.to_ascii_lowercase();
    if let Some(at) = lower.find(" from ")
        && !rest.starts_with('(')
        && !lower[..at].contains(" to ")
    {
        return Err(Failure::usage(
            "\\copy … from loads nothing",
            "hindsight load reads files into the tables",
        ));
    }
    let to = lower.rfind(" to ").ok_or_else(expected)?;
    let (source, target) = (rest[..to].trim(), rest[to + 4..].trim());
    if source.is_empty() || target.is_empty() {
        return Err(expected());
    }
    let target = match target.starts_with('\'') || target.eq_ignore_ascii_case("stdout") {
        true => target.to_owned(),
        false => match target.split_once(char::is_whitespace) {
            Some((file, options)) => format!("{} {options}", quoted(file)),
            None => quoted(target),
        },
    };
    Ok(format!("copy {source} to {target}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(typed: &str) -> Asked {
        read(typed).unwrap_or_else(|_| unreachable!("{typed}"))
    }

    #[test]
    fn commands_are_those_of_psql() {
        assert_eq!(asked("\\d signals;"), Asked::Table("signals".into()));
        assert_eq!(asked("\\d+ signals"), Asked::Table("signals".into()));
        assert_eq!(asked("\\timing"), Asked::Timing(None));
        assert_eq!(asked("\\x off"), Asked::Upright(Some(false)));
        assert_eq!(asked("\\i 'a b.sql'"), Asked::Include("a b.sql".into()));
        assert_eq!(asked("\\o"), Asked::Output(None));
        let set = ("day".into(), "2025-01-01".into());
        assert_eq!(asked("\\set day '2025-01-01'"), Asked::Set(Some(set)));
        for (typed, statement) in [
            ("signals to a.csv", "copy signals to 'a.csv'"),
            (
                "(select 1 as \"to\") TO 'x y.csv' (format csv)",
                "copy (select 1 as \"to\") to 'x y.csv' (format csv)",
            ),
            (
                "signals to a.out csv header",
                "copy signals to 'a.out' csv header",
            ),
        ] {
            let asked = asked(&format!("\\copy {typed}"));
            assert_eq!(asked, Asked::Copy(statement.into()));
        }
        for wrong in [
            "\\",
            "\\tming",
            "\\i",
            "\\x maybe",
            "\\copy",
            "\\copy signals from a.csv",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_command_is_understood() {
        for command in &COMMANDS {
            let typed = match command.name {
                "copy" => "\\copy signals to a.csv".to_owned(),
                name => format!("\\{name} on"),
            };
            assert!(read(&typed).is_ok(), "{typed}");
            assert!(help().contains(&format!("\\{}", command.name)));
        }
    }
}

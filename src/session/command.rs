//! The statements that a session answers itself, as a client writes them.

pub mod explain;
mod named;
mod settings;
mod transactions;

use datafusion::sql::sqlparser::ast::{DataType as SqlType, Expr as SqlExpr};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::copy::{self, CopyOptions};
use super::parse::Request;
use super::words::Words;
use crate::error::Result;
use named::{declare, execute, fetch, prepare};
use settings::{set, setting_name, show};
use transactions::transaction;

/// A statement that the session answers itself.
#[derive(Debug, Clone)]
pub enum Command {
    /// `SET name = value`; without a value, the default.
    Set {
        name: String,
        value: Option<String>,
        is_local: bool,
    },
    /// `SET TRANSACTION …` or `SET SESSION CHARACTERISTICS AS TRANSACTION …`.
    SetTransaction {
        modes: Modes,
        is_session: bool,
    },
    /// `SHOW name`; without a name, all.
    Show(Option<String>),
    /// `RESET name`; without a name, all.
    Reset(Option<String>),
    Discard(Discard),
    /// `PREPARE name (types) AS statement`.
    Prepare {
        name: String,
        types: Vec<SqlType>,
        request: Box<Request>,
    },
    Execute {
        name: String,
        arguments: Vec<SqlExpr>,
    },
    /// `DEALLOCATE name`; without a name, all.
    Deallocate(Option<String>),
    Declare {
        name: String,
        keeps_rows: bool,
        outlasts_transaction: bool,
        request: Box<Request>,
    },
    /// `FETCH` or `MOVE`.
    Fetch {
        name: String,
        direction: Direction,
        only_moves: bool,
    },
    /// `CLOSE name`; without a name, all.
    Close(Option<String>),
    Listen(String),
    /// `UNLISTEN channel`; without a channel, all.
    Unlisten(Option<String>),
    Notify {
        channel: String,
        payload: String,
    },
    Transaction(Transaction),
    /// `COPY … TO STDOUT`.
    CopyOut {
        request: Box<Request>,
        options: CopyOptions,
    },
    /// `LOCK TABLE`, of what nobody takes away.
    Lock,
    /// `VACUUM` or `ANALYZE`, for which there is nothing to do.
    Upkeep(&'static str),
    /// A statement that is never allowed, with what to say.
    Refused {
        state: &'static str,
        reason: String,
    },
}

/// What `DISCARD` throws away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    All,
    Plans,
    Sequences,
    Temp,
}

/// Which rows `FETCH` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// So many rows ahead; `None` is all.
    Forward(Option<u64>),
    /// So many rows back; `None` is all.
    Backward(Option<u64>),
    /// The row of this number, from 1, or from the end if negative.
    Absolute(i64),
    /// The row so many further.
    Relative(i64),
}

/// A statement about transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transaction {
    Begin { modes: Modes, word: &'static str },
    Commit { chain: bool },
    Rollback { chain: bool },
    Savepoint(String),
    Release(String),
    RollbackTo(String),
}

/// How a transaction is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modes {
    pub isolation: Option<&'static str>,
    pub read_only: Option<bool>,
    pub deferrable: Option<bool>,
}

/// Reads a command, or finds that it is none.
pub fn read(words: &mut Words<'_>) -> Result<Option<Command>> {
    let Some(Token::Word(first)) = words.peek() else {
        return Ok(None);
    };
    if first.quote_style.is_some() {
        return Ok(None);
    }
    let keyword = first.value.to_lowercase();
    let at_start = words.clone();
    words.next();
    let command = match keyword.as_str() {
        "set" => set(words)?,
        "show" => match show(words)? {
            Some(command) => command,
            None => {
                *words = at_start;
                return Ok(None);
            }
        },
        "reset" => match words.take("all") {
            true => Command::Reset(None),
            false => Command::Reset(Some(setting_name(words)?)),
        },
        "discard" => Command::Discard(discard(words)?),
        "prepare" if words.is("transaction") => {
            words.next();
            words.text();
            refused(
                "0A000",
                "PREPARE TRANSACTION is not supported: transactions end in one session",
            )
        }
        "prepare" => return prepare(words).map(Some),
        "execute" => execute(words)?,
        "deallocate" => {
            words.take("prepare");
            match words.take("all") {
                true => Command::Deallocate(None),
                false => Command::Deallocate(Some(words.name()?)),
            }
        }
        "declare" => return declare(words).map(Some),
        "fetch" | "move" => fetch(words, keyword == "move")?,
        "close" => match words.take("all") {
            true => Command::Close(None),
            false => Command::Close(Some(words.name()?)),
        },
        "listen" => Command::Listen(words.name()?),
        "unlisten" => match words.take_token(&Token::Mul) {
            true => Command::Unlisten(None),
            false => Command::Unlisten(Some(words.name()?)),
        },
        "notify" => Command::Notify {
            channel: words.name()?,
            payload: match words.take_token(&Token::Comma) {
                true => words.text().ok_or_else(|| words.unexpected("a text"))?,
                false => String::new(),
            },
        },
        "copy" => return copy::read(words).map(Some),
        "lock" => lock(words)?,
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => {
            Command::Transaction(transaction(words, &keyword)?)
        }
        _ => match never_allowed(&keyword) {
            Some(command) => return Ok(Some(command)),
            None => {
                *words = at_start;
                return Ok(None);
            }
        },
    };
    words.end()?;
    Ok(Some(command))
}

/// `LOCK TABLE … IN ACCESS SHARE MODE`, which keeps others from dropping what is read: nobody can.
fn lock(words: &mut Words<'_>) -> Result<Command> {
    words.take("table");
    words.take("only");
    words.dotted_name()?;
    while words.take_token(&Token::Comma) {
        words.dotted_name()?;
    }
    if words.take_all(&["in", "access", "share", "mode"]) {
        words.take("nowait");
        return Ok(Command::Lock);
    }
    let reason = "LOCK is not allowed but IN ACCESS SHARE MODE";
    Ok(skip(words, refused("42501", reason)))
}

fn refused(state: &'static str, reason: &str) -> Command {
    Command::Refused {
        state,
        reason: reason.into(),
    }
}

/// Statements that change what no session may, whatever follows the keyword.
fn never_allowed(keyword: &str) -> Option<Command> {
    let changes = [
        "alter",
        "attach",
        "checkpoint",
        "cluster",
        "comment",
        "deny",
        "detach",
        "do",
        "flush",
        "grant",
        "import",
        "install",
        "kill",
        "load",
        "merge",
        "msck",
        "optimize",
        "pragma",
        "reassign",
        "refresh",
        "reindex",
        "rename",
        "replace",
        "revoke",
        "security",
        "uncache",
        "unload",
        "use",
    ];
    if changes.contains(&keyword) {
        return Some(Command::Refused {
            state: "42501",
            reason: format!("{} is not allowed", keyword.to_uppercase()),
        });
    }
    match keyword {
        "analyze" => Some(Command::Upkeep("analyze")),
        "vacuum" => Some(Command::Upkeep("vacuum")),
        _ => None,
    }
}

fn discard(words: &mut Words<'_>) -> Result<Discard> {
    match words.take_any(&["all", "plans", "sequences", "temporary", "temp"]) {
        Some("all") => Ok(Discard::All),
        Some("plans") => Ok(Discard::Plans),
        Some("sequences") => Ok(Discard::Sequences),
        Some(_) => Ok(Discard::Temp),
        None => Err(words.unexpected("ALL, PLANS, SEQUENCES or TEMP")),
    }
}

/// Takes everything that is left, of a statement that is refused anyway.
fn skip(words: &mut Words<'_>, command: Command) -> Command {
    while words.next().is_some() {}
    command
}

/// Goes on behind what a parser has read.
pub(super) fn advance(words: &mut Words<'_>, parser: &Parser<'_>) {
    *words = Words::new(words.rest().get(parser.index()..).unwrap_or_default());
}

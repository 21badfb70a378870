//! The statements that a session answers itself, as a client writes them.

use datafusion::common::format::ExplainStatementOptions;
use datafusion::sql::sqlparser::ast::{DataType as SqlType, Expr as SqlExpr};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::copy::{self, CopyOptions};
use super::parse::{self, Request};
use super::syntax::{self, Syntax};
use super::words::Words;
use crate::error::{Error, Result};

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

fn set(words: &mut Words<'_>) -> Result<Command> {
    if words.take_all(&["session", "characteristics", "as", "transaction"]) {
        return Ok(Command::SetTransaction {
            modes: modes(words)?,
            is_session: true,
        });
    }
    let is_local = words.take("local");
    if !is_local {
        words.take("session");
    }
    if words.is("transaction") {
        words.next();
        if words.is("snapshot") {
            return Ok(skip(
                words,
                refused("0A000", "snapshots of transactions are not supported"),
            ));
        }
        return Ok(Command::SetTransaction {
            modes: modes(words)?,
            is_session: false,
        });
    }
    if words.take("role") || words.take("authorization") {
        let _ = words.take_token(&Token::Eq) || words.take("to");
        let role = match words.text() {
            Some(role) => role,
            None => words.name()?,
        };
        return Ok(match role.as_str() {
            "none" | "default" => Command::Set {
                name: "role".into(),
                value: None,
                is_local,
            },
            _ => refused(
                "42501",
                "SET ROLE is not allowed: a session keeps the role of its user",
            ),
        });
    }
    if words.take_all(&["time", "zone"]) {
        let value = match words.take_any(&["local", "default"]) {
            Some(_) => None,
            None => Some(zone(words)?),
        };
        return Ok(Command::Set {
            name: "timezone".into(),
            value,
            is_local,
        });
    }
    if words.take("names") {
        let value = match words.take("default") {
            true => None,
            false => Some(value(words)?),
        };
        return Ok(Command::Set {
            name: "client_encoding".into(),
            value,
            is_local,
        });
    }
    let name = setting_name(words)?;
    if !words.take_token(&Token::Eq) && !words.take("to") {
        return Err(words.unexpected("TO or ="));
    }
    let value = match words.take("default") {
        true => None,
        false if name == "timezone" => Some(zone(words)?),
        false => {
            let mut values = vec![value(words)?];
            while words.take_token(&Token::Comma) {
                values.push(value(words)?);
            }
            Some(values.join(", "))
        }
    };
    Ok(Command::Set {
        name,
        value,
        is_local,
    })
}

/// The name of a setting, in small letters: quotes make no difference.
fn setting_name(words: &mut Words<'_>) -> Result<String> {
    if words.take_all(&["time", "zone"]) {
        return Ok("timezone".into());
    }
    if words.take_all(&["transaction", "isolation", "level"]) {
        return Ok("transaction_isolation".into());
    }
    if words.take_all(&["session", "authorization"]) {
        return Ok("session_authorization".into());
    }
    Ok(words.dotted_name()?.to_lowercase())
}

fn value(words: &mut Words<'_>) -> Result<String> {
    if let Some(text) = words.text() {
        return Ok(text);
    }
    let minus = words.take_token(&Token::Minus);
    words.take_token(&Token::Plus);
    match words.peek() {
        Some(Token::Number(digits, _)) => {
            words.next();
            Ok(format!("{}{digits}", if minus { "-" } else { "" }))
        }
        Some(Token::Word(_)) if !minus => words.name(),
        _ => Err(words.unexpected("a value")),
    }
}

/// A time zone: a name, or hours east of Greenwich, as a number or an interval.
fn zone(words: &mut Words<'_>) -> Result<String> {
    if words.take("interval") {
        let text = words
            .text()
            .ok_or_else(|| words.unexpected("an interval"))?;
        words.take_all(&["hour", "to", "minute"]);
        return Ok(format!("interval {text}"));
    }
    value(words)
}

fn show(words: &mut Words<'_>) -> Result<Option<Command>> {
    if words.take("all") {
        return Ok(Some(Command::Show(None)));
    }
    // What DataFusion shows itself.
    let listed = [
        "tables",
        "columns",
        "functions",
        "create",
        "views",
        "schemas",
        "databases",
    ];
    if listed.iter().any(|name| words.is(name)) {
        return Ok(None);
    }
    Ok(Some(Command::Show(Some(setting_name(words)?))))
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

fn prepare(words: &mut Words<'_>) -> Result<Command> {
    let name = words.name()?;
    let mut types = Vec::new();
    if words.peek() == Some(&Token::LParen) {
        let syntax = Syntax::of(words.rest().len());
        let mut parser = syntax.parser(words.rest().to_vec());
        let parsed = (|| {
            parser.expect_token(&Token::LParen)?;
            let types = parser.parse_comma_separated(Parser::parse_data_type)?;
            parser.expect_token(&Token::RParen)?;
            Ok(types)
        })();
        types = parsed.map_err(syntax::problem)?;
        advance(words, &parser);
    }
    words.expect("as")?;
    let Some(request) = parse::within(words.rest())? else {
        return Err(Error::session(
            "42601",
            "PREPARE takes a query or a statement that writes rows",
        ));
    };
    Ok(Command::Prepare {
        name,
        types,
        request: Box::new(request),
    })
}

fn execute(words: &mut Words<'_>) -> Result<Command> {
    let name = words.name()?;
    let mut arguments = Vec::new();
    if words.peek() == Some(&Token::LParen) {
        let syntax = Syntax::of(words.rest().len());
        let mut parser = syntax.parser(words.rest().to_vec());
        let parsed = (|| {
            parser.expect_token(&Token::LParen)?;
            let arguments = parser.parse_comma_separated0(Parser::parse_expr, Token::RParen)?;
            parser.expect_token(&Token::RParen)?;
            Ok(arguments)
        })();
        arguments = parsed.map_err(syntax::problem)?;
        advance(words, &parser);
    }
    Ok(Command::Execute { name, arguments })
}

fn declare(words: &mut Words<'_>) -> Result<Command> {
    let name = words.name()?;
    let mut keeps_rows = false;
    loop {
        if words.take_all(&["no", "scroll"]) {
            keeps_rows = false;
        } else if words.take("scroll") {
            keeps_rows = true;
        } else if words
            .take_any(&["binary", "insensitive", "asensitive"])
            .is_none()
        {
            break;
        }
    }
    words.expect("cursor")?;
    let outlasts_transaction = words.take_all(&["with", "hold"]);
    if !outlasts_transaction {
        words.take_all(&["without", "hold"]);
    }
    words.expect("for")?;
    let Some(request) = parse::within(words.rest())? else {
        return Err(Error::session("42601", "DECLARE takes a query"));
    };
    Ok(Command::Declare {
        name,
        keeps_rows,
        outlasts_transaction,
        request: Box::new(request),
    })
}

fn fetch(words: &mut Words<'_>, only_moves: bool) -> Result<Command> {
    let count = |words: &mut Words<'_>| match words.take("all") {
        true => None,
        false => Some(words.integer().unwrap_or(1)),
    };
    let forward = |count: Option<i64>| match count {
        Some(count) if count < 0 => Direction::Backward(Some(count.unsigned_abs())),
        Some(count) => Direction::Forward(Some(count.unsigned_abs())),
        None => Direction::Forward(None),
    };
    let exact = |words: &mut Words<'_>| words.integer().ok_or_else(|| words.unexpected("a number"));
    let direction = match words.take_any(&[
        "next", "prior", "first", "last", "absolute", "relative", "forward", "backward", "all",
    ]) {
        Some("prior") => Direction::Backward(Some(1)),
        Some("first") => Direction::Absolute(1),
        Some("last") => Direction::Absolute(-1),
        Some("absolute") => Direction::Absolute(exact(words)?),
        Some("relative") => Direction::Relative(exact(words)?),
        Some("forward") => forward(count(words)),
        Some("backward") => match forward(count(words)) {
            Direction::Forward(count) => Direction::Backward(count),
            Direction::Backward(count) => Direction::Forward(count),
            other => other,
        },
        Some("all") => Direction::Forward(None),
        Some(_) => Direction::Forward(Some(1)),
        None => forward(Some(words.integer().unwrap_or(1))),
    };
    words.take_any(&["from", "in"]);
    Ok(Command::Fetch {
        name: words.name()?,
        direction,
        only_moves,
    })
}

fn transaction(words: &mut Words<'_>, keyword: &str) -> Result<Transaction> {
    if keyword == "start" {
        words.expect("transaction")?;
        return Ok(Transaction::Begin {
            modes: modes(words)?,
            word: "START TRANSACTION",
        });
    }
    if keyword == "savepoint" {
        return Ok(Transaction::Savepoint(words.name()?));
    }
    if keyword == "release" {
        words.take("savepoint");
        return Ok(Transaction::Release(words.name()?));
    }
    words.take_any(&["work", "transaction"]);
    if keyword == "begin" {
        return Ok(Transaction::Begin {
            modes: modes(words)?,
            word: "BEGIN",
        });
    }
    if keyword == "rollback" && words.take("to") {
        words.take("savepoint");
        return Ok(Transaction::RollbackTo(words.name()?));
    }
    let chain = words.take_all(&["and", "chain"]);
    if !chain {
        words.take_all(&["and", "no", "chain"]);
    }
    Ok(match keyword {
        "commit" | "end" => Transaction::Commit { chain },
        _ => Transaction::Rollback { chain },
    })
}

fn modes(words: &mut Words<'_>) -> Result<Modes> {
    let mut modes = Modes::default();
    while !words.is_at_end() {
        if words.take_all(&["isolation", "level"]) {
            modes.isolation = Some(isolation(words)?);
        } else if words.take_all(&["read", "only"]) {
            modes.read_only = Some(true);
        } else if words.take_all(&["read", "write"]) {
            modes.read_only = Some(false);
        } else if words.take("deferrable") {
            modes.deferrable = Some(true);
        } else if words.take_all(&["not", "deferrable"]) {
            modes.deferrable = Some(false);
        } else {
            return Err(words.unexpected("ISOLATION LEVEL, READ ONLY, READ WRITE or DEFERRABLE"));
        }
        words.take_token(&Token::Comma);
    }
    Ok(modes)
}

fn isolation(words: &mut Words<'_>) -> Result<&'static str> {
    let levels: [(&[&str], &'static str); 4] = [
        (&["read", "committed"], "read committed"),
        (&["read", "uncommitted"], "read uncommitted"),
        (&["repeatable", "read"], "repeatable read"),
        (&["serializable"], "serializable"),
    ];
    let level = levels.iter().find(|(level, _)| words.take_all(level));
    level
        .map(|(_, name)| *name)
        .ok_or_else(|| words.unexpected("an isolation level"))
}

/// The options of an `EXPLAIN`, of which those about settings and buffers say nothing here. Costs that
/// are off are statistics that are not shown.
pub fn explain_options(words: &mut Words<'_>) -> Result<ExplainStatementOptions> {
    let mut options = ExplainStatementOptions::default();
    let is_list = words.peek() == Some(&Token::LParen)
        && !matches!(words.rest().get(1).map(|token| &token.token),
        Some(Token::LParen | Token::Word(_)) if {
            let mut inner = words.clone();
            inner.next();
            inner.peek() == Some(&Token::LParen)
                || ["select", "with", "values", "table"].iter().any(|word| inner.is(word))
        });
    if !is_list {
        options.analyze = words.take_any(&["analyze", "analyse"]).is_some();
        options.verbose = words.take("verbose");
        if words.take("format") {
            options.format = explain_format(&value(words)?)?;
        }
        return Ok(options);
    }
    words.next();
    let mut shows_costs = true;
    loop {
        let name = words.name()?;
        let given = match words.peek() {
            Some(Token::Comma | Token::RParen) => "on".into(),
            _ => value(words)?,
        };
        let is_on = matches!(given.to_lowercase().as_str(), "on" | "true" | "1");
        match name.as_str() {
            "analyze" | "analyse" => options.analyze = is_on,
            "verbose" => options.verbose = is_on,
            "format" => options.format = explain_format(&given)?,
            "costs" => shows_costs = is_on,
            "settings" | "generic_plan" | "buffers" | "wal" | "timing" | "summary" | "memory"
            | "serialize" => {}
            _ => {
                let message = format!("unrecognized EXPLAIN option \"{name}\"");
                return Err(Error::session("42601", message));
            }
        }
        if !words.take_token(&Token::Comma) {
            break;
        }
    }
    // What is measured is shown with them.
    if !shows_costs && !options.analyze {
        options.show_statistics = Some(false);
    }
    match words.take_token(&Token::RParen) {
        true => Ok(options),
        false => Err(words.unexpected(", or )")),
    }
}

fn explain_format(name: &str) -> Result<Option<datafusion::common::format::ExplainFormat>> {
    use datafusion::common::format::ExplainFormat;
    Ok(match name.to_lowercase().as_str() {
        "text" => None,
        "json" => Some(ExplainFormat::PostgresJSON),
        "tree" => Some(ExplainFormat::Tree),
        "indent" => Some(ExplainFormat::Indent),
        "graphviz" => Some(ExplainFormat::Graphviz),
        _ => {
            let message =
                format!("EXPLAIN has no format {name}; it has text, tree, json and graphviz");
            return Err(Error::session("22023", message));
        }
    })
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

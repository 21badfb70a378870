//! Statements and cursors that have names: `PREPARE`, `EXECUTE`, `DECLARE`, `FETCH`.

use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::{Command, Direction, advance};
use crate::error::{Error, Result};
use crate::session::parse;
use crate::session::syntax::{self, Syntax};
use crate::session::words::Words;

pub(super) fn prepare(words: &mut Words<'_>) -> Result<Command> {
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

pub(super) fn execute(words: &mut Words<'_>) -> Result<Command> {
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

pub(super) fn declare(words: &mut Words<'_>) -> Result<Command> {
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

pub(super) fn fetch(words: &mut Words<'_>, only_moves: bool) -> Result<Command> {
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

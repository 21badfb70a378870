//! `SET`, `SHOW`, and the names and values of settings.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::transactions::modes;
use super::{Command, refused, skip};
use crate::error::Result;
use crate::session::words::Words;

pub(super) fn set(words: &mut Words<'_>) -> Result<Command> {
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
pub(super) fn setting_name(words: &mut Words<'_>) -> Result<String> {
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

pub(super) fn value(words: &mut Words<'_>) -> Result<String> {
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

pub(super) fn show(words: &mut Words<'_>) -> Result<Option<Command>> {
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

//! `BEGIN`, `COMMIT` and what else is about transactions.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::{Modes, Transaction};
use crate::error::Result;
use crate::session::words::Words;

pub(super) fn transaction(words: &mut Words<'_>, keyword: &str) -> Result<Transaction> {
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

pub(super) fn modes(words: &mut Words<'_>) -> Result<Modes> {
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

//! How long a text may be: what is made of it is made of each of its words, and memory for that is
//! reserved before anything is made.

use std::sync::Arc;

use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};

use crate::error::{Error, Result};

/// Words and signs of a text.
const WORD_LIMIT: usize = 1_000_000;
/// What is made of a word or sign at the most, about: token, syntax tree, plan, each more than once.
const WORD_BYTES: usize = 1_000;
/// What is kept of blanks until they are left out.
const BLANK_BYTES: usize = 120;

/// Reserves what parsing and planning a text will need.
pub fn reserve(sql: &str, pool: &Arc<dyn MemoryPool>) -> Result<MemoryReservation> {
    let Length { words, blanks } = length(sql.as_bytes());
    if words > WORD_LIMIT {
        let message = format!(
            "the text has {words} words and signs, and at most {WORD_LIMIT} are read at a time"
        );
        return Err(Error::session("54000", message));
    }
    let memory = MemoryConsumer::new("statement").register(pool);
    memory.try_grow(2 * sql.len() + words * WORD_BYTES + blanks * BLANK_BYTES)?;
    Ok(memory)
}

struct Length {
    words: usize,
    blanks: usize,
}

/// How many tokens there are in a text, or a few more.
fn length(text: &[u8]) -> Length {
    let (mut words, mut blanks, mut at) = (0, 0, 0);
    let is_letter =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii();
    let byte = |at: usize| text.get(at).copied().unwrap_or_default();
    let run = |from: usize, wanted: &dyn Fn(&u8) -> bool| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| wanted(byte)).count()
    };
    // Behind the end of what stands in quotes, which a backslash may keep open.
    let quoted = |from: usize, quote: u8, has_escapes: bool| {
        let mut at = from;
        while at < text.len() {
            match byte(at) {
                b'\\' if has_escapes => at += 2,
                found if found == quote => return at + 1,
                _ => at += 1,
            }
        }
        at
    };
    while at < text.len() {
        match (byte(at), byte(at + 1)) {
            (b' ' | b'\t' | b'\n' | b'\r', _) => {
                blanks += 1;
                at += 1;
            }
            (b'-', b'-') => {
                blanks += 1;
                at = run(at, &|byte| *byte != b'\n');
            }
            (b'/', b'*') => {
                blanks += 1;
                let mut depth = 0_usize;
                loop {
                    match (byte(at), byte(at + 1)) {
                        (b'/', b'*') => (depth, at) = (depth + 1, at + 2),
                        (b'*', b'/') => (depth, at) = (depth - 1, at + 2),
                        _ => at += 1,
                    }
                    if depth == 0 || at >= text.len() {
                        break;
                    }
                }
            }
            (quote @ (b'\'' | b'"'), _) => {
                words += 1;
                at = quoted(at + 1, quote, false);
            }
            (b'e' | b'E', b'\'') => {
                words += 1;
                at = quoted(at + 2, b'\'', true);
            }
            (b'$', _) => {
                words += 1;
                let end = run(at + 1, &|byte| is_letter(byte) && *byte != b'$');
                at = match (byte(end), text.get(at..=end)) {
                    (b'$', Some(tag)) => {
                        let rest = text.get(end + 1..).unwrap_or_default();
                        let found = memchr::memmem::find(rest, tag);
                        found.map_or(text.len(), |found| end + 1 + found + tag.len())
                    }
                    _ => end,
                };
            }
            (letter, _) if is_letter(&letter) => {
                words += 1;
                at = run(at, &is_letter);
            }
            _ => {
                words += 1;
                at += 1;
            }
        }
    }
    Length { words, blanks }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

    use super::*;

    #[test]
    fn a_text_is_at_least_as_long_as_its_tokens() {
        for sql in [
            "select 1",
            "select 'it''s', e'it\\'s' , \"a\"\"b\" from t -- the end\n where x>=$1",
            "select $$a b c$$, $tag$ $ $$ x $tag$, a$b, $1 /* a /* b */ c */ ;; select U&'d'",
            "((((1+2))))::int[][] || 'ä' ~* E'\\\\' -1.5e7",
        ] {
            let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize();
            let tokens = tokens.unwrap();
            let is_blank = |token: &&Token| matches!(token, Token::Whitespace(_) | Token::EOF);
            let blanks = tokens.iter().filter(is_blank).count();
            let found = length(sql.as_bytes());
            assert!(found.words >= tokens.len() - blanks, "{sql}");
            assert!(found.words < 2 * (tokens.len() - blanks), "{sql}");
            assert!(found.blanks >= blanks, "{sql}");
        }
    }
}

//! Splits a script into statements, by the tokens of SQL: a semicolon inside a string, a quoted
//! name or a comment ends nothing.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};
use hindsight::{Error, Result};

/// A statement of a script, with the text that its author wrote.
#[derive(Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    pub sql: &'a str,
    /// Of its first word, counted from 1.
    pub line: u64,
}

/// The statements of a script in their order; what is only a comment is none.
pub fn split(script: &str) -> Result<Vec<Statement<'_>>> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, script)
        .tokenize_with_location()
        .map_err(|error| Error::Statement(ParserError::from(error).into()))?;
    let mut offsets = Offsets::new(script);
    let mut statements = Vec::new();
    let mut begin: Option<(usize, u64)> = None;
    for token in &tokens {
        match token.token {
            Token::Whitespace(_) | Token::EOF => {}
            Token::SemiColon => {
                if let Some((start, line)) = begin.take() {
                    let sql = script[start..offsets.of(token.span.start)].trim_end();
                    statements.push(Statement { sql, line });
                }
            }
            _ if begin.is_none() => {
                let start = token.span.start;
                begin = Some((offsets.of(start), start.line));
            }
            _ => {}
        }
    }
    if let Some((start, line)) = begin {
        let sql = script[start..].trim_end();
        statements.push(Statement { sql, line });
    }
    Ok(statements)
}

/// Turns the tokenizer's lines and columns, in characters, into bytes; asked in rising order.
pub struct Offsets<'a> {
    rest: std::str::CharIndices<'a>,
    at: Location,
    end: usize,
}

impl<'a> Offsets<'a> {
    pub fn new(script: &'a str) -> Self {
        Self {
            rest: script.char_indices(),
            at: Location::new(1, 1),
            end: script.len(),
        }
    }

    pub fn of(&mut self, location: Location) -> usize {
        while self.at < location {
            match self.rest.next() {
                Some((_, '\n')) => self.at = Location::new(self.at.line + 1, 1),
                Some(_) => self.at.column += 1,
                None => return self.end,
            }
        }
        self.rest.clone().next().map_or(self.end, |(byte, _)| byte)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn texts(script: &str) -> Vec<(&str, u64)> {
        let statements = split(script).unwrap();
        statements.iter().map(|s| (s.sql, s.line)).collect()
    }

    #[test]
    fn semicolons_end_statements_only_where_sql_says_so() {
        assert_eq!(
            texts("select ';' as a; -- one; two\nselect \";\" /* ; */ from t"),
            [("select ';' as a", 1), ("select \";\" /* ; */ from t", 2)]
        );
        assert_eq!(texts("select $$;$$;;\n ;"), [("select $$;$$", 1)]);
        assert_eq!(
            texts("select 'ä€;';select 2"),
            [("select 'ä€;'", 1), ("select 2", 1)]
        );
        assert_eq!(texts("a\r\n;\r\n\r\nb;"), [("a", 1), ("b", 4)]);
    }

    #[test]
    fn comments_and_nothing_are_no_statements() {
        assert_eq!(texts(""), []);
        assert_eq!(texts("  -- nothing;\n;\n/* ; */"), []);
    }

    #[test]
    fn what_is_not_sql_is_refused() {
        assert!(split("select 'open").is_err());
    }
}

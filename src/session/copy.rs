//! `COPY … TO STDOUT`: the rows of a query or a table as text, CSV or binary.
//!
//! Nothing is copied to or from a file or program of the server, and no table is filled by `COPY`.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::command::Command;
use super::parse;
use super::words::Words;
use crate::error::{Error, Result};

/// How copied rows are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOptions {
    pub format: CopyFormat,
    pub delimiter: u8,
    /// What stands for null.
    pub null: String,
    pub header: bool,
    pub quote: u8,
    pub escape: u8,
    pub force_quote: ForceQuote,
}

/// The form of copied rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyFormat {
    Text,
    Csv,
    Binary,
}

/// The columns that are quoted even where they need not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForceQuote {
    All,
    Columns(Vec<String>),
}

/// Reads what follows `COPY`.
pub fn read(words: &mut Words<'_>) -> Result<Command> {
    let source = source(words)?;
    let from = match words.take_any(&["to", "from"]) {
        Some(direction) => direction == "from",
        None => return Err(words.unexpected("TO or FROM")),
    };
    if words.take("program") || words.clone().text().is_some() {
        return Ok(Command::Refused {
            state: "42501",
            reason: "COPY to or from a file or program of the server is not allowed; COPY … TO \
                     STDOUT, or \\copy in psql, writes where the client is"
                .into(),
        });
    }
    if from {
        words.expect("stdin")?;
        return Ok(Command::Refused {
            state: "42501",
            reason:
                "COPY … FROM STDIN is not allowed: the data tables are read-only in SQL, hindsight \
                     load fills them"
                    .into(),
        });
    }
    words.expect("stdout")?;
    let options = options(words)?;
    words.end()?;
    let Some(request) = parse::within(&source)? else {
        return Err(Error::session("42601", "COPY takes a query or a table"));
    };
    Ok(Command::CopyOut {
        request: Box::new(request),
        options,
    })
}

/// The query that makes the rows.
fn source(words: &mut Words<'_>) -> Result<Vec<TokenWithSpan>> {
    if words.take_token(&Token::LParen) {
        return inside(words);
    }
    let mut table = vec![name_token(words)?];
    while words.take_token(&Token::Period) {
        table.push(TokenWithSpan::wrap(Token::Period));
        table.push(name_token(words)?);
    }
    let columns = match words.take_token(&Token::LParen) {
        true => inside(words)?,
        false => vec![TokenWithSpan::wrap(Token::Mul)],
    };
    let mut query = vec![TokenWithSpan::wrap(Token::make_keyword("SELECT"))];
    query.extend(columns);
    query.push(TokenWithSpan::wrap(Token::make_keyword("FROM")));
    query.extend(table);
    Ok(query)
}

fn name_token(words: &mut Words<'_>) -> Result<TokenWithSpan> {
    match words.rest().first() {
        Some(token) if matches!(token.token, Token::Word(_)) => {
            words.next();
            Ok(token.clone())
        }
        _ => Err(words.unexpected("a table or ( and a query")),
    }
}

/// What stands up to the bracket that closes.
fn inside(words: &mut Words<'_>) -> Result<Vec<TokenWithSpan>> {
    let mut found = Vec::new();
    let mut open = 0_usize;
    loop {
        let Some(token) = words.rest().first() else {
            return Err(words.unexpected(")"));
        };
        words.next();
        match token.token {
            Token::LParen => open += 1,
            Token::RParen if open == 0 => return Ok(found),
            Token::RParen => open -= 1,
            _ => {}
        }
        found.push(token.clone());
    }
}

fn options(words: &mut Words<'_>) -> Result<CopyOptions> {
    let mut given = Given::default();
    words.take("with");
    if words.take_token(&Token::LParen) {
        loop {
            let name = words.name()?;
            given.take(&name, words)?;
            if !words.take_token(&Token::Comma) {
                break;
            }
        }
        if !words.take_token(&Token::RParen) {
            return Err(words.unexpected(", or )"));
        }
    } else {
        // The older form, without brackets.
        while !words.is_at_end() {
            match words.take_any(&[
                "binary",
                "csv",
                "header",
                "delimiter",
                "null",
                "quote",
                "escape",
                "force",
            ]) {
                Some("binary") => given.format = Some(CopyFormat::Binary),
                Some("csv") => given.format = Some(CopyFormat::Csv),
                Some("header") => given.header = true,
                Some("force") => {
                    words.expect("quote")?;
                    given.force_quote = Some(columns(words, false)?);
                }
                Some(name) => {
                    words.take("as");
                    given.take(name, words)?;
                }
                None => return Err(words.unexpected("an option of COPY")),
            }
        }
    }
    given.options()
}

#[derive(Default)]
struct Given {
    format: Option<CopyFormat>,
    delimiter: Option<String>,
    null: Option<String>,
    header: bool,
    quote: Option<String>,
    escape: Option<String>,
    force_quote: Option<ForceQuote>,
}

impl Given {
    fn take(&mut self, name: &str, words: &mut Words<'_>) -> Result<()> {
        match name {
            "format" => {
                let format = match words.text() {
                    Some(text) => text,
                    None => words.name()?,
                };
                self.format = Some(match format.as_str() {
                    "text" => CopyFormat::Text,
                    "csv" => CopyFormat::Csv,
                    "binary" => CopyFormat::Binary,
                    _ => {
                        let message = format!("COPY format \"{format}\" not recognized");
                        return Err(Error::session("22023", message));
                    }
                });
            }
            "header" => {
                let value = match words.peek() {
                    Some(Token::Word(_)) => Some(words.name()?),
                    Some(Token::Number(digits, _)) => {
                        words.next();
                        Some(digits.clone())
                    }
                    _ => words.text(),
                };
                self.header = !matches!(value.as_deref(), Some("false" | "off" | "0"));
            }
            "delimiter" => self.delimiter = Some(text(words)?),
            "null" => self.null = Some(text(words)?),
            "quote" => self.quote = Some(text(words)?),
            "escape" => self.escape = Some(text(words)?),
            "force_quote" => self.force_quote = Some(columns(words, true)?),
            "encoding" => {
                let encoding = text(words)?.to_uppercase();
                if !matches!(encoding.as_str(), "UTF8" | "UTF-8" | "UNICODE") {
                    let message = format!("encoding {encoding} is not supported; UTF8 is");
                    return Err(Error::session("0A000", message));
                }
            }
            _ => {
                let message = format!("option \"{name}\" of COPY … TO not recognized");
                return Err(Error::session("42601", message));
            }
        }
        Ok(())
    }

    fn options(self) -> Result<CopyOptions> {
        let format = self.format.unwrap_or(CopyFormat::Text);
        let is_csv = format == CopyFormat::Csv;
        let only = |name: &str, is_given: bool, holds: bool| match is_given && !holds {
            true => {
                let message = format!("COPY {name} is not available in this format");
                Err(Error::session("0A000", message))
            }
            false => Ok(()),
        };
        only(
            "DELIMITER",
            self.delimiter.is_some(),
            format != CopyFormat::Binary,
        )?;
        only("NULL", self.null.is_some(), format != CopyFormat::Binary)?;
        only("HEADER", self.header, format != CopyFormat::Binary)?;
        only("QUOTE", self.quote.is_some(), is_csv)?;
        only("ESCAPE", self.escape.is_some(), is_csv)?;
        only("FORCE_QUOTE", self.force_quote.is_some(), is_csv)?;
        let quote = byte("quote", self.quote, b'"')?;
        Ok(CopyOptions {
            delimiter: byte(
                "delimiter",
                self.delimiter,
                if is_csv { b',' } else { b'\t' },
            )?,
            null: self
                .null
                .unwrap_or_else(|| if is_csv { "" } else { "\\N" }.into()),
            header: self.header,
            quote,
            escape: byte("escape", self.escape, quote)?,
            force_quote: self.force_quote.unwrap_or(ForceQuote::Columns(Vec::new())),
            format,
        })
    }
}

fn text(words: &mut Words<'_>) -> Result<String> {
    words.text().ok_or_else(|| words.unexpected("a text"))
}

fn columns(words: &mut Words<'_>, in_brackets: bool) -> Result<ForceQuote> {
    if words.take_token(&Token::Mul) {
        return Ok(ForceQuote::All);
    }
    if in_brackets && !words.take_token(&Token::LParen) {
        return Err(words.unexpected("* or ("));
    }
    let mut names = vec![words.name()?];
    while words.take_token(&Token::Comma) {
        names.push(words.name()?);
    }
    if in_brackets && !words.take_token(&Token::RParen) {
        return Err(words.unexpected(", or )"));
    }
    Ok(ForceQuote::Columns(names))
}

/// An option that is a single character of one byte.
fn byte(name: &str, given: Option<String>, default: u8) -> Result<u8> {
    match given.as_deref().map(str::as_bytes) {
        None => Ok(default),
        Some([byte]) if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | b'\0') => Ok(*byte),
        Some(_) => {
            let message = format!("COPY {name} must be a single one-byte character");
            Err(Error::session("0A000", message))
        }
    }
}

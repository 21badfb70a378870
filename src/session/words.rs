//! The tokens of a statement, read one after the other.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::{Error, Result};

/// The tokens of one statement that are still to be read.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    tokens: &'a [TokenWithSpan],
}

impl<'a> Words<'a> {
    pub fn new(tokens: &'a [TokenWithSpan]) -> Self {
        Self { tokens }
    }

    /// What is not read yet.
    pub fn rest(&self) -> &'a [TokenWithSpan] {
        self.tokens
    }

    pub fn is_at_end(&self) -> bool {
        self.tokens.is_empty()
    }

    pub fn peek(&self) -> Option<&'a Token> {
        self.tokens.first().map(|token| &token.token)
    }

    pub fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(&first.token)
    }

    /// Whether this keyword comes next.
    pub fn is(&self, keyword: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(word))
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword))
    }

    /// Takes this keyword, if it comes next.
    pub fn take(&mut self, keyword: &str) -> bool {
        let is_next = self.is(keyword);
        if is_next {
            self.next();
        }
        is_next
    }

    /// Takes these keywords, if they come next in this order.
    pub fn take_all(&mut self, keywords: &[&str]) -> bool {
        let mut ahead = self.clone();
        let all = keywords.iter().all(|keyword| ahead.take(keyword));
        if all {
            *self = ahead;
        }
        all
    }

    /// Takes one of these keywords, if one comes next.
    pub fn take_any(&mut self, keywords: &[&'static str]) -> Option<&'static str> {
        keywords.iter().copied().find(|keyword| self.take(keyword))
    }

    pub fn take_token(&mut self, token: &Token) -> bool {
        let is_next = self.peek() == Some(token);
        if is_next {
            self.next();
        }
        is_next
    }

    pub fn expect(&mut self, keyword: &str) -> Result<()> {
        match self.take(keyword) {
            true => Ok(()),
            false => Err(self.unexpected(&keyword.to_uppercase())),
        }
    }

    /// A name: as it is in quotes, else in small letters.
    pub fn name(&mut self) -> Result<String> {
        match self.peek() {
            Some(Token::Word(word)) => {
                self.next();
                Ok(match word.quote_style {
                    Some(_) => word.value.clone(),
                    None => word.value.to_lowercase(),
                })
            }
            _ => Err(self.unexpected("a name")),
        }
    }

    /// A name with dots in it.
    pub fn dotted_name(&mut self) -> Result<String> {
        let mut name = self.name()?;
        while self.take_token(&Token::Period) {
            name.push('.');
            name.push_str(&self.name()?);
        }
        Ok(name)
    }

    /// A text in quotes, if one comes next.
    pub fn text(&mut self) -> Option<String> {
        let text = match self.peek()? {
            Token::SingleQuotedString(text)
            | Token::EscapedStringLiteral(text)
            | Token::NationalStringLiteral(text)
            | Token::UnicodeStringLiteral(text) => text.clone(),
            Token::DollarQuotedString(text) => text.value.clone(),
            _ => return None,
        };
        self.next();
        Some(text)
    }

    /// A whole number with its sign, if one comes next.
    pub fn integer(&mut self) -> Option<i64> {
        let mut ahead = self.clone();
        let sign = if ahead.take_token(&Token::Minus) {
            "-"
        } else {
            ""
        };
        ahead.take_token(&Token::Plus);
        let Some(Token::Number(digits, _)) = ahead.next() else {
            return None;
        };
        let number = format!("{sign}{digits}").parse().ok()?;
        *self = ahead;
        Some(number)
    }

    /// Fails unless everything is read.
    pub fn end(&self) -> Result<()> {
        match self.is_at_end() {
            true => Ok(()),
            false => Err(self.unexpected("the end of the statement")),
        }
    }

    /// The error that something else was expected here.
    pub fn unexpected(&self, expected: &str) -> Error {
        let message = match self.tokens.first() {
            Some(token) => format!(
                "Expected: {expected}, found: {}{}",
                token.token, token.span.start
            ),
            None => format!("Expected: {expected}, found: EOF"),
        };
        Error::session("42601", message)
    }
}

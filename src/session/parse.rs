//! A text becomes statements: cut at its semicolons, each as the client wrote it.
//!
//! What DataFusion's parser knows is left to it. What only a client of PostgreSQL says (`SET`,
//! `DECLARE`, `MOVE`, `COPY … TO STDOUT` and the like) is read by [`super::command`]. An expression
//! that is nested too deep is refused before anything walks it: every walk is recursive.

use std::sync::Arc;

use datafusion::sql::parser::{DFParserBuilder, ExplainStatement, Statement as DfStatement};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::command::{self, Command, Direction};
use super::words::Words;
use crate::dialect::queries::tokens;
use crate::error::{Error, Result};

/// How deep parentheses, subqueries and the like may be nested.
const NESTING_LIMIT: usize = 200;
/// How many operators may stand between the root of an expression and its deepest leaf.
const OPERATOR_LIMIT: usize = 1_500;

/// One statement of a text, of which nothing is known but its syntax.
#[derive(Debug, Clone)]
pub struct Statement {
    /// As the client wrote it, without its semicolon.
    pub text: Arc<str>,
    /// How many characters of the whole text stand before it.
    pub start: usize,
    pub(super) request: Request,
}

impl Statement {
    /// The cursor that it moves, where it moves one, and by how many rows ahead.
    pub fn moves(&self) -> Option<(&str, u64)> {
        match &self.request {
            Request::Command(command) => match &**command {
                Command::Fetch {
                    name,
                    direction: Direction::Forward(count),
                    only_moves: true,
                } => Some((name, count.unwrap_or(u64::MAX))),
                _ => None,
            },
            Request::Sql(_) => None,
        }
    }
}

/// What a statement asks for.
#[derive(Debug, Clone)]
pub enum Request {
    /// A query, or what else DataFusion plans.
    Sql(Box<DfStatement>),
    /// What the session answers itself.
    Command(Box<Command>),
}

/// The statements of a text.
pub fn parse(sql: &str) -> Result<Vec<Statement>> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location();
    let tokens =
        tokens.map_err(|error| syntax(sql, ParserError::TokenizerError(error.to_string())))?;
    let mut statements = Vec::new();
    let mut place = Place::start(sql);
    for tokens in tokens.split(|token| token.token == Token::SemiColon) {
        let is_said = |token: &&TokenWithSpan| !is_blank(&token.token);
        let (Some(first), Some(last)) = (
            tokens.iter().find(is_said),
            tokens.iter().rev().find(is_said),
        ) else {
            continue;
        };
        place.go_to(first.span.start);
        let (start, from) = (place.characters, place.bytes);
        place.go_to(last.span.end);
        let text = sql.get(from..place.bytes).unwrap_or_default();
        let said: Vec<TokenWithSpan> = tokens.iter().filter(is_said).cloned().collect();
        check_depth(&said)?;
        statements.push(Statement {
            text: text.into(),
            start,
            request: one(&said).map_err(|error| locate_syntax(sql, error))?,
        });
    }
    Ok(statements)
}

/// Reads one statement, of which every token is given and none of them blank.
pub(super) fn one(tokens: &[TokenWithSpan]) -> Result<Request> {
    let mut words = Words::new(tokens);
    if let Some(command) = command::read(&mut words)? {
        return Ok(Request::Command(Box::new(command)));
    }
    let mut words = Words::new(tokens);
    if words.take("explain") {
        let options = command::explain_options(&mut words)?;
        let Request::Sql(statement) = one(words.rest())? else {
            return Err(words.unexpected("a query after EXPLAIN"));
        };
        let statement = ExplainStatement { statement, options };
        return Ok(Request::Sql(Box::new(DfStatement::Explain(statement))));
    }
    if words.take("table") {
        // TABLE name is short for SELECT * FROM name.
        let mut long = vec![
            word("SELECT"),
            TokenWithSpan::wrap(Token::Mul),
            word("FROM"),
        ];
        long.extend_from_slice(words.rest());
        return sql(long);
    }
    sql(tokens.to_vec())
}

/// What DataFusion's parser makes of it.
fn sql(tokens: Vec<TokenWithSpan>) -> Result<Request> {
    let mut statements = DFParserBuilder::new(tokens::rewrite(tokens)?)
        .with_dialect(&PostgreSqlDialect {})
        .with_recursion_limit(NESTING_LIMIT)
        .build()?
        .parse_statements()?;
    match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => Ok(Request::Sql(Box::new(statement))),
        _ => Err(Error::session("42601", "one statement was expected")),
    }
}

fn word(text: &str) -> TokenWithSpan {
    TokenWithSpan::wrap(Token::make_keyword(text))
}

fn is_blank(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_) | Token::EOF)
}

/// Refuses what would be nested too deep, by the operators on the way to the deepest leaf.
fn check_depth(tokens: &[TokenWithSpan]) -> Result<()> {
    // For each open bracket, how many operators stand side by side in it so far.
    let mut levels = vec![0_usize];
    let mut depth = 0_usize;
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => levels.push(0),
            Token::RParen | Token::RBracket | Token::RBrace if levels.len() > 1 => {
                depth -= levels.pop().unwrap_or_default();
            }
            Token::Comma => {
                if let Some(level) = levels.last_mut() {
                    depth -= std::mem::take(level);
                }
            }
            token if is_operator(token) => {
                depth += 1;
                if let Some(level) = levels.last_mut() {
                    *level += 1;
                }
            }
            _ => {}
        }
        if depth > OPERATOR_LIMIT {
            return Err(Error::session(
                "54001",
                format!(
                    "the statement is too deep: more than {OPERATOR_LIMIT} operators in one \
                     expression; write long lists as IN (…) or = ANY(ARRAY[…])"
                ),
            ));
        }
    }
    Ok(())
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => {
            word.quote_style.is_none()
                && [
                    "and",
                    "or",
                    "not",
                    "union",
                    "except",
                    "intersect",
                    "is",
                    "like",
                    "ilike",
                    "join",
                ]
                .iter()
                .any(|name| word.value.eq_ignore_ascii_case(name))
        }
        Token::Number(_, _)
        | Token::SingleQuotedString(_)
        | Token::Comma
        | Token::Period
        | Token::Whitespace(_)
        | Token::Placeholder(_)
        | Token::SemiColon
        | Token::EOF => false,
        Token::Char(_)
        | Token::DoubleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::DollarQuotedString(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::SingleQuotedByteStringLiteral(_) => false,
        _ => true,
    }
}

/// A syntax error at its place in the whole text.
fn syntax(sql: &str, error: ParserError) -> Error {
    locate_syntax(
        sql,
        datafusion::error::DataFusionError::SQL(Box::new(error), None).into(),
    )
}

/// Gives a syntax error the position that its message names by line and column.
fn locate_syntax(sql: &str, error: Error) -> Error {
    if error.sqlstate() != "42601" {
        return error;
    }
    let message = error.to_string();
    let number = |name: &str| {
        let from = message.rfind(name)? + name.len();
        let digits: String = message[from..]
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse::<u64>().ok()
    };
    match (number("Line: "), number("Column: ")) {
        (Some(line), Some(column)) => {
            let mut place = Place::start(sql);
            place.go_to(Location::new(line, column));
            error.at(place.characters + 1)
        }
        _ if message.contains("found: EOF") => error.at(sql.chars().count() + 1),
        _ => error,
    }
}

/// The position of a name in a statement, counted in characters from 1.
pub fn position_of(text: &str, name: &str) -> Option<usize> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location();
    let token = tokens.ok()?.into_iter().find(|token| {
        matches!(&token.token, Token::Word(word) if match word.quote_style {
            Some(_) => word.value == name,
            None => word.value.eq_ignore_ascii_case(name),
        })
    })?;
    let mut place = Place::start(text);
    place.go_to(token.span.start);
    Some(place.characters + 1)
}

/// A place in a text, which goes forward by lines and columns.
struct Place<'a> {
    rest: std::str::Chars<'a>,
    at: Location,
    bytes: usize,
    characters: usize,
}

impl<'a> Place<'a> {
    fn start(text: &'a str) -> Self {
        Self {
            rest: text.chars(),
            at: Location::new(1, 1),
            bytes: 0,
            characters: 0,
        }
    }

    fn go_to(&mut self, target: Location) {
        while self.at < target {
            let Some(character) = self.rest.next() else {
                return;
            };
            self.bytes += character.len_utf8();
            self.characters += 1;
            if character == '\n' {
                self.at.line += 1;
                self.at.column = 1;
            } else {
                self.at.column += 1;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<String> {
        let statements = parse(sql).unwrap();
        statements.iter().map(|s| s.text.to_string()).collect()
    }

    #[test]
    fn a_text_is_cut_at_its_semicolons() {
        assert_eq!(
            texts("select 1; -- two;\n select ';' ;"),
            ["select 1", "select ';'"]
        );
        assert_eq!(texts(" ;; -- nothing"), Vec::<String>::new());
        assert_eq!(texts("select $$a;b$$"), ["select $$a;b$$"]);
    }

    #[test]
    fn an_error_has_its_place() {
        let error = parse("select 1;\nselec 2").unwrap_err();
        assert_eq!((error.sqlstate(), error.position()), ("42601", Some(11)));
        let error = parse("select 1 from t group by 1 having").unwrap_err();
        assert_eq!((error.sqlstate(), error.position()), ("42601", Some(34)));
        assert_eq!(position_of("select é, Nope", "nope"), Some(11));
    }

    #[test]
    fn what_is_too_deep_is_refused() {
        let sum = vec!["1"; 3_000].join("+");
        assert_eq!(
            parse(&format!("select {sum}")).unwrap_err().sqlstate(),
            "54001"
        );
        let brackets = format!("select {}1{}", "(".repeat(3_000), ")".repeat(3_000));
        assert_eq!(parse(&brackets).unwrap_err().sqlstate(), "54001");
        let list = vec!["1"; 20_000].join(",");
        assert!(parse(&format!("select 1 where 5 in ({list})")).is_ok());
    }
}

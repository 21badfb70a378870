//! A text becomes statements: cut at its semicolons, each as the client wrote it.
//!
//! What DataFusion's parser knows is left to it. What only a client of PostgreSQL says (`SET`,
//! `DECLARE`, `MOVE`, `COPY … TO STDOUT` and the like) is read by [`super::command`]. What is too
//! long or nested too deep is refused before ([`super::length`], [`super::bounds`]).

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryPool, MemoryReservation};
use datafusion::sql::parser::{DFParserBuilder, ExplainStatement, Statement as DfStatement};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{
    Location, Token, TokenWithSpan, Tokenizer, Whitespace,
};

use super::command::{self, Command, Direction};
use super::length;
use super::syntax::{self, Syntax};
use super::words::Words;
use crate::caller::bounds::{self, NESTING_LIMIT};
use crate::dialect::queries::tokens;
use crate::error::{Error, Result};

/// One statement of a text, of which nothing is known but its syntax.
#[derive(Debug, Clone)]
pub struct Statement {
    /// As the client wrote it, without its semicolon.
    pub text: Arc<str>,
    /// How many characters of the whole text stand before it.
    pub start: usize,
    pub(super) request: Request,
    /// What the text and all that is made of it need, for as long as any of it is kept.
    pub(super) _memory: Arc<MemoryReservation>,
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

/// The statements of a text, whatever memory they need.
#[cfg(test)]
pub fn parse(sql: &str) -> Result<Vec<Statement>> {
    use datafusion::execution::memory_pool::UnboundedMemoryPool;
    let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
    parse_within(sql, &pool)
}

/// The statements of a text, for which there is memory in the pool.
pub fn parse_within(sql: &str, pool: &Arc<dyn MemoryPool>) -> Result<Vec<Statement>> {
    let memory = Arc::new(length::reserve(sql, pool)?);
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location();
    let tokens =
        tokens.map_err(|error| syntax(sql, ParserError::TokenizerError(error.to_string())))?;
    check_numbers(sql, &tokens)?;
    let tokens = joined(tokens);
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
        bounds::check_depth(&said)?;
        statements.push(Statement {
            text: text.into(),
            start,
            request: one(&said).map_err(|error| locate_syntax(sql, error))?,
            _memory: Arc::clone(&memory),
        });
    }
    Ok(statements)
}

/// Refuses a number with letters at its end, which the parser would take for another value: `0b101` for
/// a zero called `b101`, `0x1F` for bits.
fn check_numbers(sql: &str, tokens: &[TokenWithSpan]) -> Result<()> {
    let mut place = Place::start(sql);
    for (at, token) in tokens.iter().enumerate() {
        let has_letters = match &token.token {
            Token::Number(_, _) => tokens.get(at + 1).is_some_and(|next| {
                next.span.start == token.span.end
                    && matches!(&next.token, Token::Word(word) if word.quote_style.is_none())
            }),
            Token::HexStringLiteral(_) => true,
            _ => continue,
        };
        if !has_letters {
            continue;
        }
        place.go_to(token.span.start);
        if !place
            .rest
            .as_str()
            .starts_with(|letter: char| letter.is_ascii_digit() || letter == '.')
        {
            continue;
        }
        let words = place.rest.as_str();
        let end = words.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        let word = words.get(..end.unwrap_or(words.len())).unwrap_or(words);
        let message = format!("trailing junk after numeric literal at or near \"{word}\"");
        return Err(Error::session("42601", message).at(place.characters + 1));
    }
    Ok(())
}

/// Makes one literal of those that stand on lines of their own, one behind the other.
fn joined(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut joined: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // The last literal, and whether nothing but the end of its line has followed.
    let (mut literal, mut is_line_over) = (None, false);
    for token in tokens {
        match &token.token {
            Token::Whitespace(Whitespace::Newline | Whitespace::SingleLineComment { .. }) => {
                is_line_over = true;
            }
            Token::Whitespace(_) => {}
            Token::SingleQuotedString(more) if is_line_over && literal.is_some() => {
                joined.truncate(literal.map_or(0, |place: usize| place + 1));
                if let Some(TokenWithSpan {
                    token:
                        Token::SingleQuotedString(text)
                        | Token::EscapedStringLiteral(text)
                        | Token::UnicodeStringLiteral(text)
                        | Token::NationalStringLiteral(text),
                    span,
                }) = joined.last_mut()
                {
                    text.push_str(more);
                    span.end = token.span.end;
                }
                is_line_over = false;
                continue;
            }
            Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::NationalStringLiteral(_) => {
                (literal, is_line_over) = (Some(joined.len()), false);
            }
            _ => literal = None,
        }
        joined.push(token);
    }
    joined
}

/// Reads one statement, of which every token is given and none of them blank.
fn one(tokens: &[TokenWithSpan]) -> Result<Request> {
    if let Some(command) = command::read(&mut Words::new(tokens))? {
        return Ok(Request::Command(Box::new(command)));
    }
    Ok(Request::Sql(query(tokens)?))
}

/// Reads what stands within another statement; `None` where it is a command, which stands alone.
pub(super) fn within(tokens: &[TokenWithSpan]) -> Result<Option<Request>> {
    // What may itself have another within it is known by its first word, without reading on.
    let mut words = Words::new(tokens);
    let is_command = ["prepare", "declare", "copy"]
        .iter()
        .any(|word| words.is(word))
        || command::read(&mut words)?.is_some();
    match is_command {
        true => Ok(None),
        false => Ok(Some(Request::Sql(query(tokens)?))),
    }
}

/// Reads a query, or another statement that is not a command.
fn query(tokens: &[TokenWithSpan]) -> Result<Box<DfStatement>> {
    let mut words = Words::new(tokens);
    if !words.take("explain") {
        return plain(tokens);
    }
    let options = command::explain::options(&mut words)?;
    if !words.is("explain")
        && let Some(Request::Sql(statement)) = within(words.rest())?
    {
        let statement = ExplainStatement { statement, options };
        return Ok(Box::new(DfStatement::Explain(statement)));
    }
    Err(words.unexpected("a query after EXPLAIN"))
}

/// Reads a statement that explains no other.
fn plain(tokens: &[TokenWithSpan]) -> Result<Box<DfStatement>> {
    let mut words = Words::new(tokens);
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
fn sql(tokens: Vec<TokenWithSpan>) -> Result<Box<DfStatement>> {
    let tokens = tokens::rewrite(tokens)?;
    let syntax = Syntax::of(tokens.len());
    let parsed = DFParserBuilder::new(tokens)
        .with_dialect(&syntax)
        .with_recursion_limit(NESTING_LIMIT)
        .build()
        .and_then(|mut parser| parser.parse_statements());
    let mut statements = parsed.map_err(|error| match error {
        DataFusionError::SQL(error, _) => syntax::problem(*error),
        error => error.into(),
    })?;
    match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => Ok(Box::new(statement)),
        _ => Err(Error::session("42601", "one statement was expected")),
    }
}

fn word(text: &str) -> TokenWithSpan {
    TokenWithSpan::wrap(Token::make_keyword(text))
}

fn is_blank(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_) | Token::EOF)
}

/// A syntax error at its place in the whole text.
fn syntax(sql: &str, error: ParserError) -> Error {
    locate_syntax(sql, DataFusionError::SQL(Box::new(error), None).into())
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
#[allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;

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
        let many = 100_000;
        let around = |open: &str, middle: &str, close: &str| {
            [&open.repeat(many), middle, &close.repeat(many)].concat()
        };
        for sql in [
            around("explain ", "select 1", ""),
            around("explain analyze ", "select 1", ""),
            around("prepare a as ", "select 1", ""),
            around("declare c cursor for ", "select 1", ""),
            around("copy (", "select 1", ") to stdout"),
            around("select (", "1", ")"),
            around("(", "select 1", ")"),
            around("select * from (", "select 1", ") t"),
            around("with a as (", "select 1", ") select 1"),
            around("select array[", "1", "]"),
            around("select abs(", "1", ")"),
            around("select case when true then ", "1", " end"),
            around("select 1", "", "+1"),
            around("select 1", "", "::int"),
            around("select 'a'", "", "||'a'"),
            around("select null::int", "", "[]"),
            around("select a", "", "[1]"),
            around("select a", "", " in (1)"),
            around("select a", "", " at time zone 'UTC'"),
            around("select a", "", " collate \"C\""),
            around("select a", "", " isnull"),
            around("select a", "", " is null"),
            around("select a", "", " between 1 and 2"),
            around("select a", "", "->'a'"),
            around("select interval ", "'1'", ""),
            around("select not ", "true", ""),
            around("select - ", "1", ""),
            around("select ~ ", "1", ""),
            around("select exists(", "select 1", ")"),
            around("select null::array<", "int", ">"),
            around("select 1", "", " union select 1"),
            around("select 1 from a", "", " join a on true"),
            around("select 1 from a where a = (", "select 1", ")"),
        ] {
            let start = &sql[..sql.len().min(40)];
            match parse(&sql) {
                Ok(_) => panic!("{start}"),
                // What is wrong as well may be said in place of what is too deep.
                Err(error) => assert!(
                    matches!(error.sqlstate(), "54001" | "42601"),
                    "{start}: {error:.100}"
                ),
            }
        }
        // What is long is not deep.
        let list = vec!["1"; 100_000].join(",");
        assert!(parse(&format!("select 1 where 5 in ({list})")).is_ok());
        let comments = ["/*".repeat(many), "*/".repeat(many)].concat();
        assert!(parse(&format!("select 1 {comments}")).is_ok());
    }

    #[test]
    fn what_has_many_readings_is_read_once() {
        let around = |open: &str, middle: &str, close: &str| {
            [&open.repeat(60), middle, &close.repeat(60)].concat()
        };
        for (sql, state) in [
            (format!("select {}", around("abs(", "1", ")")), None),
            (format!("select {}", around("nullif(", "1", ",2)")), None),
            (
                format!("select {}", around("position(", "1", ",2)")),
                Some("54001"),
            ),
            (
                format!("select {}", around("exists(", "!", ")")),
                Some("42601"),
            ),
            (format!("select {}", around("interval ", "x", "")), None),
            (
                format!("select {}", around("trim(", "x y z", ")")),
                Some("54001"),
            ),
            (
                format!(
                    "select 1 from {}",
                    around("((select * from ", "a", ") t join x on true) y")
                ),
                Some("54001"),
            ),
        ] {
            let found = parse(&sql).err();
            let found = found.as_ref().map(Error::sqlstate);
            // What is wrong as well may be said in place of what is too deep.
            let is_right = found == state || (state == Some("54001") && found == Some("42601"));
            assert!(is_right, "{sql:.60}: {found:?}");
        }
    }

    #[test]
    fn statements_stand_in_others_once() {
        for sql in [
            "explain explain select 1",
            "prepare a as prepare b as select 1",
            "declare a cursor for declare b cursor for select 1",
            "copy (copy (select 1) to stdout) to stdout",
            "explain prepare a as select 1",
            "prepare a as declare b cursor for select 1",
        ] {
            assert_eq!(parse(sql).unwrap_err().sqlstate(), "42601", "{sql}");
        }
        assert!(parse("explain select 1").is_ok());
        assert!(parse("prepare a as explain select 1").is_ok());
    }

    #[test]
    fn memory_is_reserved_while_a_statement_is_kept() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(10 << 20));
        let list = vec!["1"; 1_000].join(",");
        let sql = format!("select 1 where 5 in ({list})");
        let statements: Vec<_> = (0..100).map(|_| parse_within(&sql, &pool)).collect();
        let refused = statements.into_iter().find_map(Result::err).unwrap();
        assert_eq!(refused.sqlstate(), "53200");
        assert_eq!(pool.reserved(), 0);
        let refused = parse_within(&"(".repeat(8 << 20), &pool).unwrap_err();
        assert_eq!(refused.sqlstate(), "54000");
    }
}

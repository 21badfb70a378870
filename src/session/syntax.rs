//! PostgreSQL's syntax as it is parsed here: sqlparser's, with a bound on how often it goes back.
//!
//! The parser tries one reading after the other, and what it tries again within what it tries again
//! is read a million times on the twentieth level. So it may begin as many expressions as the
//! statement has words, a few times over, and no more. The names of arguments, which it would try as
//! any expression, are names.

use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{TokenWithSpan, Tokenizer};

use crate::caller::bounds::{NESTING_LIMIT, too_complex};
use crate::error::Result;

/// How often an expression may be begun for each word of a statement, and beside that.
const READINGS_EACH: usize = 8;
const READINGS: usize = 1_000;

const POSTGRESQL: PostgreSqlDialect = PostgreSqlDialect {};

/// The syntax of one statement.
#[derive(Debug)]
pub struct Syntax {
    /// Expressions that may still be begun.
    left: AtomicUsize,
}

impl Syntax {
    /// For a statement of so many words and signs.
    pub fn of(words: usize) -> Self {
        Self {
            left: AtomicUsize::new(READINGS + READINGS_EACH * words),
        }
    }

    /// A parser of these tokens.
    pub fn parser(&self, tokens: Vec<TokenWithSpan>) -> Parser<'_> {
        Parser::new(self)
            .with_recursion_limit(NESTING_LIMIT)
            .with_tokens_with_locations(tokens)
    }
}

/// Parses a text that was made here, of what a client has written, as `parse` says.
pub fn parsed<T>(
    sql: &str,
    parse: impl FnOnce(&mut Parser<'_>) -> std::result::Result<T, ParserError>,
) -> Result<T> {
    let tokens = Tokenizer::new(&POSTGRESQL, sql).tokenize_with_location();
    let tokens = tokens.map_err(|error| problem(error.into()))?;
    let syntax = Syntax::of(tokens.len());
    let parsed = parse(&mut syntax.parser(tokens));
    parsed.map_err(problem)
}

/// What is wrong with a statement.
pub fn problem(error: ParserError) -> crate::Error {
    match error {
        ParserError::RecursionLimitExceeded => too_complex(format!(
            "more than {NESTING_LIMIT} parts within each other, or too many ways to read it"
        )),
        error => datafusion::error::DataFusionError::SQL(Box::new(error), None).into(),
    }
}

macro_rules! as_postgresql {
    ($($name:ident)*) => {
        $(fn $name(&self) -> bool {
            POSTGRESQL.$name()
        })*
    };
}

impl Dialect for Syntax {
    /// What the parser does for PostgreSQL alone, it does for this.
    fn dialect(&self) -> std::any::TypeId {
        POSTGRESQL.dialect()
    }

    fn parse_prefix(&self, _: &mut Parser<'_>) -> Option<std::result::Result<Expr, ParserError>> {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        (left == 0).then_some(Err(ParserError::RecursionLimitExceeded))
    }

    /// `IS [NOT] DISTINCT FROM` binds as `IS` does; the parser would take all that follows.
    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        left: &Expr,
        _: u8,
    ) -> Option<std::result::Result<Expr, ParserError>> {
        let distinct = [Keyword::IS, Keyword::DISTINCT, Keyword::FROM];
        let same = [Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM];
        let is_distinct = parser.parse_keywords(&distinct);
        if !is_distinct && !parser.parse_keywords(&same) {
            return None;
        }
        let right = parser.parse_subexpr(self.prec_value(Precedence::Is));
        let left = Box::new(left.clone());
        Some(right.map(|right| match is_distinct {
            true => Expr::IsDistinctFrom(left, Box::new(right)),
            false => Expr::IsNotDistinctFrom(left, Box::new(right)),
        }))
    }

    fn supports_named_fn_args_with_expr_name(&self) -> bool {
        false
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        POSTGRESQL.identifier_quote_style(identifier)
    }

    fn is_delimited_identifier_start(&self, letter: char) -> bool {
        POSTGRESQL.is_delimited_identifier_start(letter)
    }

    fn is_identifier_start(&self, letter: char) -> bool {
        POSTGRESQL.is_identifier_start(letter)
    }

    fn is_identifier_part(&self, letter: char) -> bool {
        POSTGRESQL.is_identifier_part(letter)
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        POSTGRESQL.is_reserved_for_identifier(keyword)
    }

    fn is_custom_operator_part(&self, letter: char) -> bool {
        POSTGRESQL.is_custom_operator_part(letter)
    }

    fn get_next_precedence(
        &self,
        parser: &Parser<'_>,
    ) -> Option<std::result::Result<u8, ParserError>> {
        POSTGRESQL.get_next_precedence(parser)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        POSTGRESQL.prec_value(precedence)
    }

    as_postgresql! {
        supports_unicode_string_literal
        supports_filter_during_aggregation
        supports_group_by_expr
        allow_extract_custom
        allow_extract_single_quotes
        supports_create_index_with_clause
        supports_explain_with_utility_options
        supports_listen_notify
        supports_factorial_operator
        supports_bitwise_shift_operators
        supports_comment_on
        supports_load_extension
        supports_named_fn_args_with_colon_operator
        supports_empty_projections
        supports_nested_comments
        supports_string_escape_constant
        supports_numeric_literal_underscores
        supports_array_typedef_with_brackets
        supports_geometric_types
        supports_set_names
        supports_alter_column_type_using
        supports_notnull_operator
        supports_interval_options
        supports_insert_table_alias
        supports_create_table_like_parenthesized
        supports_select_wildcard_with_alias
        supports_comma_separated_trim
        supports_xml_expressions
        supports_comment_optimizer_hint
    }
}

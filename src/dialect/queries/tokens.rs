//! Forms that the parser does not read, written as those that it does, before it sees them.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::exclusions::{self, Exclusion};
use crate::error::Result;

/// Rewrites the tokens of one statement, none of them blank:
///
/// - `BETWEEN SYMMETRIC a` marks `a` with an operator that PostgreSQL has no more;
/// - `ORDER BY a USING >` is `a DESC`;
/// - `TRIM (LEADING FROM a)` says the blank that it trims;
/// - `top` without a number behind it is a name;
/// - `WITH DATA` behind a query is what holds without it;
/// - `EXCLUDE NO OTHERS` in a window frame is what holds without it, other exclusions become a mark of the
///   window.
pub fn rewrite(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let is_known = |token: &TokenWithSpan| {
        matches!(&token.token, Token::Word(word) if word.quote_style.is_none()
            && (matches!(
                word.keyword,
                Keyword::USING | Keyword::EXCLUDE | Keyword::TRIM | Keyword::TOP | Keyword::DATA
            )
                || word.value.eq_ignore_ascii_case("symmetric")))
    };
    if !tokens.iter().any(is_known) {
        return Ok(tokens);
    }
    let mut rewritten: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let Some((token, behind)) = rest.split_first() {
        rest = behind;
        let after = |position: usize| rest.get(position).map(|token| &token.token);
        if is(&token.token, "symmetric")
            && rewritten
                .last()
                .is_some_and(|before| is(&before.token, "between"))
        {
            rewritten.push(TokenWithSpan::new(Token::DoubleExclamationMark, token.span));
        } else if is(&token.token, "using") && matches!(after(0), Some(Token::Lt | Token::Gt)) {
            let order = match after(0) {
                Some(Token::Lt) => "ASC",
                _ => "DESC",
            };
            rewritten.push(TokenWithSpan::new(Token::make_keyword(order), token.span));
            rest = rest.get(1..).unwrap_or_default();
        } else if is(&token.token, "from")
            && let [.., trim, bracket, end] = rewritten.as_slice()
            && is(&trim.token, "trim")
            && bracket.token == Token::LParen
            && ["leading", "trailing", "both"]
                .iter()
                .any(|word| is(&end.token, word))
        {
            let blank = Token::SingleQuotedString(" ".into());
            rewritten.push(TokenWithSpan::new(blank, token.span));
            rewritten.push(token.clone());
        } else if is(&token.token, "top")
            && !matches!(after(0), Some(Token::Number(_, _) | Token::LParen))
        {
            let quoted = Token::make_word("top", Some('"'));
            rewritten.push(TokenWithSpan::new(quoted, token.span));
        } else if is(&token.token, "data")
            && matches!(after(0), None | Some(Token::SemiColon | Token::EOF))
            && rewritten.len() > 1
            && rewritten
                .first()
                .is_some_and(|first| is(&first.token, "create"))
            && rewritten
                .last()
                .is_some_and(|before| is(&before.token, "with"))
        {
            rewritten.pop();
        } else if is(&token.token, "exclude") {
            let follows = |words: &[&str]| {
                let mut words = words.iter().enumerate();
                words.all(|(position, word)| after(position).is_some_and(|token| is(token, word)))
            };
            let excluded = if follows(&["current", "row"]) {
                Some((Exclusion::CurrentRow, 2))
            } else if follows(&["group"]) {
                Some((Exclusion::Group, 1))
            } else if follows(&["ties"]) {
                Some((Exclusion::Ties, 1))
            } else {
                None
            };
            if follows(&["no", "others"]) {
                rest = rest.get(2..).unwrap_or_default();
            } else if let Some((excluded, words)) = excluded
                && exclusions::mark(&mut rewritten, excluded).is_some()
            {
                rest = rest.get(words..).unwrap_or_default();
            } else {
                rewritten.push(token.clone());
            }
        } else {
            rewritten.push(token.clone());
        }
    }
    Ok(rewritten)
}

fn is(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(known)
        if known.quote_style.is_none() && known.value.eq_ignore_ascii_case(word))
}

//! `SIMILAR TO` as a regular expression, and patterns or values compared with each of a list:
//! `LIKE ANY (ARRAY[…])`, `~ ALL (…)`, `= ANY ('{…}')`.

use datafusion::sql::sqlparser::ast::{
    Array, BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Query,
    SetExpr, TableFactor, UnaryOperator, Value, ValueWithSpan,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::limits::binary;
use super::unsupported;
use crate::error::{Error, Result};

/// Rewrites a comparison with patterns.
pub fn rewrite(expr: &mut Expr) -> Result<()> {
    escape(expr);
    let rewritten = match expr {
        Expr::SimilarTo {
            negated,
            expr: text,
            pattern,
            escape_char,
        } => Some(similar(*negated, text, pattern, escape_char.as_ref())?),
        Expr::Like {
            negated,
            any: true,
            expr: text,
            pattern,
            escape_char: None,
        } => {
            let op = match negated {
                false => BinaryOperator::PGLikeMatch,
                true => BinaryOperator::PGNotLikeMatch,
            };
            any_of(text, &op, pattern)?
        }
        Expr::ILike {
            negated,
            any: true,
            expr: text,
            pattern,
            escape_char: None,
        } => {
            let op = match negated {
                false => BinaryOperator::PGILikeMatch,
                true => BinaryOperator::PGNotILikeMatch,
            };
            any_of(text, &op, pattern)?
        }
        Expr::Like {
            negated,
            any: false,
            expr: text,
            pattern,
            escape_char: None,
        } => match all_of(pattern) {
            Some(list) => {
                let op = match negated {
                    false => BinaryOperator::PGLikeMatch,
                    true => BinaryOperator::PGNotLikeMatch,
                };
                each_of(text, &op, &list, &BinaryOperator::And)?
            }
            None => None,
        },
        Expr::AnyOp {
            left,
            compare_op,
            right,
            is_some: _,
        } => {
            take_literal(right);
            match (right.as_mut(), &*compare_op) {
                (Expr::Subquery(query), BinaryOperator::Eq) => Some(Expr::InSubquery {
                    expr: left.clone(),
                    subquery: query.clone(),
                    negated: false,
                }),
                (Expr::Subquery(query), _) => {
                    rename(query)?;
                    None
                }
                (Expr::Array(list), BinaryOperator::Eq) => in_list(left, list, false),
                (list, op) if is_pattern(op) => any_of(left, op, list)?,
                _ => None,
            }
        }
        Expr::AllOp {
            left,
            compare_op,
            right,
        } => {
            take_literal(right);
            match (right.as_mut(), &*compare_op) {
                (Expr::Subquery(query), BinaryOperator::NotEq) => Some(Expr::InSubquery {
                    expr: left.clone(),
                    subquery: query.clone(),
                    negated: true,
                }),
                (Expr::Subquery(query), _) => {
                    rename(query)?;
                    None
                }
                (Expr::Array(list), BinaryOperator::NotEq) => in_list(left, list, true),
                (list, op) if is_pattern(op) => each_of(left, op, list, &BinaryOperator::And)?,
                _ => None,
            }
        }
        _ => None,
    };
    if let Some(rewritten) = rewritten {
        *expr = rewritten;
    }
    Ok(())
}

/// `x = ANY (ARRAY[a, b])` as `x IN (a, b)`, which is null where PostgreSQL's is.
fn in_list(value: &Expr, list: &Array, negated: bool) -> Option<Expr> {
    let is_flat = |element: &Expr| !matches!(element, Expr::Array(_));
    (!list.elem.is_empty() && list.elem.iter().all(is_flat)).then(|| Expr::InList {
        expr: Box::new(value.clone()),
        list: list.elem.clone(),
        negated,
    })
}

/// Gives the column of a subquery a name of its own, since the planner compares by names, and the
/// other side may have the same.
fn rename(query: &mut Box<Query>) -> Result<()> {
    let text = "select value_compared from (select 1) as values_compared (value_compared)";
    let parsed = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_query());
    let mut renamed = parsed.map_err(datafusion::error::DataFusionError::from)?;
    if let SetExpr::Select(select) = renamed.body.as_mut()
        && let Some(TableFactor::Derived { subquery, .. }) =
            select.from.first_mut().map(|table| &mut table.relation)
    {
        std::mem::swap(subquery, query);
        std::mem::swap(query, &mut renamed);
    }
    Ok(())
}

/// `LIKE 'a!%' ESCAPE '!'` with the backslash that DataFusion knows.
fn escape(expr: &mut Expr) {
    let (Expr::Like {
        pattern,
        escape_char,
        ..
    }
    | Expr::ILike {
        pattern,
        escape_char,
        ..
    }) = expr
    else {
        return;
    };
    let Some(Value::SingleQuotedString(mark)) = escape_char.as_ref().map(|value| &value.value)
    else {
        return;
    };
    let mut marks = mark.chars();
    let (mark, None) = (marks.next(), marks.next()) else {
        return;
    };
    let Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(text),
        ..
    }) = pattern.as_mut()
    else {
        return;
    };
    let mut written = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            letter if Some(letter) == mark => {
                written.push('\\');
                written.extend(letters.next());
            }
            '\\' => written.push_str("\\\\"),
            letter => written.push(letter),
        }
    }
    *text = written;
    *escape_char = None;
}

fn is_pattern(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::PGRegexMatch
            | BinaryOperator::PGRegexIMatch
            | BinaryOperator::PGRegexNotMatch
            | BinaryOperator::PGRegexNotIMatch
            | BinaryOperator::PGLikeMatch
            | BinaryOperator::PGILikeMatch
            | BinaryOperator::PGNotLikeMatch
            | BinaryOperator::PGNotILikeMatch
    )
}

fn any_of(text: &Expr, op: &BinaryOperator, list: &Expr) -> Result<Option<Expr>> {
    each_of(text, op, list, &BinaryOperator::Or)
}

/// The text compared with each element of an array that is written out.
fn each_of(
    text: &Expr,
    op: &BinaryOperator,
    list: &Expr,
    by: &BinaryOperator,
) -> Result<Option<Expr>> {
    let mut list = list.clone();
    take_literal(&mut list);
    let Some(elements) = elements(&list) else {
        let hint = "EXISTS (SELECT 1 FROM unnest(…) AS t(p) WHERE … LIKE p) says the same";
        return Err(unsupported(
            "a pattern compared with an array that is computed",
            hint,
        ));
    };
    let each = elements
        .into_iter()
        .map(|element| binary(text.clone(), op.clone(), element));
    let all = each.reduce(|a, b| binary(a, by.clone(), b));
    let of_none = Value::Boolean(*by == BinaryOperator::And);
    Ok(Some(
        all.unwrap_or_else(|| Expr::Value(of_none.with_empty_span())),
    ))
}

/// The list of `LIKE ALL (…)`, which the parser takes for a call.
fn all_of(pattern: &Expr) -> Option<Expr> {
    let Expr::Function(Function {
        name,
        args: FunctionArguments::List(list),
        ..
    }) = pattern
    else {
        return None;
    };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(list))]
            if name.to_string().eq_ignore_ascii_case("all") =>
        {
            Some(list.clone())
        }
        _ => None,
    }
}

fn elements(list: &Expr) -> Option<Vec<Expr>> {
    match list {
        Expr::Array(Array { elem, .. }) => Some(elem.clone()),
        Expr::Nested(list) | Expr::Cast { expr: list, .. } => elements(list),
        Expr::Tuple(elements) => Some(elements.clone()),
        _ => None,
    }
}

/// Makes an array of a text in PostgreSQL's form of arrays.
fn take_literal(list: &mut Expr) {
    let written = match &*list {
        Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text),
            ..
        }) => array_of(text),
        Expr::Nested(inner) => {
            let mut inner = (**inner).clone();
            take_literal(&mut inner);
            matches!(inner, Expr::Array(_)).then_some(inner)
        }
        _ => None,
    };
    if let Some(written) = written {
        *list = written;
    }
}

/// `{a,"b c",NULL}` as an array of texts; nothing where it is none, or has arrays for elements.
fn array_of(text: &str) -> Option<Expr> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut elem = Vec::new();
    let mut rest = inner.trim_start();
    while !rest.is_empty() {
        let value;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut unescaped = String::new();
            let mut letters = quoted.char_indices();
            let end = loop {
                match letters.next()? {
                    (_, '\\') => unescaped.push(letters.next()?.1),
                    (at, '"') => break at,
                    (_, letter) => unescaped.push(letter),
                }
            };
            rest = quoted.get(end + 1..)?.trim_start();
            value = Value::SingleQuotedString(unescaped);
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let word = rest.get(..end)?.trim_end();
            if word.is_empty() || word.contains(['{', '}', '"', '\\']) {
                return None;
            }
            rest = rest.get(end..)?;
            value = match word.eq_ignore_ascii_case("null") {
                true => Value::Null,
                false => Value::SingleQuotedString(word.into()),
            };
        }
        elem.push(Expr::Value(value.with_empty_span()));
        rest = match rest.strip_prefix(',') {
            Some(rest) => rest.trim_start(),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    (!elem.is_empty()).then_some(Expr::Array(Array { elem, named: true }))
}

fn similar(
    negated: bool,
    text: &Expr,
    pattern: &Expr,
    escape: Option<&ValueWithSpan>,
) -> Result<Expr> {
    let escape = match escape.map(|escape| &escape.value) {
        None => Some('\\'),
        Some(Value::SingleQuotedString(text)) => {
            let mut letters = text.chars();
            match (letters.next(), letters.next()) {
                (letter, None) => letter,
                _ => {
                    return Err(Error::session_hint(
                        "22019",
                        "invalid escape string",
                        "escape string must be empty or one character",
                    ));
                }
            }
        }
        Some(_) => return Err(Error::session("22019", "invalid escape string")),
    };
    let Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(pattern),
        ..
    }) = pattern
    else {
        let hint = "~ takes a regular expression that is computed";
        return Err(unsupported("SIMILAR TO a pattern that is computed", hint));
    };
    let matches = Expr::BinaryOp {
        left: Box::new(text.clone()),
        op: BinaryOperator::PGRegexMatch,
        right: Box::new(Expr::Value(
            Value::SingleQuotedString(regex(pattern, escape)).with_empty_span(),
        )),
    };
    let matches = Expr::Nested(Box::new(matches));
    Ok(match negated {
        true => Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(matches),
        },
        false => matches,
    })
}

/// A pattern of `SIMILAR TO` as a regular expression over the whole text.
fn regex(pattern: &str, escape: Option<char>) -> String {
    let mut regex = String::from("^(?s:");
    let mut letters = pattern.chars();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        if Some(letter) == escape {
            if let Some(next) = letters.next() {
                quote(&mut regex, next);
            }
            continue;
        }
        match letter {
            ']' if in_class => {
                in_class = false;
                regex.push(']');
            }
            '\\' => regex.push_str("\\\\"),
            letter if in_class => regex.push(letter),
            '[' => {
                in_class = true;
                regex.push('[');
            }
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            '(' => regex.push_str("(?:"),
            '.' | '^' | '$' => quote(&mut regex, letter),
            letter => regex.push(letter),
        }
    }
    regex.push_str(")$");
    regex
}

fn quote(regex: &mut String, letter: char) {
    if !letter.is_alphanumeric() && letter.is_ascii() {
        regex.push('\\');
    }
    regex.push(letter);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_regular_expression_over_the_whole_text() {
        assert_eq!(regex("(T0|T1)%", Some('\\')), "^(?s:(?:T0|T1).*)$");
        assert_eq!(regex("a_b.c", Some('\\')), "^(?s:a.b\\.c)$");
        assert_eq!(regex("10\\%[a-z]+", Some('\\')), "^(?s:10\\%[a-z]+)$");
        assert_eq!(regex("10#%", Some('#')), "^(?s:10\\%)$");
    }

    #[test]
    fn a_text_is_an_array() {
        let text = |written: &str| array_of(written).map(|array| array.to_string());
        assert_eq!(text("{T0, T1}").unwrap(), "ARRAY['T0', 'T1']");
        assert_eq!(text("{\"a,\\\"b\", NULL}").unwrap(), "ARRAY['a,\"b', NULL]");
        assert_eq!(text("{{1},{2}}"), None);
        assert_eq!(text("T0"), None);
    }
}

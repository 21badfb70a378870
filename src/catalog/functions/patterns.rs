//! Compiled patterns of `~` and `LIKE`: each once, however many rows it is matched with.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use datafusion::functions::regex::compile_regex;

use super::super::cast::failure;
use crate::error::Result;

/// How many patterns a thread keeps.
const MOST_KEPT: usize = 64;

/// A compiled pattern: what it finds in a text, each capture as its place.
pub type Find = dyn Fn(&str, usize) -> Option<Vec<Option<(usize, usize)>>>;

thread_local! {
    static KEPT: RefCell<HashMap<(String, bool), Rc<Find>>> = RefCell::default();
}

/// A regular expression of PostgreSQL, as far as its syntax is the common one.
pub fn compiled(pattern: &str, any_case: bool) -> Result<Rc<Find>> {
    let key = (pattern.to_owned(), any_case);
    let kept = KEPT.with_borrow(|kept| kept.get(&key).cloned());
    if let Some(kept) = kept {
        return Ok(kept);
    }
    // Three letters in front of a pattern say that it is an advanced one, as all are here.
    let plain = pattern.strip_prefix("***:").unwrap_or(pattern);
    let plain = match plain.strip_prefix("***=") {
        Some(literal) => escaped(literal),
        None => plain.to_owned(),
    };
    let regex = compile_regex(&plain, any_case.then_some("i")).map_err(|_| {
        failure(
            "2201B",
            format!("invalid regular expression: \"{pattern}\""),
        )
    })?;
    let find = move |text: &str, from: usize| {
        let captures = regex.captures_at(text, from)?;
        let places = captures
            .iter()
            .map(|part| part.map(|part| (part.start(), part.end())));
        Some(places.collect())
    };
    let find: Rc<Find> = Rc::new(find);
    KEPT.with_borrow_mut(|kept| {
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(key, Rc::clone(&find));
    });
    Ok(find)
}

pub fn escaped(literal: &str) -> String {
    let mut pattern = String::new();
    for letter in literal.chars() {
        if !letter.is_alphanumeric() && letter != '_' && !letter.is_whitespace() {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

/// Whether a text is like a pattern of `%`, `_` and `\`.
pub fn is_like(text: &str, pattern: &str, any_case: bool) -> bool {
    let fold = |text: &str| -> Vec<char> {
        match any_case {
            true => text.to_lowercase().chars().collect(),
            false => text.chars().collect(),
        }
    };
    let (text, pattern) = (fold(text), fold(pattern));
    // The last `%` and how much of the text it has taken: it takes more where the rest fails.
    let (mut at, mut of, mut star) = (0, 0, None);
    while at < text.len() {
        let letter = text.get(at);
        let matches = match pattern.get(of) {
            Some('%') => {
                star = Some((of, at));
                of += 1;
                continue;
            }
            Some('_') => Some(1),
            Some('\\') if pattern.get(of + 1) == letter => Some(2),
            Some('\\') => None,
            known if known == letter => Some(1),
            _ => None,
        };
        match (matches, star) {
            (Some(length), _) => {
                at += 1;
                of += length;
            }
            (None, Some((place, taken))) => {
                star = Some((place, taken + 1));
                at = taken + 1;
                of = place + 1;
            }
            (None, None) => return false,
        }
    }
    pattern
        .get(of..)
        .is_some_and(|rest| rest.iter().all(|letter| *letter == '%'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_is_that_of_postgresql() {
        for (text, pattern, expected) in [
            ("signals", "sig%", true),
            ("signals", "%als", true),
            ("signals", "s_gnals", true),
            ("signals", "s_nals", false),
            ("pg_x", "pg\\_%", true),
            ("pgxx", "pg\\_%", false),
            ("", "%", true),
            ("", "_", false),
            ("aaab", "%ab", true),
            ("a%", "a\\%", true),
            ("abc", "a", false),
        ] {
            assert_eq!(
                is_like(text, pattern, false),
                expected,
                "{text} like {pattern}"
            );
        }
        assert!(is_like("SigNals", "sIG%", true));
    }

    #[test]
    fn literals_are_escaped() {
        assert_eq!(escaped("a.b*"), "a\\.b\\*");
    }
}

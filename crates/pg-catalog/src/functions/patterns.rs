//! Compiled patterns of `~` and `LIKE`: each once, however many rows it is matched with.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use datafusion::functions::regex::compile_regex;

use crate::cast::failure;
use crate::error::Result;

/// How many patterns a thread keeps.
const MOST_KEPT: usize = 64;

/// A compiled pattern: what it finds in a text, each capture as its place.
pub type Find = dyn Fn(&str, usize) -> Option<Vec<Option<(usize, usize)>>>;

thread_local! {
    static KEPT: RefCell<HashMap<(String, String), Rc<Find>>> = RefCell::default();
}

/// A regular expression of PostgreSQL, in any case or not.
pub fn compiled(pattern: &str, any_case: bool) -> Result<Rc<Find>> {
    flagged(pattern, if any_case { "i" } else { "" })
}

/// A regular expression of PostgreSQL, as far as its syntax is the common one, with its flags.
pub fn flagged(pattern: &str, flags: &str) -> Result<Rc<Find>> {
    let key = (pattern.to_owned(), flags.to_owned());
    let kept = KEPT.with_borrow(|kept| kept.get(&key).cloned());
    if let Some(kept) = kept {
        return Ok(kept);
    }
    // A dot is any letter, `^` and `$` are the ends of the text, unless a flag says otherwise.
    let mut modes = String::from("s");
    for flag in flags.chars() {
        match flag {
            'i' => modes.push('i'),
            'c' => modes.retain(|mode| mode != 'i'),
            'n' | 'm' => modes = modes.replace('s', "") + "m",
            'p' => modes = modes.replace('s', ""),
            'w' => modes.push('m'),
            's' | 'e' | 't' | 'g' => {}
            'x' => modes.push('x'),
            flag => {
                let message = format!("invalid regular expression option: \"{flag}\"");
                return Err(failure("22023", message));
            }
        }
    }
    let regex = compile_regex(&in_rust(pattern), Some(&modes)).map_err(|_| {
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

/// A pattern whose escapes have the letters that they have here: the ends of words.
pub fn in_rust(pattern: &str) -> String {
    // Three letters in front of a pattern say that it is an advanced one, as all are here.
    let plain = pattern.strip_prefix("***:").unwrap_or(pattern);
    match plain.strip_prefix("***=") {
        Some(literal) => escaped(literal),
        None => unescaped(plain),
    }
}

fn unescaped(pattern: &str) -> String {
    let mut written = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            written.push(letter);
            continue;
        }
        match letters.next() {
            Some('y') => written.push_str(r"\b"),
            Some('Y') => written.push_str(r"\B"),
            Some('m') => written.push_str(r"\b{start}"),
            Some('M') => written.push_str(r"\b{end}"),
            Some('Z') => written.push_str(r"\z"),
            Some(other) => written.extend(['\\', other]),
            None => written.push('\\'),
        }
    }
    written
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

//! Variables of a script, put into it as psql does: `:name` as it is, `:'name'` as a text in quotes,
//! `:"name"` as a name in quotes. What stands in strings, quoted names, comments or dollar quotes stays
//! as it is, and so do casts (`::`) and variables that nobody has set.

use std::collections::BTreeMap;

use super::failure::Failure;

/// Values by their names.
#[derive(Debug, Default, Clone)]
pub struct Variables(BTreeMap<String, String>);

/// Reads `name=value` of the command line.
pub fn parse(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if is_name(name) => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a variable is name=value, its name of letters, digits and _".into()),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_part)
}

fn is_part(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl Variables {
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn set(&mut self, name: &str, value: String) -> Result<(), Failure> {
        if !is_name(name) {
            return Err(Failure::usage(
                format!("{name} is no name of a variable"),
                "it consists of letters, digits and _",
            ));
        }
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    pub fn unset(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The script with its variables put in, and the first that nobody has set.
    pub fn put_into(&self, script: &str) -> (String, Option<String>) {
        let mut out = String::with_capacity(script.len());
        let mut unset = None;
        let mut rest = script;
        while let Some(first) = rest.chars().next() {
            let stays = stays(rest, &script[..script.len() - rest.len()]);
            if stays > 0 {
                out.push_str(&rest[..stays]);
                rest = &rest[stays..];
                continue;
            }
            let used = (first == ':').then(|| Use::read(rest)).flatten();
            let Some(used) = used else {
                out.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            };
            match self.0.get(used.name) {
                Some(value) => match used.quote {
                    None => out.push_str(value),
                    Some('"') => out.push_str(&format!("\"{}\"", value.replace('"', "\"\""))),
                    Some(_) => out.push_str(&quoted(value)),
                },
                None => {
                    unset.get_or_insert_with(|| used.name.to_owned());
                    out.push_str(&rest[..used.length]);
                }
            }
            rest = &rest[used.length..];
        }
        (out, unset)
    }
}

/// A text that no setting of backslashes changes the meaning of.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A variable in a script.
struct Use<'a> {
    name: &'a str,
    quote: Option<char>,
    /// The bytes that it takes.
    length: usize,
}

impl<'a> Use<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let behind = text.strip_prefix(':')?;
        let quote = behind.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let name = &behind[quote.map_or(0, char::len_utf8)..];
        let end = name.find(|c| !is_part(c)).unwrap_or(name.len());
        let (name, behind) = name.split_at(end);
        // Digits alone are the end of a slice, as in a[1:2].
        let is_slice = quote.is_none() && name.bytes().all(|byte| byte.is_ascii_digit());
        if name.is_empty() || is_slice {
            return None;
        }
        let quotes = match quote {
            Some(quote) if behind.starts_with(quote) => 2,
            Some(_) => return None,
            None => 0,
        };
        Some(Self {
            name,
            quote,
            length: 1 + name.len() + quotes,
        })
    }
}

/// The bytes at the front of a script in which no variable is put: a string, a quoted name, a comment,
/// a dollar quote, a cast; 0 where it is none of these.
fn stays(text: &str, before: &str) -> usize {
    let mut last = before.chars().rev();
    let (last, before_it) = (last.next(), last.next());
    let to = |end: Option<usize>| end.unwrap_or(text.len());
    let behind = |start: usize, end: &str| {
        let found = text.get(start..).and_then(|rest| rest.find(end));
        to(found.map(|at| start + at + end.len()))
    };
    if text.starts_with("::") || text.starts_with(":=") {
        return 2;
    }
    if text.starts_with("--") {
        return behind(2, "\n");
    }
    if text.starts_with("/*") {
        return comment(text);
    }
    if text.starts_with('"') {
        return behind(1, "\"");
    }
    if text.starts_with('\'') {
        // As in date'2025-01-01', an e may be the end of a word.
        let is_escaped = matches!(last, Some('e' | 'E')) && !before_it.is_some_and(is_part);
        return match is_escaped {
            true => escaped(text),
            false => behind(1, "'"),
        };
    }
    if text.starts_with('$') && !last.is_some_and(|c| is_part(c) || c == '$') {
        let tag = text[1..].find('$').map(|at| &text[..at + 2]);
        let is_tag = |tag: &&str| {
            let name = &tag[1..tag.len() - 1];
            name.chars().all(is_part) && !name.starts_with(|c: char| c.is_ascii_digit())
        };
        if let Some(tag) = tag.filter(is_tag) {
            return behind(tag.len(), tag);
        }
    }
    0
}

/// The length of a comment, with those in it.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of a string in which a backslash takes the meaning from what follows.
fn escaped(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => {
                characters.next();
            }
            '\'' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(script: &str) -> String {
        let variables: Variables = [("n", "5"), ("who", "O'Neil \"x\""), ("t", "signals")]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        variables.put_into(script).0
    }

    #[test]
    fn variables_are_put_in_as_psql_does() {
        assert_eq!(put("select :n+:n, a[1:2]"), "select 5+5, a[1:2]");
        assert_eq!(put("select :'who'"), "select 'O''Neil \"x\"'");
        assert_eq!(put("select :\"who\""), "select \"O'Neil \"\"x\"\"\"");
        assert_eq!(put("from :t where x>:n;"), "from signals where x>5;");
        assert_eq!(put("äöü :n ß"), "äöü 5 ß");
    }

    #[test]
    fn what_is_quoted_or_a_cast_stays() {
        for same in [
            "select ':n'",
            "select 'it''s :n'",
            "select e'\\' :n'",
            "select \":n\"",
            "select 1::n, x::t",
            "-- :n\nselect 1",
            "/* :n /* :n */ :n */ select 1",
            "select $$ :n $$, $a$ :n $$ $a$",
            "select '12:n'",
            "select :other, :'other'",
            "select ':n",
            "/* :n",
            "a := 1",
            "f(a => 1) :",
            "",
        ] {
            assert_eq!(put(same), same);
        }
        assert_eq!(put("select $1, :n"), "select $1, 5");
        assert_eq!(put("select '' || :'n'"), "select '' || '5'");
    }

    #[test]
    fn what_nobody_has_set_is_named() {
        let none = Variables::default();
        assert_eq!(none.put_into("select :a, :b").1.as_deref(), Some("a"));
        assert_eq!(none.put_into("select ':a'::b").1, None);
    }
}

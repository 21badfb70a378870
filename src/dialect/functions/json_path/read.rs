//! Reads SQL/JSON paths.

use super::super::json_text::{Json, Kind};
use super::{Path, Place, Scalar, Side, Step, Test};
use crate::catalog::functions::regexps::matches;

/// How deep tests may stand within each other.
const MOST_NESTED: usize = 50;

/// Reads a path; what is wrong with it otherwise.
pub fn read(text: &str) -> Result<Path, String> {
    let text = text.trim();
    let mut reader = Reader {
        rest: text.strip_prefix("lax ").unwrap_or(text),
        depth: 0,
    };
    if text.starts_with("strict ") {
        return Err("a strict jsonpath is not supported; paths are lax".into());
    }
    let whole = reader.rest;
    if let Some(steps) = reader.steps()?
        && reader.rest.trim().is_empty()
    {
        return Ok(Path::Steps(steps));
    }
    reader.rest = whole;
    let test = reader.either()?;
    match reader.rest.trim() {
        "" => Ok(Path::Question(test)),
        _ => Err(reader.wrong()),
    }
}

struct Reader<'t> {
    rest: &'t str,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn wrong(&self) -> String {
        let near: String = self.rest.trim().chars().take(20).collect();
        match near.is_empty() {
            true => "syntax error at end of jsonpath input".into(),
            false => format!("syntax error at or near \"{near}\" of jsonpath input"),
        }
    }

    fn take(&mut self, sign: &str) -> bool {
        let rest = self.rest.trim_start();
        match rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        match self.take(sign) {
            true => Ok(()),
            false => Err(self.wrong()),
        }
    }

    fn word(&mut self) -> Option<&'t str> {
        let rest = self.rest.trim_start();
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        if word.is_empty() {
            return None;
        }
        self.rest = rest;
        Some(word)
    }

    /// A text in double quotes.
    fn quoted(&mut self) -> Option<String> {
        let rest = self.rest.trim_start();
        let mut is_escaped = false;
        let end = rest.char_indices().skip(1).find(|(_, letter)| {
            let is_end = *letter == '"' && !is_escaped;
            is_escaped = *letter == '\\' && !is_escaped;
            is_end
        });
        let (text, after) = rest.split_at(end?.0 + 1);
        let json = Json::parse(text)?;
        let Kind::Text(text) = json.kind else {
            return None;
        };
        self.rest = after;
        Some(text)
    }

    fn steps(&mut self) -> Result<Option<Vec<Step>>, String> {
        let mut steps = vec![match (self.take("$"), self.take("@")) {
            (true, _) => Step::Root,
            (_, true) => Step::This,
            _ => return Ok(None),
        }];
        loop {
            if self.take(".*") {
                steps.push(Step::AnyKey);
            } else if self.take(".") {
                let is_quoted = self.rest.trim_start().starts_with('"');
                let key = match is_quoted {
                    true => self.quoted(),
                    false => self.word().map(str::to_owned),
                };
                let key = key.ok_or_else(|| self.wrong())?;
                steps.push(match (is_quoted, key.as_str()) {
                    (false, "size") if self.take("()") => Step::Size,
                    (false, "type") if self.take("()") => Step::Type,
                    _ => Step::Key(key),
                });
            } else if self.take("[*]") {
                steps.push(Step::All);
            } else if self.take("[") {
                steps.push(Step::Places(self.places()?));
            } else if self.take("?") {
                self.expect("(")?;
                let test = self.either()?;
                self.expect(")")?;
                steps.push(Step::Filter(test));
            } else {
                return Ok(Some(steps));
            }
        }
    }

    fn places(&mut self) -> Result<Vec<(Place, Place)>, String> {
        let mut places = Vec::new();
        loop {
            let from = self.place()?;
            let rest = self.rest;
            let to = match self.word() {
                Some("to") => self.place()?,
                _ => {
                    self.rest = rest;
                    from
                }
            };
            places.push((from, to));
            if self.take("]") {
                return Ok(places);
            }
            self.expect(",")?;
        }
    }

    fn place(&mut self) -> Result<Place, String> {
        let place = self.word().and_then(|word| match word {
            "last" => Some(Place::Last),
            digits => digits.parse().ok().map(Place::At),
        });
        place.ok_or_else(|| self.wrong())
    }

    fn either(&mut self) -> Result<Test, String> {
        self.depth += 1;
        if self.depth > MOST_NESTED {
            return Err("the jsonpath has too many parts within each other".into());
        }
        let mut test = self.both()?;
        while self.take("||") {
            test = Test::Or(Box::new(test), Box::new(self.both()?));
        }
        self.depth -= 1;
        Ok(test)
    }

    fn both(&mut self) -> Result<Test, String> {
        let mut test = self.one()?;
        while self.take("&&") {
            test = Test::And(Box::new(test), Box::new(self.one()?));
        }
        Ok(test)
    }

    fn one(&mut self) -> Result<Test, String> {
        if self.rest.trim_start().starts_with('!') {
            self.expect("!")?;
            self.expect("(")?;
            let inner = self.either()?;
            self.expect(")")?;
            return Ok(Test::Not(Box::new(inner)));
        }
        if self.take("exists") {
            self.expect("(")?;
            let steps = self.steps()?.ok_or_else(|| self.wrong())?;
            self.expect(")")?;
            return Ok(Test::Exists(steps));
        }
        if self.take("(") {
            let inner = self.either()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let steps = match self.side()? {
            Side::Steps(steps) => steps,
            left => return self.comparison(left),
        };
        if self.take("starts with") {
            let start = self.quoted().ok_or_else(|| self.wrong())?;
            return Ok(Test::StartsWith(steps, start));
        }
        if self.take("like_regex") {
            let pattern = self.quoted().ok_or_else(|| self.wrong())?;
            let flags = if self.take("flag \"i\"") { "i" } else { "" };
            matches("", &pattern, flags).map_err(|error| error.message)?;
            return Ok(Test::Matches(steps, pattern, flags));
        }
        self.comparison(Side::Steps(steps))
    }

    fn comparison(&mut self, left: Side) -> Result<Test, String> {
        let operators = [
            ("==", "=="),
            ("!=", "!="),
            ("<>", "!="),
            ("<=", "<="),
            (">=", ">="),
            ("<", "<"),
            (">", ">"),
        ];
        let found = operators.iter().find(|(sign, _)| self.take(sign));
        let (_, operator) = found.ok_or_else(|| self.wrong())?;
        Ok(Test::Compare(left, operator, self.side()?))
    }

    fn side(&mut self) -> Result<Side, String> {
        if let Some(steps) = self.steps()? {
            return Ok(Side::Steps(steps));
        }
        if self.rest.trim_start().starts_with('"') {
            let text = self.quoted().ok_or_else(|| self.wrong())?;
            return Ok(Side::Value(Scalar::Text(text)));
        }
        let rest = self.rest.trim_start();
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '-' | '+'))
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let value = match word {
            "null" => Scalar::Null,
            "true" => Scalar::Bool(true),
            "false" => Scalar::Bool(false),
            digits if digits.parse::<f64>().is_ok_and(f64::is_finite) => {
                Scalar::Number(digits.to_owned())
            }
            _ => return Err(self.wrong()),
        };
        self.rest = after;
        Ok(Side::Value(value))
    }
}

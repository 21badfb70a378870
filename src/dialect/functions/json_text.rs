//! JSON as texts: read with a bound on its depth, each part with its place in the text.
//!
//! Numbers keep their digits. `jsonb` is written as PostgreSQL writes it: keys by length and then by
//! bytes, of equal keys the last, one blank behind `,` and `:`.

use std::cmp::Ordering;
use std::fmt::Write;

use crate::dialect::numbers::parse;

/// How deep JSON may be nested.
const MOST_DEPTH: usize = 1000;

/// A part of a JSON text.
#[derive(Clone, Debug)]
pub struct Json<'t> {
    /// The part as it is written.
    pub text: &'t str,
    pub kind: Kind<'t>,
}

#[derive(Clone, Debug)]
pub enum Kind<'t> {
    Null,
    Bool(bool),
    Number,
    Text(String),
    Array(Vec<Json<'t>>),
    Object(Vec<(String, Json<'t>)>),
}

impl<'t> Json<'t> {
    /// A whole text; none where it is no JSON.
    pub fn parse(text: &'t str) -> Option<Self> {
        let mut reader = Reader { text, at: 0 };
        let json = reader.value(0)?;
        reader.skip_blanks();
        (reader.at == text.len()).then_some(json)
    }

    /// The part under a key or at a place of an array, which counts from its end where it is negative.
    pub fn get(&self, key: &str, place: Option<i64>) -> Option<&Self> {
        match (&self.kind, place) {
            (Kind::Object(members), None) => {
                let mut members = members.iter().rev();
                members.find(|(name, _)| name == key).map(|(_, part)| part)
            }
            (Kind::Array(items), Some(place)) => {
                let length = i64::try_from(items.len()).ok()?;
                let place = if place < 0 { place + length } else { place };
                items.get(usize::try_from(place).ok()?)
            }
            _ => None,
        }
    }

    /// The part at the end of a path.
    pub fn at_path(&self, path: &[String]) -> Option<&Self> {
        let mut part = self;
        for step in path {
            part = match &part.kind {
                Kind::Object(_) => part.get(step, None)?,
                Kind::Array(_) => part.get("", Some(step.trim().parse().ok()?))?,
                _ => return None,
            };
        }
        Some(part)
    }

    /// The part as a text: a text without its quotes; none of null.
    pub fn as_text(&self) -> Option<String> {
        match &self.kind {
            Kind::Null => None,
            Kind::Text(text) => Some(text.clone()),
            _ => Some(self.text.to_owned()),
        }
    }

    /// Whether everything of another is in this, as `@>` asks of `jsonb`.
    pub fn contains(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Object(_), Kind::Object(members)) => members
                .iter()
                .all(|(key, part)| self.get(key, None).is_some_and(|own| own.contains(part))),
            (Kind::Array(own), Kind::Array(items)) => items
                .iter()
                .all(|item| own.iter().any(|own| own.contains(item))),
            (Kind::Array(own), Kind::Text(_) | Kind::Number | Kind::Bool(_) | Kind::Null) => {
                own.iter().any(|own| own.contains(other))
            }
            (Kind::Number, Kind::Number) => {
                let number = |json: &Self| json.text.parse::<f64>().ok();
                self.text == other.text || number(self) == number(other)
            }
            (Kind::Text(own), Kind::Text(text)) => own == text,
            (Kind::Bool(own), Kind::Bool(value)) => own == value,
            (Kind::Null, Kind::Null) => true,
            _ => false,
        }
    }

    /// The order of `jsonb`: by kinds, arrays and objects by their sizes first.
    pub fn compare(&self, other: &Self) -> Ordering {
        let rank = |json: &Self| match &json.kind {
            Kind::Null => 0,
            Kind::Text(_) => 1,
            Kind::Number => 2,
            Kind::Bool(_) => 3,
            Kind::Array(_) => 4,
            Kind::Object(_) => 5,
        };
        match (&self.kind, &other.kind) {
            (Kind::Text(one), Kind::Text(other)) => one.cmp(other),
            (Kind::Bool(one), Kind::Bool(other)) => one.cmp(other),
            (Kind::Number, Kind::Number) => match (parse(self.text), parse(other.text)) {
                (Some(one), Some(other)) => one.compare(&other),
                _ => self.text.cmp(other.text),
            },
            (Kind::Array(one), Kind::Array(other)) => {
                let items = one.iter().zip(other).map(|(one, other)| one.compare(other));
                let differ = items.into_iter().find(|order| order.is_ne());
                let by_size = one.len().cmp(&other.len());
                by_size.then(differ.unwrap_or(Ordering::Equal))
            }
            (Kind::Object(one), Kind::Object(other)) => {
                let (one, other) = (sorted(one), sorted(other));
                let members = one.iter().zip(&other);
                let members = members.map(|((key, value), (other_key, other_value))| {
                    let by_key = key.len().cmp(&other_key.len()).then(key.cmp(other_key));
                    by_key.then_with(|| value.compare(other_value))
                });
                let differ = members.into_iter().find(|order| order.is_ne());
                let by_size = one.len().cmp(&other.len());
                by_size.then(differ.unwrap_or(Ordering::Equal))
            }
            _ => rank(self).cmp(&rank(other)),
        }
    }

    /// What `json_typeof` says.
    pub fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "boolean",
            Kind::Number => "number",
            Kind::Text(_) => "string",
            Kind::Array(_) => "array",
            Kind::Object(_) => "object",
        }
    }

    /// The part as `jsonb` writes it.
    pub fn binary(&self) -> String {
        let mut text = String::with_capacity(self.text.len());
        self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) {
        match &self.kind {
            Kind::Null => out.push_str("null"),
            Kind::Bool(value) => {
                let _ = write!(out, "{value}");
            }
            Kind::Number => out.push_str(&plain_number(self.text)),
            Kind::Text(text) => out.push_str(&quoted(text)),
            Kind::Array(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.push_str(", ");
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Kind::Object(members) => {
                out.push('{');
                for (place, (key, part)) in sorted(members).into_iter().enumerate() {
                    if place > 0 {
                        out.push_str(", ");
                    }
                    out.push_str(&quoted(key));
                    out.push_str(": ");
                    part.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// The members of an object by length and then by bytes of their keys; of equal keys the last.
fn sorted<'m, 't>(members: &'m [(String, Json<'t>)]) -> Vec<&'m (String, Json<'t>)> {
    let mut sorted: Vec<_> = members.iter().rev().collect();
    sorted.sort_by(|a, b| a.0.len().cmp(&b.0.len()).then_with(|| a.0.cmp(&b.0)));
    sorted.dedup_by(|later, first| later.0 == first.0);
    sorted
}

/// A number without exponent, where it is of a size to be written out.
fn plain_number(text: &str) -> String {
    let Some((digits, exponent)) = text.split_once(['e', 'E']) else {
        return text.to_owned();
    };
    let Ok(exponent) = exponent.parse::<i32>() else {
        return text.to_owned();
    };
    if exponent.abs() > 1000 {
        return text.to_owned();
    }
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let point = i64::try_from(whole.len()).unwrap_or(0) + i64::from(exponent);
    let length = i64::try_from(all.len()).unwrap_or(0);
    let text = if point <= 0 {
        let zeros = "0".repeat(usize::try_from(-point).unwrap_or(0));
        format!("0.{zeros}{all}")
    } else if point >= length {
        format!(
            "{all}{}",
            "0".repeat(usize::try_from(point - length).unwrap_or(0))
        )
    } else {
        let (whole, fraction) = all.split_at(usize::try_from(point).unwrap_or(0));
        format!("{whole}.{fraction}")
    };
    let trimmed = text.trim_start_matches('0');
    let zero = if trimmed.is_empty() || trimmed.starts_with('.') {
        "0"
    } else {
        ""
    };
    format!("{sign}{zero}{trimmed}")
}

/// A text in quotes, as PostgreSQL escapes it.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            letter if letter < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.at += rest.len() - trimmed.len();
    }

    fn take(&mut self, token: &str) -> bool {
        let is_next = self.rest().starts_with(token);
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    fn value(&mut self, depth: usize) -> Option<Json<'t>> {
        if depth > MOST_DEPTH {
            return None;
        }
        self.skip_blanks();
        let start = self.at;
        let kind = match self.rest().chars().next()? {
            '{' => self.object(depth)?,
            '[' => self.array(depth)?,
            '"' => Kind::Text(self.string()?),
            '-' | '0'..='9' => self.number()?,
            _ if self.take("null") => Kind::Null,
            _ if self.take("true") => Kind::Bool(true),
            _ if self.take("false") => Kind::Bool(false),
            _ => return None,
        };
        let text = self.text.get(start..self.at)?;
        Some(Json { text, kind })
    }

    fn object(&mut self, depth: usize) -> Option<Kind<'t>> {
        self.at += 1;
        let mut members = Vec::new();
        self.skip_blanks();
        if self.take("}") {
            return Some(Kind::Object(members));
        }
        loop {
            self.skip_blanks();
            let key = self.string()?;
            self.skip_blanks();
            self.take(":").then_some(())?;
            members.push((key, self.value(depth + 1)?));
            self.skip_blanks();
            if self.take("}") {
                return Some(Kind::Object(members));
            }
            self.take(",").then_some(())?;
        }
    }

    fn array(&mut self, depth: usize) -> Option<Kind<'t>> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_blanks();
        if self.take("]") {
            return Some(Kind::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_blanks();
            if self.take("]") {
                return Some(Kind::Array(items));
            }
            self.take(",").then_some(())?;
        }
    }

    fn number(&mut self) -> Option<Kind<'t>> {
        let digits = |reader: &mut Self| {
            let rest = reader.rest();
            let count = rest.bytes().take_while(u8::is_ascii_digit).count();
            reader.at += count;
            count
        };
        self.take("-");
        let has_zero = self.rest().starts_with('0');
        let count = digits(self);
        if count == 0 || has_zero && count > 1 {
            return None;
        }
        if self.take(".") && digits(self) == 0 {
            return None;
        }
        if self.take("e") || self.take("E") {
            let _ = self.take("-") || self.take("+");
            if digits(self) == 0 {
                return None;
            }
        }
        Some(Kind::Number)
    }

    fn string(&mut self) -> Option<String> {
        self.take("\"").then_some(())?;
        let mut text = String::new();
        loop {
            let letter = self.rest().chars().next()?;
            self.at += letter.len_utf8();
            match letter {
                '"' => return Some(text),
                '\\' => {
                    let escape = self.rest().chars().next()?;
                    self.at += escape.len_utf8();
                    text.push(match escape {
                        '"' | '\\' | '/' => escape,
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'u' => self.unicode()?,
                        _ => return None,
                    });
                }
                letter if letter < ' ' => return None,
                letter => text.push(letter),
            }
        }
    }

    fn unicode(&mut self) -> Option<char> {
        let first = self.four()?;
        if (0xd800..0xdc00).contains(&first) {
            self.take("\\u").then_some(())?;
            let second = self.four()?;
            let second = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
            return char::from_u32(0x10000 + ((first - 0xd800) << 10) + second);
        }
        char::from_u32(first).filter(|letter| *letter != '\0')
    }

    fn four(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        let value = u32::from_str_radix(digits, 16).ok()?;
        self.at += 4;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn json_is_read_and_written() {
        let text = r#"{"b": [1, 2.50, "x"], "a" : {"c": null}, "b": 1e2}"#;
        let json = Json::parse(text).unwrap();
        assert_eq!(json.binary(), r#"{"a": {"c": null}, "b": 100}"#);
        assert_eq!(json.get("a", None).unwrap().text, r#"{"c": null}"#);
        assert!(Json::parse("{").is_none());
        assert!(Json::parse("[1,]").is_none());
        assert!(Json::parse("01").is_none());
        assert!(Json::parse(&"[".repeat(100_000)).is_none());
        let whole = Json::parse(r#"{"a":1,"b":[1,2]}"#).unwrap();
        assert!(whole.contains(&Json::parse(r#"{"b":[2]}"#).unwrap()));
        assert!(!whole.contains(&Json::parse(r#"{"a":2}"#).unwrap()));
    }
}

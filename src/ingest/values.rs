//! Streams of JSON values that are not one a line: arrays, and values written over several lines.

use std::io::{self, Read};

use super::columns::Table;
use super::names::{self, BadHeader, ColumnName};

/// Gives each value, or element of an array, a line of its own, after the number of the line of the
/// file in which it begins.
pub(super) struct OneALine<R> {
    input: R,
    /// The line of the file that is read, and that in which the value began.
    line: u64,
    begun: u64,
    in_value: bool,
    /// Objects and arrays that are open within a value.
    depth: u64,
    in_array: bool,
    /// Within a value that is no object or array.
    in_scalar: bool,
    in_text: bool,
    escaped: bool,
    ended: bool,
    output: Vec<u8>,
    taken: usize,
}

impl<R: Read> OneALine<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            line: 1,
            begun: 0,
            in_value: false,
            depth: 0,
            in_array: false,
            in_scalar: false,
            in_text: false,
            escaped: false,
            ended: false,
            output: Vec::new(),
            taken: 0,
        }
    }

    fn take(&mut self, byte: u8) -> io::Result<()> {
        self.line += u64::from(byte == b'\n');
        if self.in_text {
            self.output.push(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return Ok(());
        }
        let within = self.depth > 0;
        match byte {
            b'"' => {
                self.begin_value();
                self.in_text = true;
                self.in_scalar |= !within;
                self.output.push(byte);
            }
            b'{' | b'[' if within || byte == b'{' || self.in_array => {
                self.begin_value();
                self.depth += 1;
                self.output.push(byte);
            }
            b'[' => self.in_array = true,
            b'}' | b']' if within => {
                self.depth -= 1;
                self.output.push(byte);
                if self.depth == 0 {
                    self.end_value();
                }
            }
            b']' if self.in_array => {
                self.in_array = false;
                self.end_scalar();
            }
            b'}' | b']' => {
                let line = self.line;
                return Err(broken(&format!(
                    "a bracket that closes nothing in line {line}"
                )));
            }
            b',' if !within => self.end_scalar(),
            byte if byte.is_ascii_whitespace() => match within {
                true => self.output.push(b' '),
                false => self.end_scalar(),
            },
            byte => {
                self.begin_value();
                self.in_scalar |= !within;
                self.output.push(byte);
            }
        }
        Ok(())
    }

    fn begin_value(&mut self) {
        if !self.in_value {
            self.in_value = true;
            self.begun = self.line;
            let number = self.line.to_string();
            self.output.extend_from_slice(number.as_bytes());
            self.output.push(b' ');
        }
    }

    fn end_value(&mut self) {
        self.in_value = false;
        self.output.push(b'\n');
    }

    fn end_scalar(&mut self) {
        if self.in_scalar {
            self.in_scalar = false;
            self.end_value();
        }
    }
}

impl<R: Read> Read for OneALine<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.output.len() {
            if self.ended {
                return Ok(0);
            }
            self.output.clear();
            self.taken = 0;
            let mut input = [0; 1 << 16];
            let read = self.input.read(&mut input)?;
            for byte in &input[..read] {
                self.take(*byte)?;
            }
            if read == 0 {
                self.ended = true;
                if self.depth > 0 || self.in_text {
                    let line = self.begun;
                    let found = "JSON that ends in the middle of the value that begins in line";
                    return Err(broken(&format!("{found} {line}")));
                }
                if self.in_array {
                    return Err(broken("JSON that ends in the middle of an array"));
                }
                self.end_scalar();
            }
        }
        let rest = &self.output[self.taken..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.taken += length;
        Ok(length)
    }
}

fn broken(found: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, found)
}

/// The number at the beginning of a line of [`OneALine`], and what follows it.
pub(super) fn numbered(line: &[u8]) -> (u64, &[u8]) {
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit());
    let (number, rest) = line.split_at(digits.count());
    let number = number
        .iter()
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    (number, rest.trim_ascii_start())
}

/// Whether the first line of a text is an object as a whole, so that there is one on each line.
pub(super) fn is_one_a_line(head: &[u8]) -> bool {
    let line = head.trim_ascii_start().split(|byte| *byte == b'\n').next();
    let line = line.unwrap_or_default().trim_ascii();
    line.first().is_none_or(|byte| *byte == b'{')
        && (line.is_empty() || serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok())
}

/// Refuses an object in which the rows are wrapped, as answers of services are: what is read of the
/// beginning of a text shows its keys.
pub(super) fn refuse_wrapped(
    head: &[u8],
    table: &'static Table,
    renamed: &[ColumnName],
    file: &str,
) -> Result<(), BadHeader> {
    let outline = Outline::of(head);
    let is_ours = |key: &String| names::slot_of_key(table, renamed, key).is_some();
    let ours = |rows: &Rows| rows.keys.iter().filter(|key| is_ours(key)).count();
    // Of several arrays the one with columns of ours, or else the first.
    let Some(rows) = outline.rows.iter().rev().max_by_key(|rows| ours(rows)) else {
        return Ok(());
    };
    let path = &rows.path;
    if outline.keys.is_empty() || outline.keys.iter().any(is_ours) {
        return Ok(());
    }
    let flag = match table.name {
        "signals" => "signals",
        "token_prices" => "prices",
        _ => "trades",
    };
    let bad = BadHeader::new(
        format!("one JSON object with the keys {}", outline.keys.join(", ")),
        "an object for each row, or an array of them",
    );
    if outline.keys.iter().any(|key| key == "columns") && rows.keys.is_empty() {
        return Err(bad.with_hint(
            "each row is an object of its own, as pandas writes them with to_json(orient='records')",
        ));
    }
    Err(bad.with_hint(format!(
        "jq -c '{path}[]' {file} | hindsight load --{flag} - --input-format ndjson takes the rows \
         out of it"
    )))
}

/// What the beginning of a JSON text tells.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outline {
    /// The keys of the first value, if it is an object.
    keys: Vec<String>,
    rows: Vec<Rows>,
}

/// An array within it that holds objects or arrays.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rows {
    /// The way to it, as `jq` writes it.
    path: String,
    /// The keys of its objects.
    keys: Vec<String>,
    /// How many values are open within one.
    depth: usize,
}

impl Outline {
    fn of(head: &[u8]) -> Self {
        const DEPTH_MAX: usize = 32;
        const KEYS_MAX: usize = 100;
        let mut outline = Self::default();
        // For each open value the key it is at, `None` for arrays.
        let mut open: Vec<Option<String>> = Vec::new();
        let mut key_comes = false;
        let mut at = 0;
        while let Some(byte) = head.get(at) {
            match byte {
                b'"' => {
                    let Some(length) = text_length(&head[at..]) else {
                        return outline;
                    };
                    if let (true, Some(Some(key))) = (key_comes, open.last_mut()) {
                        let text = &head[at + 1..at + length - 1];
                        *key = String::from_utf8_lossy(text).into_owned();
                        let key = key.clone();
                        let rows = outline.rows.last_mut();
                        if open.len() == 1 {
                            outline.keys.push(key);
                        } else if let Some(rows) = rows.filter(|rows| rows.depth == open.len())
                            && rows.keys.len() < KEYS_MAX
                        {
                            rows.keys.push(key);
                        }
                        key_comes = false;
                    }
                    at += length;
                    continue;
                }
                b',' => key_comes = matches!(open.last(), Some(Some(_))),
                b'{' | b'[' => {
                    // An array is told by its first row, and one within rows by theirs.
                    let arrays = open.iter().filter(|key| key.is_none()).count();
                    if open.last() == Some(&None) && arrays == 1 && outline.rows.len() < KEYS_MAX {
                        let path: String = open.iter().flatten().map(|key| jq_step(key)).collect();
                        let is_known = outline.rows.iter().any(|rows| rows.path == path);
                        if !path.is_empty() && !is_known {
                            outline.rows.push(Rows {
                                path,
                                keys: Vec::new(),
                                depth: open.len() + 1,
                            });
                        }
                    }
                    if open.len() == DEPTH_MAX {
                        return outline;
                    }
                    key_comes = *byte == b'{';
                    open.push(key_comes.then(String::new));
                }
                b'}' | b']' => {
                    open.pop();
                    key_comes = false;
                    if open.is_empty() {
                        return outline;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        outline
    }
}

fn jq_step(key: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    match key.chars().all(is_plain) && !key.starts_with(|letter: char| letter.is_ascii_digit()) {
        true => format!(".{key}"),
        false => format!(".[\"{key}\"]"),
    }
}

/// How long the text is that begins here, with its quotes.
fn text_length(rest: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in rest.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        reason = "a test may stop at what it did not expect"
    )]

    use super::super::columns::TOKEN_PRICES;
    use super::*;

    fn lines(text: &str) -> io::Result<String> {
        let mut lines = String::new();
        OneALine::new(text.as_bytes()).read_to_string(&mut lines)?;
        Ok(lines)
    }

    #[test]
    fn values_get_a_line_each() {
        for (text, expected) in [
            ("[]", ""),
            (
                "[{\"a\":1},\n {\"a\": [1,2]}]\n",
                "1 {\"a\":1}\n2 {\"a\": [1,2]}\n",
            ),
            (
                "{\n \"a\": 1\n}\n{\"b\":\"]},\\\"{\"}",
                "1 {  \"a\": 1 }\n4 {\"b\":\"]},\\\"{\"}\n",
            ),
            ("[{}] [{}]", "1 {}\n1 {}\n"),
            ("[[1,2],\n\n[3]]", "1 [1,2]\n3 [3]\n"),
            ("[1,\n\"x y\"]", "1 1\n2 \"x y\"\n"),
            ("[{}]\n7", "1 {}\n2 7\n"),
        ] {
            assert_eq!(lines(text).unwrap(), expected, "{text}");
        }
        for text in ["[{\"a\":1}", "{\"a\":", "[\"x", "]", "{}}"] {
            assert!(lines(text).is_err(), "{text}");
        }
    }

    #[test]
    fn wrapped_rows_are_found() {
        let head = b"{\"success\":true,\"data\":{\"items\":[{\"value\":1,\"unixTime\":2}]}}";
        let bad = refuse_wrapped(head, &TOKEN_PRICES, &[], "a.json").unwrap_err();
        assert_eq!(bad.found, "one JSON object with the keys success, data");
        assert!(
            bad.hint
                .unwrap()
                .starts_with("jq -c '.data.items[]' a.json | hindsight load --prices -")
        );
        let head = b"{\"meta\":[{\"name\":1,\"x\":[{\"price\":1}]}],\"rows\":[{\"price\":1,\"a\":{\"b\":[{}]}},{}]}";
        let bad = refuse_wrapped(head, &TOKEN_PRICES, &[], "a.json").unwrap_err();
        assert!(bad.hint.unwrap().starts_with("jq -c '.rows[]' a.json"));
        let head = b"{\"columns\":[\"a\"],\"data\":[[1]]}";
        let bad = refuse_wrapped(head, &TOKEN_PRICES, &[], "a.json").unwrap_err();
        assert!(bad.hint.unwrap().contains("orient='records'"));
        for head in [
            &b"{\"token_address\":\"T\",\"candles\":[{\"price\":1}]}"[..],
            b"[{\"data\":[{}]}]",
            b"{\"x\":1}",
            b"",
            b"{\"data",
        ] {
            assert!(
                refuse_wrapped(head, &TOKEN_PRICES, &[], "a").is_ok(),
                "{head:?}"
            );
        }
        assert!(is_one_a_line(b"{\"a\":1}\n{") && is_one_a_line(b"\n{}\n") && is_one_a_line(b""));
        assert!(!is_one_a_line(b"{\"a\":\n") && !is_one_a_line(b"[{}]"));
    }
}

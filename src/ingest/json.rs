//! JSON: newline-delimited objects, and the object of factors in one column.
//!
//! Numbers keep the digits of the file; nothing passes through a float.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::builder::ChunkBuilder;
use super::chunk::{Cell, Mismatch};
use super::columns::{SCORE_FACTORS, Table};
use super::files::Shape;
use super::folders;
use super::names::{self, Unused};
use super::near;
use super::text;
use super::values::numbered;
use crate::schema::FACTORS;

/// Appends the rows of a block of newline-delimited objects.
pub(super) fn append_lines(
    block: &[u8],
    is_numbered: bool,
    table: &'static Table,
    shape: &Shape,
    chunk: &mut ChunkBuilder,
) -> Result<(), Mismatch> {
    let renamed = &shape.options.columns;
    let slot = |key: &str| names::slot_of_key(table, renamed, key);
    let constants: Vec<_> = shape
        .folders
        .iter()
        .filter_map(|(name, value)| Some((slot(name)?, value)))
        .collect();
    let mut keys = Keys::new(slot);
    let mut cells = Vec::new();
    let mut rest = block;
    let appended = loop {
        if rest.is_empty() {
            break Ok(());
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let mut line = rest[..end].trim_ascii();
        rest = rest.get(end + 1..).unwrap_or_default();
        if line.is_empty() {
            chunk.pass_lines(1);
            continue;
        }
        if is_numbered {
            let (number, value) = numbered(line);
            chunk.begin_row(number);
            line = value;
        }
        cells.clear();
        cells.resize(table.slots(), Cell::Null);
        for (slot, value) in &constants {
            cells[*slot] = Cell::Text(Cow::Borrowed(value));
        }
        keys.next = 0;
        let name = |slot| names::column_name(table, slot);
        let read = read_object(line, |key| keys.slot(key), name, &mut cells);
        let appended = read
            .map_err(|error| broken(chunk.rows() as u64, line, is_numbered, table, &error))
            .and_then(|()| {
                chunk
                    .append(&cells)
                    .map_err(|error| name_keys(error, table, line))
            });
        if appended.is_err() {
            break appended;
        }
    };
    let seen: Vec<_> = keys.known.iter().filter_map(|(_, slot)| *slot).collect();
    let free = |slot: usize| !seen.contains(&slot);
    for (key, slot) in &keys.known {
        if slot.is_none() {
            chunk.note_unused(key, near::near(table, key, free));
        }
    }
    for passed in folders::passed(shape, table, |slot| seen.contains(&slot)) {
        chunk.note_unused(&passed.name, None);
    }
    appended
}

fn broken(
    row: u64,
    line: &[u8],
    is_joined: bool,
    table: &Table,
    error: &serde_json::Error,
) -> Mismatch {
    const EXPECTED: &str = "a JSON object for each row";
    let said = error.to_string();
    // Where it is in this line of ours, not of the file.
    let said = said.split(" at line ").next().unwrap_or_default();
    if let (_, Some((found, hint))) = text::readable(line) {
        return Mismatch::of_row(row, found, text::EXPECTED).with_hint(hint);
    }
    let found = match line.first() {
        Some(b'{') if error.is_data() => return Mismatch::of_row(row, said, "every key once"),
        Some(b'{') if is_joined => format!("broken JSON: {said}"),
        Some(b'{') => format!("broken JSON: {said} at character {}", error.column()),
        Some(b'[') => {
            let mismatch = Mismatch::of_row(row, "an array", EXPECTED);
            return mismatch.with_hint(
                "jq names the elements, as in jq -c '.[] | {timestamp: .[0], price: .[4], \
                 token_address: \"…\"}'",
            );
        }
        _ => Cell::Other(String::from_utf8_lossy(line)).found(),
    };
    let mismatch = Mismatch::of_row(row, found, EXPECTED);
    let text = String::from_utf8_lossy(line);
    match ["NaN", "Infinity"]
        .into_iter()
        .find(|word| text.contains(word))
    {
        Some(word) => mismatch.with_hint(format!(
            "JSON knows no {word}: null says that there is no number"
        )),
        None if is_header(&text, table) => {
            mismatch.with_hint("it seems to be CSV: the name of a CSV file ends in .csv")
        }
        None => mismatch,
    }
}

/// Whether a line that is no JSON has the names of columns.
fn is_header(line: &str, table: &Table) -> bool {
    let mut names = line.split([',', ';', '\t', '|']);
    !line.starts_with('{') && names.any(|name| names::is_column(table, name))
}

/// Says which keys a row has that lacks a value.
fn name_keys(mismatch: Mismatch, table: &'static Table, line: &[u8]) -> Mismatch {
    const KEYS_SHOWN: usize = 20;
    let mut found = Vec::new();
    let note = |key: &str| {
        found.push(key.to_owned());
        None
    };
    let is_lacking = mismatch.found == "nothing" && mismatch.hint.is_none();
    if !is_lacking || read_object(line, note, |_| "", &mut []).is_err() {
        return mismatch;
    }
    // A key that is there and holds nothing.
    let is_same = |key: &String| names::slot_of_key(table, &[], key).is_some();
    if found
        .iter()
        .filter(|key| is_same(key))
        .any(|key| names::plain(key) == names::plain(&mismatch.column))
    {
        return mismatch;
    }
    let has = |slot: usize| {
        let mut keys = found.iter();
        keys.any(|key| names::slot_of_key(table, &[], key) == Some(slot))
    };
    // All that are lacking, lest each is told by a refusal of its own.
    let lacking = table.missing(has);
    let is_lacking = |slot: usize| lacking.contains(&names::column_name(table, slot));
    let mut meant: Vec<String> = Vec::new();
    let mut columns: Vec<&str> = Vec::new();
    for key in &found {
        let near = near::near(table, key, is_lacking).filter(|near| !columns.contains(near));
        if let Some(near) = near {
            columns.push(near);
            meant.push(format!("--column {near}={key}"));
        }
    }
    if found.is_empty() {
        return mismatch.with_hint("the row has no keys");
    }
    let rows: Result<HashMap<String, &RawValue>, _> = serde_json::from_slice(line);
    if rows.is_ok_and(|rows| rows.values().all(|row| row.get().starts_with('{'))) {
        return mismatch.with_hint(
            "its values seem to be the rows: jq -c '.[]' takes them out, and pandas writes rows with \
             to_json(orient='records')",
        );
    }
    found.truncate(KEYS_SHOWN);
    let keys = format!("the keys of the row are {}", found.join(", "));
    mismatch.with_hint(match meant.is_empty() {
        true => keys,
        false => format!("{keys}; {} if that is what it is called", meant.join(" ")),
    })
}

/// The slots of keys: those of one object are mostly those of the one before, in their order.
struct Keys<S> {
    slot: S,
    known: Vec<(String, Option<usize>)>,
    next: usize,
}

impl<S: Fn(&str) -> Option<usize>> Keys<S> {
    /// Objects whose keys are data have any number of them.
    const KNOWN_MAX: usize = 1000;

    fn new(slot: S) -> Self {
        Self {
            slot,
            known: Vec::new(),
            next: 0,
        }
    }

    fn slot(&mut self, key: &str) -> Option<usize> {
        let expected = self.known.get(self.next);
        if let Some((_, slot)) = expected.filter(|(known, _)| known == key) {
            self.next += 1;
            return *slot;
        }
        if let Some(position) = self.known.iter().position(|(known, _)| known == key) {
            self.next = position + 1;
            return self.known[position].1;
        }
        let slot = (self.slot)(key);
        if self.known.len() < Self::KNOWN_MAX {
            self.known.push((key.to_owned(), slot));
            self.next = self.known.len();
        }
        slot
    }
}

/// The factors of a JSON object, absent ones null; or the column, what was found and expected. Keys
/// that are no factors are added to those that are not used.
pub(super) fn factors<'a>(
    cell: &'a Cell<'_>,
    unused: &mut Vec<Unused>,
) -> Result<[Cell<'a>; FACTORS.len()], (String, String, &'static str)> {
    const EXPECTED: &str = "a JSON object of factors";
    let mut cells = [const { Cell::Null }; FACTORS.len()];
    let (Cell::Text(text) | Cell::Object(text)) = cell else {
        return Err((SCORE_FACTORS.into(), cell.found(), EXPECTED));
    };
    let slot = |key: &str| {
        let factor = names::factor(key);
        if factor.is_none() {
            unused.push(Unused {
                name: format!("{SCORE_FACTORS}.{key}"),
                near: near::near_factor(key),
            });
        }
        factor
    };
    let name = |slot: usize| FACTORS.get(slot).copied().unwrap_or_default();
    read_object(text.as_bytes(), slot, name, &mut cells)
        .map_err(|_| (SCORE_FACTORS.into(), cell.found(), EXPECTED))?;
    Ok(cells)
}

fn read_object<'a>(
    text: &'a [u8],
    slot: impl FnMut(&str) -> Option<usize>,
    name: impl Fn(usize) -> &'static str,
    cells: &mut [Cell<'a>],
) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let object = Object { slot, name, cells };
    reader.deserialize_map(object)?;
    reader.end()
}

struct Object<'c, 'a, S, N> {
    slot: S,
    /// What a slot is called, for errors.
    name: N,
    cells: &'c mut [Cell<'a>],
}

impl<'de, S, N> Visitor<'de> for Object<'_, 'de, S, N>
where
    S: FnMut(&str) -> Option<usize>,
    N: Fn(usize) -> &'static str,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut seen = 0_u64;
        while let Some(slot) = map.next_key_seed(Key(&mut self.slot))? {
            let cell = slot.and_then(|slot| Some((slot, self.cells.get_mut(slot)?)));
            match cell {
                Some((slot, cell)) => {
                    if seen >> slot & 1 == 1 {
                        let name = (self.name)(slot);
                        return Err(A::Error::custom(format!("two keys for {name}")));
                    }
                    seen |= 1 << slot;
                    *cell = cell_of(map.next_value::<&RawValue>()?.get());
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Finds a key's slot without keeping the key.
struct Key<'s, S>(&'s mut S);

impl<'de, S: FnMut(&str) -> Option<usize>> DeserializeSeed<'de> for Key<'_, S> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<S: FnMut(&str) -> Option<usize>> Visitor<'_> for Key<'_, S> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok((self.0)(key))
    }
}

fn cell_of(raw: &str) -> Cell<'_> {
    match raw.as_bytes() {
        [b'n', ..] => Cell::Null,
        [b'"', inner @ .., b'"'] => {
            if memchr::memchr(b'\\', inner).is_none() {
                return Cell::Text(Cow::Borrowed(&raw[1..raw.len() - 1]));
            }
            match serde_json::from_str(raw) {
                Ok(text) => Cell::Text(Cow::Owned(text)),
                Err(_) => Cell::Other(Cow::Borrowed(raw)),
            }
        }
        [b'{', ..] => Cell::Object(Cow::Borrowed(raw)),
        [b'-' | b'0'..=b'9', ..] => Cell::Number(Cow::Borrowed(raw)),
        _ => Cell::Other(Cow::Borrowed(raw)),
    }
}

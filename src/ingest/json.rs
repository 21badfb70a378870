//! JSON: newline-delimited objects, and the object of factors in one column.
//!
//! Numbers keep the digits of the file; nothing passes through a float.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::builder::ChunkBuilder;
use super::chunk::{Cell, Mismatch};
use super::columns::{SCORE_FACTORS, Table};
use crate::schema::FACTORS;

/// Appends the rows of a block of newline-delimited objects.
pub(super) fn append_lines(
    block: &[u8],
    table: &'static Table,
    chunk: &mut ChunkBuilder,
) -> Result<(), Mismatch> {
    let mut cells = Vec::new();
    let mut rest = block;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest[..end].trim_ascii();
        rest = rest.get(end + 1..).unwrap_or_default();
        if line.is_empty() {
            continue;
        }
        cells.clear();
        cells.resize(table.slots(), Cell::Null);
        read_object(line, |key| table.slot(key), &mut cells).map_err(|error| Mismatch {
            row: chunk.rows() as u64,
            column: "(the whole row)".into(),
            found: match line.first() {
                Some(b'[') => "a JSON array".into(),
                _ => format!("broken JSON: {error}"),
            },
            expected: "one JSON object on each line".into(),
        })?;
        chunk.append(&cells)?;
    }
    Ok(())
}

/// The factors of a JSON object, absent ones null; or the column, what was found and expected.
pub(super) fn factors<'a>(
    cell: &'a Cell<'_>,
) -> Result<[Cell<'a>; FACTORS.len()], (String, String, &'static str)> {
    const EXPECTED: &str = "a JSON object of factors";
    let mut cells = [const { Cell::Null }; FACTORS.len()];
    let (Cell::Text(text) | Cell::Object(text)) = cell else {
        return Err((SCORE_FACTORS.into(), format!("{cell:?}"), EXPECTED));
    };
    let slot = |key: &str| FACTORS.iter().position(|factor| *factor == key);
    read_object(text.as_bytes(), slot, &mut cells)
        .map_err(|_| (SCORE_FACTORS.into(), text.to_string(), EXPECTED))?;
    Ok(cells)
}

fn read_object<'a>(
    text: &'a [u8],
    slot: impl Fn(&str) -> Option<usize>,
    cells: &mut [Cell<'a>],
) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let object = Object { slot, cells };
    reader.deserialize_map(object)?;
    reader.end()
}

struct Object<'c, 'a, S> {
    slot: S,
    cells: &'c mut [Cell<'a>],
}

impl<'de, S: Fn(&str) -> Option<usize>> Visitor<'de> for Object<'_, 'de, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(slot) = map.next_key_seed(Key(&self.slot))? {
            match slot.and_then(|slot| self.cells.get_mut(slot)) {
                Some(cell) => *cell = cell_of(map.next_value::<&RawValue>()?.get()),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Finds a key's slot without keeping the key.
struct Key<'s, S>(&'s S);

impl<'de, S: Fn(&str) -> Option<usize>> DeserializeSeed<'de> for Key<'_, S> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<S: Fn(&str) -> Option<usize>> Visitor<'_> for Key<'_, S> {
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

//! CSV after RFC 4180: commas, quotes, a header. An empty field is null.

use std::borrow::Cow;

use super::builder::ChunkBuilder;
use super::chunk::{Cell, Mismatch};
use super::columns::Table;

/// Where the columns of a file go.
#[derive(Debug, Clone)]
pub(super) struct Header {
    names: Vec<String>,
    slots: Vec<Option<usize>>,
    /// Whether each field is a binary float, of which this is the shortest decimal.
    floats: Vec<bool>,
    /// Slots, with the names of their columns, by which people find a row that has no number.
    keys: Vec<(usize, &'static str)>,
}

/// Why a header cannot be used: what was found, and what was expected.
pub(super) type BadHeader = (String, String);

impl Header {
    /// Reads the first record of a file; returns it with the bytes it took.
    pub(super) fn read(block: &[u8], table: &'static Table) -> Result<(Self, usize), BadHeader> {
        let required = table.required_names().join(", ");
        let text = block.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(block);
        let mark = block.len() - text.len();
        let mut names: Vec<String> = Vec::new();
        let (mut fields, mut scratch) = (Vec::new(), Vec::new());
        let length = read_record(text, &mut fields, &mut scratch).ok_or_else(|| {
            (
                "an unclosed quote in the header".to_owned(),
                "a header".to_owned(),
            )
        })?;
        for (start, end) in fields {
            let name = String::from_utf8_lossy(&scratch[start..end]);
            names.push(name.trim().to_owned());
        }
        if names.iter().all(String::is_empty) {
            return Err(("no header".into(), format!("the columns {required}")));
        }
        let slots: Vec<_> = names.iter().map(|name| table.slot(name)).collect();
        for (position, slot) in slots.iter().enumerate() {
            if slot.is_some() && slots[..position].contains(slot) {
                let found = format!("column {} twice", names[position]);
                return Err((found, "every column once".into()));
            }
        }
        let missing = table.missing(|slot| slots.contains(&Some(slot)));
        if !missing.is_empty() {
            return Err((
                format!(
                    "no column {} among {}",
                    missing.join(", "),
                    names.join(", ")
                ),
                format!("the columns {required}"),
            ));
        }
        let header = Self {
            floats: vec![false; names.len()],
            keys: Vec::new(),
            names,
            slots,
        };
        Ok((header, mark + length))
    }

    /// Says of columns of the table which are floats, and which tell rows apart.
    pub(super) fn describe(&mut self, table: &'static Table, floats: &[usize], keys: &[usize]) {
        let is_float = |slot: &Option<usize>| slot.is_some_and(|slot| floats.contains(&slot));
        self.floats = self.slots.iter().map(is_float).collect();
        let name = |slot: &usize| Some((*slot, table.columns.get(*slot)?.name));
        self.keys = keys.iter().filter_map(name).collect();
    }

    fn cell<'a>(&self, position: usize, field: &'a str) -> Cell<'a> {
        if field.is_empty() {
            return Cell::Null;
        }
        if self.floats.get(position) == Some(&true)
            && let Ok(value) = field.parse::<f64>()
            && value.is_finite()
        {
            return Cell::Float(value);
        }
        Cell::Text(Cow::Borrowed(field))
    }

    /// Adds to what was found which row it is of.
    fn name_row(&self, mut mismatch: Mismatch, cells: &[Cell<'_>]) -> Mismatch {
        let keys = self.keys.iter().filter_map(|(slot, name)| {
            let cell = cells.get(*slot)?;
            (*name != mismatch.column).then(|| format!("{name} is {}", cell.found()))
        });
        let keys: Vec<_> = keys.collect();
        if !keys.is_empty() {
            mismatch.found += " where ";
            mismatch.found += &keys.join(" and ");
        }
        mismatch
    }
}

/// Appends the records of a block.
pub(super) fn append_records(
    block: &[u8],
    header: &Header,
    table: &'static Table,
    chunk: &mut ChunkBuilder,
) -> Result<(), Mismatch> {
    let whole_row = |row: usize, found: String, expected: String| Mismatch {
        row: row as u64,
        column: "(the whole row)".into(),
        found,
        expected,
    };
    let fields_expected = |row, found: usize| {
        let expected = format!("{}, as in the header", header.names.len());
        whole_row(row, format!("{found} fields"), expected)
    };
    let text = match std::str::from_utf8(block) {
        Ok(text) => text,
        Err(error) => {
            let lines = memchr::memchr_iter(b'\n', &block[..error.valid_up_to()]).count();
            let found = "bytes that are not UTF-8".to_owned();
            return Err(whole_row(lines, found, "text in UTF-8".into()));
        }
    };
    if memchr::memchr(b'"', block).is_some() {
        return append_quoted(text, header, table, chunk, whole_row, fields_expected);
    }
    let mut cells = vec![Cell::Null; table.slots()];
    let mut start = 0;
    while start < block.len() {
        let line_end = memchr::memchr(b'\n', &block[start..]).map_or(block.len(), |at| start + at);
        let line = text[start..line_end].trim_end_matches('\r');
        start = line_end + 1;
        if line.is_empty() {
            continue;
        }
        let mut count = 0;
        let mut field_start = 0;
        for field_end in memchr::memchr_iter(b',', line.as_bytes()).chain([line.len()]) {
            if let Some(Some(slot)) = header.slots.get(count) {
                cells[*slot] = header.cell(count, &line[field_start..field_end]);
            }
            field_start = field_end + 1;
            count += 1;
        }
        if count != header.slots.len() {
            return Err(fields_expected(chunk.rows(), count));
        }
        let appended = chunk.append(&cells);
        appended.map_err(|mismatch| header.name_row(mismatch, &cells))?;
    }
    Ok(())
}

fn append_quoted(
    text: &str,
    header: &Header,
    table: &'static Table,
    chunk: &mut ChunkBuilder,
    whole_row: impl Fn(usize, String, String) -> Mismatch,
    fields_expected: impl Fn(usize, usize) -> Mismatch,
) -> Result<(), Mismatch> {
    let (mut fields, mut scratch) = (Vec::new(), Vec::new());
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let length = read_record(rest, &mut fields, &mut scratch).ok_or_else(|| {
            let found = "an unclosed quote".to_owned();
            whole_row(chunk.rows(), found, "a closing quote".into())
        })?;
        rest = &rest[length..];
        if fields.len() == 1 && scratch.is_empty() {
            continue;
        }
        if fields.len() != header.slots.len() {
            return Err(fields_expected(chunk.rows(), fields.len()));
        }
        let mut cells = vec![Cell::Null; table.slots()];
        for (position, ((start, end), slot)) in fields.iter().zip(&header.slots).enumerate() {
            if let Some(slot) = slot {
                // Quotes and commas are ASCII, so fields of valid UTF-8 are valid.
                let field = std::str::from_utf8(&scratch[*start..*end]).unwrap_or_default();
                cells[*slot] = header.cell(position, field);
            }
        }
        let appended = chunk.append(&cells);
        appended.map_err(|mismatch| header.name_row(mismatch, &cells))?;
    }
    Ok(())
}

/// Reads one record, its fields without their quotes into `scratch`; returns the bytes it took,
/// `None` where a quote stays open.
fn read_record(
    text: &[u8],
    fields: &mut Vec<(usize, usize)>,
    scratch: &mut Vec<u8>,
) -> Option<usize> {
    fields.clear();
    scratch.clear();
    let mut start = 0;
    let mut in_quotes = false;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' if in_quotes && text.get(at) == Some(&b'"') => {
                scratch.push(b'"');
                at += 1;
            }
            b'"' if in_quotes => in_quotes = false,
            b'"' if scratch.len() == start => in_quotes = true,
            b',' if !in_quotes => {
                fields.push((start, scratch.len()));
                start = scratch.len();
            }
            b'\n' if !in_quotes => break,
            b'\r' if !in_quotes && matches!(text.get(at), Some(b'\n') | None) => {}
            other => scratch.push(other),
        }
    }
    fields.push((start, scratch.len()));
    (!in_quotes).then_some(at)
}

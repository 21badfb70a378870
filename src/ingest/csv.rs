//! CSV after RFC 4180: a header, fields between delimiters, quotes. An empty field is null.
//!
//! A quote opens a field only at its beginning; elsewhere it is a character as any other. A line of
//! delimiters alone is blank, and a line that repeats the header, or the delimiter before it, is passed.

use std::borrow::Cow;

use super::builder::ChunkBuilder;
use super::chunk::{Cell, Mismatch};
use super::columns::Table;
use super::decimal::{Decimal, Rounding};
use super::files::Shape;
use super::names::{self, BadHeader, Unused};
use super::{folders, text, timestamp};

/// Where the columns of a file go.
#[derive(Debug, Clone)]
pub(super) struct Header {
    names: Vec<String>,
    slots: Vec<Option<usize>>,
    delimiter: u8,
    pub(super) rounding: Rounding,
    /// Values that all rows have, with their slots.
    constants: Vec<(usize, String)>,
    /// As it is written, to know it when it comes again.
    line: String,
    pub(super) unused: Vec<Unused>,
    /// Whether people can look for a line of it.
    pub(super) has_lines: bool,
    /// Whether each field is a binary float, of which this is the shortest decimal.
    floats: Vec<bool>,
    /// Slots, with the names of their columns, by which people find a row that has no number.
    keys: Vec<(usize, &'static str)>,
}

/// What separates the columns of files that people have.
const DELIMITERS: [(u8, &str); 5] = [
    (b',', ","),
    (b';', ";"),
    (b'\t', "tab"),
    (b'|', "|"),
    (b' ', "blanks"),
];

impl Header {
    /// Reads the first record of a file; returns it with the bytes it took.
    pub(super) fn read(
        block: &[u8],
        table: &'static Table,
        shape: &Shape,
    ) -> Result<(Self, usize), BadHeader> {
        let required = || format!("the columns {}", table.required_names().join(", "));
        let (names, length) = read_names(block, shape.delimiter)
            .ok_or_else(|| BadHeader::new("an unclosed quote in the header", "a header"))?;
        if names.iter().all(String::is_empty) {
            return Err(BadHeader::new("no header", required()));
        }
        let fields = names.len();
        let mut all = names;
        let folders = shape.folders_beside(&all);
        all.extend(folders.iter().map(|(name, _)| name.clone()));
        let slots = names::resolve(table, &shape.options.columns, &all)
            .map_err(|bad| explain(bad, block, &all[..fields], table, shape))?;
        let constants = folders.into_iter().zip(&slots[fields..]);
        let constants = constants.filter_map(|((_, value), slot)| Some(((*slot)?, value)));
        let mut unused = names::unused(table, &all[..fields], &slots);
        let has = |slot: usize| slots[..fields].contains(&Some(slot));
        unused.extend(folders::passed(shape, table, has));
        let said = separator(first_line(block)).map_or(0, |_| first_line(block).len());
        let line = String::from_utf8_lossy(block[said..length].trim_ascii_end());
        let header = Self {
            constants: constants.collect(),
            line: line.trim_start_matches('\n').to_owned(),
            delimiter: shape.delimiter,
            rounding: shape.options.rounding(),
            has_lines: true,
            floats: vec![false; fields],
            keys: Vec::new(),
            slots: slots[..fields].to_vec(),
            names: all[..fields].to_vec(),
            unused,
        };
        Ok((header, length))
    }

    /// Says of columns of the table which are floats, and which tell rows apart; such text has no
    /// lines that people could look for.
    pub(super) fn describe(&mut self, table: &'static Table, floats: &[usize], keys: &[usize]) {
        let is_float = |slot: &Option<usize>| slot.is_some_and(|slot| floats.contains(&slot));
        self.floats = self.slots.iter().map(is_float).collect();
        let name = |slot: &usize| Some((*slot, table.columns.get(*slot)?.name));
        self.keys = keys.iter().filter_map(name).collect();
        self.has_lines = false;
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

    /// The cells of a row before its fields are read.
    fn cells(&self, table: &Table) -> Vec<Cell<'_>> {
        let mut cells = vec![Cell::Null; table.slots()];
        for (slot, value) in &self.constants {
            cells[*slot] = Cell::Text(Cow::Borrowed(value));
        }
        cells
    }

    /// Whether a line is this header again.
    fn is_repeated(&self, line: &[u8]) -> bool {
        let before = line.len().checked_sub(self.line.len());
        before.is_some_and(|before| {
            matches!(&line[..before], b"" | MARK) && line[before..] == *self.line.as_bytes()
        })
    }

    /// Whether a line says the delimiter again, before the header of a file that was put behind another.
    fn is_separator(&self, line: &[u8]) -> bool {
        // Nearly every line is longer, which costs no look into it.
        const LONGEST: usize = MARK.len() + b"sep=;\r\n".len();
        line.len() <= LONGEST && {
            let line = line.strip_prefix(MARK).unwrap_or(line);
            separator(line) == Some(self.delimiter)
        }
    }

    /// Whether a line has delimiters and blanks alone.
    fn is_blank(&self, line: &[u8]) -> bool {
        let is_blank = |byte: &u8| *byte == self.delimiter || *byte == b' ';
        line.first().is_none_or(is_blank) && line.iter().all(is_blank)
    }

    fn fields_expected(&self, row: usize, found: usize, record: &[u8]) -> Mismatch {
        let record = record.trim_ascii_end();
        let shown = Cell::Other(String::from_utf8_lossy(record)).found();
        let shown = shown.replace('\n', " ");
        let noun = if found == 1 { "field" } else { "fields" };
        let expected = format!("{}, as in the header", self.names.len());
        let found_text = format!("{found} {noun} in {shown}");
        let mismatch = Mismatch::of_row(row as u64, found_text, expected);
        let is_drawn = record.iter().all(|byte| b"-+|: ".contains(byte));
        let is_count = record.first() == Some(&b'(') && record.ends_with(b")");
        let hint = if record == b"\\." {
            "a dump of PostgreSQL ends its rows so: leave the line out"
        } else if is_drawn || is_count {
            "this is a table for people to read: psql --csv, or \\copy … with csv header, writes one \
             for programs"
        } else if found == self.names.len() + 1 && record.last() == Some(&self.delimiter) {
            "the rows end in a delimiter and the header does not: one more there makes them fit"
        } else if found > self.names.len() {
            "a field that contains the delimiter stands in double quotes, and so does a number with a \
             decimal comma"
        } else {
            return mismatch;
        };
        mismatch.with_hint(hint)
    }

    /// Adds to what was found which row it is of.
    fn name_row(&self, mut mismatch: Mismatch, table: &Table, cells: &[Cell<'_>]) -> Mismatch {
        if self.has_lines && names::is_column(table, &mismatch.found) {
            return mismatch.with_hint(
                "the row seems to be a header with other columns: files that are put together have \
                 the same ones, or are loaded each by itself",
            );
        }
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

/// The byte order mark, which a file has at its beginning, and one made of several within.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// The names of the first record that is not blank, and the bytes up to its end.
fn read_names(block: &[u8], delimiter: u8) -> Option<(Vec<String>, usize)> {
    let (mut fields, mut scratch) = (Vec::new(), Vec::new());
    let mut length = 0;
    loop {
        let from = length;
        length += read_record(&block[length..], delimiter, &mut fields, &mut scratch)?;
        let is_passed = scratch.is_empty() || separator(&block[from..length]).is_some();
        if !is_passed || length == block.len() {
            break;
        }
    }
    let names = fields.iter().map(|(start, end)| {
        let name = String::from_utf8_lossy(&scratch[*start..*end]);
        name.trim().to_owned()
    });
    Some((names.collect(), length))
}

/// The delimiter that a line before the header says, as Excel reads and writes it: `sep=;`.
fn separator(line: &[u8]) -> Option<u8> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    match line.strip_suffix(b"\r").unwrap_or(line) {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] => Some(*delimiter),
        _ => None,
    }
}

fn first_line(text: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\n', text);
    end.map_or(text, |end| &text[..=end])
}

/// The delimiter of a file that begins so: the one that is given for all files, unless only the one
/// that its name tells makes a header of it; where none is given, the one that it says itself.
pub(super) fn delimiter_of(head: &[u8], table: &'static Table, shape: &Shape) -> u8 {
    let fits = |delimiter: u8| {
        read_names(head, delimiter).is_some_and(|(mut names, _)| {
            let folders = shape.folders_beside(&names);
            names.extend(folders.into_iter().map(|(name, _)| name));
            names::resolve(table, &shape.options.columns, &names).is_ok()
        })
    };
    let given = shape.delimiter;
    if shape.options.delimiter.is_none() {
        return separator(first_line(head)).unwrap_or(given);
    }
    match given != shape.by_name && !fits(given) && fits(shape.by_name) {
        true => shape.by_name,
        false => given,
    }
}

/// How many lines, a few at most, stand before one that has the names of the columns.
fn lines_before_names(block: &[u8], table: &'static Table, shape: &Shape) -> Option<usize> {
    const LINES_MAX: usize = 20;
    let ends = memchr::memchr_iter(b'\n', block).take(LINES_MAX);
    let mut rests = ends
        .enumerate()
        .map(|(line, end)| (line + 1, &block[end + 1..]));
    rests.find_map(|(lines, rest)| {
        let is_blank = first_line(rest).trim_ascii().is_empty();
        let (names, _) = read_names(rest, shape.delimiter).filter(|_| !is_blank)?;
        names::resolve(table, &shape.options.columns, &names).ok()?;
        Some(lines)
    })
}

/// Looks for the reason why a header has not the columns it must have.
fn explain(
    bad: BadHeader,
    block: &[u8],
    names: &[String],
    table: &'static Table,
    shape: &Shape,
) -> BadHeader {
    let shown = |delimiter: u8| {
        let known = DELIMITERS.iter().find(|(byte, _)| *byte == delimiter);
        known.map_or_else(
            || char::from(delimiter).to_string(),
            |(_, name)| (*name).to_owned(),
        )
    };
    let others = DELIMITERS
        .iter()
        .filter(|(byte, _)| *byte != shape.delimiter);
    for (delimiter, name) in others {
        let Some((other, _)) = read_names(block, *delimiter) else {
            continue;
        };
        let fits = names::resolve(table, &shape.options.columns, &other).is_ok();
        if fits || (names.len() == 1 && other.len() > 1 && *delimiter != b' ') {
            let flag = match *delimiter {
                b' ' => "' '",
                b'\t' => "tab",
                b';' => "';'",
                b'|' => "'|'",
                _ => ",",
            };
            return BadHeader::new(
                format!("columns that seem to be separated by {name}"),
                format!("columns separated by {}", shown(shape.delimiter)),
            )
            .with_hint(format!("--delimiter {flag} reads them so"));
        }
    }
    let first = block.split(|byte| *byte == b'\n').next().unwrap_or(block);
    if memchr::memchr(b'\r', first.trim_ascii_end()).is_some() {
        return BadHeader::new("lines that end in a carriage return alone", "line feeds")
            .with_hint("tr '\\r' '\\n' < FILE > NEW converts it");
    }
    if matches!(block.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return BadHeader::new("what seems to be JSON", "CSV").with_hint(
            "the name of a JSON file ends in .json or .ndjson; of standard input --input-format \
             ndjson says it",
        );
    }
    if let Some(lines) = lines_before_names(block, table, shape) {
        return bad.with_hint(format!(
            "line {} has the names of the columns: tail -n +{} FILE > NEW leaves out those before it",
            lines + 1,
            lines + 1
        ));
    }
    if block.trim_ascii_start().starts_with(b"#") {
        return bad.with_hint("the names of the columns come first, without lines before them");
    }
    let is_value = |name: &String| {
        timestamp::from_text(name).is_some() || Decimal::parse(name.as_bytes()).is_some()
    };
    if names.iter().any(is_value) {
        return bad
            .with_hint("the first line seems to be data: the names of the columns come first");
    }
    bad
}

/// Appends the records of a block.
pub(super) fn append_records(
    block: &[u8],
    header: &Header,
    table: &'static Table,
    chunk: &mut ChunkBuilder,
) -> Result<(), Mismatch> {
    let (text, wrong) = text::readable(block);
    let Some((found, hint)) = wrong else {
        return append_text(text, false, header, table, chunk).map(drop);
    };
    // The rows before it come first, and may be wrong themselves.
    let lines = text.rfind('\n').map_or(0, |at| at + 1);
    let taken = append_text(&text[..lines], true, header, table, chunk)?;
    let (mut fields, mut scratch) = (Vec::new(), Vec::new());
    let _ = read_record(
        &text.as_bytes()[taken..],
        header.delimiter,
        &mut fields,
        &mut scratch,
    );
    let mut mismatch = Mismatch::of_row(chunk.rows() as u64, found, text::EXPECTED);
    if let Some(name) = header.names.get(fields.len().saturating_sub(1)) {
        mismatch.column = Cow::Owned(name.clone());
    }
    Err(mismatch.with_hint(hint))
}

/// Appends the records of a text, but the last one of a text that is cut where a quote is open;
/// returns how much of it they are.
fn append_text(
    text: &str,
    is_cut: bool,
    header: &Header,
    table: &'static Table,
    chunk: &mut ChunkBuilder,
) -> Result<usize, Mismatch> {
    let block = text.as_bytes();
    if memchr::memchr(b'"', block).is_some() {
        return append_quoted(text, is_cut, header, table, chunk);
    }
    let mut cells = header.cells(table);
    let mut start = 0;
    while start < block.len() {
        let line_end = memchr::memchr(b'\n', &block[start..]).map_or(block.len(), |at| start + at);
        let line = text[start..line_end].trim_end_matches('\r');
        start = line_end + 1;
        if header.is_blank(line.as_bytes()) {
            chunk.pass_lines(1);
            continue;
        }
        if header.is_repeated(line.as_bytes()) {
            chunk.pass_header();
            continue;
        }
        if header.is_separator(line.as_bytes()) {
            chunk.pass_lines(1);
            continue;
        }
        let mut count = 0;
        let mut field_start = 0;
        for field_end in memchr::memchr_iter(header.delimiter, line.as_bytes()).chain([line.len()])
        {
            if let Some(Some(slot)) = header.slots.get(count) {
                cells[*slot] = header.cell(count, &line[field_start..field_end]);
            }
            field_start = field_end + 1;
            count += 1;
        }
        if count != header.slots.len() {
            return Err(header.fields_expected(chunk.rows(), count, line.as_bytes()));
        }
        let appended = chunk.append(&cells);
        appended.map_err(|mismatch| header.name_row(mismatch, table, &cells))?;
    }
    Ok(block.len())
}

fn append_quoted(
    text: &str,
    is_cut: bool,
    header: &Header,
    table: &'static Table,
    chunk: &mut ChunkBuilder,
) -> Result<usize, Mismatch> {
    let (mut fields, mut scratch) = (Vec::new(), Vec::new());
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let length = match read_record(rest, header.delimiter, &mut fields, &mut scratch) {
            Some(length) => length,
            None if is_cut => return Ok(text.len() - rest.len()),
            None => {
                let row = chunk.rows() as u64;
                let mismatch = Mismatch::of_row(row, "an unclosed quote", "a closing quote");
                return Err(mismatch.with_hint("a quote within quotes is written twice"));
            }
        };
        let record = &rest[..length];
        rest = &rest[length..];
        if scratch.trim_ascii().is_empty() || header.is_separator(record) {
            chunk.pass_lines(lines_of(record));
            continue;
        }
        if header.is_repeated(record.trim_ascii_end()) {
            chunk.pass_header();
            continue;
        }
        if fields.len() != header.slots.len() {
            return Err(header.fields_expected(chunk.rows(), fields.len(), record));
        }
        let mut cells = header.cells(table);
        for (position, ((start, end), slot)) in fields.iter().zip(&header.slots).enumerate() {
            if let Some(slot) = slot {
                // Quotes and delimiters are ASCII, so fields of valid UTF-8 are valid.
                let field = std::str::from_utf8(&scratch[*start..*end]).unwrap_or_default();
                cells[*slot] = header.cell(position, field);
            }
        }
        let appended = chunk.append(&cells);
        appended.map_err(|mismatch| header.name_row(mismatch, table, &cells))?;
        let lines = lines_of(record);
        if lines > 1 {
            chunk.pass_lines(lines - 1);
        }
    }
    Ok(text.len())
}

fn lines_of(record: &[u8]) -> u64 {
    (memchr::memchr_iter(b'\n', record).count() as u64).max(1)
}

/// Reads one record, its fields without their quotes into `scratch`; returns the bytes it took,
/// `None` where a quote stays open.
fn read_record(
    text: &[u8],
    delimiter: u8,
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
            byte if byte == delimiter && !in_quotes => {
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

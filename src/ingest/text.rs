//! Text files opened: decompressed, and looked at before they are read, since a name may not tell
//! what is inside.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::chunk::Cell;
use super::columns::Table;
use super::files::{Compression, Format, InputFile, Shape};
use super::read::Failure;
use super::values::{OneALine, is_one_a_line, refuse_wrapped};
use super::{Phase, Progress, csv};
use crate::error::Error;

/// Text on its way to be cut into blocks.
pub(super) type Text<'p> = Box<dyn Read + Send + 'p>;

/// How much of a text is looked at.
pub(super) const HEAD_BYTES: usize = 1 << 16;

/// Text as it will be read.
pub(super) struct OpenText<'p> {
    pub(super) text: Text<'p>,
    /// Whether its lines are not those of the file, and begin with their number there.
    pub(super) is_numbered: bool,
    pub(super) shape: Arc<Shape>,
}

/// Opens a text file, without the mark at its beginning.
pub(super) fn open<'p>(
    input: &InputFile,
    table: &'static Table,
    progress: &'p dyn Progress,
) -> Result<OpenText<'p>, Failure> {
    let file = File::open(&input.path).map_err(unreadable)?;
    let counted = Counted { file, progress };
    let mut text: Text<'p> = match input.compression {
        Compression::None => Box::new(counted),
        Compression::Gzip => Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(
            1 << 16,
            counted,
        ))),
        Compression::Zstd => Box::new(zstd::Decoder::new(counted).map_err(unreadable)?),
    };
    let mut head = Vec::new();
    (&mut text)
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(unreadable)?;
    refuse_other(&head)?;
    head.drain(..mark_length(&head));
    let one_a_line = input.format == Format::Csv || is_one_a_line(&head);
    if input.format == Format::Ndjson {
        refuse_wrapped(&head, table, &input.shape.options.columns, &input.name())
            .map_err(Failure::of_header)?;
    }
    let mut shape = Arc::clone(&input.shape);
    let delimiter = csv::delimiter_of(&head, table, &shape);
    if input.format == Format::Csv && delimiter != shape.delimiter {
        shape = Arc::new(Shape {
            delimiter,
            ..Shape::clone(&shape)
        });
    }
    let text = Cursor::new(head).chain(text);
    Ok(match one_a_line {
        true => OpenText {
            text: Box::new(text),
            is_numbered: false,
            shape,
        },
        false => OpenText {
            text: Box::new(OneALine::new(text)),
            is_numbered: true,
            shape,
        },
    })
}

/// Refuses a text that does not begin as those of its format do, by its first bytes, which may be
/// compressed.
pub(super) fn look(input: &InputFile, table: &'static Table, head: &[u8]) -> Result<(), Failure> {
    let mut text = Vec::new();
    // What was cut off of a compressed text is no fault of it.
    let opened = match compression_of(head) {
        Some(Compression::Gzip) => MultiGzDecoder::new(head)
            .take(HEAD_BYTES as u64)
            .read_to_end(&mut text),
        Some(Compression::Zstd) => zstd::Decoder::new(head)
            .and_then(|decoder| decoder.take(HEAD_BYTES as u64).read_to_end(&mut text)),
        _ => {
            text.extend_from_slice(head);
            Ok(text.len())
        }
    };
    refuse_other(&text)?;
    let text = &text[mark_length(&text)..];
    let is_whole = opened.is_ok() && text.len() < HEAD_BYTES;
    if input.format == Format::Ndjson {
        refuse_wrapped(text, table, &input.shape.options.columns, &input.name())
            .map_err(Failure::of_header)?;
        return match text.trim_ascii_start().first() {
            None | Some(b'{' | b'[') => Ok(()),
            Some(_) => {
                let line = text.trim_ascii_start().split(|byte| *byte == b'\n').next();
                let line = String::from_utf8_lossy(line.unwrap_or_default());
                let found = Cell::Other(line).found();
                Err(Failure::file(found, "a JSON object for each row"))
            }
        };
    }
    let begin = text.trim_ascii_start();
    if memchr::memchr(b'\n', begin).is_none() && !is_whole {
        return match opened {
            Ok(_) => Err(Failure::file(
                format!("a first line longer than {} KiB", HEAD_BYTES >> 10),
                "a header",
            )),
            // Reading it says what is wrong.
            Err(_) => Ok(()),
        };
    }
    let shape = Shape {
        delimiter: csv::delimiter_of(text, table, &input.shape),
        ..Shape::clone(&input.shape)
    };
    let header = csv::Header::read(text, table, &shape);
    header.map(drop).map_err(Failure::of_header)
}

/// How a text is compressed that begins so.
pub(super) fn compression_of(head: &[u8]) -> Option<Compression> {
    match head {
        [0x1F, 0x8B, ..] => Some(Compression::Gzip),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Compression::Zstd),
        _ => None,
    }
}

/// How long the byte order mark is that a text begins with.
fn mark_length(head: &[u8]) -> usize {
    match head.starts_with(b"\xEF\xBB\xBF") {
        true => 3,
        false => 0,
    }
}

/// Refuses what is no text in UTF-8, by what it seems to be.
fn refuse_other(head: &[u8]) -> Result<(), Failure> {
    let refuse = |found: &str, hint: &str| {
        let hint = Some(hint.to_owned()).filter(|hint| !hint.is_empty());
        Err(Failure::File(
            found.to_owned(),
            "text in UTF-8".into(),
            hint,
        ))
    };
    let utf16 = "iconv -f UTF-16 -t UTF-8 FILE > NEW converts it";
    let zeros = |from: usize| {
        head.iter()
            .skip(from)
            .step_by(2)
            .take(32)
            .all(|byte| *byte == 0)
    };
    let utf32 = "iconv -f UTF-32 -t UTF-8 FILE > NEW converts it";
    match head {
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => refuse("text in UTF-32", utf32),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => refuse("text in UTF-16", utf16),
        [_, _, _, _, ..] if zeros(0) != zeros(1) => {
            refuse("text that seems to be in UTF-16", utf16)
        }
        [0x1F, 0x8B, ..] => refuse("a gzip file", "the name of a gzip file ends in .gz"),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => {
            refuse("a zstd file", "the name of a zstd file ends in .zst")
        }
        [b'P', b'K', 3, 4, ..] => refuse(
            "a zip file, as those of Excel are",
            "unpack it, or save the sheet as CSV in UTF-8",
        ),
        [b'P', b'A', b'R', b'1', ..] => refuse(
            "a Parquet file",
            "the name of a Parquet file ends in .parquet; of standard input --input-format parquet \
             says it",
        ),
        _ if is_binary(head) => refuse("bytes that are no text", ""),
        _ if is_web_page(head) => refuse(
            "a web page",
            "it seems to say why there are no data: open it in a browser, and download them again",
        ),
        _ if begins_with(head, &["<?xml"]) => {
            refuse("XML", "a script can write its rows as CSV or JSON")
        }
        [b'P', b'G', b'D', b'M', b'P', ..] => refuse("a dump of PostgreSQL", RESTORE),
        _ if begins_with(head, SQL) => refuse("statements of SQL, as a dump has", RESTORE),
        _ => Ok(()),
    }
}

/// Whether no line of a text can begin so; what is wrong with a later one is said of its row.
fn is_binary(head: &[u8]) -> bool {
    let first = head.split(|byte| *byte == b'\n').next();
    first.is_some_and(|line| line.contains(&0))
}

/// Whether a text begins as a page for browsers does, such as a service gives in the place of data.
fn is_web_page(head: &[u8]) -> bool {
    begins_with(head, &["<!doctype html", "<html"])
}

/// What scripts of SQL begin with, and what to do with them.
const SQL: &[&str] = &[
    "copy public.",
    "insert into ",
    "create table ",
    "--\n-- postgresql database dump",
];
const RESTORE: &str =
    "psql or pg_restore put it into a database, which hindsight load --from reads";

/// Whether a text begins with one of these words, in whatever case.
fn begins_with(head: &[u8], words: &[&str]) -> bool {
    let begin = head.trim_ascii_start();
    words.iter().any(|word| {
        begin
            .get(..word.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// What is expected of a text.
pub(super) const EXPECTED: &str = "text in UTF-8";

/// What of a block is text, up to where it is none; and then what it is, and the way out.
pub(super) fn readable(block: &[u8]) -> (&str, Option<(&'static str, &'static str)>) {
    const CONVERT: &str = "iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW converts it";
    const TAKE_OUT: &str = "such bytes are mostly left by a crash while the file was written: write it \
                            again; tr -d '\\0' < FILE > NEW takes them out";
    let (text, wrong) = match std::str::from_utf8(block) {
        Ok(text) => (text, None),
        Err(error) => {
            let valid = &block[..error.valid_up_to()];
            let text = std::str::from_utf8(valid).unwrap_or_default();
            (text, Some(("bytes that are not UTF-8", CONVERT)))
        }
    };
    match memchr::memchr(0, text.as_bytes()) {
        Some(at) => (&text[..at], Some(("a byte that is 0", TAKE_OUT))),
        None => (text, wrong),
    }
}

/// A database says itself what is wrong, inside the error of the text that it sends.
pub(super) fn unreadable(error: io::Error) -> Failure {
    let error = match error.downcast::<Error>() {
        Ok(error) => return Failure::Other(error),
        Err(error) => error,
    };
    let said = error.to_string();
    let hint = match said.as_str() {
        "invalid gzip header" => {
            Some("it is not compressed by gzip, or not to its end, whatever its name says")
        }
        _ if said.contains("checksum") => Some("it is damaged: download or write it again"),
        "Unknown frame descriptor" => Some("it is not compressed by zstd, whatever its name says"),
        "incomplete deflate stream" | "incomplete frame" => {
            Some("it is cut short: download or write it again")
        }
        _ if error.kind() == io::ErrorKind::UnexpectedEof => {
            Some("it is cut short: download or write it again")
        }
        _ => None,
    };
    Failure::File(
        said,
        "a file that can be read".into(),
        hint.map(str::to_owned),
    )
}

/// Tells how much of a file has been read.
struct Counted<'p> {
    file: File,
    progress: &'p dyn Progress,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.progress.advance(Phase::Reading, read as u64);
        Ok(read)
    }
}

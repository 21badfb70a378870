//! Text files opened: decompressed, and looked at before they are read, since a name may not tell
//! what is inside.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::columns::Table;
use super::files::{Compression, Format, InputFile, Shape};
use super::read::Failure;
use super::values::{OneALine, is_one_a_line, refuse_wrapped};
use super::{Phase, Progress, csv};
use crate::error::Error;

/// Text on its way to be cut into blocks.
pub(super) type Text<'p> = Box<dyn Read + Send + 'p>;

/// How much of a text is looked at.
const HEAD_BYTES: usize = 1 << 16;

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
    if head.starts_with(b"\xEF\xBB\xBF") {
        head.drain(..3);
    }
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
            "the name of a Parquet file ends in .parquet",
        ),
        _ if head.contains(&0) => refuse("bytes that are no text", ""),
        _ if is_web_page(head) => refuse(
            "a web page",
            "it seems to say why there are no data: open it in a browser, and download them again",
        ),
        _ => Ok(()),
    }
}

/// Whether a text begins as a page for browsers does, such as a service gives in the place of data.
fn is_web_page(head: &[u8]) -> bool {
    let begin = head.trim_ascii_start();
    ["<!doctype html", "<html"].iter().any(|mark| {
        begin
            .get(..mark.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(mark.as_bytes()))
    })
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

//! Input files: from paths, directories and glob patterns to files with their format.
//!
//! Of a directory its data files are read, and those of folders such as `token_address=TokA` within
//! it, whose names are values of a column. What is not read is named; what looks like data that
//! cannot be read is refused.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::decimal::Rounding;
use super::folders::folders_of;
use super::names::{self, ColumnName};
use super::others::{SUPPORTED, leads_nowhere, refused};
use super::text;
use crate::error::{Error, Result};

/// How files are read where they do not tell themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Columns that the files call otherwise.
    pub columns: Vec<ColumnName>,
    /// Of standard input, and of files whose names do not tell.
    pub input_format: Option<InputFormat>,
    /// What separates the columns of CSV.
    pub delimiter: Option<Delimiter>,
    /// Whether prices are rounded to the digits that there is room for, however far that moves them.
    pub round_prices: bool,
}

impl ReadOptions {
    pub(super) fn rounding(&self) -> Rounding {
        match self.round_prices {
            true => Rounding::Any,
            false => Rounding::Slight,
        }
    }
}

/// What separates the columns of CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiter(u8);

impl Delimiter {
    /// Reads one character, `tab` or `\t`.
    pub fn parse(text: &str) -> Result<Self> {
        match text.as_bytes() {
            b"tab" | b"\\t" => Ok(Self(b'\t')),
            [byte]
                if byte.is_ascii()
                    && !byte.is_ascii_alphanumeric()
                    && !b"\"\r\n.-+".contains(byte) =>
            {
                Ok(Self(*byte))
            }
            _ => Err(Error::Usage(format!(
                "--delimiter takes one character such as ; or |, or tab, found {text}"
            ))),
        }
    }
}

/// A format that a name does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputFormat {
    format: Format,
    delimiter: u8,
}

impl InputFormat {
    /// The words that [`Self::parse`] reads.
    pub const NAMES: [&'static str; 5] = ["csv", "tsv", "ndjson", "json", "parquet"];

    pub fn parse(text: &str) -> Result<Self> {
        match format_of(text) {
            Some((format, delimiter)) => Ok(Self { format, delimiter }),
            None => Err(Error::Usage(format!(
                "--input-format takes {}, found {text}",
                Self::NAMES.join(", ")
            ))),
        }
    }
}

/// One input file.
#[derive(Debug, Clone)]
pub(super) struct InputFile {
    pub(super) path: PathBuf,
    /// As errors show it, where the path is not what the user gave.
    shown: Option<String>,
    pub(super) format: Format,
    pub(super) compression: Compression,
    pub(super) shape: Arc<Shape>,
}

/// What is known of the rows of a file beside the file.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) delimiter: u8,
    /// The delimiter that the name tells, where another is given.
    pub(super) by_name: u8,
    /// What the names of the folders say that it is in: a name and a value.
    pub(super) folders: Vec<(String, String)>,
    pub(super) options: Arc<ReadOptions>,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            delimiter: b',',
            by_name: b',',
            folders: Vec::new(),
            options: Arc::default(),
        }
    }
}

impl Shape {
    /// The folders that say what a file with these columns does not.
    pub(super) fn folders_beside(&self, names: &[String]) -> Vec<(String, String)> {
        let says = |name: &str| {
            let mut found = names.iter();
            found.any(|found| names::plain(found) == names::plain(name))
        };
        let folders = self.folders.iter().filter(|(name, _)| !says(name));
        folders.cloned().collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Parquet,
    Csv,
    /// Objects, one a line or in an array.
    Ndjson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

fn format_of(extension: &str) -> Option<(Format, u8)> {
    Some(match extension {
        "parquet" => (Format::Parquet, b','),
        "csv" => (Format::Csv, b','),
        "tsv" | "tab" => (Format::Csv, b'\t'),
        "psv" => (Format::Csv, b'|'),
        "ndjson" | "jsonl" | "json" => (Format::Ndjson, b','),
        _ => return None,
    })
}

impl InputFile {
    /// The name errors show: as the user gave it, or as the pattern found it.
    pub(super) fn name(&self) -> String {
        match &self.shown {
            Some(shown) => shown.clone(),
            None => self.path.display().to_string(),
        }
    }

    /// A file by its extension; `None` where the extension is of no known format.
    fn of(path: &Path, options: &Arc<ReadOptions>) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        let (stem, compression) = match name.rsplit_once('.') {
            Some((stem, "gz")) => (stem, Compression::Gzip),
            Some((stem, "zst" | "zstd")) => (stem, Compression::Zstd),
            _ => (name.as_str(), Compression::None),
        };
        let known = stem.rsplit_once('.').and_then(|(_, end)| format_of(end));
        let given = options.input_format;
        let (format, delimiter) = known.or(given.map(|given| (given.format, given.delimiter)))?;
        if format == Format::Parquet && compression != Compression::None {
            return None;
        }
        let by_name = delimiter;
        let delimiter = options.delimiter.map_or(by_name, |Delimiter(byte)| byte);
        Some(Self {
            path: path.to_owned(),
            shown: None,
            format,
            compression,
            shape: Arc::new(Shape {
                delimiter,
                by_name,
                folders: folders_of(path),
                options: Arc::clone(options),
            }),
        })
    }

    /// Whether it can be read only once, so that it is copied first.
    pub(super) fn is_stream(&self) -> bool {
        self.shown.is_some() && self.path == Path::new(STANDARD_INPUT) || !self.path.is_file()
    }

    pub(super) fn is_standard_input(&self) -> bool {
        self.path == Path::new(STANDARD_INPUT)
    }

    /// Reads a copy from now on, whose first bytes tell how it is compressed.
    pub(super) fn move_to(&mut self, copy: PathBuf, head: &[u8]) {
        self.shown = Some(self.name());
        self.path = copy;
        self.compression = text::compression_of(head).unwrap_or(self.compression);
    }
}

/// What stands for standard input.
const STANDARD_INPUT: &str = "-";

/// What was found under the names that a user gave.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Each file once, in the order of the inputs and then of their names.
    pub(super) files: Vec<InputFile>,
    /// What lies in directories and is not data.
    pub(super) not_read: Vec<PathBuf>,
}

/// The files that `inputs` name.
pub(super) fn find(inputs: &[String], options: &Arc<ReadOptions>) -> Result<Found> {
    let mut found = Found::default();
    for input in inputs {
        find_one(input, options, &mut found)?;
    }
    let mut known = HashSet::new();
    found.files.retain(|file| {
        let whole = file.path.canonicalize();
        known.insert(whole.unwrap_or_else(|_| file.path.clone()))
    });
    found.not_read.sort();
    found.not_read.dedup();
    Ok(found)
}

fn find_one(input: &str, options: &Arc<ReadOptions>, found: &mut Found) -> Result<()> {
    let refuse = |found: String, expected: &str| Error::InputFile {
        file: input.to_owned(),
        found,
        expected: expected.to_owned(),
    };
    let path = Path::new(input);
    if input == STANDARD_INPUT {
        let Some(mut file) = InputFile::of(path, options) else {
            return Err(
                Error::Usage("standard input has no name that tells its format".into())
                    .hinted("--input-format csv, tsv, ndjson, json or parquet says it"),
            );
        };
        file.shown = Some("standard input".into());
        found.files.push(file);
        return Ok(());
    }
    if path.is_dir() {
        let before = found.files.len();
        files_in(path, options, found, 0)?;
        return match found.files.len() == before {
            true => Err(refuse("a directory without data files".into(), SUPPORTED)),
            false => Ok(()),
        };
    }
    if path.exists() {
        found.files.push(file_of(path, options)?);
        return Ok(());
    }
    if let Some(error) = leads_nowhere(path) {
        return Err(error);
    }
    if !input.contains(['*', '?', '[']) {
        let expected = "a file, a directory or a pattern";
        return Err(refuse("no such file".into(), expected));
    }
    let paths = glob::glob(input).map_err(|error| {
        let expected = "a pattern of *, ?, [abc] and ** that finds files";
        refuse(error.to_string(), expected)
    })?;
    let before = found.files.len();
    for path in paths {
        let path = path.map_err(|error| refuse(error.to_string(), "files that can be read"))?;
        match path.is_dir() {
            true => files_in(&path, options, found, 0)?,
            false => found.files.push(file_of(&path, options)?),
        }
    }
    match found.files.len() == before {
        true => Err(refuse("no file".into(), "a pattern that finds files")),
        false => Ok(()),
    }
}

/// A file that the user named.
fn file_of(path: &Path, options: &Arc<ReadOptions>) -> Result<InputFile> {
    if let Some(error) = leads_nowhere(path).or_else(|| refused(path)) {
        return Err(error);
    }
    InputFile::of(path, options).ok_or_else(|| {
        let error = Error::InputFile {
            file: path.display().to_string(),
            found: "a file of no known format".into(),
            expected: SUPPORTED.into(),
        };
        error.hinted("--input-format says the format of a file whose name does not")
    })
}

/// The data files in a directory and in the folders in it whose names are values, by name.
fn files_in(
    directory: &Path,
    options: &Arc<ReadOptions>,
    found: &mut Found,
    depth: usize,
) -> Result<()> {
    /// Folders further down are passed: links may lead in a circle.
    const DEPTH_MAX: usize = 8;
    let refuse = |error: std::io::Error| Error::InputFile {
        file: directory.display().to_string(),
        found: error.to_string(),
        expected: "a directory that can be read".into(),
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(refuse)? {
        paths.push(entry.map_err(refuse)?.path());
    }
    paths.sort();
    // What names do not tell, a flag does not tell of all that lies in a directory.
    let by_name = Arc::new(ReadOptions {
        input_format: None,
        ..ReadOptions::clone(options)
    });
    for path in paths {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        // Marks of other programs; copies that editors keep, and files that they hold open.
        let is_mark = name.starts_with(['.', '_']) || name.starts_with("~$") || name.ends_with('~');
        if is_mark {
            found.not_read.push(path);
        } else if path.is_dir() {
            match name.contains('=') {
                _ if depth == DEPTH_MAX => found.not_read.push(path),
                true => files_in(&path, options, found, depth + 1)?,
                false => pass_folder(path, &by_name, found, depth + 1)?,
            }
        } else if let Some(error) = refused(&path) {
            return Err(error);
        } else {
            match (InputFile::of(&path, &by_name), leads_nowhere(&path)) {
                (Some(_), Some(error)) => return Err(error),
                // A pipe that lies about may never end.
                (Some(file), None) if path.is_file() => found.files.push(file),
                _ => found.not_read.push(path),
            }
        }
    }
    Ok(())
}

/// Passes a folder whose name says nothing, unless it holds data that would be missed.
fn pass_folder(
    folder: PathBuf,
    options: &Arc<ReadOptions>,
    found: &mut Found,
    depth: usize,
) -> Result<()> {
    let mut within = Found::default();
    files_in(&folder, options, &mut within, depth)?;
    if within.files.is_empty() {
        found.not_read.push(folder);
        return Ok(());
    }
    let error = Error::InputFile {
        file: folder.display().to_string(),
        found: "a folder with data files in a directory".into(),
        expected: "data files, or folders such as token_address=NAME".into(),
    };
    let parent = folder.parent().unwrap_or(&folder).display().to_string();
    Err(error.hinted(format!(
        "a pattern such as '{parent}/**/*.csv' reads those of all folders"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_one_character() {
        for (text, expected) in [("tab", b'\t'), ("\\t", b'\t'), (";", b';'), ("|", b'|')] {
            assert_eq!(
                Delimiter::parse(text).ok(),
                Some(Delimiter(expected)),
                "{text}"
            );
        }
        for text in ["", "ab", "\"", "\n", "a", "5", "§", "-"] {
            assert!(Delimiter::parse(text).is_err(), "{text}");
        }
    }
}

//! Input files: from paths, directories and glob patterns to files with their format.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// One input file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InputFile {
    pub(super) path: PathBuf,
    pub(super) format: Format,
    pub(super) compression: Compression,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Parquet,
    Csv,
    /// Newline-delimited JSON.
    Ndjson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl InputFile {
    /// The name errors show: as the user gave it, or as the pattern found it.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// A file by its extension; `None` where the extension is of no known format.
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let (stem, compression) = match name.rsplit_once('.')? {
            (stem, "gz") => (stem, Compression::Gzip),
            (stem, "zst" | "zstd") => (stem, Compression::Zstd),
            _ => (name.as_str(), Compression::None),
        };
        let format = match (stem.rsplit_once('.')?.1, compression) {
            ("parquet", Compression::None) => Format::Parquet,
            ("csv", _) => Format::Csv,
            ("ndjson" | "jsonl" | "json", _) => Format::Ndjson,
            _ => return None,
        };
        Some(Self {
            path: path.to_owned(),
            format,
            compression,
        })
    }
}

const SUPPORTED: &str =
    "a file that ends in .parquet, .csv, .ndjson, .jsonl or .json (text also with .gz or .zst)";

/// The files that `inputs` name, each once, in the order of the inputs and then of their names.
pub(super) fn find(inputs: &[String]) -> Result<Vec<InputFile>> {
    let mut files: Vec<InputFile> = Vec::new();
    for input in inputs {
        let found = find_one(input)?;
        for file in found {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    Ok(files)
}

fn find_one(input: &str) -> Result<Vec<InputFile>> {
    let refuse = |found: &str, expected: &str| Error::InputFile {
        file: input.to_owned(),
        found: found.to_owned(),
        expected: expected.to_owned(),
    };
    let path = Path::new(input);
    if path.is_dir() {
        let files = files_in(path).map_err(|error| refuse(&error.to_string(), SUPPORTED))?;
        return match files.is_empty() {
            true => Err(refuse("a directory without data files", SUPPORTED)),
            false => Ok(files),
        };
    }
    if path.exists() {
        return match InputFile::of(path) {
            Some(file) => Ok(vec![file]),
            None => Err(refuse("a file of no known format", SUPPORTED)),
        };
    }
    if !input.contains(['*', '?', '[']) {
        return Err(refuse("no such file", "a file, a directory or a pattern"));
    }
    let paths = glob::glob(input).map_err(|error| {
        refuse(
            &error.to_string(),
            "a pattern of *, ?, [abc] and ** that finds files",
        )
    })?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| refuse(&error.to_string(), "files that can be read"))?;
        if path.is_dir() {
            continue;
        }
        files.push(InputFile::of(&path).ok_or_else(|| {
            refuse(
                &format!("{}, of no known format,", path.display()),
                SUPPORTED,
            )
        })?);
    }
    match files.is_empty() {
        true => Err(refuse("no file", "a pattern that finds files")),
        false => Ok(files),
    }
}

/// The data files directly in a directory, by name; others are not ours.
fn files_in(directory: &Path) -> std::io::Result<Vec<InputFile>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.is_file() {
            files.extend(InputFile::of(&path));
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

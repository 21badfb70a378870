//! Files that are not read, by their names, and how to turn them into ones that are.

use std::path::Path;

use crate::error::Error;

pub(super) const SUPPORTED: &str = "a file that ends in .parquet, .csv, .tsv, .psv, .ndjson, .jsonl or .json \
                         (text also with .gz or .zst)";

/// Data in formats that are not read, by the ends of their names, and how to turn them into ones
/// that are.
const NOT_READ: [(&[&str], &str, &str); 6] = [
    (
        &["zip"],
        "a zip archive, which is not read",
        "unzip it into a folder and name that",
    ),
    (
        &["tar", "tgz", "7z", "rar"],
        "an archive, which is not read",
        "unpack it into a folder and name that",
    ),
    (
        &["bz2", "xz", "lz4", "br", "snappy", "lzo"],
        "a file compressed in a way that is not read",
        "compress it with gzip or zstd instead, or not at all",
    ),
    (
        &["xlsx", "xls", "ods", "numbers"],
        "a spreadsheet, which is not read",
        "save the sheet as CSV in UTF-8",
    ),
    (
        &[
            "feather", "arrow", "ipc", "avro", "orc", "h5", "hdf5", "pkl", "pickle", "rds",
        ],
        "data of a format that is not read",
        "write them as Parquet",
    ),
    (
        &["db", "sqlite", "sqlite3", "duckdb", "dump", "sql"],
        "a database, which is not read",
        "export its tables as CSV or Parquet; a dump of PostgreSQL is restored, and read with --from",
    ),
];

/// Why a link cannot be read whose file is not there; `None` of all else.
pub(super) fn leads_nowhere(path: &Path) -> Option<Error> {
    let target = std::fs::read_link(path).ok()?;
    (!path.exists()).then(|| Error::InputFile {
        file: path.display().to_string(),
        found: format!("a link to {}, which is not there", target.display()),
        expected: "a file".into(),
    })
}

/// Why data of another format cannot be read; `None` of what is none.
pub(super) fn refused(path: &Path) -> Option<Error> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    // What an archive holds is not a text, however it is compressed.
    let inner = [".gz", ".zst", ".zstd"];
    let inner = inner.iter().find_map(|end| name.strip_suffix(end));
    if inner.is_some_and(|name| name.ends_with(".parquet")) {
        let error = Error::InputFile {
            file: path.display().to_string(),
            found: "a Parquet file that is compressed as a whole".to_owned(),
            expected: SUPPORTED.to_owned(),
        };
        return Some(error.hinted("gunzip or unzstd it: Parquet compresses what it holds itself"));
    }
    let ends_in_archive = inner.is_some_and(|name| name.ends_with(".tar"));
    let name = inner.filter(|_| ends_in_archive).unwrap_or(&name);
    let (_, end) = name.rsplit_once('.')?;
    let (_, found, hint) = NOT_READ.iter().find(|(ends, ..)| ends.contains(&end))?;
    let error = Error::InputFile {
        file: path.display().to_string(),
        found: (*found).to_owned(),
        expected: SUPPORTED.to_owned(),
    };
    Some(error.hinted(*hint))
}

//! Loading, end to end: formats agree, errors say where, merging is exact, the disk is safe.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may stop at what it did not expect"
)]

mod as_they_come;
mod content;
mod corrections;
mod disk;
mod errors;
mod formats;
mod memory;
mod merging;
mod mistaken;
mod odd;
mod others;
mod rounded_once;
mod row_groups;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{ColumnName, Delimiter, Finding, InputFormat, LoadRequest, LoadSummary, NoProgress};
use super::{ReadOptions, Severity, load};
use crate::dataset::Dataset;
use crate::error::{Error, Result};

/// A directory with input files and a workspace, removed in the end.
struct Bench {
    directory: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn workspace(&self) -> PathBuf {
        self.directory.path().join("workspace")
    }

    /// Writes an input file and returns its path.
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn load(&self, signals: &[&str], prices: &[&str], trades: &[&str]) -> Result<LoadSummary> {
        self.load_as(ReadOptions::default(), signals, prices, trades)
    }

    fn load_as(
        &self,
        reading: ReadOptions,
        signals: &[&str],
        prices: &[&str],
        trades: &[&str],
    ) -> Result<LoadSummary> {
        let owned = |inputs: &[&str]| inputs.iter().map(|input| (*input).to_owned()).collect();
        let request = LoadRequest {
            signals: owned(signals),
            prices: owned(prices),
            trades: owned(trades),
            reading,
            ..LoadRequest::default()
        };
        load(&self.workspace(), &request, &NoProgress)
    }

    /// Loads one table from CSV text; the message of the error, without the directory.
    fn refusal(&self, table: &str, content: &str) -> String {
        let file = self.file(&format!("{table}.csv"), content);
        self.refusal_of(table, &file)
    }

    fn refusal_of(&self, table: &str, file: &str) -> String {
        let loaded = match table {
            "signals" => self.load(&[file], &[], &[]),
            "prices" => self.load(&[], &[file], &[]),
            _ => self.load(&[], &[], &[file]),
        };
        self.message(&loaded.unwrap_err())
    }

    /// The message of an error and its hint, without the directory.
    fn explained(&self, error: &Error) -> String {
        let hint = error.hint().unwrap_or_default();
        let hint = hint.replace(&format!("{}/", self.directory.path().display()), "");
        format!("{}\n{hint}", self.message(error))
    }

    fn message(&self, error: &Error) -> String {
        let message = error.to_string();
        message.replace(&format!("{}/", self.directory.path().display()), "")
    }

    fn open(&self) -> Dataset {
        Dataset::open(&self.workspace()).unwrap()
    }
}

/// The prices of a token as (seconds since 2025, mantissa), and their scale.
fn prices_of(dataset: &Dataset, token: &str) -> (Vec<(i64, i64)>, u8) {
    let prices = dataset.price_book.prices(token).unwrap();
    let seconds = prices
        .timestamps
        .iter()
        .map(|t| t / 1_000_000 - 1_735_689_600);
    (
        seconds.zip(prices.mantissas.iter().copied()).collect(),
        prices.scale,
    )
}

fn finding<'s>(summary: &'s LoadSummary, check_name: &str) -> Option<&'s Finding> {
    summary
        .findings
        .iter()
        .find(|finding| finding.check_name == check_name)
}

/// The files below a directory, relative to it.
fn files_below(directory: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            files.extend(
                files_below(&path)
                    .iter()
                    .map(|file| format!("{name}/{file}")),
            );
        } else {
            files.push(name);
        }
    }
    files.sort();
    files
}

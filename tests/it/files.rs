//! Reads histories and published results for the reference, past the product's own ingest.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use num_traits::ToPrimitive;
use serde_json::value::RawValue;
use tempfile::TempDir;

use crate::reference::exit::Price;
use crate::reference::history::{History, Outcome, Signal};
use crate::reference::number::{Number, parse};
use crate::rows::{self, Cell, Row};

/// Makes a directory that lies in a static, which is never dropped, go when the process has ended,
/// however that ends: a shell waits for that.
pub fn removed_at_the_end(directory: TempDir) -> TempDir {
    let mut shell = Command::new("sh");
    let waiting = shell
        .args(["-c", "trap '' INT TERM; read -r _; rm -rf \"$0\""])
        .arg(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    // Dropped, it would close the pipe that the shell reads.
    std::mem::forget(waiting.unwrap());
    directory
}

/// Copies a directory with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// `tests/data`.
pub fn test_data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// The folder with the data that is too large or not ours to publish, where there is one.
pub fn shared_data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("HINDSIGHT_SHARED").map_or_else(beside, PathBuf::from);
    folder.join("real").is_dir().then_some(folder)
}

/// The history of `signals.parquet`, `token_prices.parquet` and `trade_outcomes.parquet`.
pub fn history(folder: &Path) -> History {
    let mut prices: BTreeMap<String, Vec<Price>> = BTreeMap::new();
    for row in parquet(&folder.join("token_prices.parquet")) {
        prices
            .entry(text(&row, "token_address").unwrap())
            .or_default()
            .push(Price {
                timestamp: timestamp(&row, "timestamp").unwrap(),
                price: number(&row, "price").unwrap(),
            });
    }
    for of_token in prices.values_mut() {
        of_token.sort_by_key(|price| price.timestamp);
    }
    let signals = parquet(&folder.join("signals.parquet"));
    let outcomes = parquet(&folder.join("trade_outcomes.parquet"));
    History {
        signals: signals.iter().map(signal).collect(),
        prices,
        outcomes: outcomes.iter().map(outcome).collect(),
    }
}

fn signal(row: &Row) -> Signal {
    // Raw, so that a factor keeps the digits it was written with.
    let json = text(row, "score_factors").unwrap();
    let factors: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&json).unwrap();
    let factor = |name: &str| factors.get(name).map(|value| parse(value.get()).unwrap());
    Signal {
        id: text(row, "id").unwrap(),
        timestamp: timestamp(row, "timestamp").unwrap(),
        token_address: text(row, "token_address").unwrap(),
        source_wallet: text(row, "source_wallet"),
        factors: [
            factor("wallet_score"),
            factor("token_metrics"),
            factor("liquidity"),
            factor("holder_distribution"),
            factor("momentum"),
        ],
    }
}

fn outcome(row: &Row) -> Outcome {
    Outcome {
        signal_id: text(row, "signal_id").unwrap(),
        entry_timestamp: timestamp(row, "entry_timestamp"),
        exit_timestamp: timestamp(row, "exit_timestamp"),
        realized_pnl_sol: number(row, "realized_pnl_sol"),
    }
}

fn parquet(path: &Path) -> Vec<Row> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batches: Result<Vec<_>, _> = reader.build().unwrap().collect();
    rows::from_batches(&batches.unwrap())
}

fn text(row: &Row, name: &str) -> Option<String> {
    match row.get(name).unwrap() {
        Cell::Text(value) => Some(value.clone()),
        _ => None,
    }
}

fn number(row: &Row, name: &str) -> Option<Number> {
    match row.get(name).unwrap() {
        Cell::Number(value) => Some(value.clone()),
        _ => None,
    }
}

fn timestamp(row: &Row, name: &str) -> Option<i64> {
    number(row, name).map(|value| value.to_integer().to_i64().unwrap())
}

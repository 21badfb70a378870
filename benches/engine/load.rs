//! Loading, beside what decoding the same file takes with nothing done about its rows.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv::{ReaderBuilder, Writer};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use hindsight::ingest::synthetic::{SyntheticFiles, SyntheticHistory};

use super::measure::{Taken, in_turn, program, timed};
use super::row;

const ROWS: usize = 8192;

/// Writes the demo history in a process of its own: a child's peak memory is never less than its
/// parent's was when it began.
pub fn written(folder: &Path, days: u32) -> SyntheticFiles {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let status = command
        .arg("--write")
        .arg(days.to_string())
        .arg(folder)
        .status();
    assert!(status.unwrap().success(), "the history was not written");
    SyntheticFiles {
        signals: folder.join("signals.parquet"),
        prices: folder.join("token_prices.parquet"),
        trades: folder.join("trade_outcomes.parquet"),
    }
}

/// What that process does.
pub fn write(arguments: &[String]) {
    let [days, folder] = arguments else {
        panic!("--write DAYS FOLDER, found {arguments:?}");
    };
    let history = SyntheticHistory {
        days: days.parse().unwrap(),
        ..SyntheticHistory::default()
    };
    let go_on = |_, _| ControlFlow::Continue(());
    history.write(Path::new(folder), &go_on).unwrap();
}

/// Loads a history into a workspace.
pub fn load(files: &SyntheticFiles, workspace: &Path) -> Taken {
    let (signals, trades) = (text(&files.signals), text(&files.trades));
    let more = ["--signals", signals, "--trades", trades];
    load_prices(&files.prices, workspace, &more)
}

fn load_prices(prices: &Path, workspace: &Path, more: &[&str]) -> Taken {
    let all = ["load", "--data", text(workspace), "--prices", text(prices)];
    program(1, None, &[&all[..], more].concat())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Decodes and loads the prices alone, from Parquet and from CSV.
pub fn compare(files: &SyntheticFiles, folder: &Path) {
    let prices = &files.prices;
    let rows = compare_load("Parquet", 7, prices, folder, || decode_parquet(prices));
    let csv = folder.join("prices.csv");
    write_csv(prices, &csv);
    let again = compare_load("CSV", 3, &csv, folder, || decode_csv(prices, &csv));
    assert_eq!(rows, again, "both files have the same rows");
    std::fs::remove_file(csv).unwrap();
}

/// Decodes and loads a file in turn; returns its rows.
fn compare_load(
    format: &str,
    goes: usize,
    prices: &Path,
    at: &Path,
    decode: impl Fn() -> usize,
) -> usize {
    let mut rows = 0;
    let decode = || {
        let (decoded, taken) = timed(&decode);
        rows = decoded;
        taken
    };
    let load = || {
        let workspace = at.join("compared");
        let taken = load_prices(prices, &workspace, &[]);
        std::fs::remove_dir_all(workspace).unwrap();
        taken
    };
    let [decoding, loading] = in_turn(goes, decode, load);
    row(&format!("decode the prices from {format}"), &decoding, None);
    row(&format!("load them from {format}"), &loading, None);
    println!(
        "  {:.2} times what decoding takes",
        loading.ratio(&decoding)
    );
    rows
}

fn parquet(prices: &Path) -> impl Iterator<Item = RecordBatch> + use<> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(prices).unwrap()).unwrap();
    let reader = builder.with_batch_size(ROWS).build().unwrap();
    reader.map(|batch| batch.unwrap())
}

fn decode_parquet(prices: &Path) -> usize {
    parquet(prices).map(|batch| batch.num_rows()).sum()
}

fn decode_csv(prices: &Path, csv: &Path) -> usize {
    let schema = parquet(prices).next().unwrap().schema();
    let reader = ReaderBuilder::new(schema)
        .with_header(true)
        .with_batch_size(ROWS);
    let reader = reader.build(File::open(csv).unwrap()).unwrap();
    reader.map(|batch| batch.unwrap().num_rows()).sum()
}

fn write_csv(prices: &Path, csv: &Path) {
    let mut writer = Writer::new(std::io::BufWriter::new(File::create(csv).unwrap()));
    for batch in parquet(prices) {
        writer.write(&batch).unwrap();
    }
}

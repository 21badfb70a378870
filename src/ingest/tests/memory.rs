//! How much memory a load takes: for prices in the order of time, as little for many as for few.

use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;
use crate::ingest::load_within;

/// What tells the process that loads which file; the workspace lies beside it.
const FILE: &str = "HINDSIGHT_TEST_MEMORY_OF";

/// Prices held in memory, far fewer than there are.
const MEMORY_BYTES: usize = 4 << 20;

/// Writes prices of many tokens, one of each at every instant.
fn prices(path: &Path, rows: u64) {
    const TOKENS: u64 = 1_000;
    let mut file = BufWriter::new(std::fs::File::create(path).unwrap());
    writeln!(file, "token_address,timestamp,price").unwrap();
    for row in 0..rows {
        let (minute, token) = (row / TOKENS, row * 7 % TOKENS);
        let seconds = 1_735_689_600 + 60 * minute;
        let price = 1_000 + (row * 7_919) % 9_000;
        writeln!(file, "T{token},{seconds},0.00{price}").unwrap();
    }
}

/// The most memory of its own that a process takes which loads so many prices, in bytes.
fn most_memory(rows: u64) -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("prices.csv");
    prices(&file, rows);
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "ingest::tests::memory::memory_does_not_grow_with_the_prices",
        ])
        .env(FILE, &file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", process.id());
    let mut most = 0;
    let ended = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let now = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let now = now.and_then(|now| now.split_whitespace().next()?.parse::<u64>().ok());
        most = most.max(now.unwrap_or_default() << 10);
        if let Some(ended) = process.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert!(ended.success());
    let dataset = Dataset::open(&directory.path().join("workspace")).unwrap();
    assert_eq!(dataset.price_book.price_count() as u64, rows);
    most
}

#[test]
fn memory_does_not_grow_with_the_prices() {
    if let Some(file) = std::env::var_os(FILE) {
        let file = PathBuf::from(file);
        let request = LoadRequest {
            prices: vec![file.to_str().unwrap().to_owned()],
            ..LoadRequest::default()
        };
        let workspace = file.with_file_name("workspace");
        load_within(&workspace, &request, &NoProgress, MEMORY_BYTES).unwrap();
        return;
    }
    const FEW: u64 = 1_000_000;
    const MANY: u64 = 6_000_000;
    let (few, many) = (most_memory(FEW), most_memory(MANY));
    // Each has a timestamp and a mantissa: half of that is far more than what differs by chance.
    let held = (MANY - FEW) * 16;
    assert!(
        many < few + held / 2,
        "{} MiB of {FEW} prices, {} MiB of {MANY}",
        few >> 20,
        many >> 20
    );
}

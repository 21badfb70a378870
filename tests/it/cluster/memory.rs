//! A worker maps the prices of its own tokens alone: how much of the price book each process has in
//! memory, as the kernel counts it.

use std::path::Path;
use std::sync::LazyLock;

use tempfile::TempDir;

use super::{Server, Worker};
use crate::cli::{run, text};
use crate::files;

/// Every price and every path behind a signal is read.
const READ: [&str; 2] = [
    "select token_address, count(*), sum(price), max(timestamp), min(volume_24h) \
     from token_prices group by token_address order by token_address",
    "select exit_reason, count(*), sum(net_pnl_sol) \
     from simulate_trades(max_hold_minutes => 1440) group by exit_reason order by exit_reason",
];

/// Some weeks: a million prices and more.
static WEEKS: LazyLock<TempDir> = LazyLock::new(|| files::removed_at_the_end(made(20)));

/// A workspace with a history of so many days.
fn made(days: u32) -> TempDir {
    let workspace = tempfile::tempdir().unwrap();
    let made = run(workspace.path(), &["demo", "--days", &days.to_string()]).unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
    workspace
}

/// The value behind a name such as `VmHWM:`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number = line.split_whitespace().next()?;
    Some(number.parse::<u64>().ok()? << 10)
}

/// How much of the price book of a workspace a process has mapped and read.
fn prices_in_memory(process: &str, workspace: &Path) -> u64 {
    let maps = std::fs::read_to_string(format!("/proc/{process}/smaps")).unwrap();
    let workspace = workspace.to_str().unwrap();
    let mut is_prices = false;
    let mut bytes = 0;
    for line in maps.lines() {
        // Where a map begins the first word is a range of addresses.
        if line
            .split_whitespace()
            .next()
            .is_some_and(|word| word.contains('-'))
        {
            is_prices = line.contains(workspace) && line.ends_with("prices.arrow");
        } else if is_prices && line.starts_with("Rss:") {
            bytes += kilobytes(line, "Rss:").unwrap();
        }
    }
    bytes
}

#[test]
fn each_worker_reads_a_third_of_the_prices() {
    let start = || Worker::with(WEEKS.path(), "127.0.0.1", &[]);
    let workers = [start(), start(), start()];
    let urls = workers.each_ref().map(|worker| worker.url.as_str());
    let server = Server::of(WEEKS.path(), &urls, None);
    let found = READ.map(|sql| server.rows(sql));
    let own = prices_in_memory("self", WEEKS.path());
    let book = std::fs::metadata(WEEKS.path().join("dataset/1/prices.arrow"))
        .unwrap()
        .len();
    assert!(own < book / 10, "the server has {own} of {book} bytes");
    for worker in &workers {
        let part = prices_in_memory(&worker.id().to_string(), WEEKS.path());
        assert!(
            part > book / 4 && part < book * 2 / 5,
            "{} has {part} of {book} bytes",
            worker.url
        );
    }
    let here = Server::of(WEEKS.path(), &[], None);
    assert_eq!(found, READ.map(|sql| here.rows(sql)));
    assert!(prices_in_memory("self", WEEKS.path()) > book * 9 / 10);
}

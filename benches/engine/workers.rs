//! Growth: a grid and queries on one, two and three workers of one thread each, beside one process of as
//! many threads. What is asked runs in a process of its own, so that its threads can be counted.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionConfig;
use hindsight::Engine;
use hindsight::cluster::grid::with_workers;
use hindsight::cluster::workers::Workers;

use super::grid::Grid;
use super::measure::{Taken, best};
use super::row;

const GOES: usize = 5;

/// What is asked, and what it is called.
fn asked() -> [(&'static str, String); 3] {
    let grid = format!("select * from {}", Grid::ten_thousand().call());
    let prices = "select token_address, count(*), avg(price), stddev(price), max(volume_24h) \
                  from token_prices group by token_address order by token_address";
    let paths = "select count(*), count(simulate_exit(token_address, timestamp, 'trailing_stop', \
                 15, 50, 10, 1440, 'level')), count(price_at(token_address, timestamp)) from signals";
    [
        ("10000 combinations", grid),
        ("all prices by token", prices.into()),
        ("an exit of every signal", paths.into()),
    ]
}

/// A worker of one thread, ended when it is dropped.
struct Worker {
    child: Child,
    url: String,
}

impl Worker {
    fn start(workspace: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hindsight"))
            .args(["worker", "--listen", "127.0.0.1:0", "--data"])
            .arg(workspace)
            .env("RAYON_NUM_THREADS", "1")
            .env("TOKIO_WORKER_THREADS", "1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let address = line.strip_prefix("worker on ").unwrap();
        let address = address.split(',').next().unwrap();
        let url = format!("http://{address}");
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { child, url }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Shows what each takes on so many workers, and on as many threads of one process.
pub fn growth(workspace: &Path) {
    for (what, sql) in asked() {
        for count in 1..=3 {
            let workers: Vec<Worker> = (0..count).map(|_| Worker::start(workspace)).collect();
            let urls: Vec<&str> = workers.iter().map(|worker| worker.url.as_str()).collect();
            let (mut spread, rows) = ask(1, workspace, &sql, &urls);
            // Of each, how much it needs of the prices.
            spread.peak = workers.iter().filter_map(|one| peak(one.child.id())).max();
            drop(workers);
            let (threads, expected) = ask(count, workspace, &sql, &[]);
            assert_eq!(rows, expected, "workers give the rows of one process");
            row(&format!("{what}, workers: {count}"), &spread, None);
            row(&format!("{what}, threads: {count}"), &threads, None);
            let ratio = spread.wall.as_secs_f64() / threads.wall.as_secs_f64();
            println!("  {ratio:.2} times the wall of one process");
        }
    }
}

/// The most memory that a process has had, in KiB.
fn peak(process: u32) -> Option<i64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Asks in a process of so many threads, and tells its rows by a digest.
fn ask(threads: usize, workspace: &Path, sql: &str, urls: &[&str]) -> (Taken, String) {
    let threads = threads.to_string();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ask", &threads, sql])
        .arg(workspace)
        .args(urls)
        .env("RAYON_NUM_THREADS", &threads)
        .env("TOKIO_WORKER_THREADS", &threads)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let said = String::from_utf8(output.stdout).unwrap();
    let said: Vec<&str> = said.split_whitespace().collect();
    let [wall, peak, rows] = said.as_slice() else {
        panic!("{said:?}");
    };
    let taken = Taken {
        wall: Duration::from_micros(wall.parse().unwrap()),
        processor: Duration::ZERO,
        peak: peak.parse().ok(),
    };
    (taken, (*rows).to_owned())
}

/// Tells rows from others.
fn digest(batches: &[RecordBatch]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for batch in batches {
        let columns = batch.columns().iter();
        let columns: Vec<_> = columns
            .map(|column| ArrayFormatter::try_new(column, &FormatOptions::default()).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            for column in &columns {
                column.value(row).to_string().hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}

/// What that process does; prints the microseconds it took, the most memory it had, and a digest of the
/// rows.
pub fn ask_by_itself(arguments: &[String]) {
    let [threads, sql, workspace, urls @ ..] = arguments else {
        panic!("--ask THREADS SQL WORKSPACE URL…, found {arguments:?}");
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = SessionConfig::new().with_target_partitions(threads.parse().unwrap());
    let config = match urls {
        [] => config,
        urls => {
            let _inside = runtime.enter();
            with_workers(config, Workers::new(urls, None).unwrap())
        }
    };
    let engine = Engine::open_configured(Path::new(workspace), None, None, config);
    let engine = runtime.block_on(engine).unwrap();
    let (rows, taken) = best(GOES, || runtime.block_on(engine.sql(sql)).unwrap());
    let peak = peak(std::process::id()).unwrap_or_default();
    println!("{} {peak} {:x}", taken.wall.as_micros(), digest(&rows));
}

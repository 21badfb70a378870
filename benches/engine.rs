//! How fast the engine is, beside a plain loop over sorted arrays in the same run.
//!
//! `cargo bench` writes the 180-day demo history, loads it and prints a table; `HINDSIGHT_DAYS`
//! makes it shorter. A time on a busy machine says little, the ratio to the plain loop says more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking and prints its table"
)]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
use hindsight::Engine;
use hindsight::dataset::Dataset;
use hindsight::ingest::synthetic::SyntheticHistory;

const REPEATS: usize = 7;

fn main() {
    let days = std::env::var("HINDSIGHT_DAYS").ok();
    let days = days.map_or(180, |days| {
        days.parse().expect("HINDSIGHT_DAYS is a number")
    });
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("workspace");
    let history = SyntheticHistory {
        days,
        ..SyntheticHistory::default()
    };
    println!(
        "{:<44} {:>10} {:>10} {:>10}",
        "", "wall", "processor", "peak"
    );

    let files = timed(|| {
        let go_on = |_, _| ControlFlow::Continue(());
        history.write(folder.path(), &go_on).unwrap()
    });
    row(
        &format!("write the {days}-day demo history"),
        &files.1,
        None,
    );
    let (signals, prices, trades) = (files.0.signals, files.0.prices, files.0.trades);
    let [signals, prices, trades] = [&signals, &prices, &trades].map(|p| p.to_str().unwrap());
    let data = workspace.to_str().unwrap();
    let load = [
        "load",
        "--data",
        data,
        "--signals",
        signals,
        "--prices",
        prices,
    ];
    let load = child(&[&load[..], &["--trades", trades]].concat());
    row("load it from Parquet", &load.0, Some(load.1));
    let first_day = "start_date=2025-01-01";
    let run = || child(&["run", "--data", data, "--set", first_day]);
    let run = (0..REPEATS)
        .map(|_| run())
        .min_by_key(|(time, _)| time.wall)
        .unwrap();
    row("hindsight run, whole process", &run.0, Some(run.1));

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let open = best(|| runtime.block_on(Engine::open(&workspace)).unwrap());
    row("open the workspace", &open.1, None);
    let engine = open.0;
    let ask = |sql: &str| runtime.block_on(engine.sql(sql)).unwrap();
    let range = "start_date => '2025-01-01'";
    let one = best(|| ask(&format!("select * from backtest({range})")));
    row("backtest() with the defaults, warm", &one.1, None);
    let queries = best(|| ask(&format!("select * from backtest_by_queries({range})")));
    row("the same by queries/backtest.sql", &queries.1, None);
    assert_eq!(
        one.0[0].columns(),
        queries.0[0].columns(),
        "both ways give the same row"
    );
    let hundred = format!(
        "select * from backtest({range}, stop_loss_percent => [8, 10, 12, 15, 20], \
         trailing_stop_percent => [5, 8, 10, 15], score_threshold => [60, 65, 70, 75, 80])"
    );
    let hundred = timed(|| ask(&hundred));
    row("backtest() of 100 combinations", &hundred.1, None);

    let plain = PlainHistory::new(&Dataset::open(&workspace).unwrap());
    let looped = best(|| plain.backtest());
    row(
        "plain loop over sorted arrays, one backtest",
        &looped.1,
        None,
    );
    let simulated = one.0[0].column_by_name("simulated_total_trades").unwrap();
    let trades = simulated
        .as_primitive::<datafusion::arrow::datatypes::Int64Type>()
        .value(0);
    println!(
        "\n{} trades by the loop, {trades} by the engine",
        looped.0.0
    );
    println!(
        "backtest() takes {:.1} times the plain loop's processor time",
        one.1.ratio(&looped.1)
    );
    println!(
        "100 combinations take {:.1} times",
        hundred.1.ratio(&looped.1)
    );
}

/// What something took.
struct Taken {
    wall: Duration,
    processor: Duration,
}

impl Taken {
    fn ratio(&self, other: &Self) -> f64 {
        self.processor.as_secs_f64() / other.processor.as_secs_f64()
    }
}

fn row(what: &str, taken: &Taken, peak_kib: Option<i64>) {
    let (wall, processor) = (taken.wall.as_secs_f64(), taken.processor.as_secs_f64());
    let peak = peak_kib.map_or(String::new(), |kib| format!("{} MiB", kib / 1024));
    println!(
        "{what:<44} {:>8.1}ms {:>8.1}ms {peak:>10}",
        wall * 1e3,
        processor * 1e3
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Taken) {
    let (start, processor) = (Instant::now(), processor_time());
    let result = work();
    let wall = start.elapsed();
    let processor = processor_time() - processor;
    (result, Taken { wall, processor })
}

/// The quickest of several goes.
fn best<T>(mut work: impl FnMut() -> T) -> (T, Taken) {
    (0..REPEATS)
        .map(|_| timed(|| black_box(work())))
        .min_by_key(|(_, taken)| taken.processor)
        .unwrap()
}

/// Runs the program; what it took, and its peak memory in KiB.
#[expect(
    clippy::zombie_processes,
    reason = "wait4 waits for it, and tells what it used"
)]
fn child(arguments: &[&str]) -> (Taken, i64) {
    let start = Instant::now();
    let program = env!("CARGO_BIN_EXE_hindsight");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = command.spawn().unwrap();
    let (status, usage) = wait(child.id());
    let wall = start.elapsed();
    assert_eq!(status, 0, "hindsight {arguments:?}");
    let seconds = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    let processor = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    (Taken { wall, processor }, usage.ru_maxrss)
}

#[expect(
    unsafe_code,
    reason = "the standard library tells no child's resource usage"
)]
fn wait(process: u32) -> (i32, libc::rusage) {
    let mut status = 0;
    // SAFETY: rusage is plain numbers, for which zeros are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live variables of the right type.
    let waited = unsafe { libc::wait4(process as i32, &mut status, 0, &mut usage) };
    assert_eq!(waited, process as i32);
    (status, usage)
}

#[expect(
    unsafe_code,
    reason = "the standard library has no clock of processor time"
)]
fn processor_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live variable of the right type.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The history in sorted arrays, and a loop over them in floating point: how fast a careful
/// programmer would be who needs neither SQL nor exact numbers.
struct PlainHistory {
    timestamps: Vec<i64>,
    prices: Vec<f64>,
    /// Each signal's time, first and past-the-last price of its token, and factors.
    signals: Vec<(i64, usize, usize, [f64; 5])>,
}

impl PlainHistory {
    fn new(dataset: &Dataset) -> Self {
        let (mut timestamps, mut prices) = (Vec::new(), Vec::new());
        let mut ranges = std::collections::HashMap::new();
        for (address, token) in dataset.price_book.iter() {
            let start = prices.len();
            let unit = 10_f64.powi(i32::from(token.scale));
            timestamps.extend_from_slice(&token.timestamps);
            prices.extend(token.mantissas.iter().map(|m| *m as f64 / unit));
            ranges.insert(address.to_string(), (start, prices.len()));
        }
        let signals = signals(&dataset.signals, &ranges);
        Self {
            timestamps,
            prices,
            signals,
        }
    }

    fn backtest(&self) -> (usize, f64) {
        let weights = [0.30, 0.25, 0.20, 0.15, 0.10];
        let (mut trades, mut total) = (0, 0.0);
        for (at, start, end, factors) in &self.signals {
            let score: f64 = factors.iter().zip(weights).map(|(f, w)| f * w).sum();
            let score = (score * 1e4).round_ties_even() / 100.0;
            if score < 70.0 {
                continue;
            }
            let times = &self.timestamps[*start..*end];
            let first = start + times.partition_point(|t| t < at);
            if first == *end || self.prices[first] == 0.0 {
                continue;
            }
            let entry = self.prices[first];
            let deadline = at + 3_600_000_000;
            let (stop, mut peak, mut exit) = (entry * 0.85, entry, entry);
            for row in first..*end {
                let price = self.prices[row];
                exit = price;
                if self.timestamps[row] >= deadline {
                    break;
                }
                peak = peak.max(price);
                if price <= stop {
                    exit = stop;
                    break;
                }
                if peak > entry && price <= peak * 0.9 {
                    exit = peak * 0.9;
                    break;
                }
            }
            let size = (0.1 * score / 100.0 * 1.5).min(0.5);
            total += size * (exit - entry) / entry - size * 0.01 - 0.0001;
            trades += 1;
        }
        (trades, total)
    }
}

type Signals = Vec<(i64, usize, usize, [f64; 5])>;

fn signals(
    table: &RecordBatch,
    ranges: &std::collections::HashMap<String, (usize, usize)>,
) -> Signals {
    let column = |name: &str| table.column_by_name(name).unwrap();
    let timestamps = column("timestamp").as_primitive::<TimestampMicrosecondType>();
    let tokens = column("token_address").as_string::<i32>();
    let names = hindsight::schema::FACTORS;
    let factors = names.map(|name| column(name).as_primitive::<Decimal128Type>());
    (0..table.num_rows())
        .map(|row| {
            let (start, end) = ranges.get(tokens.value(row)).copied().unwrap_or_default();
            let factors = factors.map(|factor| factor.value(row) as f64 / 1e6);
            (timestamps.value(row), start, end, factors)
        })
        .collect()
}

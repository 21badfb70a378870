//! How fast the engine is, beside a plain loop over sorted arrays in the same run.
//!
//! `cargo bench` prints a table; README.md beside this file says how to read it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking and prints its table"
)]

mod grid;
mod kernels;
mod load;
mod measure;
mod plain;
mod server;
#[cfg(feature = "distributed")]
mod workers;

use std::path::{Path, PathBuf};

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use grid::{Grid, RANGE};
use hindsight::Engine;
use hindsight::dataset::Dataset;
use kernels::{KERNELS, Kernels, trades};
use measure::{Taken, best, in_turn, program, timed};
use plain::{DEFAULTS, PlainHistory};

const GOES: usize = 15;
const DAYS: u32 = 180;
/// Days whose instructions are counted: valgrind is fifty times slower.
const COUNTED_DAYS: u32 = 10;

/// One backtest with every exit rule, cost and limit set.
const EVERYTHING: &str = "backtest(start_date => '2025-01-01', exit_strategy => 'hybrid', \
     take_profit_ladder => '40@20, 25@60', moonbag_percent => 10, moonbag_stop_loss_percent => 30, \
     moonbag_max_hold_minutes => 600, trailing_activation_percent => 8, break_even_percent => 5, \
     stagnation_minutes => 45, exit_slippage_percent => 0.5, platform_fee_percent => 1, \
     priority_fee_sol => 0.0005, failed_transaction_percent => 20, pool_sol => 85, \
     max_open_positions => 50, max_positions_per_token => 2, token_cooldown_minutes => 10, \
     max_trades_per_day => 200, max_daily_loss_sol => 5, starting_balance_sol => 100)";

fn main() {
    // As the program does.
    hindsight::allocator::keep();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--count") => return kernels::run_for_count(&arguments[1..]),
        Some("--write") => return load::write(&arguments[1..]),
        Some("--sweep") => return sweep_by_itself(&arguments[1..]),
        #[cfg(feature = "distributed")]
        Some("--ask") => return workers::ask_by_itself(&arguments[1..]),
        _ => {}
    }
    let asked: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_asked = |section: &str| asked.is_empty() || asked.contains(&section);
    let days = std::env::var("HINDSIGHT_DAYS").ok();
    let days = days.map_or(DAYS, |days| {
        days.parse().expect("HINDSIGHT_DAYS is a number")
    });
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new(folder.path(), days);

    // What other processes use is measured first: they would be charged with this one's memory.
    header(&format!("{days} days"));
    show_load(&bench.load(is_asked("load")));
    if is_asked("process") {
        bench.processes();
    }
    if is_asked("threads") {
        bench.threads();
    }
    if is_asked("server") {
        server::round_trips(&bench.workspace);
    }
    #[cfg(feature = "distributed")]
    if is_asked("workers") {
        workers::growth(&bench.workspace);
    }
    let in_process = ["kernel", "single", "sweep", "trust"];
    if in_process.into_iter().any(is_asked) {
        let plain = bench.plain();
        if is_asked("kernel") {
            bench.kernels(&plain);
        }
        if is_asked("single") {
            bench.single(&plain);
        }
        if is_asked("sweep") {
            bench.sweeps(&plain);
        }
        if is_asked("trust") {
            bench.trust(&plain);
        }
    }
    if is_asked("instructions") {
        instructions();
    }
    if asked.contains(&"growth") {
        growth(days);
    }
}

/// A history on disk.
struct Bench {
    folder: PathBuf,
    workspace: PathBuf,
    days: u32,
}

/// The plain loop over the same history, and the trades of one backtest.
struct Plain {
    history: PlainHistory,
    trades: usize,
}

impl Plain {
    /// Does something and one backtest of the loop in turn, and shows what it takes beside the loop.
    fn beside<T>(&self, what: &str, goes: usize, mut work: impl FnMut() -> T) -> (T, Taken) {
        let mut result = None;
        let work = || {
            let (again, taken) = timed(&mut work);
            result = Some(again);
            taken
        };
        let of_loop = || timed(|| self.history.backtest(&DEFAULTS)).1;
        let [taken, of_loop] = in_turn(goes, work, of_loop);
        row(what, &taken, Some(&of_loop));
        (result.unwrap(), taken)
    }
}

impl Bench {
    fn new(folder: &Path, days: u32) -> Self {
        Self {
            folder: folder.to_owned(),
            workspace: folder.join("workspace"),
            days,
        }
    }

    fn data(&self) -> &str {
        self.workspace.to_str().unwrap()
    }

    /// Writes the history and loads it; `is_compared` with what decoding alone takes.
    fn load(&self, is_compared: bool) -> Taken {
        let files = load::written(&self.folder, self.days);
        if is_compared {
            load::compare(&files, &self.folder);
        }
        load::load(&files, &self.workspace)
    }

    /// Whole processes, from their start to the printed result.
    fn processes(&self) {
        let query = |call: &str| {
            let sql = format!("select * from {call}");
            program(GOES, None, &["query", "--data", self.data(), &sql])
        };
        row(
            "process: query of backtest()",
            &query(&format!("backtest({RANGE})")),
            None,
        );
        let first_day = [
            "run",
            "--data",
            self.data(),
            "--set",
            "start_date=2025-01-01",
        ];
        let shown = [&first_day[..], &["--no-store"]].concat();
        row(
            "process: hindsight run --no-store",
            &program(GOES, None, &shown),
            None,
        );
        row(
            "process: hindsight run",
            &program(GOES, None, &first_day),
            None,
        );
        let ten = Grid {
            targets: vec![50],
            trails: vec![10],
            holds: vec![60, 240],
            ..Grid::hundred()
        };
        let few = query(&ten.call());
        row("process: 10 combinations", &few, None);
        let grid = format!("select * from {}", Grid::ten_thousand().call());
        let query = ["query", "--data", self.data(), "--format", "csv", &grid];
        let many = program(3, None, &query);
        row("process: 10,000 combinations", &many, None);
        if let (Some(few), Some(many)) = (few.peak, many.peak) {
            println!("  {:.2} times the peak memory", many as f64 / few as f64);
        }
    }

    /// Sweeps by themselves, without the start of a process, on one thread and on two.
    fn threads(&self) {
        for grid in [Grid::thousand(), Grid::ten_thousand()] {
            let swept = |threads| measure::swept(threads, grid.len(), &self.workspace);
            let taken = in_turn(3, || swept(1), || swept(2));
            for (threads, taken) in (1..).zip(&taken) {
                let what = format!("{} combinations, threads: {threads}", grid.len());
                row(&what, taken, None);
            }
            let ratio = taken[0].wall.as_secs_f64() / taken[1].wall.as_secs_f64();
            println!("  {ratio:.2} times faster on two threads");
        }
    }

    fn plain(&self) -> Plain {
        let history = PlainHistory::new(&Dataset::open(&self.workspace).unwrap());
        let ((trades, _), one) = best(GOES, || history.backtest(&DEFAULTS));
        row("plain loop, one backtest", &one, None);
        Plain { history, trades }
    }

    fn kernels(&self, plain: &Plain) {
        let kernels = Kernels::open(&self.workspace);
        for (name, kernel) in KERNELS {
            plain.beside(&format!("kernel: {name}"), GOES, || kernel(&kernels));
        }
        assert_eq!(trades(&kernels.backtest()), plain.trades as u64);
    }

    fn single(&self, plain: &Plain) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let open = || runtime.block_on(Engine::open(&self.workspace)).unwrap();
        let (engine, _) = plain.beside("open the workspace", GOES, open);
        let ask = |what: &str, sql: &str| {
            let ask = || runtime.block_on(engine.sql(sql)).unwrap();
            plain.beside(what, GOES, ask).0
        };
        let one = ask(
            "backtest() with the defaults, warm",
            &format!("select * from backtest({RANGE})"),
        );
        assert_eq!(count(&one), plain.trades as i64);
        let queried = ask(
            "the same by queries/backtest.sql",
            &format!("select * from backtest_by_queries({RANGE})"),
        );
        assert_eq!(
            one[0].columns(),
            queried[0].columns(),
            "both ways give the same row"
        );
        ask(
            "backtest() with everything set",
            &format!("select * from {EVERYTHING}"),
        );
        ask(
            "simulate_exit of every signal in SQL",
            "select count(simulate_exit(token_address, timestamp, 'trailing_stop', 15, 50, 10, \
             60, 'level')) from signals",
        );
    }

    fn sweeps(&self, plain: &Plain) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let engine = runtime.block_on(Engine::open(&self.workspace)).unwrap();
        let sweep = |grid: &Grid, goes: usize, what: &str| {
            let sql = format!("select * from {}", grid.call());
            let what = format!("{} combinations{what}", grid.len());
            let ask = || runtime.block_on(engine.sql(&sql)).unwrap();
            let (rows, taken) = plain.beside(&what, goes, ask);
            (count(&rows), taken)
        };
        for grid in Grid::all() {
            let goes = if grid.len() > 1_000 { 3 } else { GOES };
            let (trades, taken) = sweep(&grid, goes, "");
            if grid.len() == 1_000 {
                let every = plain::settings(&grid);
                let (looped, of_loop) = timed(|| {
                    every
                        .iter()
                        .map(|one| plain.history.backtest(one).0)
                        .sum::<usize>()
                });
                row("the same by the plain loop", &of_loop, None);
                assert_eq!(trades, looped as i64);
                println!(
                    "  {:.1} times faster than the plain loop",
                    of_loop.ratio(&taken)
                );
            }
        }
        for hold in [60, 1440] {
            let grid = Grid {
                holds: vec![hold],
                ..Grid::thousand()
            };
            sweep(&grid, GOES, &format!(", hold {hold}"));
        }
        sweep(&Grid::limited(), GOES, ", three positions at once");
        let (_, of_rules) = sweep(&Grid::rules(), GOES, ", as many sets of exit rules");
        let (_, of_ladders) = sweep(&Grid::ladders(), GOES, ", as many ladders");
        println!(
            "  {:.2} times the processor of plain exit rules",
            of_ladders.ratio(&of_rules)
        );
    }
}

impl Bench {
    /// What it costs to know how far to believe a result.
    fn trust(&self, plain: &Plain) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let engine = runtime.block_on(Engine::open(&self.workspace)).unwrap();
        let ask = |what: &str, goes: usize, call: &str| {
            let sql = format!("select * from {call}");
            let ask = || runtime.block_on(engine.sql(&sql)).unwrap();
            plain.beside(what, goes, ask).1
        };
        ask(
            "pnl_interval(), 10,000 resamples",
            GOES,
            &format!("pnl_interval({RANGE})"),
        );
        ask("calibration()", GOES, &format!("calibration({RANGE})"));
        let grid = Grid::thousand().call();
        let of = |function: &str| grid.replacen("backtest", function, 1);
        let plainly = ask("1000 combinations", 5, &grid);
        let walked = ask("walk_forward of them, 9 folds", 5, &of("walk_forward"));
        println!("  {:.2} times the grid", walked.ratio(&plainly));
        ask("overfitting of them, 12,870 halves", 5, &of("overfitting"));
    }
}

/// The simulated trades of some rows of `backtest`.
fn count(rows: &[RecordBatch]) -> i64 {
    let column = |batch: &RecordBatch| {
        let trades = batch.column_by_name("simulated_total_trades").unwrap();
        trades
            .as_primitive::<Int64Type>()
            .values()
            .iter()
            .sum::<i64>()
    };
    rows.iter().map(column).sum()
}

/// What a process does that only sweeps; prints the microseconds it took.
fn sweep_by_itself(arguments: &[String]) {
    let [combinations, workspace] = arguments else {
        panic!("--sweep COMBINATIONS WORKSPACE, found {arguments:?}");
    };
    let mut grids = Grid::all().into_iter();
    let grid = grids.find(|grid| grid.len().to_string() == *combinations);
    let grid = grid.expect("a grid of that size");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let engine = runtime
        .block_on(Engine::open(Path::new(workspace)))
        .unwrap();
    let sql = format!("select * from {}", grid.call());
    let goes = if grid.len() > 1_000 { 5 } else { 15 };
    let (_, taken) = best(goes, || runtime.block_on(engine.sql(&sql)).unwrap());
    println!("{} {}", taken.wall.as_micros(), taken.processor.as_micros());
}

/// What the kernels execute, on any machine at any load.
fn instructions() {
    println!(
        "\n{:<44} {:>14}",
        format!("{COUNTED_DAYS} days"),
        "instructions"
    );
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new(folder.path(), COUNTED_DAYS);
    bench.load(false);
    for (name, _) in KERNELS {
        match kernels::instructions(name, &bench.workspace) {
            Some(count) => println!("kernel: {name:<36} {count:>14}"),
            None => return println!("valgrind is not installed"),
        }
    }
}

/// How cost grows with the history.
fn growth(days: u32) {
    for times in [1, 2, 4, 10] {
        header(&format!("{times} × {days} days"));
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench::new(folder.path(), times * days);
        show_load(&bench.load(false));
        let data = bench.data();
        let run = [
            "run",
            "--no-store",
            "--data",
            data,
            "--set",
            "start_date=2025-01-01",
        ];
        row(
            "process: hindsight run --no-store",
            &program(3, None, &run),
            None,
        );
        let hundred = format!("select * from {}", Grid::hundred().call());
        let query = program(3, None, &["query", "--data", data, &hundred]);
        row("process: 100 combinations", &query, None);
    }
}

fn header(what: &str) {
    println!(
        "\n{what:<44} {:>10} {:>10} {:>9} {:>10}",
        "wall", "processor", "× plain", "peak"
    );
}

fn show_load(loaded: &Taken) {
    row("load all of it from Parquet", loaded, None);
}

/// One line: what was done, what it took, beside the plain loop's single backtest.
fn row(what: &str, taken: &Taken, plain: Option<&Taken>) {
    // What another process computes is not this one's to know.
    let milliseconds = |time: std::time::Duration| match time.is_zero() {
        true => String::new(),
        false => format!("{:.1}ms", time.as_secs_f64() * 1e3),
    };
    let ratio = plain.map_or(String::new(), |plain| format!("{:.2}", taken.ratio(plain)));
    let peak = taken
        .peak
        .map_or(String::new(), |kib| format!("{} MiB", kib / 1024));
    let (wall, processor) = (milliseconds(taken.wall), milliseconds(taken.processor));
    println!("{what:<44} {wall:>10} {processor:>10} {ratio:>9} {peak:>10}");
}

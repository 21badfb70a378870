//! The kernels by themselves, without SQL: timed, and their instructions counted.
//!
//! A count is the difference between a run of the kernel twice and once under valgrind, so that
//! opening the history is not in it; it is the same on a busy machine as on an idle one.

use std::path::Path;
use std::process::Command;

use hindsight::dataset::Dataset;
use hindsight_sweep::backtest::{Backtest, backtest};
use hindsight_sweep::combination::Combination;
use hindsight_sweep::control::Control;
use hindsight_sweep::history::History;
use hindsight_udfs::exits::first_touches::{Levels, Touches, first_touches};
use hindsight_udfs::exits::settings::ExitSettings;
use hindsight_udfs::exits::walk::Path as PricePath;
use hindsight_udfs::exits::words::{ExitStrategy, FillModel};
use hindsight_udfs::portfolio::admission::Limits;
use hindsight_udfs::scoring::position_size::Sizing;
use hindsight_udfs::scoring::rescore::rescore;
use hindsight_udfs::trades::costs::Costs;

use super::grid::Grid;

const WEIGHTS: [i64; 5] = [3_000, 2_500, 2_000, 1_500, 1_000];
const MINUTE_MICROS: i64 = 60_000_000;

/// What gives a number that depends on all it did.
type Kernel = fn(&Kernels) -> u64;

/// The kernels by name.
pub const KERNELS: [(&str, Kernel); 6] = [
    ("history", Kernels::history),
    ("rescore", Kernels::rescore),
    ("walk", Kernels::walk),
    ("first_touches", Kernels::first_touches),
    ("backtest", |kernels| trades(&kernels.backtest())),
    ("sweep_100", |kernels| {
        trades(&kernels.sweep(&Grid::hundred()))
    }),
];

/// What kernels run over.
pub struct Kernels {
    dataset: Dataset,
    history: History,
}

impl Kernels {
    pub fn open(workspace: &Path) -> Self {
        let dataset = Dataset::open(workspace).unwrap();
        Self {
            history: history(&dataset),
            dataset,
        }
    }

    pub fn history(&self) -> u64 {
        history(&self.dataset).tradable.len() as u64
    }

    pub fn rescore(&self) -> u64 {
        let factors = self.history.factors.iter();
        factors
            .map(|factors| rescore(factors, &WEIGHTS) as u64)
            .sum()
    }

    /// The exit of every signal by the default rules.
    pub fn walk(&self) -> u64 {
        let settings = combination(&Grid::hundred(), ExitStrategy::TrailingStop).exits;
        let part = settings.parts().remove(0);
        let exits = self.paths(|path| path.end(1, &part).position);
        exits.map(|exit| exit as u64).sum()
    }

    /// The first touches of every signal's path by the levels of 100 sets of rules.
    pub fn first_touches(&self) -> u64 {
        let mut levels = Levels::default();
        for combination in combinations(&Grid::hundred()) {
            let parts = combination.exits.parts();
            parts.iter().for_each(|part| levels.add(part));
        }
        let mut touches = Touches::default();
        let touched = self.paths(|path| {
            first_touches(&path, None, &levels, &mut touches);
            touches.all.len()
        });
        touched.map(|touched| touched as u64).sum()
    }

    pub fn backtest(&self) -> Vec<Backtest> {
        let defaults = combination(&Grid::hundred(), ExitStrategy::TrailingStop);
        self.run(&[defaults])
    }

    pub fn sweep(&self, grid: &Grid) -> Vec<Backtest> {
        self.run(&combinations(grid))
    }

    fn run(&self, combinations: &[Combination]) -> Vec<Backtest> {
        let (book, go_on) = (&self.dataset.price_book, Control::default());
        backtest(&self.history, book, combinations, &go_on).unwrap()
    }

    fn paths<T>(&self, mut each: impl FnMut(PricePath<'_>) -> T) -> impl Iterator<Item = T> {
        self.history.tradable.iter().map(move |signal| {
            let prices = self.dataset.price_book.token(signal.token as usize);
            each(PricePath {
                timestamps: &prices.timestamps,
                prices: &prices.mantissas,
                entry: signal.price as usize,
                signal_timestamp: signal.timestamp,
            })
        })
    }
}

fn history(dataset: &Dataset) -> History {
    let (signals, outcomes) = (&dataset.signals, &dataset.trade_outcomes);
    History::new(signals, outcomes, &dataset.price_book).unwrap()
}

/// The trades of some backtests.
pub fn trades(results: &[Backtest]) -> u64 {
    results
        .iter()
        .map(|result| result.simulated.total_trades as u64)
        .sum()
}

/// Every combination of a grid.
fn combinations(grid: &Grid) -> Vec<Combination> {
    let mut all = vec![combination(grid, ExitStrategy::Hybrid)];
    let mut vary = |set: fn(&mut Combination, i64), values: &[u32]| {
        let product = all.iter().flat_map(|one| {
            values.iter().map(move |value| {
                let mut one = one.clone();
                set(&mut one, i64::from(*value));
                one
            })
        });
        all = product.collect();
    };
    vary(|one, weight| one.weights[2] = weight * 10, &grid.weights);
    vary(|one, points| one.threshold = points * 100, &grid.thresholds);
    vary(
        |one, percent| one.exits.stop_loss = percent * 10_000,
        &grid.stops,
    );
    vary(
        |one, percent| one.exits.take_profit = percent * 10_000,
        &grid.targets,
    );
    vary(
        |one, percent| one.exits.trailing_stop = percent * 10_000,
        &grid.trails,
    );
    vary(
        |one, minutes| one.exits.max_hold_micros = minutes * MINUTE_MICROS,
        &grid.holds,
    );
    all
}

/// The defaults over all signals with this strategy.
fn combination(grid: &Grid, strategy: ExitStrategy) -> Combination {
    let hold = i64::from(grid.holds[0]) * MINUTE_MICROS;
    Combination {
        range: (Some(i64::MIN), Some(i64::MAX)),
        weights: WEIGHTS,
        threshold: 7_000,
        sizing: Sizing {
            base_position: 100_000_000,
            max_position: 500_000_000,
            scale_with_confidence: true,
            confidence_multiplier: 15_000,
        },
        exits: ExitSettings::new(strategy, 150_000, 500_000, 100_000, hold),
        fill_model: FillModel::Level,
        costs: Costs {
            slippage_percent: 10_000,
            gas: 100_000,
            ..Costs::default()
        },
        max_entry_delay: None,
        exits_before: None,
        limits: Limits::default(),
    }
}

/// The instructions of one run of a kernel, `None` without valgrind.
pub fn instructions(kernel: &str, workspace: &Path) -> Option<u64> {
    let count = |goes: &str| -> Option<u64> {
        let mut valgrind = Command::new("valgrind");
        valgrind
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().unwrap())
            .args(["--count", kernel, goes])
            .arg(workspace)
            .env("RAYON_NUM_THREADS", "1");
        let output = valgrind.output().ok()?;
        assert!(output.status.success(), "{kernel} under valgrind");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let collected = said.split("Collected :").nth(1)?;
        collected.split_whitespace().next()?.parse().ok()
    };
    Some(count("2")?.saturating_sub(count("1")?))
}

/// What runs under valgrind.
pub fn run_for_count(arguments: &[String]) {
    let [kernel, goes, workspace] = arguments else {
        panic!("--count KERNEL GOES WORKSPACE, found {arguments:?}");
    };
    let kernels = Kernels::open(Path::new(workspace));
    let (_, kernel) = KERNELS.iter().find(|(name, _)| name == kernel).unwrap();
    for _ in 0..goes.parse().unwrap() {
        println!("{}", kernel(&kernels));
    }
}

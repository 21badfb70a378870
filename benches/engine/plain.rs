//! The history in sorted arrays and a loop over them, in floating point: how fast a careful
//! programmer would be who needs neither SQL nor exact numbers. Everything else is held beside it.

use std::collections::HashMap;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
use hindsight::dataset::Dataset;
use hindsight::schema::FACTORS;

use super::grid::Grid;

/// What one backtest is asked to do: fractions, points and microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub weights: [f64; 5],
    pub threshold: f64,
    pub stop: f64,
    /// Beyond reach where none is armed.
    pub target: f64,
    pub trail: f64,
    pub hold: i64,
}

pub const DEFAULTS: Settings = Settings {
    weights: [0.30, 0.25, 0.20, 0.15, 0.10],
    threshold: 70.0,
    stop: 0.15,
    target: f64::INFINITY,
    trail: 0.10,
    hold: 3_600_000_000,
};

/// Every combination of a grid.
pub fn settings(grid: &Grid) -> Vec<Settings> {
    let percent = |value: &u32| f64::from(*value) / 100.0;
    let mut all = vec![DEFAULTS];
    let mut vary = |set: &mut dyn FnMut(&mut Settings, &u32), values: &[u32]| {
        let product = all
            .iter()
            .flat_map(|settings| values.iter().map(|value| (*settings, value)));
        all = product
            .map(|(mut settings, value)| {
                set(&mut settings, value);
                settings
            })
            .collect();
    };
    vary(
        &mut |s, weight| s.weights[2] = f64::from(*weight) / 1000.0,
        &grid.weights,
    );
    vary(
        &mut |s, threshold| s.threshold = f64::from(*threshold),
        &grid.thresholds,
    );
    vary(&mut |s, stop| s.stop = percent(stop), &grid.stops);
    vary(&mut |s, target| s.target = percent(target), &grid.targets);
    vary(&mut |s, trail| s.trail = percent(trail), &grid.trails);
    vary(
        &mut |s, hold| s.hold = i64::from(*hold) * 60_000_000,
        &grid.holds,
    );
    all
}

struct Signal {
    timestamp: i64,
    /// The first price of its token, and the first of the next.
    prices: (usize, usize),
    factors: [f64; 5],
}

pub struct PlainHistory {
    timestamps: Vec<i64>,
    prices: Vec<f64>,
    signals: Vec<Signal>,
}

impl PlainHistory {
    pub fn new(dataset: &Dataset) -> Self {
        let (mut timestamps, mut prices) = (Vec::new(), Vec::new());
        let mut ranges = HashMap::new();
        for (address, token) in dataset.price_book.iter() {
            let start = prices.len();
            let unit = 10_f64.powi(i32::from(token.scale));
            timestamps.extend_from_slice(&token.timestamps);
            prices.extend(token.mantissas.iter().map(|m| *m as f64 / unit));
            ranges.insert(address.to_string(), (start, prices.len()));
        }
        Self {
            signals: signals(&dataset.signals, &ranges),
            timestamps,
            prices,
        }
    }

    /// The trades and what they earn.
    pub fn backtest(&self, settings: &Settings) -> (usize, f64) {
        let (mut trades, mut total) = (0, 0.0);
        for signal in &self.signals {
            let factors = signal.factors.iter().zip(settings.weights);
            let score: f64 = factors.map(|(factor, weight)| factor * weight).sum();
            let score = (score * 1e4).round_ties_even() / 100.0;
            if score < settings.threshold {
                continue;
            }
            let (start, end) = signal.prices;
            let times = &self.timestamps[start..end];
            let first = start + times.partition_point(|t| *t < signal.timestamp);
            if first == end || self.prices[first] == 0.0 {
                continue;
            }
            let (entry, exit) = self.walk(first, end, signal.timestamp + settings.hold, settings);
            let size = (0.1 * score / 100.0 * 1.5).min(0.5);
            total += size * (exit - entry) / entry - size * 0.01 - 0.0001;
            trades += 1;
        }
        (trades, total)
    }

    fn walk(&self, first: usize, end: usize, deadline: i64, settings: &Settings) -> (f64, f64) {
        let entry = self.prices[first];
        let (stop, target) = (
            entry * (1.0 - settings.stop),
            entry * (1.0 + settings.target),
        );
        let (mut peak, mut price) = (entry, entry);
        for row in first..end {
            price = self.prices[row];
            if self.timestamps[row] >= deadline {
                break;
            }
            peak = peak.max(price);
            if price <= stop {
                return (entry, stop);
            }
            if price >= target {
                return (entry, target);
            }
            let trail = peak * (1.0 - settings.trail);
            if peak > entry && price <= trail {
                return (entry, trail);
            }
        }
        (entry, price)
    }
}

fn signals(table: &RecordBatch, ranges: &HashMap<String, (usize, usize)>) -> Vec<Signal> {
    let column = |name: &str| table.column_by_name(name).unwrap();
    let timestamps = column("timestamp").as_primitive::<TimestampMicrosecondType>();
    let tokens = column("token_address").as_string::<i32>();
    let factors = FACTORS.map(|name| column(name).as_primitive::<Decimal128Type>());
    (0..table.num_rows())
        .map(|row| Signal {
            timestamp: timestamps.value(row),
            prices: ranges.get(tokens.value(row)).copied().unwrap_or_default(),
            factors: factors.map(|factor| factor.value(row) as f64 / 1e6),
        })
        .collect()
}

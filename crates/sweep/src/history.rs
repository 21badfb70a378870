//! A dataset as a sweep reads it: what does not depend on any parameter, worked out once.

use std::collections::HashMap;

use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
use datafusion::common::{Result, internal_datafusion_err};
use hindsight_udfs::price_book::PriceBook;
use hindsight_udfs::scoring::rescore::FACTORS;
use rayon::prelude::*;

/// An actual PnL far from every other.
pub const FAR: i64 = i64::MIN / 2;

/// The signals of a dataset in the order of time, then id, each with what it meets.
#[derive(Debug, Default)]
pub struct History {
    /// Their ids, to name them.
    pub ids: Option<StringArray>,
    /// Microseconds, ascending.
    pub timestamps: Vec<i64>,
    /// × 10^6, an absent factor as 0.
    pub factors: Vec<[i64; 5]>,
    /// Where the trade on a signal would start, `None` where it cannot be traded.
    pub entries: Vec<Option<Entry>>,
    /// What really happened, `None` where the signal was not traded.
    pub actual: Vec<Option<Actual>>,
    /// The signals that can be traded, in the order of the prices they are traded at.
    pub tradable: Vec<Tradable>,
    /// The same in the order of their entries, then ids.
    pub by_entry: Vec<Tradable>,
    /// When the trade on each signal would start, microseconds; 0 where it cannot be traded.
    pub entered: Vec<i64>,
    /// How many of the signals before each, and of all, were traded.
    pub traded: Vec<u32>,
    /// Closed outcomes by exit, then id of their signal.
    pub outcomes: Vec<Outcome>,
    /// What their absolute amounts add up to.
    pub outcomes_total: i128,
}

/// The first price at or after a signal.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Position of the token in the price book.
    pub token: u32,
    /// Position of the price among those of the token.
    pub price: u32,
    /// Microseconds from the signal to the price.
    pub delay: i64,
}

/// A signal that can be traded, with all that is read of it where its path is walked.
#[derive(Debug, Clone, Copy)]
pub struct Tradable {
    /// Position of the signal.
    pub signal: u32,
    /// The place of its id among all ids.
    pub id_rank: u32,
    /// As in [`Entry`].
    pub token: u32,
    pub price: u32,
    /// Microseconds.
    pub timestamp: i64,
    /// Whether it was not actually traded.
    pub is_new: bool,
    /// Lamports; [`FAR`] from every other where there is none.
    pub actual_pnl: i64,
}

/// The actual trade on one signal, however many outcomes it has.
#[derive(Debug, Clone, Copy, Default)]
pub struct Actual {
    /// Lamports; `None` while nothing of it is closed.
    pub pnl: Option<i128>,
}

/// One closed outcome.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Position of its signal.
    pub signal: u32,
    /// Lamports.
    pub pnl: i128,
    /// Microseconds.
    pub exit: i64,
    /// As the exit, where it is recorded.
    pub entry: Option<i64>,
}

impl History {
    /// Reads the tables `signals` and `trade_outcomes` of a dataset beside its prices.
    pub fn new(signals: &RecordBatch, outcomes: &RecordBatch, book: &PriceBook) -> Result<Self> {
        let timestamps = timestamps(signals, "timestamp")?.values().to_vec();
        let ids = column(signals, "id")?.as_string::<i32>();
        let tokens = column(signals, "token_address")?.as_string::<i32>();

        let mut factors = vec![[0_i64; 5]; timestamps.len()];
        for (position, name) in FACTORS.iter().enumerate() {
            let values = column(signals, name)?.as_primitive::<Decimal128Type>();
            for (row, value) in values.iter().enumerate() {
                factors[row][position] = value.and_then(|v| i64::try_from(v).ok()).unwrap_or(0);
            }
        }

        let entry = |row: usize| {
            let token = book.position(tokens.value(row))?;
            let prices = book.token(token);
            let price = prices.first_at_or_after(timestamps[row])?;
            (prices.mantissas[price] != 0).then(|| Entry {
                token: token as u32,
                price: price as u32,
                delay: prices.timestamps[price].saturating_sub(timestamps[row]),
            })
        };
        let rows = 0..timestamps.len() as u32;
        let entries = || -> Vec<Option<Entry>> {
            let rows = (0..timestamps.len()).into_par_iter();
            rows.with_min_len(1024).map(entry).collect()
        };
        let by_id = || {
            let mut by_id: Vec<u32> = rows.clone().collect();
            by_id.par_sort_unstable_by_key(|row| ids.value(*row as usize));
            by_id
        };
        let (entries, by_id) = rayon::join(entries, by_id);
        let mut id_ranks = vec![0; timestamps.len()];
        for (rank, row) in by_id.iter().enumerate() {
            id_ranks[*row as usize] = rank as u32;
        }
        let mut history = Self {
            ids: Some(ids.clone()),
            tradable: Vec::new(),
            entered: Vec::new(),
            by_entry: Vec::new(),
            entries,
            actual: vec![None; timestamps.len()],
            traded: Vec::with_capacity(timestamps.len() + 1),
            outcomes: Vec::new(),
            outcomes_total: 0,
            timestamps,
            factors,
        };
        let entered = history.timestamps.iter().zip(&history.entries);
        let entered = entered.map(|(at, entry)| entry.map_or(0, |entry| at + entry.delay));
        history.entered = entered.collect();
        let rows_of_ids = (0..ids.len()).map(|row| (ids.value(row), row)).collect();
        history.read_outcomes(outcomes, &rows_of_ids, &id_ranks)?;
        let tradable = rows.filter_map(|signal| history.tradable(signal, &id_ranks));
        let mut tradable: Vec<Tradable> = tradable.collect();
        tradable.sort_unstable_by_key(|tradable| (tradable.token, tradable.price));
        let mut by_entry = tradable.clone();
        let entered = |tradable: &Tradable| history.entered[tradable.signal as usize];
        by_entry.par_sort_unstable_by_key(|tradable| (entered(tradable), tradable.id_rank));
        history.by_entry = by_entry;
        history.tradable = tradable;
        Ok(history)
    }

    fn tradable(&self, signal: u32, id_ranks: &[u32]) -> Option<Tradable> {
        let row = signal as usize;
        let Entry { token, price, .. } = self.entries[row]?;
        let actual = self.actual[row];
        Some(Tradable {
            signal,
            id_rank: id_ranks[row],
            token,
            price,
            timestamp: self.timestamps[row],
            is_new: actual.is_none(),
            actual_pnl: actual.and_then(|actual| actual.pnl).map_or(FAR, near),
        })
    }

    fn read_outcomes(
        &mut self,
        outcomes: &RecordBatch,
        rows: &HashMap<&str, usize>,
        id_ranks: &[u32],
    ) -> Result<()> {
        let signals = column(outcomes, "signal_id")?.as_string::<i32>();
        let exits = timestamps(outcomes, "exit_timestamp")?;
        let entries = timestamps(outcomes, "entry_timestamp")?;
        let pnl = column(outcomes, "realized_pnl_sol")?.as_primitive::<Decimal128Type>();
        let mut closed = Vec::with_capacity(outcomes.num_rows());
        for outcome in 0..outcomes.num_rows() {
            let Some(row) = rows.get(signals.value(outcome)) else {
                continue;
            };
            let actual = self.actual[*row].get_or_insert_default();
            if exits.is_valid(outcome) && pnl.is_valid(outcome) {
                let pnl = pnl.value(outcome);
                actual.pnl = Some(actual.pnl.unwrap_or(0) + pnl);
                let of_signal = Outcome {
                    signal: *row as u32,
                    pnl,
                    exit: exits.value(outcome),
                    entry: entries.is_valid(outcome).then(|| entries.value(outcome)),
                };
                closed.push((id_ranks[*row], of_signal));
            }
        }
        self.traded.push(0);
        let counts = self.actual.iter().scan(0, |count, actual| {
            *count += u32::from(actual.is_some());
            Some(*count)
        });
        self.traded.extend(counts);
        // The parts of one trade that closed at one instant go by their PnL, as in max_drawdown.
        closed.sort_unstable_by_key(|(rank, outcome)| (outcome.exit, *rank, outcome.pnl));
        let amounts = closed
            .iter()
            .map(|(_, outcome)| outcome.pnl.saturating_abs());
        self.outcomes_total = amounts.fold(0, i128::saturating_add);
        self.outcomes = closed.into_iter().map(|(_, outcome)| outcome).collect();
        Ok(())
    }

    /// The signals from `start` to before `end`; none where a bound is missing.
    pub fn range(&self, start: Option<i64>, end: Option<i64>) -> std::ops::Range<usize> {
        match (start, end) {
            (Some(start), Some(end)) => {
                let from = self.timestamps.partition_point(|t| *t < start);
                let to = self.timestamps.partition_point(|t| *t < end);
                from..to.max(from)
            }
            _ => 0..0,
        }
    }
}

/// An actual PnL in 64 bits; what they do not hold is near to no simulated one that they do.
fn near(pnl: i128) -> i64 {
    i64::try_from(pnl)
        .ok()
        .filter(|pnl| pnl.unsigned_abs() < FAR.unsigned_abs())
        .unwrap_or(FAR)
}

fn column<'a>(table: &'a RecordBatch, name: &str) -> Result<&'a dyn Array> {
    let column = table.column_by_name(name);
    column
        .map(|column| column.as_ref())
        .ok_or_else(|| internal_datafusion_err!("the dataset has no column {name}"))
}

fn timestamps<'a>(
    table: &'a RecordBatch,
    name: &str,
) -> Result<&'a datafusion::arrow::array::TimestampMicrosecondArray> {
    Ok(column(table, name)?.as_primitive::<TimestampMicrosecondType>())
}

//! A synthetic history of copy trades: what `hindsight demo` shows when there is no data yet.
//!
//! Output: three Parquet files as an operator would export them (`signals`, `token_prices`,
//! `trade_outcomes`). Order: prices by token and time, signals by time, outcomes by entry.
//! The bytes depend on `seed` and `days` alone: not on the clock, the machine or the number of
//! threads, because every token draws from a stream of its own and rows are written in order.
//! A believable market, not a forecast: its rates are chosen, not fitted to any real one.

mod draws;
mod files;
mod live;
mod paths;
mod signals;
mod tokens;

use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::error::{Error, Result};
use draws::Draws;
use files::Prices;
use live::LiveTrade;
use signals::Signal;
use tokens::{Token, Wallet};

/// Which history to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntheticHistory {
    pub seed: u64,
    /// Length, at most ten years; the first day is 2025-01-01.
    pub days: u32,
}

/// Where the history was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntheticFiles {
    pub signals: PathBuf,
    pub prices: PathBuf,
    pub trades: PathBuf,
}

impl Default for SyntheticHistory {
    fn default() -> Self {
        SyntheticHistory { seed: 6, days: 180 }
    }
}

impl SyntheticHistory {
    /// Writes the history into `directory`, which exists.
    ///
    /// `progress` hears of token minutes done and in all, a little less than one for each price;
    /// when it breaks, or anything fails, the files are removed again.
    pub fn write(
        &self,
        directory: &Path,
        progress: &dyn Fn(u64, u64) -> ControlFlow<()>,
    ) -> Result<SyntheticFiles> {
        if !(1..=MAX_DAYS).contains(&self.days) {
            return Err(Error::Parameter {
                parameter: "days".to_owned(),
                expected: format!("between 1 and {MAX_DAYS}"),
                found: self.days.to_string(),
            });
        }
        let files = SyntheticFiles {
            signals: directory.join("signals.parquet"),
            prices: directory.join("token_prices.parquet"),
            trades: directory.join("trade_outcomes.parquet"),
        };
        let written = self.write_files(&files, progress);
        if written.is_err() {
            for file in [&files.signals, &files.prices, &files.trades] {
                // What is not there need not be removed; the first error is the one to report.
                let _ = std::fs::remove_file(file);
            }
        }
        written.map(|()| files)
    }

    fn write_files(
        &self,
        files: &SyntheticFiles,
        progress: &dyn Fn(u64, u64) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut draws = Draws::new(self.seed, 0);
        let signal_count = SIGNALS_PER_DAY * self.days as usize;
        let end = START + i64::from(self.days) * DAY;
        let cast = Cast {
            seed: self.seed,
            end,
            wallets: tokens::wallets(&mut draws),
            tokens: tokens::tokens(&mut draws, START, end, signal_count),
        };
        let outages = live::outages(&mut draws, START, end);

        let calls = cast.write_prices(&files.prices, progress)?;
        files::write_signals(&files.signals, &calls, &cast)?;
        let outcomes = outcomes(calls, &outages);
        files::write_outcomes(&files.trades, &outcomes, &cast)
    }
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2025-01-01 00:00 UTC, microseconds since 1970.
const START: i64 = 20_089 * DAY;
const MAX_DAYS: u32 = 3_650;
const SIGNALS_PER_DAY: usize = 200;
/// Prices of one row group, about.
const GROUP_MINUTES: u64 = 400_000;
/// Row groups in memory at a time, whatever the number of threads.
const GROUPS_AT_ONCE: usize = 8;

/// Who takes part in a history.
struct Cast {
    seed: u64,
    end: i64,
    wallets: Vec<Wallet>,
    tokens: Vec<Token>,
}

/// A signal, and the trade that the live system would have made of it.
struct Call {
    /// Position in the list of tokens.
    token: usize,
    signal: Signal,
    trade: Option<LiveTrade>,
}

/// A trade that happened.
struct Outcome {
    signal_id: u128,
    /// Position in the list of tokens.
    token: usize,
    trade: LiveTrade,
}

impl Cast {
    /// Walks every token through its life, writes its prices, and gives back all calls by time.
    fn write_prices(
        &self,
        file: &Path,
        progress: &dyn Fn(u64, u64) -> ControlFlow<()>,
    ) -> Result<Vec<Call>> {
        let groups = self.row_groups();
        let total = self.minutes(0..self.tokens.len());
        let mut done = 0;
        let mut calls = Vec::new();
        let (mut writer, encoder) = files::create_prices(file)?;
        for batch in groups.chunks(GROUPS_AT_ONCE) {
            let made: Vec<_> = batch
                .par_iter()
                .map(|(number, tokens)| {
                    let (prices, calls) = self.make(tokens.clone());
                    Ok((encoder.encode(*number, prices)?, calls))
                })
                .collect::<Result<_>>()?;
            for (encoded, made_calls) in made {
                writer.append(encoded)?;
                calls.extend(made_calls);
            }
            done += batch
                .iter()
                .map(|(_, tokens)| self.minutes(tokens.clone()))
                .sum::<u64>();
            if progress(done, total).is_break() {
                return Err(Error::Cancelled);
            }
        }
        writer.close()?;
        calls.sort_unstable_by_key(|call| (call.signal.timestamp, call.signal.id));
        Ok(calls)
    }

    /// Successive tokens with about as many minutes in each group, numbered.
    fn row_groups(&self) -> Vec<(usize, Range<usize>)> {
        let mut groups = Vec::new();
        let mut first = 0;
        for next in 1..=self.tokens.len() {
            if next == self.tokens.len() || self.minutes(first..next) >= GROUP_MINUTES {
                groups.push((groups.len(), first..next));
                first = next;
            }
        }
        groups
    }

    fn minutes(&self, tokens: Range<usize>) -> u64 {
        let minutes = |token: &Token| token.life_minutes.unsigned_abs();
        self.tokens[tokens].iter().map(minutes).sum()
    }

    /// Everything about some of the tokens.
    fn make(&self, tokens: Range<usize>) -> (Prices, Vec<Call>) {
        let mut prices = Prices::default();
        let mut calls = Vec::new();
        for position in tokens {
            let token = &self.tokens[position];
            let mut draws = Draws::new(self.seed, 1 + position as u64);
            let path = paths::path(&mut draws, token);
            for signal in signals::signals(&mut draws, token, &path, &self.wallets) {
                let trade = live::live_trade(&mut draws, &signal, &path, self.end);
                calls.push(Call {
                    token: position,
                    signal,
                    trade,
                });
            }
            prices.push(&token.address, path);
        }
        (prices, calls)
    }
}

/// The trades that the live system was up for and that its limits left it, by entry.
fn outcomes(calls: Vec<Call>, outages: &[Range<i64>]) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = calls
        .into_iter()
        .filter_map(|call| {
            Some(Outcome {
                signal_id: call.signal.id,
                token: call.token,
                trade: call.trade?,
            })
        })
        .collect();
    outcomes.sort_unstable_by_key(|outcome| (outcome.trade.entry_timestamp, outcome.signal_id));
    let mut wallet = live::LiveWallet::default();
    outcomes.retain(|outcome| {
        let entry = outcome.trade.entry_timestamp;
        let down = outages.iter().any(|outage| outage.contains(&entry));
        !down && wallet.takes(outcome.token, &outcome.trade)
    });
    outcomes
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use datafusion::arrow::array::{Array, AsArray, RecordBatch};
    use datafusion::arrow::compute::{cast, concat_batches};
    use datafusion::arrow::datatypes::{
        DataType, Decimal128Type, Int32Type, TimestampMicrosecondType,
    };
    use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::schema::FACTORS;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error + Send + Sync>>;

    const DAYS: u32 = 3;

    fn bytes_of(seed: u64, threads: usize) -> Result<[Vec<u8>; 3]> {
        let io = |source| Error::Io {
            path: "test".to_owned(),
            source,
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|error| io(std::io::Error::other(error)))?;
        pool.install(|| {
            let directory = tempfile::tempdir().map_err(io)?;
            let history = SyntheticHistory { seed, days: DAYS };
            let files = history.write(directory.path(), &|_, _| ControlFlow::Continue(()))?;
            let read = |path: &Path| std::fs::read(path).map_err(io);
            Ok([
                read(&files.signals)?,
                read(&files.prices)?,
                read(&files.trades)?,
            ])
        })
    }

    fn table(
        path: &Path,
    ) -> std::result::Result<RecordBatch, Box<dyn std::error::Error + Send + Sync>> {
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path)?)?.build()?;
        let batches = reader.collect::<std::result::Result<Vec<_>, _>>()?;
        let schema = batches.first().ok_or("no rows")?.schema();
        Ok(concat_batches(&schema, &batches)?)
    }

    #[test]
    fn bytes_follow_from_the_seed_alone() -> Outcome {
        let one_thread = bytes_of(1, 1)?;
        assert!(one_thread == bytes_of(1, 1)?, "same seed, other bytes");
        assert!(one_thread == bytes_of(1, 2)?, "two threads, other bytes");
        for (bytes, other) in one_thread.iter().zip(bytes_of(2, 2)?) {
            assert!(*bytes != other, "other seed, same bytes");
        }
        Ok(())
    }

    #[test]
    fn rows_are_in_proportion_and_well_formed() -> Outcome {
        let directory = tempfile::tempdir()?;
        let history = SyntheticHistory {
            seed: 7,
            days: DAYS,
        };
        let files = history.write(directory.path(), &|_, _| ControlFlow::Continue(()))?;

        let signals = table(&files.signals)?;
        assert_eq!(signals.num_rows(), 600);
        let factors = signals.column(5).as_string::<i32>();
        let scores = signals.column(4).as_primitive::<Decimal128Type>();
        let mut selected = 0;
        for row in 0..signals.num_rows() {
            let object: serde_json::Value = serde_json::from_str(factors.value(row))?;
            for name in FACTORS {
                let factor = object[name].as_f64().ok_or("no factor")?;
                assert!((0.0..=1.0).contains(&factor), "{name} {factor}");
            }
            assert!((0..=10_000).contains(&scores.value(row)));
            selected += usize::from(scores.value(row) >= 7_000);
        }
        assert!((150..360).contains(&selected), "{selected} selected");

        let prices = table(&files.prices)?;
        let tokens = prices.column(0).as_dictionary::<Int32Type>();
        let names = tokens.downcast_dict::<datafusion::arrow::array::StringArray>();
        let names = names.ok_or("no names")?;
        let timestamps = prices.column(1).as_primitive::<TimestampMicrosecondType>();
        let mut distinct = HashSet::new();
        for row in 0..prices.num_rows() {
            distinct.insert(names.values().value(tokens.keys().value(row) as usize));
            assert!((START..START + i64::from(DAYS) * DAY).contains(&timestamps.value(row)));
        }
        assert_eq!(distinct.len(), (2_912 * DAYS as usize).div_ceil(180));
        let keys = cast(prices.column(0), &DataType::Utf8)?;
        let keys = keys.as_string::<i32>();
        for row in 1..prices.num_rows() {
            let before = (keys.value(row - 1), timestamps.value(row - 1));
            assert!(
                before < (keys.value(row), timestamps.value(row)),
                "row {row}"
            );
        }

        let outcomes = table(&files.trades)?;
        let ids: HashSet<_> = signals.column(0).as_string::<i32>().iter().collect();
        assert!(outcomes.num_rows() > 100);
        assert!(
            outcomes
                .column(0)
                .as_string::<i32>()
                .iter()
                .all(|id| ids.contains(&id))
        );
        let signals = outcomes.column(0).as_string::<i32>();
        let traded: HashSet<_> = signals.iter().collect();
        assert!(
            traded.len() * 10 < signals.len() * 9,
            "few are sold in parts"
        );
        assert_eq!(
            outcomes.column(4).null_count(),
            0,
            "every trade has an entry"
        );
        Ok(())
    }

    #[test]
    fn cancelled_leaves_nothing_behind() -> Outcome {
        let directory = tempfile::tempdir()?;
        let history = SyntheticHistory { seed: 1, days: 1 };
        let cancelled = history.write(directory.path(), &|_, _| ControlFlow::Break(()));
        assert!(matches!(cancelled, Err(Error::Cancelled)));
        assert_eq!(std::fs::read_dir(directory.path())?.count(), 0);
        Ok(())
    }
}

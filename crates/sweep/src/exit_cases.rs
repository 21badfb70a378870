//! The sales of an exit table against each signal's own walk, in the order in which trades count.

use std::sync::Arc;

use hindsight_udfs::exits::first_touches::Levels;
use hindsight_udfs::exits::rule::Part;
use hindsight_udfs::exits::settings::ExitSettings;
use hindsight_udfs::exits::walk::{Path, walk};
use hindsight_udfs::exits::words::{ExitStrategy, FillModel};
use hindsight_udfs::price_book::{PriceBook, TokenPrices};

use super::control::Control;
use super::exits::{ExitTable, Wanted};
use super::history::{History, Tradable};

pub const MINUTE: i64 = 60_000_000;

/// A generator of Lehmer's: the same numbers in each run.
pub struct Random(pub u64);

impl Random {
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0 = self.0 * 48_271 % 0x7fff_ffff;
        low + (self.0 % (high - low + 1) as u64) as i64
    }

    pub fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.between(0, choices.len() as i64 - 1) as usize].clone()
    }
}

/// Settings that short paths meet.
pub fn settings(random: &mut Random) -> ExitSettings {
    let (_, strategy) = random.one_of(&ExitStrategy::NAMES);
    let percent = |random: &mut Random| random.one_of(&[2, 5, 10, 20]) * 10_000;
    let some = |random: &mut Random| random.one_of(&[None, Some(20_000), Some(80_000)]);
    let ladders = ["50@3, 25@6", "10@2, 10@4, 10@8, 20@12", "90@5"];
    let moonbag = random.one_of(&[None, None, Some(100_000), Some(1_000_000)]);
    let ladder = random.one_of(&[None, Some(ladders[0]), Some(ladders[1]), Some(ladders[2])]);
    let ladder = ladder.filter(|_| moonbag != Some(1_000_000));
    ExitSettings {
        ladder: ladder.and_then(|ladder| ladder.parse().ok()),
        trailing_activation: random.one_of(&[0, 20_000, 50_000]),
        break_even: some(random),
        stagnation_micros: random.one_of(&[None, Some(3 * MINUTE), Some(7 * MINUTE)]),
        moonbag,
        moonbag_stop_loss: some(random),
        moonbag_max_hold_micros: random.one_of(&[None, Some(5 * MINUTE), Some(30 * MINUTE)]),
        ..ExitSettings::new(
            strategy,
            percent(random),
            percent(random),
            percent(random),
            random.one_of(&[5, 10, 20]) * MINUTE,
        )
    }
}

/// Walks of three tokens at the same instants, so that exits of many signals fall together.
fn book(random: &mut Random) -> PriceBook {
    PriceBook::new((0..3).map(|token| {
        let mut price = 10_000;
        let mantissas: Vec<i64> = (0..60)
            .map(|_| {
                price = (price * random.between(95, 106) / 100).max(1);
                price
            })
            .collect();
        let timestamps = (0..60).map(|minute| minute * MINUTE).collect();
        let prices = TokenPrices::new(timestamps, mantissas.into(), 4);
        (Arc::from(format!("token {token}")), prices)
    }))
}

fn history(random: &mut Random, signals: u32) -> History {
    let tradable = (0..signals).map(|signal| {
        let price = random.between(0, 59) as u32;
        Tradable {
            signal,
            // Ids do not sort as signals do.
            id_rank: signal * 7 % signals,
            token: random.between(0, 2) as u32,
            price,
            timestamp: i64::from(price) * MINUTE - random.between(0, 2) * MINUTE,
            is_new: true,
            actual_pnl: 0,
        }
    });
    History {
        tradable: tradable.collect(),
        ..History::default()
    }
}

#[test]
fn sales_are_those_of_each_walk_in_the_order_of_exit_signal_and_part() {
    let mut random = Random(1);
    let (mut several, mut behind) = (0, 0);
    for _ in 0..60 {
        let (book, count) = (book(&mut random), 41);
        let history = history(&mut random, count);
        let all: Vec<_> = (0..8).map(|_| settings(&mut random).parts()).collect();
        let levels = |all: &[Vec<Part>]| {
            let mut levels = Levels::default();
            all.iter().flatten().for_each(|part| levels.add(part));
            levels
        };
        let signals: Vec<u32> = (0..count).collect();
        let control = Control::default();
        let sales = |all: &[Vec<Part>], parts: &[Part]| {
            let wanted = Wanted {
                rules: all,
                levels: &levels(all),
                fill_model: FillModel::Level,
            };
            let table = ExitTable::new(&history, &book, &signals, wanted, &control, &|| ());
            let table = table.unwrap_or_else(|_| unreachable!("nobody cancels"));
            table.sales(parts).into_owned()
        };
        for parts in &all {
            let mut expected = Vec::new();
            for signal in &history.tradable {
                let prices = book.token(signal.token as usize);
                let path = Path {
                    timestamps: &prices.timestamps,
                    prices: &prices.mantissas,
                    entry: signal.price as usize,
                    signal_timestamp: signal.timestamp,
                };
                let sales = walk(&path, parts);
                for sale in &sales {
                    let end = path.timestamps[sale.position];
                    expected.push((end, signal.id_rank, sale.part, signal.signal, sale.share));
                    let is_before = |other: &&_| {
                        let other: &hindsight_udfs::exits::rule::Sale = other;
                        other.position == sale.position
                            && other.part < sale.part
                            && other.reason > sale.reason
                    };
                    behind += sales.iter().filter(is_before).count();
                }
                several += usize::from(sales.len() > 1);
            }
            expected.sort_unstable();
            // Among others, and alone.
            for all in [&all[..], std::slice::from_ref(parts)] {
                let sales = sales(all, parts);
                let found = sales.exits.iter().map(|exit| {
                    let share = sales.shares[usize::from(exit.share)];
                    let rank = exit.signal * 7 % count;
                    (exit.end, rank, exit.part, exit.signal, share)
                });
                assert_eq!(found.collect::<Vec<_>>(), expected, "{parts:?}");
            }
        }
    }
    assert!(several > 1_000, "{several} positions sold in several parts");
    assert!(
        behind > 50,
        "{behind} sales whose part is not in the order of their rules"
    );
}

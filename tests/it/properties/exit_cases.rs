//! Random exit cases that meet the edges on purpose: prices exactly on a level and one unit beside
//! it, gaps, zeros, prices one microsecond apart, entries later than the hold limit.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};

use super::further_exits::{self, FurtherRules};
use super::session::{decimals, table};
use crate::random::{Random, SEED};
use crate::reference::exit::{MINUTE, Price};
use crate::reference::number::{decimal, show};
use crate::reference::parameters::{ExitRules, ExitStrategy, FillModel};

/// 2025-01-01 in microseconds.
const START: i64 = 1_735_689_600_000_000;
const HUNDRED_PERCENT: i128 = 1_000_000;
/// So that a price six times the entry, and then some, is below `i64::MAX`.
const ENTRY_MANTISSA_MAX: i128 = 1_000_000_000_000_000_000;

/// Percentages in ten-thousandths.
#[derive(Debug, Clone)]
pub struct Percents {
    pub stop_loss: i128,
    pub take_profit: i128,
    pub trailing_stop: i128,
}

/// One call of `simulate_exit`.
#[derive(Clone)]
pub struct ExitCase {
    pub token_address: String,
    pub timestamp: i64,
    pub exit_strategy: &'static str,
    pub percents: Percents,
    pub max_hold_minutes: i64,
    pub fill_model: &'static str,
    /// What `simulate_exit` does not take.
    pub further: FurtherRules,
}

impl ExitCase {
    /// The rules as the reference takes them.
    pub fn rules(&self) -> ExitRules {
        ExitRules {
            exit_strategy: ExitStrategy::named(self.exit_strategy),
            stop_loss_percent: decimal(self.percents.stop_loss, 4),
            take_profit_percent: decimal(self.percents.take_profit, 4),
            trailing_stop_percent: decimal(self.percents.trailing_stop, 4),
            max_hold_minutes: self.max_hold_minutes,
            fill_model: FillModel::named(self.fill_model),
            ..ExitRules::default()
        }
    }

    /// The same with the further rules.
    pub fn all_rules(&self) -> ExitRules {
        self.further.over(self.rules())
    }

    /// Everything that repeats the case by hand.
    pub fn describe(&self, prices: &[Price]) -> String {
        let path: Vec<String> = prices
            .iter()
            .map(|price| {
                format!(
                    "{:+} µs {}",
                    price.timestamp - self.timestamp,
                    show(&price.price)
                )
            })
            .collect();
        format!(
            "HINDSIGHT_SEED={}: {self:?}\nprices from the signal on: {}",
            *SEED,
            path.join(", ")
        )
    }
}

impl fmt::Debug for ExitCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "simulate_exit('{}', {} µs, '{}', {}, {}, {}, {}, '{}'), {:?}",
            self.token_address,
            self.timestamp,
            self.exit_strategy,
            show(&decimal(self.percents.stop_loss, 4)),
            show(&decimal(self.percents.take_profit, 4)),
            show(&decimal(self.percents.trailing_stop, 4)),
            self.max_hold_minutes,
            self.fill_model,
            self.further
        )
    }
}

/// Many cases on many tokens.
pub struct ExitCases {
    pub cases: Vec<ExitCase>,
    pub prices: BTreeMap<String, Vec<Price>>,
}

impl ExitCases {
    /// `tokens` price paths, each made for its own percentages, with `for_each` cases on each.
    pub fn random(random: &mut Random, tokens: usize, for_each: usize) -> Self {
        let mut cases = Vec::new();
        let mut prices = BTreeMap::new();
        for token in 0..tokens {
            let token_address = format!("token-{token:06}");
            let percents = percents(random);
            let further = FurtherRules::random(random);
            let (entry, path) = path(random, &percents, &further);
            for _ in 0..for_each {
                let case = case(random, &token_address, (&percents, &further), entry, &path);
                cases.push(case);
            }
            prices.insert(token_address, path);
        }
        Self { cases, prices }
    }

    /// The prices of a case's token; a token may have none.
    pub fn prices_of(&self, case: &ExitCase) -> &[Price] {
        self.prices
            .get(&case.token_address)
            .map_or(&[], Vec::as_slice)
    }

    /// The cases as a table, in this order of theirs, each with its position as `id`.
    pub fn table(&self, order: &[usize]) -> RecordBatch {
        let column = |make: &dyn Fn(&ExitCase) -> i64| {
            let values = order.iter().map(|position| make(&self.cases[*position]));
            values.collect::<Vec<i64>>()
        };
        let text = |make: &dyn Fn(&ExitCase) -> String| -> ArrayRef {
            let values = order.iter().map(|position| make(&self.cases[*position]));
            Arc::new(StringArray::from_iter_values(values))
        };
        let percent = |make: &dyn Fn(&Percents) -> i128| {
            let values = order.iter().map(|id| make(&self.cases[*id].percents));
            decimals(values, 9, 4)
        };
        let ids = order
            .iter()
            .map(|position| i64::try_from(*position).unwrap());
        let timestamps = TimestampMicrosecondArray::from(column(&|case| case.timestamp));
        let mut columns = vec![
            (
                "id",
                Arc::new(Int64Array::from_iter_values(ids)) as ArrayRef,
            ),
            ("token_address", text(&|case| case.token_address.clone())),
            ("timestamp", Arc::new(timestamps.with_timezone("UTC"))),
            ("exit_strategy", text(&|case| case.exit_strategy.to_owned())),
            ("stop_loss_percent", percent(&|percents| percents.stop_loss)),
            (
                "take_profit_percent",
                percent(&|percents| percents.take_profit),
            ),
            (
                "trailing_stop_percent",
                percent(&|percents| percents.trailing_stop),
            ),
            (
                "max_hold_minutes",
                Arc::new(Int64Array::from(column(&|case| case.max_hold_minutes))),
            ),
            ("fill_model", text(&|case| case.fill_model.to_owned())),
        ];
        let further = order.iter().map(|id| &self.cases[*id].further);
        columns.extend(further_exits::columns(&further.collect::<Vec<_>>()));
        table(columns)
    }

    /// The cases as a table in their own order.
    pub fn table_in_order(&self) -> RecordBatch {
        let order: Vec<usize> = (0..self.cases.len()).collect();
        self.table(&order)
    }
}

/// Within their ranges; often whole, so that levels fall on prices.
fn percents(random: &mut Random) -> Percents {
    let mut within = |low: i128, high: i128| {
        if random.chance(2, 3) {
            random.between(low, high) * 10_000
        } else {
            random.between(low * 10_000, high * 10_000)
        }
    };
    Percents {
        stop_loss: within(1, 50),
        take_profit: within(5, 500),
        trailing_stop: within(1, 30),
    }
}

/// A path made for these percentages and the position of the entry it was made for.
fn path(random: &mut Random, percents: &Percents, further: &FurtherRules) -> (usize, Vec<Price>) {
    let digits = u32::try_from(random.between(0, 18)).unwrap();
    let entry = entry_mantissa(random, digits);
    let before = random.below(4);
    let after = if random.chance(1, 12) {
        0
    } else {
        random.below(30)
    };
    // A wide hold and few crossings make long walks; else the first rule would end most of them.
    let crossings = random.one_of(&[2, 10, 50]);

    let mut mantissas = vec![entry];
    let mut peak = entry;
    for _ in 0..after {
        let price = if random.chance(crossings, 100) {
            edge(random, percents, further, entry, peak)
        } else {
            inside(random, percents, entry, peak)
        };
        peak = peak.max(price);
        mantissas.push(price);
    }
    for _ in 0..before {
        mantissas.insert(0, entry + random.between(-entry / 2, entry));
    }

    let mut timestamp = START + random.small(0, 5) * MINUTE;
    let price_of = |mantissa: i128| {
        timestamp += step(random);
        Price {
            timestamp,
            price: decimal(mantissa, digits),
        }
    };
    (before, mantissas.into_iter().map(price_of).collect())
}

/// From the smallest price there is to 10^8; often round, so that levels are whole.
fn entry_mantissa(random: &mut Random, digits: u32) -> i128 {
    if random.chance(1, 100) {
        return 0;
    }
    let largest = ENTRY_MANTISSA_MAX.min(10_i128.pow(8 + digits));
    let magnitude = u32::try_from(random.between(0, largest.ilog10().into())).unwrap();
    let round = 10_i128.pow(magnitude);
    if random.chance(1, 2) {
        (round * random.between(1, 9)).min(largest)
    } else {
        random.between(round, (round * 10).min(largest))
    }
}

/// A price on a level, or one unit or a gap beside it.
fn edge(
    random: &mut Random,
    percents: &Percents,
    further: &FurtherRules,
    entry: i128,
    peak: i128,
) -> i128 {
    let level = |base: i128, percent: i128| base * percent / HUNDRED_PERCENT;
    let stop = level(entry, HUNDRED_PERCENT - percents.stop_loss);
    let target = level(entry, HUNDRED_PERCENT + percents.take_profit);
    let trail = level(peak, HUNDRED_PERCENT - percents.trailing_stop);
    let gains = further.gains();
    let price = match random.below(11) {
        0 | 1 => stop,
        2 | 3 => target,
        4 | 5 => trail,
        6 => entry,
        7 => level(
            entry,
            HUNDRED_PERCENT - further.moonbag_stop_loss.unwrap_or(0),
        ),
        8 | 9 if !gains.is_empty() => level(entry, HUNDRED_PERCENT + random.one_of(&gains)),
        _ => {
            return random.one_of(&[
                0,
                1,
                entry,
                entry + 1,
                peak,
                peak + 1,
                stop / 2,
                target + entry,
            ]);
        }
    };
    // The level may lie between two prices: 0 and 1 are the two beside it.
    (price + random.between(-1, 2)).max(0)
}

/// A price that seldom ends the walk.
fn inside(random: &mut Random, percents: &Percents, entry: i128, peak: i128) -> i128 {
    let stop = entry * (HUNDRED_PERCENT - percents.stop_loss) / HUNDRED_PERCENT;
    let trail = peak * (HUNDRED_PERCENT - percents.trailing_stop) / HUNDRED_PERCENT;
    let low = (if peak > entry { stop.max(trail) } else { stop }) + 1;
    let target = entry * (HUNDRED_PERCENT + percents.take_profit) / HUNDRED_PERCENT;
    let high = random
        .one_of(&[entry, peak, (peak + target) / 2])
        .min(target - 1);
    random.between(low.min(high), low.max(high)).max(0)
}

/// From one price to the next.
fn step(random: &mut Random) -> i64 {
    match random.below(8) {
        0 => 1,
        1 => random.small(2, 1_000_000),
        2 => 10_000_000,
        3 | 4 => MINUTE,
        5 => 5 * MINUTE,
        6 => random.small(1, 20 * MINUTE),
        _ => random.small(1, 30) * 60 * MINUTE,
    }
}

fn case(
    random: &mut Random,
    token_address: &str,
    (percents, further): (&Percents, &FurtherRules),
    entry: usize,
    path: &[Price],
) -> ExitCase {
    let max_hold_minutes = random.one_of(&[5, 6, 60, 61, 240, 1440, 1440]);
    let some_price = path[random.below(path.len())].timestamp;
    let timestamp = match random.below(10) {
        // At the entry the path was made for, or as late before it as that entry allows.
        0..=3 => path[entry].timestamp,
        4 => match entry.checked_sub(1) {
            Some(earlier) => path[earlier].timestamp + 1,
            None => path[entry].timestamp - random.small(0, 1_500 * MINUTE),
        },
        // So that some price stands at the hold limit, or one microsecond beside it.
        5 | 6 => some_price - max_hold_minutes * MINUTE + random.small(-1, 1),
        7 => some_price,
        8 => some_price + 1,
        _ => path[0].timestamp + random.small(-MINUTE, 600 * MINUTE),
    };
    ExitCase {
        token_address: if random.chance(1, 200) {
            "no such token".to_owned()
        } else {
            token_address.to_owned()
        },
        timestamp,
        exit_strategy: random.one_of(&ExitStrategy::NAMED).0,
        percents: if random.chance(4, 5) {
            percents.clone()
        } else {
            self::percents(random)
        },
        max_hold_minutes,
        fill_model: random.one_of(&FillModel::NAMED).0,
        further: if random.chance(4, 5) {
            further.clone()
        } else {
            FurtherRules::random(random)
        },
    }
}

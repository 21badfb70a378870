//! Small random histories and grids over them, for tests.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use hindsight_udfs::exits::settings::ExitSettings;
use hindsight_udfs::exits::words::FillModel;
use hindsight_udfs::portfolio::admission::Limits;
use hindsight_udfs::price_book::{PriceBook, TokenPrices};
use hindsight_udfs::scoring::position_size::Sizing;
use hindsight_udfs::scoring::rescore::{FACTORS, rescore};
use hindsight_udfs::trades::costs::Costs;

use super::combination::Combination;
use super::days::DAY_MICROS;
use super::exit_cases::{MINUTE, Random, settings};
use super::history::History;

/// Half an hour before a midnight.
const START: i64 = 100 * DAY_MICROS - 30 * MINUTE;
/// A tenth of a SOL; sizes and amounts are multiples of parts of it, so that balances are met.
const TENTH: i128 = 100_000_000;
/// More than what is worked out in 64 bits.
pub const VAST: i128 = 90_000 * 10 * TENTH;
const TOKENS: i64 = 3;

#[derive(Debug, Clone)]
pub struct Outcome {
    pub entry: Option<i64>,
    pub exit: Option<i64>,
    /// Lamports.
    pub pnl: Option<i128>,
}

#[derive(Debug, Clone)]
pub struct Signal {
    pub id: String,
    pub timestamp: i64,
    /// `None` where it has no prices.
    pub token: Option<usize>,
    /// × 10^6.
    pub factors: [i64; 5],
    pub outcomes: Vec<Outcome>,
}

/// A history; its signals in the order of time, then id.
#[derive(Debug, Clone)]
pub struct Case {
    pub tokens: Vec<TokenPrices>,
    pub signals: Vec<Signal>,
}

/// Prices at some of the instants that all tokens share.
fn prices(random: &mut Random, instants: &[i64]) -> TokenPrices {
    let start = random.one_of(&[10_000, 10_000, 12_345, 3]);
    let mut mantissas = Vec::new();
    let mut timestamps = Vec::new();
    let mut price = start;
    for at in instants {
        if random.between(1, 5) == 1 {
            continue;
        }
        timestamps.push(*at);
        mantissas.push(price);
        // Steps of whole percents of the first price, so that levels are met; gaps, and a price of 0.
        let step = (start / 100).max(1);
        price = match random.between(1, 60) {
            1 => 0,
            2 => start * random.one_of(&[2, 3, 40_000]),
            3..=6 => start,
            _ => price + step * random.between(-4, 4),
        };
        price = price.max(0);
    }
    if timestamps.is_empty() {
        (timestamps, mantissas) = (vec![instants[0]], vec![start]);
    }
    TokenPrices::new(timestamps.into(), mantissas.into(), 4)
}

fn outcome(random: &mut Random, timestamp: i64) -> Outcome {
    let entry = timestamp + random.between(0, 3) * MINUTE;
    let some = |random: &mut Random| random.between(1, 8) > 1;
    Outcome {
        entry: some(random).then_some(entry),
        exit: some(random).then(|| entry + random.between(0, 2_000) * MINUTE),
        pnl: some(random).then(|| TENTH / 200 * i128::from(random.between(-9, 9))),
    }
}

impl Case {
    pub fn random(random: &mut Random) -> Self {
        let mut instants = vec![START];
        for _ in 0..random.between(20, 60) {
            let step = match random.between(1, 30) {
                1 => 300 * MINUTE,
                2 => 1,
                _ => MINUTE,
            };
            instants.push(instants[instants.len() - 1] + step);
        }
        let tokens = (0..TOKENS).map(|_| prices(random, &instants)).collect();
        let mut signals: Vec<Signal> = (0..random.between(1, 14))
            .map(|number| {
                let late = random.one_of(&[0, 0, 0, 1, MINUTE, 7 * MINUTE]);
                let timestamp = random.one_of(&instants) - late;
                let token = random.between(0, TOKENS * 8) as usize;
                let outcomes = random.one_of(&[0, 0, 0, 1, 1, 2]);
                Signal {
                    // Ids do not sort as they come.
                    id: format!("s{:02}", number * 11 % 17),
                    timestamp,
                    token: (token < TOKENS as usize * 8).then_some(token % TOKENS as usize),
                    // Low scores, since a table of positions is of all scores there are.
                    factors: [(); 5].map(|()| random.between(1, 5) * 50_000),
                    outcomes: (0..outcomes).map(|_| outcome(random, timestamp)).collect(),
                }
            })
            .collect();
        signals.sort_by(|a, b| (a.timestamp, &a.id).cmp(&(b.timestamp, &b.id)));
        Self { tokens, signals }
    }

    /// As the product reads it.
    pub fn history(&self) -> (History, PriceBook) {
        let address = |token: usize| format!("token {token}");
        let tokens = self.tokens.iter().enumerate();
        let tokens = tokens.map(|(number, prices)| (Arc::from(address(number)), prices.clone()));
        let book = PriceBook::new(tokens);
        let text = |values: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(values)) };
        let times = |values: Vec<Option<i64>>| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
        };
        let decimals =
            |values: Vec<Option<i128>>| -> ArrayRef { Arc::new(Decimal128Array::from(values)) };
        let signals = || self.signals.iter();
        let token = |signal: &Signal| signal.token.map_or("no such token".into(), address);
        let mut columns = vec![
            ("id", text(signals().map(|s| s.id.clone()).collect())),
            (
                "timestamp",
                times(signals().map(|s| Some(s.timestamp)).collect()),
            ),
            ("token_address", text(signals().map(token).collect())),
        ];
        for (place, name) in FACTORS.into_iter().enumerate() {
            let values = signals().map(|s| Some(s.factors[place].into()));
            columns.push((name, decimals(values.collect())));
        }
        let table = |columns: Vec<(&str, ArrayRef)>| RecordBatch::try_from_iter(columns).unwrap();
        let outcomes = || signals().flat_map(|s| s.outcomes.iter().map(|o| (s.id.clone(), o)));
        let of_outcomes = table(vec![
            ("signal_id", text(outcomes().map(|(id, _)| id).collect())),
            (
                "entry_timestamp",
                times(outcomes().map(|(_, o)| o.entry).collect()),
            ),
            (
                "exit_timestamp",
                times(outcomes().map(|(_, o)| o.exit).collect()),
            ),
            (
                "realized_pnl_sol",
                decimals(outcomes().map(|(_, o)| o.pnl).collect()),
            ),
        ]);
        let history = History::new(&table(columns), &of_outcomes, &book).unwrap();
        (history, book)
    }

    /// The same in another unit of prices; `None` where they do not fit.
    pub fn with_prices_times(&self, factor: i64) -> Option<Self> {
        let mut scaled = self.clone();
        for token in &mut scaled.tokens {
            let prices = token
                .mantissas
                .iter()
                .map(|price| price.checked_mul(factor));
            token.mantissas = prices.collect::<Option<Vec<i64>>>()?.into();
        }
        Some(scaled)
    }
}

fn costs(random: &mut Random) -> Costs {
    if random.between(1, 3) == 1 {
        return Costs::default();
    }
    let percent = |random: &mut Random| i128::from(random.one_of(&[0, 0, 5_000, 12_500, 33_333]));
    Costs {
        slippage_percent: percent(random),
        exit_slippage_percent: percent(random),
        platform_fee_percent: percent(random),
        gas: random.one_of(&[0, 100_000]),
        priority_fee: random.one_of(&[0, 0, 25_000]),
        failed_transaction_percent: random.one_of(&[0, 250_000, 900_000]),
        pool: random.one_of(&[None, None, None, Some(TENTH), Some(85 * TENTH)]),
    }
}

fn sizing(random: &mut Random) -> Sizing {
    Sizing {
        base_position: random.one_of(&[TENTH, TENTH, TENTH / 2, 1, VAST]),
        max_position: random.one_of(&[TENTH, 5 * TENTH, VAST]),
        scale_with_confidence: random.between(1, 2) == 1,
        confidence_multiplier: random.one_of(&[10_000, 15_000, 12_345]),
    }
}

fn limits(random: &mut Random) -> Limits {
    let mut limits = Limits::default();
    for _ in 0..random.between(0, 3) {
        let small = random.between(1, 3);
        match random.between(1, 6) {
            1 => limits.max_open_positions = Some(small),
            2 => limits.max_positions_per_token = Some(small),
            3 => limits.token_cooldown = Some(random.one_of(&[0, 1, MINUTE, 5 * MINUTE])),
            4 => limits.max_trades_per_day = Some(small),
            // What a stop costs, where nothing else does.
            5 => limits.max_daily_loss = Some(TENTH / 100 * random.one_of(&[1, 2, 5, 10, 20])),
            _ => limits.starting_balance = Some(TENTH / 2 * i128::from(random.between(1, 6))),
        }
    }
    limits
}

/// A grid whose combinations share some of what they are asked, and each differ in something.
pub fn combinations(random: &mut Random, case: &Case, count: usize) -> Vec<Combination> {
    let some = |random: &mut Random, most: i64| 0..random.between(1, most);
    let first = START.div_euclid(DAY_MICROS);
    let ranges: Vec<_> = some(random, 2)
        .map(|_| {
            let start = first + random.between(-1, 1);
            let end = start + random.between(1, 3);
            (Some(start * DAY_MICROS), Some(end * DAY_MICROS))
        })
        .collect();
    let weights = [
        [3_000, 2_500, 2_000, 1_500, 1_000],
        [2_000; 5],
        [1, 9_999, 0, 0, 0],
    ];
    let weights: Vec<_> = some(random, 2).map(|_| random.one_of(&weights)).collect();
    // Often the score of some signal.
    let thresholds: Vec<i64> = some(random, 4)
        .map(|_| match random.between(1, 3) {
            1 => 0,
            2 => random.between(500, 2_200),
            _ => rescore(
                &random.one_of(&case.signals).factors,
                &random.one_of(&weights),
            ),
        })
        .collect();
    let exits: Vec<ExitSettings> = some(random, 4).map(|_| settings(random)).collect();
    let sizings: Vec<Sizing> = some(random, 3).map(|_| sizing(random)).collect();
    let all_costs: Vec<Costs> = some(random, 3).map(|_| costs(random)).collect();
    let all_limits: Vec<Limits> = some(random, 4).map(|_| limits(random)).collect();
    let instants: Vec<i64> = case.tokens[0].timestamps.to_vec();
    let models = FillModel::NAMES.map(|(_, model)| model);
    let one = |random: &mut Random| Combination {
        range: random.one_of(&ranges),
        weights: random.one_of(&weights),
        threshold: random.one_of(&thresholds),
        sizing: random.one_of(&sizings),
        exits: random.one_of(&exits),
        fill_model: random.one_of(&models),
        costs: random.one_of(&all_costs),
        max_entry_delay: random.one_of(&[None, None, Some(0), Some(10_000 * i128::from(MINUTE))]),
        limits: random.one_of(&all_limits),
        exits_before: match random.between(1, 5) {
            1 => Some(random.one_of(&instants)),
            _ => None,
        },
    };
    (0..count).map(|_| one(random)).collect()
}

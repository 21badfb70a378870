//! Small random histories, and settings that meet their edges.

use std::collections::BTreeMap;

use crate::properties::further_exits::FurtherRules;
use crate::random::Random;
use crate::reference::exit::{MINUTE, Price};
use crate::reference::history::{DAY, History, Outcome, Signal, day_of};
use crate::reference::number::{Number, decimal, show};
use crate::reference::parameters::{ExitStrategy, FillModel, Parameters, Settings};
use crate::reference::scoring::rescore;

/// The days of every history: January 2025, of which settings take a part.
const FIRST_DATE: &str = "2025-01-01";
const DAYS: i64 = 31;

/// 50 to 200 signals on a few tokens, with what really came of some.
pub fn history(random: &mut Random) -> History {
    let mut history = History::default();
    let tokens = random.small(1, 12);
    for token in 0..tokens {
        history
            .prices
            .insert(format!("token-{token:02}"), prices(random));
    }
    for number in 0..random.small(50, 200) {
        let signal = signal(random, number, tokens, &history.prices);
        push_outcomes(random, &signal, &mut history.outcomes);
        history.signals.push(signal);
    }
    // An outcome whose signal is not in the dataset belongs to no backtest.
    history.outcomes.push(Outcome {
        signal_id: "no such signal".to_owned(),
        entry_timestamp: None,
        exit_timestamp: Some(start()),
        realized_pnl_sol: Some(decimal(-5_000_000_000_i64, 9)),
    });
    random.shuffle(&mut history.signals);
    random.shuffle(&mut history.outcomes);
    history
}

fn start() -> i64 {
    day_of(FIRST_DATE) * DAY
}

/// A walk of some hundred prices, dense for a while here and there, with gaps of days between.
fn prices(random: &mut Random) -> Vec<Price> {
    let digits = u32::try_from(random.between(4, 18)).unwrap();
    let mut mantissa = random.between(50, 10_i128.pow(12));
    let mut timestamp = start() + random.small(0, 2 * DAY);
    let mut prices = Vec::new();
    for _ in 0..random.below(600) {
        let percent = random.one_of(&[1, 1, 3, 12, 60]);
        mantissa =
            (mantissa * (1_000 + random.between(-10 * percent, 11 * percent)) / 1_000).max(3);
        let is_zero = random.chance(1, 150);
        prices.push(Price {
            timestamp,
            price: decimal(if is_zero { 0 } else { mantissa }, digits),
        });
        timestamp += match random.below(40) {
            0 => random.small(1, DAY),
            1 => 1,
            _ => random.small(1, 8) * MINUTE / 2,
        };
    }
    prices
}

fn signal(
    random: &mut Random,
    number: i64,
    tokens: i64,
    prices: &BTreeMap<String, Vec<Price>>,
) -> Signal {
    // One token more than there are: some signals have no prices at all.
    let token_address = format!("token-{:02}", random.small(0, tokens));
    let of_token = prices.get(&token_address).map_or(&[][..], Vec::as_slice);
    let timestamp = if of_token.is_empty() || random.chance(1, 5) {
        // Some on a midnight, where ranges begin and end.
        let midnight = start() + random.small(0, DAYS) * DAY;
        random.one_of(&[midnight, midnight - 1, midnight + 12 * 60 * MINUTE])
    } else {
        let at = of_token[random.below(of_token.len())].timestamp;
        at + random.one_of(&[0, 0, 1, -1, -30_000_000, -3 * MINUTE, -61 * MINUTE])
    };
    Signal {
        // Ids do not sort as signals do in time.
        id: format!("signal-{:02}-{number:03}", random.small(0, 99)),
        timestamp,
        token_address,
        source_wallet: random
            .chance(9, 10)
            .then(|| format!("wallet-{}", number % 7)),
        factors: [(); 5].map(|()| {
            let coarse = random.between(0, 20) * 50_000;
            let fine = random.between(0, 1_000_000);
            let millionths = random.one_of(&[coarse, fine, fine]);
            (!random.chance(1, 12)).then(|| decimal(millionths, 6))
        }),
    }
}

/// None, one, or several partial exits; some not closed yet.
fn push_outcomes(random: &mut Random, signal: &Signal, outcomes: &mut Vec<Outcome>) {
    let count = random.one_of(&[0, 0, 1, 1, 2, 3]);
    let entry = signal.timestamp + random.small(0, 90) * 1_000_000;
    for part in 0..count {
        let lamports = random.between(-40_000_000, 50_000_000);
        // A difference of exactly 0.001 between two of them is no change.
        let lamports = random.one_of(&[lamports, lamports / 100_000 * 100_000, 0]);
        // Parts often exit at one instant.
        let minutes = (part + 1) * random.small(1, 600);
        let exit = signal.timestamp + random.one_of(&[minutes, 90]) * MINUTE;
        outcomes.push(Outcome {
            signal_id: signal.id.clone(),
            entry_timestamp: (!random.chance(1, 6)).then_some(entry),
            exit_timestamp: (!random.chance(1, 8)).then_some(exit),
            realized_pnl_sol: (!random.chance(1, 8)).then(|| decimal(lamports, 9)),
        });
    }
}

/// Settings within their ranges, some left to their defaults.
pub fn settings(random: &mut Random, history: &History) -> Settings {
    let mut settings = Settings::new();
    let mut set = |name: &str, value: String| settings.push((name.to_owned(), value));
    let text = |mantissa: i128, digits: u32| show(&decimal(mantissa, digits));

    if random.chance(1, 2) {
        let first = random.small(1, DAYS);
        set("start_date", format!("2025-01-{first:02}"));
        set(
            "end_date",
            format!("2025-01-{:02}", random.small(first, DAYS)),
        );
    }
    let mut weights = Parameters::default().weights;
    if random.chance(1, 2) {
        weights = random_weights(random);
        for (factor, weight) in hindsight::schema::FACTORS.iter().zip(&weights) {
            set(&format!("{factor}_weight"), show(weight));
        }
    }
    // Often exactly the score of some signal.
    let some_signal = &history.signals[random.below(history.signals.len())];
    let threshold = if random.chance(1, 2) {
        show(&rescore(&some_signal.factors, &weights))
    } else {
        text(random.between(0, 7_000), 2)
    };
    set("score_threshold", threshold);

    set(
        "exit_strategy",
        random.one_of(&ExitStrategy::NAMED).0.to_owned(),
    );
    set("fill_model", random.one_of(&FillModel::NAMED).0.to_owned());
    set(
        "stop_loss_percent",
        text(random.between(10_000, 500_000), 4),
    );
    set(
        "take_profit_percent",
        text(random.between(50_000, 5_000_000), 4),
    );
    set(
        "trailing_stop_percent",
        text(random.between(10_000, 300_000), 4),
    );
    set("max_hold_minutes", random.small(5, 1_440).to_string());
    if random.chance(2, 3) {
        for (name, value) in FurtherRules::random(random).settings() {
            set(name, value);
        }
    }
    if random.chance(1, 2) {
        set(
            "base_position_sol",
            text(random.between(1, 2_000_000_000), 9),
        );
        set(
            "max_position_sol",
            text(random.between(1, 2_000_000_000), 9),
        );
        set("scale_with_confidence", random.chance(2, 3).to_string());
        set(
            "confidence_multiplier",
            text(random.between(10_000, 40_000), 4),
        );
    }
    if random.chance(1, 2) {
        set("slippage_percent", text(random.between(0, 100_000), 4));
        set("include_gas_costs", random.chance(2, 3).to_string());
        set("gas_cost_sol", text(random.between(0, 2_000_000), 9));
    }
    if random.chance(1, 2) {
        set("exit_slippage_percent", text(random.between(0, 50_000), 4));
        set("platform_fee_percent", text(random.between(0, 100_000), 4));
        set("priority_fee_sol", text(random.between(0, 1_000_000), 9));
        set(
            "failed_transaction_percent",
            text(random.between(0, 900_000), 4),
        );
    }
    if random.chance(1, 3) {
        let pool = random.between(1, 100_000_000_000);
        set("pool_sol", text(pool, 9));
    }
    if random.chance(1, 2) {
        let limits = [
            ("max_open_positions", random.small(1, 6).to_string()),
            ("max_positions_per_token", random.small(1, 3).to_string()),
            ("token_cooldown_minutes", random.small(0, 300).to_string()),
            ("max_trades_per_day", random.small(1, 12).to_string()),
            (
                "max_daily_loss_sol",
                text(random.between(1, 100_000_000), 9),
            ),
            (
                "starting_balance_sol",
                text(random.between(1, 3_000_000_000), 9),
            ),
        ];
        for (name, value) in limits {
            if random.chance(1, 3) {
                set(name, value);
            }
        }
    }
    if random.chance(1, 3) {
        set("max_entry_delay_minutes", random.small(0, 90).to_string());
    }
    settings
}

/// Five weights that sum to 1.
fn random_weights(random: &mut Random) -> [Number; 5] {
    let mut left = 10_000;
    let mut ten_thousandths = [0; 5];
    for weight in &mut ten_thousandths[..4] {
        *weight = random.between(0, left);
        left -= *weight;
    }
    ten_thousandths[4] = left;
    random.shuffle(&mut ten_thousandths);
    ten_thousandths.map(|weight| decimal(weight, 4))
}

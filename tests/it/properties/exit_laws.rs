//! What no exit may depend on: other prices than those from its signal to its exit, row order,
//! threads, batch size, and the unit that prices are counted in.

use super::exit_cases::{ExitCase, ExitCases};
use super::exits::SIMULATE_EXIT;
use super::session::query;
use crate::engine::Execution;
use crate::price_book::{least_digits, price_book};
use crate::random::{Random, SEED};
use crate::reference::exit::{Price, simulate_exit};
use crate::reference::number::{Number, whole};
use crate::rows::{Cell, Row};

fn exits(cases: &ExitCases) -> Vec<Row> {
    let sql = format!("select id, {SIMULATE_EXIT} as exit from cases order by id");
    let book = price_book(&cases.prices);
    query(&sql, &cases.table_in_order(), &book, Execution::USUAL)
}

/// One case for each token, so that each path can be changed for its case.
fn one_case_for_each_token(test: &str, tokens: usize) -> (Random, ExitCases) {
    let mut random = Random::of_test(test);
    let mut cases = ExitCases::random(&mut random, tokens, 1);
    let prices = &cases.prices;
    cases
        .cases
        .retain(|case| prices.contains_key(&case.token_address));
    (random, cases)
}

fn assert_unchanged(law: &str, cases: &ExitCases, before: &[Row], after: &[Row]) {
    assert_eq!(before.len(), after.len(), "{law}: number of rows");
    for ((case, before), after) in cases.cases.iter().zip(before).zip(after) {
        assert_eq!(
            before,
            after,
            "{law}: {}",
            case.describe(cases.prices_of(case))
        );
    }
}

/// A price that changes much and needs no other scale: 0, or one of another time.
fn other_price(random: &mut Random, prices: &[Price]) -> Number {
    if random.chance(1, 4) {
        whole(0)
    } else {
        prices[random.below(prices.len())].price.clone()
    }
}

#[test]
fn only_prices_from_signal_to_exit_matter() {
    let (mut random, cases) = one_case_for_each_token("only_prices_from_signal_to_exit", 10_000);
    let before = exits(&cases);

    let mut changed = 0;
    let mut edited = ExitCases {
        cases: cases.cases.clone(),
        prices: cases.prices.clone(),
    };
    for case in &cases.cases {
        let Some(exit) = simulate_exit(cases.prices_of(case), case.timestamp, &case.rules()) else {
            continue;
        };
        let prices = edited.prices.get_mut(&case.token_address).unwrap();
        for price in prices.iter_mut() {
            if price.timestamp < case.timestamp || price.timestamp > exit.exit_timestamp {
                price.price = other_price(&mut random, cases.prices_of(case));
                changed += 1;
            }
        }
        // Those before may as well be gone, and those after the end of a trade that a rule ended.
        if random.chance(1, 2) {
            prices.retain(|price| price.timestamp >= case.timestamp);
        }
        if exit.exit_reason != "end_of_data" && random.chance(1, 2) {
            prices.retain(|price| price.timestamp <= exit.exit_timestamp);
        }
    }
    assert!(
        changed > 10_000,
        "HINDSIGHT_SEED={}: {changed} prices changed",
        *SEED
    );
    let after = exits(&edited);
    assert_unchanged(
        "prices before the signal or after the exit",
        &cases,
        &before,
        &after,
    );
}

#[test]
fn neither_row_order_nor_threads_nor_batches_matter() {
    let mut random = Random::of_test("neither_row_order_nor_threads_nor_batches_matter");
    let cases = ExitCases::random(&mut random, 300, 5);
    let before = exits(&cases);
    let book = price_book(&cases.prices);
    let sql = format!("select id, {SIMULATE_EXIT} as exit from cases order by id");
    for how in Execution::all() {
        let mut order: Vec<usize> = (0..cases.cases.len()).collect();
        random.shuffle(&mut order);
        let after = query(&sql, &cases.table(&order), &book, how);
        assert_unchanged(&format!("shuffled, {how:?}"), &cases, &before, &after);
    }
}

#[test]
fn the_unit_of_prices_changes_no_return() {
    let (mut random, mut cases) = one_case_for_each_token("the_unit_of_prices", 10_000);
    let all_prices = &cases.prices;
    cases
        .cases
        .retain(|case| is_return_an_amount(case, &all_prices[&case.token_address]));
    let mut scaled = ExitCases {
        cases: cases.cases.clone(),
        prices: cases.prices.clone(),
    };
    let mut factors = Vec::new();
    for case in &cases.cases {
        let prices = scaled.prices.get_mut(&case.token_address).unwrap();
        let factor = power_of_ten_that_fits(&mut random, prices);
        for price in prices.iter_mut() {
            price.price = &price.price * &factor;
        }
        factors.push(factor);
    }
    assert!(factors.iter().filter(|factor| **factor != whole(1)).count() > 5_000);

    let sql = format!(
        "select id, exit, trade_pnl(0.123, exit['entry_price'], exit['exit_price_exact'], 1.0, \
         0.0001) as pnl from (select id, {SIMULATE_EXIT} as exit from cases) order by id"
    );
    let run = |cases: &ExitCases| {
        let book = price_book(&cases.prices);
        query(&sql, &cases.table_in_order(), &book, Execution::USUAL)
    };
    let (before, after) = (run(&cases), run(&scaled));
    let mut compared = 0;
    for (position, case) in cases.cases.iter().enumerate() {
        compared += assert_scaled(
            case,
            cases.prices_of(case),
            &factors[position],
            &before[position],
            &after[position],
        );
    }
    assert!(compared > 5_000, "{compared} trades compared");
}

/// Whether the trade's PnL is an amount that `numeric(20,9)` holds: no return above 10^9.
fn is_return_an_amount(case: &ExitCase, prices: &[Price]) -> bool {
    simulate_exit(prices, case.timestamp, &case.rules())
        .is_none_or(|exit| exit.exit_price / exit.entry_price < whole(1_000_000_000))
}

/// Every field is the same but the prices, which are `factor` times as high. Counts trades.
fn assert_scaled(
    case: &ExitCase,
    prices: &[Price],
    factor: &Number,
    before: &Row,
    after: &Row,
) -> usize {
    for ((name, before), (_, after)) in before.0.iter().zip(&after.0) {
        // Rounded to 18 digits, which differs in another unit.
        if name == "exit.exit_price" {
            continue;
        }
        let before = match before {
            Cell::Number(price) if name.contains("price") => Cell::Number(price * factor),
            other => other.clone(),
        };
        assert_eq!(
            &before,
            after,
            "{name} with prices × {factor}: {}",
            case.describe(prices)
        );
    }
    usize::from(before.get("exit.entry_price") != Some(&Cell::Null))
}

/// A power of ten, not 1 where the prices leave room, that keeps 18 digits and 63 bits.
fn power_of_ten_that_fits(random: &mut Random, prices: &[Price]) -> Number {
    let fits = |factor: &Number| {
        let scaled: Vec<Price> = prices
            .iter()
            .map(|price| Price {
                timestamp: price.timestamp,
                price: &price.price * factor,
            })
            .collect();
        let highest = scaled.iter().map(|price| &price.price).max();
        let mantissa = |digits: u8| highest.unwrap() * whole(10).pow(digits.into());
        least_digits(&scaled).is_some_and(|digits| mantissa(digits) < whole(i64::MAX))
    };
    let ten = |power: i32| whole(10).pow(power);
    let power = i32::try_from(random.between(1, 6)).unwrap();
    [ten(power), ten(-power), ten(1), ten(-1)]
        .into_iter()
        .find(fits)
        .unwrap_or_else(|| whole(1))
}

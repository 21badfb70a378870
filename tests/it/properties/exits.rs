//! `simulate_exit`, `simulate_exits` and `price_at` equal the reference on 100,000 random cases and
//! more.

use std::collections::BTreeMap;

use super::exit_cases::ExitCases;
use super::session::query;
use crate::engine::Execution;
use crate::price_book::price_book;
use crate::random::{Random, SEED};
use crate::reference::exit::{Exit, simulate_exit, simulate_exits};
use crate::reference::number::rounded;
use crate::rows::{Cell, Row, difference};

/// The call with every argument taken from the row.
pub const SIMULATE_EXIT: &str = "simulate_exit(token_address, timestamp, exit_strategy, \
     stop_loss_percent, take_profit_percent, trailing_stop_percent, max_hold_minutes, fill_model)";

/// The call with every argument that there is taken from the row.
const SIMULATE_EXITS: &str = "simulate_exits(token_address, timestamp, exit_strategy, \
     stop_loss_percent, take_profit_percent, trailing_stop_percent, max_hold_minutes, fill_model, \
     take_profit_ladder, trailing_activation_percent, break_even_percent, stagnation_minutes, \
     moonbag_percent, moonbag_stop_loss_percent, moonbag_max_hold_minutes)";

/// The struct of `simulate_exit` as columns of `exit`.
fn expected(exit: Option<&Exit>) -> Row {
    let mut row = Row::default();
    let mut push = |name: &str, cell: Option<Cell>| row.push(name, cell.unwrap_or(Cell::Null));
    push(
        "exit.entry_timestamp",
        exit.map(|e| e.entry_timestamp.into()),
    );
    push("exit.entry_price", exit.map(|e| (&e.entry_price).into()));
    push("exit.exit_timestamp", exit.map(|e| e.exit_timestamp.into()));
    push(
        "exit.exit_price",
        exit.map(|e| (&rounded(&e.exit_price, 18)).into()),
    );
    push("exit.exit_reason", exit.map(|e| e.exit_reason.into()));
    push(
        "exit.exit_price_exact",
        exit.map(|e| (&e.exit_price).into()),
    );
    row
}

#[test]
fn simulate_exit_equals_reference() {
    let mut random = Random::of_test("simulate_exit_equals_reference");
    let cases = ExitCases::random(&mut random, 20_000, 6);
    assert!(cases.cases.len() >= 100_000);
    let sql = format!("select id, {SIMULATE_EXIT} as exit from cases order by id");
    let book = price_book(&cases.prices);
    let found = query(&sql, &cases.table_in_order(), &book, Execution::USUAL);
    assert_eq!(found.len(), cases.cases.len(), "one row for each case");

    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    for (case, found) in cases.cases.iter().zip(&found) {
        let prices = cases.prices_of(case);
        let exit = simulate_exit(prices, case.timestamp, &case.rules());
        if let Some(difference) = difference(&expected(exit.as_ref()), found) {
            panic!("{difference}\n{}", case.describe(prices));
        }
        let reason = exit.map_or("no trade", |exit| exit.exit_reason);
        let kind = format!("{} {} {reason}", case.exit_strategy, case.fill_model);
        *met.entry(kind).or_default() += 1;
    }
    // Not vacuous: each strategy and fill model has met each end it can have, many times.
    for (strategy, reasons) in [
        ("trailing_stop", vec!["stop_loss", "trailing_stop"]),
        ("fixed_targets", vec!["stop_loss", "take_profit"]),
        ("time_based", vec!["stop_loss"]),
        ("hybrid", vec!["stop_loss", "take_profit", "trailing_stop"]),
    ] {
        for fill_model in ["level", "observed", "conservative"] {
            for reason in reasons
                .iter()
                .chain(&["time_limit", "end_of_data", "no trade"])
            {
                let kind = format!("{strategy} {fill_model} {reason}");
                let times = met.get(&kind).copied().unwrap_or_default();
                assert!(
                    times >= 50,
                    "HINDSIGHT_SEED={}: {kind} met {times} times",
                    *SEED
                );
            }
        }
    }
}

/// The struct of a sale as columns of `sale`.
fn expected_sale(id: usize, sale: Option<&Exit>) -> Row {
    let mut row = Row::default();
    row.push("id", i64::try_from(id).unwrap());
    let mut push = |name: &str, cell: Option<Cell>| row.push(name, cell.unwrap_or(Cell::Null));
    push("sale.part", sale.map(|sale| sale.part.into()));
    let share = sale.map(|sale| (&sale.share_percent).into());
    push("sale.share_percent", share);
    let lowest = sale.map(|sale| (&sale.lowest_price).into());
    push("sale.lowest_price", lowest);
    let highest = sale.map(|sale| (&sale.highest_price).into());
    push("sale.highest_price", highest);
    for (name, cell) in expected(sale).0 {
        push(&name.replace("exit.", "sale."), Some(cell));
    }
    row
}

#[test]
fn simulate_exits_equals_reference() {
    let mut random = Random::of_test("simulate_exits_equals_reference");
    let cases = ExitCases::random(&mut random, 20_000, 6);
    assert!(cases.cases.len() >= 100_000);
    let sql = format!(
        "select id, sale from (select id, unnest({SIMULATE_EXITS}) as sale from cases) \
         order by id, sale['part']"
    );
    let book = price_book(&cases.prices);
    let found = query(&sql, &cases.table_in_order(), &book, Execution::USUAL);
    let mut found = found.iter();

    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    for (id, case) in cases.cases.iter().enumerate() {
        let prices = cases.prices_of(case);
        let sales = simulate_exits(prices, case.timestamp, &case.all_rules());
        let mut expected: Vec<Row> = Vec::new();
        for sale in &sales {
            expected.push(expected_sale(id, Some(sale)));
            *met.entry(format!("{} {}", case.fill_model, sale.exit_reason))
                .or_default() += 1;
        }
        *met.entry(format!("{} sales", sales.len())).or_default() += 1;
        if expected.is_empty() {
            expected.push(expected_sale(id, None));
        }
        for expected in expected {
            let found = found
                .next()
                .unwrap_or_else(|| panic!("no row of case {id}"));
            if let Some(difference) = difference(&expected, found) {
                panic!("{difference}\n{}", case.describe(prices));
            }
        }
    }
    assert!(found.next().is_none(), "more sales than expected");
    let reasons = [
        "stop_loss",
        "take_profit",
        "break_even",
        "trailing_stop",
        "stagnation",
        "time_limit",
        "end_of_data",
    ];
    let kinds = reasons.iter().flat_map(|reason| {
        ["level", "observed", "conservative"].map(|model| format!("{model} {reason}"))
    });
    for kind in kinds.chain((0..=5).map(|sales| format!("{sales} sales"))) {
        let times = met.get(&kind).copied().unwrap_or_default();
        assert!(
            times >= 50,
            "HINDSIGHT_SEED={}: {kind} met {times} times of {met:#?}",
            *SEED
        );
    }
}

#[test]
fn price_at_equals_reference() {
    let mut random = Random::of_test("price_at_equals_reference");
    let cases = ExitCases::random(&mut random, 20_000, 5);
    let sql = "select id, price_at(token_address, timestamp) as price from cases order by id";
    let book = price_book(&cases.prices);
    let found = query(sql, &cases.table_in_order(), &book, Execution::USUAL);
    assert_eq!(found.len(), cases.cases.len());
    for (case, found) in cases.cases.iter().zip(&found) {
        let prices = cases.prices_of(case);
        let mut last = Cell::Null;
        for price in prices {
            if price.timestamp <= case.timestamp {
                last = Cell::from(&price.price);
            }
        }
        let found = found.get("price").unwrap();
        assert_eq!(found, &last, "price_at: {}", case.describe(prices));
    }
}

//! What whole backtests keep to, whatever is set: laws over the rows that a user sees.

use std::collections::BTreeSet;

use super::generate::{history, settings};
use crate::engine::{Execution, TestEngine, block_on};
use crate::engine_golden::named_arguments;
use crate::random::{Random, SEED};
use crate::reference::exit::entry;
use crate::reference::history::History;
use crate::reference::number::whole;
use crate::reference::parameters::Settings;
use crate::rows::{Cell, Row};

const LIMITS: [&str; 6] = [
    "max_open_positions",
    "max_positions_per_token",
    "token_cooldown_minutes",
    "max_trades_per_day",
    "max_daily_loss_sol",
    "starting_balance_sol",
];
/// With an order that their rows have.
const FUNCTIONS: [(&str, &str); 5] = [
    ("backtest", ""),
    (
        "simulate_trades",
        " order by signal_timestamp, signal_id, part",
    ),
    ("compare_trades", ""),
    ("daily_pnl", " order by day"),
    ("exposure", ""),
];

fn engine(history: &History) -> TestEngine {
    block_on(TestEngine::of_history(history, Execution::USUAL))
}

/// The rows without some columns.
fn rows(engine: &TestEngine, call: &str, order: &str, without: &[&str]) -> Vec<Row> {
    let mut rows = engine.rows(&format!("select * from {call}{order}"));
    for row in &mut rows {
        row.0.retain(|(name, _)| !without.contains(&name.as_str()));
    }
    rows
}

fn without(settings: &Settings, names: &[&str]) -> Settings {
    let kept = settings
        .iter()
        .filter(|(name, _)| !names.contains(&name.as_str()));
    kept.cloned().collect()
}

fn with(settings: &Settings, more: &[(&str, &str)]) -> String {
    let more = more
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    named_arguments(&settings.iter().cloned().chain(more).collect())
}

#[test]
fn a_limit_that_is_never_met_changes_nothing() {
    let mut random = Random::of_test("a_limit_that_is_never_met_changes_nothing");
    let mut trades = 0;
    for number in 0..10 {
        let history = history(&mut random);
        let engine = engine(&history);
        for _ in 0..3 {
            let settings = without(&settings(&mut random, &history), &LIMITS);
            // A cooldown of 0 would be met by a position that is open; the rest never is.
            let never = with(
                &settings,
                &[
                    ("max_open_positions", "1000"),
                    ("max_positions_per_token", "1000"),
                    ("max_trades_per_day", "1000"),
                    ("max_daily_loss_sol", "99999"),
                    ("starting_balance_sol", "9999999"),
                ],
            );
            let none = named_arguments(&settings);
            for (function, order) in FUNCTIONS {
                let call = |arguments: &str| format!("{function}({arguments})");
                let expected = rows(&engine, &call(&none), order, &LIMITS);
                let found = rows(&engine, &call(&never), order, &LIMITS);
                let case = format!("HINDSIGHT_SEED={}, history {number}", *SEED);
                assert_eq!(found, expected, "{case}: {function}({never})");
                trades += usize::from(function == "simulate_trades") * found.len();
            }
        }
    }
    assert!(trades > 300, "{trades} trades");
}

#[test]
fn a_ladder_out_of_reach_is_none_and_parts_of_one_rule_set_are_the_whole() {
    let mut random = Random::of_test("a_ladder_out_of_reach_is_none");
    let exits = ["exit_strategy", "take_profit_ladder", "moonbag_percent"];
    let own = ["moonbag_stop_loss_percent", "moonbag_max_hold_minutes"];
    let armed = ["break_even_percent", "stagnation_minutes"];
    let mut trades = 0;
    for number in 0..16 {
        let history = history(&mut random);
        let engine = engine(&history);
        let settings = without(
            &settings(&mut random, &history),
            &[&exits[..], &own].concat(),
        );
        let alone = without(&settings, &armed);
        for (of, parts, whole) in [
            // A strategy with a ladder out of reach is the one that arms no target.
            (
                &settings,
                &[
                    ("exit_strategy", "hybrid"),
                    ("take_profit_ladder", "40@90000, 60@99999"),
                ][..],
                &[("exit_strategy", "trailing_stop")][..],
            ),
            (
                &settings,
                &[
                    ("exit_strategy", "fixed_targets"),
                    ("take_profit_ladder", "5@99999"),
                ],
                &[("exit_strategy", "time_based")],
            ),
            // A moonbag beside a part with the same stop and time limit alone.
            (
                &alone,
                &[("exit_strategy", "time_based"), ("moonbag_percent", "40")],
                &[("exit_strategy", "time_based")],
            ),
        ] {
            let (parts, whole) = (with(of, parts), with(of, whole));
            for (function, order) in FUNCTIONS {
                let call = |arguments: &str| format!("{function}({arguments})");
                let expected = rows(&engine, &call(&whole), order, &exits);
                let found = rows(&engine, &call(&parts), order, &exits);
                let case = format!("HINDSIGHT_SEED={}, history {number}", *SEED);
                assert_eq!(found, expected, "{case}: {function}({parts})");
                trades += usize::from(function == "simulate_trades") * found.len();
            }
        }
    }
    assert!(trades > 300, "{trades} trades");
}

#[test]
fn the_unit_of_prices_changes_nothing_but_prices() {
    let mut random = Random::of_test("the_unit_of_prices_changes_nothing_but_prices");
    let mut trades = 0;
    for number in 0..8 {
        let history = history(&mut random);
        let factor = whole(10).pow(random.one_of(&[1, 2, 4]));
        let mut scaled = history.clone();
        for price in scaled.prices.values_mut().flatten() {
            price.price = &price.price * &factor;
        }
        let (engine, other) = (engine(&history), engine(&scaled));
        for _ in 0..3 {
            let arguments = named_arguments(&settings(&mut random, &history));
            for (function, order) in FUNCTIONS {
                let call = format!("{function}({arguments})");
                let prices = ["entry_price", "exit_price"];
                let expected = rows(&engine, &call, order, &prices);
                let found = rows(&other, &call, order, &prices);
                let case = format!("HINDSIGHT_SEED={}, history {number}", *SEED);
                assert_eq!(found, expected, "{case} × {factor}: {call}");
            }
            let entries = format!(
                "select entry_price from simulate_trades({arguments}) order by signal_timestamp, signal_id, part"
            );
            for (before, after) in engine.rows(&entries).iter().zip(other.rows(&entries)) {
                let (Cell::Number(before), Cell::Number(after)) = (&before.0[0].1, &after.0[0].1)
                else {
                    panic!("{before:?}, {after:?}");
                };
                assert_eq!(*after, before * &factor);
                trades += 1;
            }
        }
    }
    assert!(trades > 300, "{trades} trades");
}

#[test]
fn nothing_depends_on_what_comes_later() {
    let mut random = Random::of_test("nothing_depends_on_what_comes_later");
    let (mut ended, mut refused, mut differ) = (0, 0, 0);
    for number in 0..12 {
        let history = history(&mut random);
        // In the middle of what there is to trade.
        let mut instants: Vec<i64> = history.signals.iter().map(|s| s.timestamp).collect();
        instants.sort_unstable();
        let instant = instants[instants.len() / 2 + random.below(instants.len() / 4)];
        // Every later price is one of another time.
        let mut other = history.clone();
        for (token, prices) in &mut other.prices {
            let all = &history.prices[token];
            for price in prices.iter_mut().filter(|price| price.timestamp > instant) {
                price.price = all[random.below(all.len())].price.clone();
            }
        }
        let entered: BTreeSet<&str> = history
            .signals
            .iter()
            .filter(|signal| {
                let prices = history.prices.get(&signal.token_address);
                let prices = prices.map_or(&[][..], Vec::as_slice);
                entry(prices, signal.timestamp).is_some_and(|at| prices[at].timestamp <= instant)
            })
            .map(|signal| signal.id.as_str())
            .collect();
        let (engine, changed) = (engine(&history), engine(&other));
        for _ in 0..6 {
            let mut settings = without(&settings(&mut random, &history), &LIMITS);
            let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            settings.push(random.one_of(&[
                set("max_open_positions", "2"),
                set("token_cooldown_minutes", "240"),
                set("max_trades_per_day", "3"),
            ]));
            settings.push(random.one_of(&[
                set("max_daily_loss_sol", "0.01"),
                set("starting_balance_sol", "0.3"),
            ]));
            let arguments = named_arguments(&settings);
            let trades = |engine: &TestEngine| {
                let order = " order by signal_timestamp, signal_id, part";
                rows(engine, &format!("simulate_trades({arguments})"), order, &[])
            };
            let is_over = |row: &Row| match row.get("exit_timestamp") {
                Some(Cell::Number(at)) => *at <= whole(instant),
                _ => false,
            };
            let (before, after) = (trades(&engine), trades(&changed));
            differ += usize::from(before != after);
            let over = |rows: Vec<Row>| rows.into_iter().filter(is_over).collect::<Vec<_>>();
            let (before, after) = (over(before), over(after));
            let case = format!("HINDSIGHT_SEED={}, history {number}", *SEED);
            assert_eq!(after, before, "{case}: simulate_trades({arguments})");
            ended += before.len();

            let reasons = |engine: &TestEngine| {
                let sql = format!(
                    "select signal_id, skip_reason from compare_trades({arguments}) order by signal_id"
                );
                let mut rows = engine.rows(&sql);
                rows.retain(|row| match row.get("signal_id") {
                    Some(Cell::Text(id)) => entered.contains(id.as_str()),
                    _ => false,
                });
                rows
            };
            let (before, after) = (reasons(&engine), reasons(&changed));
            assert_eq!(after, before, "{case}: compare_trades({arguments})");
            let by_limit = |row: &&Row| match row.get("skip_reason") {
                Some(Cell::Text(reason)) => reason != "below_threshold" && reason != "untradable",
                _ => false,
            };
            refused += before.iter().filter(by_limit).count();
        }
    }
    assert!(ended > 100, "{ended} trades that were over");
    assert!(refused > 50, "{refused} signals refused by a limit");
    assert!(differ > 10, "only {differ} of 72 have other trades later");
}

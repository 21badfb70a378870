//! Whole backtests of random histories: everything the engine says equals the reference, and a row
//! of a sweep equals the single call.

pub mod generate;
mod laws;

use generate::{history, settings};

use crate::engine::{Execution, TestEngine, block_on};
use crate::engine_golden::named_arguments;
use crate::random::{Random, SEED};
use crate::reference::backtest::backtest;
use crate::reference::parameters::{Parameters, Settings};
use crate::reference_rows;
use crate::rows::{Cell, Row, assert_same};

const HISTORIES: usize = 25;
const SETTINGS_FOR_EACH: usize = 4;

#[test]
fn engine_equals_reference_on_random_histories() {
    let mut random = Random::of_test("engine_equals_reference_on_random_histories");
    let (mut trades, mut limited) = (0, 0);
    for number in 0..HISTORIES {
        let history = history(&mut random);
        let engine = block_on(TestEngine::of_history(&history, Execution::USUAL));
        for _ in 0..SETTINGS_FOR_EACH {
            let settings = settings(&mut random, &history);
            let expected = backtest(&history, &Parameters::with(&settings));
            trades += expected.trades.len();
            let row = reference_rows::backtest(&expected);
            check(&engine, number, &settings, "backtest", "", &[row]);
            let of_trades: Vec<Row> = expected.trades.iter().map(reference_rows::trade).collect();
            let order = " order by signal_timestamp, signal_id, part";
            check(
                &engine,
                number,
                &settings,
                "simulate_trades",
                order,
                &of_trades,
            );
            let comparisons = expected.comparisons.iter().map(reference_rows::comparison);
            let comparisons: Vec<Row> = comparisons.collect();
            check(
                &engine,
                number,
                &settings,
                "compare_trades",
                "",
                &comparisons,
            );
            let curve = expected
                .equity_curve
                .iter()
                .map(reference_rows::equity_point);
            let curve: Vec<Row> = curve.collect();
            let order = " order by timestamp, signal_id";
            check(&engine, number, &settings, "equity_curve", order, &curve);
            let days: Vec<Row> = expected.days.iter().map(reference_rows::day).collect();
            for function in ["daily_pnl", "daily_pnl_by_queries"] {
                check(&engine, number, &settings, function, " order by day", &days);
            }
            let exposure = expected.exposure.iter().map(reference_rows::exposure);
            let exposure: Vec<Row> = exposure.collect();
            check(&engine, number, &settings, "exposure", "", &exposure);
            let arguments = named_arguments(&settings);
            let interval = |function: &str| {
                let sql = format!("select * from {function}({arguments}, resamples => 50)");
                engine.rows(&sql)
            };
            assert_same(
                &format!("HINDSIGHT_SEED={}, pnl_interval({arguments})", *SEED),
                &interval("pnl_interval_by_queries"),
                &interval("pnl_interval"),
            );
            let by_queries = [reference_rows::backtest(&expected)];
            check(
                &engine,
                number,
                &settings,
                "backtest_by_queries",
                "",
                &by_queries,
            );
            limited += expected.limited_signals;
        }
    }
    assert!(limited > 300, "HINDSIGHT_SEED={}: {limited} refused", *SEED);
    assert!(trades > 1_000, "HINDSIGHT_SEED={}: {trades} trades", *SEED);
}

fn check(
    engine: &TestEngine,
    history: usize,
    settings: &Settings,
    function: &str,
    order: &str,
    expected: &[Row],
) {
    let arguments = named_arguments(settings);
    let sql = format!("select * from {function}({arguments}){order}");
    let case = format!("HINDSIGHT_SEED={}, history {history}: {sql}", *SEED);
    assert_same(&case, expected, &engine.rows(&sql));
}

/// What a sweep varies: a parameter and its values, as text.
type Axis = (&'static str, Vec<&'static str>);

/// Axes whose arrays multiply to some dozens of combinations.
fn axes() -> Vec<Axis> {
    vec![
        (
            "exit_strategy",
            vec![
                "'trailing_stop'",
                "'fixed_targets'",
                "'time_based'",
                "'hybrid'",
            ],
        ),
        ("stop_loss_percent", vec!["1", "8.5", "50"]),
        ("take_profit_percent", vec!["5", "80"]),
        ("trailing_stop_percent", vec!["1", "12.25"]),
        ("max_hold_minutes", vec!["5", "240"]),
        (
            "fill_model",
            vec!["'level'", "'observed'", "'conservative'"],
        ),
        ("take_profit_ladder", vec!["'30@2, 30@5'", "'100@3'"]),
        ("trailing_activation_percent", vec!["0", "2.5"]),
        ("break_even_percent", vec!["0.5", "4"]),
        ("stagnation_minutes", vec!["1", "30"]),
        ("moonbag_percent", vec!["0", "40"]),
        ("moonbag_stop_loss_percent", vec!["1", "60"]),
        ("moonbag_max_hold_minutes", vec!["5", "2880"]),
        ("score_threshold", vec!["0", "55.5", "100"]),
        ("base_position_sol", vec!["0.05", "0.2"]),
        ("confidence_multiplier", vec!["1", "2.5"]),
        ("slippage_percent", vec!["0", "2.5"]),
        ("exit_slippage_percent", vec!["0", "1.25"]),
        ("platform_fee_percent", vec!["0", "1"]),
        ("pool_sol", vec!["20", "85.5"]),
        ("max_open_positions", vec!["1", "4"]),
        ("token_cooldown_minutes", vec!["0", "90"]),
        ("max_daily_loss_sol", vec!["0.01", "5"]),
        ("starting_balance_sol", vec!["0.3", "2"]),
    ]
}

#[test]
fn a_row_of_a_sweep_equals_the_single_call() {
    let mut random = Random::of_test("a_row_of_a_sweep_equals_the_single_call");
    for number in 0..6 {
        let history = history(&mut random);
        let engine = block_on(TestEngine::of_history(&history, Execution::USUAL));
        let mut axes = axes();
        random.shuffle(&mut axes);
        axes.truncate(4);
        // A ladder and a moonbag may be more than there is.
        if axes.iter().any(|(name, _)| *name == "moonbag_percent") {
            axes.retain(|(name, _)| *name != "take_profit_ladder");
        }
        let array = |(name, values): &Axis| format!("{name} => [{}]", values.join(", "));
        let arguments: Vec<String> = axes.iter().map(array).collect();
        let sweep = format!("select * from backtest({})", arguments.join(", "));
        let found = engine.rows(&sweep);
        let combinations = axes
            .iter()
            .map(|(_, values)| values.len())
            .product::<usize>();
        assert_eq!(found.len(), combinations, "{sweep}");

        let mut seen: Vec<String> = Vec::new();
        for row in &found {
            let value = |name: &str| match row.get(name) {
                Some(Cell::Text(text)) => format!("'{text}'"),
                Some(other) => format!("{other:?}"),
                None => panic!("{sweep}: no column {name}"),
            };
            let single = |(name, _): &Axis| format!("{name} => {}", value(name));
            let arguments: Vec<String> = axes.iter().map(single).collect();
            let single = format!("select * from backtest({})", arguments.join(", "));
            assert!(!seen.contains(&single), "{sweep}: twice {single}");
            let alone = engine.rows(&single);
            let case = format!(
                "HINDSIGHT_SEED={}, history {number}: {sweep}: {single}",
                *SEED
            );
            assert_same(&case, &alone, std::slice::from_ref(row));
            seen.push(single);
        }
    }
}

#[test]
fn backtests_do_not_depend_on_execution() {
    let mut random = Random::of_test("backtests_do_not_depend_on_execution");
    let history = history(&mut random);
    let settings = settings(&mut random, &history);
    let arguments = named_arguments(&settings);
    let statements = [
        "backtest",
        "simulate_trades",
        "compare_trades",
        "equity_curve",
    ]
    .map(|function| format!("select * from {function}({arguments})"));
    let run = |how| {
        let engine = block_on(TestEngine::of_history(&history, how));
        statements.each_ref().map(|sql| engine.rows(sql))
    };
    let before = run(Execution::USUAL);
    for how in Execution::all() {
        let after = run(how);
        for ((sql, before), after) in statements.iter().zip(&before).zip(&after) {
            assert_eq!(before, after, "HINDSIGHT_SEED={}, {how:?}: {sql}", *SEED);
        }
    }
}

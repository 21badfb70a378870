//! Walk-forward and overfitting: held to backtests run one by one, to a history whose best rule changes,
//! to one that is nothing but noise, and to prices that nobody could know.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::datatypes::Date32Type;
use hindsight_statistics::overfitting::overfitting;
use num_traits::ToPrimitive;

use crate::engine::{Execution, TestEngine, block_on};
use crate::histories::generate::history;
use crate::random::Random;
use crate::reference::exit::{MINUTE, Price};
use crate::reference::history::{DAY, History, Signal, day_of};
use crate::reference::number::{Number, decimal, whole};
use crate::rows::{Cell, Row};

const FIRST: &str = "2025-01-01";

fn engine(history: &History) -> TestEngine {
    block_on(TestEngine::of_history(history, Execution::USUAL))
}

fn number(row: &Row, name: &str) -> Number {
    match row.get(name) {
        Some(Cell::Number(number)) => number.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

fn integer(row: &Row, name: &str) -> i64 {
    number(row, name).to_integer().to_i64().unwrap()
}

fn text(row: &Row, name: &str) -> String {
    match row.get(name) {
        Some(Cell::Text(text)) => text.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

/// A day of the histories, counted from their first.
fn date(day: i64) -> String {
    let day = i32::try_from(day_of(FIRST) + day).unwrap();
    format!("'{}'", Date32Type::to_naive_date_opt(day).unwrap())
}

/// The grid of the tests: every combination in its order, as arguments.
const GRID: &str = "exit_strategy => ['time_based', 'hybrid'], score_threshold => [30, 50, 60], \
                    stop_loss_percent => [5, 30]";

fn combinations() -> Vec<String> {
    let mut all = Vec::new();
    for threshold in [30, 50, 60] {
        for strategy in ["time_based", "hybrid"] {
            for stop in [5, 30] {
                all.push(format!(
                    "exit_strategy => '{strategy}', score_threshold => {threshold}, \
                     stop_loss_percent => {stop}"
                ));
            }
        }
    }
    all
}

/// What a training comes to: trades that ended before an instant, of signals of which nothing is sold
/// later.
fn trained(engine: &TestEngine, range: &str, combination: &str, before: i64) -> (i64, Number) {
    let rows = engine.rows(&format!(
        "select * from simulate_trades({range}, {combination})"
    ));
    let late: BTreeSet<String> = rows
        .iter()
        .filter(|row| integer(row, "exit_timestamp") >= before)
        .map(|row| text(row, "signal_id"))
        .collect();
    let kept = rows
        .iter()
        .filter(|row| !late.contains(&text(row, "signal_id")));
    let (mut count, mut sum) = (0, whole(0));
    for row in kept {
        count += 1;
        sum += number(row, "net_pnl_sol");
    }
    (count, crate::reference::number::rounded(&sum, 4))
}

#[test]
fn every_fold_is_its_backtests_one_by_one() {
    let mut random = Random::of_test("walk_forward");
    let (mut folds_seen, mut late, mut tested_trades) = (0, 0, 0);
    for case in 0..3 {
        let history = history(&mut random);
        let engine = engine(&history);
        let anchored = case == 1;
        // While tokens have prices.
        let (days, train, test) = (10, 3, 2);
        let rows = engine.rows(&format!(
            "select * from walk_forward(start_date => '2025-01-02', end_date => '2025-01-11', {GRID}, \
             max_hold_minutes => 1440, train_days => {train}, test_days => {test}, anchored => {anchored})"
        ));
        assert_eq!(rows.len(), 4, "3 + 3 × 2 + 1 days");
        for (fold, row) in rows.iter().enumerate() {
            folds_seen += 1;
            let first = i64::try_from(fold).unwrap() * test;
            let (from, to) = (if anchored { 0 } else { first }, first + train);
            let last = (to + test).min(days);
            let range = |from: i64, to: i64| {
                let (start, end) = (date(1 + from), date(1 + to - 1));
                format!("start_date => {start}, end_date => {end}, max_hold_minutes => 1440")
            };
            let instant = (day_of("2025-01-02") + to) * DAY;
            let mut best: Option<(usize, (i64, Number))> = None;
            for (place, combination) in combinations().iter().enumerate() {
                let training = trained(&engine, &range(from, to), combination, instant);
                let all = format!(
                    "select * from simulate_trades({}, {combination})",
                    range(from, to)
                );
                late += engine.rows(&all).len() - usize::try_from(training.0).unwrap();
                if best
                    .as_ref()
                    .is_none_or(|(_, (_, most))| training.1 > *most)
                {
                    best = Some((place, training));
                }
            }
            let (place, (trades, pnl)) = best.unwrap();
            let winner = &combinations()[place];
            let tested = engine.rows(&format!(
                "select * from backtest({}, {winner})",
                range(to, last)
            ));
            let given = format!(
                "exit_strategy => '{}', score_threshold => {}, stop_loss_percent => {}",
                text(row, "exit_strategy"),
                number(row, "score_threshold"),
                number(row, "stop_loss_percent")
            );
            assert_eq!(given, *winner, "fold {fold} of case {case}");
            assert_eq!(integer(row, "train_trades"), trades);
            tested_trades += integer(row, "test_trades");
            assert_eq!(number(row, "train_pnl_sol"), pnl);
            assert_eq!(number(row, "train_objective"), pnl);
            for (name, of_backtest) in [
                ("test_objective", "simulated_total_pnl_sol"),
                ("test_trades", "simulated_total_trades"),
                ("test_pnl_sol", "simulated_total_pnl_sol"),
                ("test_win_rate", "simulated_win_rate"),
                ("test_actual_pnl_sol", "actual_total_pnl_sol"),
            ] {
                assert_eq!(number(row, name), number(&tested[0], of_backtest), "{name}");
            }
        }
    }
    assert!(folds_seen == 12 && late > 0, "{late} trades ended too late");
    assert!(tested_trades > 20, "only {tested_trades} trades tested");
}

#[test]
fn an_objective_of_both_sides_leaves_signals_out_of_both() {
    let mut random = Random::of_test("both_sides");
    let history = history(&mut random);
    let engine = engine(&history);
    let rows = engine.rows(
        "select * from walk_forward(start_date => '2025-01-01', end_date => '2025-01-30', \
         score_threshold => 30, train_days => 10, test_days => 10, objective => 'pnl_difference_sol')",
    );
    for (fold, row) in (0_i64..).zip(&rows) {
        let (from, to) = (fold * 10, fold * 10 + 10);
        let instant = (day_of(FIRST) + to) * DAY;
        let range = format!("start_date => {}, end_date => {}", date(from), date(to - 1));
        let late: BTreeSet<String> = engine
            .rows(&format!(
                "select * from simulate_trades({range}, score_threshold => 30)"
            ))
            .iter()
            .filter(|row| integer(row, "exit_timestamp") >= instant)
            .map(|row| text(row, "signal_id"))
            .collect();
        let (mut simulated, mut actual) = (whole(0), whole(0));
        for row in engine.rows(&format!(
            "select * from compare_trades({range}, score_threshold => 30)"
        )) {
            let pnl = |name: &str| match row.get(name) {
                Some(Cell::Number(number)) => number.clone(),
                _ => whole(0),
            };
            if !late.contains(&text(&row, "signal_id")) {
                simulated += pnl("simulated_pnl_sol");
                actual += pnl("actual_pnl_sol");
            }
        }
        let rounded = |sum: &Number| crate::reference::number::rounded(sum, 4);
        let expected = rounded(&simulated) - rounded(&actual);
        assert_eq!(number(row, "train_objective"), expected, "fold {fold}");
    }
    assert_eq!(rows.len(), 2);
}

#[test]
fn no_price_after_the_start_of_a_test_changes_its_training() {
    let mut random = Random::of_test("look_ahead");
    let mut tests_changed = 0;
    for _ in 0..3 {
        let history = history(&mut random);
        let sql = format!(
            "select fold, exit_strategy, score_threshold, stop_loss_percent, train_objective, \
             train_trades, train_pnl_sol, test_pnl_sol from walk_forward(start_date => '2025-01-01', \
             end_date => '2025-01-10', {GRID}, train_days => 2, test_days => 2)"
        );
        let told = engine(&history).rows(&sql);
        assert_eq!(told.len(), 4);
        for (fold, row) in (0_i64..).zip(&told) {
            let test = (day_of(FIRST) + 2 + 2 * fold) * DAY;
            let mut other = history.clone();
            for price in other.prices.values_mut().flatten() {
                if price.timestamp >= test && price.price > whole(0) {
                    // Three digits more at the most, as many as every price has left.
                    let factor = whole(random.small(1, 9));
                    price.price = &price.price * factor;
                }
            }
            let mut changed = engine(&other).rows(&sql);
            let mut changed = changed.remove(usize::try_from(fold).unwrap()).0;
            let mut training = row.0.clone();
            tests_changed += usize::from(changed.pop() != training.pop());
            assert_eq!(changed, training, "fold {fold}");
        }
    }
    assert!(
        tests_changed >= 6,
        "only {tests_changed} of 12 tests changed"
    );
}

/// One signal an hour, each of a token of its own with these prices from it on, every ten minutes.
fn hourly(days: i64, mut path: impl FnMut(i64) -> Vec<i64>) -> History {
    let mut history = History::default();
    for hour in 0..days * 24 {
        let at = day_of(FIRST) * DAY + hour * 60 * MINUTE;
        let token = format!("token-{hour:05}");
        let prices = (0..).zip(path(hour / 24)).map(|(step, price)| Price {
            timestamp: at + step * 10 * MINUTE,
            price: whole(price),
        });
        history.prices.insert(token.clone(), prices.collect());
        history.signals.push(Signal {
            id: format!("signal-{hour:05}"),
            timestamp: at,
            token_address: token,
            source_wallet: None,
            factors: [(); 5].map(|()| Some(decimal(9, 1))),
        });
    }
    history
}

#[test]
fn the_winner_changes_when_the_market_does() {
    // In the first half what falls goes on falling; in the second it recovers.
    let history = hourly(60, |day| match day < 30 {
        true => vec![100, 92, 70, 70, 70],
        false => vec![100, 92, 140, 140, 140],
    });
    let rows = engine(&history).rows(
        "select * from walk_forward(start_date => '2025-01-01', end_date => '2025-03-01', \
         exit_strategy => 'time_based', max_hold_minutes => 40, stop_loss_percent => [5, 40], \
         train_days => 10, test_days => 5)",
    );
    assert_eq!(rows.len(), 10);
    for (fold, row) in (0_i64..).zip(&rows) {
        let (train, test) = (fold * 5, fold * 5 + 10);
        let stop = number(row, "stop_loss_percent");
        if test <= 30 {
            assert_eq!(stop, whole(5), "fold {fold}");
        }
        if train >= 30 {
            assert_eq!(stop, whole(40), "fold {fold}");
            assert!(number(row, "efficiency") > decimal(9, 1));
        }
        // Chosen for a market that is over: the first five days of the new one are lost.
        if test == 30 {
            assert!(number(row, "test_pnl_sol") < whole(0), "fold {fold}");
            assert_eq!(
                row.get("efficiency"),
                Some(&Cell::Null),
                "no gain to begin with"
            );
        }
    }
}

#[test]
fn the_best_of_noise_is_no_better_than_the_middle() {
    let mut random = Random::of_test("noise");
    // Every hold limit meets prices of its own.
    let history = hourly(120, |_| {
        let mut prices = vec![1_000];
        prices.extend((0..40).map(|_| random.small(900, 1_100)));
        prices
    });
    let engine = engine(&history);
    let settings = "exit_strategy => 'time_based', stop_loss_percent => 50, slippage_percent => 0, \
                    include_gas_costs => false, max_hold_minutes => range(10, 400, 10)";
    let rows = engine.rows(&format!(
        "select * from walk_forward(start_date => '2025-01-01', end_date => '2025-04-30', {settings}, \
         train_days => 30, test_days => 10)"
    ));
    assert_eq!(rows.len(), 9);
    let mut above = 0;
    for (fold, row) in (0_i64..).zip(&rows) {
        let sorted = |from: i64, to: i64| {
            let all = engine.rows(&format!(
                "select simulated_total_pnl_sol from backtest(start_date => {}, end_date => {}, \
                 {settings})",
                date(from),
                date(to - 1)
            ));
            let mut all: Vec<Number> = all
                .iter()
                .map(|row| number(row, "simulated_total_pnl_sol"))
                .collect();
            all.sort();
            all
        };
        let (train, test) = (fold * 10, fold * 10 + 30);
        let trained = sorted(train, test);
        assert!(number(row, "train_pnl_sol") > trained[trained.len() / 2]);
        let tested = sorted(test, test + 10);
        let median = &tested[tested.len() / 2];
        above += i32::from(number(row, "test_pnl_sol") > *median);
    }
    assert!(
        (1..=7).contains(&above),
        "above the middle in {above} of 9 folds"
    );
}

#[test]
fn overfitting_is_that_of_the_daily_sums_of_every_combination() {
    let mut random = Random::of_test("overfitting");
    for blocks in [2, 4, 10] {
        let history = history(&mut random);
        let engine = engine(&history);
        let range = "start_date => '2025-01-02', end_date => '2025-01-24'";
        let rows = engine.rows(&format!(
            "select * from overfitting({range}, {GRID}, blocks => {blocks})"
        ));
        let first = day_of("2025-01-02");
        let series: Vec<Vec<f64>> = combinations()
            .iter()
            .map(|combination| {
                let mut days: BTreeMap<i64, Number> = BTreeMap::new();
                let sql = format!("select * from simulate_trades({range}, {combination})");
                for trade in engine.rows(&sql) {
                    let day = integer(&trade, "exit_timestamp").div_euclid(DAY) - first;
                    *days.entry(day.clamp(0, 22)).or_insert(whole(0)) +=
                        number(&trade, "net_pnl_sol");
                }
                let lamports = |pnl: &Number| (pnl * whole(1_000_000_000)).to_f64();
                let of_day = |day: i64| days.get(&day).and_then(lamports);
                (0..23).map(|day| of_day(day).unwrap_or(0.0)).collect()
            })
            .collect();
        let series: Vec<&[f64]> = series.iter().map(Vec::as_slice).collect();
        let found = overfitting(&series, blocks, &|| true).unwrap();
        let row = &rows[0];
        assert_eq!(integer(row, "combinations"), 12);
        assert_eq!(
            integer(row, "undefined_combinations"),
            found.undefined as i64
        );
        assert_eq!(integer(row, "days"), 23);
        let best = format!(
            "exit_strategy => '{}', score_threshold => {}, stop_loss_percent => {}",
            text(row, "exit_strategy"),
            number(row, "score_threshold"),
            number(row, "stop_loss_percent")
        );
        assert_eq!(best, combinations()[found.best.unwrap()]);
        for (name, expected) in [
            ("best_sharpe", found.best_sharpe),
            ("expected_best_sharpe", found.expected_best_sharpe),
            ("deflated_sharpe_ratio", found.deflated_sharpe_ratio),
            (
                "probability_of_overfitting",
                found.probability_of_overfitting,
            ),
        ] {
            match (row.get(name), expected) {
                (Some(Cell::Null), None) => {}
                (Some(Cell::Number(found)), Some(expected)) => {
                    let far = (found.to_f64().unwrap() - expected).abs();
                    assert!(far <= 1e-9, "{name}: {found} and {expected}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}

//! The ratios of risk of `backtest` and the sums of `daily_pnl` against numpy and, where it is there,
//! ffn, on 50 random backtests of both sides.

#[path = "../../crates/statistics/tests/python/mod.rs"]
pub(crate) mod python;

use std::collections::BTreeMap;
use std::path::Path;

use num_traits::ToPrimitive;
use serde_json::{Value, json};

use crate::engine::{Execution, TestEngine, block_on};
use crate::engine_golden::named_arguments;
use crate::histories::generate::{history, settings};
use crate::random::{Random, SEED};
use crate::reference::history::{DAY, day_of};
use crate::rows::{Cell, Row};

fn number(row: &Row, name: &str) -> Option<f64> {
    match row.get(name) {
        Some(Cell::Number(number)) => number.to_f64(),
        Some(Cell::Null) => None,
        other => panic!("{name}: {other:?}"),
    }
}

const RATIOS: [&str; 5] = [
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "max_drawdown_sol",
    "sqn",
];

#[test]
fn ratios_of_risk_are_those_of_numpy() {
    let Some(python) = python::python() else {
        eprintln!("SKIPPED: ratios_of_risk_are_those_of_numpy needs a Python with numpy");
        return;
    };
    let mut random = Random::of_test("ratios_of_risk_are_those_of_numpy");
    let (mut cases, mut rows, mut days) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..10 {
        let history = history(&mut random);
        let engine = block_on(TestEngine::of_history(&history, Execution::USUAL));
        for _ in 0..5 {
            let arguments = named_arguments(&settings(&mut random, &history));
            let row = engine.rows(&format!("select * from backtest({arguments})"));
            let first = match row[0].get("start_date") {
                Some(Cell::Text(date)) => day_of(date),
                other => panic!("{other:?}"),
            };
            let of_days = engine.rows(&format!(
                "select * from daily_pnl({arguments}) order by day"
            ));
            let simulated = "select exit_timestamp, net_pnl_sol as pnl from simulate_trades";
            let actual = "select o.exit_timestamp, o.realized_pnl_sol as pnl from compare_trades";
            let joined = "c join trade_outcomes o on o.signal_id = c.signal_id \
                          where o.exit_timestamp is not null and o.realized_pnl_sol is not null";
            for (side, sql) in [
                (
                    "simulated",
                    format!("{simulated}({arguments}) order by exit_timestamp, signal_id, part"),
                ),
                (
                    "actual",
                    format!("{actual}({arguments}) {joined} order by 1, o.signal_id, 2"),
                ),
            ] {
                let trades: Vec<Value> = engine
                    .rows(&sql)
                    .iter()
                    .map(|row| {
                        let exit = number(row, "exit_timestamp").unwrap() as i64;
                        json!([exit.div_euclid(DAY) - first, number(row, "pnl")])
                    })
                    .collect();
                let drawdown = number(&row[0], &format!("{side}_max_drawdown_sol"));
                cases.push(json!({
                    "days": of_days.len(), "trades": trades, "max_drawdown_sol": drawdown,
                }));
                rows.push((side, arguments.clone(), row[0].clone()));
                days.push(of_days.clone());
            }
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/statistics/risk.py");
    let answers = python::answers(&python, &script, &cases);
    assert_eq!(answers.len(), 100);
    let mut defined: BTreeMap<String, usize> = BTreeMap::new();
    for (((side, arguments, row), days), answer) in rows.iter().zip(days).zip(&answers) {
        let case = format!("HINDSIGHT_SEED={}: {side} of {arguments}", *SEED);
        for name in RATIOS {
            let found = number(row, &format!("{side}_{name}"));
            for (of, expected) in [("numpy", name.to_owned()), ("ffn", format!("ffn_{name}"))] {
                let Some(expected) = answer.get(&expected) else {
                    continue;
                };
                match (found, expected.as_f64()) {
                    (None, None) => {}
                    // What is shown is rounded to 4 digits.
                    (Some(found), Some(expected)) => {
                        let bound = 5e-5 + 1e-9 * expected.abs().max(1.0);
                        let far = (found - expected).abs();
                        assert!(far <= bound, "{case}: {name} {found}, {of} {expected}");
                        *defined.entry(format!("{of} {name}")).or_default() += 1;
                    }
                    _ => panic!("{case}: {name} {found:?}, {of} {expected}"),
                }
            }
        }
        let of_days = answer["days"].as_array().unwrap();
        assert_eq!(of_days.len(), days.len());
        for (row, expected) in days.iter().zip(of_days) {
            let found = number(row, &format!("{side}_pnl_sol")).unwrap();
            let expected = expected.as_f64().unwrap();
            assert!(
                (found - expected).abs() < 1e-9,
                "{case}: {found}, {expected}"
            );
        }
    }
    for name in RATIOS {
        let times = defined.get(&format!("numpy {name}")).copied();
        assert!(
            times.is_some_and(|times| times >= 40),
            "{name}: {defined:?}"
        );
    }
    if answers[0].get("ffn_sharpe_ratio").is_none() {
        eprintln!("SKIPPED: ffn is not there");
    }
}

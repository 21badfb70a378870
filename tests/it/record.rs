//! One signal for each way out of a trade, under seven settings and every fill model: the rows of
//! `expected.csv`, which were computed with exact fractions by other means.

use std::collections::BTreeMap;

use crate::engine::{Execution, TestEngine, block_on};
use crate::reference::number::{Number, parse};
use crate::rows::{Cell, Row};

/// The settings of a run of `expected.csv`.
fn settings(run: &str) -> &'static str {
    match run {
        "default" => "",
        "fixed_targets" => ", exit_strategy => 'fixed_targets'",
        "hybrid" => ", exit_strategy => 'hybrid'",
        "time_based" => ", exit_strategy => 'time_based'",
        "breakeven10" => ", exit_strategy => 'time_based', break_even_percent => 10",
        "activation20" => ", trailing_activation_percent => 20",
        "delay30" => ", max_entry_delay_minutes => 30",
        other => panic!("no settings {other}"),
    }
}

fn number(text: &str) -> Number {
    parse(text).unwrap_or_else(|| panic!("no number: {text}"))
}

fn cell<'r>(row: &'r Row, name: &str) -> &'r Cell {
    row.get(name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn record_of_every_way_out() {
    let folder = crate::files::test_data().join("record/exits");
    let engine = block_on(TestEngine::of_texts(&folder, Execution::USUAL));
    let text = std::fs::read_to_string(folder.join("expected.csv")).unwrap();
    let mut runs: BTreeMap<&str, Vec<Vec<&str>>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<_> = line.split(',').collect();
        runs.entry(fields[0]).or_default().push(fields);
    }
    assert_eq!(runs.len(), 7);
    let mut compared = 0;
    for (run, expected) in &runs {
        for (fill_model, net) in [("level", 5), ("observed", 6), ("conservative", 7)] {
            let call = format!(
                "start_date => '2025-01-01', end_date => '2025-01-31', fill_model => '{fill_model}'{}",
                settings(run)
            );
            let trades = engine.rows(&format!("select * from simulate_trades({call})"));
            let total = engine.rows(&format!(
                "select simulated_total_pnl_sol as total from backtest({call})"
            ));
            let mut traded = 0;
            for row in expected {
                let place = format!("{run}, {fill_model}, {}", row[1]);
                if row[1] == "TOTAL" {
                    assert_eq!(
                        *cell(&total[0], "total"),
                        Cell::Number(number(row[net])),
                        "{place}"
                    );
                    continue;
                }
                let id = Cell::from(row[1]);
                let trade = trades.iter().find(|trade| *cell(trade, "signal_id") == id);
                if row[2] == "untradable" {
                    assert!(trade.is_none(), "{place}");
                    continue;
                }
                let trade = trade.unwrap_or_else(|| panic!("{place}: not traded"));
                traded += 1;
                assert_eq!(*cell(trade, "exit_reason"), Cell::from(row[2]), "{place}");
                assert_eq!(
                    *cell(trade, "net_pnl_sol"),
                    Cell::Number(number(row[net])),
                    "{place}"
                );
                if fill_model == "level" {
                    for (name, field) in [("exit_price", 3), ("gross_pnl_sol", 4)] {
                        assert_eq!(
                            *cell(trade, name),
                            Cell::Number(number(row[field])),
                            "{place}"
                        );
                    }
                }
                compared += 1;
            }
            assert_eq!(traded, trades.len(), "{run}, {fill_model}");
        }
    }
    assert_eq!(compared, 3 * (7 * 15 - 1));
}

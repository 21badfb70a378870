//! A second load merges: the same rows change nothing, new ones are added, outcomes close.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::Decimal128Type;

use super::*;
use crate::ingest::load_within;

const OUTCOME_HEADER: &str = "signal_id,entry_timestamp,exit_timestamp,realized_pnl_sol\n";

fn price_rows(minutes: std::ops::Range<i64>) -> String {
    let mut text = "token_address,timestamp,price\n".to_owned();
    for minute in minutes {
        for token in ["A", "B", "C"] {
            text += &format!(
                "{token},{},0.{:03}\n",
                1_735_689_600 + minute * 60,
                100 + minute % 9
            );
        }
    }
    text
}

#[test]
fn two_loads_equal_one() {
    let bench = Bench::new();
    let whole = bench.file("whole.csv", price_rows(0..300));
    let late = bench.file("late.csv", price_rows(100..300));
    let early = bench.file("early.csv", price_rows(0..150));
    let signals = bench.file("s.csv", "id,timestamp,token_address\na,2025-01-01,A\n");
    let expected = Bench::new().load(&[&signals], &[&whole], &[]).unwrap();

    let first = bench.load(&[], &[&late], &[]).unwrap();
    assert_eq!(
        (first.prices.read, first.prices.added, first.prices.total),
        (600, 600, 600)
    );
    let second = bench.load(&[&signals], &[&early], &[]).unwrap();
    assert_eq!(
        (second.prices.read, second.prices.added, second.prices.total),
        (450, 300, 900)
    );
    assert_eq!(second.fingerprint, expected.fingerprint);
    assert_eq!(second.findings, expected.findings);
    let third = bench.load(&[&signals], &[&whole], &[]).unwrap();
    assert_eq!((third.prices.added, third.signals.added), (0, 0));
    assert_eq!(third.fingerprint, expected.fingerprint);
    assert_eq!(third.findings, expected.findings);
    assert_eq!((third.generation, third.is_new), (2, false));
}

#[test]
fn finer_prices_move_a_token_to_another_scale() {
    let bench = Bench::new();
    let header = "token_address,timestamp,price,volume_24h\n";
    let coarse = bench.file(
        "1.csv",
        format!("{header}T,2025-01-01T00:00:00Z,2.5,7\nT,2025-01-01T00:00:01Z,100,\n"),
    );
    let fine = bench.file(
        "2.csv",
        format!("{header}T,2025-01-01T00:00:02Z,0.0001,\nT,2025-01-01T00:00:00Z,2.50,\n"),
    );
    bench.load(&[], &[&coarse], &[]).unwrap();
    bench.load(&[], &[&fine], &[]).unwrap();
    let dataset = bench.open();
    assert_eq!(
        prices_of(&dataset, "T"),
        (vec![(0, 25_000), (1, 1_000_000), (2, 1)], 4)
    );
    let volumes = dataset.volumes[0].as_ref().unwrap();
    assert_eq!(
        volumes.iter().collect::<Vec<_>>(),
        [Some(7_000_000_000), None, None]
    );
}

#[test]
fn prices_beyond_the_memory_make_the_same_dataset() {
    let bench = Bench::new();
    let prices = bench.file("p.csv", price_rows(0..2000));
    let more = bench.file(
        "q.csv",
        price_rows(2000..4000)
            .replace("price", "price,volume_24h")
            .replace("\n", ",5\n")
            .replacen(",5", "", 1),
    );
    let load = |bench: &Bench, memory: usize| {
        let request = LoadRequest {
            prices: vec![prices.clone(), more.clone()],
            ..LoadRequest::default()
        };
        load_within(&bench.workspace(), &request, &NoProgress, memory).unwrap()
    };
    let (small, large) = (Bench::new(), Bench::new());
    let spilled = load(&small, 0);
    assert_eq!(spilled.fingerprint, load(&large, 1 << 30).fingerprint);
    assert_eq!(spilled.prices.total, 12_000);
    assert_eq!(
        files_below(&small.workspace()),
        files_below(&large.workspace())
    );
}

#[test]
fn an_outcome_closes_once() {
    let bench = Bench::new();
    let open = bench.file(
        "open.csv",
        format!("{OUTCOME_HEADER}a,2025-01-01,,\nb,2025-01-01,,\n"),
    );
    let closed = bench.file(
        "closed.csv",
        format!("{OUTCOME_HEADER}a,2025-01-01,2025-01-02,0.5\na,2025-01-01,2025-01-03,0.25\n"),
    );
    let pnl = |bench: &Bench| -> Vec<_> {
        let outcomes = bench.open().trade_outcomes;
        outcomes
            .column(6)
            .as_primitive::<Decimal128Type>()
            .iter()
            .collect()
    };
    let closed_pnl = [Some(500_000_000), Some(250_000_000), None];
    bench.load(&[], &[], &[&open]).unwrap();
    assert_eq!(pnl(&bench), [None, None]);
    let summary = bench.load(&[], &[], &[&closed]).unwrap();
    assert_eq!(
        (summary.trade_outcomes.added, summary.trade_outcomes.total),
        (2, 3)
    );
    assert_eq!(pnl(&bench), closed_pnl);
    // The older file again: what it says was overtaken.
    let again = bench.load(&[], &[], &[&open]).unwrap();
    assert_eq!(again.trade_outcomes.added, 0);
    assert_eq!(pnl(&bench), closed_pnl);
    // Within one load, a closed part and an open rest of one trade are two rows.
    let both = bench.file(
        "both.csv",
        format!("{OUTCOME_HEADER}c,2025-01-01,2025-01-02,0.5\nc,2025-01-01,,\n"),
    );
    for _ in 0..2 {
        assert_eq!(
            bench.load(&[], &[], &[&both]).unwrap().trade_outcomes.total,
            5
        );
    }
}

#[test]
fn findings_tell_what_is_odd() {
    let bench = Bench::new();
    let s = bench.file(
        "s.csv",
        "id,timestamp,token_address,score\na,2025-01-01,A,1.005\nb,2025-01-03,A,1\nc,2025-01-01,B,1\na,2025-01-01,A,1.005\n",
    );
    let p = bench.file(
        "p.csv",
        "token_address,timestamp,price\nA,2025-01-01T00:00:00Z,0\nA,2025-01-01T01:00:00Z,1\nA,2025-01-01T02:00:01Z,1\nA,2025-01-01T01:00:00Z,1.0\n",
    );
    let o = bench.file(
        "o.csv",
        "signal_id,entry_timestamp,realized_pnl_sol,exit_timestamp,token_address\nz,2025-01-01,1,2025-01-01,A\na,2025-01-01,0.0000000005,2025-01-02,B\na,2025-01-01,0.0000000005,2025-01-02,B\n",
    );
    let summary = bench.load(&[&s], &[&p], &[&o]).unwrap();
    let found: Vec<_> = summary
        .findings
        .iter()
        .map(|f| (f.table_name, f.check_name, f.severity.as_str(), f.row_count))
        .collect();
    assert_eq!(
        found,
        [
            ("signals", "duplicate_rows", "info", 1),
            ("signals", "rounded_values", "info", 2),
            ("signals", "timestamps_without_zone", "warning", 4),
            ("signals", "missing_factors", "info", 3),
            ("signals", "no_prices", "warning", 1),
            ("signals", "no_later_price", "warning", 1),
            ("signals", "range_not_covered", "warning", 1),
            ("token_prices", "duplicate_rows", "info", 1),
            ("token_prices", "zero_prices", "warning", 1),
            ("token_prices", "price_gaps", "info", 1),
            ("trade_outcomes", "rounded_values", "info", 2),
            ("trade_outcomes", "timestamps_without_zone", "warning", 6),
            ("trade_outcomes", "identical_rows", "info", 1),
            ("trade_outcomes", "unknown_signal", "warning", 1),
            ("trade_outcomes", "other_token", "warning", 2),
            ("trade_outcomes", "one_trade_dominates", "warning", 1),
        ]
    );
    let dataset = bench.open();
    assert_eq!(dataset.data_quality.num_rows(), found.len());
    assert_eq!(dataset.data_quality.column(4).null_count(), 0);
    assert_eq!(
        dataset
            .signals
            .column(4)
            .as_primitive::<Decimal128Type>()
            .value(0),
        100
    );
}

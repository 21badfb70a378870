//! The engine against the published results, from files to SQL.

use std::path::Path;

use crate::engine::{Execution, TestEngine, block_on};
use crate::files;
use crate::golden::{Case, real_cases, tiny_cases};
use crate::reference::parameters::Settings;
use crate::rows::assert_same;

/// `name => value, …` as a user types it.
pub fn named_arguments(settings: &Settings) -> String {
    let argument = |(name, value): &(String, String)| {
        let is_text = matches!(
            name.as_str(),
            "start_date" | "end_date" | "exit_strategy" | "fill_model" | "take_profit_ladder"
        );
        let quote = if is_text { "'" } else { "" };
        format!("{name} => {quote}{value}{quote}")
    };
    settings.iter().map(argument).collect::<Vec<_>>().join(", ")
}

fn prove_engine(engine: &TestEngine, case: &Case) {
    let arguments = named_arguments(&case.settings);
    for (function, order, expected) in [
        ("backtest", "", std::slice::from_ref(&case.backtest)),
        (
            "simulate_trades",
            " order by signal_timestamp, signal_id, part",
            &case.trades,
        ),
        ("compare_trades", "", &case.comparisons),
    ] {
        let sql = format!("select * from {function}({arguments}){order}");
        assert_same(
            &format!("{}: {sql}", case.name),
            expected,
            &engine.rows(&sql),
        );
    }
}

fn prove_all(folder: &Path, cases: &[Case]) {
    let engine = block_on(TestEngine::of_files(folder, Execution::USUAL));
    for case in cases {
        prove_engine(&engine, case);
    }
}

#[test]
fn engine_matches_tiny() {
    prove_all(&files::test_data().join("tiny"), &tiny_cases());
}

#[test]
fn engine_matches_real() {
    if let Some((folder, cases)) = real_cases("engine_matches_real") {
        prove_all(&folder, &cases);
    }
}

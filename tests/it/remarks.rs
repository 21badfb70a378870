//! What is said beside the rows of a statement: which of the parameters that it sets have no effect.

use std::collections::BTreeSet;

use hindsight::Engine;
use tokio::sync::mpsc;

use crate::engine::block_on;
use crate::files;
use crate::random::Random;

/// The remarks on a statement.
fn said(engine: &Engine, sql: &str) -> Vec<String> {
    let (sender, mut notices) = mpsc::unbounded_channel();
    engine.listen(sender);
    block_on(engine.sql(sql)).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut said = Vec::new();
    while let Ok(notice) = notices.try_recv() {
        if notice.sqlstate == "01000" {
            said.push(notice.message);
        }
    }
    said
}

#[test]
fn parameters_without_effect_are_said_once_a_statement() {
    let directory = tempfile::tempdir().unwrap();
    files::copy(&files::test_data().join("workspace-1"), directory.path());
    let engine = block_on(Engine::open(directory.path())).unwrap();
    let target = "without effect: take_profit_percent, since exit_strategy trailing_stop arms no take \
                  profit";
    let nothing: [&str; 0] = [];
    for (sql, expected) in [
        (
            "select * from backtest(stop_loss_percent => 8)",
            &nothing[..],
        ),
        (
            "select * from backtest(take_profit_percent => 50)",
            &nothing,
        ),
        (
            "select * from backtest(take_profit_percent => 40)",
            &[target],
        ),
        (
            "select * from backtest_by_queries(take_profit_percent => 40)",
            &[target],
        ),
        (
            "select * from simulate_trades(take_profit_percent => 40)",
            &[target],
        ),
        (
            "select * from compare_trades(take_profit_percent => 40)",
            &[target],
        ),
        ("call run_backtest(take_profit_percent => 40)", &[target]),
        // Of a grid, what has no effect in any of its rows; of a statement, once.
        (
            "select * from backtest(take_profit_percent => [40, 60])",
            &[target],
        ),
        (
            "select * from backtest(take_profit_percent => [40, 60], \
             exit_strategy => ['trailing_stop', 'hybrid'])",
            &nothing,
        ),
        (
            "select * from backtest(take_profit_percent => 40) union all \
             select * from backtest(take_profit_percent => 60)",
            &[target],
        ),
        (
            "select * from backtest(gas_cost_sol => 0.1, include_gas_costs => false, \
             moonbag_stop_loss_percent => 60)",
            &[
                "without effect: gas_cost_sol, since include_gas_costs is false; \
               moonbag_stop_loss_percent, since no moonbag_percent is set",
            ],
        ),
        // The scenario sets the strategy.
        (
            "insert into scenarios (name, exit_strategy, take_profit_percent) values ('h', 'hybrid', 40)",
            &nothing,
        ),
        ("select * from backtest(scenario => 'h')", &nothing),
        (
            "select * from backtest(scenario => 'h', exit_strategy => 'trailing_stop')",
            &[target],
        ),
        (
            "explain select * from backtest(take_profit_percent => 40)",
            &nothing,
        ),
    ] {
        assert_eq!(said(&engine, sql), expected, "{sql}");
    }
}

/// Parameters that may have no effect beside others, and those that decide it, with some values.
const CHOICES: [(&str, &[&str]); 16] = [
    (
        "exit_strategy",
        &[
            "'trailing_stop'",
            "'fixed_targets'",
            "'time_based'",
            "'hybrid'",
        ],
    ),
    ("take_profit_percent", &["5", "9"]),
    ("take_profit_ladder", &["'40@2, 30@6'", "'100@3'"]),
    ("trailing_stop_percent", &["1", "2.5"]),
    ("trailing_activation_percent", &["1", "4"]),
    ("break_even_percent", &["0.5", "2"]),
    ("stagnation_minutes", &["2", "20"]),
    ("stop_loss_percent", &["2", "40"]),
    ("max_hold_minutes", &["15", "240"]),
    ("moonbag_percent", &["0", "100"]),
    ("moonbag_stop_loss_percent", &["3", "60"]),
    ("moonbag_max_hold_minutes", &["30", "600"]),
    ("scale_with_confidence", &["true", "false"]),
    ("max_position_sol", &["0.08", "0.12"]),
    ("include_gas_costs", &["true", "false"]),
    ("gas_cost_sol", &["0.001", "0.02"]),
];

#[test]
fn what_is_said_to_have_no_effect_has_none() {
    let directory = tempfile::tempdir().unwrap();
    files::copy(&files::test_data().join("workspace-1"), directory.path());
    let engine = block_on(Engine::open(directory.path())).unwrap();
    let mut random = Random::of_test("what_is_said_to_have_no_effect_has_none");
    let mut idle = BTreeSet::new();
    for _ in 0..100 {
        let chosen = CHOICES.iter().filter(|_| random.chance(1, 2));
        let chosen: Vec<_> = chosen.collect();
        let mut arguments: Vec<(&str, &str)> = Vec::new();
        for (name, values) in chosen {
            // A ladder beside a moonbag that is all of the position is refused.
            if *name == "moonbag_percent"
                && arguments.iter().any(|(name, _)| name.ends_with("ladder"))
            {
                continue;
            }
            arguments.push((*name, random.one_of(values)));
        }
        let result = |arguments: &[(&str, &str)]| {
            let arguments = arguments
                .iter()
                .map(|(name, value)| format!("{name} => {value}"));
            let arguments: Vec<_> = arguments.chain(["score_threshold => 40".into()]).collect();
            format!(
                "select simulated_total_trades, simulated_total_pnl_sol, simulated_max_drawdown_sol, \
                 simulated_win_rate, simulated_pnl_conservative_sol from backtest({})",
                arguments.join(", ")
            )
        };
        let sql = result(&arguments);
        let remarks = said(&engine, &sql);
        let Some(remark) = remarks.first() else {
            continue;
        };
        let remark = remark.strip_prefix("without effect: ").unwrap();
        let named = remark
            .split("; ")
            .map(|part| part.split(',').next().unwrap());
        let named: BTreeSet<&str> = named.collect();
        arguments.retain(|(name, _)| !named.contains(name));
        let without = result(&arguments);
        let same = format!("{sql} except {without}");
        let rows = block_on(engine.sql(&same)).unwrap();
        let rows: usize = rows.iter().map(|batch| batch.num_rows()).sum();
        assert_eq!(rows, 0, "{sql}: {remark}");
        idle.extend(named.into_iter().map(str::to_owned));
    }
    assert!(idle.len() >= 10, "only {idle:?}");
}

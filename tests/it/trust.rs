//! How far to believe a number: intervals and calibration over random histories.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::compute::{cast, concat_batches};
use hindsight::dataset::Dataset;
use hindsight::{Engine, schema};
use hindsight_statistics::bootstrap;
use num_traits::{Signed, ToPrimitive};

use crate::dataset::dataset;
use crate::engine::{Execution, TestEngine, block_on};
use crate::histories::generate::history;
use crate::price_book::token_prices;
use crate::random::Random;
use crate::reference::history::History;
use crate::reference::number::{Number, decimal, rounded, whole};
use crate::rows::{Cell, Row, from_batches};

/// Positions of 0.1 SOL that end at observed prices: what is recorded has all digits.
const SETTINGS: &str = "start_date => '2025-01-01', end_date => '2025-01-31', score_threshold => 35, \
                        scale_with_confidence => false, fill_model => 'observed'";

fn number(row: &Row, name: &str) -> Number {
    match row.get(name) {
        Some(Cell::Number(number)) => number.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

fn text(row: &Row, name: &str) -> String {
    match row.get(name) {
        Some(Cell::Text(text)) => text.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

/// The rows of a statement as one batch.
fn batch(engine: &Engine, sql: &str) -> RecordBatch {
    let batches = block_on(engine.sql(sql)).unwrap_or_else(|error| panic!("{sql}: {error}"));
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

/// The same signals and prices, with what this statement gives for what really happened.
fn with_outcomes(history: &History, sql: &str) -> Engine {
    let without = Dataset::in_memory(
        dataset(history).signals,
        RecordBatch::new_empty(Arc::clone(&schema::TRADE_OUTCOMES)),
        history.prices.iter().map(token_prices),
    );
    let engine = block_on(Engine::new(without.unwrap())).unwrap();
    let outcomes = batch(&engine, sql);
    let fields = schema::TRADE_OUTCOMES.fields().iter();
    let columns = fields.map(|field| -> ArrayRef {
        cast(
            outcomes.column_by_name(field.name()).unwrap(),
            field.data_type(),
        )
        .unwrap()
    });
    let outcomes = RecordBatch::try_new(Arc::clone(&schema::TRADE_OUTCOMES), columns.collect());
    let dataset = Dataset::in_memory(
        dataset(history).signals,
        outcomes.unwrap(),
        history.prices.iter().map(token_prices),
    );
    block_on(Engine::new(dataset.unwrap())).unwrap()
}

const PARTS: [&str; 5] = [
    "decision_error_sol",
    "entry_error_sol",
    "exit_error_sol",
    "size_and_cost_error_sol",
    "unexplained_error_sol",
];

#[test]
fn what_the_simulator_made_itself_has_no_error() {
    let mut random = Random::of_test("no_error");
    let mut trades = 0;
    for _ in 0..5 {
        let history = history(&mut random);
        let engine = with_outcomes(
            &history,
            &format!("select *, net_pnl_sol as realized_pnl_sol from simulate_trades({SETTINGS})"),
        );
        let rows = block_on(engine.sql(&format!("select * from calibrate_trades({SETTINGS})")));
        for row in from_batches(&rows.unwrap()) {
            trades += 1;
            for part in PARTS.iter().chain(&["error_sol"]) {
                assert_eq!(number(&row, part), whole(0), "{part} of {row:?}");
            }
        }
        let row = from_batches(&[batch(
            &engine,
            &format!("select * from calibration({SETTINGS})"),
        )]);
        if number(&row[0], "trades") > whole(0) {
            for name in [
                "bias_sol",
                "bias_lower_sol",
                "bias_upper_sol",
                "p90_absolute_error_sol",
            ] {
                assert_eq!(number(&row[0], name), whole(0), "{name}");
            }
        }
    }
    assert!(trades > 100, "only {trades} trades");
}

/// Outcomes by what is wrong with them: nothing, a later entry at double the price, an exit at the entry
/// price, double the PnL, two sales; and trades on signals that are not selected.
const DISTURBED: &str = "
with trades as (
    select
        *,
        cast(entry_price as numeric(38, 18)) as entry,
        cast(exit_price as numeric(38, 18)) as exit,
        row_number() over (order by signal_id) % 5 as kind
    from simulate_trades(SETTINGS)
),
kinds as (
    select
        kind, signal_id, token_address, entry_timestamp, exit_timestamp, entry_price, exit_price,
        net_pnl_sol as realized_pnl_sol
    from trades where kind = 0
    union all
    select
        kind, signal_id, token_address, entry_timestamp, exit_timestamp, entry_price * 2, exit_price,
        net_pnl_sol - divide_rounded(exit * 0.05, entry, 9)
    from trades where kind = 1
    union all
    select
        kind, signal_id, token_address, entry_timestamp, exit_timestamp, entry_price,
        entry_price as exit_price,
        net_pnl_sol - divide_rounded((exit - entry) * 0.1, entry, 9)
    from trades where kind = 2
    union all
    select
        kind, signal_id, token_address, entry_timestamp, exit_timestamp, entry_price, exit_price,
        net_pnl_sol * 2
    from trades where kind = 3
    union all
    select
        kind, signal_id, token_address, entry_timestamp, exit_timestamp, entry_price, exit_price,
        net_pnl_sol + 0.003
    from trades where kind = 4
    union all
    select
        kind, signal_id, token_address, entry_timestamp, exit_timestamp, entry_price, exit_price, 0.004
    from trades where kind = 4
    union all
    select
        5, signal_id, token_address, timestamp as entry_timestamp, timestamp as exit_timestamp,
        1 as entry_price, 1 as exit_price, -0.005
    from compare_trades(SETTINGS) where not simulated_traded
)";

#[test]
fn each_disturbance_is_found_in_its_own_part_and_nowhere_else() {
    let mut random = Random::of_test("disturbances");
    let mut found = BTreeMap::new();
    for _ in 0..5 {
        let history = history(&mut random);
        let kinds = DISTURBED.replace("SETTINGS", SETTINGS);
        let engine = with_outcomes(&history, &format!("{kinds} select * from kinds"));
        let undisturbed = with_outcomes(
            &history,
            &format!("select *, net_pnl_sol as realized_pnl_sol from simulate_trades({SETTINGS})"),
        );
        // Which is which follows from the simulated trades alone, which are the same.
        let kinds = batch(
            &undisturbed,
            &format!("{kinds} select signal_id, kind from kinds"),
        );
        let kinds: BTreeMap<String, i64> = from_batches(&[kinds])
            .iter()
            .map(|row| {
                (
                    text(row, "signal_id"),
                    number(row, "kind").to_integer().to_i64().unwrap(),
                )
            })
            .collect();
        let rows = batch(
            &engine,
            &format!("select * from calibrate_trades({SETTINGS})"),
        );
        let rows = from_batches(&[rows]);
        assert_eq!(rows.len(), kinds.len());
        for row in rows {
            let kind = kinds[&text(&row, "signal_id")];
            *found.entry(kind).or_insert(0) += 1;
            let error = number(&row, "error_sol");
            let simulated = number(&row, "simulated_pnl_sol");
            assert_eq!(error, &simulated - number(&row, "actual_pnl_sol"));
            let (part, expected) = match kind {
                0 => (None, whole(0)),
                1 => {
                    let price = |name: &str| number(&row, name);
                    let ratio = price("simulated_exit_price") / price("simulated_entry_price");
                    (
                        Some("entry_error_sol"),
                        rounded(&(ratio * decimal(5, 2)), 9),
                    )
                }
                2 => {
                    let price = |name: &str| number(&row, name);
                    let gain =
                        price("simulated_exit_price") / price("simulated_entry_price") - whole(1);
                    (Some("exit_error_sol"), rounded(&(gain * decimal(1, 1)), 9))
                }
                3 => (Some("size_and_cost_error_sol"), -simulated),
                4 => (Some("unexplained_error_sol"), decimal(-7, 3)),
                _ => (Some("decision_error_sol"), decimal(5, 3)),
            };
            assert_eq!(error, expected, "{row:?}");
            for name in PARTS {
                let expected = if part == Some(name) {
                    expected.clone()
                } else {
                    whole(0)
                };
                assert_eq!(number(&row, name), expected, "{name} of {row:?}");
            }
        }
    }
    assert!((0..=5).all(|kind| found[&kind] > 10), "{found:?}");
}

#[test]
fn limits_refuse_no_real_trade_for_the_sake_of_one_that_was_not_made() {
    let mut random = Random::of_test("calibrated_limits");
    let (mut refused, mut trades) = (0, 0);
    for _ in 0..5 {
        let history = history(&mut random);
        // Of the simulator's trades every other one was really made, so that limits would refuse others.
        let every_other = format!(
            "select *, net_pnl_sol as realized_pnl_sol from \
             (select *, row_number() over (order by signal_id) as place from simulate_trades({SETTINGS})) \
             where place % 2 = 0"
        );
        let engine = with_outcomes(&history, &every_other);
        let limited = format!("{SETTINGS}, max_open_positions => 1");
        let rows = batch(
            &engine,
            &format!("select * from calibrate_trades({limited})"),
        );
        let found = from_batches(&[rows]);
        // The same of a history in which nothing else was signalled.
        let mut alone = history.clone();
        let made: Vec<String> = found.iter().map(|row| text(row, "signal_id")).collect();
        alone.signals.retain(|signal| made.contains(&signal.id));
        let alone = with_outcomes(
            &alone,
            &format!("select *, net_pnl_sol as realized_pnl_sol from simulate_trades({SETTINGS})"),
        );
        let simulated = batch(&alone, &format!("select * from compare_trades({limited})"));
        let simulated: BTreeMap<String, Cell> = from_batches(&[simulated])
            .iter()
            .map(|row| {
                let pnl = row.get("simulated_pnl_sol").cloned();
                (text(row, "signal_id"), pnl.unwrap())
            })
            .collect();
        for row in &found {
            trades += 1;
            let expected = match &simulated[&text(row, "signal_id")] {
                Cell::Null => {
                    refused += 1;
                    whole(0)
                }
                Cell::Number(pnl) => pnl.clone(),
                other => panic!("{other:?}"),
            };
            assert_eq!(number(row, "simulated_pnl_sol"), expected, "{row:?}");
        }
    }
    assert!(
        refused > 10 && trades > refused + 10,
        "{refused} of {trades}"
    );
}

#[test]
fn a_trade_that_is_not_wholly_closed_is_not_compared() {
    let mut random = Random::of_test("not_closed");
    let history = history(&mut random);
    let engine = with_outcomes(
        &history,
        &format!(
            "select signal_id, token_address, entry_timestamp, exit_timestamp, entry_price, exit_price, \
             net_pnl_sol as realized_pnl_sol from simulate_trades({SETTINGS}) union all \
             select signal_id, token_address, entry_timestamp, null as exit_timestamp, entry_price, \
             null as exit_price, null as realized_pnl_sol \
             from simulate_trades({SETTINGS})"
        ),
    );
    let sql = format!("select trades, bias_sol, concordance, warning from calibration({SETTINGS})");
    let row = &from_batches(&[batch(&engine, &sql)])[0];
    assert_eq!(number(row, "trades"), whole(0));
    for name in ["bias_sol", "concordance", "warning"] {
        assert_eq!(row.get(name), Some(&Cell::Null), "{name}");
    }
}

#[test]
fn an_interval_is_that_of_the_groups_of_compare_trades() {
    let mut random = Random::of_test("intervals");
    for case in 0..4 {
        let history = history(&mut random);
        let range = "start_date => '2025-01-03', end_date => '2025-01-29', score_threshold => 40";
        let usual = block_on(TestEngine::of_history(&history, Execution::USUAL));
        let scattered = block_on(TestEngine::of_history(&history, Execution::SCATTERED));
        let sql = format!(
            "select * from pnl_interval({range}, confidence => 90, resamples => 500, seed => {case})"
        );
        let rows = usual.rows(&sql);
        assert_eq!(format!("{rows:?}"), format!("{:?}", scattered.rows(&sql)));

        let mut tokens: BTreeMap<String, Number> = BTreeMap::new();
        let mut days = vec![whole(0); 27];
        let first = crate::reference::history::day_of("2025-01-03");
        let pnl = |row: &Row, name: &str| match row.get(name) {
            Some(Cell::Number(number)) => number.clone(),
            _ => whole(0),
        };
        for row in usual.rows(&format!("select * from compare_trades({range})")) {
            let difference = pnl(&row, "simulated_pnl_sol") - pnl(&row, "actual_pnl_sol");
            let at = number(&row, "timestamp").to_integer().to_i64().unwrap();
            let day = usize::try_from(at.div_euclid(86_400_000_000) - first).unwrap();
            days[day] += &difference;
            *tokens
                .entry(text(&row, "token_address"))
                .or_insert(whole(0)) += difference;
        }
        for (row, groups) in rows.iter().zip([tokens.into_values().collect(), days]) {
            let estimate: Number = groups.iter().sum();
            assert_eq!(number(row, "groups"), whole(groups.len() as i64));
            assert_eq!(number(row, "estimate_sol"), rounded(&estimate, 4));
            let lamports = |number: &Number| (number * whole(1_000_000_000)).to_f64().unwrap();
            let groups: Vec<f64> = groups.iter().map(lamports).collect();
            let seed = u64::try_from(case).unwrap();
            let interval = bootstrap::interval(&groups, 0.9, 500, seed, &|| true).unwrap();
            for (name, bound) in [
                ("lower_sol", interval.lower),
                ("upper_sol", interval.upper),
                ("standard_error_sol", interval.standard_error.unwrap()),
            ] {
                let bound = Number::from_float(bound / 1e9).unwrap();
                let far = (number(row, name) - bound).abs();
                assert!(far <= decimal(51, 6), "{name} of {row:?}");
            }
        }
    }
}

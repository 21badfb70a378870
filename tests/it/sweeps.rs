//! Every row of every grid that is benchmarked equals the combination run alone, on a smaller
//! history; and so do rows whose amounts need more than 64 bits.

#[path = "../../benches/engine/grid.rs"]
mod grid;

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, Schema};
use grid::Grid;
use hindsight::Engine;
use hindsight::dataset::Dataset;
use hindsight::ingest::synthetic::SyntheticHistory;
use hindsight::ingest::{self, LoadRequest, NoProgress};
use hindsight::whatif::grid::rows;
use hindsight_sweep::backtest::{Backtest, backtest};
use hindsight_sweep::combination::Combination;
use hindsight_sweep::control::Control;
use hindsight_sweep::history::History;
use tempfile::TempDir;

use crate::engine::{Execution, TestEngine, block_on};
use crate::histories::generate::history;
use crate::random::{Random, SEED};

const DAYS: u32 = 4;
const DAY_MICROS: i64 = 86_400_000_000;

/// The demo's history, but shorter.
fn small_history(folder: &TempDir) -> Dataset {
    let history = SyntheticHistory {
        days: DAYS,
        ..SyntheticHistory::default()
    };
    let files = history
        .write(folder.path(), &|_, _| ControlFlow::Continue(()))
        .unwrap();
    let file = |path: &std::path::Path| vec![path.to_str().unwrap().to_owned()];
    let request = LoadRequest {
        signals: file(&files.signals),
        prices: file(&files.prices),
        trades: file(&files.trades),
        ..LoadRequest::default()
    };
    let workspace = folder.path().join("workspace");
    ingest::load(&workspace, &request, &NoProgress).unwrap();
    Dataset::open(&workspace).unwrap()
}

/// The combinations of the rows of a sweep.
fn combinations(swept: &RecordBatch) -> Vec<Combination> {
    let midnight = |name: &str, days: i64| -> ArrayRef {
        let dates = swept
            .column_by_name(name)
            .unwrap()
            .as_primitive::<Date32Type>();
        let at = |day: &i32| (i64::from(*day) + days) * DAY_MICROS;
        let at: TimestampMicrosecondArray =
            dates.values().iter().map(at).collect::<Vec<_>>().into();
        Arc::new(at.with_timezone("UTC"))
    };
    let (start, end) = (midnight("start_date", 0), midnight("end_date", 1));
    let mut fields: Vec<Arc<Field>> = swept.schema().fields().to_vec();
    for name in ["range_start", "range_end"] {
        let zoned: DataType = start.data_type().clone();
        fields.push(Arc::new(Field::new(name, zoned, true)));
    }
    let columns = [swept.columns(), &[start, end]].concat();
    let parameters = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let rows = 0..parameters.num_rows();
    rows.map(|row| Combination::read(&parameters, row).unwrap())
        .collect()
}

#[test]
fn every_row_of_the_benchmarked_grids_equals_the_single_run() {
    let folder = TempDir::new().unwrap();
    let dataset = small_history(&folder);
    let book = Arc::clone(&dataset.price_book);
    let source = History::new(&dataset.signals, &dataset.trade_outcomes, &book).unwrap();
    let engine = block_on(Engine::new(dataset)).unwrap();
    let go_on = Control::default();
    for grid in Grid::all()
        .into_iter()
        .chain([Grid::rules(), Grid::ladders(), Grid::limited()])
    {
        let sql = format!("select * from {}", grid.call());
        let swept = block_on(engine.sql(&sql)).unwrap();
        let swept = concat_batches(&swept[0].schema(), &swept).unwrap();
        assert_eq!(swept.num_rows(), grid.len(), "{sql}");

        let combinations = combinations(&swept);
        let alone = |combination: &Combination| -> Backtest {
            let one = std::slice::from_ref(combination);
            backtest(&source, &book, one, &go_on).unwrap()[0].clone()
        };
        let alone: Vec<Backtest> = combinations.iter().map(alone).collect();
        assert!(
            alone.iter().all(|row| row.simulated.total_trades > 20),
            "{sql}"
        );
        let alone = rows(&swept.schema(), &swept, &alone).unwrap();
        assert_eq!(alone, swept, "{sql}");
    }
}

#[test]
fn a_grid_too_large_to_finish_says_so_before_it_starts() {
    let mut random = Random::of_test("a_grid_too_large_to_finish_says_so_before_it_starts");
    let engine = block_on(TestEngine::of_history(
        &history(&mut random),
        Execution::USUAL,
    ));
    let error = block_on(engine.sql(
        "select * from backtest(stop_loss_percent => range(1, 51), \
         take_profit_percent => range(5, 501), trailing_stop_percent => range(1, 31), \
         max_hold_minutes => range(5, 1441), score_threshold => range(0, 101))",
    ));
    let error = error.unwrap_err();
    let size = 50_u64 * 496 * 30 * 1_436 * 101;
    assert!(error.starts_with("22023: backtest: "), "{error}");
    assert!(
        error.contains(&format!("{size} combinations of ")),
        "{error}"
    );
    assert!(error.contains(" would take about "), "{error}");
}

#[test]
fn rows_that_leave_64_bits_equal_the_queries() {
    let mut random = Random::of_test("rows_that_leave_64_bits_equal_the_queries");
    for number in 0..3 {
        let history = history(&mut random);
        let engine = block_on(TestEngine::of_history(&history, Execution::USUAL));
        let arguments = "start_date => '2025-01-01', score_threshold => [0, 40], \
                         base_position_sol => [0.1, 6000, 9000000], max_position_sol => 99999999, \
                         exit_strategy => ['hybrid', 'time_based'], max_hold_minutes => 1440";
        let ask = |function: &str| {
            engine.rows(&format!(
                "select * from {function}({arguments}) \
                 order by score_threshold, base_position_sol, exit_strategy"
            ))
        };
        let (swept, queried) = (ask("backtest"), ask("backtest_by_queries"));
        assert_eq!(swept.len(), 12);
        assert_eq!(
            swept, queried,
            "HINDSIGHT_SEED={}, history {number}: {arguments}",
            *SEED
        );
    }
}

#[test]
fn grids_of_mixed_exit_rules_equal_the_queries() {
    let mut random = Random::of_test("grids_of_mixed_exit_rules_equal_the_queries");
    for number in 0..4 {
        let history = history(&mut random);
        let engine = block_on(TestEngine::of_history(&history, Execution::USUAL));
        let model = random.one_of(&["level", "observed", "conservative"]);
        let arguments = format!(
            "start_date => '2025-01-01', score_threshold => [0, 40], max_hold_minutes => 240, \
             stop_loss_percent => [4, 12], trailing_stop_percent => 3, fill_model => '{model}', \
             exit_strategy => ['hybrid', 'fixed_targets', 'trailing_stop'], \
             take_profit_ladder => ['none', '20@1, 30@4, 10@9'], \
             trailing_activation_percent => [0, 3], break_even_percent => 2, \
             stagnation_minutes => ['none', '20'], moonbag_percent => ['none', '15'], \
             moonbag_stop_loss_percent => 2, moonbag_max_hold_minutes => 60"
        );
        let ask = |function: &str| {
            engine.rows(&format!(
                "select * from {function}({arguments}) order by score_threshold, \
                 stop_loss_percent, exit_strategy, take_profit_ladder, \
                 trailing_activation_percent, stagnation_minutes, moonbag_percent"
            ))
        };
        let (swept, queried) = (ask("backtest"), ask("backtest_by_queries"));
        assert_eq!(swept.len(), 192);
        for (swept, queried) in swept.iter().zip(&queried) {
            let case = format!("HINDSIGHT_SEED={}, history {number}", *SEED);
            assert_eq!(swept, queried, "{case}: {arguments}");
        }
    }
}

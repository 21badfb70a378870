//! `walk_forward`: what would have come of choosing the best combination again and again, from what was
//! known by then.
//!
//! Every fold trains all combinations over its own days, with what ends at the test's first instant or
//! later left out, and its winner alone is tested. The trainings of all folds are one grid: paths are
//! walked once, and a fold is a span of the exits in their order.

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::LogicalPlan;
use hindsight_statistics::folds::{Fold, folds};
use hindsight_sweep::backtest::Backtest;
use hindsight_sweep::combination::Combination;
use hindsight_sweep::control::Control;
use hindsight_sweep::days::DAY_MICROS;

use super::gathered::{self, Work};
use super::overfitting::{parameter_columns, rows_of, same_days};
use super::own_arguments::{Given, Kind, OwnArgument, refusal};
use crate::schema::SOL;
use crate::whatif::estimate;
use crate::whatif::grid::{self, SweepSource};

const DAYS_MAX: i64 = 100_000;

const TRAIN_DAYS: OwnArgument = OwnArgument {
    name: "train_days",
    kind: Kind::Whole(1, DAYS_MAX, 60),
};
const TEST_DAYS: OwnArgument = OwnArgument {
    name: "test_days",
    kind: Kind::Whole(1, DAYS_MAX, 14),
};
const ANCHORED: OwnArgument = OwnArgument {
    name: "anchored",
    kind: Kind::Switch(false),
};
const OBJECTIVE: OwnArgument = OwnArgument {
    name: "objective",
    kind: Kind::Word("simulated_total_pnl_sol"),
};

/// The arguments of `walk_forward`.
pub const ARGUMENTS: [OwnArgument; 4] = [TRAIN_DAYS, TEST_DAYS, ANCHORED, OBJECTIVE];

/// Trainings that are run at a time.
const TOGETHER: usize = 32_768;
/// Objectives of every type.
const OBJECTIVE_TYPE: DataType = DataType::Decimal128(38, 9);
const RATE: DataType = DataType::Decimal128(7, 2);

/// The columns of `walk_forward`.
static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let count = |name: &str| Field::new(name, DataType::Int64, true);
    let day = |name: &str| Field::new(name, DataType::Date32, true);
    let sol = |name: &str| Field::new(name, SOL, true);
    let mut fields = vec![
        count("fold"),
        day("train_start"),
        day("train_end"),
        day("test_start"),
        day("test_end"),
    ];
    fields.extend(parameter_columns());
    fields.extend([
        Field::new("train_objective", OBJECTIVE_TYPE, true),
        Field::new("test_objective", OBJECTIVE_TYPE, true),
        count("train_trades"),
        sol("train_pnl_sol"),
        count("test_trades"),
        sol("test_pnl_sol"),
        Field::new("test_win_rate", RATE, true),
        sol("test_actual_pnl_sol"),
        Field::new("efficiency", DataType::Float64, true),
    ]);
    Arc::new(Schema::new(fields))
});

/// The plan over rows of parameters.
pub fn plan(
    own: LogicalPlan,
    parameters: LogicalPlan,
    source: &Arc<SweepSource>,
) -> Result<LogicalPlan> {
    let source = Arc::clone(source);
    let make = move |own: &Given, parameters: &RecordBatch, work: &Work| {
        let asked = Asked::of(own)?;
        let combinations = grid::combinations(parameters)?;
        let days = same_days("walk_forward", &combinations)?;
        let days = days.first..days.first + days.count;
        let folds = folds(days, asked.train_days, asked.test_days, asked.anchored);
        let count = folds.clone().count();
        let trainings = combinations.len().saturating_mul(count);
        estimate::check("walk_forward", trainings, source.signal_count())?;
        let folds: Vec<Fold> = match combinations.is_empty() {
            true => Vec::new(),
            false => folds.collect(),
        };
        let walk = Walk {
            parameters,
            combinations: &combinations,
            folds: &folds,
            objective: &asked.objective,
            source: &source,
            work,
        };
        let winners = walk.train()?;
        walk.test(&winners)
    };
    gathered::plan(
        "walk_forward",
        own,
        parameters,
        Arc::clone(&SCHEMA),
        Arc::new(make),
    )
}

struct Asked {
    train_days: i64,
    test_days: i64,
    anchored: bool,
    objective: String,
}

impl Asked {
    fn of(own: &Given) -> Result<Self> {
        let objective = own.word(&OBJECTIVE)?;
        let schema = grid::schema();
        let known = schema.field_with_name(&objective).ok();
        if !known.is_some_and(|field| field.data_type().is_numeric()) {
            let expected = "a column of backtest that is a number, such as simulated_total_pnl_sol";
            return Err(refusal(&OBJECTIVE, expected, format_args!("'{objective}'")));
        }
        Ok(Self {
            train_days: own.whole(&TRAIN_DAYS)?,
            test_days: own.whole(&TEST_DAYS)?,
            anchored: own.switch(&ANCHORED)?,
            objective,
        })
    }
}

/// The best combination of one training.
struct Winner {
    /// Its place among the combinations.
    place: usize,
    objective: ScalarValue,
    training: Backtest,
}

struct Walk<'a> {
    parameters: &'a RecordBatch,
    combinations: &'a [Combination],
    folds: &'a [Fold],
    objective: &'a str,
    source: &'a SweepSource,
    work: &'a Work,
}

impl Walk<'_> {
    /// The winner of every fold.
    fn train(&self) -> Result<Vec<Winner>> {
        let mut winners: Vec<Option<Winner>> = self.folds.iter().map(|_| None).collect();
        let together = (TOGETHER / self.folds.len().max(1)).max(1);
        for (chunk, combinations) in self.combinations.chunks(together).enumerate() {
            let first = chunk * together;
            // Folds change fastest: those of one combination share the most.
            let trainings = combinations.iter().flat_map(|combination| {
                let of_fold = |fold: &Fold| Combination {
                    range: instants(&fold.train),
                    exits_before: Some(fold.test.start.saturating_mul(DAY_MICROS)),
                    ..combination.clone()
                };
                self.folds.iter().map(of_fold)
            });
            let trainings: Vec<Combination> = trainings.collect();
            // What no simulated trade comes to may count what really happened.
            let of = match self.objective.starts_with("simulated_") {
                true => |control| control,
                false => Control::leaving_out_actual,
            };
            let results = self.work.backtests(self.source, &trainings, of)?;
            let parameters = self.parameters.slice(first, combinations.len());
            for (position, winner) in winners.iter_mut().enumerate() {
                let of_fold = results.iter().skip(position).step_by(self.folds.len());
                let of_fold: Vec<Backtest> = of_fold.cloned().collect();
                let objectives = self.objectives(&parameters, &of_fold)?;
                for (place, (objective, training)) in
                    objectives.into_iter().zip(of_fold).enumerate()
                {
                    if winner
                        .as_ref()
                        .is_none_or(|best| is_better(&objective, &best.objective))
                    {
                        *winner = Some(Winner {
                            place: first + place,
                            objective,
                            training,
                        });
                    }
                }
            }
        }
        Ok(winners.into_iter().flatten().collect())
    }

    /// What these combinations came to.
    fn objectives(
        &self,
        parameters: &RecordBatch,
        results: &[Backtest],
    ) -> Result<Vec<ScalarValue>> {
        let rows = grid::rows(&Arc::new(grid::schema()), parameters, results)?;
        let Some(column) = rows.column_by_name(self.objective) else {
            return Ok(Vec::new());
        };
        let column = cast(column, &OBJECTIVE_TYPE)?;
        (0..results.len())
            .map(|row| ScalarValue::try_from_array(&column, row))
            .collect()
    }

    /// The rows: every winner over the days of its test.
    fn test(&self, winners: &[Winner]) -> Result<RecordBatch> {
        let tests = self
            .folds
            .iter()
            .zip(winners)
            .map(|(fold, winner)| Combination {
                range: instants(&fold.test),
                ..self.combinations[winner.place].clone()
            });
        let tests: Vec<Combination> = tests.collect();
        let results = self
            .work
            .backtests(self.source, &tests, |control| control)?;
        let places: Vec<Option<usize>> = winners.iter().map(|winner| Some(winner.place)).collect();
        let parameters = rows_of(self.parameters, &places)?;
        let of_winners = RecordBatch::try_new(
            Arc::new(Schema::new(parameter_columns().collect::<Vec<_>>())),
            parameters.clone(),
        )?;
        let objectives = self.objectives(&of_winners, &results)?;

        let counts = |count: &dyn Fn(usize) -> i64| -> ArrayRef {
            Arc::new(
                (0..winners.len())
                    .map(|fold| Some(count(fold)))
                    .collect::<Int64Array>(),
            )
        };
        let dates = |day: &dyn Fn(&Fold) -> i64| -> ArrayRef {
            let days = self.folds.iter().map(|fold| i32::try_from(day(fold)).ok());
            Arc::new(days.collect::<Date32Array>())
        };
        let decimals = |amount: &dyn Fn(usize) -> i128, data_type: DataType| -> ArrayRef {
            let amounts = (0..winners.len()).map(|fold| Some(amount(fold)));
            Arc::new(
                amounts
                    .collect::<Decimal128Array>()
                    .with_data_type(data_type),
            )
        };
        let of = |values: Vec<ScalarValue>| match values.is_empty() {
            true => Ok(datafusion::arrow::array::new_empty_array(&OBJECTIVE_TYPE)),
            false => ScalarValue::iter_to_array(values),
        };
        let mut columns = vec![
            counts(&|fold| fold as i64 + 1),
            dates(&|fold| fold.train.start),
            dates(&|fold| fold.train.end - 1),
            dates(&|fold| fold.test.start),
            dates(&|fold| fold.test.end - 1),
        ];
        columns.extend(parameters);
        let trained = winners.iter().map(|winner| winner.objective.clone());
        columns.extend([
            of(trained.collect())?,
            of(objectives)?,
            counts(&|fold| winners[fold].training.simulated.total_trades),
            decimals(&|fold| winners[fold].training.simulated.total_pnl, SOL),
            counts(&|fold| results[fold].simulated.total_trades),
            decimals(&|fold| results[fold].simulated.total_pnl, SOL),
            decimals(&|fold| results[fold].simulated.win_rate, RATE),
            decimals(&|fold| results[fold].actual.total_pnl, SOL),
        ]);
        let efficiencies = self.folds.iter().zip(winners).zip(&results);
        let efficiencies = efficiencies.map(|((fold, winner), tested)| {
            let trained = winner.training.simulated.total_pnl;
            efficiency(fold, trained, tested.simulated.total_pnl)
        });
        columns.push(Arc::new(efficiencies.collect::<Float64Array>()));
        Ok(RecordBatch::try_new(Arc::clone(&SCHEMA), columns)?)
    }
}

/// Whether an objective is above another, null being below all.
fn is_better(objective: &ScalarValue, best: &ScalarValue) -> bool {
    match (objective.is_null(), best.is_null()) {
        (true, _) => false,
        (false, true) => true,
        _ => objective.partial_cmp(best) == Some(Ordering::Greater),
    }
}

/// PnL a day in the test over PnL a day in training, where that is above 0.
fn efficiency(fold: &Fold, trained: i128, tested: i128) -> Option<f64> {
    let a_day =
        |pnl: i128, days: &std::ops::Range<i64>| pnl as f64 / (days.end - days.start) as f64;
    (trained > 0).then(|| a_day(tested, &fold.test) / a_day(trained, &fold.train))
}

/// From the first instant of some days to before the first after them.
fn instants(days: &std::ops::Range<i64>) -> (Option<i64>, Option<i64>) {
    let midnight = |day: i64| Some(day.saturating_mul(DAY_MICROS));
    (midnight(days.start), midnight(days.end))
}

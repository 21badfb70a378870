//! `walk_forward`: what would have come of choosing the best combination again and again, from what was
//! known by then.
//!
//! Every fold trains all combinations over its own days, with what ends at the test's first instant or
//! later left out, and its winner alone is tested. The trainings of all folds are one grid: paths are
//! walked once, and a fold is a span of the exits in their order.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    ArrayRef, AsArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    TimestampMicrosecondArray, UInt32Array,
};
use datafusion::arrow::compute::{cast, concat_batches, take_record_batch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::logical_expr::LogicalPlan;
use hindsight_statistics::folds::{Fold, folds};
use hindsight_sweep::days::DAY_MICROS;

use super::gathered::{self, Work};
use super::overfitting::{parameter_columns, rows_of, same_days};
use super::own_arguments::{Given, Kind, OwnArgument, refusal};
use crate::schema::{self, SOL};
use crate::whatif::estimate;
use crate::whatif::grid::{self, SweepSource};
use crate::whatif::here::{EXITS_BEFORE, Made};

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
        let combinations = combinations.len();
        let days = days.first..days.first + days.count;
        let folds = folds(days, asked.train_days, asked.test_days, asked.anchored);
        let count = folds.clone().count();
        let trainings = combinations.saturating_mul(count);
        estimate::check("walk_forward", trainings, source.signal_count())?;
        let folds: Vec<Fold> = match combinations {
            0 => Vec::new(),
            _ => folds.collect(),
        };
        let walk = Walk {
            parameters,
            combinations,
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

/// The best combination of one training, and what it came to.
struct Winner {
    /// Its place among the combinations.
    place: usize,
    objective: ScalarValue,
    trades: i64,
    pnl: i128,
}

struct Walk<'a> {
    parameters: &'a RecordBatch,
    combinations: usize,
    folds: &'a [Fold],
    objective: &'a str,
    source: &'a Arc<SweepSource>,
    work: &'a Work,
}

impl Walk<'_> {
    /// The winner of every fold.
    fn train(&self) -> Result<Vec<Winner>> {
        let mut winners: Vec<Option<Winner>> = self.folds.iter().map(|_| None).collect();
        let together = (TOGETHER / self.folds.len().max(1)).max(1);
        // What no simulated trade comes to may count what really happened.
        let leaves_out_actual = !self.objective.starts_with("simulated_");
        for first in (0..self.combinations).step_by(together) {
            let places = first..self.combinations.min(first + together);
            // Folds change fastest: those of one combination share the most.
            let of_place = |place| self.folds.iter().map(move |fold| (place, fold));
            let trainings = places.flat_map(of_place).map(|(place, fold)| Training {
                place,
                days: &fold.train,
                exits_before: Some(fold.test.start.saturating_mul(DAY_MICROS)),
            });
            let trainings: Vec<Training<'_>> = trainings.collect();
            let rows = self.rows(&trainings, leaves_out_actual)?;
            let objectives = self.objectives(&rows)?;
            let found = Found::of(&rows)?;
            for (row, objective) in objectives.into_iter().enumerate() {
                let winner = &mut winners[row % self.folds.len()];
                if winner
                    .as_ref()
                    .is_none_or(|best| is_better(&objective, &best.objective))
                {
                    *winner = Some(Winner {
                        place: trainings[row].place,
                        objective,
                        trades: found.trades.value(row),
                        pnl: found.pnl.value(row),
                    });
                }
            }
        }
        Ok(winners.into_iter().flatten().collect())
    }

    /// The rows of `backtest` over some days each.
    fn rows(&self, trainings: &[Training<'_>], leaves_out_actual: bool) -> Result<RecordBatch> {
        let parameters = trained(self.parameters, trainings)?;
        let kind = Made::Trainings { leaves_out_actual };
        let mut batches = Vec::new();
        self.work.rows(self.source, kind, &parameters, |batch| {
            batches.push(batch.clone());
            Ok(())
        })?;
        Ok(concat_batches(&Arc::new(kind.schema()), &batches)?)
    }

    /// What these rows came to.
    fn objectives(&self, rows: &RecordBatch) -> Result<Vec<ScalarValue>> {
        let column = cast(column(rows, self.objective)?, &OBJECTIVE_TYPE)?;
        (0..rows.num_rows())
            .map(|row| ScalarValue::try_from_array(&column, row))
            .collect()
    }

    /// The rows: every winner over the days of its test.
    fn test(&self, winners: &[Winner]) -> Result<RecordBatch> {
        let tests = self.folds.iter().zip(winners);
        let tests = tests.map(|(fold, winner)| Training {
            place: winner.place,
            days: &fold.test,
            exits_before: None,
        });
        let tests: Vec<Training<'_>> = tests.collect();
        let rows = self.rows(&tests, false)?;
        let objectives = self.objectives(&rows)?;
        let tested = Found::of(&rows)?;
        let places: Vec<Option<usize>> = winners.iter().map(|winner| Some(winner.place)).collect();
        let parameters = rows_of(self.parameters, &places)?;

        let dates = |day: &dyn Fn(&Fold) -> i64| -> ArrayRef {
            let days = self.folds.iter().map(|fold| i32::try_from(day(fold)).ok());
            Arc::new(days.collect::<Date32Array>())
        };
        let of = |values: Vec<ScalarValue>| match values.is_empty() {
            true => Ok(datafusion::arrow::array::new_empty_array(&OBJECTIVE_TYPE)),
            false => ScalarValue::iter_to_array(values),
        };
        let numbers = (1..).take(winners.len()).map(Some);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(numbers.collect::<Int64Array>()),
            dates(&|fold| fold.train.start),
            dates(&|fold| fold.train.end - 1),
            dates(&|fold| fold.test.start),
            dates(&|fold| fold.test.end - 1),
        ];
        columns.extend(parameters);
        let trained = winners.iter().map(|winner| winner.objective.clone());
        let trades = winners.iter().map(|winner| Some(winner.trades));
        let pnl = winners.iter().map(|winner| Some(winner.pnl));
        columns.extend([
            of(trained.collect())?,
            of(objectives)?,
            Arc::new(trades.collect::<Int64Array>()),
            Arc::new(pnl.collect::<Decimal128Array>().with_data_type(SOL)),
            Arc::clone(column(&rows, "simulated_total_trades")?),
            Arc::clone(column(&rows, "simulated_total_pnl_sol")?),
            Arc::clone(column(&rows, "simulated_win_rate")?),
            Arc::clone(column(&rows, "actual_total_pnl_sol")?),
        ]);
        let efficiencies = self.folds.iter().zip(winners).enumerate();
        let efficiencies = efficiencies
            .map(|(row, (fold, winner))| efficiency(fold, winner.pnl, tested.pnl.value(row)));
        columns.push(Arc::new(efficiencies.collect::<Float64Array>()));
        Ok(RecordBatch::try_new(Arc::clone(&SCHEMA), columns)?)
    }
}

/// A combination over some days.
struct Training<'a> {
    place: usize,
    days: &'a Range<i64>,
    exits_before: Option<i64>,
}

/// The parameters of trainings.
fn trained(parameters: &RecordBatch, trainings: &[Training<'_>]) -> Result<RecordBatch> {
    let places = trainings.iter().map(|training| training.place as u32);
    let taken = take_record_batch(parameters, &UInt32Array::from_iter_values(places))?;
    let instants = |of: fn(&Range<i64>) -> i64| -> ArrayRef {
        let days = trainings.iter().map(|training| of(training.days));
        let instants = days.map(|day| day.saturating_mul(DAY_MICROS));
        let instants = TimestampMicrosecondArray::from_iter_values(instants);
        Arc::new(instants.with_data_type(schema::timestamp()))
    };
    let exits_before = trainings.iter().map(|training| training.exits_before);
    let numbers = (0..).take(trainings.len());
    let other: [(&str, ArrayRef); 4] = [
        (
            "combination",
            Arc::new(Int64Array::from_iter_values(numbers)),
        ),
        ("range_start", instants(|days| days.start)),
        ("range_end", instants(|days| days.end)),
        (EXITS_BEFORE, Arc::new(exits_before.collect::<Int64Array>())),
    ];
    let of_trainings = Made::Trainings {
        leaves_out_actual: false,
    };
    let of_trainings = of_trainings.parameters();
    let columns = of_trainings.fields().iter().map(|field| {
        let name = field.name();
        match other.iter().find(|(known, _)| known == name) {
            Some((_, column)) => Ok(Arc::clone(column)),
            None => column(&taken, name).cloned(),
        }
    });
    let columns = columns.collect::<Result<_>>()?;
    Ok(RecordBatch::try_new(of_trainings, columns)?)
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    let column = rows.column_by_name(name);
    column.ok_or_else(|| internal_datafusion_err!("there is no column {name}"))
}

/// What simulated trades came to, row by row.
struct Found<'a> {
    trades: &'a Int64Array,
    pnl: &'a Decimal128Array,
}

impl<'a> Found<'a> {
    fn of(rows: &'a RecordBatch) -> Result<Self> {
        let trades = column(rows, "simulated_total_trades")?.as_primitive_opt();
        let pnl = column(rows, "simulated_total_pnl_sol")?.as_primitive_opt();
        match (trades, pnl) {
            (Some(trades), Some(pnl)) => Ok(Self { trades, pnl }),
            _ => Err(internal_datafusion_err!("a backtest has other types")),
        }
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

//! `overfitting`: what is left of the best combination of a grid, given how many were tried.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, UInt32Array, new_null_array,
};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, Schema, SchemaRef};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::LogicalPlan;
use hindsight_statistics::overfitting::{BLOCKS_MAX, Overfitting, overfitting};
use hindsight_sweep::combination::Combination;
use hindsight_sweep::days::{DayPnl, Days};

use super::gathered::{self, Work};
use super::own_arguments::{Given, Kind, OwnArgument, refusal};
use crate::error::Error;
use crate::parameters::PARAMETERS;
use crate::whatif::grid::{self, SweepSource};
use crate::whatif::here::Made;

pub const BLOCKS: OwnArgument = OwnArgument {
    name: "blocks",
    kind: Kind::Whole(2, BLOCKS_MAX as i64, 16),
};

/// Combinations that are run at a time: their days are kept as numbers alone.
const TOGETHER: usize = 4_096;

/// The columns of `overfitting`.
static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let count = |name: &str| Field::new(name, DataType::Int64, true);
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let mut fields = vec![
        count("combinations"),
        count("undefined_combinations"),
        count("days"),
    ];
    fields.extend(parameter_columns());
    fields.extend([
        number("best_sharpe"),
        number("expected_best_sharpe"),
        number("deflated_sharpe_ratio"),
        number("probability_of_overfitting"),
    ]);
    Arc::new(Schema::new(fields))
});

/// The scenario and every parameter.
pub fn parameter_columns() -> impl Iterator<Item = Field> {
    let scenario = Field::new("scenario", DataType::Utf8, true);
    let parameters = PARAMETERS.iter();
    std::iter::once(scenario)
        .chain(parameters.map(|parameter| Field::new(parameter.name, parameter.data_type(), true)))
}

/// The plan over rows of parameters.
pub fn plan(
    own: LogicalPlan,
    parameters: LogicalPlan,
    source: &Arc<SweepSource>,
) -> Result<LogicalPlan> {
    let source = Arc::clone(source);
    let make = move |own: &Given, parameters: &RecordBatch, work: &Work| {
        let blocks = usize::try_from(own.whole(&BLOCKS)?).unwrap_or(BLOCKS_MAX);
        if blocks % 2 == 1 {
            return Err(refusal(&BLOCKS, "an even number", blocks));
        }
        let combinations = grid::combinations(parameters)?;
        let days = same_days("overfitting", &combinations)?;
        let length = usize::try_from(days.count).unwrap_or(usize::MAX);
        let cells = combinations.len().saturating_mul(length);
        work.memory
            .try_grow(cells.saturating_mul(size_of::<f64>()))?;
        let mut series: Vec<f64> = Vec::new();
        for start in (0..parameters.num_rows()).step_by(TOGETHER) {
            let together = TOGETHER.min(parameters.num_rows() - start);
            let held = together.saturating_mul(length);
            let held = held.saturating_mul(size_of::<DayPnl>());
            work.memory.try_grow(held)?;
            let parameters = parameters.slice(start, together);
            work.rows(&source, Made::Series, &parameters, |rows| {
                let pnl = rows.column_by_name("simulated_pnl_sol");
                let pnl = pnl.and_then(|pnl| pnl.as_primitive_opt::<Decimal128Type>());
                let pnl = pnl.ok_or_else(|| internal_datafusion_err!("a series has no PnL"))?;
                // In lamports, combination by combination and day by day.
                series.extend(pnl.values().iter().map(|pnl| *pnl as f64));
                Ok(())
            })?;
            work.memory.shrink(held);
        }
        let nothing: &[f64] = &[];
        let series: Vec<&[f64]> = match length {
            0 => vec![nothing; combinations.len()],
            length => series.chunks(length).collect(),
        };
        let found = overfitting(&series, blocks, &|| work.goes_on());
        let found = work.unless_stopped(found)?;
        row(parameters, combinations.len(), days, &found)
    };
    gathered::plan(
        "overfitting",
        own,
        parameters,
        Arc::clone(&SCHEMA),
        Arc::new(make),
    )
}

fn row(
    parameters: &RecordBatch,
    combinations: usize,
    days: Days,
    found: &Overfitting,
) -> Result<RecordBatch> {
    let count = |count: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![count])) };
    let number = |number: Option<f64>| -> ArrayRef { Arc::new(Float64Array::from(vec![number])) };
    let mut columns = vec![
        count(i64::try_from(combinations).unwrap_or(i64::MAX)),
        count(i64::try_from(found.undefined).unwrap_or(i64::MAX)),
        count(days.count),
    ];
    columns.extend(rows_of(parameters, &[found.best])?);
    columns.extend([
        number(found.best_sharpe),
        number(found.expected_best_sharpe),
        number(found.deflated_sharpe_ratio),
        number(found.probability_of_overfitting),
    ]);
    Ok(RecordBatch::try_new(Arc::clone(&SCHEMA), columns)?)
}

/// The scenario and the parameters of some combinations, nulls for none.
pub fn rows_of(parameters: &RecordBatch, rows: &[Option<usize>]) -> Result<Vec<ArrayRef>> {
    let places = rows
        .iter()
        .map(|row| row.and_then(|row| u32::try_from(row).ok()));
    let places: UInt32Array = places.collect();
    let columns = parameter_columns().map(|field| match parameters.column_by_name(field.name()) {
        Some(column) => Ok(take(column, &places, None)?),
        None => Ok(new_null_array(field.data_type(), rows.len())),
    });
    columns.collect()
}

/// The days that all combinations are of.
pub fn same_days(function: &str, combinations: &[Combination]) -> Result<Days> {
    let mut days = combinations.iter().map(Combination::days);
    let first = days.next().unwrap_or_default();
    if days.all(|others| others == first) {
        return Ok(first);
    }
    Err(Error::Argument {
        function: function.into(),
        problem: "its combinations are of different days; give one start_date and one end_date"
            .into(),
    }
    .into())
}

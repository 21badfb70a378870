//! `calibration`: how far the simulation of what was really traded is from what really happened, in one
//! row.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use hindsight_statistics::concordance::concordance;
use hindsight_statistics::quantile::{quantile, sorted};
use hindsight_udfs::decimal::divide_half_even;
use hindsight_udfs::metrics::totals::LAMPORTS_PER_UNIT;

use super::gathered::{self, Work};
use super::interval::{Resampling, lamports, rounded, texts, warning};
use super::own_arguments::Given;
use crate::schema::SOL;

/// PnL that differs by no more than this is close, whatever the actual PnL.
const CLOSE: i128 = 100_000;

/// The parts of an error, as `calibrate_trades` calls them.
const PARTS: [&str; 5] = [
    "decision_error_sol",
    "entry_error_sol",
    "exit_error_sol",
    "size_and_cost_error_sol",
    "unexplained_error_sol",
];

/// The columns of `calibration`.
static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let sol = |name: &str| Field::new(name, SOL, true);
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let mut fields = vec![
        Field::new("trades", DataType::Int64, true),
        sol("bias_sol"),
        sol("bias_lower_sol"),
        sol("bias_upper_sol"),
        sol("mean_absolute_error_sol"),
        sol("median_absolute_error_sol"),
        sol("p90_absolute_error_sol"),
        number("concordance"),
        number("share_same_sign"),
        number("share_close"),
    ];
    fields.extend(PARTS.map(|part| sol(&format!("mean_{part}"))));
    fields.push(Field::new("warning", DataType::Utf8, true));
    Arc::new(Schema::new(fields))
});

/// The plan over the rows of `calibrate_trades`.
pub fn plan(own: LogicalPlan, trades: LogicalPlan) -> Result<LogicalPlan> {
    gathered::plan(
        "calibration",
        own,
        trades,
        Arc::clone(&SCHEMA),
        Arc::new(make),
    )
}

fn make(own: &Given, trades: &RecordBatch, work: &Work) -> Result<RecordBatch> {
    let resampling = Resampling::of(own)?;
    let errors = lamports(trades, "error_sol")?;
    let actual = lamports(trades, "actual_pnl_sol")?;
    let simulated = lamports(trades, "simulated_pnl_sol")?;
    let count = errors.len();
    let tokens = texts(trades, "token_address")?;
    let mut of_tokens: BTreeMap<&str, i128> = BTreeMap::new();
    for (row, error) in errors.iter().enumerate() {
        *of_tokens.entry(tokens.value(row)).or_default() += error;
    }
    let names: Vec<&str> = of_tokens.keys().copied().collect();
    let groups: Vec<f64> = of_tokens.values().map(|sum| *sum as f64).collect();
    let interval = resampling.interval(&groups, work)?;

    let mean = |amounts: &mut dyn Iterator<Item = i128>| {
        let sum: i128 = amounts.sum();
        let divisor = count as i128 * LAMPORTS_PER_UNIT;
        (count > 0).then(|| divide_half_even(sum, divisor) * LAMPORTS_PER_UNIT)
    };
    let absolute = sorted(errors.iter().map(|error| error.abs() as f64));
    let at = |p: f64| quantile(&absolute, p).map(rounded);
    let bound = |bound: f64| rounded(bound / count as f64);
    let share = |holds: &dyn Fn(usize) -> bool| {
        let holding = (0..count).filter(|row| holds(*row)).count();
        (count > 0).then(|| holding as f64 / count as f64)
    };
    let is_close = |row: usize| {
        let error = errors[row].abs();
        error <= CLOSE || error * 10 <= actual[row].abs()
    };
    let pairs = simulated.iter().zip(&actual);
    let mut pairs: Vec<(f64, f64)> = pairs.map(|(s, a)| (*s as f64, *a as f64)).collect();
    // Sums of floats depend on their order, and rows come in any.
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));

    let sol = |amount: Option<i128>| -> ArrayRef {
        Arc::new(Decimal128Array::from(vec![amount]).with_data_type(SOL))
    };
    let number = |number: Option<f64>| -> ArrayRef { Arc::new(Float64Array::from(vec![number])) };
    let mut columns = vec![
        Arc::new(Int64Array::from(vec![count as i64])) as ArrayRef,
        sol(mean(&mut errors.iter().copied())),
        sol(interval.map(|interval| bound(interval.lower))),
        sol(interval.map(|interval| bound(interval.upper))),
        sol(mean(&mut errors.iter().map(|error| error.abs()))),
        sol(at(0.5)),
        sol(at(0.9)),
        number(concordance(&pairs)),
        number(share(&|row| {
            simulated[row].signum() == actual[row].signum()
        })),
        number(share(&is_close)),
    ];
    for part in PARTS {
        columns.push(sol(mean(&mut lamports(trades, part)?.into_iter())));
    }
    let warning = warning(&groups, "tokens", |group| format!("token {}", names[group]));
    let warning = warning.filter(|_| count > 0);
    columns.push(Arc::new(StringArray::from(vec![warning])));
    Ok(RecordBatch::try_new(Arc::clone(&work.schema), columns)?)
}

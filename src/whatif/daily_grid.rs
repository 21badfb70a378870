//! The grid of `daily_pnl`: parameter rows in, a row for each combination and day out.
//!
//! It is the grid of `backtest`, which keeps the sums of the days on which trades ended; the rows of
//! all days of the ranges are made in batches, as somebody asks for them.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use datafusion::arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, UInt32Array,
};
use datafusion::arrow::compute::{concat_batches, take};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::{MemoryPool, MemoryReservation};
use hindsight_sweep::backtest::Backtest;
use hindsight_sweep::combination::Combination;
use hindsight_sweep::control::Control;
use hindsight_sweep::days::{DayPnl, Days};

use crate::parameters::PARAMETERS;
use crate::schema::SOL;
use crate::whatif::grid::{StopOnDrop, SweepSource, combinations, reserve};
use crate::whatif::pipeline::RUN_PARAMETERS_SCHEMA;

/// Rows that are made together.
const BATCH_ROWS: usize = 8_192;

/// The columns of `daily_pnl`.
pub fn schema() -> Schema {
    let mut fields = vec![Field::new("scenario", DataType::Utf8, true)];
    let parameters = PARAMETERS.iter();
    fields.extend(parameters.map(|p| Field::new(p.name, p.data_type(), true)));
    fields.extend([
        Field::new("day", DataType::Date32, true),
        Field::new("actual_pnl_sol", SOL, true),
        Field::new("simulated_pnl_sol", SOL, true),
        Field::new("actual_trades", DataType::Int64, true),
        Field::new("simulated_trades", DataType::Int64, true),
    ]);
    Schema::new(fields)
}

/// A batch of combinations that is done.
pub(super) struct Run {
    parameters: RecordBatch,
    combinations: Vec<Combination>,
    results: Vec<Backtest>,
    _memory: MemoryReservation,
}

impl Run {
    pub(super) async fn new(
        source: Arc<SweepSource>,
        parameters: RecordBatch,
        pool: Arc<dyn MemoryPool>,
        done: Arc<AtomicU64>,
    ) -> Result<Self> {
        let (cells, memory) = reserve(parameters.num_rows(), source.signal_count(), &pool)?;
        let combinations = combinations(&parameters)?;
        let days = combinations
            .iter()
            .map(|combination| combination.days().count);
        // No more days have trades than there are signals, but for parts.
        let days: i64 = days
            .map(|days| days.min(source.signal_count() as i64 * 8))
            .sum();
        memory.try_grow(days as usize * size_of::<DayPnl>())?;
        let control = Control::new(done, cells).counted_with(&memory);
        let control = Arc::new(control.keeping_days());
        let _stop = StopOnDrop(Arc::clone(&control));
        let work = tokio::task::spawn_blocking(move || {
            let results = source.backtests(&combinations, &control)?;
            Ok(Self {
                parameters: concat_batches(&RUN_PARAMETERS_SCHEMA, [&parameters])?,
                combinations,
                results,
                _memory: memory,
            })
        });
        work.await
            .map_err(|error| DataFusionError::Execution(format!("the grid stopped: {error}")))?
    }

    /// The rows of all days, a batch at a time.
    pub(super) fn batches(self, schema: SchemaRef) -> impl Iterator<Item = Result<RecordBatch>> {
        let mut next = Some((0, 0));
        std::iter::from_fn(move || {
            let (row, day) = next?;
            let mut wanted = Vec::new();
            let (mut row, mut day) = (row, day);
            while wanted.len() < BATCH_ROWS {
                let Some(combination) = self.combinations.get(row) else {
                    break;
                };
                match day < combination.days().count {
                    true => wanted.push((row, day)),
                    false => (row, day) = (row + 1, -1),
                }
                day += 1;
            }
            next = (!wanted.is_empty()).then_some((row, day));
            (!wanted.is_empty()).then(|| self.batch(&schema, &wanted))
        })
    }

    fn batch(&self, schema: &SchemaRef, wanted: &[(usize, i64)]) -> Result<RecordBatch> {
        let rows: UInt32Array = wanted.iter().map(|(row, _)| *row as u32).collect();
        let (mut days, mut pnl) = (Vec::new(), [Vec::new(), Vec::new()]);
        let mut trades = [Vec::new(), Vec::new()];
        for (row, day) in wanted {
            let Days { first, .. } = self.combinations[*row].days();
            days.push(i32::try_from(first + day).unwrap_or(i32::MAX));
            let kept = self.results[*row].days.as_ref();
            let sides = kept.map_or((&[][..], &[][..]), |kept| {
                (&kept.actual[..], &kept.simulated[..])
            });
            for (side, of_side) in [sides.0, sides.1].into_iter().enumerate() {
                let found = of_side.binary_search_by_key(&(first + day), |of_day| of_day.day);
                let of_day = found.map(|place| of_side[place]).unwrap_or_default();
                pnl[side].push(of_day.pnl);
                trades[side].push(of_day.trades);
            }
        }
        let sol = |values: Vec<i128>| -> ArrayRef {
            Arc::new(Decimal128Array::from(values).with_data_type(SOL))
        };
        let [actual, simulated] = pnl;
        let [actual_trades, simulated_trades] = trades;
        let made: [(&str, ArrayRef); 5] = [
            ("day", Arc::new(Date32Array::from(days))),
            ("actual_pnl_sol", sol(actual)),
            ("simulated_pnl_sol", sol(simulated)),
            ("actual_trades", Arc::new(Int64Array::from(actual_trades))),
            (
                "simulated_trades",
                Arc::new(Int64Array::from(simulated_trades)),
            ),
        ];
        let columns = schema.fields().iter().map(|field| {
            let name = field.name();
            match made.iter().find(|(known, _)| known == name) {
                Some((_, column)) => Ok(Arc::clone(column)),
                None => match self.parameters.column_by_name(name) {
                    Some(column) => Ok(take(column, &rows, None)?),
                    None => internal_err!("the parameters have no {name}"),
                },
            }
        });
        let columns = columns.collect::<Result<_>>()?;
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}

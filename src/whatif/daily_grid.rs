//! The grid operator of `daily_pnl`: parameter rows in, a row for each combination and day out.
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
use datafusion::common::{DFSchema, DataFusionError, Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryPool, MemoryReservation};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use hindsight_sweep::backtest::Backtest;
use hindsight_sweep::combination::Combination;
use hindsight_sweep::control::Control;
use hindsight_sweep::days::{DayPnl, Days};

use crate::caller::client::Client;
use crate::parameters::PARAMETERS;
use crate::schema::SOL;
use crate::whatif::grid::{StopOnDrop, SweepSource, combinations, reserve};
use crate::whatif::operator::{self, Operator};
use crate::whatif::pipeline::RUN_PARAMETERS_SCHEMA;

/// Rows that are made together.
const BATCH_ROWS: usize = 8_192;

/// The plan of `daily_pnl` over parameter rows.
pub fn plan(parameters: LogicalPlan, source: &Arc<SweepSource>) -> Result<LogicalPlan> {
    let schema = DFSchema::try_from(schema())?;
    let grid = DailyGrid {
        source: Arc::clone(source),
    };
    Ok(operator::plan(grid, vec![parameters], Arc::new(schema)))
}

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

/// The operator: its input is the rows of parameters.
#[derive(Debug)]
struct DailyGrid {
    source: Arc<SweepSource>,
}

impl Operator for DailyGrid {
    fn name(&self) -> &'static str {
        "DailyGrid"
    }

    fn detail(&self) -> String {
        "queries/daily_pnl.sql for each combination".into()
    }

    fn execute(
        &self,
        inputs: &[Arc<dyn ExecutionPlan>],
        schema: &SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let [parameters] = inputs else {
            return internal_err!("a grid has one input");
        };
        let pool = Arc::clone(context.memory_pool());
        let done = Arc::clone(&Client::of(&context)?.combinations);
        let input = parameters.execute(0, context)?;
        let (source, schema) = (Arc::clone(&self.source), Arc::clone(schema));
        let rows = input.and_then(move |batch| {
            let (source, schema) = (Arc::clone(&source), Arc::clone(&schema));
            let (pool, done) = (Arc::clone(&pool), Arc::clone(&done));
            async move {
                let run = Run::new(source, batch, pool, done).await?;
                Ok(stream::iter(run.batches(schema)))
            }
        });
        Ok(rows.try_flatten().boxed())
    }
}

/// A batch of combinations that is done.
struct Run {
    parameters: RecordBatch,
    combinations: Vec<Combination>,
    results: Vec<Backtest>,
    _memory: MemoryReservation,
}

impl Run {
    async fn new(
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
    fn batches(self, schema: SchemaRef) -> impl Iterator<Item = Result<RecordBatch>> {
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
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        for name in std::iter::once("scenario").chain(PARAMETERS.iter().map(|p| p.name)) {
            match self.parameters.column_by_name(name) {
                Some(column) => columns.push(take(column, &rows, None)?),
                None => return internal_err!("the parameters have no {name}"),
            }
        }
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
        columns.push(Arc::new(Date32Array::from(days)));
        columns.extend([sol(actual), sol(simulated)]);
        columns.push(Arc::new(Int64Array::from(actual_trades)));
        columns.push(Arc::new(Int64Array::from(simulated_trades)));
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}

//! What is made of combinations, and what makes it in this process.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryPool;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use hindsight_sweep::combination::Combination;
use hindsight_sweep::control::Control;

use super::daily_grid::{self, Run};
use super::grid::{self, SALES_BYTES, StopOnDrop, SweepSource, combinations, reserve, rows};
use super::pipeline::RUN_PARAMETERS_SCHEMA;
use crate::caller::client::Client;
use crate::schema::SOL;

/// Batches of parameter rows that are run at a time, 16,384 combinations.
const BATCHES_TOGETHER: usize = 16;
/// Before which instant all of a trade is sold that counts, in microseconds: beside the parameters of
/// trainings.
pub const EXITS_BEFORE: &str = "exits_before";

/// What is made of each combination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// A row of `backtest`.
    Backtests,
    /// The same, of which what was really traded may be left out.
    Trainings { leaves_out_actual: bool },
    /// A row of `daily_pnl` for each of its days.
    Days,
    /// The day and the simulated PnL of such a row alone.
    Series,
}

impl Made {
    /// The columns of its rows.
    pub fn schema(self) -> Schema {
        match self {
            Self::Backtests | Self::Trainings { .. } => grid::schema(),
            Self::Days => daily_grid::schema(),
            Self::Series => Schema::new(vec![
                Field::new("day", DataType::Date32, true),
                Field::new("simulated_pnl_sol", SOL, true),
            ]),
        }
    }

    /// The columns of the parameters that it is made of.
    pub fn parameters(self) -> SchemaRef {
        let parameters = Arc::clone(&RUN_PARAMETERS_SCHEMA);
        match self {
            Self::Trainings { .. } => {
                let mut fields: Vec<_> = parameters.fields().iter().cloned().collect();
                fields.push(Arc::new(Field::new(EXITS_BEFORE, DataType::Int64, true)));
                Arc::new(Schema::new(fields))
            }
            _ => parameters,
        }
    }

    /// How many rows a combination has.
    pub fn rows(self, combination: &Combination) -> usize {
        match self {
            Self::Backtests | Self::Trainings { .. } => 1,
            Self::Days | Self::Series => usize::try_from(combination.days().count).unwrap_or(0),
        }
    }
}

/// What runs combinations in this process.
#[derive(Clone)]
pub struct Here {
    pub source: Arc<SweepSource>,
    pub kind: Made,
    /// The columns of the rows: those of the kind, and before them the combination where it is wanted.
    pub schema: SchemaRef,
    pub pool: Arc<dyn MemoryPool>,
    /// Counts the combinations that are done.
    pub done: Arc<AtomicU64>,
    /// Who keeps the sales of a single combination.
    pub keeper: Option<Arc<Client>>,
}

impl Here {
    /// The rows of combinations in their order; as many of them together as memory allows, since they
    /// share the more.
    pub fn rows<S>(self, parameters: S) -> BoxStream<'static, Result<RecordBatch>>
    where
        S: Stream<Item = Result<RecordBatch>> + Send + 'static,
    {
        if matches!(self.kind, Made::Days | Made::Series) {
            let rows = parameters.and_then(move |batch| {
                let Self {
                    source,
                    schema,
                    pool,
                    done,
                    ..
                } = self.clone();
                async move {
                    let run = Run::new(source, batch, pool, done).await?;
                    Ok(stream::iter(run.batches(schema)))
                }
            });
            return rows.try_flatten().boxed();
        }
        let together = parameters.try_chunks(BATCHES_TOGETHER);
        let together = together.map_err(|error| error.1);
        together
            .and_then(move |batches| self.clone().run(batches))
            .boxed()
    }

    /// Runs some batches of combinations on a thread of its own, so that the runtime can go on, and
    /// stops it when nobody waits for it any more.
    async fn run(self, batches: Vec<RecordBatch>) -> Result<RecordBatch> {
        let count = batches.iter().map(RecordBatch::num_rows).sum();
        let (cells, memory) = reserve(count, self.source.signal_count(), &self.pool)?;
        let mut control = Control::new(self.done, cells).counted_with(&memory);
        let keeper = self.keeper.filter(|_| count == 1);
        if keeper.is_some() {
            memory.try_grow(self.source.signal_count() * SALES_BYTES)?;
            control = control.keeping_sales();
        }
        if let Made::Trainings {
            leaves_out_actual: true,
        } = self.kind
        {
            control = control.leaving_out_actual();
        }
        let control = Arc::new(control);
        let _stop = StopOnDrop(Arc::clone(&control));
        let (source, schema, kind) = (self.source, self.schema, self.kind);
        let work = tokio::task::spawn_blocking(move || {
            // Also when nobody waits any more, until it has stopped.
            let _memory = memory;
            let parameters = concat_batches(&kind.parameters(), &batches)?;
            let results = source.backtests(&combinations(&parameters)?, &control);
            let mut results = results.map_err(|error| grid::with_settings(error, &parameters))?;
            if let (Some(keeper), [result]) = (&keeper, &mut results[..]) {
                keeper.keep_sales(std::mem::take(&mut result.sales));
            }
            rows(&schema, &parameters, &results)
        });
        work.await
            .map_err(|error| DataFusionError::Execution(format!("the backtest stopped: {error}")))?
    }
}

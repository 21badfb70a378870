//! The operator that makes its few rows of all rows of its inputs, on a thread of its own.

use std::slice;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use hindsight_sweep::combination::Combination;
use hindsight_sweep::control::Control;
use hindsight_sweep::sales::Sale;
use tokio::runtime::Handle;

use super::own_arguments::Given;
use crate::caller::client::Client;
use crate::caller::give_way::Stop;
use crate::error::Error;
use crate::whatif::elsewhere;
use crate::whatif::grid::{self, SALES_BYTES, SweepSource};
use crate::whatif::here::{Here, Made};
use crate::whatif::operator::{self, Operator};

/// How often is looked whether somebody still waits.
const LOOKING: Duration = Duration::from_millis(50);

/// Makes the rows: of the function's own arguments and of all rows of the relation it judges.
pub type Make = Arc<dyn Fn(&Given, &RecordBatch, &Work) -> Result<RecordBatch> + Send + Sync>;

/// What it is done with.
pub struct Work {
    /// The columns to make.
    pub schema: SchemaRef,
    /// What it needs beyond its input is added here.
    pub memory: MemoryReservation,
    pool: Arc<dyn MemoryPool>,
    /// Counts the combinations that are done.
    done: Arc<AtomicU64>,
    stop: Stop,
    left: Arc<Left>,
    client: Arc<Client>,
    context: Arc<TaskContext>,
    /// Where its thread waits for what is run elsewhere.
    waiting: Handle,
}

/// Whether nobody waits for the work any more, and the backtests that are stopped then.
#[derive(Default)]
struct Left {
    is_left: AtomicBool,
    control: Mutex<Option<Arc<Control>>>,
}

impl Left {
    fn follow(&self, control: &Arc<Control>) {
        let mut followed = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        *followed = Some(Arc::clone(control));
        if self.is_left.load(Ordering::SeqCst) {
            control.is_cancelled.store(true, Ordering::Relaxed);
        }
    }

    fn leave(&self) {
        self.is_left.store(true, Ordering::SeqCst);
        let followed = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(control) = followed.as_ref() {
            control.is_cancelled.store(true, Ordering::Relaxed);
        }
    }
}

impl Work {
    /// Whether somebody still waits for it.
    pub fn goes_on(&self) -> bool {
        !self.stop.is_stopped() && !self.left.is_left.load(Ordering::SeqCst)
    }

    /// Takes in the rows of combinations, which are run together, until nobody waits for them any more:
    /// on other machines, where the session has some.
    pub fn rows(
        &self,
        source: &Arc<SweepSource>,
        kind: Made,
        parameters: &RecordBatch,
        mut take: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let here = Here {
            source: Arc::clone(source),
            kind,
            schema: Arc::new(kind.schema()),
            pool: Arc::clone(&self.pool),
            done: Arc::clone(&self.done),
            keeper: None,
        };
        let input = stream::iter([Ok(parameters.clone())]);
        let mut rows = match elsewhere::of(self.context.session_config()) {
            None => here.rows(input),
            Some(elsewhere) => {
                let input = RecordBatchStreamAdapter::new(kind.parameters(), input);
                let (client, context) = (Arc::clone(&self.client), Arc::clone(&self.context));
                elsewhere.backtests(Box::pin(input), here, client, context)
            }
        };
        while let Some(batch) = self.waiting.block_on(self.next(&mut rows))? {
            take(&batch)?;
        }
        Ok(())
    }

    /// The next rows, unless nobody waits for them any more.
    async fn next(
        &self,
        rows: &mut BoxStream<'static, Result<RecordBatch>>,
    ) -> Result<Option<RecordBatch>> {
        loop {
            match tokio::time::timeout(LOOKING, rows.try_next()).await {
                Ok(batch) => return batch,
                Err(_) if self.goes_on() => {}
                Err(_) => return Err(Error::Cancelled.into()),
            }
        }
    }

    /// The sales of one combination, likewise.
    pub fn sales(&self, source: &SweepSource, combination: &Combination) -> Result<Vec<Sale>> {
        let (control, memory) = self.control(source)?;
        memory.try_grow(source.signal_count() * SALES_BYTES)?;
        let results = source.backtests(slice::from_ref(combination), &control)?;
        Ok(results
            .into_iter()
            .next()
            .and_then(|result| result.sales)
            .unwrap_or_default())
    }

    fn control(&self, source: &SweepSource) -> Result<(Arc<Control>, MemoryReservation)> {
        let (cells, memory) = grid::reserve(1, source.signal_count(), &self.pool)?;
        let control = Control::new(Arc::clone(&self.done), cells).counted_with(&memory);
        let control = Arc::new(control.keeping_sales());
        self.left.follow(&control);
        Ok((control, memory))
    }

    /// What a statistic came to, unless it was told to stop.
    pub fn unless_stopped<T>(&self, made: Option<T>) -> Result<T> {
        made.ok_or_else(|| Error::Cancelled.into())
    }
}

/// The plan: `own` is the row of own arguments, `relation` what is judged.
pub fn plan(
    name: &'static str,
    own: LogicalPlan,
    relation: LogicalPlan,
    schema: SchemaRef,
    make: Make,
) -> Result<LogicalPlan> {
    let schema = DFSchema::try_from(schema)?;
    Ok(operator::plan(
        Gathered { name, make },
        vec![own, relation],
        Arc::new(schema),
    ))
}

struct Gathered {
    name: &'static str,
    make: Make,
}

impl std::fmt::Debug for Gathered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gathered({})", self.name)
    }
}

impl Operator for Gathered {
    fn name(&self) -> &'static str {
        "Statistic"
    }

    fn detail(&self) -> String {
        self.name.to_owned()
    }

    fn execute(
        &self,
        inputs: &[Arc<dyn ExecutionPlan>],
        schema: &SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let memory = MemoryConsumer::new(self.name).register(context.memory_pool());
        let work = Work {
            schema: Arc::clone(schema),
            memory,
            pool: Arc::clone(context.memory_pool()),
            done: Arc::clone(&Client::of(&context)?.combinations),
            stop: Stop::of(&context),
            left: Arc::default(),
            client: Client::of(&context)?,
            context: Arc::clone(&context),
            waiting: Handle::try_current()
                .map_err(|error| DataFusionError::External(Box::new(error)))?,
        };
        let inputs = inputs.iter().map(|input| {
            let schema = input.schema();
            Ok((schema, input.execute(0, Arc::clone(&context))?))
        });
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let make = Arc::clone(&self.make);
        let rows = async move {
            let mut tables = Vec::with_capacity(inputs.len());
            for (schema, mut input) in inputs {
                let mut batches = Vec::new();
                while let Some(batch) = input.try_next().await? {
                    // Once as it comes, once more where all are put together.
                    work.memory.try_grow(2 * batch.get_array_memory_size())?;
                    batches.push(batch);
                }
                tables.push(concat_batches(&schema, &batches)?);
            }
            let [own, relation] = tables.as_slice() else {
                return Err(DataFusionError::Internal(
                    "a statistic has two inputs".into(),
                ));
            };
            let (own, relation) = (Given(own.clone()), relation.clone());
            let _leave = LeaveOnDrop(Arc::clone(&work.left));
            let made = tokio::task::spawn_blocking(move || make(&own, &relation, &work));
            made.await.map_err(|error| {
                DataFusionError::Execution(format!("the statistic stopped: {error}"))
            })?
        };
        Ok(stream::once(rows).boxed())
    }
}

struct LeaveOnDrop(Arc<Left>);

impl Drop for LeaveOnDrop {
    fn drop(&mut self) {
        self.0.leave();
    }
}

//! The grid operator: parameter rows in, backtest rows out.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::common::{
    DFSchema, DataFusionError, Result, internal_datafusion_err, internal_err,
};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use hindsight_sweep::backtest::{Backtest, backtest};
use hindsight_sweep::block::{
    CELL_BYTES, CELLS_MIN, LEVELS_LEAST, SCRATCH_BYTES, TABLE_BYTES, cells_for,
};
use hindsight_sweep::combination::Combination;
use hindsight_sweep::control::Control;
use hindsight_sweep::history::History;
use hindsight_sweep::metrics::Metrics;
use hindsight_udfs::decimal::multiply_divide_half_even;
use hindsight_udfs::price_book::PriceBook;
use hindsight_udfs::trades::misfit::Misfit;

use crate::caller::client::Client;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::metrics::{METRICS, Metric};
use crate::parameters::PARAMETERS;
use crate::schema::SOL;
use crate::whatif::elsewhere::{self, Elsewhere};
use crate::whatif::here::{EXITS_BEFORE, Here, Made};
use crate::whatif::operator::{self, Operator};

/// The first column of what comes of a combination.
const FIRST_COUNT: &str = "total_signals";
const RATE: DataType = DataType::Decimal128(7, 2);
/// Tables of positions that there is room for before anything else is taken.
const TABLES_AT_LEAST: usize = 8;
/// What each signal needs where sales are kept, about.
pub const SALES_BYTES: usize = 200;
const RATIO: DataType = DataType::Decimal128(38, 2);

/// A dataset and, once a backtest has asked for it, its [`History`].
pub struct SweepSource {
    dataset: Dataset,
    history: OnceLock<std::result::Result<History, Arc<DataFusionError>>>,
}

impl SweepSource {
    pub fn new(dataset: Dataset) -> Self {
        Self {
            dataset,
            history: OnceLock::new(),
        }
    }

    /// The prices of the dataset.
    pub fn book(&self) -> &PriceBook {
        &self.dataset.price_book
    }

    /// The signals of the dataset.
    pub fn signal_count(&self) -> usize {
        self.dataset.signals.num_rows()
    }

    /// The fingerprint of the dataset.
    pub fn fingerprint(&self) -> &str {
        &self.dataset.fingerprint
    }

    /// The generation of the dataset.
    pub fn generation(&self) -> u64 {
        self.dataset.generation
    }

    /// Runs combinations on this thread and those of rayon; not for one of those.
    pub fn backtests(
        &self,
        combinations: &[Combination],
        control: &Control,
    ) -> Result<Vec<Backtest>> {
        let book = &self.dataset.price_book;
        let results = backtest(self.history()?, book, combinations, control);
        stopped(results, control)
    }

    /// The tokens of the signals.
    pub fn tokens(&self) -> Result<&StringArray> {
        let tokens = self.dataset.signals.column_by_name("token_address");
        let tokens = tokens.and_then(|tokens| tokens.as_string_opt::<i32>());
        tokens.ok_or_else(|| internal_datafusion_err!("signals have no token_address"))
    }

    /// Read once; who comes meanwhile waits, so that this is not for a thread of rayon.
    pub fn history(&self) -> Result<&History> {
        let Dataset {
            signals,
            trade_outcomes,
            price_book,
            ..
        } = &self.dataset;
        let history = self
            .history
            .get_or_init(|| History::new(signals, trade_outcomes, price_book).map_err(Arc::new));
        let problem = |error: &Arc<DataFusionError>| DataFusionError::Shared(Arc::clone(error));
        history.as_ref().map_err(problem)
    }
}

/// What came of backtests, which fail as cancelled once they are told to stop.
fn stopped<T>(made: Result<T>, control: &Control) -> Result<T> {
    made.map_err(|error| match control.is_cancelled.load(Ordering::Relaxed) {
        true => Error::Cancelled.into(),
        false => error,
    })
}

impl fmt::Debug for SweepSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SweepSource(generation {})", self.dataset.generation)
    }
}

/// The plan of what is made of parameter rows: `backtest` or `daily_pnl`.
pub fn plan(kind: Made, parameters: LogicalPlan, source: &Arc<SweepSource>) -> Result<LogicalPlan> {
    let schema = DFSchema::try_from(kind.schema())?;
    let grid = Grid {
        kind,
        source: Arc::clone(source),
        elsewhere: None,
    };
    Ok(operator::plan(grid, vec![parameters], Arc::new(schema)))
}

/// The columns of `backtest`.
pub fn schema() -> Schema {
    let mut fields = vec![Field::new("scenario", DataType::Utf8, true)];
    fields.extend(
        PARAMETERS
            .iter()
            .map(|p| Field::new(p.name, p.data_type(), true)),
    );
    let count = |name: &str| Field::new(name, DataType::Int64, true);
    let counts = [
        FIRST_COUNT,
        "signals_above_threshold",
        "untradable_signals",
        "limited_signals",
    ];
    fields.extend(counts.map(count));
    for side in ["actual", "simulated"] {
        let field = |metric: &Metric| {
            Field::new(format!("{side}_{}", metric.name), metric.data_type(), true)
        };
        fields.extend(METRICS.iter().map(field));
    }
    fields.extend([
        Field::new("pnl_difference_sol", SOL, true),
        Field::new("pnl_improvement_percent", RATIO, true),
        count("trade_count_difference"),
        Field::new("win_rate_difference", RATE, true),
        Field::new("is_improvement", DataType::Boolean, true),
        count("trades_changed"),
        Field::new("simulated_pnl_conservative_sol", SOL, true),
    ]);
    Schema::new(fields)
}

/// The operator: its input is the rows of parameters.
#[derive(Debug)]
struct Grid {
    kind: Made,
    source: Arc<SweepSource>,
    /// Where it runs, where that is not this process, and what `EXPLAIN` says of it.
    elsewhere: Option<(Arc<dyn Elsewhere>, String)>,
}

impl Operator for Grid {
    fn name(&self) -> &'static str {
        match self.kind {
            Made::Backtests | Made::Trainings { .. } => "BacktestGrid",
            Made::Days | Made::Series => "DailyGrid",
        }
    }

    fn detail(&self) -> String {
        let query = match self.kind {
            Made::Backtests | Made::Trainings { .. } => "queries/backtest.sql",
            Made::Days | Made::Series => "queries/daily_pnl.sql",
        };
        match &self.elsewhere {
            None => format!("{query} for each combination"),
            Some((_, detail)) => format!("{query} for each combination, {detail}"),
        }
    }

    fn of_session<'a>(
        &'a self,
        session: &'a SessionConfig,
    ) -> BoxFuture<'a, Option<Arc<dyn Operator>>> {
        let elsewhere = elsewhere::of(session);
        let planned = async move {
            let elsewhere = elsewhere?;
            let detail = elsewhere.detail(&self.source).await;
            let grid = Self {
                kind: self.kind,
                source: Arc::clone(&self.source),
                elsewhere: Some((elsewhere, detail)),
            };
            Some(Arc::new(grid) as Arc<dyn Operator>)
        };
        planned.boxed()
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
        let client = Client::of(&context)?;
        let here = Here {
            source: Arc::clone(&self.source),
            kind: self.kind,
            schema: Arc::clone(schema),
            pool: Arc::clone(context.memory_pool()),
            done: Arc::clone(&client.combinations),
            keeper: client.wants_sales().then(|| Arc::clone(&client)),
        };
        let input = parameters.execute(0, Arc::clone(&context))?;
        if let Some((elsewhere, _)) = &self.elsewhere
            && here.keeper.is_none()
        {
            return Ok(Arc::clone(elsewhere).backtests(input, here, client, context));
        }
        Ok(here.rows(input))
    }
}

/// A trade that does not fit says what its combination sets and others set differently.
pub(super) fn with_settings(error: DataFusionError, parameters: &RecordBatch) -> DataFusionError {
    let DataFusionError::External(mut error) = error else {
        return error;
    };
    if let Some(Misfit::Trade {
        combination: Some(row),
        settings,
        ..
    }) = error.downcast_mut()
    {
        let text = |column: &ArrayRef, row| array_value_to_string(column, row).unwrap_or_default();
        let differing = PARAMETERS.iter().filter_map(|parameter| {
            let column = parameters.column_by_name(parameter.name)?;
            let value = text(column, *row);
            let mut rows = 0..column.len();
            let differs = rows.any(|row| text(column, row) != value);
            let shown = match value.contains('.') {
                true => value.trim_end_matches('0').trim_end_matches('.'),
                false => &value,
            };
            differs.then(|| format!("{} {shown}", parameter.name))
        });
        *settings = differing.collect::<Vec<_>>().join(", ");
    }
    DataFusionError::External(error)
}

/// The rows of the parameter relation as the grid reads them.
pub fn combinations(parameters: &RecordBatch) -> Result<Vec<Combination>> {
    let exits_before = parameters.column_by_name(EXITS_BEFORE);
    let exits_before = exits_before.and_then(|column| column.as_primitive_opt::<Int64Type>());
    let rows = 0..parameters.num_rows();
    rows.map(|row| {
        let exits_before = exits_before.filter(|column| column.is_valid(row));
        Ok(Combination {
            exits_before: exits_before.map(|column| column.value(row)),
            ..Combination::read(parameters, row)?
        })
    })
    .collect()
}

/// Memory for as many cells as the combinations make use of, or for fewer where there is not so much:
/// then they share less.
pub fn reserve(
    combinations: usize,
    signals: usize,
    pool: &Arc<dyn MemoryPool>,
) -> Result<(usize, MemoryReservation)> {
    let memory = MemoryConsumer::new("backtest").register(pool);
    let rows = combinations * (size_of::<Combination>() + 2 * size_of::<Backtest>() + 1_000);
    let scratch = signals * rayon::current_num_threads() * SCRATCH_BYTES;
    // Sales and tables of positions are counted one by one as they are made: room for some is left.
    let room = scratch + combinations.min(TABLES_AT_LEAST) * TABLE_BYTES;
    memory.try_grow(rows + scratch + room)?;
    let mut cells = cells_for(combinations, signals);
    loop {
        match memory.try_grow(cells * CELL_BYTES) {
            Ok(()) => {
                memory.shrink(room);
                return Ok((cells, memory));
            }
            Err(_) if cells / 2 >= CELLS_MIN.max(LEVELS_LEAST * signals) => cells /= 2,
            Err(error) => return Err(error),
        }
    }
}

/// Stops backtests when nobody waits for them any more.
pub(super) struct StopOnDrop(pub(super) Arc<Control>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.is_cancelled.store(true, Ordering::Relaxed);
    }
}

/// The rows of the result: the parameters as they came in, then what came of them.
pub fn rows(
    schema: &SchemaRef,
    parameters: &RecordBatch,
    results: &[Backtest],
) -> Result<RecordBatch> {
    let names = schema.fields().iter().map(|field| field.name());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    // Behind what is given stands what comes of it.
    for name in names.take_while(|name| *name != FIRST_COUNT) {
        match parameters.column_by_name(name) {
            Some(column) => columns.push(Arc::clone(column)),
            None => return internal_err!("the parameters have no {name}"),
        }
    }
    let counts = |pick: fn(&Backtest) -> i64| -> ArrayRef {
        Arc::new(results.iter().map(pick).collect::<Int64Array>())
    };
    columns.push(counts(|r| r.total_signals));
    columns.push(counts(|r| r.signals_above_threshold));
    columns.push(counts(|r| r.untradable_signals));
    columns.push(counts(|r| r.limited_signals));
    for side in [|r: &Backtest| r.actual, |r: &Backtest| r.simulated] {
        columns.extend(METRICS.iter().map(|metric| column(metric, results, side)));
    }
    let difference = |r: &Backtest| r.simulated.total_pnl - r.actual.total_pnl;
    let win_rate_difference = |r: &Backtest| r.simulated.win_rate - r.actual.win_rate;
    let improvement = |r: &Backtest| match r.actual.total_pnl.abs() {
        0 => None,
        actual => multiply_divide_half_even(difference(r), 10_000, actual),
    };
    let decimals = |values: Vec<Option<i128>>, data_type: DataType| -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_data_type(data_type))
    };
    let each = |pick: &dyn Fn(&Backtest) -> Option<i128>| results.iter().map(pick).collect();
    columns.push(decimals(each(&|r| Some(difference(r))), SOL));
    columns.push(decimals(each(&improvement), RATIO));
    columns.push(counts(|r| r.simulated.total_trades - r.actual.total_trades));
    columns.push(decimals(each(&|r| Some(win_rate_difference(r))), RATE));
    // Over 0.01 SOL better, and the win rate not 5 points worse.
    let is_improvement = |r: &Backtest| difference(r) > 10_000_000 && win_rate_difference(r) > -500;
    let is_improvement: BooleanArray = results.iter().map(|r| Some(is_improvement(r))).collect();
    columns.push(Arc::new(is_improvement));
    columns.push(counts(|r| r.trades_changed));
    columns.push(decimals(each(&|r| Some(r.conservative_pnl)), SOL));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// The column of a metric of one side.
fn column(metric: &Metric, results: &[Backtest], side: fn(&Backtest) -> Metrics) -> ArrayRef {
    let values = results.iter().map(|r| (metric.value)(&side(r)));
    match metric.data_type() {
        DataType::Int64 => {
            let counts = values.map(|value| value.and_then(|count| i64::try_from(count).ok()));
            Arc::new(counts.collect::<Int64Array>())
        }
        decimal => Arc::new(values.collect::<Decimal128Array>().with_data_type(decimal)),
    }
}

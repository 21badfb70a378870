//! The simulated sales behind a row of `backtest`, one by one, by the kernel of the grid operator: what
//! is drawn while somebody drags a parameter, for whom `queries/simulate_trades.sql` takes too long.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::arrow::array::{Array, AsArray, RecordBatch, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{Date32Type, Field, Schema};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use hindsight_sweep::backtest::Course;
use hindsight_sweep::combination::Combination;
use hindsight_sweep::sales::{Sale, sales};

use super::grid::{StopOnDrop, SweepSource};
use crate::error::Error;
use crate::parameters::PARAMETERS;
use crate::schema;

const DAY_MICROS: i64 = 86_400_000_000;
/// The parameters under which not every sale takes place.
const LIMITS: &str = "limits";
/// What each signal needs while they are made, about.
pub const SIGNAL_BYTES: usize = 400;

/// The sales in the order in which trades are counted; `None` where the row has limits.
pub async fn of_row(
    source: Arc<SweepSource>,
    row: &RecordBatch,
    memory: MemoryReservation,
) -> Result<Option<Vec<Sale>>> {
    let mut limits = PARAMETERS.iter().filter(|p| p.group == LIMITS);
    let is_set = |name: &str| row.column_by_name(name).is_some_and(|c| c.is_valid(0));
    if row.num_rows() != 1 || limits.any(|limit| is_set(limit.name)) {
        return Ok(None);
    }
    let parameters = with_range(row)?;
    let course = Arc::new(Course::default().counted_with(&memory));
    let _stop = StopOnDrop(Arc::clone(&course));
    let work = tokio::task::spawn_blocking(move || {
        // Also when nobody waits any more, until it has stopped.
        let _memory = memory;
        let combination = Combination::read(&parameters, 0)?;
        let history = source.history()?;
        let made = rayon::scope(|_| sales(history, source.book(), &combination, &course));
        made.map_err(|error| match course.is_cancelled.load(Ordering::Relaxed) {
            true => Error::Cancelled.into(),
            false => error,
        })
    });
    let made = work.await;
    let made =
        made.map_err(|error| DataFusionError::Execution(format!("the sales stopped: {error}")))?;
    made.map(Some)
}

/// The row with the instants of its range, as the relation of parameters has them.
fn with_range(row: &RecordBatch) -> Result<RecordBatch> {
    let mut fields = row.schema().fields().to_vec();
    let mut columns = row.columns().to_vec();
    for (name, of, days) in [
        ("range_start", "start_date", 0),
        ("range_end", "end_date", 1),
    ] {
        let day = row.column_by_name(of);
        let day = day.and_then(|column| column.as_primitive_opt::<Date32Type>());
        let day = day.filter(|day| day.is_valid(0)).map(|day| day.value(0));
        let at = day.map(|day| (i64::from(day) + days).saturating_mul(DAY_MICROS));
        let at = TimestampMicrosecondArray::from(vec![at]).with_timezone("UTC");
        fields.push(Arc::new(Field::new(name, schema::timestamp(), true)));
        columns.push(Arc::new(at));
    }
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}

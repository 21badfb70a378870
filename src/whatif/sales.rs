//! The simulated sales behind a row of `backtest`, one by one, by the kernel of the grid operator: what
//! is drawn while somebody drags a parameter, for whom `queries/simulate_trades.sql` takes too long.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{Date32Type, Field, Schema};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use hindsight_sweep::backtest::Course;
use hindsight_sweep::combination::Combination;
use hindsight_sweep::sales::Sale;

use super::grid::{StopOnDrop, SweepSource};
use crate::schema;

const DAY_MICROS: i64 = 86_400_000_000;
/// What each signal needs while they are made, about.
pub const SIGNAL_BYTES: usize = 400;

/// The sales in the order in which trades are counted.
pub async fn of_row(
    source: Arc<SweepSource>,
    row: &RecordBatch,
    memory: MemoryReservation,
) -> Result<Vec<Sale>> {
    let parameters = with_range(row)?;
    let course = Arc::new(Course::default().counted_with(&memory));
    let _stop = StopOnDrop(Arc::clone(&course));
    let work = tokio::task::spawn_blocking(move || {
        // Also when nobody waits any more, until it has stopped.
        let _memory = memory;
        let combination = Combination::read(&parameters, 0)?;
        source.sales(&combination, &course)
    });
    let made = work.await;
    made.map_err(|error| DataFusionError::Execution(format!("the sales stopped: {error}")))?
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

//! The columns and rows of the table `backtests`: a run, then what `backtest` says of it, then how far
//! to believe that.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::DataFusionError;

use crate::error::Result;
use crate::records::runs::Run;
use crate::schema;
use crate::whatif::grid;
use crate::whatif::statistics::interval;

/// Of a run itself; the columns of `backtest` follow, then its interval, and how it was chosen.
const OWN_COLUMNS: usize = 10;

/// How the settings of a run were chosen, as whoever stored it has said.
pub const CHOICE: [(&str, DataType); 4] = [
    ("combinations_tried", DataType::Int64),
    ("deflated_sharpe_ratio", DataType::Float64),
    ("probability_of_overfitting", DataType::Float64),
    ("walk_forward_efficiency", DataType::Float64),
];

/// The columns of the table `backtests`.
pub static BACKTESTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let time = |name: &str| Field::new(name, schema::timestamp(), true);
    let mut fields = vec![
        text("id"),
        text("scenario"),
        text("label"),
        text("status"),
        time("started_at"),
        time("completed_at"),
        Field::new("duration_seconds", DURATION, true),
        text("error_message"),
        text("dataset"),
        text("engine_version"),
    ];
    let of_backtest = grid::schema();
    let of_backtest = of_backtest
        .fields()
        .iter()
        .filter(|f| f.name() != "scenario");
    fields.extend(of_backtest.map(|field| field.as_ref().clone()));
    fields.extend(interval::stored_columns());
    let choice = CHOICE.into_iter();
    fields.extend(choice.map(|(name, data_type)| Field::new(name, data_type, true)));
    Arc::new(Schema::new(fields))
});

/// Seconds, exact to the microsecond.
const DURATION: DataType = DataType::Decimal128(18, 6);

/// Rows of the table `backtests`.
pub fn backtests(runs: &[Run]) -> Result<RecordBatch> {
    let text = |pick: &dyn Fn(&Run) -> Option<&str>| -> ArrayRef {
        Arc::new(runs.iter().map(pick).collect::<StringArray>())
    };
    let time = |pick: &dyn Fn(&Run) -> Option<i64>| -> ArrayRef {
        let times: TimestampMicrosecondArray = runs.iter().map(pick).collect();
        Arc::new(times.with_timezone("UTC"))
    };
    let durations = runs
        .iter()
        .map(|run| Some(i128::from(run.completed_at? - run.started_at)));
    let durations: Decimal128Array = durations.collect();
    let mut columns = vec![
        text(&|run| Some(&run.id)),
        text(&|run| run.scenario.as_deref()),
        text(&|run| run.label.as_deref()),
        text(&|run| Some(run.status.name())),
        time(&|run| Some(run.started_at)),
        time(&|run| run.completed_at),
        Arc::new(durations.with_data_type(DURATION)) as ArrayRef,
        text(&|run| run.error_message.as_deref()),
        text(&|run| Some(&run.dataset)),
        text(&|run| Some(&run.engine_version)),
    ];
    for field in BACKTESTS.fields().iter().skip(OWN_COLUMNS) {
        let of_run = |run: &Run| -> Option<String> {
            let text = run.parameters.get(field.name());
            text.or_else(|| run.results.get(field.name())).cloned()
        };
        let texts: StringArray = runs.iter().map(of_run).collect();
        columns.push(cast(&texts, field.data_type()).map_err(DataFusionError::from)?);
    }
    Ok(RecordBatch::try_new(Arc::clone(&BACKTESTS), columns).map_err(DataFusionError::from)?)
}

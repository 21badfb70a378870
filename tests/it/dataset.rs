//! The product's dataset from the reference's history, past the product's own ingest.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use datafusion::arrow::datatypes::SchemaRef;
use hindsight::dataset::Dataset;
use hindsight::schema;
use num_traits::ToPrimitive;

use crate::price_book::token_prices;
use crate::reference::history::{History, Outcome, Signal};
use crate::reference::number::{Number, whole};

/// A dataset of this history; what the reference does not know is null.
pub fn dataset(history: &History) -> Dataset {
    let mut signals: Vec<&Signal> = history.signals.iter().collect();
    signals.sort_by_key(|signal| (signal.timestamp, signal.id.clone()));
    let mut outcomes: Vec<&Outcome> = history.outcomes.iter().collect();
    outcomes.sort_by_key(|outcome| (outcome.signal_id.clone(), outcome.exit_timestamp));
    let prices = history.prices.iter().map(token_prices);
    Dataset::in_memory(signal_rows(&signals), outcome_rows(&outcomes), prices).unwrap()
}

fn signal_rows(signals: &[&Signal]) -> RecordBatch {
    let mut columns: BTreeMap<&str, ArrayRef> = BTreeMap::new();
    columns.insert("id", text(signals.iter().map(|signal| Some(&signal.id))));
    let timestamps = signals.iter().map(|signal| Some(signal.timestamp));
    columns.insert("timestamp", timestamps_of(timestamps));
    let tokens = signals.iter().map(|signal| Some(&signal.token_address));
    columns.insert("token_address", text(tokens));
    let wallets = signals.iter().map(|signal| signal.source_wallet.as_ref());
    columns.insert("source_wallet", text(wallets));
    for (position, factor) in schema::FACTORS.into_iter().enumerate() {
        let values = signals
            .iter()
            .map(|signal| signal.factors[position].as_ref());
        columns.insert(factor, decimals(values, 7, 6));
    }
    batch(&schema::SIGNALS, columns, signals.len())
}

fn outcome_rows(outcomes: &[&Outcome]) -> RecordBatch {
    let mut columns: BTreeMap<&str, ArrayRef> = BTreeMap::new();
    let ids = outcomes.iter().map(|outcome| Some(&outcome.signal_id));
    columns.insert("signal_id", text(ids));
    let exits = outcomes.iter().map(|outcome| outcome.exit_timestamp);
    columns.insert("exit_timestamp", timestamps_of(exits));
    let entries = outcomes.iter().map(|outcome| outcome.entry_timestamp);
    columns.insert("entry_timestamp", timestamps_of(entries));
    let pnls = outcomes
        .iter()
        .map(|outcome| outcome.realized_pnl_sol.as_ref());
    columns.insert("realized_pnl_sol", decimals(pnls, 20, 9));
    batch(&schema::TRADE_OUTCOMES, columns, outcomes.len())
}

/// A batch of this schema, with nulls where no column is given.
fn batch(schema: &SchemaRef, mut given: BTreeMap<&str, ArrayRef>, rows: usize) -> RecordBatch {
    let column = |field: &Arc<datafusion::arrow::datatypes::Field>| {
        let given = given.remove(field.name().as_str());
        given.unwrap_or_else(|| new_null_array(field.data_type(), rows))
    };
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(Arc::clone(schema), columns).unwrap()
}

fn text<'a>(values: impl Iterator<Item = Option<&'a String>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn timestamps_of(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let column: TimestampMicrosecondArray = values.collect();
    Arc::new(column.with_timezone("UTC"))
}

fn decimals<'a>(
    values: impl Iterator<Item = Option<&'a Number>>,
    precision: u8,
    scale: i8,
) -> ArrayRef {
    let unit = whole(10).pow(scale.into());
    let mantissa = |value: &Number| {
        let mantissa = value * &unit;
        assert!(
            mantissa.is_integer(),
            "{value} has more than {scale} digits"
        );
        mantissa.to_i128().unwrap()
    };
    let column: Decimal128Array = values.map(|value| value.map(mantissa)).collect();
    Arc::new(column.with_precision_and_scale(precision, scale).unwrap())
}

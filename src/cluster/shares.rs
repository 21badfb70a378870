//! Which worker runs which combinations.
//!
//! Combinations that differ in their threshold or scenario alone share a pass over the history, and so
//! go to one worker together; of such groups each goes, in the order in which they first appear, to
//! the worker that has the fewest combinations so far. The order within a share is that of all.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, UInt32Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::datatypes::Field;
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::Result;

use crate::whatif::here::EXITS_BEFORE;

/// What does not keep combinations from sharing a pass.
const SHARED: [&str; 3] = ["combination", "scenario", "score_threshold"];
/// What differs between the folds of one combination, which share its paths.
const OF_FOLDS: [&str; 3] = ["range_start", "range_end", EXITS_BEFORE];

/// The shares of so many workers of these parameter rows; some may be empty.
pub fn shares(parameters: &RecordBatch, workers: usize) -> Result<Vec<RecordBatch>> {
    let schema = parameters.schema();
    let has_folds = schema.index_of(EXITS_BEFORE).is_ok();
    let is_key = |field: &Arc<Field>| {
        let name = field.name().as_str();
        !(SHARED.contains(&name) || has_folds && OF_FOLDS.contains(&name))
    };
    let keys = schema.fields().iter().zip(parameters.columns());
    let keys = keys.filter(|(field, _)| is_key(field));
    let (fields, columns): (Vec<_>, Vec<_>) = keys
        .map(|(field, column)| {
            (
                SortField::new(field.data_type().clone()),
                Arc::clone(column),
            )
        })
        .unzip();
    let rows = RowConverter::new(fields)?.convert_columns(&columns)?;
    let mut taken: Vec<Vec<u32>> = vec![Vec::new(); workers.max(1)];
    let mut groups: HashMap<&[u8], Vec<u32>> = HashMap::new();
    let mut order = Vec::new();
    for (place, row) in (0_u32..).zip(rows.iter()) {
        let key: &[u8] = row.data();
        groups
            .entry(key)
            .or_insert_with(|| {
                order.push(key);
                Vec::new()
            })
            .push(place);
    }
    for key in order {
        let group = groups.remove(key).unwrap_or_default();
        if let Some(fewest) = taken.iter_mut().min_by_key(|share| share.len()) {
            fewest.extend(group);
        }
    }
    let share = |mut places: Vec<u32>| {
        places.sort_unstable();
        Ok(take_record_batch(parameters, &UInt32Array::from(places))?)
    };
    taken.into_iter().map(share).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array};
    use datafusion::arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn what_shares_a_pass_stays_together_and_in_order() {
        let column = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
        // Three stops, each with four thresholds.
        let parameters = RecordBatch::try_from_iter([
            ("combination", column((0..12).collect())),
            ("score_threshold", column((0..12).map(|n| n / 3).collect())),
            (
                "stop_loss_percent",
                column((0..12).map(|n| n % 3).collect()),
            ),
        ])
        .unwrap();
        for (workers, sizes) in [
            (1, vec![12]),
            (2, vec![8, 4]),
            (3, vec![4; 3]),
            (4, vec![4, 4, 4, 0]),
        ] {
            let shares = shares(&parameters, workers).unwrap();
            let counts: Vec<usize> = shares.iter().map(RecordBatch::num_rows).collect();
            assert_eq!(counts, sizes);
            let mut all = Vec::new();
            for share in &shares {
                let combinations = share.column(0).as_primitive::<Int64Type>().values();
                assert!(combinations.is_sorted());
                all.extend_from_slice(combinations);
                let stops: Vec<_> = combinations.iter().map(|n| n % 3).collect();
                for stop in 0..3 {
                    let with_it = stops.iter().filter(|of| **of == stop).count();
                    assert!(with_it == 0 || with_it == 4);
                }
            }
            all.sort_unstable();
            assert!(all.into_iter().eq(0..12));
        }
    }
}

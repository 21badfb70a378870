//! Cursors: the rows of a query, read piece by piece.
//!
//! A cursor reads its query only as far as it is asked to. One that was declared with `SCROLL` keeps
//! what it has read, within the memory limit, and can go back.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::command::Direction;
use crate::error::{Error, Result};

/// A cursor that is open.
pub struct Cursor {
    pub schema: SchemaRef,
    pub outlasts_transaction: bool,
    rows: SendableRecordBatchStream,
    is_read: bool,
    /// Read from the query and not by the client.
    ahead: Option<RecordBatch>,
    /// How many rows are behind.
    position: u64,
    kept: Option<Kept>,
}

/// The rows that a cursor has read, for going back.
struct Kept {
    batches: Vec<RecordBatch>,
    rows: u64,
    memory: MemoryReservation,
}

impl Cursor {
    /// A cursor before its first row; with memory for its rows it can go back.
    pub fn new(
        schema: SchemaRef,
        rows: SendableRecordBatchStream,
        memory: Option<MemoryReservation>,
        outlasts_transaction: bool,
    ) -> Self {
        Self {
            schema,
            outlasts_transaction,
            rows,
            is_read: false,
            ahead: None,
            position: 0,
            kept: memory.map(|memory| Kept {
                batches: Vec::new(),
                rows: 0,
                memory,
            }),
        }
    }

    /// The next rows, at most so many; `None` at the end.
    async fn next(&mut self, most: u64) -> DfResult<Option<RecordBatch>> {
        let batch = match self.ahead.take() {
            Some(batch) => batch,
            None => loop {
                if self.is_read {
                    return Ok(None);
                }
                match self.rows.next().await.transpose()? {
                    Some(batch) if batch.num_rows() == 0 => {}
                    Some(batch) => break batch,
                    None => {
                        self.is_read = true;
                        return Ok(None);
                    }
                }
            },
        };
        let count = batch
            .num_rows()
            .min(usize::try_from(most).unwrap_or(usize::MAX));
        if count < batch.num_rows() {
            self.ahead = Some(batch.slice(count, batch.num_rows() - count));
        }
        self.position += count as u64;
        Ok(Some(batch.slice(0, count)))
    }

    /// Reads rows of the query until so many are kept, or all.
    async fn keep(&mut self, most: u64) -> Result<u64> {
        loop {
            let Some(kept) = &mut self.kept else {
                return Ok(0);
            };
            if kept.rows >= most || self.is_read {
                return Ok(kept.rows);
            }
            match self.rows.next().await.transpose()? {
                Some(batch) => {
                    kept.memory.try_grow(batch.get_array_memory_size())?;
                    kept.rows += batch.num_rows() as u64;
                    kept.batches.push(batch);
                }
                None => self.is_read = true,
            }
        }
    }

    /// The kept row of this number, from 0.
    fn kept_row(&self, number: u64) -> Option<RecordBatch> {
        let mut left = usize::try_from(number).ok()?;
        for batch in &self.kept.as_ref()?.batches {
            if left < batch.num_rows() {
                return Some(batch.slice(left, 1));
            }
            left -= batch.num_rows();
        }
        None
    }
}

/// Reads rows of a cursor that goes both ways.
async fn scroll(cursor: &mut Cursor, direction: Direction) -> Result<Vec<RecordBatch>> {
    let at = cursor.position;
    // The rows asked for, by their number from 1, first and last, and where the cursor is after.
    let (rows, position): (Vec<u64>, u64) = match direction {
        Direction::Forward(count) => {
            let most = count.map_or(u64::MAX, |count| at.saturating_add(count));
            let total = cursor.keep(most).await?;
            let last = most.min(total);
            let rows = (at + 1..=last).collect();
            let is_past = most > total;
            (rows, if is_past { total + 1 } else { last.max(at) })
        }
        Direction::Backward(count) => {
            let first = count.map_or(0, |count| at.saturating_sub(count));
            let from = first.max(1);
            let rows: Vec<u64> = (from..at).rev().collect();
            (rows, first)
        }
        Direction::Absolute(number) => {
            let target = match u64::try_from(number) {
                Ok(number) => number,
                Err(_) => {
                    let total = cursor.keep(u64::MAX).await?;
                    (total + 1).saturating_sub(number.unsigned_abs())
                }
            };
            one(cursor, target).await?
        }
        Direction::Relative(step) => one(cursor, at.saturating_add_signed(step)).await?,
    };
    cursor.position = position;
    Ok(rows
        .into_iter()
        .filter_map(|row| cursor.kept_row(row.checked_sub(1)?))
        .collect())
}

/// The one row of this number, if there is one, and where the cursor is then.
async fn one(cursor: &mut Cursor, number: u64) -> Result<(Vec<u64>, u64)> {
    let total = cursor.keep(number).await?;
    Ok(match number {
        0 => (Vec::new(), 0),
        number if number > total => (Vec::new(), total + 1),
        number => (vec![number], number),
    })
}

/// The rows that `FETCH` asks for, read while they are taken.
pub async fn fetch(
    cursor: &Arc<Mutex<Cursor>>,
    direction: Direction,
) -> Result<SendableRecordBatchStream> {
    let mut guard = Arc::clone(cursor).lock_owned().await;
    let schema = Arc::clone(&guard.schema);
    if guard.kept.is_some() {
        let batches = scroll(&mut guard, direction).await?;
        let batches = stream::iter(batches.into_iter().map(Ok));
        return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)));
    }
    let (skipped, most) = ahead(guard.position, direction)?;
    let mut left = skipped;
    while left > 0 {
        match guard.next(left).await? {
            Some(batch) => left -= batch.num_rows() as u64,
            None => break,
        }
    }
    let rows = stream::try_unfold(
        (guard, most),
        |(mut guard, most): (OwnedMutexGuard<Cursor>, u64)| async move {
            if most == 0 {
                return Ok(None);
            }
            let batch = guard.next(most).await?;
            Ok::<_, DataFusionError>(batch.map(|batch| {
                let left = most - batch.num_rows() as u64;
                (batch, (guard, left))
            }))
        },
    );
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

/// How many rows a cursor that only goes ahead skips, and how many it then reads.
fn ahead(position: u64, direction: Direction) -> Result<(u64, u64)> {
    let refuse = || {
        let message = "cursor can only scan forward";
        Err(Error::session_hint(
            "55000",
            message,
            "declare it with SCROLL to go back",
        ))
    };
    match direction {
        Direction::Forward(count) => Ok((0, count.unwrap_or(u64::MAX))),
        Direction::Backward(Some(0)) => Ok((0, 0)),
        Direction::Absolute(number) => match u64::try_from(number) {
            Ok(number) if number > position => Ok((number - position - 1, 1)),
            Ok(0) if position == 0 => Ok((0, 0)),
            _ => refuse(),
        },
        Direction::Relative(step) => match u64::try_from(step) {
            Ok(step) if step > 0 => Ok((step - 1, 1)),
            _ => refuse(),
        },
        Direction::Backward(_) => refuse(),
    }
}

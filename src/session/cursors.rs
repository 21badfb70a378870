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
    /// Each with the number of its last row, from 1.
    batches: Vec<(u64, RecordBatch)>,
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
                Some(batch) if batch.num_rows() == 0 => {}
                Some(batch) => {
                    kept.memory.try_grow(batch.get_array_memory_size())?;
                    kept.rows += batch.num_rows() as u64;
                    kept.batches.push((kept.rows, batch));
                }
                None => self.is_read = true,
            }
        }
    }

    /// Kept rows from this number on, from 1, as many as lie together and are wanted.
    fn kept_rows(&self, number: u64, most: u64) -> Option<RecordBatch> {
        let batches = &self.kept.as_ref()?.batches;
        let place = batches.partition_point(|(end, _)| *end < number);
        let (end, batch) = batches.get(place)?;
        let start = end - batch.num_rows() as u64;
        let from = usize::try_from(number.checked_sub(start + 1)?).ok()?;
        let count = (end - number + 1).min(most);
        Some(batch.slice(from, usize::try_from(count).ok()?))
    }
}

/// Rows of a cursor that goes both ways, by their numbers from 1.
#[derive(Debug, Clone, Copy)]
struct Range {
    first: u64,
    last: u64,
    is_backward: bool,
}

impl Range {
    const NONE: Self = Self::ahead(1, 0);

    const fn ahead(first: u64, last: u64) -> Self {
        Self {
            first,
            last,
            is_backward: false,
        }
    }

    /// The next of its rows, and what is left of it.
    fn next(mut self, cursor: &Cursor) -> Option<(RecordBatch, Self)> {
        if self.first > self.last {
            return None;
        }
        let batch = match self.is_backward {
            true => {
                self.last -= 1;
                cursor.kept_rows(self.last + 1, 1)?
            }
            false => {
                let batch = cursor.kept_rows(self.first, self.last - self.first + 1)?;
                self.first += batch.num_rows() as u64;
                batch
            }
        };
        Some((batch, self))
    }
}

/// Goes where a cursor is sent that goes both ways, and says which rows it passes.
async fn scroll(cursor: &mut Cursor, direction: Direction) -> Result<Range> {
    let at = cursor.position;
    let (rows, position) = match direction {
        // The row where it is, once more.
        Direction::Forward(Some(0)) | Direction::Backward(Some(0)) => one(cursor, at).await?,
        Direction::Forward(count) => {
            let most = count.map_or(u64::MAX, |count| at.saturating_add(count));
            let total = cursor.keep(most).await?;
            let last = most.min(total);
            let is_past = most > total;
            let position = if is_past { total + 1 } else { last.max(at) };
            (Range::ahead(at + 1, last), position)
        }
        Direction::Backward(count) => {
            let first = count.map_or(0, |count| at.saturating_sub(count));
            let rows = Range {
                first: first.max(1),
                last: at.saturating_sub(1),
                is_backward: true,
            };
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
    Ok(rows)
}

/// The one row of this number, if there is one, and where the cursor is then.
async fn one(cursor: &mut Cursor, number: u64) -> Result<(Range, u64)> {
    let total = cursor.keep(number).await?;
    Ok(match number {
        0 => (Range::NONE, 0),
        number if number > total => (Range::NONE, total + 1),
        number => (Range::ahead(number, number), number),
    })
}

/// Goes where `MOVE` says, and by how many rows.
pub async fn pass(cursor: &Arc<Mutex<Cursor>>, direction: Direction) -> Result<u64> {
    {
        let mut guard = cursor.lock().await;
        if guard.kept.is_some() {
            let range = scroll(&mut guard, direction).await?;
            return Ok((range.last + 1).saturating_sub(range.first));
        }
    }
    let mut passed = fetch(cursor, direction).await?;
    let mut count = 0;
    while let Some(batch) = passed.next().await.transpose()? {
        count += batch.num_rows() as u64;
    }
    Ok(count)
}

/// The rows that `FETCH` asks for, read while they are taken.
pub async fn fetch(
    cursor: &Arc<Mutex<Cursor>>,
    direction: Direction,
) -> Result<SendableRecordBatchStream> {
    let mut guard = Arc::clone(cursor).lock_owned().await;
    let schema = Arc::clone(&guard.schema);
    if guard.kept.is_some() {
        let range = scroll(&mut guard, direction).await?;
        let rows = stream::unfold((guard, range), |(guard, range)| async move {
            let (batch, rest) = range.next(&guard)?;
            Some((Ok(batch), (guard, rest)))
        });
        return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)));
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

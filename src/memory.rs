//! Memory of values, counted in the pool that all statements share for as long as the values live,
//! whoever keeps them.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{ArrayData, ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use datafusion::arrow::buffer::Buffer;
use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};

/// A buffer, and the reservation that counts it among others.
struct Counted {
    buffer: Buffer,
    _memory: Arc<MemoryReservation>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        self.buffer.as_slice()
    }
}

/// The same rows, whose memory is given back to the pool when the last of them is let go of.
pub fn counted(batch: &RecordBatch, what: &str, pool: &Arc<dyn MemoryPool>) -> Result<RecordBatch> {
    let memory = MemoryConsumer::new(what).register(pool);
    memory.try_grow(batch.get_array_memory_size())?;
    let memory = Arc::new(memory);
    let columns = batch.columns().iter();
    let columns = columns.map(|column| counted_array(column, &memory));
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = columns.collect::<Result<_>>()?;
    Ok(RecordBatch::try_new_with_options(
        batch.schema(),
        columns,
        &rows,
    )?)
}

/// The same values, which keep a reservation for as long as they live.
pub fn counted_array(array: &ArrayRef, memory: &Arc<MemoryReservation>) -> Result<ArrayRef> {
    Ok(make_array(held(array.to_data(), memory)?))
}

fn held(data: ArrayData, memory: &Arc<MemoryReservation>) -> Result<ArrayData> {
    let buffers = data.buffers().iter().map(|buffer| {
        Buffer::from(Bytes::from_owner(Counted {
            buffer: buffer.clone(),
            _memory: Arc::clone(memory),
        }))
    });
    let buffers = buffers.collect();
    let children = data.child_data().iter();
    let children = children.map(|child| held(child.clone(), memory));
    let children = children.collect::<Result<_>>()?;
    let data = data.into_builder().buffers(buffers).child_data(children);
    Ok(data.build()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use datafusion::arrow::array::{Int64Array, StringArray, StringViewArray};
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    #[test]
    fn values_are_counted_while_they_live() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 20));
        let columns: [(&str, ArrayRef); 3] = [
            (
                "a",
                Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])),
            ),
            ("b", Arc::new(StringArray::from(vec!["x", "yy", "zzz"]))),
            (
                "c",
                Arc::new(StringViewArray::from(vec!["x", "longer than a view", ""])),
            ),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let kept = counted(&batch, "test", &pool).unwrap();
        assert_eq!(kept, batch);
        let size = pool.reserved();
        assert!(size >= batch.get_array_memory_size());
        let part = kept.slice(1, 1);
        drop(kept);
        assert_eq!(pool.reserved(), size);
        drop(part);
        assert_eq!(pool.reserved(), 0);
        let small: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(16));
        assert!(counted(&batch, "test", &small).is_err());
    }
}

//! The dataset on disk: generations of memory-mapped Arrow, one of them current.

use std::sync::Arc;

use datafusion::arrow::array::{Decimal128Array, RecordBatch};
use hindsight_udfs::price_book::PriceBook;

/// One generation of a loaded history, open for reading; clones share the mapped memory.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Counts up with every load.
    pub generation: u64,
    /// The same for the same rows, whatever order or files they were loaded from.
    pub fingerprint: String,
    /// [`crate::schema::SIGNALS`], ordered by timestamp, then id.
    pub signals: RecordBatch,
    /// [`crate::schema::TRADE_OUTCOMES`].
    pub trade_outcomes: RecordBatch,
    /// [`crate::schema::DATA_QUALITY`].
    pub data_quality: RecordBatch,
    /// Every price.
    pub price_book: Arc<PriceBook>,
    /// `volume_24h` of each token by its position in the price book, `None` where all are null.
    pub volumes: Arc<Vec<Option<Decimal128Array>>>,
}

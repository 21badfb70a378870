//! How far backtests are, what they may use, and whether they shall stop.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryReservation;

use super::block::CELLS_MAX;

/// How far backtests are, and whether they shall stop.
#[derive(Debug)]
pub struct Control {
    /// Counts the combinations that are done.
    pub(crate) done: Arc<AtomicU64>,
    pub is_cancelled: AtomicBool,
    /// For how many cells there is memory at a time.
    pub(crate) cells: usize,
    pub(crate) keeps_days: bool,
    pub(crate) keeps_sales: bool,
    pub(crate) leaves_out_actual: bool,
    /// That of the pool in which tables beside the cells are counted.
    memory: Option<MemoryReservation>,
}

impl Default for Control {
    fn default() -> Self {
        Self::new(Arc::default(), CELLS_MAX)
    }
}

impl Control {
    /// One that counts here, with memory for so many cells.
    pub fn new(done: Arc<AtomicU64>, cells: usize) -> Self {
        Self {
            done,
            is_cancelled: AtomicBool::new(false),
            cells,
            keeps_days: false,
            keeps_sales: false,
            leaves_out_actual: false,
            memory: None,
        }
    }

    /// The same, which counts its tables beside the cells in the pool of this reservation.
    pub fn counted_with(self, memory: &MemoryReservation) -> Self {
        Self {
            memory: Some(memory.new_empty()),
            ..self
        }
    }

    /// Memory for so many bytes, for as long as it is kept; fails where the pool has not so much.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Option<MemoryReservation>> {
        let memory = self.memory.as_ref().map(MemoryReservation::new_empty);
        if let Some(memory) = &memory {
            memory.try_grow(bytes)?;
        }
        Ok(memory)
    }

    /// The same, with what `exits_before` leaves out left out of the actual side and of all counts too,
    /// and not of the simulated trades alone.
    pub fn leaving_out_actual(self) -> Self {
        Self {
            leaves_out_actual: true,
            ..self
        }
    }

    /// The same, with the sums of each day in the results.
    pub fn keeping_days(self) -> Self {
        Self {
            keeps_days: true,
            ..self
        }
    }

    /// The same, with the simulated sales in the results: for few combinations.
    pub fn keeping_sales(self) -> Self {
        Self {
            keeps_sales: true,
            ..self
        }
    }

    /// Fails once they shall stop.
    pub(crate) fn check(&self) -> Result<(), Cancelled> {
        match self.is_cancelled.load(Ordering::Relaxed) {
            true => Err(Cancelled),
            false => Ok(()),
        }
    }
}

/// The error of backtests that were told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the backtest was cancelled")
    }
}

impl Error for Cancelled {}

impl From<Cancelled> for DataFusionError {
    fn from(cancelled: Cancelled) -> Self {
        Self::External(Box::new(cancelled))
    }
}

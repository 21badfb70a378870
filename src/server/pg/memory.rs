//! Memory that nothing needs any more goes back to the machine.
//!
//! The allocator keeps what many statements have used at once, each thread its part, and would keep
//! it for good: a next statement's large values come on top of it. So while nothing runs, it is told
//! to let go; and while others run, soon after a statement has ended, if much more is there than the
//! pool knows of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use datafusion::execution::memory_pool::MemoryPool;
use tokio::sync::Notify;

use crate::allocator::give_back;

/// How often it is looked for memory to give back.
pub const GIVE_BACK_INTERVAL: Duration = Duration::from_secs(1);
/// How long after a statement its values are gone.
const SETTLED: Duration = Duration::from_millis(20);
/// How much more than before may be there uncounted.
const KEPT: usize = 64 << 20;

/// What runs, and whether anything ran since memory was given back.
#[derive(Debug)]
pub struct Use {
    running: AtomicUsize,
    is_used: AtomicBool,
    ended: Notify,
    /// The least that was there uncounted.
    least: AtomicUsize,
    pool: Arc<dyn MemoryPool>,
}

/// Something that runs, until it is dropped.
pub struct Running<'a>(&'a Use);

impl Use {
    /// Nothing runs yet of what is counted in a pool.
    pub fn new(pool: Arc<dyn MemoryPool>) -> Self {
        Self {
            running: AtomicUsize::new(0),
            is_used: AtomicBool::new(false),
            ended: Notify::new(),
            least: AtomicUsize::new(usize::MAX),
            pool,
        }
    }

    /// Counts one more that runs.
    pub fn begin(&self) -> Running<'_> {
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(self)
    }

    /// Gives back what was used, unless something runs or nothing did.
    pub fn give_back(&self) {
        let is_idle = self.running.load(Ordering::Relaxed) == 0;
        if is_idle && self.is_used.swap(false, Ordering::Relaxed) {
            // It takes some milliseconds.
            drop(tokio::task::spawn_blocking(give_back));
        }
    }

    /// Waits for statements to end, and gives back what they leave if it is much.
    pub async fn look_after(&self) {
        loop {
            self.ended.notified().await;
            tokio::time::sleep(SETTLED).await;
            let uncounted = self.uncounted();
            let least = self.least.fetch_min(uncounted, Ordering::Relaxed);
            if uncounted > least.min(uncounted).saturating_add(KEPT) {
                let _ = tokio::task::spawn_blocking(give_back).await;
                self.least.store(self.uncounted(), Ordering::Relaxed);
            }
        }
    }

    /// How much memory this process has beside mapped files and what the pool counts; 0 where the
    /// system does not say.
    fn uncounted(&self) -> usize {
        let said = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let mut pages = said.split(' ').skip(1).map(|n| n.parse().unwrap_or(0));
        let (all, of_files): (usize, usize) =
            (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
        let own = all.saturating_sub(of_files).saturating_mul(4_096);
        own.saturating_sub(self.pool.reserved())
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.is_used.store(true, Ordering::Relaxed);
        self.0.running.fetch_sub(1, Ordering::Relaxed);
        self.0.ended.notify_one();
    }
}

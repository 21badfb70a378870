//! Memory that nothing needs any more goes back to the machine.
//!
//! The allocator keeps what many statements have used at once, each thread its part, and would keep
//! it for good. So while nothing runs, it is told to let go of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// How often it is looked for memory to give back.
pub const GIVE_BACK_INTERVAL: Duration = Duration::from_secs(1);

/// What runs, and whether anything ran since memory was given back.
#[derive(Debug, Default)]
pub struct Use {
    running: AtomicUsize,
    is_used: AtomicBool,
}

/// Something that runs, until it is dropped.
pub struct Running<'a>(&'a Use);

impl Use {
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
            drop(tokio::task::spawn_blocking(trim));
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.is_used.store(true, Ordering::Relaxed);
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "the allocator of the C library has no safe interface"
)]
fn trim() {
    // SAFETY: it may be called at any time from any thread, and touches no memory that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}

//! How far a run is, for whoever asks, and the way to stop it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// What a run does, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// What every signal would have come to; this is nearly all of the work.
    Signals,
    /// The row of the backtest, which was begun with the signals.
    Metrics,
    /// The trades, comparisons and equity curve, into their files.
    Rows,
    /// Onto the disk.
    Storing,
}

impl Phase {
    pub const ALL: [Self; 4] = [Self::Signals, Self::Metrics, Self::Rows, Self::Storing];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Signals => "signals",
            Self::Rows => "rows",
            Self::Storing => "storing",
        }
    }
}

/// A run under way.
#[derive(Debug)]
pub struct Progress {
    pub id: String,
    pub total_signals: u64,
    started: Instant,
    phase: AtomicU8,
    /// Signals that are simulated.
    done: AtomicU64,
    cancelled: CancellationToken,
    ended: CancellationToken,
}

impl Progress {
    pub fn new(id: String, total_signals: u64) -> Self {
        Self {
            id,
            total_signals,
            started: Instant::now(),
            phase: AtomicU8::new(0),
            done: AtomicU64::new(0),
            cancelled: CancellationToken::new(),
            ended: CancellationToken::new(),
        }
    }

    pub fn begin(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub fn advance(&self, signals: usize) {
        self.done.fetch_add(signals as u64, Ordering::Relaxed);
    }

    pub fn phase(&self) -> Phase {
        let phase = usize::from(self.phase.load(Ordering::Relaxed));
        Phase::ALL.get(phase).copied().unwrap_or(Phase::Storing)
    }

    /// Signals that are simulated.
    pub fn signals_processed(&self) -> u64 {
        self.done.load(Ordering::Relaxed).min(self.total_signals)
    }

    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Asks the run to stop.
    pub fn cancel(&self) {
        self.cancelled.cancel();
    }

    /// Waits until it was asked to stop.
    pub async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }

    /// Says that it has ended.
    pub fn end(&self) {
        self.ended.cancel();
    }

    /// Waits until it has ended.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

/// Seconds that are left at this pace, once there is a pace.
pub fn remaining(elapsed: Duration, processed: u64, total: u64) -> Option<i64> {
    let left = total.checked_sub(processed)?;
    let micros = elapsed.as_micros() * u128::from(left);
    let seconds = micros.checked_div(u128::from(processed))? / 1_000_000;
    i64::try_from(seconds).ok()
}

/// Percent with one digit, in tenths.
pub fn tenths_of_percent(processed: u64, total: u64) -> i128 {
    match total {
        0 => 0,
        total => i128::from(processed.min(total)) * 1000 / i128::from(total),
    }
}

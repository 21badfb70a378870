//! Progress bars on standard error, and only where that is a terminal.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hindsight::ingest::{Phase, Progress};
use indicatif::{ProgressBar, ProgressStyle};

use super::interrupt::Interrupt;
use super::terminal::is_quiet;

const TICK: Duration = Duration::from_millis(100);
const BAR: &str = "{prefix:<18} {wide_bar:.cyan/dim} {percent:>3} %  {eta:>4} left";
const ROWS: &str = "{prefix:<18} {wide_bar:.cyan/dim} {human_pos:>12} of about {human_len} rows";
const COUNTS: &str =
    "{prefix:<18} {wide_bar:.cyan/dim} {human_pos:>12} of {human_len}  {eta:>4} left";
const BYTES: &str = "{prefix:<18} {wide_bar:.cyan/dim} {bytes:>10} of {total_bytes}  {eta:>4} left";

/// A bar that is gone when it is dropped.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar over a known amount of work.
    pub fn new(name: &str, total: u64) -> Self {
        Self::with_template(name, total, BAR)
    }

    /// A bar that also counts.
    pub fn counting(name: &str, total: u64) -> Self {
        Self::with_template(name, total, COUNTS)
    }

    /// Something of unknown length.
    pub fn spinner(name: &'static str) -> Self {
        if is_quiet() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner().with_message(name);
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    pub fn set(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }

    /// Takes it away, for good.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }

    fn with_template(name: &str, total: u64, template: &str) -> Self {
        if is_quiet() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(total);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━━─"));
        }
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(TICK);
        Self(bar)
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Listens to a load: a bar for each phase, and Ctrl-C.
pub struct LoadProgress {
    bar: Mutex<Option<Bar>>,
    interrupt: Interrupt,
}

impl LoadProgress {
    pub fn new(interrupt: &Interrupt) -> Self {
        Self {
            bar: Mutex::new(None),
            interrupt: interrupt.clone(),
        }
    }
}

impl Progress for LoadProgress {
    fn begin(&self, phase: Phase, total: u64) {
        let mut current = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        // The old bar is cleared before the new one is drawn.
        *current = None;
        *current = Some(match phase {
            Phase::Comparing => Bar::spinner("asking the database which days are new"),
            Phase::Receiving => Bar::with_template("reading", total, ROWS),
            Phase::Reading => Bar::with_template("reading", total, BYTES),
            Phase::Writing => Bar::new("writing prices", total),
        });
    }

    fn advance(&self, _: Phase, amount: u64) {
        let current = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Bar(bar)) = &*current {
            bar.inc(amount);
            // A total may have been an estimate.
            if bar.length().is_some_and(|total| total < bar.position()) {
                bar.set_length(bar.position());
            }
        }
    }

    fn should_stop(&self) -> bool {
        self.interrupt.is_set()
    }
}

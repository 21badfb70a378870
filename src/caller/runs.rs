//! The runs under way in this process, for as long as each is listed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::progress::Progress;

/// The runs of an engine: where their rows are, and those that are under way here.
#[derive(Debug)]
pub struct Runs {
    /// `None` where the dataset lies in memory: nothing can be stored then.
    pub workspace: Option<PathBuf>,
    under_way: Mutex<BTreeMap<String, Arc<Progress>>>,
}

impl Runs {
    pub fn new(workspace: Option<PathBuf>) -> Self {
        Self {
            workspace,
            under_way: Mutex::default(),
        }
    }

    /// The runs under way in this process.
    pub fn under_way(&self) -> Vec<Arc<Progress>> {
        let under_way = self.under_way.lock();
        let under_way = under_way.unwrap_or_else(PoisonError::into_inner);
        under_way.values().cloned().collect()
    }

    /// Lists a run for as long as what is returned is held.
    pub fn list(self: &Arc<Self>, progress: &Arc<Progress>) -> Listed {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        under_way.insert(progress.id.clone(), Arc::clone(progress));
        UNENDED.fetch_add(1, Ordering::Relaxed);
        Listed(Arc::clone(self), Arc::clone(progress))
    }
}

/// The runs that this process has yet to end.
static UNENDED: AtomicUsize = AtomicUsize::new(0);

/// Whether a run of this process has yet to end, and to store how.
pub fn any_unended() -> bool {
    UNENDED.load(Ordering::Relaxed) > 0
}

/// A run that is listed as under way.
pub struct Listed(Arc<Runs>, Arc<Progress>);

impl Drop for Listed {
    fn drop(&mut self) {
        let mut under_way = self.0.under_way.lock();
        if let Ok(under_way) = &mut under_way {
            under_way.remove(&self.1.id);
        }
        self.1.end();
        UNENDED.fetch_sub(1, Ordering::Relaxed);
    }
}

//! Ctrl-C: heard on a thread of its own, since all others may be deep in a computation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hindsight::{Error, Result};
use tokio::sync::watch;

/// Whether Ctrl-C was pressed; clones hear of the same one.
#[derive(Clone)]
pub struct Interrupt {
    pressed: watch::Receiver<bool>,
    writing: Arc<AtomicBool>,
    undo: Arc<Mutex<Option<Undo>>>,
}

/// Takes back what was begun.
type Undo = Box<dyn FnOnce() + Send>;

impl Interrupt {
    /// Starts to listen.
    pub fn listen() -> Self {
        let (sender, pressed) = watch::channel(false);
        // Should the thread fail to start, Ctrl-C ends the process as it does by default.
        let _ = std::thread::Builder::new()
            .name("ctrl-c".into())
            .spawn(move || {
                let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                else {
                    return;
                };
                if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
                    sender.send_replace(true);
                }
            });
        Self::heard_by(pressed)
    }

    /// One that nobody hears.
    pub fn never() -> Self {
        Self::heard_by(watch::channel(false).1)
    }

    fn heard_by(pressed: watch::Receiver<bool>) -> Self {
        Self {
            pressed,
            writing: Arc::default(),
            undo: Arc::default(),
        }
    }

    pub fn is_set(&self) -> bool {
        *self.pressed.borrow()
    }

    /// Waits for Ctrl-C.
    pub async fn happened(&self) {
        let mut pressed = self.pressed.clone();
        if pressed.wait_for(|pressed| *pressed).await.is_err() {
            // Nobody listens: it will never happen.
            std::future::pending::<()>().await;
        }
    }

    /// Whether something is at work that tidies up when it is stopped.
    pub fn is_writing(&self) -> bool {
        self.writing.load(Ordering::Relaxed)
    }

    /// What to do should the process end before what writes has stopped.
    pub fn set_undo(&self, undo: impl FnOnce() + Send + 'static) {
        let mut current = self.undo.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Some(Box::new(undo));
    }

    /// Takes back what does not stop by itself in time.
    pub fn undo(&self) {
        let mut current = self.undo.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(undo) = current.take() {
            undo();
        }
    }

    /// Runs what writes files on a thread where it may block.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.writing.store(true, Ordering::Relaxed);
        let joined = tokio::task::spawn_blocking(work).await;
        self.writing.store(false, Ordering::Relaxed);
        *self.undo.lock().unwrap_or_else(PoisonError::into_inner) = None;
        joined.unwrap_or_else(|error| {
            Err(Error::Io {
                path: "a thread that writes".into(),
                source: std::io::Error::other(error),
            })
        })
    }
}

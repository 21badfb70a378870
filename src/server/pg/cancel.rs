//! The connections that can be asked, from another, to cancel what they run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::scram;
use crate::error::Result;

/// Every connection that is logged in.
#[derive(Default)]
pub struct Backends(Mutex<Known>);

type Known = HashMap<i32, (Bytes, Arc<Notify>)>;

/// A connection, known to others until it is dropped.
pub struct Backend {
    all: Arc<Backends>,
    pub id: i32,
    pub secret: Bytes,
    /// Notified when somebody who knows the secret asks.
    pub cancel: Arc<Notify>,
}

impl Backends {
    /// Makes a connection known by the number of its session, with a secret of its own.
    pub fn add(self: &Arc<Self>, id: i32, secret_length: usize) -> Result<Backend> {
        let secret = scram::random::<32>()?;
        let secret = Bytes::copy_from_slice(secret.get(..secret_length).unwrap_or(&secret));
        let cancel = Arc::new(Notify::new());
        let known = (secret.clone(), Arc::clone(&cancel));
        self.known().insert(id, known);
        Ok(Backend {
            all: Arc::clone(self),
            id,
            secret,
            cancel,
        })
    }

    /// Cancels what a connection runs, if the secret is right.
    pub fn cancel(&self, id: i32, secret: &[u8]) {
        if let Some((known, cancel)) = self.known().get(&id)
            && known == secret
        {
            cancel.notify_one();
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.all.known().remove(&self.id);
    }
}

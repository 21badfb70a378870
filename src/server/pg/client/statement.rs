//! A statement under way: what it makes is sent, the client is heard, and the clock is watched.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt;
use tokio::sync::mpsc;

use super::Client;
use crate::caller::transaction::TransactionStatus as Standing;
use crate::error::{Error, Result};
use crate::server::pg::report;
use crate::server::pg::run::Sink;
use crate::server::pg::wire::Broken;
use crate::session::milliseconds;

/// How a statement ended for the client that waited for it.
pub(super) enum Driven<T> {
    Done(T),
    Failed(Error),
}

impl Client {
    /// Has something done on the threads that compute, and meanwhile sends what is made, listens to
    /// the client, and watches the clock. With a text, it is a statement that is logged.
    pub(super) async fn drive<T, F>(
        &mut self,
        text: Option<&str>,
        work: impl FnOnce(Sink) -> F,
    ) -> Result<Driven<T>, Broken>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let started = Instant::now();
        let shared = Arc::clone(&self.shared);
        let _running = shared.memory.begin();
        if let Some(text) = text {
            self.now_runs(Some(text));
        }
        // Who asked before the statement began meant another.
        let _ = self.backend.cancel.notified().now_or_never();
        let (sink, mut made) = mpsc::channel::<Bytes>(4);
        let mut task = self.shared.computing.spawn(work(sink));
        let limit = self.time_limit();
        let timeout = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(timeout);
        let mut is_made = false;
        let result = loop {
            tokio::select! {
                biased;
                () = self.backend.cancel.notified() => break Err(Error::Cancelled),
                () = &mut timeout => {
                    let message = "canceling statement due to statement timeout";
                    break Err(Error::session("57014", message));
                }
                () = self.shared.ending.cancelled() => {
                    task.abort();
                    let message = "terminating connection due to administrator command";
                    return Err(Error::session("57P01", message).into());
                }
                chunk = made.recv(), if !is_made && self.channel.outbound.is_empty() => match chunk {
                    Some(chunk) => self.channel.outbound.extend_from_slice(&chunk),
                    None => is_made = true,
                },
                joined = &mut task, if is_made => break joined.unwrap_or_else(|error| {
                    tracing::error!(peer = %self.peer, "a statement crashed: {error}");
                    Err(Error::session("XX000", "the statement crashed; the server goes on"))
                }),
                Some(notice) = self.notices.recv() => {
                    self.channel.put(&report::notice(&notice));
                }
                attended = self.channel.attend() => if let Err(broken) = attended {
                    task.abort();
                    return Err(broken);
                },
            }
        };
        if result.is_err() {
            // Whatever still computes for it is told to stop.
            task.abort();
            self.session.stop();
        }
        while let Ok(notice) = self.notices.try_recv() {
            self.channel.put(&report::notice(&notice));
        }
        if let Some(text) = text {
            self.now_runs(None);
            self.log(text, started.elapsed(), result.as_ref().err());
        }
        Ok(match result {
            Ok(done) => Driven::Done(done),
            Err(error) => Driven::Failed(error),
        })
    }

    /// Lets other sessions see what is run.
    fn now_runs(&self, text: Option<&str>) {
        let application = self.session.show("application_name").unwrap_or_default();
        let status = self.session.transaction_status();
        let (activity, pid) = (self.session.activity(), self.session.pid());
        activity.change(pid, |info| {
            info.application = application;
            if text.is_none() {
                info.state = match status {
                    Standing::Idle => "idle".into(),
                    Standing::Open => "idle in transaction".into(),
                    Standing::Failed => "idle in transaction (aborted)".into(),
                };
            }
        });
        if let Some(text) = text {
            activity.runs(pid, text);
        }
    }

    /// How long a statement may run: as the client wants it, but not longer than the server lets it.
    fn time_limit(&self) -> Option<Duration> {
        let wanted = self.session.show("statement_timeout").ok();
        let wanted = wanted
            .and_then(|text| milliseconds(&text))
            .filter(|limit| *limit > 0);
        let wanted = wanted.map(Duration::from_millis);
        match (wanted, self.shared.statement_timeout) {
            (Some(wanted), Some(limit)) => Some(wanted.min(limit)),
            (wanted, limit) => wanted.or(limit),
        }
    }

    fn log(&self, text: &str, took: Duration, error: Option<&Error>) {
        let user = self.session.user();
        let milliseconds = (took.as_secs_f64() * 1e6).round() / 1e3;
        let peer = self.peer;
        let statement = logged(text);
        match error {
            None => tracing::info!(%peer, user, milliseconds, "{statement}"),
            Some(error) => {
                let sqlstate = error.sqlstate();
                tracing::info!(%peer, user, milliseconds, sqlstate, "{statement}");
            }
        }
    }
}

/// A statement as the log has it: cut where it is long, and without what it writes in quotes where it
/// may set a password.
fn logged(text: &str) -> String {
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.to_lowercase().contains("password") {
        line = line.split('\'').step_by(2).collect::<Vec<_>>().join("'…'");
    }
    match line.char_indices().nth(1_000) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

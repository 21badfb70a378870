//! A live PostgreSQL to load from: one connection, one snapshot, rows as CSV text.
//!
//! All statements run in one transaction, REPEATABLE READ and READ ONLY: they see the database as it
//! was at one instant, and cannot change it. The connection lives on a thread of its own, so that
//! who waits for it can look up every now and then and stop. No message has the password.

mod connection;
mod problem;

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::Server;
use crate::error::{Error, Result};
use connection::{Answer, Request};
pub use problem::SEES_ALL;

/// How often who waits asks whether to stop.
const GLANCE: Duration = Duration::from_millis(50);
/// How long a connection may take to be closed in order.
const FAREWELL: Duration = Duration::from_secs(1);
/// Pieces that wait to be read; the connection rests while there are so many.
const PIECES_AHEAD: usize = 8;

/// Whether to stop waiting; the wait then ends with [`Error::Cancelled`].
pub type ShouldStop<'s> = &'s (dyn Fn() -> bool + Sync);

/// A connection with its snapshot.
pub struct Source {
    server: Server,
    requests: Option<UnboundedSender<Request>>,
    stopped: CancellationToken,
    /// Disconnected once the connection is closed.
    open: Mutex<Receiver<()>>,
}

/// The rows of one statement as CSV with a header, while they arrive.
pub struct Copy {
    server: Server,
    pieces: Receiver<Result<Option<Piece>>>,
    ended: bool,
}

/// Some of the text; it begins and ends with a row.
#[derive(Debug, Default)]
pub struct Piece {
    pub text: Vec<u8>,
    pub rows: u64,
}

impl Source {
    /// Connects to a `postgres://` URL and takes the snapshot. What the URL leaves out comes from
    /// `PGPASSWORD` and its like and from `~/.pgpass`.
    pub fn connect(url: &str, should_stop: ShouldStop<'_>) -> Result<Self> {
        let server = Server::read(url)?;
        let (requests, inbox) = unbounded_channel();
        let (connected, answer) = sync_channel(1);
        let (closing, open) = sync_channel(0);
        let source = Self {
            server: server.clone(),
            requests: Some(requests),
            stopped: CancellationToken::new(),
            open: Mutex::new(open),
        };
        let stopped = source.stopped.clone();
        std::thread::Builder::new()
            .name("postgres".into())
            .spawn(move || {
                connection::run(&server, inbox, &connected, &stopped);
                drop(closing);
            })
            .map_err(|source| Error::Io {
                path: "threads".into(),
                source,
            })?;
        source.wait(&answer, should_stop)?;
        Ok(source)
    }

    /// The database for messages: its URL without a password.
    pub fn name(&self) -> &str {
        &self.server.name
    }

    /// The user of the connection.
    pub fn user(&self) -> &str {
        &self.server.user
    }

    /// The few rows of a statement whose columns are text; `place` is what a failure is about.
    pub fn rows(
        &self,
        place: &str,
        statement: String,
        should_stop: ShouldStop<'_>,
    ) -> Result<Vec<Vec<Option<String>>>> {
        self.rows_of(place, statement, false, should_stop)
    }

    /// [`Self::rows`] of a table of which `by_policy` we see every row, though row-level security
    /// is on; otherwise rows that it might hide are refused.
    pub fn rows_of(
        &self,
        place: &str,
        statement: String,
        by_policy: bool,
        should_stop: ShouldStop<'_>,
    ) -> Result<Vec<Vec<Option<String>>>> {
        let (answer, rows) = sync_channel(1);
        self.ask(Request {
            place: place.to_owned(),
            statement,
            by_policy,
            answer: Answer::Rows(answer),
        });
        self.wait(&rows, should_stop)
    }

    /// The names of the columns of a statement that has a row, and the OIDs of their types.
    pub fn columns(
        &self,
        place: &str,
        statement: String,
        should_stop: ShouldStop<'_>,
    ) -> Result<Vec<(String, u32)>> {
        let (answer, columns) = sync_channel(1);
        self.ask(Request {
            place: place.to_owned(),
            statement,
            by_policy: false,
            answer: Answer::Columns(answer),
        });
        self.wait(&columns, should_stop)
    }

    /// Begins to read the rows of a query; `place` is what a failure is about, and `by_policy` as
    /// for [`Self::rows_of`].
    pub fn copy(&self, place: &str, query: &str, by_policy: bool) -> Copy {
        let (answer, pieces) = sync_channel(PIECES_AHEAD);
        self.ask(Request {
            place: place.to_owned(),
            statement: format!("copy ({query}) to stdout (format csv, header true)"),
            by_policy,
            answer: Answer::Pieces(answer),
        });
        Copy {
            server: self.server.clone(),
            pieces,
            ended: false,
        }
    }

    /// That row-level security may hide rows from us.
    pub fn hidden(&self) -> String {
        self.server.hidden("")
    }

    /// A request to a thread that has ended is answered by its closed channel.
    fn ask(&self, request: Request) {
        if let Some(requests) = &self.requests {
            let _ = requests.send(request);
        }
    }

    fn wait<T>(&self, answer: &Receiver<Result<T>>, should_stop: ShouldStop<'_>) -> Result<T> {
        let answer = wait(answer, &self.server, should_stop);
        if matches!(answer, Err(Error::Cancelled)) {
            self.stopped.cancel();
        }
        answer
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        drop(self.requests.take());
        // Closed in order, the server has nothing to complain about in its log.
        if !self.stopped.is_cancelled() {
            let open = self.open.get_mut().unwrap_or_else(PoisonError::into_inner);
            let _ = open.recv_timeout(FAREWELL);
        }
        self.stopped.cancel();
    }
}

impl Copy {
    /// The next rows; `None` after the last, however often it is asked.
    pub fn next(&mut self, should_stop: ShouldStop<'_>) -> Result<Option<Piece>> {
        if self.ended {
            return Ok(None);
        }
        let piece = wait(&self.pieces, &self.server, should_stop)?;
        self.ended = piece.is_none();
        Ok(piece)
    }
}

fn wait<T>(
    answer: &Receiver<Result<T>>,
    server: &Server,
    should_stop: ShouldStop<'_>,
) -> Result<T> {
    loop {
        match answer.recv_timeout(GLANCE) {
            Ok(answer) => return answer,
            Err(RecvTimeoutError::Timeout) if should_stop() => return Err(Error::Cancelled),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(server.lost()),
        }
    }
}

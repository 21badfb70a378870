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

use sqlx::postgres::PgConnectOptions;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use connection::Request;
use problem::Problems;

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
    problems: Problems,
    requests: Option<UnboundedSender<Request>>,
    stopped: CancellationToken,
    /// Disconnected once the connection is closed.
    open: Mutex<Receiver<()>>,
}

/// The rows of one statement as CSV with a header, while they arrive.
pub struct Copy {
    problems: Problems,
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
        let options = read_url(url)?;
        let problems = Problems::new(&options);
        let (requests, inbox) = unbounded_channel();
        let (connected, answer) = sync_channel(1);
        let (closing, open) = sync_channel(0);
        let source = Self {
            problems: problems.clone(),
            requests: Some(requests),
            stopped: CancellationToken::new(),
            open: Mutex::new(open),
        };
        let stopped = source.stopped.clone();
        std::thread::Builder::new()
            .name("postgres".into())
            .spawn(move || {
                connection::run(&options, &problems, inbox, &connected, &stopped);
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
        &self.problems.name
    }

    /// The user of the connection.
    pub fn user(&self) -> &str {
        &self.problems.user
    }

    /// The few rows of a statement whose columns are text; `place` is what a failure is about.
    pub fn rows(
        &self,
        place: &str,
        statement: String,
        should_stop: ShouldStop<'_>,
    ) -> Result<Vec<Vec<Option<String>>>> {
        let (answer, rows) = sync_channel(1);
        self.ask(Request::Rows {
            place: place.to_owned(),
            statement,
            answer,
        });
        self.wait(&rows, should_stop)
    }

    /// Begins to read the rows of a query; `place` is what a failure is about.
    pub fn copy(&self, place: &str, query: &str) -> Copy {
        let (answer, pieces) = sync_channel(PIECES_AHEAD);
        self.ask(Request::Copy {
            place: place.to_owned(),
            statement: format!("copy ({query}) to stdout (format csv, header true)"),
            pieces: answer,
        });
        Copy {
            problems: self.problems.clone(),
            pieces,
            ended: false,
        }
    }

    /// A request to a thread that has ended is answered by its closed channel.
    fn ask(&self, request: Request) {
        if let Some(requests) = &self.requests {
            let _ = requests.send(request);
        }
    }

    fn wait<T>(&self, answer: &Receiver<Result<T>>, should_stop: ShouldStop<'_>) -> Result<T> {
        let answer = wait(answer, &self.problems, should_stop);
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
        let piece = wait(&self.pieces, &self.problems, should_stop)?;
        self.ended = piece.is_none();
        Ok(piece)
    }
}

fn wait<T>(
    answer: &Receiver<Result<T>>,
    problems: &Problems,
    should_stop: ShouldStop<'_>,
) -> Result<T> {
    loop {
        match answer.recv_timeout(GLANCE) {
            Ok(answer) => return answer,
            Err(RecvTimeoutError::Timeout) if should_stop() => return Err(Error::Cancelled),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(problems.lost()),
        }
    }
}

/// Reads a URL; its errors repeat nothing of it, for it may hold a password.
fn read_url(url: &str) -> Result<PgConnectOptions> {
    let refuse = |problem: &str| Err(Error::Usage(problem.to_owned()));
    let scheme_end = url.find("://").filter(|end| {
        let scheme = &url[..*end];
        scheme == "postgres" || scheme == "postgresql"
    });
    let Some(scheme_end) = scheme_end else {
        return refuse("a database is named by a URL such as postgres://user@host:5432/database");
    };
    // Else a part of the password would be taken for a host, a port or a database, and be shown.
    let rest = &url[scheme_end + 3..];
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if rest[authority_end..].contains(['@', '#']) {
        return refuse(
            "the URL of the database has a / ? # or @ where none can be: in a password these are \
             written %2F %3F %23 and %40; or leave it out and set PGPASSWORD",
        );
    }
    // A user without a host is at home: sqlx wants that said.
    let mut whole = url.to_owned();
    if rest[..authority_end].ends_with('@') {
        whole.insert_str(scheme_end + 3 + authority_end, "localhost");
    }
    match whole.parse::<PgConnectOptions>() {
        Ok(options) => Ok(options),
        Err(sqlx::Error::Configuration(problem)) => refuse(&format!(
            "the URL of the database cannot be read: {problem}; it looks like \
             postgres://user@host:5432/database"
        )),
        Err(_) => refuse("the URL of the database cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        reason = "a test may stop at what it did not expect"
    )]

    use super::*;

    #[test]
    fn a_url_that_cannot_be_read_is_not_repeated() {
        for url in [
            "hunter2",
            "mysql://bot:hunter2@db/trading",
            "postgres://bot:hunter2#x@db/trading",
            "postgres://bot:1234/hunter2@db/trading",
            "postgres://bot:1234?hunter2@db/trading",
            "postgres://bot:1234#hunter2",
            "postgres://bot:hunter2@db:port/trading",
            "postgres://bot:hunter2@/trading:x?port=hunter2",
            "postgres://bot:hunter2@db/trading?sslmode=perhaps",
        ] {
            let error = read_url(url).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{url}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_database_is_named_without_its_password() {
        for (url, name) in [
            (
                "postgres://bot:hunter2@db.example:6543/trading",
                "postgres://bot@db.example:6543/trading",
            ),
            (
                "postgresql://bot@db/trading?password=hunter2&sslmode=require",
                "postgres://bot@db:5432/trading",
            ),
            (
                "postgres://bot:hunter2@%2Ftmp%2Fsockets/trading",
                "postgres://bot@/trading?host=/tmp/sockets",
            ),
            ("postgres://bot:hunter2@db", "postgres://bot@db:5432/bot"),
        ] {
            assert_eq!(Problems::new(&read_url(url).unwrap()).name, name);
        }
    }
}

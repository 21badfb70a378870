//! The thread of a source: connects, takes the snapshot, answers one request after the other.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use futures::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::Piece;
use super::problem::Problems;
use crate::error::{Error, Result};

/// How long a server may take to let us in.
const PATIENCE: Duration = Duration::from_secs(15);
/// Rows are handed over in pieces of about this size.
const PIECE_BYTES: usize = 256 << 10;

/// One snapshot for every statement, nothing written, no limit of the role's on how long it takes, and numbers
/// and times as text that says them whole.
const BEGIN: &str = "begin isolation level repeatable read read only; \
                     set local statement_timeout = 0; \
                     set local lock_timeout = 0; \
                     set local idle_in_transaction_session_timeout = 0; \
                     set local extra_float_digits = 2; \
                     set local datestyle = 'ISO'; \
                     set local timezone = 'UTC'";

/// What the thread is asked for.
pub(super) enum Request {
    Rows {
        place: String,
        statement: String,
        answer: SyncSender<Result<Vec<Vec<Option<String>>>>>,
    },
    Copy {
        place: String,
        statement: String,
        pieces: SyncSender<Result<Option<Piece>>>,
    },
}

/// Works until nobody asks any more, or it is told to stop.
pub(super) fn run(
    options: &PgConnectOptions,
    problems: &Problems,
    inbox: UnboundedReceiver<Request>,
    connected: &SyncSender<Result<()>>,
    stopped: &CancellationToken,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(source) => {
            let path = "threads".into();
            let _ = connected.send(Err(Error::Io { path, source }));
            return;
        }
    };
    runtime.block_on(async {
        tokio::select! {
            biased;
            () = stopped.cancelled() => {}
            () = serve(options, problems, inbox, connected) => {}
        }
    });
    // A host name may still be looked up.
    runtime.shutdown_background();
}

/// Answers requests; one that nobody waits for any more is no failure.
async fn serve(
    options: &PgConnectOptions,
    problems: &Problems,
    mut inbox: UnboundedReceiver<Request>,
    connected: &SyncSender<Result<()>>,
) {
    let mut connection = match begin(options, problems).await {
        Ok(connection) => connection,
        Err(error) => {
            let _ = connected.send(Err(error));
            return;
        }
    };
    let _ = connected.send(Ok(()));
    while let Some(request) = inbox.recv().await {
        match request {
            Request::Rows {
                place,
                statement,
                answer,
            } => {
                let rows = rows(&mut connection, statement).await;
                let _ = answer.send(rows.map_err(|error| problems.of_statement(&place, error)));
            }
            Request::Copy {
                place,
                statement,
                pieces,
            } => {
                let end = copy(&mut connection, &statement, &pieces).await;
                let end = end.map_err(|error| problems.of_statement(&place, error));
                let _ = pieces.send(end.map(|()| None));
            }
        }
    }
    let _ = tokio::time::timeout(super::FAREWELL, connection.close()).await;
}

async fn begin(options: &PgConnectOptions, problems: &Problems) -> Result<PgConnection> {
    // Poolers refuse settings they do not know when a connection begins: this one comes later.
    let mut options = options.clone().extra_float_digits(None);
    if options.get_application_name().is_none() {
        options = options.application_name("hindsight");
    }
    let connect = async {
        let mut connection = PgConnection::connect_with(&options).await?;
        sqlx::raw_sql(BEGIN).execute(&mut connection).await?;
        Ok(connection)
    };
    match tokio::time::timeout(PATIENCE, connect).await {
        Ok(connected) => connected.map_err(|error| problems.of_connecting(error)),
        Err(_) => Err(problems.silent(PATIENCE)),
    }
}

async fn rows(
    connection: &mut PgConnection,
    statement: String,
) -> sqlx::Result<Vec<Vec<Option<String>>>> {
    let rows = sqlx::raw_sql(AssertSqlSafe(statement))
        .fetch_all(connection)
        .await?;
    let texts = |row: &sqlx::postgres::PgRow| (0..row.len()).map(|at| row.try_get(at)).collect();
    rows.iter().map(texts).collect()
}

async fn copy(
    connection: &mut PgConnection,
    statement: &str,
    pieces: &SyncSender<Result<Option<Piece>>>,
) -> sqlx::Result<()> {
    let mut rows = connection.copy_out_raw(statement).await?;
    let mut piece = Piece::default();
    // The server sends every row, and the header, as one message.
    let mut is_header = true;
    while let Some(row) = rows.try_next().await? {
        piece.text.extend_from_slice(&row);
        piece.rows += u64::from(!is_header);
        is_header = false;
        if piece.text.len() >= PIECE_BYTES && pieces.send(Ok(Some(piece.take()))).is_err() {
            return Ok(());
        }
    }
    if !piece.text.is_empty() {
        let _ = pieces.send(Ok(Some(piece)));
    }
    Ok(())
}

impl Piece {
    fn take(&mut self) -> Self {
        let text = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 8);
        std::mem::replace(self, Self { text, rows: 0 })
    }
}

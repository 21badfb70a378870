//! The thread of a source: connects, takes the snapshot, answers one request after the other.

use std::sync::mpsc::SyncSender;

use futures::TryStreamExt;
use sqlx::postgres::{PgColumn, PgConnection};
use sqlx::{AssertSqlSafe, Column, Connection, Row};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::{Piece, Server};
use crate::error::{Error, Result};

/// Rows are handed over in pieces of about this size.
const PIECE_BYTES: usize = 256 << 10;

/// One snapshot for every statement, nothing written, and numbers and times as text that says them
/// whole. The trading system comes first: one processor at a time, an end to waiting for a lock, to a
/// statement and to a client that sleeps. Rows that a policy hides are refused, never left out.
const SETTINGS: [(&str, &str); 8] = [
    ("statement_timeout", "'60min'"),
    ("lock_timeout", "'30s'"),
    ("idle_in_transaction_session_timeout", "'5min'"),
    ("max_parallel_workers_per_gather", "0"),
    ("row_security", "off"),
    ("extra_float_digits", "2"),
    ("datestyle", "'ISO'"),
    ("timezone", "'UTC'"),
];

/// What the thread is asked for.
pub(super) struct Request {
    /// What a failure is about.
    pub(super) place: String,
    pub(super) statement: String,
    /// Whether a policy lets us see every row, so that row-level security may stay on.
    pub(super) by_policy: bool,
    pub(super) answer: Answer,
}

/// Where the answer goes.
pub(super) enum Answer {
    Rows(SyncSender<Result<Vec<Vec<Option<String>>>>>),
    Columns(SyncSender<Result<Vec<(String, u32)>>>),
    Pieces(SyncSender<Result<Option<Piece>>>),
}

/// Works until nobody asks any more, or it is told to stop.
pub(super) fn run(
    server: &Server,
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
            () = serve(server, inbox, connected) => {}
        }
    });
    // A host name may still be looked up.
    runtime.shutdown_background();
}

/// Answers requests; one that nobody waits for any more is no failure.
async fn serve(
    server: &Server,
    mut inbox: UnboundedReceiver<Request>,
    connected: &SyncSender<Result<()>>,
) {
    let mut connection = match begin(server).await {
        Ok(connection) => connection,
        Err(error) => {
            let _ = connected.send(Err(error));
            return;
        }
    };
    let _ = connected.send(Ok(()));
    let mut by_policy = false;
    while let Some(request) = inbox.recv().await {
        let Request {
            place,
            statement,
            by_policy: wanted,
            answer,
        } = request;
        let changed = wanted != by_policy;
        by_policy = wanted;
        let security = changed.then_some(match by_policy {
            true => "set local row_security = on",
            false => "set local row_security = off",
        });
        let ready = async {
            if let Some(security) = security {
                sqlx::raw_sql(security).execute(&mut connection).await?;
            }
            Ok(())
        };
        let ready: sqlx::Result<()> = ready.await;
        let failed = |error| server.of_statement(&place, error);
        match answer {
            Answer::Rows(answer) => {
                let rows = match ready {
                    Ok(()) => rows(&mut connection, &statement).await,
                    Err(error) => Err(error),
                };
                let _ = answer.send(rows.map_err(failed));
            }
            Answer::Columns(answer) => {
                let columns = columns(&mut connection, &statement).await;
                let _ = answer.send(columns.map_err(failed));
            }
            Answer::Pieces(pieces) => {
                let end = match ready {
                    Ok(()) => copy(&mut connection, &statement, &pieces).await,
                    Err(error) => Err(error),
                };
                let _ = pieces.send(end.map_err(failed).map(|()| None));
            }
        }
    }
    let farewell = async {
        // A pooler can give its connection to somebody else.
        sqlx::raw_sql("rollback").execute(&mut connection).await?;
        connection.close().await
    };
    let _ = tokio::time::timeout(super::FAREWELL, farewell).await;
}

async fn begin(server: &Server) -> Result<PgConnection> {
    let (mut connection, _) = server.connect().await?;
    let begin = format!(
        "begin isolation level repeatable read read only; {}",
        server.local_settings(&SETTINGS)
    );
    let begun = sqlx::raw_sql(AssertSqlSafe(begin))
        .execute(&mut connection)
        .await;
    begun.map_err(|error| server.of_state(&error))?;
    Ok(connection)
}

async fn columns(
    connection: &mut PgConnection,
    statement: &str,
) -> sqlx::Result<Vec<(String, u32)>> {
    let row = sqlx::raw_sql(AssertSqlSafe(statement))
        .fetch_one(connection)
        .await?;
    let columns = row.columns().iter();
    let oid = |column: &PgColumn| column.type_info().oid().map_or(0, |oid| oid.0);
    Ok(columns
        .map(|column| (column.name().to_owned(), oid(column)))
        .collect())
}

async fn rows(
    connection: &mut PgConnection,
    statement: &str,
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

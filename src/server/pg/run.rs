//! What is done for a client on the threads that compute: statements are planned and executed there,
//! and their rows written, while the network has threads of its own.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use datafusion::arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::StreamExt;
use pgwire::messages::Message;
use pgwire::messages::copy::CopyDone;
use pgwire::messages::response::CommandComplete;
use tokio::sync::mpsc;

use super::copy::Copier;
use super::encode::{self, Columns, Rows};
use super::wire::CHUNK;
use crate::dialect::output::Style;
use crate::error::{Error, Result};
use crate::session::{Outcome, Prepared, Session, Statement};

/// Where messages go that are made while a statement runs.
pub type Sink = mpsc::Sender<Bytes>;

/// A statement with values, whose rows a client reads in one go or several.
pub struct Portal {
    pub prepared: Arc<Prepared>,
    pub columns: Option<Columns>,
    values: Vec<ScalarValue>,
    state: State,
    /// How many rows were sent.
    sent: u64,
    /// What its values need.
    _memory: MemoryReservation,
}

enum State {
    New,
    Running(Box<Running>),
    Done,
}

/// Rows that are being read.
struct Running {
    rows: SendableRecordBatchStream,
    /// What is read and not sent, from this row on.
    batch: Option<(RecordBatch, usize)>,
    copier: Option<Copier>,
}

/// How far an execution came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Suspended,
    Complete,
}

/// Messages that are sent when there are enough of them.
struct Output<'a> {
    waiting: BytesMut,
    sink: &'a Sink,
}

impl Output<'_> {
    fn put(&mut self, message: &impl Message) -> Result<()> {
        let encoded = message.encode(&mut self.waiting);
        encoded.map_err(|error| Error::session("54000", error.to_string()))
    }

    /// Sends what waits, and waits itself until the client has taken most of it.
    async fn send(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let sent = self.sink.send(self.waiting.split().freeze()).await;
        // Nobody reads any more: what runs is not needed.
        sent.map_err(|_| Error::Cancelled)
    }
}

impl Portal {
    /// A portal whose columns come in the formats that the client asked for.
    pub fn new(
        prepared: Arc<Prepared>,
        values: Vec<ScalarValue>,
        formats: &[i16],
        memory: MemoryReservation,
    ) -> Result<Self> {
        let columns = match (&prepared.schema, &prepared.copy) {
            // The formats of copied rows are said by COPY.
            (Some(schema), Some(_)) => Some(Columns::new(Arc::clone(schema), &[])?),
            (Some(schema), None) => Some(Columns::new(Arc::clone(schema), formats)?),
            (None, _) => None,
        };
        Ok(Self {
            prepared,
            columns,
            values,
            state: State::New,
            sent: 0,
            _memory: memory,
        })
    }

    /// Executes it, or goes on, for at most so many rows; 0 is all.
    pub async fn execute(
        mut self,
        session: Arc<Session>,
        most: u64,
        sink: Sink,
    ) -> (Self, Result<Progress>) {
        let mut output = Output {
            waiting: BytesMut::new(),
            sink: &sink,
        };
        let result = self.advance(&session, most, &mut output).await;
        // Rows that were made before an error are sent before it.
        let sent = output.send().await;
        let result = result.and_then(|progress| sent.map(|()| progress));
        if result.is_err() {
            self.state = State::Done;
        }
        (self, result)
    }

    /// Goes on for at most so many rows and sends none of them; how many they were.
    pub async fn skip(self, session: Arc<Session>, most: u64) -> (Self, Result<u64>) {
        let before = self.sent;
        let (sink, mut skipped) = mpsc::channel(1);
        let skipping = async { while skipped.recv().await.is_some() {} };
        let ((portal, result), ()) = tokio::join!(self.execute(session, most, sink), skipping);
        let count = portal.sent - before;
        (portal, result.map(|_| count))
    }

    async fn advance(
        &mut self,
        session: &Session,
        most: u64,
        output: &mut Output<'_>,
    ) -> Result<Progress> {
        if matches!(self.state, State::New) {
            self.state = State::Done;
            let values = std::mem::take(&mut self.values);
            match session.execute(&self.prepared, values).await? {
                Outcome::Done { rows, verb } => {
                    output.put(&CommandComplete::new(tag(verb, rows)))?;
                    return Ok(Progress::Complete);
                }
                Outcome::Rows(rows) => self.state = State::Running(self.start(rows, output)?),
            }
        }
        let verb = self.prepared.verb;
        let State::Running(running) = &mut self.state else {
            output.put(&CommandComplete::new(tag(verb, Some(0))))?;
            return Ok(Progress::Complete);
        };
        let Some(columns) = &self.columns else {
            return Err(Error::session(
                "XX000",
                "rows came from a statement without columns",
            ));
        };
        let style = encode::style(&session.settings());
        let most = match (most, &running.copier) {
            (0, _) | (_, Some(_)) => u64::MAX,
            (most, None) => most,
        };
        let sent = running.send(columns, &style, most, output).await?;
        self.sent += sent;
        if sent == most {
            return Ok(Progress::Suspended);
        }
        if let Some(copier) = &mut running.copier {
            copier.end(&mut output.waiting);
            output.put(&CopyDone::new())?;
        }
        self.state = State::Done;
        output.put(&CommandComplete::new(tag(verb, Some(sent))))?;
        Ok(Progress::Complete)
    }

    fn start(
        &self,
        rows: SendableRecordBatchStream,
        output: &mut Output<'_>,
    ) -> Result<Box<Running>> {
        let copier = match (&self.prepared.copy, &self.columns) {
            (Some(options), Some(columns)) => {
                let copier = Copier::new(options.clone(), columns);
                output.put(&copier.response())?;
                copier.begin(&mut output.waiting);
                Some(copier)
            }
            _ => None,
        };
        Ok(Box::new(Running {
            rows,
            batch: None,
            copier,
        }))
    }
}

impl Running {
    /// Sends at most so many rows, and says how many.
    async fn send(
        &mut self,
        columns: &Columns,
        style: &Style,
        most: u64,
        output: &mut Output<'_>,
    ) -> Result<u64> {
        let mut sent = 0;
        while sent < most {
            let (batch, start) = match self.batch.take() {
                Some(batch) => batch,
                None => match self.rows.next().await.transpose()? {
                    Some(batch) => (batch, 0),
                    None => break,
                },
            };
            let left = usize::try_from(most - sent).unwrap_or(usize::MAX);
            let end = batch.num_rows().min(start.saturating_add(left));
            let rows = columns.rows(&batch)?;
            for row in start..end {
                self.row(&rows, row, style, output)?;
                if output.waiting.len() >= CHUNK {
                    output.send().await?;
                }
            }
            sent += (end - start) as u64;
            if end < batch.num_rows() {
                self.batch = Some((batch, end));
            }
            // The first rows of a long result are not kept until there are many.
            output.send().await?;
        }
        Ok(sent)
    }

    fn row(
        &mut self,
        rows: &Rows,
        row: usize,
        style: &Style,
        output: &mut Output<'_>,
    ) -> Result<()> {
        let length = output.waiting.len();
        let written = match &mut self.copier {
            Some(copier) => copier.row(rows, row, style, &mut output.waiting),
            None => rows.message(row, style, &mut output.waiting),
        };
        if written.is_err() {
            // Half a message must not be sent.
            output.waiting.truncate(length);
        }
        written
    }
}

/// Runs one statement of a simple query, with everything that is told of it.
pub async fn simple(session: Arc<Session>, statement: Statement, sink: Sink) -> Result<()> {
    let prepared = Arc::new(session.prepare(statement, &[]).await?);
    if let Some(position) = prepared.parameters.len().checked_sub(1) {
        let message = format!("there is no parameter ${}", position + 1);
        return Err(Error::session("42P02", message));
    }
    let memory = session.reserve("portal", 0)?;
    let portal = Portal::new(Arc::clone(&prepared), Vec::new(), &[], memory)?;
    if let (Some(columns), None) = (&portal.columns, &prepared.copy) {
        let mut description = BytesMut::new();
        let encoded = columns.description().encode(&mut description);
        encoded.map_err(|error| Error::session("54000", error.to_string()))?;
        if sink.send(description.freeze()).await.is_err() {
            return Err(Error::Cancelled);
        }
    }
    portal.execute(session, 0, sink).await.1.map(|_| ())
}

/// What a client is told that was done, and with how many rows.
fn tag(verb: &str, rows: Option<u64>) -> String {
    match (verb, rows) {
        ("INSERT", Some(rows)) => format!("INSERT 0 {rows}"),
        ("SHOW" | "EXPLAIN" | "CALL", _) | (_, None) => verb.to_owned(),
        (verb, Some(rows)) => format!("{verb} {rows}"),
    }
}

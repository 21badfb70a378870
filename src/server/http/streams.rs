//! Answers that come piece by piece: server-sent events, or a line of JSON each.
//!
//! What makes them runs on the threads that compute, waits for a client that reads slowly, and ends
//! with the client. When the server stops, the last piece says so.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::call::{Call, OnDrop};
use super::problem::Problem;

/// Pieces that are made ahead of the client.
const AHEAD: usize = 4;

/// How pieces are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Server-sent events.
    Events,
    /// A line of JSON each, which says by its `type` what it is.
    Lines,
}

impl Form {
    fn content_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Lines => "application/x-ndjson",
        }
    }

    fn piece(self, kind: &str, value: &Value) -> Bytes {
        match (self, value) {
            (Self::Events, value) => format!("event: {kind}\ndata: {value}\n\n").into(),
            (Self::Lines, Value::Object(members)) => {
                let mut line = serde_json::Map::new();
                line.insert("type".into(), kind.into());
                line.extend(members.clone());
                format!("{}\n", Value::Object(line)).into()
            }
            (Self::Lines, value) => format!("{value}\n").into(),
        }
    }
}

/// Where pieces go.
#[derive(Clone)]
pub struct Pieces {
    form: Form,
    sender: mpsc::Sender<Bytes>,
}

impl Pieces {
    /// Sends a piece, as soon as the client has taken those before; whether it is still there.
    pub async fn send(&self, kind: &str, value: &Value) -> bool {
        self.sender.send(self.form.piece(kind, value)).await.is_ok()
    }

    /// The last piece, which says what went wrong.
    async fn fail(&self, problem: &Problem) {
        self.send("error", &failure(self.form, problem)).await;
    }
}

fn failure(form: Form, problem: &Problem) -> Value {
    match form {
        Form::Events => problem.json(),
        Form::Lines => serde_json::json!({ "problem": problem.json() }),
    }
}

/// What a client has open.
struct Open {
    receiver: mpsc::Receiver<Bytes>,
    /// Ends what makes the pieces, when the client leaves.
    _task: OnDrop<()>,
    _place: OwnedSemaphorePermit,
    stopping: tokio_util::sync::CancellationToken,
    form: Form,
    is_over: bool,
}

/// An answer of the pieces that `make` sends.
pub fn answer(
    call: &Call,
    form: Form,
    make: impl FnOnce(Pieces) -> BoxFuture<'static, Result<(), Problem>>,
) -> Result<Response<Body>, Problem> {
    let place = call.stream_place()?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let pieces = Pieces { form, sender };
    let making = make(pieces.clone());
    let task = call.shared.computing.spawn(async move {
        if let Err(problem) = making.await {
            pieces.fail(&problem).await;
        }
    });
    let open = Open {
        receiver,
        _task: OnDrop(task),
        _place: place,
        stopping: call.shared.stopping.clone(),
        form,
        is_over: false,
    };
    let body = stream::unfold(open, |mut open| async move {
        if open.is_over {
            return None;
        }
        let piece = tokio::select! {
            biased;
            () = open.stopping.cancelled() => {
                open.is_over = true;
                let failure = failure(open.form, &Problem::stopping());
                Some(open.form.piece("error", &failure))
            }
            piece = open.receiver.recv() => piece,
        };
        piece.map(|piece| (Ok::<_, std::convert::Infallible>(piece), open))
    });
    let mut response = Response::new(Body::from_stream(body));
    let kind = HeaderValue::from_static(form.content_type());
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

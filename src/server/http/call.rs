//! From a request to its answer: who asks is let in, the route is found, what it asks for is done on
//! the threads that compute, and a line of the log says what came of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::RawPathParams;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderValue, Request, Response, StatusCode};
use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use futures::{FutureExt, TryStreamExt};
use http_body::{Frame, SizeHint};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tower_service::Service;

use super::passwords::Caller;
use super::problem::Problem;
use super::protocol::{Answers, BODY_LIMIT};
use super::routes::Route;
use super::{GRACE, Shared, gate, page};
use crate::error::Error;
use crate::parameters::Ranges;
use crate::session::{Outcome, Session};

/// How many requests and streams each caller may have at once.
const REQUESTS: usize = 64;
const STREAMS: usize = 16;
/// Callers that are remembered while they ask nothing.
const CALLERS: usize = 1_000;

/// The places of one caller.
pub struct Places {
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

/// Answers the requests of one connection.
pub struct Answering {
    pub shared: Arc<Shared>,
    pub router: Router,
    pub peer: IpAddr,
}

impl Answers for Answering {
    type Admitted = Line;

    async fn admit(&self, head: &mut Request<()>) -> (Line, Result<(), Problem>) {
        let mut line = Line {
            started: Instant::now(),
            method: head.method().to_string(),
            // Without what is behind the question mark, where somebody might put a token.
            path: head.uri().path().chars().take(200).collect(),
            user: "-".into(),
            status: StatusCode::OK,
            place: None,
        };
        // Each on the heap: futures within futures would be nested too deep.
        let allowed = self.let_in(head, &mut line).boxed().await;
        (line, allowed)
    }

    async fn answer(
        &self,
        mut line: Line,
        request: Result<Request<Body>, Problem>,
    ) -> Response<Body> {
        let mut response = match request {
            Err(problem) => problem.response(),
            Ok(request) => match self.router.clone().call(request).boxed().await {
                Ok(response) => response,
                Err(never) => match never {},
            },
        };
        gate::guard_answer(response.headers_mut());
        line.status = response.status();
        response.map(|body| Body::new(Counted { body, _line: line }))
    }
}

impl Answering {
    /// Checks what every request must be, and finds out who asks.
    async fn let_in(&self, head: &mut Request<()>, line: &mut Line) -> Result<(), Problem> {
        let shared = &self.shared;
        gate::check_host(head, &shared.hosts)?;
        gate::check_sender(head, &shared.hosts)?;
        if shared.stopping.is_cancelled() {
            return Err(Problem::stopping());
        }
        if head.uri().path().starts_with("/api/") {
            let header = gate::authorization(head)?;
            let caller = shared
                .passwords
                .caller(&shared.engine, header, self.peer)
                .await?;
            line.user = Arc::clone(&caller.user);
            let places = places(shared, &caller);
            let place = Arc::clone(&places.requests).try_acquire_owned();
            line.place = Some(place.map_err(|_| too_many("requests", REQUESTS))?);
            head.extensions_mut().insert(caller);
            head.extensions_mut().insert(places);
        }
        Ok(())
    }
}

fn too_many(what: &str, most: usize) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        format!("more than {most} {what} at once"),
    )
}

/// The places of a caller; those who ask nothing now are forgotten where there are many.
fn places(shared: &Shared, caller: &Caller) -> Arc<Places> {
    let places = shared.places.lock();
    let mut places = places.unwrap_or_else(PoisonError::into_inner);
    if places.len() >= CALLERS {
        places.retain(|_, places| Arc::strong_count(places) > 1);
    }
    let of_caller = places.entry(Arc::clone(&caller.user)).or_insert_with(|| {
        Arc::new(Places {
            requests: Arc::new(Semaphore::new(REQUESTS)),
            streams: Arc::new(Semaphore::new(STREAMS)),
        })
    });
    Arc::clone(of_caller)
}

/// A line of the log, which is written when the answer has ended.
pub struct Line {
    started: Instant,
    method: String,
    path: String,
    user: Arc<str>,
    status: StatusCode,
    /// The place of the request, for as long as its answer is read.
    place: Option<OwnedSemaphorePermit>,
}

impl Drop for Line {
    fn drop(&mut self) {
        let milliseconds = self.started.elapsed().as_micros() as f64 / 1_000.0;
        let (method, path, status) = (&self.method, &self.path, self.status.as_u16());
        let user = &self.user;
        tracing::info!(user = ?user, status, ms = milliseconds, "{method} {path}");
    }
}

/// The body of an answer, with the line that its end writes.
struct Counted {
    body: Body,
    _line: Line,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What a route is asked.
pub struct Call {
    pub shared: Arc<Shared>,
    pub caller: Caller,
    places: Arc<Places>,
    path: Vec<(String, String)>,
    pub query: BTreeMap<String, String>,
    pub body: Bytes,
    pub takes_gzip: bool,
    pub takes_ndjson: bool,
}

/// Does what a route is asked to.
pub async fn perform(
    shared: Arc<Shared>,
    route: &'static Route,
    path: RawPathParams,
    request: Request<Body>,
) -> Response<Body> {
    let performed = perform_within(shared, route, path, request).await;
    performed.unwrap_or_else(|problem| problem.response())
}

async fn perform_within(
    shared: Arc<Shared>,
    route: &'static Route,
    path: RawPathParams,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let (mut head, body) = request.into_parts();
    let caller = head.extensions.remove::<Caller>();
    let places = head.extensions.remove::<Arc<Places>>();
    let (Some(caller), Some(places)) = (caller, places) else {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "nobody asks"));
    };
    if caller.role < route.role {
        let detail = format!(
            "{} needs the role {}; {} is {}",
            route.path,
            route.role.name(),
            caller.user,
            caller.role.name()
        );
        return Err(Error::NotAllowed(detail).into());
    }
    let accepted = head.headers.get(axum::http::header::ACCEPT);
    let accepted = accepted.and_then(|value| value.to_str().ok());
    let call = Call {
        path: path
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        query: query(head.uri.query().unwrap_or_default(), route)?,
        takes_gzip: page::takes_gzip(&head.headers),
        takes_ndjson: accepted.is_none_or(|kinds| !kinds.contains("text/event-stream")),
        body: axum::body::to_bytes(body, BODY_LIMIT)
            .await
            .map_err(|_| Problem::request("the body broke off"))?,
        shared: Arc::clone(&shared),
        caller,
        places,
    };
    if !call.body.is_empty() && route.request.is_none() && call.body.as_ref() != b"{}" {
        return Err(Problem::request(format!("{} takes no body", route.path)));
    }
    let task = (route.handler)(call);
    let mut task = OnDrop(shared.computing.spawn(task));
    let too_long = async {
        match shared.statement_timeout {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        done = &mut task.0 => match done {
            Ok(done) => done,
            Err(error) => {
                tracing::error!("{} crashed: {error}", route.path);
                let detail = "the request crashed, others go on";
                Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail))
            }
        },
        () = too_long => {
            let message = "canceling statement due to statement timeout";
            Err(Error::session("57014", message).into())
        }
        () = shared.stopping.cancelled().then(|()| tokio::time::sleep(GRACE / 2)) => {
            Err(Problem::stopping())
        }
    }
}

/// A task that ends when nobody waits for it any more.
pub struct OnDrop<T>(pub JoinHandle<T>);

impl<T> Drop for OnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What stands behind the question mark, where the route knows it.
fn query(text: &str, route: &Route) -> Result<BTreeMap<String, String>, Problem> {
    let mut query = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name)?, decoded(value)?);
        let shown: String = name.chars().take(100).collect();
        if !route.takes_columns && !route.query.iter().any(|known| known.name == name) {
            let known: Vec<&str> = route.query.iter().map(|known| known.name).collect();
            let hint = match known.as_slice() {
                [] => "this route takes none".to_owned(),
                known => format!("known are {}", known.join(", ")),
            };
            let detail = format!("the query parameter {shown} is unknown");
            return Err(Problem::request(detail).hinted(hint));
        }
        if query.insert(name, value).is_some() {
            let detail = format!("the query parameter {shown} is there twice");
            return Err(Problem::request(detail));
        }
    }
    Ok(query)
}

/// A text without its percent signs.
fn decoded(text: &str) -> Result<String, Problem> {
    let wrong = || Problem::request("the query is no percent-encoded UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = rest.get(..2).ok_or_else(wrong)?;
                let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
                bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
                rest = &rest[2..];
            }
            byte => bytes.push(byte),
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    match text.contains('\0') {
        true => Err(wrong()),
        false => Ok(text),
    }
}

impl Call {
    /// A part of the path.
    pub fn path(&self, name: &str) -> &str {
        let part = self.path.iter().find(|(known, _)| known == name);
        part.map_or("", |(_, value)| value)
    }

    /// A number of the query between two bounds.
    pub fn number(&self, name: &str, default: u64, most: u64) -> Result<u64, Problem> {
        let Some(text) = self.query.get(name) else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|number| *number <= most);
        number.ok_or_else(|| {
            let found: String = text.chars().take(100).collect();
            let detail = format!("{name} must be a whole number up to {most}, found '{found}'");
            Problem::request(detail)
        })
    }

    /// The ranges of parameters that the workspace has.
    pub fn ranges(&self) -> &Ranges {
        self.shared.engine.store().ranges()
    }

    /// A session of the caller.
    pub async fn session(&self) -> Result<Session, Problem> {
        let Caller { user, role } = &self.caller;
        Ok(self.shared.engine.session(user, *role).await?)
    }

    /// The rows of one statement.
    pub async fn rows(&self, sql: &str) -> Result<Vec<RecordBatch>, Problem> {
        rows(&self.session().await?, sql).await
    }

    /// A place among the streams of the caller.
    pub fn stream_place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let place = Arc::clone(&self.places.streams).try_acquire_owned();
        place.map_err(|_| too_many("streams", STREAMS))
    }

    /// An answer in JSON.
    pub fn json(&self, value: &Value) -> Response<Body> {
        self.json_text(value.to_string())
    }

    /// An answer in JSON that is written already.
    pub fn json_text(&self, text: String) -> Response<Body> {
        let bytes = Bytes::from(text);
        let compressed = match self.takes_gzip {
            true => page::compressed(&bytes),
            false => None,
        };
        let is_compressed = compressed.is_some();
        let mut response = Response::new(Body::from(compressed.unwrap_or(bytes)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if is_compressed {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// The rows of one statement, in memory that is accounted for while they are made.
pub async fn rows(session: &Session, sql: &str) -> Result<Vec<RecordBatch>, Problem> {
    Ok(collected(session, sql).await?)
}

/// As [`rows`], for who is no request.
pub async fn collected(session: &Session, sql: &str) -> crate::Result<Vec<RecordBatch>> {
    let Outcome::Rows(mut rows) = session.run(sql).await? else {
        return Ok(Vec::new());
    };
    let memory = session.reserve("http", 0)?;
    let mut batches = Vec::new();
    while let Some(batch) = rows.try_next().await? {
        memory.try_grow(batch.get_array_memory_size())?;
        batches.push(batch);
    }
    Ok(batches)
}

/// A name as SQL quotes it.
pub fn quoted(name: &str) -> Cow<'_, str> {
    format!("\"{}\"", name.replace('"', "\"\"")).into()
}

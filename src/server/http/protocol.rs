//! HTTP/1.1 on one connection: requests one after another, each head and body within a time and a size,
//! bodies and answers of a stated length or in chunks.
//!
//! What could be read in two ways is refused and ends the connection: two lengths, a length and chunks,
//! anything that is no head. While an answer is made and sent the client is listened to, so that one
//! that leaves ends what is done for it; one that takes nothing any more is given up.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, EXPECT, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::chunks::Chunks;
use super::problem::Problem;

/// How long a connection may have no request, and a client take for the head or the body of one.
const IDLE_TIME: Duration = Duration::from_secs(120);
const HEAD_TIME: Duration = Duration::from_secs(15);
const BODY_TIME: Duration = Duration::from_secs(15);
/// How long a client may take nothing of what is written to it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How large a head and a body may be, and how many headers there may be.
const HEAD_LIMIT: usize = 32 << 10;
pub const BODY_LIMIT: usize = 1 << 20;
const HEADERS_LIMIT: usize = 64;
/// What is written at a time.
const PIECE: usize = 64 << 10;
/// How long, and how much, is read and thrown away behind a request that was refused: else its answer
/// might be lost with the connection.
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_LIMIT: usize = 8 << 20;

/// Who answers requests.
pub trait Answers: Send + Sync {
    /// What it keeps of a request between its head and its body.
    type Admitted: Send;

    /// Looks at the head of a request, before its body is read.
    fn admit(
        &self,
        head: &mut Request<()>,
    ) -> impl Future<Output = (Self::Admitted, Result<(), Problem>)> + Send;

    /// Answers a request.
    fn answer(
        &self,
        admitted: Self::Admitted,
        request: Result<Request<Body>, Problem>,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// Serves the requests of a connection until it ends.
pub async fn serve<T>(stream: T, answers: impl Answers, stopping: CancellationToken)
where
    T: AsyncRead + AsyncWrite + Send,
{
    let (reader, writer) = tokio::io::split(stream);
    let mut connection = Connection {
        reader,
        writer,
        buffer: BytesMut::new(),
    };
    // What breaks the connection has nobody left to be told.
    let _ = connection.requests(&answers, &stopping).await;
    let _ = timeout(PATIENCE, connection.writer.shutdown()).await;
    connection.linger().await;
}

struct Connection<T> {
    reader: ReadHalf<T>,
    writer: WriteHalf<T>,
    /// What is read and not yet used.
    buffer: BytesMut,
}

/// The head of a request, and how its body comes.
struct Head {
    request: Request<()>,
    body: Length,
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Stated(usize),
    /// Its chunks say it.
    InChunks,
}

impl<T: AsyncRead + AsyncWrite + Send> Connection<T> {
    async fn requests(
        &mut self,
        answers: &impl Answers,
        stopping: &CancellationToken,
    ) -> io::Result<()> {
        loop {
            let read = tokio::select! {
                biased;
                read = self.head() => read?,
                () = stopping.cancelled() => return Ok(()),
            };
            let mut head = match read {
                None => return Ok(()),
                Some(Ok(head)) => head,
                Some(Err(problem)) => {
                    let response = problem.response();
                    return self
                        .write(response, &Method::GET, Version::HTTP_11, false)
                        .await;
                }
            };
            let (admitted, allowed) = answers.admit(&mut head.request).await;
            let method = head.request.method().clone();
            let version = head.request.version();
            let mut keeps = keeps_alive(head.request.headers(), version);
            let request = match allowed {
                Err(problem) => {
                    keeps &= head.body == Length::Stated(0);
                    Err(problem)
                }
                Ok(()) => match self.body(&head).await? {
                    Ok(body) => Ok(head.request.map(|()| Body::from(body))),
                    Err(problem) => {
                        keeps = false;
                        Err(problem)
                    }
                },
            };
            let response = tokio::select! {
                response = answers.answer(admitted, request) => response,
                () = left(&mut self.reader, &mut self.buffer) => return Ok(()),
            };
            keeps &= !stopping.is_cancelled();
            self.write(response, &method, version, keeps).await?;
            if !keeps {
                return Ok(());
            }
        }
    }

    /// The next head; `None` where the client has ended the connection, or is idle for too long.
    async fn head(&mut self) -> io::Result<Option<Result<Head, Problem>>> {
        if self.buffer.is_empty() {
            match timeout(IDLE_TIME, self.reader.read_buf(&mut self.buffer)).await {
                Ok(Ok(0)) | Err(_) => return Ok(None),
                Ok(read) => read?,
            };
        }
        let until = tokio::time::Instant::now() + HEAD_TIME;
        loop {
            match parse(&self.buffer) {
                Ok(Some((head, length))) => {
                    let _ = self.buffer.split_to(length);
                    return Ok(Some(Ok(head)));
                }
                Ok(None) if self.buffer.len() < HEAD_LIMIT => {}
                Ok(None) => return Ok(Some(Err(too_large()))),
                Err(problem) => return Ok(Some(Err(problem))),
            }
            let read = self.reader.read_buf(&mut self.buffer);
            match tokio::time::timeout_at(until, read).await {
                Ok(Ok(0)) => return Ok(None),
                Ok(read) => read?,
                Err(_) => {
                    let detail = "the head of the request took too long";
                    let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, detail);
                    return Ok(Some(Err(problem)));
                }
            };
        }
    }

    /// The body of a request.
    async fn body(&mut self, head: &Head) -> io::Result<Result<Bytes, Problem>> {
        let mut chunks = Chunks::default();
        let mut is_told = !head.request.headers().contains_key(EXPECT);
        let until = tokio::time::Instant::now() + BODY_TIME;
        loop {
            match head.body {
                Length::Stated(length) if length > BODY_LIMIT => {
                    let detail = format!("the body is larger than {BODY_LIMIT} bytes");
                    return Ok(Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)));
                }
                Length::Stated(length) if self.buffer.len() >= length => {
                    return Ok(Ok(self.buffer.split_to(length).freeze()));
                }
                Length::Stated(_) => {}
                Length::InChunks => match chunks.take(&mut self.buffer, BODY_LIMIT) {
                    Ok(true) => return Ok(Ok(chunks.body().into())),
                    Ok(false) => {}
                    Err(problem) => return Ok(Err(problem)),
                },
            }
            if !is_told {
                is_told = true;
                self.put(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
                self.writer.flush().await?;
            }
            let read = self.reader.read_buf(&mut self.buffer);
            match tokio::time::timeout_at(until, read).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => read?,
                Err(_) => {
                    let detail = "the body of the request took too long";
                    return Ok(Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail)));
                }
            };
        }
    }

    /// Writes an answer.
    async fn write(
        &mut self,
        response: Response<Body>,
        method: &Method,
        version: Version,
        keeps: bool,
    ) -> io::Result<()> {
        let (mut head, mut body) = response.into_parts();
        let has_body =
            head.status != StatusCode::NO_CONTENT && head.status != StatusCode::NOT_MODIFIED;
        let length = body.size_hint().exact();
        let is_chunked = has_body && length.is_none() && version == Version::HTTP_11;
        head.headers.remove(TRANSFER_ENCODING);
        match length {
            Some(length) if has_body && !head.headers.contains_key(CONTENT_LENGTH) => {
                head.headers
                    .insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
            _ if is_chunked => {
                head.headers
                    .insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
            _ => {}
        }
        // Without either, its end is that of the connection.
        let keeps = keeps && (length.is_some() || is_chunked || !has_body);
        let connection = if keeps { "keep-alive" } else { "close" };
        head.headers
            .insert(CONNECTION, HeaderValue::from_static(connection));
        let now = chrono::DateTime::from_timestamp_micros(crate::clock::now());
        let now = now.map(|now| now.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
        if let Some(Ok(now)) = now.as_deref().map(HeaderValue::from_str) {
            head.headers.insert(DATE, now);
        }
        let mut text = Vec::with_capacity(512);
        let reason = head.status.canonical_reason().unwrap_or("Unknown");
        text.extend_from_slice(
            format!("HTTP/1.1 {} {reason}\r\n", head.status.as_u16()).as_bytes(),
        );
        for (name, value) in &head.headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"\r\n");
        self.put(&text).await?;
        if has_body && method != Method::HEAD {
            self.pieces(&mut body, is_chunked).await?;
        }
        timeout(PATIENCE, self.writer.flush()).await??;
        if keeps {
            return Ok(());
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    /// Writes a body as it comes, for as long as the client is there.
    async fn pieces(&mut self, body: &mut Body, is_chunked: bool) -> io::Result<()> {
        loop {
            let next = poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
            let frame = tokio::select! {
                biased;
                frame = next => frame,
                () = left(&mut self.reader, &mut self.buffer) => {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            };
            let Some(frame) = frame else { break };
            let Ok(data) = frame.map_err(io::Error::other)?.into_data() else {
                continue;
            };
            if data.is_empty() {
                continue;
            }
            if is_chunked {
                self.put(format!("{:x}\r\n", data.len()).as_bytes()).await?;
            }
            self.put(&data).await?;
            if is_chunked {
                self.put(b"\r\n").await?;
                timeout(PATIENCE, self.writer.flush()).await??;
            }
        }
        if is_chunked {
            self.put(b"0\r\n\r\n").await?;
        }
        Ok(())
    }

    async fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            timeout(PATIENCE, self.writer.write_all(piece)).await??;
        }
        Ok(())
    }

    /// Throws away what the client still sends.
    async fn linger(mut self) {
        let read = async {
            let mut count = 0;
            while count < LINGER_LIMIT {
                self.buffer.clear();
                match self.reader.read_buf(&mut self.buffer).await {
                    Ok(0) | Err(_) => return,
                    Ok(read) => count += read,
                }
            }
        };
        let _ = timeout(LINGER_TIME, read).await;
    }
}

/// Waits until the client has gone. What it sends meanwhile is kept, up to the size of a head.
async fn left<T: AsyncRead>(reader: &mut ReadHalf<T>, buffer: &mut BytesMut) {
    while buffer.len() < HEAD_LIMIT {
        if matches!(reader.read_buf(buffer).await, Ok(0) | Err(_)) {
            return;
        }
    }
    std::future::pending().await
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        format!("the head of the request is larger than {HEAD_LIMIT} bytes"),
    )
}

/// Whether the client wants to go on with the connection.
fn keeps_alive(headers: &HeaderMap, version: Version) -> bool {
    let says = |word: &str| {
        let values = headers.get_all(CONNECTION).iter();
        let mut values = values.filter_map(|value| value.to_str().ok());
        values.any(|value| {
            value
                .split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(word))
        })
    };
    version == Version::HTTP_11 && !says("close")
}

/// The head at the beginning of what was read, and how long it is; `None` where it is not whole.
fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Problem> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_LIMIT];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(too_large()),
        Err(error) => return Err(Problem::request(format!("this is no HTTP: {error}"))),
    };
    let wrong = |what: &str| Problem::request(format!("the {what} of the request is wrong"));
    let mut request = Request::new(());
    let method = parsed.method.unwrap_or_default();
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| wrong("method"))?;
    *request.uri_mut() = parsed
        .path
        .unwrap_or_default()
        .parse::<Uri>()
        .map_err(|_| wrong("target"))?;
    *request.version_mut() = match parsed.version {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| wrong("header"))?;
        let value = HeaderValue::from_bytes(header.value).map_err(|_| wrong("header"))?;
        request.headers_mut().append(name, value);
    }
    let body = body_length(&request)?;
    Ok(Some((Head { request, body }, length)))
}

/// How long a request says that its body is.
fn body_length(request: &Request<()>) -> Result<Length, Problem> {
    let wrong = || Problem::request("the Content-Length of the request is wrong");
    let headers = request.headers();
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let stated = match (lengths.next(), codings.next()) {
        (None, None) => return Ok(Length::Stated(0)),
        (Some(stated), None) if lengths.next().is_none() => stated,
        (None, Some(coding)) if request.version() == Version::HTTP_11 => {
            let is_chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked");
            return match is_chunked && codings.next().is_none() {
                true => Ok(Length::InChunks),
                false => Err(Problem::new(
                    StatusCode::NOT_IMPLEMENTED,
                    "of transfer codings only chunked is known",
                )),
            };
        }
        _ => return Err(wrong()),
    };
    let digits = stated.to_str().ok().filter(|text| {
        !text.is_empty() && text.len() < 19 && text.bytes().all(|b| b.is_ascii_digit())
    });
    let length = digits.and_then(|text| text.parse().ok());
    length.map(Length::Stated).ok_or_else(wrong)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_or_refused() {
        let status = |text: &str| match parse(text.as_bytes()) {
            Ok(Some((head, length))) => (200, head.body, length),
            Ok(None) => (100, Length::Stated(0), 0),
            Err(problem) => (problem.status.as_u16(), Length::Stated(0), 0),
        };
        let get = "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_eq!(status(get), (200, Length::Stated(0), get.len()));
        assert_eq!(status(&get[..get.len() - 1]).0, 100);
        let post = "POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\nmore";
        assert_eq!(status(post), (200, Length::Stated(12), post.len() - 4));
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n";
        assert_eq!(status(chunked), (200, Length::InChunks, chunked.len() - 5));
        for (wrong, expected) in [
            ("nonsense\r\n\r\n", 400),
            ("GET / HTTP/3.0\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nA b: c\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", 400),
            (
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                400,
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                400,
            ),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
                400,
            ),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                501,
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
                501,
            ),
        ] {
            assert_eq!(status(wrong).0, expected, "{wrong}");
        }
        let many = format!(
            "GET / HTTP/1.1\r\n{}\r\n",
            "a: b\r\n".repeat(HEADERS_LIMIT + 1)
        );
        assert_eq!(status(&many).0, 431);
    }
}

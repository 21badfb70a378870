//! Messages between server and client, as bytes.
//!
//! What comes in is read here and not by pgwire, whose decoder panics on messages that end too soon
//! and takes bytes for text that are none. What goes out is pgwire's.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use pgwire::messages::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};

use crate::error::{Error, Result};

/// The longest message that a client may send.
pub const MESSAGE_LIMIT: usize = 64 << 20;
/// The longest message before the login is done.
pub const LOGIN_MESSAGE_LIMIT: usize = 10_000;
/// How much is read ahead while a statement runs.
const READ_AHEAD: usize = 1 << 20;
/// From how much on it is sent before more is made.
pub const CHUNK: usize = 64 << 10;

/// How long a client may take to read the last of what it is told.
const GOODBYE_TIME: Duration = Duration::from_secs(5);

/// What bytes go over: a socket, with or without TLS.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// The client is gone, or speaks so that nothing more can be understood.
#[derive(Debug)]
pub enum Broken {
    Gone,
    /// With what it is told before the connection is closed.
    Told(Error),
}

/// Both directions of a connection, with what waits in them.
pub struct Channel {
    reader: ReadHalf<Box<dyn Transport>>,
    writer: WriteHalf<Box<dyn Transport>>,
    inbound: BytesMut,
    pub outbound: BytesMut,
    limit: usize,
}

impl Channel {
    pub fn new(transport: Box<dyn Transport>) -> Self {
        let (reader, writer) = tokio::io::split(transport);
        Self {
            reader,
            writer,
            inbound: BytesMut::new(),
            outbound: BytesMut::new(),
            limit: LOGIN_MESSAGE_LIMIT,
        }
    }

    /// Lets long messages in, once the client has logged in.
    pub fn raise_limit(&mut self) {
        self.limit = MESSAGE_LIMIT;
    }

    /// Puts a message behind those that wait to be sent.
    pub fn put(&mut self, message: &impl Message) {
        let length = self.outbound.len();
        if message.encode(&mut self.outbound).is_err() {
            // Too long for the protocol: half of it must not be sent.
            self.outbound.truncate(length);
        }
    }

    /// Sends what waits.
    pub async fn flush(&mut self) -> Result<(), Broken> {
        while !self.outbound.is_empty() {
            let written = self.writer.write_buf(&mut self.outbound).await;
            if written.map_err(|_| Broken::Gone)? == 0 {
                return Err(Broken::Gone);
            }
        }
        self.writer.flush().await.map_err(|_| Broken::Gone)
    }

    /// The next message that is there already: its type and body.
    pub fn next_ready(&mut self) -> Result<Option<(u8, Bytes)>, Broken> {
        let Some(&[kind, a, b, c, d]) = self.inbound.first_chunk::<5>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let Some(body) = length.checked_sub(4).filter(|_| length <= self.limit) else {
            return Err(Broken::Told(malformed("invalid message length")));
        };
        if self.inbound.len() < 5 + body {
            return Ok(None);
        }
        self.inbound.advance(5);
        Ok(Some((kind, self.inbound.split_to(body).freeze())))
    }

    /// The next message.
    pub async fn next(&mut self) -> Result<(u8, Bytes), Broken> {
        loop {
            if let Some(message) = self.next_ready()? {
                return Ok(message);
            }
            self.read().await?;
        }
    }

    /// Reads what the client has sent; it can be dropped and called again.
    pub async fn read(&mut self) -> Result<(), Broken> {
        self.inbound.reserve(8 << 10);
        match self.reader.read_buf(&mut self.inbound).await {
            Ok(count) if count > 0 => Ok(()),
            _ => Err(Broken::Gone),
        }
    }

    /// Sends and reads a little, whichever can be done, while a statement runs; an error is the end
    /// of the connection. It can be dropped and called again.
    pub async fn attend(&mut self) -> Result<(), Broken> {
        let Self {
            reader,
            writer,
            inbound,
            outbound,
            ..
        } = self;
        let has_space = inbound.len() < READ_AHEAD;
        if has_space {
            inbound.reserve(8 << 10);
        }
        tokio::select! {
            read = reader.read_buf(inbound), if has_space => match read {
                Ok(count) if count > 0 => Ok(()),
                _ => Err(Broken::Gone),
            },
            written = writer.write_buf(outbound), if !outbound.is_empty() => match written {
                Ok(count) if count > 0 => Ok(()),
                _ => Err(Broken::Gone),
            },
            else => std::future::pending().await,
        }
    }

    /// Closes the connection after what waits is sent, unless the client does not take it.
    pub async fn close(mut self) {
        let goodbye = async {
            // A client that is gone misses nothing.
            let _ = self.flush().await;
            let _ = self.writer.shutdown().await;
        };
        let _ = tokio::time::timeout(GOODBYE_TIME, goodbye).await;
    }
}

/// The error that a message is not as the protocol has it.
pub fn malformed(message: &str) -> Error {
    Error::session("08P01", message)
}

/// The body of a message, read from its start to its end.
pub struct Body(Bytes);

impl Body {
    pub fn new(body: Bytes) -> Self {
        Self(body)
    }

    /// How many bytes are still to be read.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    fn take(&mut self, count: usize) -> Result<Bytes> {
        match self.0.len() >= count {
            true => Ok(self.0.split_to(count)),
            false => Err(malformed("invalid message format: it ends too soon")),
        }
    }

    pub fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?.get_u8())
    }

    pub fn count(&mut self) -> Result<usize> {
        Ok(usize::from(self.take(2)?.get_u16()))
    }

    pub fn format(&mut self) -> Result<i16> {
        match self.take(2)?.get_i16() {
            format @ (0 | 1) => Ok(format),
            other => {
                let message = format!("unsupported format code: {other}");
                Err(Error::session("22023", message))
            }
        }
    }

    pub fn number(&mut self) -> Result<i32> {
        Ok(self.take(4)?.get_i32())
    }

    /// A text that ends with a zero byte.
    pub fn text(&mut self) -> Result<String> {
        let end = memchr::memchr(0, &self.0);
        let end = end.ok_or_else(|| malformed("invalid message format: a text has no end"))?;
        let text = self.take(end)?;
        self.0.advance(1);
        utf8(&text)
    }

    /// Bytes with their count before them; `None` for null.
    pub fn value(&mut self) -> Result<Option<Bytes>> {
        match usize::try_from(self.number()?) {
            Ok(count) => self.take(count).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Fails unless everything was read.
    pub fn end(&self) -> Result<()> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(malformed(
                "invalid message format: it goes on behind its end",
            )),
        }
    }
}

/// Text as PostgreSQL takes it: UTF-8 without zero bytes.
pub fn utf8(bytes: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
        let message = format!("invalid byte sequence for encoding \"UTF8\": 0x{byte:02x}");
        Error::session("22021", message)
    })?;
    if text.contains('\0') {
        let message = "invalid byte sequence for encoding \"UTF8\": 0x00";
        return Err(Error::session("22021", message));
    }
    Ok(text.to_owned())
}

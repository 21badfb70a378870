//! What comes before a login: the request for TLS, the request to cancel, the names of user and
//! database.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::tls::Tls;
use super::wire::{Body, LOGIN_MESSAGE_LIMIT, Transport, malformed};
use crate::error::{Error, Result};

/// How long a client may take to log in.
pub const LOGIN_TIME: Duration = Duration::from_secs(15);

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;
/// The newest version of the protocol that is spoken: 3.2, whose keys to cancel are long.
pub const NEWEST_MINOR: u32 = 2;

/// A client that wants to log in.
pub struct Greeting {
    pub transport: Box<dyn Transport>,
    /// What the login is bound to, over TLS.
    pub endpoint: Option<Tls>,
    pub minor: u32,
    pub parameters: BTreeMap<String, String>,
}

/// What a client wants.
pub enum Request {
    LogIn(Greeting),
    Cancel {
        id: i32,
        secret: Bytes,
    },
    /// It is gone, or what it said is not worth an answer.
    Nothing,
    /// An error that it is told before the connection is closed.
    Refuse(Box<dyn Transport>, Error),
}

/// Listens to a client up to its login.
pub async fn greet(stream: TcpStream, tls: Option<&Tls>) -> Request {
    let mut stream: Box<dyn Transport> = Box::new(stream);
    let mut secured = None;
    let mut was_gss_refused = false;
    loop {
        let Some((code, body)) = packet(&mut stream).await else {
            return Request::Nothing;
        };
        match code {
            SSL_REQUEST if secured.is_none() => {
                let Some(tls) = tls else {
                    if stream.write_all(b"N").await.is_err() {
                        return Request::Nothing;
                    }
                    continue;
                };
                if stream.write_all(b"S").await.is_err() || stream.flush().await.is_err() {
                    return Request::Nothing;
                }
                match tls.acceptor.accept(stream).await {
                    Ok(accepted) => stream = Box::new(accepted),
                    Err(_) => return Request::Nothing,
                }
                secured = Some(tls.clone());
            }
            GSS_REQUEST if !was_gss_refused => {
                was_gss_refused = true;
                if stream.write_all(b"N").await.is_err() {
                    return Request::Nothing;
                }
            }
            CANCEL_REQUEST => {
                let mut body = body;
                if body.len() < 8 {
                    return Request::Nothing;
                }
                let id = body.get_i32();
                return Request::Cancel { id, secret: body };
            }
            code if code >> 16 == 3 => {
                return match parameters(body) {
                    Ok(parameters) => Request::LogIn(Greeting {
                        transport: stream,
                        endpoint: secured,
                        minor: code & 0xffff,
                        parameters,
                    }),
                    Err(error) => Request::Refuse(stream, error),
                };
            }
            code => {
                let message = format!(
                    "unsupported frontend protocol {}.{}: server supports 3.0 to 3.{NEWEST_MINOR}",
                    code >> 16,
                    code & 0xffff
                );
                return Request::Refuse(stream, Error::session("0A000", message));
            }
        }
    }
}

/// A message without a type: its code and what follows. What is read is read to the byte, since
/// behind a request for TLS nothing may come that was sent before it.
async fn packet(stream: &mut Box<dyn Transport>) -> Option<(u32, Bytes)> {
    let length = stream.read_u32().await.ok()? as usize;
    if !(8..=LOGIN_MESSAGE_LIMIT).contains(&length) {
        return None;
    }
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).await.ok()?;
    let mut body = Bytes::from(body);
    let code = body.get_u32();
    Some((code, body))
}

fn parameters(body: Bytes) -> Result<BTreeMap<String, String>> {
    let mut body = Body::new(body);
    let mut parameters = BTreeMap::new();
    loop {
        let name = body.text()?;
        if name.is_empty() {
            break;
        }
        parameters.insert(name, body.text()?);
    }
    body.end().map_err(|_| {
        malformed("invalid startup packet layout: expected terminator as last byte")
    })?;
    Ok(parameters)
}

//! The routes and who may ask, by a client of its own: what no browser would send can be sent.

mod attacks;
mod chunks;
mod description;
mod fuzz;
mod limits;
mod live;
mod story;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use hindsight::server::{Options, http};
use hindsight::{Engine, Role};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::files;
use crate::wire::{COMPUTING, NETWORK, trusting};

/// A server that is stopped when it is dropped.
pub struct HttpServer {
    pub address: SocketAddr,
    pub token: String,
    pub stop: CancellationToken,
    end: CancellationToken,
    pub running: Option<tokio::task::JoinHandle<()>>,
}

/// Lets everybody with the token do everything.
pub fn operating() -> Options {
    Options {
        trust: Some(Role::Operator),
        max_connections: 500,
        ..trusting()
    }
}

impl HttpServer {
    pub fn start(workspace: &Path, options: &Options) -> Self {
        let options = http::Options {
            of: options.clone(),
            hosts: vec!["hindsight.example".into()],
        };
        let (address, token, server) = NETWORK.block_on(async {
            let engine = Engine::open(workspace).await.unwrap();
            let computing = COMPUTING.handle().clone();
            let server = http::Server::bind(engine, &options, computing).await;
            let server = server.unwrap_or_else(|error| panic!("{error}"));
            let link = server.link().unwrap();
            let token = link.split_once("#token=").map_or("", |(_, token)| token);
            (server.address().unwrap(), token.to_owned(), server)
        });
        let (stop, end) = (CancellationToken::new(), CancellationToken::new());
        let running = NETWORK.spawn(server.run(stop.clone(), end.clone()));
        Self {
            address,
            token,
            stop,
            end,
            running: Some(running),
        }
    }

    /// A client with the token of the link.
    pub fn client(&self) -> Client {
        Client {
            address: self.address,
            authorization: Some(format!("Bearer {}", self.token)),
        }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop.cancel();
        self.end.cancel();
    }
}

/// A server over the smallest history, which most tests share.
pub static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let workspace = files::removed_at_the_end(crate::server::workspace());
    Shared {
        server: HttpServer::start(workspace.path(), &operating()),
        _workspace: workspace,
    }
});

/// A server, and the directory that it serves for as long.
pub struct Shared {
    server: HttpServer,
    _workspace: tempfile::TempDir,
}

impl std::ops::Deref for Shared {
    type Target = HttpServer;

    fn deref(&self) -> &HttpServer {
        &self.server
    }
}

/// Who asks.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    pub authorization: Option<String>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{} {error}: {}", self.status, self.text()))
    }

    /// The document of an answer that must be right.
    pub fn right(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }
}

impl Client {
    /// Sends bytes on a connection of their own.
    pub fn send(&self, bytes: &[u8]) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        stream.write_all(bytes)?;
        Ok(stream)
    }

    /// The bytes of a request, with these headers beside those that every client sends.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<u8> {
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        let is_given = |name: &str| {
            headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        if !is_given("host") {
            text += &format!("Host: {}\r\n", self.address);
        }
        if !is_given("content-type") {
            text += "Content-Type: application/json\r\n";
        }
        if let (false, Some(authorization)) = (is_given("authorization"), &self.authorization) {
            text += &format!("Authorization: {authorization}\r\n");
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("Content-Length: {}\r\n\r\n", body.len());
        [text.as_bytes(), body].concat()
    }

    pub fn with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let request = self.request(method, path, headers, body);
        let mut stream = self.send(&request).unwrap();
        read(&mut stream).unwrap()
    }

    pub fn get(&self, path: &str) -> Answer {
        self.with("GET", &format!("/api/v1/{path}"), &[], b"")
    }

    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = body.to_string();
        self.with(method, &format!("/api/v1/{path}"), &[], body.as_bytes())
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, body)
    }
}

/// Reads one answer to its end.
pub fn read(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    let (head, mut rest) = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            break (String::from_utf8_lossy(&bytes).into_owned(), rest);
        }
        if more(stream, &mut bytes)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    let status: u16 = status
        .split(' ')
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    if status == 100 {
        return Err(io::Error::other("an interim answer"));
    }
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: Vec<(String, String)> = headers
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let header = |name: &str| headers.iter().find(|(known, _)| known == name);
    let body = if let Some((_, length)) = header("content-length") {
        let length: usize = length.parse().unwrap();
        while rest.len() < length {
            if more(stream, &mut rest)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        rest
    } else if header("transfer-encoding").is_some() {
        chunks(stream, rest)?
    } else {
        Vec::new()
    };
    Ok(Answer {
        status,
        headers,
        body,
    })
}

fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let mut buffer = [0; 16_384];
    let count = stream.read(&mut buffer)?;
    bytes.extend_from_slice(&buffer[..count]);
    Ok(count)
}

/// A body in chunks, to its last.
fn chunks(stream: &mut TcpStream, mut rest: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|window| window == b"\r\n") else {
            if more(stream, &mut rest)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            continue;
        };
        let length = std::str::from_utf8(&rest[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        while rest.len() < end + 2 + length + 2 {
            if more(stream, &mut rest)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest.drain(..end + 2 + length + 2);
        if length == 0 {
            return Ok(body);
        }
    }
}

/// The events of a stream: name and data.
pub fn events(text: &str) -> Vec<(String, Value)> {
    let events = text.split("\n\n").filter(|event| !event.is_empty());
    let events = events.map(|event| {
        let (name, data) = event.split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").unwrap();
        let data = data.strip_prefix("data: ").unwrap();
        (name.to_owned(), serde_json::from_str(data).unwrap())
    });
    events.collect()
}

/// The default configuration alone.
pub fn defaults(client: &Client) -> Value {
    let mut defaults = client.get("backtest/defaults").right();
    for name in ["parameters", "metrics", "settings_version"] {
        assert!(
            defaults.as_object_mut().unwrap().remove(name).is_some(),
            "{name}"
        );
    }
    defaults
}

//! A server in this process, and a client that speaks to it byte by byte: what no driver would send
//! can be sent.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use hindsight::server::{Options, Server};
use hindsight::{Engine, Role};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// The threads that statements of all test servers run on, as the product makes them.
pub static COMPUTING: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(16)
        .thread_stack_size(hindsight::server::STACK)
        .enable_all()
        .build()
        .unwrap()
});
pub static NETWORK: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// A server that is stopped when it is dropped.
pub struct TestServer {
    pub address: SocketAddr,
    pub stop: CancellationToken,
    end: CancellationToken,
}

/// A server on a free port of this machine that lets everybody in as analyst.
pub fn trusting() -> Options {
    Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        trust: Some(Role::Analyst),
        tls: None,
        statement_timeout: None,
        both_loopbacks: false,
        max_connections: 50,
        grace: Duration::from_secs(5),
    }
}

impl TestServer {
    pub fn start(engine: Engine, options: &Options) -> Self {
        let bind = || NETWORK.block_on(Server::bind(engine, options, COMPUTING.handle().clone()));
        // On a thread of its own, since a test may be asynchronous.
        let server = std::thread::scope(|scope| scope.spawn(bind).join().unwrap());
        let server = server.unwrap_or_else(|error| panic!("{error}"));
        let address = server.address().unwrap();
        let (stop, end) = (CancellationToken::new(), CancellationToken::new());
        NETWORK.spawn(server.run(stop.clone(), end.clone()));
        Self { address, stop, end }
    }

    /// One over the history of a folder of test data.
    pub fn of_workspace(workspace: &Path, options: &Options) -> Self {
        let engine = NETWORK.block_on(Engine::open(workspace)).unwrap();
        Self::start(engine, options)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop.cancel();
        self.end.cancel();
    }
}

/// A connection, and what the server has said on it.
pub struct Wire {
    stream: TcpStream,
    pub key: (i32, Vec<u8>),
    pub parameters: Vec<(String, String)>,
}

/// A message from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub kind: u8,
    pub body: Vec<u8>,
}

impl Message {
    /// The fields of an error or a notice.
    pub fn field(&self, name: u8) -> Option<String> {
        let mut fields = self.body.split(|byte| *byte == 0);
        let field = fields.find(|field| field.first() == Some(&name))?;
        Some(String::from_utf8_lossy(&field[1..]).into_owned())
    }

    pub fn sqlstate(&self) -> String {
        self.field(b'C').unwrap_or_default()
    }

    /// The cells of a row.
    pub fn cells(&self) -> Vec<Option<Vec<u8>>> {
        let count = u16::from_be_bytes([self.body[0], self.body[1]]);
        let mut rest = &self.body[2..];
        (0..count)
            .map(|_| {
                let (length, tail) = rest.split_at(4);
                let length = i32::from_be_bytes(length.try_into().unwrap());
                let Ok(length) = usize::try_from(length) else {
                    rest = tail;
                    return None;
                };
                let (cell, tail) = tail.split_at(length);
                rest = tail;
                Some(cell.to_vec())
            })
            .collect()
    }

    /// The columns that a result has: name, type and modifier of each.
    pub fn columns(&self) -> Vec<(String, u32, i32)> {
        let columns = self.described().into_iter().map(|(name, fixed)| {
            let oid = u32::from_be_bytes(fixed[6..10].try_into().unwrap());
            let modifier = i32::from_be_bytes(fixed[12..16].try_into().unwrap());
            (name, oid, modifier)
        });
        columns.collect()
    }

    /// The oid of the table and the number of the column that each column is.
    pub fn origins(&self) -> Vec<(u32, u16)> {
        let columns = self.described().into_iter().map(|(_, fixed)| {
            let table = u32::from_be_bytes(fixed[..4].try_into().unwrap());
            (table, u16::from_be_bytes(fixed[4..6].try_into().unwrap()))
        });
        columns.collect()
    }

    /// The columns that a result has: the name and what follows it.
    fn described(&self) -> Vec<(String, [u8; 18])> {
        let mut rest = &self.body[2..];
        let mut columns = Vec::new();
        while let Some(end) = rest.iter().position(|byte| *byte == 0) {
            let name = String::from_utf8_lossy(&rest[..end]).into_owned();
            columns.push((name, rest[end + 1..end + 19].try_into().unwrap()));
            rest = &rest[end + 19..];
        }
        columns
    }
}

/// A message with its type and length.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// A text with its end.
pub fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

pub fn query(sql: &str) -> Vec<u8> {
    message(b'Q', &text(sql))
}

pub fn parse(name: &str, sql: &str, types: &[u32]) -> Vec<u8> {
    let count = u16::try_from(types.len()).unwrap().to_be_bytes();
    let types: Vec<u8> = types.iter().flat_map(|oid| oid.to_be_bytes()).collect();
    message(
        b'P',
        &[text(name), text(sql), count.to_vec(), types].concat(),
    )
}

/// Binds values in text, and asks for results in text or binary.
pub fn bind(portal: &str, statement: &str, values: &[Option<&[u8]>], results: i16) -> Vec<u8> {
    let mut body = [text(portal), text(statement), vec![0, 0]].concat();
    body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
    for value in values {
        match value {
            Some(value) => {
                body.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
                body.extend(*value);
            }
            None => body.extend((-1_i32).to_be_bytes()),
        }
    }
    body.extend(1_u16.to_be_bytes());
    body.extend(results.to_be_bytes());
    message(b'B', &body)
}

pub fn describe(kind: u8, name: &str) -> Vec<u8> {
    message(b'D', &[vec![kind], text(name)].concat())
}

pub fn execute(portal: &str, most: i32) -> Vec<u8> {
    message(b'E', &[text(portal), most.to_be_bytes().to_vec()].concat())
}

pub fn close(kind: u8, name: &str) -> Vec<u8> {
    message(b'C', &[vec![kind], text(name)].concat())
}

pub fn sync() -> Vec<u8> {
    message(b'S', b"")
}

/// The first message of a client.
pub fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend(text(name));
        body.extend(text(value));
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap();
    [&length.to_be_bytes()[..], &body].concat()
}

impl Wire {
    /// A connection on which nothing is said yet.
    pub fn silent(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self {
            stream,
            key: (0, Vec::new()),
            parameters: Vec::new(),
        }
    }

    /// A connection that is logged in.
    pub fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, &[("user", "ann"), ("database", "hindsight")])
            .unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    /// The same with other parameters, or the error that refuses it.
    pub fn connect_with(address: SocketAddr, parameters: &[(&str, &str)]) -> Result<Self, Message> {
        let mut wire = Self::silent(address);
        wire.send(&startup(parameters));
        for message in wire.until_ready() {
            match message.kind {
                b'E' => return Err(message),
                b'S' => {
                    let mut parts = message.body.split(|byte| *byte == 0);
                    let mut part = || String::from_utf8_lossy(parts.next().unwrap()).into_owned();
                    wire.parameters.push((part(), part()));
                }
                b'K' => {
                    let (id, secret) = message.body.split_at(4);
                    wire.key = (i32::from_be_bytes(id.try_into().unwrap()), secret.to_vec());
                }
                _ => {}
            }
        }
        Ok(wire)
    }

    pub fn send(&mut self, bytes: &[u8]) {
        // A server that has closed the connection says so when it is read from.
        let _ = self.stream.write_all(bytes);
    }

    /// The next message; `None` when the connection is closed.
    pub fn next(&mut self) -> Option<Message> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body).ok()?;
        Some(Message {
            kind: head[0],
            body,
        })
    }

    /// The messages up to the one that says that the server waits, or to the end.
    pub fn until_ready(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.next() {
            let is_last = message.kind == b'Z';
            messages.push(message);
            if is_last {
                break;
            }
        }
        messages
    }

    /// Sends messages and reads up to the end of the answer.
    pub fn ask(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.send(bytes);
        self.until_ready()
    }

    /// The rows of a simple query, as text; null is `NULL`.
    pub fn rows(&mut self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        let messages = self.ask(&query(sql));
        if let Some(error) = messages.iter().find(|message| message.kind == b'E') {
            let message = error.field(b'M').unwrap_or_default();
            return Err(format!("{}: {message}", error.sqlstate()));
        }
        let rows = messages.iter().filter(|message| message.kind == b'D');
        let cell = |cell: Option<Vec<u8>>| match cell {
            Some(cell) => String::from_utf8(cell).unwrap(),
            None => "NULL".into(),
        };
        Ok(rows
            .map(|row| row.cells().into_iter().map(cell).collect())
            .collect())
    }

    /// Everything that is still sent until the server closes the connection.
    pub fn until_closed(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.next() {
            messages.push(message);
        }
        messages
    }

    /// Asks, on a connection of its own, to cancel what this one runs.
    pub fn cancel(&self) -> io::Result<()> {
        let mut other = TcpStream::connect(self.stream.peer_addr()?)?;
        let mut body = 80_877_102_u32.to_be_bytes().to_vec();
        body.extend(self.key.0.to_be_bytes());
        body.extend(&self.key.1);
        let length = u32::try_from(body.len() + 4).unwrap();
        other.write_all(&[&length.to_be_bytes()[..], &body].concat())
    }

    /// The socket underneath.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

/// The kinds of messages, as letters.
pub fn kinds(messages: &[Message]) -> String {
    messages
        .iter()
        .map(|message| char::from(message.kind))
        .collect()
}

/// The SQLSTATEs of the errors among messages.
pub fn errors(messages: &[Message]) -> Vec<String> {
    let errors = messages.iter().filter(|message| message.kind == b'E');
    errors.map(Message::sqlstate).collect()
}

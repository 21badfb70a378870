//! `tests/sql` over the wire: the same statements, sent as a client sends them, with the same
//! answers.

use async_trait::async_trait;
use hindsight::Role;
use hindsight::server::Options;
use sqllogictest::{AsyncDB, DBOutput};

use crate::engine::TestEngine;
use crate::sql::{Kind, Refusal};
use crate::wire::{Message, TestServer, Wire, query, trusting};

/// A server over a test's engine, and one connection to it.
pub struct WireDatabase {
    wire: Wire,
    _server: TestServer,
    _engine: TestEngine,
}

impl WireDatabase {
    pub fn new(engine: TestEngine) -> Self {
        let options = Options {
            trust: Some(Role::Operator),
            ..trusting()
        };
        let server = TestServer::start(engine.engine().clone(), &options);
        let who = [("user", "hindsight"), ("database", "hindsight")];
        Self {
            wire: Wire::connect_with(server.address, &who).unwrap(),
            _server: server,
            _engine: engine,
        }
    }
}

#[async_trait]
impl AsyncDB for WireDatabase {
    type Error = Refusal;
    type ColumnType = Kind;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<Kind>, Refusal> {
        let answer = self.wire.ask(&query(sql));
        if let Some(error) = answer.iter().find(|message| message.kind == b'E') {
            let message = error.field(b'M').unwrap();
            return Err(Refusal(format!("{}: {message}", error.sqlstate())));
        }
        let Some(columns) = answer.iter().find(|message| message.kind == b'T') else {
            return Ok(done(&answer));
        };
        let kinds: Vec<Kind> = columns
            .columns()
            .iter()
            .map(|(_, oid, _)| kind(*oid))
            .collect();
        let rows = answer.iter().filter(|message| message.kind == b'D');
        let rows = rows.map(|row| {
            let cells = row.cells().into_iter().zip(&kinds);
            cells.map(|(cell, kind)| shown(cell, kind)).collect()
        });
        Ok(DBOutput::Rows {
            rows: rows.collect(),
            types: kinds.clone(),
        })
    }

    async fn shutdown(&mut self) {}
}

/// What a statement without rows did; a write shows how many rows it wrote.
fn done(answer: &[Message]) -> DBOutput<Kind> {
    let tag = answer.iter().find(|message| message.kind == b'C');
    let tag = tag.map(|tag| String::from_utf8_lossy(&tag.body[..tag.body.len() - 1]).into_owned());
    let tag = tag.unwrap_or_default();
    match tag.rsplit_once(' ') {
        Some(("INSERT 0" | "UPDATE" | "DELETE", count)) => DBOutput::Rows {
            types: vec![Kind::Integer],
            rows: vec![vec![count.to_owned()]],
        },
        _ => DBOutput::StatementComplete(0),
    }
}

fn kind(oid: u32) -> Kind {
    match oid {
        16 => Kind::Boolean,
        20 | 21 | 23 => Kind::Integer,
        700 | 701 => Kind::Float,
        1082 => Kind::Date,
        1184 => Kind::Timestamp,
        1700 => Kind::Decimal,
        25 | 1043 | 19 => Kind::Text,
        _ => Kind::Nested,
    }
}

/// A value in the form that the files have.
fn shown(cell: Option<Vec<u8>>, kind: &Kind) -> String {
    let Some(cell) = cell else {
        return "NULL".into();
    };
    let text = String::from_utf8(cell).unwrap();
    match kind {
        Kind::Boolean => if text == "t" { "true" } else { "false" }.into(),
        Kind::Timestamp => rfc3339(&text),
        Kind::Nested if text.starts_with('{') => arrow_list(&text),
        _ if text.is_empty() => "(empty)".into(),
        _ => text,
    }
}

/// `2025-01-01 00:00:00.5+00` as `2025-01-01T00:00:00.500Z`.
fn rfc3339(text: &str) -> String {
    let utc = text.strip_suffix("+00").unwrap();
    let (whole, fraction) = utc.split_once('.').unwrap_or((utc, ""));
    let fraction = match fraction.len() {
        0 => String::new(),
        1..=3 => format!(".{fraction:0<3}"),
        _ => format!(".{fraction:0<6}"),
    };
    format!("{}{fraction}Z", whole.replacen(' ', "T", 1))
}

/// `{a,"b c"}` as `[a, b c]`.
fn arrow_list(text: &str) -> String {
    let mut shown = String::from("[");
    let mut letters = text[1..text.len() - 1].chars();
    let mut is_quoted = false;
    while let Some(letter) = letters.next() {
        match letter {
            '"' => is_quoted = !is_quoted,
            '\\' => shown.extend(letters.next()),
            ',' if !is_quoted => shown.push_str(", "),
            letter => shown.push(letter),
        }
    }
    shown.push(']');
    shown
}

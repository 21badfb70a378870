//! SQL as PostgreSQL computes it: the statements of `tests/dialect` on a real PostgreSQL and on the
//! server, over the same rows. What may differ is listed in `tests/dialect/DIFFERENCES.md`.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hindsight::Role;
use hindsight::server::Options;

use crate::engine::{Execution, TestEngine, block_on};
use crate::postgres::Postgres;
use crate::wire::{TestServer, Wire, query, trusting};

/// The oids of numeric and of its arrays.
const NUMERIC: [u32; 2] = [1700, 1231];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialect")
}

/// The statements of a file, one a line.
fn statements(file: &str) -> Vec<String> {
    let text = fs::read_to_string(folder().join(file)).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("--"));
    lines.map(str::to_owned).collect()
}

/// The statements that are known to differ.
fn listed() -> Vec<String> {
    let text = fs::read_to_string(folder().join("DIFFERENCES.md")).unwrap();
    let items = text
        .lines()
        .filter_map(|line| line.strip_prefix("- `")?.strip_suffix('`'));
    items.map(str::to_owned).collect()
}

/// What a server answers: the SQLSTATE of a refusal, or columns and rows.
#[derive(Debug, PartialEq)]
enum Answer {
    Refused(String),
    Rows {
        columns: Vec<(String, u32)>,
        rows: Vec<Vec<Option<String>>>,
    },
}

fn ask(wire: &mut Wire, sql: &str) -> Answer {
    let messages = wire.ask(&query(sql));
    assert!(!messages.is_empty(), "{sql}: the connection is lost");
    if let Some(error) = messages.iter().find(|message| message.kind == b'E') {
        return Answer::Refused(error.sqlstate());
    }
    let columns: Vec<(String, u32)> = messages
        .iter()
        .filter(|message| message.kind == b'T')
        .flat_map(|message| message.columns())
        .map(|(name, oid, _)| (name, oid))
        .collect();
    let rows = messages.iter().filter(|message| message.kind == b'D');
    let rows = rows.map(|row| {
        let cells = row.cells().into_iter().zip(&columns);
        cells
            .map(|(cell, (_, oid))| cell.map(|cell| shown(&cell, *oid)))
            .collect()
    });
    Answer::Rows {
        rows: rows.collect(),
        columns: columns.clone(),
    }
}

/// A value as text; a numeric without zeros at its end.
fn shown(cell: &[u8], oid: u32) -> String {
    let text = String::from_utf8_lossy(cell).into_owned();
    match NUMERIC.contains(&oid) && text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn connect(address: SocketAddr, database: &str) -> Wire {
    let who = [
        ("user", "postgres"),
        ("database", database),
        ("TimeZone", "UTC"),
    ];
    Wire::connect_with(address, &who).unwrap_or_else(|refused| panic!("{refused:?}"))
}

#[test]
fn statements_give_the_values_of_postgresql() {
    let database = Postgres::shared().database("dialect");
    let mut postgres = connect(([127, 0, 0, 1], database.port()).into(), &database.name);
    let options = Options {
        trust: Some(Role::Operator),
        ..trusting()
    };
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny");
    let engine = block_on(TestEngine::of_files(&tiny, Execution::USUAL));
    let server = TestServer::start(engine.engine().clone(), &options);
    let mut ours = connect(server.address, "hindsight");
    for sql in statements("tables.sql") {
        for wire in [&mut postgres, &mut ours] {
            let answer = ask(wire, &sql);
            assert!(matches!(answer, Answer::Rows { .. }), "{sql}: {answer:?}");
        }
    }
    let mut files: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".sql") && name != "tables.sql")
        .collect();
    files.sort();
    let known: BTreeSet<String> = listed().into_iter().collect();
    let all = files
        .iter()
        .flat_map(|file| statements(file))
        .chain(listed());
    let mut wrong = Vec::new();
    for sql in all {
        let (expected, found) = (ask(&mut postgres, &sql), ask(&mut ours, &sql));
        match (expected == found, known.contains(&sql)) {
            (false, false) => {
                wrong.push(format!(
                    "{sql}\n  PostgreSQL {expected:?}\n  found      {found:?}"
                ));
            }
            (true, true) => wrong.push(format!("{sql}\n  is listed and does not differ")),
            _ => {}
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

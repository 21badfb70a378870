//! The same rows have the same fingerprint, whatever they were loaded from: format, order, number of
//! files and threads, one load or several, files or a database.

use std::fmt::Write;
use std::path::Path;

use crate::cli::{hindsight, text};
use crate::postgres::Postgres;
use crate::random::Random;

const TABLES: [(&str, &str); 3] = [
    ("--signals", "signals"),
    ("--prices", "token_prices"),
    ("--trades", "trade_outcomes"),
];

/// Rows of the three tables, a cell of no text being null.
struct Rows([(Vec<&'static str>, Vec<Vec<String>>); 3]);

impl Rows {
    fn random(random: &mut Random) -> Self {
        let at = |seconds: i64| {
            let (day, second) = (1 + seconds / 86_400, seconds % 86_400);
            let (hour, minute) = (second / 3_600, second / 60 % 60);
            format!("2025-01-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
        };
        let mut signals = Vec::new();
        let mut outcomes = Vec::new();
        for n in 0..200 {
            let entry = random.small(0, 20 * 86_400);
            let token = format!("T{}", random.below(7));
            let score = format!("{}.{:02}", random.small(0, 99), random.small(0, 99));
            let wallet = random.one_of(&["", "W,1", "\"W2\"", "W3"]).to_owned();
            signals.push(vec![
                format!("s{n}"),
                at(entry),
                token.clone(),
                wallet,
                score,
            ]);
            for part in 0..random.small(0, 2) {
                let pnl = format!("-0.{:09}", random.small(1, 999_999_999));
                let exit = at(entry + 60 + part);
                outcomes.push(vec![format!("s{n}"), token.clone(), at(entry), exit, pnl]);
            }
        }
        let mut prices = Vec::new();
        for token in 0..7 {
            for minute in 0..400 {
                let price = format!("{}.{:09}", random.small(0, 3), random.small(1, 999_999_999));
                let volume = match random.chance(1, 3) {
                    true => String::new(),
                    false => random.small(0, 1_000_000).to_string(),
                };
                prices.push(vec![format!("T{token}"), at(minute * 60), price, volume]);
            }
        }
        Self([
            (
                vec!["id", "timestamp", "token_address", "source_wallet", "score"],
                signals,
            ),
            (
                vec!["token_address", "timestamp", "price", "volume_24h"],
                prices,
            ),
            (
                vec![
                    "signal_id",
                    "token_address",
                    "entry_timestamp",
                    "exit_timestamp",
                    "realized_pnl_sol",
                ],
                outcomes,
            ),
        ])
    }

    fn shuffled(&self, random: &mut Random) -> Self {
        let mut again = Self(self.0.clone());
        for (_, rows) in &mut again.0 {
            random.shuffle(rows);
        }
        again
    }

    /// Writes each table as so many files of a format.
    fn write(&self, directory: &Path, format: &str, files: usize) {
        for ((columns, rows), (_, table)) in self.0.iter().zip(TABLES) {
            let folder = directory.join(table);
            std::fs::create_dir_all(&folder).unwrap();
            for (number, rows) in rows.chunks(rows.len().div_ceil(files)).enumerate() {
                let text = match format {
                    "csv" => csv(columns, rows),
                    _ => ndjson(columns, rows),
                };
                std::fs::write(folder.join(format!("{number}.{format}")), text).unwrap();
            }
        }
    }
}

fn csv(columns: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = columns.join(",") + "\n";
    for row in rows {
        let fields = row.iter().map(|cell| match cell.as_str() {
            "" => String::new(),
            cell => format!("\"{}\"", cell.replace('"', "\"\"")),
        });
        let fields: Vec<_> = fields.collect();
        writeln!(text, "{}", fields.join(",")).unwrap();
    }
    text
}

fn ndjson(columns: &[&str], rows: &[Vec<String>]) -> String {
    const NUMBERS: [&str; 4] = ["score", "price", "volume_24h", "realized_pnl_sol"];
    let mut text = String::new();
    for row in rows {
        let members = columns.iter().zip(row).map(|(column, cell)| {
            let value = match (cell.as_str(), NUMBERS.contains(column)) {
                ("", _) => "null".to_owned(),
                (number, true) => number.to_owned(),
                (cell, false) => serde_json::to_string(cell).unwrap(),
            };
            format!("\"{column}\":{value}")
        });
        let members: Vec<_> = members.collect();
        writeln!(text, "{{{}}}", members.join(",")).unwrap();
    }
    text
}

/// Loads, and returns the fingerprint.
fn load(workspace: &Path, threads: usize, arguments: &[String]) -> String {
    let mut command = hindsight(workspace);
    command.env("RAYON_NUM_THREADS", threads.to_string());
    let output = command.arg("load").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    hindsight::dataset::Dataset::open(workspace)
        .unwrap()
        .fingerprint
}

fn folders(directory: &Path) -> Vec<String> {
    let arguments = TABLES.iter().flat_map(|(option, table)| {
        let folder = directory.join(table).to_str().unwrap().to_owned();
        [(*option).to_owned(), folder]
    });
    arguments.collect()
}

#[test]
fn same_rows_have_the_same_fingerprint() {
    let mut random = Random::of_test("same_rows");
    let rows = Rows::random(&mut random);
    let first = tempfile::tempdir().unwrap();
    rows.write(first.path(), "csv", 1);
    let loaded = first.path().join("workspace");
    let expected = load(&loaded, 1, &folders(first.path()));

    for (format, files, threads) in [("csv", 5, 3), ("ndjson", 1, 2), ("ndjson", 4, 1)] {
        let directory = tempfile::tempdir().unwrap();
        rows.shuffled(&mut random)
            .write(directory.path(), format, files);
        let found = load(
            &directory.path().join("w"),
            threads,
            &folders(directory.path()),
        );
        assert_eq!(
            found, expected,
            "{format}, {files} files, {threads} threads"
        );
    }

    // One load for each file, the last first.
    let directory = tempfile::tempdir().unwrap();
    rows.shuffled(&mut random).write(directory.path(), "csv", 3);
    let workspace = directory.path().join("w");
    let mut found = String::new();
    for (option, table) in TABLES {
        for number in (0..3).rev() {
            let file = directory.path().join(format!("{table}/{number}.csv"));
            let file = file.to_str().unwrap().to_owned();
            found = load(&workspace, 2, &[option.to_owned(), file]);
        }
    }
    assert_eq!(found, expected, "loaded one by one");

    // Parquet, in an order that is not ours.
    let directory = tempfile::tempdir().unwrap();
    for (_, table) in TABLES {
        std::fs::create_dir(directory.path().join(table)).unwrap();
        for part in 0..2 {
            let file = directory.path().join(format!("{table}/{part}.parquet"));
            let key = match table {
                "signals" => "id",
                "token_prices" => "timestamp",
                _ => "signal_id",
            };
            let copy = format!(
                "copy (select * from {table} where ascii(reverse(token_address)) % 2 = {part} \
                 order by reverse(cast({key} as text)), token_address desc) to '{}'",
                file.display()
            );
            let output = hindsight(&loaded).args(["query", &copy]).output().unwrap();
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
    }
    let found = load(&directory.path().join("w"), 2, &folders(directory.path()));
    assert_eq!(found, expected, "parquet");

    // PostgreSQL, whose heap has an order of its own.
    let database = Postgres::shared().database("same_rows");
    for ((columns, rows), (_, table)) in rows.shuffled(&mut random).0.iter().zip(TABLES) {
        let types = columns.iter().map(|column| match *column {
            "timestamp" | "entry_timestamp" | "exit_timestamp" => format!("{column} timestamptz"),
            "score" | "price" | "volume_24h" | "realized_pnl_sol" => format!("{column} numeric"),
            _ => format!("{column} text"),
        });
        let types: Vec<_> = types.collect();
        database.execute(&format!("create table {table} ({})", types.join(", ")));
        for rows in rows.chunks(500) {
            let values = rows.iter().map(|row| {
                let cells = row.iter().map(|cell| match cell.as_str() {
                    "" => "null".to_owned(),
                    cell => format!("'{}'", cell.replace('\'', "''")),
                });
                format!("({})", cells.collect::<Vec<_>>().join(", "))
            });
            let values: Vec<_> = values.collect();
            database.execute(&format!("insert into {table} values {}", values.join(", ")));
        }
    }
    let from = ["--from".to_owned(), database.url()];
    let found = load(&directory.path().join("from"), 3, &from);
    assert_eq!(found, expected, "PostgreSQL");
}

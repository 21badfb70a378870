//! Runs `tests/sql`: one file for each function and table, each a test of its name, so that
//! `cargo test max_drawdown` runs all that is known about it.
//!
//! A file may begin with `# dataset: NAME`, where `empty` has no rows and `steps` has the prices of
//! `steps.rs`, and `record/…` are small ones of their own in `tests/data`; without it, it runs on `tiny`. Each file runs on an engine
//! of its own, again with its rows scattered over threads and batches, and over the wire. In a result, null is `NULL`, an empty text `(empty)`, a decimal has all the digits
//! of its type, a timestamp is RFC 3339 in UTC, and a struct or list is as Arrow shows it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use sqllogictest::{AsyncDB, ColumnType, DBOutput, Record, Runner, strict_column_validator};

use crate::engine::{Execution, TestEngine, block_on};
use crate::files;
use crate::reference::history::History;
use crate::steps::steps;
use crate::wire_sql::WireDatabase;

macro_rules! sql_files {
    ($($folder:ident { $($name:ident)+ })+) => {
        /// Every file that is run.
        const FILES: &[&str] = &[$($(concat!(stringify!($folder), "/", stringify!($name), ".slt")),+),+];
        $(mod $folder {
            $(#[test]
            fn $name() {
                super::run(concat!(stringify!($folder), "/", stringify!($name), ".slt"));
            })+
        })+
    };
}

sql_files! {
    dialect { dates intervals json texts to_char zone }
    exits { price_at simulate_exit simulate_exits }
    metrics {
        divide_rounded expectancy max_consecutive_losses max_drawdown profit_factor round_half_even
        sharpe_ratio sortino_ratio sqn win_rate
    }
    portfolio { skip_reason }
    record { drawdown exits limits walk_forward }
    scoring { position_size rescore }
    state { runs scenarios settings transactions }
    statements { allowed escapes prepared queries }
    table_functions {
        backtest backtest_by_queries calibrate_trades calibration compare_trades daily_pnl
        equity_curve exposure overfitting pnl_interval simulate_trades walk_forward
    }
    tables { data_quality parameters signals token_prices trade_outcomes }
    trades { price_errors sale_pnl trade_pnl }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql")
}

/// The dataset that the file names in its first line, else `tiny`.
fn dataset(script: &str) -> &str {
    let first = script.lines().next().unwrap_or_default();
    first.strip_prefix("# dataset:").map_or("tiny", str::trim)
}

fn run(file: &str) {
    let path = folder().join(file);
    let script = fs::read_to_string(&path).unwrap();
    for how in [Execution::USUAL, Execution::SCATTERED] {
        let mut runner = Runner::new(|| async { Ok(Database(engine(&script, how).await)) });
        runner.with_column_validator(strict_column_validator);
        let result = block_on(runner.run_file_async(&path));
        result.unwrap_or_else(|error| panic!("{how:?}: {error}"));
    }
    let mut runner =
        Runner::new(|| async { Ok(WireDatabase::new(engine(&script, Execution::USUAL).await)) });
    runner.with_column_validator(sent_column_validator);
    let result = block_on(runner.run_file_async(&path));
    result.unwrap_or_else(|error| panic!("over the wire: {error}"));
}

/// Runs all files over the history that these workers have.
#[cfg(feature = "distributed")]
pub fn run_on_workers(urls: &[&str]) {
    let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
    for file in FILES {
        let path = folder().join(file);
        let script = fs::read_to_string(&path).unwrap();
        if dataset(&script) != "tiny" {
            continue;
        }
        let mut runner = Runner::new(|| async {
            let workers = hindsight::cluster::workers::Workers::new(&urls, None).unwrap();
            let config = Execution::USUAL.config();
            let config = hindsight::cluster::grid::with_workers(config, workers);
            let tiny = files::test_data().join("tiny");
            Ok(Database(TestEngine::configured(&tiny, config).await))
        });
        runner.with_column_validator(strict_column_validator);
        let result = block_on(runner.run_file_async(&path));
        result.unwrap_or_else(|error| panic!("on workers: {error}"));
    }
}

/// An engine over the dataset that a script names.
async fn engine(script: &str, how: Execution) -> TestEngine {
    match dataset(script) {
        "tiny" => TestEngine::of_files(&files::test_data().join("tiny"), how).await,
        "empty" => TestEngine::of_history(&History::default(), how).await,
        "steps" => TestEngine::of_history(&steps(), how).await,
        name if name.starts_with("record/") => {
            TestEngine::of_texts(&files::test_data().join(name), how).await
        }
        other => panic!("no dataset {other}"),
    }
}

/// Over the wire, what has no type is text.
#[expect(clippy::ptr_arg, reason = "what the runner takes")]
fn sent_column_validator(actual: &Vec<Kind>, expected: &Vec<Kind>) -> bool {
    let sent = |kind: &Kind| match kind {
        Kind::Null => Kind::Text,
        kind => kind.clone(),
    };
    let expected: Vec<Kind> = expected.iter().map(sent).collect();
    *actual == expected
}

#[test]
fn every_file_is_run() {
    let mut found = Vec::new();
    for folder in fs::read_dir(folder()).unwrap() {
        let folder = folder.unwrap();
        for file in fs::read_dir(folder.path()).unwrap() {
            let (folder, file) = (folder.file_name(), file.unwrap().file_name());
            found.push(format!(
                "{}/{}",
                folder.to_str().unwrap(),
                file.to_str().unwrap()
            ));
        }
    }
    found.sort();
    let mut listed = FILES.to_vec();
    listed.sort_unstable();
    assert_eq!(
        found, listed,
        "the files of tests/sql and those listed in tests/it/sql.rs"
    );
}

#[test]
fn every_file_parses_and_asks_something() {
    for file in FILES {
        let records = sqllogictest::parse_file::<Kind>(folder().join(file));
        let records = records.unwrap_or_else(|error| panic!("{error}"));
        let is_asked = |record: &&Record<Kind>| {
            matches!(record, Record::Query { .. } | Record::Statement { .. })
        };
        let asked = records.iter().filter(is_asked).count();
        assert!(asked >= 3, "{file}: asks only {asked} things");
    }
}

struct Database(TestEngine);

/// What an engine refused, as a user reads it.
#[derive(Debug)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

#[async_trait]
impl AsyncDB for Database {
    type Error = Refusal;
    type ColumnType = Kind;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<Kind>, Refusal> {
        let batches = self.0.sql(sql).await.map_err(Refusal)?;
        let Some(first) = batches.first() else {
            return Ok(DBOutput::StatementComplete(0));
        };
        let fields = first.schema();
        let types = fields
            .fields()
            .iter()
            .map(|field| Kind::of(field.data_type()));
        Ok(DBOutput::Rows {
            types: types.collect(),
            rows: batches.iter().flat_map(rows).collect(),
        })
    }

    async fn shutdown(&mut self) {}
}

fn rows(batch: &RecordBatch) -> Vec<Vec<String>> {
    let columns: Vec<Vec<String>> = batch.columns().iter().map(|column| cells(column)).collect();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column[row].clone()).collect())
        .collect()
}

fn cells(column: &dyn Array) -> Vec<String> {
    let format = FormatOptions::default()
        .with_null("NULL")
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"));
    let format = ArrayFormatter::try_new(column, &format).unwrap();
    (0..column.len())
        .map(|row| match format.value(row).to_string() {
            text if text.is_empty() => "(empty)".to_owned(),
            text => text,
        })
        .collect()
}

/// The type of a column, the letter after `query`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    Date,
    Integer,
    /// Binary floating point, which no result of ours has.
    Float,
    Nested,
    Decimal,
    Text,
    Timestamp,
    Null,
}

impl Kind {
    fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Date32 => Self::Date,
            kind if kind.is_integer() => Self::Integer,
            kind if kind.is_floating() => Self::Float,
            DataType::Decimal128(_, _) | DataType::Decimal256(_, _) => Self::Decimal,
            DataType::Timestamp(_, Some(_)) => Self::Timestamp,
            DataType::Dictionary(_, values) => Self::of(values),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Null => Self::Null,
            _ => Self::Nested,
        }
    }
}

impl ColumnType for Kind {
    fn from_char(letter: char) -> Option<Self> {
        Some(match letter {
            'B' => Self::Boolean,
            'D' => Self::Date,
            'I' => Self::Integer,
            'F' => Self::Float,
            'N' => Self::Nested,
            'R' => Self::Decimal,
            'T' => Self::Text,
            'P' => Self::Timestamp,
            '0' => Self::Null,
            _ => return None,
        })
    }

    fn to_char(&self) -> char {
        match self {
            Self::Boolean => 'B',
            Self::Date => 'D',
            Self::Integer => 'I',
            Self::Float => 'F',
            Self::Nested => 'N',
            Self::Decimal => 'R',
            Self::Text => 'T',
            Self::Timestamp => 'P',
            Self::Null => '0',
        }
    }
}

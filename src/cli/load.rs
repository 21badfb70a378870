//! `hindsight load`: files or a database into the workspace, then what was read and what is odd
//! about it.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use datafusion::arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use datafusion::error::DataFusionError;
use hindsight::ingest::{
    self, ColumnName, DatabaseRequest, Delimiter, Finding, InputFormat, LoadRequest, LoadSummary,
    OnConflict, Period, ReadOptions, RowCounts, Severity,
};

use super::failure::Failure;
use super::interrupt::Interrupt;
use super::numbers::grouped;
use super::output::OutputArgs;
use super::progress::LoadProgress;
use super::table::{Cell, Column, Table};
use super::terminal::{CAUTION, DIM, aside, remark, seconds};
use super::workspace::Url;

/// Load a history of signals, prices and trades from files or a live PostgreSQL
#[derive(Debug, Args)]
#[command(
    long_about = "Load a history of signals, prices and trades from files: Parquet, CSV, NDJSON \
                  or JSON arrays, also gzip or zstd compressed; or with --from out of a live \
                  PostgreSQL.\n\n\
                  Names of columns are found without regard to case, blanks and underscores; \
                  --column says what a file calls one otherwise, and columns that were not used \
                  are named. Prices keep 18 fractional digits; further ones are rounded where \
                  that moves the price by no more than 1e-9 of itself. Timestamps without a zone \
                  are UTC.\n\n\
                  Rows merge with what the workspace holds: the same rows change nothing, new rows \
                  are added, a row that contradicts the stored history is refused, unless \
                  --on-conflict says which of the two holds. One wrong value and nothing is \
                  loaded.\n\n\
                  From a database the tables signals, token_prices and trade_outcomes are read in \
                  one consistent snapshot that changes nothing there. Loading again reads what is \
                  new: days of signals and prices are counted, and left out where the workspace \
                  holds as many rows of them, so that rows that came late are found too; the last \
                  day held and all trades are always read. What counting cannot find, a row that \
                  took the place of another of that day, --full does.\n\n\
                  Rows that row-level security might hide are refused, never left out. The load asks \
                  for one connection, one processor and no lock that others wait for; a pooler will \
                  do. Tables and columns with other names are read by --query.",
    after_help = "Examples:\n  \
                  hindsight load --signals signals.csv --prices 'prices/*.parquet' --trades trades.csv\n  \
                  hindsight load --prices prices-today.ndjson\n  \
                  hindsight load --prices candles.csv --column price=close --column timestamp=time\n  \
                  zcat prices.csv.gz | hindsight load --prices - --input-format csv\n  \
                  hindsight load --from postgres://reader@db.example/trading --since 2025-01-01\n  \
                  hindsight load --prices prices-today.ndjson --format json | jq '.[].rows_added'\n  \
                  hindsight load --from 'postgres:///?service=trading' --query \
                  \"prices=select mint as token_address, at as timestamp, close as price from candles\"\n\n\
                  A password is taken from the URL, percent-encoded, from PGPASSWORD, a service or \
                  ~/.pgpass; the last three keep it out of the list of processes. The other variables \
                  PG… and several hosts, sslmode, sslrootcert and target_session_attrs in the URL are \
                  as for psql."
)]
pub struct LoadArgs {
    /// Files that nobody has said the table of
    #[arg(value_name = "FILE", hide = true)]
    of_no_table: Vec<String>,
    /// Files, directories or glob patterns of signals; - is standard input
    #[arg(long, value_name = "FILE", num_args = 1..)]
    signals: Vec<String>,
    /// Files, directories or glob patterns of token prices
    #[arg(long, value_name = "FILE", num_args = 1..)]
    prices: Vec<String>,
    /// Files, directories or glob patterns of the trades that really happened
    #[arg(long, value_name = "FILE", num_args = 1..)]
    trades: Vec<String>,
    /// What the files call a column, such as price=close, or signals.timestamp=time for one table
    #[arg(long = "column", value_name = "NAME=THEIRS", conflicts_with = "from",
        value_parser = |text: &str| ColumnName::parse(text))]
    columns: Vec<ColumnName>,
    /// The format of standard input, and of files whose names do not tell: csv, tsv, ndjson, json
    /// or parquet
    #[arg(long, value_name = "FORMAT", conflicts_with = "from",
        value_parser = |text: &str| InputFormat::parse(text))]
    input_format: Option<InputFormat>,
    /// What separates the columns of CSV: one character, or tab
    #[arg(long, value_name = "CHARACTER", conflicts_with = "from",
        value_parser = |text: &str| Delimiter::parse(text))]
    delimiter: Option<Delimiter>,
    /// Round prices to the digits that there is room for, however far that moves them
    #[arg(long)]
    round_prices: bool,
    /// A live PostgreSQL to read the three tables from, as postgres://user@host:5432/database
    #[arg(long, value_name = "URL", conflicts_with_all = ["signals", "prices", "trades"])]
    from: Option<Url>,
    /// Signals from this date or timestamp on; and prices, and trades entered, from then on
    #[arg(long, value_name = "TIME", requires = "from")]
    since: Option<String>,
    /// Signals before this timestamp, or up to the end of this date; their trades, and prices of
    /// a day more than a trade may be held (two days), which the exits of the last signals need
    #[arg(long, value_name = "TIME", requires = "from")]
    until: Option<String>,
    /// Read every row again, also of days that the workspace seems to hold
    #[arg(long, requires = "from")]
    full: bool,
    /// The tables to read, all three by default
    #[arg(
        long,
        value_name = "TABLE",
        requires = "from",
        value_delimiter = ',',
        value_parser = ["signals", "token_prices", "trade_outcomes"]
    )]
    only: Vec<String>,
    /// Read signals, prices or trades by a query that gives the columns their names, as in
    /// signals='select call_id as id, …'
    #[arg(long, value_name = "TABLE=SELECT", requires = "from")]
    query: Vec<String>,
    /// Where a row contradicts a stored one, or an earlier one of this load: refuse the load, keep
    /// the earlier row, or replace it with the later one
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "refuse",
        value_parser = OnConflict::NAMES
    )]
    on_conflict: String,
    /// What was read and added of each table, as rows for programs
    #[command(flatten)]
    output: OutputArgs,
}

pub async fn execute(
    workspace: &Path,
    arguments: LoadArgs,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    if let Some(file) = arguments.of_no_table.first() {
        return Err(Failure::usage(
            format!("{file}: nobody says whether it holds signals, prices or trades"),
            format!("hindsight load --prices {file}, or --signals or --trades"),
        ));
    }
    let on_conflict = OnConflict::named(&arguments.on_conflict).unwrap_or_default();
    if let Some(Url(url)) = arguments.from {
        let request = DatabaseRequest {
            url,
            period: Period::parse(arguments.since.as_deref(), arguments.until.as_deref())?,
            full: arguments.full,
            only: arguments.only,
            queries: DatabaseRequest::read_queries(&arguments.query)?,
            on_conflict,
            round_prices: arguments.round_prices,
        };
        return load(
            workspace,
            arguments.output,
            interrupt,
            move |workspace, progress| ingest::load_database(workspace, &request, progress),
        )
        .await;
    }
    let request = LoadRequest {
        signals: arguments.signals,
        prices: arguments.prices,
        trades: arguments.trades,
        on_conflict,
        reading: ReadOptions {
            columns: arguments.columns,
            input_format: arguments.input_format,
            delimiter: arguments.delimiter,
            round_prices: arguments.round_prices,
        },
    };
    if request.signals.is_empty() && request.prices.is_empty() && request.trades.is_empty() {
        return Err(Failure::usage(
            "nothing to load: name files with --signals, --prices or --trades, or a database with \
             --from",
            "hindsight load --signals FILE… --prices FILE… --trades FILE…, or hindsight demo for a \
             synthetic history",
        ));
    }
    load(
        workspace,
        arguments.output,
        interrupt,
        move |workspace, progress| ingest::load(workspace, &request, progress),
    )
    .await
}

/// Loads, and says what came of it.
async fn load(
    workspace: &Path,
    rows: OutputArgs,
    interrupt: &Interrupt,
    work: impl FnOnce(&Path, &LoadProgress) -> hindsight::Result<LoadSummary> + Send + 'static,
) -> Result<(), Failure> {
    let mut output = rows.is_given().then(|| rows.open()).transpose()?;
    let started = Instant::now();
    let progress = LoadProgress::new(interrupt);
    let directory = workspace.to_owned();
    let summary = interrupt.write(move || work(&directory, &progress)).await?;
    if let Some(output) = &mut output {
        output.write_batch(as_rows(&summary)?).await?;
    }
    print_summary(&summary);
    let (place, took) = (workspace.display(), seconds(started.elapsed()));
    let fingerprint = short_fingerprint(&summary.fingerprint);
    match summary.is_new {
        true => remark(format_args!(
            "Loaded into {place} in {took}: dataset {fingerprint}."
        )),
        false => remark(format_args!(
            "Nothing new in {took}: {place} holds all of it, and stays as it was: dataset \
             {fingerprint}."
        )),
    }
    Ok(())
}

fn rows_counted(rows: u64) -> String {
    match rows {
        1 => "1 row".into(),
        rows => format!("{} rows", grouped(rows)),
    }
}

/// Enough of a fingerprint to tell two datasets apart by eye.
pub fn short_fingerprint(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}

/// A row for each table.
fn as_rows(summary: &LoadSummary) -> Result<RecordBatch, Failure> {
    let rows = summary.rows();
    let counts = |count: fn(&RowCounts) -> u64| {
        let counts = rows.iter().map(|(_, rows)| count(rows) as i64);
        Arc::new(Int64Array::from_iter_values(counts)) as ArrayRef
    };
    let names = rows.iter().map(|(name, _)| *name);
    let columns = [
        (
            "table_name",
            Arc::new(StringArray::from_iter_values(names)) as ArrayRef,
        ),
        ("rows_read", counts(|rows| rows.read)),
        ("rows_added", counts(|rows| rows.added)),
        ("rows_contradicting", counts(|rows| rows.contradicting)),
        ("rows_total", counts(|rows| rows.total)),
        ("generation", counts_of(summary.generation as i64)),
        (
            "is_new",
            Arc::new(BooleanArray::from(vec![summary.is_new; 3])),
        ),
        (
            "fingerprint",
            Arc::new(StringArray::from_iter_values([&summary.fingerprint; 3])),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns);
    Ok(batch.map_err(DataFusionError::from)?)
}

fn counts_of(number: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![number; 3]))
}

/// Rows by table, then the findings.
fn print_summary(summary: &LoadSummary) {
    let mut tables = Table::new(vec![
        Column::left("table"),
        Column::right("read"),
        Column::right("added"),
        Column::right("total"),
    ]);
    let rows = summary.rows();
    for (name, count) in rows {
        let number = |count: u64| Cell::plain(grouped(count));
        tables.push(vec![
            Cell::plain(name),
            number(count.read),
            number(count.added),
            number(count.total),
        ]);
    }
    remark(tables);
    for (name, count) in rows {
        if count.contradicting > 0 {
            aside(format_args!(
                "{} of {name} contradicted others: data_quality says which holds",
                rows_counted(count.contradicting)
            ));
        }
    }
    for window in &summary.windows {
        aside(window);
    }
    if summary.findings.is_empty() {
        return;
    }
    let mut findings = Table::new(vec![
        Column::left("finding"),
        Column::left("table"),
        Column::left("check"),
        Column::right("rows"),
    ]);
    for finding in &summary.findings {
        let style = match finding.severity {
            Severity::Warning => CAUTION,
            Severity::Info => DIM,
        };
        findings.push(vec![
            Cell::styled(finding.severity.as_str(), style),
            Cell::plain(finding.table_name),
            Cell::plain(finding.check_name),
            Cell::plain(grouped(finding.row_count)),
        ]);
    }
    remark(findings);
    for finding in &summary.findings {
        aside(sentence(finding));
    }
    aside("select * from data_quality shows them again");
    remark("");
}

/// What a finding says, for people.
fn sentence(finding: &Finding) -> String {
    format!(
        "{} {}: {}",
        finding.table_name, finding.check_name, finding.example
    )
}

//! `hindsight load`: files into the workspace, then what was read and what is odd about it.

use std::path::Path;
use std::time::Instant;

use clap::Args;
use hindsight::ingest::{self, LoadRequest, LoadSummary, RowCounts, Severity};

use super::failure::Failure;
use super::interrupt::Interrupt;
use super::numbers::grouped;
use super::progress::LoadProgress;
use super::table::{Cell, Column, Table};
use super::terminal::{CAUTION, DIM, aside, remark, seconds};

/// Load a history of signals, prices and trades from files
#[derive(Debug, Args)]
#[command(
    long_about = "Load a history of signals, prices and trades from files: Parquet, CSV or NDJSON, \
                  also gzip or zstd compressed.\n\n\
                  Rows merge with what the workspace holds: the same rows change nothing, new rows \
                  are added, a row that contradicts the stored history is refused. One wrong value \
                  and nothing is loaded.",
    after_help = "Examples:\n  \
                  hindsight load --signals signals.csv --prices 'prices/*.parquet' --trades trades.csv\n  \
                  hindsight load --prices prices-today.ndjson"
)]
pub struct LoadArgs {
    /// Files, directories or glob patterns of signals
    #[arg(long, value_name = "FILE", num_args = 1..)]
    signals: Vec<String>,
    /// Files, directories or glob patterns of token prices
    #[arg(long, value_name = "FILE", num_args = 1..)]
    prices: Vec<String>,
    /// Files, directories or glob patterns of the trades that really happened
    #[arg(long, value_name = "FILE", num_args = 1..)]
    trades: Vec<String>,
}

pub async fn execute(
    workspace: &Path,
    arguments: LoadArgs,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let request = LoadRequest {
        signals: arguments.signals,
        prices: arguments.prices,
        trades: arguments.trades,
    };
    if request.signals.is_empty() && request.prices.is_empty() && request.trades.is_empty() {
        return Err(Failure::usage(
            "nothing to load: name files with --signals, --prices or --trades",
            "hindsight load --signals FILE… --prices FILE… --trades FILE…, or hindsight demo for a \
             synthetic history",
        ));
    }
    let started = Instant::now();
    let progress = LoadProgress::new(interrupt);
    let directory = workspace.to_owned();
    let summary = interrupt
        .write(move || ingest::load(&directory, &request, &progress))
        .await?;
    print_summary(&summary);
    remark(format_args!(
        "Loaded into {} in {}: dataset {}.",
        workspace.display(),
        seconds(started.elapsed()),
        short_fingerprint(&summary.fingerprint)
    ));
    Ok(())
}

/// Enough of a fingerprint to tell two datasets apart by eye.
pub fn short_fingerprint(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}

/// Rows by table, then the findings.
fn print_summary(summary: &LoadSummary) {
    let mut tables = Table::new(vec![
        Column::left("table"),
        Column::right("read"),
        Column::right("added"),
        Column::right("total"),
    ]);
    let rows: [(&str, RowCounts); 3] = [
        ("signals", summary.signals),
        ("token_prices", summary.prices),
        ("trade_outcomes", summary.trade_outcomes),
    ];
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
    aside("select * from data_quality shows an example of each");
    remark("");
}

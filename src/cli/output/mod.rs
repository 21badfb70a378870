//! Results on standard output, in the format that was asked for, batch by batch as they come.

mod binary;
mod rows;
mod text;

use std::io::{self, BufWriter, IsTerminal, Write};

use clap::ValueEnum;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use hindsight::Outcome;
use text::TextWriter;

use super::failure::Failure;
use super::numbers::grouped;
use super::terminal::aside;

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Aligned columns for people; a single row that is too wide, one column a line
    #[default]
    Table,
    /// Comma-separated with a header (RFC 4180); null is empty, an empty text is ""
    Csv,
    /// One array of objects; decimals keep all their digits
    Json,
    /// One JSON object a line
    Ndjson,
    /// A Markdown table
    Markdown,
    /// A Parquet file
    Parquet,
    /// An Arrow IPC stream
    Arrow,
}

impl Format {
    fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow)
    }
}

/// Where a result goes.
type Target = Box<dyn Write + Send>;

/// Takes the batches of one result.
trait ResultWriter: Send {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure>;
    /// Called once, behind the last batch.
    fn finish(&mut self) -> Result<(), Failure>;
}

/// Where the results of a command go.
#[derive(Debug)]
pub struct Output {
    format: Format,
    results: usize,
}

impl Output {
    /// Refuses what would only garble a terminal.
    pub fn new(format: Format) -> Result<Self, Failure> {
        if format.is_binary() && io::stdout().is_terminal() {
            return Err(Failure::usage(
                format!("--format {} is no text for a terminal", name(format)),
                format!("redirect it, as in > result.{}", name(format)),
            ));
        }
        Ok(Self { format, results: 0 })
    }

    /// Writes the result of a statement; one that returns no rows has none.
    pub async fn write(&mut self, outcome: Outcome, is_last: bool) -> Result<(), Failure> {
        self.write_after(outcome, is_last, || ()).await
    }

    /// As [`Self::write`]; `ready` is called before the first row is written.
    pub async fn write_after(
        &mut self,
        outcome: Outcome,
        is_last: bool,
        ready: impl FnOnce(),
    ) -> Result<(), Failure> {
        let mut stream = match outcome {
            Outcome::Rows(stream) if !stream.schema().fields().is_empty() => stream,
            Outcome::Rows(mut stream) => {
                while let Some(batch) = stream.next().await {
                    batch?;
                }
                return Ok(());
            }
            Outcome::Done {
                rows: Some(rows), ..
            } => {
                let noun = if rows == 1 { "row" } else { "rows" };
                aside(format_args!("{} {noun} written", grouped(rows)));
                return Ok(());
            }
            Outcome::Done { rows: None, .. } => return Ok(()),
        };
        if self.format.is_binary() && !is_last {
            return Err(Failure::usage(
                format!("--format {} holds one result", name(self.format)),
                "only the last statement may have one; give the others their own command",
            ));
        }
        let mut next = stream.next().await;
        ready();
        let is_first = self.results == 0;
        let target = Box::new(BufWriter::with_capacity(1 << 16, io::stdout()));
        let mut writer = writer(self.format, &stream.schema(), is_first, target)?;
        self.results += 1;
        while let Some(batch) = next {
            writer.write(&batch?)?;
            next = stream.next().await;
        }
        writer.finish()
    }
}

/// Writes one result, and says how many rows it had.
pub async fn write_all(
    mut rows: SendableRecordBatchStream,
    format: Format,
    target: Target,
) -> Result<u64, Failure> {
    let mut writer = writer(format, &rows.schema(), true, target)?;
    let mut written = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        writer.write(&batch)?;
        written += batch.num_rows() as u64;
    }
    writer.finish()?;
    Ok(written)
}

fn writer(
    format: Format,
    schema: &SchemaRef,
    is_first: bool,
    target: Target,
) -> Result<Box<dyn ResultWriter>, Failure> {
    Ok(match format {
        // It asks the terminal how wide it is.
        Format::Table => Box::new(rows::TableWriter::new(schema, is_first)),
        Format::Csv => Box::new(TextWriter::new(text::Csv, schema, is_first, target)),
        Format::Json => Box::new(TextWriter::new(text::Json, schema, is_first, target)),
        Format::Ndjson => Box::new(TextWriter::new(text::Ndjson, schema, is_first, target)),
        Format::Markdown => Box::new(TextWriter::new(text::Markdown, schema, is_first, target)),
        Format::Parquet => Box::new(binary::ParquetWriter::new(schema, target)?),
        Format::Arrow => Box::new(binary::ArrowWriter::new(schema, target)?),
    })
}

fn name(format: Format) -> String {
    format
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

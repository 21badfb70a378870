//! Results on standard output or in a file, in the format that was asked for, batch by batch as they
//! come.

mod binary;
mod file;
mod fit;
mod format;
mod rows;
mod text;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use hindsight::Outcome;
use text::TextWriter;

pub use file::FileTarget;
pub use fit::{Place, fit};
pub use format::Format;

use super::failure::Failure;
use super::numbers::grouped;
use super::terminal::{self, aside};
use binary::{Binary, BinaryWriter};
use rows::Layout;

/// The options of every command that prints rows.
#[derive(Debug, Clone, Args)]
pub struct OutputArgs {
    /// How the result is written; -o FILE says it by the end of its name [default: table]
    #[arg(long, value_enum, global = true)]
    format: Option<Format>,
    /// Write it to a file, which is there whole or not at all
    #[arg(long, short, value_name = "FILE", global = true)]
    output: Option<PathBuf>,
}

impl OutputArgs {
    /// A file in this format.
    pub fn of_file(format: Format, path: PathBuf) -> Self {
        Self {
            format: Some(format),
            output: Some(path),
        }
    }

    /// The format that is meant.
    pub fn format(&self) -> Result<Format, Failure> {
        match (self.format, &self.output) {
            (Some(format), _) => Ok(format),
            (None, Some(path)) => Format::of_file(path).ok_or_else(|| {
                Failure::usage(
                    format!("cannot tell the format of {}", path.display()),
                    "name it with --format",
                )
            }),
            (None, None) => Ok(Format::default()),
        }
    }

    /// Whether people read it, where it is printed.
    pub fn is_table(&self) -> bool {
        self.format.unwrap_or_default() == Format::Table && self.output.is_none()
    }

    /// Whether any of them is there.
    pub fn is_given(&self) -> bool {
        self.format.is_some() || self.output.is_some()
    }

    /// Writes text that is no table.
    pub fn write_text(&self, text: &str) -> Result<(), Failure> {
        let Some(path) = &self.output else {
            return write_text(text);
        };
        let file = FileTarget::create(path)?;
        let mut target = file.target()?;
        let written = target.write_all(text.as_bytes());
        let written = written.and_then(|()| target.flush()).map_err(Failure::from);
        written.map_err(|failure| failure.writing(&file.name()))?;
        file.finish()
    }

    /// Where the results go; refuses what cannot be written or would only garble a terminal.
    pub fn open(&self) -> Result<Output, Failure> {
        let format = self.format()?;
        match &self.output {
            Some(path) => Ok(Output {
                format,
                results: 0,
                file: Some(FileTarget::create(path)?),
                is_upright: false,
            }),
            None => Output::new(format),
        }
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
pub struct Output {
    format: Format,
    results: usize,
    /// `None` for standard output.
    file: Option<FileTarget>,
    is_upright: bool,
}

impl Output {
    /// Standard output. Refuses what would only garble a terminal.
    pub fn new(format: Format) -> Result<Self, Failure> {
        if format.is_binary() && io::stdout().is_terminal() {
            return Err(Failure::usage(
                format!("--format {} is no text for a terminal", format.name()),
                format!(
                    "give it a file, as in -o result.{}, or redirect it",
                    format.name()
                ),
            ));
        }
        Ok(Self {
            format,
            results: 0,
            file: None,
            is_upright: false,
        })
    }

    /// Every column of a table on a line of its own.
    pub fn upright(mut self, is_upright: bool) -> Self {
        self.is_upright = is_upright;
        self
    }

    /// Writes the result of a statement; one that returns no rows has none.
    pub async fn write(&mut self, outcome: Outcome, is_last: bool) -> Result<(), Failure> {
        self.write_after(outcome, is_last, || ()).await
    }

    /// Writes rows that are there already, as the only result.
    pub async fn write_batch(&mut self, batch: RecordBatch) -> Result<(), Failure> {
        let schema = batch.schema();
        let rows = stream::iter([Ok(batch)]);
        let rows = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
        self.write(Outcome::Rows(rows), true).await
    }

    /// As [`Self::write`]; `ready` is called before the first row is written.
    pub async fn write_after(
        &mut self,
        outcome: Outcome,
        is_last: bool,
        ready: impl FnOnce(),
    ) -> Result<(), Failure> {
        let written = self.write_result(outcome, is_last, ready).await;
        written.map_err(|failure| match &self.file {
            Some(file) => failure.writing(&file.name()),
            None => failure.cut_short(),
        })?;
        match is_last {
            true => self.finish(),
            false => Ok(()),
        }
    }

    /// Called once all results are written.
    pub fn finish(&mut self) -> Result<(), Failure> {
        match self.file.take() {
            Some(file) => {
                let name = file.name();
                file.finish()?;
                aside(format_args!("written to {name}"));
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn write_result(
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
        if self.format.is_binary() && (!is_last || self.results > 0) {
            return Err(Failure::usage(
                format!("--format {} holds one result", self.format.name()),
                "only the last statement may have one; give the others their own command",
            ));
        }
        let mut next = stream.next().await;
        ready();
        let is_first = self.results == 0;
        let (target, layout) = self.target()?;
        let mut writer = writer(self.format, &stream.schema(), is_first, target, layout)?;
        self.results += 1;
        while let Some(batch) = next {
            writer.write(&batch?)?;
            next = stream.next().await;
        }
        writer.finish()
    }

    fn target(&self) -> Result<(Target, Layout), Failure> {
        let is_upright = self.is_upright;
        match &self.file {
            Some(file) => Ok((
                file.target()?,
                Layout {
                    is_upright,
                    ..Layout::default()
                },
            )),
            None => Ok((
                Box::new(BufWriter::with_capacity(1 << 16, io::stdout())),
                Layout {
                    is_coloured: terminal::is_coloured(),
                    width: terminal::width(),
                    is_upright,
                },
            )),
        }
    }
}

/// Writes one result to a file, and says how many rows it had.
pub async fn write_file(
    mut rows: SendableRecordBatchStream,
    format: Format,
    path: &std::path::Path,
) -> Result<u64, Failure> {
    let file = FileTarget::create(path)?;
    let named = |failure: Failure| failure.writing(&file.name());
    let schema = rows.schema();
    let mut writer = writer(format, &schema, true, file.target()?, Layout::default())?;
    let mut written = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        writer.write(&batch).map_err(named)?;
        written += batch.num_rows() as u64;
    }
    writer.finish().map_err(named)?;
    drop(writer);
    file.finish()?;
    Ok(written)
}

/// Writes text that is no table to standard output.
pub fn write_text(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Rows of texts under these names, as a result.
pub fn texts<const N: usize>(
    names: [&str; N],
    rows: impl IntoIterator<Item = [Option<String>; N]>,
) -> Result<RecordBatch, Failure> {
    let mut columns: [Vec<Option<String>>; N] = std::array::from_fn(|_| Vec::new());
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let fields: Vec<Field> = names
        .iter()
        .map(|name| Field::new(*name, DataType::Utf8, true))
        .collect();
    let columns: Vec<ArrayRef> = columns
        .into_iter()
        .map(|column| Arc::new(StringArray::from(column)) as ArrayRef)
        .collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
    Ok(batch.map_err(DataFusionError::from)?)
}

fn writer(
    format: Format,
    schema: &SchemaRef,
    is_first: bool,
    target: Target,
    layout: Layout,
) -> Result<Box<dyn ResultWriter>, Failure> {
    Ok(match format {
        Format::Table => Box::new(rows::TableWriter::new(schema, is_first, target, layout)),
        Format::Csv => Box::new(TextWriter::new(text::Csv, schema, is_first, target)),
        Format::Json => Box::new(TextWriter::new(
            text::Json(text::Keys::new(schema)),
            schema,
            is_first,
            target,
        )),
        Format::Ndjson => Box::new(TextWriter::new(
            text::Ndjson(text::Keys::new(schema)),
            schema,
            is_first,
            target,
        )),
        Format::Markdown => Box::new(TextWriter::new(text::Markdown, schema, is_first, target)),
        Format::Parquet => Box::new(BinaryWriter::new(Binary::Parquet, schema, target)?),
        Format::Arrow => Box::new(BinaryWriter::new(Binary::Arrow, schema, target)?),
    })
}

//! Results as bytes for programs: a Parquet file or an Arrow IPC stream.

use std::error::Error as StdError;
use std::io::{self, Stdout, Write};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::error::DataFusionError;
use datafusion::parquet::arrow::ArrowWriter as ParquetFileWriter;

use super::ResultWriter;
use crate::cli::failure::Failure;

/// Writes one result as a Parquet file.
pub struct ParquetWriter(Option<ParquetFileWriter<Stdout>>);

impl ParquetWriter {
    pub fn new(schema: &SchemaRef) -> Result<Self, Failure> {
        let writer = ParquetFileWriter::try_new(io::stdout(), schema.clone(), None);
        Ok(Self(Some(writer.map_err(failure)?)))
    }
}

impl ResultWriter for ParquetWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        match &mut self.0 {
            Some(writer) => writer.write(batch).map_err(failure),
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        if let Some(writer) = self.0.take() {
            writer.close().map_err(failure)?;
        }
        Ok(io::stdout().flush()?)
    }
}

/// Writes one result as an Arrow IPC stream, which readers can follow through a pipe.
pub struct ArrowWriter(StreamWriter<Stdout>);

impl ArrowWriter {
    pub fn new(schema: &SchemaRef) -> Result<Self, Failure> {
        let writer = StreamWriter::try_new(io::stdout(), schema);
        Ok(Self(writer.map_err(failure)?))
    }
}

impl ResultWriter for ArrowWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.0.write(batch).map_err(failure)
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.0.finish().map_err(failure)?;
        Ok(io::stdout().flush()?)
    }
}

/// A pipe that was closed is told from a type that the format does not have.
fn failure<E>(error: E) -> Failure
where
    E: StdError + 'static,
    DataFusionError: From<E>,
{
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(current) = cause {
        if let Some(error) = current.downcast_ref::<io::Error>() {
            return io::Error::new(error.kind(), error.to_string()).into();
        }
        cause = current.source();
    }
    DataFusionError::from(error).into()
}

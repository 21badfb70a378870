//! Results as bytes for programs: a Parquet file or an Arrow IPC stream.

use std::error::Error as StdError;
use std::io::{self, Write};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::error::DataFusionError;
use datafusion::parquet::arrow::ArrowWriter as ParquetFileWriter;

use super::{ResultWriter, Target};
use crate::cli::failure::Failure;

/// Writes one result as a Parquet file.
pub struct ParquetWriter(Option<ParquetFileWriter<Target>>);

impl ParquetWriter {
    pub fn new(schema: &SchemaRef, target: Target) -> Result<Self, Failure> {
        let writer = ParquetFileWriter::try_new(target, schema.clone(), None);
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
        match self.0.take() {
            Some(writer) => Ok(writer.into_inner().map_err(failure)?.flush()?),
            None => Ok(()),
        }
    }
}

/// Writes one result as an Arrow IPC stream, which readers can follow through a pipe.
pub struct ArrowWriter(Option<StreamWriter<Target>>);

impl ArrowWriter {
    pub fn new(schema: &SchemaRef, target: Target) -> Result<Self, Failure> {
        let writer = StreamWriter::try_new(target, schema);
        Ok(Self(Some(writer.map_err(failure)?)))
    }
}

impl ResultWriter for ArrowWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        match &mut self.0 {
            Some(writer) => writer.write(batch).map_err(failure),
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        match self.0.take() {
            Some(writer) => Ok(writer.into_inner().map_err(failure)?.flush()?),
            None => Ok(()),
        }
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

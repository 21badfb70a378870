//! Results as bytes for programs: a Parquet file or an Arrow IPC stream.

use std::error::Error as StdError;
use std::io::{self, Write};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::error::DataFusionError;
use datafusion::parquet::arrow::ArrowWriter as ParquetFileWriter;

use super::{ResultWriter, Target};
use crate::cli::failure::Failure;
use crate::cli::values::distinct;

/// The schema with names that are told apart: readers find columns by them.
fn readable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields();
    let names = distinct(fields.iter().map(|field| field.name().as_str()));
    let fields = fields.iter().zip(names);
    let fields: Vec<Field> = fields
        .map(|(field, name)| field.as_ref().clone().with_name(name))
        .collect();
    Arc::new(Schema::new(fields))
}

fn under(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
    let names = batch.schema_ref().fields().iter().map(|field| field.name());
    if names.eq(schema.fields().iter().map(|field| field.name())) {
        return Ok(batch.clone());
    }
    let renamed = RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec());
    Ok(renamed.map_err(DataFusionError::from)?)
}

/// Writes one result as a Parquet file.
pub struct ParquetWriter {
    schema: SchemaRef,
    writer: Option<ParquetFileWriter<Target>>,
}

impl ParquetWriter {
    pub fn new(schema: &SchemaRef, target: Target) -> Result<Self, Failure> {
        let schema = readable(schema);
        let writer = ParquetFileWriter::try_new(target, Arc::clone(&schema), None);
        Ok(Self {
            writer: Some(writer.map_err(failure)?),
            schema,
        })
    }
}

impl ResultWriter for ParquetWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let batch = under(&self.schema, batch)?;
        match &mut self.writer {
            Some(writer) => writer.write(&batch).map_err(failure),
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        match self.writer.take() {
            Some(writer) => Ok(writer.into_inner().map_err(failure)?.flush()?),
            None => Ok(()),
        }
    }
}

/// Writes one result as an Arrow IPC stream, which readers can follow through a pipe.
pub struct ArrowWriter {
    schema: SchemaRef,
    writer: Option<StreamWriter<Target>>,
}

impl ArrowWriter {
    pub fn new(schema: &SchemaRef, target: Target) -> Result<Self, Failure> {
        let schema = readable(schema);
        let writer = StreamWriter::try_new(target, &schema);
        Ok(Self {
            writer: Some(writer.map_err(failure)?),
            schema,
        })
    }
}

impl ResultWriter for ArrowWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let batch = under(&self.schema, batch)?;
        match &mut self.writer {
            Some(writer) => writer.write(&batch).map_err(failure),
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        match self.writer.take() {
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

//! Results as text for programs: CSV, JSON, NDJSON and Markdown, a row at a time.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;

use super::{ResultWriter, Target};
use crate::cli::failure::Failure;
use crate::cli::values::{Form, distinct, is_null, write_json_text, write_value};

/// What makes a text format.
pub trait TextFormat: Send {
    /// What comes before the rows.
    fn begin(&self, out: &mut String, schema: &SchemaRef, is_first_result: bool);
    /// One row, with the end of its line.
    fn row(
        &self,
        out: &mut String,
        batch: &RecordBatch,
        row: usize,
        is_first: bool,
    ) -> Result<(), Failure>;
    /// What comes behind the rows.
    fn end(&self, _out: &mut String, _is_empty: bool) {}
}

/// Writes the rows of one result in a text format.
pub struct TextWriter<F> {
    format: F,
    out: Target,
    line: String,
    is_empty: bool,
}

impl<F: TextFormat> TextWriter<F> {
    pub fn new(format: F, schema: &SchemaRef, is_first_result: bool, out: Target) -> Self {
        let mut line = String::new();
        format.begin(&mut line, schema, is_first_result);
        Self {
            format,
            out,
            line,
            is_empty: true,
        }
    }

    fn flush_line(&mut self) -> Result<(), Failure> {
        self.out.write_all(self.line.as_bytes())?;
        self.line.clear();
        Ok(())
    }
}

impl<F: TextFormat> ResultWriter for TextWriter<F> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        for row in 0..batch.num_rows() {
            self.format.row(&mut self.line, batch, row, self.is_empty)?;
            self.is_empty = false;
            self.flush_line()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.format.end(&mut self.line, self.is_empty);
        self.flush_line()?;
        Ok(self.out.flush()?)
    }
}

/// RFC 4180, with the line ends of Unix.
pub struct Csv;

impl TextFormat for Csv {
    fn begin(&self, out: &mut String, schema: &SchemaRef, _: bool) {
        for (position, field) in schema.fields().iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            push_csv(out, field.name());
        }
        out.push('\n');
    }

    fn row(
        &self,
        out: &mut String,
        batch: &RecordBatch,
        row: usize,
        _: bool,
    ) -> Result<(), Failure> {
        let mut value = String::new();
        for (position, column) in batch.columns().iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            if is_null(column, row) {
                continue;
            }
            value.clear();
            write_value(&mut value, column, row, Form::Text)?;
            push_csv(out, &value);
        }
        out.push('\n');
        Ok(())
    }
}

/// Quotes what a reader would take apart, and the empty text, which would be read as null.
fn push_csv(out: &mut String, value: &str) {
    if !value.is_empty() && !value.contains([',', '"', '\n', '\r']) {
        out.push_str(value);
        return;
    }
    out.push('"');
    out.push_str(&value.replace('"', "\"\""));
    out.push('"');
}

/// The names of the columns as keys of an object, each with its colon.
pub struct Keys(Vec<String>);

impl Keys {
    pub fn new(schema: &SchemaRef) -> Self {
        let names = distinct(schema.fields().iter().map(|field| field.name().as_str()));
        let keys = names.iter().map(|name| {
            let mut key = String::new();
            write_json_text(&mut key, name);
            key.push(':');
            key
        });
        Self(keys.collect())
    }

    fn push_object(
        &self,
        out: &mut String,
        batch: &RecordBatch,
        row: usize,
    ) -> Result<(), Failure> {
        out.push('{');
        for (position, (key, column)) in self.0.iter().zip(batch.columns()).enumerate() {
            if position > 0 {
                out.push(',');
            }
            out.push_str(key);
            write_value(out, column, row, Form::Json)?;
        }
        out.push('}');
        Ok(())
    }
}

/// One array of objects.
pub struct Json(pub Keys);

impl TextFormat for Json {
    fn begin(&self, out: &mut String, _: &SchemaRef, _: bool) {
        out.push('[');
    }

    fn row(
        &self,
        out: &mut String,
        batch: &RecordBatch,
        row: usize,
        is_first: bool,
    ) -> Result<(), Failure> {
        out.push_str(if is_first { "\n" } else { ",\n" });
        self.0.push_object(out, batch, row)
    }

    fn end(&self, out: &mut String, is_empty: bool) {
        out.push_str(if is_empty { "]\n" } else { "\n]\n" });
    }
}

/// One object a line.
pub struct Ndjson(pub Keys);

impl TextFormat for Ndjson {
    fn begin(&self, _: &mut String, _: &SchemaRef, _: bool) {}

    fn row(
        &self,
        out: &mut String,
        batch: &RecordBatch,
        row: usize,
        _: bool,
    ) -> Result<(), Failure> {
        self.0.push_object(out, batch, row)?;
        out.push('\n');
        Ok(())
    }
}

/// A table as GitHub and most editors show it.
pub struct Markdown;

impl TextFormat for Markdown {
    fn begin(&self, out: &mut String, schema: &SchemaRef, is_first_result: bool) {
        if !is_first_result {
            out.push('\n');
        }
        out.push('|');
        for field in schema.fields() {
            out.push(' ');
            push_markdown(out, field.name());
            out.push_str(" |");
        }
        out.push_str("\n|");
        for field in schema.fields() {
            let is_number = field.data_type().is_numeric();
            out.push_str(if is_number { " ---: |" } else { " --- |" });
        }
        out.push('\n');
    }

    fn row(
        &self,
        out: &mut String,
        batch: &RecordBatch,
        row: usize,
        _: bool,
    ) -> Result<(), Failure> {
        let mut value = String::new();
        out.push('|');
        for column in batch.columns() {
            value.clear();
            write_value(&mut value, column, row, Form::Table)?;
            out.push(' ');
            push_markdown(out, &value);
            out.push_str(if value.is_empty() { "|" } else { " |" });
        }
        out.push('\n');
        Ok(())
    }
}

fn push_markdown(out: &mut String, value: &str) {
    let escaped = value.replace('\\', "\\\\").replace('|', "\\|");
    out.push_str(
        &escaped
            .replace("\r\n", "<br>")
            .replace(['\n', '\r'], "<br>"),
    );
}

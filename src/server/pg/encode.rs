//! Rows as PostgreSQL sends them, in text or in binary.

use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use pgwire::messages::data::{FieldDescription, RowDescription};

use crate::catalog::time::Zone;
use crate::dialect::output::cells::Cells;
use crate::dialect::output::types::PgType;
use crate::dialect::output::{IntervalStyle, Style, set_length};
use crate::error::{Error, Result};
use crate::session::{ATTRIBUTE, Settings, TABLE_OID};

/// How the values of a session with these settings are written.
pub fn style(settings: &Settings) -> Style {
    let get = |name| settings.get(name).unwrap_or_default();
    let zone = get("timezone");
    let is_utc = matches!(zone, "UTC" | "GMT" | "Etc/UTC");
    Style {
        zone: Zone::named(zone).filter(|_| !is_utc),
        bytea_is_escaped: get("bytea_output") == "escape",
        interval: match get("intervalstyle") {
            "postgres_verbose" => IntervalStyle::Verbose,
            "sql_standard" => IntervalStyle::Standard,
            "iso_8601" => IntervalStyle::Iso,
            _ => IntervalStyle::Postgres,
        },
        float_digits: get("extra_float_digits").parse().unwrap_or(1),
    }
}

/// The columns of a result, each with its type and whether it is sent in binary.
#[derive(Debug, Clone)]
pub struct Columns {
    schema: SchemaRef,
    types: Vec<(PgType, bool)>,
}

impl Columns {
    /// Columns in the formats that a client asked for: none is text, one is for all.
    pub fn new(schema: SchemaRef, formats: &[i16]) -> Result<Self> {
        let count = schema.fields().len();
        if formats.len() > 1 && formats.len() != count {
            let message = format!(
                "bind message has {} result formats but query has {count} columns",
                formats.len()
            );
            return Err(Error::session("08P01", message));
        }
        let format = |position: usize| match formats {
            [] => false,
            [format] => *format == 1,
            formats => formats.get(position) == Some(&1),
        };
        let fields = schema.fields().iter().enumerate();
        let types = fields.map(|(position, field)| (PgType::of(field), format(position)));
        Ok(Self {
            types: types.collect(),
            schema,
        })
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// What a client is told of the columns before the rows.
    pub fn description(&self) -> RowDescription {
        let fields = self.schema.fields().iter().zip(&self.types);
        let fields = fields.map(|(field, (kind, is_binary))| {
            let number = |key: &str| {
                field
                    .metadata()
                    .get(key)
                    .and_then(|text| text.parse::<i64>().ok())
            };
            FieldDescription::new(
                field.name().replace('\0', ""),
                number(TABLE_OID).unwrap_or(0) as i32,
                number(ATTRIBUTE).unwrap_or(0) as i16,
                kind.oid,
                kind.size,
                kind.modifier,
                i16::from(*is_binary),
            )
        });
        RowDescription::new(fields.collect())
    }

    /// The cells of a batch of rows, ready to be written.
    pub fn rows(&self, batch: &RecordBatch) -> Result<Rows> {
        if batch.num_columns() != self.types.len() {
            let message = "cached plan must not change result type";
            return Err(Error::session("0A000", message));
        }
        let fields = self.schema.fields().iter().zip(&self.types);
        let columns = batch.columns().iter().zip(fields);
        let columns = columns
            .map(|(column, (field, (_, is_binary)))| Ok((Cells::of(column, field)?, *is_binary)));
        Ok(Rows {
            columns: columns.collect::<Result<_>>()?,
        })
    }
}

/// Rows that are ready to be written.
pub struct Rows {
    columns: Vec<(Cells, bool)>,
}

impl Rows {
    /// Writes one row as a message.
    pub fn message(&self, row: usize, style: &Style, out: &mut BytesMut) -> Result<()> {
        out.put_u8(b'D');
        let start = out.len();
        out.put_u32(0);
        out.put_u16(self.columns.len() as u16);
        for (cells, is_binary) in &self.columns {
            cells.sized(row, *is_binary, style, out)?;
        }
        set_length(out, start, (out.len() - start) as u32);
        Ok(())
    }

    /// Writes one cell as text; whether it is not null.
    pub fn text(
        &self,
        row: usize,
        column: usize,
        style: &Style,
        out: &mut BytesMut,
    ) -> Result<bool> {
        match self.columns.get(column) {
            Some((cells, _)) if !cells.is_null(row) => {
                cells.text(row, style, out)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Writes one row as `COPY` has it in binary.
    pub fn copied(&self, row: usize, style: &Style, out: &mut BytesMut) -> Result<()> {
        out.put_u16(self.columns.len() as u16);
        for (cells, _) in &self.columns {
            cells.sized(row, true, style, out)?;
        }
        Ok(())
    }
}

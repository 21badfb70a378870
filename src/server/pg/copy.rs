//! Rows as `COPY … TO STDOUT` writes them.

use bytes::{BufMut, BytesMut};
use pgwire::messages::copy::CopyOutResponse;

use super::encode::{Columns, Rows};
use crate::dialect::output::Style;
use crate::error::Result;
use crate::session::{CopyFormat, CopyOptions, ForceQuote};

/// What binary copies begin with: a signature, and no flags and no extension.
const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Writes rows for `COPY`.
#[derive(Debug)]
pub struct Copier {
    options: CopyOptions,
    names: Vec<String>,
    is_forced: Vec<bool>,
    /// What binary copies begin with is part of the first message, as some clients expect.
    has_begun: bool,
}

impl Copier {
    pub fn new(options: CopyOptions, columns: &Columns) -> Self {
        let fields = columns.schema().fields();
        let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
        let is_forced = |name: &String| match &options.force_quote {
            ForceQuote::All => true,
            ForceQuote::Columns(forced) => forced.contains(name),
        };
        Self {
            is_forced: names.iter().map(is_forced).collect(),
            names,
            options,
            has_begun: false,
        }
    }

    /// What a client is told before the first row.
    pub fn response(&self) -> CopyOutResponse {
        let is_binary = self.options.format == CopyFormat::Binary;
        let format = i8::from(is_binary);
        let count = self.names.len();
        CopyOutResponse::new(format, count as i16, vec![i16::from(format); count])
    }

    /// What comes before the first row.
    pub fn begin(&self, out: &mut BytesMut) {
        if self.options.header && self.options.format != CopyFormat::Binary {
            message(out, |out| {
                for (position, name) in self.names.iter().enumerate() {
                    self.separate(position, out);
                    self.cell(name.as_bytes(), false, out);
                }
                out.put_u8(b'\n');
            });
        }
    }

    /// What comes behind the last row.
    pub fn end(&mut self, out: &mut BytesMut) {
        if self.options.format == CopyFormat::Binary {
            message(out, |out| {
                self.begin_binary(out);
                out.put_i16(-1);
            });
        }
    }

    fn begin_binary(&mut self, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.has_begun, true) {
            out.put_slice(BINARY_HEADER);
        }
    }

    /// Writes one row, as a message.
    pub fn row(
        &mut self,
        rows: &Rows,
        row: usize,
        style: &Style,
        out: &mut BytesMut,
    ) -> Result<()> {
        let mut result = Ok(());
        message(out, |out| result = self.line(rows, row, style, out));
        result
    }

    fn line(&mut self, rows: &Rows, row: usize, style: &Style, out: &mut BytesMut) -> Result<()> {
        if self.options.format == CopyFormat::Binary {
            self.begin_binary(out);
            return rows.copied(row, style, out);
        }
        let mut cell = BytesMut::new();
        for (position, is_forced) in self.is_forced.iter().enumerate() {
            self.separate(position, out);
            cell.clear();
            match rows.text(row, position, style, &mut cell)? {
                true => self.cell(&cell, *is_forced, out),
                false => out.put_slice(self.options.null.as_bytes()),
            }
        }
        out.put_u8(b'\n');
        Ok(())
    }

    fn separate(&self, position: usize, out: &mut BytesMut) {
        if position > 0 {
            out.put_u8(self.options.delimiter);
        }
    }

    fn cell(&self, text: &[u8], is_forced: bool, out: &mut BytesMut) {
        let CopyOptions {
            delimiter,
            quote,
            escape,
            null,
            ..
        } = &self.options;
        if self.options.format == CopyFormat::Csv {
            let special =
                |byte: &u8| matches!(byte, b'\n' | b'\r') || byte == delimiter || byte == quote;
            // A line \. alone would end the data.
            let needs_quotes = is_forced
                || text == null.as_bytes()
                || text.iter().any(special)
                || (text == b"\\." && self.names.len() == 1);
            if !needs_quotes {
                out.put_slice(text);
                return;
            }
            out.put_u8(*quote);
            for byte in text {
                if byte == quote || byte == escape {
                    out.put_u8(*escape);
                }
                out.put_u8(*byte);
            }
            out.put_u8(*quote);
            return;
        }
        for byte in text {
            match byte {
                b'\\' => out.put_slice(b"\\\\"),
                b'\n' => out.put_slice(b"\\n"),
                b'\r' => out.put_slice(b"\\r"),
                b'\t' => out.put_slice(b"\\t"),
                0x08 => out.put_slice(b"\\b"),
                0x0b => out.put_slice(b"\\v"),
                0x0c => out.put_slice(b"\\f"),
                byte if byte == delimiter => out.put_slice(&[b'\\', *byte]),
                byte => out.put_u8(*byte),
            }
        }
    }
}

/// Writes a message of copied data, with its length before it.
fn message(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    out.put_u8(b'd');
    let start = out.len();
    out.put_u32(0);
    write(out);
    let length = (out.len() - start) as u32;
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

//! Results as a table for people.
//!
//! The widths are those of the first rows, so that memory does not grow with the result; a later,
//! wider value is printed in full and moves its line. Zeros that no value of a decimal column needs
//! are left out, down to the same digit in every row.

use std::io::Write as _;

use anstream::AutoStream;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, SchemaRef};

use super::ResultWriter;
use crate::cli::failure::Failure;
use crate::cli::numbers::grouped;
use crate::cli::table::{Cell, Column, Table, total_width};
use crate::cli::terminal::{self, DIM, aside};
use crate::cli::values::{Form, is_null, write_value};

/// Rows that are held to find the widths.
const LAYOUT_ROWS: usize = 10_000;

/// Writes one result.
pub struct TableWriter {
    out: std::io::BufWriter<AutoStream<std::io::Stdout>>,
    table: Table,
    is_decimal: Vec<bool>,
    /// Values of rows that are not printed yet; null is `None`.
    rows: Vec<Vec<Option<String>>>,
    layout: Option<Layout>,
    row_count: u64,
}

/// What is settled once the first rows are seen.
struct Layout {
    widths: Vec<usize>,
    /// The fractional digits of each decimal column.
    digits: Vec<usize>,
}

impl TableWriter {
    pub fn new(schema: &SchemaRef, is_first_result: bool) -> Self {
        let columns = schema
            .fields()
            .iter()
            .map(|field| match field.data_type().is_numeric() {
                true => Column::right(field.name()),
                false => Column::left(field.name()),
            });
        let is_decimal = schema.fields().iter().map(|field| {
            matches!(
                field.data_type(),
                DataType::Decimal32(_, _)
                    | DataType::Decimal64(_, _)
                    | DataType::Decimal128(_, _)
                    | DataType::Decimal256(_, _)
            )
        });
        let mut out = terminal::stdout();
        if !is_first_result {
            // Should this fail, so will the rows, and they say so.
            let _ = writeln!(out);
        }
        Self {
            out,
            table: Table::new(columns.collect()),
            is_decimal: is_decimal.collect(),
            rows: Vec::new(),
            layout: None,
            row_count: 0,
        }
    }

    /// Prints the rows held; the first time with the header above them.
    fn flush_rows(&mut self) -> Result<(), Failure> {
        let digits = match &self.layout {
            Some(layout) => layout.digits.clone(),
            None => self.digits(),
        };
        self.table.clear();
        for row in self.rows.drain(..) {
            let cells = row
                .into_iter()
                .enumerate()
                .map(|(position, value)| match value {
                    None => Cell::styled("null", DIM),
                    Some(value) if self.is_decimal[position] => {
                        Cell::plain(with_digits(&value, digits[position]))
                    }
                    Some(value) => Cell::plain(value),
                });
            self.table.push(cells.collect());
        }
        let is_first = self.layout.is_none();
        let layout = self.layout.get_or_insert_with(|| Layout {
            widths: self.table.widths(),
            digits,
        });
        let is_too_wide = || total_width(&layout.widths) > terminal::width();
        let mut text = String::new();
        let written = if is_first && self.row_count == 1 && is_too_wide() {
            self.table.write_vertically(&mut text)
        } else {
            let header = match is_first {
                true => self.table.write_header(&mut text, &layout.widths),
                false => Ok(()),
            };
            header.and_then(|()| self.table.write_rows(&mut text, &layout.widths))
        };
        written.map_err(std::io::Error::other)?;
        Ok(self.out.write_all(text.as_bytes())?)
    }

    /// The fractional digits that the rows held need.
    fn digits(&self) -> Vec<usize> {
        let mut digits = vec![0; self.is_decimal.len()];
        for row in &self.rows {
            for (position, value) in row.iter().enumerate() {
                if let (true, Some(value)) = (self.is_decimal[position], value) {
                    digits[position] = needed_digits(value).max(digits[position]);
                }
            }
        }
        digits
    }
}

impl ResultWriter for TableWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        for row in 0..batch.num_rows() {
            let mut values = Vec::with_capacity(batch.num_columns());
            for column in batch.columns() {
                if is_null(column, row) {
                    values.push(None);
                    continue;
                }
                let mut value = String::new();
                write_value(&mut value, column, row, Form::Table)?;
                values.push(Some(value));
            }
            self.rows.push(values);
            self.row_count += 1;
            if self.rows.len() == LAYOUT_ROWS {
                self.flush_rows()?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.flush_rows()?;
        self.out.flush()?;
        let rows = if self.row_count == 1 { "row" } else { "rows" };
        aside(format_args!("({} {rows})", grouped(self.row_count)));
        Ok(())
    }
}

/// The fractional digits of a decimal without its last zeros.
fn needed_digits(value: &str) -> usize {
    value
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.trim_end_matches('0').len())
}

/// A decimal without zeros beyond this many fractional digits.
fn with_digits(value: &str, digits: usize) -> &str {
    let Some((whole, fraction)) = value.split_once('.') else {
        return value;
    };
    let digits = needed_digits(value).max(digits).min(fraction.len());
    match digits {
        0 => whole,
        _ => &value[..whole.len() + 1 + digits],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_lose_only_zeros() {
        assert_eq!(with_digits("12.340000", 2), "12.34");
        assert_eq!(with_digits("12.340000", 4), "12.3400");
        assert_eq!(with_digits("12.000000", 0), "12");
        assert_eq!(with_digits("0.000001", 2), "0.000001");
        assert_eq!(with_digits("12", 3), "12");
    }
}

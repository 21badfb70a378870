//! Results as a table for people.
//!
//! The widths are those of the first rows, so that memory does not grow with the result; a later,
//! wider value is printed in full and moves its line. Zeros that no value of a decimal column needs
//! are left out, down to the same digit in every row. On a terminal the table is cut to its width;
//! elsewhere it is whole.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, SchemaRef};

use super::fit::{Place, fit};
use super::{ResultWriter, Target};
use crate::cli::failure::Failure;
use crate::cli::numbers::grouped;
use crate::cli::table::{Cell, Column, Table, total_width};
use crate::cli::terminal::{DIM, aside};
use crate::cli::values::{Form, is_null, write_value};

/// Rows that are held to find the widths.
const LAYOUT_ROWS: usize = 10_000;
/// Where a single row is too wide to be read, when nobody watches.
const WIDTH_ELSEWHERE: usize = 200;

/// How the place looks where a table is written.
#[derive(Debug, Default)]
pub struct Layout {
    pub is_coloured: bool,
    /// The width of the terminal, if it is one.
    pub width: Option<usize>,
    /// Every column on a line of its own.
    pub is_upright: bool,
}

/// Writes one result.
pub struct TableWriter {
    out: Target,
    layout: Layout,
    table: Table,
    is_text: Vec<bool>,
    is_decimal: Vec<bool>,
    /// Values of rows that are not printed yet; null is `None`.
    rows: Vec<Vec<Option<String>>>,
    settled: Option<Settled>,
    row_count: u64,
    /// A line that is due before the first.
    is_apart: bool,
}

/// What is settled once the first rows are seen.
struct Settled {
    widths: Vec<usize>,
    /// The fractional digits of each decimal column.
    digits: Vec<usize>,
    /// What is shown, where that is not all.
    places: Option<Vec<Place>>,
}

impl TableWriter {
    pub fn new(schema: &SchemaRef, is_first_result: bool, out: Target, layout: Layout) -> Self {
        let fields = schema.fields();
        let is_text = fields.iter().map(|field| is_text(field.data_type()));
        let columns = fields
            .iter()
            .map(|field| match field.data_type().is_numeric() {
                true => Column::right(field.name()),
                false => Column::left(field.name()),
            });
        let is_decimal = fields.iter().map(|field| {
            matches!(
                field.data_type(),
                DataType::Decimal32(_, _)
                    | DataType::Decimal64(_, _)
                    | DataType::Decimal128(_, _)
                    | DataType::Decimal256(_, _)
            )
        });
        Self {
            out,
            layout,
            is_text: is_text.collect(),
            is_decimal: is_decimal.collect(),
            table: Table::new(columns.collect()),
            rows: Vec::new(),
            settled: None,
            row_count: 0,
            is_apart: !is_first_result,
        }
    }

    /// Prints the rows held; the first time with the header above them.
    fn flush_rows(&mut self) -> Result<(), Failure> {
        let digits = match &self.settled {
            Some(settled) => settled.digits.clone(),
            None => self.digits(),
        };
        let first_row = self.row_count - self.rows.len() as u64;
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
        let is_first = self.settled.is_none();
        if is_first {
            self.settled = Some(self.settle(digits));
        }
        let mut text = String::new();
        if std::mem::take(&mut self.is_apart) {
            text.push('\n');
        }
        if let Some(settled) = &self.settled {
            let is_single = is_first && self.row_count == 1;
            let written = if self.layout.is_upright {
                self.table.write_records(&mut text, first_row)
            } else if is_single && total_width(&settled.widths) > self.width() {
                self.table.write_vertically(&mut text)
            } else {
                settled.write(&self.table, &self.is_text, is_first, &mut text)
            };
            written.map_err(std::io::Error::other)?;
        }
        if !self.layout.is_coloured {
            text = anstream::adapter::strip_str(&text).to_string();
        }
        Ok(self.out.write_all(text.as_bytes())?)
    }

    fn settle(&self, digits: Vec<usize>) -> Settled {
        let widths = self.table.widths();
        let places = match self.layout.width {
            Some(available) if total_width(&widths) > available && self.row_count != 1 => {
                Some(fit(&widths, &self.is_text, available))
            }
            _ => None,
        };
        Settled {
            widths,
            digits,
            places,
        }
    }

    fn width(&self) -> usize {
        self.layout.width.unwrap_or(WIDTH_ELSEWHERE)
    }

    /// What is not shown of the columns, and how it can be seen.
    fn left_out(&self) -> String {
        let places = self.settled.as_ref().and_then(|s| s.places.as_deref());
        match places {
            Some(places) if places.contains(&Place::Gap) => format!(
                ", {} of {} columns; a pipe, --format and -o have all",
                places.len() - 1,
                self.is_text.len()
            ),
            _ => String::new(),
        }
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
        if self.settled.is_none() || !self.rows.is_empty() {
            self.flush_rows()?;
        }
        self.out.flush()?;
        let rows = if self.row_count == 1 { "row" } else { "rows" };
        let left_out = self.left_out();
        aside(format_args!(
            "({} {rows}{left_out})",
            grouped(self.row_count)
        ));
        Ok(())
    }
}

impl Settled {
    fn write(
        &self,
        table: &Table,
        is_text: &[bool],
        with_header: bool,
        out: &mut String,
    ) -> std::fmt::Result {
        let fitted = self
            .places
            .as_ref()
            .map(|places| table.fitted(places, is_text));
        let (table, widths) = match &fitted {
            Some(fitted) => (&fitted.0, &fitted.1),
            None => (table, &self.widths),
        };
        if with_header {
            table.write_header(out, widths)?;
        }
        table.write_rows(out, widths)
    }
}

/// Whether values of this type still tell something when their ends are cut off.
fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => other.is_string() || other.is_binary() || other.is_nested(),
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

//! Aligned tables: cells of text, each in its colour, under a header and a rule.

use std::fmt::{self, Display, Write};

use anstyle::Style;

use unicode_width::UnicodeWidthStr;

use super::output::{Place, fit};
use super::terminal::{BOLD, DIM, PLAIN};

/// A column and the side its cells stand on.
#[derive(Debug, Clone)]
pub struct Column {
    name: String,
    is_right: bool,
}

impl Column {
    pub fn left(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            is_right: false,
        }
    }

    pub fn right(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            is_right: true,
        }
    }
}

/// A value in its colour.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub fn plain(text: impl Into<String>) -> Self {
        Self::styled(text, PLAIN)
    }

    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self {
            text: visible(text.into().trim_end_matches('\n')),
            style,
        }
    }
}

/// What would move the cursor or change its colour is shown, not done; lines stay lines.
fn visible(text: &str) -> String {
    let is_harmless = |character: char| !character.is_control() || character == '\n';
    if text.chars().all(is_harmless) {
        return text.to_owned();
    }
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => visible.push_str("    "),
            _ if is_harmless(character) => visible.push(character),
            _ => visible.extend(character.escape_default()),
        }
    }
    visible
}

/// A table of known rows.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub fn new(columns: Vec<Column>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    pub fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    pub fn clear(&mut self) {
        self.rows.clear();
    }

    /// The width of each column, of its header and of its rows so far.
    pub fn widths(&self) -> Vec<usize> {
        let headers = self.columns.iter().map(|column| width(&column.name));
        let mut widths: Vec<usize> = headers.collect();
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                let lines = cell.text.split('\n').map(width);
                *widest = lines.max().unwrap_or(0).max(*widest);
            }
        }
        widths
    }

    /// Header and rule.
    pub fn write_header(&self, out: &mut impl Write, widths: &[usize]) -> fmt::Result {
        let names = self.columns.iter().map(|column| column.name.as_str());
        self.write_line(out, names, |_| BOLD, widths)?;
        for (position, width) in widths.iter().enumerate() {
            let joint = if position == 0 { "" } else { "┼" };
            write!(out, "{DIM}{joint}{}{DIM:#}", "─".repeat(width + 2))?;
        }
        writeln!(out)
    }

    /// The rows, one line for each line of the tallest cell.
    pub fn write_rows(&self, out: &mut impl Write, widths: &[usize]) -> fmt::Result {
        for row in &self.rows {
            let height = row.iter().map(|cell| cell.text.split('\n').count()).max();
            for line in 0..height.unwrap_or(0) {
                let texts = row
                    .iter()
                    .map(|cell| cell.text.split('\n').nth(line).unwrap_or(""));
                self.write_line(out, texts, |position| row[position].style, widths)?;
            }
        }
        Ok(())
    }

    /// Cut to a terminal of this width, if there is one, as results are.
    pub fn within(self, width: Option<usize>) -> Self {
        let widths = self.widths();
        match width {
            Some(width) if total_width(&widths) > width => {
                let is_text: Vec<bool> = self.columns.iter().map(|c| !c.is_right).collect();
                self.fitted(&fit(&widths, &is_text, width), &is_text).0
            }
            _ => self,
        }
    }

    /// What is shown of it at these places, and the widths of those; texts alone are cut.
    pub fn fitted(&self, places: &[Place], is_text: &[bool]) -> (Self, Vec<usize>) {
        let columns = places.iter().map(|place| match place {
            Place::Column(column, width) => {
                let column = &self.columns[*column];
                Column {
                    name: cut(&column.name, *width),
                    is_right: column.is_right,
                }
            }
            Place::Gap => Column::left(ELLIPSIS),
        });
        let rows = self.rows.iter().map(|row| {
            let cells = places.iter().map(|place| match place {
                Place::Column(column, width) => {
                    let cell = &row[*column];
                    let text = match is_text[*column] {
                        true => cut(&cell.text, *width),
                        false => cell.text.clone(),
                    };
                    Cell {
                        text,
                        style: cell.style,
                    }
                }
                Place::Gap => Cell::styled(ELLIPSIS, DIM),
            });
            cells.collect()
        });
        let fitted = Self {
            columns: columns.collect(),
            rows: rows.collect(),
        };
        let widths = places.iter().map(|place| match place {
            Place::Column(_, width) => *width,
            Place::Gap => 1,
        });
        (fitted, widths.collect())
    }

    /// The rows as records, each under its number, one line for each column.
    pub fn write_records(&self, out: &mut impl Write, first_row: u64) -> fmt::Result {
        for (position, row) in self.rows.iter().enumerate() {
            let number = first_row + position as u64 + 1;
            writeln!(out, "{DIM}─[ {number} ]─{DIM:#}")?;
            let record = Self {
                columns: self.columns.clone(),
                rows: vec![row.clone()],
            };
            record.write_vertically(out)?;
        }
        Ok(())
    }

    /// One line for each column of each row, for rows that are too wide to read.
    pub fn write_vertically(&self, out: &mut impl Write) -> fmt::Result {
        let names = self.columns.iter().map(|column| width(&column.name));
        let widest = names.max().unwrap_or(0);
        for row in &self.rows {
            for (column, cell) in self.columns.iter().zip(row) {
                let padding = " ".repeat(widest - width(&column.name));
                let style = cell.style;
                let mut name = column.name.as_str();
                for line in cell.text.split('\n') {
                    let padding = if name.is_empty() {
                        " ".repeat(widest)
                    } else {
                        padding.clone()
                    };
                    let text = format!(
                        " {BOLD}{name}{BOLD:#}{padding} {DIM}│{DIM:#} {style}{line}{style:#}"
                    );
                    writeln!(out, "{}", text.trim_end())?;
                    name = "";
                }
            }
        }
        Ok(())
    }

    fn write_line<'a>(
        &self,
        out: &mut impl Write,
        texts: impl Iterator<Item = &'a str>,
        style: impl Fn(usize) -> Style,
        widths: &[usize],
    ) -> fmt::Result {
        for (position, text) in texts.enumerate() {
            let padding = " ".repeat(widths[position].saturating_sub(width(text)));
            match position {
                0 => out.write_str(" ")?,
                _ => write!(out, " {DIM}│{DIM:#} ")?,
            }
            let is_right = self.columns[position].is_right;
            if is_right {
                out.write_str(&padding)?;
            }
            let style = style(position);
            write!(out, "{style}{text}{style:#}")?;
            if !is_right && position + 1 < widths.len() {
                out.write_str(&padding)?;
            }
        }
        writeln!(out)
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        self.write_header(f, &widths)?;
        self.write_rows(f, &widths)
    }
}

/// What stands for what is left out.
const ELLIPSIS: &str = "…";

/// The columns that a text takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The lines of a text, none wider than this.
fn cut(text: &str, most: usize) -> String {
    let lines = text.split('\n').map(|line| {
        if width(line) <= most {
            return line.to_owned();
        }
        let mut end = 0;
        for (start, character) in line.char_indices() {
            let next = start + character.len_utf8();
            if width(&line[..next]) + 1 > most {
                break;
            }
            end = next;
        }
        format!("{}{ELLIPSIS}", &line[..end])
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The columns that a whole table takes.
pub fn total_width(widths: &[usize]) -> usize {
    widths
        .iter()
        .map(|width| width + 3)
        .sum::<usize>()
        .saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_aligned_and_cells_may_have_lines() {
        let mut table = Table::new(vec![
            Column::left("name"),
            Column::right("n"),
            Column::left("note"),
        ]);
        table.push(vec![
            Cell::plain("a"),
            Cell::plain("10"),
            Cell::plain("one\ntwo"),
        ]);
        table.push(vec![
            Cell::plain("\x1b[31m"),
            Cell::plain("5"),
            Cell::plain(""),
        ]);
        let text = anstream::adapter::strip_str(&table.to_string()).to_string();
        let expected = [
            " name       │  n │ note",
            "────────────┼────┼──────",
            " a          │ 10 │ one",
            "            │    │ two",
            " \\u{1b}[31m │  5 │ ",
            "",
        ];
        assert_eq!(text, expected.join("\n"));
    }
}

//! The formats of results.

use std::path::Path;

use clap::ValueEnum;

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Aligned columns for people; on a terminal cut to its width, and a single row that is too wide
    /// one column a line
    #[default]
    Table,
    /// Comma-separated with a header (RFC 4180); null is empty, an empty text is ""
    Csv,
    /// One array of objects; decimals keep all their digits, NaN and infinities are null, a name that
    /// is there twice is told apart as a, a_2
    Json,
    /// One JSON object a line
    Ndjson,
    /// A Markdown table
    Markdown,
    /// A Parquet file
    Parquet,
    /// An Arrow IPC stream
    Arrow,
}

impl Format {
    /// Whether it is no text, and holds one result.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow)
    }

    /// The format of this name; `None` for table, which no program reads.
    pub fn of_files(name: &str) -> Option<Self> {
        let format = Self::from_str(name, true).ok();
        format.filter(|format| *format != Self::Table)
    }

    /// The format that the end of a file's name says.
    pub fn of_file(path: &Path) -> Option<Self> {
        let end = path.extension().and_then(|end| end.to_str())?;
        match end.to_lowercase().as_str() {
            "jsonl" => Some(Self::Ndjson),
            "md" => Some(Self::Markdown),
            "txt" => Some(Self::Table),
            end => Self::of_files(end),
        }
    }

    pub fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

//! The one error of the engine: what was found, what was expected, and the way out.

use std::path::PathBuf;

use datafusion::error::DataFusionError;

/// The result of anything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, each with its facts as fields.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value of an input file does not fit its declared column.
    #[error("{file}: row {row}, column {column}: found {found}, expected {expected}")]
    InputValue {
        file: String,
        /// Counted from 1, the header of a CSV file not counted.
        row: u64,
        column: String,
        found: String,
        expected: String,
    },
    /// An input file as a whole cannot be used: a missing column, a wrong type, not readable.
    #[error("{file}: found {found}, expected {expected}")]
    InputFile {
        file: String,
        found: String,
        expected: String,
    },
    /// The workspace cannot be opened or written.
    #[error("workspace {}: {problem}", path.display())]
    Workspace { path: PathBuf, problem: String },
    /// A parameter's value is out of range, of a wrong type or too precise.
    #[error("{parameter} must be {expected}, found {found}")]
    Parameter {
        parameter: String,
        expected: String,
        found: String,
    },
    /// A table function does not know the argument.
    #[error("{function} has no argument {argument}")]
    UnknownArgument {
        function: String,
        argument: String,
        hint: String,
    },
    /// The command line was used wrongly.
    #[error("{0}")]
    Usage(String),
    /// Stopped by Ctrl-C, a cancel request or a timeout.
    #[error("cancelled")]
    Cancelled,
    /// The statement could not be planned or executed.
    #[error("{}", statement_message(.0))]
    Statement(DataFusionError),
    /// Reading or writing failed outside the workspace and the input files.
    #[error("{path}: {source}")]
    Io {
        path: String,
        source: std::io::Error,
    },
}

/// What DataFusion says, in one line.
fn statement_message(error: &DataFusionError) -> String {
    error.to_string()
}

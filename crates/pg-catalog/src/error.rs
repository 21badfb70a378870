//! The error of a query: what PostgreSQL would say, with the state that its clients know it by.

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;

/// The result of anything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The five characters of its SQLSTATE.
    pub state: &'static str,
    pub message: String,
}

impl Error {
    /// An error of this SQLSTATE.
    pub fn new(state: &'static str, message: impl Into<String>) -> Self {
        Self {
            state,
            message: message.into(),
        }
    }

    /// The query was told to stop.
    pub fn cancelled() -> Self {
        Self::new("57014", "cancelled")
    }
}

impl From<ArrowError> for Error {
    /// Rows do not fit the columns that were described for them.
    fn from(error: ArrowError) -> Self {
        Self::new("XX000", error.to_string())
    }
}

impl From<DataFusionError> for Error {
    /// A value of a parameter or a column cannot be read.
    fn from(error: DataFusionError) -> Self {
        Self::new("XX000", error.strip_backtrace())
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

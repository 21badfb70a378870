//! The one error of the engine: what was found, what was expected, and the way out.

mod names;
mod refused;
mod statement;

use std::io::ErrorKind;
use std::path::PathBuf;

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use hindsight_udfs::arguments::ArgumentError;
use hindsight_udfs::trades::misfit::Misfit;

/// The result of anything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, each with its facts as fields.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value of an input file does not fit its declared column.
    #[error(
        "{file}: row {row}{}: found {found}, expected {expected}",
        column_message(column)
    )]
    InputValue {
        file: String,
        row: InputRow,
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
    /// A database cannot be reached, or was lost; never with its password.
    #[error("{database}: {problem}")]
    Database {
        database: String,
        problem: String,
        hint: String,
    },
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
    /// A table function takes this argument in another form.
    #[error("{function}: {problem}")]
    Argument { function: String, problem: String },
    /// The statement is not allowed here.
    #[error("{0}")]
    NotAllowed(String),
    /// A key that is there already.
    #[error("{0}")]
    Duplicate(String),
    /// Somebody else changed what this relies on.
    #[error("{0}")]
    Conflict(String),
    /// A statement failed in this transaction.
    #[error("the transaction has failed, and statements are refused until ROLLBACK")]
    TransactionFailed,
    /// What commits by itself cannot be part of a transaction.
    #[error("{0} cannot run inside a transaction, since it commits by itself")]
    InTransaction(String),
    /// A write where only reads were announced.
    #[error("the transaction is read-only")]
    ReadOnlyTransaction,
    /// What is asked of is not in a state for it.
    #[error("{0}")]
    NotReady(String),
    /// Something that others can and we do not.
    #[error("{0}")]
    Unsupported(String),
    /// The command line was used wrongly.
    #[error("{0}")]
    Usage(String),
    /// A session refused what its client asked for, by the rules of PostgreSQL.
    #[error("{message}")]
    Session {
        state: &'static str,
        message: String,
        hint: Option<String>,
    },
    /// Another error, with its place in the statement.
    #[error("{error}")]
    Located {
        error: Box<Error>,
        /// Counted in characters from 1.
        position: usize,
    },
    /// Another error, with the way out.
    #[error("{error}")]
    Hinted { error: Box<Self>, hint: String },
    /// Stopped by Ctrl-C, a cancel request or a timeout.
    #[error("cancelled")]
    Cancelled,
    /// The statement could not be planned or executed.
    #[error("{}", statement::message(.0))]
    Statement(DataFusionError),
    /// Reading or writing failed outside the workspace and the input files.
    #[error("{path}: {}", system_message(source))]
    Io {
        path: String,
        source: std::io::Error,
    },
}

/// The place in a row; a row that is wrong as a whole has none.
fn column_message(column: &str) -> String {
    match column {
        "" => String::new(),
        column => format!(", column {column}"),
    }
}

/// A row of an input file, counted from 1, the header of a CSV file not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InputRow {
    pub row: u64,
    /// The line of the file that it begins in, where it is known.
    pub line: Option<u64>,
}

impl std::fmt::Display for InputRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line.filter(|line| *line != self.row) {
            Some(line) => write!(f, "{} (line {line})", self.row),
            None => write!(f, "{}", self.row),
        }
    }
}

impl Error {
    /// The five characters by which a PostgreSQL client knows the error.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::InputValue { .. } | Self::InputFile { .. } => "22000",
            Self::Workspace { .. } | Self::Io { .. } => "58030",
            Self::Database { .. } => "08006",
            Self::Parameter { .. } => "22023",
            Self::UnknownArgument { .. } => "42883",
            Self::Argument { .. } => "22023",
            Self::NotAllowed(_) => "42501",
            Self::Duplicate(_) => "23505",
            Self::Conflict(_) => "40001",
            Self::TransactionFailed => "25P02",
            Self::InTransaction(_) => "25001",
            Self::ReadOnlyTransaction => "25006",
            Self::NotReady(_) => "55000",
            Self::Unsupported(_) => "0A000",
            Self::Usage(_) => "42601",
            Self::Session { state, .. } => state,
            Self::Located { error, .. } | Self::Hinted { error, .. } => error.sqlstate(),
            Self::Cancelled => "57014",
            Self::Statement(error) => statement::state(error),
        }
    }

    /// The exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Workspace { .. } | Self::Database { .. } => 3,
            Self::Io { source, .. } if !is_wrong_path(source.kind()) => 3,
            Self::Cancelled => 130,
            Self::Located { error, .. } | Self::Hinted { error, .. } => error.exit_code(),
            _ => 1,
        }
    }

    /// The way out, where there is one to name.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownArgument { hint, .. } | Self::Database { hint, .. }
                if !hint.is_empty() =>
            {
                Some(hint.clone())
            }
            Self::Statement(error) => statement::hint(error),
            Self::Session { hint, .. } => hint.clone(),
            Self::Located { error, .. } => error.hint(),
            Self::Hinted { hint, .. } => Some(hint.clone()),
            _ => None,
        }
    }

    /// What a session refuses, with its SQLSTATE.
    pub fn session(state: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Session {
            state,
            message,
            hint: None,
        }
    }

    /// What a session refuses, with the way out.
    pub fn session_hint(
        state: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::Session {
            state,
            message: message.into(),
            hint: Some(hint.into()),
        }
    }

    /// The same error with a way out, beside the one that it may have.
    #[must_use]
    pub fn hinted(self, hint: impl Into<String>) -> Self {
        let hint = match self.hint() {
            Some(first) => format!("{first}; {}", hint.into()),
            None => hint.into(),
        };
        let error = match self {
            Self::Hinted { error, .. } => error,
            error => Box::new(error),
        };
        Self::Hinted { error, hint }
    }

    /// The same error at a place in the statement, unless it has one.
    pub fn at(self, position: usize) -> Self {
        match self {
            Self::Located { .. } => self,
            error => Self::Located {
                error: Box::new(error),
                position,
            },
        }
    }

    /// The same error in a statement that begins behind so many characters.
    pub fn moved(self, start: usize) -> Self {
        match self {
            Self::Located { error, position } => Self::Located {
                error,
                position: position + start,
            },
            error => error,
        }
    }

    /// The same error at the place of the name that it is about, where that can be told.
    pub fn located(self, position_of: impl FnOnce(&str) -> Option<usize>) -> Self {
        let subject = match &self {
            Self::Statement(error) => statement::subject(error),
            Self::UnknownArgument { argument, .. } => Some(argument.clone()),
            _ => None,
        };
        match subject.and_then(|name| position_of(&name)) {
            Some(position) => self.at(position),
            None => self,
        }
    }

    /// Its place in the statement, counted in characters from 1, where it is known.
    pub fn position(&self) -> Option<usize> {
        match self {
            Self::Located { position, .. } => Some(*position),
            _ => None,
        }
    }
}

/// What the operating system says, without its number for it.
fn system_message(error: &std::io::Error) -> String {
    let message = error.to_string();
    match message.rsplit_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => message,
    }
}

/// Whether a path was wrong, and not the disk or whatever else is behind it.
fn is_wrong_path(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::AlreadyExists
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidData
    )
}

impl From<pg_catalog::error::Error> for Error {
    fn from(error: pg_catalog::error::Error) -> Self {
        match error.state {
            "57014" => Self::Cancelled,
            state => Self::session(state, error.message),
        }
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        let mut inner = error;
        loop {
            inner = match inner {
                DataFusionError::Context(_, error) => *error,
                DataFusionError::Diagnostic(_, error) => *error,
                DataFusionError::External(error) => match error.downcast::<Self>() {
                    Ok(error) => return *error,
                    Err(error) => match error.downcast::<ArgumentError>() {
                        Ok(error) => {
                            return Self::Parameter {
                                parameter: error.argument,
                                expected: error.expected,
                                found: error.found,
                            };
                        }
                        Err(error) => match error.downcast::<pg_catalog::error::Error>() {
                            Ok(error) => return (*error).into(),
                            Err(error) => match error.downcast::<DataFusionError>() {
                                Ok(error) => *error,
                                Err(error) => {
                                    return match error.downcast_ref::<Misfit>() {
                                        Some(misfit) => Self::misfit(misfit),
                                        None => Self::Statement(DataFusionError::External(error)),
                                    };
                                }
                            },
                        },
                    },
                },
                DataFusionError::ArrowError(error, backtrace) => match *error {
                    ArrowError::ExternalError(error) => DataFusionError::External(error),
                    error => {
                        let error = Box::new(error);
                        return Self::Statement(DataFusionError::ArrowError(error, backtrace));
                    }
                },
                DataFusionError::Shared(shared) => match std::sync::Arc::try_unwrap(shared) {
                    Ok(error) => error,
                    Err(shared) => return Self::from_shared(shared),
                },
                error => return Self::Statement(error),
            };
        }
    }
}

impl Error {
    /// An error that several readers of one stream hold: its facts are copied.
    fn from_shared(shared: std::sync::Arc<DataFusionError>) -> Self {
        let root = match shared.find_root() {
            DataFusionError::External(error) => error,
            DataFusionError::ArrowError(error, _) => match error.as_ref() {
                ArrowError::ExternalError(error) => error,
                _ => return Self::Statement(DataFusionError::Shared(shared)),
            },
            _ => return Self::Statement(DataFusionError::Shared(shared)),
        };
        if let Some(error) = root.downcast_ref::<ArgumentError>() {
            return Self::Parameter {
                parameter: error.argument.clone(),
                expected: error.expected.clone(),
                found: error.found.clone(),
            };
        }
        if let Some(error) = root.downcast_ref::<pg_catalog::error::Error>() {
            return error.clone().into();
        }
        if let Some(misfit) = root.downcast_ref::<Misfit>() {
            return Self::misfit(misfit);
        }
        match root.downcast_ref::<Self>() {
            Some(error) => error.copied(),
            None => Self::Statement(DataFusionError::Shared(shared)),
        }
    }

    fn misfit(misfit: &Misfit) -> Self {
        Self::session_hint("22003", misfit.to_string(), misfit.hint())
    }

    /// The same error once more: what a client is told of it, and its exit code.
    fn copied(&self) -> Self {
        match self {
            Self::Cancelled => Self::Cancelled,
            Self::Usage(problem) => Self::Usage(problem.clone()),
            Self::Parameter {
                parameter,
                expected,
                found,
            } => Self::Parameter {
                parameter: parameter.clone(),
                expected: expected.clone(),
                found: found.clone(),
            },
            Self::Workspace { path, problem } => Self::Workspace {
                path: path.clone(),
                problem: problem.clone(),
            },
            Self::Database {
                database,
                problem,
                hint,
            } => Self::Database {
                database: database.clone(),
                problem: problem.clone(),
                hint: hint.clone(),
            },
            Self::Located { error, position } => error.copied().at(*position),
            Self::Hinted { error, hint } => error.copied().hinted(hint.clone()),
            error => Self::Session {
                state: error.sqlstate(),
                message: error.to_string(),
                hint: error.hint(),
            },
        }
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        match error {
            Error::Statement(error) => error,
            error => Self::External(Box::new(error)),
        }
    }
}

//! The one error of the engine: what was found, what was expected, and the way out.

use std::path::PathBuf;

use datafusion::arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use hindsight_udfs::arguments::ArgumentError;

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
    /// A query of the catalog went wrong, in PostgreSQL's words.
    #[error("{message}")]
    Query {
        sqlstate: &'static str,
        message: String,
    },
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
            Self::Query { sqlstate, .. } => sqlstate,
            Self::Cancelled => "57014",
            Self::Statement(error) => statement_state(error),
        }
    }

    /// The exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Workspace { .. } | Self::Database { .. } => 3,
            Self::Cancelled => 130,
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
            Self::Parameter { parameter, .. } => crate::parameters::position(parameter).map(|_| {
                format!("select * from parameters where name = '{parameter}' shows its range")
            }),
            Self::Statement(error) => statement_hint(error),
            _ => None,
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
                        Err(error) => match error.downcast::<DataFusionError>() {
                            Ok(error) => *error,
                            Err(error) => {
                                return Self::Statement(DataFusionError::External(error));
                            }
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
                    Err(shared) => return Self::from_shared(&shared),
                },
                error => return Self::Statement(error),
            };
        }
    }
}

impl Error {
    /// An error that several readers of one stream hold: its facts are copied.
    fn from_shared(shared: &DataFusionError) -> Self {
        if let DataFusionError::External(error) = shared.find_root() {
            if let Some(error) = error.downcast_ref::<ArgumentError>() {
                return Self::Parameter {
                    parameter: error.argument.clone(),
                    expected: error.expected.clone(),
                    found: error.found.clone(),
                };
            }
            if let Some(Self::Parameter {
                parameter,
                expected,
                found,
            }) = error.downcast_ref::<Self>()
            {
                return Self::Parameter {
                    parameter: parameter.clone(),
                    expected: expected.clone(),
                    found: found.clone(),
                };
            }
        }
        Self::Statement(DataFusionError::Execution(statement_message(shared)))
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

/// What DataFusion says, in one line and without its own prefixes.
fn statement_message(error: &DataFusionError) -> String {
    let root = error.find_root();
    let message = match root {
        DataFusionError::Plan(text)
        | DataFusionError::Execution(text)
        | DataFusionError::NotImplemented(text)
        | DataFusionError::ResourcesExhausted(text)
        | DataFusionError::Configuration(text) => text.clone(),
        DataFusionError::SQL(error, _) => error.to_string(),
        DataFusionError::SchemaError(error, _) => error.to_string(),
        DataFusionError::ArrowError(error, _) => error.to_string(),
        other => other.strip_backtrace(),
    };
    let first = message
        .split("\n\nbacktrace:")
        .next()
        .unwrap_or(&message)
        .trim();
    let first = first
        .trim_start_matches("sql parser error: ")
        .trim_start_matches("Error during planning: ");
    let first = first.replace("'hindsight.public.", "'");
    first.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn statement_state(error: &DataFusionError) -> &'static str {
    match error.find_root() {
        DataFusionError::SQL(_, _) => "42601",
        DataFusionError::SchemaError(error, _) => match **error {
            SchemaError::FieldNotFound { .. } => "42703",
            SchemaError::AmbiguousReference { .. } => "42702",
            _ => "42701",
        },
        DataFusionError::Plan(text) if text.contains("table '") && text.contains("not found") => {
            "42P01"
        }
        DataFusionError::Plan(text)
            if text.contains("Invalid function") || text.contains("table function") =>
        {
            "42883"
        }
        DataFusionError::Plan(_) => "42601",
        DataFusionError::NotImplemented(_) => "0A000",
        DataFusionError::ResourcesExhausted(_) => "53200",
        DataFusionError::ArrowError(error, _) => match **error {
            ArrowError::DivideByZero => "22012",
            ArrowError::ArithmeticOverflow(_) => "22003",
            ArrowError::CastError(_) | ArrowError::ParseError(_) => "22P02",
            _ => "XX000",
        },
        DataFusionError::IoError(_) | DataFusionError::ObjectStore(_) => "58030",
        DataFusionError::Execution(_) => "22000",
        _ => "XX000",
    }
}

fn statement_hint(error: &DataFusionError) -> Option<String> {
    match statement_state(error) {
        "42P01" => Some("show tables lists what there is".into()),
        "42883" => Some(
            "select routine_name, syntax_example from information_schema.routines lists what there \
             is"
            .into(),
        ),
        _ => None,
    }
}

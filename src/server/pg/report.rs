//! Errors and notices as messages.

use pgwire::error::ErrorInfo;
use pgwire::messages::response::{ErrorResponse, NoticeResponse};

use crate::caller::client::{Notice, Severity};
use crate::error::Error;
use crate::parameters;

/// An error that ends a statement, or with `FATAL` the connection. `before` is how many characters
/// of the text came before the statement.
pub fn error(severity: &str, error: &Error, before: usize) -> ErrorResponse {
    let mut info = info(severity, error.sqlstate(), message(error));
    info.hint = parameters::hint(error);
    info.position = error
        .position()
        .map(|position| (before + position).to_string());
    info.into()
}

/// What is told beside results.
pub fn notice(notice: &Notice) -> NoticeResponse {
    let severity = match notice.severity {
        Severity::Notice => "NOTICE",
        Severity::Warning => "WARNING",
    };
    info(severity, notice.sqlstate, notice.message.clone()).into()
}

/// What a client is told at the most of what it has sent itself, in letters.
const MESSAGE_LIMIT: usize = 4_000;

/// What a client is told; not all that the log is.
fn message(error: &Error) -> String {
    let message = match error {
        Error::Cancelled => "canceling statement due to user request".into(),
        error => error.to_string(),
    };
    match message.char_indices().nth(MESSAGE_LIMIT) {
        Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
        None => message,
    }
}

fn info(severity: &str, sqlstate: &str, message: String) -> ErrorInfo {
    let mut info = ErrorInfo::new(severity.into(), sqlstate.into(), message.replace('\0', ""));
    info.severity_nonlocalized = Some(severity.into());
    info
}

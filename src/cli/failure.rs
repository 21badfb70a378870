//! What ended a command: the error, where in the input it happened, and the way out.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use datafusion::error::DataFusionError;
use hindsight::{Error, parameters};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// What an error of writing names unless it is told otherwise.
const STANDARD_OUTPUT: &str = "standard output";

/// An error on its way to the user.
#[derive(Debug)]
pub struct Failure {
    error: Error,
    /// Such as `statement 2, line 5`.
    place: Option<String>,
    /// Where the command knows a better way out than the error itself.
    hint: Option<String>,
}

impl Failure {
    /// A command line that cannot be meant, and what could.
    pub fn usage(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::from(Error::Usage(problem.into())).or_hint(hint)
    }

    /// A defect in the engine: it must not look like a result.
    pub fn crashed(error: &tokio::task::JoinError) -> Self {
        Self::from(Error::Io {
            path: "hindsight".into(),
            source: io::Error::other(error.to_string()),
        })
    }

    pub fn at(mut self, place: String) -> Self {
        self.place = Some(place);
        self
    }

    /// The way out, if the error names none.
    pub fn or_hint(mut self, hint: impl Into<String>) -> Self {
        if parameters::hint(&self.error).is_none() {
            self.hint = Some(hint.into());
        }
        self
    }

    /// The way out, whatever the error names.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// An error of standard output is one of this file, which was written in its place.
    pub fn writing(mut self, file: &str) -> Self {
        if let Error::Io { path, .. } = &mut self.error
            && path == STANDARD_OUTPUT
        {
            file.clone_into(path);
        }
        self
    }

    /// Standard output failed in the middle: what is there is not the whole.
    pub fn cut_short(self) -> Self {
        match &self.error {
            Error::Io { path, .. } if path == STANDARD_OUTPUT => {
                self.or_hint("what was written before is not the whole result")
            }
            _ => self,
        }
    }

    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Prints the error on standard error and gives the exit code.
    pub fn report(&self) -> ExitCode {
        if let Error::Io { source, .. } = &self.error
            && source.kind() == ErrorKind::BrokenPipe
        {
            return ExitCode::SUCCESS;
        }
        // With standard error closed there is nobody left to tell.
        let _ = self.print();
        ExitCode::from(self.error.exit_code())
    }

    fn print(&self) -> io::Result<()> {
        let mut stderr = anstream::stderr().lock();
        if matches!(self.error, Error::Cancelled) && io::stderr().is_terminal() {
            // A progress bar may have been left where the cursor is.
            write!(stderr, "\r\x1b[K")?;
        }
        write!(stderr, "{ERROR}error{ERROR:#}: ")?;
        if let Some(place) = &self.place {
            write!(stderr, "{place}: ")?;
        }
        writeln!(stderr, "{}", self.error)?;
        if let Some(hint) = self.hint.clone().or_else(|| parameters::hint(&self.error)) {
            writeln!(stderr, "{HINT}hint{HINT:#}: {hint}")?;
        }
        Ok(())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            place: None,
            hint: None,
        }
    }
}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Self {
        Error::from(error).into()
    }
}

/// Only standard output and standard error are written outside the library.
impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Self {
        Error::Io {
            path: STANDARD_OUTPUT.into(),
            source,
        }
        .into()
    }
}

//! What a database says when it does not do as asked, in one sentence with the way out.

use std::io::ErrorKind;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgDatabaseError};

use crate::error::Error;

const PASSWORD_HINT: &str = "the password goes into the URL, percent-encoded, or into PGPASSWORD or ~/.pgpass, where no \
     list of processes shows it";

/// Makes errors about one database.
#[derive(Clone)]
pub(super) struct Problems {
    /// The URL without password and options.
    pub(super) name: String,
    pub(super) user: String,
}

impl Problems {
    pub(super) fn new(options: &PgConnectOptions) -> Self {
        let user = options.get_username();
        let database = options.get_database().unwrap_or(user);
        let host = options.get_host();
        let socket = options.get_socket().map(|path| path.display().to_string());
        let socket = socket.or_else(|| host.starts_with('/').then(|| host.to_owned()));
        let name = match socket {
            Some(directory) => format!("postgres://{user}@/{database}?host={directory}"),
            None => format!("postgres://{user}@{host}:{}/{database}", options.get_port()),
        };
        Self {
            name,
            user: user.to_owned(),
        }
    }

    /// The connection could not be made.
    pub(super) fn of_connecting(&self, error: sqlx::Error) -> Error {
        match error {
            sqlx::Error::Database(said) => match said.try_downcast_ref::<PgDatabaseError>() {
                Some(said) => self.refused(said),
                None => self.error(said.message(), ""),
            },
            sqlx::Error::Io(error) => match error.kind() {
                ErrorKind::ConnectionRefused | ErrorKind::NotFound => self.error(
                    "no server listens there",
                    "is it running, and is the port right?",
                ),
                ErrorKind::TimedOut => self.silent(Duration::ZERO),
                _ if error.to_string().contains("lookup address") => {
                    self.error("the name of its host is not known", "")
                }
                // What the TLS library refuses comes as invalid data.
                ErrorKind::InvalidData => self.of_connecting(sqlx::Error::Tls(error.into())),
                _ => self.error(&format!("cannot connect: {error}"), ""),
            },
            sqlx::Error::Tls(error) if error.to_string().contains("does not support TLS") => self
                .error(
                    "the server offers no TLS, which sslmode asks for",
                    "sslmode=prefer uses TLS where the server offers it",
                ),
            sqlx::Error::Tls(error) => self.error(
                &format!("TLS failed: {error}"),
                "sslmode=verify-full&sslrootcert=FILE trusts the certificates of FILE; \
                 sslmode=require encrypts without checking the server's",
            ),
            error => self.error(&format!("cannot connect: {error}"), ""),
        }
    }

    fn refused(&self, said: &PgDatabaseError) -> Error {
        match said.code() {
            "28P01" => self.error(
                &format!("user {} gave no password or a wrong one", self.user),
                PASSWORD_HINT,
            ),
            "28000" if said.message().contains("no encryption") => self.error(
                "the server lets this user in only over TLS",
                "sslmode=require in the URL asks for it",
            ),
            _ => self.error(said.message(), said.hint().unwrap_or_default()),
        }
    }

    /// A statement about `place` failed: the database is away, or does not hold what was asked for.
    pub(super) fn of_statement(&self, place: &str, error: sqlx::Error) -> Error {
        let said = match &error {
            sqlx::Error::Database(said) => said.try_downcast_ref::<PgDatabaseError>(),
            _ => None,
        };
        let Some(said) = said else {
            return match error {
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
                    self.lost()
                }
                error => self.error(&error.to_string(), ""),
            };
        };
        match said.code().get(..2) {
            Some("22" | "42" | "0A") => Error::InputFile {
                file: place.to_owned(),
                found: match said.detail() {
                    Some(detail) => format!("{} ({detail})", said.message()),
                    None => said.message().to_owned(),
                },
                expected: match said.code() {
                    "42501" => format!("a table that user {} may read", self.user),
                    _ => "a table that can be read".into(),
                },
            },
            _ => self.error(
                &format!("stopped in the middle: {}", said.message()),
                "nothing was loaded; try again",
            ),
        }
    }

    /// The connection broke.
    pub(super) fn lost(&self) -> Error {
        self.error(
            "the connection was lost in the middle",
            "nothing was loaded; try again",
        )
    }

    pub(super) fn silent(&self, waited: Duration) -> Error {
        let waited = match waited.as_secs() {
            0 => String::new(),
            seconds => format!(" within {seconds} seconds"),
        };
        self.error(
            &format!("no answer{waited}"),
            "is the host right, and does a firewall let us through?",
        )
    }

    fn error(&self, problem: &str, hint: &str) -> Error {
        Error::Database {
            database: self.name.clone(),
            problem: problem.to_owned(),
            hint: hint.to_owned(),
        }
    }
}

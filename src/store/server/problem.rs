//! What a PostgreSQL says when it does not do as asked, in one sentence with the way out.

use std::io::ErrorKind;
use std::time::Duration;

use sqlx::postgres::PgDatabaseError;

use super::Server;
use crate::error::Error;

const PASSWORD_HINT: &str = "the password goes into the URL, percent-encoded, or into PGPASSWORD or ~/.pgpass, where no \
     list of processes shows it";
const BUSY_HINT: &str = "try again in a moment";

/// Why a host does not let us in.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) text: String,
    pub(super) hint: String,
    /// Another host would say the same.
    pub(super) is_final: bool,
    /// With or without encryption it may be different.
    pub(super) is_about_tls: bool,
}

impl Problem {
    pub(super) fn new(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            hint: hint.into(),
            is_final: false,
            is_about_tls: false,
        }
    }

    pub(super) fn last(mut self) -> Self {
        self.is_final = true;
        self
    }

    fn about_tls(mut self) -> Self {
        self.is_about_tls = true;
        self
    }

    pub(super) fn silent(waited: Option<Duration>) -> Self {
        let waited = waited.map_or_else(String::new, |waited| {
            format!(" within {} seconds", waited.as_secs())
        });
        Self::new(
            format!("no answer{waited}"),
            "is the host right, and does a firewall let us through?",
        )
    }
}

impl Server {
    /// An error about this server.
    pub(in super::super) fn error(&self, problem: impl Into<String>, hint: &str) -> Error {
        Error::Database {
            database: self.name.clone(),
            problem: problem.into(),
            hint: hint.to_owned(),
        }
    }

    /// The connection could not be made.
    pub(super) fn of_connecting(&self, error: &sqlx::Error) -> Problem {
        match error {
            sqlx::Error::Database(said) => match said.try_downcast_ref::<PgDatabaseError>() {
                Some(said) => self.refused(said),
                None => Problem::new(said.message(), ""),
            },
            sqlx::Error::Io(error) => of_network(error),
            sqlx::Error::Tls(error) => of_tls(&error.to_string()),
            sqlx::Error::Protocol(text) if text.contains("authentication method") => Problem::new(
                format!("the server asks for a proof of identity that is not known here: {text}"),
                "let the server take a password (scram-sha-256) of this user",
            ),
            sqlx::Error::Protocol(_) => Problem::new(
                "what listens there does not speak PostgreSQL's protocol",
                "is the port right?",
            ),
            error => Problem::new(format!("cannot connect: {error}"), ""),
        }
    }

    fn refused(&self, said: &PgDatabaseError) -> Problem {
        let (message, user) = (said.message(), &self.user);
        let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
        match said.code() {
            "28P01" => {
                let exposed = self.exposed_passwords().map(|file| {
                    format!(
                        "{0} was not used, since others may read it: chmod 600 {0}",
                        file.display()
                    )
                });
                let hint = exposed.unwrap_or_else(|| PASSWORD_HINT.into());
                Problem::new(format!("user {user} gave no password or a wrong one"), hint).last()
            }
            "28000" if has(&["no encryption"]) => Problem::new(
                "the server lets this user in only over TLS",
                "sslmode=require in the URL asks for it",
            )
            .about_tls(),
            "28000" if has(&["no pg_hba.conf entry"]) => Problem::new(
                format!(
                    "the server lets user {user} into {} from nowhere that we are",
                    self.database
                ),
                "pg_hba.conf of the server says who may connect from where",
            )
            .about_tls(),
            "3D000" => Problem::new(
                message,
                "the database is what follows the last / of the URL, or the name of the user",
            )
            .last(),
            _ if has(&["Tenant or user not found"]) => Problem::new(
                format!("the pooler knows no user {user}"),
                "users of Supabase's pooler are written postgres.PROJECT, and the host is that of \
                 the project's region",
            )
            .last(),
            "53300" => Problem::new(
                format!("all its connections are taken: {message}"),
                BUSY_HINT,
            ),
            _ if has(&[
                "no more connections",
                "ax client connections",
                "too many clients",
            ]) =>
            {
                Problem::new(
                    format!("all connections of the pooler are taken: {message}"),
                    BUSY_HINT,
                )
            }
            "57P03" | "57P01" | "57P02" => Problem::new(message, BUSY_HINT),
            _ if has(&["unsupported startup parameter"]) => Problem::new(
                format!("the pooler refuses a setting that comes with the connection: {message}"),
                "unset PGOPTIONS and write the setting into the URL as options=-cNAME%3DVALUE, or \
                 let ignore_startup_parameters of PgBouncer name it",
            )
            .last(),
            _ if has(&["statement pooling"]) => Problem::new(
                "the pooler gives its connection away after every statement, so that there can be \
                 no transaction",
                "its pool_mode must be transaction or session; or take the URL of the database \
                 itself",
            )
            .last(),
            _ if has(&[
                "server login",
                "query_wait_timeout",
                "server_connect",
                "cannot connect to server",
            ]) =>
            {
                Problem::new(
                    format!("the pooler is there, and the database behind it is not: {message}"),
                    BUSY_HINT,
                )
            }
            _ => Problem::new(message, said.hint().unwrap_or_default()),
        }
    }

    /// A statement of the state failed.
    pub(in super::super) fn of_state(&self, error: &sqlx::Error) -> Error {
        let said = match error {
            sqlx::Error::Database(said) => said.try_downcast_ref::<PgDatabaseError>(),
            _ => None,
        };
        let Some(said) = said else {
            return match error {
                sqlx::Error::PoolTimedOut => self.error(
                    "no connection to be had",
                    "it did not answer in time; is it busy or out of reach?",
                ),
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::WorkerCrashed => {
                    self.error("the connection was lost", "is the server still there?")
                }
                error => self.error(error.to_string(), ""),
            };
        };
        let (message, user) = (said.message(), &self.user);
        match said.code() {
            "55P03" => self.error(
                "another session has locked what is to be written, and it is not waited for any \
                 longer, lest the trading system wait too",
                "nothing was changed; try again, or ask pg_locks who it is",
            ),
            "57014" => self.error(
                format!("it took too long: {message}"),
                "nothing was changed; try again",
            ),
            "42501" if message.contains("row-level security") => self.error(
                format!("row-level security may hide rows from user {user}: {message}"),
                "take a user that bypasses it, as alter role … bypassrls makes one",
            ),
            "42501" => self.error(
                format!("user {user} may not do this: {message}"),
                "its owner may grant it: to read, usage on the schema and select on its tables are \
                 enough; to write, insert, update and delete too",
            ),
            "25006" => self.error(
                "it is read-only: a standby, or a user that may only read",
                "take the URL of the primary, or of a user that may write",
            ),
            "53300" | "57P01" | "57P02" | "57P03" => self.error(message, BUSY_HINT),
            "26000" | "42P05" => self.error(
                "a pooler gave the connection away in the middle of a transaction",
                "its pool_mode must be transaction or session",
            ),
            _ => match self.refused(said) {
                Problem { text, hint, .. } if text != message || !hint.is_empty() => {
                    self.error(text, &hint)
                }
                _ => self.error(message, ""),
            },
        }
    }
}

fn of_network(error: &std::io::Error) -> Problem {
    let text = error.to_string();
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::NotFound => Problem::new(
            "no server listens there",
            "is it running, and is the port right?",
        ),
        ErrorKind::TimedOut => Problem::silent(None),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Problem::new(
            "there is no way to its network from here",
            "a host that has an IPv6 address alone, as Supabase's direct ones, needs IPv6 here; its \
             pooler does not",
        ),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            Problem::new(
                "the server ended the connection before it let us in",
                "is the port right, and does it want TLS (sslmode=require)?",
            )
            .about_tls()
        }
        ErrorKind::PermissionDenied => Problem::new("its socket may not be opened by us", ""),
        _ if text.contains("lookup address") => {
            Problem::new("the name of its host is not known", "")
        }
        // What the TLS library refuses comes as invalid data.
        ErrorKind::InvalidData => of_tls(&text),
        _ => Problem::new(format!("cannot connect: {text}"), ""),
    }
}

fn of_tls(text: &str) -> Problem {
    if text.contains("does not support TLS") {
        return Problem::new(
            "the server offers no TLS, which sslmode asks for",
            "sslmode=prefer uses TLS where the server offers it",
        );
    }
    Problem::new(
        format!("TLS failed: {text}"),
        "sslmode=verify-full&sslrootcert=FILE trusts the certificates of FILE; \
         sslmode=require encrypts without checking the server's",
    )
    .about_tls()
}

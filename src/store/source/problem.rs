//! What a database says when a statement about one of its tables does not go well.

use sqlx::postgres::PgDatabaseError;

use super::Server;
use crate::error::Error;

impl Server {
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
                error => self.error(error.to_string(), ""),
            };
        };
        let refuse = |found: String, expected: String| Error::InputFile {
            file: place.to_owned(),
            found,
            expected,
        };
        match (said.code(), said.code().get(..2)) {
            ("42501", _) if said.message().contains("row-level security") => {
                refuse(self.hidden(said.message()), SEES_ALL.into())
            }
            ("42501", _) => refuse(
                said.message().to_owned(),
                format!("a table that user {} may read", self.user),
            ),
            ("55P03", _) => self.error(
                format!("{place}: another session has locked it, for longer than 30 seconds"),
                "nothing was loaded; try again",
            ),
            ("57014", _) => self.error(
                format!("{place}: reading took longer than an hour, or was cancelled there"),
                "nothing was loaded; --since and --until load a part at a time",
            ),
            (_, Some("22" | "42" | "0A")) => refuse(
                match said.detail() {
                    Some(detail) => format!("{} ({detail})", said.message()),
                    None => said.message().to_owned(),
                },
                "a table that can be read".into(),
            ),
            _ => self.error(
                format!("stopped in the middle: {}", said.message()),
                "nothing was loaded; try again",
            ),
        }
    }

    /// Row-level security may hide rows.
    pub(in super::super) fn hidden(&self, more: &str) -> String {
        let user = &self.user;
        let more = match more.is_empty() {
            true => String::new(),
            false => format!(" ({more})"),
        };
        format!("row-level security is on, and the role {user} does not bypass it{more}")
    }

    /// The connection broke.
    pub(super) fn lost(&self) -> Error {
        self.error(
            "the connection was lost in the middle",
            "nothing was loaded; try again",
        )
    }
}

/// The way out of row-level security.
pub const SEES_ALL: &str = "a role that sees every row: alter role … bypassrls makes one; for a table, \
                            and not for what --query reads, a policy for select using (true) does";

//! The users that the server lets in: name, role, and a verifier that a password is checked
//! against. No password is stored, nor can one be found from a verifier other than by guessing.

use async_recursion::async_recursion as door;

use super::client::{Row, Statement};
use super::{Database, Store, now};
use crate::error::Result;
use crate::records::roles::Role;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub role: Role,
    /// `SCRAM-SHA-256$4096:salt$stored key:server key`, as PostgreSQL writes it.
    pub verifier: String,
    /// Microseconds since 1970 UTC.
    pub created_at: i64,
}

impl Store {
    /// Every user, by name.
    #[door]
    pub async fn users(&self) -> Result<Vec<User>> {
        let database = self.reading().await?;
        let select = "select name, role, verifier, created_at from hindsight.users";
        let rows = database.rows(Statement::new(select)).await?;
        let users = rows.iter().map(|row| read(&database, row));
        let mut users = users.collect::<Result<Vec<User>>>()?;
        // Databases differ in what they take for the order of text.
        users.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(users)
    }

    /// The user of this name.
    #[door]
    pub async fn user(&self, name: &str) -> Result<Option<User>> {
        let database = self.reading().await?;
        let select = "select name, role, verifier, created_at from hindsight.users where name = $1";
        let rows = database.rows(Statement::new(select).bind(name)).await?;
        let row = rows.first();
        row.map(|row| read(&database, row)).transpose()
    }

    /// Adds a user, or gives the one of this name another role and verifier.
    #[door]
    pub async fn put_user(&self, name: &str, role: Role, verifier: &str) -> Result<()> {
        let database = self.writing().await?;
        let put = Statement::new(
            "insert into hindsight.users (name, role, verifier, created_at) \
             values ($1, $2, $3, $4) \
             on conflict (name) do update set role = excluded.role, verifier = excluded.verifier",
        );
        let put = put.bind(name).bind(role.name()).bind(verifier).bind(now());
        database.execute(put).await?;
        Ok(())
    }

    /// Removes a user; whether there was one.
    #[door]
    pub async fn remove_user(&self, name: &str) -> Result<bool> {
        let database = self.writing().await?;
        let remove = Statement::new("delete from hindsight.users where name = $1");
        Ok(database.execute(remove.bind(name)).await? > 0)
    }
}

fn read(database: &Database, row: &Row) -> Result<User> {
    let read = || -> sqlx::Result<(String, String, String, i64)> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    };
    let (name, role, verifier, created_at) = read().map_err(|error| database.failed(error))?;
    let role = Role::named(&role).ok_or_else(|| {
        let problem = format!("user {name} has the role {role}, which this version does not know");
        database.error(problem, "hindsight user add gives a user another role")
    })?;
    Ok(User {
        name,
        role,
        verifier,
        created_at,
    })
}

//! One way to speak to both databases: transactions, statements with texts and whole numbers, rows
//! of the same.
//!
//! Every statement runs inside of a transaction, and none is kept by name: a pooler may give a server
//! connection to somebody else between two transactions, and what is prepared, set or locked there
//! would be theirs. Our tables are written with their schema, `hindsight.…`, which SQLite has not.

use std::borrow::Cow;

use sqlx::postgres::PgRow;
use sqlx::query::Query;
use sqlx::sqlite::SqliteRow;
use sqlx::{
    AssertSqlSafe, Decode, Encode, Executor, PgPool, Postgres, Row as _, Sqlite, SqlitePool, Type,
};

use super::Dialect;

/// The schema of our tables in PostgreSQL, as statements write it.
pub(super) const SCHEMA: &str = "hindsight.";

/// Connections to a database.
#[derive(Debug, Clone)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A transaction; dropped, it is rolled back.
pub(super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// A row of a result.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A statement with its values.
pub(super) struct Statement {
    sql: Cow<'static, str>,
    values: Vec<Value>,
}

/// A value of a statement.
pub(super) enum Value {
    Text(Option<String>),
    Whole(Option<i64>),
}

impl Pool {
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }

    /// Begins a transaction by this statement, or several.
    pub(super) async fn begin(&self, begin: &str) -> sqlx::Result<Transaction> {
        let begin = AssertSqlSafe(begin.to_owned());
        Ok(match self {
            Self::Sqlite(pool) => Transaction::Sqlite(pool.begin_with(begin).await?),
            Self::Postgres(pool) => Transaction::Postgres(pool.begin_with(begin).await?),
        })
    }
}

impl Transaction {
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    pub(super) async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
    }

    pub(super) async fn rollback(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(transaction) => transaction.rollback().await,
            Self::Postgres(transaction) => transaction.rollback().await,
        }
    }

    /// Runs statements without values, several with semicolons.
    pub(super) async fn run(&mut self, sql: &str) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(transaction) => {
                let sql = AssertSqlSafe(sql.replace(SCHEMA, ""));
                transaction.execute(sqlx::raw_sql(sql)).await?;
            }
            Self::Postgres(transaction) => {
                let sql = AssertSqlSafe(sql.to_owned());
                transaction.execute(sqlx::raw_sql(sql)).await?;
            }
        }
        Ok(())
    }
}

impl Statement {
    pub(super) fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        Self {
            sql: sql.into(),
            values: Vec::new(),
        }
    }

    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// The number of rows that were changed.
    pub(super) async fn execute(self, transaction: &mut Transaction) -> sqlx::Result<u64> {
        Ok(match transaction {
            Transaction::Sqlite(connection) => {
                let done = self.in_sqlite().execute(&mut **connection).await?;
                done.rows_affected()
            }
            Transaction::Postgres(connection) => {
                let done = self.in_postgres().execute(&mut **connection).await?;
                done.rows_affected()
            }
        })
    }

    pub(super) async fn rows(self, transaction: &mut Transaction) -> sqlx::Result<Vec<Row>> {
        Ok(match transaction {
            Transaction::Sqlite(connection) => {
                let rows = self.in_sqlite().fetch_all(&mut **connection).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Transaction::Postgres(connection) => {
                let rows = self.in_postgres().fetch_all(&mut **connection).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The first row, if there is one.
    pub(super) async fn row(self, transaction: &mut Transaction) -> sqlx::Result<Option<Row>> {
        Ok(self.rows(transaction).await?.into_iter().next())
    }

    fn in_sqlite(self) -> Query<'static, Sqlite, <Sqlite as sqlx::Database>::Arguments> {
        let sql = self.sql.replace(SCHEMA, "");
        bound(sql, self.values)
    }

    fn in_postgres(self) -> Query<'static, Postgres, <Postgres as sqlx::Database>::Arguments> {
        // The nameless statement: gone with the next.
        bound(self.sql.into_owned(), self.values).persistent(false)
    }
}

fn bound<D: sqlx::Database>(sql: String, values: Vec<Value>) -> Query<'static, D, D::Arguments>
where
    Option<String>: Encode<'static, D> + Type<D>,
    Option<i64>: Encode<'static, D> + Type<D>,
{
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for value in values {
        query = match value {
            Value::Text(text) => query.bind(text),
            Value::Whole(number) => query.bind(number),
        };
    }
    query
}

impl Row {
    pub(super) fn get<T>(&self, at: usize) -> sqlx::Result<T>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite>,
        T: for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        match self {
            Self::Sqlite(row) => row.try_get(at),
            Self::Postgres(row) => row.try_get(at),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Whole(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Whole(number)
    }
}

//! What a catalog is made from: the tables, functions, roles, sessions and settings of a moment.

use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::datatypes::{DataType, SchemaRef};

use super::relations::functions::FunctionSet;

/// The key of a field's metadata with the comment on its column.
pub const COMMENT: &str = "comment";

/// Everything that the catalog shows.
pub struct CatalogInput<'a> {
    pub database: String,
    pub user: String,
    pub backend_pid: i32,
    pub tables: Vec<TableInfo>,
    /// Made once for a server.
    pub functions: Arc<FunctionSet>,
    pub roles: Vec<RoleInfo>,
    pub sessions: Vec<SessionInfo>,
    pub settings: &'a dyn Settings,
    /// When the server started and when the statement did, in microseconds since 1970.
    pub started: i64,
    pub now: i64,
    /// Whether the query is to stop.
    pub is_cancelled: Option<Box<dyn Fn() -> bool + Send + Sync>>,
    pub deadline: Option<Instant>,
}

/// The settings of a session.
pub trait Settings {
    /// The value that `SHOW` shows, none where there is no such setting.
    fn show(&self, name: &str) -> Option<String>;
    /// Every setting that `SHOW ALL` lists.
    fn all(&self) -> Vec<SettingInfo>;
}

#[derive(Clone, Debug)]
pub struct SettingInfo {
    pub name: String,
    pub value: String,
    pub description: String,
}

#[derive(Clone, Debug)]
pub struct TableInfo {
    pub schema: String,
    pub name: String,
    pub kind: TableKind,
    /// Its columns, each with its comment in the metadata under [`COMMENT`].
    pub columns: SchemaRef,
    pub comment: Option<String>,
    /// The query of a view.
    pub definition: Option<String>,
    pub rows: Option<usize>,
    pub bytes: Option<usize>,
    /// The columns of the primary key.
    pub key: Vec<String>,
    /// Whether INSERT, UPDATE and DELETE are allowed.
    pub is_writable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    Table,
    View,
    TemporaryTable,
    TemporaryView,
}

#[derive(Clone, Debug)]
pub struct FunctionInfo {
    pub schema: String,
    pub name: String,
    /// Names, where they have one, and types.
    pub arguments: Vec<(Option<String>, DataType)>,
    pub is_variadic: bool,
    pub result: DataType,
    pub returns_rows: bool,
    pub kind: FunctionKind,
    pub description: Option<String>,
    /// An example of a call.
    pub example: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionKind {
    Function,
    Aggregate,
    Window,
    Procedure,
}

#[derive(Clone, Debug)]
pub struct RoleInfo {
    pub name: String,
    pub can_login: bool,
    pub is_superuser: bool,
    /// The roles it is a member of.
    pub member_of: Vec<String>,
}

/// A session as `pg_stat_activity` shows it.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    pub pid: i32,
    pub user: String,
    pub application: String,
    pub client_address: Option<String>,
    pub client_port: Option<i32>,
    pub started: i64,
    /// When the statement that runs, or ran last, began.
    pub query_started: Option<i64>,
    /// `active`, `idle`, `idle in transaction` …
    pub state: String,
    pub query: String,
    pub is_encrypted: bool,
}

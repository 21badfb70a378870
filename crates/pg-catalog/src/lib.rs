//! The PostgreSQL catalog that clients see: `pg_catalog`, `information_schema` and the functions
//! that go with them, answered in-process.
//!
//! A [`Catalog`] is an immutable snapshot of the tables, functions, roles, sessions and settings of
//! a moment ([`input`]). Its relations ([`relations`]) are a few thousand rows in memory, made when
//! a query first reads them; queries are run by an interpreter of the parsed statement
//! ([`interpret`]), since clients send what DataFusion does not plan: correlated subqueries
//! anywhere, set-returning functions in the select list, `regclass` and its like.
//!
//! # Results
//!
//! Results are Arrow record batches. A column whose PostgreSQL type has no twin among Arrow's has
//! the type's name in the field's metadata under [`PG_TYPE`]:
//!
//! | `pg_type` | array |
//! | --- | --- |
//! | `oid`, `xid`, `cid` | `UInt32` |
//! | `xid8` | `Int64` |
//! | `regclass`, `regtype`, `regproc`, `regprocedure`, `regnamespace`, `regrole` | `Utf8`: the name as text; [`Catalog::oid_of`] gives the oid for the binary form |
//! | `numeric` | `Utf8`: the digits |
//! | `name`, `varchar`, `bpchar`, `char`, `json`, `uuid`, `inet`, `pg_node_tree`, `record`, `void` … | `Utf8` |
//! | `int2vector`, `oidvector` | `List` of `Int16`, `UInt32` |
//! | `name[]`, `oid[]`, `char[]`, `aclitem[]`, `regtype[]` … | `List` of the above |
//!
//! Without it: `Boolean`, `Int16`, `Int32`, `Int64`, `Float32`, `Float64`, `Utf8` (text), `Binary`
//! (bytea), `Date32`, `Time64`, `Timestamp` (with a zone: timestamptz), `Interval`, and lists of
//! these.
//!
//! # Oids
//!
//! PostgreSQL's own relations and types have its oids. A table's is made of its name, so that it is
//! the same in every process and generation; its index, constraint and rule follow it.

pub mod answers;
pub mod array_literals;
pub mod arrow;
pub mod calendar;
pub mod cast;
pub mod collect;
pub mod error;
pub mod functions;
pub mod input;
pub mod interpret;
pub mod names;
pub mod number_patterns;
pub mod numeric;
pub mod relations;
pub mod time;
pub mod types;
pub mod value;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{Query as Ast, Statement};

use error::Result;
use input::{CatalogInput, RoleInfo, SessionInfo, SettingInfo};
use interpret::bind::Binder;
use interpret::run::Context;
use interpret::{Query, Table};
use relations::functions::FunctionSet;
use relations::tables::UserTable;
use types::{Type, oid};

/// The key of a field's metadata with the name of its PostgreSQL type.
pub const PG_TYPE: &str = "pg_type";

/// The key of a field's metadata of a column that may not be null, though to Arrow it may.
pub const NOT_NULL: &str = "not_null";

/// What `version()` says: clients read the number behind `PostgreSQL` to know what they may ask.
pub const VERSION: &str = concat!(
    "PostgreSQL 15.0 (hindsight ",
    env!("CARGO_PKG_VERSION"),
    ")"
);

/// A snapshot of what there is.
pub struct Catalog {
    pub database: String,
    pub user: String,
    pub backend_pid: i32,
    /// When the server started, in microseconds since 1970.
    pub started: i64,
    clock: time::read::Clock,
    is_cancelled: Option<Box<dyn Fn() -> bool + Send + Sync>>,
    deadline: Option<Instant>,
    tables: Vec<UserTable>,
    functions: Arc<FunctionSet>,
    roles: Vec<RoleInfo>,
    sessions: Vec<SessionInfo>,
    settings: Vec<SettingInfo>,
    changes: Mutex<Vec<SettingChange>>,
    /// The relations that a query has read, by their position.
    kept: Vec<OnceLock<Arc<Table>>>,
}

/// A setting that `set_config` has changed, for the session to carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingChange {
    pub name: String,
    pub value: String,
    /// Until the end of the transaction.
    pub is_local: bool,
}

/// What a statement takes and gives.
#[derive(Debug)]
pub struct Described {
    pub schema: SchemaRef,
    /// The types of `$1` and so on, in the same form as the columns.
    pub parameters: Vec<FieldRef>,
}

impl Catalog {
    pub fn new(input: CatalogInput<'_>) -> Self {
        let clock = clock(&input);
        Self {
            database: input.database,
            user: input.user,
            backend_pid: input.backend_pid,
            started: input.started,
            clock,
            is_cancelled: input.is_cancelled,
            deadline: input.deadline,
            tables: relations::tables::with_oids(input.tables),
            functions: input.functions,
            roles: input.roles,
            sessions: input.sessions,
            settings: input.settings.all(),
            changes: Mutex::default(),
            kept: relations::all().iter().map(|_| OnceLock::new()).collect(),
        }
    }

    /// Whether the statement is one for the catalog.
    pub fn answers(&self, statement: &Statement) -> bool {
        answers::is_catalogs(&|name| self.functions.is_of_engine(name), statement)
    }

    /// The columns of a statement's result and the types of its parameters; nothing runs.
    pub fn describe(&self, statement: &Statement, given: &[Option<DataType>]) -> Result<Described> {
        let given = given.iter().map(|given| given.as_ref().map(arrow::type_of));
        let given: Vec<Option<Type>> = given.collect();
        let (query, parameters) = self.bind(query_of(statement)?, &given)?;
        let parameters = parameters
            .iter()
            .zip(1..)
            .map(|(of, number)| FieldRef::new(arrow::field(&format!("${number}"), of)));
        Ok(Described {
            schema: schema(&query),
            parameters: parameters.collect(),
        })
    }

    /// Runs a statement.
    pub fn query(&self, statement: &Statement, parameters: &[ScalarValue]) -> Result<RecordBatch> {
        let given = parameters.iter().map(|given| match given {
            ScalarValue::Null | ScalarValue::Utf8(_) => None,
            given => Some(arrow::type_of(&given.data_type())),
        });
        let given: Vec<Option<Type>> = given.collect();
        let (query, types) = self.bind(query_of(statement)?, &given)?;
        if types.len() > parameters.len() {
            return Err(cast::failure(
                "08P01",
                format!(
                    "the statement takes {} parameters, {} are given",
                    types.len(),
                    parameters.len()
                ),
            ));
        }
        let values = parameters.iter().zip(&types);
        let values = values.map(|(given, to)| arrow::parameter(self, given, to));
        let values = values.collect::<Result<Vec<_>>>()?;
        let context = Context::new(self, &values);
        let rows = context.query(&query, None, usize::MAX)?;
        let schema = schema(&query);
        let mut columns = Vec::with_capacity(query.columns.len());
        for (position, (column, field)) in query.columns.iter().zip(schema.fields()).enumerate() {
            let values = rows
                .iter()
                .map(|row| row.get(position).unwrap_or(&value::Value::Null));
            columns.push(arrow::column(self, column, field, values)?);
        }
        let options = datafusion::arrow::array::RecordBatchOptions::new();
        let options = options.with_row_count(Some(rows.len()));
        let batch = RecordBatch::try_new_with_options(schema, columns, &options);
        Ok(batch?)
    }

    /// The oid of a name that a result has as text, by its `pg_type`.
    pub fn oid_of(&self, pg_type: &str, name: &str) -> Result<u32> {
        let of = types::by_name(pg_type).unwrap_or(oid::REGCLASS);
        Ok(u32::try_from(self.parse_name(name, of)?).unwrap_or(0))
    }

    /// What `set_config` has changed since this was asked last.
    pub fn take_changes(&self) -> Vec<SettingChange> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *changes)
    }

    fn bind(&self, query: &Ast, given: &[Option<Type>]) -> Result<(Query, Vec<Type>)> {
        let mut binder = Binder::new(self, given);
        let query = binder.statement(query)?;
        let parameters = binder.parameters.into_inner().into_iter();
        let parameters = parameters.map(|of| of.unwrap_or(Type::of(oid::TEXT)));
        Ok((query, parameters.collect()))
    }

    pub fn now(&self) -> i64 {
        self.clock.now
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled
            .as_ref()
            .is_some_and(|is_cancelled| is_cancelled())
    }

    pub fn set_now(&mut self, now: i64) {
        self.clock.now = now;
    }

    /// Where and when the session's texts are read.
    pub fn clock(&self) -> &time::read::Clock {
        &self.clock
    }

    /// A setting's value, as `set_config` may have left it in this statement.
    pub fn setting(&self, name: &str) -> Option<String> {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = changes.iter().rev();
        if let Some(change) = changed.find(|change| change.name.eq_ignore_ascii_case(name)) {
            return Some(change.value.clone());
        }
        let mut settings = self.settings.iter();
        let setting = settings.find(|setting| setting.name.eq_ignore_ascii_case(name))?;
        Some(setting.value.clone())
    }

    pub fn change_setting(&self, name: &str, value: &str, is_local: bool) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.push(SettingChange {
            name: name.to_owned(),
            value: value.to_owned(),
            is_local,
        });
    }

    /// The schemas that a name without one is looked for in.
    pub fn search_path(&self) -> Vec<String> {
        let path = self
            .setting("search_path")
            .unwrap_or_else(|| "public".into());
        let schemas = path
            .split(',')
            .map(|schema| schema.trim().trim_matches('"'));
        let schemas = schemas.filter(|schema| relations::namespace_oid(schema).is_some());
        let schemas: Vec<String> = schemas.map(str::to_owned).collect();
        schemas
    }
}

fn query_of(statement: &Statement) -> Result<&Ast> {
    match statement {
        Statement::Query(query) => Ok(query),
        _ => Err(cast::failure("0A000", "the catalog answers queries only")),
    }
}

fn schema(query: &Query) -> SchemaRef {
    let fields = query.columns.iter();
    let fields = fields.map(|column| arrow::field(&column.name, &column.data_type));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Where and when the texts of a session are read, by its settings.
fn clock(input: &CatalogInput<'_>) -> time::read::Clock {
    let zone = input.settings.show("timezone");
    let style = input.settings.show("datestyle").unwrap_or_default();
    time::read::Clock {
        zone: zone
            .and_then(|name| time::Zone::named(&name))
            .unwrap_or(time::Zone::UTC),
        now: input.now,
        order: time::read::Order::of_style(&style),
    }
}

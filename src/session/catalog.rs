//! The catalog as a session sees it: its tables, views and settings, and who it is.

use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema};
use datafusion::common::ScalarValue;
use datafusion::config::ConfigOptions;
use datafusion::execution::context::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

use super::give_way::Stop;
use super::{DATABASE, Role, SCHEMA, Session, comments};
use crate::catalog::input::{
    COMMENT, CatalogInput, FunctionInfo, FunctionKind, RoleInfo, SessionInfo, SettingInfo,
    Settings, TableInfo, TableKind,
};
use crate::catalog::relations::functions::FunctionSet;
use crate::catalog::{Catalog, Described, answers, collect};
use crate::engine::Served;
use crate::error::{Error, Result};
use crate::functions::procedures::PROCEDURES;
use crate::functions::{RUN_BACKTEST, TABLE_FUNCTIONS};
use crate::parameters::PARAMETERS;

/// The functions of an engine, as the catalog shows them.
pub fn functions(served: &Served) -> FunctionSet {
    let own: Vec<String> = hindsight_udfs::scalar_functions(&served.dataset.price_book)
        .iter()
        .map(|function| function.name().to_owned())
        .chain(
            hindsight_udfs::aggregate_functions()
                .iter()
                .map(|function| function.name().to_owned()),
        )
        .collect();
    let mut functions = collect::functions(&served.state, |name| own.iter().any(|own| own == name));
    functions.extend(TABLE_FUNCTIONS.iter().map(|function| {
        let example = format!("select * from {}()", function.name);
        product_function(function.name, parameters(), FunctionKind::Function, example)
    }));
    let example = format!("call {}()", RUN_BACKTEST.name);
    functions.push(product_function(
        RUN_BACKTEST.name,
        parameters(),
        FunctionKind::Procedure,
        example,
    ));
    functions.extend(PROCEDURES.iter().map(|procedure| {
        let arguments = procedure.arguments.iter().map(|argument| {
            let of = match argument.is_boolean {
                true => DataType::Boolean,
                false => DataType::Utf8,
            };
            (Some(argument.name.into()), of)
        });
        // It changes nothing.
        let kind = match procedure.name {
            "preview_settings" => FunctionKind::Function,
            _ => FunctionKind::Procedure,
        };
        let first = procedure.arguments.first();
        let first = first.map_or("", |argument| argument.name);
        let example = match kind {
            FunctionKind::Procedure => format!("call {}({first} => '…')", procedure.name),
            _ => format!("select * from {}({first} => '…')", procedure.name),
        };
        product_function(procedure.name, arguments.collect(), kind, example)
    }));
    FunctionSet::new(functions)
}

/// The parameters of a backtest as arguments.
fn parameters() -> Vec<(Option<String>, DataType)> {
    let parameters = PARAMETERS.iter();
    let parameters =
        parameters.map(|parameter| (Some(parameter.name.into()), parameter.data_type()));
    parameters.collect()
}

/// A function that returns rows, or a procedure.
fn product_function(
    name: &str,
    arguments: Vec<(Option<String>, DataType)>,
    kind: FunctionKind,
    example: String,
) -> FunctionInfo {
    FunctionInfo {
        schema: SCHEMA.into(),
        name: name.into(),
        arguments,
        is_variadic: false,
        result: DataType::Struct(Fields::empty()),
        returns_rows: kind != FunctionKind::Procedure,
        kind,
        description: comments::of_function(name).map(str::to_owned),
        example: Some(example),
    }
}

/// Whether a statement is one for the catalog.
pub fn answers(state: &SessionState, statement: &Statement) -> bool {
    let is_of_engine = |name: &str| {
        state.scalar_functions().contains_key(name)
            || state.aggregate_functions().contains_key(name)
            || state.window_functions().contains_key(name)
            || state.table_functions().contains_key(name)
    };
    match statement {
        Statement::Statement(statement) => answers::is_catalogs(&is_of_engine, statement),
        _ => false,
    }
}

fn sql_statement(statement: &Statement) -> Result<&SqlStatement> {
    match statement {
        Statement::Statement(statement) => Ok(statement),
        other => Err(Error::Unsupported(format!(
            "the catalog does not answer {other}"
        ))),
    }
}

impl Session {
    /// The columns and parameters of a statement that is the catalog's.
    pub(super) async fn describe_of_catalog(
        &self,
        statement: &Statement,
        parameters: &[Option<DataType>],
    ) -> Result<Described> {
        let catalog = self.catalog(None).await?;
        catalog.describe(sql_statement(statement)?, parameters)
    }

    /// Runs a statement that is the catalog's.
    pub(super) async fn run_on_catalog(
        &self,
        statement: &Statement,
        values: Vec<ScalarValue>,
    ) -> Result<RecordBatch> {
        /// A query that nobody waits for any more stops.
        struct Awaited(Stop);
        impl Drop for Awaited {
            fn drop(&mut self) {
                self.0.stop();
            }
        }
        let stop = Stop::default();
        self.under_way.add(&stop);
        let awaited = Awaited(stop.clone());
        let catalog = self.catalog(Some(stop)).await?;
        let statement = sql_statement(statement)?.clone();
        // Tiny as it mostly is, a query may as well join the catalog with itself.
        let running = tokio::task::spawn_blocking(move || {
            let batch = catalog.query(&statement, &values)?;
            Ok::<_, Error>((batch, catalog.take_changes()))
        });
        let (batch, changes) = running.await.map_err(|_| Error::Cancelled)??;
        drop(awaited);
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            settings.insert(change.name.to_lowercase(), change.value);
        }
        Ok(batch)
    }

    /// What there is now.
    async fn catalog(&self, stop: Option<Stop>) -> Result<Catalog> {
        let state = self.context.state();
        let served = self.served();
        let mut tables = collect::tables(&state, DATABASE, SCHEMA).await?;
        for table in &mut tables {
            describe(table, self.tables.is_own(&table.name));
        }
        let changed = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = changed.iter();
        let changed = changed
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |since| {
            i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
        });
        let role = |role: Role| RoleInfo {
            name: role.name().into(),
            can_login: false,
            is_superuser: false,
            member_of: Vec::new(),
        };
        let mut roles: Vec<RoleInfo> = Role::ALL.into_iter().map(role).collect();
        if roles.iter().all(|role| role.name != self.user()) {
            roles.push(RoleInfo {
                name: self.user().into(),
                can_login: true,
                is_superuser: false,
                member_of: vec![self.role().name().into()],
            });
        }
        Ok(Catalog::new(CatalogInput {
            database: DATABASE.into(),
            user: self.user().into(),
            backend_pid: 0,
            tables,
            functions: Arc::clone(served.functions()),
            roles,
            sessions: vec![SessionInfo {
                pid: 0,
                user: self.user().into(),
                application: String::new(),
                client_address: None,
                client_port: None,
                started: now,
                query_started: Some(now),
                state: "active".into(),
                query: String::new(),
                is_encrypted: false,
            }],
            settings: &SessionSettings {
                options: state.config_options(),
                changed,
            },
            started: now,
            now,
            is_cancelled: stop.map(|stop| Box::new(move || stop.is_stopped()) as _),
            deadline: None,
        }))
    }
}

/// Adds what only the product knows of a table.
fn describe(table: &mut TableInfo, is_temporary: bool) {
    if is_temporary {
        table.kind = match table.kind {
            TableKind::View | TableKind::TemporaryView => TableKind::TemporaryView,
            _ => TableKind::TemporaryTable,
        };
        table.is_writable = table.kind == TableKind::TemporaryTable;
        return;
    }
    table.is_writable = table.name == "scenarios";
    let Some(known) = comments::of_table(&table.name) else {
        return;
    };
    table.comment = Some(known.comment.into());
    table.key = known.key.iter().map(|column| (*column).into()).collect();
    let fields = table.columns.fields().iter().map(|field| {
        let comment = known.column(field.name());
        let parameter = || {
            PARAMETERS
                .iter()
                .find(|parameter| parameter.name == field.name())
        };
        let comment = comment.or_else(|| parameter().map(|parameter| parameter.description));
        let mut metadata = field.metadata().clone();
        if let Some(comment) = comment {
            metadata.insert(COMMENT.into(), comment.into());
        }
        Field::clone(field).with_metadata(metadata)
    });
    table.columns = Arc::new(Schema::new(fields.collect::<Fields>()));
}

/// The settings of a session: those that clients of PostgreSQL ask for, and DataFusion's.
struct SessionSettings<'s> {
    options: &'s ConfigOptions,
    /// Set in this session.
    changed: Vec<(String, String)>,
}

/// What clients of PostgreSQL read, with values that hold here.
const POSTGRESQL: [(&str, &str, &str); 26] = [
    (
        "application_name",
        "",
        "Sets the application name to be reported in statistics and logs.",
    ),
    ("bytea_output", "hex", "Sets the output format for bytea."),
    (
        "client_encoding",
        "UTF8",
        "Sets the client's character set encoding.",
    ),
    (
        "client_min_messages",
        "notice",
        "Sets the message levels that are sent to the client.",
    ),
    (
        "DateStyle",
        "ISO, MDY",
        "Sets the display format for date and time values.",
    ),
    (
        "default_transaction_isolation",
        "read committed",
        "Sets the isolation level of transactions.",
    ),
    (
        "default_transaction_read_only",
        "off",
        "Sets whether transactions are read-only.",
    ),
    (
        "extra_float_digits",
        "1",
        "Sets the number of digits displayed for floating-point values.",
    ),
    (
        "integer_datetimes",
        "on",
        "Shows whether datetimes are integer based.",
    ),
    (
        "IntervalStyle",
        "postgres",
        "Sets the display format for interval values.",
    ),
    (
        "is_superuser",
        "off",
        "Shows whether the current user is a superuser.",
    ),
    ("jit", "off", "Allow JIT compilation."),
    ("lc_collate", "C.UTF-8", "Shows the collation order locale."),
    (
        "lc_ctype",
        "C.UTF-8",
        "Shows the character classification locale.",
    ),
    (
        "lc_messages",
        "C.UTF-8",
        "Sets the language in which messages are displayed.",
    ),
    (
        "lc_monetary",
        "C.UTF-8",
        "Sets the locale for formatting monetary amounts.",
    ),
    (
        "max_identifier_length",
        "63",
        "Shows the maximum identifier length.",
    ),
    (
        "max_index_keys",
        "32",
        "Shows the maximum number of index keys.",
    ),
    (
        "search_path",
        "\"$user\", public",
        "Sets the schema search order for names.",
    ),
    (
        "server_encoding",
        "UTF8",
        "Shows the server's character set encoding.",
    ),
    ("server_version", "15.0", "Shows the server version."),
    (
        "server_version_num",
        "150000",
        "Shows the server version as an integer.",
    ),
    (
        "standard_conforming_strings",
        "on",
        "Causes strings to treat backslashes literally.",
    ),
    (
        "statement_timeout",
        "0",
        "Sets the maximum allowed duration of any statement.",
    ),
    (
        "transaction_isolation",
        "read committed",
        "Shows the transaction's isolation level.",
    ),
    (
        "transaction_read_only",
        "off",
        "Shows the transaction's read-only status.",
    ),
];

impl Settings for SessionSettings<'_> {
    fn show(&self, name: &str) -> Option<String> {
        let mut all = self.all().into_iter();
        let setting = all.find(|setting| setting.name.eq_ignore_ascii_case(name))?;
        Some(setting.value)
    }

    fn all(&self) -> Vec<SettingInfo> {
        let mut settings: Vec<SettingInfo> = POSTGRESQL
            .iter()
            .map(|(name, value, description)| SettingInfo {
                name: (*name).into(),
                value: (*value).into(),
                description: (*description).into(),
            })
            .collect();
        let zone = self.options.execution.time_zone.clone();
        settings.push(SettingInfo {
            name: "TimeZone".into(),
            value: zone.unwrap_or_else(|| "UTC".into()),
            description: "Sets the time zone for displaying and interpreting time stamps.".into(),
        });
        settings.extend(self.options.entries().into_iter().map(|entry| SettingInfo {
            name: entry.key,
            value: entry.value.unwrap_or_default(),
            description: entry.description.into(),
        }));
        for (name, value) in &self.changed {
            let mut known = settings.iter_mut();
            match known.find(|setting| setting.name.eq_ignore_ascii_case(name)) {
                Some(setting) => setting.value.clone_from(value),
                None => settings.push(SettingInfo {
                    name: name.clone(),
                    value: value.clone(),
                    description: String::new(),
                }),
            }
        }
        settings
    }
}

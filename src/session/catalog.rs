//! The catalog as a session sees it: its tables, views and settings, and who it is.
//!
//! It answers queries of its relations, and of those that read nothing at all the ones with a function
//! or a type that only it has.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::execution::context::SessionState;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Visitor};
use futures::stream;
use sql_visit::visit;

use super::settings::{SETTINGS, Settings, reported_name};
use super::{DATABASE, Outcome, Prepared, SCHEMA, Session, Work, comments};
use crate::caller::give_way::Stop;
use crate::caller::guard;
use crate::catalog::input::{
    COMMENT, CatalogInput, FunctionInfo, FunctionKind, RoleInfo, SettingInfo,
    Settings as CatalogSettings, TableInfo, TableKind,
};
use crate::catalog::interpret::{calls, names};
use crate::catalog::relations::functions::FunctionSet;
use crate::catalog::{
    Catalog, Described, answers, collect, functions as catalog_functions, relations,
};
use crate::clock::now;
use crate::dataset::Dataset;
use crate::engine::OpenGeneration;
use crate::error::{Error, Result};
use crate::parameters::PARAMETERS;
use crate::records::roles::Role;
use crate::state_sql::call::RUN_BACKTEST;
use crate::state_sql::procedures::PROCEDURES;
use crate::whatif::statistics::STATISTICS;
use crate::whatif::table_functions::TABLE_FUNCTIONS;

/// The functions of an engine, as the catalog shows them.
pub fn functions(opened: &OpenGeneration) -> FunctionSet {
    let own: Vec<String> = hindsight_udfs::scalar_functions(&opened.dataset.price_book)
        .iter()
        .map(|function| function.name().to_owned())
        .chain(
            hindsight_udfs::aggregate_functions()
                .iter()
                .map(|function| function.name().to_owned()),
        )
        .chain(
            hindsight_udfs::window_functions()
                .iter()
                .map(|function| function.name().to_owned()),
        )
        .collect();
    let mut functions = collect::functions(&opened.state, |name| own.iter().any(|own| own == name));
    functions.extend(TABLE_FUNCTIONS.iter().map(|function| {
        let example = format!("select * from {}()", function.name);
        product_function(function.name, parameters(), FunctionKind::Function, example)
    }));
    functions.extend(STATISTICS.iter().map(|statistic| {
        let name = statistic.function.name;
        let own = statistic.own_arguments().into_iter();
        let own = own.map(|(name, data_type)| (Some(name.to_owned()), data_type));
        let arguments = parameters().into_iter().chain(own).collect();
        let example = format!("select * from {name}()");
        product_function(name, arguments, FunctionKind::Function, example)
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

/// Whether the engine has a function of this name.
fn has_function(state: &SessionState, name: &str) -> bool {
    state.scalar_functions().contains_key(name)
        || state.aggregate_functions().contains_key(name)
        || state.window_functions().contains_key(name)
        || state.table_functions().contains_key(name)
}

/// The first function that a statement calls and that neither the catalog has nor the engine; `None` of
/// one that reads other relations than the catalog's, of which the engine says what is not there.
fn unknown_function(
    is_of_engine: &dyn Fn(&str) -> bool,
    statement: &SqlStatement,
) -> Option<String> {
    struct Unknown<'f>(&'f dyn Fn(&str) -> bool, Option<String>);
    impl Visitor for Unknown<'_> {
        type Break = ();

        fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
            let (schema, name) = names::schema_and_name(relation);
            match relations::find(schema.as_deref(), &name) {
                Some(_) => ControlFlow::Continue(()),
                None => ControlFlow::Break(()),
            }
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if let (Expr::Function(call), None) = (expr, &self.1) {
                let (_, name) = names::schema_and_name(&call.name);
                let is_known = !catalog_functions::named(&name).is_empty()
                    || calls::is_special(&name)
                    || (self.0)(&name);
                self.1 = (!is_known).then_some(name);
            }
            ControlFlow::Continue(())
        }
    }
    let mut unknown = Unknown(is_of_engine, None);
    let flow = visit(statement, &mut unknown);
    unknown.1.filter(|_| flow.is_continue())
}

impl CatalogSettings for Settings {
    fn show(&self, name: &str) -> Option<String> {
        self.get(&name.to_lowercase()).map(str::to_owned)
    }

    fn all(&self) -> Vec<SettingInfo> {
        let all = SETTINGS.iter().map(|setting| SettingInfo {
            name: reported_name(setting.name).into(),
            value: self.get(setting.name).unwrap_or_default().into(),
            description: setting.description.into(),
        });
        let own = self.own().map(|(name, value)| SettingInfo {
            name: name.into(),
            value: value.into(),
            description: String::new(),
        });
        all.chain(own).collect()
    }
}

impl Session {
    /// What the catalog makes of a statement, if it is one of its relations.
    pub(super) async fn describe(
        &self,
        statement: &Statement,
        given: &[Option<DataType>],
    ) -> Result<Option<(Box<SqlStatement>, Described)>> {
        let Statement::Statement(statement) = statement else {
            return Ok(None);
        };
        let opened = self.opened();
        let is_of_engine = |name: &str| has_function(&opened.state, name);
        if !answers::is_catalogs(&is_of_engine, statement) {
            return Ok(None);
        }
        let described = self.catalog(None).await?.describe(statement, given)?;
        Ok(Some((statement.clone(), described)))
    }

    /// What the catalog makes of a statement that reads nothing, and that the engine cannot plan.
    pub(super) async fn describe_constant(
        &self,
        statement: &Statement,
        given: &[Option<DataType>],
    ) -> Option<(Box<SqlStatement>, Described)> {
        let Statement::Statement(statement) = statement else {
            return None;
        };
        let opened = self.opened();
        let is_of_engine = |name: &str| has_function(&opened.state, name);
        if !answers::reads_nothing(&is_of_engine, statement) {
            return None;
        }
        let described = self.catalog(None).await.ok()?.describe(statement, given);
        Some((statement.clone(), described.ok()?))
    }

    /// The function that a statement calls and that is nowhere, where the engine misses another thing
    /// first, which the catalog has.
    pub(super) fn unknown_function(&self, statement: &Statement, missed: &Error) -> Option<Error> {
        let Statement::Statement(statement) = statement else {
            return None;
        };
        let opened = self.opened();
        let is_of_engine = |name: &str| has_function(&opened.state, name);
        let name = unknown_function(&is_of_engine, statement)?;
        let is_said = missed.to_string().contains(&name);
        (!is_said).then(|| Error::session_hint(
            "42883",
            format!("function {name} does not exist"),
            "select routine_name, syntax_example from information_schema.routines lists what there is",
        ))
    }

    /// A prepared statement that the catalog answers.
    pub(super) fn described(
        prepared: Prepared,
        statement: Box<SqlStatement>,
        described: Described,
    ) -> Prepared {
        let parameters = described.parameters.iter();
        Prepared {
            verb: "SELECT",
            parameters: parameters
                .map(|field| Some(field.data_type().clone()))
                .collect(),
            parameter_fields: Some(described.parameters.into()),
            work: Work::Catalog(statement),
            schema: Some(described.schema),
            ..prepared
        }
    }

    /// Has the catalog answer a statement.
    pub(super) async fn ask_catalog(
        &self,
        statement: &SqlStatement,
        values: Vec<ScalarValue>,
    ) -> Result<Outcome> {
        /// A query that nobody waits for any more stops.
        struct Awaited(Stop);
        impl Drop for Awaited {
            fn drop(&mut self) {
                self.0.stop();
            }
        }
        let stop = self.under_way.begin();
        let awaited = Awaited(stop.clone());
        let catalog = self.catalog(Some(stop.clone())).await?;
        let statement = statement.clone();
        // Tiny as it mostly is, a query may as well join the catalog with itself.
        let running = tokio::task::spawn_blocking(move || {
            guard::call(&stop, || {
                let batch = catalog.query(&statement, &values)?;
                Ok((batch, catalog.take_changes()))
            })
        });
        let (batch, changes) = running.await.map_err(|_| Error::Cancelled)??;
        drop(awaited);
        for change in changes {
            let name = change.name.to_lowercase();
            self.set(&name, Some(&change.value), change.is_local)?;
        }
        let schema: SchemaRef = batch.schema();
        let rows = stream::iter([Ok(batch)]);
        let rows = RecordBatchStreamAdapter::new(schema, rows);
        Ok(Outcome::Rows(Box::pin(rows)))
    }

    /// The catalog as it is now.
    async fn catalog(&self, stop: Option<Stop>) -> Result<Catalog> {
        let state = self.context.state();
        let mut tables = collect::tables(&state, DATABASE, SCHEMA).await?;
        let opened = self.opened();
        for table in &mut tables {
            let is_own = self.tables.is_own(&table.name);
            describe(table, is_own);
            if !is_own && let Some((rows, bytes)) = size(&opened.dataset, &table.name) {
                (table.rows, table.bytes) = (Some(rows), Some(bytes));
            }
        }
        let mut roles: Vec<RoleInfo> = Vec::new();
        for role in Role::ALL {
            roles.push(RoleInfo {
                name: role.name().into(),
                can_login: false,
                is_superuser: false,
                member_of: Vec::new(),
            });
        }
        let mut users: Vec<(String, Role)> = vec![(self.user().into(), self.role())];
        users.extend(
            self.workspace
                .store()
                .users()
                .await?
                .into_iter()
                .map(|user| (user.name, user.role)),
        );
        for (name, role) in users {
            if roles.iter().all(|known| known.name != name) {
                roles.push(RoleInfo {
                    name,
                    can_login: true,
                    is_superuser: false,
                    member_of: vec![role.name().into()],
                });
            }
        }
        let settings = self.settings().clone();
        let activity = self.workspace.activity();
        Ok(Catalog::new(CatalogInput {
            database: DATABASE.into(),
            user: self.user().into(),
            backend_pid: self.pid,
            tables,
            functions: Arc::clone(self.opened().functions(functions)),
            roles,
            sessions: activity.sessions_for(self.user(), self.role() >= Role::Operator),
            settings: &settings,
            started: activity.started,
            now: now(),
            is_cancelled: stop.map(|stop| Box::new(move || stop.is_stopped()) as _),
            deadline: None,
        }))
    }
}

/// How many rows and bytes a data table has.
fn size(dataset: &Dataset, table: &str) -> Option<(usize, usize)> {
    let of_batch = |batch: &RecordBatch| (batch.num_rows(), batch.get_array_memory_size());
    Some(match table {
        "signals" => of_batch(&dataset.signals),
        "trade_outcomes" => of_batch(&dataset.trade_outcomes),
        "data_quality" => of_batch(&dataset.data_quality),
        "token_prices" => {
            let rows = dataset.price_book.price_count();
            // Of each an instant and a price.
            (rows, rows.saturating_mul(16))
        }
        _ => return None,
    })
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

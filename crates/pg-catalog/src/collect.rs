//! The tables and functions of a DataFusion session, as a catalog takes them.

use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::datasource::TableType;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Documentation, Signature, TypeSignature};

use super::input::{FunctionInfo, FunctionKind, TableInfo, TableKind};

/// The schema of functions that come with the engine's own language.
const LANGUAGE: &str = "pg_catalog";

/// The tables of a schema, all of which are shown. What only a caller knows, such as comments and
/// keys, is left empty.
pub async fn tables(state: &SessionState, catalog: &str, schema: &str) -> Result<Vec<TableInfo>> {
    let provider = state.catalog_list().catalog(catalog);
    let Some(provider) = provider.and_then(|catalog| catalog.schema(schema)) else {
        return Ok(Vec::new());
    };
    let mut tables = Vec::new();
    for name in provider.table_names() {
        if let Some(table) = provider.table(&name).await? {
            tables.push(of_table(schema, name, &*table));
        }
    }
    Ok(tables)
}

fn of_table(schema: &str, name: String, table: &dyn TableProvider) -> TableInfo {
    let exact = |count: fn(&Statistics) -> &Precision<usize>| {
        let statistics = table.statistics()?;
        count(&statistics).get_value().copied()
    };
    TableInfo {
        schema: schema.to_owned(),
        name,
        kind: match table.table_type() {
            TableType::View => TableKind::View,
            TableType::Base => TableKind::Table,
            TableType::Temporary => TableKind::TemporaryTable,
        },
        columns: table.schema(),
        comment: None,
        definition: table
            .get_table_definition()
            .and_then(query_of)
            .map(str::to_owned),
        rows: exact(|statistics| &statistics.num_rows),
        bytes: exact(|statistics| &statistics.total_byte_size),
        key: Vec::new(),
        is_writable: false,
    }
}

/// The query of `CREATE VIEW … AS query`.
fn query_of(definition: &str) -> Option<&str> {
    let upper = definition.to_ascii_uppercase();
    let at = upper.find(" AS ")?;
    definition.get(at + 4..).map(str::trim)
}

/// The scalar, aggregate and window functions of a session, under the schema `public` where
/// `is_own` says so; of overloads the first.
pub fn functions(state: &SessionState, is_own: impl Fn(&str) -> bool) -> Vec<FunctionInfo> {
    let mut functions = Vec::new();
    let schema = |name: &str| if is_own(name) { "public" } else { LANGUAGE };
    let mut add = |name: &str,
                   kind: FunctionKind,
                   signature: &Signature,
                   documentation: Option<&Documentation>,
                   result: &dyn Fn(&[DataType]) -> Option<DataType>| {
        let overloads = signature.type_signature.get_example_types();
        let types = overloads.into_iter().next().unwrap_or_default();
        // Of no types a result cannot be asked for.
        let result = match types.is_empty() {
            true => None,
            false => result(&types),
        };
        let result = result.unwrap_or(DataType::Utf8);
        let names = documentation.and_then(|of| of.arguments.as_ref());
        let arguments = types.into_iter().enumerate().map(|(position, of)| {
            let name = names.and_then(|names| names.get(position));
            (name.map(|(name, _)| name.clone()), of)
        });
        functions.push(FunctionInfo {
            schema: schema(name).to_owned(),
            name: name.to_owned(),
            arguments: arguments.collect(),
            is_variadic: matches!(
                signature.type_signature,
                TypeSignature::Variadic(_) | TypeSignature::VariadicAny
            ),
            result,
            returns_rows: false,
            kind,
            description: documentation.map(|of| of.description.clone()),
            example: documentation.map(|of| of.syntax_example.clone()),
        });
    };
    for (name, function) in state.scalar_functions() {
        let result = |types: &[DataType]| function.return_type(types).ok();
        let documentation = function.documentation();
        add(
            name,
            FunctionKind::Function,
            function.signature(),
            documentation,
            &result,
        );
    }
    for (name, function) in state.aggregate_functions() {
        let result = |types: &[DataType]| function.return_type(types).ok();
        let documentation = function.documentation();
        add(
            name,
            FunctionKind::Aggregate,
            function.signature(),
            documentation,
            &result,
        );
    }
    for name in state.udwfs() {
        if let Ok(function) = state.udwf(&name) {
            let documentation = function.documentation();
            let signature = function.signature();
            add(
                &name,
                FunctionKind::Window,
                signature,
                documentation,
                &|_| None,
            );
        }
    }
    functions.sort_by(|a, b| a.name.cmp(&b.name));
    functions
}

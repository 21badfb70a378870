//! Which statements are the catalog's.
//!
//! A query is, when every relation in it is one of the catalog's and it calls only what the
//! catalog knows; a query without relations is, when it needs the catalog: a function of it, or
//! a name as an oid.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, ObjectName, Query, Statement, TableFactor, Visitor,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use sql_visit::visit;

use super::cast::failure;
use super::functions;
use super::interpret::operators::keyword;
use super::interpret::{MOST_NESTED, calls, names};
use super::relations;
use super::types;
use crate::error::Result;

/// Whether a statement is one for the catalog of an engine that has the functions of these names.
pub fn is_catalogs(is_of_engine: &dyn Fn(&str) -> bool, statement: &Statement) -> bool {
    let Statement::Query(query) = statement else {
        return false;
    };
    let mut found = Found::new(is_of_engine);
    let flow = visit(query, &mut found);
    flow.is_continue() && (found.has_relation || found.needs_catalog)
}

/// Whether a query reads no relation, nor rows of a function, and calls what the catalog knows.
pub fn reads_nothing(is_of_engine: &dyn Fn(&str) -> bool, statement: &Statement) -> bool {
    let Statement::Query(query) = statement else {
        return false;
    };
    let mut found = Found::new(is_of_engine);
    let flow = visit(query, &mut found);
    flow.is_continue() && !found.has_relation && !found.has_function_rows
}

/// A query of one of the catalog's own views.
pub fn parse_query(sql: &str) -> Result<Box<Query>> {
    let statements = Parser::parse_sql(&PostgreSqlDialect {}, sql);
    match statements.map(|statements| statements.into_iter().next()) {
        Ok(Some(Statement::Query(query))) => Ok(query),
        _ => Err(failure("42601", "a query was expected")),
    }
}

struct Found<'f> {
    is_of_engine: &'f dyn Fn(&str) -> bool,
    ctes: Vec<String>,
    has_relation: bool,
    /// A function stands where a table could.
    has_function_rows: bool,
    needs_catalog: bool,
    depth: usize,
}

impl<'f> Found<'f> {
    fn new(is_of_engine: &'f dyn Fn(&str) -> bool) -> Self {
        Self {
            is_of_engine,
            ctes: Vec::new(),
            has_relation: false,
            has_function_rows: false,
            needs_catalog: false,
            depth: 0,
        }
    }

    fn nested(&mut self) -> ControlFlow<()> {
        self.depth += 1;
        match self.depth > 4 * MOST_NESTED {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn call(&mut self, name: &ObjectName) -> ControlFlow<()> {
        let (schema, name) = names::schema_and_name(name);
        let is_known = !functions::named(&name).is_empty() || calls::is_special(&name);
        if !is_known {
            return ControlFlow::Break(());
        }
        // What DataFusion has too is no reason; its version is not what clients ask for.
        let is_shared = calls::is_special(&name) && name != "row" && name != "pg_typeof"
            || (self.is_of_engine)(&name) && name != "version"
            || functions::is_set(&name) && !is_of_postgres(&name);
        self.needs_catalog |= !is_shared || schema.as_deref() == Some("pg_catalog");
        ControlFlow::Continue(())
    }
}

/// Whether rows of this name are PostgreSQL's own affairs, of which nobody else knows.
fn is_of_postgres(name: &str) -> bool {
    name.trim_start_matches('_').starts_with("pg_") || name == "aclexplode"
}

impl Visitor for Found<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.ctes.push(names::ident(&cte.alias.name));
        }
        self.nested()
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                name,
                args: Some(_),
                ..
            }
            | TableFactor::Function { name, .. } => {
                self.has_function_rows = true;
                self.call(name)
            }
            TableFactor::Table { name, .. } => {
                let (schema, name) = names::schema_and_name(name);
                if schema.is_none() && self.ctes.contains(&name) {
                    return ControlFlow::Continue(());
                }
                match relations::find(schema.as_deref(), &name) {
                    Some(_) => {
                        self.has_relation = true;
                        ControlFlow::Continue(())
                    }
                    None => ControlFlow::Break(()),
                }
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(call) => self.call(&call.name)?,
            // What is a function and looks like a column.
            Expr::Identifier(name) if name.quote_style.is_none() => {
                let name = name.value.to_ascii_lowercase();
                self.needs_catalog |= keyword(&name).is_some();
            }
            Expr::Cast { data_type, .. } => {
                let is_reg = match data_type {
                    DataType::Regclass => true,
                    DataType::Custom(..) => names::data_type(data_type).is_ok_and(|of| {
                        let element = types::element(of.oid).unwrap_or(of.oid);
                        types::is_oid(element)
                    }),
                    _ => false,
                };
                self.needs_catalog |= is_reg;
            }
            _ => {}
        }
        self.nested()
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

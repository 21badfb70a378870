//! Functions as `pg_proc` has them: those of the engine, of the catalog, and those by which types
//! are read and written.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, OnceLock};

use super::{OWNER, Shape, find, hash, namespace_oid};
use crate::Catalog;
use crate::arrow::type_of;
use crate::functions::text::{quote_ident, quote_literal};
use crate::functions::{self, Body};
use crate::input::{FunctionInfo, FunctionKind};
use crate::interpret::{Row, Table, names};
use crate::types::{self, oid};
use crate::value::Value;

/// Where the oids of functions begin that are not PostgreSQL's.
const FIRST_OID: i64 = 1 << 30;

/// A row of `pg_proc`.
#[derive(Debug)]
pub struct FunctionRow {
    pub oid: i64,
    pub namespace: i64,
    pub name: String,
    pub arguments: Vec<(Option<String>, u32)>,
    pub is_variadic: bool,
    pub result: u32,
    pub returns_rows: bool,
    /// `f`, `a`, `w` or `p`.
    pub kind: char,
    pub is_strict: bool,
    pub is_internal: bool,
    pub description: Option<String>,
    pub example: Option<String>,
}

impl FunctionRow {
    /// The types of the arguments, as in `regprocedure`.
    pub fn argument_types(&self) -> String {
        let types = self.arguments.iter();
        let types = types.map(|(_, of)| types::format(*of, -1).unwrap_or_else(|| "???".into()));
        types.collect::<Vec<_>>().join(",")
    }
}

/// All functions, made once and shared by the catalogs of a server.
#[derive(Debug)]
pub struct FunctionSet {
    all: Vec<FunctionRow>,
    by_oid: HashMap<i64, usize>,
    /// The names of the engine's.
    of_engine: HashSet<String>,
    table: OnceLock<Arc<Table>>,
}

struct Fact {
    oid: i64,
    name: &'static str,
    result: u32,
    arguments: Vec<u32>,
}

/// The functions of types: oid, name, number of arguments, result, arguments.
static FACTS: LazyLock<Vec<Fact>> = LazyLock::new(|| {
    let lines = include_str!("../facts/pg_proc.tsv").lines();
    let facts = lines.filter_map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let arguments = cells.get(4)?.split_whitespace();
        Some(Fact {
            oid: cells.first()?.parse().ok()?,
            name: cells.get(1)?,
            result: cells.get(3)?.parse().ok()?,
            arguments: arguments.filter_map(|of| of.parse().ok()).collect(),
        })
    });
    facts.collect()
});

/// The oid of a function of a type, by its name.
pub fn fact_oid(name: &str) -> i64 {
    let fact = FACTS.iter().find(|fact| fact.name == name);
    fact.map_or(0, |fact| fact.oid)
}

impl FunctionSet {
    /// The functions of an engine, and the catalog's own.
    pub fn new(of_engine: Vec<FunctionInfo>) -> Self {
        let mut rows: Vec<FunctionRow> = FACTS.iter().map(of_type).collect();
        let mut known: HashSet<String> = HashSet::new();
        for info in of_engine {
            known.insert(info.name.clone());
            // Arguments that are typed by a function's own rules are nowhere but in the catalog's overloads.
            let overloads = match info.kind {
                FunctionKind::Function if info.arguments.is_empty() => functions::named(&info.name),
                _ => &[],
            };
            if overloads.is_empty() {
                rows.push(of_info(info));
                continue;
            }
            rows.extend(overloads.iter().map(|overload| FunctionRow {
                description: info.description.clone(),
                example: info.example.clone(),
                ..of_catalog(overload)
            }));
        }
        let mut own: Vec<&functions::Function> = functions::all().collect();
        own.sort_by_key(|function| (function.name, function.parameters.clone()));
        let is_new = |function: &&functions::Function| {
            let is_name = function
                .name
                .starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
            is_name && !function.name.contains(' ') && !known.contains(function.name)
        };
        rows.extend(own.into_iter().filter(is_new).map(of_catalog));
        let mut by_oid = HashMap::new();
        for (position, row) in rows.iter_mut().enumerate() {
            if row.oid == 0 {
                let signature = row.argument_types();
                let mut place = i64::from(hash(&[&row.name, &signature]) % (1 << 29));
                while by_oid.contains_key(&(FIRST_OID + place)) {
                    place = (place + 1) % (1 << 29);
                }
                row.oid = FIRST_OID + place;
            }
            by_oid.insert(row.oid, position);
        }
        Self {
            all: rows,
            by_oid,
            of_engine: known,
            table: OnceLock::new(),
        }
    }

    /// Whether the engine has a function of this name.
    pub fn is_of_engine(&self, name: &str) -> bool {
        self.of_engine.contains(name)
    }

    pub fn all(&self) -> &[FunctionRow] {
        &self.all
    }

    pub fn get(&self, oid: i64) -> Option<&FunctionRow> {
        self.by_oid
            .get(&oid)
            .and_then(|position| self.all.get(*position))
    }

    /// The oid of a function by its name, in any schema where none is given.
    pub fn by_name(&self, schema: Option<&str>, name: &str) -> Option<i64> {
        let namespace = schema.and_then(namespace_oid);
        let mut rows = self.all.iter();
        let row = rows.find(|row| {
            row.name == name && (schema.is_none() || namespace == Some(row.namespace))
        })?;
        Some(row.oid)
    }

    /// The oid of a function by `name(type, type)`.
    pub fn by_signature(&self, text: &str) -> Option<i64> {
        let (name, arguments) = text.trim().strip_suffix(')')?.split_once('(')?;
        let (schema, name) = match name.trim().split_once('.') {
            Some((schema, name)) => (Some(schema), name),
            None => (None, name.trim()),
        };
        let arguments = arguments.split(',').filter(|of| !of.trim().is_empty());
        let arguments = arguments.map(|of| names::named(&of.trim().to_lowercase()));
        let arguments = arguments.map(|of| of.map(|of| of.oid));
        let arguments = arguments.collect::<Option<Vec<u32>>>()?;
        let namespace = schema.and_then(namespace_oid);
        let mut rows = self.all.iter();
        let row = rows.find(|row| {
            row.name == name.trim_matches('"')
                && (schema.is_none() || namespace == Some(row.namespace))
                && row
                    .arguments
                    .iter()
                    .map(|(_, of)| *of)
                    .eq(arguments.iter().copied())
        })?;
        Some(row.oid)
    }

    pub fn table(&self) -> Arc<Table> {
        let table = self.table.get_or_init(|| {
            let Some(known) = find(None, "pg_proc").map(super::facts) else {
                return Arc::new(Table::new(Vec::new(), 0));
            };
            let shape = Shape::of(known);
            let rows = self.all.iter().map(|row| row_of(&shape, row));
            Arc::new(Table::new(rows.collect(), known.columns.len()))
        });
        Arc::clone(table)
    }

    pub fn aggregates(&self, shape: &Shape) -> Vec<Row> {
        let aggregates = self.all.iter().filter(|row| row.kind == 'a');
        let aggregates = aggregates.map(|row| {
            shape.row([
                ("aggfnoid", Value::Int(row.oid)),
                ("aggkind", Value::text("n")),
                ("aggtranstype", Value::Int(i64::from(oid::TEXT))),
                ("aggfinalmodify", Value::text("r")),
                ("aggmfinalmodify", Value::text("r")),
            ])
        });
        aggregates.collect()
    }
}

fn row_of(shape: &Shape, row: &FunctionRow) -> Row {
    let oids = || {
        row.arguments
            .iter()
            .map(|(_, of)| Value::Int(i64::from(*of)))
    };
    let has_names = row.arguments.iter().any(|(name, _)| name.is_some());
    let names = row
        .arguments
        .iter()
        .map(|(name, _)| name.as_deref().unwrap_or(""));
    let variadic = match row.arguments.last() {
        Some((_, last)) if row.is_variadic => types::element(*last).unwrap_or(oid::ANY),
        _ => 0,
    };
    shape.row([
        ("oid", Value::Int(row.oid)),
        ("proname", Value::text(&row.name)),
        ("pronamespace", Value::Int(row.namespace)),
        ("proowner", Value::Int(OWNER)),
        ("prolang", Value::Int(12)),
        ("procost", Value::Float(1.0)),
        (
            "prorows",
            Value::Float(if row.returns_rows { 1000.0 } else { 0.0 }),
        ),
        ("provariadic", Value::Int(i64::from(variadic))),
        ("prokind", Value::text(row.kind.to_string())),
        ("proisstrict", Value::Bool(row.is_strict)),
        ("proretset", Value::Bool(row.returns_rows)),
        (
            "provolatile",
            Value::text(if row.kind == 'p' { "v" } else { "i" }),
        ),
        ("proparallel", Value::text("s")),
        (
            "pronargs",
            Value::Int(i64::try_from(row.arguments.len()).unwrap_or(0)),
        ),
        ("prorettype", Value::Int(i64::from(row.result))),
        ("proargtypes", Value::vector(oids().collect())),
        (
            "proargnames",
            if has_names {
                Value::texts(names)
            } else {
                Value::Null
            },
        ),
        ("prosrc", Value::text(&row.name)),
    ])
}

fn of_type(fact: &Fact) -> FunctionRow {
    FunctionRow {
        oid: fact.oid,
        namespace: 11,
        name: fact.name.to_owned(),
        arguments: fact.arguments.iter().map(|of| (None, *of)).collect(),
        is_variadic: false,
        result: fact.result,
        returns_rows: false,
        kind: 'f',
        is_strict: true,
        is_internal: true,
        description: None,
        example: None,
    }
}

fn of_info(info: FunctionInfo) -> FunctionRow {
    let arguments = info.arguments.into_iter();
    let arguments = arguments.map(|(name, of)| (name, type_of(&of).oid));
    FunctionRow {
        oid: 0,
        namespace: namespace_oid(&info.schema).unwrap_or(2200),
        name: info.name,
        arguments: arguments.collect(),
        is_variadic: info.is_variadic,
        result: type_of(&info.result).oid,
        returns_rows: info.returns_rows,
        kind: match info.kind {
            FunctionKind::Function => 'f',
            FunctionKind::Aggregate => 'a',
            FunctionKind::Window => 'w',
            FunctionKind::Procedure => 'p',
        },
        is_strict: false,
        is_internal: false,
        description: info.description,
        example: info.example,
    }
}

fn of_catalog(function: &functions::Function) -> FunctionRow {
    let arguments = function.parameters.iter().map(|of| match *of {
        functions::TEXT_OF_ANY | functions::JSON_OF_ANY => (None, oid::ANY),
        functions::TEXTS_OF_ANY => (None, oid::ANYARRAY),
        of => (None, of),
    });
    FunctionRow {
        oid: 0,
        namespace: 11,
        name: function.name.to_owned(),
        arguments: arguments.collect(),
        is_variadic: function.is_variadic,
        result: function.result,
        returns_rows: matches!(function.body, Body::Set(..)),
        kind: 'f',
        is_strict: function.is_strict,
        is_internal: true,
        description: None,
        example: None,
    }
}

impl Catalog {
    pub fn function_namespace(&self, of: i64) -> Option<i64> {
        self.functions.get(of).map(|function| function.namespace)
    }

    pub fn function_arguments(&self, of: i64) -> Option<String> {
        let function = self.functions.get(of)?;
        let last = function.arguments.len().saturating_sub(1);
        let arguments = function
            .arguments
            .iter()
            .enumerate()
            .map(|(position, (name, of))| {
                let mode = if function.is_variadic && position == last {
                    "VARIADIC "
                } else {
                    ""
                };
                let name = name
                    .as_deref()
                    .map(|name| quote_ident(name) + " ")
                    .unwrap_or_default();
                let of = types::format(*of, -1).unwrap_or_else(|| "???".into());
                format!("{mode}{name}{of}")
            });
        Some(arguments.collect::<Vec<_>>().join(", "))
    }

    pub fn function_result(&self, of: i64) -> Option<String> {
        let function = self
            .functions
            .get(of)
            .filter(|function| function.kind != 'p')?;
        let result = types::format(function.result, -1).unwrap_or_else(|| "???".into());
        Some(match function.returns_rows {
            true => format!("SETOF {result}"),
            false => result,
        })
    }

    /// An example of a call.
    pub fn function_example(&self, of: i64) -> Option<String> {
        self.functions.get(of)?.example.clone()
    }

    pub fn function_definition(&self, of: i64) -> Option<String> {
        let function = self.functions.get(of)?;
        let schema = super::namespace_name(function.namespace)?;
        let kind = if function.kind == 'p' {
            "PROCEDURE"
        } else {
            "FUNCTION"
        };
        let result = self.function_result(of);
        let returns = result
            .map(|result| format!("\n RETURNS {result}"))
            .unwrap_or_default();
        Some(format!(
            "CREATE OR REPLACE {kind} {schema}.{}({}){returns}\n LANGUAGE internal\nAS {}\n",
            quote_ident(&function.name),
            self.function_arguments(of)?,
            quote_literal(&function.name)
        ))
    }
}

//! The relations of the catalog: their columns as PostgreSQL 15 has them, and where their rows
//! come from.
//!
//! `facts/relations.tsv` lists them. The rows of a relation are a file of facts (types, casts …),
//! made of what there is ([`tables`], [`functions`], [`server`]), a view in `views.sql`, or none.

pub mod functions;
pub mod server;
pub mod tables;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

use datafusion::sql::sqlparser::ast::Query;

use super::cast::{self, failure};
use super::interpret::bind::Binder;
use super::interpret::run::Context;
use super::interpret::{Column, Row, Table};
use super::types::{self, Type, oid};
use super::value::Value;
use super::{Catalog, answers};
use crate::error::Result;

/// The oid of the schema `pg_catalog`.
pub const PG_CATALOG: u32 = 11;
/// The role that owns everything.
pub const OWNER: i64 = 10;
pub const OWNER_NAME: &str = "hindsight";

const NAMESPACES: [(i64, &str); 3] = [
    (11, "pg_catalog"),
    (2200, "public"),
    (13_207, "information_schema"),
];

/// A relation of the catalog.
#[derive(Debug)]
pub struct RelationFacts {
    pub schema: &'static str,
    pub name: &'static str,
    pub oid: u32,
    /// `r` or `v`, as in `pg_class`.
    pub kind: char,
    pub columns: Vec<Column>,
    pub not_null: Vec<bool>,
}

static RELATIONS: LazyLock<Vec<RelationFacts>> = LazyLock::new(|| {
    let lines = include_str!("../facts/relations.tsv").lines();
    let mut relations: Vec<RelationFacts> = lines.filter_map(relation).collect();
    for relation in &mut relations {
        // A function's documentation is where clients look for functions.
        if (relation.schema, relation.name) == ("information_schema", "routines") {
            for name in ["description", "syntax_example"] {
                relation.columns.push(Column {
                    name: name.to_owned(),
                    data_type: Type::of(oid::TEXT),
                });
                relation.not_null.push(false);
            }
        }
    }
    relations
});

fn relation(line: &'static str) -> Option<RelationFacts> {
    let mut cells = line.split('\t');
    let (schema, name) = (cells.next()?, cells.next()?);
    let oid = cells.next()?.parse().ok()?;
    let kind = cells.next()?.chars().next()?;
    let (mut columns, mut not_null) = (Vec::new(), Vec::new());
    for column in cells.next()?.split(',') {
        let (name, data_type) = column.split_once(' ')?;
        let (data_type, is_not_null) = match data_type.strip_suffix('!') {
            Some(data_type) => (data_type, true),
            None => (data_type, false),
        };
        columns.push(Column {
            name: name.to_owned(),
            data_type: Type::of(types::by_name(data_type).unwrap_or(oid::TEXT)),
        });
        not_null.push(is_not_null);
    }
    Some(RelationFacts {
        schema,
        name,
        oid,
        kind,
        columns,
        not_null,
    })
}

static POSITIONS: LazyLock<HashMap<(&str, &str), usize>> = LazyLock::new(|| {
    let relations = RELATIONS.iter().enumerate();
    relations
        .map(|(position, of)| ((of.schema, of.name), position))
        .collect()
});

/// Every relation of the catalog.
pub fn all() -> &'static [RelationFacts] {
    &RELATIONS
}

static BY_OID: LazyLock<HashMap<i64, usize>> = LazyLock::new(|| {
    let relations = RELATIONS.iter().enumerate();
    relations
        .map(|(position, of)| (i64::from(of.oid), position))
        .collect()
});

/// A relation by its oid.
pub fn by_oid(oid: i64) -> Option<&'static RelationFacts> {
    BY_OID.get(&oid).map(|position| facts(*position))
}

/// The position of a relation; without a schema only those of `pg_catalog` are found.
pub fn find(schema: Option<&str>, name: &str) -> Option<usize> {
    POSITIONS
        .get(&(schema.unwrap_or("pg_catalog"), name))
        .copied()
}

static NO_FACTS: LazyLock<RelationFacts> = LazyLock::new(|| RelationFacts {
    schema: "",
    name: "",
    oid: 0,
    kind: 'r',
    columns: Vec::new(),
    not_null: Vec::new(),
});

pub fn facts(position: usize) -> &'static RelationFacts {
    RELATIONS.get(position).unwrap_or(&NO_FACTS)
}

pub fn namespace_oid(name: &str) -> Option<i64> {
    let mut known = NAMESPACES.iter();
    known.find(|(_, known)| *known == name).map(|(oid, _)| *oid)
}

pub fn namespace_name(oid: i64) -> Option<&'static str> {
    let mut known = NAMESPACES.iter();
    known
        .find(|(known, _)| *known == oid)
        .map(|(_, name)| *name)
}

/// A number that a name always has: FNV-1a.
pub fn hash(parts: &[&str]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// The oid of a role; roles have their own range.
pub fn role_oid(name: &str) -> i64 {
    (3 << 29) + i64::from(hash(&[name]) % (1 << 29))
}

static KEYWORDS: LazyLock<Vec<[&'static str; 3]>> = LazyLock::new(|| {
    let lines = include_str!("../facts/keywords.tsv").lines();
    let words = lines.filter_map(|line| {
        let mut cells = line.split('\t');
        Some([cells.next()?, cells.next()?, cells.next()?])
    });
    words.collect()
});

/// Whether an identifier of this name must be quoted.
pub fn is_reserved(name: &str) -> bool {
    let found = KEYWORDS.binary_search_by(|[word, ..]| (*word).cmp(name));
    found
        .ok()
        .and_then(|position| KEYWORDS.get(position))
        .is_some_and(|[_, category, _]| *category != "U")
}

/// The rows of `pg_get_keywords()`.
pub fn keywords() -> Vec<Vec<Value>> {
    let words = KEYWORDS.iter().map(|[word, category, bare]| {
        let description = match *category {
            "U" => "unreserved",
            "C" => "unreserved (cannot be function or type name)",
            "T" => "reserved (can be function or type name)",
            _ => "reserved",
        };
        let is_bare = *bare == "t";
        vec![
            Value::text(word),
            Value::text(category),
            Value::Bool(is_bare),
            Value::text(description),
            Value::text(if is_bare {
                "can be bare label"
            } else {
                "requires AS"
            }),
        ]
    });
    words.collect()
}

/// Rows of a relation from values by name; what is left out is null, or zero where null is not
/// allowed.
pub struct Shape {
    facts: &'static RelationFacts,
    defaults: Vec<Value>,
}

impl Shape {
    pub fn of(facts: &'static RelationFacts) -> Self {
        let columns = facts.columns.iter().zip(&facts.not_null);
        let defaults = columns.map(|(column, is_not_null)| match is_not_null {
            false => Value::Null,
            true => match types::base(column.data_type.oid) {
                oid::BOOL => Value::Bool(false),
                oid::FLOAT4 | oid::FLOAT8 => Value::Float(0.0),
                of if types::is_text(of) => Value::text(""),
                oid::INT2VECTOR | oid::OIDVECTOR => Value::vector(Vec::new()),
                _ => Value::Int(0),
            },
        });
        Self {
            facts,
            defaults: defaults.collect(),
        }
    }

    pub fn row<const N: usize>(&self, values: [(&str, Value); N]) -> Row {
        let mut row = self.defaults.clone();
        for (name, value) in values {
            let columns = self.facts.columns.iter();
            let place = columns
                .zip(&mut row)
                .find(|(column, _)| column.name == name);
            debug_assert!(place.is_some(), "{} has no {name}", self.facts.name);
            if let Some((_, place)) = place {
                *place = value;
            }
        }
        row.into()
    }
}

/// The relations whose rows are facts: the same for every catalog.
fn fixed(name: &str) -> Option<&'static str> {
    Some(match name {
        "pg_type" => types::PG_TYPE,
        "pg_am" => include_str!("../facts/pg_am.tsv"),
        "pg_cast" => include_str!("../facts/pg_cast.tsv"),
        "pg_collation" => include_str!("../facts/pg_collation.tsv"),
        "pg_language" => include_str!("../facts/pg_language.tsv"),
        "pg_opclass" => include_str!("../facts/pg_opclass.tsv"),
        "pg_opfamily" => include_str!("../facts/pg_opfamily.tsv"),
        "pg_range" => include_str!("../facts/pg_range.tsv"),
        "pg_tablespace" => include_str!("../facts/pg_tablespace.tsv"),
        "pg_timezone_abbrevs" => include_str!("../facts/pg_timezone_abbrevs.tsv"),
        "pg_timezone_names" => include_str!("../facts/timezones.tsv"),
        _ => return None,
    })
}

static FIXED: LazyLock<Vec<OnceLock<Arc<Table>>>> =
    LazyLock::new(|| RELATIONS.iter().map(|_| OnceLock::new()).collect());

/// The views: name and query.
static VIEWS: LazyLock<HashMap<(&str, &str), Box<Query>>> = LazyLock::new(|| {
    let views = include_str!("views.sql").split("\n-- view ").skip(1);
    let views = views.filter_map(|view| {
        let (name, query) = view.split_once('\n')?;
        let query = answers::parse_query(query).ok()?;
        Some((name.trim().split_once('.')?, query))
    });
    views.collect()
});

/// The query of a view.
pub fn view(known: &RelationFacts) -> Option<&'static Query> {
    VIEWS.get(&(known.schema, known.name)).map(|query| &**query)
}

impl Catalog {
    /// The position of a relation of the catalog.
    pub fn relation(&self, schema: Option<&str>, name: &str) -> Option<usize> {
        find(schema, name)
    }

    pub fn relation_facts(&self, position: usize) -> &'static RelationFacts {
        facts(position)
    }

    /// About how many rows a relation has, for the order of joins.
    pub fn relation_size(&self, position: usize) -> usize {
        if let Some(table) = self.kept.get(position).and_then(OnceLock::get) {
            return table.rows.len();
        }
        match facts(position).name {
            "pg_attribute" | "columns" => 2_000,
            "pg_proc" | "routines" | "pg_description" => 1_000,
            "pg_class" | "pg_type" | "pg_settings" | "tables" => 300,
            _ => 20,
        }
    }

    /// The rows of a relation.
    pub fn table(&self, position: usize) -> Result<Arc<Table>> {
        let (Some(kept), Some(fixed_place)) = (self.kept.get(position), FIXED.get(position)) else {
            return Err(failure("42P01", "the relation does not exist"));
        };
        if let Some(table) = kept.get().or_else(|| fixed_place.get()) {
            return Ok(Arc::clone(table));
        }
        let known = facts(position);
        let width = known.columns.len();
        if known.schema == "pg_catalog" {
            if let Some(text) = fixed(known.name) {
                let table = Arc::new(Table::new(self.parsed(known, text)?, width));
                return Ok(Arc::clone(fixed_place.get_or_init(|| table)));
            }
            if known.name == "pg_proc" {
                return Ok(self.functions.table());
            }
        }
        let rows = match view(known) {
            Some(view) => self.view(known, view)?,
            None => self.made(known),
        };
        let table = Arc::new(Table::new(rows, width));
        Ok(Arc::clone(kept.get_or_init(|| table)))
    }

    /// Rows in the form of `COPY`: tabs between, `\N` for null.
    fn parsed(&self, known: &RelationFacts, text: &str) -> Result<Vec<Row>> {
        let rows = text.lines().map(|line| {
            let cells = line.split('\t').zip(&known.columns);
            let cells = cells.map(|(cell, column)| match cell {
                "\\N" => Ok(Value::Null),
                // Names of functions are read before there are functions.
                cell if column.data_type.oid == oid::REGPROC => {
                    Ok(Value::Int(functions::fact_oid(cell)))
                }
                cell => cast::parse(self, cell, &column.data_type),
            });
            let mut row = cells.collect::<Result<Vec<_>>>()?;
            row.resize(known.columns.len(), Value::Null);
            Ok(row.into())
        });
        rows.collect()
    }

    fn view(&self, known: &RelationFacts, view: &Query) -> Result<Vec<Row>> {
        let query = Binder::new(self, &[]).view(view, known)?;
        Context::new(self, &[]).query(&query, None, usize::MAX)
    }

    /// Rows that are made of what there is.
    fn made(&self, known: &'static RelationFacts) -> Vec<Row> {
        if known.schema != "pg_catalog" {
            return Vec::new();
        }
        let shape = Shape::of(known);
        match known.name {
            "pg_class" => self.classes(&shape),
            "pg_attribute" => self.attributes(&shape),
            "pg_namespace" => self.namespaces(&shape),
            "pg_index" => self.indexes(&shape),
            "pg_constraint" => self.constraints(&shape),
            "pg_description" => self.descriptions(&shape),
            "pg_rewrite" => self.rules(&shape),
            "pg_aggregate" => self.functions.aggregates(&shape),
            "pg_database" => self.databases(&shape),
            "pg_roles" => self.role_rows(&shape),
            "pg_auth_members" => self.memberships(&shape),
            "pg_settings" => self.setting_rows(&shape),
            "pg_stat_activity" => self.activity(&shape),
            "pg_stat_gssapi" => self.kerberos(&shape),
            "pg_stat_ssl" => self.encryption(&shape),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_whole() {
        let lines = include_str!("../facts/relations.tsv").lines().count();
        assert_eq!(all().len(), lines);
        assert!(KEYWORDS.is_sorted());
        assert!(is_reserved("select") && !is_reserved("name"));
        let views = include_str!("views.sql").matches("\n-- view ").count();
        assert_eq!(VIEWS.len(), views);
        for view in VIEWS.keys() {
            assert!(POSITIONS.contains_key(view), "{view:?} is no relation");
        }
    }

    #[test]
    fn oids_stay_what_they_are() {
        assert_eq!(hash(&["public", "signals"]), 4_230_894_399);
    }
}

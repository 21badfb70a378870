//! Tables and views, their columns, keys and comments.

mod user_table;

use std::collections::HashSet;

use super::{OWNER, Shape, hash, namespace_oid};
use crate::arrow::type_of;
use crate::functions::text::quote_ident;
use crate::input::{COMMENT, TableInfo, TableKind};
use crate::interpret::Row;
use crate::types::{self, Type, oid};
use crate::value::Value;
use crate::{Catalog, NOT_NULL};
use user_table::OIDS_OF_A_TABLE;
pub use user_table::{Relation, UserTable, oid_of, with_oids};

fn int(value: impl TryInto<i64>) -> Value {
    value.try_into().map_or(Value::Null, Value::Int)
}

impl Catalog {
    /// The oid of the schema of temporary tables: they are in `public`.
    pub fn temporary_oid(&self) -> i64 {
        0
    }

    pub fn temporary_schema(&self) -> Option<String> {
        None
    }

    /// A relation by its oid.
    pub fn any_relation(&self, of: i64) -> Option<Relation> {
        if let Some(table) = self.user_table(of) {
            return table.relations().find(|relation| relation.oid == of);
        }
        let known = super::by_oid(of)?;
        Some(Relation {
            oid: of,
            namespace: namespace_oid(known.schema)?,
            name: known.name.to_owned(),
            kind: known.kind,
        })
    }

    /// The table that an oid is of, or belongs to.
    fn user_table(&self, of: i64) -> Option<&UserTable> {
        let mut tables = self.tables.iter();
        tables.find(|table| (table.oid..table.oid + OIDS_OF_A_TABLE).contains(&of))
    }

    pub fn is_writable(&self, of: i64) -> bool {
        self.user_table(of)
            .is_some_and(|table| table.info.is_writable)
    }

    pub fn rows_of(&self, of: i64) -> i64 {
        let rows = self.user_table(of).and_then(|table| table.info.rows);
        rows.and_then(|rows| i64::try_from(rows).ok()).unwrap_or(0)
    }

    pub fn bytes_of(&self, of: i64) -> i64 {
        let table = self.user_table(of).filter(|table| table.oid == of);
        let bytes = table.and_then(|table| table.info.bytes);
        bytes
            .and_then(|bytes| i64::try_from(bytes).ok())
            .unwrap_or(0)
    }

    pub fn all_bytes(&self) -> i64 {
        self.tables
            .iter()
            .map(|table| self.bytes_of(table.oid))
            .sum()
    }

    pub fn view_definition(&self, of: i64) -> Option<String> {
        let definition = self.user_table(of)?.info.definition.as_deref()?;
        Some(format!(" {};", definition.trim().trim_end_matches(';')))
    }

    pub fn constraint_definition(&self, of: i64) -> Option<String> {
        let table = self
            .user_table(of)
            .filter(|table| table.constraint_oid() == of)?;
        table
            .has_key()
            .then(|| format!("PRIMARY KEY ({})", table.quoted_key()))
    }

    /// An index's definition, or the name of one of its columns.
    pub fn index_definition(&self, of: i64, column: i64) -> Option<String> {
        let table = self
            .user_table(of)
            .filter(|table| table.index_oid() == of)?;
        if column > 0 {
            let column = usize::try_from(column - 1).ok()?;
            return table.info.key.get(column).map(|column| quote_ident(column));
        }
        table.has_key().then(|| {
            format!(
                "CREATE UNIQUE INDEX {} ON {}.{} USING btree ({})",
                quote_ident(&table.key_name()),
                quote_ident(&table.info.schema),
                quote_ident(&table.info.name),
                table.quoted_key()
            )
        })
    }

    /// The comment on an object, of any class where none is given.
    pub fn description(&self, class: Option<i64>, object: i64, part: i64) -> Option<String> {
        let of_table = class.is_none_or(|class| class == CLASS_OF_RELATIONS);
        if of_table && let Some(table) = self.user_table(object).filter(|t| t.oid == object) {
            return match part {
                0 => table.info.comment.clone(),
                part => {
                    let fields = table.info.columns.fields();
                    let field = usize::try_from(part - 1).ok().and_then(|p| fields.get(p))?;
                    field.metadata().get(COMMENT).cloned()
                }
            };
        }
        let of_function = class.is_none_or(|class| class == CLASS_OF_FUNCTIONS);
        let function = self
            .functions
            .get(object)
            .filter(|_| of_function && part == 0)?;
        function.description.clone()
    }

    pub fn namespaces(&self, shape: &Shape) -> Vec<Row> {
        let namespaces = super::NAMESPACES.iter().map(|(oid, name)| {
            shape.row([
                ("oid", Value::Int(*oid)),
                ("nspname", Value::text(name)),
                ("nspowner", Value::Int(OWNER)),
            ])
        });
        namespaces.collect()
    }

    pub fn classes(&self, shape: &Shape) -> Vec<Row> {
        let row = |relation: &Relation, persistence: &str, columns: usize, rows: f64| {
            let method = match relation.kind {
                'r' => 2,
                'i' => 403,
                _ => 0,
            };
            shape.row([
                ("oid", Value::Int(relation.oid)),
                ("relname", Value::text(&relation.name)),
                ("relnamespace", Value::Int(relation.namespace)),
                ("relowner", Value::Int(OWNER)),
                ("relam", Value::Int(method)),
                (
                    "relfilenode",
                    Value::Int(if method == 0 { 0 } else { relation.oid }),
                ),
                ("reltuples", Value::Float(rows)),
                ("relpersistence", Value::text(persistence)),
                ("relkind", Value::text(relation.kind.to_string())),
                ("relnatts", int(columns)),
                ("relhasrules", Value::Bool(relation.kind == 'v')),
                ("relispopulated", Value::Bool(true)),
                (
                    "relreplident",
                    Value::text(match (relation.kind, relation.namespace) {
                        ('r', 2200) => "d",
                        _ => "n",
                    }),
                ),
            ])
        };
        let mut classes = Vec::new();
        for known in super::all() {
            if let Some(relation) = self.any_relation(i64::from(known.oid)) {
                classes.push(row(&relation, "p", known.columns.len(), 0.0));
            }
        }
        let column = |name: &str| {
            let columns = &shape.facts.columns;
            columns
                .iter()
                .position(|column| column.name == name)
                .unwrap_or(0)
        };
        let has_index = column("relhasindex");
        for table in &self.tables {
            for relation in table.relations() {
                let columns = match relation.kind {
                    'i' => table.info.key.len(),
                    _ => table.info.columns.fields().len(),
                };
                let rows = match (table.info.rows, relation.kind) {
                    (Some(rows), 'r' | 'i') => rows as f64,
                    (_, 'v') => 0.0,
                    _ => -1.0,
                };
                let class = row(&relation, table.persistence(), columns, rows);
                let mut class = class.to_vec();
                if let Some(place) = class.get_mut(has_index) {
                    *place = Value::Bool(relation.kind == 'r' && table.has_key());
                }
                classes.push(class.into());
            }
        }
        classes
    }

    pub fn attributes(&self, shape: &Shape) -> Vec<Row> {
        let row = |relation: i64, number: usize, name: &str, of: &Type, is_not_null: bool| {
            let fact = types::get(of.oid);
            let letter = |letter: Option<char>| Value::text(letter.unwrap_or('i').to_string());
            shape.row([
                ("attrelid", Value::Int(relation)),
                ("attname", Value::text(name)),
                ("atttypid", Value::Int(i64::from(of.oid))),
                ("attstattarget", Value::Int(-1)),
                ("attlen", int(fact.map_or(-1, |fact| fact.length))),
                ("attnum", int(number)),
                ("attcacheoff", Value::Int(-1)),
                ("atttypmod", int(of.typmod)),
                (
                    "attndims",
                    Value::Int(i64::from(types::element(of.oid).is_some())),
                ),
                (
                    "attbyval",
                    Value::Bool(fact.is_some_and(|fact| fact.by_value)),
                ),
                ("attalign", letter(fact.map(|fact| fact.alignment))),
                ("attstorage", letter(fact.map(|fact| fact.storage))),
                ("attcompression", Value::text("")),
                ("attnotnull", Value::Bool(is_not_null)),
                ("attislocal", Value::Bool(true)),
                ("attcollation", int(fact.map_or(0, |fact| fact.collation))),
            ])
        };
        let mut attributes = Vec::new();
        for known in super::all() {
            let columns = known.columns.iter().zip(&known.not_null).zip(1..);
            for ((column, is_not_null), number) in columns {
                let of = &column.data_type;
                attributes.push(row(
                    i64::from(known.oid),
                    number,
                    &column.name,
                    of,
                    *is_not_null,
                ));
            }
        }
        for table in &self.tables {
            for (field, number) in table.info.columns.fields().iter().zip(1..) {
                let is_said = !field.is_nullable() || field.metadata().contains_key(NOT_NULL);
                let is_key = table.info.key.contains(field.name());
                let is_not_null = (is_said || is_key) && table.kind() != 'v';
                let of = type_of(field.data_type());
                attributes.push(row(table.oid, number, field.name(), &of, is_not_null));
            }
            for (number, name) in (1..).zip(&table.info.key) {
                if let Ok(field) = table.info.columns.field_with_name(name) {
                    let of = type_of(field.data_type());
                    attributes.push(row(table.index_oid(), number, name, &of, false));
                }
            }
        }
        attributes
    }

    pub fn indexes(&self, shape: &Shape) -> Vec<Row> {
        let keyed = self.tables.iter().filter(|table| table.has_key());
        let indexes = keyed.map(|table| {
            let columns = table.key_columns();
            let width = columns.len();
            let same = |value: i64| Value::vector(vec![Value::Int(value); width]);
            let classes = table.info.key.iter().map(|name| {
                let field = table.info.columns.field_with_name(name).ok();
                let of = field.map_or(oid::TEXT, |field| type_of(field.data_type()).oid);
                Value::Int(operator_class(of))
            });
            shape.row([
                ("indexrelid", Value::Int(table.index_oid())),
                ("indrelid", Value::Int(table.oid)),
                ("indnatts", int(width)),
                ("indnkeyatts", int(width)),
                ("indisunique", Value::Bool(true)),
                ("indisprimary", Value::Bool(true)),
                ("indimmediate", Value::Bool(true)),
                ("indisvalid", Value::Bool(true)),
                ("indisready", Value::Bool(true)),
                ("indislive", Value::Bool(true)),
                (
                    "indkey",
                    Value::vector(columns.into_iter().map(Value::Int).collect()),
                ),
                ("indcollation", same(100)),
                ("indclass", Value::vector(classes.collect())),
                ("indoption", same(0)),
            ])
        });
        indexes.collect()
    }

    pub fn constraints(&self, shape: &Shape) -> Vec<Row> {
        let keyed = self.tables.iter().filter(|table| table.has_key());
        let constraints = keyed.map(|table| {
            let columns = table.key_columns().into_iter().map(Value::Int);
            shape.row([
                ("oid", Value::Int(table.constraint_oid())),
                ("conname", Value::text(table.key_name())),
                ("connamespace", Value::Int(table.namespace)),
                ("contype", Value::text("p")),
                ("convalidated", Value::Bool(true)),
                ("conrelid", Value::Int(table.oid)),
                ("conindid", Value::Int(table.index_oid())),
                ("confupdtype", Value::text(" ")),
                ("confdeltype", Value::text(" ")),
                ("confmatchtype", Value::text(" ")),
                ("conislocal", Value::Bool(true)),
                ("connoinherit", Value::Bool(true)),
                ("conkey", Value::array(columns.collect())),
            ])
        });
        constraints.collect()
    }

    pub fn rules(&self, shape: &Shape) -> Vec<Row> {
        let views = self.tables.iter().filter(|table| table.kind() == 'v');
        let rules = views.map(|table| {
            shape.row([
                ("oid", Value::Int(table.rule_oid())),
                ("rulename", Value::text("_RETURN")),
                ("ev_class", Value::Int(table.oid)),
                ("ev_type", Value::text("1")),
                ("ev_enabled", Value::text("O")),
                ("is_instead", Value::Bool(true)),
            ])
        });
        rules.collect()
    }

    pub fn descriptions(&self, shape: &Shape) -> Vec<Row> {
        let row = |class: i64, object: i64, part: usize, text: &str| {
            shape.row([
                ("objoid", Value::Int(object)),
                ("classoid", Value::Int(class)),
                ("objsubid", int(part)),
                ("description", Value::text(text)),
            ])
        };
        let mut descriptions = Vec::new();
        for table in &self.tables {
            if let Some(comment) = &table.info.comment {
                descriptions.push(row(CLASS_OF_RELATIONS, table.oid, 0, comment));
            }
            for (field, number) in table.info.columns.fields().iter().zip(1..) {
                if let Some(comment) = field.metadata().get(COMMENT) {
                    descriptions.push(row(CLASS_OF_RELATIONS, table.oid, number, comment));
                }
            }
        }
        for function in self.functions.all() {
            if let Some(text) = &function.description {
                descriptions.push(row(CLASS_OF_FUNCTIONS, function.oid, 0, text));
            }
        }
        descriptions
    }
}

/// The oids of `pg_class` and `pg_proc`.
const CLASS_OF_RELATIONS: i64 = 1259;
const CLASS_OF_FUNCTIONS: i64 = 1255;

/// The operator class of a btree over a type.
fn operator_class(of: u32) -> i64 {
    match of {
        oid::INT8 => 3124,
        oid::NUMERIC => 3125,
        oid::TIMESTAMPTZ => 3127,
        oid::INT4 => 1978,
        _ => 3126,
    }
}

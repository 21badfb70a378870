//! The tables of a database: the columns they have, their types, and the query that reads them.

use std::collections::HashMap;

use super::super::columns::{Kind, SCORE_FACTORS, Table};
use super::clock::{Clock, ClockKind, Span};
use crate::error::{Error, Result};
use crate::store::source::{ShouldStop, Source};

/// A column of the database: its name, the name of its type, and of its type as people write it.
pub(super) struct FoundColumn {
    name: String,
    type_name: String,
    shown_type: String,
}

/// The columns of our tables that the connection's search path finds; of domains the type beneath.
pub(super) fn describe(
    source: &Source,
    should_stop: ShouldStop<'_>,
) -> Result<HashMap<String, Vec<FoundColumn>>> {
    const STATEMENT: &str = "\
        select wanted.name, a.attname::text, \
               case when t.typtype = 'e' then 'text' else t.typname::text end, \
               format_type(t.oid, null) \
        from (values ('signals'), ('token_prices'), ('trade_outcomes')) as wanted (name) \
        join pg_attribute as a \
          on a.attrelid = to_regclass(wanted.name) and a.attnum > 0 and not a.attisdropped \
        join pg_type as declared on declared.oid = a.atttypid \
        join pg_type as t on t.oid = coalesce(nullif(declared.typbasetype, 0), declared.oid) \
        order by wanted.name, a.attnum";
    let rows = source.rows(source.name(), STATEMENT.to_owned(), should_stop)?;
    let mut tables: HashMap<String, Vec<FoundColumn>> = HashMap::new();
    for row in rows {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let mut cell = || cells.next().unwrap_or_default();
        let table = cell();
        tables.entry(table).or_default().push(FoundColumn {
            name: cell(),
            type_name: cell(),
            shown_type: cell(),
        });
    }
    Ok(tables)
}

/// One of our tables in the database.
pub(super) struct SourceTable {
    table: &'static Table,
    /// For errors: the table and its database.
    pub(super) place: String,
    /// The expressions to select, each named as its column.
    selected: Vec<String>,
    pub(super) floats: Vec<usize>,
    pub(super) keys: &'static [usize],
    pub(super) clock: Clock,
}

/// How a type of the database is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Text,
    Whole,
    Exact,
    Float,
    Time(ClockKind),
    Json,
    Not,
}

fn reads(type_name: &str) -> Reads {
    match type_name {
        "text" | "varchar" | "bpchar" | "name" | "citext" | "uuid" => Reads::Text,
        "int2" | "int4" | "int8" => Reads::Whole,
        "numeric" => Reads::Exact,
        "float4" | "float8" => Reads::Float,
        "timestamptz" => Reads::Time(ClockKind::Zoned),
        "timestamp" | "date" => Reads::Time(ClockKind::Naive),
        "json" | "jsonb" => Reads::Json,
        _ => Reads::Not,
    }
}

impl SourceTable {
    /// Refuses a table that lacks a column or has one of a type that cannot be meant.
    pub(super) fn new(
        table: &'static Table,
        columns: &[FoundColumn],
        source: &Source,
    ) -> Result<Self> {
        let place = format!("table {} of {}", table.name, source.name());
        let refuse = |found: String, expected: String| Error::InputFile {
            file: place.clone(),
            found,
            expected,
        };
        if columns.is_empty() {
            return Err(refuse(
                "no such table".into(),
                "a table or view of that name in the search path, which \
                 ?options=-csearch_path%3DSCHEMA in the URL sets"
                    .into(),
            ));
        }
        let find = |slot: usize| columns.iter().find(|c| table.slot(&c.name) == Some(slot));
        let missing = table.missing(|slot| find(slot).is_some());
        if !missing.is_empty() {
            let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
            return Err(refuse(
                format!(
                    "no column {} among {}",
                    missing.join(", "),
                    names.join(", ")
                ),
                format!("the columns {}", table.required_names().join(", ")),
            ));
        }
        let (mut selected, mut floats) = (Vec::new(), Vec::new());
        let time = if table.name == "trade_outcomes" { 2 } else { 1 };
        let mut clock = Clock {
            column: table.columns[time].name,
            kind: ClockKind::Zoned,
        };
        for slot in 0..table.slots() {
            let Some(column) = find(slot) else { continue };
            let reads = reads(&column.type_name);
            let (expression, expected) = expression(table, slot, reads);
            let Some(expression) = expression else {
                let found = format!("column {} of type {}", column.name, column.shown_type);
                return Err(refuse(found, expected.into()));
            };
            selected.push(format!("{expression} as \"{}\"", column.name));
            if reads == Reads::Float {
                floats.push(slot);
            }
            if slot == time {
                clock.kind = match reads {
                    Reads::Time(kind) => kind,
                    Reads::Text => ClockKind::Text,
                    reads => ClockKind::Epoch {
                        whole: reads == Reads::Whole,
                    },
                };
            }
        }
        Ok(Self {
            table,
            place,
            selected,
            floats,
            keys: match table.name {
                "signals" => &[0],
                "token_prices" => &[0, 1],
                _ => &[0, 2],
            },
            clock,
        })
    }

    /// The query of the rows of which the condition holds.
    pub(super) fn select(&self, condition: Option<&str>) -> String {
        let mut query = format!(
            "select {} from \"{}\"",
            self.selected.join(", "),
            self.table.name
        );
        if let Some(condition) = condition {
            query += " where ";
            query += condition;
        }
        query
    }

    /// The query of the number of rows on each day since 1970.
    pub(super) fn count_by_day(&self, span: Span) -> String {
        format!(
            "select {}::text, count(*)::text from \"{}\" where {} group by 1",
            self.clock.day(),
            self.table.name,
            self.clock.within(span)
        )
    }
}

/// What to select for a column, `None` for a type that cannot be meant, and which types can.
fn expression(table: &Table, slot: usize, reads: Reads) -> (Option<String>, &'static str) {
    let Some(column) = table.columns.get(slot) else {
        // A JSON null says nothing, as no object does.
        let object = format!("nullif(\"{SCORE_FACTORS}\"::text, 'null')");
        let fits = matches!(reads, Reads::Json | Reads::Text);
        return (fits.then_some(object), "json, jsonb or text");
    };
    let name = format!("\"{}\"", column.name);
    match column.kind {
        Kind::Text | Kind::Token => (
            matches!(reads, Reads::Text | Reads::Whole).then(|| format!("{name}::text")),
            "text, uuid or whole numbers",
        ),
        Kind::Timestamp => (
            (!matches!(reads, Reads::Json | Reads::Not)).then_some(name),
            "timestamptz, timestamp, date, text or epoch numbers",
        ),
        Kind::Price | Kind::Decimal { .. } => (
            matches!(
                reads,
                Reads::Whole | Reads::Exact | Reads::Float | Reads::Text
            )
            .then_some(name),
            "numeric, double precision, whole numbers or text",
        ),
    }
}

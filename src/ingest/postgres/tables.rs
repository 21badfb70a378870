//! The tables of a database, or the queries that stand for them: the columns they have, their types,
//! and the statements that read them.

use std::collections::{BTreeMap, HashMap};

use super::super::columns::{Kind, SCORE_FACTORS, Table};
use super::super::names::{self, Unused};
use super::clock::{Clock, ClockKind, Span};
use crate::error::{Error, Result};
use crate::store::source::{SEES_ALL, ShouldStop, Source};

/// A column of the database: its name, the name of its type, and of its type as people write it.
pub(super) struct FoundColumn {
    name: String,
    type_name: String,
    shown_type: String,
}

/// What a table is read from.
#[derive(Default)]
pub(super) struct Found {
    /// As it stands after `from`, under the name of the table.
    relation: String,
    columns: Vec<FoundColumn>,
    visible: Visible,
}

/// Which rows of a table we see.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Visible {
    #[default]
    All,
    /// A policy lets us see all.
    AllByPolicy,
    /// Row-level security may hide some.
    Some,
}

/// Tables that are there, by the names of ours; of domains the type beneath. They are those that the
/// search path finds, or of `public`.
pub(super) fn describe(
    source: &Source,
    should_stop: ShouldStop<'_>,
) -> Result<HashMap<String, Found>> {
    const STATEMENT: &str = "\
        select wanted.name, \
               quote_ident(n.nspname::text) || '.' || quote_ident(c.relname::text), \
               case when not row_security_active(c.oid) then 'all' \
                    when not exists (select from pg_policy as p where p.polrelid = c.oid \
                        and p.polcmd in ('r', '*') and not p.polpermissive \
                        and (0 = any (p.polroles) or exists (select from unnest(p.polroles) as r \
                            where pg_has_role(r, 'usage')))) \
                     and exists (select from pg_policy as p where p.polrelid = c.oid \
                        and p.polcmd in ('r', '*') and p.polpermissive \
                        and pg_get_expr(p.polqual, p.polrelid) = 'true' \
                        and (0 = any (p.polroles) or exists (select from unnest(p.polroles) as r \
                            where pg_has_role(r, 'usage')))) then 'by policy' \
                    else 'some' end, \
               a.attname::text, \
               case when t.typtype = 'e' then 'text' else t.typname::text end, \
               format_type(t.oid, null) \
        from (values ('signals'), ('token_prices'), ('trade_outcomes')) as wanted (name) \
        join pg_class as c \
          on c.oid = coalesce(to_regclass(wanted.name), to_regclass('public.' || wanted.name)) \
        join pg_namespace as n on n.oid = c.relnamespace \
        join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
        join pg_type as declared on declared.oid = a.atttypid \
        join pg_type as t on t.oid = coalesce(nullif(declared.typbasetype, 0), declared.oid) \
        order by wanted.name, a.attnum";
    let rows = source.rows(source.name(), STATEMENT.to_owned(), should_stop)?;
    let mut tables: HashMap<String, Found> = HashMap::new();
    for row in rows {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let mut cell = || cells.next().unwrap_or_default();
        let table = cell();
        let name = cell();
        let visible = match cell().as_str() {
            "all" => Visible::All,
            "by policy" => Visible::AllByPolicy,
            _ => Visible::Some,
        };
        let found = tables.entry(table.clone()).or_default();
        found.relation = format!("{name} as \"{table}\"");
        found.visible = visible;
        found.columns.push(FoundColumn {
            name: cell(),
            type_name: cell(),
            shown_type: cell(),
        });
    }
    Ok(tables)
}

/// The rows of a query in the place of a table.
pub(super) fn describe_query(
    source: &Source,
    table: &Table,
    query: &str,
    should_stop: ShouldStop<'_>,
) -> Result<Found> {
    let query = query.trim().trim_end_matches(';');
    // On a line of its own, lest a comment swallow the parenthesis.
    let relation = format!("({query}\n) as \"{}\"", table.name);
    // A row of nulls has the columns, whether or not the query has rows, and costs none of them.
    let statement = format!(
        "select found.* from (values (1)) as one \
         left join lateral (select * from {relation} limit 0) as found on true"
    );
    let place = format!("the query of {}", table.name);
    let found = source.columns(&place, statement, should_stop)?;
    let oids: Vec<String> = found.iter().map(|(_, oid)| oid.to_string()).collect();
    let statement = format!(
        "select oid::text, case when typtype = 'e' then 'text' else typname::text end, \
         format_type(oid, null) from pg_type where oid in ({})",
        oids.join(", ")
    );
    let types = source.rows(&place, statement, should_stop)?;
    let types: BTreeMap<String, (String, String)> = types
        .into_iter()
        .filter_map(|row| {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            Some((cells.next()?, (cells.next()?, cells.next()?)))
        })
        .collect();
    let columns = found.into_iter().map(|(name, oid)| {
        let (type_name, shown_type) = types.get(&oid.to_string()).cloned().unwrap_or_default();
        FoundColumn {
            name,
            type_name,
            shown_type,
        }
    });
    Ok(Found {
        relation,
        columns: columns.collect(),
        visible: Visible::All,
    })
}

/// One of our tables in the database.
pub(super) struct SourceTable {
    /// For errors: the table and its database.
    pub(super) place: String,
    /// Its name among ours.
    pub(super) name: &'static str,
    /// What it is read from.
    pub(super) relation: String,
    /// The expressions to select, each named as its column.
    selected: Vec<String>,
    pub(super) floats: Vec<usize>,
    pub(super) keys: &'static [usize],
    pub(super) clock: Clock,
    /// The column by which trades and signals find each other, quoted.
    pub(super) first: String,
    /// Whether only a policy lets us see all rows.
    pub(super) by_policy: bool,
    /// Columns that are not read.
    pub(super) unused: Vec<Unused>,
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
    /// Refuses a table that lacks a column, has one of a type that cannot be meant, or hides rows.
    pub(super) fn new(table: &'static Table, found: &Found, source: &Source) -> Result<Self> {
        let place = format!("table {} of {}", table.name, source.name());
        let refuse = |found: String, expected: String| Error::InputFile {
            file: place.clone(),
            found,
            expected,
        };
        let columns = &found.columns;
        if columns.is_empty() {
            return Err(refuse(
                "no such table".into(),
                format!(
                    "a table or view of that name in the search path, which \
                     ?options=-csearch_path%3DSCHEMA in the URL sets; or --query {}='select …'",
                    table.name
                ),
            ));
        }
        if found.visible == Visible::Some {
            return Err(refuse(source.hidden(), SEES_ALL.into()));
        }
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let slots = names::resolve(table, &[], &names).map_err(|bad| {
            let expected = format!(
                "{}; --query {}='select … as …' gives them other names",
                bad.expected, table.name
            );
            refuse(bad.found, expected)
        })?;
        let find = |slot: usize| {
            let position = slots.iter().position(|found| *found == Some(slot))?;
            columns.get(position)
        };
        let (mut selected, mut floats) = (Vec::new(), Vec::new());
        let time = if table.name == "trade_outcomes" { 2 } else { 1 };
        let named = |slot: usize| find(slot).map(|c| quoted(&c.name)).unwrap_or_default();
        let mut clock = Clock {
            column: named(time),
            kind: ClockKind::Zoned,
        };
        for slot in 0..table.slots() {
            let Some(column) = find(slot) else { continue };
            let reads = reads(&column.type_name);
            let (expression, expected) = expression(table, slot, &quoted(&column.name), reads);
            let Some(expression) = expression else {
                let found = format!("column {} of type {}", column.name, column.shown_type);
                return Err(refuse(found, expected.into()));
            };
            let name = table.columns.get(slot).map_or(SCORE_FACTORS, |c| c.name);
            selected.push(format!("{expression} as \"{name}\""));
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
            place,
            name: table.name,
            relation: found.relation.clone(),
            selected,
            floats,
            keys: match table.name {
                "signals" => &[0],
                "token_prices" => &[0, 1],
                _ => &[0, 2],
            },
            clock,
            first: named(0),
            unused: names::unused(table, &names, &slots),
            by_policy: found.visible == Visible::AllByPolicy,
        })
    }

    /// The query of the rows of which the condition holds.
    pub(super) fn select(&self, condition: Option<&str>) -> String {
        let mut query = format!("select {} from {}", self.selected.join(", "), self.relation);
        if let Some(condition) = condition {
            query += " where ";
            query += condition;
        }
        query
    }

    /// The query of the number of rows on each day since 1970.
    pub(super) fn count_by_day(&self, span: Span) -> String {
        format!(
            "select {}::text, count(*)::text from {} where {} group by 1",
            self.clock.day(),
            self.relation,
            self.clock.within(span)
        )
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What to select for a column, `None` for a type that cannot be meant, and which types can.
fn expression(
    table: &Table,
    slot: usize,
    name: &str,
    reads: Reads,
) -> (Option<String>, &'static str) {
    let Some(column) = table.columns.get(slot) else {
        // A JSON null says nothing, as no object does.
        let object = format!("nullif({name}::text, 'null')");
        let fits = matches!(reads, Reads::Json | Reads::Text);
        return (fits.then_some(object), "json, jsonb or text");
    };
    match column.kind {
        Kind::Text | Kind::Token => (
            matches!(reads, Reads::Text | Reads::Whole).then(|| format!("{name}::text")),
            "text, uuid or whole numbers",
        ),
        Kind::Timestamp => (
            (!matches!(reads, Reads::Json | Reads::Not)).then(|| name.to_owned()),
            "timestamptz, timestamp, date, text or epoch numbers",
        ),
        Kind::Price | Kind::Decimal { .. } => (
            matches!(
                reads,
                Reads::Whole | Reads::Exact | Reads::Float | Reads::Text
            )
            .then(|| name.to_owned()),
            "numeric, double precision, whole numbers or text",
        ),
    }
}

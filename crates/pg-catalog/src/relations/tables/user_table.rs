//! A table of the user as the catalog knows it: its numbers and its relations.

use super::*;

/// A table or view that somebody may query, with the oid it always has.
#[derive(Debug)]
pub struct UserTable {
    pub info: TableInfo,
    pub oid: i64,
    pub namespace: i64,
}

/// A relation of any kind, as `pg_class` has it.
#[derive(Debug)]
pub struct Relation {
    pub oid: i64,
    pub namespace: i64,
    pub name: String,
    pub kind: char,
}

/// How far apart tables are: room for what belongs to each.
pub(super) const OIDS_OF_A_TABLE: i64 = 16;

/// The oids of tables are made of their names; where two meet, the later name moves on.
pub fn with_oids(mut tables: Vec<TableInfo>) -> Vec<UserTable> {
    tables.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    let mut taken = HashSet::new();
    let tables = tables.into_iter().filter_map(|info| {
        let namespace = namespace_oid(&info.schema)?;
        Some(UserTable {
            oid: next_oid(&info.schema, &info.name, &mut taken),
            info,
            namespace,
        })
    });
    tables.collect()
}

/// The oid of one table among all of its schema.
pub fn oid_of(schema: &str, names: &[String], name: &str) -> Option<i64> {
    let mut names: Vec<&String> = names.iter().collect();
    names.sort();
    let mut taken = HashSet::new();
    let mut oids = names
        .into_iter()
        .map(|known| (known, next_oid(schema, known, &mut taken)));
    oids.find(|(known, _)| *known == name).map(|(_, oid)| oid)
}

fn next_oid(schema: &str, name: &str, taken: &mut HashSet<i64>) -> i64 {
    let mut place = i64::from(hash(&[schema, name]) % (1 << 24));
    while !taken.insert(place) {
        place = (place + 1) % (1 << 24);
    }
    16_384 + place * OIDS_OF_A_TABLE
}

impl UserTable {
    pub(super) fn kind(&self) -> char {
        match self.info.kind {
            TableKind::Table | TableKind::TemporaryTable => 'r',
            TableKind::View | TableKind::TemporaryView => 'v',
        }
    }

    pub(super) fn persistence(&self) -> &'static str {
        match self.info.kind {
            TableKind::Table | TableKind::View => "p",
            TableKind::TemporaryTable | TableKind::TemporaryView => "t",
        }
    }

    pub(super) fn has_key(&self) -> bool {
        !self.info.key.is_empty()
    }

    pub(super) fn key_name(&self) -> String {
        format!("{}_pkey", self.info.name)
    }

    pub(super) fn index_oid(&self) -> i64 {
        self.oid + 1
    }

    pub(super) fn constraint_oid(&self) -> i64 {
        self.oid + 2
    }

    pub(super) fn rule_oid(&self) -> i64 {
        self.oid + 3
    }

    /// The numbers of the key's columns.
    pub(super) fn key_columns(&self) -> Vec<i64> {
        let fields = self.info.columns.fields();
        let key = self.info.key.iter();
        let numbers = key.filter_map(|name| fields.iter().position(|field| field.name() == name));
        numbers
            .filter_map(|number| i64::try_from(number + 1).ok())
            .collect()
    }

    pub(super) fn relation(&self) -> Relation {
        Relation {
            oid: self.oid,
            namespace: self.namespace,
            name: self.info.name.clone(),
            kind: self.kind(),
        }
    }

    /// Itself and its index.
    pub fn relations(&self) -> impl Iterator<Item = Relation> {
        let index = self.has_key().then(|| Relation {
            oid: self.index_oid(),
            namespace: self.namespace,
            name: self.key_name(),
            kind: 'i',
        });
        std::iter::once(self.relation()).chain(index)
    }

    pub(super) fn quoted_key(&self) -> String {
        let key = self.info.key.iter().map(|column| quote_ident(column));
        key.collect::<Vec<_>>().join(", ")
    }
}

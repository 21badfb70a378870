//! What names mean: the columns of a `FROM`, and the scopes of the queries around it.

use std::cell::{Cell, RefCell};

use super::{Aggregate, SetCall, Window};
use crate::cast::failure;
use crate::error::Result;
use crate::types::Type;

/// The names that one query sees.
#[derive(Default)]
pub struct Scope<'p> {
    pub parent: Option<&'p Scope<'p>>,
    /// Its number of parents.
    pub level: usize,
    pub relations: Vec<ScopeRelation>,
    pub columns: Vec<ScopeColumn>,
    /// The columns of `*`, in their order.
    pub star: Vec<usize>,
    /// The columns that something reads.
    pub used: RefCell<Vec<bool>>,
    /// The items of `FROM`, as bits, that were named since this was cleared.
    pub touched: Cell<u128>,
    pub clause: Cell<Clause>,
    pub aggregates: RefCell<Vec<Aggregate>>,
    pub windows: RefCell<Vec<Window>>,
    pub sets: RefCell<Vec<SetCall>>,
}

/// Where an expression stands, for what it may contain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clause {
    /// `FROM`, `WHERE` and `GROUP BY`.
    #[default]
    Rows,
    /// Inside of an aggregate's arguments.
    Aggregate,
    Having,
    /// The select list and `ORDER BY`.
    Output,
}

#[derive(Debug)]
pub struct ScopeRelation {
    pub schema: Option<String>,
    pub name: String,
    pub first: usize,
    pub width: usize,
    /// Its oid, where it is a relation of the catalog.
    pub oid: Option<u32>,
}

#[derive(Clone, Debug)]
pub struct ScopeColumn {
    pub name: String,
    pub data_type: Type,
    /// The bit of its item of `FROM`.
    pub item: u32,
    /// Merged by `USING` into another one, which has the bare name.
    pub is_merged: bool,
    /// The other side of a `FULL JOIN … USING`, which stands in for null.
    pub or_else: Option<usize>,
}

/// What a name resolves to.
#[derive(Debug)]
pub enum Found {
    Column {
        depth: usize,
        index: usize,
    },
    /// A whole relation as one row.
    Row {
        depth: usize,
        relation: usize,
    },
}

impl<'p> Scope<'p> {
    pub fn new(parent: Option<&'p Scope<'p>>) -> Self {
        Self {
            parent,
            level: parent.map_or(0, |parent| parent.level + 1),
            ..Self::default()
        }
    }

    /// The scope so many queries further out.
    pub fn at(&self, depth: usize) -> &Scope<'p> {
        let mut scope = self;
        for _ in 0..depth {
            match scope.parent {
                Some(parent) => scope = parent,
                None => break,
            }
        }
        scope
    }

    /// Notes that a column is read.
    pub fn touch(&self, index: usize) {
        if let Some(column) = self.columns.get(index) {
            self.touched.set(self.touched.get() | (1 << column.item));
        }
        let mut used = self.used.borrow_mut();
        if used.len() < self.columns.len() {
            used.resize(self.columns.len(), false);
        }
        if let Some(used) = used.get_mut(index) {
            *used = true;
        }
    }

    pub fn is_used(&self, index: usize) -> bool {
        self.used.borrow().get(index).copied().unwrap_or(false)
    }

    /// A bare name: a column here or further out, else a relation as a row.
    pub fn find(&self, name: &str) -> Result<Option<Found>> {
        let mut scope = Some(self);
        let mut depth = 0;
        while let Some(current) = scope {
            let named = |column: &&(usize, &ScopeColumn)| column.1.name == name;
            let columns: Vec<(usize, &ScopeColumn)> = current.columns.iter().enumerate().collect();
            let mut found = columns
                .iter()
                .filter(named)
                .filter(|(_, column)| !column.is_merged);
            if let Some((index, _)) = found.next() {
                if found.next().is_some() {
                    let message = format!("column reference \"{name}\" is ambiguous");
                    return Err(failure("42702", message));
                }
                return Ok(Some(Found::Column {
                    depth,
                    index: *index,
                }));
            }
            scope = current.parent;
            depth += 1;
        }
        Ok(self
            .find_relation(None, name)?
            .map(|(depth, relation)| Found::Row { depth, relation }))
    }

    /// A relation by its alias, or by its name with the schema.
    pub fn find_relation(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<(usize, usize)>> {
        let mut scope = Some(self);
        let mut depth = 0;
        while let Some(current) = scope {
            let mut found = current
                .relations
                .iter()
                .enumerate()
                .filter(|(_, relation)| {
                    relation.name == name
                        && (schema.is_none() || relation.schema.as_deref() == schema)
                });
            if let Some((position, _)) = found.next() {
                if found.next().is_some() {
                    let message = format!("table reference \"{name}\" is ambiguous");
                    return Err(failure("42P09", message));
                }
                return Ok(Some((depth, position)));
            }
            scope = current.parent;
            depth += 1;
        }
        Ok(None)
    }

    /// A column of a relation.
    pub fn column_of(&self, depth: usize, relation: usize, name: &str) -> Option<usize> {
        let scope = self.at(depth);
        let relation = scope.relations.get(relation)?;
        let columns = scope
            .columns
            .get(relation.first..relation.first + relation.width)?;
        let position = columns.iter().position(|column| column.name == name)?;
        Some(relation.first + position)
    }
}

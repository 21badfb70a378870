//! Running of queries: grouping, windows, sorting, set operations and recursion.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::{Body, Cte, Distinct, Expr, Query, Row, Select, SetOperator, SortKey, Table};
use crate::Catalog;
use crate::cast::failure;
use crate::error::{Error, Result};
use crate::value::Value;

/// How many rows a statement may look at: some seconds' work.
const MOST_ROWS_SEEN: u64 = 10_000_000;
/// How many values a statement may keep at once: some hundred megabytes.
const MOST_VALUES_KEPT: u64 = 10_000_000;
/// Bytes of texts that the functions of a statement make.
const MOST_BYTES_MADE: u64 = 64 << 20;
/// The longest value that a function or cast reads.
const MOST_BYTES_READ: usize = 8 << 20;

/// What a running statement has around it.
pub struct Context<'a> {
    pub catalog: &'a Catalog,
    pub parameters: &'a [Value],
    rows_seen: Cell<u64>,
    values_kept: Cell<u64>,
    bytes_made: Cell<u64>,
    deadline: Option<Instant>,
    /// The results of queries that are not correlated, by their id.
    results: RefCell<HashMap<usize, Arc<Table>>>,
    /// The rows of `WITH` queries, by their slot.
    slots: RefCell<HashMap<usize, Arc<Table>>>,
    /// What expressions under way read more than once, innermost last.
    pub(super) bound: RefCell<Vec<(usize, Value)>>,
}

/// A row that expressions read, and the rows of the queries around it.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    pub row: &'a [Value],
    /// Where aggregates, windows and set functions begin behind the row's columns.
    pub computed: [usize; 3],
    pub parent: Option<&'a Frame<'a>>,
}

impl<'a> Frame<'a> {
    pub fn of(row: &'a [Value], parent: Option<&'a Frame<'a>>) -> Self {
        Self {
            row,
            computed: [row.len(); 3],
            parent,
        }
    }

    pub fn at(&self, depth: usize) -> Option<&Frame<'a>> {
        let mut frame = self;
        for _ in 0..depth {
            frame = frame.parent?;
        }
        Some(frame)
    }
}

impl<'a> Context<'a> {
    pub fn new(catalog: &'a Catalog, parameters: &'a [Value]) -> Self {
        Self {
            catalog,
            parameters,
            rows_seen: Cell::new(0),
            values_kept: Cell::new(0),
            bytes_made: Cell::new(0),
            deadline: catalog.deadline(),
            results: RefCell::default(),
            slots: RefCell::default(),
            bound: RefCell::default(),
        }
    }

    /// Counts one row's work; an error once the statement is cancelled or has had its share.
    pub fn tick(&self) -> Result<()> {
        let seen = self.rows_seen.get() + 1;
        self.rows_seen.set(seen);
        if !seen.is_multiple_of(256) {
            return Ok(());
        }
        if self.catalog.is_cancelled() || self.deadline.is_some_and(|at| Instant::now() >= at) {
            return Err(Error::cancelled());
        }
        if seen > MOST_ROWS_SEEN {
            let message = "the query looks at more rows of the catalog than one statement may";
            return Err(failure("54000", message));
        }
        Ok(())
    }

    /// Refuses values that are too long to be read as a whole, where nobody is heard before their end.
    pub fn readable(&self, values: &[Value]) -> Result<()> {
        let bytes = |value: &Value| match value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Array(array) => array.items.len() * std::mem::size_of::<Value>(),
            _ => 0,
        };
        match values.iter().map(bytes).max() {
            Some(longest) if longest > MOST_BYTES_READ => {
                let message = format!(
                    "a function of the catalog takes values of up to {} MiB, and one has {} MiB",
                    MOST_BYTES_READ >> 20,
                    longest.div_ceil(1 << 20)
                );
                Err(failure("54000", message))
            }
            _ => Ok(()),
        }
    }

    /// What a function makes of these values, unless it may be too long, or all together is.
    pub fn made(
        &self,
        values: &[Value],
        run: impl FnOnce(&Self) -> Result<Value>,
    ) -> Result<Value> {
        let length = |value: &Value| match value {
            Value::Text(text) => text.len() as u64,
            _ => 0,
        };
        self.readable(values)?;
        // A part may be put in place of each letter.
        let (mut longest, mut all) = (0, 0);
        for length in values.iter().map(length) {
            longest = length.max(longest);
            all += length;
        }
        let made = match (longest + 1).saturating_mul(all - longest) > MOST_BYTES_MADE {
            true => None,
            false => Some(run(self)?),
        };
        let bytes = self.bytes_made.get() + made.as_ref().map_or(0, length);
        self.bytes_made.set(bytes);
        match made {
            Some(made) if bytes <= MOST_BYTES_MADE => Ok(made),
            _ => {
                let message = format!(
                    "texts would be longer than {MOST_BYTES_MADE} bytes, more than a query of the \
                     catalog may make"
                );
                Err(failure("53200", message))
            }
        }
    }

    /// Counts values that are kept.
    pub fn keep(&self, values: usize) -> Result<()> {
        self.tick()?;
        let kept = self.values_kept.get() + values as u64 + 1;
        self.values_kept.set(kept);
        if kept > MOST_VALUES_KEPT {
            let message = "the query keeps more rows of the catalog than one statement may";
            return Err(failure("53200", message));
        }
        Ok(())
    }

    pub fn slot(&self, slot: usize) -> Arc<Table> {
        let slots = self.slots.borrow();
        let table = slots.get(&slot).cloned();
        table.unwrap_or_else(|| Arc::new(Table::new(Vec::new(), 0)))
    }

    /// The rows of a query as a table, made once where nothing around it matters.
    pub fn table(&self, query: &Query, outer: Option<&Frame<'_>>) -> Result<Arc<Table>> {
        if !query.is_correlated
            && let Some(table) = self.results.borrow().get(&query.id)
        {
            return Ok(Arc::clone(table));
        }
        let rows = self.query(query, outer, usize::MAX)?;
        let table = Arc::new(Table::new(rows, query.columns.len()));
        if !query.is_correlated {
            let mut results = self.results.borrow_mut();
            results.insert(query.id, Arc::clone(&table));
        }
        Ok(table)
    }

    /// The rows of a query, at least as many as are wanted if there are so many.
    pub fn query(
        &self,
        query: &Query,
        outer: Option<&Frame<'_>>,
        wanted: usize,
    ) -> Result<Vec<Row>> {
        for cte in &query.ctes {
            self.cte(cte, outer)?;
        }
        let limit = self.count(query.limit.as_ref(), outer)?;
        let offset = self.count(query.offset.as_ref(), outer)?.unwrap_or(0);
        let most = limit
            .map_or(wanted, |limit| limit.min(wanted))
            .saturating_add(offset);
        let most = if query.order.is_empty() {
            most
        } else {
            usize::MAX
        };
        let mut rows = match &query.body {
            Body::Select(select) => self.select(select, query, outer, most)?,
            Body::Values(values) => {
                let frame = Frame::of(&[], outer);
                let rows = values.iter().map(|row| {
                    let row = row.iter().map(|value| self.evaluate(value, &frame));
                    row.collect::<Result<Row>>()
                });
                let mut rows = rows.collect::<Result<Vec<Row>>>()?;
                sort(&mut rows, &query.order);
                rows
            }
            Body::Set {
                operator,
                keeps_duplicates,
                left,
                right,
            } => {
                let mut rows = self.set(*operator, *keeps_duplicates, left, right, outer)?;
                sort(&mut rows, &query.order);
                rows
            }
        };
        if offset > 0 {
            rows.drain(..offset.min(rows.len()));
        }
        if let Some(limit) = limit {
            rows.truncate(limit);
        }
        let width = query.columns.len();
        if rows.first().is_some_and(|row| row.len() > width) {
            for row in &mut rows {
                *row = row.get(..width).unwrap_or_default().into();
            }
        }
        Ok(rows)
    }

    fn count(&self, count: Option<&Expr>, outer: Option<&Frame<'_>>) -> Result<Option<usize>> {
        let Some(count) = count else { return Ok(None) };
        match self.evaluate(count, &Frame::of(&[], outer))? {
            Value::Null => Ok(None),
            Value::Int(count) => match usize::try_from(count) {
                Ok(count) => Ok(Some(count)),
                Err(_) => Err(failure("2201W", "LIMIT and OFFSET must not be negative")),
            },
            _ => Err(failure("42804", "LIMIT and OFFSET must be numbers")),
        }
    }

    fn cte(&self, cte: &Cte, outer: Option<&Frame<'_>>) -> Result<()> {
        let table = |rows: &[Row]| Arc::new(Table::new(rows.to_vec(), cte.width));
        let mut all = self.query(&cte.query, outer, usize::MAX)?;
        if let Some(recursion) = &cte.recursive {
            let mut seen: HashSet<Row> = HashSet::new();
            if !recursion.keeps_duplicates {
                all.retain(|row| seen.insert(Arc::clone(row)));
            }
            let mut latest = all.clone();
            while !latest.is_empty() {
                self.slots.borrow_mut().insert(cte.slot, table(&latest));
                latest = self.query(&recursion.step, outer, usize::MAX)?;
                if !recursion.keeps_duplicates {
                    latest.retain(|row| seen.insert(Arc::clone(row)));
                }
                self.keep(latest.len() * cte.width)?;
                all.extend(latest.iter().cloned());
            }
        }
        self.slots.borrow_mut().insert(cte.slot, table(&all));
        Ok(())
    }

    fn set(
        &self,
        operator: SetOperator,
        keeps_duplicates: bool,
        left: &Query,
        right: &Query,
        outer: Option<&Frame<'_>>,
    ) -> Result<Vec<Row>> {
        let mut rows = self.query(left, outer, usize::MAX)?;
        let others = self.query(right, outer, usize::MAX)?;
        match operator {
            SetOperator::Union => rows.extend(others),
            SetOperator::Intersect | SetOperator::Except => {
                let mut counts: HashMap<Row, usize> = HashMap::new();
                for row in others {
                    *counts.entry(row).or_default() += 1;
                }
                let is_intersect = operator == SetOperator::Intersect;
                rows.retain(|row| match counts.get_mut(row) {
                    // Each row of the other side takes or keeps one, where duplicates count.
                    Some(count) if keeps_duplicates => {
                        let is_there = *count > 0;
                        *count = count.saturating_sub(1);
                        is_there == is_intersect
                    }
                    Some(_) => is_intersect,
                    None => !is_intersect,
                });
            }
        }
        if !keeps_duplicates {
            let mut seen = HashSet::new();
            rows.retain(|row| seen.insert(Arc::clone(row)));
        }
        Ok(rows)
    }

    fn select(
        &self,
        select: &Select,
        query: &Query,
        outer: Option<&Frame<'_>>,
        most: usize,
    ) -> Result<Vec<Row>> {
        let width = select.from.width;
        let aggregates = select.grouping.as_ref().map_or(0, |g| g.aggregates.len());
        let with_windows = width + aggregates;
        let computed = [width, with_windows, with_windows + select.windows.len()];
        let is_plain = select.grouping.is_none()
            && select.windows.is_empty()
            && select.sets.is_empty()
            && matches!(select.distinct, Distinct::No);
        let mut rows: Vec<Row> = Vec::new();
        if is_plain {
            // Nothing has to wait for all rows.
            self.join(&select.from, outer, &mut |row| {
                let frame = Frame {
                    row,
                    computed,
                    parent: outer,
                };
                rows.push(self.projected(&select.projection, &frame)?);
                Ok(rows.len() < most)
            })?;
            sort(&mut rows, &query.order);
            return Ok(rows);
        }
        let mut inputs: Vec<Vec<Value>> = Vec::new();
        match &select.grouping {
            Some(grouping) => inputs = self.groups(&select.from, grouping, computed, outer)?,
            None => self.join(&select.from, outer, &mut |row| {
                self.keep(row.len())?;
                inputs.push(row.to_vec());
                Ok(true)
            })?,
        }
        for window in &select.windows {
            self.window(window, &mut inputs, computed, outer)?;
        }
        for input in inputs {
            self.with_sets(select, input, computed, outer, &mut rows)?;
        }
        match &select.distinct {
            Distinct::No => {}
            Distinct::Rows => {
                let shown = query.columns.len();
                let mut seen: HashSet<Row> = HashSet::new();
                rows.retain(|row| seen.insert(row.get(..shown).unwrap_or_default().into()));
            }
            Distinct::On(columns) => {
                sort(&mut rows, &query.order);
                let mut seen: HashSet<Vec<Value>> = HashSet::new();
                rows.retain(|row| {
                    let key = columns
                        .iter()
                        .filter_map(|column| row.get(*column).cloned());
                    seen.insert(key.collect())
                });
            }
        }
        sort(&mut rows, &query.order);
        Ok(rows)
    }

    fn projected(&self, projection: &[Expr], frame: &Frame<'_>) -> Result<Row> {
        self.keep(projection.len())?;
        let values = projection.iter().map(|expr| self.evaluate(expr, frame));
        values.collect()
    }

    /// One result for each row of the select list's set functions, the shorter ones with nulls.
    fn with_sets(
        &self,
        select: &Select,
        mut input: Vec<Value>,
        computed: [usize; 3],
        outer: Option<&Frame<'_>>,
        rows: &mut Vec<Row>,
    ) -> Result<()> {
        fn frame<'f>(
            row: &'f [Value],
            computed: [usize; 3],
            parent: Option<&'f Frame<'f>>,
        ) -> Frame<'f> {
            Frame {
                row,
                computed,
                parent,
            }
        }
        if select.sets.is_empty() {
            rows.push(self.projected(&select.projection, &frame(&input, computed, outer))?);
            return Ok(());
        }
        let sets = select.sets.iter().map(|set| {
            let rows = self.set_rows(set, &frame(&input, computed, outer))?;
            let values = rows.into_iter().map(|row| match set.is_record {
                true => Value::Record(row.into()),
                false => row.into_iter().next().unwrap_or(Value::Null),
            });
            Ok(values.collect())
        });
        let sets = sets.collect::<Result<Vec<Vec<Value>>>>()?;
        let longest = sets.iter().map(Vec::len).max().unwrap_or(0);
        let base = input.len();
        for position in 0..longest {
            input.truncate(base);
            for set in &sets {
                input.push(set.get(position).cloned().unwrap_or(Value::Null));
            }
            rows.push(self.projected(&select.projection, &frame(&input, computed, outer))?);
        }
        Ok(())
    }
}

/// Two values in the order that a key asks for.
pub fn ordered(a: &Value, b: &Value, is_descending: bool, nulls_first: bool) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) if nulls_first => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, true) if nulls_first => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) if is_descending => b.order(a),
        (false, false) => a.order(b),
    }
}

fn sort(rows: &mut [Row], keys: &[SortKey]) {
    if keys.is_empty() {
        return;
    }
    rows.sort_by(|a, b| {
        let mut orders = keys
            .iter()
            .map(|key| match (a.get(key.column), b.get(key.column)) {
                (Some(a), Some(b)) => ordered(a, b, key.is_descending, key.nulls_first),
                _ => Ordering::Equal,
            });
        orders
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    });
}

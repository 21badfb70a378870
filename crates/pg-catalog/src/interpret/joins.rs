//! Joins: nested loops over the steps of a `FROM`, each looked up by an index where it can be.

use std::cell::OnceCell;
use std::sync::Arc;

use super::run::{Context, Frame};
use super::{Expr, From, Row, SetCall, Source, Step, Table};
use crate::error::Result;
use crate::value::Value;

/// Takes each joined row; says whether it wants more.
pub type Sink<'s> = dyn FnMut(&[Value]) -> Result<bool> + 's;

/// One run of a `FROM`, with the rows of each source that depends on no other.
struct Run<'r> {
    from: &'r From,
    outer: Option<&'r Frame<'r>>,
    tables: Vec<OnceCell<Arc<Table>>>,
}

impl Context<'_> {
    pub fn join(&self, from: &From, outer: Option<&Frame<'_>>, sink: &mut Sink<'_>) -> Result<()> {
        let mut row = vec![Value::Null; from.width];
        if !self.all_true(&from.conditions, &row, outer)? {
            return Ok(());
        }
        let run = Run {
            from,
            outer,
            tables: from.steps.iter().map(|_| OnceCell::new()).collect(),
        };
        self.step(&run, 0, &mut row, sink).map(drop)
    }

    fn all_true(
        &self,
        conditions: &[Expr],
        row: &[Value],
        outer: Option<&Frame<'_>>,
    ) -> Result<bool> {
        let frame = Frame::of(row, outer);
        for condition in conditions {
            if !self.evaluate(condition, &frame)?.is_true() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn step(
        &self,
        run: &Run<'_>,
        position: usize,
        row: &mut Vec<Value>,
        sink: &mut Sink<'_>,
    ) -> Result<bool> {
        let Some(step) = run.from.steps.get(position) else {
            return sink(row);
        };
        let table = match run.tables.get(position) {
            Some(kept) if !step.is_lateral => match kept.get() {
                Some(table) => Arc::clone(table),
                None => {
                    let table = self.source(step, row, run.outer)?;
                    Arc::clone(kept.get_or_init(|| table))
                }
            },
            _ => self.source(step, row, run.outer)?,
        };
        let mut has_match = false;
        let mut visit = |found: &Row, row: &mut Vec<Value>| -> Result<bool> {
            self.tick()?;
            for column in &step.used {
                if let (Some(place), Some(value)) =
                    (row.get_mut(step.offset + column), found.get(*column))
                {
                    place.clone_from(value);
                }
            }
            if !self.all_true(&step.conditions, row, run.outer)? {
                return Ok(true);
            }
            has_match = true;
            if !self.all_true(&step.filters, row, run.outer)? {
                return Ok(true);
            }
            self.step(run, position + 1, row, sink)
        };
        match &step.lookup {
            Some((column, key)) => {
                let key = self.evaluate(key, &Frame::of(row, run.outer))?;
                if !key.is_null() {
                    for found in table.find(*column, &key) {
                        if let Some(found) = table.rows.get(*found as usize)
                            && !visit(found, row)?
                        {
                            return Ok(false);
                        }
                    }
                }
            }
            None => {
                for found in &table.rows {
                    if !visit(found, row)? {
                        return Ok(false);
                    }
                }
            }
        }
        if step.is_left && !has_match {
            for column in &step.used {
                if let Some(place) = row.get_mut(step.offset + column) {
                    *place = Value::Null;
                }
            }
            if self.all_true(&step.filters, row, run.outer)? {
                return self.step(run, position + 1, row, sink);
            }
        }
        Ok(true)
    }

    fn source(&self, step: &Step, row: &[Value], outer: Option<&Frame<'_>>) -> Result<Arc<Table>> {
        match &step.source {
            Source::Relation(relation) => self.catalog.table(*relation),
            Source::Cte(slot) => Ok(self.slot(*slot)),
            // What is lateral sees the rows before it, everything else what is around the query.
            Source::Query(query) if step.is_lateral => {
                self.table(query, Some(&Frame::of(row, outer)))
            }
            Source::Query(query) => self.table(query, outer),
            Source::Function {
                calls,
                has_ordinality,
            } => {
                let rows = self.function_rows(calls, *has_ordinality, row, outer)?;
                Ok(Arc::new(Table::new(rows, step.width)))
            }
            Source::Join(from) => {
                let mut rows: Vec<Row> = Vec::new();
                let columns = step.offset..step.offset + step.width;
                self.join(from, outer, &mut |row| {
                    let row = row.get(columns.clone()).unwrap_or_default();
                    self.keep(row.len())?;
                    rows.push(row.into());
                    Ok(true)
                })?;
                Ok(Arc::new(Table::new(rows, step.width)))
            }
            Source::Full {
                left,
                left_width,
                right,
                condition,
            } => {
                let rows = self.full(step, left, *left_width, right, condition, outer)?;
                Ok(Arc::new(Table::new(rows, step.width)))
            }
        }
    }

    pub fn set_rows(&self, call: &SetCall, frame: &Frame<'_>) -> Result<Vec<Vec<Value>>> {
        let arguments = call.arguments.iter();
        let arguments = arguments.map(|argument| self.evaluate(argument, frame));
        let arguments = arguments.collect::<Result<Vec<Value>>>()?;
        self.readable(&arguments)?;
        let rows = (call.run)(self, &arguments)?;
        self.keep(rows.len() * call.columns.len())?;
        Ok(rows)
    }

    /// The rows of functions side by side, the shorter ones with nulls.
    fn function_rows(
        &self,
        calls: &[SetCall],
        has_ordinality: bool,
        row: &[Value],
        outer: Option<&Frame<'_>>,
    ) -> Result<Vec<Row>> {
        let frame = Frame::of(row, outer);
        let sets = calls.iter().map(|call| self.set_rows(call, &frame));
        let sets = sets.collect::<Result<Vec<_>>>()?;
        let longest = sets.iter().map(Vec::len).max().unwrap_or(0);
        let mut rows = Vec::with_capacity(longest);
        for position in 0..longest {
            let mut row = Vec::new();
            for (set, call) in sets.iter().zip(calls) {
                match set.get(position) {
                    Some(values) => row.extend(values.iter().cloned()),
                    None => row.extend(call.columns.iter().map(|_| Value::Null)),
                }
            }
            if has_ordinality {
                row.push(Value::Int(i64::try_from(position + 1).unwrap_or(i64::MAX)));
            }
            rows.push(row.into());
        }
        Ok(rows)
    }

    /// A full join: every pair that matches, then what is alone on each side.
    fn full(
        &self,
        step: &Step,
        left: &From,
        left_width: usize,
        right: &From,
        condition: &[Expr],
        outer: Option<&Frame<'_>>,
    ) -> Result<Vec<Row>> {
        let side = |from: &From, columns: std::ops::Range<usize>| -> Result<Vec<Row>> {
            let mut rows: Vec<Row> = Vec::new();
            self.join(from, outer, &mut |row| {
                rows.push(row.get(columns.clone()).unwrap_or_default().into());
                Ok(true)
            })?;
            Ok(rows)
        };
        let middle = step.offset + left_width;
        let end = step.offset + step.width;
        let (lefts, rights) = (side(left, step.offset..middle)?, side(right, middle..end)?);
        let mut is_taken = vec![false; rights.len()];
        let mut rows: Vec<Row> = Vec::new();
        let mut whole = vec![Value::Null; left.width];
        for a in &lefts {
            let mut has_match = false;
            for (b, is_taken) in rights.iter().zip(&mut is_taken) {
                self.tick()?;
                let values = a.iter().chain(b.iter());
                for (place, value) in whole.iter_mut().skip(step.offset).zip(values) {
                    place.clone_from(value);
                }
                if self.all_true(condition, &whole, outer)? {
                    has_match = true;
                    *is_taken = true;
                    rows.push(a.iter().chain(b.iter()).cloned().collect());
                }
            }
            if !has_match {
                let nulls = std::iter::repeat_n(Value::Null, step.width - left_width);
                rows.push(a.iter().cloned().chain(nulls).collect());
            }
        }
        for (b, _) in rights
            .iter()
            .zip(is_taken)
            .filter(|(_, is_taken)| !is_taken)
        {
            let nulls = std::iter::repeat_n(Value::Null, left_width);
            rows.push(nulls.chain(b.iter().cloned()).collect());
        }
        Ok(rows)
    }
}

//! Values of expressions over a row, in three-valued logic.

use std::cmp::Ordering;

use super::run::{Context, Frame};
use super::{Binary, Comparison, Computed, Expr, Query};
use crate::cast;
use crate::error::Result;
use crate::functions::json;
use crate::value::{Array, Value};

impl Context<'_> {
    pub fn evaluate(&self, expr: &Expr, frame: &Frame<'_>) -> Result<Value> {
        Ok(match expr {
            Expr::Value(value) => value.clone(),
            Expr::Column { depth, index } => {
                let value = frame.at(*depth).and_then(|frame| frame.row.get(*index));
                value.cloned().unwrap_or(Value::Null)
            }
            Expr::Computed(kind, position) => {
                let [aggregates, windows, sets] = frame.computed;
                let base = match kind {
                    Computed::Aggregate => aggregates,
                    Computed::Window => windows,
                    Computed::Set => sets,
                };
                frame
                    .row
                    .get(base + position)
                    .cloned()
                    .unwrap_or(Value::Null)
            }
            Expr::Parameter(number) => self.parameters.get(*number).cloned().unwrap_or(Value::Null),
            Expr::Let { id, value, body } => {
                let value = self.evaluate(value, frame)?;
                self.bound.borrow_mut().push((*id, value));
                let result = self.evaluate(body, frame);
                self.bound.borrow_mut().pop();
                result?
            }
            Expr::Bound(id) => {
                let bound = self.bound.borrow();
                let found = bound.iter().rfind(|(known, _)| known == id);
                found.map_or(Value::Null, |(_, value)| value.clone())
            }
            Expr::Call {
                run,
                is_strict,
                arguments,
            } => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    let value = self.evaluate(argument, frame)?;
                    if *is_strict && value.is_null() {
                        return Ok(Value::Null);
                    }
                    values.push(value);
                }
                self.made(&values, |context| run(context, &values))?
            }
            Expr::Binary {
                operator,
                left,
                right,
            } => {
                let left = self.evaluate(left, frame)?;
                if left.is_null() {
                    return Ok(Value::Null);
                }
                self.apply(*operator, &left, &self.evaluate(right, frame)?)?
            }
            Expr::Distinct {
                left,
                right,
                is_negated,
            } => {
                let equal = self.evaluate(left, frame)? == self.evaluate(right, frame)?;
                Value::Bool(equal == *is_negated)
            }
            Expr::And(parts) => self.logical(parts, false, frame)?,
            Expr::Or(parts) => self.logical(parts, true, frame)?,
            Expr::Not(inner) => match self.evaluate(inner, frame)? {
                Value::Bool(value) => Value::Bool(!value),
                other => other,
            },
            Expr::IsNull(inner) => Value::Bool(match self.evaluate(inner, frame)? {
                // A row is null where all of its fields are.
                Value::Record(fields) => fields.iter().all(Value::is_null),
                value => value.is_null(),
            }),
            Expr::Is {
                expr,
                value,
                is_negated,
            } => {
                let is = matches!(self.evaluate(expr, frame)?, Value::Bool(v) if v == *value);
                Value::Bool(is != *is_negated)
            }
            Expr::Quantified {
                operator,
                is_all,
                left,
                array,
            } => {
                let left = self.evaluate(left, frame)?;
                match self.evaluate(array, frame)? {
                    Value::Array(array) => {
                        self.quantified(*operator, *is_all, &left, array.items.iter())?
                    }
                    _ => Value::Null,
                }
            }
            Expr::In { expr, list } => self.in_list(expr, list, frame)?,
            Expr::QuantifiedQuery {
                operator,
                is_all,
                left,
                query,
            } => self.quantified_query(*operator, *is_all, left, query, frame)?,
            Expr::Exists(query) => Value::Bool(match query.is_correlated {
                true => !self.query(query, Some(frame), 1)?.is_empty(),
                false => !self.table(query, Some(frame))?.rows.is_empty(),
            }),
            Expr::Scalar(query) => self.scalar(query, frame)?,
            Expr::ArrayQuery(query) => {
                let table = self.table(query, Some(frame))?;
                let items = table.rows.iter().filter_map(|row| row.first().cloned());
                Value::array(items.collect())
            }
            Expr::Case {
                branches,
                otherwise,
            } => {
                for (condition, result) in branches {
                    if self.evaluate(condition, frame)?.is_true() {
                        return self.evaluate(result, frame);
                    }
                }
                self.evaluate(otherwise, frame)?
            }
            Expr::Coalesce(parts) => {
                for part in parts {
                    let value = self.evaluate(part, frame)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Value::Null
            }
            Expr::Cast { expr, from, to } => {
                let value = self.evaluate(expr, frame)?;
                self.readable(std::slice::from_ref(&value))?;
                cast::cast(self.catalog, &value, from, to)?
            }
            Expr::Json { expr, from } => {
                let value = self.evaluate(expr, frame)?;
                Value::text(json::text(self.catalog, &value, from))
            }
            Expr::Array(items) => {
                let items = items.iter().map(|item| self.evaluate(item, frame));
                Value::array(items.collect::<Result<_>>()?)
            }
            Expr::Record(fields) => {
                let fields = fields.iter().map(|field| self.evaluate(field, frame));
                Value::Record(fields.collect::<Result<_>>()?)
            }
            Expr::Field(row, position) => match self.evaluate(row, frame)? {
                Value::Record(fields) => fields.get(*position).cloned().unwrap_or(Value::Null),
                _ => Value::Null,
            },
            Expr::Subscript(array, index) => {
                let array = self.evaluate(array, frame)?;
                match (array, self.evaluate(index, frame)?) {
                    (Value::Array(array), Value::Int(index)) => {
                        let position = usize::try_from(index - array.lower).ok();
                        let item = position.and_then(|position| array.items.get(position));
                        item.cloned().unwrap_or(Value::Null)
                    }
                    (Value::Text(name), Value::Int(index)) => {
                        let position = usize::try_from(index).ok();
                        let letter = position.and_then(|position| name.chars().nth(position));
                        letter.map_or(Value::Null, |letter| Value::text(letter.to_string()))
                    }
                    _ => Value::Null,
                }
            }
            Expr::Slice {
                array,
                lower,
                upper,
            } => self.slice(array, lower.as_deref(), upper.as_deref(), frame)?,
        })
    }

    pub fn apply(&self, operator: Binary, left: &Value, right: &Value) -> Result<Value> {
        if left.is_null() || right.is_null() {
            return Ok(Value::Null);
        }
        match operator {
            Binary::Compare(comparison) => {
                let order = left.order(right);
                Ok(Value::Bool(match comparison {
                    Comparison::Equal => order == Ordering::Equal,
                    Comparison::NotEqual => order != Ordering::Equal,
                    Comparison::Less => order == Ordering::Less,
                    Comparison::LessOrEqual => order != Ordering::Greater,
                    Comparison::Greater => order == Ordering::Greater,
                    Comparison::GreaterOrEqual => order != Ordering::Less,
                }))
            }
            Binary::Call(run) => {
                let values = [left.clone(), right.clone()];
                self.made(&values, |context| run(context, &values))
            }
        }
    }

    /// `OR` where one true part decides, `AND` where one false part does.
    fn logical(&self, parts: &[Expr], decides: bool, frame: &Frame<'_>) -> Result<Value> {
        let mut has_null = false;
        for part in parts {
            match self.evaluate(part, frame)? {
                Value::Bool(value) if value == decides => return Ok(Value::Bool(decides)),
                Value::Bool(_) => {}
                _ => has_null = true,
            }
        }
        Ok(match has_null {
            true => Value::Null,
            false => Value::Bool(!decides),
        })
    }

    fn quantified<'v>(
        &self,
        operator: Binary,
        is_all: bool,
        left: &Value,
        items: impl Iterator<Item = &'v Value>,
    ) -> Result<Value> {
        let mut has_null = false;
        for item in items {
            match self.apply(operator, left, item)? {
                Value::Bool(value) if value != is_all => return Ok(Value::Bool(value)),
                Value::Bool(_) => {}
                _ => has_null = true,
            }
        }
        Ok(match has_null {
            true => Value::Null,
            false => Value::Bool(is_all),
        })
    }

    fn in_list(&self, expr: &Expr, list: &[Expr], frame: &Frame<'_>) -> Result<Value> {
        let value = self.evaluate(expr, frame)?;
        if value.is_null() {
            return Ok(Value::Null);
        }
        let mut has_null = false;
        for item in list {
            let item = self.evaluate(item, frame)?;
            if item.is_null() {
                has_null = true;
            } else if item == value {
                return Ok(Value::Bool(true));
            }
        }
        Ok(match has_null {
            true => Value::Null,
            false => Value::Bool(false),
        })
    }

    fn quantified_query(
        &self,
        operator: Binary,
        is_all: bool,
        left: &Expr,
        query: &Query,
        frame: &Frame<'_>,
    ) -> Result<Value> {
        let table = self.table(query, Some(frame))?;
        let left = self.evaluate(left, frame)?;
        if let Value::Record(fields) = &left {
            let mut has_null = false;
            for row in &table.rows {
                self.tick()?;
                let pairs = fields.iter().zip(row.iter());
                let has_unknown = pairs.clone().any(|(a, b)| a.is_null() || b.is_null());
                let mut known = pairs.filter(|(a, b)| !a.is_null() && !b.is_null());
                match known.all(|(a, b)| a == b) {
                    true if has_unknown => has_null = true,
                    true => return Ok(Value::Bool(true)),
                    false => {}
                }
            }
            return Ok(match has_null {
                true => Value::Null,
                false => Value::Bool(false),
            });
        }
        let is_equality = matches!(operator, Binary::Compare(Comparison::Equal)) && !is_all;
        if is_equality && !left.is_null() && !table.find(0, &left).is_empty() {
            return Ok(Value::Bool(true));
        }
        self.quantified(
            operator,
            is_all,
            &left,
            table.rows.iter().filter_map(|row| row.first()),
        )
    }

    fn scalar(&self, query: &Query, frame: &Frame<'_>) -> Result<Value> {
        let first = |rows: &[super::Row]| match rows {
            [] => Ok(Value::Null),
            [row] => Ok(row.first().cloned().unwrap_or(Value::Null)),
            _ => Err(cast::failure(
                "21000",
                "more than one row returned by a subquery used as an expression",
            )),
        };
        match query.is_correlated {
            true => first(&self.query(query, Some(frame), 2)?),
            false => first(&self.table(query, Some(frame))?.rows),
        }
    }

    fn slice(
        &self,
        array: &Expr,
        lower: Option<&Expr>,
        upper: Option<&Expr>,
        frame: &Frame<'_>,
    ) -> Result<Value> {
        let Value::Array(array) = self.evaluate(array, frame)? else {
            return Ok(Value::Null);
        };
        let bound = |bound: Option<&Expr>, otherwise: i64| -> Result<Option<i64>> {
            match bound {
                Some(bound) => match self.evaluate(bound, frame)? {
                    Value::Int(bound) => Ok(Some(bound)),
                    _ => Ok(None),
                },
                None => Ok(Some(otherwise)),
            }
        };
        let length = i64::try_from(array.items.len()).unwrap_or(i64::MAX);
        let last = array.lower + length - 1;
        let (Some(lower), Some(upper)) = (bound(lower, array.lower)?, bound(upper, last)?) else {
            return Ok(Value::Null);
        };
        let (from, to) = (lower.max(array.lower), upper.min(last));
        let Array { lower, items } = &*array;
        let items = items.iter().zip(*lower..);
        let items = items.filter(|(_, index)| (from..=to).contains(index));
        Ok(Value::array(items.map(|(item, _)| item.clone()).collect()))
    }
}

//! Operators between numbers, and between a number or a truth value and a text in quotes, which has
//! no type of its own: it is read as the other side is.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::arithmetic::Operation;
use super::{chain, columns, conversions, types};
use crate::catalog::cast::parse_bool;
use crate::dialect::output::types::PG_TYPE;
use crate::error::Error;

/// Plans them.
#[derive(Debug)]
pub struct Operators {
    text: Option<Arc<ScalarUDF>>,
}

impl Default for Operators {
    fn default() -> Self {
        let text = conversions::all()
            .into_iter()
            .find(|function| function.name() == "text");
        Self {
            text: text.map(Arc::new),
        }
    }
}

/// What a side of an operator is.
#[derive(Debug, Clone, PartialEq)]
enum Side {
    Number(DataType),
    Boolean,
    /// A text in quotes.
    Quoted(String),
    /// Null, or a parameter of which nothing is known yet.
    Unknown,
    Text,
    List,
    Other,
}

fn side(expr: &Expr, schema: &DFSchema) -> Side {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => return Side::Quoted(text.clone()),
        Expr::Literal(ScalarValue::Null, _) => return Side::Unknown,
        Expr::Placeholder(placeholder) if placeholder.field.is_none() => return Side::Unknown,
        _ => {}
    }
    match chain::type_of(expr, schema) {
        Ok(DataType::Null) => Side::Unknown,
        Ok(DataType::Boolean) => Side::Boolean,
        Ok(of) if types::is_number(&of) => Side::Number(types::plain(&of)),
        Ok(of) if types::is_text(&of) => Side::Text,
        Ok(of) if of.is_list() => Side::List,
        _ => Side::Other,
    }
}

/// Gives a parameter of which nothing is known the type of the other side.
fn typed(expr: Expr, of: &DataType) -> Expr {
    match expr {
        Expr::Placeholder(mut placeholder) if placeholder.field.is_none() => {
            placeholder.field = Some(Arc::new(Field::new(&placeholder.id, of.clone(), true)));
            Expr::Placeholder(placeholder)
        }
        expr => expr,
    }
}

/// A small integer that the statement has as a cast of its literal.
fn folded(expr: Expr) -> Expr {
    if let Expr::Cast(Cast { expr: inner, field }) = &expr
        && *field.data_type() == DataType::Int32
        && let Expr::Literal(ScalarValue::Int64(Some(value)), metadata) = &**inner
        && let Ok(value) = i32::try_from(*value)
    {
        return Expr::Literal(ScalarValue::Int32(Some(value)), metadata.clone());
    }
    expr
}

impl ExprPlanner for Operators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expr;
        let (left, right) = (folded(left), folded(right));
        let sides = (side(&left, schema), side(&right, schema));
        let original =
            |op, left, right| Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        let operation = match op {
            BinaryOperator::Plus => Some(Operation::Add),
            BinaryOperator::Minus => Some(Operation::Subtract),
            BinaryOperator::Multiply => Some(Operation::Multiply),
            BinaryOperator::Divide => Some(Operation::Divide),
            BinaryOperator::Modulo => Some(Operation::Remainder),
            BinaryOperator::PGExp => Some(Operation::Power),
            _ => None,
        };
        if let Some(operation) = operation {
            let (left, right) = match sides {
                (Side::Number(a), Side::Number(b)) => ((left, a), (right, b)),
                (Side::Number(of), Side::Unknown) => {
                    let right = typed(right, &of);
                    ((left, of.clone()), (right, of))
                }
                (Side::Unknown, Side::Number(of)) => {
                    let left = typed(left, &of);
                    ((left, of.clone()), (right, of))
                }
                (Side::Number(of), Side::Quoted(text)) => {
                    let right = read(&text, &of)?;
                    let read = right.get_type(schema)?;
                    ((left, of), (right, read))
                }
                (Side::Quoted(text), Side::Number(of)) => {
                    let left = read(&text, &of)?;
                    let read = left.get_type(schema)?;
                    ((left, read), (right, of))
                }
                _ => return original(op, left, right),
            };
            return Ok(PlannerResult::Planned(chain::joined(
                operation, left, right,
            )?));
        }
        match op {
            BinaryOperator::StringConcat => {
                // Blanks that fill a character are none of the text.
                let (left, right) = (self.unfilled(left, schema), self.unfilled(right, schema));
                let (left, right) = match sides {
                    (
                        Side::Text | Side::Quoted(_),
                        Side::Number(_) | Side::Boolean | Side::Other,
                    ) => (left, self.shown(right)),
                    (
                        Side::Number(_) | Side::Boolean | Side::Other,
                        Side::Text | Side::Quoted(_),
                    ) => (self.shown(left), right),
                    _ => (left, right),
                };
                original(op, left, right)
            }
            BinaryOperator::And | BinaryOperator::Or => {
                let truth = |expr: Expr, side: Side| match side {
                    Side::Quoted(text) => read(&text, &DataType::Boolean),
                    _ => Ok(expr),
                };
                let (left, right) = (truth(left, sides.0)?, truth(right, sides.1)?);
                original(op, left, right)
            }
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq => {
                let (left, right) = match sides {
                    (Side::Boolean, Side::Quoted(text)) => (left, read(&text, &DataType::Boolean)?),
                    (Side::Quoted(text), Side::Boolean) => {
                        (read(&text, &DataType::Boolean)?, right)
                    }
                    (Side::Number(of), Side::Quoted(text)) => (left, read(&text, &of)?),
                    (Side::Quoted(text), Side::Number(of)) => (read(&text, &of)?, right),
                    (Side::Number(a), Side::Number(b)) if a.is_decimal() && b.is_floating() => {
                        (double(left), right)
                    }
                    (Side::Number(a), Side::Number(b)) if a.is_floating() && b.is_decimal() => {
                        (left, double(right))
                    }
                    _ => (left, right),
                };
                original(op, left, right)
            }
            _ => original(op, left, right),
        }
    }
}

impl Operators {
    fn unfilled(&self, expr: Expr, schema: &DFSchema) -> Expr {
        let field = expr.to_field(schema);
        let is_filled = field.is_ok_and(|(_, field)| {
            field
                .metadata()
                .get(PG_TYPE)
                .is_some_and(|name| name == "bpchar")
        });
        match is_filled {
            true => self.shown(expr),
            false => expr,
        }
    }

    fn shown(&self, expr: Expr) -> Expr {
        match &self.text {
            Some(text) => text.call(vec![expr]),
            None => expr,
        }
    }
}

fn double(expr: Expr) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), DataType::Float64))
}

fn wrong(name: &str, text: &str) -> datafusion::error::DataFusionError {
    let message = format!("invalid input syntax for type {name}: \"{text}\"");
    columns::failed(Error::session("22P02", message))
}

/// A text in quotes as a number or a truth value, as what it stands beside.
pub fn read(text: &str, of: &DataType) -> Result<Expr> {
    let trimmed = text.trim();
    let whole = |name: &str| trimmed.parse::<i64>().map_err(|_| wrong(name, text));
    let value = match of {
        DataType::Boolean => {
            let value = parse_bool(trimmed).ok_or_else(|| wrong("boolean", text))?;
            ScalarValue::Boolean(Some(value))
        }
        DataType::Int16 | DataType::Int32 => {
            let value = i32::try_from(whole("integer")?);
            let value = value.map_err(|_| columns::failed(columns::out_of_range(of)))?;
            ScalarValue::Int32(Some(value))
        }
        DataType::Int64 => ScalarValue::Int64(Some(whole("bigint")?)),
        of if of.is_floating() => {
            let value = trimmed.parse::<f64>();
            ScalarValue::Float64(Some(value.map_err(|_| wrong("double precision", text))?))
        }
        _ => {
            let value = super::parse(trimmed).ok_or_else(|| wrong("numeric", text))?;
            let places = i8::try_from(value.places)
                .unwrap_or(types::PLACES)
                .min(types::PLACES);
            let narrow = i128::try_from(&value.rounded(places.into()).digits).ok();
            match narrow.filter(|digits| digits.unsigned_abs() < 10_u128.pow(38) && places <= 38) {
                Some(digits) => ScalarValue::Decimal128(Some(digits), 38, places),
                None => ScalarValue::Decimal256(value.to_i256(places), 76, places),
            }
        }
    };
    Ok(Expr::Literal(value, None))
}

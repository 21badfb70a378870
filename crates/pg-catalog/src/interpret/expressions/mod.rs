//! Binding of expressions: names become columns, literals values, and every node gets its type.

mod columns;

mod operations;

use datafusion::sql::sqlparser::ast::{
    self, AccessExpr, BinaryOperator, Expr as Ast, Subscript, UnaryOperator, Value as Literal,
};

use super::bind::{Binder, no_relation, unified, unsupported};
use super::names;
use super::scope::{Found, Scope};
use super::{Comparison, Expr};
use crate::cast::{self, failure};
use crate::error::Result;
use crate::types::{self, Type, oid};
use crate::value::Value;

/// An expression and its type.
pub type Typed = (Expr, Type);

pub fn boolean(expr: Expr) -> Typed {
    (expr, Type::of(oid::BOOL))
}

impl Binder<'_> {
    pub fn expr(&mut self, expr: &Ast, scope: &Scope<'_>) -> Result<Typed> {
        self.nest(|binder| binder.expr_inner(expr, scope))
    }

    /// An expression that must be a truth value.
    pub fn condition(&mut self, expr: &Ast, scope: &Scope<'_>) -> Result<Expr> {
        let (bound, data_type) = self.expr(expr, scope)?;
        if types::distance(data_type.oid, oid::BOOL).is_none() {
            let name = types::format(data_type.oid, -1).unwrap_or_default();
            let message = format!("argument of a condition must be type boolean, not type {name}");
            return Err(failure("42804", message));
        }
        self.coerce((bound, data_type), &Type::of(oid::BOOL))
    }

    /// An expression as a value of another type, by a cast that need not be written.
    pub fn coerce(&self, (expr, from): Typed, to: &Type) -> Result<Expr> {
        if from.oid == to.oid && (to.typmod < 0 || from.typmod == to.typmod) {
            return Ok(expr);
        }
        if matches!(to.oid, oid::ANY | oid::ANYELEMENT | oid::ANYARRAY) {
            return Ok(expr);
        }
        if from.is_unknown() {
            match expr {
                Expr::Value(Value::Null) => return Ok(expr),
                Expr::Parameter(number) => {
                    let mut parameters = self.parameters.borrow_mut();
                    if let Some(known) = parameters.get_mut(number) {
                        match known {
                            None => {
                                *known = Some(to.clone());
                                return Ok(expr);
                            }
                            Some(known) => {
                                let from = known.clone();
                                drop(parameters);
                                return match from.is_unknown() {
                                    true => Ok(expr),
                                    false => self.coerce((Expr::Parameter(number), from), to),
                                };
                            }
                        }
                    }
                    return Ok(Expr::Parameter(number));
                }
                Expr::Value(Value::Text(text)) => {
                    // A name of the session is read when the statement runs.
                    let is_constant = !types::is_reg(types::base(to.oid));
                    return match is_constant {
                        true => Ok(Expr::Value(cast::parse(self.catalog, &text, to)?)),
                        false => Ok(Expr::Cast {
                            expr: Box::new(Expr::Value(Value::Text(text))),
                            from: Type::of(oid::TEXT),
                            to: to.clone(),
                        }),
                    };
                }
                _ => {}
            }
        }
        if cast::is_relabel(from.oid, to.oid) && to.typmod < 0 {
            return Ok(expr);
        }
        Ok(Expr::Cast {
            expr: Box::new(expr),
            from,
            to: to.clone(),
        })
    }

    fn expr_inner(&mut self, expr: &Ast, scope: &Scope<'_>) -> Result<Typed> {
        match expr {
            Ast::Identifier(name) => self.identifier(name, scope),
            Ast::CompoundIdentifier(parts) => self.compound(parts, scope),
            Ast::Nested(inner) | Ast::Collate { expr: inner, .. } => self.expr(inner, scope),
            Ast::Value(value) => self.literal(&value.value),
            Ast::TypedString(string) => {
                let to = names::data_type(&string.data_type)?;
                let text = self.literal(&string.value.value)?;
                Ok((self.coerce(text, &to)?, to))
            }
            Ast::Interval(interval) => {
                let value = self.expr(&interval.value, scope)?;
                let to = Type::of(oid::INTERVAL);
                let text = match (&value.0, &interval.leading_field) {
                    (Expr::Value(Value::Text(text)), Some(unit)) => {
                        Expr::text(&format!("{text} {unit}"))
                    }
                    _ => value.0,
                };
                Ok((self.coerce((text, Type::of(oid::UNKNOWN)), &to)?, to))
            }
            Ast::Cast {
                expr, data_type, ..
            } => {
                let to = names::data_type(data_type)?;
                let value = self.expr(expr, scope)?;
                self.written_cast(value, to)
            }
            Ast::BinaryOp {
                left,
                op: op @ (BinaryOperator::And | BinaryOperator::Or),
                right,
            } => self.logical(left, op, right, scope),
            Ast::BinaryOp { left, op, right } => {
                let left = self.expr(left, scope)?;
                let right = self.expr(right, scope)?;
                self.operator(&Self::operator_name(op)?, left, right)
            }
            Ast::UnaryOp { op, expr } => self.unary(op, expr, scope),
            Ast::IsNull(expr) => self.is_null(expr, scope),
            Ast::IsNotNull(expr) => {
                let (is_null, data_type) = self.is_null(expr, scope)?;
                Ok((Expr::Not(Box::new(is_null)), data_type))
            }
            Ast::IsTrue(expr) => self.is(expr, true, false, scope),
            Ast::IsNotTrue(expr) => self.is(expr, true, true, scope),
            Ast::IsFalse(expr) => self.is(expr, false, false, scope),
            Ast::IsNotFalse(expr) => self.is(expr, false, true, scope),
            Ast::IsUnknown(expr) => self.is_null(expr, scope),
            Ast::IsNotUnknown(expr) => {
                let (is_null, data_type) = self.is_null(expr, scope)?;
                Ok((Expr::Not(Box::new(is_null)), data_type))
            }
            Ast::IsDistinctFrom(left, right) => self.distinct(left, right, false, scope),
            Ast::IsNotDistinctFrom(left, right) => self.distinct(left, right, true, scope),
            Ast::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let value = self.expr(expr, scope)?;
                let value = self.once(value);
                let (low, high) = (self.expr(low, scope)?, self.expr(high, scope)?);
                let low = self
                    .compare(Comparison::GreaterOrEqual, value.read(), low)?
                    .0;
                let high = self.compare(Comparison::LessOrEqual, value.read(), high)?.0;
                let between = value.within(Expr::And(vec![low, high]));
                Ok(negated_if(*negated, between))
            }
            Ast::InList {
                expr,
                list,
                negated,
            } => {
                let value = self.expr(expr, scope)?;
                let list = list.iter().map(|item| self.expr(item, scope));
                let list = list.collect::<Result<Vec<_>>>()?;
                Ok(negated_if(*negated, self.in_list(value, list)?))
            }
            Ast::InSubquery {
                expr,
                subquery,
                negated,
            } => {
                let quantified = self.quantified_query("=", false, expr, subquery, scope)?;
                Ok(negated_if(*negated, quantified.0))
            }
            Ast::AnyOp {
                left,
                compare_op,
                right,
                ..
            } => self.quantified(compare_op, false, left, right, scope),
            Ast::AllOp {
                left,
                compare_op,
                right,
            } => self.quantified(compare_op, true, left, right, scope),
            Ast::Like {
                negated,
                any: true,
                expr,
                pattern,
                ..
            } => self.like_any("~~", *negated, expr, pattern, scope),
            Ast::ILike {
                negated,
                any: true,
                expr,
                pattern,
                ..
            } => self.like_any("~~*", *negated, expr, pattern, scope),
            Ast::Like {
                negated,
                expr,
                pattern,
                escape_char,
                ..
            } => self.like("~~", *negated, expr, pattern, escape_char.as_ref(), scope),
            Ast::ILike {
                negated,
                expr,
                pattern,
                escape_char,
                ..
            } => self.like("~~*", *negated, expr, pattern, escape_char.as_ref(), scope),
            Ast::SimilarTo {
                negated,
                expr,
                pattern,
                ..
            } => self.like("similar", *negated, expr, pattern, None, scope),
            Ast::Case {
                operand,
                conditions,
                else_result,
                ..
            } => self.case(
                operand.as_deref(),
                conditions,
                else_result.as_deref(),
                scope,
            ),
            Ast::Exists { subquery, negated } => {
                let query = self.query(subquery, Some(scope), true)?;
                Ok(negated_if(*negated, Expr::Exists(Box::new(query))))
            }
            Ast::Subquery(query) => {
                let query = self.query(query, Some(scope), true)?;
                match query.columns.as_slice() {
                    [column] => {
                        let data_type = column.data_type.clone();
                        Ok((Expr::Scalar(Box::new(query)), data_type))
                    }
                    _ => Err(failure("42601", "subquery must return only one column")),
                }
            }
            Ast::Array(array) => self.array(&array.elem, scope),
            Ast::Tuple(items) => self.row(items, scope),
            Ast::CompoundFieldAccess { root, access_chain } => {
                self.access(root, access_chain, scope)
            }
            Ast::Function(call) => self.call(call, scope),
            Ast::AtTimeZone {
                timestamp,
                time_zone,
            } => {
                let arguments = [self.expr(time_zone, scope)?, self.expr(timestamp, scope)?];
                self.resolve("timezone", arguments.into())
            }
            Ast::Extract { field, expr, .. } => {
                let field = Expr::text(&field.to_string().to_lowercase());
                let field = (field, Type::of(oid::TEXT));
                let value = self.expr(expr, scope)?;
                self.resolve("extract", vec![field, value])
            }
            Ast::Position { expr, r#in } => {
                let (part, whole) = (self.expr(expr, scope)?, self.expr(r#in, scope)?);
                self.resolve("strpos", vec![whole, part])
            }
            Ast::Substring {
                expr,
                substring_from,
                substring_for,
                ..
            } => {
                let mut arguments = vec![self.expr(expr, scope)?];
                let one = (Expr::Value(Value::Int(1)), Type::of(oid::INT4));
                match (substring_from, substring_for) {
                    (Some(from), _) => arguments.push(self.expr(from, scope)?),
                    (None, _) => arguments.push(one),
                }
                if let Some(length) = substring_for {
                    arguments.push(self.expr(length, scope)?);
                }
                self.resolve("substring", arguments)
            }
            Ast::Trim {
                expr,
                trim_where,
                trim_what,
                trim_characters,
            } => {
                let name = match trim_where {
                    Some(ast::TrimWhereField::Leading) => "ltrim",
                    Some(ast::TrimWhereField::Trailing) => "rtrim",
                    _ => "btrim",
                };
                let mut arguments = vec![self.expr(expr, scope)?];
                if let Some(what) = trim_what {
                    arguments.push(self.expr(what, scope)?);
                }
                for what in trim_characters.iter().flatten() {
                    arguments.push(self.expr(what, scope)?);
                }
                self.resolve(name, arguments)
            }
            Ast::Ceil { expr, .. } => {
                let value = self.expr(expr, scope)?;
                self.resolve("ceil", vec![value])
            }
            Ast::Floor { expr, .. } => {
                let value = self.expr(expr, scope)?;
                self.resolve("floor", vec![value])
            }
            other => Err(unsupported(&format!("the expression {other}"))),
        }
    }

    fn literal(&mut self, literal: &Literal) -> Result<Typed> {
        let text = |text: &str| Ok((Expr::text(text), Type::of(oid::UNKNOWN)));
        match literal {
            Literal::Null => Ok((Expr::null(), Type::of(oid::UNKNOWN))),
            Literal::Boolean(value) => Ok(boolean(Expr::Value(Value::Bool(*value)))),
            Literal::Number(number, _) => {
                let parsed: Result<i64, _> = number.parse();
                let (oid, to) = match parsed {
                    Ok(value) if i32::try_from(value).is_ok() => (oid::INT4, Value::Int(value)),
                    Ok(value) => (oid::INT8, Value::Int(value)),
                    Err(_) => {
                        let to = Type::of(oid::NUMERIC);
                        (oid::NUMERIC, cast::parse(self.catalog, number, &to)?)
                    }
                };
                Ok((Expr::Value(to), Type::of(oid)))
            }
            Literal::SingleQuotedString(value)
            | Literal::EscapedStringLiteral(value)
            | Literal::UnicodeStringLiteral(value)
            | Literal::NationalStringLiteral(value)
            | Literal::DoubleQuotedString(value) => text(value),
            Literal::DollarQuotedString(value) => text(&value.value),
            Literal::Placeholder(name) => {
                let number = name.strip_prefix('$').and_then(|n| n.parse::<usize>().ok());
                let Some(number) = number.filter(|number| (1..=65_535).contains(number)) else {
                    return Err(failure("42P02", format!("there is no parameter {name}")));
                };
                let mut parameters = self.parameters.borrow_mut();
                if parameters.len() < number {
                    parameters.resize(number, None);
                }
                let known = parameters.get(number - 1).cloned().flatten();
                let data_type = known.unwrap_or(Type::of(oid::UNKNOWN));
                Ok((Expr::Parameter(number - 1), data_type))
            }
            other => Err(unsupported(&format!("the literal {other}"))),
        }
    }

    fn written_cast(&mut self, (expr, from): Typed, to: Type) -> Result<Typed> {
        if from.is_unknown() {
            let bound = self.coerce((expr, from), &to)?;
            return Ok((bound, to));
        }
        let no_work = cast::is_relabel(from.oid, to.oid) && to.typmod < 0;
        // What is output by its name must keep its type, so only the type changes.
        let bound = match no_work {
            true => expr,
            false => Expr::Cast {
                expr: Box::new(expr),
                from,
                to: to.clone(),
            },
        };
        Ok((bound, to))
    }
}

/// A truth value or its opposite.
pub fn negated_if(is_negated: bool, expr: Expr) -> Typed {
    boolean(match is_negated {
        true => Expr::Not(Box::new(expr)),
        false => expr,
    })
}

//! Operators and forms of SQL on dates, times, intervals and JSON, planned as PostgreSQL's.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawAggregateExpr, RawBinaryExpr,
};
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, Operator, ScalarUDF, Volatility, lit,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use std::sync::Arc;

use super::casts::ZonedCast;
use super::extract::Extract;
use super::routine::{Routine, pg_name};
use super::span::Span;
use super::values::INTERVAL;
use super::{json, json_paths};
use crate::catalog::functions::patterns;
use crate::dialect::numbers::type_of;
use crate::dialect::numbers::types::is_text;
use crate::error::Error;

/// Plans them with these functions.
#[derive(Debug)]
pub struct Operators {
    pub plus: Arc<ScalarUDF>,
    pub minus: Arc<ScalarUDF>,
    pub times: Arc<ScalarUDF>,
    pub divide: Arc<ScalarUDF>,
    pub extract: Arc<ScalarUDF>,
    pub substring: Arc<ScalarUDF>,
    pub overlay: Arc<ScalarUDF>,
    pub span: Arc<ScalarUDF>,
}

impl Default for Operators {
    fn default() -> Self {
        let routine = |name| Arc::new(Routine::new(name, Volatility::Stable));
        Self {
            plus: routine("+"),
            minus: routine("-"),
            times: routine("*"),
            divide: routine("/"),
            extract: Arc::new(Extract::extract()),
            substring: routine("substring"),
            overlay: routine("overlay"),
            span: Arc::new(Span::function()),
        }
    }
}

/// The function of an operator on JSON.
fn of_json(op: &BinaryOperator) -> Option<&'static str> {
    Some(match op {
        BinaryOperator::Arrow => "json_get",
        BinaryOperator::LongArrow => "json_get_text",
        BinaryOperator::HashArrow => "json_get_path",
        BinaryOperator::HashLongArrow => "json_get_path_text",
        BinaryOperator::AtArrow | BinaryOperator::ArrowAt => "json_contains",
        BinaryOperator::Question => "json_has",
        BinaryOperator::HashMinus => "jsonb_delete_path",
        BinaryOperator::AtQuestion => "jsonb_path_exists",
        BinaryOperator::AtAt => "jsonb_path_match",
        _ => return None,
    })
}

fn json_function(name: &str) -> Option<Arc<ScalarUDF>> {
    json::function(name).or_else(|| json_paths::function(name))
}

/// What a side of an operator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Moment,
    Time,
    Interval,
    Number,
    /// A text in quotes or null, which becomes what the other side wants.
    Unknown,
    Other,
}

fn side(expr: &Expr, schema: &DFSchema) -> Side {
    if let Expr::Literal(ScalarValue::Utf8(_) | ScalarValue::Null, _) = expr {
        return Side::Unknown;
    }
    match type_of(expr, schema) {
        Ok(DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64) => Side::Moment,
        Ok(DataType::Time32(_) | DataType::Time64(_)) => Side::Time,
        Ok(DataType::Interval(_) | DataType::Duration(_)) => Side::Interval,
        Ok(of) if of.is_numeric() => Side::Number,
        _ => Side::Other,
    }
}

/// How many bytes of a pattern are read while a statement is planned.
const LONGEST_PATTERN: usize = 64 << 10;

/// A pattern that is written out, as the engine reads it; `None` where it reads none of it.
fn pattern_of(pattern: &Expr) -> Option<Expr> {
    let Expr::Literal(ScalarValue::Utf8(Some(pattern)), _) = pattern else {
        return None;
    };
    if pattern.len() > LONGEST_PATTERN {
        // Where it is matched it is refused.
        return Some(lit(pattern.as_str()));
    }
    patterns::compiled(pattern, false).ok()?;
    let plain = patterns::in_rust(pattern);
    // A dot is any letter, the end of a line too.
    Some(match plain.contains('.') {
        true => lit(format!("(?s){plain}")),
        false => lit(plain),
    })
}

/// How many operators on times may stand over each other: each asks all below it for their types.
const LEVELS: usize = 50;

fn levels(expr: &Expr) -> usize {
    match expr {
        Expr::ScalarFunction(call)
            if call.func.inner().is::<Routine>()
                && ["+", "-", "*", "/"].contains(&call.func.name()) =>
        {
            1 + call.args.iter().map(levels).max().unwrap_or_default()
        }
        _ => 0,
    }
}

impl ExprPlanner for Operators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expr;
        let is_list = |expr: &Expr| {
            matches!(
                type_of(expr, schema),
                Ok(DataType::List(_) | DataType::FixedSizeList(_, _))
            )
        };
        let is_of_lists = matches!(
            op,
            BinaryOperator::AtArrow
                | BinaryOperator::ArrowAt
                | BinaryOperator::PGOverlap
                | BinaryOperator::StringConcat
                | BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq
        );
        let is_null = |expr: &Expr| matches!(expr, Expr::Literal(value, _) if value.is_null());
        if op == BinaryOperator::StringConcat {
            // Null beside an array is one without elements.
            match (is_list(&left), is_list(&right)) {
                (true, false) if is_null(&right) => return Ok(PlannerResult::Planned(left)),
                (false, true) if is_null(&left) => return Ok(PlannerResult::Planned(right)),
                _ => {}
            }
        }
        // A text in quotes is an array beside one.
        let (left, right) = match (is_list(&left), is_list(&right)) {
            (true, false) if is_of_lists && side(&right, schema) == Side::Unknown => {
                let of = left.get_type(schema)?;
                (left, ZonedCast::to(right, of))
            }
            (false, true) if is_of_lists && side(&left, schema) == Side::Unknown => {
                let of = right.get_type(schema)?;
                (ZonedCast::to(left, of), right)
            }
            _ => (left, right),
        };
        if let (false, Some(function)) = (is_list(&left), of_json(&op).and_then(json_function)) {
            let arguments = match op {
                BinaryOperator::ArrowAt => vec![right, left],
                _ => vec![left, right],
            };
            return Ok(PlannerResult::Planned(function.call(arguments)));
        }
        let is_jsonb = |expr: &Expr| {
            type_of(expr, schema).is_ok_and(|of| is_text(&of))
                && expr
                    .to_field(schema)
                    .is_ok_and(|(_, field)| json::is_binary(&field))
        };
        let edited = match op {
            // A text that is no literal makes it a text.
            BinaryOperator::StringConcat
                if [(&left, &right), (&right, &left)]
                    .iter()
                    .any(|(one, other)| {
                        is_jsonb(one) && (side(other, schema) == Side::Unknown || is_jsonb(other))
                    }) =>
            {
                "jsonb_concat"
            }
            BinaryOperator::Minus if is_jsonb(&left) => "jsonb_delete",
            _ => "",
        };
        if !edited.is_empty()
            && let Some(function) = json::function(edited)
        {
            return Ok(PlannerResult::Planned(function.call(vec![left, right])));
        }
        let order = match op {
            BinaryOperator::Eq => Some(Operator::Eq),
            BinaryOperator::NotEq => Some(Operator::NotEq),
            BinaryOperator::Lt => Some(Operator::Lt),
            BinaryOperator::LtEq => Some(Operator::LtEq),
            BinaryOperator::Gt => Some(Operator::Gt),
            BinaryOperator::GtEq => Some(Operator::GtEq),
            _ => None,
        };
        let is_jsonb_or_quoted =
            |expr: &Expr| is_jsonb(expr) || side(expr, schema) == Side::Unknown;
        if let Some(order) = order
            && (is_jsonb(&left) && is_jsonb_or_quoted(&right)
                || is_jsonb_or_quoted(&left) && is_jsonb(&right))
            && let Some(compare) = json::function("jsonb_compare")
        {
            let compared = BinaryExpr::new(
                Box::new(compare.call(vec![left, right])),
                order,
                Box::new(lit(0)),
            );
            return Ok(PlannerResult::Planned(Expr::BinaryExpr(compared)));
        }
        let matched = match op {
            BinaryOperator::PGRegexMatch => Some(("~", false)),
            BinaryOperator::PGRegexIMatch => Some(("~*", false)),
            BinaryOperator::PGRegexNotMatch => Some(("~", true)),
            BinaryOperator::PGRegexNotIMatch => Some(("~*", true)),
            _ => None,
        };
        if let Some((name, is_negated)) = matched {
            if let Some(right) = pattern_of(&right) {
                return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
            }
            let function = Routine::new(name, Volatility::Immutable);
            let matches = function.call(vec![left, right]);
            return Ok(PlannerResult::Planned(match is_negated {
                true => Expr::Not(Box::new(matches)),
                false => matches,
            }));
        }
        if op == BinaryOperator::PGOverlap && (is_list(&left) || is_list(&right)) {
            let function = datafusion::functions_nested::array_has::array_has_any_udf();
            return Ok(PlannerResult::Planned(function.call(vec![left, right])));
        }
        if op == BinaryOperator::PGOverlap {
            let name = |expr: &Expr| type_of(expr, schema).map(|of| pg_name(&of));
            let (left, right) = (name(&left)?, name(&right)?);
            let message = format!("operator does not exist: {left} && {right}");
            return Err(Error::session("42883", message).into());
        }
        let sides = (side(&left, schema), side(&right, schema));
        let is_temporal = |side| matches!(side, Side::Moment | Side::Time | Side::Interval);
        if !is_temporal(sides.0) && !is_temporal(sides.1) {
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        }
        let typed = |expr: Expr, side: Side, other: (&Expr, Side), op: &BinaryOperator| {
            if side != Side::Unknown {
                return Ok(expr);
            }
            let of = match (op, other.1) {
                // What is added to a time is an interval; what is taken from it is one of its kind.
                (BinaryOperator::Plus, _) | (_, Side::Interval) => INTERVAL,
                (_, Side::Number) => return Ok(expr),
                _ => other.0.get_type(schema)?,
            };
            Ok::<_, datafusion::common::DataFusionError>(ZonedCast::to(expr, of))
        };
        let is_date = |expr: &Expr| matches!(type_of(expr, schema), Ok(DataType::Date32));
        let is_broken =
            |expr: &Expr| type_of(expr, schema).is_ok_and(|of| of.is_decimal() || of.is_floating());
        if matches!(op, BinaryOperator::Plus | BinaryOperator::Minus)
            && (is_date(&left) && is_broken(&right) || is_broken(&left) && is_date(&right))
        {
            let name = |expr: &Expr| type_of(expr, schema).map(|of| pg_name(&of));
            let (left, right) = (name(&left)?, name(&right)?);
            let message = format!("operator does not exist: {left} {op} {right}");
            return Err(Error::session("42883", message).into());
        }
        if levels(&left).max(levels(&right)) >= LEVELS {
            let message = format!(
                "the statement is too deep: more than {LEVELS} operators on times in one expression"
            );
            return Err(Error::session_hint("54001", message, "add up the intervals first").into());
        }
        let function = match op {
            BinaryOperator::Plus => &self.plus,
            BinaryOperator::Minus => &self.minus,
            BinaryOperator::Multiply => &self.times,
            BinaryOperator::Divide => &self.divide,
            _ => {
                let operator = match op {
                    BinaryOperator::Eq => Operator::Eq,
                    BinaryOperator::NotEq => Operator::NotEq,
                    BinaryOperator::Lt => Operator::Lt,
                    BinaryOperator::LtEq => Operator::LtEq,
                    BinaryOperator::Gt => Operator::Gt,
                    BinaryOperator::GtEq => Operator::GtEq,
                    op => return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right })),
                };
                let are_intervals = matches!(
                    sides,
                    (Side::Interval, Side::Interval | Side::Unknown)
                        | (Side::Unknown, Side::Interval)
                );
                if !are_intervals {
                    return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
                }
                let left_typed = typed(left.clone(), sides.0, (&right, sides.1), &op)?;
                let right_typed = typed(right, sides.1, (&left, sides.0), &op)?;
                let expr = BinaryExpr::new(
                    Box::new(self.span.call(vec![left_typed])),
                    operator,
                    Box::new(self.span.call(vec![right_typed])),
                );
                return Ok(PlannerResult::Planned(Expr::BinaryExpr(expr)));
            }
        };
        let is_scaling = matches!(op, BinaryOperator::Multiply | BinaryOperator::Divide);
        let (left, right) = match is_scaling {
            true => (left, right),
            false => {
                let left_typed = typed(left.clone(), sides.0, (&right, sides.1), &op)?;
                let right_typed = typed(right, sides.1, (&left, sides.0), &op)?;
                (left_typed, right_typed)
            }
        };
        Ok(PlannerResult::Planned(function.call(vec![left, right])))
    }

    /// Else a plan would group by the amounts first, and equal losses be one.
    fn plan_aggregate(&self, expr: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        let name = expr.func.name();
        let mut ours = hindsight_udfs::aggregate_functions().into_iter();
        match expr.distinct && ours.any(|function| function.name() == name) {
            true => Err(DataFusionError::NotImplemented(format!(
                "{name} counts every trade: DISTINCT is not supported"
            ))),
            false => Ok(PlannerResult::Original(expr)),
        }
    }

    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(self.extract.call(args)))
    }

    fn plan_substring(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(self.substring.call(args)))
    }

    fn plan_overlay(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(self.overlay.call(args)))
    }
}

//! Forms of SQL that stand for functions: `AT TIME ZONE` is `timezone(…)`, interval literals in any of
//! PostgreSQL's forms become the one that DataFusion reads.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, Interval, ObjectName, TimezoneInfo,
    UnaryOperator, Value,
};
use sql_visit::visit_expressions_mut;

use super::without_nulls::WithoutNulls;
use super::{aggregates, pg_typeof, windows};
use crate::catalog::functions::times::read_interval;
use crate::catalog::time::interval::negated;
use crate::catalog::value::Interval as Length;
use crate::error::{Error, Result};

/// Rewrites a statement.
pub fn rewrite(statement: &mut DfStatement) -> Result<()> {
    let DfStatement::Statement(statement) = statement else {
        return Ok(());
    };
    let visited = visit_expressions_mut(&mut **statement, |expr| match rewritten(expr) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    });
    match visited {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

fn rewritten(expr: &mut Expr) -> Result<()> {
    match expr {
        Expr::AtTimeZone {
            timestamp,
            time_zone,
        } => {
            let arguments = vec![(**time_zone).clone(), (**timestamp).clone()];
            *expr = call("timezone", arguments);
        }
        Expr::Interval(interval) => {
            if let Some(length) = length(interval)? {
                *interval = canonical(length);
            }
        }
        // A sign binds more than a power.
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: inner,
        } if is_power(inner) => {
            let mut signed = (**inner).clone();
            let mut base = &mut signed;
            while let Expr::BinaryOp {
                left,
                op: BinaryOperator::PGExp,
                ..
            } = base
            {
                base = &mut **left;
            }
            *base = Expr::Nested(Box::new(Expr::UnaryOp {
                op: UnaryOperator::Minus,
                expr: Box::new(base.clone()),
            }));
            *expr = signed;
        }
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: inner,
        } => {
            if let Expr::Interval(interval) = &**inner
                && let Some(length) = length(interval)?.and_then(negated)
            {
                *expr = Expr::Interval(canonical(length));
            }
        }
        // In an order by bytes, as all texts here are.
        Expr::Collate {
            expr: inner,
            collation,
        } => {
            let name = collation.0.last().and_then(|part| part.as_ident());
            let name = name.map_or("", |name| name.value.as_str());
            if !["C", "POSIX", "default", "ucs_basic", "C.UTF-8", "C.utf8"].contains(&name) {
                let message = format!("collation \"{name}\" does not exist here");
                let hint = "texts are compared by their bytes, as COLLATE \"C\" does";
                return Err(Error::session_hint("42704", message, hint));
            }
            *expr = (**inner).clone();
        }
        Expr::Value(value) => {
            let bits = match &value.value {
                Value::UnicodeStringLiteral(text) | Value::NationalStringLiteral(text) => {
                    value.value = Value::SingleQuotedString(text.clone());
                    return Ok(());
                }
                Value::SingleQuotedByteStringLiteral(bits) => bits.clone(),
                Value::HexStringLiteral(digits) => bits_of(digits)?,
                _ => return Ok(()),
            };
            let bits = Value::SingleQuotedString(bits).with_empty_span();
            *expr = call("bit", vec![Expr::Value(bits)]);
        }
        Expr::UnaryOp {
            op: UnaryOperator::BitwiseNot,
            expr: inner,
        } => {
            let ones = Expr::UnaryOp {
                op: UnaryOperator::Minus,
                expr: Box::new(Expr::Value(
                    Value::Number("1".into(), false).with_empty_span(),
                )),
            };
            *expr = Expr::Nested(Box::new(Expr::BinaryOp {
                left: inner.clone(),
                op: BinaryOperator::PGBitwiseXor,
                right: Box::new(ones),
            }));
        }
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Overlaps,
            right,
        } => {
            if let (Expr::Tuple(left), Expr::Tuple(right)) = (&**left, &**right) {
                *expr = call("overlaps", [left.as_slice(), right.as_slice()].concat());
            }
        }
        Expr::Cast {
            expr: inner,
            data_type: of @ (DataType::JSON | DataType::JSONB),
            array: false,
            ..
        } => {
            let name = if *of == DataType::JSON {
                "json"
            } else {
                "jsonb"
            };
            *expr = call(name, vec![(**inner).clone()]);
        }
        Expr::BinaryOp {
            left,
            op: op @ (BinaryOperator::QuestionPipe | BinaryOperator::QuestionAnd),
            right,
        } => {
            if let Expr::Array(keys) = right.as_ref() {
                let by = match op {
                    BinaryOperator::QuestionPipe => BinaryOperator::Or,
                    _ => BinaryOperator::And,
                };
                let has = keys.elem.iter().map(|key| Expr::BinaryOp {
                    left: left.clone(),
                    op: BinaryOperator::Question,
                    right: Box::new(key.clone()),
                });
                let has = has.reduce(|one, other| Expr::BinaryOp {
                    left: Box::new(one),
                    op: by.clone(),
                    right: Box::new(other),
                });
                if let Some(has) = has {
                    *expr = Expr::Nested(Box::new(has));
                }
            }
        }
        Expr::Cast {
            data_type: of @ (DataType::Timestamp(Some(_), _) | DataType::Time(Some(_), _)),
            array: false,
            ..
        } => {
            if let Some(places) = rounded_to(of) {
                let places = Value::Number(places.to_string(), false).with_empty_span();
                *expr = call("time_places", vec![expr.clone(), Expr::Value(places)]);
            }
        }
        Expr::TypedString(literal)
            if matches!(literal.data_type, DataType::JSON | DataType::JSONB) =>
        {
            let name = if literal.data_type == DataType::JSON {
                "json"
            } else {
                "jsonb"
            };
            *expr = call(name, vec![Expr::Value(literal.value.clone())]);
        }
        // Words that are functions where no column has their name.
        Expr::Identifier(name)
            if name.quote_style.is_none()
                && ["current_schema", "current_role", "localtime"]
                    .iter()
                    .any(|word| name.value.eq_ignore_ascii_case(word)) =>
        {
            *expr = call(&name.value.to_ascii_lowercase(), Vec::new());
            rewritten(expr)?;
        }
        Expr::Function(function) if local(function).is_some() => {
            if let Some(data_type) = local(function) {
                *expr = Expr::Cast {
                    kind: CastKind::Cast,
                    expr: Box::new(call("now", Vec::new())),
                    data_type,
                    array: false,
                    format: None,
                };
                rewritten(expr)?;
            }
        }
        Expr::Function(function) => {
            named_arguments(function);
            fields_named(function);
            renamed(function);
            let name = simple_name(function).unwrap_or_default();
            let written = cast_by_name(function)
                .or_else(|| windows::sliding(function))
                .or_else(|| windows::with_default(function, &name))
                .or_else(|| filled(function, &name))
                .or_else(|| pg_typeof::of_text(function, &name));
            let written = match written {
                None => aggregates::of_sorted(function)?,
                written => written,
            };
            if let Some(written) = written {
                *expr = written;
            }
        }
        _ => {}
    }
    Ok(())
}

/// `array_fill(x, array[2, 3])`, as arrays of arrays of `x` repeated.
fn filled(function: &Function, name: &str) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let arguments = expressions(&list.args).filter(|_| name == "array_fill")?;
    let [value, Expr::Array(lengths)] = arguments.as_slice() else {
        return None;
    };
    let mut lengths = lengths.elem.iter().rev().peekable();
    lengths.peek()?;
    Some(lengths.fold(value.clone(), |filled, length| {
        call("array_repeat", vec![filled, length.clone()])
    }))
}

/// The type of `localtime`, `localtimestamp` and `current_timestamp(3)`, which are `now()` by the
/// session's clock or with fewer places.
fn local(function: &Function) -> Option<DataType> {
    let places = match &function.args {
        FunctionArguments::None => None,
        FunctionArguments::List(list) => match list.args.as_slice() {
            [] => None,
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(places)))] => {
                Some(places.to_string().parse().ok()?)
            }
            _ => return None,
        },
        FunctionArguments::Subquery(_) => return None,
    };
    match simple_name(function)?.as_str() {
        "localtime" => Some(DataType::Time(places, TimezoneInfo::None)),
        "localtimestamp" => Some(DataType::Timestamp(places, TimezoneInfo::None)),
        "current_timestamp" if places.is_some() => {
            Some(DataType::Timestamp(places, TimezoneInfo::WithTimeZone))
        }
        _ => None,
    }
}

/// The bits of hexadecimal digits.
fn bits_of(digits: &str) -> Result<String> {
    let bits = digits.chars().map(|digit| {
        let value = digit.to_digit(16).ok_or_else(|| {
            let message = format!("\"{digit}\" is not a valid hexadecimal digit");
            Error::session("22P02", message)
        });
        value.map(|value| format!("{value:04b}"))
    });
    bits.collect()
}

fn is_power(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::BinaryOp {
            op: BinaryOperator::PGExp,
            ..
        }
    )
}

/// Has a type of times take all their places; how many it said.
fn rounded_to(of: &mut DataType) -> Option<u64> {
    match of {
        DataType::Timestamp(places, _) | DataType::Time(places, _) => {
            places.take().filter(|places| *places < 6)
        }
        _ => None,
    }
}

/// The parts of `make_interval` by their names, in their order.
const PARTS: [&str; 7] = ["years", "months", "weeks", "days", "hours", "mins", "secs"];

pub(super) fn simple_name(function: &Function) -> Option<String> {
    let name = function.name.0.last()?.as_ident()?;
    let is_simple = match function.name.0.as_slice() {
        [_] => true,
        [schema, _] => schema.as_ident()?.value.eq_ignore_ascii_case("pg_catalog"),
        _ => false,
    };
    is_simple.then(|| name.value.to_ascii_lowercase())
}

/// `make_interval(days => 3)` with all its arguments in order.
fn named_arguments(function: &mut Function) {
    if simple_name(function).as_deref() != Some("make_interval") {
        return;
    }
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    let zero = || Expr::Value(Value::Number("0".into(), false).with_empty_span());
    let mut parts: Vec<Expr> = Vec::new();
    for argument in &list.args {
        let (name, value) = match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => (None, value),
            FunctionArg::Named {
                name,
                arg: FunctionArgExpr::Expr(value),
                ..
            } => (Some(name.value.to_ascii_lowercase()), value),
            FunctionArg::ExprNamed {
                name: Expr::Identifier(name),
                arg: FunctionArgExpr::Expr(value),
                ..
            } => (Some(name.value.to_ascii_lowercase()), value),
            _ => return,
        };
        let place = match name {
            None => parts.len(),
            Some(name) => match PARTS.iter().position(|part| *part == name) {
                Some(place) => place,
                None => return,
            },
        };
        while parts.len() <= place {
            parts.push(zero());
        }
        if let Some(part) = parts.get_mut(place) {
            *part = value.clone();
        }
    }
    let parts = parts.into_iter();
    list.args = parts
        .map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)))
        .collect();
}

/// `row(a, b)` with the names that its fields have in JSON.
fn fields_named(function: &mut Function) {
    if simple_name(function).as_deref() != Some("row") {
        return;
    }
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    if list.args.is_empty() {
        return;
    }
    let fields = std::mem::take(&mut list.args).into_iter().enumerate();
    list.args = fields
        .flat_map(|(place, value)| {
            let name = Value::SingleQuotedString(format!("f{}", place + 1)).with_empty_span();
            let name = FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(name)));
            [name, value]
        })
        .collect();
    function.name = ObjectName::from(vec![Ident::new("named_struct")]);
}

/// Functions of PostgreSQL that DataFusion has under another name.
fn renamed(function: &mut Function) {
    if simple_name(function).as_deref() == Some("array_remove")
        && let FunctionArguments::List(list) = &mut function.args
        && let [
            _,
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(removed))),
        ] = list.args.as_slice()
        && removed.value == Value::Null
    {
        list.args.truncate(1);
        function.name = ObjectName::from(vec![Ident::new(WithoutNulls::NAME)]);
        return;
    }
    let name = match simple_name(function).as_deref() {
        Some("array_replace") => "array_replace_all",
        Some("array_remove") => "array_remove_all",
        _ => return,
    };
    function.name = ObjectName::from(vec![Ident::new(name)]);
}

/// `date(x)` and others that are casts.
fn cast_by_name(function: &Function) -> Option<Expr> {
    let data_type = match simple_name(function)?.as_str() {
        "date" => DataType::Date,
        "timestamp" => DataType::Timestamp(None, TimezoneInfo::None),
        "timestamptz" => DataType::Timestamp(None, TimezoneInfo::Tz),
        _ => return None,
    };
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))] => Some(Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(expr.clone()),
            data_type,
            array: false,
            format: None,
        }),
        _ => None,
    }
}

/// What an interval literal says.
fn length(interval: &Interval) -> Result<Option<Length>> {
    let Expr::Value(value) = &*interval.value else {
        return Ok(None);
    };
    let Value::SingleQuotedString(text) = &value.value else {
        return Ok(None);
    };
    let unit = interval
        .last_field
        .as_ref()
        .or(interval.leading_field.as_ref());
    let unit = unit.map(|unit| unit.to_string().to_ascii_lowercase());
    Ok(Some(read_interval(text, unit.as_deref())?))
}

fn canonical(of: Length) -> Interval {
    let sign = if of.microseconds < 0 { "-" } else { "" };
    let (seconds, fraction) = (
        of.microseconds.unsigned_abs() / 1_000_000,
        of.microseconds.unsigned_abs() % 1_000_000,
    );
    let text = format!(
        "{} months {} days {sign}{seconds}.{fraction:06} seconds",
        of.months, of.days
    );
    let value = Value::SingleQuotedString(text).with_empty_span();
    Interval {
        value: Box::new(Expr::Value(value)),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    }
}

/// The arguments, if all of them are plain expressions.
pub fn expressions(arguments: &[FunctionArg]) -> Option<Vec<Expr>> {
    let expressions = arguments.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    expressions.collect()
}

/// A call of a function.
pub fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let arguments = arguments.into_iter();
    let arguments = arguments.map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

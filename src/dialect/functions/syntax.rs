//! Forms of SQL that stand for functions: `AT TIME ZONE` is `timezone(…)`, interval literals in any of
//! PostgreSQL's forms become the one that DataFusion reads, and aggregates of sorted values are
//! functions of `array_agg`.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident, Interval, ObjectName,
    OrderByExpr, TimezoneInfo, UnaryOperator, Value, WindowFrameBound, WindowSpec, WindowType,
    helpers::attached_token::AttachedToken, visit_expressions_mut,
};

use super::{hypothetical, windows};
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
                Value::UnicodeStringLiteral(text) => {
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
                .or_else(|| sliding(function))
                .or_else(|| windows::with_default(function, &name));
            let written = match written {
                None => aggregate(function)?,
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

/// The type of `localtime` and `localtimestamp`, which are `now()` by the session's clock.
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

fn simple_name(function: &Function) -> Option<String> {
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

/// Aggregates of sorted values as `array_agg` with a function of its array around it.
fn aggregate(function: &Function) -> Result<Option<Expr>> {
    let Some((name, arguments)) = call_of(function) else {
        return Ok(None);
    };
    match hypothetical::rewritten(function, &name, &arguments)? {
        None => Ok(of_array(function, &name, &arguments)),
        placed => Ok(placed),
    }
}

/// The name and the arguments of a call that has no others.
fn call_of(function: &Function) -> Option<(String, Vec<Expr>)> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let arguments = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    Some((simple_name(function)?, arguments.collect::<Option<_>>()?))
}

/// What is made of the array of a group's values.
fn of_array(function: &Function, name: &str, arguments: &[Expr]) -> Option<Expr> {
    match (name, arguments, function.within_group.as_slice()) {
        ("mode", [], [order]) => Some(call("mode_of", vec![sorted(function, order)])),
        ("percentile_disc" | "percentile_cont", [fraction], [order]) => {
            let arguments = vec![sorted(function, order), fraction.clone()];
            Some(call(&format!("{name}_of"), arguments))
        }
        ("json_agg" | "jsonb_agg", [value], []) => {
            let items = collected(function, call("json_item", vec![value.clone()]));
            let name = if name == "json_agg" {
                "json_of_items"
            } else {
                "jsonb_of_items"
            };
            Some(call(name, vec![items]))
        }
        ("json_object_agg" | "jsonb_object_agg", [key, value], []) => {
            let keys = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(key.clone()),
                data_type: DataType::Text,
                array: false,
                format: None,
            };
            let keys = collected(function, keys);
            let values = collected(function, call("to_json", vec![value.clone()]));
            let name = match name {
                "json_object_agg" => "json_of_members",
                _ => "jsonb_of_members",
            };
            Some(call(name, vec![keys, values]))
        }
        ("every", [_], []) => {
            let mut function = function.clone();
            function.name = ObjectName::from(vec![Ident::new("bool_and")]);
            Some(Expr::Function(function))
        }
        _ => None,
    }
}

/// Aggregates that DataFusion cannot take a value off again, over a frame whose begin moves, by others
/// that it can: `bool_or` is the greatest of zeros and ones, `string_agg` the text of an array.
fn sliding(function: &Function) -> Option<Expr> {
    let Some(WindowType::WindowSpec(WindowSpec {
        window_frame: Some(frame),
        ..
    })) = &function.over
    else {
        return None;
    };
    if matches!(frame.start_bound, WindowFrameBound::Preceding(None)) {
        return None;
    }
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let arguments = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    let arguments = arguments.collect::<Option<Vec<&Expr>>>()?;
    let over = |name: &str, value: Expr| {
        let mut other = function.clone();
        other.name = ObjectName::from(vec![Ident::new(name)]);
        other.args = FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(value))],
            clauses: Vec::new(),
        });
        Expr::Function(other)
    };
    let number = |digits: &str| Expr::Value(Value::Number(digits.into(), false).with_empty_span());
    let compared = |left: Expr, op: BinaryOperator, right: Expr| {
        Expr::Nested(Box::new(Expr::BinaryOp {
            left: Box::new(left),
            op,
            right: Box::new(right),
        }))
    };
    match (simple_name(function)?.as_str(), arguments.as_slice()) {
        (name @ ("bool_and" | "every" | "bool_or"), [value]) => {
            let of = if name == "bool_or" { "max" } else { "min" };
            let value = call("int4", vec![Expr::Nested(Box::new((*value).clone()))]);
            Some(compared(over(of, value), BinaryOperator::Eq, number("1")))
        }
        ("string_agg", [value, separator]) => {
            let texts = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new((*value).clone()),
                data_type: DataType::Text,
                array: false,
                format: None,
            };
            let joined = vec![over("array_agg", texts), (*separator).clone()];
            let count = over("count", (*value).clone());
            Some(Expr::Case {
                case_token: AttachedToken::empty(),
                end_token: AttachedToken::empty(),
                operand: None,
                conditions: vec![CaseWhen {
                    condition: compared(count, BinaryOperator::Gt, number("0")),
                    result: call("array_to_string", joined),
                }],
                else_result: None,
            })
        }
        _ => None,
    }
}

/// `array_agg(value order by …) filter (…) over (…)`, as the function has them.
fn collected(function: &Function, value: Expr) -> Expr {
    let mut collected = function.clone();
    collected.name = ObjectName::from(vec![Ident::new("array_agg")]);
    if let FunctionArguments::List(list) = &mut collected.args {
        list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(value))];
    }
    Expr::Function(collected)
}

/// The values of a `within group`, sorted and without nulls.
fn sorted(function: &Function, order: &OrderByExpr) -> Expr {
    let mut collected = function.clone();
    collected.name = ObjectName::from(vec![Ident::new("array_agg")]);
    collected.within_group = Vec::new();
    let is_known = Expr::IsNotNull(Box::new(order.expr.clone()));
    collected.filter = Some(Box::new(match function.filter.clone() {
        None => is_known,
        Some(filter) => Expr::BinaryOp {
            left: Box::new(Expr::Nested(filter)),
            op: BinaryOperator::And,
            right: Box::new(is_known),
        },
    }));
    collected.args = FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment: None,
        args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(
            order.expr.clone(),
        ))],
        clauses: vec![FunctionArgumentClause::OrderBy(vec![order.clone()])],
    });
    Expr::Function(collected)
}

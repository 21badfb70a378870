//! Windows that DataFusion has not, by others that it has: `lag(x, n, d)` and `lead(x, n, d)` of a default
//! that is no literal, and aggregates over a frame whose begin moves.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, UnaryOperator, Value, WindowFrame,
    WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};

use super::aggregates::call_of;
use super::syntax::call;

/// The choice that such a call stands for; `None` of another.
pub fn with_default(function: &Function, name: &str) -> Option<Expr> {
    let is_lag = match name {
        "lag" => true,
        "lead" => false,
        _ => return None,
    };
    let over = function.over.as_ref()?;
    let (_, arguments) = call_of(function)?;
    let [_, offset, default] = arguments.as_slice() else {
        return None;
    };
    if is_literal(default) || !is_literal(offset) {
        return None;
    }
    let bound = || {
        let rows = Some(Box::new(offset.clone()));
        match is_lag {
            true => WindowFrameBound::Preceding(rows),
            false => WindowFrameBound::Following(rows),
        }
    };
    let frame = WindowFrame {
        units: WindowFrameUnits::Rows,
        start_bound: bound(),
        end_bound: Some(bound()),
    };
    let spec = match over {
        WindowType::WindowSpec(spec) if spec.window_frame.is_none() => spec.clone(),
        WindowType::WindowSpec(_) => return None,
        WindowType::NamedWindow(name) => WindowSpec {
            window_name: Some(name.clone()),
            partition_by: Vec::new(),
            order_by: Vec::new(),
            window_frame: None,
        },
    };
    let mut rows = call("count", Vec::new());
    if let Expr::Function(count) = &mut rows {
        if let FunctionArguments::List(list) = &mut count.args {
            let all = FunctionArg::Unnamed(FunctionArgExpr::Wildcard);
            list.args.push(all);
        }
        count.over = Some(WindowType::WindowSpec(WindowSpec {
            window_frame: Some(frame),
            ..spec
        }));
    }
    let mut plain = function.clone();
    if let FunctionArguments::List(list) = &mut plain.args {
        list.args.truncate(2);
    }
    let zero = Value::Number("0".into(), false).with_empty_span();
    Some(Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen {
            condition: Expr::BinaryOp {
                left: Box::new(rows),
                op: BinaryOperator::Gt,
                right: Box::new(Expr::Value(zero)),
            },
            result: Expr::Function(plain),
        }],
        else_result: Some(Box::new(default.clone())),
    })
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) | Expr::TypedString(_) | Expr::Interval(_) => true,
        Expr::UnaryOp {
            op: UnaryOperator::Minus | UnaryOperator::Plus,
            expr,
        }
        | Expr::Cast { expr, .. }
        | Expr::Nested(expr) => is_literal(expr),
        _ => false,
    }
}

/// Aggregates that DataFusion cannot take a value off again, over a frame whose begin moves, by others
/// that it can: `bool_or` is the greatest of zeros and ones, `string_agg` the text of an array.
pub fn sliding(function: &Function) -> Option<Expr> {
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
    let (name, arguments) = call_of(function)?;
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
    match (name.as_str(), arguments.as_slice()) {
        (name @ ("bool_and" | "every" | "bool_or"), [value]) => {
            let of = if name == "bool_or" { "max" } else { "min" };
            let value = call("int4", vec![Expr::Nested(Box::new(value.clone()))]);
            Some(compared(over(of, value), BinaryOperator::Eq, number("1")))
        }
        ("string_agg", [value, separator]) => {
            let texts = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(value.clone()),
                data_type: DataType::Text,
                array: false,
                format: None,
            };
            let joined = vec![over("array_agg", texts), separator.clone()];
            let count = over("count", value.clone());
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

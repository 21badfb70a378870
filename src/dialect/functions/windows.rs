//! `lag(x, n, d)` and `lead(x, n, d)` of a default that is no literal: `d` where there is no such row.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    UnaryOperator, Value, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};

/// The choice that such a call stands for; `None` of another.
pub fn with_default(function: &Function, name: &str) -> Option<Expr> {
    let is_lag = match name {
        "lag" => true,
        "lead" => false,
        _ => return None,
    };
    let over = function.over.as_ref()?;
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let [_, offset, default] = list.args.as_slice() else {
        return None;
    };
    let (Some(offset), Some(default)) = (value(offset), value(default)) else {
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
    let mut rows = super::syntax::call("count", Vec::new());
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

fn value(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
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

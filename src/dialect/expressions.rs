//! Literals, casts and sums of a statement, written so that DataFusion gives them PostgreSQL's types:
//! a small integer is an `int4`, `1e6` a numeric, `x::int` a call of `int4`, which rounds, and `sum`
//! sums what does not wrap.
//!
//! A number stays as it is where its type says nothing, or a number and no expression is asked for:
//! beside a comparison, in a list, as a place in the select list, as a bound of rows.

mod casts;

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, ArrayElemTypeDef, BinaryOperator, CastKind, DataType as SqlType, Distinct, Expr,
    Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, GroupByExpr,
    Ident, LimitClause, ObjectName, ObjectNamePart, OrderByKind, Query, Select, Statement,
    Subscript, TableFactor, UnaryOperator, Value, VisitorMut, WindowFrameBound, WindowSpec,
    WindowType,
};
use sql_visit::visit_mut;

use super::numbers::{self, SUMMAND};
use casts::cast;

/// Rewrites the expressions of a statement.
pub fn rewrite(statement: &mut DfStatement) {
    match statement {
        DfStatement::Statement(statement) => rewrite_sql(statement),
        DfStatement::Explain(explain) => rewrite(&mut explain.statement),
        _ => {}
    }
}

/// Rewrites the expressions of a statement.
pub fn rewrite_sql(statement: &mut Statement) {
    let _ = visit_mut(statement, &mut Typing { arguments: 0 });
}

struct Typing {
    /// How many functions that stand for tables are around: their arguments stay as they are.
    arguments: usize,
}

impl VisitorMut for Typing {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        self.arguments += usize::from(is_call(factor));
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        self.arguments -= usize::from(is_call(factor));
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.arguments == 0 {
            typed(expr);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if let GroupByExpr::Expressions(expressions, _) = &mut select.group_by {
            expressions.iter_mut().for_each(plain);
        }
        if let Some(Distinct::On(expressions)) = &mut select.distinct {
            expressions.iter_mut().for_each(plain);
        }
        for window in &mut select.named_window {
            if let datafusion::sql::sqlparser::ast::NamedWindowExpr::WindowSpec(spec) =
                &mut window.1
            {
                plain_window(spec);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(order) = &mut query.order_by
            && let OrderByKind::Expressions(expressions) = &mut order.kind
        {
            expressions
                .iter_mut()
                .for_each(|order| plain(&mut order.expr));
        }
        if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause {
            limit.iter_mut().for_each(plain_within);
            offset
                .iter_mut()
                .for_each(|offset| plain_within(&mut offset.value));
        }
        if let Some(fetch) = &mut query.fetch {
            fetch.quantity.iter_mut().for_each(plain_within);
        }
        ControlFlow::Continue(())
    }
}

fn is_call(factor: &TableFactor) -> bool {
    matches!(
        factor,
        TableFactor::Table { args: Some(_), .. } | TableFactor::Function { .. }
    )
}

/// Gives one expression, whose parts are typed already, the form in which it is computed.
fn typed(expr: &mut Expr) {
    match expr {
        Expr::Value(value) => {
            if let Value::Number(digits, _) = &value.value
                && let Some(number) = number(digits)
            {
                *expr = number;
            }
        }
        Expr::TypedString(string) => {
            let inner = Expr::Value(string.value.clone());
            if let Some(cast) = cast(&inner, &string.data_type) {
                *expr = cast;
            }
        }
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            expr: inner,
            data_type,
            array: false,
            format: None,
        } if !is_small_integer(inner, data_type) => {
            if let Some(cast) = cast(inner, data_type) {
                *expr = cast;
            }
        }
        Expr::InList { list, .. } => list.iter_mut().for_each(plain),
        Expr::Between { low, high, .. } => {
            plain(low);
            plain(high);
        }
        Expr::BinaryOp {
            left,
            op:
                BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq,
            right,
        } => {
            // Blanks that fill a text up are not compared.
            let are_filled = is_filled(left) || is_filled(right);
            for side in [&mut *left, &mut *right] {
                if is_filled(side) || are_filled && is_quoted(side) {
                    **side = call("rtrim", vec![(**side).clone()]);
                }
            }
            // Between two numbers no type is decided.
            match (is_number(left), is_number(right)) {
                (true, false) => plain(left),
                (false, true) => plain(right),
                _ => {}
            }
        }
        Expr::UnaryOp { op, expr: inner } => {
            let name = match op {
                UnaryOperator::Minus => {
                    if let Some(least) = least(inner) {
                        *expr = least;
                    }
                    return;
                }
                UnaryOperator::PGAbs => "abs",
                UnaryOperator::PGSquareRoot => "sqrt",
                UnaryOperator::PGCubeRoot => "cbrt",
                _ => return,
            };
            *expr = call(name, vec![(**inner).clone()]);
        }
        Expr::Interval(interval) => plain(&mut interval.value),
        Expr::CompoundFieldAccess { access_chain, .. } => {
            for access in access_chain {
                match access {
                    AccessExpr::Subscript(Subscript::Index { index }) => {
                        plain(index);
                        from_start(index, "0");
                    }
                    AccessExpr::Subscript(Subscript::Slice {
                        lower_bound,
                        upper_bound,
                        stride,
                    }) => {
                        lower_bound.get_or_insert_with(|| literal("1".into()));
                        upper_bound.get_or_insert_with(|| literal(i32::MAX.to_string()));
                        if let Some(lower) = lower_bound {
                            from_start(lower, "1");
                        }
                        if let Some(upper) = upper_bound {
                            from_start(upper, "0");
                        }
                        let bounds = [lower_bound, upper_bound, stride];
                        bounds.into_iter().flatten().for_each(plain);
                    }
                    AccessExpr::Dot(_) => {}
                }
            }
        }
        Expr::Function(function) => {
            typed_call(function);
            match result_of(function) {
                Some(ResultOf::Count) => *expr = call("int4", vec![expr.clone()]),
                // An array without elements has no dimension.
                Some(ResultOf::Length) => {
                    let length = call("nullif", vec![expr.clone(), literal("0".into())]);
                    *expr = call("int4", vec![length]);
                }
                Some(ResultOf::Counts) => {
                    *expr = Expr::Cast {
                        kind: CastKind::Cast,
                        expr: Box::new(expr.clone()),
                        data_type: SqlType::Array(ArrayElemTypeDef::SquareBracket(
                            Box::new(SqlType::Int(None)),
                            None,
                        )),
                        array: false,
                        format: None,
                    };
                }
                None => {}
            }
        }
        _ => {}
    }
}

/// Whether it is a cast to `char(n)`.
fn is_filled(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(function) if function.name.to_string() == "bpchar")
}

fn is_quoted(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)))
}

/// What is narrower for PostgreSQL than for DataFusion.
enum ResultOf {
    /// A count or a place, an `int4`.
    Count,
    /// A count that is null instead of zero.
    Length,
    /// An array of them.
    Counts,
}

fn result_of(function: &Function) -> Option<ResultOf> {
    const COUNTS: [&str; 6] = [
        "array_ndims",
        "array_position",
        "cardinality",
        "regexp_count",
        "regexp_instr",
        "strpos",
    ];
    let name = function.name.to_string().to_lowercase();
    match (name.as_str(), function.over.is_some()) {
        ("ntile", true) => Some(ResultOf::Count),
        ("array_positions", false) => Some(ResultOf::Counts),
        ("array_length", false) => Some(ResultOf::Length),
        (name, false) if COUNTS.contains(&name) => Some(ResultOf::Count),
        _ => None,
    }
}

fn typed_call(function: &mut Function) {
    if let Some(WindowType::WindowSpec(spec)) = &mut function.over {
        plain_window(spec);
    }
    let [ObjectNamePart::Identifier(name)] = &function.name.0[..] else {
        return;
    };
    let name = match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    };
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    match (name.as_str(), &mut list.args[..]) {
        ("sum", [FunctionArg::Unnamed(FunctionArgExpr::Expr(summed))]) => {
            *summed = call(SUMMAND, vec![summed.clone()]);
        }
        // The type of the result depends on the places.
        (
            "round" | "trunc" | "round_half_even" | "divide_rounded",
            [_, .., FunctionArg::Unnamed(FunctionArgExpr::Expr(places))],
        ) => plain_within(places),
        _ => {}
    }
}

/// A number in another form, where it needs one.
fn number(digits: &str) -> Option<Expr> {
    let digits = digits.replace('_', "");
    if digits.contains(['e', 'E']) {
        let value = numbers::parse(&digits)?;
        return Some(decimal(&value));
    }
    if digits.contains('.') {
        return None;
    }
    let value = digits.parse::<i64>();
    match value.map(i32::try_from) {
        Ok(Ok(_)) => Some(Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(literal(digits)),
            data_type: SqlType::Int(None),
            array: false,
            format: None,
        }),
        Ok(Err(_)) => None,
        // With a point it is a decimal.
        Err(_) => Some(literal(format!("{digits}."))),
    }
}

fn literal(digits: String) -> Expr {
    Expr::Value(Value::Number(digits, false).with_empty_span())
}

/// The least integers, whose digits alone are of a wider type.
fn least(inner: &Expr) -> Option<Expr> {
    let Expr::Value(value) = inner else {
        return None;
    };
    let Value::Number(digits, _) = &value.value else {
        return None;
    };
    let negative = |digits: &str| Expr::UnaryOp {
        op: UnaryOperator::Minus,
        expr: Box::new(literal(digits.to_owned())),
    };
    match digits.as_str() {
        "2147483648" => Some(Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(negative(digits)),
            data_type: SqlType::Int(None),
            array: false,
            format: None,
        }),
        "9223372036854775808." => Some(negative("9223372036854775808")),
        _ => None,
    }
}

/// The literal of an exact number.
fn decimal(value: &numbers::Exact) -> Expr {
    let places = usize::try_from(value.places).unwrap_or_default();
    let digits = value.digits.magnitude().to_string();
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let number = literal(format!("{whole}.{fraction}"));
    match value.digits.sign() {
        num_bigint::Sign::Minus => Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: Box::new(number),
        },
        _ => number,
    }
}

fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(value.value, Value::Number(..)),
        Expr::Cast {
            expr, data_type, ..
        } => is_small_integer(expr, data_type),
        Expr::UnaryOp { expr, .. } => is_number(expr),
        _ => false,
    }
}

/// Whether it is what [`number`] makes of a small integer.
fn is_small_integer(inner: &Expr, data_type: &SqlType) -> bool {
    matches!(data_type, SqlType::Int(None))
        && matches!(inner, Expr::Value(value) if matches!(&value.value, Value::Number(digits, _) if !digits.contains('.')))
}

/// Takes the type of a small integer away again.
fn plain(expr: &mut Expr) {
    match expr {
        Expr::Cast {
            expr: inner,
            data_type,
            ..
        } if is_small_integer(inner, data_type) => *expr = (**inner).clone(),
        Expr::UnaryOp { expr, .. } => plain(expr),
        _ => {}
    }
}

/// The same within sums and the like, which are computed while a statement is planned.
fn plain_within(expr: &mut Expr) {
    match expr {
        Expr::BinaryOp { left, right, .. } => {
            plain_within(left);
            plain_within(right);
        }
        Expr::Nested(inner) => plain_within(inner),
        expr => plain(expr),
    }
}

fn plain_window(spec: &mut WindowSpec) {
    let Some(frame) = &mut spec.window_frame else {
        return;
    };
    let bounds = [Some(&mut frame.start_bound), frame.end_bound.as_mut()];
    for bound in bounds.into_iter().flatten() {
        if let WindowFrameBound::Preceding(Some(rows)) | WindowFrameBound::Following(Some(rows)) =
            bound
        {
            plain(rows);
        }
    }
}

/// Has no place in an array counted from its end, where DataFusion counts those below 0.
fn from_start(place: &mut Expr, least: &str) {
    let is_known = matches!(place, Expr::Value(_));
    if !is_known {
        let least = literal(least.into());
        *place = call("greatest", vec![place.clone(), least]);
    }
}

fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter();
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args
                .map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)))
                .collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

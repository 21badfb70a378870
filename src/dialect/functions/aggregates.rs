//! Aggregates of sorted values, `mode`, `percentile_disc` and `percentile_cont`, and those that make JSON, as
//! functions of `array_agg`.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident, ObjectName,
    OrderByExpr,
};

use super::hypothetical;
use super::syntax::{call, expressions, simple_name};
use crate::error::Result;

/// Aggregates of sorted values as `array_agg` with a function of its array around it.
pub fn of_sorted(function: &Function) -> Result<Option<Expr>> {
    let Some((name, arguments)) = call_of(function) else {
        return Ok(None);
    };
    match hypothetical::rewritten(function, &name, &arguments)? {
        None => Ok(of_array(function, &name, &arguments)),
        placed => Ok(placed),
    }
}

/// The name and the arguments of a call that has no others.
pub(super) fn call_of(function: &Function) -> Option<(String, Vec<Expr>)> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    Some((simple_name(function)?, expressions(&list.args)?))
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

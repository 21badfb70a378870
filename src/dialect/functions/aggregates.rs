//! Aggregates of sorted values, `mode`, `percentile_disc` and `percentile_cont`, and those that make JSON, as
//! functions of `array_agg`.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, DuplicateTreatment, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, OrderByExpr, Value,
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
            let items = match is_distinct(function) {
                // Those that are alike are so as values, and sorted as such.
                true => {
                    let values = call(
                        "to_json",
                        vec![in_order(collected(function, value.clone()))],
                    );
                    call("json_items", vec![values])
                }
                false => collected(function, call("json_item", vec![value.clone()])),
            };
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
        // In an order of its own, and of no other aggregate beside it.
        ("string_agg", [value, Expr::Value(delimiter)], [])
            if function.over.is_none() && !order_of(function).is_empty() =>
        {
            let texts = in_order(collected(&of_known(function, value), value.clone()));
            let delimiter = match delimiter.value {
                Value::Null => Expr::Value(Value::SingleQuotedString(String::new()).into()),
                _ => Expr::Value(delimiter.clone()),
            };
            Some(call("array_to_string", vec![texts, delimiter]))
        }
        ("array_agg", [_], []) => reversed(function),
        ("every", [_], []) => {
            let mut function = function.clone();
            function.name = ObjectName::from(vec![Ident::new("bool_and")]);
            Some(Expr::Function(function))
        }
        _ => None,
    }
}

/// What the values are sorted by.
fn order_of(function: &Function) -> &[OrderByExpr] {
    let FunctionArguments::List(list) = &function.args else {
        return &[];
    };
    let orders = list.clauses.iter().find_map(|clause| match clause {
        FunctionArgumentClause::OrderBy(order) => Some(&order[..]),
        _ => None,
    });
    orders.unwrap_or_default()
}

fn is_distinct(function: &Function) -> bool {
    match &function.args {
        FunctionArguments::List(list) => {
            list.duplicate_treatment == Some(DuplicateTreatment::Distinct)
        }
        _ => false,
    }
}

/// An `array_agg` in its order.
fn in_order(array: Expr) -> Expr {
    match &array {
        Expr::Function(function) => reversed(function).unwrap_or(array),
        _ => array,
    }
}

/// `array_agg(distinct value order by value desc)` as the reverse of the ascending one: two that run
/// opposite ways beside each other would be sorted alike.
fn reversed(function: &Function) -> Option<Expr> {
    let mut ascending = function.clone();
    let FunctionArguments::List(list) = &mut ascending.args else {
        return None;
    };
    let order = list.clauses.iter_mut().find_map(|clause| match clause {
        FunctionArgumentClause::OrderBy(order) => Some(order),
        _ => None,
    });
    let [order] = &mut order?[..] else {
        return None;
    };
    let descends = order.options.asc == Some(false);
    if !is_distinct(function) || !descends || function.over.is_some() {
        return None;
    }
    order.options.asc = Some(true);
    let nulls_first = order.options.nulls_first.unwrap_or(true);
    order.options.nulls_first = Some(!nulls_first);
    Some(call("array_reverse", vec![Expr::Function(ascending)]))
}

/// A function of those values alone that are not null.
fn of_known(function: &Function, value: &Expr) -> Function {
    let is_known = Expr::IsNotNull(Box::new(Expr::Nested(Box::new(value.clone()))));
    let mut filtered = function.clone();
    filtered.filter = Some(Box::new(match filtered.filter {
        None => is_known,
        Some(filter) => Expr::BinaryOp {
            left: Box::new(Expr::Nested(filter)),
            op: BinaryOperator::And,
            right: Box::new(is_known),
        },
    }));
    filtered
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
    let mut collected = of_known(function, &order.expr);
    collected.name = ObjectName::from(vec![Ident::new("array_agg")]);
    collected.within_group = Vec::new();
    collected.args = FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment: None,
        args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(
            order.expr.clone(),
        ))],
        clauses: vec![FunctionArgumentClause::OrderBy(vec![order.clone()])],
    });
    Expr::Function(collected)
}

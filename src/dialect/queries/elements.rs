//! `(array_agg(x ORDER BY a))[1]` beside the same by another order.
//!
//! DataFusion takes an element of such an array for an aggregate that wants its rows sorted, and has
//! no plan for two orders at once. As elements of arrays that are made first, each is sorted by itself.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Function, FunctionArgumentClause, FunctionArguments, Select, Subscript,
};
use sql_visit::{visit_expressions, visit_expressions_mut};

use crate::dialect::functions::syntax::call;

/// Rewrites the elements of a select list whose arrays are of more than one order.
pub fn rewrite(select: &mut Select) {
    let mut orders: BTreeSet<String> = BTreeSet::new();
    let _ = visit_expressions(&select.projection, |expr| {
        if let Expr::Function(function) = expr {
            orders.extend(order_of(function));
        }
        ControlFlow::<()>::Continue(())
    });
    if orders.len() < 2 {
        return;
    }
    let _ = visit_expressions_mut(&mut select.projection, |expr| {
        if let Expr::CompoundFieldAccess { root, access_chain } = &*expr
            && let [AccessExpr::Subscript(Subscript::Index { index })] = access_chain.as_slice()
            && is_ordered(root)
        {
            *expr = call("array_element", vec![(**root).clone(), index.clone()]);
        }
        ControlFlow::<()>::Continue(())
    });
}

/// The order of the values of an `array_agg`, where it has one.
fn order_of(function: &Function) -> Option<String> {
    let is_array = function.name.to_string().eq_ignore_ascii_case("array_agg");
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let order = list.clauses.iter().find_map(|clause| match clause {
        FunctionArgumentClause::OrderBy(order) => Some(order),
        _ => None,
    })?;
    let order: Vec<String> = order.iter().map(ToString::to_string).collect();
    is_array.then(|| order.join(", "))
}

fn is_ordered(root: &Expr) -> bool {
    match root {
        Expr::Nested(inner) => is_ordered(inner),
        Expr::Function(function) => order_of(function).is_some(),
        _ => false,
    }
}

//! Numbers of several places that were brought to one type, as branches of a `CASE` or elements of an
//! array, in the text of which each has its own places, as in PostgreSQL.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::expr::{Case, Cast, ScalarFunction};
use datafusion::logical_expr::{Expr, ExprSchemable};

use super::casts::ZonedCast;
use crate::dialect::numbers::types::digits;

/// A number before it was brought to the type that it shares with others.
fn own<'e>(expr: &'e Expr, schema: &DFSchema) -> &'e Expr {
    match expr {
        Expr::Cast(Cast { expr: inner, field })
            if field.data_type().is_decimal()
                && inner.get_type(schema).is_ok_and(|of| digits(&of).is_some()) =>
        {
            inner
        }
        expr => expr,
    }
}

/// The places of a number; `None` of what is none, such as a null.
fn places(expr: &Expr, schema: &DFSchema) -> Option<i8> {
    let (_, places) = digits(&own(expr, schema).get_type(schema).ok()?)?;
    i8::try_from(places).ok()
}

fn differ(exprs: &[&Expr], schema: &DFSchema) -> bool {
    let mut places = exprs.iter().filter_map(|expr| places(expr, schema));
    let first = places.next();
    places.any(|places| Some(places) != first)
}

/// The elements of an array that is written out.
fn elements(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::Alias(alias) => elements(&alias.expr),
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "make_array" => {
            Some(args)
        }
        _ => None,
    }
}

/// The places of an array's elements one by one, where they differ.
pub fn of_elements(expr: &Expr, schema: &DFSchema) -> Option<Vec<i8>> {
    let elements: Vec<&Expr> = elements(expr)?.iter().collect();
    let are_numbers = elements
        .iter()
        .any(|element| element.get_type(schema).is_ok_and(|of| of.is_decimal()));
    if !are_numbers || !differ(&elements, schema) {
        return None;
    }
    let places = elements
        .iter()
        .map(|expr| places(expr, schema).unwrap_or(0));
    Some(places.collect())
}

fn is_texts(to: &DataType) -> bool {
    matches!(to, DataType::List(item)
        if matches!(item.data_type(), DataType::Utf8 | DataType::Utf8View))
}

/// The text of such a choice or array as a choice or an array of texts.
pub fn as_texts(expr: &Expr, to: &DataType, schema: &DFSchema) -> Option<Expr> {
    let text = |expr: &Expr| ZonedCast::to(own(expr, schema).clone(), DataType::Utf8);
    let is_text = matches!(to, DataType::Utf8 | DataType::Utf8View);
    let choice = match expr {
        Expr::Case(Case {
            expr: of,
            when_then_expr,
            else_expr,
        }) if is_text => {
            let results = when_then_expr.iter().map(|(_, then)| then.as_ref());
            let results: Vec<&Expr> = results.chain(else_expr.as_deref()).collect();
            if !differ(&results, schema) {
                return None;
            }
            let branches = when_then_expr.iter();
            let branches = branches.map(|(when, then)| (when.clone(), Box::new(text(then))));
            Expr::Case(Case {
                expr: of.clone(),
                when_then_expr: branches.collect(),
                else_expr: else_expr.as_deref().map(|other| Box::new(text(other))),
            })
        }
        Expr::ScalarFunction(ScalarFunction { func, args })
            if is_text && func.name() == "coalesce" =>
        {
            if !differ(&args.iter().collect::<Vec<_>>(), schema) {
                return None;
            }
            func.call(args.iter().map(text).collect())
        }
        Expr::ScalarFunction(ScalarFunction { func, .. }) if is_text || is_texts(to) => {
            of_elements(expr, schema)?;
            let texts = func.call(elements(expr)?.iter().map(text).collect());
            return Some(ZonedCast::to(texts, to.clone()));
        }
        _ => return None,
    };
    Some(match to {
        DataType::Utf8 => choice,
        to => ZonedCast::to(choice, to.clone()),
    })
}

/// Such an array that is joined to a text.
pub fn joined(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, mut args }) = expr else {
        return Transformed::no(expr);
    };
    let texts = DataType::new_list(DataType::Utf8, true);
    let array = args
        .first_mut()
        .filter(|_| func.name() == "array_to_string");
    let made = array.and_then(|array| Some((as_texts(array, &texts, schema)?, array)));
    let is_made = made.is_some();
    if let Some((made, array)) = made {
        *array = made;
    }
    let expr = Expr::ScalarFunction(ScalarFunction { func, args });
    match is_made {
        true => Transformed::yes(expr),
        false => Transformed::no(expr),
    }
}

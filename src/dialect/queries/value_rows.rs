//! Rows of `VALUES` of which some say the type of a column: what is written beside it without one, a
//! text in quotes or null, and a number beside a double, is of that type too.

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, ExactNumberInfo, Expr, SetExpr, UnaryOperator, Value,
};

use super::sets::expression;

/// `x in (values …)` as a query of their column.
pub fn rewrite_set(expr: &mut Expr) {
    if let Expr::InSubquery { subquery, .. } = expr
        && let SetExpr::Values(_) = &*subquery.body
        && let Ok(Expr::Subquery(query)) = expression(&format!("(select * from ({subquery}) as v)"))
    {
        *subquery = query;
    }
}

/// Gives such values their type.
pub fn rewrite(body: &mut SetExpr) {
    let SetExpr::Values(values) = body else {
        return;
    };
    let columns = values.rows.iter().map(|row| row.content.len()).max();
    for column in 0..columns.unwrap_or_default() {
        let cells = values.rows.iter().filter_map(|row| row.content.get(column));
        let Some(of) = cells.filter_map(said).next() else {
            continue;
        };
        let is_float = is_float(&of);
        for row in &mut values.rows {
            let cell = row.content.get_mut(column);
            if let Some(cell) = cell.filter(|cell| is_untyped(cell) || is_float && is_number(cell))
            {
                *cell = Expr::Cast {
                    kind: CastKind::Cast,
                    expr: Box::new(cell.clone()),
                    data_type: of.clone(),
                    array: false,
                    format: None,
                };
            }
        }
    }
}

/// The type that a value says it is of, of those that a text in quotes would not be read as.
fn said(cell: &Expr) -> Option<DataType> {
    let of = match cell {
        Expr::Cast { data_type, .. } => data_type,
        Expr::TypedString(literal) => &literal.data_type,
        Expr::Interval(_) => {
            return Some(DataType::Interval {
                fields: None,
                precision: None,
            });
        }
        Expr::Value(value) if matches!(value.value, Value::Boolean(_)) => {
            return Some(DataType::Boolean);
        }
        _ => return None,
    };
    let is_known = matches!(
        of,
        DataType::JSON
            | DataType::JSONB
            | DataType::Date
            | DataType::Time(..)
            | DataType::Timestamp(..)
            | DataType::Interval { .. }
    );
    (is_known || is_float(of)).then(|| of.clone())
}

fn is_float(of: &DataType) -> bool {
    matches!(
        of,
        DataType::Real
            | DataType::Float4
            | DataType::Float8
            | DataType::DoublePrecision
            | DataType::Double(ExactNumberInfo::None)
            | DataType::Float(ExactNumberInfo::None)
    )
}

fn is_untyped(cell: &Expr) -> bool {
    matches!(cell, Expr::Value(value)
        if matches!(value.value, Value::SingleQuotedString(_) | Value::Null))
}

fn is_number(cell: &Expr) -> bool {
    match cell {
        Expr::Value(value) => matches!(value.value, Value::Number(..)),
        Expr::UnaryOp {
            op: UnaryOperator::Minus | UnaryOperator::Plus,
            expr,
        } => is_number(expr),
        _ => false,
    }
}

//! Recursive queries: their numerics have no certain places.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{Expr, Query, SelectItem, SetExpr, SetOperator};

use crate::dialect::functions::syntax::call;
use crate::dialect::numbers::AnyPlaces;

/// Gives the columns of first terms any places that their rows will need.
pub fn rewrite(query: &mut Query) {
    let Some(with) = query.with.as_mut().filter(|with| with.recursive) else {
        return;
    };
    for cte in &mut with.cte_tables {
        let name = &cte.alias.name.value;
        if let SetExpr::SetOperation {
            op: SetOperator::Union,
            left,
            right,
            ..
        } = &mut *cte.query.body
            && right.to_string().contains(name)
        {
            open(left);
        }
    }
}

fn open(term: &mut SetExpr) {
    match term {
        SetExpr::Select(select) => {
            for item in &mut select.projection {
                let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item
                else {
                    continue;
                };
                let name = match &*expr {
                    Expr::Identifier(name) => Some(name.clone()),
                    Expr::CompoundIdentifier(names) => names.last().cloned(),
                    _ => None,
                };
                open_value(expr);
                // A column that is opened keeps its name.
                if let (SelectItem::UnnamedExpr(expr), Some(alias)) = (&*item, name) {
                    let expr = expr.clone();
                    *item = SelectItem::ExprWithAlias { expr, alias };
                }
            }
        }
        SetExpr::Values(values) => {
            for row in &mut values.rows {
                row.content.iter_mut().for_each(open_value);
            }
        }
        SetExpr::Query(query) => open(&mut query.body),
        SetExpr::SetOperation { left, right, .. } => {
            open(left);
            open(right);
        }
        _ => {}
    }
}

fn open_value(expr: &mut Expr) {
    let value = std::mem::replace(expr, Expr::Wildcard(AttachedToken::empty()));
    *expr = call(AnyPlaces::NAME, vec![value]);
}

//! `INTERSECT ALL` and `EXCEPT ALL`: a row as often as both sides have it, or as often as the left has it
//! more than the right.

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Select, SelectItem, SetExpr, SetOperator, SetQuantifier,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::unsupported;
use crate::error::Result;

/// Numbers equal rows of each side, so that no two are equal, of such an operation in the body of a
/// query.
pub fn rewrite(body: &mut SetExpr) -> Result<()> {
    let SetExpr::SetOperation {
        op,
        set_quantifier,
        left,
        right,
    } = body
    else {
        return Ok(());
    };
    rewrite(left)?;
    rewrite(right)?;
    let (SetOperator::Intersect | SetOperator::Except, SetQuantifier::All) = (*op, *set_quantifier)
    else {
        return Ok(());
    };
    let Some(names) = names(left) else {
        let hint = "write out the columns, or leave ALL out where no row is there twice";
        return Err(unsupported(&format!("{op} ALL of *"), hint));
    };
    let columns: Vec<String> = (1..=names.len()).map(|at| format!("c{at}")).collect();
    let columns = columns.join(", ");
    let side = |side: &SetExpr| {
        format!(
            "select {columns}, row_number() over (partition by {columns}) as place \
             from ({side}) as side ({columns})"
        )
    };
    let items = names.iter().enumerate();
    let items: Vec<String> = items
        .map(|(at, name)| format!("c{} as {name}", at + 1))
        .collect();
    let text = format!(
        "select {} from ({} {op} {}) as numbered",
        items.join(", "),
        side(left),
        side(right)
    );
    let parsed = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(1_000)
        .try_with_sql(&text)
        .and_then(|mut parser| parser.parse_query());
    *body = *parsed
        .map_err(datafusion::error::DataFusionError::from)?
        .body;
    Ok(())
}

/// The names of the columns of a query; `None` where they are not written out.
fn names(body: &SetExpr) -> Option<Vec<Ident>> {
    match body {
        SetExpr::Query(query) => names(&query.body),
        SetExpr::SetOperation { left, .. } => names(left),
        SetExpr::Values(values) => {
            let columns = 1..=values.rows.first()?.content.len();
            Some(
                columns
                    .map(|at| Ident::new(format!("column{at}")))
                    .collect(),
            )
        }
        SetExpr::Select(select) => of_select(select),
        _ => None,
    }
}

fn of_select(select: &Select) -> Option<Vec<Ident>> {
    let names = select.projection.iter().map(|item| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().cloned(),
        _ => None,
    });
    names.collect()
}

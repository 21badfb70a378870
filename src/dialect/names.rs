//! What columns are called, as PostgreSQL calls them: a column by its name, a call by its function, a
//! cast by its type, and what has no name `?column?`.
//!
//! Every item of every select list gets its name, so that it can be spoken of in the query around it,
//! in a view and in a table made of it. DataFusion wants the names of a list to differ, which
//! PostgreSQL does not: of equal ones all but the first get a mark behind them, which [`shown`] takes
//! away from what a client sees.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, DataType as SqlType, Expr, Ident, ObjectName, ObjectNamePart,
    OrderByKind, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Statement,
    TrimWhereField, Value, VisitorMut,
};
use sql_visit::{visit_expressions, visit_mut};

/// The name of a column without one.
const UNNAMED: &str = "?column?";
/// What stands between a name and the number that makes it differ.
const MARK: char = '\u{1f}';

/// A name as clients see it.
pub fn shown(name: &str) -> &str {
    name.split(MARK).next().unwrap_or(name)
}

/// Names the items of all select lists of a statement.
pub fn rewrite(statement: &mut DfStatement) {
    match statement {
        DfStatement::Statement(statement) => {
            if let Statement::Query(query) = &mut **statement {
                order_of_outermost(query);
            }
            let _ = visit_mut(statement, &mut Naming);
        }
        DfStatement::Explain(explain) => rewrite(&mut explain.statement),
        _ => {}
    }
}

struct Naming;

impl VisitorMut for Naming {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = &mut *query.body
            && let Some(order) = &mut query.order_by
            && let OrderByKind::Expressions(expressions) = &mut order.kind
        {
            for order in expressions {
                if let Some(place) = place_of(&order.expr, select) {
                    let number = Value::Number(place.to_string(), false);
                    order.expr = Expr::Value(number.with_empty_span());
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        name_items(select);
        ControlFlow::Continue(())
    }
}

/// The place in the select list of the item that a name stands for in `ORDER BY`, where the item is
/// not a column of that name.
fn place_of(expr: &Expr, select: &Select) -> Option<usize> {
    let Expr::Identifier(name) = expr else {
        return None;
    };
    let name = ident(name);
    for (position, item) in select.projection.iter().enumerate() {
        let (called, expr) = match item {
            SelectItem::UnnamedExpr(expr) => (name_of(expr).map(|(name, _)| name), expr),
            SelectItem::ExprWithAlias { expr, alias } => (Some(ident(alias)), expr),
            // As many columns as nobody knows yet.
            _ => return None,
        };
        if called.as_deref() == Some(&name) {
            let is_column = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
            return (!is_column || !is_named(expr, &name)).then_some(position + 1);
        }
    }
    None
}

/// Whether a column of this name is in the expression.
fn is_named(expr: &Expr, name: &str) -> bool {
    let found = visit_expressions(expr, |expr| {
        let is_it = match expr {
            Expr::Identifier(known) => ident(known) == name,
            Expr::CompoundIdentifier(names) => {
                names.last().is_some_and(|known| ident(known) == name)
            }
            _ => false,
        };
        match is_it {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    found.is_break()
}

/// Marks the names of items that an expression in `ORDER BY` or `HAVING` would take for those of the
/// columns that it speaks of.
fn order_of_outermost(query: &mut Query) {
    let SetExpr::Select(select) = &mut *query.body else {
        return;
    };
    let mut spoken: Vec<Expr> = select.having.iter().cloned().collect();
    if let Some(order) = &query.order_by
        && let OrderByKind::Expressions(expressions) = &order.kind
    {
        let expressions = expressions.iter().map(|order| &order.expr);
        let expressions =
            expressions.filter(|expr| !matches!(expr, Expr::Identifier(_) | Expr::Value(_)));
        spoken.extend(expressions.cloned());
    }
    if spoken.is_empty() || query.with.is_some() {
        return;
    }
    for (position, item) in select.projection.iter_mut().enumerate() {
        let (name, expr) = match item {
            SelectItem::UnnamedExpr(expr) => match name_of(expr) {
                Some((name, _)) => (name, &*expr),
                None => continue,
            },
            SelectItem::ExprWithAlias { expr, alias } => (ident(alias), &*expr),
            _ => continue,
        };
        let is_column = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
        if !is_column
            && is_named(expr, &name)
            && spoken.iter().any(|spoken| is_named(spoken, &name))
        {
            *item = SelectItem::ExprWithAlias {
                alias: Ident::with_quote('"', format!("{name}{MARK}{position}")),
                expr: expr.clone(),
            };
        }
    }
}

fn name_items(select: &mut Select) {
    let mut names: Vec<String> = Vec::with_capacity(select.projection.len());
    let stars: Vec<Option<String>> = select.projection.iter().filter_map(star).collect();
    for (position, item) in select.projection.iter_mut().enumerate() {
        let (name, is_said) = match &*item {
            SelectItem::UnnamedExpr(expr) => {
                let is_column = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                let name = name_of(expr).map_or_else(|| UNNAMED.into(), |(name, _)| name);
                (name, is_column)
            }
            SelectItem::ExprWithAlias { alias, .. } => (ident(alias), true),
            _ => continue,
        };
        // A column that a star has too is another one of its name.
        let is_again = matches!(&*item, SelectItem::UnnamedExpr(expr) if is_of_star(expr, &stars));
        let is_taken = is_again || names.contains(&name);
        if is_taken || !is_said {
            let alias = match is_taken {
                true => format!("{name}{MARK}{position}"),
                false => name.clone(),
            };
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = &*item {
                *item = SelectItem::ExprWithAlias {
                    expr: expr.clone(),
                    alias: Ident::with_quote('"', alias),
                };
            }
        }
        names.push(name);
    }
}

/// The relation whose columns a star is, if it says one.
fn star(item: &SelectItem) -> Option<Option<String>> {
    match item {
        SelectItem::Wildcard(_) => Some(None),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
            Some(Some(name.to_string()))
        }
        _ => None,
    }
}

/// Whether a column is among those of a star.
fn is_of_star(expr: &Expr, stars: &[Option<String>]) -> bool {
    let relation = match expr {
        Expr::Identifier(_) => None,
        Expr::CompoundIdentifier(names) => names
            .split_last()
            .map(|(_, relation)| ObjectName::from(relation.to_vec()).to_string()),
        _ => return false,
    };
    stars
        .iter()
        .any(|star| star.is_none() || relation.is_some() && *star == relation)
}

fn ident(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// The name of an expression, and whether it is a good one: a column or a function beats a cast.
fn name_of(expr: &Expr) -> Option<(String, bool)> {
    let good = |name: &str| Some((name.to_owned(), true));
    let weak = |name: &str| Some((name.to_owned(), false));
    match expr {
        Expr::Identifier(name) => Some((ident(name), true)),
        Expr::CompoundIdentifier(names) => names.last().map(|name| (ident(name), true)),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let field = access_chain.iter().rev().find_map(|access| match access {
                AccessExpr::Dot(Expr::Identifier(name)) => Some(ident(name)),
                AccessExpr::Dot(Expr::Value(value)) => match &value.value {
                    Value::SingleQuotedString(name) | Value::DoubleQuotedString(name) => {
                        Some(name.clone())
                    }
                    _ => None,
                },
                _ => None,
            });
            field.map(|field| (field, true)).or_else(|| name_of(root))
        }
        Expr::Function(function) => match function.name.0.last() {
            Some(ObjectNamePart::Identifier(name)) => Some((ident(name), true)),
            _ => None,
        },
        Expr::Cast {
            expr, data_type, ..
        } => match name_of(expr) {
            Some((name, true)) => Some((name, true)),
            _ => weak(&type_name(data_type)),
        },
        Expr::TypedString(typed) => weak(&type_name(&typed.data_type)),
        Expr::Interval(_) => weak("interval"),
        Expr::Nested(expr) | Expr::Collate { expr, .. } => name_of(expr),
        Expr::Case { else_result, .. } => match else_result.as_deref().and_then(name_of) {
            Some((name, true)) => Some((name, true)),
            _ => weak("case"),
        },
        Expr::Extract { .. } => good("extract"),
        Expr::Ceil { .. } => good("ceil"),
        Expr::Floor { .. } => good("floor"),
        Expr::Position { .. } => good("position"),
        Expr::Substring {
            shorthand: true, ..
        } => good("substr"),
        Expr::Substring { .. } => good("substring"),
        Expr::BinaryOp {
            op: BinaryOperator::Overlaps,
            ..
        } => good("overlaps"),
        Expr::Overlay { .. } => good("overlay"),
        Expr::Trim { trim_where, .. } => good(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        Expr::AtTimeZone { .. } => good("timezone"),
        Expr::Array(_) => good("array"),
        Expr::Tuple(_) => good("row"),
        Expr::Exists { negated: false, .. } => good("exists"),
        Expr::Subquery(query) => first_name(&query.body),
        _ => None,
    }
}

/// The name of the first column of a query.
fn first_name(body: &SetExpr) -> Option<(String, bool)> {
    match body {
        SetExpr::Query(query) => first_name(&query.body),
        SetExpr::SetOperation { left, .. } => first_name(left),
        SetExpr::Values(_) => Some(("column1".into(), true)),
        SetExpr::Select(select) => match select.projection.first()? {
            SelectItem::UnnamedExpr(expr) => name_of(expr).map(|(name, _)| (name, true)),
            SelectItem::ExprWithAlias { alias, .. } => Some((ident(alias), true)),
            _ => None,
        },
        _ => None,
    }
}

/// The name that PostgreSQL has for a type inside.
fn type_name(data_type: &SqlType) -> String {
    let name = match data_type {
        SqlType::Int(_) | SqlType::Integer(_) | SqlType::Int4(_) => "int4",
        SqlType::SmallInt(_) | SqlType::Int2(_) => "int2",
        SqlType::BigInt(_) | SqlType::Int8(_) => "int8",
        SqlType::Real | SqlType::Float4 => "float4",
        SqlType::Float8 | SqlType::DoublePrecision | SqlType::Double(_) | SqlType::Float(_) => {
            "float8"
        }
        SqlType::Numeric(_) | SqlType::Decimal(_) | SqlType::Dec(_) => "numeric",
        SqlType::Bool | SqlType::Boolean => "bool",
        SqlType::Varchar(_) | SqlType::CharacterVarying(_) | SqlType::CharVarying(_) => "varchar",
        SqlType::Char(_) | SqlType::Character(_) => "bpchar",
        SqlType::Timestamp(_, zone) => {
            use datafusion::sql::sqlparser::ast::TimezoneInfo;
            match zone {
                TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => "timestamptz",
                _ => "timestamp",
            }
        }
        SqlType::Array(element) => {
            use datafusion::sql::sqlparser::ast::ArrayElemTypeDef;
            return match element {
                ArrayElemTypeDef::SquareBracket(element, _)
                | ArrayElemTypeDef::AngleBracket(element)
                | ArrayElemTypeDef::Parenthesis(element) => type_name(element),
                ArrayElemTypeDef::None => "array".into(),
            };
        }
        other => {
            let text = other.to_string().to_lowercase();
            return text.split('(').next().unwrap_or_default().trim().to_owned();
        }
    };
    name.to_owned()
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
mod tests {
    use datafusion::sql::parser::DFParser;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;

    use super::*;

    fn named(sql: &str) -> String {
        let statements = DFParser::parse_sql_with_dialect(sql, &PostgreSqlDialect {});
        let mut statement = statements.unwrap().pop_front().unwrap();
        rewrite(&mut statement);
        statement.to_string()
    }

    #[test]
    fn columns_are_called_as_postgresql_calls_them() {
        let items = [
            ("1", "?column?"),
            ("count(*)", "count"),
            ("now()", "now"),
            ("x::TEXT", "x"),
            ("CASE WHEN true THEN 1 END", "case"),
            ("'x'::INT", "int4"),
            ("true", "?column?"),
            ("a[1]", "a"),
            ("(SELECT max(a) FROM t)", "max"),
            ("EXISTS (SELECT 1)", "exists"),
        ];
        for (item, name) in items {
            let named = named(&format!("select {item} from t"));
            assert!(
                named.contains(&format!(" AS \"{name}\" FROM t")),
                "{item}: {named}"
            );
        }
        assert_eq!(named("select a, t.b from t"), "SELECT a, t.b FROM t");
        assert_eq!(
            named("select t.a, u.b, t.* from t, u").replace(MARK, "#"),
            "SELECT t.a AS \"a#0\", u.b, t.* FROM t, u"
        );
    }

    #[test]
    fn equal_items_get_names_of_their_own() {
        assert_eq!(
            named("select 1, 1, a as b, c as b").replace(MARK, "#"),
            "SELECT 1 AS \"?column?\", 1 AS \"?column?#1\", a AS b, c AS \"b#3\""
        );
        assert_eq!(shown("b\u{1f}3"), "b");
    }

    #[test]
    fn order_is_by_the_items_of_the_list() {
        assert_eq!(
            named("select upper(a) as a from t order by a"),
            "SELECT upper(a) AS a FROM t ORDER BY 1"
        );
        assert_eq!(
            named("select upper(a) as a from t order by lower(a)").replace(MARK, "#"),
            "SELECT upper(a) AS \"a#0\" FROM t ORDER BY lower(a)"
        );
        assert_eq!(
            named("select a from t order by a"),
            "SELECT a FROM t ORDER BY a"
        );
    }
}

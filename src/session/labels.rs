//! What the columns of a result are called, as PostgreSQL calls them: a column by its name, a call by
//! its function, a cast by its type, and what has no name `?column?`.
//!
//! Also: which columns are `int4`. A small integer in a statement is one for PostgreSQL, and drivers
//! count on it; here it is computed with 64 bits and narrowed only when it is sent.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{AccessExpr, CaseWhen, TrimWhereField};
use datafusion::sql::sqlparser::ast::{
    DataType as SqlType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    ObjectNamePart, Query, SelectItem, SetExpr, Statement, UnaryOperator, Value,
    visit_expressions_mut,
};

/// The name of a column without one.
const UNNAMED: &str = "?column?";

/// What one column of a result is called and whether it is `int4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub name: String,
    pub is_int4: bool,
}

/// An item of the outermost select list.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Column(Label),
    /// A wildcard, of as many columns as there are.
    Several,
}

/// The outermost select list of a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels(Option<Vec<Item>>);

impl Labels {
    /// Reads the labels off a query, and gives items of the same name names of their own, which
    /// DataFusion asks for and PostgreSQL does not.
    pub fn take(statement: &mut DfStatement) -> Self {
        let DfStatement::Statement(statement) = statement else {
            return Self(None);
        };
        match &mut **statement {
            Statement::Query(query) => Self(of_query(query)),
            _ => Self(None),
        }
    }

    /// A label for each of so many columns; nothing where they cannot be told apart.
    pub fn of_columns(&self, count: usize) -> Option<Vec<Option<Label>>> {
        let items = self.0.as_ref()?;
        let several = items.iter().filter(|item| **item == Item::Several).count();
        let width = match several {
            0 if items.len() == count => 0,
            1 => count.checked_sub(items.len() - 1)?,
            _ => return None,
        };
        let mut labels = Vec::with_capacity(count);
        for item in items {
            match item {
                Item::Column(label) => labels.push(Some(label.clone())),
                Item::Several => labels.extend(std::iter::repeat_n(None, width)),
            }
        }
        Some(labels)
    }
}

fn of_query(query: &mut Query) -> Option<Vec<Item>> {
    of_body(&mut query.body)
}

fn of_body(body: &mut SetExpr) -> Option<Vec<Item>> {
    match body {
        SetExpr::Query(query) => of_query(query),
        SetExpr::SetOperation { left, right, .. } => {
            let right = of_body(right);
            let left = of_body(left)?;
            // Both sides make the column.
            Some(match right {
                Some(right) if right.len() == left.len() => left
                    .into_iter()
                    .zip(right)
                    .map(|items| match items {
                        (Item::Column(left), Item::Column(right)) => Item::Column(Label {
                            is_int4: left.is_int4 && right.is_int4,
                            name: left.name,
                        }),
                        (left, _) => left,
                    })
                    .collect(),
                _ => left
                    .into_iter()
                    .map(|item| match item {
                        Item::Column(label) => Item::Column(Label {
                            is_int4: false,
                            ..label
                        }),
                        Item::Several => Item::Several,
                    })
                    .collect(),
            })
        }
        SetExpr::Values(values) => {
            let width = values.rows.first()?.content.len();
            let is_int4 = |position: usize| {
                let mut rows = values.rows.iter();
                rows.all(|row| row.content.get(position).is_some_and(is_int4))
            };
            let columns = (0..width).map(|position| {
                Item::Column(Label {
                    name: format!("column{}", position + 1),
                    is_int4: is_int4(position),
                })
            });
            Some(columns.collect())
        }
        SetExpr::Select(select) => {
            let mut names: Vec<String> = Vec::new();
            let mut items = Vec::with_capacity(select.projection.len());
            for (position, item) in select.projection.iter_mut().enumerate() {
                items.push(of_item(item));
                let name = match &*item {
                    SelectItem::UnnamedExpr(expr) => without_casts(expr),
                    SelectItem::ExprWithAlias { alias, .. } => alias.to_string(),
                    _ => continue,
                };
                if names.contains(&name) {
                    let own = Ident::with_quote('"', format!("{name} ({position})"));
                    if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } =
                        &*item
                    {
                        *item = SelectItem::ExprWithAlias {
                            expr: expr.clone(),
                            alias: own,
                        };
                    }
                }
                names.push(name);
            }
            Some(items)
        }
        _ => None,
    }
}

/// An expression as DataFusion names it: casts make no difference.
fn without_casts(expr: &Expr) -> String {
    let mut expr = expr.clone();
    let _ = visit_expressions_mut(&mut expr, |expr| {
        match expr {
            Expr::Cast { expr: inner, .. } | Expr::Nested(inner) => *expr = (**inner).clone(),
            Expr::TypedString(typed) => *expr = Expr::Value(typed.value.clone()),
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
    expr.to_string()
}

fn of_item(item: &SelectItem) -> Item {
    match item {
        SelectItem::UnnamedExpr(expr) => Item::Column(Label {
            name: name_of(expr).map_or_else(|| UNNAMED.into(), |(name, _)| name),
            is_int4: is_int4(expr),
        }),
        SelectItem::ExprWithAlias { expr, alias } => Item::Column(Label {
            name: ident(alias),
            is_int4: is_int4(expr),
        }),
        _ => Item::Several,
    }
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
        Expr::Value(value) => match value.value {
            Value::Boolean(_) => weak("bool"),
            _ => None,
        },
        Expr::Nested(expr) | Expr::Collate { expr, .. } => name_of(expr),
        Expr::Case { else_result, .. } => match else_result.as_deref().and_then(name_of) {
            Some((name, true)) => Some((name, true)),
            _ => weak("case"),
        },
        Expr::Extract { .. } => good("extract"),
        Expr::Ceil { .. } => good("ceil"),
        Expr::Floor { .. } => good("floor"),
        Expr::Position { .. } => good("position"),
        Expr::Substring { .. } => good("substring"),
        Expr::Overlay { .. } => good("overlay"),
        Expr::Trim { trim_where, .. } => good(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        Expr::AtTimeZone { .. } => good("timezone"),
        Expr::Array(_) => good("array"),
        Expr::Tuple(_) => good("row"),
        Expr::Exists { .. } => good("exists"),
        Expr::Subquery(query) => match of_query(&mut query.clone())?.into_iter().next()? {
            Item::Column(label) if label.name != UNNAMED => Some((label.name, true)),
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

/// Whether PostgreSQL computes this as `int4`.
fn is_int4(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse::<i32>().is_ok(),
            _ => false,
        },
        Expr::Nested(expr) => is_int4(expr),
        Expr::UnaryOp { op, expr } => {
            matches!(op, UnaryOperator::Minus | UnaryOperator::Plus) && is_int4(expr)
        }
        Expr::BinaryOp { left, op, right } => {
            use datafusion::sql::sqlparser::ast::BinaryOperator as Op;
            matches!(
                op,
                Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo
            ) && is_int4(left)
                && is_int4(right)
        }
        Expr::Cast { data_type, .. } => matches!(
            data_type,
            SqlType::Int(_) | SqlType::Integer(_) | SqlType::Int4(_)
        ),
        Expr::Case {
            conditions,
            else_result,
            ..
        } => {
            conditions
                .iter()
                .all(|CaseWhen { result, .. }| is_int4(result))
                && else_result.as_deref().is_none_or(is_int4)
        }
        Expr::Function(function) => {
            let name = function.name.to_string().to_lowercase();
            let FunctionArguments::List(arguments) = &function.args else {
                return false;
            };
            let all_int4 = || {
                arguments.args.iter().all(|argument| {
                    matches!(argument, FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if is_int4(expr))
                })
            };
            match name.as_str() {
                "length" | "char_length" | "character_length" | "octet_length" | "strpos"
                | "ascii" | "cardinality" | "array_length" | "width_bucket" => true,
                "coalesce" | "greatest" | "least" | "abs" | "mod" | "nullif" => all_int4(),
                _ => false,
            }
        }
        Expr::Position { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;
    use crate::session::parse::{Request, parse};

    fn labels(sql: &str) -> Vec<String> {
        let statement = parse(sql).unwrap().remove(0);
        let Request::Sql(mut statement) = statement.request else {
            panic!("{sql}: no query");
        };
        let items = Labels::take(&mut statement).0.unwrap();
        items
            .iter()
            .map(|item| match item {
                Item::Column(label) if label.is_int4 => format!("{} int4", label.name),
                Item::Column(label) => label.name.clone(),
                Item::Several => "*".into(),
            })
            .collect()
    }

    #[test]
    fn columns_are_called_as_postgresql_calls_them() {
        assert_eq!(
            labels(
                "select 1, 1+1, count(*), max(x), 'a', now(), x::text, case when true then 1 end"
            ),
            [
                "?column? int4",
                "?column? int4",
                "count",
                "max",
                "?column?",
                "now",
                "x",
                "case int4"
            ]
        );
        assert_eq!(
            labels("select 'x'::int, true, null, date '2024-01-01', Foo.Bar, \"Foo\", a[1], (s).f"),
            [
                "int4 int4",
                "bool",
                "?column?",
                "date",
                "bar",
                "Foo",
                "a",
                "f"
            ]
        );
        assert_eq!(labels("select *, 1 as One from t"), ["*", "one int4"]);
        assert_eq!(
            labels("values (1, 'a'), (2, 'b')"),
            ["column1 int4", "column2"]
        );
        assert_eq!(labels("select 1 union all select x"), ["?column?"]);
        assert_eq!(
            labels("select (select max(a) from t), exists (select 1)"),
            ["max", "exists"]
        );
    }

    #[test]
    fn equal_items_get_names_of_their_own() {
        let Request::Sql(mut statement) = parse("select 1, 1, a as b, c as b")
            .unwrap()
            .remove(0)
            .request
        else {
            panic!("no query");
        };
        let labels = Labels::take(&mut statement).of_columns(4).unwrap();
        let names: Vec<&str> = labels
            .iter()
            .flatten()
            .map(|label| label.name.as_str())
            .collect();
        assert_eq!(names, ["?column?", "?column?", "b", "b"]);
        assert_eq!(
            statement.to_string(),
            "SELECT 1, 1 AS \"1 (1)\", a AS b, c AS \"b (3)\""
        );
    }
}

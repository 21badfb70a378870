//! Identifiers, type names and the names that PostgreSQL gives to columns without an alias.

use datafusion::sql::sqlparser::ast::{
    self, AccessExpr, ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, Expr as Ast,
    Ident, ObjectName, ObjectNamePart, TimezoneInfo,
};

use crate::cast::failure;
use crate::error::Result;
use crate::types::{self, Type, oid};

/// An identifier as PostgreSQL keeps it: lower case unless quoted.
pub fn ident(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// The parts of a name.
pub fn parts(name: &ObjectName) -> Vec<String> {
    let parts = name.0.iter().map(|part| match part {
        ObjectNamePart::Identifier(part) => ident(part),
        ObjectNamePart::Function(part) => ident(&part.name),
    });
    parts.collect()
}

/// A name without its database and, apart, its schema.
pub fn schema_and_name(name: &ObjectName) -> (Option<String>, String) {
    let mut parts = parts(name);
    let last = parts.pop().unwrap_or_default();
    (parts.pop(), last)
}

/// The type that SQL writes so.
pub fn data_type(written: &DataType) -> Result<Type> {
    let length = |length: &Option<CharacterLength>| match length {
        Some(CharacterLength::IntegerLength { length, .. }) => {
            i32::try_from(*length).map_or(-1, |length| length + 4)
        }
        _ => -1,
    };
    let number = |info: &ExactNumberInfo| match info {
        ExactNumberInfo::None => -1,
        ExactNumberInfo::Precision(precision) => {
            types::numeric_typmod(u8::try_from(*precision).unwrap_or(u8::MAX), 0)
        }
        ExactNumberInfo::PrecisionAndScale(precision, scale) => types::numeric_typmod(
            u8::try_from(*precision).unwrap_or(u8::MAX),
            i8::try_from(*scale).unwrap_or(i8::MAX),
        ),
    };
    let precision = |precision: &Option<u64>| {
        precision.map_or(-1, |digits| i32::try_from(digits).unwrap_or(-1))
    };
    Ok(match written {
        DataType::Character(size) | DataType::Char(size) => match length(size) {
            -1 => Type::with_typmod(oid::BPCHAR, 5),
            typmod => Type::with_typmod(oid::BPCHAR, typmod),
        },
        DataType::CharacterVarying(size)
        | DataType::CharVarying(size)
        | DataType::Varchar(size) => Type::with_typmod(oid::VARCHAR, length(size)),
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => {
            Type::with_typmod(oid::NUMERIC, number(info))
        }
        DataType::Timestamp(digits, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            Type::with_typmod(oid::TIMESTAMP, precision(digits))
        }
        DataType::Timestamp(digits, _) => Type::with_typmod(oid::TIMESTAMPTZ, precision(digits)),
        DataType::Time(digits, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            Type::with_typmod(oid::TIME, precision(digits))
        }
        DataType::Array(element) => match element {
            ArrayElemTypeDef::AngleBracket(element)
            | ArrayElemTypeDef::SquareBracket(element, _)
            | ArrayElemTypeDef::Parenthesis(element) => {
                let element = data_type(element)?;
                let array = types::array(element.oid).ok_or_else(|| unknown(written))?;
                Type::with_typmod(array, element.typmod)
            }
            ArrayElemTypeDef::None => return Err(unknown(written)),
        },
        DataType::Custom(name, _) => {
            let is_quoted = name.0.last().is_some_and(|part| match part {
                ObjectNamePart::Identifier(part) => part.quote_style.is_some(),
                ObjectNamePart::Function(_) => false,
            });
            let (_, last) = schema_and_name(name);
            let exact = types::by_name(&last).filter(|_| is_quoted).map(Type::of);
            exact
                .or_else(|| named(&last))
                .ok_or_else(|| unknown(written))?
        }
        DataType::Regclass => Type::of(oid::REGCLASS),
        DataType::Integer(_) | DataType::Int(_) => Type::of(oid::INT4),
        DataType::Float(_) | DataType::Double(_) => Type::of(oid::FLOAT8),
        DataType::Interval { .. } => Type::of(oid::INTERVAL),
        DataType::Text | DataType::String(_) => Type::of(oid::TEXT),
        other => {
            let text = other.to_string().to_lowercase();
            named(&text).ok_or_else(|| unknown(written))?
        }
    })
}

/// A type by its name, its arrays also by `_name` and `name[]`.
pub fn named(name: &str) -> Option<Type> {
    let name = name.trim();
    if let Some(element) = name.strip_suffix("[]") {
        return named(element)
            .and_then(|element| types::array(element.oid))
            .map(Type::of);
    }
    let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
    let name = name.strip_prefix("information_schema.").unwrap_or(name);
    if let Some(quoted) = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')) {
        return types::by_name(quoted).map(Type::of);
    }
    // Without quotes `char` is a text of one letter.
    if name == "char" {
        return Some(Type::with_typmod(oid::BPCHAR, 5));
    }
    let bare = name
        .split_once('(')
        .map_or(name, |(bare, _)| bare.trim_end());
    types::by_name(bare).map(Type::of)
}

fn unknown(written: &DataType) -> crate::error::Error {
    let name = match written {
        DataType::Custom(name, _) => name.to_string(),
        other => other.to_string().to_lowercase(),
    };
    failure("42704", format!("type \"{name}\" does not exist"))
}

/// The name of a column without an alias.
pub fn column_name(expr: &Ast) -> String {
    weak_name(expr).unwrap_or_else(|| "?column?".into())
}

fn weak_name(expr: &Ast) -> Option<String> {
    match strong_name(expr) {
        Some(name) => Some(name),
        None => match expr {
            Ast::Cast { data_type, .. } => type_name(data_type),
            Ast::TypedString(string) => type_name(&string.data_type),
            Ast::Case { else_result, .. } => {
                let otherwise = else_result.as_deref().and_then(strong_name);
                Some(otherwise.unwrap_or_else(|| "case".into()))
            }
            Ast::Nested(expr) => weak_name(expr),
            Ast::Collate { expr, .. } => weak_name(expr),
            Ast::Value(value) => match value.value {
                ast::Value::Boolean(_) => Some("bool".into()),
                _ => None,
            },
            _ => None,
        },
    }
}

fn type_name(data_type: &DataType) -> Option<String> {
    let data_type = self::data_type(data_type).ok()?;
    // PostgreSQL names an array's cast after its elements.
    let named = match data_type.oid {
        oid::INT2VECTOR | oid::OIDVECTOR => data_type.oid,
        other => types::element(other).unwrap_or(other),
    };
    types::get(named).map(|fact| fact.name.clone())
}

fn strong_name(expr: &Ast) -> Option<String> {
    Some(match expr {
        Ast::Identifier(name) => ident(name),
        Ast::CompoundIdentifier(names) => ident(names.last()?),
        Ast::CompoundFieldAccess { root, access_chain } => {
            let field = access_chain.iter().rev().find_map(|access| match access {
                AccessExpr::Dot(Ast::Identifier(name)) => Some(ident(name)),
                _ => None,
            });
            return field.or_else(|| strong_name(root));
        }
        Ast::Nested(expr) => return strong_name(expr),
        Ast::Collate { expr, .. } => return strong_name(expr),
        Ast::Cast { expr, .. } => return strong_name(expr),
        Ast::Function(function) => schema_and_name(&function.name).1,
        Ast::Exists { .. } => "exists".into(),
        Ast::Array(_) => "array".into(),
        Ast::Tuple(_) => "row".into(),
        Ast::Extract { .. } => "extract".into(),
        Ast::Position { .. } => "position".into(),
        Ast::Substring { .. } => "substring".into(),
        Ast::Trim { trim_where, .. } => match trim_where {
            Some(ast::TrimWhereField::Leading) => "ltrim".into(),
            Some(ast::TrimWhereField::Trailing) => "rtrim".into(),
            _ => "btrim".into(),
        },
        Ast::Ceil { .. } => "ceil".into(),
        Ast::Floor { .. } => "floor".into(),
        Ast::Overlay { .. } => "overlay".into(),
        Ast::AtTimeZone { .. } => "timezone".into(),
        Ast::Interval(_) => "interval".into(),
        Ast::Subquery(query) => return query_name(&query.body),
        _ => return None,
    })
}

fn query_name(body: &ast::SetExpr) -> Option<String> {
    match body {
        ast::SetExpr::Select(select) => match select.projection.first()? {
            ast::SelectItem::ExprWithAlias { alias, .. } => Some(ident(alias)),
            ast::SelectItem::UnnamedExpr(expr) => weak_name(expr),
            _ => None,
        },
        ast::SetExpr::Query(query) => query_name(&query.body),
        ast::SetExpr::SetOperation { left, .. } => query_name(left),
        _ => None,
    }
}

//! Binding of names: columns, whole rows and fields.

use super::*;

impl Binder<'_> {
    /// A column of this or an outer query, noted as read.
    pub fn column(&self, scope: &Scope<'_>, depth: usize, index: usize) -> Typed {
        let around = scope.at(depth);
        around.touch(index);
        self.escape(around.level);
        let column = around.columns.get(index);
        let data_type = column.map_or(Type::of(oid::UNKNOWN), |column| column.data_type.clone());
        let expr = Expr::Column { depth, index };
        match column.and_then(|column| column.or_else) {
            Some(other) => {
                around.touch(other);
                let other = Expr::Column {
                    depth,
                    index: other,
                };
                (Expr::Coalesce(vec![expr, other]), data_type)
            }
            None => (expr, data_type),
        }
    }

    pub(super) fn found(&self, scope: &Scope<'_>, found: &Found) -> Typed {
        match *found {
            Found::Column { depth, index } => self.column(scope, depth, index),
            Found::Row { depth, relation } => {
                let around = scope.at(depth);
                let columns = around.relations.get(relation);
                let columns = columns.map_or(0..0, |r| r.first..r.first + r.width);
                // A function's one column is what its name means.
                if columns.len() == 1 {
                    return self.column(scope, depth, columns.start);
                }
                let mut fields = Vec::with_capacity(columns.len());
                let mut exprs = Vec::with_capacity(columns.len());
                for index in columns {
                    let (expr, data_type) = self.column(scope, depth, index);
                    let name = around.columns.get(index).map(|column| column.name.clone());
                    fields.push((name.unwrap_or_default(), data_type));
                    exprs.push(expr);
                }
                (Expr::Record(exprs), Type::row(fields))
            }
        }
    }

    pub(super) fn identifier(&mut self, name: &ast::Ident, scope: &Scope<'_>) -> Result<Typed> {
        let text = names::ident(name);
        if let Some(found) = scope.find(&text)? {
            return Ok(self.found(scope, &found));
        }
        let mut relations = scope.relations.iter().filter_map(|relation| relation.oid);
        if let Some(value) = relations.next().and_then(|oid| system_column(&text, oid)) {
            return Ok(value);
        }
        if name.quote_style.is_none()
            && let Some(call) = self.keyword(&text)?
        {
            return Ok(call);
        }
        Err(failure(
            "42703",
            format!("column \"{text}\" does not exist"),
        ))
    }

    pub(super) fn compound(&mut self, parts: &[ast::Ident], scope: &Scope<'_>) -> Result<Typed> {
        let parts: Vec<String> = parts.iter().map(names::ident).collect();
        let (schema, relation, column) = match parts.as_slice() {
            [relation, column] => (None, relation, column),
            [.., schema, relation, column] => (Some(schema.as_str()), relation, column),
            _ => return Err(unsupported("this name")),
        };
        if let Some((depth, position)) = scope.find_relation(schema, relation)? {
            if let Some(index) = scope.column_of(depth, position, column) {
                return Ok(self.column(scope, depth, index));
            }
            let known = scope.at(depth).relations.get(position);
            let oid = known.and_then(|known| known.oid);
            if let Some(value) = oid.and_then(|oid| system_column(column, oid)) {
                return Ok(value);
            }
            let message = format!("column {relation}.{column} does not exist");
            return Err(failure("42703", message));
        }
        // A field of a column that is a row.
        if schema.is_none()
            && let Some(found) = scope.find(relation)?
        {
            let row = self.found(scope, &found);
            return self.field(row, column);
        }
        Err(no_relation(relation))
    }

    pub(super) fn field(&self, (row, data_type): Typed, name: &str) -> Result<Typed> {
        let fields = data_type.fields.iter().flat_map(|fields| fields.iter());
        let mut fields = fields.enumerate();
        match fields.find(|(_, (known, _))| known == name) {
            Some((position, (_, field))) => {
                Ok((Expr::Field(Box::new(row), position), field.clone()))
            }
            None => Err(failure(
                "42703",
                format!("column \"{name}\" not found in data type record"),
            )),
        }
    }
}

/// The columns that PostgreSQL adds to each table: nothing changes under the catalog's rows.
pub(super) fn system_column(name: &str, relation: u32) -> Option<Typed> {
    let (value, of) = match name {
        "tableoid" => (Value::Int(i64::from(relation)), oid::OID),
        "xmin" => (Value::Int(1), oid::XID),
        "xmax" => (Value::Int(0), oid::XID),
        "cmin" | "cmax" => (Value::Int(0), oid::CID),
        "ctid" => (Value::text("(0,1)"), oid::TID),
        _ => return None,
    };
    Some((Expr::Value(value), Type::of(of)))
}

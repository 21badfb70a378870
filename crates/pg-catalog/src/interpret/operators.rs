//! Binding of operators: which function an operator is for the types of its sides.

use datafusion::sql::sqlparser::ast::{self, BinaryOperator, Expr as Ast};

use super::bind::{Binder, unsupported};
use super::expressions::{Typed, boolean, negated_if};
use super::scope::Scope;
use super::{Binary, Comparison, Expr};
use crate::cast::failure;
use crate::error::Result;
use crate::functions::{self, text};
use crate::types::{self, Type, oid};

impl Binder<'_> {
    /// An operator as PostgreSQL writes it.
    pub fn operator_name(op: &BinaryOperator) -> Result<String> {
        Ok(match op {
            BinaryOperator::PGCustomBinaryOperator(parts) => {
                parts.last().cloned().unwrap_or_default()
            }
            BinaryOperator::Custom(name) => name.clone(),
            BinaryOperator::NotEq => "<>".into(),
            other => other.to_string(),
        })
    }

    pub fn operator(&mut self, name: &str, left: Typed, right: Typed) -> Result<Typed> {
        if let Some(comparison) = comparison(name) {
            return self.compare(comparison, left, right);
        }
        if name == "||" {
            return self.concatenation(left, right);
        }
        // The negated forms are the operator and a NOT.
        let (name, is_negated) = match name {
            "!~" => ("~", true),
            "!~*" => ("~*", true),
            "!~~" => ("~~", true),
            "!~~*" => ("~~*", true),
            other => (other, false),
        };
        let (expr, data_type) = self.resolve_operator(name, left, right)?;
        Ok(match is_negated {
            true => negated_if(true, expr),
            false => (expr, data_type),
        })
    }

    fn resolve_operator(&mut self, name: &str, mut left: Typed, mut right: Typed) -> Result<Typed> {
        // An unknown text beside a known type is of that type.
        if left.1.is_unknown() && !right.1.is_unknown() && types::element(right.1.oid).is_none() {
            left = self.as_other(left, &right.1)?;
        } else if right.1.is_unknown()
            && !left.1.is_unknown()
            && types::element(left.1.oid).is_none()
        {
            right = self.as_other(right, &left.1)?;
        }
        let names = (shown(&left.1), shown(&right.1));
        self.resolve(name, vec![left, right])
            .map_err(|error| match error.state {
                "42883" => no_operator(name, &names.0, &names.1),
                _ => error,
            })
    }

    fn as_other(&self, unknown: Typed, other: &Type) -> Result<Typed> {
        let to = match other.oid {
            // Dates are moved by intervals.
            oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::JSON | oid::JSONB => {
                return Ok(unknown);
            }
            known if types::is_text(known) => Type::of(oid::TEXT),
            known => Type::of(known),
        };
        Ok((self.coerce(unknown, &to)?, to))
    }

    fn concatenation(&mut self, left: Typed, right: Typed) -> Result<Typed> {
        let (a, b) = (types::element(left.1.oid), types::element(right.1.oid));
        let call = |run, left, right| Expr::Call {
            run,
            is_strict: false,
            arguments: vec![left, right],
        };
        Ok(match (a, b) {
            (Some(_), Some(_)) => {
                let array = left.1.clone();
                (call(functions::arrays::cat, left.0, right.0), array)
            }
            (Some(_), None) if right.1.is_unknown() => {
                let array = left.1.clone();
                let right = self.coerce(right, &array)?;
                (call(functions::arrays::cat, left.0, right), array)
            }
            (Some(element), None) => {
                let array = left.1.clone();
                let right = self.coerce(right, &Type::of(element))?;
                (call(functions::arrays::append, left.0, right), array)
            }
            (None, Some(element)) => {
                let array = right.1.clone();
                let left = self.coerce(left, &Type::of(element))?;
                (call(functions::arrays::prepend, left, right.0), array)
            }
            (None, None) => {
                let is_texty = |data_type: &Type| {
                    types::is_text(types::base(data_type.oid)) || data_type.is_unknown()
                };
                if !is_texty(&left.1) && !is_texty(&right.1) {
                    return Err(no_operator("||", &shown(&left.1), &shown(&right.1)));
                }
                let (left, right) = (self.to_text(left)?, self.to_text(right)?);
                let run = text::concatenate;
                let expr = Expr::Call {
                    run,
                    is_strict: true,
                    arguments: vec![left, right],
                };
                (expr, Type::of(oid::TEXT))
            }
        })
    }

    /// Any value as its text.
    pub fn to_text(&self, (expr, from): Typed) -> Result<Expr> {
        let to = Type::of(oid::TEXT);
        if types::distance(from.oid, oid::TEXT).is_some() {
            return self.coerce((expr, from), &to);
        }
        Ok(Expr::Cast {
            expr: Box::new(expr),
            from,
            to,
        })
    }

    /// Both sides in the type in which they are compared.
    pub fn same_type(&self, operator: &str, left: Typed, right: Typed) -> Result<(Expr, Expr)> {
        let common = match types::common(left.1.oid, right.1.oid) {
            Some(oid::UNKNOWN) => oid::TEXT,
            Some(common) if common == oid::RECORD => {
                return self.same_rows(operator, left, right);
            }
            Some(common) => common,
            None => return Err(no_operator(operator, &shown(&left.1), &shown(&right.1))),
        };
        let to = Type::of(common);
        Ok((self.coerce(left, &to)?, self.coerce(right, &to)?))
    }

    fn same_rows(&self, operator: &str, left: Typed, right: Typed) -> Result<(Expr, Expr)> {
        let (Expr::Record(a), Expr::Record(b)) = (left.0, right.0) else {
            return Err(unsupported("comparing rows that are not written as such"));
        };
        let fields = |data_type: &Type| -> Vec<Type> {
            let fields = data_type.fields.iter().flat_map(|fields| fields.iter());
            fields.map(|(_, data_type)| data_type.clone()).collect()
        };
        let (a_types, b_types) = (fields(&left.1), fields(&right.1));
        if a.len() != b.len() {
            return Err(failure(
                "42601",
                "unequal number of entries in row expressions",
            ));
        }
        let pairs = a.into_iter().zip(a_types).zip(b.into_iter().zip(b_types));
        let pairs = pairs.map(|(a, b)| self.same_type(operator, a, b));
        let pairs = pairs.collect::<Result<Vec<_>>>()?;
        let (a, b) = pairs.into_iter().unzip();
        Ok((Expr::Record(a), Expr::Record(b)))
    }

    pub fn compare(&self, comparison: Comparison, left: Typed, right: Typed) -> Result<Typed> {
        let (left, right) = self.same_type(symbol(comparison), left, right)?;
        // Rows are equal where their fields are: nulls count as in each field.
        let (left, right) = match (left, right) {
            (Expr::Record(a), Expr::Record(b))
                if matches!(comparison, Comparison::Equal | Comparison::NotEqual) =>
            {
                let fields = a.into_iter().zip(b).map(|(a, b)| Expr::Binary {
                    operator: Binary::Compare(Comparison::Equal),
                    left: Box::new(a),
                    right: Box::new(b),
                });
                let all = Expr::And(fields.collect());
                return Ok(negated_if(comparison == Comparison::NotEqual, all));
            }
            sides => sides,
        };
        Ok(boolean(Expr::Binary {
            operator: Binary::Compare(comparison),
            left: Box::new(left),
            right: Box::new(right),
        }))
    }

    pub fn in_list(&self, value: Typed, list: Vec<Typed>) -> Result<Expr> {
        if let (Expr::Record(_), _) = &value {
            return Err(unsupported("IN of rows"));
        }
        let mut common = value.1.oid;
        for (_, data_type) in &list {
            common = types::common(common, data_type.oid)
                .ok_or_else(|| no_operator("=", &shown(&value.1), &shown(data_type)))?;
        }
        let to = match common {
            oid::UNKNOWN => Type::of(oid::TEXT),
            common => Type::of(common),
        };
        let expr = Box::new(self.coerce(value, &to)?);
        let list = list.into_iter().map(|item| self.coerce(item, &to));
        Ok(Expr::In {
            expr,
            list: list.collect::<Result<_>>()?,
        })
    }

    /// An operator as something to apply to two values, with what to make of both sides first.
    fn element_operator(
        &mut self,
        name: &str,
        left: Typed,
        element: &Type,
    ) -> Result<(Binary, Expr, Type)> {
        if let Some(comparison) = comparison(name) {
            let common = match types::common(left.1.oid, element.oid) {
                Some(oid::UNKNOWN) => oid::TEXT,
                Some(common) => common,
                None => return Err(no_operator(name, &shown(&left.1), &shown(element))),
            };
            let to = Type::of(common);
            let left = self.coerce(left, &to)?;
            return Ok((Binary::Compare(comparison), left, to));
        }
        let to = Type::of(oid::TEXT);
        let run = match name {
            "~" => text::matches,
            "~*" => text::matches_any_case,
            "!~" => text::matches_not,
            "~~" => text::like,
            "~~*" => text::like_any_case,
            "!~~*" => text::like_not_any_case,
            "!~~" => text::like_not,
            other => return Err(unsupported(&format!("{other} with ANY or ALL"))),
        };
        let left = self.coerce(left, &to)?;
        Ok((Binary::Call(run), left, to))
    }

    pub fn quantified(
        &mut self,
        op: &BinaryOperator,
        is_all: bool,
        left: &Ast,
        right: &Ast,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let name = Self::operator_name(op)?;
        let mut array = right;
        while let Ast::Nested(inner) = array {
            array = inner;
        }
        if let Ast::Subquery(query) = array {
            return self.quantified_query(&name, is_all, left, query, scope);
        }
        let left = self.expr(left, scope)?;
        let array = self.expr(array, scope)?;
        // A text beside ANY is an array of what is on the other side.
        let array = match array.1.is_unknown() {
            true => {
                let element = if left.1.is_unknown() {
                    oid::TEXT
                } else {
                    left.1.oid
                };
                let to = Type::of(types::array(element).unwrap_or(1009));
                (self.coerce(array, &to)?, to)
            }
            false => array,
        };
        let Some(element) = types::element(types::base(array.1.oid)) else {
            return Err(failure(
                "42809",
                "op ANY/ALL (array) requires array on right side",
            ));
        };
        let (operator, left, to) = self.element_operator(&name, left, &Type::of(element))?;
        let to = Type::of(types::array(to.oid).unwrap_or(array.1.oid));
        let array = self.coerce(array, &to)?;
        Ok(boolean(Expr::Quantified {
            operator,
            is_all,
            left: Box::new(left),
            array: Box::new(array),
        }))
    }

    /// `LIKE ANY (array)`.
    pub fn like_any(
        &mut self,
        name: &str,
        is_negated: bool,
        expr: &Ast,
        array: &Ast,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let name = if is_negated {
            format!("!{name}")
        } else {
            name.to_owned()
        };
        let op = BinaryOperator::Custom(name);
        self.quantified(&op, false, expr, array, scope)
    }

    pub fn quantified_query(
        &mut self,
        name: &str,
        is_all: bool,
        left: &Ast,
        query: &ast::Query,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let left = self.expr(left, scope)?;
        let mut query = self.query(query, Some(scope), true)?;
        let (operator, left) = match left {
            (Expr::Record(fields), data_type) => {
                let names = data_type.fields.iter().flat_map(|fields| fields.iter());
                let typed = names.map(|(_, data_type)| data_type.clone());
                let typed: Vec<Type> = typed.collect();
                if query.columns.len() != fields.len() || name != "=" {
                    return Err(failure("42601", "subquery has the wrong number of columns"));
                }
                let mut left = Vec::with_capacity(fields.len());
                let mut columns = Vec::with_capacity(fields.len());
                for ((field, from), column) in fields.into_iter().zip(typed).zip(&query.columns) {
                    let common = types::common(from.oid, column.data_type.oid);
                    let to = Type::of(common.unwrap_or(oid::TEXT));
                    left.push(self.coerce((field, from), &to)?);
                    columns.push(to);
                }
                self.coerce_query(&mut query, &columns)?;
                (Binary::Compare(Comparison::Equal), Expr::Record(left))
            }
            left => {
                let [column] = query.columns.as_slice() else {
                    return Err(failure("42601", "subquery has too many columns"));
                };
                let element = column.data_type.clone();
                let (operator, left, to) = self.element_operator(name, left, &element)?;
                self.coerce_query(&mut query, &[to])?;
                (operator, left)
            }
        };
        Ok(boolean(Expr::QuantifiedQuery {
            operator,
            is_all,
            left: Box::new(left),
            query: Box::new(query),
        }))
    }

    pub fn like(
        &mut self,
        name: &str,
        is_negated: bool,
        expr: &Ast,
        pattern: &Ast,
        escape: Option<&ast::ValueWithSpan>,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let value = self.expr(expr, scope)?;
        let (value, mut pattern) = (self.to_text(value)?, self.expr(pattern, scope)?);
        if let Some(escape) = escape {
            let escape = escape.value.clone().into_string().unwrap_or_default();
            let pattern_text = self.to_text(pattern)?;
            let arguments = vec![pattern_text, Expr::text(&escape)];
            let expr = Expr::Call {
                run: text::like_escape,
                is_strict: true,
                arguments,
            };
            pattern = (expr, Type::of(oid::TEXT));
        }
        let left = (value, Type::of(oid::TEXT));
        let right = (self.to_text(pattern)?, Type::of(oid::TEXT));
        let (matches, _) = self.resolve(name, vec![left, right])?;
        Ok(negated_if(is_negated, matches))
    }

    /// What PostgreSQL writes like a column: the functions without parentheses.
    pub fn keyword(&mut self, name: &str) -> Result<Option<Typed>> {
        match keyword(name) {
            Some(function) => Ok(Some(self.resolve(function, Vec::new())?)),
            None => Ok(None),
        }
    }
}

/// The function that a bare word calls.
pub fn keyword(name: &str) -> Option<&'static str> {
    Some(match name {
        "current_user" | "session_user" | "user" | "current_role" => "current_user",
        "current_catalog" => "current_database",
        "current_schema" => "current_schema",
        "current_timestamp" => "now",
        "localtimestamp" => "localtimestamp",
        "current_date" => "current_date",
        _ => return None,
    })
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        "=" => Comparison::Equal,
        "<>" | "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn symbol(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

pub fn shown(data_type: &Type) -> String {
    types::format(data_type.oid, -1).unwrap_or_else(|| "unknown".into())
}

fn no_operator(name: &str, left: &str, right: &str) -> crate::error::Error {
    failure(
        "42883",
        format!("operator does not exist: {left} {name} {right}"),
    )
}

//! Binding of operations on values: logic, tests, `CASE`, arrays, rows and what is picked out of them.

use super::*;

impl Binder<'_> {
    pub(super) fn logical(
        &mut self,
        left: &Ast,
        op: &BinaryOperator,
        right: &Ast,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        // A chain leans to the left and may be long, so it is walked, not nested.
        let mut parts = vec![self.condition(right, scope)?];
        let mut rest = left;
        loop {
            match rest {
                Ast::BinaryOp {
                    left,
                    op: next,
                    right,
                } if next == op => {
                    parts.push(self.condition(right, scope)?);
                    rest = left;
                }
                first => {
                    parts.push(self.condition(first, scope)?);
                    break;
                }
            }
        }
        parts.reverse();
        Ok(boolean(match op {
            BinaryOperator::And => Expr::And(parts),
            _ => Expr::Or(parts),
        }))
    }

    pub(super) fn unary(
        &mut self,
        op: &UnaryOperator,
        expr: &Ast,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        match op {
            UnaryOperator::Not => {
                let condition = self.condition(expr, scope)?;
                Ok(boolean(Expr::Not(Box::new(condition))))
            }
            UnaryOperator::Plus => self.expr(expr, scope),
            UnaryOperator::Minus => {
                let value = self.expr(expr, scope)?;
                if let (Expr::Value(Value::Int(number)), _) = &value
                    && let Some(negated) = number.checked_neg()
                {
                    return Ok((Expr::Value(Value::Int(negated)), value.1));
                }
                self.resolve("- unary", vec![value])
            }
            UnaryOperator::BitwiseNot => {
                let value = self.expr(expr, scope)?;
                self.resolve("~ unary", vec![value])
            }
            other => Err(unsupported(&format!("the operator {other}"))),
        }
    }

    pub(super) fn is_null(&mut self, expr: &Ast, scope: &Scope<'_>) -> Result<Typed> {
        let (bound, _) = self.expr(expr, scope)?;
        Ok(boolean(Expr::IsNull(Box::new(bound))))
    }

    pub(super) fn is(
        &mut self,
        expr: &Ast,
        value: bool,
        is_negated: bool,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let expr = Box::new(self.condition(expr, scope)?);
        Ok(boolean(Expr::Is {
            expr,
            value,
            is_negated,
        }))
    }

    pub(super) fn distinct(
        &mut self,
        left: &Ast,
        right: &Ast,
        is_negated: bool,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let left = self.expr(left, scope)?;
        let right = self.expr(right, scope)?;
        let (left, right) = self.same_type("IS DISTINCT FROM", left, right)?;
        Ok(boolean(Expr::Distinct {
            left: Box::new(left),
            right: Box::new(right),
            is_negated,
        }))
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&Ast>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&Ast>,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let mut results = Vec::with_capacity(conditions.len() + 1);
        let mut tests = Vec::with_capacity(conditions.len());
        let operand = match operand {
            Some(operand) => Some(self.expr(operand, scope)?),
            None => None,
        };
        let operand = operand.map(|operand| self.once(operand));
        for branch in conditions {
            tests.push(match &operand {
                Some(operand) => {
                    let when = self.expr(&branch.condition, scope)?;
                    self.compare(Comparison::Equal, operand.read(), when)?.0
                }
                None => self.condition(&branch.condition, scope)?,
            });
            results.push(self.expr(&branch.result, scope)?);
        }
        results.push(match otherwise {
            Some(otherwise) => self.expr(otherwise, scope)?,
            None => (Expr::null(), Type::of(oid::UNKNOWN)),
        });
        let types: Vec<Type> = results
            .iter()
            .map(|(_, data_type)| data_type.clone())
            .collect();
        let data_type = unified(&types, "CASE")?;
        let results = results
            .into_iter()
            .map(|result| self.coerce(result, &data_type));
        let mut results = results.collect::<Result<Vec<_>>>()?;
        let otherwise = Box::new(results.pop().unwrap_or(Expr::null()));
        let branches = tests.into_iter().zip(results).collect();
        let case = Expr::Case {
            branches,
            otherwise,
        };
        let case = match operand {
            Some(operand) => operand.within(case),
            None => case,
        };
        Ok((case, data_type))
    }

    pub(super) fn array(&mut self, items: &[Ast], scope: &Scope<'_>) -> Result<Typed> {
        let items = items.iter().map(|item| self.expr(item, scope));
        let items = items.collect::<Result<Vec<_>>>()?;
        let types: Vec<Type> = items
            .iter()
            .map(|(_, data_type)| data_type.clone())
            .collect();
        // PostgreSQL has one type for arrays and arrays of arrays, the values here do not.
        if types.iter().any(|of| types::element(of.oid).is_some()) {
            return Err(unsupported("arrays of arrays"));
        }
        let element = match unified(&types, "ARRAY")? {
            element if element.is_unknown() => Type::of(oid::TEXT),
            element => element,
        };
        let items = items.into_iter().map(|item| self.coerce(item, &element));
        let items = items.collect::<Result<Vec<_>>>()?;
        let array = types::array(element.oid).unwrap_or(1009);
        Ok((Expr::Array(items), Type::of(array)))
    }

    pub fn row(&mut self, items: &[Ast], scope: &Scope<'_>) -> Result<Typed> {
        let mut fields = Vec::with_capacity(items.len());
        let mut exprs = Vec::with_capacity(items.len());
        for item in items {
            let (expr, data_type) = self.expr(item, scope)?;
            fields.push((format!("f{}", fields.len() + 1), data_type));
            exprs.push(expr);
        }
        Ok((Expr::Record(exprs), Type::row(fields)))
    }

    pub(super) fn access(
        &mut self,
        root: &Ast,
        chain: &[AccessExpr],
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let mut chain = chain.iter().peekable();
        // `a.b[1]` is a name before it is a field of a row.
        let mut value = match (root, chain.peek()) {
            (Ast::Identifier(relation), Some(AccessExpr::Dot(Ast::Identifier(column))))
                if scope
                    .find_relation(None, &names::ident(relation))?
                    .is_some() =>
            {
                chain.next();
                self.compound(&[relation.clone(), column.clone()], scope)?
            }
            _ => self.expr(root, scope)?,
        };
        for access in chain {
            value = match access {
                AccessExpr::Dot(Ast::Identifier(name)) => self.field(value, &names::ident(name))?,
                AccessExpr::Dot(_) => return Err(unsupported("this field")),
                AccessExpr::Subscript(Subscript::Index { index }) => {
                    let element = match value.1.oid {
                        // The letters of a name, counted from 0.
                        oid::NAME => Some(oid::CHAR),
                        of => types::element(of),
                    };
                    let Some(element) = element else {
                        let name = types::format(value.1.oid, -1).unwrap_or_default();
                        let message = format!("cannot subscript type {name}");
                        return Err(failure("42804", message));
                    };
                    let index = self.expr(index, scope)?;
                    let index = self.coerce(index, &Type::of(oid::INT8))?;
                    let item = Expr::Subscript(Box::new(value.0), Box::new(index));
                    (item, Type::with_typmod(element, value.1.typmod))
                }
                AccessExpr::Subscript(Subscript::Slice {
                    lower_bound,
                    upper_bound,
                    ..
                }) => {
                    let mut bound = |bound: &Option<Ast>| -> Result<Option<Box<Expr>>> {
                        let Some(bound) = bound else { return Ok(None) };
                        let bound = self.expr(bound, scope)?;
                        let bound = self.coerce(bound, &Type::of(oid::INT8))?;
                        Ok(Some(Box::new(bound)))
                    };
                    let slice = Expr::Slice {
                        lower: bound(lower_bound)?,
                        upper: bound(upper_bound)?,
                        array: Box::new(value.0),
                    };
                    (slice, value.1)
                }
            };
        }
        Ok(value)
    }
}

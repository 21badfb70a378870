//! Operands that several parts of an expression read: bound once and computed once, since what is
//! bound twice on each level of a nest is bound a million times on the twentieth.

use super::super::types::Type;
use super::Expr;
use super::bind::Binder;
use super::expressions::Typed;

/// An operand that is bound.
pub struct Once {
    id: usize,
    value: Expr,
    data_type: Type,
}

impl Binder<'_> {
    /// Has an operand read more than once.
    pub fn once(&mut self, (value, data_type): Typed) -> Once {
        Once {
            id: self.id(),
            value,
            data_type,
        }
    }
}

impl Once {
    /// The operand for one of the parts.
    pub fn read(&self) -> Typed {
        let value = copy(&self.value).unwrap_or(Expr::Bound(self.id));
        (value, self.data_type.clone())
    }

    /// The expression whose parts have read it.
    pub fn within(self, body: Expr) -> Expr {
        match copy(&self.value) {
            Some(_) => body,
            None => Expr::Let {
                id: self.id,
                value: Box::new(self.value),
                body: Box::new(body),
            },
        }
    }
}

/// What is as cheap to compute as to remember.
fn copy(expr: &Expr) -> Option<Expr> {
    Some(match *expr {
        Expr::Value(ref value) => Expr::Value(value.clone()),
        Expr::Column { depth, index } => Expr::Column { depth, index },
        Expr::Parameter(number) => Expr::Parameter(number),
        _ => return None,
    })
}

//! Walks over parsed SQL whose code is compiled once, whoever walks.
//!
//! sqlparser's `Visit` is generic over the visitor, so that each visitor has a copy of the walk over all
//! that SQL knows, a third of a megabyte. Here every visitor is behind one type, `Shared`, and the
//! functions have the names and the meaning of sqlparser's.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, ObjectName, Query, Select, Statement, TableFactor, ValueWithSpan, Visit, VisitMut,
    Visitor, VisitorMut,
};

/// Declares, for a trait of visitors: the trait without its type of a break, which can be behind a
/// reference; what keeps the break; and the one visitor that the walks know.
macro_rules! shared {
    ($visitor:ident, $erased:ident, $kept:ident, $shared:ident,
     $($hook:ident: $node:ty,)*) => {
        trait $erased {
            $(fn $hook(&mut self, node: $node) -> ControlFlow<()>;)*
        }

        /// A visitor, and what it broke off with.
        struct $kept<'a, V: $visitor> {
            visitor: &'a mut V,
            broke: Option<V::Break>,
        }

        impl<V: $visitor> $erased for $kept<'_, V> {
            $(fn $hook(&mut self, node: $node) -> ControlFlow<()> {
                match self.visitor.$hook(node) {
                    ControlFlow::Continue(()) => ControlFlow::Continue(()),
                    ControlFlow::Break(value) => {
                        self.broke = Some(value);
                        ControlFlow::Break(())
                    }
                }
            })*
        }

        /// Any visitor.
        struct $shared<'a>(&'a mut dyn $erased);

        impl $visitor for $shared<'_> {
            type Break = ();
            $(fn $hook(&mut self, node: $node) -> ControlFlow<()> {
                self.0.$hook(node)
            })*
        }
    };
}

shared!(
    Visitor, Erased, Kept, Shared,
    pre_visit_query: &Query,
    post_visit_query: &Query,
    pre_visit_select: &Select,
    post_visit_select: &Select,
    pre_visit_relation: &ObjectName,
    post_visit_relation: &ObjectName,
    pre_visit_table_factor: &TableFactor,
    post_visit_table_factor: &TableFactor,
    pre_visit_expr: &Expr,
    post_visit_expr: &Expr,
    pre_visit_statement: &Statement,
    post_visit_statement: &Statement,
    pre_visit_value: &ValueWithSpan,
    post_visit_value: &ValueWithSpan,
);
shared!(
    VisitorMut, ErasedMut, KeptMut, SharedMut,
    pre_visit_query: &mut Query,
    post_visit_query: &mut Query,
    pre_visit_select: &mut Select,
    post_visit_select: &mut Select,
    pre_visit_relation: &mut ObjectName,
    post_visit_relation: &mut ObjectName,
    pre_visit_table_factor: &mut TableFactor,
    post_visit_table_factor: &mut TableFactor,
    pre_visit_expr: &mut Expr,
    post_visit_expr: &mut Expr,
    pre_visit_statement: &mut Statement,
    post_visit_statement: &mut Statement,
    pre_visit_value: &mut ValueWithSpan,
    post_visit_value: &mut ValueWithSpan,
);

/// Walks over a part of a statement.
pub fn visit<V: Visitor>(node: &impl Visit, visitor: &mut V) -> ControlFlow<V::Break> {
    let mut kept = Kept {
        visitor,
        broke: None,
    };
    let _ = node.visit(&mut Shared(&mut kept));
    kept.broke
        .map_or(ControlFlow::Continue(()), ControlFlow::Break)
}

/// Walks over a part of a statement, and changes it.
pub fn visit_mut<V: VisitorMut>(
    node: &mut impl VisitMut,
    visitor: &mut V,
) -> ControlFlow<V::Break> {
    let mut kept = KeptMut {
        visitor,
        broke: None,
    };
    let _ = node.visit(&mut SharedMut(&mut kept));
    kept.broke
        .map_or(ControlFlow::Continue(()), ControlFlow::Break)
}

/// Calls a function with every expression before those within it.
pub fn visit_expressions<E>(
    node: &impl Visit,
    found: impl FnMut(&Expr) -> ControlFlow<E>,
) -> ControlFlow<E> {
    struct Expressions<F>(F);
    impl<E, F: FnMut(&Expr) -> ControlFlow<E>> Visitor for Expressions<F> {
        type Break = E;
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<E> {
            self.0(expr)
        }
    }
    visit(node, &mut Expressions(found))
}

/// Calls a function with every expression behind those within it.
pub fn visit_expressions_mut<E>(
    node: &mut impl VisitMut,
    found: impl FnMut(&mut Expr) -> ControlFlow<E>,
) -> ControlFlow<E> {
    struct Expressions<F>(F);
    impl<E, F: FnMut(&mut Expr) -> ControlFlow<E>> VisitorMut for Expressions<F> {
        type Break = E;
        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<E> {
            self.0(expr)
        }
    }
    visit_mut(node, &mut Expressions(found))
}

/// Calls a function with the name of every relation.
pub fn visit_relations<E>(
    node: &impl Visit,
    found: impl FnMut(&ObjectName) -> ControlFlow<E>,
) -> ControlFlow<E> {
    struct Relations<F>(F);
    impl<E, F: FnMut(&ObjectName) -> ControlFlow<E>> Visitor for Relations<F> {
        type Break = E;
        fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<E> {
            self.0(relation)
        }
    }
    visit(node, &mut Relations(found))
}

/// Calls a function with every statement before those within it.
pub fn visit_statements<E>(
    node: &impl Visit,
    found: impl FnMut(&Statement) -> ControlFlow<E>,
) -> ControlFlow<E> {
    struct Statements<F>(F);
    impl<E, F: FnMut(&Statement) -> ControlFlow<E>> Visitor for Statements<F> {
        type Break = E;
        fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<E> {
            self.0(statement)
        }
    }
    visit(node, &mut Statements(found))
}

//! Numbers as PostgreSQL computes them: exact, never cut, never wrapping.

mod aggregates;
mod any_places;
mod arithmetic;
mod chain;
pub mod columns;
mod conversions;
mod exact;
mod functions;
mod mixed;
mod moments;
mod negation;
pub mod operators;
mod quotient;
mod regression;
mod texts;
pub mod types;

use std::sync::Arc;

use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::ScalarUDF;

use crate::error::Result;

pub use any_places::AnyPlaces;
pub use chain::type_of;

pub use exact::Exact;
pub use functions::SUMMAND;
pub use operators::read as read_as;
pub use texts::{parse, texts};

/// The cast to a type of numbers, by PostgreSQL's name for it.
pub fn conversion(name: &str) -> Option<ScalarUDF> {
    let mut all = conversions::all().into_iter();
    all.find(|function| function.name() == name)
}

/// What operators are computed by, which no statement calls by name.
pub fn arithmetic() -> [Arc<ScalarUDF>; 6] {
    use arithmetic::Operation::{Add, Divide, Multiply, Power, Remainder, Subtract};
    [Add, Subtract, Multiply, Divide, Remainder, Power].map(arithmetic::Operation::function)
}

/// Registers functions, aggregates and operators for statements.
pub fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    let any_places = [AnyPlaces::function()];
    let functions = conversions::all().into_iter().chain(functions::all());
    for function in functions.chain(any_places) {
        registry.register_udf(Arc::new(function))?;
    }
    for aggregate in aggregates::all().into_iter().chain(regression::all()) {
        registry.register_udaf(Arc::new(aggregate))?;
    }
    registry.register_function_rewrite(Arc::new(negation::Negations))?;
    registry.register_function_rewrite(Arc::new(mixed::Mixed))?;
    registry.register_expr_planner(Arc::new(operators::Operators::default()))?;
    Ok(())
}

//! A long chain of arithmetic as one function of all its operands.
//!
//! Who plans asks an expression for its type and its name again at each level, and both are found by
//! those of all that is below, so that a tree costs more than its size. Beyond [`DEEP`] levels the
//! operands stand side by side, and the operators behind those that they are for; the type is known
//! from the start, and found in one pass where columns may have become others.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::arithmetic::{Arithmetic, Operation, shortened};
use super::columns;

/// How many levels stay as they are written, for whoever looks for a part of one in another.
const DEEP: usize = 8;

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    /// The next operand is taken.
    Operand,
    /// The two values last made or taken become one.
    Operation(Operation),
}

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Chain {
    steps: Vec<Step>,
    /// What it returns for the operands as they were when it was made.
    returned: DataType,
    signature: Signature,
}

/// An operation of two numbers of these types.
pub fn joined(
    operation: Operation,
    left: (Expr, DataType),
    right: (Expr, DataType),
) -> Result<Expr> {
    if levels(&left.0).max(levels(&right.0)) < DEEP {
        return Ok(operation.function().call(vec![left.0, right.0]));
    }
    let returned = operation.returned(&left.1, &right.1)?;
    let (mut operands, mut steps) = parts(left.0);
    let (more, then) = parts(right.0);
    operands.extend(more);
    steps.extend(then);
    steps.push(Step::Operation(operation));
    let chain = Chain {
        steps,
        returned,
        signature: Signature::user_defined(Volatility::Immutable),
    };
    Ok(ScalarUDF::from(chain).call(operands))
}

/// The type of an expression, which is not looked for where it is known.
pub fn type_of(expr: &Expr, schema: &DFSchema) -> Result<DataType> {
    match of(expr) {
        Some(chain) => Ok(chain.returned.clone()),
        None => expr.get_type(schema),
    }
}

fn of(expr: &Expr) -> Option<&Chain> {
    match expr {
        Expr::ScalarFunction(call) => call.func.inner().downcast_ref::<Chain>(),
        _ => None,
    }
}

/// How many levels of arithmetic an expression has, of which a chain has enough.
fn levels(expr: &Expr) -> usize {
    match expr {
        Expr::ScalarFunction(call) if call.func.inner().is::<Chain>() => DEEP,
        Expr::ScalarFunction(call) if call.func.inner().is::<Arithmetic>() => {
            1 + call.args.iter().map(levels).max().unwrap_or_default()
        }
        _ => 0,
    }
}

/// The operands and steps of a chain, or an operand.
fn parts(expr: Expr) -> (Vec<Expr>, Vec<Step>) {
    match (of(&expr).map(|chain| chain.steps.clone()), expr) {
        (Some(steps), Expr::ScalarFunction(ScalarFunction { args, .. })) => (args, steps),
        (_, expr) => (vec![expr], vec![Step::Operand]),
    }
}

impl Chain {
    /// Goes through the steps, taking operands and making of two values one.
    fn walk<T>(
        &self,
        operands: impl IntoIterator<Item = T>,
        mut make: impl FnMut(Operation, T, T) -> Result<T>,
    ) -> Result<T> {
        let mut operands = operands.into_iter();
        let mut values: Vec<T> = Vec::new();
        for step in &self.steps {
            let value = match step {
                Step::Operand => operands.next(),
                Step::Operation(operation) => match (values.pop(), values.pop()) {
                    (Some(right), Some(left)) => Some(make(*operation, left, right)?),
                    _ => None,
                },
            };
            match value {
                Some(value) => values.push(value),
                None => return internal_err!("a chain of arithmetic lacks an operand"),
            }
        }
        match (values.pop(), values.pop()) {
            (Some(value), None) => Ok(value),
            _ => internal_err!("a chain of arithmetic has operands left"),
        }
    }
}

impl ScalarUDFImpl for Chain {
    fn name(&self) -> &str {
        "arithmetic"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let mut name = String::from("arithmetic(");
        let mut operands = args.iter();
        for step in &self.steps {
            let _ = match step {
                Step::Operand => match operands.next() {
                    Some(operand) => write!(name, "{}, ", operand.schema_name()),
                    None => Ok(()),
                },
                Step::Operation(operation) => write!(name, "{} ", operation.sign()),
            };
        }
        name.push(')');
        Ok(shortened(name, self.name()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        // Each operation brings its operands to one type itself.
        Ok(types.to_vec())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.walk(types.iter().cloned(), |operation, left, right| {
            operation.returned(&left, &right)
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let options = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        self.walk(args.args, |operation, left, right| {
            let to = operation.returned(&left.data_type(), &right.data_type())?;
            let of = operation.operands(&left.data_type(), &right.data_type())?;
            let (arrays, is_constant) = columns::columns(&[left, right])?;
            let arrays = arrays.iter().zip(of);
            let arrays = arrays.map(|(array, of)| match *array.data_type() == of {
                true => Ok(Arc::clone(array)),
                false => cast_with_options(array, &of, &options),
            });
            let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
            let [left, right] = arrays.as_slice() else {
                return internal_err!("an operation has two operands");
            };
            columns::result(operation.computed(left, right, &to)?, is_constant)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
    use datafusion::arrow::datatypes::Int64Type;
    use datafusion::common::ToDFSchema;
    use datafusion::logical_expr::{ColumnarValue, col, lit};
    use datafusion::prelude::SessionContext;

    use super::*;

    fn add(left: Expr, right: Expr, operation: Operation) -> Expr {
        joined(operation, (left, DataType::Int64), (right, DataType::Int64)).unwrap()
    }

    #[test]
    fn a_chain_computes_what_its_levels_do() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None, Some(-7)]));
        let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
        let schema = batch.schema().to_dfschema().unwrap();
        let operations = [Operation::Add, Operation::Multiply, Operation::Subtract];
        for count in [1, DEEP - 1, DEEP, DEEP + 1, 40] {
            // a + 1 * 2 - 3 …, from the left, and the same number taken from a chain.
            let mut expr = col("a");
            let mut expected = [Some(3_i64), None, Some(-7)];
            for place in 0..count {
                let operation = operations[place % 3];
                let value = i64::try_from(place % 4 + 1).unwrap();
                expr = add(expr, lit(value), operation);
                for number in expected.iter_mut().flatten() {
                    *number = match operation {
                        Operation::Add => *number + value,
                        Operation::Multiply => *number * value,
                        _ => *number - value,
                    };
                }
            }
            let nested = add(lit(1_i64), expr.clone(), Operation::Subtract);
            assert_eq!(nested.get_type(&schema).unwrap(), DataType::Int64);
            assert_eq!(of(&expr).is_some(), count > DEEP);
            let physical = SessionContext::new()
                .create_physical_expr(nested, &schema)
                .unwrap();
            let ColumnarValue::Array(found) = physical.evaluate(&batch).unwrap() else {
                unreachable!();
            };
            let found: Vec<Option<i64>> = found.as_primitive::<Int64Type>().iter().collect();
            let expected: Vec<Option<i64>> = expected.iter().map(|n| n.map(|n| 1 - n)).collect();
            assert_eq!(found, expected, "{count}");
        }
    }
}

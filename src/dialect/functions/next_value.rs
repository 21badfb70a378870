//! `next_value()`, the default of a column that counts itself, such as `serial`.
//!
//! Input: none. Output: `int8`, the next number from 1 on. Unit: none. Nulls: none. Errors: none. Source: the
//! sequence that PostgreSQL makes for such a column; here each table's default has a count of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use datafusion::arrow::array::{ArrayRef, Int64Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The function, with its count.
#[derive(Debug)]
pub struct NextValue {
    last: Arc<AtomicI64>,
    signature: Signature,
}

impl NextValue {
    pub const NAME: &str = "next_value";

    /// Counts from 1.
    pub fn function() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self {
            last: Arc::default(),
            signature: Signature::nullary(Volatility::Volatile),
        })
    }

    /// The default of a column of a new table, with a count of its own.
    pub fn of_table(default: Expr) -> Result<Expr> {
        let own = default.transform_up(|expr| {
            Ok(match expr {
                Expr::ScalarFunction(mut call) if call.func.name() == Self::NAME => {
                    call.func = Arc::new(Self::function());
                    Transformed::yes(Expr::ScalarFunction(call))
                }
                expr => Transformed::no(expr),
            })
        })?;
        Ok(own.data)
    }
}

/// Counts are the same if they are one.
impl PartialEq for NextValue {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.last, &other.last)
    }
}

impl Eq for NextValue {}

impl std::hash::Hash for NextValue {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.last).hash(state);
    }
}

impl ScalarUDFImpl for NextValue {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let numbers = (0..args.number_rows).map(|_| self.last.fetch_add(1, Ordering::Relaxed) + 1);
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
        Ok(ColumnarValue::Array(numbers))
    }
}

//! `+ - * / % ^` of numbers, as PostgreSQL computes them: integers and decimals never wrap, a quotient
//! has at least 16 digits that count, and nothing is divided by zero.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array, Decimal256Array, PrimitiveArray,
};
use datafusion::arrow::compute::kernels::arity::try_binary;
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, i256,
};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use num_traits::{CheckedAdd, CheckedDiv, CheckedMul, CheckedRem, CheckedSub, Float, Zero};
use sha2::{Digest, Sha256};

use super::columns::{self, Exacts, external, failed, out_of_range};
use super::exact::{Exact, Undefined};
use super::{quotient, types};
use crate::error::Error;

/// How long the name of an expression is given in full, in bytes.
const NAME_LIMIT: usize = 512;

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

impl Operation {
    pub fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Power => "^",
        }
    }

    /// The function that computes it.
    pub fn function(self) -> Arc<ScalarUDF> {
        static FUNCTIONS: LazyLock<[Arc<ScalarUDF>; 6]> = LazyLock::new(|| {
            use Operation::*;
            [Add, Subtract, Multiply, Divide, Remainder, Power]
                .map(|operation| Arc::new(ScalarUDF::from(Arithmetic::new(operation))))
        });
        Arc::clone(&FUNCTIONS[self as usize])
    }

    /// The types that its operands are brought to.
    pub fn operands(self, left: &DataType, right: &DataType) -> Result<[DataType; 2]> {
        let operands = types::operands(self.sign(), left, right)?;
        let is_exact = operands.iter().any(|of| of.is_decimal());
        Ok(match self {
            Self::Power if !is_exact => [DataType::Float64, DataType::Float64],
            _ => operands,
        })
    }

    /// The type of what it makes of two numbers.
    pub fn returned(self, left: &DataType, right: &DataType) -> Result<DataType> {
        let [left, right] = types::operands(self.sign(), left, right)?;
        if !left.is_decimal() {
            return Ok(match self {
                Self::Power => DataType::Float64,
                _ => left,
            });
        }
        Ok(match self {
            Self::Add | Self::Subtract => types::of_sum(&left, &right),
            Self::Multiply => types::of_product(&left, &right),
            Self::Remainder => types::of_remainder(&left, &right),
            Self::Divide | Self::Power => types::NUMERIC,
        })
    }

    /// What it makes of columns of those types.
    pub fn computed(self, left: &ArrayRef, right: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
        match left.data_type() {
            DataType::Int16 => integers::<Int16Type>(self, left, right),
            DataType::Int32 => integers::<Int32Type>(self, left, right),
            DataType::Int64 => integers::<Int64Type>(self, left, right),
            DataType::Float32 => floats::<Float32Type>(self, left, right),
            DataType::Float64 => floats::<Float64Type>(self, left, right),
            _ => match to {
                to @ DataType::Decimal128(_, _) => narrow(self, left, right, to),
                to => wide(self, left, right, to),
            },
        }
    }
}

/// A name in full, or what stands for a long one: each level has the names of all below it.
pub fn shortened(name: String, of: &str) -> String {
    if name.len() <= NAME_LIMIT {
        return name;
    }
    let digest = Sha256::digest(name.as_bytes());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("({of} {digest})")
}

/// The function behind an operator.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Arithmetic {
    operation: Operation,
    signature: Signature,
}

impl Arithmetic {
    fn new(operation: Operation) -> Self {
        Self {
            operation,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        self.operation.sign()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names: Vec<String> = args
            .iter()
            .map(|argument| argument.schema_name().to_string())
            .collect();
        let name = format!("({})", names.join(&format!(" {} ", self.name())));
        Ok(shortened(name, self.name()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right] = types else {
            return internal_err!("{} has two operands", self.name());
        };
        Ok(self.operation.operands(left, right)?.to_vec())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [left, right] = types else {
            return internal_err!("{} has two operands", self.name());
        };
        self.operation.returned(left, right)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (arrays, is_constant) = columns::columns(&args.args)?;
        let [left, right] = &arrays[..] else {
            return internal_err!("{} has two operands", self.name());
        };
        let to = args.return_field.data_type();
        let result = self.operation.computed(left, right, to)?;
        columns::result(result, is_constant)
    }
}

fn integers<T: ArrowPrimitiveType>(
    operation: Operation,
    left: &ArrayRef,
    right: &ArrayRef,
) -> Result<ArrayRef>
where
    T::Native: CheckedAdd + CheckedSub + CheckedMul + CheckedRem + Zero + Copy,
    T::Native: CheckedDiv,
{
    let (left, right) = (left.as_primitive::<T>(), right.as_primitive::<T>());
    let divided_by_zero = || external(Undefined::DivisionByZero);
    let values: PrimitiveArray<T> = try_binary(left, right, |a, b| {
        let value = match operation {
            Operation::Add => a.checked_add(&b),
            Operation::Subtract => a.checked_sub(&b),
            Operation::Multiply => a.checked_mul(&b),
            Operation::Divide | Operation::Remainder if b.is_zero() => {
                return Err(divided_by_zero());
            }
            Operation::Divide => a.checked_div(&b),
            // The least integer by -1, which has no quotient, leaves nothing.
            Operation::Remainder => Some(a.checked_rem(&b).unwrap_or_else(T::Native::zero)),
            Operation::Power => None,
        };
        value.ok_or_else(|| external(out_of_range(&T::DATA_TYPE)))
    })?;
    Ok(Arc::new(values))
}

fn floats<T: ArrowPrimitiveType>(
    operation: Operation,
    left: &ArrayRef,
    right: &ArrayRef,
) -> Result<ArrayRef>
where
    T::Native: Float,
{
    let (left, right) = (left.as_primitive::<T>(), right.as_primitive::<T>());
    let overflow = |name: &str| {
        external(Error::session(
            "22003",
            format!("value out of range: {name}"),
        ))
    };
    let values: PrimitiveArray<T> = try_binary(left, right, |a, b| {
        let value = match operation {
            Operation::Add => a + b,
            Operation::Subtract => a - b,
            Operation::Multiply => a * b,
            Operation::Divide | Operation::Remainder if b.is_zero() && !a.is_nan() => {
                return Err(external(Undefined::DivisionByZero));
            }
            Operation::Divide => a / b,
            Operation::Remainder => a % b,
            Operation::Power if a.is_zero() && b < T::Native::zero() => {
                return Err(external(Undefined::ZeroToNegative));
            }
            Operation::Power if a < T::Native::zero() && b.is_finite() && !b.fract().is_zero() => {
                return Err(external(Undefined::NegativeToFraction));
            }
            Operation::Power => a.powf(b),
        };
        if value.is_infinite() && a.is_finite() && b.is_finite() {
            return Err(overflow("overflow"));
        }
        let vanishes = matches!(operation, Operation::Multiply | Operation::Divide);
        if vanishes && value.is_zero() && !a.is_zero() && !b.is_zero() && b.is_finite() {
            return Err(overflow("underflow"));
        }
        Ok(value)
    })?;
    Ok(Arc::new(values))
}

/// Decimals whose result has room in 128 bits.
fn narrow(
    operation: Operation,
    left: &ArrayRef,
    right: &ArrayRef,
    to: &DataType,
) -> Result<ArrayRef> {
    let (
        Some(DataType::Decimal128(_, a)),
        Some(DataType::Decimal128(_, b)),
        DataType::Decimal128(precision, scale),
    ) = (Some(left.data_type()), Some(right.data_type()), to)
    else {
        return internal_err!("decimals of 128 bits are expected");
    };
    let factor = |from: i8| 10_i128.pow(u32::try_from(scale - from).unwrap_or_default());
    let (left_factor, right_factor) = match operation {
        Operation::Multiply => (1, 1),
        _ => (factor(*a), factor(*b)),
    };
    let most = 10_i128.pow((*precision).into());
    let left = left.as_primitive::<Decimal128Type>();
    let right = right.as_primitive::<Decimal128Type>();
    let values: Decimal128Array = try_binary(left, right, |a, b| {
        let (a, b) = (a.checked_mul(left_factor), b.checked_mul(right_factor));
        if operation == Operation::Remainder && b == Some(0) {
            return Err(external(Undefined::DivisionByZero));
        }
        let value = a.zip(b).and_then(|(a, b)| match operation {
            Operation::Add => a.checked_add(b),
            Operation::Subtract => a.checked_sub(b),
            Operation::Multiply => a.checked_mul(b),
            _ => a.checked_rem(b),
        });
        let value = value.filter(|value| -most < *value && *value < most);
        value.ok_or_else(|| external(Undefined::TooLarge))
    })?;
    Ok(Arc::new(values.with_data_type(to.clone())))
}

/// Decimals whose result needs 256 bits.
fn wide(
    operation: Operation,
    left: &ArrayRef,
    right: &ArrayRef,
    to: &DataType,
) -> Result<ArrayRef> {
    let (Some(left), Some(right), DataType::Decimal256(_, places)) =
        (Exacts::of(left), Exacts::of(right), to)
    else {
        return internal_err!("decimals are expected");
    };
    let factor = |from: i8| {
        let exponent = u32::try_from(places - from).unwrap_or_default();
        i256::from_i128(10).wrapping_pow(exponent)
    };
    let (left_factor, right_factor) = (factor(left.places()), factor(right.places()));
    let is_exact_product = left.places() + right.places() == *places;
    let rows = match &left {
        Exacts::Narrow(values, _) => values.len(),
        Exacts::Wide(values, _) => values.len(),
        _ => return internal_err!("decimals are expected"),
    };
    let aligned = |row: usize| {
        let a = left.wide(row).checked_mul(left_factor)?;
        Some((a, right.wide(row).checked_mul(right_factor)?))
    };
    let values = (0..rows).map(|row| {
        if left.is_null(row) || right.is_null(row) {
            return Ok(None);
        }
        let exact = |value: Result<Exact, Undefined>| {
            let value = value.map_err(failed)?;
            Ok::<_, DataFusionError>(value.to_i256(*places))
        };
        let value = match operation {
            Operation::Add => aligned(row).and_then(|(a, b)| a.checked_add(b)),
            Operation::Subtract => aligned(row).and_then(|(a, b)| a.checked_sub(b)),
            Operation::Multiply if is_exact_product => left.wide(row).checked_mul(right.wide(row)),
            Operation::Multiply => {
                let product = left.exact(row).times(&right.exact(row));
                product.to_i256(*places)
            }
            Operation::Divide => {
                let small = left.narrow(row).zip(right.narrow(row));
                let small = small.and_then(|(a, b)| {
                    quotient::narrow((a, left.places()), (b, right.places()), *places)
                });
                match small {
                    Some(value) => Some(value),
                    None => exact(left.exact(row).divided_by(&right.exact(row)))?,
                }
            }
            Operation::Remainder if right.exact(row).is_zero() => {
                return Err(failed(Undefined::DivisionByZero));
            }
            Operation::Remainder => aligned(row).and_then(|(a, b)| a.checked_rem(b)),
            Operation::Power => exact(left.exact(row).power(&right.exact(row)))?,
        };
        match value {
            Some(value) => Ok(Some(value)),
            None => Err(failed(Undefined::TooLarge)),
        }
    });
    let values: Decimal256Array = values.collect::<Result<_>>()?;
    Ok(Arc::new(values.with_data_type(to.clone())))
}

//! Functions of numbers with PostgreSQL's types and digits: `round`, `sqrt`, `ln`, `mod` and the like
//! of a numeric are numerics, of anything else doubles.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use num_bigint::{BigInt, Sign};

use super::arithmetic::Operation;
use super::columns::{self, Exacts, failed, out_of_range};
use super::exact::{Exact, Undefined};
use super::types;
use crate::error::Error;

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Function {
    Round,
    Truncate,
    Ceil,
    Floor,
    Absolute,
    Sign,
    Root,
    Exponential,
    Ln,
    Log,
    /// What `sum` sums.
    Summand,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfNumbers {
    name: &'static str,
    aliases: Vec<String>,
    function: Function,
    signature: Signature,
}

/// The functions of this file, and those behind which the operators are.
pub fn all() -> Vec<ScalarUDF> {
    use Function::*;
    let mut all: Vec<ScalarUDF> = [
        ("round", &[][..], Round),
        ("trunc", &[], Truncate),
        ("ceil", &["ceiling"], Ceil),
        ("floor", &[], Floor),
        ("abs", &[], Absolute),
        ("sign", &["signum"], Sign),
        ("sqrt", &[], Root),
        ("exp", &[], Exponential),
        ("ln", &[], Ln),
        ("log", &["log10"], Log),
        (SUMMAND, &[], Summand),
    ]
    .into_iter()
    .map(|(name, aliases, function)| {
        ScalarUDF::from(OfNumbers {
            name,
            aliases: aliases
                .iter()
                .map(|alias: &&str| (*alias).to_owned())
                .collect(),
            function,
            signature: Signature::user_defined(Volatility::Immutable),
        })
    })
    .collect();
    let named = |operation: Operation, names: &'static [&'static str]| {
        let function = ScalarUDF::clone(&operation.function());
        names
            .iter()
            .map(move |name| function.clone().with_aliases([*name]))
    };
    all.extend(named(Operation::Remainder, &["mod"]));
    all.extend(named(Operation::Power, &["power", "pow"]));
    all
}

/// The function that makes of a value what can be summed without being cut or wrapping.
pub const SUMMAND: &str = "summand";

impl OfNumbers {
    fn unknown(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        let of: Vec<String> = of.iter().map(ToString::to_string).collect();
        let name = if self.function == Function::Summand {
            "sum"
        } else {
            self.name
        };
        plan_err!("No function matches {name}({})", of.join(", "))
    }
}

impl ScalarUDFImpl for OfNumbers {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        let number = |of: &DataType| match types::plain(of) {
            DataType::Null => Some(DataType::Float64),
            text if types::is_text(&text) && self.function != Function::Summand => {
                Some(DataType::Float64)
            }
            number => types::is_number(&number).then_some(number),
        };
        let double = |of: DataType| match of {
            DataType::Decimal128(..) | DataType::Decimal256(..) => of,
            _ => DataType::Float64,
        };
        Ok(match (self.function, of) {
            (Function::Summand, [of]) => match types::plain(of) {
                of if types::is_text(&of) || of == DataType::Boolean => {
                    return self.unknown(&[of]);
                }
                of => vec![of],
            },
            (Function::Round | Function::Truncate, [of, _]) => match number(of) {
                Some(of) if of.is_floating() => {
                    return self.unknown(&[of, DataType::Int32]);
                }
                Some(of) => vec![types::as_decimal(&of).unwrap_or(of), DataType::Int64],
                None => return self.unknown(std::slice::from_ref(of)),
            },
            (Function::Log, [base, of]) => match (number(base), number(of)) {
                (Some(base), Some(of)) => {
                    let decimal = |of: DataType| types::as_decimal(&of).unwrap_or(types::NUMERIC);
                    vec![decimal(base), decimal(of)]
                }
                _ => return self.unknown(&[base.clone(), of.clone()]),
            },
            (Function::Absolute, [of]) => match number(of) {
                Some(of) => vec![of],
                None => return self.unknown(std::slice::from_ref(of)),
            },
            (_, [of]) => match number(of) {
                Some(of) => vec![double(of)],
                None => return self.unknown(std::slice::from_ref(of)),
            },
            (_, of) => return self.unknown(of),
        })
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type of {} depends on its arguments", self.name)
    }

    fn return_field_from_args(
        &self,
        args: ReturnFieldArgs,
    ) -> Result<datafusion::arrow::datatypes::FieldRef> {
        let of = args
            .arg_fields
            .first()
            .map(|field| types::plain(field.data_type()));
        let of = of.unwrap_or(DataType::Float64);
        let places = match args.scalar_arguments.get(1) {
            Some(Some(ScalarValue::Int64(places))) => *places,
            _ => None,
        };
        let is_exact = types::digits(&of).is_some();
        let returned = match self.function {
            Function::Summand => match of {
                DataType::Int16 | DataType::Int32 => DataType::Int64,
                DataType::Int64 => DataType::Decimal128(28, 0),
                DataType::Decimal128(precision, scale) if precision > 28 => {
                    DataType::Decimal256(76, scale)
                }
                of => of,
            },
            Function::Absolute => of,
            Function::Round | Function::Truncate | Function::Ceil | Function::Floor
                if is_exact && args.arg_fields.len() == 1 =>
            {
                types::of_rounded(&of, 0)
            }
            Function::Round | Function::Truncate if is_exact => match places {
                Some(places) => types::of_rounded(&of, places),
                None => types::NUMERIC,
            },
            Function::Sign if is_exact => DataType::Decimal128(1, 0),
            Function::Log if args.arg_fields.len() == 2 => types::NUMERIC,
            _ if is_exact => types::NUMERIC,
            _ => DataType::Float64,
        };
        Ok(Arc::new(datafusion::arrow::datatypes::Field::new(
            self.name, returned, true,
        )))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (arrays, is_constant) = columns::columns(&args.args)?;
        let to = args.return_field.data_type();
        let Some(first) = arrays.first() else {
            return internal_err!("{} has an argument", self.name);
        };
        let result = match (first.data_type(), self.function) {
            (_, Function::Summand) => cast(first, to)?,
            (DataType::Float64 | DataType::Float32, function) => {
                let values = cast(first, &DataType::Float64)?;
                let values = values.as_primitive::<Float64Type>();
                let computed = values
                    .iter()
                    .map(|value| value.map(|value| of_double(function, value)).transpose());
                let computed: Float64Array = computed.collect::<Result<_>>()?;
                cast(&(Arc::new(computed) as ArrayRef), to)?
            }
            (of, Function::Absolute) if of.is_integer() => absolute(first)?,
            _ => self.exactly(&arrays, to)?,
        };
        columns::result(result, is_constant)
    }
}

impl OfNumbers {
    fn exactly(&self, arrays: &[ArrayRef], to: &DataType) -> Result<ArrayRef> {
        let (Some(values), Some(first)) = (arrays.first().and_then(Exacts::of), arrays.first())
        else {
            return internal_err!("{} of what is no exact number", self.name);
        };
        let second = arrays.get(1);
        let rows = (0..first.len()).map(|row| {
            if values.is_null(row) || second.is_some_and(|second| second.is_null(row)) {
                return Ok(None);
            }
            let value = values.exact(row);
            let places = || {
                let places = second.and_then(|second| second.as_primitive_opt::<Int64Type>());
                places
                    .map_or(0, |places: &Int64Array| places.value(row))
                    .clamp(-2_000, 2_000)
            };
            let result = match self.function {
                Function::Round => Ok(value.rounded(places())),
                Function::Truncate => Ok(value.cut(places())),
                Function::Ceil => Ok(value.whole(Sign::Plus)),
                Function::Floor => Ok(value.whole(Sign::Minus)),
                Function::Absolute => Ok(Exact {
                    digits: BigInt::from(value.digits.magnitude().clone()),
                    places: value.places,
                }),
                Function::Sign => Ok(Exact::new(
                    match value.digits.sign() {
                        Sign::Minus => -1,
                        Sign::NoSign => 0,
                        Sign::Plus => 1,
                    },
                    0,
                )),
                Function::Root => value.square_root(),
                Function::Exponential => value.exponential(),
                Function::Ln => value.natural_logarithm(),
                Function::Log => match second.and_then(Exacts::of) {
                    Some(second) => second.exact(row).logarithm(&value),
                    None => value.logarithm(&Exact::new(10, 0)),
                },
                Function::Summand => return internal_err!("a summand is cast"),
            };
            result.map(Some).map_err(failed)
        });
        columns::decimals(rows, to)
    }
}

fn absolute(array: &ArrayRef) -> Result<ArrayRef> {
    let wide = cast(array, &DataType::Int64)?;
    let values = wide.as_primitive::<Int64Type>().iter();
    let values: Int64Array = values
        .map(|value| {
            let Some(value) = value else { return Ok(None) };
            let size = value.checked_abs().filter(|size| match array.data_type() {
                DataType::Int16 => i16::try_from(*size).is_ok(),
                DataType::Int32 => i32::try_from(*size).is_ok(),
                _ => true,
            });
            size.map(Some)
                .ok_or_else(|| failed(out_of_range(array.data_type())))
        })
        .collect::<Result<_>>()?;
    Ok(cast(&(Arc::new(values) as ArrayRef), array.data_type())?)
}

fn of_double(function: Function, value: f64) -> Result<f64> {
    let logarithm = |of: fn(f64) -> f64| match value {
        value if value < 0.0 => Err(failed(Undefined::LogarithmOfNegative)),
        0.0 => Err(failed(Undefined::LogarithmOfZero)),
        value => Ok(of(value)),
    };
    Ok(match function {
        Function::Round => value.round_ties_even(),
        Function::Truncate => value.trunc(),
        Function::Ceil => value.ceil(),
        Function::Floor => value.floor(),
        Function::Absolute => value.abs(),
        Function::Sign if value == 0.0 || value.is_nan() => value,
        Function::Sign => value.signum(),
        Function::Root if value < 0.0 => return Err(failed(Undefined::RootOfNegative)),
        Function::Root => value.sqrt(),
        Function::Exponential => {
            let result = value.exp();
            if result.is_infinite() && value.is_finite() {
                return Err(failed(Error::session(
                    "22003",
                    "value out of range: overflow",
                )));
            }
            result
        }
        Function::Ln => logarithm(f64::ln)?,
        Function::Log => logarithm(f64::log10)?,
        Function::Summand => value,
    })
}

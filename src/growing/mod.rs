//! Functions whose results may be larger than what they are made of, and those that take long.
//!
//! A function makes the values of a whole batch at once, of thousands of rows, and asks nobody for
//! the memory. So each of these is told its rows in slices: of as many as will not need much by what
//! is known of the arguments; between two slices what is made is counted in the pool, and whoever
//! asked the statement to stop is heard. Texts come as views, so that what multiplies rows
//! afterwards does not multiply the texts.

mod aggregates;
mod bounds;
mod concatenation;
mod functions;
mod sizes;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, new_empty_array};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, ExprSchema, Result, ScalarValue};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ExpressionPlacement, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature,
};

use crate::caller::guard::is_stopped;
use crate::dialect::functions::routine::Routine;
use crate::error::Error;
use crate::memory::counted_array;
pub use bounds::Bounds;
use concatenation::{Concatenation, Concatenations};
use functions::{GROWING, Growth};
use sizes::{Input, at_most, check_pattern, series};

/// How many bytes a slice may come to, and from which on results are counted.
const SLICE_BYTES: usize = 4 << 20;
const COUNTED_BYTES: usize = 1 << 20;

/// The longest value that is read as a whole, in bytes.
const WHOLE_BYTES: usize = 8 << 20;

/// The longest text that `levenshtein` compares, in bytes: as in PostgreSQL.
const DISTANCE_BYTES: usize = 255;

/// Puts the functions of a session that need it behind this door.
pub fn register(state: &mut SessionState, pool: &Arc<dyn MemoryPool>) -> Result<()> {
    let functions: Vec<(Arc<ScalarUDF>, Growth)> = GROWING
        .iter()
        .filter_map(|(name, growth)| {
            let function = state.scalar_functions().get(*name)?;
            Some((Arc::clone(function), *growth))
        })
        .collect();
    for (inner, growth) in functions {
        let growing = Growing {
            inner,
            growth,
            keeps_type: false,
            pool: Pool(Arc::clone(pool)),
        };
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(growing)))?;
    }
    aggregates::register(state, &Pool(Arc::clone(pool)))?;
    let concatenation = Growing {
        inner: Arc::new(ScalarUDF::new_from_impl(Concatenation::default())),
        growth: Growth::Sum(1),
        keeps_type: true,
        pool: Pool(Arc::clone(pool)),
    };
    let concatenation = Arc::new(ScalarUDF::new_from_impl(concatenation));
    state.register_function_rewrite(Arc::new(Concatenations(concatenation)))
}

/// A function that is told its rows in slices.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Growing {
    inner: Arc<ScalarUDF>,
    growth: Growth,
    /// Whether types are settled, so that texts do not become views.
    keeps_type: bool,
    pool: Pool,
}

#[derive(Debug, Clone)]
struct Pool(Arc<dyn MemoryPool>);

/// Functions differ by what they do, not by who counts.
impl PartialEq for Pool {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Pool {}

impl Hash for Pool {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl ScalarUDFImpl for Growing {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.inner().schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(self.returned(self.inner.return_type(types)?))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let field = self.inner.return_field_from_args(args)?;
        let data_type = self.returned(field.data_type().clone());
        Ok(match data_type == *field.data_type() {
            true => field,
            false => Arc::new(Field::clone(&field).with_data_type(data_type)),
        })
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = self.inner.inner().with_updated_config(config)?;
        Some(ScalarUDF::new_from_impl(Self {
            inner: Arc::new(inner),
            growth: self.growth,
            keeps_type: self.keeps_type,
            pool: self.pool.clone(),
        }))
    }

    #[expect(deprecated, reason = "what it says is passed on")]
    fn is_nullable(&self, args: &[Expr], schema: &dyn ExprSchema) -> bool {
        self.inner.inner().is_nullable(args, schema)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    /// A registered one is simplified to what nobody counts.
    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        match self.growth {
            Growth::Whole(_) | Growth::Sum(_) if self.keeps_type => self.inner.simplify(args, info),
            _ => Ok(ExprSimplifyResult::Original(args)),
        }
    }

    fn preimage(
        &self,
        args: &[Expr],
        literal: &Expr,
        info: &SimplifyContext,
    ) -> Result<PreimageResult> {
        self.inner.preimage(args, literal, info)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.preserves_lex_ordering(inputs)
    }

    fn strictly_order_preserving(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.strictly_order_preserving(inputs)
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.placement(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        check_pattern(self.name(), &args.args)?;
        if let Growth::Sum(times) | Growth::Whole(times) = self.growth
            && at_most(&args.args, rows).saturating_mul(times.max(self.copies())) <= SLICE_BYTES
        {
            let asked = args.return_field.data_type().clone();
            return viewed(self.invoke(args, 0, rows)?, &asked);
        }
        let sizes = self.sizes(&args.args, rows)?;
        let total = sizes
            .iter()
            .fold(0, |sum: usize, size| sum.saturating_add(*size));
        let step = match self.growth {
            Growth::Slow(step) => step,
            _ => usize::MAX,
        };
        if total <= SLICE_BYTES && rows <= step {
            let asked = args.return_field.data_type().clone();
            return viewed(self.invoke(args, 0, rows)?, &asked);
        }
        self.in_slices(&args, &sizes, step, is_scalar)
    }
}

impl Growing {
    /// Texts are returned as views, which many rows may share; an operator's keep their type.
    fn returned(&self, data_type: DataType) -> DataType {
        match data_type {
            DataType::Utf8 | DataType::LargeUtf8 if !self.keeps_type => DataType::Utf8View,
            other => other,
        }
    }

    /// Calls the function for some of the rows.
    fn invoke(&self, args: ScalarFunctionArgs, from: usize, to: usize) -> Result<ColumnarValue> {
        let is_part = to - from != args.number_rows;
        // It is told the type that it has said itself.
        let return_field = match args.return_field.data_type() {
            DataType::Utf8View => {
                let scalars = args.args.iter().map(|arg| match arg {
                    ColumnarValue::Scalar(value) => Some(value),
                    ColumnarValue::Array(_) => None,
                });
                let scalars: Vec<Option<&ScalarValue>> = scalars.collect();
                self.inner.return_field_from_args(ReturnFieldArgs {
                    arg_fields: &args.arg_fields,
                    scalar_arguments: &scalars,
                })?
            }
            _ => Arc::clone(&args.return_field),
        };
        let parts = args.args.into_iter().map(|arg| match arg {
            ColumnarValue::Array(array) if is_part => {
                ColumnarValue::Array(array.slice(from, to - from))
            }
            arg => arg,
        });
        let parts = parts.collect();
        self.inner.invoke_with_args(ScalarFunctionArgs {
            args: parts,
            return_field,
            number_rows: to - from,
            ..args
        })
    }

    fn in_slices(
        &self,
        args: &ScalarFunctionArgs,
        sizes: &[usize],
        step: usize,
        is_scalar: bool,
    ) -> Result<ColumnarValue> {
        let asked = args.return_field.data_type();
        let memory = MemoryConsumer::new(self.name()).register(&self.pool.0);
        let mut parts: Vec<ArrayRef> = Vec::new();
        let mut from = 0;
        while from < sizes.len() {
            if is_stopped() {
                return Err(DataFusionError::External(Box::new(Error::Cancelled)));
            }
            let mut to = from;
            let mut expected = 0_usize;
            for size in sizes.iter().skip(from).take(step) {
                expected = expected.saturating_add(*size);
                if to > from && expected > SLICE_BYTES {
                    expected -= size;
                    break;
                }
                to += 1;
            }
            // What may be made is there before it is made; what was made stays.
            let needed = match self.growth {
                Growth::Sum(_) | Growth::Whole(_) => expected,
                _ => expected.saturating_mul(self.copies()),
            };
            memory.try_grow(needed)?;
            let before = memory.size() - needed;
            let rows = to - from;
            let part = viewed(self.invoke(args.clone(), from, to)?, asked)?.into_array(rows)?;
            memory.try_resize(before + part.get_array_memory_size())?;
            parts.push(part);
            from = to;
        }
        let made = match parts.as_slice() {
            [one] => Arc::clone(one),
            [] => return Ok(ColumnarValue::Array(new_empty_array(asked))),
            parts => {
                let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                concat(&parts)?
            }
        };
        if memory.size() < COUNTED_BYTES {
            return Ok(ColumnarValue::Array(made));
        }
        let made = counted_array(&made, &Arc::new(memory))?;
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?),
            false => ColumnarValue::Array(made),
        })
    }

    /// How many bytes each row may come to.
    fn sizes(&self, args: &[ColumnarValue], rows: usize) -> Result<Vec<usize>> {
        let inputs: Vec<Input<'_>> = args.iter().map(Input::of).collect();
        let length = |input: usize, row: usize| inputs.get(input).map_or(0, |i| i.length(row));
        let number = |input: usize, row: usize| inputs.get(input).map_or(0, |i| i.number(row));
        let sizes = (0..rows).map(|row| {
            let sum = || inputs.iter().map(|input| input.length(row)).sum::<usize>();
            Ok(match self.growth {
                Growth::Sum(times) => sum().saturating_mul(times.max(self.copies())),
                Growth::Repeated => {
                    let (first, second) = match self.inner.name() {
                        "repeat" => (length(0, row), number(1, row)),
                        _ => (length(0, row).max(8), number(1, row)),
                    };
                    first.saturating_mul(second)
                }
                Growth::Padded => number(1, row)
                    .saturating_mul(length(2, row).clamp(1, 8))
                    .saturating_add(length(0, row)),
                Growth::Replaced => {
                    let (text, with) = (length(0, row), length(2, row));
                    // All matches of a pattern are known before the first is replaced.
                    let read = if self.name() == "replace" { 1 } else { 80 };
                    let made = (text + 1).saturating_mul(with);
                    text.saturating_mul(read).saturating_add(made)
                }
                Growth::Series => series(args, row).saturating_mul(16),
                Growth::Slow(_) => length(0, row),
                Growth::Separated => {
                    let between = inputs.len().saturating_sub(2);
                    sum().saturating_add(length(0, row).saturating_mul(between))
                }
                Growth::Joined => {
                    let each = length(1, row).saturating_add(length(2, row));
                    let count = inputs.first().map_or(0, |list| list.count(row));
                    let elements = length(0, row).saturating_mul(8);
                    elements.saturating_add(count.saturating_mul(each))
                }
                Growth::Formatted => {
                    let others = 1..inputs.len();
                    let longest = others.clone().map(|input| length(input, row)).max();
                    let widest = others.map(|input| number(input, row)).max();
                    // Quoting doubles.
                    let longest = longest.unwrap_or(0).saturating_mul(2);
                    let widest = widest.unwrap_or(0);
                    let pattern = inputs.first();
                    pattern.map_or(0, |pattern| pattern.formatted(row, longest, widest))
                }
                Growth::Whole(times) => {
                    let longest = inputs.iter().map(|input| input.length(row)).max();
                    let longest = longest.unwrap_or(0);
                    if longest > WHOLE_BYTES {
                        return Err(self.too_long(longest).into());
                    }
                    sum().saturating_mul(times.max(self.copies()))
                }
                Growth::Distance => {
                    if length(0, row).max(length(1, row)) > DISTANCE_BYTES {
                        let message = format!(
                            "levenshtein argument exceeds maximum length of {DISTANCE_BYTES} bytes"
                        );
                        return Err(Error::session("22023", message).into());
                    }
                    // A slice is some milliseconds.
                    length(0, row).saturating_mul(length(1, row))
                }
            })
        });
        sizes.collect()
    }
}

impl Growing {
    /// How many times a value is there while a function is at work: one that is computed row by row has it
    /// as a value of its own, letter by letter.
    fn copies(&self) -> usize {
        match (self.inner.inner().is::<Routine>(), self.growth) {
            (false, _) => 1,
            (true, Growth::Sum(_) | Growth::Whole(_)) => 12,
            (true, _) => 3,
        }
    }

    fn too_long(&self, bytes: usize) -> Error {
        let (most, found) = (WHOLE_BYTES >> 20, bytes.div_ceil(1 << 20));
        Error::session_hint(
            "54000",
            format!(
                "{} takes values of up to {most} MiB, and one has {found} MiB",
                self.name()
            ),
            "take the value apart first, such as with substr or a slice",
        )
    }
}

fn viewed(value: ColumnarValue, asked: &DataType) -> Result<ColumnarValue> {
    let is_view = *asked != DataType::Utf8View || value.data_type() == DataType::Utf8View;
    match is_view {
        true => Ok(value),
        false => value.cast_to(asked, None),
    }
}

//! `sum` and `avg` of intervals, beside those of numbers.
//!
//! Input: an interval, or whatever the function took before. Output: of intervals an interval. Unit:
//! that of the argument. Nulls: are left out; null of no values. Errors: 22008 out of range. Order:
//! none. Source: PostgreSQL's aggregates, which DataFusion has for numbers only.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, IntervalMonthDayNanoArray};
use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, Int64Type, IntervalMonthDayNanoType,
};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature, Volatility,
};

use super::casts::{arrow_interval, intervals};
use super::routine::failed;
use super::values::INTERVAL;
use crate::catalog::time::interval;
use crate::catalog::value::Interval;

/// `sum` or `avg`, of intervals too.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WithIntervals {
    inner: Arc<AggregateUDF>,
    signature: Signature,
}

impl WithIntervals {
    /// What a function of numbers is with intervals.
    #[expect(clippy::new_ret_no_self, reason = "what is made of it is what is used")]
    pub fn new(inner: Arc<AggregateUDF>) -> AggregateUDF {
        AggregateUDF::new_from_impl(Self {
            inner,
            signature: Signature::user_defined(Volatility::Immutable),
        })
    }
}

fn is_interval(of: &DataType) -> bool {
    matches!(of, DataType::Interval(_) | DataType::Duration(_))
}

fn takes_intervals(args: &AccumulatorArgs<'_>) -> bool {
    args.expr_fields
        .first()
        .is_some_and(|field| is_interval(field.data_type()))
}

impl AggregateUDFImpl for WithIntervals {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        if given.first().is_some_and(is_interval) {
            return Ok(vec![INTERVAL; given.len()]);
        }
        let fields: Vec<FieldRef> = given
            .iter()
            .map(|of| Arc::new(Field::new("", of.clone(), true)))
            .collect();
        let fields = fields_with_udf(&fields, self.inner.as_ref())?;
        Ok(fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect())
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given.first() {
            Some(of) if is_interval(of) => Ok(INTERVAL),
            _ => self.inner.return_type(given),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if !takes_intervals(&args) {
            return self.inner.accumulator(args);
        }
        if args.is_distinct {
            return exec_err!("{} of distinct intervals is not supported", self.name());
        }
        Ok(Box::new(Total {
            is_mean: self.name() == "avg",
            ..Total::default()
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let of = args.input_fields.first();
        if !of.is_some_and(|field| is_interval(field.data_type())) {
            return self.inner.state_fields(args);
        }
        let field = |name: &str, of| -> FieldRef {
            Arc::new(Field::new(format!("{}[{name}]", args.name), of, true))
        };
        Ok(vec![
            field("sum", INTERVAL),
            field("count", DataType::Int64),
        ])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !takes_intervals(&args) && self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(args)
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        match takes_intervals(&args) {
            true => self.accumulator(args),
            false => self.inner.create_sliding_accumulator(args),
        }
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        None
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn set_monotonicity(&self, of: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(of)
    }
}

/// Intervals taken together.
#[derive(Debug, Default)]
struct Total {
    is_mean: bool,
    months: i128,
    days: i128,
    microseconds: i128,
    count: i64,
}

impl Total {
    fn add(&mut self, of: Interval, sign: i128) {
        self.months += sign * i128::from(of.months);
        self.days += sign * i128::from(of.days);
        self.microseconds += sign * i128::from(of.microseconds);
    }

    fn sum(&self) -> Result<Interval> {
        let out = || failed("22008", "interval out of range");
        Ok(Interval {
            months: i32::try_from(self.months).map_err(|_| out())?,
            days: i32::try_from(self.days).map_err(|_| out())?,
            microseconds: i64::try_from(self.microseconds).map_err(|_| out())?,
        })
    }

    fn take(&mut self, values: &[ArrayRef], sign: i128) -> Result<()> {
        let Some(column) = values.first() else {
            return Ok(());
        };
        for of in intervals(column)?.into_iter().flatten() {
            self.add(of, sign);
            self.count += sign as i64;
        }
        Ok(())
    }
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.take(values, 1)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.take(values, -1)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.count == 0 {
            return Ok(ScalarValue::IntervalMonthDayNano(None));
        }
        let sum = self.sum()?;
        let result = match self.is_mean {
            true => interval::divided(sum, self.count as f64),
            false => Some(sum),
        };
        let result = result.ok_or_else(|| failed("22008", "interval out of range"))?;
        Ok(ScalarValue::IntervalMonthDayNano(Some(arrow_interval(
            result,
        )?)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = arrow_interval(self.sum()?)?;
        Ok(vec![
            ScalarValue::IntervalMonthDayNano(Some(sum)),
            ScalarValue::Int64(Some(self.count)),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [sums, counts] = states else {
            return exec_err!("a sum and a count are expected");
        };
        let sums: &IntervalMonthDayNanoArray = sums.as_primitive::<IntervalMonthDayNanoType>();
        let counts = counts.as_primitive::<Int64Type>();
        let sums: ArrayRef = Arc::new(sums.clone());
        for (sum, count) in intervals(&sums)?.into_iter().zip(counts.iter()) {
            if let (Some(sum), Some(count)) = (sum, count) {
                self.add(sum, 1);
                self.count += count;
            }
        }
        Ok(())
    }
}

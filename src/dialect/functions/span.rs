//! `interval_span(interval)`: how long an interval is, to compare it by.
//!
//! Input: an interval. Output: a whole number. Unit: microseconds; a month is 30 days, a day 24
//! hours. Nulls: null of null. Errors: none. Source: how PostgreSQL compares intervals, which Arrow
//! compares by their months first.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Decimal128Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::Between;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::casts::{ZonedCast, intervals};
use super::values::INTERVAL;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Span(Signature);

impl Span {
    pub fn function() -> ScalarUDF {
        let signature = Signature::exact(vec![INTERVAL], Volatility::Immutable);
        ScalarUDF::new_from_impl(Self(signature))
    }
}

impl ScalarUDFImpl for Span {
    fn name(&self) -> &str {
        "interval_span"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(38, 0))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let of = |column: &ArrayRef| -> Result<ArrayRef> {
            let spans = intervals(column)?.into_iter();
            let spans: Decimal128Array = spans.map(|of| of.map(|of| of.span())).collect();
            Ok(Arc::new(spans.with_precision_and_scale(38, 0)?))
        };
        match args.args.first() {
            Some(ColumnarValue::Array(column)) => Ok(ColumnarValue::Array(of(column)?)),
            Some(ColumnarValue::Scalar(value)) => {
                let column = of(&value.to_array_of_size(1)?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                    &column, 0,
                )?))
            }
            None => exec_err!("interval_span takes an interval"),
        }
    }
}

/// Has windows and `BETWEEN` order intervals by their spans.
#[derive(Debug)]
pub struct BySpan;

impl FunctionRewrite for BySpan {
    fn name(&self) -> &str {
        "by_span"
    }

    fn rewrite(
        &self,
        expr: Expr,
        schema: &DFSchema,
        _: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        let is_interval = |expr: &Expr| {
            let of = expr.get_type(schema);
            matches!(of, Ok(DataType::Interval(_) | DataType::Duration(_)))
        };
        let span = |expr: Expr| Span::function().call(vec![expr]);
        Ok(match expr {
            Expr::WindowFunction(mut window)
                if window
                    .params
                    .order_by
                    .iter()
                    .any(|key| is_interval(&key.expr)) =>
            {
                for key in &mut window.params.order_by {
                    if is_interval(&key.expr) {
                        key.expr = span(key.expr.clone());
                    }
                }
                Transformed::yes(Expr::WindowFunction(window))
            }
            Expr::Between(between) if is_interval(&between.expr) => {
                let typed = |bound: Expr| match is_interval(&bound) {
                    true => span(bound),
                    false => span(ZonedCast::to(bound, INTERVAL)),
                };
                Transformed::yes(Expr::Between(Between::new(
                    Box::new(span(*between.expr)),
                    between.negated,
                    Box::new(typed(*between.low)),
                    Box::new(typed(*between.high)),
                )))
            }
            expr => Transformed::no(expr),
        })
    }
}

//! `a || b` of texts.

use std::sync::Arc;

use datafusion::arrow::compute::kernels::concat_elements::concat_elements_dyn;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

/// Makes `a || b` of texts a function, which is counted as the others are.
#[derive(Debug)]
pub struct Concatenations(pub Arc<ScalarUDF>);

impl FunctionRewrite for Concatenations {
    fn name(&self) -> &str {
        "concatenations"
    }

    fn rewrite(
        &self,
        expr: Expr,
        schema: &DFSchema,
        _: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        let Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::StringConcat,
            right,
        }) = expr
        else {
            return Ok(Transformed::no(expr));
        };
        let is_plain = |expr: &Expr| {
            let data_type = expr.get_type(schema);
            data_type.is_ok_and(|of| {
                let is_text = matches!(of, DataType::Utf8 | DataType::Utf8View);
                is_text || of.is_numeric() || of.is_null()
            })
        };
        let arguments = [*left, *right];
        if !arguments.iter().all(is_plain) {
            let [left, right] = arguments.map(Box::new);
            let op = Operator::StringConcat;
            return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr {
                left,
                op,
                right,
            })));
        }
        let call = ScalarFunction::new_udf(Arc::clone(&self.0), arguments.into());
        Ok(Transformed::yes(Expr::ScalarFunction(call)))
    }
}

/// `a || b` of two texts.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Concatenation(Signature);

impl Default for Concatenation {
    fn default() -> Self {
        Self(Signature::user_defined(Volatility::Immutable))
    }
}

impl ScalarUDFImpl for Concatenation {
    fn name(&self) -> &str {
        "textcat"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names = args.iter().map(|arg| arg.schema_name().to_string());
        Ok(names.collect::<Vec<_>>().join(" || "))
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Utf8))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let to = match types.contains(&DataType::Utf8View) {
            true => DataType::Utf8View,
            false => DataType::Utf8,
        };
        Ok(vec![to; types.len()])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let [left, right] = take_function_args(self.name(), args.args)?;
        let (left, right) = (left.into_array(rows)?, right.into_array(rows)?);
        let made = concat_elements_dyn(&left, &right)?;
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?),
            false => ColumnarValue::Array(made),
        })
    }
}

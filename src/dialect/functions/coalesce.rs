//! `coalesce(a, b, …)`, in which a text in quotes stands for what the others are.
//!
//! Input: values of one kind. Output: the first that is not null. Unit: theirs. Nulls: null where all
//! are. Errors: 42883 values of different kinds. Source: DataFusion's function, which would refuse a
//! text beside anything else.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{ExprSchema, Result};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use crate::catalog::PG_TYPE;
use crate::dialect::numbers::types::is_text;

/// Whether a type is one of JSON, which is kept as texts.
fn is_json(name: &str) -> bool {
    matches!(name, "json" | "jsonb")
}

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Coalesce(Arc<ScalarUDF>);

impl Coalesce {
    pub fn function() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self(datafusion::functions::core::coalesce()))
    }
}

impl ScalarUDFImpl for Coalesce {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let others: Vec<DataType> = given.iter().filter(|of| !is_text(of)).cloned().collect();
        let is_plain = |of: &DataType| of.is_null() || of.is_nested();
        if others.len() == given.len() || others.iter().all(is_plain) {
            return self.0.coerce_types(given);
        }
        let common = self.0.coerce_types(&others)?;
        let of = common.into_iter().next().unwrap_or(DataType::Utf8);
        Ok(vec![of; given.len()])
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        self.0.return_type(given)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let of = args.arg_fields.iter().find_map(|field| {
            let of = field.metadata().get(PG_TYPE)?;
            is_json(of).then(|| of.clone())
        });
        let field = self.0.return_field_from_args(args)?;
        Ok(match of {
            Some(of) if is_text(field.data_type()) => {
                let metadata = [(PG_TYPE.to_owned(), of)].into();
                Arc::new(Field::clone(&field).with_metadata(metadata))
            }
            _ => field,
        })
    }

    #[expect(deprecated, reason = "what it says is passed on")]
    fn is_nullable(&self, args: &[Expr], schema: &dyn ExprSchema) -> bool {
        self.0.inner().is_nullable(args, schema)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.0.simplify(args, info)
    }

    fn conditional_arguments<'a>(
        &self,
        args: &'a [Expr],
    ) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.0.inner().conditional_arguments(args)
    }

    fn short_circuits(&self) -> bool {
        self.0.short_circuits()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.0.invoke_with_args(args)
    }
}

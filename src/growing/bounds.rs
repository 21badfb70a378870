//! A door before every call that reads a text, list or bytes.
//!
//! Few of the functions that a statement calls are known to be slow or to need much, and operators,
//! casts and rewrites call some that no session has registered. So once a plan's types are settled
//! each call that may be given a long value is told its rows in slices, and what is known of no
//! function it is taken to read as a whole: then a value has a bound.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, Result};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::sizes::{PATTERN, PATTERN_BYTES, scalar_length};
use super::{GROWING, Growing, Growth, Pool};

/// Functions that hand on what they are given, or look at its type alone.
const UNREAD: &[&str] = &[
    "arrow_typeof",
    "coalesce",
    "get_field",
    "named_struct",
    "nullif",
    "pg_typeof",
    "price_at",
    "row",
    "struct",
];

/// Functions that read what they are given once, and return as much or less.
const LINEAR: &[&str] = &[
    "array_dims",
    "array_element",
    "array_has",
    "array_length",
    "array_lower",
    "array_ndims",
    "array_position",
    "array_slice",
    "array_upper",
    "ascii",
    "bit_length",
    "btrim",
    "cardinality",
    "char_length",
    "character_length",
    "concat",
    "convert_from",
    "convert_to",
    "ends_with",
    "left",
    "length",
    "lower",
    "ltrim",
    "md5",
    "octet_length",
    "position",
    "reverse",
    "right",
    "rtrim",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "substring",
    "text",
    "trim",
    "upper",
];

/// How many times its bytes a value takes while it is read as JSON: most for numbers of one digit.
const JSON: usize = 50;

/// Puts all calls of a plan that need it behind the door.
#[derive(Debug)]
pub struct Bounds(Pool);

impl Bounds {
    /// Counts in the pool of all statements.
    pub fn new(pool: &Arc<dyn MemoryPool>) -> Self {
        Self(Pool(Arc::clone(pool)))
    }

    fn bounded(&self, expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
        let mut call = match expr {
            Expr::ScalarFunction(call) => call,
            Expr::Cast(cast) => return self.bounded_cast(cast, schema),
            Expr::BinaryExpr(operation) if is_match(operation.op) => {
                return self.bounded_pattern(operation);
            }
            expr => return Transformed::no(expr),
        };
        let types = call.args.iter().map(|arg| arg.get_type(schema));
        let types: Vec<DataType> = types.filter_map(Result::ok).collect();
        let is_read = !call.func.inner().is::<Growing>() && !UNREAD.contains(&call.func.name());
        if !is_read || !types.iter().any(is_long) {
            return Transformed::no(Expr::ScalarFunction(call));
        }
        let growth = growth(call.func.name(), &types, &call.func);
        call.func = Arc::new(ScalarUDF::new_from_impl(Growing {
            inner: call.func,
            growth,
            keeps_type: true,
            pool: self.0.clone(),
        }));
        Transformed::yes(Expr::ScalarFunction(call))
    }

    /// What is cast to a number in Arrow is a text that its error repeats.
    fn bounded_cast(&self, mut cast: Cast, schema: &DFSchema) -> Transformed<Expr> {
        let is_text = |of: DataType| of.is_string();
        let is_literal = matches!(&*cast.expr, Expr::Literal(..));
        let is_guarded = matches!(&*cast.expr, Expr::ScalarFunction(call)
            if call.func.inner().is::<Growing>() && call.func.name() == "cast");
        if is_literal
            || is_guarded
            || is_long(cast.field.data_type())
            || !cast.expr.get_type(schema).is_ok_and(is_text)
        {
            return Transformed::no(Expr::Cast(cast));
        }
        *cast.expr = self.guarded("cast", *cast.expr);
        Transformed::yes(Expr::Cast(cast))
    }

    /// What is matched has been read; a pattern is read and made into far more.
    fn bounded_pattern(&self, mut operation: BinaryExpr) -> Transformed<Expr> {
        let is_known = match &*operation.right {
            Expr::Literal(pattern, _) => scalar_length(pattern) <= PATTERN_BYTES,
            Expr::ScalarFunction(call) => call.func.name() == PATTERN,
            _ => false,
        };
        if is_known {
            return Transformed::no(Expr::BinaryExpr(operation));
        }
        *operation.right = self.guarded(PATTERN, *operation.right);
        Transformed::yes(Expr::BinaryExpr(operation))
    }

    fn guarded(&self, name: &'static str, value: Expr) -> Expr {
        let same = Same {
            name,
            signature: Signature::any(1, Volatility::Immutable),
        };
        let guarded = ScalarUDF::new_from_impl(Growing {
            inner: Arc::new(ScalarUDF::new_from_impl(same)),
            growth: Growth::Whole(1),
            keeps_type: true,
            pool: self.0.clone(),
        });
        guarded.call(vec![value])
    }
}

fn is_match(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::RegexMatch
            | Operator::RegexIMatch
            | Operator::RegexNotMatch
            | Operator::RegexNotIMatch
    )
}

/// The value that it is given.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Same {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Same {
    fn name(&self) -> &str {
        self.name
    }

    /// The column that is cast keeps its name.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let [value] = take_function_args(self.name(), args)?;
        Ok(value.schema_name().to_string())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let [of] = take_function_args(self.name(), given)?;
        Ok(of.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = take_function_args(self.name(), args.args)?;
        Ok(value)
    }
}

impl AnalyzerRule for Bounds {
    fn name(&self) -> &str {
        "bounds"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|plan| {
            let mut calls = false;
            plan.apply_expressions(|expr| {
                let is_call = |expr: &Expr| {
                    Ok(matches!(
                        expr,
                        Expr::ScalarFunction(_) | Expr::Cast(_) | Expr::BinaryExpr(_)
                    ))
                };
                calls = calls || expr.exists(is_call)?;
                Ok(TreeNodeRecursion::Continue)
            })?;
            if !calls {
                return Ok(Transformed::no(plan));
            }
            let mut schema = merge_schema(&plan.inputs());
            if let LogicalPlan::TableScan(scan) = &plan {
                let source = scan.source.schema();
                let source = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &source)?;
                schema.merge(&source);
            }
            plan.map_expressions(|expr| expr.transform_up(|expr| Ok(self.bounded(expr, &schema))))
        })?;
        Ok(plan.data)
    }
}

fn growth(name: &str, given: &[DataType], function: &ScalarUDF) -> Growth {
    if let Some((_, growth)) = GROWING.iter().find(|(growing, _)| *growing == name) {
        return *growth;
    }
    let is_list = |of: &DataType| matches!(of, DataType::List(_));
    let reads_text = given.first().is_some_and(DataType::is_string);
    match name {
        // By a pattern.
        "substring" if given.get(1).is_some_and(DataType::is_string) => Growth::Whole(80),
        _ if LINEAR.contains(&name) => Growth::Sum(2),
        "cast" if !reads_text => Growth::Sum(10),
        "cast" if function.return_type(given).is_ok_and(|of| is_list(&of)) => Growth::Whole(JSON),
        _ if name.contains("json") => Growth::Whole(JSON),
        _ if given.iter().any(is_list) => Growth::Whole(12),
        _ => Growth::Whole(4),
    }
}

/// Whether values of a type may be of any length.
fn is_long(of: &DataType) -> bool {
    match of {
        DataType::Struct(fields) => fields.iter().any(|field| is_long(field.data_type())),
        DataType::Dictionary(_, values) => is_long(values),
        of => of.is_string() || of.is_list() || of.is_binary(),
    }
}

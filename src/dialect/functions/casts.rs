//! Casts between texts, dates, times, timestamps and intervals, written or implied, as PostgreSQL
//! makes them: in the session's time zone, of texts as people write them, to PostgreSQL's texts.
//!
//! [`ZonedCasts`] puts them in the place of DataFusion's own once types are settled.

mod texts;
mod times;

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::own_places;
use crate::catalog::time::read::Clock;
use crate::dialect::around::Around;
use crate::dialect::numbers::types::is_open;
use texts::{read, written};
use times::moved;

pub use times::{Offsets, arrow_interval, in_unit, intervals, microseconds};

/// Puts PostgreSQL's casts of dates and times in the place of DataFusion's.
#[derive(Debug)]
pub struct ZonedCasts;

impl AnalyzerRule for ZonedCasts {
    fn name(&self) -> &str {
        "zoned_casts"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|plan| {
            let mut schema = merge_schema(&plan.inputs());
            if let LogicalPlan::TableScan(scan) = &plan {
                let source = scan.source.schema();
                let source = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &source)?;
                schema.merge(&source);
            }
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let expr = expr.transform_up(|expr| Ok(rewritten(expr, &schema)))?;
                Ok(expr.update_data(|expr| name.restore(expr)))
            })
        })?;
        Ok(plan.data)
    }
}

fn rewritten(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let to_text = match &expr {
        Expr::Cast(Cast { expr: inner, field }) => Some((&**inner, field.data_type())),
        Expr::ScalarFunction(call) if call.func.name() == "text" => {
            call.args.first().map(|inner| (inner, &DataType::Utf8))
        }
        _ => None,
    };
    if let Some(texts) = to_text.and_then(|(inner, to)| own_places::as_texts(inner, to, schema)) {
        return Transformed::yes(texts);
    }
    let Expr::Cast(Cast { expr: inner, field }) = expr else {
        return own_places::joined(expr, schema);
    };
    match inner.get_type(schema) {
        Ok(from) if is_ours(&from, field.data_type()) => {
            Transformed::yes(ZonedCast::of(*inner, field))
        }
        _ => Transformed::no(Expr::Cast(Cast { expr: inner, field })),
    }
}

/// What a type is to these casts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Date,
    Time,
    Timestamp,
    Zoned,
    Interval,
    List,
    Bytes,
    /// A number whose text Arrow writes in another way.
    Number,
}

fn kind(of: &DataType) -> Option<Kind> {
    Some(match of {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Date32 | DataType::Date64 => Kind::Date,
        DataType::Time32(_) | DataType::Time64(_) => Kind::Time,
        DataType::Timestamp(_, None) => Kind::Timestamp,
        DataType::Timestamp(_, Some(_)) => Kind::Zoned,
        DataType::Interval(_) | DataType::Duration(_) => Kind::Interval,
        DataType::Dictionary(_, values) => return kind(values),
        DataType::List(_) => Kind::List,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Kind::Bytes,
        of if of.is_floating() || is_open(of) => Kind::Number,
        _ => return None,
    })
}

/// Whether casting arrays is more than casting their elements as Arrow does.
fn are_items_ours(from: &DataType, to: &DataType) -> bool {
    let (DataType::List(from), DataType::List(to)) = (from, to) else {
        return false;
    };
    let (from, to) = (from.data_type(), to.data_type());
    is_ours(from, to) || to.is_integer() && (from.is_decimal() || from.is_floating())
}

fn is_ours(from: &DataType, to: &DataType) -> bool {
    let (Some(from_kind), Some(to_kind)) = (kind(from), kind(to)) else {
        return false;
    };
    let is_refined = matches!(to, DataType::Dictionary(_, _));
    match (from_kind, to_kind) {
        _ if is_refined => false,
        (Kind::List, Kind::List) => are_items_ours(from, to),
        (Kind::Number, to) => to == Kind::Text,
        (_, Kind::Number) => false,
        (Kind::List | Kind::Bytes, to) => to == Kind::Text,
        (from, Kind::List | Kind::Bytes) => from == Kind::Text,
        (from, to) if from != to => true,
        // A duration is an interval of days and time, in DataFusion of time alone.
        (Kind::Interval, Kind::Interval) => matches!(from, DataType::Duration(_)),
        _ => false,
    }
}

/// A cast to one type.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ZonedCast {
    name: &'static str,
    target: FieldRef,
    signature: Signature,
}

impl ZonedCast {
    /// The cast of an expression.
    pub fn of(expr: Expr, target: FieldRef) -> Expr {
        let signature = Signature::any(1, Volatility::Stable);
        let cast = Self {
            name: "cast",
            target,
            signature,
        };
        ScalarUDF::new_from_impl(cast).call(vec![expr])
    }

    /// The cast to a type, as a function that statements may call.
    pub fn function(name: &'static str, target: DataType) -> ScalarUDF {
        ScalarUDF::new_from_impl(Self {
            name,
            target: Arc::new(Field::new(name, target, true)),
            signature: Signature::any(1, Volatility::Stable),
        })
    }

    /// The cast of an expression to a type.
    pub fn to(expr: Expr, target: DataType) -> Expr {
        Self::of(expr, Arc::new(Field::new("cast", target, true)))
    }
}

impl ScalarUDFImpl for ZonedCast {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.target.data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::clone(&self.target))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(argument) = args.args.first() else {
            return exec_err!("a cast takes one value");
        };
        let clock = Around::of(&args.config_options).clock();
        let target = self.target.data_type();
        Ok(match argument {
            ColumnarValue::Array(column) => {
                ColumnarValue::Array(converted(column, target, &clock)?)
            }
            ColumnarValue::Scalar(value) => {
                let column = converted(&value.to_array_of_size(1)?, target, &clock)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&column, 0)?)
            }
        })
    }
}

/// A column as another type.
pub fn converted(column: &ArrayRef, target: &DataType, clock: &Clock) -> Result<ArrayRef> {
    let column = match column.data_type() {
        DataType::Dictionary(_, values) => cast(column, values)?,
        _ => Arc::clone(column),
    };
    if column.data_type() == target {
        return Ok(column);
    }
    let (Some(from), Some(to)) = (kind(column.data_type()), kind(target)) else {
        return Ok(cast(&column, target)?);
    };
    match (from, to) {
        (Kind::List, Kind::List) => moved_lists(&column, target, clock),
        (Kind::Text, _) => read(&column, to, target, clock),
        (_, Kind::Text) => written(&column, from, target, clock),
        _ => moved(&column, (from, to), target, clock),
    }
}

/// Lists of other elements: those that become integers are rounded.
fn moved_lists(column: &ArrayRef, target: &DataType, clock: &Clock) -> Result<ArrayRef> {
    let (DataType::List(item), Some(lists)) = (target, column.as_list_opt::<i32>()) else {
        return exec_err!("{} is no list", column.data_type());
    };
    let (from, to) = (lists.value_type(), item.data_type());
    let strictly = |values: &ArrayRef, to: &DataType| {
        let options = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let out_of_range = |_| super::routine::failed("22003", "a number is out of range");
        cast_with_options(values, to, &options).map_err(out_of_range)
    };
    let values = match to.is_integer() {
        true if from.is_floating() => {
            let values = cast(lists.values(), &DataType::Float64)?;
            let values: Float64Array = values
                .as_primitive::<Float64Type>()
                .unary(f64::round_ties_even);
            strictly(&(Arc::new(values) as ArrayRef), to)?
        }
        true if from.is_decimal() => {
            let whole = strictly(lists.values(), &DataType::Decimal256(76, 0))?;
            strictly(&whole, to)?
        }
        _ => converted(lists.values(), to, clock)?,
    };
    let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(item),
        offsets,
        values,
        nulls,
    )?))
}

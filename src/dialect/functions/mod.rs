//! PostgreSQL's functions that DataFusion lacks, or computes in another way.
//!
//! A new one is a line of [`register`]. Those that are computed row by row have their bodies in
//! [`crate::catalog::functions`], where catalog queries find them too ([`routine`]); those that are
//! worth a loop over whole columns have a file of their own.

pub mod aggregates;
pub mod casts;
pub mod coalesce;
pub mod date_trunc;
pub mod extract;
pub mod hypothetical;
pub mod interval_sums;
pub mod json;
pub mod json_edit;
mod json_path;
pub mod json_paths;
pub mod json_text;
mod json_writer;
pub mod length;
pub mod matches;
pub mod next_value;
pub mod nulls;
pub mod ordered;
pub mod own_places;
pub mod pg_typeof;
pub mod planner;
pub mod routine;
pub mod series;
pub mod sleep;
pub mod span;
pub mod syntax;
pub mod trim_array;
pub mod values;
pub mod windows;
pub mod without_nulls;

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::Volatility;
use datafusion::logical_expr::planner::ExprPlanner;

use crate::dialect::queries::dates_in_sets;
use crate::error::Result;
use casts::ZonedCast;
use coalesce::Coalesce;
use date_trunc::DateTrunc;
use extract::Extract;
use interval_sums::WithIntervals;
use length::Length;
use matches::Matches;
use next_value::NextValue;
use nulls::Nulls;
use pg_typeof::PgTypeof;
use planner::Operators;
use routine::{Places, Routine};
use series::Series;
use sleep::Sleep;
use span::BySpan;
use trim_array::TrimArray;
use without_nulls::WithoutNulls;

/// Registers them where the functions of all statements are.
pub fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    use Volatility::{Immutable, Stable, Volatile};
    let functions = [
        Coalesce::function(),
        DateTrunc::function(),
        Extract::extract(),
        Extract::date_part(),
        Length::function(),
        Matches::function(),
        NextValue::function(),
        Nulls::nulls(),
        Nulls::values(),
        PgTypeof::function(),
        Series::function(),
        Sleep::function(),
        TrimArray::function(),
        WithoutNulls::function(),
        ZonedCast::function(dates_in_sets::AS_DATE, DataType::Date32),
        Routine::new("age", Stable),
        Routine::new("acosd", Immutable),
        Routine::new("array_dims", Immutable),
        Routine::new("array_lower", Immutable),
        Routine::new("array_upper", Immutable),
        Routine::new("asind", Immutable),
        Routine::new("atan2d", Immutable),
        Routine::new("atand", Immutable),
        Routine::new("bit", Immutable),
        Routine::new("chr", Immutable),
        Routine::new("clock_timestamp", Volatile),
        Routine::new("concat", Immutable),
        Routine::new("concat_ws", Immutable),
        Routine::new("convert_from", Immutable),
        Routine::new("convert_to", Immutable),
        Routine::new("cosd", Immutable),
        Routine::new("cotd", Immutable),
        Routine::new("current_catalog", Stable),
        Routine::new("current_database", Stable),
        Routine::new("current_date", Stable),
        Routine::new("current_role", Stable),
        Routine::new("current_schema", Stable),
        Routine::new("current_setting", Stable),
        Routine::new("current_user", Stable),
        Routine::new("date_bin", Immutable),
        Routine::new("decode", Immutable),
        Routine::new("div", Immutable),
        Routine::new("encode", Immutable),
        Routine::new("factorial", Immutable),
        Routine::new("format", Immutable),
        Routine::new("gcd", Immutable),
        Routine::new("gen_random_uuid", Volatile),
        Routine::new("initcap", Immutable),
        Routine::new("isfinite", Immutable),
        Routine::new("justify_days", Immutable),
        Routine::new("justify_hours", Immutable),
        Routine::new("justify_interval", Immutable),
        Routine::new("lcm", Immutable),
        Routine::new("localtime", Stable),
        Routine::new("localtimestamp", Stable),
        Routine::new("lpad", Immutable),
        Routine::new("make_date", Immutable),
        Routine::new("make_interval", Immutable),
        Routine::new("make_time", Immutable),
        Routine::new("make_timestamp", Immutable),
        Routine::new("make_timestamptz", Stable),
        Routine::new("md5", Immutable),
        Routine::new("min_scale", Immutable),
        Routine::new("overlaps", Immutable),
        Routine::new("overlay", Immutable),
        Routine::new("parse_ident", Immutable),
        Routine::new("pg_size_pretty", Immutable),
        Routine::new("quote_ident", Immutable),
        Routine::new("quote_literal", Immutable),
        Routine::new("quote_nullable", Immutable),
        Routine::new("regexp_count", Immutable),
        Routine::new("regexp_instr", Immutable),
        Routine::new("regexp_like", Immutable),
        Routine::new("regexp_match", Immutable),
        Routine::new("regexp_replace", Immutable),
        Routine::new("regexp_split_to_array", Immutable),
        Routine::new("regexp_substr", Immutable),
        Routine::new("repeat", Immutable),
        Routine::new("rpad", Immutable),
        Routine::new("scale", Immutable),
        Routine::new("session_user", Stable),
        Routine::new("setseed", Volatile),
        Routine::new("sha224", Immutable),
        Routine::new("sha256", Immutable),
        Routine::new("sha384", Immutable),
        Routine::new("sha512", Immutable),
        Routine::new("sind", Immutable),
        Routine::new("split_part", Immutable),
        Routine::new("statement_timestamp", Stable),
        Routine::new("string_to_array", Immutable),
        Routine::new("substring", Immutable),
        Routine::new("tand", Immutable),
        Routine::new("time_places", Immutable),
        Routine::new("timezone", Immutable),
        Routine::new("to_char", Stable),
        Routine::new("to_date", Immutable),
        Routine::new("to_hex", Immutable),
        Routine::with_places("to_number", Immutable, Places::OfPattern),
        Routine::new("to_timestamp", Stable),
        Routine::new("transaction_timestamp", Stable),
        Routine::new("trim_scale", Immutable),
        Routine::new("unistr", Immutable),
        Routine::new("upper", Immutable),
        Routine::new("user", Stable),
        Routine::new("uuid", Immutable),
        Routine::new("version", Stable),
        Routine::new("width_bucket", Immutable),
    ];
    let json = json::functions().into_iter().chain(json_paths::functions());
    let all = functions.into_iter().chain(json);
    for function in all.chain(ordered::functions()) {
        registry.register_udf(Arc::new(function))?;
    }
    registry.register_function_rewrite(Arc::new(BySpan))?;
    Ok(())
}

/// Has the sums and averages that are registered take intervals too.
pub fn register_intervals(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for name in ["sum", "avg"] {
        let inner = registry.udaf(name)?;
        registry.register_udaf(Arc::new(WithIntervals::new(inner)))?;
    }
    Ok(())
}

/// What plans operators before DataFusion's own planners do.
pub fn planners() -> Vec<Arc<dyn ExprPlanner>> {
    vec![Arc::new(Operators::default())]
}

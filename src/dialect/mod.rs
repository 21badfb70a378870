//! What makes DataFusion compute as PostgreSQL does: its functions, the forms of its queries, its
//! types and the names of its columns. Imports nothing of ours but [`crate::error`] and what
//! [`crate::catalog`] knows of PostgreSQL's values, so that both compute them alike.

pub mod around;
pub mod expressions;
pub mod functions;
pub mod names;
pub mod numbers;
pub mod output;
pub mod queries;

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{DataType as SqlType, ExactNumberInfo, TimezoneInfo};

/// The types of declared columns that DataFusion would take for others.
#[derive(Debug)]
pub struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, declared: &SqlType) -> Result<Option<FieldRef>> {
        // As all times here are, to the microsecond.
        if matches!(
            declared,
            SqlType::Time(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone)
        ) {
            return Ok(Some(Arc::new(Field::new(
                "",
                functions::values::TIME,
                true,
            ))));
        }
        let is_open = matches!(
            declared,
            SqlType::Numeric(ExactNumberInfo::None)
                | SqlType::Decimal(ExactNumberInfo::None)
                | SqlType::Dec(ExactNumberInfo::None)
        );
        Ok(is_open.then(|| Arc::new(Field::new("", numbers::types::NUMERIC, true))))
    }
}

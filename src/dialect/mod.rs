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

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{DataType as SqlType, ExactNumberInfo, TimezoneInfo};

use crate::catalog::PG_TYPE;

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
        // To the microsecond, as PostgreSQL's: in nanoseconds they would end in 2262.
        if let SqlType::Timestamp(None, zone) = declared {
            let of = match zone {
                TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => functions::values::TIMESTAMP,
                TimezoneInfo::Tz | TimezoneInfo::WithTimeZone => functions::values::timestamptz(),
            };
            return Ok(Some(Arc::new(Field::new("", of, true))));
        }
        let json = match declared {
            SqlType::JSON => Some("json"),
            SqlType::JSONB => Some("jsonb"),
            _ => None,
        };
        if let Some(json) = json {
            let metadata = [(PG_TYPE.to_owned(), json.to_owned())].into();
            let field = Field::new("", DataType::Utf8, true).with_metadata(metadata);
            return Ok(Some(Arc::new(field)));
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

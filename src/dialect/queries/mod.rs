//! Forms of queries that PostgreSQL knows, written as those that DataFusion plans.

use datafusion::sql::parser::Statement;

use crate::error::Result;

/// Rewrites a statement, before anything of it is planned.
pub fn rewrite(_statement: &mut Statement) -> Result<()> {
    Ok(())
}

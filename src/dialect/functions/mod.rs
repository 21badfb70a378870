//! PostgreSQL's functions that DataFusion lacks, or computes in another way.

use datafusion::execution::FunctionRegistry;

use crate::error::Result;

/// Registers them where the functions of all statements are.
pub fn register(_registry: &mut dyn FunctionRegistry) -> Result<()> {
    Ok(())
}

//! The table `scenarios`: read when it is scanned, with what the session's transaction has done.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::caller::client::Client;
use crate::records::scenarios::{INPUT_SCHEMA, SCHEMA, batch};
use crate::state_sql::state_table::rows_of;

/// The provider of the table.
#[derive(Debug)]
pub struct ScenariosTable {
    schema: SchemaRef,
}

impl ScenariosTable {
    /// As writes are planned over it.
    pub fn for_writing() -> Self {
        Self {
            schema: Arc::clone(&INPUT_SCHEMA),
        }
    }
}

/// As it is read.
impl Default for ScenariosTable {
    fn default() -> Self {
        Self {
            schema: Arc::clone(&SCHEMA),
        }
    }
}

#[async_trait]
impl TableProvider for ScenariosTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = Arc::clone(&self.schema);
        rows_of(
            "scenarios",
            Arc::clone(&self.schema),
            projection,
            limit,
            move |client: Arc<Client>| {
                let schema = Arc::clone(&schema);
                async move { batch(client.scenarios().await?.values(), &schema) }
            },
        )
    }
}

//! `EXPLAIN` as clients of PostgreSQL know it: one column of text, a line a row.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};

/// The one column of a plan.
pub fn schema() -> SchemaRef {
    let column = Field::new("QUERY PLAN", DataType::Utf8, false);
    Arc::new(Schema::new(vec![column]))
}

/// The lines of the plans that DataFusion explains; each plan below its name, where there are several.
pub async fn lines(rows: SendableRecordBatchStream) -> Result<SendableRecordBatchStream> {
    let batches: Vec<RecordBatch> = rows.try_collect().await?;
    let mut plans: Vec<(String, String)> = Vec::new();
    for batch in &batches {
        let (names, texts) = (text(batch.column(0))?, text(batch.column(1))?);
        for row in 0..batch.num_rows() {
            let column = |column: &ArrayRef| {
                let column = column.as_any().downcast_ref::<StringArray>();
                column.map_or_else(String::new, |column| column.value(row).to_owned())
            };
            plans.push((column(&names), column(&texts)));
        }
    }
    let are_several = plans.len() > 1;
    let mut lines: Vec<String> = Vec::new();
    for (name, plan) in &plans {
        if are_several {
            lines.push(format!("{name}:"));
        }
        let indent = if are_several { "  " } else { "" };
        lines.extend(
            plan.trim_end()
                .lines()
                .map(|line| format!("{indent}{line}")),
        );
    }
    let batch = RecordBatch::try_new(schema(), vec![Arc::new(StringArray::from(lines))])?;
    let rows = stream::iter([Ok(batch)]);
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema(), rows)))
}

fn text(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(cast(column, &DataType::Utf8)?)
}

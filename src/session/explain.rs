//! `EXPLAIN` as clients of PostgreSQL know it: one column of text, a line a row.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::format::ExplainFormat;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};

use crate::catalog::PG_TYPE;

/// The one column of a plan.
pub fn schema(plan: &LogicalPlan) -> SchemaRef {
    let column = Field::new("QUERY PLAN", DataType::Utf8, false);
    let column = match is_json(plan) {
        true => column.with_metadata([(PG_TYPE.to_owned(), "json".to_owned())].into()),
        false => column,
    };
    Arc::new(Schema::new(vec![column]))
}

/// Whether a plan is explained as JSON, which is one value.
fn is_json(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Explain(explain)
        if matches!(explain.explain_format, ExplainFormat::PostgresJSON))
}

/// The nodes of a plan that reads no table, which together are PostgreSQL's `Result`.
const OF_NO_TABLE: [&str; 4] = [
    "EmptyRelation",
    "PlaceholderRowExec",
    "Projection:",
    "ProjectionExec:",
];
/// How many rows a plan is taken for where nothing is known of it.
const ROWS_UNKNOWN: usize = 1_000;
/// How many bytes a value is taken for whose type does not say it.
const WIDTH_UNKNOWN: usize = 32;

/// What a plan costs, in the form that other PostgreSQL servers read off the first line.
pub fn cost(plan: &dyn ExecutionPlan) -> String {
    let statistics = StatisticsContext::new().compute(plan, &StatisticsArgs::new());
    let statistics = statistics.ok();
    let rows = statistics.and_then(|known| known.num_rows.get_value().copied());
    let rows = rows.unwrap_or(ROWS_UNKNOWN);
    let schema = plan.schema();
    let widths = schema.fields().iter().map(|field| {
        let width = field.data_type().primitive_width();
        width.unwrap_or(WIDTH_UNKNOWN)
    });
    let width: usize = widths.sum();
    let total = rows as f64 / 100.0;
    format!("  (cost=0.00..{total:.2} rows={rows} width={width})")
}

/// The lines of the plans that DataFusion explains; each plan below its name, where there are several,
/// and behind the first line what it costs.
pub async fn lines(
    rows: SendableRecordBatchStream,
    schema: &SchemaRef,
    cost: &str,
) -> Result<SendableRecordBatchStream> {
    let is_json = schema
        .fields()
        .iter()
        .any(|field| field.metadata().contains_key(PG_TYPE));
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
    if is_json {
        let plans = plans.into_iter().map(|(_, plan)| plan);
        return one_column(schema, plans.take(1).collect());
    }
    let reads_nothing = plans.iter().flat_map(|(_, plan)| plan.lines()).all(|line| {
        let node = line.trim_start();
        // What was measured is shown.
        OF_NO_TABLE.iter().any(|known| node.starts_with(known)) && !node.contains("metrics=[")
    });
    let mut lines: Vec<String> = Vec::new();
    if reads_nothing && !plans.is_empty() {
        plans = vec![(String::new(), "Result".into())];
    }
    let are_several = plans.len() > 1;
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
    if let Some(first) = lines.first_mut() {
        first.push_str(cost);
    }
    one_column(schema, lines)
}

fn one_column(schema: &SchemaRef, lines: Vec<String>) -> Result<SendableRecordBatchStream> {
    let schema = Arc::clone(schema);
    let column = Arc::new(StringArray::from(lines));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column])?;
    let rows = stream::iter([Ok(batch)]);
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

fn text(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(cast(column, &DataType::Utf8)?)
}

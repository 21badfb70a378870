//! How the columns of a result are called, and what clients are told of each.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::TryStreamExt;

use super::tables::SessionTables;
use super::{ATTRIBUTE, TABLE_OID, origins};
use crate::dialect::functions::own_places;
use crate::dialect::names;
use crate::dialect::output::types::ELEMENT_PLACES;

/// The columns of a plan with the names that clients expect, and the tables that they are of.
pub(super) fn labelled(plan: &LogicalPlan, tables: &SessionTables) -> SchemaRef {
    let schema = plan.schema().as_arrow();
    let mut origins = origins::of(plan, tables).into_iter();
    let mut places = element_places(plan).into_iter();
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| {
            let mut field = field.as_ref().clone();
            if let Some(places) = places.next().flatten() {
                let mut metadata = field.metadata().clone();
                metadata.insert(ELEMENT_PLACES.into(), places);
                field = field.with_metadata(metadata);
            }
            let name = names::shown(field.name()).to_owned();
            let field = field.with_name(name);
            match origins.next().flatten() {
                None => field,
                Some((table, attribute)) => {
                    let mut metadata = field.metadata().clone();
                    metadata.insert(TABLE_OID.into(), table.to_string());
                    metadata.insert(ATTRIBUTE.into(), attribute.to_string());
                    field.with_metadata(metadata)
                }
            }
        })
        .collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The places of the elements of arrays that a plan writes out, column by column.
fn element_places(plan: &LogicalPlan) -> Vec<Option<String>> {
    match plan {
        LogicalPlan::Sort(sort) => element_places(&sort.input),
        LogicalPlan::Limit(limit) => element_places(&limit.input),
        LogicalPlan::Projection(projection) => {
            let below = element_places(&projection.input);
            let schema = projection.input.schema();
            let places = projection.expr.iter().map(|expr| {
                if let Expr::Column(column) = expr {
                    return below.get(schema.maybe_index_of_column(column)?)?.clone();
                }
                let places = own_places::of_elements(expr, schema)?;
                let places: Vec<String> = places.iter().map(ToString::to_string).collect();
                Some(places.join(","))
            });
            places.collect()
        }
        _ => Vec::new(),
    }
}

/// Rows under the names of another schema, where the types are the same.
pub(super) fn renamed(
    rows: SendableRecordBatchStream,
    schema: &SchemaRef,
) -> SendableRecordBatchStream {
    let from = rows.schema();
    if from.fields().len() != schema.fields().len() {
        return rows;
    }
    let fields = from.fields().iter().zip(schema.fields());
    let fields: Vec<Field> = fields
        .map(|(from, to)| {
            from.as_ref()
                .clone()
                .with_name(to.name().clone())
                .with_metadata(to.metadata().clone())
        })
        .collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let target = Arc::clone(&schema);
    let rows = rows.and_then(move |batch| {
        let count = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = batch.columns().to_vec();
        let renamed = RecordBatch::try_new_with_options(Arc::clone(&target), columns, &count);
        std::future::ready(renamed.map_err(Into::into))
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

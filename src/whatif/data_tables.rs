//! The data tables, read-only, over the memory of a dataset.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, DictionaryArray, Int32Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{Int32Type, SchemaRef};
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{
    BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType,
};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream;
use hindsight_udfs::decimal::pow10;
use hindsight_udfs::price_book::{PRICE_DIGITS_MAX, PriceBook};

use super::relations::{Origin, Relation, RelationExec, Scan};
use crate::schema::{self, TOKEN_PRICES};

/// A table held in one batch.
#[derive(Debug)]
pub struct DataTable {
    batch: RecordBatch,
    /// The columns by which its rows ascend.
    order: &'static [&'static str],
    /// Where other machines can read a part of it.
    shared: Option<(Relation, Arc<Origin>)>,
}

impl DataTable {
    pub fn new(batch: RecordBatch, order: &'static [&'static str]) -> Self {
        Self {
            batch,
            order,
            shared: None,
        }
    }

    /// A relation that other machines can read a part of.
    pub fn shared(batch: RecordBatch, relation: Relation, origin: Arc<Origin>) -> Self {
        Self {
            batch,
            order: relation.order(),
            shared: Some((relation, origin)),
        }
    }

    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }
}

#[async_trait]
impl TableProvider for DataTable {
    fn schema(&self) -> SchemaRef {
        self.batch.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = self.batch.num_rows();
        let slices: Vec<RecordBatch> = chunks(rows, state.config().batch_size())
            .map(|rows| self.batch.slice(rows.start, rows.len()))
            .collect();
        let partitions: Vec<Vec<RecordBatch>> = chunks(
            slices.len(),
            slices.len().div_ceil(state.config().target_partitions()),
        )
        .map(|part| slices[part].to_vec())
        .collect();
        let partitions = match partitions.is_empty() {
            true => vec![vec![]],
            false => partitions,
        };
        let schema = self.schema();
        let order = sort_order(&schema, self.order);
        let source = MemorySourceConfig::try_new(&partitions, schema, projection.cloned())?
            .try_with_sort_information(order.into_iter().collect())?;
        let rows = datafusion::datasource::source::DataSourceExec::from_data_source(source);
        let Some((relation, origin)) = &self.shared else {
            return Ok(rows);
        };
        let scan = || Scan {
            relation: *relation,
            origin: Arc::clone(origin),
            tokens: None,
            columns: all_or(projection, self.batch.num_columns()),
            limit: None,
        };
        Ok(RelationExec::of(state.config(), scan, rows))
    }
}

/// The places of the columns that are read, of so many.
fn all_or(projection: Option<&Vec<usize>>, count: usize) -> Vec<usize> {
    projection.cloned().unwrap_or_else(|| (0..count).collect())
}

/// `token_prices` over the columns of the price book.
pub struct PriceTable {
    origin: Arc<Origin>,
    book: Arc<PriceBook>,
    volumes: Arc<Vec<Option<Decimal128Array>>>,
    /// Every address, by position in the book.
    addresses: ArrayRef,
}

impl PriceTable {
    pub fn new(origin: Arc<Origin>, volumes: Arc<Vec<Option<Decimal128Array>>>) -> Self {
        let book = Arc::clone(&origin.price_book);
        let addresses: StringArray = book.iter().map(|(address, _)| Some(&**address)).collect();
        Self {
            origin,
            book,
            volumes,
            addresses: Arc::new(addresses),
        }
    }

    /// The prices of some tokens, in batches of at most so many rows.
    pub fn partition(
        &self,
        tokens: Vec<usize>,
        columns: &[usize],
        batch_size: usize,
    ) -> Result<Arc<dyn PartitionStream>> {
        Ok(Arc::new(PricePartition {
            book: Arc::clone(&self.book),
            volumes: Arc::clone(&self.volumes),
            addresses: Arc::clone(&self.addresses),
            tokens,
            batch_size,
            columns: columns.to_vec(),
            schema: Arc::new(TOKEN_PRICES.project(columns)?),
        }))
    }

    /// The tokens that a filter on `token_address` leaves; `None` where there is none.
    fn tokens(&self, filters: &[Expr]) -> Option<Vec<usize>> {
        let mut tokens: Option<Vec<usize>> = None;
        for wanted in filters.iter().filter_map(wanted_addresses) {
            let found = wanted
                .iter()
                .filter_map(|address| self.book.position(address));
            let found: Vec<usize> = match tokens {
                None => found.collect(),
                Some(known) => found.filter(|token| known.contains(token)).collect(),
            };
            tokens = Some(found);
        }
        let mut tokens = tokens?;
        tokens.sort_unstable();
        tokens.dedup();
        Some(tokens)
    }
}

impl fmt::Debug for PriceTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PriceTable({} tokens)", self.book.token_count())
    }
}

#[async_trait]
impl TableProvider for PriceTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&TOKEN_PRICES)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| match wanted_addresses(filter) {
                Some(_) => TableProviderFilterPushDown::Inexact,
                None => TableProviderFilterPushDown::Unsupported,
            })
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted = self.tokens(filters);
        let all = || (0..self.book.token_count()).collect();
        let tokens: Vec<usize> = wanted.clone().unwrap_or_else(all);
        let per_partition = tokens.len().div_ceil(state.config().target_partitions());
        let columns = all_or(projection, TOKEN_PRICES.fields().len());
        let batch_size = state.config().batch_size();
        let mut partitions = chunks(tokens.len(), per_partition)
            .map(|part| self.partition(tokens[part].to_vec(), &columns, batch_size))
            .collect::<Result<Vec<_>>>()?;
        if partitions.is_empty() {
            partitions.push(self.partition(Vec::new(), &columns, batch_size)?);
        }
        let schema = Arc::new(TOKEN_PRICES.project(&columns)?);
        let order = sort_order(&schema, Relation::TokenPrices.order());
        let rows = StreamingTableExec::try_new(schema, partitions, None, order, false, limit)?;
        let scan = || Scan {
            relation: Relation::TokenPrices,
            origin: Arc::clone(&self.origin),
            tokens: wanted,
            columns,
            limit,
        };
        Ok(RelationExec::of(state.config(), scan, Arc::new(rows)))
    }
}

fn wanted_addresses(filter: &Expr) -> Option<Vec<String>> {
    wanted_values(filter, "token_address")
}

/// The values that `column = '…'`, `IN (…)` or an `OR` of them asks for.
pub fn wanted_values(filter: &Expr, name: &str) -> Option<Vec<String>> {
    let is_column = |expr: &Expr| match expr {
        Expr::Column(column) => column.name == name,
        Expr::Cast(cast) => matches!(&*cast.expr, Expr::Column(column) if column.name == name),
        _ => false,
    };
    let text = |expr: &Expr| match expr {
        Expr::Literal(value, _) => literal_text(value),
        _ => None,
    };
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::Eq if is_column(left) => text(right).map(|address| vec![address]),
            Operator::Eq if is_column(right) => text(left).map(|address| vec![address]),
            Operator::Or => {
                let mut values = wanted_values(left, name)?;
                values.extend(wanted_values(right, name)?);
                Some(values)
            }
            _ => None,
        },
        Expr::InList(list) if !list.negated && is_column(&list.expr) => {
            list.list.iter().map(text).collect()
        }
        _ => None,
    }
}

fn literal_text(value: &ScalarValue) -> Option<String> {
    match value {
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
            text.clone()
        }
        ScalarValue::Dictionary(_, value) => literal_text(value),
        _ => None,
    }
}

/// Some of the tokens.
struct PricePartition {
    book: Arc<PriceBook>,
    volumes: Arc<Vec<Option<Decimal128Array>>>,
    addresses: ArrayRef,
    tokens: Vec<usize>,
    batch_size: usize,
    columns: Vec<usize>,
    schema: SchemaRef,
}

impl fmt::Debug for PricePartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.tokens.len())
    }
}

impl PartitionStream for PricePartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (book, volumes) = (Arc::clone(&self.book), Arc::clone(&self.volumes));
        let (addresses, columns) = (Arc::clone(&self.addresses), self.columns.clone());
        let (schema, batch_size) = (Arc::clone(&self.schema), self.batch_size);
        let batches = self.tokens.clone().into_iter().flat_map(move |token| {
            let prices = book.token(token).timestamps.len();
            let (book, volumes) = (Arc::clone(&book), Arc::clone(&volumes));
            let (addresses, columns) = (Arc::clone(&addresses), columns.clone());
            let schema = Arc::clone(&schema);
            chunks(prices, batch_size).map(move |rows| {
                let columns = columns
                    .iter()
                    .map(|column| price_column(&book, &volumes, &addresses, token, &rows, *column))
                    .collect::<Result<Vec<_>>>()?;
                let options = datafusion::arrow::array::RecordBatchOptions::new()
                    .with_row_count(Some(rows.len()));
                Ok(RecordBatch::try_new_with_options(
                    Arc::clone(&schema),
                    columns,
                    &options,
                )?)
            })
        });
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            stream::iter(batches),
        ))
    }
}

/// One column of [`TOKEN_PRICES`] for some prices of one token.
fn price_column(
    book: &PriceBook,
    volumes: &[Option<Decimal128Array>],
    addresses: &ArrayRef,
    token: usize,
    rows: &Range<usize>,
    column: usize,
) -> Result<ArrayRef> {
    let prices = book.token(token);
    Ok(match column {
        0 => {
            let key = i32::try_from(token).unwrap_or(i32::MAX);
            let keys = Int32Array::from_value(key, rows.len());
            let addresses = Arc::clone(addresses);
            Arc::new(DictionaryArray::<Int32Type>::try_new(keys, addresses)?)
        }
        1 => {
            let timestamps = prices.timestamps.slice(rows.start, rows.len());
            let timestamps = TimestampMicrosecondArray::new(timestamps, None);
            Arc::new(timestamps.with_data_type(schema::timestamp()))
        }
        2 => {
            let unit = pow10(u32::from(PRICE_DIGITS_MAX - prices.scale));
            let mantissas = prices.mantissas[rows.clone()].iter();
            let values: Vec<i128> = mantissas.map(|price| i128::from(*price) * unit).collect();
            Arc::new(Decimal128Array::new(values.into(), None).with_data_type(schema::PRICE))
        }
        _ => match volumes.get(token) {
            Some(Some(volume)) => Arc::new(volume.slice(rows.start, rows.len())),
            _ => new_null_array(&schema::VOLUME, rows.len()),
        },
    })
}

/// Ranges of at most `size` that cover `total`.
pub fn chunks(total: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    let size = size.max(1);
    (0..total)
        .step_by(size)
        .map(move |start| start..total.min(start.saturating_add(size)))
}

/// Ascending order by those of the columns that the schema begins the list with.
pub fn sort_order(schema: &SchemaRef, columns: &[&str]) -> Option<LexOrdering> {
    let options = SortOptions::default();
    let keys = columns
        .iter()
        .map_while(|name| col(name, schema).ok())
        .map(|expr| PhysicalSortExpr { expr, options });
    LexOrdering::new(keys)
}

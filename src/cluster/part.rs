//! A part of a relation: what a worker is asked to read of it, and how it does.
//!
//! The price book is divided into runs of tokens that follow each other and have about as many prices.
//! A worker maps the whole of it, and only what is read of a map takes memory: its own tokens. The
//! signals of a part are those of its tokens; of one without prices, those of the part in which its
//! address would lie. They say their places, by which all parts together are as they were.
#![expect(
    clippy::single_range_in_vec_init,
    reason = "a part is a list of runs, often of one"
)]

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray};
use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::kernels::cmp::{gt, lt_eq};
use datafusion::arrow::compute::{SortOptions, and, filter_record_batch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, exec_err, internal_datafusion_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::stream;
use hindsight_udfs::price_book::PriceBook;
use serde::{Deserialize, Serialize};

use super::node::Held;
use crate::whatif::data_tables::{chunks, sort_order};
use crate::whatif::relations::{Relation, Scan};

/// What the places of rows are called.
pub const PLACE: &str = "hindsight_place";
/// More partitions, or rows of a batch, nobody asks for.
const PARTITIONS_MOST: usize = 1 << 10;
const BATCH_MOST: usize = 1 << 20;

/// What is read of a relation by one worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Part {
    pub fingerprint: String,
    relation: Relation,
    /// Places in the price book.
    tokens: Vec<Range<usize>>,
    columns: Vec<usize>,
    limit: Option<usize>,
    /// Whether rows say their places.
    with_place: bool,
    partitions: usize,
    batch_size: usize,
}

impl Part {
    /// All that is read, and so many parts of it, each in so many partitions.
    pub fn of(
        scan: &Scan,
        tasks: usize,
        partitions: usize,
        batch_size: usize,
    ) -> (Self, Vec<Self>) {
        let book = &scan.origin.price_book;
        let all = match &scan.tokens {
            Some(tokens) => runs(tokens.iter().copied()),
            None => vec![0..book.token_count()],
        };
        let part = |tokens| Self {
            fingerprint: scan.origin.fingerprint.clone(),
            relation: scan.relation,
            tokens,
            columns: scan.columns.clone(),
            limit: scan.limit,
            with_place: scan.relation == Relation::Signals,
            partitions: partitions.clamp(1, PARTITIONS_MOST),
            batch_size: batch_size.clamp(1, BATCH_MOST),
        };
        let parts = divided(book, &all, tasks);
        let parts = match scan.relation {
            Relation::TokenPrices => parts,
            Relation::Signals => reaching(&parts),
        };
        (part(all), parts.into_iter().map(part).collect())
    }

    /// Without the places of its rows.
    pub fn without_place(mut self) -> Self {
        self.with_place = false;
        self
    }

    fn schema(&self) -> Result<SchemaRef> {
        let schema = self.relation.schema().project(&self.columns)?;
        if !self.with_place {
            return Ok(Arc::new(schema));
        }
        let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(PLACE, DataType::Int64, false)));
        Ok(Arc::new(Schema::new(fields)))
    }

    /// By what the rows of each partition ascend.
    fn orders(&self, schema: &SchemaRef) -> Result<Vec<LexOrdering>> {
        let mut orders: Vec<_> = sort_order(schema, self.relation.order())
            .into_iter()
            .collect();
        if self.with_place {
            orders.push(by_place(schema)?);
        }
        Ok(orders)
    }

    /// What reads it, on a worker that holds the history.
    fn read(&self, held: &Arc<Held>) -> Result<Arc<dyn ExecutionPlan>> {
        let book = &held.dataset.price_book;
        let sizes = [
            (self.partitions, PARTITIONS_MOST),
            (self.batch_size, BATCH_MOST),
        ];
        if sizes.iter().any(|(size, most)| !(1..=*most).contains(size)) {
            return exec_err!("a part of {} has no such size", self.relation.name());
        }
        let schema = self.schema()?;
        let partitions: Vec<Arc<dyn PartitionStream>> = match self.relation {
            Relation::TokenPrices => {
                let mut end = 0;
                for run in &self.tokens {
                    if run.start < end || run.end < run.start || run.end > book.token_count() {
                        return exec_err!("a part has tokens that the history has not");
                    }
                    end = run.end;
                }
                let parts = divided(book, &self.tokens, self.partitions).into_iter();
                let parts = parts.map(|runs| {
                    let tokens = runs.into_iter().flatten().collect();
                    held.prices
                        .partition(tokens, &self.columns, self.batch_size)
                });
                parts.collect::<Result<_>>()?
            }
            Relation::Signals => {
                let rows = held.dataset.signals.num_rows();
                let mut parts = chunks(rows, rows.div_ceil(self.partitions));
                let parts = (0..self.partitions).map(|_| {
                    Arc::new(SignalPartition {
                        held: Arc::clone(held),
                        part: self.clone(),
                        rows: parts.next().unwrap_or_default(),
                        schema: Arc::clone(&schema),
                    }) as Arc<dyn PartitionStream>
                });
                parts.collect()
            }
        };
        let orders = self.orders(&schema)?;
        let rows = StreamingTableExec::try_new(schema, partitions, None, orders, false, self.limit);
        Ok(Arc::new(rows?))
    }
}

/// By the places of rows.
pub fn by_place(schema: &Schema) -> Result<LexOrdering> {
    let place = Arc::new(Column::new_with_schema(PLACE, schema)?);
    Ok([PhysicalSortExpr::new(place, SortOptions::default())].into())
}

/// Places that follow each other, as runs.
fn runs(places: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for place in places {
        match runs.last_mut() {
            Some(run) if run.end == place => run.end += 1,
            _ => runs.push(place..place + 1),
        }
    }
    runs
}

/// Tokens in so many shares of about as many prices, one behind the other; some may be empty.
fn divided(book: &PriceBook, tokens: &[Range<usize>], shares: usize) -> Vec<Vec<Range<usize>>> {
    let prices = |token: usize| book.token(token).timestamps.len();
    let tokens = tokens.iter().cloned().flatten();
    let total: usize = tokens.clone().map(prices).sum();
    let mut divided: Vec<Vec<usize>> = vec![Vec::new(); shares];
    let mut before = 0;
    for token in tokens {
        let middle = before + prices(token) / 2;
        let share = middle.saturating_mul(shares) / total.max(1);
        divided[share.min(shares - 1)].push(token);
        before += prices(token);
    }
    divided
        .into_iter()
        .map(|tokens| runs(tokens.into_iter()))
        .collect()
}

/// The same shares, each reaching to the next, and the outer ones to where there are no tokens.
fn reaching(shares: &[Vec<Range<usize>>]) -> Vec<Vec<Range<usize>>> {
    let mut next = usize::MAX;
    let mut reaching = Vec::with_capacity(shares.len());
    for (number, share) in shares.iter().enumerate().rev() {
        let first = share.first().map_or(next, |run| run.start);
        let first = if number == 0 { 0 } else { first };
        reaching.push(vec![first..next]);
        next = first;
    }
    reaching.reverse();
    reaching
}

/// The rows of some signals that are of a part.
struct SignalPartition {
    held: Arc<Held>,
    part: Part,
    rows: Range<usize>,
    schema: SchemaRef,
}

impl SignalPartition {
    fn batch(&self, rows: &Range<usize>) -> Result<RecordBatch> {
        let signals = self.held.dataset.signals.slice(rows.start, rows.len());
        let tokens = signals.column_by_name("token_address");
        let tokens = tokens.and_then(|tokens| tokens.as_string_opt::<i32>());
        let tokens = tokens.ok_or_else(|| internal_datafusion_err!("signals have no tokens"))?;
        let book = &self.held.dataset.price_book;
        let of_part = match self.part.tokens.as_slice() {
            [run] => of_run(tokens, run, book)?,
            _ => return exec_err!("a part of signals is one run of tokens"),
        };
        let mut columns: Vec<ArrayRef> = signals.project(&self.part.columns)?.columns().to_vec();
        if self.part.with_place {
            let places = (rows.start as i64..).take(rows.len());
            columns.push(Arc::new(places.collect::<Int64Array>()));
        }
        let count = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &count)?;
        Ok(filter_record_batch(&batch, &of_part)?)
    }
}

/// Which addresses lie behind that of the token before the run, and not behind its last one.
fn of_run(tokens: &StringArray, run: &Range<usize>, book: &PriceBook) -> Result<BooleanArray> {
    let all = |value| BooleanArray::from(vec![value; tokens.len()]);
    if run.is_empty() {
        return Ok(all(false));
    }
    let mut of_run = all(true);
    if let Some(before) = run.start.checked_sub(1) {
        match book.address(before) {
            None => return Ok(all(false)),
            Some(address) => {
                let address = StringArray::new_scalar(address);
                of_run = and(&of_run, &gt(tokens, &address)?)?;
            }
        }
    }
    if let Some(last) = run.end.checked_sub(1).and_then(|last| book.address(last)) {
        let address = StringArray::new_scalar(last);
        of_run = and(&of_run, &lt_eq(tokens, &address)?)?;
    }
    Ok(of_run)
}

impl fmt::Debug for SignalPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignalPartition({:?})", self.rows)
    }
}

impl PartitionStream for SignalPartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let partition = Self {
            held: Arc::clone(&self.held),
            part: self.part.clone(),
            rows: self.rows.clone(),
            schema: Arc::clone(&self.schema),
        };
        let start = self.rows.start;
        let batches = chunks(self.rows.len(), self.part.batch_size)
            .map(move |rows| partition.batch(&(rows.start + start..rows.end + start)));
        let schema = Arc::clone(&self.schema);
        Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(batches)))
    }
}

/// A part in a plan: on a worker it is read, on the way there it only says what is to be read.
#[derive(Debug)]
pub struct PartExec {
    part: Part,
    rows: Option<Arc<dyn ExecutionPlan>>,
    properties: Arc<PlanProperties>,
}

impl PartExec {
    pub fn new(part: Part) -> Result<Self> {
        let schema = part.schema()?;
        let orders = part.orders(&schema)?;
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(schema, orders),
            Partitioning::UnknownPartitioning(part.partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self {
            part,
            rows: None,
            properties: Arc::new(properties.with_scheduling_type(SchedulingType::Cooperative)),
        })
    }

    /// The same where it is read.
    pub fn held_by(part: Part, held: &Arc<Held>) -> Result<Self> {
        let rows = Some(part.read(held)?);
        Ok(Self {
            rows,
            ..Self::new(part)?
        })
    }

    pub fn part(&self) -> &Part {
        &self.part
    }
}

impl DisplayAs for PartExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let (name, tokens) = (self.part.relation.name(), &self.part.tokens);
        write!(f, "PartExec: {name}, tokens={tokens:?}")
    }
}

impl ExecutionPlan for PartExec {
    fn name(&self) -> &str {
        "PartExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        match &self.rows {
            Some(rows) => rows.execute(partition, context),
            None => internal_err!("a part is read by the worker that it is sent to"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use hindsight_udfs::price_book::TokenPrices;

    use super::*;

    /// A book of tokens `b`, `d`, `f` and so on, with so many prices each.
    fn book(counts: &[usize]) -> PriceBook {
        let names = ["b", "d", "f", "h", "j"];
        PriceBook::new(counts.iter().zip(names).map(|(count, name)| {
            let instants: Vec<i64> = (0..*count as i64).collect();
            let prices = TokenPrices::new(instants.clone().into(), instants.into(), 0);
            (Arc::from(name), prices)
        }))
    }

    #[test]
    fn parts_are_balanced_and_cover_all() {
        let book = book(&[10, 10, 10, 10, 20]);
        let all = vec![0..5];
        assert_eq!(divided(&book, &all, 3), [[0..2], [2..4], [4..5]]);
        assert_eq!(divided(&book, &all, 1), [[0..5]]);
        let seven = divided(&book, &all, 7);
        let tokens: Vec<usize> = seven.into_iter().flatten().flatten().collect();
        assert_eq!(tokens, [0, 1, 2, 3, 4]);
        let some = divided(&book, &[0..1, 3..5], 2);
        assert_eq!(some, [vec![0..1, 3..4], vec![4..5]]);
    }

    #[test]
    fn every_signal_is_of_one_part() {
        let tokens = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", ""];
        let tokens = StringArray::from(tokens.to_vec());
        for counts in [&[][..], &[1], &[100, 1, 1], &[1, 1, 100, 1, 1]] {
            let book = book(counts);
            for shares in 1..8 {
                let parts = divided(&book, &[0..book.token_count()], shares);
                let mut found = vec![0; tokens.len()];
                for part in reaching(&parts) {
                    let of_part = of_run(&tokens, &part[0], &book).unwrap();
                    for (count, is_of) in found.iter_mut().zip(of_part.iter().flatten()) {
                        *count += usize::from(is_of);
                    }
                }
                assert_eq!(found, vec![1; tokens.len()], "{counts:?} in {shares}");
            }
        }
    }
}

//! The relations that other machines can read a part of: signals and prices, by their tokens.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics};
use datafusion::datasource::source_as_provider;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
};
use datafusion::prelude::SessionConfig;
use hindsight_udfs::price_book::PriceBook;
use serde::{Deserialize, Serialize};

use super::data_tables::{DataTable, PriceTable};
use super::elsewhere;
use crate::schema::{SIGNALS, TOKEN_PRICES};

/// A relation that is read by tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    Signals,
    TokenPrices,
}

impl Relation {
    /// As statements call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signals => "signals",
            Self::TokenPrices => "token_prices",
        }
    }

    pub fn schema(self) -> SchemaRef {
        Arc::clone(match self {
            Self::Signals => &SIGNALS,
            Self::TokenPrices => &TOKEN_PRICES,
        })
    }

    /// The columns by which its rows ascend.
    pub fn order(self) -> &'static [&'static str] {
        match self {
            Self::Signals => &["timestamp", "id"],
            Self::TokenPrices => &["token_address", "timestamp"],
        }
    }
}

/// The history that a relation is of.
#[derive(Debug)]
pub struct Origin {
    pub fingerprint: String,
    pub price_book: Arc<PriceBook>,
}

/// What is read of a relation.
#[derive(Debug, Clone)]
pub struct Scan {
    pub relation: Relation,
    pub origin: Arc<Origin>,
    /// Places in the price book, ascending, of the tokens that a filter leaves.
    pub tokens: Option<Vec<usize>>,
    /// The places of its columns.
    pub columns: Vec<usize>,
    /// So many rows are enough.
    pub limit: Option<usize>,
}

/// Reads a relation in this process, and says what it reads to whoever would have others read it.
#[derive(Debug)]
pub struct RelationExec {
    scan: Scan,
    rows: Arc<dyn ExecutionPlan>,
}

impl RelationExec {
    /// The rows of a scan, which are known for what they are where a session's statements may run
    /// on other machines.
    pub fn of(
        session: &SessionConfig,
        scan: impl FnOnce() -> Scan,
        rows: Arc<dyn ExecutionPlan>,
    ) -> Arc<dyn ExecutionPlan> {
        match elsewhere::of(session) {
            None => rows,
            Some(_) => Arc::new(Self { scan: scan(), rows }),
        }
    }

    pub fn scan(&self) -> &Scan {
        &self.scan
    }

    /// What reads it in this process.
    pub fn rows(&self) -> &Arc<dyn ExecutionPlan> {
        &self.rows
    }
}

/// Whether a plan reads such a relation.
pub fn are_read(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let table = source_as_provider(&scan.source)?;
            found = table.is::<PriceTable>()
                || table
                    .downcast_ref::<DataTable>()
                    .is_some_and(DataTable::is_shared);
        }
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(found)
}

impl DisplayAs for RelationExec {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "RelationExec: {}, ", self.scan.relation.name())?;
        self.rows.fmt_as(kind, f)
    }
}

impl ExecutionPlan for RelationExec {
    fn name(&self) -> &str {
        "RelationExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.rows.properties()
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

    fn fetch(&self) -> Option<usize> {
        self.rows.fetch()
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        self.rows.statistics_from_inputs(&[], args)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.rows.execute(partition, context)
    }
}

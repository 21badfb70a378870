//! What a worker is sent: the parameter rows of its share, and of which history they are meant.
//!
//! On the wire a leaf is one Arrow IPC stream, packed with LZ4, whose schema carries the fingerprint.
//! A worker refuses one of another history, and parameters of other columns than it knows.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::{SortOptions, concat_batches};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::ipc::CompressionType;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, exec_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::node::Node;
use crate::error::Error;
use crate::whatif::grid::SweepSource;
use crate::whatif::here::{Here, Made};

const FINGERPRINT: &str = "fingerprint";
const KIND: &str = "kind";
/// What the kinds are called on the wire.
const KINDS: [(&str, Made); 5] = [
    ("backtests", Made::Backtests),
    (
        "trainings",
        Made::Trainings {
            leaves_out_actual: false,
        },
    ),
    (
        "simulated trainings",
        Made::Trainings {
            leaves_out_actual: true,
        },
    ),
    ("days", Made::Days),
    ("series", Made::Series),
];
/// Rows of a batch of parameters.
const ROWS_PER_BATCH: usize = 1024;
/// How errors of a statement itself begin, as against those of a worker.
const OWN: &str = "hindsight\u{1f}";
/// The SQLSTATEs that what a worker computes may end with.
const STATES: [&str; 27] = [
    "0A000", "21000", "22000", "22003", "22004", "22007", "22008", "22011", "22012", "22013",
    "22014", "22019", "2201B", "2201E", "2201F", "2201G", "22021", "22023", "2202E", "22P02",
    "42804", "42846", "42883", "53200", "54000", "57014", "58030",
];

/// The columns of a share's rows: the combination, and those of the kind.
pub fn schema(kind: Made) -> SchemaRef {
    let mut fields = vec![Arc::new(Field::new("combination", DataType::Int64, false))];
    fields.extend(kind.schema().fields().iter().cloned());
    Arc::new(Schema::new(fields))
}

/// By what the rows of shares are ordered.
pub fn order(schema: &Schema) -> Result<LexOrdering> {
    let combination = Arc::new(Column::new_with_schema("combination", schema)?);
    let ascending = PhysicalSortExpr::new(combination, SortOptions::default());
    Ok([ascending].into())
}

/// The share of one worker.
pub struct GridLeafExec {
    /// In the order of their combinations.
    parameters: RecordBatch,
    kind: Made,
    fingerprint: String,
    /// Who runs it over which history; on the side that sends it nobody does.
    run_by: Option<(Arc<Node>, Arc<SweepSource>)>,
    properties: Arc<PlanProperties>,
}

impl GridLeafExec {
    pub fn new(parameters: RecordBatch, kind: Made, fingerprint: &str) -> Result<Self> {
        let schema = schema(kind);
        let order = order(&schema)?;
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(schema, [order]),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self {
            parameters,
            kind,
            fingerprint: fingerprint.to_owned(),
            run_by: None,
            properties: Arc::new(properties),
        })
    }

    pub(super) fn encoded(&self) -> Result<Vec<u8>> {
        let fingerprint = (FINGERPRINT.to_owned(), self.fingerprint.clone());
        let kind = KINDS.iter().find(|(_, kind)| *kind == self.kind);
        let kind = kind.map(|(name, _)| (KIND.to_owned(), (*name).to_owned()));
        let said: HashMap<String, String> = [fingerprint].into_iter().chain(kind).collect();
        let schema = self.kind.parameters().as_ref().clone();
        let schema = schema.with_metadata(said);
        let packed = Some(CompressionType::LZ4_FRAME);
        let options = IpcWriteOptions::default().try_with_compression(packed)?;
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), &schema, options)?;
        for batch in pieces(&self.parameters) {
            writer.write(&batch)?;
        }
        Ok(writer.into_inner()?)
    }

    pub(super) fn decoded(bytes: &[u8], node: &Arc<Node>) -> Result<Self> {
        let reader = StreamReader::try_new(bytes, None)?;
        let schema = reader.schema();
        let meant = schema.metadata().get(FINGERPRINT);
        let meant = meant.map_or("none", String::as_str);
        let source = Arc::clone(&node.held(meant)?.source);
        let kind = schema.metadata().get(KIND);
        let kind = kind.and_then(|kind| KINDS.iter().find(|(name, _)| name == kind));
        let Some((_, kind)) = kind else {
            return exec_err!("it was sent combinations for what it does not know");
        };
        if schema.fields() != kind.parameters().fields() {
            return exec_err!("it knows other parameters than it was sent");
        }
        let batches: Vec<RecordBatch> = reader.collect::<std::result::Result<_, _>>()?;
        let rows = concat_batches(&kind.parameters(), &batches)?;
        let run_by = Some((Arc::clone(node), source));
        let leaf = Self::new(rows, *kind, meant)?;
        Ok(Self { run_by, ..leaf })
    }
}

/// Rows a batch at a time.
pub fn pieces(rows: &RecordBatch) -> impl Iterator<Item = RecordBatch> + Send + use<> {
    let rows = rows.clone();
    let starts = (0..rows.num_rows()).step_by(ROWS_PER_BATCH);
    starts.map(move |start| rows.slice(start, ROWS_PER_BATCH.min(rows.num_rows() - start)))
}

impl fmt::Debug for GridLeafExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "GridLeafExec({} combinations)",
            self.parameters.num_rows()
        )
    }
}

impl DisplayAs for GridLeafExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let rows = self.parameters.num_rows();
        write!(
            f,
            "GridLeafExec: combinations={rows}, dataset={}",
            self.fingerprint
        )
    }
}

impl ExecutionPlan for GridLeafExec {
    fn name(&self) -> &str {
        "GridLeafExec"
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

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some((node, source)) = &self.run_by else {
            return internal_err!("a share is run by the worker that it is sent to");
        };
        let here = Here {
            source: Arc::clone(source),
            kind: self.kind,
            schema: self.schema(),
            pool: Arc::clone(context.memory_pool()),
            done: Arc::new(AtomicU64::new(0)),
            keeper: None,
        };
        let task = node.begin_task();
        let rows = here.rows(stream::iter(pieces(&self.parameters).map(Ok)));
        let rows = rows.inspect(move |_| {
            let _running = &task;
        });
        // In pieces, so that what is on its way stays small.
        let rows = rows
            .map_ok(|rows| stream::iter(pieces(&rows).map(Ok)))
            .try_flatten();
        let rows = rows.map_err(sent_back);
        let schema = Arc::clone(self.properties.eq_properties.schema());
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            schema,
            rows.boxed(),
        )))
    }
}

/// An error of the statement itself, as a worker sends it.
pub fn sent_back(error: DataFusionError) -> DataFusionError {
    let error = Error::from(error);
    let hint = error.hint().unwrap_or_default();
    let parts = [error.sqlstate(), &error.to_string(), &hint].join("\u{1f}");
    DataFusionError::Execution(format!("{OWN}{parts}"))
}

/// The error of the statement itself that a worker has sent, if it is one.
pub fn own_error(error: &DataFusionError) -> Option<Error> {
    let DataFusionError::Execution(text) = error.find_root() else {
        return None;
    };
    let mut parts = text.strip_prefix(OWN)?.splitn(3, '\u{1f}');
    let (state, message) = (parts.next()?, parts.next()?);
    let state = STATES.iter().find(|known| **known == state);
    let state = state.copied().unwrap_or("XX000");
    match parts.next().filter(|hint| !hint.is_empty()) {
        Some(hint) => Some(Error::session_hint(state, message, hint)),
        None => Some(Error::session(state, message)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_statement_is_the_same_from_afar() {
        let error = Error::session_hint("53200", "out of memory", "ask for less");
        let sent = sent_back(error.into());
        let found = own_error(&DataFusionError::Shared(Arc::new(
            sent.context("of a task"),
        )))
        .unwrap();
        assert_eq!(found.sqlstate(), "53200");
        assert_eq!(found.to_string(), "out of memory");
        assert_eq!(found.hint().as_deref(), Some("ask for less"));
        let of_worker = DataFusionError::Execution("h2 protocol error".into());
        assert!(own_error(&of_worker).is_none());
    }
}

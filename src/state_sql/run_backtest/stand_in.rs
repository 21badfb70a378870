//! What a run has made so far, where its queries find it: stand-ins in their plans.

use std::sync::{Arc, OnceLock};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use crate::whatif::operator::Operator;

/// What a run has made so far, where its queries find it.
pub(super) struct MadeRows {
    pub(super) parameters: RecordBatch,
    pub(super) admitted_signals: OnceLock<Vec<RecordBatch>>,
}

/// One of the things that a run makes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Made {
    Parameters,
    AdmittedSignals,
}

/// Stands for what a run makes while it is planned.
#[derive(Debug)]
pub(super) struct StandIn {
    pub(super) of: Made,
    /// At most; by it joins know which side is small.
    pub(super) row_count: usize,
}

impl Operator for StandIn {
    fn name(&self) -> &'static str {
        "MadeRows"
    }

    fn detail(&self) -> String {
        format!("{:?}", self.of)
    }

    fn row_count(&self) -> Option<usize> {
        Some(self.row_count)
    }

    fn execute(
        &self,
        _: &[Arc<dyn ExecutionPlan>],
        _: &SchemaRef,
        context: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let Some(made) = context.session_config().get_extension::<MadeRows>() else {
            return internal_err!("no run is under way");
        };
        let rows = match self.of {
            Made::Parameters => vec![made.parameters.clone()],
            Made::AdmittedSignals => match made.admitted_signals.get() {
                Some(rows) => rows.clone(),
                None => return internal_err!("the signals are not simulated yet"),
            },
        };
        Ok(stream::iter(rows.into_iter().map(Ok)).boxed())
    }
}

//! What of a plan is ours on the wire: a letter that says what it is, and behind it what it holds.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, exec_err, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};

use super::leaf::GridLeafExec;
use super::node::Node;
use super::part::{Part, PartExec};
use crate::caller::in_turn::{Begins, InTurnExec};

const GRID: u8 = b'g';
const PART: u8 = b'p';
const IN_TURN: u8 = b'o';

/// Puts nodes on the wire, and on a worker takes them off it.
#[derive(Debug)]
pub struct Codec {
    pub node: Option<Arc<Node>>,
}

impl PhysicalExtensionCodec for Codec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &TaskContext,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(node), Some((kind, bytes))) = (&self.node, bytes.split_first()) else {
            return internal_err!("plans are sent to workers alone");
        };
        Ok(match (*kind, inputs) {
            (GRID, []) => Arc::new(GridLeafExec::decoded(bytes, node)?),
            (PART, []) => {
                let part: Part = serde_json::from_slice(bytes).map_err(unreadable)?;
                let held = node.held(&part.fingerprint)?;
                Arc::new(PartExec::held_by(part, &held)?)
            }
            (IN_TURN, [input]) => Arc::new(InTurnExec::new(Arc::clone(input), Begins::Ahead)),
            _ => return exec_err!("a part of the plan is unknown here"),
        })
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let (kind, held) = if let Some(leaf) = node.downcast_ref::<GridLeafExec>() {
            (GRID, leaf.encoded()?)
        } else if let Some(part) = node.downcast_ref::<PartExec>() {
            let part = serde_json::to_vec(part.part()).map_err(unreadable)?;
            (PART, part)
        } else if node.is::<InTurnExec>() {
            (IN_TURN, Vec::new())
        } else {
            return internal_err!("{} is not sent to workers", node.name());
        };
        bytes.push(kind);
        bytes.extend(held);
        Ok(())
    }
}

fn unreadable(error: serde_json::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

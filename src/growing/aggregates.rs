//! `string_agg` and `array_agg`, which join a whole batch before anybody counts what came of it: the bytes
//! that a batch adds, and those of the value that is made at last, are in the pool before they are made.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, OffsetSizeTrait};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator,
    ReversedUDAF, Signature,
};

use super::{Pool, SLICE_BYTES};

/// Puts the aggregates of a session behind this door.
pub(super) fn register(state: &mut SessionState, pool: &Pool) -> Result<()> {
    for name in ["string_agg", "array_agg"] {
        let Some(inner) = state.aggregate_functions().get(name) else {
            continue;
        };
        let joining = Joining {
            inner: Arc::clone(inner),
            pool: pool.clone(),
        };
        datafusion::execution::FunctionRegistry::register_udaf(
            state,
            Arc::new(AggregateUDF::new_from_impl(joining)),
        )?;
    }
    Ok(())
}

/// An aggregate.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Joining {
    inner: Arc<AggregateUDF>,
    pool: Pool,
}

impl Joining {
    fn counted<T>(&self, inner: T) -> Counted<T> {
        Counted {
            inner,
            name: self.inner.name().to_owned(),
            bytes: 0,
            returned: 0,
            kept: None,
            pool: self.pool.clone(),
        }
    }
}

impl AggregateUDFImpl for Joining {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        self.inner.return_type(given)
    }

    fn return_field(&self, given: &[FieldRef]) -> Result<FieldRef> {
        self.inner.return_field(given)
    }

    fn is_nullable(&self) -> bool {
        self.inner.is_nullable()
    }

    fn default_value(&self, of: &DataType) -> Result<ScalarValue> {
        self.inner.default_value(of)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(given)
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.inner.supports_null_handling_clause()
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(self.counted(self.inner.accumulator(args)?)))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let inner = self.inner.create_groups_accumulator(args)?;
        Ok(Box::new(self.counted(inner)))
    }

    fn with_beneficial_ordering(
        self: Arc<Self>,
        is_ordered: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        let inner = AggregateUDF::clone(&self.inner).with_beneficial_ordering(is_ordered)?;
        Ok(inner.map(|inner| {
            let (inner, pool) = (Arc::new(inner), self.pool.clone());
            Arc::new(Self { inner, pool }) as Arc<dyn AggregateUDFImpl>
        }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        match self.inner.reverse_udf() {
            ReversedUDAF::NotSupported => ReversedUDAF::NotSupported,
            ReversedUDAF::Identical => ReversedUDAF::Identical,
            ReversedUDAF::Reversed(inner) => {
                let pool = self.pool.clone();
                let reversed = AggregateUDF::new_from_impl(Self { inner, pool });
                ReversedUDAF::Reversed(Arc::new(reversed))
            }
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// What joins texts, how many bytes it has been given, and how many it has returned: in a window that is
/// the text so far for each row.
#[derive(Debug)]
struct Counted<T> {
    inner: T,
    /// Who asks for room.
    name: String,
    bytes: usize,
    returned: usize,
    kept: Option<MemoryReservation>,
    pool: Pool,
}

impl<T> Counted<T> {
    /// Room for so many bytes, until it is let go of.
    fn room(&self, bytes: usize) -> Result<Option<MemoryReservation>> {
        if bytes <= SLICE_BYTES {
            return Ok(None);
        }
        let memory = self.registered();
        memory.try_grow(bytes)?;
        Ok(Some(memory))
    }

    fn registered(&self) -> MemoryReservation {
        MemoryConsumer::new(&self.name).register(&self.pool.0)
    }

    /// Room for a text that is returned, for as long as others may follow.
    fn room_to_return(&mut self) -> Result<()> {
        self.returned = self.returned.saturating_add(self.bytes);
        if self.returned > SLICE_BYTES {
            let kept = self.kept.take().unwrap_or_else(|| self.registered());
            self.kept.insert(kept).try_resize(self.returned)?;
        }
        Ok(())
    }

    /// Room for what a batch adds.
    fn room_for(&mut self, values: &[ArrayRef]) -> Result<Option<MemoryReservation>> {
        let bytes = values.first().map_or(0, length);
        let room = self.room(bytes)?;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(room)
    }
}

/// The bytes of the texts of a column, of those that share theirs too.
fn length(column: &ArrayRef) -> usize {
    match column.data_type() {
        DataType::Utf8View => {
            let lengths = column.as_string_view().lengths();
            lengths.fold(0, |sum: usize, length| sum.saturating_add(length as usize))
        }
        DataType::Utf8 => between(column.as_string::<i32>().value_offsets()),
        DataType::LargeUtf8 => between(column.as_string::<i64>().value_offsets()),
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            let offsets = lists.value_offsets();
            let first = offsets.first().copied().unwrap_or_default();
            let first = usize::try_from(first).unwrap_or_default();
            length(&lists.values().slice(first, between(offsets)))
        }
        // A slice has its own part of what it shares.
        _ => {
            let own = column.to_data().get_slice_memory_size();
            own.unwrap_or_else(|_| column.get_array_memory_size())
        }
    }
}

fn between<O: OffsetSizeTrait>(offsets: &[O]) -> usize {
    let at = |offset: Option<&O>| offset.map_or(0, |offset| offset.as_usize());
    at(offsets.last()).saturating_sub(at(offsets.first()))
}

impl Accumulator for Counted<Box<dyn Accumulator>> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let _room = self.room_for(values)?;
        self.inner.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.room_to_return()?;
        self.inner.evaluate()
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let _room = self.room(self.bytes)?;
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let _room = self.room_for(states)?;
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let bytes = values.first().map_or(0, length);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.inner.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

impl GroupsAccumulator for Counted<Box<dyn GroupsAccumulator>> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        let _room = self.room_for(values)?;
        self.inner
            .update_batch(values, group_indices, opt_filter, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let _room = self.room(self.bytes)?;
        self.inner.evaluate(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let _room = self.room(self.bytes)?;
        self.inner.state(emit_to)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        let _room = self.room_for(values)?;
        self.inner
            .merge_batch(values, group_indices, total_num_groups)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let _room = self.room(values.first().map_or(0, length))?;
        self.inner.convert_to_state(values, opt_filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}

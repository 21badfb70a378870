//! PnL in the order that `ORDER BY` gives, for the metrics that depend on it.
//!
//! Each value is kept with its sort key in comparable bytes, so that parts made on several threads
//! merge in any order; the metric reads the values once they are sorted, those of equal keys by their
//! PnL, so that the order of the rows decides nothing. Without `ORDER BY` the
//! values stand in the order in which they arrive, which is what a window's own order is.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Decimal128Array, ListArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::Accumulator;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};

use crate::arguments::{SOL, decimal_array};

/// Keeps PnL with sort keys and makes a metric of the sorted values.
pub struct InOrderAccumulator {
    keys: RowConverter,
    is_ordered: bool,
    values: Vec<(Box<[u8]>, i128)>,
    metric: fn(&mut dyn Iterator<Item = i128>) -> ScalarValue,
}

impl fmt::Debug for InOrderAccumulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InOrderAccumulator({} values)", self.values.len())
    }
}

impl InOrderAccumulator {
    /// An accumulator of one metric.
    pub fn boxed(
        args: &AccumulatorArgs,
        metric: fn(&mut dyn Iterator<Item = i128>) -> ScalarValue,
    ) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return Err(DataFusionError::NotImplemented(format!(
                "{} counts every trade: DISTINCT is not supported",
                args.name
            )));
        }
        let fields = args
            .order_bys
            .iter()
            .map(|key| {
                let data_type = key.expr.data_type(args.schema)?;
                Ok(SortField::new_with_options(data_type, key.options))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Box::new(Self {
            is_ordered: !fields.is_empty(),
            keys: RowConverter::new(fields)?,
            values: Vec::new(),
            metric,
        }))
    }
}

fn key_field() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Binary, false))
}

fn value_field() -> FieldRef {
    Arc::new(Field::new_list_field(SOL, false))
}

/// The fields of an [`InOrderAccumulator`]'s state.
pub fn state_fields(args: &StateFieldsArgs) -> Vec<FieldRef> {
    let field = |name: &str, item: FieldRef| -> FieldRef {
        let name = format!("{}[{name}]", args.name);
        Arc::new(Field::new(name, DataType::List(item), true))
    };
    vec![field("keys", key_field()), field("values", value_field())]
}

impl Accumulator for InOrderAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let pnl = decimal_array("pnl", &values[0], 9)?;
        let keys = match &values[1..] {
            [] => None,
            columns => Some(self.keys.convert_columns(columns)?),
        };
        for row in (0..pnl.len()).filter(|row| pnl.is_valid(*row)) {
            let key = keys
                .as_ref()
                .map_or_else(Box::default, |keys| keys.row(row).data().into());
            self.values.push((key, pnl.value(row)));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if !self.is_ordered {
            return Ok((self.metric)(&mut self.values.iter().map(|(_, pnl)| *pnl)));
        }
        // Equal keys go by PnL: the order in which threads bring them must not show.
        self.values.sort_unstable();
        Ok((self.metric)(&mut self.values.iter().map(|(_, pnl)| *pnl)))
    }

    fn size(&self) -> usize {
        let keys: usize = self.values.iter().map(|(key, _)| key.len()).sum();
        size_of_val(self) + self.keys.size() + keys + size_of_val(self.values.as_slice())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let keys: BinaryArray = self.values.iter().map(|(key, _)| Some(key)).collect();
        let pnl: Decimal128Array = self.values.iter().map(|(_, pnl)| Some(*pnl)).collect();
        let list = |field: FieldRef, items: ArrayRef| -> Result<ScalarValue> {
            let offsets = OffsetBuffer::from_lengths([items.len()]);
            let list = ListArray::try_new(field, offsets, items, None)?;
            Ok(ScalarValue::List(Arc::new(list)))
        };
        Ok(vec![
            list(key_field(), Arc::new(keys))?,
            list(value_field(), Arc::new(pnl.with_data_type(SOL)))?,
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (keys, values) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        for row in (0..keys.len()).filter(|row| keys.is_valid(*row)) {
            let (keys, values) = (keys.value(row), values.value(row));
            let keys = keys.as_binary::<i32>();
            let values = values.as_primitive::<Decimal128Type>();
            self.values
                .extend((0..keys.len()).map(|item| (keys.value(item).into(), values.value(item))));
        }
        Ok(())
    }
}

//! Counts and sums over PnL, from which the metrics that need no order are made.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::Accumulator;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};

use crate::arguments::decimal_array;
use crate::decimal::divide_half_even;

/// Lamports in a ten-thousandth of a SOL.
pub const LAMPORTS_PER_UNIT: i128 = 100_000;
const SUM: DataType = DataType::Decimal128(38, 9);

/// What a run of trades adds up to; amounts in lamports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub trades: i64,
    pub wins: i64,
    /// Sum over wins.
    pub gross_profit: i128,
    /// Sum of the amounts lost over all that is no win.
    pub gross_loss: i128,
}

impl Totals {
    /// Takes one trade in.
    pub fn add(&mut self, pnl: i128) {
        self.trades += 1;
        if pnl > 0 {
            self.wins += 1;
            self.gross_profit = self.gross_profit.saturating_add(pnl);
        } else {
            self.gross_loss = self.gross_loss.saturating_sub(pnl);
        }
    }

    /// Takes the trades of another part in.
    pub fn merge(&mut self, other: &Self) {
        self.trades += other.trades;
        self.wins += other.wins;
        self.gross_profit = self.gross_profit.saturating_add(other.gross_profit);
        self.gross_loss = self.gross_loss.saturating_add(other.gross_loss);
    }
}

/// An amount in lamports rounded to ten-thousandths of a SOL, in that unit.
pub fn rounded_units(lamports: i128) -> i128 {
    divide_half_even(lamports, LAMPORTS_PER_UNIT)
}

/// Keeps [`Totals`] and makes a metric of them.
#[derive(Debug)]
pub struct TotalsAccumulator {
    totals: Totals,
    metric: fn(&Totals) -> Result<ScalarValue>,
}

impl TotalsAccumulator {
    /// An accumulator of one metric.
    pub fn boxed(
        args: &AccumulatorArgs,
        metric: fn(&Totals) -> Result<ScalarValue>,
    ) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return Err(DataFusionError::NotImplemented(format!(
                "{} counts every trade: DISTINCT is not supported",
                args.name
            )));
        }
        Ok(Box::new(Self {
            totals: Totals::default(),
            metric,
        }))
    }
}

/// The fields of a [`TotalsAccumulator`]'s state.
pub fn state_fields(args: &StateFieldsArgs) -> Vec<FieldRef> {
    let field = |name: &str, data_type: DataType| -> FieldRef {
        Arc::new(Field::new(
            format!("{}[{name}]", args.name),
            data_type,
            true,
        ))
    };
    vec![
        field("trades", DataType::Int64),
        field("wins", DataType::Int64),
        field("gross_profit", SUM),
        field("gross_loss", SUM),
    ]
}

impl Accumulator for TotalsAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for pnl in decimal_array("pnl", &values[0], 9)?.iter().flatten() {
            self.totals.add(pnl);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        (self.metric)(&self.totals)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Totals {
            trades,
            wins,
            gross_profit,
            gross_loss,
        } = self.totals;
        Ok(vec![
            ScalarValue::Int64(Some(trades)),
            ScalarValue::Int64(Some(wins)),
            ScalarValue::Decimal128(Some(gross_profit), 38, 9),
            ScalarValue::Decimal128(Some(gross_loss), 38, 9),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for row in 0..states[0].len() {
            if states[0].is_null(row) {
                continue;
            }
            self.totals.merge(&Totals {
                trades: states[0].as_primitive::<Int64Type>().value(row),
                wins: states[1].as_primitive::<Int64Type>().value(row),
                gross_profit: states[2].as_primitive::<Decimal128Type>().value(row),
                gross_loss: states[3].as_primitive::<Decimal128Type>().value(row),
            });
        }
        Ok(())
    }
}

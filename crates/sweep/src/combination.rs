//! One row of the parameter relation, as integers.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, Decimal128Type, Int64Type, TimestampMicrosecondType,
};
use datafusion::common::{Result, internal_datafusion_err};
use hindsight_udfs::exits::walk::{ExitRules, FillModel};
use hindsight_udfs::scoring::position_size::Sizing;
use hindsight_udfs::trades::trade_pnl::Costs;

const MINUTE_MICROS: i64 = 60_000_000;

/// What one backtest is asked to do.
#[derive(Debug, Clone)]
pub struct Combination {
    /// Microseconds, half open; `None` where nothing is loaded.
    pub range: (Option<i64>, Option<i64>),
    /// × 10^4.
    pub weights: [i64; 5],
    /// Points × 100.
    pub threshold: i64,
    pub sizing: Sizing,
    pub rules: ExitRules,
    pub fill_model: FillModel,
    pub costs: Costs,
    /// Microseconds × 10^4, since the parameter has four digits of a minute.
    pub max_entry_delay: Option<i128>,
}

impl Combination {
    /// Reads a row.
    pub fn read(batch: &RecordBatch, row: usize) -> Result<Self> {
        let decimal = |name| value::<Decimal128Type>(batch, name, row);
        let required = |name| {
            decimal(name)?.ok_or_else(|| internal_datafusion_err!("the parameter {name} is null"))
        };
        let small = |name| {
            i64::try_from(required(name)?)
                .map_err(|_| internal_datafusion_err!("the parameter {name} is too large"))
        };
        let boolean = |name: &str| {
            let column = batch.column_by_name(name).and_then(|c| c.as_boolean_opt());
            column
                .filter(|column| column.is_valid(row))
                .map(|column| column.value(row))
                .ok_or_else(|| internal_datafusion_err!("the parameter {name} is null"))
        };
        let word = |name: &str| {
            let column = batch
                .column_by_name(name)
                .and_then(|c| c.as_string_opt::<i32>());
            column
                .map(|column| column.value(row))
                .ok_or_else(|| internal_datafusion_err!("the parameter {name} is null"))
        };
        let unknown = |name| move |()| internal_datafusion_err!("{name} has an unknown value");
        let hold = value::<Int64Type>(batch, "max_hold_minutes", row)?.unwrap_or(0);
        let gas = match boolean("include_gas_costs")? {
            true => required("gas_cost_sol")?,
            false => 0,
        };
        Ok(Self {
            range: (
                value::<TimestampMicrosecondType>(batch, "range_start", row)?,
                value::<TimestampMicrosecondType>(batch, "range_end", row)?,
            ),
            weights: [
                small("wallet_score_weight")?,
                small("token_metrics_weight")?,
                small("liquidity_weight")?,
                small("holder_distribution_weight")?,
                small("momentum_weight")?,
            ],
            threshold: small("score_threshold")?,
            sizing: Sizing {
                base_position: required("base_position_sol")?,
                max_position: required("max_position_sol")?,
                scale_with_confidence: boolean("scale_with_confidence")?,
                confidence_multiplier: required("confidence_multiplier")?,
            },
            rules: ExitRules::new(
                word("exit_strategy")?
                    .parse()
                    .map_err(unknown("exit_strategy"))?,
                small("stop_loss_percent")?,
                small("take_profit_percent")?,
                small("trailing_stop_percent")?,
                hold.saturating_mul(MINUTE_MICROS),
            ),
            fill_model: word("fill_model")?.parse().map_err(unknown("fill_model"))?,
            costs: Costs {
                slippage_percent: required("slippage_percent")?,
                gas,
            },
            max_entry_delay: decimal("max_entry_delay_minutes")?
                .map(|minutes| minutes.saturating_mul(MINUTE_MICROS.into())),
        })
    }
}

fn value<T: ArrowPrimitiveType>(
    batch: &RecordBatch,
    name: &str,
    row: usize,
) -> Result<Option<T::Native>> {
    let column = batch
        .column_by_name(name)
        .and_then(|column| column.as_primitive_opt::<T>())
        .ok_or_else(|| internal_datafusion_err!("the parameters have no {name}"))?;
    Ok(column.is_valid(row).then(|| column.value(row)))
}

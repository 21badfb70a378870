//! One row of the parameter relation, as integers.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, Decimal128Type, Int64Type, TimestampMicrosecondType,
};
use datafusion::common::{Result, internal_datafusion_err};
use hindsight_udfs::exits::settings::ExitSettings;
use hindsight_udfs::exits::words::FillModel;
use hindsight_udfs::portfolio::admission::Limits;
use hindsight_udfs::scoring::position_size::Sizing;
use hindsight_udfs::trades::costs::Costs;

use super::days::Days;

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
    pub exits: ExitSettings,
    pub fill_model: FillModel,
    pub costs: Costs,
    /// Microseconds × 10^4, since the parameter has four digits of a minute.
    pub max_entry_delay: Option<i128>,
    pub limits: Limits,
    /// Signals of which something is sold at this instant or later are left out, in microseconds.
    pub exits_before: Option<i64>,
}

impl Combination {
    /// The days of its range.
    pub fn days(&self) -> Days {
        Days::of(self.range)
    }

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
        let small_or_none = |name| {
            decimal(name)?
                .map(i64::try_from)
                .transpose()
                .map_err(|_| internal_datafusion_err!("the parameter {name} is too large"))
        };
        let whole = |name| value::<Int64Type>(batch, name, row);
        let micros = |name| -> Result<Option<i64>> {
            let minutes = whole(name)?;
            Ok(minutes.map(|minutes| minutes.saturating_mul(MINUTE_MICROS)))
        };
        let ladder = batch
            .column_by_name("take_profit_ladder")
            .and_then(|column| column.as_string_opt::<i32>())
            .ok_or_else(|| internal_datafusion_err!("the parameters have no take_profit_ladder"))?;
        let ladder = ladder.is_valid(row).then(|| ladder.value(row));
        let ladder = ladder.map(str::parse).transpose();
        let ladder = ladder.map_err(|expected: String| {
            internal_datafusion_err!("take_profit_ladder must be {expected}")
        })?;
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
            exits: ExitSettings {
                ladder,
                trailing_activation: small("trailing_activation_percent")?,
                break_even: small_or_none("break_even_percent")?,
                stagnation_micros: micros("stagnation_minutes")?,
                moonbag: small_or_none("moonbag_percent")?,
                moonbag_stop_loss: small_or_none("moonbag_stop_loss_percent")?,
                moonbag_max_hold_micros: micros("moonbag_max_hold_minutes")?,
                ..ExitSettings::new(
                    word("exit_strategy")?
                        .parse()
                        .map_err(unknown("exit_strategy"))?,
                    small("stop_loss_percent")?,
                    small("take_profit_percent")?,
                    small("trailing_stop_percent")?,
                    hold.saturating_mul(MINUTE_MICROS),
                )
            },
            fill_model: word("fill_model")?.parse().map_err(unknown("fill_model"))?,
            costs: Costs {
                slippage_percent: required("slippage_percent")?,
                exit_slippage_percent: required("exit_slippage_percent")?,
                platform_fee_percent: required("platform_fee_percent")?,
                gas,
                priority_fee: required("priority_fee_sol")?,
                failed_transaction_percent: required("failed_transaction_percent")?,
                pool: decimal("pool_sol")?,
            },
            max_entry_delay: decimal("max_entry_delay_minutes")?
                .map(|minutes| minutes.saturating_mul(MINUTE_MICROS.into())),
            limits: Limits {
                max_open_positions: whole("max_open_positions")?,
                max_positions_per_token: whole("max_positions_per_token")?,
                token_cooldown: micros("token_cooldown_minutes")?,
                max_trades_per_day: whole("max_trades_per_day")?,
                max_daily_loss: decimal("max_daily_loss_sol")?,
                starting_balance: decimal("starting_balance_sol")?,
            },
            exits_before: None,
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

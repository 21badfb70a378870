-- simulated_signals: the trade that every selected signal would have made.
-- Grain: one row for each combination of parameters and signal; the columns of the trade are null
--   where the signal is not selected, or could not be traded: no price at or after it, a first
--   price of 0, or one later than max_entry_delay_minutes allows.
-- Reads: run_parameters, scored_signals, and token_prices through simulate_exit.

with

parameters as (
    select * from run_parameters
),

scored as (
    select * from scored_signals
),

-- What would have happened to the position, whatever its size.
exits as (
    select
        scored.*,
        parameters.max_entry_delay_minutes,
        parameters.slippage_percent,
        case
            when scored.is_selected then
                position_size(
                    scored.score,
                    parameters.base_position_sol,
                    parameters.max_position_sol,
                    parameters.scale_with_confidence,
                    parameters.confidence_multiplier
                )
        end as position_size_exact,
        case when parameters.include_gas_costs then parameters.gas_cost_sol else 0 end as gas_cost,
        case
            when scored.is_selected then
                simulate_exit(
                    scored.token_address,
                    scored.signal_timestamp,
                    parameters.exit_strategy,
                    parameters.stop_loss_percent,
                    parameters.take_profit_percent,
                    parameters.trailing_stop_percent,
                    parameters.max_hold_minutes,
                    parameters.fill_model
                )
        end as trade_exit
    from scored
    inner join parameters on scored.combination = parameters.combination
),

entered as (
    select
        *,
        trade_exit['entry_timestamp'] is not null
        and (
            max_entry_delay_minutes is null
            or arrow_cast(trade_exit['entry_timestamp'], 'Int64')
            - arrow_cast(signal_timestamp, 'Int64')
            <= max_entry_delay_minutes * 60000000
        ) as is_traded
    from exits
),

earned as (
    select
        *,
        case
            when is_traded then
                trade_pnl(
                    position_size_exact,
                    trade_exit['entry_price'],
                    trade_exit['exit_price_exact'],
                    slippage_percent,
                    gas_cost
                )
        end as pnl,
        case
            when is_traded then
                trade_pnl(
                    position_size_exact,
                    trade_exit['entry_price'],
                    trade_exit['conservative_price_exact'],
                    slippage_percent,
                    gas_cost
                )
        end as conservative_pnl
    from entered
)

select
    combination,
    signal_id,
    signal_timestamp,
    token_address,
    source_wallet,
    score,
    is_selected,
    is_traded,
    case when is_traded then trade_exit['entry_timestamp'] end as entry_timestamp,
    case when is_traded then trade_exit['entry_price'] end as entry_price,
    case when is_traded then trade_exit['exit_timestamp'] end as exit_timestamp,
    case when is_traded then trade_exit['exit_price'] end as exit_price,
    case when is_traded then trade_exit['exit_reason'] end as exit_reason,
    case when is_traded then trade_exit['exit_price_exact'] end as exit_price_exact,
    case when is_traded then position_size_exact end as position_size_exact,
    pnl['position_size_sol'] as position_size_sol,
    pnl['gross_pnl_sol'] as gross_pnl_sol,
    pnl['slippage_cost_sol'] as slippage_cost_sol,
    pnl['gas_cost_sol'] as gas_cost_sol,
    pnl['net_pnl_sol'] as net_pnl_sol,
    pnl['pnl_percent'] as pnl_percent,
    pnl['is_win'] as is_win,
    conservative_pnl['net_pnl_sol'] as conservative_net_pnl_sol
from earned

-- simulated_signals: every signal in the range with the sales that it would have made.
-- Grain: one row for each combination of parameters, signal and sale, of which a position has one for
--   each part that does not end as another; one row where the signal is not selected, or could not be
--   traded: no price at or after it, a first price of 0, or one later than max_entry_delay_minutes
--   allows. The columns of the sale are null there.
-- Reads: run_parameters, scored_signals, and token_prices through simulate_exits.

with

parameters as (
    select * from run_parameters
),

scored as (
    select * from scored_signals
),

-- What would have happened to the position, whatever its size: a list of sales, which is one null
-- where there is no token to trade.
exits as (
    select
        scored.*,
        parameters.max_entry_delay_minutes,
        parameters.slippage_percent,
        parameters.exit_slippage_percent,
        parameters.platform_fee_percent,
        parameters.priority_fee_sol,
        parameters.failed_transaction_percent,
        parameters.pool_sol,
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
        simulate_exits(
            case when scored.is_selected then scored.token_address end,
            scored.signal_timestamp,
            parameters.exit_strategy,
            parameters.stop_loss_percent,
            parameters.take_profit_percent,
            parameters.trailing_stop_percent,
            parameters.max_hold_minutes,
            parameters.fill_model,
            parameters.take_profit_ladder,
            parameters.trailing_activation_percent,
            parameters.break_even_percent,
            parameters.stagnation_minutes,
            parameters.moonbag_percent,
            parameters.moonbag_stop_loss_percent,
            parameters.moonbag_max_hold_minutes
        ) as sales
    from scored
    inner join parameters on scored.combination = parameters.combination
),

entered as (
    select
        *,
        sales[1]['entry_timestamp'] is not null
        and (
            max_entry_delay_minutes is null
            or arrow_cast(sales[1]['entry_timestamp'], 'Int64')
            - arrow_cast(signal_timestamp, 'Int64')
            <= max_entry_delay_minutes * 60000000
        ) as is_traded
    from exits
),

sold as (
    select
        *,
        unnest(case when is_traded then sales else array_slice(sales, 1, 1) end) as sale
    from entered
),

earned as (
    select
        *,
        case
            when is_traded then
                sale_pnl(
                    position_size_exact,
                    sale['share_percent'],
                    sale['entry_price'],
                    sale['exit_price_exact'],
                    slippage_percent,
                    exit_slippage_percent,
                    platform_fee_percent,
                    gas_cost,
                    priority_fee_sol,
                    failed_transaction_percent,
                    pool_sol
                )
        end as pnl,
        case
            when is_traded then
                sale_pnl(
                    position_size_exact,
                    sale['share_percent'],
                    sale['entry_price'],
                    sale['conservative_price_exact'],
                    slippage_percent,
                    exit_slippage_percent,
                    platform_fee_percent,
                    gas_cost,
                    priority_fee_sol,
                    failed_transaction_percent,
                    pool_sol
                )
        end as conservative_pnl
    from sold
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
    case when is_traded then sale['part'] end as part,
    case when is_traded then sale['share_percent'] end as share_percent,
    case when is_traded then sale['entry_timestamp'] end as entry_timestamp,
    case when is_traded then sale['entry_price'] end as entry_price,
    case when is_traded then sale['exit_timestamp'] end as exit_timestamp,
    case when is_traded then sale['exit_price'] end as exit_price,
    case when is_traded then sale['exit_reason'] end as exit_reason,
    case when is_traded then sale['lowest_price'] end as lowest_price,
    case when is_traded then sale['highest_price'] end as highest_price,
    case when is_traded then sale['exit_price_exact'] end as exit_price_exact,
    case when is_traded then position_size_exact end as position_size_exact,
    pnl['position_size_sol'] as position_size_sol,
    pnl['gross_pnl_sol'] as gross_pnl_sol,
    pnl['slippage_cost_sol'] as slippage_cost_sol,
    pnl['gas_cost_sol'] as gas_cost_sol,
    pnl['fees_sol'] as fees_sol,
    pnl['impact_cost_sol'] as impact_cost_sol,
    pnl['net_pnl_sol'] as net_pnl_sol,
    pnl['pnl_percent'] as pnl_percent,
    pnl['is_win'] as is_win,
    conservative_pnl['net_pnl_sol'] as conservative_net_pnl_sol
from earned

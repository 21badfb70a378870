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
        position_size(
            case when scored.is_selected then scored.score end,
            parameters.base_position_sol,
            parameters.max_position_sol,
            parameters.scale_with_confidence,
            parameters.confidence_multiplier
        ) as position_size_exact,
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

-- A row for each sale. All sales of a position have one entry.
sold as (
    select
        *,
        unnest(sales) as sale
    from exits
),

entered as (
    select
        *,
        sale['entry_timestamp'] is not null
        and (
            max_entry_delay_minutes is null
            or arrow_cast(sale['entry_timestamp'], 'Int64')
            - arrow_cast(signal_timestamp, 'Int64')
            <= max_entry_delay_minutes * 60000000
        ) as is_traded
    from sold
),

-- What is entered too late is not traded, and is one row, whatever the parts it would have been sold in.
traded as (
    select
        *,
        case when is_traded then sale end as traded_sale,
        case when is_traded then position_size_exact end as traded_size
    from entered
    where is_traded or coalesce(sale['part'], 1) = 1
),

earned as (
    select
        *,
        sale_pnl(
            traded_size,
            traded_sale['share_percent'],
            traded_sale['entry_price'],
            traded_sale['exit_price_exact'],
            slippage_percent,
            exit_slippage_percent,
            platform_fee_percent,
            gas_cost,
            priority_fee_sol,
            failed_transaction_percent,
            pool_sol
        ) as pnl,
        sale_pnl(
            traded_size,
            traded_sale['share_percent'],
            traded_sale['entry_price'],
            traded_sale['conservative_price_exact'],
            slippage_percent,
            exit_slippage_percent,
            platform_fee_percent,
            gas_cost,
            priority_fee_sol,
            failed_transaction_percent,
            pool_sol
        ) as conservative_pnl
    from traded
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
    traded_sale['part'] as part,
    traded_sale['share_percent'] as share_percent,
    traded_sale['entry_timestamp'] as entry_timestamp,
    traded_sale['entry_price'] as entry_price,
    traded_sale['exit_timestamp'] as exit_timestamp,
    traded_sale['exit_price'] as exit_price,
    traded_sale['exit_reason'] as exit_reason,
    traded_sale['lowest_price'] as lowest_price,
    traded_sale['highest_price'] as highest_price,
    traded_sale['exit_price_exact'] as exit_price_exact,
    traded_size as position_size_exact,
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

-- daily_pnl: what both sides earned on each day of the range, by the day (UTC) of the exits.
-- Grain: one row for each combination of parameters and day, empty days too.
-- Reads: run_parameters, daily_sides.

with

actual as (
    select * from daily_sides where side = 'actual'
),

simulated as (
    select * from daily_sides where side = 'simulated'
)

select
    run_parameters.scenario,
    run_parameters.start_date,
    run_parameters.end_date,
    run_parameters.wallet_score_weight,
    run_parameters.token_metrics_weight,
    run_parameters.liquidity_weight,
    run_parameters.holder_distribution_weight,
    run_parameters.momentum_weight,
    run_parameters.score_threshold,
    run_parameters.base_position_sol,
    run_parameters.max_position_sol,
    run_parameters.scale_with_confidence,
    run_parameters.confidence_multiplier,
    run_parameters.exit_strategy,
    run_parameters.stop_loss_percent,
    run_parameters.take_profit_percent,
    run_parameters.trailing_stop_percent,
    run_parameters.max_hold_minutes,
    run_parameters.slippage_percent,
    run_parameters.include_gas_costs,
    run_parameters.gas_cost_sol,
    run_parameters.fill_model,
    run_parameters.max_entry_delay_minutes,
    run_parameters.take_profit_ladder,
    run_parameters.trailing_activation_percent,
    run_parameters.break_even_percent,
    run_parameters.stagnation_minutes,
    run_parameters.moonbag_percent,
    run_parameters.moonbag_stop_loss_percent,
    run_parameters.moonbag_max_hold_minutes,
    run_parameters.exit_slippage_percent,
    run_parameters.platform_fee_percent,
    run_parameters.priority_fee_sol,
    run_parameters.failed_transaction_percent,
    run_parameters.pool_sol,
    run_parameters.max_open_positions,
    run_parameters.max_positions_per_token,
    run_parameters.token_cooldown_minutes,
    run_parameters.max_trades_per_day,
    run_parameters.max_daily_loss_sol,
    run_parameters.starting_balance_sol,
    cast(arrow_cast(actual.day, 'Int32') as date) as day,
    actual.pnl_sol as actual_pnl_sol,
    simulated.pnl_sol as simulated_pnl_sol,
    actual.trades as actual_trades,
    simulated.trades as simulated_trades
from run_parameters
inner join actual on run_parameters.combination = actual.combination
inner join simulated
    on actual.combination = simulated.combination
    and actual.day = simulated.day
order by run_parameters.combination, day

-- backtest: what really happened beside what would have, in one row.
-- Grain: one row for each combination of parameters.
-- Metrics: those of src/metrics.rs, each a column of trade_metrics, are put where it says so.
-- Reads: run_parameters, compared_signals, trade_metrics.

with

parameters as (
    select * from run_parameters
),

signal_counts as (
    select
        combination,
        count(*) as total_signals,
        count(*) filter (where is_selected) as signals_above_threshold,
        count(*) filter (where skip_reason = 'untradable') as untradable_signals,
        count(*) filter (where is_limited) as limited_signals,
        count(*) filter (where outcome_changed or pnl_changed) as trades_changed,
        round_half_even(sum(conservative_net_pnl_sol), 4) as conservative_pnl_sol
    from compared_signals
    group by combination
),

actual as (
    select * from trade_metrics where side = 'actual'
),

simulated as (
    select * from trade_metrics where side = 'simulated'
),

-- A side without trades has no metrics, which is 0 in those that are sums, and null in the rest.
joined as (
    select
        parameters.*,
        coalesce(signal_counts.total_signals, 0) as total_signals,
        coalesce(signal_counts.signals_above_threshold, 0) as signals_above_threshold,
        coalesce(signal_counts.untradable_signals, 0) as untradable_signals,
        coalesce(signal_counts.limited_signals, 0) as limited_signals,
        /* every metric: actual.M as actual_M, */
        /* every metric: simulated.M as simulated_M, */
        coalesce(signal_counts.trades_changed, 0) as trades_changed,
        cast(
            coalesce(signal_counts.conservative_pnl_sol, 0) as numeric(20, 9)
        ) as simulated_pnl_conservative_sol
    from parameters
    left join signal_counts on parameters.combination = signal_counts.combination
    left join actual on parameters.combination = actual.combination
    left join simulated on parameters.combination = simulated.combination
),

compared as (
    select
        *,
        simulated_total_pnl_sol - actual_total_pnl_sol as pnl_difference,
        simulated_win_rate - actual_win_rate as win_rate_change
    from joined
)

select
    scenario,
    start_date,
    end_date,
    wallet_score_weight,
    token_metrics_weight,
    liquidity_weight,
    holder_distribution_weight,
    momentum_weight,
    score_threshold,
    base_position_sol,
    max_position_sol,
    scale_with_confidence,
    confidence_multiplier,
    exit_strategy,
    stop_loss_percent,
    take_profit_percent,
    trailing_stop_percent,
    max_hold_minutes,
    slippage_percent,
    include_gas_costs,
    gas_cost_sol,
    fill_model,
    max_entry_delay_minutes,
    take_profit_ladder,
    trailing_activation_percent,
    break_even_percent,
    stagnation_minutes,
    moonbag_percent,
    moonbag_stop_loss_percent,
    moonbag_max_hold_minutes,
    exit_slippage_percent,
    platform_fee_percent,
    priority_fee_sol,
    failed_transaction_percent,
    pool_sol,
    max_open_positions,
    max_positions_per_token,
    token_cooldown_minutes,
    max_trades_per_day,
    max_daily_loss_sol,
    starting_balance_sol,
    total_signals,
    signals_above_threshold,
    untradable_signals,
    limited_signals,
    /* every metric: actual_M, */
    /* every metric: simulated_M, */
    cast(pnl_difference as numeric(20, 9)) as pnl_difference_sol,
    divide_rounded(
        pnl_difference * 100,
        abs(actual_total_pnl_sol),
        2
    ) as pnl_improvement_percent,
    simulated_total_trades - actual_total_trades as trade_count_difference,
    cast(win_rate_change as numeric(7, 2)) as win_rate_difference,
    pnl_difference > 0.01 and win_rate_change > -5 as is_improvement,
    trades_changed,
    simulated_pnl_conservative_sol
from compared
order by combination

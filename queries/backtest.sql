-- backtest: what really happened beside what would have, in one row.
-- Grain: one row for each combination of parameters.
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
        coalesce(actual.total_trades, 0) as actual_total_trades,
        coalesce(actual.winning_trades, 0) as actual_winning_trades,
        coalesce(actual.losing_trades, 0) as actual_losing_trades,
        cast(coalesce(actual.total_pnl_sol, 0) as numeric(20, 9)) as actual_total_pnl_sol,
        cast(coalesce(actual.gross_profit_sol, 0) as numeric(20, 9)) as actual_gross_profit_sol,
        cast(coalesce(actual.gross_loss_sol, 0) as numeric(20, 9)) as actual_gross_loss_sol,
        cast(coalesce(actual.average_win_sol, 0) as numeric(20, 9)) as actual_average_win_sol,
        cast(coalesce(actual.average_loss_sol, 0) as numeric(20, 9)) as actual_average_loss_sol,
        cast(coalesce(actual.max_drawdown_sol, 0) as numeric(20, 9)) as actual_max_drawdown_sol,
        coalesce(actual.max_consecutive_losses, 0) as actual_max_consecutive_losses,
        cast(coalesce(actual.win_rate, 0) as numeric(7, 2)) as actual_win_rate,
        actual.profit_factor as actual_profit_factor,
        cast(coalesce(actual.expectancy, 0) as numeric(20, 9)) as actual_expectancy,
        actual.sharpe_ratio as actual_sharpe_ratio,
        actual.sortino_ratio as actual_sortino_ratio,
        actual.calmar_ratio as actual_calmar_ratio,
        actual.sqn as actual_sqn,
        cast(actual.best_trade_sol as numeric(20, 9)) as actual_best_trade_sol,
        cast(actual.worst_trade_sol as numeric(20, 9)) as actual_worst_trade_sol,
        actual.average_hold_minutes as actual_average_hold_minutes,
        coalesce(simulated.total_trades, 0) as simulated_total_trades,
        coalesce(simulated.winning_trades, 0) as simulated_winning_trades,
        coalesce(simulated.losing_trades, 0) as simulated_losing_trades,
        cast(coalesce(simulated.total_pnl_sol, 0) as numeric(20, 9)) as simulated_total_pnl_sol,
        cast(coalesce(simulated.gross_profit_sol, 0) as numeric(20, 9)) as simulated_gross_profit_sol,
        cast(coalesce(simulated.gross_loss_sol, 0) as numeric(20, 9)) as simulated_gross_loss_sol,
        cast(coalesce(simulated.average_win_sol, 0) as numeric(20, 9)) as simulated_average_win_sol,
        cast(coalesce(simulated.average_loss_sol, 0) as numeric(20, 9)) as simulated_average_loss_sol,
        cast(coalesce(simulated.max_drawdown_sol, 0) as numeric(20, 9)) as simulated_max_drawdown_sol,
        coalesce(simulated.max_consecutive_losses, 0) as simulated_max_consecutive_losses,
        cast(coalesce(simulated.win_rate, 0) as numeric(7, 2)) as simulated_win_rate,
        simulated.profit_factor as simulated_profit_factor,
        cast(coalesce(simulated.expectancy, 0) as numeric(20, 9)) as simulated_expectancy,
        simulated.sharpe_ratio as simulated_sharpe_ratio,
        simulated.sortino_ratio as simulated_sortino_ratio,
        simulated.calmar_ratio as simulated_calmar_ratio,
        simulated.sqn as simulated_sqn,
        cast(simulated.best_trade_sol as numeric(20, 9)) as simulated_best_trade_sol,
        cast(simulated.worst_trade_sol as numeric(20, 9)) as simulated_worst_trade_sol,
        simulated.average_hold_minutes as simulated_average_hold_minutes,
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
    actual_total_trades,
    actual_winning_trades,
    actual_losing_trades,
    actual_total_pnl_sol,
    actual_gross_profit_sol,
    actual_gross_loss_sol,
    actual_average_win_sol,
    actual_average_loss_sol,
    actual_max_drawdown_sol,
    actual_max_consecutive_losses,
    actual_win_rate,
    actual_profit_factor,
    actual_expectancy,
    actual_sharpe_ratio,
    actual_sortino_ratio,
    actual_calmar_ratio,
    actual_sqn,
    actual_best_trade_sol,
    actual_worst_trade_sol,
    actual_average_hold_minutes,
    simulated_total_trades,
    simulated_winning_trades,
    simulated_losing_trades,
    simulated_total_pnl_sol,
    simulated_gross_profit_sol,
    simulated_gross_loss_sol,
    simulated_average_win_sol,
    simulated_average_loss_sol,
    simulated_max_drawdown_sol,
    simulated_max_consecutive_losses,
    simulated_win_rate,
    simulated_profit_factor,
    simulated_expectancy,
    simulated_sharpe_ratio,
    simulated_sortino_ratio,
    simulated_calmar_ratio,
    simulated_sqn,
    simulated_best_trade_sol,
    simulated_worst_trade_sol,
    simulated_average_hold_minutes,
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

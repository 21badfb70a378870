-- trade_metrics: the metrics of the trades of one side, actual or simulated.
-- Grain: one row for each combination of parameters and side that has trades.
-- Reads: actual_trades, simulated_signals.

with

trades as (
    select
        combination,
        'actual' as side,
        signal_id,
        exit_timestamp,
        realized_pnl_sol as pnl_sol
    from actual_trades
    union all
    select
        combination,
        'simulated' as side,
        signal_id,
        exit_timestamp,
        net_pnl_sol as pnl_sol
    from simulated_signals
    where is_traded
)

select
    combination,
    side,
    count(*) as total_trades,
    count(*) filter (where pnl_sol > 0) as winning_trades,
    count(*) filter (where pnl_sol <= 0) as losing_trades,
    round_half_even(sum(pnl_sol), 4) as total_pnl_sol,
    round_half_even(sum(pnl_sol) filter (where pnl_sol > 0), 4) as gross_profit_sol,
    round_half_even(-sum(pnl_sol) filter (where pnl_sol <= 0), 4) as gross_loss_sol,
    divide_rounded(
        sum(pnl_sol) filter (where pnl_sol > 0),
        count(*) filter (where pnl_sol > 0),
        4
    ) as average_win_sol,
    divide_rounded(
        -sum(pnl_sol) filter (where pnl_sol <= 0),
        count(*) filter (where pnl_sol <= 0),
        4
    ) as average_loss_sol,
    max_drawdown(pnl_sol order by exit_timestamp, signal_id) as max_drawdown_sol,
    max_consecutive_losses(pnl_sol order by exit_timestamp, signal_id) as max_consecutive_losses,
    win_rate(pnl_sol) as win_rate,
    profit_factor(pnl_sol) as profit_factor,
    expectancy(pnl_sol) as expectancy
from trades
group by combination, side

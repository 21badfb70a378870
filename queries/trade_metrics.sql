-- trade_metrics: the metrics of the trades of one side, actual or simulated.
-- Grain: one row for each combination of parameters and side that has trades.
-- Order: by exit, signal and part; real trades that are alike in these by their PnL, which has no part.
-- Reads: both_sides_trades, daily_sides.

with

of_trades as (
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
        max_drawdown(pnl_sol order by exit_timestamp, signal_id, part) as max_drawdown_sol,
        max_consecutive_losses(
            pnl_sol order by exit_timestamp, signal_id, part
        ) as max_consecutive_losses,
        win_rate(pnl_sol) as win_rate,
        profit_factor(pnl_sol) as profit_factor,
        expectancy(pnl_sol) as expectancy,
        sqn(pnl_sol) as sqn,
        round_half_even(max(pnl_sol), 4) as best_trade_sol,
        round_half_even(min(pnl_sol), 4) as worst_trade_sol,
        divide_rounded(
            sum(arrow_cast(exit_timestamp, 'Int64') - arrow_cast(entry_timestamp, 'Int64')),
            count(entry_timestamp) * 60000000,
            2
        ) as average_hold_minutes
    from both_sides_trades
    group by combination, side
),

of_days as (
    select
        combination,
        side,
        sharpe_ratio(pnl_sol) as sharpe_ratio,
        sortino_ratio(pnl_sol) as sortino_ratio,
        sum(pnl_sol) as pnl_sol,
        count(*) as days
    from daily_sides
    group by combination, side
)

select
    of_trades.*,
    of_days.sharpe_ratio,
    of_days.sortino_ratio,
    divide_rounded(
        of_days.pnl_sol * 365,
        of_days.days * of_trades.max_drawdown_sol,
        4
    ) as calmar_ratio
from of_trades
inner join of_days
    on of_trades.combination = of_days.combination
    and of_trades.side = of_days.side

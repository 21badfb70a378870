-- equity_curve: how actual and simulated PnL grew, signal by signal.
-- Grain: one row for each signal in the range, in the order of time.
-- Reads: compared_signals.

select
    signal_timestamp as timestamp,
    signal_id,
    cast(
        sum(coalesce(actual_pnl_sol, 0)) over (
            order by signal_timestamp, signal_id
            rows between unbounded preceding and current row
        ) as numeric(20, 9)
    ) as actual_pnl_sol,
    cast(
        sum(coalesce(simulated_pnl_sol, 0)) over (
            order by signal_timestamp, signal_id
            rows between unbounded preceding and current row
        ) as numeric(20, 9)
    ) as simulated_pnl_sol
from compared_signals
order by signal_timestamp, signal_id

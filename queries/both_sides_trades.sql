-- both_sides_trades: the trades that were made, and those that would have been.
-- Grain: one row for each combination of parameters, side and trade.
-- Reads: actual_trades, admitted_signals.

select
    combination,
    'actual' as side,
    signal_id,
    entry_timestamp,
    exit_timestamp,
    cast(null as bigint) as part,
    realized_pnl_sol as pnl_sol
from actual_trades
union all
select
    combination,
    'simulated' as side,
    signal_id,
    entry_timestamp,
    exit_timestamp,
    part,
    net_pnl_sol as pnl_sol
from admitted_signals
where is_traded

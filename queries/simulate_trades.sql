-- simulate_trades: the simulated trades, in the order of their signals.
-- Grain: one row for each simulated trade, which is one sale: of a position in parts there are
--   several, by part.
-- Reads: admitted_signals.

select
    signal_id,
    signal_timestamp,
    token_address,
    source_wallet,
    score,
    entry_timestamp,
    entry_price,
    exit_timestamp,
    exit_price,
    exit_reason,
    position_size_sol,
    gross_pnl_sol,
    slippage_cost_sol,
    gas_cost_sol,
    net_pnl_sol,
    pnl_percent,
    is_win,
    part,
    share_percent,
    fees_sol,
    impact_cost_sol,
    cast(
        divide_rounded(lowest_price - entry_price, entry_price, 4) * 100 as numeric(38, 2)
    ) as mae_percent,
    cast(
        divide_rounded(highest_price - entry_price, entry_price, 4) * 100 as numeric(38, 2)
    ) as mfe_percent
from admitted_signals
where is_traded
order by signal_timestamp, signal_id, part

-- compared_signals: every signal in the range, as it was traded and as it would have been.
-- Grain: one row for each combination of parameters and signal.
-- Reads: admitted_signals, trade_outcomes.

with

-- The sales of one position are one trade here.
simulated as (
    select
        combination,
        signal_id,
        min(signal_timestamp) as signal_timestamp,
        min(token_address) as token_address,
        min(source_wallet) as source_wallet,
        min(score) as score,
        bool_and(is_selected) as is_selected,
        bool_and(is_traded) as is_traded,
        bool_and(is_limited) as is_limited,
        min(skip_reason) as skip_reason,
        cast(sum(net_pnl_sol) as numeric(20, 9)) as net_pnl_sol,
        cast(sum(conservative_net_pnl_sol) as numeric(20, 9)) as conservative_net_pnl_sol
    from admitted_signals
    group by
        combination,
        signal_id
),

-- The outcomes of one signal are one trade. One that is not closed yet makes the signal traded,
-- and adds no PnL.
actual as (
    select
        signal_id,
        sum(realized_pnl_sol) filter (where exit_timestamp is not null) as actual_pnl_sol
    from trade_outcomes
    group by signal_id
),

both_sides as (
    select
        simulated.combination,
        simulated.signal_id,
        simulated.signal_timestamp,
        simulated.token_address,
        simulated.source_wallet,
        simulated.score,
        simulated.is_selected,
        simulated.is_limited,
        simulated.skip_reason,
        actual.signal_id is not null as actual_traded,
        cast(actual.actual_pnl_sol as numeric(20, 9)) as actual_pnl_sol,
        simulated.is_traded as simulated_traded,
        simulated.net_pnl_sol as simulated_pnl_sol,
        simulated.conservative_net_pnl_sol
    from simulated
    left join actual on simulated.signal_id = actual.signal_id
)

select
    *,
    actual_traded <> simulated_traded as outcome_changed,
    case
        when actual_pnl_sol is null and simulated_pnl_sol is null then false
        when actual_pnl_sol is null or simulated_pnl_sol is null then true
        else abs(simulated_pnl_sol - actual_pnl_sol) > 0.001
    end as pnl_changed
from both_sides

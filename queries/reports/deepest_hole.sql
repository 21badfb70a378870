-- When was the deepest hole, and what made it?
-- The largest fall of simulated PnL below its peak: from when to when, and the tokens that lost most
-- between the two.

with

trades as (
    select
        signal_id,
        part,
        token_address,
        exit_timestamp,
        net_pnl_sol
    from simulate_trades(:settings)
),

curve as (
    select
        *,
        row_number() over (order by exit_timestamp, signal_id, part) as place,
        sum(net_pnl_sol) over (
            order by exit_timestamp, signal_id, part
            rows between unbounded preceding and current row
        ) as pnl_sol
    from trades
),

-- The peak starts at 0.
depths as (
    select
        *,
        greatest(
            max(pnl_sol) over (order by place rows between unbounded preceding and current row),
            0
        ) as peak_sol
    from curve
),

trough as (
    select
        place,
        exit_timestamp,
        peak_sol,
        peak_sol - pnl_sol as depth_sol
    from depths
    where peak_sol > pnl_sol
    order by peak_sol - pnl_sol desc, place
    limit 1
),

peak as (
    select coalesce(max(curve.place), 0) as place
    from curve
    cross join trough
    where curve.pnl_sol >= trough.peak_sol
        and curve.place < trough.place
),

inside as (
    select
        depths.token_address,
        depths.exit_timestamp,
        depths.net_pnl_sol
    from depths
    cross join trough
    cross join peak
    where depths.place > peak.place
        and depths.place <= trough.place
),

tokens as (
    select
        token_address,
        count(*) as trades,
        sum(net_pnl_sol) as pnl_sol
    from inside
    group by token_address
),

ends as (
    select
        min(exit_timestamp) as hole_start,
        max(exit_timestamp) as hole_end
    from inside
)

select
    ends.hole_start,
    ends.hole_end,
    trough.depth_sol,
    tokens.token_address,
    tokens.trades,
    tokens.pnl_sol
from tokens
cross join trough
cross join ends
where tokens.pnl_sol < 0
order by tokens.pnl_sol, tokens.token_address
limit 10

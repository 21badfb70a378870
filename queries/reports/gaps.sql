-- What do prices that gap through a level cost?
-- The same trades filled at their levels and at the worse of level and observed price, by the rule that
-- ended them.

with

at_levels as (
    select
        signal_id,
        part,
        exit_reason,
        net_pnl_sol
    from simulate_trades(fill_model => 'level':and_settings)
),

at_worst as (
    select
        signal_id,
        part,
        net_pnl_sol
    from simulate_trades(fill_model => 'conservative':and_settings)
)

select
    at_levels.exit_reason,
    count(*) as trades,
    count(*) filter (where at_worst.net_pnl_sol < at_levels.net_pnl_sol) as gapped,
    sum(at_levels.net_pnl_sol) as level_sol,
    sum(at_worst.net_pnl_sol) as conservative_sol,
    sum(at_levels.net_pnl_sol - at_worst.net_pnl_sol) as cost_of_gaps_sol
from at_levels
inner join at_worst on at_levels.signal_id = at_worst.signal_id and at_levels.part = at_worst.part
group by at_levels.exit_reason
order by cost_of_gaps_sol desc, at_levels.exit_reason

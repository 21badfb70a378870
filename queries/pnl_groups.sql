-- pnl_groups: by how much simulated and actual PnL differ, summed over what goes together.
-- Grain: one row for each token with a signal in the range, and one for each day of the range, counted
--   from its first; days without a signal too.
-- Reads: run_parameters, compared_signals.

with

parameters as (
    select * from run_parameters
),

differences as (
    select
        compared_signals.token_address,
        (
            arrow_cast(compared_signals.signal_timestamp, 'Int64')
            - arrow_cast(parameters.range_start, 'Int64')
        ) / 86400000000 as day,
        coalesce(compared_signals.simulated_pnl_sol, 0)
        - coalesce(compared_signals.actual_pnl_sol, 0) as difference_sol
    from compared_signals
    inner join parameters on compared_signals.combination = parameters.combination
),

days as (
    select
        unnest(
            range(
                0,
                (arrow_cast(range_end, 'Int64') - arrow_cast(range_start, 'Int64')) / 86400000000
            )
        ) as day
    from parameters
),

traded_days as (
    select
        day,
        sum(difference_sol) as difference_sol
    from differences
    group by day
),

groups as (
    select
        'token' as method,
        token_address as group_name,
        sum(difference_sol) as difference_sol
    from differences
    group by token_address
    union all
    -- Digits of one length, so that days are in their order.
    select
        'day' as method,
        lpad(cast(days.day as varchar), 9, '0') as group_name,
        coalesce(traded_days.difference_sol, 0) as difference_sol
    from days
    left join traded_days on days.day = traded_days.day
)

select
    method,
    group_name,
    difference_sol
from groups
order by method desc, group_name

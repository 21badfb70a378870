-- exposure: how many positions are open at once, and how much SOL is in them.
-- Grain: one row for each instant at which simulated positions begin or end, with what holds after it.
-- Reads: admitted_signals.

with

sales as (
    select
        signal_id,
        entry_timestamp,
        exit_timestamp,
        position_size_exact * cast(share_percent * 0.01 as numeric(9, 6)) as part_sol
    from admitted_signals
    where is_traded
),

-- A position is open from its entry until its last part is sold.
positions as (
    select
        signal_id,
        min(entry_timestamp) as entry_timestamp,
        max(exit_timestamp) as exit_timestamp
    from sales
    group by signal_id
),

changes as (
    select entry_timestamp as timestamp, 1 as positions, cast(0 as numeric(38, 23)) as capital_sol
    from positions
    union all
    select exit_timestamp as timestamp, -1 as positions, cast(0 as numeric(38, 23)) as capital_sol
    from positions
    union all
    select
        entry_timestamp as timestamp,
        0 as positions,
        cast(part_sol as numeric(38, 23)) as capital_sol
    from sales
    union all
    select
        exit_timestamp as timestamp,
        0 as positions,
        cast(-part_sol as numeric(38, 23)) as capital_sol
    from sales
),

instants as (
    select timestamp, sum(positions) as positions, sum(capital_sol) as capital_sol
    from changes
    group by timestamp
)

select
    timestamp,
    cast(
        sum(positions) over (
            order by timestamp rows between unbounded preceding and current row
        ) as bigint
    ) as open_positions,
    cast(
        round_half_even(
            sum(capital_sol) over (
                order by timestamp rows between unbounded preceding and current row
            ),
            9
        ) as numeric(20, 9)
    ) as capital_sol
from instants
order by timestamp

-- How much money was at work at once?
-- The days on which simulated positions bound most, the most first: how much, when, and in how many.

with

moments as (
    select
        timestamp,
        open_positions,
        capital_sol,
        row_number() over (
            partition by date_trunc('day', timestamp)
            order by capital_sol desc, timestamp
        ) as place
    from exposure(:settings)
)

select
    cast(date_trunc('day', timestamp) as date) as day,
    capital_sol,
    open_positions,
    timestamp as reached_at
from moments
where place = 1
order by capital_sol desc, day
limit 10

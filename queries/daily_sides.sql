-- daily_sides: what the trades of each side earned on each day, by the day (UTC) of their exits.
-- Grain: one row for each combination of parameters, side and day of the range, empty days too; a
--   trade that ended before the first day counts on it, one that ended after the last on that.
-- Reads: run_parameters, both_sides_trades.

with

ranges as (
    select
        combination,
        arrow_cast(range_start, 'Int64') / 86400000000 as first_day,
        arrow_cast(range_end, 'Int64') / 86400000000 - 1 as last_day
    from run_parameters
),

days as (
    select combination, unnest(generate_series(first_day, last_day)) as day
    from ranges
    where last_day >= first_day
),

sides as (
    select column1 as side from (values ('actual'), ('simulated'))
),

-- Microseconds since 1970, with those since midnight, which are none before it either.
instants as (
    select
        *,
        arrow_cast(exit_timestamp, 'Int64') as instant,
        (arrow_cast(exit_timestamp, 'Int64') % 86400000000 + 86400000000) % 86400000000 as of_day
    from both_sides_trades
),

trades as (
    select
        instants.combination,
        instants.side,
        least(
            greatest((instants.instant - instants.of_day) / 86400000000, ranges.first_day),
            ranges.last_day
        ) as day,
        instants.pnl_sol
    from instants
    inner join ranges on instants.combination = ranges.combination
),

sums as (
    select combination, side, day, sum(pnl_sol) as pnl_sol, count(*) as trades
    from trades
    group by combination, side, day
)

select
    days.combination,
    sides.side,
    days.day,
    cast(coalesce(sums.pnl_sol, 0) as numeric(20, 9)) as pnl_sol,
    coalesce(sums.trades, 0) as trades
from days
cross join sides
left join sums
    on days.combination = sums.combination
    and sides.side = sums.side
    and days.day = sums.day

-- At which hours do signals earn?
-- Simulated trades by the hour (UTC) of their signal.

select
    extract(hour from signal_timestamp) as hour_utc,
    count(*) as trades,
    win_rate(net_pnl_sol) as win_rate,
    expectancy(net_pnl_sol) as expectancy_sol,
    sum(net_pnl_sol) as pnl_sol
from simulate_trades(:settings)
group by extract(hour from signal_timestamp)
order by pnl_sol desc, hour_utc

-- Which wallets are worth dropping?
-- The wallets whose simulated trades lose most: what they cost, how often they win, and what the total
-- would be without them. A wallet with few trades says little.

with

trades as (
    select
        source_wallet,
        net_pnl_sol
    from simulate_trades(:settings)
),

total as (
    select sum(net_pnl_sol) as net_pnl_sol
    from trades
),

wallets as (
    select
        coalesce(source_wallet, 'unknown') as source_wallet,
        count(*) as trades,
        win_rate(net_pnl_sol) as win_rate,
        expectancy(net_pnl_sol) as expectancy_sol,
        sum(net_pnl_sol) as pnl_sol
    from trades
    group by coalesce(source_wallet, 'unknown')
)

select
    wallets.source_wallet,
    wallets.trades,
    wallets.win_rate,
    wallets.expectancy_sol,
    wallets.pnl_sol,
    total.net_pnl_sol - wallets.pnl_sol as total_without_it_sol
from wallets
cross join total
where wallets.pnl_sol < 0
order by wallets.pnl_sol, wallets.source_wallet
limit 10

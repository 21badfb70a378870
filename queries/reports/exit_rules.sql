-- Which exit rule earns, and which loses?
-- One row for each reason for which simulated trades end.

select
    exit_reason,
    count(*) as trades,
    win_rate(net_pnl_sol) as win_rate,
    expectancy(net_pnl_sol) as expectancy_sol,
    sum(net_pnl_sol) as pnl_sol,
    min(net_pnl_sol) as worst_sol,
    max(net_pnl_sol) as best_sol
from simulate_trades(:settings)
group by exit_reason
order by pnl_sol desc, exit_reason

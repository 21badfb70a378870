-- Which score threshold earns most, and does it still with bad fills?
-- One row for each threshold; the same settings otherwise.

select
    score_threshold,
    simulated_total_trades as trades,
    simulated_win_rate as win_rate,
    simulated_expectancy as expectancy_sol,
    simulated_total_pnl_sol as pnl_sol,
    simulated_pnl_conservative_sol as conservative_sol,
    simulated_max_drawdown_sol as max_drawdown_sol,
    pnl_difference_sol as difference_sol
from backtest(score_threshold => range(50, 100, 5):and_settings)
order by score_threshold

-- What did the portfolio limits refuse, and what did that cost?
-- One row for each limit: the signals it refused, and what they would have earned without any limit.
-- Nothing where no limit is set, or none was reached.

with

refused as (
    select
        signal_id,
        skip_reason
    from compare_trades(:settings)
    where skip_reason not in ('below_threshold', 'untradable')
),

unlimited as (
    select
        signal_id,
        simulated_pnl_sol
    from compare_trades(:without_limits)
)

select
    refused.skip_reason,
    count(*) as refused_signals,
    win_rate(unlimited.simulated_pnl_sol) as win_rate,
    sum(unlimited.simulated_pnl_sol) as missed_pnl_sol
from refused
inner join unlimited on refused.signal_id = unlimited.signal_id
group by refused.skip_reason
order by missed_pnl_sol desc, refused.skip_reason
